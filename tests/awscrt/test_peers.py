"""Owns the tests of the peers themselves, by clients of the standard library."""

from __future__ import annotations

import http.client
import socket
import ssl
import warnings

import pytest
from peers import tcp, tls
from peers.http1 import CLOSE, HANG, READ, RESET, Http1Server, Response, scripted

WAIT_SEC = 10.0


@pytest.fixture(scope="module")
def authority():
    return tls.Authority()


def client_context(authority):
    context = ssl.create_default_context(cadata=authority.ca_pem.decode())
    if hasattr(ssl, "VERIFY_X509_STRICT"):
        context.verify_flags |= ssl.VERIFY_X509_STRICT
    return context


def connect(server, context=None, name="localhost"):
    sock = socket.create_connection((server.host, server.port), timeout=WAIT_SEC)
    return context.wrap_socket(sock, server_hostname=name) if context else sock


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
@pytest.mark.parametrize("key", ["ec", "rsa"])
def test_a_good_certificate_is_good(authority, host, key):
    context = client_context(authority)
    context.set_alpn_protocols(["h2"])
    server_context = authority.issue(host, key=key).server_context(["http/1.1", "h2"])
    with tcp.Server(lambda sock: sock.sendall(sock.recv(9)), tls=server_context) as server:
        with connect(server, context, host) as sock:
            assert sock.selected_alpn_protocol() == "h2"
            sock.sendall(b"hello")
            assert sock.recv(9) == b"hello"
            assert sock.recv(9) == b""
        assert (server.connections, server.handshakes, server.errors, server.lost) == (1, 1, [], [])


@pytest.mark.parametrize(
    ("issue", "reason"),
    [
        (lambda authority: authority.issue(expired=True), "certificate has expired"),
        (lambda authority: authority.issue(not_yet=True), "certificate is not yet valid"),
        (lambda authority: authority.issue("elsewhere.test"), "Hostname mismatch"),
        (lambda authority: tls.self_signed(), "self[- ]signed certificate"),
        (lambda authority: tls.Authority().issue(), "unable to get local issuer|self[- ]signed|signature failure"),
    ],
)
def test_a_bad_certificate_is_bad(authority, issue, reason):
    with tcp.Server(tcp.read_all, tls=issue(authority).server_context()) as server:
        with pytest.raises(ssl.SSLCertVerificationError, match=reason):
            connect(server, client_context(authority))
        assert server.wait_for(lambda: server.handshake_errors or server.handshakes)


@pytest.mark.parametrize("version", ["TLSv1", "TLSv1_1", "TLSv1_2", "TLSv1_3"])
def test_versions(authority, version):
    wanted = ssl.TLSVersion[version]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        server_context = authority.issue().server_context(minimum=wanted, maximum=wanted)
    context = client_context(authority)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
    context.set_ciphers("DEFAULT@SECLEVEL=0")
    with tcp.Server(tcp.read_all, tls=server_context) as server, connect(server, context) as sock:
        assert sock.version() == version.replace("_", ".")


def test_certificates_of_clients(authority, tmp_path):
    identity = authority.issue("a client")
    (tmp_path / "pem").write_bytes(identity.key_pem + identity.cert_pem)
    server_context = authority.issue().server_context(client_ca_pem=authority.ca_pem)
    with tcp.Server(lambda sock: sock.sendall(b"welcome"), tls=server_context) as server:
        context = client_context(authority)
        context.load_cert_chain(str(tmp_path / "pem"))
        with connect(server, context) as sock:
            assert sock.recv(9) == b"welcome"
        with pytest.raises(OSError), connect(server, client_context(authority)) as sock:
            sock.recv(9)


def test_what_handlers_raise_is_kept():
    def handle(sock):
        raise KeyError(sock.recv(9))

    with tcp.Server(handle) as server:
        connect(server).sendall(b"key")
        assert server.wait_for(lambda: server.errors)
        assert isinstance(server.errors[0], KeyError)


@pytest.mark.parametrize("secure", [False, True])
def test_the_end_cuts_connections_short(authority, secure):
    server_context = authority.issue().server_context() if secure else None
    with tcp.Server(tcp.read_all, tls=server_context) as server:
        socks = [connect(server, client_context(authority) if secure else None) for _ in range(3)]
        silent = connect(server)
        assert server.wait_for(lambda: server.connections == 4)
    for sock in [*socks, silent]:
        try:
            assert sock.recv(9) == b""
        except OSError:
            assert secure
        sock.close()


@pytest.mark.parametrize("secure", [False, True])
def test_http_1(authority, secure):
    tls_context = authority.issue().server_context() if secure else None
    with Http1Server(tls=tls_context) as server:
        if secure:
            client = http.client.HTTPSConnection(
                "localhost", server.port, timeout=WAIT_SEC, context=client_context(authority)
            )
        else:
            client = http.client.HTTPConnection("localhost", server.port, timeout=WAIT_SEC)
        client.request("PUT", "/a?b", body=b"with a length", headers={"X-Test": "ä"})
        assert client.getresponse().read() == b"with a length"
        client.request("POST", "/", body=iter([b"in", b"", b" chunks"]), encode_chunked=True)
        assert client.getresponse().read() == b"in chunks"
        server.respond = lambda request: Response(404, body=b"x", reason="Gone away")
        client.request("HEAD", "/")
        answer = client.getresponse()
        assert (answer.status, answer.reason, answer.read()) == (404, "Gone away", b"")
        server.respond = lambda request: Response(body=iter([b"12", b"345"]), chunked=True, trailers=[("A", "b")])
        client.request("GET", "/chunks")
        assert client.getresponse().read() == b"12345"
        server.respond = lambda request: Response(body=iter([b"12", b"345"]))
        client.request("GET", "/endless", headers={"Connection": "keep-alive"})
        assert client.getresponse().read() == b"12345"
        client.close()
        assert server.connections == 1
        first, second = server.requests[:2]
        assert (first.method, first.path, first.header("x-test"), second.body) == ("PUT", "/a?b", "ä", b"in chunks")
        assert (server.errors, server.lost) == ([], [])


def test_trailers_of_a_request():
    with Http1Server() as server, connect(server) as sock:
        sock.sendall(b"PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 7\r\n\r\n")
        assert b"abc" in sock.recv(999)
        assert server.requests[0].trailers == [("X-Sum", "7")]


@pytest.mark.parametrize("secure", [False, True])
def test_scripted(authority, secure):
    script = scripted(READ, b"first", 0.01, b"second", CLOSE, b"never")
    context = client_context(authority) if secure else None
    server_context = authority.issue().server_context() if secure else None
    with tcp.Server(script, tls=server_context) as server, connect(server, context) as sock:
        sock.sendall(b"GET /x HTTP/1.1\r\n\r\n")
        assert tcp.read_all(sock) == b"firstsecond"
        assert script.requests[0].path == "/x"


def read_below_tls(sock):
    while socket.socket.recv(sock, 9):
        pass


@pytest.mark.parametrize("secure", [False, True])
def test_scripted_reset_and_silence(authority, secure):
    context = client_context(authority) if secure else None
    server_context = authority.issue().server_context() if secure else None
    with tcp.Server(scripted(READ, b"part", RESET), tls=server_context) as server:
        sock = connect(server, context)
        sock.sendall(b"GET /x HTTP/1.1\r\n\r\n")
        assert sock.recv(9) == b"part"
        # Below TLS, for some versions of OpenSSL take a reset for the end.
        with pytest.raises(ConnectionResetError):
            read_below_tls(sock)
    with tcp.Server(scripted(HANG), tls=server_context) as server:
        sock = connect(server, context)
        sock.settimeout(0.05)
        with pytest.raises(socket.timeout):
            sock.recv(9)
        sock.close()
