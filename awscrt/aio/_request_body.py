"""Owns the bodies of requests that asynchronous generators give piece by piece."""

from __future__ import annotations

import asyncio
import contextlib
from io import BytesIO

from ..exceptions import AwsCrtError
from ._waiting import outcome

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, AsyncIterator, Optional, Protocol

    class _Stream(Protocol):
        def _write_data(self, data_stream: Any, end_stream: bool) -> Any: ...
        def _fail(self, error: BaseException) -> None: ...


class RequestBody:
    """Sends what a generator gives, in a task of the loop that the generator belongs to."""

    __slots__ = ("_generator", "_loop", "_over", "_task")

    def __init__(self, generator: AsyncIterator[bytes], loop: Optional[asyncio.AbstractEventLoop]) -> None:
        if not hasattr(generator, "__aiter__"):
            raise TypeError(f"request_body_generator must be an asynchronous iterator, not {type(generator).__name__}")
        self._generator = generator
        self._loop = asyncio.get_event_loop() if loop is None else loop
        self._task: Optional[asyncio.Task[None]] = None
        self._over = False

    def start(self, stream: _Stream) -> None:
        """Begin to send, on any thread.

        Raises:
            RuntimeError: The loop is closed.
        """
        self._loop.call_soon_threadsafe(self._start, stream)

    def stop(self) -> None:
        """Nobody wants the rest. On any thread; without effect at the end."""
        with contextlib.suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self._stop)

    def _start(self, stream: _Stream) -> None:
        if not self._over:
            self._task = self._loop.create_task(self._send(stream))

    def _stop(self) -> None:
        self._over = True
        if self._task is not None:
            self._task.cancel()

    async def _send(self, stream: _Stream) -> None:
        try:
            await self._send_pieces(stream)
        except AwsCrtError as error:
            # What ends the exchange while a piece waits to be sent is told there, not here.
            if error.name != "AWS_ERROR_HTTP_STREAM_HAS_COMPLETED":
                stream._fail(error)
        except Exception as error:  # noqa: BLE001 - it goes to whoever waits for the exchange
            stream._fail(error)
        except BaseException:
            # This task was cancelled (a loop that ends does it), or dropped with its loop.
            stream._fail(RuntimeError("the request's body was cancelled before its end"))
            raise
        finally:
            self._task = None

    async def _send_pieces(self, stream: _Stream) -> None:
        try:
            async for piece in self._generator:
                if memoryview(piece).nbytes:  # for HTTP/1.1 an empty chunk is the last one
                    await outcome(stream._write_data(BytesIO(piece), False))
        except GeneratorExit:
            raise
        except BaseException:
            await self._close_generator()
            raise
        await outcome(stream._write_data(None, True))

    async def _close_generator(self) -> None:
        """Lets it clean up now, on its loop, and not when it happens to be collected."""
        close = getattr(self._generator, "aclose", None)
        if close is not None:
            await close()
