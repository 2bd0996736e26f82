"""HTTP through proxies: forwarded and tunnelled, with and without TLS on either way, with and without a password."""

from __future__ import annotations

import base64

import pytest
from http_exchange import WAIT_SEC, Exchange, bootstrap, request, tls_options
from peers import http1, http2, tls
from peers.proxy import ProxyServer
from peers.tcp import Server

from awscrt.http import (
    Http2ClientConnection,
    HttpClientConnection,
    HttpProxyAuthenticationType,
    HttpProxyConnectionType,
    HttpProxyOptions,
)

SECRET = "correct horse"


@pytest.fixture(scope="module")
def authority():
    return tls.Authority()


def through(proxy, server, *, host="127.0.0.1", new=HttpClientConnection.new, tls_connection_options=None, **options):
    """The future of a connection to a server by a proxy."""
    proxy_options = HttpProxyOptions("localhost", proxy.port, **options)
    return new(
        host, server.port, bootstrap(), tls_connection_options=tls_connection_options, proxy_options=proxy_options
    )


def test_options_are_kept_as_they_are():
    options = HttpProxyOptions("proxy", 3128)
    assert vars(options) == {
        "host_name": "proxy",
        "port": 3128,
        "tls_connection_options": None,
        "auth_type": HttpProxyAuthenticationType.Nothing,
        "auth_username": None,
        "auth_password": None,
        "connection_type": HttpProxyConnectionType.Legacy,
    }
    secret = HttpProxyOptions("proxy", 3128, None, HttpProxyAuthenticationType.Basic, "me", SECRET)
    assert SECRET not in repr(secret) + str(secret)


@pytest.mark.parametrize("connection_type", [HttpProxyConnectionType.Forwarding, HttpProxyConnectionType.Legacy])
def test_forwarding(connection_type):
    with http1.Http1Server() as server, ProxyServer() as proxy:
        future = through(proxy, server, connection_type=connection_type)
        with future.result(WAIT_SEC) as connection:
            assert (connection.host_name, connection.port) == ("127.0.0.1", server.port)
            for path in ("/a?b=c", "/d"):
                Exchange(connection, request("GET", path)).done()
            assert [r.path for r in server.requests] == ["/a?b=c", "/d"]
            assert proxy.forwarded == [f"http://127.0.0.1:{server.port}{path}" for path in ("/a?b=c", "/d")]
            assert not proxy.tunnels


def test_request_that_is_forwarded_twice():
    with http1.Http1Server() as server, ProxyServer() as proxy:
        connection = through(proxy, server).result(WAIT_SEC)
        message = request("GET", "/same")
        for _ in range(2):
            Exchange(connection, message).done()
        assert [r.path for r in server.requests] == ["/same", "/same"]


def test_tunnel_without_tls():
    with http1.Http1Server() as server, ProxyServer() as proxy:
        future = through(proxy, server, connection_type=HttpProxyConnectionType.Tunneling)
        with future.result(WAIT_SEC) as connection:
            assert Exchange(connection).done().status == 200
            assert proxy.tunnels == [f"127.0.0.1:{server.port}"]
            assert not proxy.forwarded


@pytest.mark.parametrize("connection_type", [HttpProxyConnectionType.Tunneling, HttpProxyConnectionType.Legacy])
@pytest.mark.parametrize("tls_to_proxy", [False, True])
def test_tunnel_with_tls(authority, connection_type, tls_to_proxy):
    context = authority.issue("localhost").server_context()
    with http1.Http1Server(tls=context) as server, ProxyServer(tls=context if tls_to_proxy else None) as proxy:
        options = HttpProxyOptions("localhost", proxy.port, connection_type=connection_type)
        if tls_to_proxy:
            options.tls_connection_options = tls_options(authority)
        future = HttpClientConnection.new(
            "localhost",
            server.port,
            bootstrap(),
            tls_connection_options=tls_options(authority),
            proxy_options=options,
        )
        with future.result(WAIT_SEC) as connection:
            assert Exchange(connection).done().status == 200
            assert proxy.tunnels == [f"localhost:{server.port}"]
            assert proxy.handshakes == int(tls_to_proxy)


def test_forwarding_with_tls_to_the_proxy(authority):
    with http1.Http1Server() as server, ProxyServer(tls=authority.issue("localhost").server_context()) as proxy:
        options = HttpProxyOptions("localhost", proxy.port, tls_options(authority))
        future = HttpClientConnection.new("127.0.0.1", server.port, bootstrap(), proxy_options=options)
        with future.result(WAIT_SEC) as connection:
            Exchange(connection).done()
            assert proxy.handshakes == len(proxy.forwarded) == 1


def test_http2_through_a_tunnel(authority):
    context = authority.issue("localhost").server_context(alpn=["h2"])
    with http2.Http2Server(tls=context) as server, ProxyServer() as proxy:
        options = tls_options(authority, "h2")
        new = Http2ClientConnection.new
        connection = through(proxy, server, host="localhost", new=new, tls_connection_options=options).result(WAIT_SEC)
        assert Exchange(connection).done().status == 200
        assert len(proxy.tunnels) == 1


@pytest.mark.parametrize("connection_type", [HttpProxyConnectionType.Forwarding, HttpProxyConnectionType.Tunneling])
def test_password(connection_type):
    basic = {"auth_type": HttpProxyAuthenticationType.Basic, "connection_type": connection_type}
    with http1.Http1Server() as server, ProxyServer(auth=("me", SECRET)) as proxy:
        future = through(proxy, server, auth_username="me", auth_password=SECRET, **basic)
        with future.result(WAIT_SEC) as connection:
            assert Exchange(connection).done().status == 200
            assert proxy.refused == 0
            sent = proxy.requests[0].header("proxy-authorization")
            assert base64.b64decode(sent.partition(" ")[2]).decode() == f"me:{SECRET}"
            assert all(r.header("proxy-authorization") is None for r in server.requests)


def test_wrong_password_for_a_tunnel():
    with http1.Http1Server() as server, ProxyServer(auth=("me", SECRET)) as proxy:
        future = through(
            proxy,
            server,
            connection_type=HttpProxyConnectionType.Tunneling,
            auth_type=HttpProxyAuthenticationType.Basic,
            auth_username="me",
            auth_password="wrong",
        )
        error = future.exception(WAIT_SEC)
        assert error.name == "AWS_ERROR_HTTP_PROXY_CONNECT_FAILED"
        assert "wrong" not in str(error)
        assert proxy.refused
        assert not server.connections


def test_password_that_is_missing_for_forwarding():
    with http1.Http1Server() as server, ProxyServer(auth=("me", SECRET)) as proxy:
        connection = through(proxy, server).result(WAIT_SEC)
        assert Exchange(connection).done().status == 407
        assert not server.connections


@pytest.mark.fault("R04")
def test_proxy_that_leaves_during_the_tunnel():
    with http1.Http1Server() as server, Server(http1.scripted(http1.READ, http1.CLOSE)) as proxy:
        future = through(proxy, server, connection_type=HttpProxyConnectionType.Tunneling)
        assert future.exception(WAIT_SEC).name in {"AWS_ERROR_HTTP_CONNECTION_CLOSED", "AWS_IO_SOCKET_CLOSED"}


def test_server_that_the_proxy_cannot_reach():
    with ProxyServer() as proxy, http1.Http1Server() as server:
        server.port, kept = 1, server.port
        future = through(proxy, server, connection_type=HttpProxyConnectionType.Tunneling)
        assert future.exception(WAIT_SEC).name == "AWS_ERROR_HTTP_PROXY_CONNECT_FAILED"
        server.port = kept


def test_environment_is_not_asked(monkeypatch):
    with http1.Http1Server() as server, ProxyServer() as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"):
            monkeypatch.setenv(name, f"http://localhost:{proxy.port}")
        future = HttpClientConnection.new(server.host, server.port, bootstrap())
        with future.result(WAIT_SEC) as connection:
            Exchange(connection).done()
            assert not proxy.connections


@pytest.mark.parametrize(
    ("attribute", "value", "error"),
    [
        ("host_name", None, TypeError),
        ("host_name", b"localhost", TypeError),
        ("host_name", "local\r\nhost", ValueError),
        ("port", "80", TypeError),
        ("tls_connection_options", 5, (TypeError, AttributeError)),
        ("auth_type", 7, ValueError),
        ("auth_type", None, TypeError),
        ("auth_username", 5, TypeError),
        ("auth_password", 5, TypeError),
        ("connection_type", 3, ValueError),
        ("connection_type", "Legacy", TypeError),
    ],
)
def test_wrong_options(attribute, value, error):
    options = HttpProxyOptions("localhost", 1)
    setattr(options, attribute, value)
    with pytest.raises(error, match=None if isinstance(error, tuple) else attribute):
        HttpClientConnection.new("localhost", 1, bootstrap(), proxy_options=options)


def test_forwarding_cannot_carry_tls(authority):
    with http1.Http1Server() as server, ProxyServer() as proxy:
        options = tls_options(authority)
        forwarding = HttpProxyConnectionType.Forwarding
        future = through(proxy, server, tls_connection_options=options, connection_type=forwarding)
        assert future.exception(WAIT_SEC).name == "AWS_ERROR_INVALID_STATE"
