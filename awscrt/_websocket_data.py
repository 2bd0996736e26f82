"""Owns what the callbacks of a WebSocket are given: frames, and what became of connections and of sent frames."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Optional, Tuple

    from .websocket import WebSocket


class Opcode(IntEnum):
    """What a frame is (RFC 6455, section 5.2)."""

    CONTINUATION = 0x0
    """Goes on with the message whose last frame had `fin` False."""

    TEXT = 0x1
    """Data that is UTF-8 text."""

    BINARY = 0x2
    """Data that is bytes."""

    CLOSE = 0x8
    """The last frame in its direction; the payload, if any, is two bytes of status code and a reason in UTF-8."""

    PING = 0x9
    """Asks for a PONG with the same payload. One that arrives is answered by itself."""

    PONG = 0xA
    """Answers a PING; also sent unasked, as a sign of life."""

    def is_data_frame(self) -> bool:
        """Whether frames of this kind carry data of the application; else they control the connection."""
        return self in {Opcode.CONTINUATION, Opcode.TEXT, Opcode.BINARY}


@dataclass
class IncomingFrame:
    """A frame that arrives.

    Attributes:
        opcode: What it is.
        payload_length: Bytes of its whole payload, as its header announces them.
        fin: Whether it is the last frame of its message.
    """

    opcode: Opcode
    payload_length: int
    fin: bool

    def is_data_frame(self) -> bool:
        """Whether it carries data of the application; else it controls the connection."""
        return self.opcode.is_data_frame()


@dataclass
class OnConnectionSetupData:
    """How opening a connection ended.

    Attributes:
        exception: Why it failed, or None if it succeeded.
        websocket: The open WebSocket, or None if it failed.
        handshake_response_status: The status of the server's response to the handshake, 101 on success. None if no
            response came.
        handshake_response_headers: The headers of that response, as pairs of name and value. None if no response came.
        handshake_response_body: The body of the response by which the server refused. None on success, and if no
            whole response came.
    """

    exception: Optional[Exception] = None
    websocket: Optional[WebSocket] = None
    handshake_response_status: Optional[int] = None
    handshake_response_headers: Optional[Sequence[Tuple[str, str]]] = None
    handshake_response_body: Optional[bytes] = None


@dataclass
class OnConnectionShutdownData:
    """How a connection ended.

    Attributes:
        exception: Why, or None if it was closed from this side and in order. What a callback has raised, if that is
            why.
    """

    exception: Optional[Exception] = None


@dataclass
class OnIncomingFrameBeginData:
    """The header of a frame has arrived.

    Attributes:
        frame: The frame; the same object in all calls about it.
    """

    frame: IncomingFrame


@dataclass
class OnIncomingFramePayloadData:
    """A piece of a frame's payload has arrived.

    Attributes:
        frame: The frame; the same object in all calls about it.
        data: The piece, unmasked.
    """

    frame: IncomingFrame
    data: bytes


@dataclass
class OnIncomingFrameCompleteData:
    """A frame has ended.

    Attributes:
        frame: The frame; the same object in all calls about it.
        exception: Why it is not whole, or None if it is. What a callback has raised, if that is why.
    """

    frame: IncomingFrame
    exception: Optional[Exception] = None


@dataclass
class OnSendFrameCompleteData:
    """Sending a frame has ended.

    Attributes:
        exception: Why it failed, or None if the frame was handed to the network. That says nothing of whether the
            server got it.
    """

    exception: Optional[Exception] = None


# They are part of `awscrt.websocket`, which is where a pickle, a traceback or a reader looks for them.
for _class in (
    Opcode,
    IncomingFrame,
    OnConnectionSetupData,
    OnConnectionShutdownData,
    OnIncomingFrameBeginData,
    OnIncomingFramePayloadData,
    OnIncomingFrameCompleteData,
    OnSendFrameCompleteData,
):
    _class.__module__ = "awscrt.websocket"
