"""Owns the tests of HTTP with asyncio where waits are given up, and where loops and threads are several or come to an end."""

from __future__ import annotations

import asyncio
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
    on_another_thread,
    raised_by,
    run_quietly,
)
from peers.http1 import Response


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


@pytest.mark.fault("R05", "R18")
def test_who_gives_up_waiting_may_wait_again(run, either):
    async def main():
        async with await either.connect(server) as connection:
            stream = connection.request(a_request())
            waits = [
                stream.get_response_status_code,
                stream.get_response_headers,
                stream.get_next_response_chunk,
                stream.wait_for_completion,
            ]
            for wait in waits * 2:
                with pytest.raises(asyncio.TimeoutError):
                    await asyncio.wait_for(wait(), 0.002)
            tasks = [asyncio.ensure_future(wait()) for wait in waits]
            await asyncio.sleep(0)
            for task in tasks:
                task.cancel()
            proceed.set()
            assert await stream.get_response_status_code() == 200
            assert await body_of(stream) == b"late"
            assert await stream.wait_for_completion() == 200
            assert all(task.cancelled() for task in tasks)

    proceed = threading.Event()
    with either.server(lambda request: proceed.wait(WAIT_SEC) and Response(body=b"late")) as server:
        run(main())


@pytest.mark.fault("R18")
def test_a_cancelled_future_of_the_stream_hurts_nobody_else(run, either):
    async def main():
        async with await either.connect(server) as connection:
            stream = connection.request(a_request("PUT"), generate(b"a", b"b"))
            assert stream.completion_future.cancel()
            assert await stream.get_response_status_code() == 200
            assert await stream.get_next_response_chunk() == b"ab"
            stream = connection.request(a_request())
            assert await stream.wait_for_completion() == 200

    with either.server() as server:
        run(main())


@pytest.mark.fault("R18")
def test_connecting_given_up_at_any_time(run, either):
    """Whatever comes of the attempt is closed: the server sees the end of each connection."""

    async def main():
        for step in range(40):
            task = asyncio.ensure_future(either.connect(server))
            await asyncio.sleep(step * 0.0005)
            task.cancel()
            try:
                async with await task:
                    pass
            except asyncio.CancelledError:
                pass
        del task

    with either.server() as server:
        run(main())
        assert server.wait_for(lambda: not server._running())


@pytest.mark.fault("R05", "R18")
def test_connecting_to_a_server_that_says_nothing(run, h2):
    async def main():
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(h2.connect(server), 0.05)

    with tcp.Server(tcp.read_all) as server:
        run(main())


def test_loops_on_several_threads_share_a_connection_and_a_stream(run, either):
    async def read(stream):
        return await body_of(stream), await stream.get_response_status_code(), await stream.wait_for_completion()

    async def fetch(connection):
        stream = connection.request(a_request("PUT"), generate(b"a", b"b"), asyncio.get_running_loop())
        return await read(stream)

    async def main():
        async with await either.connect(server) as connection:
            assert await on_another_thread(fetch(connection)) == (b"ab", 200, 200)
            stream = connection.request(a_request("PUT"), generate(b"c"))
            assert await on_another_thread(read(stream)) == (b"c", 200, 200)
            assert await stream.wait_for_completion() == 200
            stream = connection.request(a_request("PUT"), generate(b"d"))
            results = await asyncio.gather(*(on_another_thread(read(stream)) for _ in range(4)), read(stream))
            assert sorted(body for body, _, _ in results) == [b"", b"", b"", b"", b"d"]

    with either.server() as server:
        run(main())


def test_generator_runs_on_the_loop_that_is_named(run, either):
    async def body(threads):
        threads.append(threading.get_ident())
        yield b"x"

    async def main():
        loop = asyncio.get_running_loop()
        async with await either.connect(server) as connection:
            threads = []
            stream = await loop.run_in_executor(None, lambda: connection.request(a_request("PUT"), body(threads), loop))
            assert await body_of(stream) == b"x"
            assert threads == [threading.get_ident()]
            # A stream without a generator needs no loop at all.
            stream = await loop.run_in_executor(None, lambda: connection.request(a_request("GET")))
            assert await stream.wait_for_completion() == 200
            unheard = body(threads)
            with pytest.raises(RuntimeError, match="event loop"):
                await loop.run_in_executor(None, lambda: connection.request(a_request("PUT"), unheard))

    with either.server() as server:
        run(main())


@pytest.mark.fault("R18")
def test_the_loop_of_the_generator_ends(run, either):
    """Its end cancels what runs there; who waits elsewhere is told."""

    async def body():
        yield b"part"
        await asyncio.Event().wait()

    async def begin(connection):
        stream = connection.request(a_request("PUT"), body())
        await asyncio.sleep(0.05)
        return stream

    async def main():
        async with await either.connect(server) as connection:
            stream = await on_another_thread(begin(connection))
            error = await raised_by(stream.wait_for_completion())
            assert isinstance(error, RuntimeError)
            assert "cancelled before its end" in str(error)

    with either.server() as server:
        run(main())
    assert server.requests == []


@pytest.mark.fault("R18")
def test_the_loop_is_closed_before_the_end(run, either):
    async def begin(connection):
        return connection.request(a_request())

    async def main():
        async with await either.connect(server) as connection:
            stream = await on_another_thread(begin(connection))
            proceed.set()
            assert await stream.wait_for_completion() == 200
            closed = asyncio.new_event_loop()
            closed.close()
            unheard = generate(b"a")
            with pytest.raises(RuntimeError, match="closed"):
                connection.request(a_request("PUT"), unheard, closed)

    proceed = threading.Event()
    with either.server(lambda request: proceed.wait(WAIT_SEC) and Response()) as server:
        run(main())
