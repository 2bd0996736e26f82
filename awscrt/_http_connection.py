"""Owns the HTTP/1.1 connections of a client."""

from __future__ import annotations

from . import _awscrt
from ._http2_connection import Http2ClientConnection
from ._http_base import HttpVersion
from ._http_connect import HttpClientConnectionBase, HttpMonitoringOptions, connect
from ._http_stream import HttpClientStream

TYPE_CHECKING = False
if TYPE_CHECKING:
    import concurrent.futures
    from collections.abc import Callable
    from typing import Optional

    from ._event_loop import ClientBootstrap
    from ._http_message import HttpRequest
    from ._http_proxy import HttpProxyOptions
    from ._tls import TlsConnectionOptions
    from .io import SocketOptions


class HttpClientConnection(HttpClientConnectionBase):
    """A connection of a client that speaks HTTP/1.1: one exchange after the other.

    Make one with `new()`. At the end of a `with` block it is closed, without waiting for that.
    """

    __slots__ = ()

    @classmethod
    def new(  # noqa: PLR0913, PLR0917 - the API's
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
    ) -> concurrent.futures.Future[HttpClientConnection]:
        """Connect to a server.

        Args:
            host_name: Its name or address; of a local socket, its path.
            port: Its port.
            bootstrap: What to connect with; None for the one that is shared.
            socket_options: How the socket behaves, and how long connecting may take; None for `SocketOptions()`.
            tls_connection_options: TLS; None for none.
            proxy_options: A proxy; None for none. The environment is not asked.
            manual_window_management: Whether each stream receives no more of a body than its window allows, which only
                its `update_window()` opens further. Otherwise all is received as it comes.
            initial_window_size: Bytes of a new stream's window; wanted with `manual_window_management`, else ignored.
            read_buffer_capacity: Bytes that are received and held back while a window is closed; None for what the C
                library thinks best. Ignored without `manual_window_management`.
            monitoring_options: When to give up a connection over which too little goes; None for never.
            response_first_byte_timeout_ms: Milliseconds from the end of a request to the begin of its response, 0 for
                any number. After that the stream fails with AWS_ERROR_HTTP_RESPONSE_FIRST_BYTE_TIMEOUT, and the
                connection is closed. Without effect on HTTP/2; `monitoring_options` serve both.

        Returns:
            A future that completes on a native thread with the connection, or with why there is none. It is an
            `Http2ClientConnection` if TLS offers that version (ALPN "h2") and the server takes it.

        Raises:
            TypeError: An argument is of another type.
            ValueError: An argument is out of its range, or `host_name` contains CR, LF or NUL.
        """
        return connect(
            {HttpVersion.Http1_1: cls, HttpVersion.Http2: Http2ClientConnection},
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

    def close(self) -> concurrent.futures.Future[None]:
        """Begin to close the connection; streams that are under way fail. Closing again does nothing.

        Returns:
            `shutdown_future`.
        """
        _awscrt.http_connection_close(self)
        return self._shutdown_future

    def request(
        self,
        request: HttpRequest,
        on_response: Optional[Callable[..., None]] = None,
        on_body: Optional[Callable[..., None]] = None,
        *,
        on_trailers: Optional[Callable[..., None]] = None,
        response_first_byte_timeout_ms: int = 0,
    ) -> HttpClientStream:
        """Make an exchange. It begins with `activate()`.

        The callbacks run on a native thread, which does all the work of the connection. They are called by keyword; take
        `**kwargs` too, for what later releases add. If one raises, the exchange ends, and its `completion_future` gets
        the exception; the connection is closed, for HTTP/1.1 has no other way to end an exchange.

        Args:
            request: What to send. Its method, path and headers are read now; its body, when it is sent.
            on_response: Called as `on_response(http_stream=, status_code=, headers=)` when the head of the response has
                come: an int, and a list of (name, value). Interim responses (1xx) are passed over.
            on_body: Called as `on_body(http_stream=, chunk=)` when a part of the body has come: bytes. A body whose length
                only the end of the connection tells (RFC 9112, 6.3) is not received: the C library takes it for none.
            on_trailers: Called as `on_trailers(http_stream=, headers=)` when headers have come behind the body
                (RFC 9110, 6.5), just before the exchange ends.
            response_first_byte_timeout_ms: As `new()` has it, and in place of that one unless it is 0.

        Raises:
            TypeError: An argument is of another type.
            RuntimeError: (an `AwsCrtError`) The connection is closed, or the request cannot be sent as it is.
        """
        return HttpClientStream(
            self,
            request,
            on_response,
            on_body,
            on_trailers=on_trailers,
            response_first_byte_timeout_ms=response_first_byte_timeout_ms,
        )


# It is part of `awscrt.http`, which is where a pickle, a traceback or a reader looks for it.
HttpClientConnection.__module__ = "awscrt.http"
