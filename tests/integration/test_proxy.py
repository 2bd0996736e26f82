"""Requests through a real proxy: forwarded, and in tunnels that TLS goes through, with a password and with a wrong one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from awscrt.exceptions import AwsCrtError
from awscrt.http import HttpProxyAuthenticationType, HttpProxyConnectionType, HttpProxyOptions
from awscrt.io import ClientBootstrap
from tests.integration.client import SECONDS, Exchange, TlsMaker, connect
from tests.support.nginx import SMALL, Nginx
from tests.support.tinyproxy import TinyProxy

LOGIN = ("user", "tr0ub4dor")


@pytest.fixture(params=[None, LOGIN], ids=["open", "password"])
def proxy(request: pytest.FixtureRequest, programs: Path, tmp_path: Path) -> Iterator[TinyProxy]:
    with TinyProxy(tmp_path / "proxy", login=request.param, programs=programs) as started:
        yield started


def options(proxy: TinyProxy, kind: HttpProxyConnectionType, password: str = LOGIN[1]) -> HttpProxyOptions:
    if proxy.login is None:
        return HttpProxyOptions("127.0.0.1", proxy.port, connection_type=kind)
    return HttpProxyOptions(
        "127.0.0.1",
        proxy.port,
        auth_type=HttpProxyAuthenticationType.Basic,
        auth_username=LOGIN[0],
        auth_password=password,
        connection_type=kind,
    )


def test_requests_are_forwarded(nginx: Nginx, bootstrap: ClientBootstrap, proxy: TinyProxy) -> None:
    way = options(proxy, HttpProxyConnectionType.Forwarding)
    connection = connect(nginx.ports.plain, bootstrap, proxy_options=way)
    assert Exchange(connection, "/small").wait().body == SMALL.encode()
    # This proxy keeps no connection.
    assert connection.shutdown_future.exception(SECONDS) is not None
    assert f"GET http://127.0.0.1:{nginx.ports.plain}/small" in proxy.log


@pytest.mark.parametrize("kind", [HttpProxyConnectionType.Tunneling, HttpProxyConnectionType.Legacy])
@pytest.mark.parametrize("http2", [False, True], ids=["1.1", "2"])
def test_tls_goes_through_a_tunnel(
    nginx: Nginx,
    bootstrap: ClientBootstrap,
    tls: TlsMaker,
    proxy: TinyProxy,
    kind: HttpProxyConnectionType,
    *,
    http2: bool,
) -> None:
    protocol = tls("h2" if http2 else "http/1.1")
    connection = connect(nginx.ports.tls, bootstrap, protocol, http2=http2, proxy_options=options(proxy, kind))
    assert [Exchange(connection, "/small").wait().body for _ in range(3)] == [SMALL.encode()] * 3
    connection.close().result(SECONDS)
    assert f"CONNECT 127.0.0.1:{nginx.ports.tls}" in proxy.log


@pytest.mark.parametrize("proxy", [LOGIN], indirect=True)
def test_a_wrong_password_is_told_and_not_shown(
    nginx: Nginx, bootstrap: ClientBootstrap, tls: TlsMaker, proxy: TinyProxy
) -> None:
    way = options(proxy, HttpProxyConnectionType.Tunneling, password="hunter2")
    with pytest.raises(AwsCrtError, match="PROXY") as caught:
        connect(nginx.ports.tls, bootstrap, tls("http/1.1"), proxy_options=way)
    assert "hunter2" not in repr(caught.value)
    assert "hunter2" not in repr(way)
