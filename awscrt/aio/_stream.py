"""Owns the streams of HTTP for asyncio: one request and its response."""

from __future__ import annotations

import asyncio

from .. import _awscrt
from ..http import HttpClientStreamBase, HttpVersion
from ._request_body import RequestBody
from ._waiting import Gate, Pieces

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, AsyncIterator, List, Optional, Tuple

    from ..http import HttpRequest
    from .http import AIOHttpClientConnection, AIOHttpClientConnectionUnified


def _check_no_body(connection: AIOHttpClientConnectionUnified, request: HttpRequest) -> None:
    # Over HTTP/2 the pieces of a generator follow what the request has of a body itself.
    if connection.version != HttpVersion.Http2 and getattr(request, "body_stream", None) is not None:
        raise ValueError("a request over HTTP/1.1 has a request_body_generator or a body_stream, not both")


class _Incoming:
    """A response on its way. Native threads fill it, coroutines on any loops wait for it.

    It knows nothing of its stream, so that the callbacks that the stream holds do not hold the stream.
    """

    __slots__ = ("body", "ended", "head", "headed")

    def __init__(self) -> None:
        self.head: Optional[Tuple[int, List[Tuple[str, str]]]] = None
        self.headed = Gate()
        self.body = Pieces()
        self.ended = Gate()

    def on_response(self, status_code: int, headers: List[Tuple[str, str]], **_: Any) -> None:
        self.head = (status_code, headers)
        self.headed.open()

    def on_body(self, chunk: bytes, **_: Any) -> None:
        self.body.put(chunk)

    def on_end(self) -> None:
        self.headed.open()
        self.body.end()
        self.ended.open()


class AIOHttpClientStreamUnified(HttpClientStreamBase):
    """A request and its response, on a connection of either version of HTTP; see `request()` of the connection.

    `async for chunk in stream` gives the body of the response, and fails where that is cut short.
    """

    __slots__ = ("_incoming", "_request_body")

    def __init__(
        self,
        connection: AIOHttpClientConnectionUnified,
        request: HttpRequest,
        request_body_generator: Optional[AsyncIterator[bytes]] = None,
        loop: Optional[asyncio.AbstractEventLoop] = None,
    ) -> None:
        if loop is not None and not isinstance(loop, asyncio.AbstractEventLoop):
            raise TypeError(f"loop must be asyncio.AbstractEventLoop, not {type(loop).__name__}")
        if request_body_generator is not None:
            _check_no_body(connection, request)
        self._incoming = incoming = _Incoming()
        self._request_body = None
        if request_body_generator is not None:
            self._request_body = RequestBody(request_body_generator, loop)
        self._begin(
            connection,
            request,
            incoming.on_response,
            incoming.on_body,
            None,
            manual_write=self._request_body is not None,
        )
        _awscrt.http_stream_watch_remote_end(self)
        _awscrt.http_stream_activate(self)
        if self._request_body is not None:
            self._start_body(self._request_body)

    def _start_body(self, body: RequestBody) -> None:
        try:
            body.start(self)
        except RuntimeError:
            self.cancel()
            raise

    async def get_response_status_code(self) -> int:
        """The status code of the response, as soon as its head has come.

        Raises:
            AwsCrtError: The exchange ended before.
            Exception: What the generator or the stream of the request's body raised.
        """
        return (await self._head())[0]

    async def get_response_headers(self) -> List[Tuple[str, str]]:
        """The headers of the response, as soon as they have come. It raises as `get_response_status_code()` does."""
        return list((await self._head())[1])

    async def _head(self) -> Tuple[int, List[Tuple[str, str]]]:
        incoming = self._incoming
        await incoming.headed.passed()
        return incoming.head or (self._completion_future.result(), [])

    async def get_next_response_chunk(self) -> bytes:
        """The next part of the response's body; `b""` when there are no more.

        There are no more either where the exchange fails: `wait_for_completion()` tells. Those who wait at the same time
        are served in the order in which they came.
        """
        return await self._incoming.body.take()

    async def wait_for_completion(self) -> int:
        """Wait until the exchange has ended, both request and response.

        Returns:
            The status code of the response.

        Raises:
            AwsCrtError: It failed.
            Exception: What the generator or the stream of the request's body raised.
        """
        await self._incoming.ended.passed()
        status: int = self._completion_future.result()
        return status

    def __aiter__(self) -> AIOHttpClientStreamUnified:
        return self

    async def __anext__(self) -> bytes:
        chunk = await self.get_next_response_chunk()
        if chunk:
            return chunk
        if self._completion_future.done():
            self._completion_future.result()
        raise StopAsyncIteration

    def _fail(self, error: BaseException) -> None:
        """End the exchange for this reason, if it has not ended yet."""
        if not self._completion_future.done():
            self._exception = error
            self.cancel()

    def _on_remote_end_stream(self) -> None:
        self._incoming.body.end()

    def _on_complete(self, status_code: int, error: Optional[BaseException]) -> None:
        super()._on_complete(status_code, error)
        self._incoming.on_end()
        if self._request_body is not None:
            self._request_body.stop()


class AIOHttpClientStream(AIOHttpClientStreamUnified):
    """A request and its response over HTTP/1.1; see `AIOHttpClientConnection.request()`."""

    __slots__ = ()

    def __init__(
        self,
        connection: AIOHttpClientConnection,
        request: HttpRequest,
        loop: Optional[asyncio.AbstractEventLoop] = None,
    ) -> None:
        super().__init__(connection, request, None, loop)

    @classmethod
    def _with_body(
        cls,
        connection: AIOHttpClientConnection,
        request: HttpRequest,
        request_body_generator: Optional[AsyncIterator[bytes]],
        loop: Optional[asyncio.AbstractEventLoop],
    ) -> AIOHttpClientStream:
        """What the constructor would do if the API gave it the generator too."""
        stream = cls.__new__(cls)
        AIOHttpClientStreamUnified.__init__(stream, connection, request, request_body_generator, loop)
        return stream


class AIOHttp2ClientStream(AIOHttpClientStreamUnified):
    """A request and its response over HTTP/2; see `AIOHttp2ClientConnection.request()`."""

    __slots__ = ()


# They are part of `awscrt.aio.http`, which is where a pickle, a traceback or a reader looks for them.
for _class in (AIOHttpClientStreamUnified, AIOHttpClientStream, AIOHttp2ClientStream):
    _class.__module__ = "awscrt.aio.http"
