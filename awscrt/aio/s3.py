"""Owns the face of S3 for asyncio: transfers that are awaited, and downloads that are read chunk by chunk.

They may be awaited on any event loop, on any thread, and on several at once; none is tied to the loop that it was made on.
To give up a wait (`asyncio.wait_for`, `Task.cancel`) leaves the transfer as it is; to leave its `async with` cancels it.
"""

from __future__ import annotations

import threading
import weakref

from .._s3_options import number
from ..s3 import S3Client, S3Request
from ._waiting import Gate, Pieces

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os
    from collections.abc import Callable
    from types import TracebackType
    from typing import Any, ClassVar, List, Optional, Tuple, Type, Union

    from ..auth import AwsCredentialsProvider, AwsSigningConfig
    from ..http import HttpRequest
    from ..s3 import S3ChecksumConfig, S3FileIoOptions, S3RequestType

    Head = Tuple[int, List[Tuple[str, str]]]

__all__ = ["AIOS3Client", "AIOS3Request"]

_DEFAULT_WINDOW = 64 * 1024 * 1024


class _GateEvent(threading.Event):
    """An event that coroutines can wait for too."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = Gate()

    def set(self) -> None:
        super().set()
        self.gate.open()


class AIOS3Client(S3Client):
    """Makes S3 requests that are awaited.

    With `async with` it is closed at the end of the block.

    Args:
        read_window: For how many bytes of each downloaded body there is room until they are read: more are not asked of
            S3. Greater than 0; 64 MiB by default. Few bytes limit how many parts are fetched at the same time.
        options: As `awscrt.s3.S3Client` takes them.

    Raises:
        TypeError: As `awscrt.s3.S3Client`.
        ValueError: As `awscrt.s3.S3Client`.
        RuntimeError: As `awscrt.s3.S3Client`.
    """

    __slots__ = ("_window",)

    shutdown_event: _GateEvent
    _event_type: ClassVar[Type[threading.Event]] = _GateEvent

    def __init__(self, *, read_window: int = _DEFAULT_WINDOW, **options: Any) -> None:
        self._window = number("read_window", read_window)
        if not self._window:
            raise ValueError("read_window must be greater than 0")
        super().__init__(**options)

    def _read_window(self) -> int:
        return self._window

    async def __aenter__(self) -> AIOS3Client:  # noqa: PYI034 - 3.8 has no Self
        return self

    async def __aexit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Take no more requests, and wait until those under way have ended and the client's threads too.

        May be called again.
        """
        self._release_binding()
        await self.shutdown_event.gate.passed()

    def make_request(  # type: ignore[override] # noqa: PLR0913 - the API's
        self,
        *,
        type: S3RequestType,
        request: HttpRequest,
        operation_name: Optional[str] = None,
        recv_filepath: Optional[Union[str, os.PathLike[str]]] = None,
        send_filepath: Optional[Union[str, os.PathLike[str]]] = None,
        signing_config: Optional[AwsSigningConfig] = None,
        credential_provider: Optional[AwsCredentialsProvider] = None,
        checksum_config: Optional[S3ChecksumConfig] = None,
        part_size: Optional[int] = None,
        multipart_upload_threshold: Optional[int] = None,
        fio_options: Optional[S3FileIoOptions] = None,
        max_active_connections_override: Optional[int] = None,
        on_progress: Optional[Callable[[int], None]] = None,
    ) -> AIOS3Request:
        """Start a transfer. The arguments are those of `awscrt.s3.S3Client.make_request()`.

        `on_progress` runs on native threads.

        Raises:
            TypeError: As there.
            ValueError: As there.
            RuntimeError: As there; or the client is closed.
        """
        try:
            return AIOS3Request(
                client=self,
                type=type,
                request=request,
                operation_name=operation_name,
                recv_filepath=recv_filepath,
                send_filepath=send_filepath,
                signing_config=signing_config,
                credential_provider=credential_provider,
                checksum_config=checksum_config,
                part_size=part_size,
                multipart_upload_threshold=multipart_upload_threshold,
                fio_options=fio_options,
                max_active_connections_override=max_active_connections_override,
                on_progress=on_progress,
                region=self._region,
            )
        except TypeError:
            # Asked only now, for it may be closed at any time.
            if self._binding is None:
                raise RuntimeError("the client is closed") from None
            raise


class _Incoming:
    """What has come of a transfer. Native threads fill it, coroutines on any loops wait for it."""

    __slots__ = ("body", "ended", "has_ended", "head", "headed", "request")

    def __init__(self, request: AIOS3Request) -> None:
        # The callbacks that a transfer holds do not hold the request that holds the transfer.
        self.request = weakref.ref(request)
        self.head: Optional[Head] = None
        self.headed = Gate()
        self.body = Pieces()
        self.has_ended = False
        self.ended = Gate()

    def on_headers(self, status_code: int, headers: List[Tuple[str, str]], **_: Any) -> None:
        self.head = (status_code, headers)
        self.headed.open()

    def on_body(self, chunk: bytes, **_: Any) -> None:
        if self.request() is not None:
            self.body.put(chunk)

    def on_done(self, **_: Any) -> None:
        self.has_ended = True
        self.release()
        self.headed.open()
        self.body.end()
        self.ended.open()

    def release(self) -> None:
        """Let the native side go once it has ended, so that the client can end while the request is still held."""
        request = self.request()
        if request is not None and self.has_ended:
            request._release_binding()


class AIOS3Request(S3Request):
    """A transfer that is under way: made by `AIOS3Client.make_request`.

    `async for chunk in request` gives the body of what is downloaded, as bytes, and fails where the transfer does. A
    download without `recv_filepath` waits for somebody to read it once the client's `read_window` is full.

    With `async with` it has ended at the end of the block: it is cancelled if it has not ended by itself.
    """

    __slots__ = ("_incoming",)

    def __init__(self, *, recv_filepath: Optional[Union[str, os.PathLike[str]]] = None, **options: Any) -> None:
        self._incoming = incoming = _Incoming(self)
        super().__init__(
            recv_filepath=recv_filepath,
            on_headers=incoming.on_headers,
            on_body=incoming.on_body if recv_filepath is None else None,
            on_done=incoming.on_done,
            **options,
        )
        incoming.release()  # it may have ended before it was all made

    async def get_response_status_code(self) -> int:
        """The status code of the answer, as soon as its head has come.

        Raises:
            Exception: The transfer ended before, as `wait_for_completion()` says.
        """
        return (await self._head())[0]

    async def get_response_headers(self) -> List[Tuple[str, str]]:
        """The headers of the answer, as soon as they have come. It raises as `get_response_status_code()` does."""
        return list((await self._head())[1])

    async def _head(self) -> Head:
        incoming = self._incoming
        await incoming.headed.passed()
        if incoming.head is None:
            self.finished_future.result()
        return incoming.head or (0, [])

    async def get_next_response_chunk(self) -> bytes:
        """The next part of the body of the answer; `b""` when there are no more.

        There are no more either where the transfer fails: `wait_for_completion()` tells. Those who wait at the same time
        are served in the order in which they came.
        """
        chunk = await self._incoming.body.take()
        if chunk:
            self._increment_read_window(len(chunk))
        return chunk

    async def wait_for_completion(self) -> None:
        """Wait until the transfer has ended.

        Raises:
            S3ResponseError: S3 refused it.
            AwsCrtError: It failed for another reason; `AWS_ERROR_S3_CANCELED` if it was cancelled.
            Exception: What the stream of the request's body, or `on_progress`, raised.
        """
        await self._incoming.ended.passed()
        self.finished_future.result()

    def cancel(self) -> None:
        """End the transfer soon, with the error `AWS_ERROR_S3_CANCELED`. Without effect once it has ended."""
        self._unless_ended(super().cancel)

    def _increment_read_window(self, size: int) -> None:
        self._unless_ended(super()._increment_read_window, size)

    def _unless_ended(self, action: Callable[..., object], *arguments: int) -> None:
        try:
            action(*arguments)
        except TypeError:
            if self._binding is not None:
                raise

    def __aiter__(self) -> AIOS3Request:
        return self

    async def __anext__(self) -> bytes:
        chunk = await self.get_next_response_chunk()
        if chunk:
            return chunk
        await self.wait_for_completion()
        raise StopAsyncIteration

    async def __aenter__(self) -> AIOS3Request:  # noqa: PYI034 - 3.8 has no Self
        return self

    async def __aexit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        self.cancel()
        await self._incoming.ended.passed()
