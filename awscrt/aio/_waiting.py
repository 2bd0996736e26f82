"""Owns the way from native threads to coroutines that wait for them, whatever event loops those run on."""

from __future__ import annotations

import asyncio
import threading
from collections import deque

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future
    from typing import Any, Deque


class _Waiter:
    """One coroutine that waits, on the loop that it runs on."""

    __slots__ = ("_future", "_loop")

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._future = self._loop.create_future()

    async def wait(self) -> None:
        await self._future

    def wake(self) -> None:
        """On any thread, any number of times."""
        try:
            self._loop.call_soon_threadsafe(self._settle)
        except RuntimeError:
            # The loop has been closed, and with it whoever waited there.
            return

    def _settle(self) -> None:
        if not self._future.done():  # it may have been cancelled, or woken twice
            self._future.set_result(None)


class Gate:
    """Opens once, and stays open. Giving up the wait for it leaves nothing behind."""

    __slots__ = ("_lock", "_open", "_waiters")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open = False
        self._waiters: set[_Waiter] = set()

    def open(self) -> None:
        """On any thread."""
        with self._lock:
            self._open = True
            waiters = list(self._waiters)
        for waiter in waiters:
            waiter.wake()

    async def passed(self) -> None:
        """Wait until it is open."""
        waiter = _Waiter()
        with self._lock:
            if self._open:
                return
            self._waiters.add(waiter)
        try:
            await waiter.wait()
        finally:
            with self._lock:
                self._waiters.discard(waiter)


class Pieces:
    """A body on its way: native threads put pieces in, coroutines take them out, in the order in which they asked.

    A piece is taken by a coroutine only as it resumes, so none is lost where one is cancelled just as it is woken.
    """

    __slots__ = ("_ended", "_lock", "_pieces", "_waiters")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pieces: Deque[bytes] = deque()
        self._waiters: Deque[_Waiter] = deque()  # the first one alone is woken
        self._ended = False

    def put(self, piece: bytes) -> None:
        """On any thread."""
        with self._lock:
            self._pieces.append(piece)
            self._wake_first()

    def end(self) -> None:
        """No more pieces come. On any thread; may be said again."""
        with self._lock:
            self._ended = True
            self._wake_first()

    async def take(self) -> bytes:
        """The next piece, or b"" when there are no more."""
        with self._lock:
            if not self._waiters and (self._pieces or self._ended):
                return self._next()
            waiter = _Waiter()
            self._waiters.append(waiter)
        try:
            await waiter.wait()
            with self._lock:
                return self._next()
        finally:
            with self._lock:
                self._waiters.remove(waiter)
                self._wake_first()

    def _next(self) -> bytes:
        return self._pieces.popleft() if self._pieces else b""

    def _wake_first(self) -> None:
        if self._waiters and (self._pieces or self._ended):
            self._waiters[0].wake()


async def outcome(future: Future[Any], abandon: Callable[[], object] = bool) -> Any:
    """The result of a future that a native thread settles; its exception is raised.

    Args:
        future: It is left as it is if the wait is given up, so that others can go on waiting for it.
        abandon: Called if the wait is given up.
    """
    waiter = _Waiter()
    future.add_done_callback(lambda _: waiter.wake())
    try:
        await waiter.wait()
    except BaseException:
        abandon()
        raise
    return future.result()
