"""Owns the tests of signing requests: AWS's published examples, and every choice against a service's own view."""

from __future__ import annotations

import datetime as dt
import gc
import io
import threading
import weakref
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography.exceptions import InvalidSignature
from peers import sigv4

from awscrt.auth import (
    AwsCredentials,
    AwsCredentialsProvider,
    AwsSignatureType,
    AwsSignedBodyHeaderType,
    AwsSignedBodyValue,
    AwsSigningAlgorithm,
    AwsSigningConfig,
    aws_sign_request,
)
from awscrt.exceptions import AwsCrtError
from awscrt.http import HttpHeaders, HttpRequest
from awscrt.io import InputStream

WAIT_SEC = 30.0
UTC = dt.timezone.utc

SUITE = sigv4.Signer(
    "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "20150830T123600Z", "us-east-1", "service"
)
S3 = sigv4.Signer(
    "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "20130524T000000Z", "us-east-1", "s3"
)
EMPTY = AwsSignedBodyValue.EMPTY_SHA256
HOST = ("Host", "example.amazonaws.com")


def provider(signer, token=None):
    return AwsCredentialsProvider.new_static(signer.access_key_id, signer.secret_access_key, token)


def date_of(signer):
    return dt.datetime.strptime(signer.date, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)


def config(signer=SUITE, **changes):
    values = {
        "credentials_provider": provider(signer),
        "region": signer.region,
        "service": signer.service,
        "date": date_of(signer),
    }
    if signer is S3:
        values.update(
            use_double_uri_encode=False,
            should_normalize_uri_path=False,
            signed_body_header_type=AwsSignedBodyHeaderType.X_AMZ_CONTENT_SHA_256,
        )
    values.update(changes)
    return AwsSigningConfig(**values)


def request(method="GET", path="/", headers=(HOST,), body=None):
    return HttpRequest(method, path, HttpHeaders(list(headers)), body)


def sign(http_request, signing_config):
    future = aws_sign_request(http_request, signing_config)
    assert future.result(WAIT_SEC) is http_request
    return http_request


def signature(http_request):
    return sigv4.authorization(http_request.headers.get("Authorization"))["Signature"]


# ------------------------------------------------------------------------------------------------ published values

SUITE_VECTORS = [
    ("GET", "/", [HOST], None, "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
    ("POST", "/", [HOST], None, "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
    ("GET", "/\u1234", [HOST], None, "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"),
    (
        "GET",
        "/?Param2=value2&Param1=value1",
        [HOST],
        None,
        "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
    ),
    (
        "GET",
        "/?Param1=value1",
        [HOST],
        None,
        "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb",
    ),
]


@pytest.mark.parametrize(("method", "path", "headers", "body", "expected"), SUITE_VECTORS)
def test_the_signature_version_4_test_suite(method, path, headers, body, expected):
    signed = sign(request(method, path, headers, body), config())
    assert signed.headers.get("X-Amz-Date") == "20150830T123600Z"
    fields = sigv4.authorization(signed.headers.get("Authorization"))
    assert fields == {
        "algorithm": "AWS4-HMAC-SHA256",
        "Credential": "AKIDEXAMPLE/20150830/us-east-1/service/aws4_request",
        "SignedHeaders": "host;x-amz-date",
        "Signature": expected,
    }
    assert (signed.method, signed.path) == (method, path)


def test_the_example_of_iam_in_the_general_reference():
    signed = sign(
        request(
            path="/?Action=ListUsers&Version=2010-05-08",
            headers=[
                ("Host", "iam.amazonaws.com"),
                ("Content-Type", "application/x-www-form-urlencoded; charset=utf-8"),
            ],
        ),
        config(service="iam"),
    )
    assert signature(signed) == "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"


BUCKET = ("Host", "examplebucket.s3.amazonaws.com")

# "Authenticating Requests: Using the Authorization Header" of Amazon S3's API Reference.
S3_VECTORS = {
    "range": (
        "GET",
        "/test.txt",
        [BUCKET, ("Range", "bytes=0-9")],
        b"",
        "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
    ),
    "put": (
        "PUT",
        "/test%24file.text",
        [BUCKET, ("Date", "Fri, 24 May 2013 00:00:00 GMT"), ("x-amz-storage-class", "REDUCED_REDUNDANCY")],
        b"Welcome to Amazon S3.",
        "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
    ),
    "lifecycle": (
        "GET",
        "/?lifecycle",
        [BUCKET],
        b"",
        "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
    ),
    "list": (
        "GET",
        "/?max-keys=2&prefix=J",
        [BUCKET],
        b"",
        "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
    ),
}


@pytest.mark.parametrize("name", S3_VECTORS)
def test_the_examples_of_s3_with_headers(name):
    method, path, headers, body, expected = S3_VECTORS[name]
    stream = io.BytesIO(body) if body else None
    signed = sign(request(method, path, headers, stream), config(S3))
    assert signature(signed) == expected
    assert signed.headers.get("x-amz-content-sha256") == sigv4.sha256(body)
    assert stream is None or stream.tell() == 0, "the body is to be sent from its start"


def test_the_example_of_s3_with_query_parameters():
    presigned = sign(
        request(path="/test.txt", headers=[BUCKET]),
        config(
            S3,
            signature_type=AwsSignatureType.HTTP_REQUEST_QUERY_PARAMS,
            signed_body_header_type=AwsSignedBodyHeaderType.NONE,
            signed_body_value=AwsSignedBodyValue.UNSIGNED_PAYLOAD,
            expiration_in_seconds=86400,
        ),
    )
    assert list(presigned.headers) == [BUCKET]
    assert parse_qs(urlsplit(presigned.path).query) == {
        "X-Amz-Algorithm": ["AWS4-HMAC-SHA256"],
        "X-Amz-Credential": ["AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request"],
        "X-Amz-Date": ["20130524T000000Z"],
        "X-Amz-Expires": ["86400"],
        "X-Amz-SignedHeaders": ["host"],
        "X-Amz-Signature": ["aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"],
    }


# -------------------------------------------------------------------------------------------------- other choices


def test_v4a_is_verified_with_the_public_key():
    signed = sign(request(path="/a?x=1"), config(algorithm=AwsSigningAlgorithm.V4_ASYMMETRIC, region="us-*,eu-west-1"))
    headers = list(signed.headers)
    fields = sigv4.authorization(signed.headers.get("Authorization"))
    assert fields["algorithm"] == "AWS4-ECDSA-P256-SHA256"
    assert fields["Credential"] == "AKIDEXAMPLE/20150830/service/aws4_request"
    assert fields["SignedHeaders"] == "host;x-amz-date;x-amz-region-set"
    assert signed.headers.get("X-Amz-Region-Set") == "us-*,eu-west-1"
    canonical = sigv4.canonical_request("GET", "/a?x=1", sigv4.signed(headers), EMPTY)
    SUITE.verify_request_v4a(canonical, fields["Signature"])
    with pytest.raises(InvalidSignature):
        SUITE.verify_request_v4a(canonical + "x", fields["Signature"])


def test_v4a_in_the_query():
    presigned = sign(
        request(path="/a"),
        config(
            algorithm=AwsSigningAlgorithm.V4_ASYMMETRIC,
            signature_type=AwsSignatureType.HTTP_REQUEST_QUERY_PARAMS,
            expiration_in_seconds=60,
        ),
    )
    fields = parse_qs(urlsplit(presigned.path).query)
    canonical = sigv4.canonical_request("GET", presigned.path, [HOST], EMPTY, without="X-Amz-Signature")
    SUITE.verify_request_v4a(canonical, fields["X-Amz-Signature"][0])


def test_s3express_has_its_own_header_for_the_token():
    signed = sign(
        request(headers=[BUCKET]),
        config(
            S3,
            algorithm=AwsSigningAlgorithm.V4_S3EXPRESS,
            credentials_provider=provider(S3, "session"),
            service="s3express",
        ),
    )
    assert signed.headers.get("X-Amz-S3session-Token") == "session"
    assert signed.headers.get("X-Amz-Security-Token") is None
    express = sigv4.Signer(S3.access_key_id, S3.secret_access_key, S3.date, S3.region, "s3express")
    headers = sigv4.signed(list(signed.headers))
    assert signature(signed) == express.request(sigv4.canonical_request("GET", "/", headers, EMPTY))


@pytest.mark.parametrize("omit", [False, True])
def test_session_token(omit):
    signed = sign(request(), config(credentials_provider=provider(SUITE, "the token"), omit_session_token=omit))
    assert signed.headers.get("X-Amz-Security-Token") == "the token"
    names = sigv4.authorization(signed.headers.get("Authorization"))["SignedHeaders"].split(";")
    assert ("x-amz-security-token" in names) is not omit
    headers = sigv4.signed(list(signed.headers))
    assert signature(signed) == SUITE.request(sigv4.canonical_request("GET", "/", headers, EMPTY))


@pytest.mark.parametrize(("double", "path"), [(True, "/a%2520b"), (False, "/a%20b")])
def test_double_encoding(double, path):
    signed = sign(request(path="/a%20b"), config(use_double_uri_encode=double))
    canonical = "\n".join(
        [
            "GET",
            path,
            "",
            f"host:{HOST[1]}",
            "x-amz-date:20150830T123600Z",
            "",
            "host;x-amz-date",
            EMPTY,
        ]
    )
    assert signature(signed) == SUITE.request(canonical)


@pytest.mark.parametrize(("normalize", "path"), [(True, "/b"), (False, "/a/..//b")])
def test_normalization(normalize, path):
    signed = sign(request(path="/a/..//b"), config(should_normalize_uri_path=normalize))
    headers = sigv4.signed(list(signed.headers))
    assert signature(signed) == SUITE.request(sigv4.canonical_request("GET", path, headers, EMPTY))


def test_signed_body_value_in_place_of_the_body():
    class Unreadable:
        def read(self, size):
            raise AssertionError("the body was read")

    digest = sigv4.sha256(b"another")
    signed = sign(
        request("PUT", body=Unreadable()),
        config(signed_body_value=digest, signed_body_header_type=AwsSignedBodyHeaderType.X_AMZ_CONTENT_SHA_256),
    )
    assert signed.headers.get("x-amz-content-sha256") == digest
    headers = sigv4.signed(list(signed.headers))
    assert signature(signed) == SUITE.request(sigv4.canonical_request("PUT", "/", headers, digest))


def test_a_long_body_is_read_to_its_end_whatever_its_position():
    body = bytes(range(256)) * 1000
    stream = io.BytesIO(body)
    stream.seek(77)
    signed = sign(request("PUT", body=stream), config())
    assert stream.tell() == 0
    headers = sigv4.signed(list(signed.headers))
    assert signature(signed) == SUITE.request(sigv4.canonical_request("PUT", "/", headers, sigv4.sha256(body)))


def test_headers_with_equal_names_and_with_spaces():
    headers = [HOST, ("My-Header", "b  c"), ("my-header", " a "), ("MY-HEADER", "d")]
    signed = sign(request(headers=headers), config())
    canonical = "\n".join(
        [
            "GET",
            "/",
            "",
            f"host:{HOST[1]}",
            "my-header:b c,a,d",
            "x-amz-date:20150830T123600Z",
            "",
            "host;my-header;x-amz-date",
            EMPTY,
        ]
    )
    assert signature(signed) == SUITE.request(canonical)


def test_no_headers_at_all():
    signed = sign(request(headers=[]), config())
    headers = sigv4.signed(list(signed.headers))
    assert [name for name, _ in headers] == ["X-Amz-Date"]
    assert signature(signed) == SUITE.request(sigv4.canonical_request("GET", "/", headers, EMPTY))


def test_the_date_is_that_of_now_by_default():
    before = dt.datetime.now(UTC).replace(microsecond=0)
    signed = sign(request(), config(date=None))
    after = dt.datetime.now(UTC)
    date = dt.datetime.strptime(signed.headers.get("X-Amz-Date"), "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    assert before <= date <= after


@pytest.mark.parametrize(
    ("date", "text"),
    [
        (dt.datetime(1970, 1, 1, tzinfo=UTC), "19700101T000000Z"),
        (dt.datetime(2024, 2, 29, 23, 59, 59, 999999, tzinfo=UTC), "20240229T235959Z"),
        (dt.datetime(2024, 3, 1, 1, 0, tzinfo=dt.timezone(dt.timedelta(hours=2))), "20240229T230000Z"),
        (dt.datetime(2038, 1, 19, 3, 14, 8, tzinfo=UTC), "20380119T031408Z"),
        (dt.datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC), "99991231T235959Z"),
    ],
)
def test_dates(date, text):
    assert sign(request(), config(date=date)).headers.get("X-Amz-Date") == text


# ---------------------------------------------------------------------------------------------- should_sign_header


def test_should_sign_header_picks():
    asked = []

    def pick(name, **unused):
        asked.append((name, threading.get_ident()))
        return name.lower() != "accept"

    headers = [HOST, ("Accept", "*/*"), ("User-Agent", "me"), ("X-MineError", "1")]
    signed = sign(request(headers=headers), config(should_sign_header=pick))
    assert asked == [(name, threading.get_ident()) for name, _ in headers]
    picked = sigv4.signed(list(signed.headers))
    assert [name for name, _ in picked] == ["Host", "X-MineError", "X-Amz-Date"], "proxies change User-Agent"
    assert signature(signed) == SUITE.request(sigv4.canonical_request("GET", "/", picked, EMPTY))


def test_should_sign_header_may_want_its_argument_by_keyword_and_give_any_truth():
    def pick(*, name):
        return [name] if name == "Host" else ""

    signed = sign(request(headers=[HOST, ("A", "b")]), config(should_sign_header=pick))
    assert [name for name, _ in sigv4.signed(list(signed.headers))] == ["Host", "X-Amz-Date"]


def test_should_sign_header_may_change_the_request():
    http_request = request(headers=[HOST, ("A", "b"), ("C", "d")])

    def pick(name):
        http_request.headers.clear()
        http_request.headers.add("Host", HOST[1])
        return True

    sign(http_request, config(should_sign_header=pick))
    assert signature(http_request) == signature(sign(request(headers=[HOST, ("A", "b"), ("C", "d")]), config()))


class MineError(Exception):
    """Raised on purpose."""


@pytest.mark.fault("R10")
def test_should_sign_header_raises():
    error = MineError("on purpose")

    def pick(name):
        raise error

    http_request = request()
    future = aws_sign_request(http_request, config(should_sign_header=pick))
    assert future.exception(WAIT_SEC) is error
    assert list(http_request.headers) == [HOST]
    error.__traceback__ = None


@pytest.mark.fault("R10")
def test_truth_of_should_sign_header_raises():
    class Untrue:
        def __bool__(self):
            raise MineError

    future = aws_sign_request(request(), config(should_sign_header=lambda name: Untrue()))
    assert isinstance(future.exception(WAIT_SEC), MineError)


@pytest.mark.fault("R10")
@pytest.mark.parametrize("error", [MineError("x"), OSError(5, "x"), MemoryError("mine")])
@pytest.mark.parametrize("what", ["readinto", "seek"])
def test_body_raises(error, what):
    class Broken(io.BytesIO):
        pass

    def fail(self, *args):
        raise error

    setattr(Broken, what, fail)
    body = Broken(b"data")
    http_request = request("PUT", body=body)
    future = aws_sign_request(http_request, config())
    assert future.exception(WAIT_SEC) is error
    error.__traceback__ = None
    assert http_request.body_stream._exception is None
    # It is not told again, to whoever fails for another reason.
    http_request.headers.add("Authorization", "mine")
    setattr(Broken, what, getattr(io.BytesIO, what))
    assert (
        aws_sign_request(http_request, config()).exception(WAIT_SEC).name == "AWS_AUTH_SIGNING_ILLEGAL_REQUEST_HEADER"
    )


# ---------------------------------------------------------------------------------------------------------- errors


@pytest.mark.parametrize("name", ["Authorization", "X-Amz-Date", "x-amz-content-sha256", "X-AMZ-SECURITY-TOKEN"])
def test_header_that_signing_would_add(name):
    http_request = request(headers=[HOST, (name, "secret-value")])
    error = aws_sign_request(http_request, config()).exception(WAIT_SEC)
    assert isinstance(error, AwsCrtError)
    assert error.name == "AWS_AUTH_SIGNING_ILLEGAL_REQUEST_HEADER"
    assert "secret-value" not in repr(error)


@pytest.mark.parametrize("name", ["X-Amz-Signature", "X-Amz-Credential"])
def test_query_parameter_that_signing_would_add(name):
    error = aws_sign_request(
        request(path=f"/?{name}=1"), config(signature_type=AwsSignatureType.HTTP_REQUEST_QUERY_PARAMS)
    ).exception(WAIT_SEC)
    assert error.name == "AWS_AUTH_SIGNING_ILLEGAL_REQUEST_QUERY_PARAM"


def test_signing_twice_is_refused():
    http_request = sign(request(), config())
    with pytest.raises(AwsCrtError, match="ILLEGAL_REQUEST_HEADER"):
        aws_sign_request(http_request, config()).result(WAIT_SEC)


@pytest.mark.parametrize(
    "changes", [{"region": ""}, {"service": ""}, {"credentials_provider": None}], ids=["region", "service", "provider"]
)
def test_configuration_that_lacks_something(changes):
    with pytest.raises(RuntimeError) as caught:
        aws_sign_request(request(), config(**changes))
    assert caught.value.name == "AWS_AUTH_SIGNING_INVALID_CONFIGURATION"


def test_s3express_without_a_token():
    error = aws_sign_request(request(), config(algorithm=AwsSigningAlgorithm.V4_S3EXPRESS)).exception(WAIT_SEC)
    assert error is None or isinstance(error, AwsCrtError)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ((None, None), "http_request must be HttpRequest, not NoneType"),
        ((HttpHeaders(), None), "http_request must be HttpRequest, not HttpHeaders"),
        ((HttpRequest(), None), "signing_config must be AwsSigningConfig, not NoneType"),
    ],
)
def test_wrong_types(arguments, match):
    with pytest.raises(TypeError, match=match):
        aws_sign_request(*arguments)


# -------------------------------------------------------------------------------------------- lifetimes and threads


class Slow:
    """A delegate that gives credentials when it is told to."""

    def __init__(self):
        self.asked = threading.Event()
        self.go_on = threading.Event()

    def __call__(self):
        self.asked.set()
        assert self.go_on.wait(WAIT_SEC)
        return AwsCredentials(SUITE.access_key_id, SUITE.secret_access_key)


def sign_on_a_thread(http_request, signing_config):
    futures = []
    thread = threading.Thread(target=lambda: futures.append(aws_sign_request(http_request, signing_config)))
    thread.start()
    return thread, futures


def test_what_changes_while_credentials_are_waited_for_is_not_signed():
    slow = Slow()
    http_request = request(headers=[HOST, ("A", "b")])
    thread, futures = sign_on_a_thread(
        http_request, config(credentials_provider=AwsCredentialsProvider.new_delegate(slow))
    )
    assert slow.asked.wait(WAIT_SEC)
    for _ in range(200):
        http_request.headers.set("A", "x" * 1000)
        http_request.headers.remove("A")
    http_request.path = "/other"
    http_request.method = "PUT"
    http_request.headers.clear()
    http_request.headers.add("C", "d")
    slow.go_on.set()
    thread.join()
    assert futures[0].result(WAIT_SEC) is http_request
    assert signature(http_request) == signature(sign(request(headers=[HOST, ("A", "b")]), config()))
    assert [name for name, _ in http_request.headers] == ["C", "X-Amz-Date", "Authorization"]


@pytest.mark.fault("R18")
def test_cancelled_before_completion():
    slow = Slow()
    completed = []
    signing_config = config(credentials_provider=AwsCredentialsProvider.new_delegate(slow))
    thread, futures = sign_on_a_thread(request(), signing_config)
    assert slow.asked.wait(WAIT_SEC)
    # The future is still inside the call; the one of a body can be cancelled by the body itself.
    slow.go_on.set()
    thread.join()
    futures[0].result(WAIT_SEC)

    class Body(io.BytesIO):
        def readinto(self, view):
            futures[-1].cancel()
            return super().readinto(view)

    import awscrt._auth_signing as inner

    original = inner.new_future

    def remembered():
        futures.append(original())
        futures[-1].add_done_callback(completed.append)
        return futures[-1]

    inner.new_future = remembered
    try:
        future = aws_sign_request(request("PUT", body=Body(b"x")), config())
    finally:
        inner.new_future = original
    assert future is futures[-1]
    assert future.cancelled()
    assert completed == [future]


@pytest.mark.fault("R13")
def test_cycles_through_a_configuration_are_freed():
    class Owner:
        def __init__(self):
            self.provider = AwsCredentialsProvider.new_delegate(self.credentials)
            self.config = config(credentials_provider=self.provider, should_sign_header=self.pick)

        def credentials(self):
            return AwsCredentials("a", "b")

        def pick(self, name):
            return True

    owner = Owner()
    sign(request(), owner.config)
    gone = weakref.ref(owner)
    del owner
    gc.collect()
    assert gone() is None


def test_the_configuration_keeps_its_provider():
    class Function:
        def __call__(self):
            return AwsCredentials(SUITE.access_key_id, SUITE.secret_access_key)

    function = Function()
    gone = weakref.ref(function)
    signing_config = config(credentials_provider=AwsCredentialsProvider.new_delegate(function))
    del function
    gc.collect()
    assert gone() is not None
    sign(request(), signing_config)
    del signing_config
    gc.collect()
    assert gone() is None


@pytest.mark.fault("R12")
def test_many_threads_sign_with_one_configuration():
    signing_config = config(should_sign_header=lambda name: True)
    found = []

    def work():
        requests = [request("PUT", body=io.BytesIO(b"x" * 5000)) for _ in range(50)]
        found.extend(signature(sign(http_request, signing_config)) for http_request in requests)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 400
    assert len(set(found)) == 1


def test_a_stream_of_the_package_is_a_body_too():
    stream = InputStream(io.BytesIO(b"hello"))
    signed = sign(request("PUT", body=stream), config())
    headers = sigv4.signed(list(signed.headers))
    assert signature(signed) == SUITE.request(sigv4.canonical_request("PUT", "/", headers, sigv4.sha256(b"hello")))
