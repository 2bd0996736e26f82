"""Owns streams on connections of event-stream RPC clients."""

from __future__ import annotations

from abc import ABC, abstractmethod

from . import NativeResource, _awscrt
from ._event_loop import _check_type
from ._eventstream_message import (
    MessageType,
    check_handler,
    headers_from_wire,
    message_to_wire,
    new_running_future,
    prepare_flush,
)
from ._futures import set_exception, set_result

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future
    from typing import Any, Optional, Union

    from ._eventstream_connection import ClientConnection
    from ._eventstream_message import WireHeader
    from .eventstream import Header


class ClientContinuationHandler(ABC):
    """Is told what happens on a stream, on the connection's native thread: to be inherited from.

    The first exception that is raised here ends the stream's `closed_future` at once, as itself. The stream and its
    connection go on.
    """

    @abstractmethod
    def on_continuation_message(
        self, headers: Sequence[Header], payload: bytes, message_type: MessageType, flags: int, **kwargs: Any
    ) -> None:
        """Called when a message came in on the stream.

        Args:
            headers: Its headers, in order; among them `:message-type`, `:message-flags` and `:stream-id`.
            payload: Its payload, `b""` if it has none.
            message_type: `APPLICATION_MESSAGE` or `APPLICATION_ERROR`.
            flags: Its flags, bits of `MessageFlag`.
            **kwargs: For what later versions may add.
        """

    @abstractmethod
    def on_continuation_closed(self, **kwargs: Any) -> None:
        """Called once, if the stream was activated: it is closed, and no other function is called any more.

        Args:
            **kwargs: For what later versions may add.
        """


class ClientContinuation(NativeResource):
    """A stream of messages on a connection, made by `ClientConnection.new_stream()`.

    Once activated it lives until it is closed, whether anybody refers to it or not: by a message with the flag
    `MessageFlag.TERMINATE_STREAM` from either side, or with its connection.

    Attributes:
        connection (ClientConnection): The connection.
        closed_future (concurrent.futures.Future[None]): Done with the result None when the stream is closed, after
            `ClientContinuationHandler.on_continuation_closed()`, and never if it was not activated; or with the
            exception that the handler raised, as soon as it does. It cannot be cancelled.
    """

    def __init__(self, handler: ClientContinuationHandler, connection: ClientConnection) -> None:
        super().__init__()
        check_handler(handler, "on_continuation_message", "on_continuation_closed")
        self.connection = connection
        self.closed_future: Future[None] = new_running_future()
        self._handler = handler
        self._binding = _awscrt.event_stream_continuation_new(connection)

    def activate(
        self,
        *,
        operation: str,
        headers: Optional[Sequence[Header]] = None,
        payload: Optional[Union[bytes, bytearray]] = None,
        message_type: MessageType,
        flags: Optional[int] = None,
        on_flush: Optional[Callable[..., object]] = None,
    ) -> Future[None]:
        """Open the stream by sending its first message.

        Args:
            operation: The name of what the server shall do, 1 to 32767 bytes of UTF-8.
            headers: As `send_message()` takes them.
            payload: As `send_message()` takes it.
            message_type: As `send_message()` takes it.
            flags: As `send_message()` takes them.
            on_flush: As `send_message()` takes it.

        Returns:
            As `send_message()` does.

        Raises:
            RuntimeError: (an `AwsCrtError`) The stream was activated before; the server has not accepted the
                connection yet, or it is closed; the message is longer than 24 MiB.
            TypeError: An argument is of another type.
            ValueError: `operation` is empty or too long; or as for `send_message()`.
        """
        _check_type("operation", operation, str)
        message = message_to_wire(headers, payload, message_type, flags)
        future, flushed = prepare_flush(on_flush)
        _awscrt.event_stream_continuation_activate(self, operation, *message, flushed)
        return future

    def send_message(
        self,
        *,
        headers: Optional[Sequence[Header]] = None,
        payload: Optional[Union[bytes, bytearray]] = None,
        message_type: MessageType,
        flags: Optional[int] = None,
        on_flush: Optional[Callable[..., object]] = None,
    ) -> Future[None]:
        """Send a further message on the stream.

        Args:
            headers: Its headers; those of the protocol itself are added.
            payload: Its payload.
            message_type: `APPLICATION_MESSAGE` or `APPLICATION_ERROR`.
            flags: Its flags, bits of `MessageFlag`; none by default.
            on_flush: Called as `on_flush(error=...)` on the connection's thread when the message is written to the
                socket, with None, or with an exception when it cannot be. It should take further keyword arguments.

        Returns:
            A future that is done after `on_flush`: with the result None, with the exception, or with what `on_flush`
            raised. To cancel it does not call the message off.

        Raises:
            RuntimeError: (an `AwsCrtError`) The stream is not activated yet, or is closed; the message is longer than
                24 MiB.
            TypeError: An argument is of another type.
            ValueError: There is no such type, or `flags` is not an unsigned number of 32 bits.
        """
        message = message_to_wire(headers, payload, message_type, flags)
        future, flushed = prepare_flush(on_flush)
        _awscrt.event_stream_continuation_send(self, *message, flushed)
        return future

    def is_closed(self) -> bool:
        """Whether the stream was closed; False before it is activated."""
        return _awscrt.event_stream_continuation_is_closed(self)

    def _on_message(self, headers: list[WireHeader], payload: bytes, message_type: int, flags: int) -> None:
        self._handler.on_continuation_message(
            headers=headers_from_wire(headers), payload=payload, message_type=MessageType(message_type), flags=flags
        )

    def _on_closed(self) -> None:
        try:
            self._handler.on_continuation_closed()
        except BaseException as exception:  # noqa: BLE001 - whatever it is, it is the closed future's
            self._fail(exception)
        finally:
            set_result(self.closed_future, None)

    def _fail(self, exception: BaseException) -> None:
        if self.closed_future.done():
            raise exception
        set_exception(self.closed_future, exception)


# They are part of `awscrt.eventstream.rpc`, which is where a pickle, a traceback or a reader looks for them.
for _class in (ClientContinuationHandler, ClientContinuation):
    _class.__module__ = "awscrt.eventstream.rpc"
