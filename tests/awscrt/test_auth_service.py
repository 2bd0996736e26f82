"""Owns the tests of credentials providers that ask a service: Cognito, IoT (X.509) and STS, each played on loopback."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
from urllib.parse import parse_qs

import pytest
from peers import sigv4, tcp, tls
from peers.http1 import Response, read_request, written

from awscrt.auth import AwsCredentials, AwsCredentialsProvider, AwsSigningConfig, aws_sign_request
from awscrt.exceptions import AwsCrtError
from awscrt.http import HttpHeaders, HttpProxyOptions, HttpRequest
from awscrt.io import ClientBootstrap, ClientTlsContext, DefaultHostResolver, EventLoopGroup, TlsContextOptions

WAIT_SEC = 60.0
HOST = "service.test"


@pytest.fixture(autouse=True)
def no_settings(monkeypatch, tmp_path):
    for name in list(os.environ):
        if name.startswith("AWS_") and not name.startswith("AWS_CRT_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "no config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "no credentials"))


@pytest.fixture(scope="module")
def authority():
    return tls.Authority()


class Service(tcp.Server):  # type: ignore[misc]  # peers are found beside the tests, untyped
    """Answers HTTPS; the way to it is a proxy that says it leads to any host, and leads here."""

    def __init__(self, answer, context, *, proxied=True, **options):
        super().__init__(**options)
        self.answer = answer
        self.context = context
        self.proxied = proxied
        self.asked_for = []
        self.requests = []
        self.certificates = []

    def handle(self, sock):
        if self.proxied:
            with sock.makefile("rb") as stream:
                connect = read_request(stream)
            if connect is None:
                return
            self.asked_for.append(connect.path)
            sock.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        with contextlib.suppress(OSError), self.context.wrap_socket(sock, server_side=True) as secure:
            self._track(secure)  # the other one has given its descriptor away
            self.certificates.append(secure.getpeercert(binary_form=True))
            with secure.makefile("rb") as stream:
                while not self.closing.is_set():
                    request = read_request(stream)
                    if request is None:
                        return
                    self.requests.append(request)
                    response = self.answer(request)
                    for piece in written(response, request):
                        secure.sendall(piece)
                    if response.close:
                        return

    @property
    def proxy(self):
        return HttpProxyOptions(self.host, self.port)


@pytest.fixture
def serve(authority):
    """Starts services for a test, with a certificate for HOST."""
    with contextlib.ExitStack() as stack:

        def start(answer, *, host=HOST, **options):
            context = authority.issue(host).server_context(client_ca_pem=options.pop("client_ca_pem", None))
            return stack.enter_context(Service(answer, context, **options))

        yield start


def trusting(authority, identity=None):
    if identity is None:
        options = TlsContextOptions()
    else:
        options = TlsContextOptions.create_client_with_mtls(identity.cert_pem, identity.key_pem)
    options.override_default_trust_store(authority.ca_pem)
    return ClientTlsContext(options)


def texts(credentials):
    return (credentials.access_key_id, credentials.secret_access_key, credentials.session_token)


def ask(provider):
    return texts(provider.get_credentials().result(WAIT_SEC))


def why_not(provider):
    return provider.get_credentials().exception(WAIT_SEC)


# ------------------------------------------------------------------------------------------------------------ Cognito


def cognito_answer(request):
    body = {
        "IdentityId": "us-east-1:identity",
        "Credentials": {"AccessKeyId": "a", "SecretKey": "b", "SessionToken": "c", "Expiration": 2209086245.5},
    }
    return Response(200, [("Content-Type", "application/x-amz-json-1.1")], json.dumps(body).encode())


def cognito(service, authority, **changes):
    values = {"endpoint": HOST, "identity": "us-east-1:identity", "tls_ctx": trusting(authority)}
    values["http_proxy_options"] = service.proxy
    values.update(changes)
    return AwsCredentialsProvider.new_cognito(**values)


def test_cognito(serve, authority):
    service = serve(cognito_answer)
    provider = cognito(service, authority)
    credentials = provider.get_credentials().result(WAIT_SEC)
    assert texts(credentials) == ("a", "b", "c")
    assert credentials.expiration.isoformat() == "2040-01-02T03:04:05+00:00"
    (request,) = service.requests
    assert (request.method, request.path) == ("POST", "/")
    assert request.header("x-amz-target") == "AWSCognitoIdentityService.GetCredentialsForIdentity"
    assert request.header("host") == HOST
    assert json.loads(request.body) == {"IdentityId": "us-east-1:identity"}
    assert service.asked_for == [f"{HOST}:443"]
    assert ask(provider) == ("a", "b", "c")
    assert len(service.requests) == 2, "it is not kept"


def test_cognito_with_logins_and_a_role_and_a_bootstrap(serve, authority):
    service = serve(cognito_answer)
    group = EventLoopGroup(1)
    provider = cognito(
        service,
        authority,
        logins=[("provider1", "token\u00e91"), ["provider2", 'quo"te']],
        custom_role_arn="arn:aws:iam::1:role/r",
        client_bootstrap=ClientBootstrap(group, DefaultHostResolver(group)),
    )
    del group
    assert ask(provider) == ("a", "b", "c")
    assert json.loads(service.requests[0].body) == {
        "IdentityId": "us-east-1:identity",
        "CustomRoleArn": "arn:aws:iam::1:role/r",
        "Logins": {"provider1": "token\u00e91", "provider2": 'quo"te'},
    }


def test_signing_waits_for_the_service_on_another_thread(serve, authority):
    go_on = threading.Event()

    def answer(request):
        assert go_on.wait(WAIT_SEC)
        return cognito_answer(request)

    service = serve(answer)
    config = AwsSigningConfig(
        credentials_provider=cognito(service, authority),
        region="r",
        service="s",
        should_sign_header=lambda name: name != "A",
    )
    request = HttpRequest("GET", "/", HttpHeaders([("Host", "h"), ("A", "b")]))
    future = aws_sign_request(request, config)
    threads = []
    future.add_done_callback(lambda done: threads.append(threading.get_ident()))
    del config
    assert not future.done()
    request.headers.clear()  # signed as it was
    go_on.set()
    assert future.result(WAIT_SEC) is request
    assert threads != [threading.get_ident()]
    fields = sigv4.authorization(request.headers.get("Authorization"))
    assert fields["SignedHeaders"] == "host;x-amz-date;x-amz-security-token"


@pytest.mark.fault("R10")
def test_delegate_whose_chain_goes_on_with_a_service_is_reported(serve, authority, unraisable):
    """The waiter ends elsewhere, with another answer: nobody else could hear of it."""
    error = KeyError("mine")

    def fail():
        raise error

    service = serve(cognito_answer)
    members = [AwsCredentialsProvider.new_delegate(fail), cognito(service, authority)]
    with unraisable() as reported:
        assert ask(AwsCredentialsProvider.new_chain(members)) == ("a", "b", "c")
        assert reported == [error]


@pytest.mark.fault("R18")
def test_futures_cancelled_before_the_service_answers(serve, authority, unraisable, caplog):
    go_on = threading.Event()

    def answer(request):
        assert go_on.wait(WAIT_SEC)
        return cognito_answer(request)

    service = serve(answer)
    provider = cognito(service, authority)
    config = AwsSigningConfig(credentials_provider=provider, region="r", service="s")
    with unraisable() as reported:
        first, second = provider.get_credentials(), provider.get_credentials()
        signing = aws_sign_request(HttpRequest("GET", "/", HttpHeaders([("Host", "h")])), config)
        assert first.cancel()
        assert signing.cancel()
        go_on.set()
        assert texts(second.result(WAIT_SEC)) == ("a", "b", "c")
        assert ask(provider) == ("a", "b", "c")
        assert not reported
    assert not caplog.records


def test_cognito_that_refuses(serve, authority):
    service = serve(lambda request: Response(400, body=b'{"__type":"NotAuthorized"}'))
    assert why_not(cognito(service, authority)).name == "AWS_AUTH_CREDENTIALS_PROVIDER_HTTP_STATUS_FAILURE"


SERVICE_TEXTS = [
    ("new_cognito", {"endpoint": "e", "identity": "i"}),
    ("new_x509", {"endpoint": "e", "thing_name": "t", "role_alias": "r"}),
]


@pytest.mark.parametrize(("factory", "values"), SERVICE_TEXTS)
@pytest.mark.parametrize(
    ("bad", "error"),
    [
        ("", ValueError),
        ("a\r\nb", ValueError),
        ("a\0", ValueError),
        ("\udc80", ValueError),
        (None, TypeError),
        (b"x", TypeError),
    ],
)
@pytest.mark.fault("R02")
def test_texts_that_are_refused(factory, values, bad, error):
    context = ClientTlsContext(TlsContextOptions())
    for name in values:
        with pytest.raises(error) as caught:
            getattr(AwsCredentialsProvider, factory)(**{**values, name: bad}, tls_ctx=context)
        assert name in str(caught.value) or bad == "\udc80"


@pytest.mark.parametrize(("factory", "values"), SERVICE_TEXTS)
@pytest.mark.parametrize(
    ("name", "bad"),
    [("tls_ctx", None), ("tls_ctx", TlsContextOptions()), ("client_bootstrap", 5), ("http_proxy_options", 5)],
)
def test_wrong_types_are_refused(factory, values, name, bad):
    arguments = {**values, "tls_ctx": ClientTlsContext(TlsContextOptions()), name: bad}
    with pytest.raises((TypeError, AttributeError)):
        getattr(AwsCredentialsProvider, factory)(**arguments)


@pytest.mark.parametrize(
    ("logins", "error"),
    [
        ([("provider", 5)], TypeError),
        ([("provider", ["token"])], TypeError),
        ([("provider",)], TypeError),
        ([("a", "b", "c")], TypeError),
        ([("", "token")], ValueError),
        ([("a", "b"), ("provider", "secret\n")], ValueError),
        (5, TypeError),
        ([5], TypeError),
    ],
)
def test_logins_that_are_refused(logins, error):
    with pytest.raises(error) as caught:
        AwsCredentialsProvider.new_cognito(
            endpoint="e", identity="i", tls_ctx=ClientTlsContext(TlsContextOptions()), logins=logins
        )
    assert "secret" not in str(caught.value)


# -------------------------------------------------------------------------------------------------------------- X.509


def x509_answer(request):
    body = {
        "credentials": {
            "accessKeyId": "a",
            "secretAccessKey": "b",
            "sessionToken": "c",
            "expiration": "2040-01-02T03:04:05Z",
        }
    }
    return Response(200, body=json.dumps(body).encode())


def test_x509(serve, authority):
    service = serve(x509_answer, client_ca_pem=authority.ca_pem)
    device = authority.issue("device.test")
    provider = AwsCredentialsProvider.new_x509(
        endpoint=HOST,
        thing_name="my thing",
        role_alias="alias",
        tls_ctx=trusting(authority, device),
        http_proxy_options=service.proxy,
    )
    credentials = provider.get_credentials().result(WAIT_SEC)
    assert texts(credentials) == ("a", "b", "c")
    assert credentials.expiration.isoformat() == "2040-01-02T03:04:05+00:00"
    (request,) = service.requests
    assert (request.method, request.path) == ("GET", "/role-aliases/alias/credentials")
    assert request.header("x-amzn-iot-thingname") == "my thing"
    assert service.certificates[0] is not None
    assert service.asked_for == [f"{HOST}:443"]


@pytest.mark.fault("R06")
def test_x509_without_the_certificate_of_the_device(serve, authority):
    service = serve(x509_answer, client_ca_pem=authority.ca_pem)
    assert isinstance(why_not(x509(service, trusting(authority))), AwsCrtError)
    assert not service.requests


def x509(service, context):
    return AwsCredentialsProvider.new_x509(
        endpoint=HOST, thing_name="t", role_alias="r", tls_ctx=context, http_proxy_options=service.proxy
    )


@pytest.mark.parametrize(
    ("response", "name"),
    [
        (Response(403, body=b'{"message":"Access Denied"}'), "AWS_AUTH_CREDENTIALS_PROVIDER_HTTP_STATUS_FAILURE"),
        (Response(200, body=b"no JSON, but AKIDsecret1"), None),
        (Response(200, body=b'{"credentials":{"accessKeyId":"AKIDsecret1"}}'), None),
        (Response(200, body=b"x" * 100_000), None),
    ],
)
def test_x509_that_is_refused(serve, authority, response, name):
    service = serve(lambda request: response)
    error = why_not(x509(service, trusting(authority)))
    assert isinstance(error, Exception)
    assert name is None or error.name == name
    assert "AKIDsecret1" not in repr(error)


@pytest.mark.fault("R04")
def test_service_that_closes_in_the_middle(serve, authority):
    service = serve(lambda request: Response(200, [("Content-Length", "500")], b'{"credentials"', close=True))
    error = why_not(x509(service, trusting(authority)))
    assert isinstance(error, AwsCrtError)


# ---------------------------------------------------------------------------------------------------------------- STS

ROLE = "arn:aws:iam::123456789012:role/r"
STS_HOST = "sts.us-west-2.amazonaws.com"


def sts_answer(action):
    def answer(request):
        body = f"""<{action}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><{action}Result>
<AssumedRoleUser><AssumedRoleId>x:s</AssumedRoleId>
<Arn>arn:aws:sts::123456789012:assumed-role/r/s</Arn></AssumedRoleUser>
<Credentials><AccessKeyId>a</AccessKeyId><SecretAccessKey>b</SecretAccessKey><SessionToken>c</SessionToken>
<Expiration>2040-01-02T03:04:05Z</Expiration></Credentials>
</{action}Result></{action}Response>"""
        return Response(200, [("Content-Type", "text/xml")], body.encode())

    return answer


def sts(service, authority, **changes):
    values = {
        "source": AwsCredentialsProvider.new_static("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
        "role_arn": ROLE,
        "session_name": "session",
        "tls_ctx": trusting(authority),
        "http_proxy_options": service.proxy if service else None,
    }
    values.update(changes)
    return AwsCredentialsProvider.new_sts(**values)


def test_sts(serve, authority, monkeypatch):
    monkeypatch.setenv("AWS_REGION", "us-west-2")
    service = serve(sts_answer("AssumeRole"), host=STS_HOST)
    provider = sts(service, authority, external_id="ext&1", duration_sec=43200)
    assert ask(provider) == ("a", "b", "c")
    (request,) = service.requests
    assert service.asked_for == [f"{STS_HOST}:443"]
    assert {name: values[0] for name, values in parse_qs(request.body.decode()).items()} == {
        "Version": "2011-06-15",
        "Action": "AssumeRole",
        "RoleArn": ROLE,
        "RoleSessionName": "session",
        "DurationSeconds": "43200",
        "ExternalId": "ext&1",
    }
    date = request.header("x-amz-date")
    signer = sigv4.Signer("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", date, "us-west-2", "sts")
    canonical = sigv4.canonical_request("POST", "/", sigv4.signed(request.headers), sigv4.sha256(request.body))
    assert sigv4.authorization(request.header("authorization"))["Signature"] == signer.request(canonical)
    assert ask(provider) == ("a", "b", "c")
    assert len(service.requests) == 2, "it is not kept"


def test_sts_of_one_source_for_several_roles_in_any_order_of_release(serve, authority, monkeypatch):
    monkeypatch.setenv("AWS_REGION", "us-west-2")
    service = serve(sts_answer("AssumeRole"), host=STS_HOST)
    source = AwsCredentialsProvider.new_delegate(lambda: AwsCredentials("AKIDEXAMPLE", "key"))
    first, second = (sts(service, authority, source=source) for _ in range(2))
    assert ask(first) == ("a", "b", "c")
    del first
    assert ask(second) == ("a", "b", "c")
    of_a_role = sts(service, authority, source=second)
    del source, second
    assert ask(of_a_role) == ("a", "b", "c")
    assert len(service.requests) == 4


@pytest.mark.fault("R10")
def test_sts_whose_source_raises(serve, authority, monkeypatch, unraisable):
    monkeypatch.setenv("AWS_REGION", "us-west-2")
    service = serve(sts_answer("AssumeRole"), host=STS_HOST)

    def fail():
        raise KeyError("mine")

    with unraisable() as reported:
        error = why_not(sts(service, authority, source=AwsCredentialsProvider.new_delegate(fail)))
    assert isinstance(error, KeyError)
    assert not reported
    assert not service.requests


def test_sts_that_refuses(serve, authority, monkeypatch):
    monkeypatch.setenv("AWS_REGION", "us-west-2")
    service = serve(lambda request: Response(403, body=b"<Error/>"), host=STS_HOST)
    assert why_not(sts(service, authority)).name == "AWS_AUTH_CREDENTIALS_PROVIDER_HTTP_STATUS_FAILURE"


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"source": None}, TypeError),
        ({"source": AwsSigningConfig()}, TypeError),
        ({"role_arn": ""}, ValueError),
        ({"session_name": "a\n"}, ValueError),
        ({"external_id": 5}, TypeError),
        ({"duration_sec": 899}, ValueError),
        ({"duration_sec": 43201}, ValueError),
        ({"duration_sec": "900"}, TypeError),
        ({"tls_ctx": None}, TypeError),
    ],
)
def test_sts_refuses(authority, changes, error):
    with pytest.raises(error):
        sts(None, authority, **changes)


def test_web_identity(serve, authority, monkeypatch, tmp_path):
    """The provider goes straight to port 443: to that of this machine, where one may listen on it."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", "localhost")
    service = Service(
        sts_answer("AssumeRoleWithWebIdentity"), authority.issue("localhost").server_context(), proxied=False
    )
    token = tmp_path / "token"
    token.write_text("the token")
    provider = AwsCredentialsProvider.new_sts_web_identity(
        tls_ctx=trusting(authority),
        role_arn=ROLE,
        session_name="session",
        token_filepath=token,
        region="us-west-2",
    )
    original = socket.socket.bind

    def bind_to_443(self, address):
        self.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        original(self, (address[0], 443))

    with monkeypatch.context() as patched:
        patched.setattr(socket.socket, "bind", bind_to_443)
        try:
            service.__enter__()
        except OSError as error:
            pytest.skip(f"port 443 is not to be had: {error}")
    with contextlib.ExitStack() as stack:
        stack.push(service.__exit__)
        assert ask(provider) == ("a", "b", "c")
    (request,) = service.requests
    fields = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
    assert fields["RoleArn"] == ROLE
    assert fields["RoleSessionName"] == "session"
    assert fields["WebIdentityToken"] == "the token"


def test_web_identity_from_the_environment_and_the_profile(authority, monkeypatch, tmp_path):
    context = trusting(authority)
    with pytest.raises(RuntimeError) as caught:
        AwsCredentialsProvider.new_sts_web_identity(tls_ctx=context)
    assert isinstance(caught.value, AwsCrtError)
    path = tmp_path / "config"
    path.write_text(
        f"[profile mine]\nregion=us-west-2\nrole_arn={ROLE}\nrole_session_name=s\nweb_identity_token_file=/no/file\n"
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(path))
    with pytest.raises(RuntimeError) as caught:
        AwsCredentialsProvider.new_sts_web_identity(tls_ctx=context)
    assert caught.value.name == "AWS_AUTH_CREDENTIALS_PROVIDER_STS_WEB_IDENTITY_SOURCE_FAILURE"
    provider = AwsCredentialsProvider.new_sts_web_identity(tls_ctx=context, profile_name="mine")
    assert isinstance(why_not(provider), Exception), "there is no such token"


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"role_arn": 5}, TypeError),
        ({"region": "a\n"}, ValueError),
        ({"token_filepath": 5}, TypeError),
        ({"token_filepath": "a\0"}, ValueError),
        ({"tls_ctx": None}, TypeError),
    ],
)
def test_web_identity_refuses(authority, changes, error):
    with pytest.raises(error):
        AwsCredentialsProvider.new_sts_web_identity(**{"tls_ctx": trusting(authority), **changes})
