"""Many threads, and connections dropped at every stage: nothing hangs, and nothing is left of them."""

from __future__ import annotations

import concurrent.futures
import contextlib
import gc
import io
import os
import resource
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from awscrt import _test
from awscrt.exceptions import AwsCrtError
from awscrt.http import Http2ClientConnection, HttpClientConnection, HttpHeaders, HttpRequest
from awscrt.io import ClientBootstrap, SocketOptions
from tests.integration.client import SECONDS, TlsMaker, connect
from tests.support.nginx import SMALL, Nginx

pytestmark = pytest.mark.slow

THREADS, REQUESTS = 64, 1000
DROPPED, AT_ONCE = 500, 100
SETTLING_SECONDS = 30.0
# What tables of the event loops and of the allocator may grow by once: less than one connection of the 500 needs.
SLACK_BYTES = 16 * 1024
PIECE = 1024

FINISHED: list[str] = []


def on_response(http_stream: Any, status_code: int, headers: Any, **_: Any) -> None:
    if status_code // 100 != 2:
        FINISHED.append(f"status {status_code}")


def on_body(http_stream: Any, chunk: bytes, **_: Any) -> None:
    if chunk != SMALL.encode()[: len(chunk)] and chunk.strip(b"\0"):
        FINISHED.append(f"body {chunk!r}")


def request(path: str, body: Any = None, length: int = 0) -> HttpRequest:
    fields = [("Host", "localhost")]
    if body is None:
        return HttpRequest("GET", path, HttpHeaders(fields))
    return HttpRequest("PUT", path, HttpHeaders([*fields, ("Content-Length", str(length))]), body)


def footprint() -> dict[str, int]:
    """What must not grow."""
    gc.collect()
    return {
        "descriptors": len(os.listdir("/proc/self/fd")),
        "objects of the package": sum(type(each).__module__.startswith("awscrt") for each in gc.get_objects()),
        "references of on_response": sys.getrefcount(on_response),
        "references of on_body": sys.getrefcount(on_body),
        "threads": len(os.listdir("/proc/self/task")),
        "Python threads": threading.active_count(),
        "bytes of native memory": _test.native_memory_usage(),
    }


# A first run may start threads that stay, and make tables larger.
GROW_AT_FIRST = ("threads", "bytes of native memory")


@contextlib.contextmanager
def unchanged(warm_up: Callable[[], object]) -> Iterator[None]:
    """After the block everything is, soon, as it was after a small run of the same."""
    fresh = footprint()
    warm_up()
    settle({name: value for name, value in fresh.items() if name not in GROW_AT_FIRST})
    before = footprint()
    before["bytes of native memory"] += SLACK_BYTES
    yield
    settle(before)


def settle(limits: dict[str, int]) -> None:
    """Wait until nothing is above its limit."""
    end = time.monotonic() + SETTLING_SECONDS
    while above := {
        name: (limits[name], value) for name, value in footprint().items() if value > limits.get(name, value)
    }:
        assert time.monotonic() < end, f"grown (limit, now): {above}"
        time.sleep(0.05)


@pytest.mark.fault("R12")
def test_many_threads_make_many_requests(nginx: Nginx, bootstrap: ClientBootstrap, tls: TlsMaker) -> None:
    shared = connect(nginx.ports.tls, bootstrap, tls("h2"), http2=True)

    def work(connection: Any, count: int) -> int:
        done = 0
        for _ in range(count):
            stream = connection.request(request("/small"), on_response, on_body)
            stream.activate()
            done += stream.completion_future.result(SECONDS) == 200
        return done

    def one_thread(number: int, count: int = REQUESTS) -> int:
        # Half of them have a connection each, the others one for all.
        own = connect(nginx.ports.plain, bootstrap) if number % 2 else None
        done = work(own or shared, count)
        if own:
            own.close().result(SECONDS)
        return done

    def storm(threads: int, count: int) -> list[int]:
        with concurrent.futures.ThreadPoolExecutor(threads) as pool:
            return list(pool.map(one_thread, range(threads), [count] * threads))

    with unchanged(lambda: storm(THREADS, 3)):
        assert storm(THREADS, REQUESTS) == [REQUESTS] * THREADS
        assert FINISHED == []
    shared.close().result(SECONDS)


class Slow(io.RawIOBase):
    """A body that comes in small pieces; `started` is set once the first is asked for."""

    def __init__(self, pieces: int) -> None:
        self.started = threading.Event()
        self._pieces = pieces

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self.started.set()
        if self._pieces == 0:
            return 0
        self._pieces -= 1
        view = memoryview(buffer)
        size = min(len(view), PIECE)
        view[:size] = bytes(size)
        return size


class Dropper:
    """Opens connections and lets go of them at one stage."""

    def __init__(self, nginx: Nginx, bootstrap: ClientBootstrap, tls: TlsMaker) -> None:
        self._nginx = nginx
        self._bootstrap = bootstrap
        self._tls = {http2: tls("h2" if http2 else "http/1.1") for http2 in (False, True)}

    def before_connected(self, count: int) -> None:
        for _ in range(count):
            self._open(self._nginx.ports.plain)

    def in_handshake(self, count: int) -> None:
        with socket.socket() as silent:
            silent.bind(("127.0.0.1", 0))
            silent.listen(count)
            opening = [self._open(silent.getsockname()[1], secure=True) for _ in range(count)]
            accepted = [silent.accept()[0] for _ in range(count)]
            for each in accepted:
                # The kernel took the connection; from its first bytes on, TLS is under way.
                assert each.recv(5)
        for each in accepted:
            each.close()
        for future in opening:
            assert isinstance(future.exception(SECONDS), AwsCrtError)

    def after_handshake(self, count: int) -> None:
        for _ in range(count):
            self._open(self._nginx.ports.tls, secure=True)

    def idle(self, count: int) -> None:
        self._each_open(count)

    def idle_in_http2(self, count: int) -> None:
        self._each_open(count, http2=True)

    def in_request(self, count: int) -> None:
        for connection in self._each_open(count):
            body = Slow(pieces=64)
            connection.request(request("/discard", body, 64 * PIECE), on_response, on_body).activate()
            assert body.started.wait(SECONDS)

    def in_request_closed(self, count: int) -> None:
        for connection in self._each_open(count):
            body = Slow(pieces=64)
            connection.request(request("/discard", body, 1 << 40), on_response, on_body).activate()
            assert body.started.wait(SECONDS)
            connection.close()

    def in_response(self, count: int) -> None:
        self._respond(self._each_open(count), close=False)

    def in_response_closed(self, count: int) -> None:
        self._respond(self._each_open(count), close=True)

    def in_response_of_http2(self, count: int) -> None:
        self._respond(self._each_open(count, http2=True), close=True)

    def _respond(self, connections: Any, *, close: bool) -> None:
        begun = []
        for connection in connections:
            first = threading.Event()
            connection.request(request("/slow/dropped"), lambda first=first, **_: first.set(), on_body).activate()
            begun.append((connection, first))
        for connection, first in begun:
            assert first.wait(SECONDS)
            if close:
                connection.close()

    def _each_open(self, count: int, *, http2: bool = False) -> list[Any]:
        opening = [self._open(self._nginx.ports.tls, secure=True, http2=http2) for _ in range(count)]
        return [future.result(SECONDS) for future in opening]

    def _open(self, port: int, *, secure: bool = False, http2: bool = False) -> Any:
        kind = Http2ClientConnection if http2 else HttpClientConnection
        tls = self._tls[http2] if secure else None
        return kind.new("127.0.0.1", port, self._bootstrap, SocketOptions(), tls)


STAGES = [name for name in vars(Dropper) if not name.startswith("_")]


@pytest.mark.fault("R12", "R13")
@pytest.mark.parametrize("stage", STAGES)
def test_connections_dropped(stage: str, nginx: Nginx, bootstrap: ClientBootstrap, tls: TlsMaker) -> None:
    (nginx.files / "dropped").write_bytes(bytes(100_000))
    # The first of all may open what the process keeps, such as a source of randomness.
    connect(nginx.ports.tls, bootstrap, tls("http/1.1")).close().result(SECONDS)
    drop = getattr(Dropper(nginx, bootstrap, tls), stage)
    with unchanged(lambda: drop(AT_ONCE)):
        for _ in range(DROPPED // AT_ONCE):
            drop(AT_ONCE)
    connection = connect(nginx.ports.plain, bootstrap)
    stream = connection.request(request("/small"), on_response, on_body)
    stream.activate()
    assert stream.completion_future.result(SECONDS) == 200


@pytest.mark.fault("R12")
def test_no_descriptors_left(nginx: Nginx, bootstrap: ClientBootstrap) -> None:
    connect(nginx.ports.plain, bootstrap).close().result(SECONDS)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = len(os.listdir("/proc/self/fd")) + 10
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    try:
        opening = [
            HttpClientConnection.new("127.0.0.1", nginx.ports.plain, bootstrap, SocketOptions()) for _ in range(64)
        ]
        errors = [future.exception(SECONDS) for future in opening]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert {type(error) for error in errors} == {type(None), AwsCrtError}
    for future in opening:
        if not future.exception():
            future.result().close().result(SECONDS)
    connect(nginx.ports.plain, bootstrap).close().result(SECONDS)


@pytest.mark.fault("R12")
def test_a_name_that_does_not_exist_from_many_threads(bootstrap: ClientBootstrap) -> None:
    def one(_: int) -> type | None:
        error = HttpClientConnection.new("nowhere.invalid", 1, bootstrap, SocketOptions()).exception(SECONDS)
        return type(error)

    with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
        assert set(pool.map(one, range(THREADS))) == {AwsCrtError}
