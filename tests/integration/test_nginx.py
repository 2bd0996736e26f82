"""HTTP/1.1 and HTTP/2 with a real nginx: kept connections, big bodies, both versions of TLS, many streams."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from typing import Any

import pytest

from awscrt.aio.http import AIOHttp2ClientConnection, AIOHttpClientConnection
from awscrt.exceptions import AwsCrtError
from awscrt.http import HttpHeaders, HttpRequest, HttpVersion
from awscrt.io import ClientBootstrap, SocketOptions, TlsVersion
from tests.integration.client import SECONDS, Certificates, Exchange, TlsMaker, connect
from tests.support.nginx import SMALL, STREAMS, Nginx

BIG = random.Random(1).randbytes(64 * 1024 * 1024)  # noqa: S311 - only to be unlike itself anywhere
KINDS = pytest.mark.parametrize("http2", [False, True], ids=["1.1", "2"])
VERSIONS = pytest.mark.parametrize(("port", "version"), [("tls12", "TLSv1.2"), ("tls13", "TLSv1.3")])


def protocol(*, http2: bool) -> str:
    return "h2" if http2 else "http/1.1"


def about(connection: Any) -> list[str]:
    return Exchange(connection, "/about").wait().body.decode().split(" ")


def test_a_connection_is_kept_for_many_requests(nginx: Nginx, bootstrap: ClientBootstrap) -> None:
    connection = connect(nginx.ports.plain, bootstrap)
    seen = [about(connection) for _ in range(200)]
    assert {tuple(each[:-1]) for each in seen} == {tuple(seen[0][:-1])}
    assert [int(each[-1]) for each in seen] == list(range(1, 201))
    assert connection.is_open()
    connection.close().result(SECONDS)


@KINDS
@VERSIONS
def test_each_version_of_tls(
    nginx: Nginx, bootstrap: ClientBootstrap, tls: TlsMaker, port: str, version: str, *, http2: bool
) -> None:
    connection = connect(getattr(nginx.ports, port), bootstrap, tls(protocol(http2=http2)), http2=http2)
    said = about(connection)
    assert said[:3] == ["HTTP/2.0" if http2 else "HTTP/1.1", version, "h2" if http2 else ""]
    assert connection.version == (HttpVersion.Http2 if http2 else HttpVersion.Http1_1)
    connection.close().result(SECONDS)


@pytest.mark.fault("R06")
def test_an_old_server_is_refused(nginx: Nginx, bootstrap: ClientBootstrap, tls: TlsMaker) -> None:
    with pytest.raises(AwsCrtError, match="TLS"):
        connect(nginx.ports.tls12, bootstrap, tls("http/1.1", minimum=TlsVersion.TLSv1_3))


@pytest.mark.fault("R06")
def test_a_certificate_for_another_host_is_refused(nginx: Nginx, bootstrap: ClientBootstrap, tls: TlsMaker) -> None:
    with pytest.raises(AwsCrtError, match="TLS"):
        connect(nginx.ports.tls, bootstrap, tls("http/1.1", host="elsewhere.test"))


@KINDS
def test_big_bodies_go_both_ways(nginx: Nginx, bootstrap: ClientBootstrap, tls: TlsMaker, *, http2: bool) -> None:
    connection = connect(nginx.ports.tls, bootstrap, tls(protocol(http2=http2)), http2=http2)
    path = f"/stored/big-{http2}"
    assert Exchange(connection, path, method="PUT", body=BIG).wait().status == 201
    found = Exchange(connection, path).wait()
    assert (found.status, found.headers["content-length"]) == (200, str(len(BIG)))
    assert found.body == BIG
    part = Exchange(connection, path, headers=[("Range", "bytes=1000-1999")]).wait()
    assert (part.status, part.body) == (206, BIG[1000:2000])
    head = Exchange(connection, path, method="HEAD").wait()
    assert (head.status, head.headers["content-length"], head.body) == (200, str(len(BIG)), b"")
    assert Exchange(connection, path, method="DELETE").wait().status == 204
    assert Exchange(connection, path).wait().status == 404
    connection.close().result(SECONDS)


def test_many_streams_at_once(nginx: Nginx, bootstrap: ClientBootstrap, tls: TlsMaker) -> None:
    connection = connect(nginx.ports.tls, bootstrap, tls("h2"), http2=True)
    (nginx.files / "medium").write_bytes(BIG[:300_000])
    for _ in range(5):
        # All that the server allows at a time.
        small = [Exchange(connection, "/small") for _ in range(STREAMS - 56)]
        medium = [Exchange(connection, "/medium") for _ in range(56)]
        assert {each.wait().body for each in small} == {SMALL.encode()}
        assert {each.wait().body for each in medium} == {BIG[:300_000]}
    assert about(connection)[-1] == str(5 * STREAMS + 1)
    connection.close().result(SECONDS)


@pytest.mark.fault("R04")
@KINDS
def test_a_connection_closed_in_a_response_ends_it(
    nginx: Nginx, bootstrap: ClientBootstrap, tls: TlsMaker, *, http2: bool
) -> None:
    (nginx.files / "endless").write_bytes(BIG)
    connection = connect(nginx.ports.tls, bootstrap, tls(protocol(http2=http2)), http2=http2)
    slow = Exchange(connection, "/slow/endless")
    while not slow.body:
        assert not slow.future.done()
    connection.close().result(SECONDS)
    with pytest.raises(AwsCrtError):
        slow.future.result(SECONDS)
    assert 0 < len(slow.body) < len(BIG)
    with pytest.raises((AwsCrtError, RuntimeError), match="CLOSED"):
        Exchange(connection, "/small").future.result(SECONDS)


@pytest.mark.fault("R04")
@KINDS
@pytest.mark.usefixtures("nginx")  # where there is none to be had, this one is skipped too
def test_a_server_that_goes_away_ends_its_connections(
    certificates: Certificates,
    programs: Path,
    tmp_path: Path,
    bootstrap: ClientBootstrap,
    tls: TlsMaker,
    *,
    http2: bool,
) -> None:
    with Nginx(tmp_path / "server", certificates.chain, certificates.key, programs=programs) as server:
        (server.files / "endless").write_bytes(BIG)
        idle, busy = (connect(server.ports.tls, bootstrap, tls(protocol(http2=http2)), http2=http2) for _ in range(2))
        assert Exchange(idle, "/small").wait().status == 200
        slow = Exchange(busy, "/slow/endless")
        while not slow.body:
            assert not slow.future.done()
    with pytest.raises(AwsCrtError):
        slow.future.result(SECONDS)
    for connection in (idle, busy):
        assert connection.shutdown_future.done() or connection.shutdown_future.exception(SECONDS) is not None
        assert not connection.is_open()


@KINDS
def test_the_same_from_asyncio(nginx: Nginx, bootstrap: ClientBootstrap, tls: TlsMaker, *, http2: bool) -> None:
    kind: Any = AIOHttp2ClientConnection if http2 else AIOHttpClientConnection

    async def one(connection: Any) -> bytes:
        stream = connection.request(HttpRequest("GET", "/small", HttpHeaders([("Host", "localhost")])))
        assert await stream.get_response_status_code() == 200
        pieces = []
        while piece := await stream.get_next_response_chunk():
            pieces.append(piece)
        assert await stream.wait_for_completion() == 200
        return b"".join(pieces)

    async def main() -> list[bytes]:
        options = tls(protocol(http2=http2))
        connection = await kind.new("127.0.0.1", nginx.ports.tls, bootstrap, SocketOptions(), options)
        try:
            return await asyncio.gather(*(one(connection) for _ in range(100)))
        finally:
            await connection.close()

    assert asyncio.run(main()) == [SMALL.encode()] * 100
