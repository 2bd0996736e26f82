"""Owns the tests of S3 transfers under asyncio."""

from __future__ import annotations

import asyncio
import threading

import pytest
from peers.http1 import HANG, READ, scripted
from peers.s3 import S3Server
from peers.s3_transfers import GET, KEY, MB, PUT, TIMEOUT_SEC, get_request, put_request
from peers.tcp import Server

from awscrt.aio.s3 import AIOS3Client, AIOS3Request
from awscrt.exceptions import AwsCrtError
from awscrt.s3 import S3Client, S3Request, S3RequestTlsMode, S3ResponseError, S3RetryConfig

DATA = bytes(range(256)) * 4096  # 1 MiB


def new_client(**options):
    return AIOS3Client(
        region="r",
        tls_mode=S3RequestTlsMode.DISABLED,
        retry_config=S3RetryConfig(max_retries=1, backoff_scale_factor_ms=1),
        **options,
    )


def run(coroutine):
    return asyncio.run(asyncio.wait_for(coroutine, TIMEOUT_SEC))


@pytest.fixture
def server():
    with S3Server() as running:
        running.put(KEY, DATA)
        yield running
        assert not running.errors


@pytest.mark.parametrize("window", [1, 100_000, 150_001, 64 * MB])
def test_download_chunk_by_chunk(server, window):
    async def main():
        async with new_client(part_size=100_000, read_window=window) as client:
            async with client.make_request(type=GET, request=get_request(server)) as request:
                assert isinstance(request, S3Request)
                assert await request.get_response_status_code() == 200
                assert dict(await request.get_response_headers())["Content-Length"] == str(len(DATA))
                chunks = []
                async for chunk in request:
                    chunks.append(chunk)
                    if len(chunks) > 50 and window == 1:  # a window of one byte gives chunks of one
                        return
                assert b"".join(chunks) == DATA
                assert await request.get_next_response_chunk() == b""
            assert client.shutdown_event.is_set() is False
        assert isinstance(client, S3Client)
        assert client.shutdown_event.is_set()

    run(main())


def test_a_slow_reader_bounds_what_comes(server):
    server.put(KEY, DATA * 8)

    async def main():
        client = new_client(part_size=100_000, read_window=300_000)
        async with client, client.make_request(type=GET, request=get_request(server)) as request:
            assert await request.get_response_status_code() == 200
            await asyncio.sleep(0.3)
            waiting = sum(map(len, request._incoming.body._pieces))
            assert 0 < waiting <= 300_000
            assert server.counted("GET") <= 4
            body = b"".join([chunk async for chunk in request])
            assert body == DATA * 8

    run(main())


def test_upload_and_file(server, tmp_path):
    progress = []

    async def main():
        async with new_client() as client:
            upload = client.make_request(type=PUT, request=put_request(server, b"12345"), on_progress=progress.append)
            await upload.wait_for_completion()
            assert await upload.get_response_status_code() == 200
            download = client.make_request(type=GET, request=get_request(server), recv_filepath=tmp_path / "file")
            await download.wait_for_completion()

    run(main())
    assert sum(progress) == 5
    assert (tmp_path / "file").read_bytes() == b"12345"


def test_many_at_once(server):
    async def fetch(client):
        request = client.make_request(type=GET, request=get_request(server))
        return b"".join([chunk async for chunk in request])

    async def main():
        async with new_client(part_size=100_000) as client:
            assert await asyncio.gather(*(fetch(client) for _ in range(10))) == [DATA] * 10

    run(main())


def test_refusal(server):
    async def main():
        async with new_client() as client:
            request = client.make_request(type=GET, request=get_request(server, "/bucket/none"))
            with pytest.raises(S3ResponseError):
                async for _ in request:
                    pass
            with pytest.raises(S3ResponseError):
                await request.wait_for_completion()
            assert await request.get_response_status_code() == 404

    run(main())


@pytest.mark.fault("R10")
def test_exception_of_on_progress(server):
    class MineError(Exception):
        pass

    def explode(_):
        raise MineError

    async def main():
        async with new_client() as client:
            request = client.make_request(type=PUT, request=put_request(server, b"12345"), on_progress=explode)
            with pytest.raises(MineError):
                await request.wait_for_completion()

    run(main())


@pytest.mark.fault("R05")
def test_leaving_the_block_cancels():
    async def main():
        with Server(scripted(READ, HANG)) as peer:
            async with new_client() as client:
                async with client.make_request(type=GET, request=get_request(peer)) as request:
                    with pytest.raises(asyncio.TimeoutError):
                        await asyncio.wait_for(request.wait_for_completion(), 0.2)
                    assert not request.finished_future.done()
                    with pytest.raises(asyncio.TimeoutError):
                        await asyncio.wait_for(request.get_next_response_chunk(), 0.05)
                with pytest.raises(AwsCrtError, match="AWS_ERROR_S3_CANCELED"):
                    await request.get_response_status_code()
                request.cancel()

    run(main())


@pytest.mark.fault("R11")
def test_closed_client(server):
    async def main():
        client = new_client()
        await client.close()
        await client.close()
        with pytest.raises(RuntimeError, match="closed"):
            client.make_request(type=GET, request=get_request(server))

    run(main())


def test_close_waits_for_what_is_under_way(server):
    async def main():
        client = new_client(part_size=100_000)
        request = client.make_request(type=GET, request=get_request(server), recv_filepath="/dev/null")
        await client.close()
        assert request.finished_future.result(0) is None

    run(main())


def test_waited_for_on_another_loop(server):
    async def make():
        client = new_client()
        return client, client.make_request(type=PUT, request=put_request(server, b"x"))

    async def wait(request):
        await request.wait_for_completion()

    client, request = run(make())
    threads = [threading.Thread(target=run, args=(wait(request),)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(TIMEOUT_SEC)
    assert request.finished_future.done()
    run(client.close())


@pytest.mark.fault("R13")
@pytest.mark.parametrize("window", [1000, 64 * MB])
def test_request_that_nobody_holds(server, window):
    async def main():
        async with new_client(part_size=100_000, read_window=window) as client:
            future = client.make_request(type=GET, request=get_request(server)).finished_future
        assert future.result(0) is None

    run(main())


@pytest.mark.parametrize("window", [1000, 64 * MB])
def test_cancel_with_a_full_window(server, window):
    async def main():
        async with new_client(part_size=100_000, read_window=window) as client:
            for _ in range(10):
                async with client.make_request(type=GET, request=get_request(server)) as request:
                    await request.get_response_status_code()

    run(main())


def test_reading_while_the_transfer_ends(server):
    # It lets the native side go, on a thread of its own, as its reader asks for more.
    async def fetch(client):
        async for _ in client.make_request(type=GET, request=get_request(server)):
            pass

    async def main():
        async with new_client(part_size=100_000) as client:
            for _ in range(5):
                await asyncio.gather(*(fetch(client) for _ in range(8)))

    run(main())


@pytest.mark.parametrize(
    ("options", "error"),
    [({"read_window": 0}, ValueError), ({"read_window": "x"}, TypeError), ({"none": 1}, TypeError)],
)
def test_wrong_arguments(options, error):
    with pytest.raises(error):
        new_client(**options)


def test_half_made_request_is_no_crash():
    request = AIOS3Request.__new__(AIOS3Request)
    with pytest.raises(AttributeError):
        request.cancel()
