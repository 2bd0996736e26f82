"""Owns connections of event-stream RPC clients."""

from __future__ import annotations

from abc import ABC, abstractmethod

from . import NativeResource, _awscrt
from ._event_loop import ClientBootstrap, _check_range, _check_type
from ._eventstream_continuation import ClientContinuation
from ._eventstream_message import (
    MAX_U32,
    MessageType,
    check_handler,
    headers_from_wire,
    message_to_wire,
    new_running_future,
    prepare_flush,
    settle,
)
from ._futures import new_future, set_exception, set_result
from ._tls import TlsConnectionOptions
from .exceptions import CALLBACK_EXCEPTION, AwsCrtError, from_code
from .io import SocketOptions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future
    from typing import Any, Optional, Union

    from typing_extensions import Self

    from ._eventstream_continuation import ClientContinuationHandler
    from ._eventstream_message import WireHeader
    from .eventstream import Header


class ClientConnectionHandler(ABC):
    """Is told what happens on a connection, on the connection's native thread: to be inherited from.

    An exception that is raised here closes the connection, and ends its `shutdown_future` as itself. That of
    `on_connection_setup()` is the `__cause__` of an `AwsCrtError` named `AWS_ERROR_CRT_CALLBACK_EXCEPTION`, for which
    code written for earlier releases looks.
    """

    @abstractmethod
    def on_connection_setup(
        self, connection: Optional[ClientConnection], error: Optional[Exception], **kwargs: Any
    ) -> None:
        """Called once: the attempt to connect has ended. No other function is called before, or after a failure.

        Args:
            connection: The connection, or None after a failure. It stays open until it is closed, whether anybody
                refers to it or not, so keep it, and call `ClientConnection.close()`.
            error: Why there is none, or None.
            **kwargs: For what later versions may add.
        """

    @abstractmethod
    def on_connection_shutdown(self, reason: Optional[Exception], **kwargs: Any) -> None:
        """Called once, if the connection was set up: it has ended, and no other function is called any more.

        Args:
            reason: Why, or None if `ClientConnection.close()` was called.
            **kwargs: For what later versions may add.
        """

    @abstractmethod
    def on_protocol_message(
        self, headers: Sequence[Header], payload: bytes, message_type: MessageType, flags: int, **kwargs: Any
    ) -> None:
        """Called when a message came in that belongs to no stream.

        Args:
            headers: Its headers, in order; among them `:message-type`, `:message-flags` and `:stream-id`.
            payload: Its payload, `b""` if it has none.
            message_type: Its type.
            flags: Its flags, bits of `MessageFlag`.
            **kwargs: For what later versions may add.
        """


class ClientConnection(NativeResource):
    """A connection to a server. `connect()` makes one.

    It stays open until `close()` is called, the server closes it, or something breaks, whether anybody refers to it
    or not. As the context of a `with`, it is closed at the end.

    Attributes:
        host_name (str): As it was given to `connect()`.
        port (int): As it was given to `connect()`.
        shutdown_future (concurrent.futures.Future[None]): Done when the connection has ended, after
            `ClientConnectionHandler.on_connection_shutdown()`: with the result None if `close()` was called, with an
            exception if it ended otherwise, and with the handler's own exception if this raised one (see
            `ClientConnectionHandler`). It cannot be cancelled.
    """

    __slots__ = ("_connected", "_exception", "_handler", "host_name", "port", "shutdown_future")

    def __init__(self, host_name: str, port: int, handler: ClientConnectionHandler) -> None:
        super().__init__()
        self.host_name = host_name
        self.port = port
        self.shutdown_future: Future[None] = new_running_future()
        self._handler = handler
        self._connected: Future[None] = new_future()
        self._exception: Optional[BaseException] = None

    @classmethod
    def connect(
        cls,
        *,
        handler: ClientConnectionHandler,
        host_name: str,
        port: int,
        bootstrap: Optional[ClientBootstrap] = None,
        socket_options: Optional[SocketOptions] = None,
        tls_connection_options: Optional[TlsConnectionOptions] = None,
    ) -> Future[None]:
        """Connect to a server. The connection is handed to `handler.on_connection_setup()`.

        Args:
            handler: Is told what happens; it is kept alive until the connection has ended.
            host_name: Name or address of the server; the path of a socket for `SocketDomain.Local`.
            port: Its port; without meaning for `SocketDomain.Local`.
            bootstrap: What to connect with, by default `ClientBootstrap.get_or_create_static_default()`.
            socket_options: How the socket behaves, by default `SocketOptions()`; here is the timeout for connecting.
            tls_connection_options: How TLS is spoken; none is spoken by default.

        Returns:
            A future that is done after `handler.on_connection_setup()`: with the result None, or an exception if there
            is no connection. To cancel it does not call the connection off.

        Raises:
            TypeError: An argument is of another type, or `handler` has no such functions.
            ValueError: `port` is out of range, or `host_name` contains NUL.
        """
        check_handler(handler, "on_connection_setup", "on_connection_shutdown", "on_protocol_message")
        _check_type("host_name", host_name, str)
        _check_range("port", port, 0, MAX_U32)
        if bootstrap is None:
            bootstrap = ClientBootstrap.get_or_create_static_default()
        if socket_options is None:
            socket_options = SocketOptions()
        if tls_connection_options is not None:
            _check_type("tls_connection_options", tls_connection_options, TlsConnectionOptions)
        _check_type("bootstrap", bootstrap, ClientBootstrap)
        _check_type("socket_options", socket_options, SocketOptions)
        connection = cls(host_name, port, handler)
        connected = connection._connected
        try:
            _awscrt.event_stream_rpc_connect(
                connection, host_name, port, bootstrap, socket_options, tls_connection_options
            )
        except AwsCrtError as error:
            connection._on_setup_failure(error)
        return connected

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> Future[None]:
        """Close the connection, if it is still open. Streams are closed with it, and messages not yet sent are failed.

        It may be called any number of times, from any thread, and does not wait.

        Returns:
            `shutdown_future`.
        """
        _awscrt.event_stream_rpc_close(self, None)
        return self.shutdown_future

    def is_open(self) -> bool:
        """Whether neither side has closed the connection, as far as is known."""
        return _awscrt.event_stream_rpc_is_open(self)

    def send_protocol_message(
        self,
        *,
        headers: Optional[Sequence[Header]] = None,
        payload: Optional[Union[bytes, bytearray]] = None,
        message_type: MessageType,
        flags: Optional[int] = None,
        on_flush: Optional[Callable[..., object]] = None,
    ) -> Future[None]:
        """Send a message that belongs to no stream.

        Args:
            headers: Its headers; those of the protocol itself are added.
            payload: Its payload.
            message_type: Its type, not one that belongs to a stream.
            flags: Its flags, bits of `MessageFlag`; none by default.
            on_flush: Called as `on_flush(error=...)` on the connection's thread when the message is written to the
                socket, with None, or with an exception when it cannot be. It should take further keyword arguments.

        Returns:
            A future that is done after `on_flush`: with the result None, with the exception, or with what `on_flush`
            raised. To cancel it does not call the message off.

        Raises:
            RuntimeError: (an `AwsCrtError`) The message is longer than 24 MiB.
            TypeError: An argument is of another type.
            ValueError: There is no such type, or `flags` is not an unsigned number of 32 bits.
        """
        message = message_to_wire(headers, payload, message_type, flags)
        future, flushed = prepare_flush(on_flush)
        _awscrt.event_stream_rpc_send(self, *message, flushed)
        return future

    def new_stream(self, handler: ClientContinuationHandler) -> ClientContinuation:
        """A new stream on this connection; `ClientContinuation.activate()` opens it.

        Args:
            handler: Is told what happens on it; it is kept alive as long as the stream.

        Raises:
            TypeError: `handler` has no such functions.
        """
        return ClientContinuation(handler, self)

    def _on_setup(self, binding: object) -> None:
        self._binding = binding
        try:
            self._handler.on_connection_setup(connection=self, error=None)
        except BaseException as exception:  # noqa: BLE001 - whatever it is, it is the reason of the end
            reason = from_code(CALLBACK_EXCEPTION)
            reason.__cause__ = exception
            self._fail(reason)
        set_result(self._connected, None)

    def _on_setup_failure(self, error: Exception) -> None:
        try:
            self._handler.on_connection_setup(connection=None, error=error)
        finally:
            set_exception(self._connected, error)

    def _on_message(self, headers: list[WireHeader], payload: bytes, message_type: int, flags: int) -> None:
        self._handler.on_protocol_message(
            headers=headers_from_wire(headers), payload=payload, message_type=MessageType(message_type), flags=flags
        )

    def _on_shutdown(self, reason: Optional[Exception]) -> None:
        error: Any = self._exception or reason
        self._exception = None
        try:
            self._handler.on_connection_shutdown(reason=error)
        except BaseException as exception:
            if error is not None:
                raise  # two are too many for one future
            error = exception
        finally:
            settle(self.shutdown_future, error)

    def _fail(self, exception: BaseException) -> None:
        """End the connection for what a callback raised: the first one is the reason."""
        if self._exception is not None:
            raise exception
        self._exception = exception
        _awscrt.event_stream_rpc_close(self, exception)


# They are part of `awscrt.eventstream.rpc`, which is where a pickle, a traceback or a reader looks for them.
for _class in (ClientConnectionHandler, ClientConnection):
    _class.__module__ = "awscrt.eventstream.rpc"
