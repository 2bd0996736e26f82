"""Owns messages of event-stream RPC: their types and flags, their way to native code and back, and who waits for them."""

from __future__ import annotations

from enum import IntEnum
from functools import partial

from ._event_loop import _check_range, _check_type
from ._futures import new_future, set_exception, set_result
from .eventstream import Header

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future
    from typing import Optional, Union

    WireHeader = tuple[bytes, int, bytes]
    Message = tuple[list[WireHeader], Optional[Union[bytes, bytearray]], int, int]
    OnFlush = Optional[Callable[..., object]]

MAX_U32 = 0xFFFFFFFF


class MessageType(IntEnum):
    """The kinds of messages (values of `aws_event_stream_rpc_message_type`).

    `APPLICATION_MESSAGE` and `APPLICATION_ERROR` belong to a stream, all others to the connection as a whole.
    """

    APPLICATION_MESSAGE = 0
    """A message of an operation."""

    APPLICATION_ERROR = 1
    """The failure of an operation."""

    PING = 2
    """A question whether the peer is there."""

    PING_RESPONSE = 3
    """The answer to `PING`, with its headers and payload."""

    CONNECT = 4
    """The client's first message."""

    CONNECT_ACK = 5
    """The server's answer to `CONNECT`; with `MessageFlag.CONNECTION_ACCEPTED` if it likes it."""

    PROTOCOL_ERROR = 6
    """The peer broke the protocol; the connection ends."""

    INTERNAL_ERROR = 7
    """Something is wrong with the sender; the connection ends."""

    def __format__(self, format_spec: str) -> str:
        return str(self)


class MessageFlag:
    """Bits of a message's flags, to be combined by `|` (values of `aws_event_stream_rpc_message_flag`)."""

    NONE = 0
    """Nothing."""

    CONNECTION_ACCEPTED = 0x1
    """With `MessageType.CONNECT_ACK`: the connection may be used."""

    TERMINATE_STREAM = 0x2
    """The last message of a stream, which is closed by it."""

    def __format__(self, format_spec: str) -> str:
        return str(self)


def new_running_future() -> Future[None]:
    """A future that cannot be cancelled: what it waits for comes by itself."""
    future: Future[None] = new_future()
    future.set_running_or_notify_cancel()
    return future


def settle(future: Future[None], error: Optional[BaseException]) -> None:
    if error is None:
        set_result(future, None)
    else:
        set_exception(future, error)


def check_handler(handler: object, *functions: str) -> None:
    # By what it can do, not by its class: stand-ins that tests make serve as well.
    for function in functions:
        if not callable(getattr(handler, function, None)):
            raise TypeError(f"handler of type {type(handler).__name__} has no function {function}()")


def message_to_wire(
    headers: Optional[Sequence[Header]],
    payload: Optional[Union[bytes, bytearray]],
    message_type: MessageType,
    flags: Optional[int],
) -> Message:
    encoded = []
    for header in headers or ():
        _check_type("headers", header, Header)
        encoded.append(header._to_wire())
    bits = 0 if flags is None else flags
    _check_range("flags", bits, 0, MAX_U32)
    return encoded, payload, MessageType(message_type).value, bits


def headers_from_wire(headers: list[WireHeader]) -> list[Header]:
    return [Header._from_wire(*header) for header in headers]


def prepare_flush(on_flush: OnFlush) -> tuple[Future[None], Callable[[Optional[Exception]], None]]:
    """A future for a message, and what settles it."""
    if on_flush is not None and not callable(on_flush):
        raise TypeError(f"on_flush must be callable, not {type(on_flush).__name__}")
    future: Future[None] = new_future()
    return future, partial(_on_flush, future, on_flush)


def _on_flush(future: Future[None], on_flush: OnFlush, error: Optional[BaseException]) -> None:
    try:
        if on_flush is not None:
            on_flush(error=error)
    except BaseException as exception:
        if error is not None or future.done():
            raise  # nobody would get it otherwise
        error = exception
    finally:
        settle(future, error)


# They are part of `awscrt.eventstream.rpc`, which is where a pickle, a traceback or a reader looks for them.
for _class in (MessageType, MessageFlag):
    _class.__module__ = "awscrt.eventstream.rpc"
