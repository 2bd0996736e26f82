"""Owns the tests of HTTP with asyncio: exchanges that go well, on either version of HTTP."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref

import pytest
from peers import tls
from peers.aio import WAIT_SEC, Either, a_request, body_of, generate, lend, run_quietly
from peers.http1 import Response

from awscrt.aio.http import (
    AIOHttp2ClientConnection,
    AIOHttpClientConnection,
    AIOHttpClientConnectionUnified,
    AIOHttpClientStreamUnified,
)
from awscrt.http import Http2Setting, Http2SettingID, HttpVersion

BIG = bytes(range(256)) * 4000


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
def h1(authority):
    yield from lend(Either(authority, 1))


@pytest.fixture
def h2(authority):
    yield from lend(Either(authority, 2))


def test_get(run, either):
    async def main():
        async with await either.connect(server) as connection:
            stream = connection.request(a_request(path="/a"))
            assert type(stream) is either.stream_kind
            assert stream.connection is connection
            assert await stream.get_response_status_code() == 207
            assert ("x-a", "b") in await stream.get_response_headers()
            body = b""
            while True:
                chunk = await stream.get_next_response_chunk()
                if not chunk:
                    break
                body += chunk
            assert body == BIG
            assert await stream.get_next_response_chunk() == b""
            assert await stream.wait_for_completion() == 207
            assert stream.response_status_code == 207
            assert stream.version == connection.version == (HttpVersion.Http1_1, HttpVersion.Http2)[either.version - 1]
            assert connection.is_open()
        assert not connection.is_open()

    with either.server(lambda request: Response(207, [("x-a", "b")], BIG)) as server:
        run(main())
        assert server.requests[0].path == "/a"
        assert server.errors == []


def test_head_comes_before_the_body(run, either):
    def respond(request):
        def pieces():
            yield b"first"
            assert proceed.wait(WAIT_SEC)
            yield b"second"

        return Response(body=pieces(), chunked=either.version == 1)

    async def main():
        async with await either.connect(server) as connection:
            stream = connection.request(a_request())
            assert await stream.get_response_status_code() == 200
            assert await stream.get_next_response_chunk() == b"first"
            waiting = [asyncio.ensure_future(stream.get_next_response_chunk()) for _ in range(3)]
            ending = [asyncio.ensure_future(stream.wait_for_completion()) for _ in range(3)]
            proceed.set()
            assert await asyncio.gather(*waiting) == [b"second", b"", b""]
            assert await asyncio.gather(*ending) == [200, 200, 200]

    proceed = threading.Event()
    with either.server(respond) as server:
        run(main())


@pytest.mark.parametrize("sized", [False, True])
def test_body_of_a_generator(run, either, sized):
    pieces = [b"hello", b"", bytearray(b"he123123"), memoryview(b"hello"), *[BIG] * 3, b"!"]
    whole = b"".join(pieces)

    async def body():
        for piece in pieces:
            await asyncio.sleep(0)
            yield piece

    async def main():
        headers = {"content_length": str(len(whole))} if sized else {}
        async with await either.connect(server) as connection:
            stream = connection.request(a_request("PUT", **headers), body())
            assert await body_of(stream) == whole
            assert await stream.wait_for_completion() == 200
            for empty in ([], [b""]):
                headers = {"content_length": "0"} if sized else {}
                stream = connection.request(a_request("POST", **headers), request_body_generator=generate(*empty))
                assert await body_of(stream) == b""

    with either.server() as server:
        run(main())
        request = server.requests[0]
        assert request.body == whole
        if either.version == 1:
            assert (request.header("transfer-encoding") == "chunked") is not sized
        assert (server.errors, server.connections) == ([], 1)


def test_pieces_are_asked_for_one_by_one(run, either):
    """The next one is asked for when the last one has been sent, not before: a generator may make them of much memory."""
    asked = []

    async def body():
        for number in range(1000):
            asked.append(number)
            yield bytes(65536)

    async def main():
        connection = await either.connect(server)
        connection.request(a_request("PUT"), body())
        await asyncio.sleep(0.5)
        assert 1 <= len(asked) < 500
        await connection.close()

    if either.version == 1:
        with either.server() as server:
            server.handle = lambda sock: server.closing.wait(WAIT_SEC)
            run(main())
    else:
        with either.server(automatic_windows=False) as server:
            run(main())


def test_request_with_a_stream_as_its_body(run, either, tmp_path):
    path = tmp_path / "body"
    path.write_bytes(BIG)

    async def main():
        with path.open("rb") as file:
            async with await either.connect(server) as connection:
                stream = connection.request(a_request("PUT", "/", file, content_length=str(len(BIG))))
                assert await body_of(stream) == BIG

    with either.server() as server:
        run(main())


def test_many_at_once(run, either):
    async def fetch(connection, number):
        stream = connection.request(a_request("PUT", f"/{number}"), generate(b"%d" % number))
        assert await body_of(stream) == b"%d" % number
        return await stream.wait_for_completion()

    async def main():
        async with await either.connect(server) as connection:
            results = await asyncio.gather(*(fetch(connection, number) for number in range(40)))
            assert results == [200] * 40

    with either.server() as server:
        run(main())
        assert server.connections == 1


def test_unified_connection_takes_what_the_server_speaks(run, either):
    async def main():
        async with await either.connect(server, AIOHttpClientConnectionUnified) as connection:
            assert type(connection) is AIOHttpClientConnectionUnified
            assert connection.version == (HttpVersion.Http1_1, HttpVersion.Http2)[either.version - 1]
            stream = connection.request(a_request("PUT"), generate(b"a", b"b"))
            assert type(stream) is AIOHttpClientStreamUnified
            assert await body_of(stream) == b"ab"
        async with await either.connect(server, AIOHttpClientConnection) as connection:
            # As awscrt.http has it: the kind that serves what was agreed on.
            assert type(connection) is (AIOHttpClientConnection, AIOHttp2ClientConnection)[either.version - 1]

    with either.server() as server:
        run(main())


def test_a_stream_lives_until_it_is_complete(run, either):
    async def main():
        connection = await either.connect(server)
        stream = connection.request(a_request("PUT"), generate(b"a", b"b"))
        gone = weakref.ref(stream), weakref.ref(connection)
        task = asyncio.ensure_future(body_of(stream))
        del stream, connection
        gc.collect()
        assert await task == b"ab"
        del task
        for _ in range(1000):
            if gone[0]() is None and gone[1]() is None:
                return
            await asyncio.sleep(0.01)
        raise AssertionError("something holds them")

    with either.server() as server:
        run(main())


def test_streams_are_freed_without_the_cycle_collector(run, either):
    async def main():
        async with await either.connect(server) as connection:
            stream = connection.request(a_request("PUT"), generate(b"a"))
            await stream.wait_for_completion()
            gone = weakref.ref(stream)
            del stream
            for _ in range(1000):
                if gone() is None:
                    return
                await asyncio.sleep(0.01)
            raise AssertionError("something holds it")

    with either.server() as server:
        gc.disable()
        try:
            run(main())
        finally:
            gc.enable()


def test_settings_and_windows_of_http_2(run, h2):
    async def main():
        settings, changed = [], asyncio.Event()
        loop = asyncio.get_running_loop()

        def on_changed(received):
            settings.append({setting.id: setting.value for setting in received})
            loop.call_soon_threadsafe(changed.set)

        connection = await h2.connect(
            server,
            initial_settings=[Http2Setting(Http2SettingID.ENABLE_PUSH, 0)],
            on_remote_settings_changed=on_changed,
            manual_window_management=True,
            initial_window_size=10,
            conn_manual_window_management=True,
            stream_window_size_threshold=2**30,
        )
        async with connection:
            await asyncio.wait_for(changed.wait(), WAIT_SEC)
            assert settings[0][Http2SettingID.MAX_CONCURRENT_STREAMS] == 7
            stream = connection.request(a_request("GET"))
            connection.update_window(1000)
            chunks = []
            async for chunk in stream:
                chunks.append(chunk)
                stream.update_window(len(chunk))
            assert b"".join(chunks) == b"x" * 100
            assert len(chunks) >= 10

    with h2.server(lambda request: Response(body=b"x" * 100), settings={3: 7}) as server:
        run(main())
        received = {key: value for frame in server.settings_received for key, value in frame.items()}
        assert (received[2], received[4]) == (0, 10)


def test_windows_of_http_1(run, h1):
    async def main():
        connection = await h1.connect(
            server, manual_window_management=True, initial_window_size=1, read_buffer_capacity=1000
        )
        async with connection:
            stream = connection.request(a_request())
            chunks = []
            async for chunk in stream:
                chunks.append(chunk)
                stream.update_window(len(chunk))
            assert b"".join(chunks) == bytes(range(100))
            assert len(chunks) > 1

    with h1.server(lambda request: Response(body=bytes(range(100)))) as server:
        run(main())


def test_the_server_may_end_before_the_request(run, h2):
    """As long as HTTP/2's streams are half open: the response is whole, and the request goes on."""

    async def main():
        response_read = asyncio.Event()

        async def body():
            yield b"chunk1"
            await response_read.wait()
            assert not stream.completion_future.done()
            yield b"chunk2"

        async with await h2.connect(server) as connection:
            stream = connection.request(a_request("POST"), body())
            assert await stream.get_response_status_code() == 404
            assert await body_of(stream) == b"early"
            response_read.set()
            assert await stream.wait_for_completion() == 404

    with h2.server(early=lambda request: Response(404, body=b"early")) as server:
        run(main())
        assert server.wait_for(lambda: server.requests)  # the client is done when it has sent the end, read or not
        assert server.requests[0].body == b"chunk1chunk2"


def test_asyncio_is_imported_by_nobody_else(run_python):
    run_python("import awscrt, awscrt.http, awscrt.io, sys; assert 'asyncio' not in sys.modules")
