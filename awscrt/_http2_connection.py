"""Owns the HTTP/2 connections of a client."""

from __future__ import annotations

from . import _awscrt
from ._futures import new_future
from ._http_base import HttpVersion, check_range
from ._http_connect import MAX_WINDOW, HttpClientConnectionBase, HttpMonitoringOptions, connect, settle
from ._http_settings import Http2Setting, to_pairs
from ._http_stream import Http2ClientStream

TYPE_CHECKING = False
if TYPE_CHECKING:
    import concurrent.futures
    from collections.abc import Callable, Iterable
    from typing import Any, List, Optional

    from ._event_loop import ClientBootstrap
    from ._http_message import HttpRequest
    from ._http_proxy import HttpProxyOptions
    from ._tls import TlsConnectionOptions
    from .io import SocketOptions

_PING_SIZE = 8
"""RFC 9113, 6.7"""

_MAX_DEBUG_DATA = 16 * 1024
"""Limit of aws-c-http"""


class Http2ClientConnection(HttpClientConnectionBase):
    """A connection of a client that speaks HTTP/2: many exchanges at a time.

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
    ) -> concurrent.futures.Future[Http2ClientConnection]:
        """Connect to a server.

        Args:
            host_name: Its name or address.
            port: Its port.
            bootstrap: What to connect with; None for the one that is shared.
            socket_options: How the socket behaves, and how long connecting may take; None for `SocketOptions()`.
            tls_connection_options: TLS that offers this version (ALPN "h2").
            proxy_options: A proxy; None for none. The environment is not asked.
            initial_settings: What to tell the server at the start, 64 at most.
            on_remote_settings_changed: Called with a list of `Http2Setting` when the server has told its settings, on the
                native thread of the connection.
            manual_window_management: Whether each stream receives no more of a body than its window allows, which only
                its `update_window()` opens further. Otherwise all is received as it comes.
            initial_window_size: Bytes of a new stream's window, below 2**31; wanted with `manual_window_management`,
                else ignored. A setting `INITIAL_WINDOW_SIZE` goes before it.
            conn_manual_window_management: The same for the bodies of all streams together. That window has 65535 bytes
                at first (RFC 9113, 6.9.2), and `update_window()` opens it further.
            conn_window_size_threshold: Bytes below which the connection's window must fall before the server is told
                that it is opened further; None for 32767.
            stream_window_size_threshold: The same for a stream's window; None for half of `initial_window_size`.
            monitoring_options: When to give up a connection over which too little goes; None for never.
            prior_knowledge: Whether to speak HTTP/2 without TLS, because the server is known to (RFC 9113, 3.3).

        Returns:
            A future that completes on a native thread with the connection, or with why there is none: an `AwsCrtError`
            AWS_ERROR_HTTP_UNSUPPORTED_PROTOCOL if the server did not agree on HTTP/2.

        Raises:
            TypeError: An argument is of another type.
            ValueError: An argument is out of its range, or `host_name` contains CR, LF or NUL.
        """
        if manual_window_management:
            check_range("initial_window_size", initial_window_size, MAX_WINDOW)
        return connect(
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
        manual_write: bool = False,
        *,
        on_trailers: Optional[Callable[..., None]] = None,
    ) -> Http2ClientStream:
        """Make an exchange. It begins with `activate()`.

        The callbacks run on a native thread, which does all the work of the connection. They are called by keyword; take
        `**kwargs` too, for what later releases add. If one raises, the stream is reset, and its `completion_future`
        gets the exception; the connection and its other streams go on.

        Args:
            request: What to send, in the words of HTTP/1.1: its `Host` becomes `:authority`, and headers that concern a
                single connection are left out (RFC 9113, 8.2.2). Its method, path and headers are read now; its body,
                when it is sent.
            on_response: Called as `on_response(http_stream=, status_code=, headers=)` when the head of the response has
                come: an int, and a list of (name, value), `:status` among them. Interim responses (1xx) are passed over.
            on_body: Called as `on_body(http_stream=, chunk=)` when a part of the body has come: bytes.
            manual_write: Whether `Http2ClientStream.write_data()` gives the body, after what the request has of it.
            on_trailers: Called as `on_trailers(http_stream=, headers=)` when headers have come behind the body
                (RFC 9110, 6.5).

        Raises:
            TypeError: An argument is of another type.
            RuntimeError: (an `AwsCrtError`) The connection is closed, or the request cannot be sent as it is.
        """
        # The API's annotation knows of the other kind of connection only.
        connection: Any = self
        return Http2ClientStream(connection, request, on_response, on_body, manual_write, on_trailers=on_trailers)

    def update_window(self, increment_size: int) -> None:
        """Let the server send so many more bytes, on all streams together.

        Without effect unless the connection was made with `conn_manual_window_management`.

        Args:
            increment_size: Number of bytes, from 0 to 2**31 - 1 (RFC 9113, 6.9).

        Raises:
            ValueError: It is out of that range.
        """
        _awscrt.http2_connection_update_window(self, check_range("increment_size", increment_size, MAX_WINDOW))

    def change_settings(self, settings: Iterable[Http2Setting]) -> concurrent.futures.Future[None]:
        """Tell the server settings (RFC 9113, 6.5).

        Returns:
            A future that completes on a native thread, with None, when the server has taken note of them, or with why it
            did not.

        Raises:
            TypeError: `settings` holds something else.
            RuntimeError: (an `AwsCrtError`) The connection is closed.
        """
        future: concurrent.futures.Future[None] = new_future()

        def on_complete(error: Optional[BaseException]) -> None:
            settle(future, None, error)

        _awscrt.http2_connection_change_settings(self, to_pairs("settings", settings), on_complete)
        return future

    def ping(self, data: bytes = bytes(_PING_SIZE)) -> concurrent.futures.Future[int]:
        """Ask the server for a sign of life (RFC 9113, 6.7).

        Args:
            data: 8 bytes, which the server sends back.

        Returns:
            A future that completes on a native thread with the nanoseconds from question to answer, or with why there
            was none.

        Raises:
            ValueError: `data` is not 8 bytes.
            RuntimeError: (an `AwsCrtError`) The connection is closed.
        """
        if len(data) != _PING_SIZE:
            raise ValueError(f"data must be {_PING_SIZE} bytes, not {len(data)}")
        future: concurrent.futures.Future[int] = new_future()

        def on_complete(round_trip_ns: int, error: Optional[BaseException]) -> None:
            settle(future, round_trip_ns, error)

        _awscrt.http2_connection_ping(self, data, on_complete)
        return future

    def send_goaway(self, http2_error: int = 0, *, allow_more_streams: bool = False, debug_data: bytes = b"") -> None:
        """Tell the server that the connection comes to its end (RFC 9113, 6.8); closing it does so by itself.

        Args:
            http2_error: Why, by RFC 9113, 7; 0 for no error.
            allow_more_streams: Whether streams that the server begins are still served.
            debug_data: More about why, up to 16 KiB.

        Raises:
            ValueError: `http2_error` has more than 32 bits, or `debug_data` is too long.
        """
        if len(debug_data) > _MAX_DEBUG_DATA:
            raise ValueError(f"debug_data must be {_MAX_DEBUG_DATA} bytes or less, not {len(debug_data)}")
        error = check_range("http2_error", http2_error, 2**32 - 1)
        _awscrt.http2_connection_send_goaway(self, error, allow_more_streams, debug_data)


# It is part of `awscrt.http`, which is where a pickle, a traceback or a reader looks for it.
Http2ClientConnection.__module__ = "awscrt.http"
