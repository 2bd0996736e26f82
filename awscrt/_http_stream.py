"""Owns the HTTP streams of a client: one request and its response."""

from __future__ import annotations

import sys
import threading

from . import _awscrt
from ._futures import new_future, set_exception, set_result
from ._http_base import HttpStreamBase, HttpVersion, check_range
from ._http_message import HttpRequest
from ._input_stream import InputStream

TYPE_CHECKING = False
if TYPE_CHECKING:
    import concurrent.futures
    from collections.abc import Callable
    from typing import Any, Optional, Union

    from ._http_base import HttpConnectionBase
    from ._http_connection import HttpClientConnection


class HttpClientStreamBase(HttpStreamBase):
    """What the streams of a client have in common."""

    __slots__ = ("_on_response", "_on_trailers", "_request")

    def _begin(
        self,
        connection: HttpConnectionBase,
        request: HttpRequest,
        on_response: Optional[Callable[..., None]],
        on_body: Optional[Callable[..., None]],
        on_trailers: Optional[Callable[..., None]],
        *,
        manual_write: bool = False,
        response_first_byte_timeout_ms: int = 0,
    ) -> None:
        """What constructors do."""
        HttpStreamBase.__init__(self, connection, on_body)
        if not isinstance(request, HttpRequest):
            raise TypeError(f"request must be HttpRequest, not {type(request).__name__}")
        _check_callback("on_response", on_response)
        _check_callback("on_body", on_body)
        _check_callback("on_trailers", on_trailers)
        self._on_response: Optional[Callable[..., None]] = on_response
        self._on_trailers: Optional[Callable[..., None]] = on_trailers
        # Until completion: its body may fail, and has the exception then.
        self._request: Optional[HttpRequest] = request
        self._binding = _awscrt.http_stream_new(
            self,
            connection,
            request,
            on_response is not None,
            on_body is not None,
            on_trailers is not None,
            manual_write,
            check_range("response_first_byte_timeout_ms", response_first_byte_timeout_ms, 2**32 - 1),
        )

    @property
    def version(self) -> HttpVersion:
        """The version of HTTP that its connection speaks."""
        return self._connection.version

    @property
    def response_status_code(self) -> Optional[int]:
        """The status code of the response; None until its head has come."""
        return _awscrt.http_stream_get_status(self)

    def update_window(self, increment_size: int) -> None:
        """Let the server send so many more bytes of the body.

        Without effect unless the connection was made with `manual_window_management`. On HTTP/2, whether the server is
        told at once depends on `stream_window_size_threshold`.

        Args:
            increment_size: Number of bytes, 0 or more.

        Raises:
            ValueError: It is negative, or greater than any body.
        """
        _awscrt.http_stream_update_window(self, check_range("increment_size", increment_size, sys.maxsize))

    def cancel(self) -> None:
        """End the exchange; the completion future fails with AWS_ERROR_HTTP_STREAM_CANCELLED.

        On HTTP/2 the stream is reset (RFC 9113, 6.4); HTTP/1.1 has nothing but to close the connection. Without effect
        before activation and after completion.
        """
        _awscrt.http_stream_cancel(self)

    def _write_data(self, data_stream: Optional[Union[InputStream, Any]], end_stream: bool) -> Any:
        data = InputStream.wrap(data_stream, allow_none=True)
        future = new_future()

        def on_complete(error: Optional[BaseException]) -> None:
            if error is None:
                set_result(future, None)
                return
            raised = _take_exception(data)
            if raised is not None:
                error = self._exception = raised
            set_exception(future, error)

        _awscrt.http_stream_write_data(self, data, end_stream, on_complete)
        return future

    def _on_complete(self, status_code: int, error: Optional[BaseException]) -> None:
        """Called on the native thread, last of all."""
        # What the callbacks belong to often holds the stream: no circle is left for the cycle collector.
        self._on_response = self._on_body = self._on_trailers = None
        request, self._request = self._request, None
        raised, self._exception = self._exception, None
        if error is None:
            set_result(self._completion_future, status_code)
            return
        if raised is None and request is not None:
            raised = _take_exception(request.body_stream)
        set_exception(self._completion_future, error if raised is None else raised)


class HttpClientStream(HttpClientStreamBase):
    """An exchange on an HTTP/1.1 connection; see `HttpClientConnection.request()`, which makes it.

    Raises:
        TypeError: An argument is of another type.
        RuntimeError: (an `AwsCrtError`) The connection is closed, or the request cannot be sent as it is.
    """

    __slots__ = ()

    def __init__(
        self,
        connection: HttpClientConnection,
        request: HttpRequest,
        on_response: Optional[Callable[..., None]] = None,
        on_body: Optional[Callable[..., None]] = None,
        *,
        on_trailers: Optional[Callable[..., None]] = None,
        response_first_byte_timeout_ms: int = 0,
    ) -> None:
        self._begin(
            connection,
            request,
            on_response,
            on_body,
            on_trailers,
            response_first_byte_timeout_ms=response_first_byte_timeout_ms,
        )

    def activate(self) -> None:
        """Begin to send the request. From then on the stream lives until it is complete. Once is enough.

        Raises:
            RuntimeError: (an `AwsCrtError`) The connection is closed.
        """
        _awscrt.http_stream_activate(self)


class Http2ClientStream(HttpClientStreamBase):
    """An exchange on an HTTP/2 connection; see `Http2ClientConnection.request()`, which makes it.

    Raises:
        TypeError: An argument is of another type.
        RuntimeError: (an `AwsCrtError`) The connection is closed, or the request cannot be sent as it is.
    """

    __slots__ = ("_remote_end_stream_future",)

    _remote_end_lock = threading.Lock()
    """Guards the making of the futures: they are seldom asked for, so one lock serves all streams."""

    def __init__(
        self,
        connection: HttpClientConnection,
        request: HttpRequest,
        on_response: Optional[Callable[..., None]] = None,
        on_body: Optional[Callable[..., None]] = None,
        manual_write: bool = False,
        *,
        on_trailers: Optional[Callable[..., None]] = None,
    ) -> None:
        self._remote_end_stream_future: Optional[concurrent.futures.Future[None]] = None
        self._begin(connection, request, on_response, on_body, on_trailers, manual_write=manual_write)

    def activate(self) -> None:
        """Begin to send the request. From then on the stream lives until it is complete. Once is enough.

        Raises:
            RuntimeError: (an `AwsCrtError`) The connection is closed.
        """
        _awscrt.http_stream_activate(self)

    def write_data(
        self, data_stream: Union[InputStream, Any], end_stream: bool = False
    ) -> concurrent.futures.Future[None]:
        """Send a part of the body, of a request that was made with `manual_write`.

        Parts are sent one after the other, in the order of the calls.

        Args:
            data_stream: Where the part is read from, on a native thread: a binary stream, see
                `awscrt.io.InputStream`. None for an empty part.
            end_stream: Whether it is the last part. Without a last part the request does not end.

        Returns:
            A future that completes on a native thread when the part has been sent, with None, or with why not: the
            exception of `data_stream` if that raised one.

        Raises:
            TypeError: `data_stream` is not a binary stream.
            RuntimeError: (an `AwsCrtError`) The stream was not made with `manual_write`, is not activated yet, has had
                its last part, or is complete.
        """
        future: concurrent.futures.Future[None] = self._write_data(data_stream, end_stream)
        return future

    @property
    def remote_end_stream_future(self) -> concurrent.futures.Future[None]:
        """Completes on a native thread, with None, when the server has ended its side; this side may go on sending.

        It fails with a RuntimeError if the exchange ends in another way.
        """
        with self._remote_end_lock:
            if self._remote_end_stream_future is not None:
                return self._remote_end_stream_future
            future = self._remote_end_stream_future = new_future()
        if _awscrt.http_stream_watch_remote_end(self):
            set_result(future, None)
        elif self._request is None:  # it is complete
            set_exception(future, _no_remote_end())
        return future

    def _on_remote_end_stream(self) -> None:
        if self._remote_end_stream_future is not None:
            set_result(self._remote_end_stream_future, None)

    def _on_complete(self, status_code: int, error: Optional[BaseException]) -> None:
        super()._on_complete(status_code, error)
        if self._remote_end_stream_future is not None:
            set_exception(self._remote_end_stream_future, _no_remote_end())


def _no_remote_end() -> RuntimeError:
    return RuntimeError("the stream is complete, and the server had not ended its side")


def _check_callback(name: str, callback: object) -> None:
    if callback is not None and not callable(callback):
        raise TypeError(f"{name} must be callable, not {type(callback).__name__}")


def _take_exception(stream: Optional[InputStream]) -> Optional[BaseException]:
    """What broke the reading of a stream, if anything did."""
    if stream is None:
        return None
    exception, stream._exception = stream._exception, None
    return exception


# They are part of `awscrt.http`, which is where a pickle, a traceback or a reader looks for them.
for _class in (HttpClientStreamBase, HttpClientStream, Http2ClientStream):
    _class.__module__ = "awscrt.http"
