"""Owns the tests of signing what follows a request: chunks, trailing headers and events."""

from __future__ import annotations

import array
import datetime as dt
import gc
import threading
import weakref

import pytest
from peers import sigv4

from awscrt.auth import (
    AwsCredentials,
    AwsCredentialsProvider,
    AwsSignedBodyHeaderType,
    AwsSignedBodyValue,
    AwsSigningAlgorithm,
    AwsSigningConfig,
    aws_sign_chunk,
    aws_sign_event,
    aws_sign_request,
    aws_sign_trailing_headers,
)
from awscrt.http import HttpHeaders, HttpRequest

WAIT_SEC = 30.0

S3 = sigv4.Signer(
    "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "20130524T000000Z", "us-east-1", "s3"
)
SEED = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9"


def config(**changes):
    values = {
        "credentials_provider": AwsCredentialsProvider.new_static(S3.access_key_id, S3.secret_access_key),
        "region": S3.region,
        "service": S3.service,
        "date": dt.datetime(2013, 5, 24, tzinfo=dt.timezone.utc),
        "use_double_uri_encode": False,
        "should_normalize_uri_path": False,
        "signed_body_value": AwsSignedBodyValue.STREAMING_AWS4_HMAC_SHA256_PAYLOAD,
        "signed_body_header_type": AwsSignedBodyHeaderType.X_AMZ_CONTENT_SHA_256,
    }
    values.update(changes)
    return AwsSigningConfig(**values)


def request(*headers):
    return HttpRequest(
        "PUT",
        "/examplebucket/chunkObject.txt",
        HttpHeaders(
            [
                ("Host", "s3.amazonaws.com"),
                ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
                ("Content-Encoding", "aws-chunked"),
                ("x-amz-decoded-content-length", "66560"),
                ("Content-Length", "66824"),
                *headers,
            ]
        ),
    )


def seed(http_request, signing_config):
    aws_sign_request(http_request, signing_config).result(WAIT_SEC)
    return sigv4.authorization(http_request.headers.get("Authorization"))["Signature"]


def test_the_example_of_chunks_in_the_documentation_of_s3():
    """ "Signature Calculations for the Authorization Header: Transferring Payload in Multiple Chunks"."""
    signing_config = config()
    signatures = [seed(request(), signing_config)]
    for chunk in (b"a" * 65536, b"a" * 1024, b""):
        signatures.append(aws_sign_chunk(chunk, signatures[-1], signing_config).result(WAIT_SEC))
    assert signatures == [
        SEED,
        "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
        "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
        "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
    ]


def test_the_example_of_trailing_headers_in_the_documentation_of_s3():
    """ "…: Transferring Payload in Multiple Chunks, Including Trailing Headers"."""
    signing_config = config(signed_body_value="STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER")
    http_request = request(("x-amz-trailer", "x-amz-checksum-crc32c"))
    http_request.headers.remove("Content-Length")
    signatures = [seed(http_request, signing_config)]
    for chunk in (b"a" * 65536, b"a" * 1024, b""):
        signatures.append(aws_sign_chunk(chunk, signatures[-1], signing_config).result(WAIT_SEC))
    trailer = HttpHeaders([("x-amz-checksum-crc32c", "sOO8/Q==")])
    signatures.append(aws_sign_trailing_headers(trailer, signatures[-1], signing_config).result(WAIT_SEC))
    assert signatures == [
        "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e",
        "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
        "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
        "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992",
        "d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435",
    ]


@pytest.mark.parametrize("chunk", [b"x" * 5000, bytearray(b"abc"), memoryview(b"abcdef")[2:], array.array("H", [1, 2])])
def test_chunks_of_any_buffer(chunk):
    assert aws_sign_chunk(chunk, SEED, config()).result(WAIT_SEC) == S3.chunk(bytes(memoryview(chunk)), SEED)


def test_trailing_headers_in_any_order():
    headers = [("b", " 2 "), ("A", "1"), ("c", "")]
    found = aws_sign_trailing_headers(HttpHeaders(headers), SEED, config()).result(WAIT_SEC)
    assert found == S3.trailer([(name.lower(), value) for name, value in headers], SEED)


def test_events():
    date = dt.datetime(2013, 5, 24, 0, 0, 0, 123456, tzinfo=dt.timezone.utc)
    signing_config = config(date=date, signed_body_value=AwsSignedBodyValue.STREAMING_AWS4_HMAC_SHA256_EVENTS)
    for event in (b"encoded", b""):
        found = aws_sign_event(event, SEED, signing_config).result(WAIT_SEC)
        assert found == S3.event(event, 1369353600123, SEED)


def test_v4a_is_padded_and_verified():
    signing_config = config(
        algorithm=AwsSigningAlgorithm.V4_ASYMMETRIC, signed_body_value="STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD"
    )
    previous = seed(request(), signing_config)
    for chunk in (b"a" * 100, b""):
        found = aws_sign_chunk(chunk, previous, signing_config).result(WAIT_SEC)
        assert len(found) == 144
        S3.verify_chunk_v4a(chunk, previous.rstrip("*"), found.rstrip("*"))
        previous = found
    trailer = HttpHeaders([("x-amz-checksum-crc32c", "sOO8/Q==")])
    assert len(aws_sign_trailing_headers(trailer, previous, signing_config).result(WAIT_SEC)) == 144


def test_events_of_v4a_are_not_known():
    error = aws_sign_event(b"x", SEED, config(algorithm=AwsSigningAlgorithm.V4_ASYMMETRIC)).exception(WAIT_SEC)
    assert error.name == "AWS_AUTH_SIGNING_INVALID_CONFIGURATION"


PIECES = [(aws_sign_chunk, b"x"), (aws_sign_event, b"x"), (aws_sign_trailing_headers, HttpHeaders([("a", "b")]))]


class MineError(Exception):
    """Raised on purpose."""


@pytest.mark.fault("R10")
@pytest.mark.parametrize(("sign", "piece"), PIECES)
def test_delegate_raises(sign, piece):
    error = MineError()

    def fail():
        raise error

    future = sign(piece, SEED, config(credentials_provider=AwsCredentialsProvider.new_delegate(fail)))
    assert future.exception(WAIT_SEC) is error
    error.__traceback__ = None


@pytest.mark.parametrize(("sign", "piece"), PIECES)
def test_no_credentials(sign, piece, monkeypatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID", raising=False)
    error = sign(piece, SEED, config(credentials_provider=AwsCredentialsProvider.new_environment())).exception(WAIT_SEC)
    assert error.name == "AWS_AUTH_CREDENTIALS_PROVIDER_INVALID_ENVIRONMENT"
    with pytest.raises(RuntimeError) as caught:
        sign(piece, SEED, config(credentials_provider=None))
    assert caught.value.name == "AWS_AUTH_SIGNING_INVALID_CONFIGURATION"


@pytest.mark.parametrize(("sign", "piece"), PIECES)
@pytest.mark.parametrize(
    ("previous", "error"), [(b"x", TypeError), (None, TypeError), ("", ValueError), ("a\nb", ValueError)]
)
def test_previous_signature_that_is_none(sign, piece, previous, error):
    with pytest.raises(error, match="previous_signature"):
        sign(piece, previous, config())


@pytest.mark.parametrize(("sign", "piece"), PIECES)
def test_wrong_types(sign, piece):
    with pytest.raises(TypeError, match="signing_config must be AwsSigningConfig"):
        sign(piece, SEED, None)
    with pytest.raises(TypeError):
        sign("text", SEED, config())
    with pytest.raises(TypeError):
        sign(None, SEED, config())


@pytest.mark.fault("R10")
def test_trailing_headers_are_picked_too():
    headers = HttpHeaders([("a", "1"), ("b", "2")])
    found = aws_sign_trailing_headers(headers, SEED, config(should_sign_header=lambda name: name == "b"))
    assert found.result(WAIT_SEC) == S3.trailer([("b", "2")], SEED)
    error = MineError()

    def fail(name):
        raise error

    assert aws_sign_trailing_headers(headers, SEED, config(should_sign_header=fail)).exception(WAIT_SEC) is error
    error.__traceback__ = None


def test_the_chunk_is_kept_and_locked_while_credentials_are_waited_for():
    asked, go_on, futures = threading.Event(), threading.Event(), []

    def give():
        asked.set()
        assert go_on.wait(WAIT_SEC)
        return AwsCredentials(S3.access_key_id, S3.secret_access_key)

    class Bytes(bytearray):
        pass

    chunk = Bytes(b"kept")
    gone = weakref.ref(chunk)
    signing_config = config(credentials_provider=AwsCredentialsProvider.new_delegate(give))
    thread = threading.Thread(
        target=lambda given: futures.append(aws_sign_chunk(given, SEED, signing_config)), args=[chunk]
    )
    thread.start()
    assert asked.wait(WAIT_SEC)
    with pytest.raises(BufferError):
        chunk.clear()
    go_on.set()
    thread.join()
    assert futures.pop().result(WAIT_SEC) == S3.chunk(b"kept", SEED)
    chunk.clear()
    del chunk, thread
    gc.collect()
    assert gone() is None
