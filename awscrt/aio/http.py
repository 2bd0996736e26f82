"""Owns the face of HTTP for asyncio: connections and streams whose operations are awaited.

They may be awaited on any event loop, on any thread, and on several at once; none is tied to the loop that it was made on.
To give up a wait (`asyncio.wait_for`, `Task.cancel`) leaves the connection or stream as it is.
"""

from __future__ import annotations

from .. import _awscrt
from .._http_base import check_range
from .._http_connect import MAX_WINDOW, connect
from .._http_settings import to_pairs
from ..exceptions import AwsCrtError
from ..http import HttpClientConnectionBase, HttpVersion
from ._stream import AIOHttp2ClientStream, AIOHttpClientStream, AIOHttpClientStreamUnified
from ._waiting import outcome

TYPE_CHECKING = False
if TYPE_CHECKING:
    import asyncio
    import concurrent.futures
    from types import TracebackType
    from typing import Any, AsyncIterator, Callable, List, Optional, Type, TypeVar

    from ..http import Http2Setting, HttpMonitoringOptions, HttpProxyOptions, HttpRequest
    from ..io import ClientBootstrap, SocketOptions, TlsConnectionOptions

    _Connection = TypeVar("_Connection", bound="AIOHttpClientConnectionUnified")

__all__ = [
    "AIOHttp2ClientConnection",
    "AIOHttp2ClientStream",
    "AIOHttpClientConnection",
    "AIOHttpClientConnectionUnified",
    "AIOHttpClientStream",
    "AIOHttpClientStreamUnified",
]


class AIOHttpClientConnectionUnified(HttpClientConnectionBase):
    """A connection to a server, which speaks the version of HTTP that the two agree on: HTTP/2 if ALPN gives that, else
    HTTP/1.1.

    Make one by awaiting `new()`. With `async with` it is closed at the end of the block.
    """

    __slots__ = ()

    @classmethod
    async def new(
        cls: Type[_Connection],
        host_name: str,
        port: int,
        bootstrap: Optional[ClientBootstrap] = None,
        socket_options: Optional[SocketOptions] = None,
        tls_connection_options: Optional[TlsConnectionOptions] = None,
        proxy_options: Optional[HttpProxyOptions] = None,
        manual_window_management: bool = False,
        initial_window_size: Optional[int] = None,
    ) -> _Connection:
        """Connect to a server. The arguments are those of `awscrt.http.HttpClientConnection.new()`.

        Giving up the wait closes what comes of the attempt.

        Raises:
            AwsCrtError: There is no connection, for this reason.
            TypeError: An argument is of another type.
            ValueError: An argument is out of its range, or `host_name` contains CR, LF or NUL.
        """
        future = connect(
            {HttpVersion.Http1_1: cls, HttpVersion.Http2: cls},
            host_name,
            port,
            bootstrap,
            socket_options,
            tls_connection_options,
            proxy_options,
            manual_window_management=manual_window_management,
            initial_window_size=initial_window_size,
        )
        connection: _Connection = await _connected(future)
        return connection

    async def __aenter__(self: _Connection) -> _Connection:  # noqa: PYI019 - 3.8 has no Self
        return self

    async def __aexit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        try:
            await self.close()
        except AwsCrtError:
            # It tells why the connection had ended before, which its streams have told already.
            return

    async def close(self) -> None:
        """Close the connection, and wait until it has shut down. Streams under way fail. May be called again.

        Raises:
            AwsCrtError: It had ended already, by itself: this is why.
        """
        _awscrt.http_connection_close(self)
        await outcome(self._shutdown_future)

    def request(
        self,
        request: HttpRequest,
        request_body_generator: Optional[AsyncIterator[bytes]] = None,
        loop: Optional[asyncio.AbstractEventLoop] = None,
    ) -> AIOHttpClientStreamUnified:
        """Begin to send a request.

        Args:
            request: The request.
            request_body_generator: Gives its body piece by piece, in place of a `body_stream`; the next piece is asked for
                when the last one has been sent. Over HTTP/1.1 the body is chunked (RFC 9112, 7.1) unless the request
                has a Content-Length. An exception that the generator raises ends the exchange, and reaches whoever
                awaits it. If the exchange ends before the body does, the generator is cancelled.
            loop: Where the generator runs; the current event loop by default.

        Raises:
            TypeError: An argument is of another type.
            ValueError: The request has a `body_stream` and a generator.
            RuntimeError: (an `AwsCrtError`) The connection is closed, or the request cannot be sent as it is.
            RuntimeError: There is a generator, and no loop for it.
        """
        return AIOHttpClientStreamUnified(self, request, request_body_generator, loop)


class AIOHttpClientConnection(AIOHttpClientConnectionUnified):
    """A connection that speaks HTTP/1.1: one exchange after the other."""

    __slots__ = ()

    @classmethod
    async def new(  # noqa: PLR0913, PLR0917 - the API's
        cls,
        host_name: str,
        port: int,
        bootstrap: Optional[ClientBootstrap] = None,
        socket_options: Optional[SocketOptions] = None,
        tls_connection_options: Optional[TlsConnectionOptions] = None,
        proxy_options: Optional[HttpProxyOptions] = None,
        manual_window_management: bool = False,
        initial_window_size: Optional[int] = None,
        read_buffer_capacity: Optional[int] = None,
        *,
        monitoring_options: Optional[HttpMonitoringOptions] = None,
        response_first_byte_timeout_ms: int = 0,
    ) -> AIOHttpClientConnection:
        """Connect to a server. The arguments are those of `awscrt.http.HttpClientConnection.new()`.

        Giving up the wait closes what comes of the attempt. The connection is an `AIOHttp2ClientConnection` if TLS offers
        that version (ALPN "h2") and the server takes it.

        Raises:
            AwsCrtError: There is no connection, for this reason.
            TypeError: An argument is of another type.
            ValueError: An argument is out of its range, or `host_name` contains CR, LF or NUL.
        """
        future = connect(
            {HttpVersion.Http1_1: cls, HttpVersion.Http2: AIOHttp2ClientConnection},
            host_name,
            port,
            bootstrap,
            socket_options,
            tls_connection_options,
            proxy_options,
            monitoring_options,
            manual_window_management=manual_window_management,
            initial_window_size=initial_window_size,
            read_buffer_capacity=read_buffer_capacity,
            response_first_byte_timeout_ms=response_first_byte_timeout_ms,
        )
        connection: AIOHttpClientConnection = await _connected(future)
        return connection

    def request(
        self,
        request: HttpRequest,
        request_body_generator: Optional[AsyncIterator[bytes]] = None,
        loop: Optional[asyncio.AbstractEventLoop] = None,
    ) -> AIOHttpClientStream:
        """Begin to send a request; see `AIOHttpClientConnectionUnified.request()`."""
        return AIOHttpClientStream._with_body(self, request, request_body_generator, loop)


class AIOHttp2ClientConnection(AIOHttpClientConnectionUnified):
    """A connection that speaks HTTP/2: many exchanges at a time."""

    __slots__ = ()

    @classmethod
    async def new(  # type: ignore[override] # noqa: PLR0913, PLR0917 - the API's
        cls,
        host_name: str,
        port: int,
        bootstrap: Optional[ClientBootstrap] = None,
        socket_options: Optional[SocketOptions] = None,
        tls_connection_options: Optional[TlsConnectionOptions] = None,
        proxy_options: Optional[HttpProxyOptions] = None,
        initial_settings: Optional[List[Http2Setting]] = None,
        on_remote_settings_changed: Optional[Callable[[List[Http2Setting]], None]] = None,
        manual_window_management: bool = False,
        initial_window_size: Optional[int] = None,
        conn_manual_window_management: bool = False,
        conn_window_size_threshold: Optional[int] = None,
        stream_window_size_threshold: Optional[int] = None,
        *,
        monitoring_options: Optional[HttpMonitoringOptions] = None,
        prior_knowledge: bool = False,
    ) -> AIOHttp2ClientConnection:
        """Connect to a server. The arguments are those of `awscrt.http.Http2ClientConnection.new()`.

        Giving up the wait closes what comes of the attempt.

        Raises:
            AwsCrtError: There is no connection, for this reason.
            TypeError: An argument is of another type.
            ValueError: An argument is out of its range, or `host_name` contains CR, LF or NUL.
        """
        future = connect(
            {HttpVersion.Http2: cls},
            host_name,
            port,
            bootstrap,
            socket_options,
            tls_connection_options,
            proxy_options,
            monitoring_options,
            initial_settings=to_pairs("initial_settings", initial_settings),
            on_remote_settings_changed=on_remote_settings_changed,
            manual_window_management=manual_window_management,
            initial_window_size=initial_window_size,
            conn_manual_window_management=conn_manual_window_management,
            conn_window_size_threshold=conn_window_size_threshold,
            stream_window_size_threshold=stream_window_size_threshold,
            prior_knowledge=prior_knowledge,
        )
        connection: AIOHttp2ClientConnection = await _connected(future)
        return connection

    def request(
        self,
        request: HttpRequest,
        request_body_generator: Optional[AsyncIterator[bytes]] = None,
        loop: Optional[asyncio.AbstractEventLoop] = None,
    ) -> AIOHttp2ClientStream:
        """Begin to send a request; see `AIOHttpClientConnectionUnified.request()`."""
        return AIOHttp2ClientStream(self, request, request_body_generator, loop)

    def update_window(self, increment_size: int) -> None:
        """Let the server send so many more bytes, on all streams together.

        Without effect unless the connection was made with `conn_manual_window_management`.

        Args:
            increment_size: Number of bytes, from 0 to 2**31 - 1 (RFC 9113, 6.9).

        Raises:
            ValueError: It is out of that range.
        """
        _awscrt.http2_connection_update_window(self, check_range("increment_size", increment_size, MAX_WINDOW))


async def _connected(future: concurrent.futures.Future[Any]) -> Any:
    # One that is cancelled takes no connection, and a connection that nobody takes closes.
    return await outcome(future, future.cancel)
