"""Owns the tests of HTTP with asyncio where a server, a generator or an argument is at fault."""

from __future__ import annotations

import asyncio
import io
import threading

import pytest
from peers import tcp, tls
from peers.aio import (
    WAIT_SEC,
    Either,
    a_request,
    body_of,
    generate,
    lend,
    name_of_error,
    raised_by,
    run_quietly,
    until,
)
from peers.http1 import CLOSE, HANG, READ, Http1Server, Response, scripted
from peers.http2 import Reset

from awscrt.aio.http import AIOHttpClientConnection
from awscrt.exceptions import AwsCrtError
from awscrt.http import HttpRequest


@pytest.fixture(scope="module")
def authority():
    return tls.Authority()


@pytest.fixture
def run(unraisable):
    return lambda coroutine: run_quietly(coroutine, unraisable)


@pytest.fixture(params=[1, 2], ids=["h1", "h2"])
def either(request, authority):
    yield from lend(Either(authority, request.param))


@pytest.fixture
def h2(authority):
    yield from lend(Either(authority, 2))


def test_no_connection(run):
    with tcp.Server(tcp.read_all) as server:
        port = server.port
    assert run(name_of_error(AIOHttpClientConnection.new("127.0.0.1", port))) == "AWS_IO_SOCKET_CONNECTION_REFUSED"


@pytest.mark.fault("R04")
@pytest.mark.parametrize(
    ("steps", "name"),
    [
        ((READ, CLOSE), "AWS_IO_SOCKET_CLOSED"),
        ((READ, b"HTTP/1.1 200 OK\r\nContent-Le", CLOSE), "AWS_IO_SOCKET_CLOSED"),
        ((READ, b"garbage\r\n\r\n", HANG), "AWS_ERROR_HTTP_PROTOCOL_ERROR"),
    ],
)
def test_no_response(run, steps, name):
    """Those who wait for what does not come are told, each of them."""

    async def main():
        async with await AIOHttpClientConnection.new("localhost", server.port) as connection:
            stream = connection.request(a_request())
            waits = [stream.get_response_status_code, stream.get_response_headers, stream.wait_for_completion]
            for _ in range(2):
                names = await asyncio.gather(*(name_of_error(wait()) for wait in waits), name_of_error(body_of(stream)))
                assert set(names) == {name}
                assert await stream.get_next_response_chunk() == b""

    with tcp.Server(scripted(*steps)) as server:
        run(main())


@pytest.mark.fault("R04")
def test_response_cut_short(run):
    async def main():
        connection = await AIOHttpClientConnection.new("localhost", server.port)
        stream = connection.request(a_request())
        assert await stream.get_response_status_code() == 200
        assert await stream.get_next_response_chunk() == b"abc"
        assert await stream.get_next_response_chunk() == b""
        assert await name_of_error(stream.__anext__()) == "AWS_IO_SOCKET_CLOSED"
        assert await name_of_error(stream.wait_for_completion()) == "AWS_IO_SOCKET_CLOSED"
        assert await name_of_error(connection.close()) == "AWS_IO_SOCKET_CLOSED"

    with tcp.Server(scripted(READ, b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", CLOSE)) as server:
        run(main())


@pytest.mark.fault("R04")
def test_stream_reset_by_the_server(run, h2):
    async def main():
        async with await h2.connect(server) as connection:
            stream = connection.request(a_request())
            assert await name_of_error(stream.get_response_status_code()) == "AWS_ERROR_HTTP_RST_STREAM_RECEIVED"
            assert await name_of_error(body_of(stream)) == "AWS_ERROR_HTTP_RST_STREAM_RECEIVED"

    with h2.server(lambda request: Reset(7)) as server:
        run(main())


@pytest.mark.fault("R11")
def test_closing_ends_what_is_under_way(run, either):
    async def main():
        connection = await either.connect(server)
        stream = connection.request(a_request())
        waits = [asyncio.ensure_future(raised_by(wait)) for wait in (stream.wait_for_completion(), body_of(stream))]
        assert await asyncio.get_running_loop().run_in_executor(None, server.wait_for, lambda: server.requests)
        await connection.close()
        assert all(isinstance(error, AwsCrtError) for error in await asyncio.gather(*waits))
        await connection.close()
        with pytest.raises(AwsCrtError, match="CONNECTION_CLOSED"):
            connection.request(a_request())

    proceed = threading.Event()
    with either.server(lambda request: proceed.wait(WAIT_SEC) and Response()) as server:
        run(main())
        proceed.set()


def test_leaving_the_block_of_a_connection_that_has_failed(run):
    async def leave_by_an_error_of_its_own():
        async with await AIOHttpClientConnection.new("localhost", server.port) as connection:
            await raised_by(connection.request(a_request()).wait_for_completion())
            raise KeyError("mine")

    async def main():
        assert isinstance(await raised_by(leave_by_an_error_of_its_own()), KeyError)
        async with await AIOHttpClientConnection.new("localhost", server.port) as connection:
            await raised_by(connection.request(a_request()).wait_for_completion())
        assert await name_of_error(connection.close()) == "AWS_IO_SOCKET_CLOSED"

    with tcp.Server(scripted(READ, CLOSE)) as server:
        run(main())


@pytest.mark.fault("R10")
@pytest.mark.parametrize("sent", [0, 1, 3])
def test_generator_raises(run, either, sent):
    boom = KeyError("boom")

    async def body():
        for _ in range(sent):
            yield b"part"
        raise boom

    async def main():
        async with await either.connect(server) as connection:
            stream = connection.request(a_request("PUT"), body())
            assert await raised_by(stream.wait_for_completion()) is boom
            assert await raised_by(stream.get_response_status_code()) is boom
            assert await raised_by(body_of(stream)) is boom

    with either.server() as server:
        run(main())
    assert server.requests == []  # the server has no reason to take the body for whole


@pytest.mark.parametrize("piece", ["text", 5, None])
def test_generator_gives_what_are_no_bytes(run, either, piece):
    async def main():
        async with await either.connect(server) as connection:
            stream = connection.request(a_request("PUT"), generate(b"a", piece))
            assert isinstance(await raised_by(stream.wait_for_completion()), TypeError)

    with either.server() as server:
        run(main())
    assert server.requests == []


@pytest.mark.fault("R03")
@pytest.mark.parametrize("length", [3, 5])
def test_generator_of_another_length_than_the_header(run, length):
    async def main():
        async with await AIOHttpClientConnection.new("localhost", server.port) as connection:
            stream = connection.request(a_request("PUT", content_length=str(length)), generate(b"ab", b"cd"))
            assert (
                await name_of_error(stream.wait_for_completion()) == "AWS_ERROR_HTTP_OUTGOING_STREAM_LENGTH_INCORRECT"
            )

    with Http1Server() as server:
        run(main())


def test_wrong_arguments(run, either):
    async def main():
        async with await either.connect(server) as connection:
            for wrong in ([b"a"], iter([b"a"]), 5, b"a", generate):
                with pytest.raises(TypeError, match="request_body_generator"):
                    connection.request(a_request("PUT"), wrong)
            for wrong in ("loop", 5):
                with pytest.raises(TypeError, match="loop must be"):
                    connection.request(a_request(), loop=wrong)
            with pytest.raises(TypeError, match="request must be"):
                connection.request("GET")
            await connection.request(a_request()).wait_for_completion()

    with either.server() as server:
        run(main())
        assert len(server.requests) == 1


def test_a_request_of_http_1_has_one_body(run):
    async def main():
        async with await AIOHttpClientConnection.new("localhost", server.port) as connection:
            with pytest.raises(ValueError, match="not both"):
                connection.request(HttpRequest("PUT", "/", None, io.BytesIO(b"a")), generate(b"b"))

    with Http1Server() as server:
        run(main())


def test_generator_is_closed_when_the_server_wants_no_more(run, h2):
    closed = []

    async def body():
        try:
            while True:
                yield b"part"
                await asyncio.sleep(0.001)
        finally:
            closed.append(asyncio.get_running_loop())

    async def main():
        async with await h2.connect(server) as connection:
            stream = connection.request(a_request("PUT"), body())
            assert await name_of_error(stream.wait_for_completion()) == "AWS_ERROR_HTTP_RST_STREAM_RECEIVED"
            await until(lambda: closed)
            assert closed == [asyncio.get_running_loop()]

    with h2.server(early=lambda request: Reset(8)) as server:
        run(main())


def test_generator_that_waits_is_cancelled_when_the_exchange_ends(run, either):
    ended = []

    async def body():
        yield b"part"
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            ended.append(True)
            raise

    async def main():
        connection = await either.connect(server)
        stream = connection.request(a_request("PUT"), body())
        await asyncio.sleep(0.05)
        await connection.close()
        assert isinstance(await raised_by(stream.wait_for_completion()), AwsCrtError)
        await until(lambda: ended)

    with either.server() as server:
        run(main())
