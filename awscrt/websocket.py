"""Owns WebSockets of a client (RFC 6455): opening one, sending frames, and being told of those that arrive.

`connect()` opens a connection and calls back with a `WebSocket`. All callbacks of a connection run one after the other on
its event loop's thread. An exception that one of them raises closes the connection, and reaches
`on_connection_shutdown` as itself; without that callback `sys.unraisablehook` gets it, as it gets what
`on_connection_shutdown` itself raises.

Messages are what the user makes of frames: this module sends and hands over frames, and neither joins nor splits them. It
answers a PING by itself and sends a CLOSE when a connection is closed. A CLOSE that arrives is handed over as any other
frame, it is for the user to call `WebSocket.close()` then.
"""

from __future__ import annotations

import binascii
import operator
import os
from dataclasses import dataclass

from . import NativeResource, _awscrt
from ._websocket_data import (
    IncomingFrame,
    OnConnectionSetupData,
    OnConnectionShutdownData,
    OnIncomingFrameBeginData,
    OnIncomingFrameCompleteData,
    OnIncomingFramePayloadData,
    OnSendFrameCompleteData,
    Opcode,
)
from .http import HttpHeaders, HttpRequest
from .io import ClientBootstrap, SocketOptions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Any, Optional, Sequence, Tuple, Type, TypeVar, Union

    from .http import HttpProxyOptions
    from .io import TlsConnectionOptions

    _Data = TypeVar("_Data")
    _Callback = Optional[Callable[[_Data], None]]

__all__ = [
    "MAX_PAYLOAD_LENGTH",
    "IncomingFrame",
    "OnConnectionSetupData",
    "OnConnectionShutdownData",
    "OnIncomingFrameBeginData",
    "OnIncomingFrameCompleteData",
    "OnIncomingFramePayloadData",
    "OnSendFrameCompleteData",
    "Opcode",
    "WebSocket",
    "connect",
    "create_handshake_request",
    "dataclass",  # code that was written for earlier releases takes it from here, by *
]

MAX_PAYLOAD_LENGTH = 0x7FFF_FFFF_FFFF_FFFF
"""The most bytes that a frame's payload can have (RFC 6455, section 5.2): 2**63 - 1."""

_KEY_BYTES = 16
_MAX_PORT = 0xFFFF


class _Listener:
    """Whom native code tells what becomes of a connection, and which calls what the user gave.

    Native code holds it until the connection has ended. Methods that return a bool answer whether the connection goes
    on. An exception for which nobody waits leaves them, so that `sys.unraisablehook` gets it.
    """

    def __init__(
        self,
        on_setup: _Callback[OnConnectionSetupData],
        on_shutdown: _Callback[OnConnectionShutdownData],
        on_frame_begin: _Callback[OnIncomingFrameBeginData],
        on_frame_payload: _Callback[OnIncomingFramePayloadData],
        on_frame_complete: _Callback[OnIncomingFrameCompleteData],
    ) -> None:
        self._on_setup = on_setup
        self._on_shutdown = on_shutdown
        self._on_frame_begin = on_frame_begin
        self._on_frame_payload = on_frame_payload
        self._on_frame_complete = on_frame_complete
        self._frame: Any = None
        self._raised: Any = None

    def set_up(
        self,
        exception: Any,
        binding: object = None,
        status: Optional[int] = None,
        headers: Optional[Sequence[Tuple[str, str]]] = None,
        body: Optional[bytes] = None,
    ) -> bool:
        on_setup = self._on_setup
        websocket = None
        if exception is None:
            websocket = WebSocket(binding)
            websocket._listener = self
        else:
            self._forget()
        return self._call(on_setup, OnConnectionSetupData(exception, websocket, status, headers, body))

    def shut_down(self, exception: Any) -> None:
        on_shutdown = self._on_shutdown
        if self._raised is not None:
            exception = self._raised
        self._forget()
        if on_shutdown is not None:
            on_shutdown(OnConnectionShutdownData(exception))

    def begin_frame(self, opcode: int, payload_length: int, fin: bool) -> bool:
        self._frame = IncomingFrame(Opcode(opcode), payload_length, fin)
        return self._call(self._on_frame_begin, OnIncomingFrameBeginData(self._frame))

    def add_payload(self, data: bytes) -> bool:
        return self._call(self._on_frame_payload, OnIncomingFramePayloadData(self._frame, data))

    def end_frame(self, exception: Any) -> bool:
        if exception is not None and self._raised is not None:
            exception = self._raised
        frame, self._frame = self._frame, None
        return self._call(self._on_frame_complete, OnIncomingFrameCompleteData(frame, exception))

    def end_send(self, on_complete: _Callback[OnSendFrameCompleteData], exception: Any) -> bool:
        return self._call(on_complete, OnSendFrameCompleteData(exception))

    def _call(self, callback: _Callback[_Data], data: _Data) -> bool:
        if callback is None:
            return True
        try:
            callback(data)
        except BaseException as error:
            if self._on_shutdown is None or self._raised is not None:
                raise
            self._raised = error
            return False
        return True

    def _forget(self) -> None:
        """Let go of what may refer to the WebSocket, which refers to this."""
        self._on_setup = self._on_shutdown = None
        self._on_frame_begin = self._on_frame_payload = self._on_frame_complete = None
        self._frame = self._raised = None


class WebSocket(NativeResource):
    """An open WebSocket; `connect()` makes it.

    The connection is closed when the last reference to this object is dropped, when `close()` is called, and when a
    `with` block that it was given to ends. The callbacks given to `connect()` are kept until the connection has ended:
    if they refer to this object, only closing it ends the connection.

    All methods may be called from any thread.
    """

    _listener: _Listener

    def __init__(self, binding: object) -> None:
        super().__init__()
        self._binding = binding

    def __enter__(self) -> WebSocket:  # noqa: PYI034 - 3.8 has no Self
        return self

    def __exit__(
        self,
        exc_type: Optional[Type[BaseException]],
        exc_value: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection, if it is not closed already; this does not wait for it.

        A CLOSE frame without a payload is sent, unless one was sent before. Frames that are still waiting to be sent
        are sent first, for at most a second. `on_connection_shutdown` is called when all is done.

        Raises:
            RuntimeError: It belongs to the process that this one was forked from.
        """
        _awscrt.websocket_close(self)

    def send_frame(
        self,
        opcode: Opcode,
        payload: Optional[Union[str, bytes, bytearray, memoryview]] = None,
        *,
        fin: bool = True,
        on_complete: Optional[Callable[[OnSendFrameCompleteData], None]] = None,
    ) -> None:
        """Send a frame; this does not wait for it.

        Frames are sent in the order of the calls. The payload is read where it lies until `on_complete` is called: do
        not change it before.

        After a CLOSE nothing can be sent. To end a message that was begun with `fin` False, send its other frames as
        `Opcode.CONTINUATION`, the last of them with `fin` True; another order closes the connection (RFC 6455, section
        5.4).

        Args:
            opcode: What the frame is.
            payload: Its payload: a str is sent as UTF-8, None as no bytes. For a control frame at most 125 bytes.
            fin: Whether the frame is the last of its message. Control frames always are.
            on_complete: Called once, on the connection's event loop's thread, when the frame was handed to the network
                or when that has failed. Not called if this method raises. What it raises closes the connection.

        Raises:
            TypeError: An argument is of another type.
            ValueError: There is no such opcode; or a control frame has too long a payload, or no `fin`.
            BufferError: The payload is not contiguous.
            RuntimeError: (an `AwsCrtError`) Nothing can be sent any more: a CLOSE was sent, or the connection has ended.
        """
        _check_callback("on_complete", on_complete)
        listener = self._listener
        done = None if on_complete is None else lambda exception: listener.end_send(on_complete, exception)
        _awscrt.websocket_send_frame(self, Opcode(opcode).value, payload, fin, done)

    def increment_read_window(self, size: int) -> None:
        """Let more payload arrive, on a connection that was opened with `manage_read_window`; without effect on others.

        Args:
            size: Bytes of payload of data frames, in addition to those that may arrive already.

        Raises:
            TypeError: `size` is not an integer.
            ValueError: `size` is negative.
            OverflowError: `size` is beyond what the platform can count.
        """
        if size < 0:
            raise ValueError("size must not be negative")
        _awscrt.websocket_increment_read_window(self, size)


def connect(  # noqa: PLR0913 - the API's
    *,
    host: str,
    port: Optional[int] = None,
    handshake_request: HttpRequest,
    bootstrap: Optional[ClientBootstrap] = None,
    socket_options: Optional[SocketOptions] = None,
    tls_connection_options: Optional[TlsConnectionOptions] = None,
    proxy_options: Optional[HttpProxyOptions] = None,
    manage_read_window: bool = False,
    initial_read_window: Optional[int] = None,
    on_connection_setup: Callable[[OnConnectionSetupData], None],
    on_connection_shutdown: Optional[Callable[[OnConnectionShutdownData], None]] = None,
    on_incoming_frame_begin: Optional[Callable[[OnIncomingFrameBeginData], None]] = None,
    on_incoming_frame_payload: Optional[Callable[[OnIncomingFramePayloadData], None]] = None,
    on_incoming_frame_complete: Optional[Callable[[OnIncomingFrameCompleteData], None]] = None,
) -> None:
    """Open a WebSocket connection; this does not wait for it.

    Callbacks run on the connection's event loop's thread, one after the other; keep them short. See the module for
    what becomes of an exception in one of them.

    Args:
        host: Name or address of the server.
        port: Its TCP port, up to 65535. By default (None or 0) 443 with TLS and 80 without.
        handshake_request: The request that opens the connection, as `create_handshake_request()` makes it. Headers may
            be added to it, except Sec-WebSocket-Extensions, and those that it has must stay.
        bootstrap: By default the shared one, `ClientBootstrap.get_or_create_static_default()`.
        socket_options: By default those of `SocketOptions()`.
        tls_connection_options: How to use TLS; None for none.
        proxy_options: The HTTP proxy to connect through; None for none.
        manage_read_window: Whether payload of data frames arrives only as far as the read window allows:
            `initial_read_window` bytes, and what `WebSocket.increment_read_window()` adds. Else all arrives at once.
        initial_read_window: See there; needed with `manage_read_window` and ignored without.
        on_connection_setup: Called once, when the connection is open or has failed.
        on_connection_shutdown: Called once, last of all, when a connection that was open has ended.
        on_incoming_frame_begin: Called for each frame that arrives.
        on_incoming_frame_payload: Called for each piece of its payload, not at all if it has none.
        on_incoming_frame_complete: Called when it has ended, whole or not; then the next one may begin.

    Raises:
        TypeError: An argument is of another type.
        ValueError: An argument is out of range; `initial_read_window` is missing; `host` has a CR, LF or NUL; or
            `handshake_request` is no such request.
        OverflowError: `initial_read_window` is beyond what the platform can count.
        RuntimeError: (an `AwsCrtError`) The connection cannot even be begun.
    """
    _check_address(host, port)
    _check_handshake(handshake_request)
    frames = (on_incoming_frame_begin, on_incoming_frame_payload, on_incoming_frame_complete)
    if not callable(on_connection_setup):
        raise TypeError(f"on_connection_setup must be callable, not {type(on_connection_setup).__name__}")
    _check_callback("on_connection_shutdown", on_connection_shutdown)
    for event, callback in zip(("begin", "payload", "complete"), frames):
        _check_callback(f"on_incoming_frame_{event}", callback)
    _awscrt.websocket_connect(
        ClientBootstrap.get_or_create_static_default() if bootstrap is None else bootstrap,
        host,
        0 if port is None else port,
        SocketOptions() if socket_options is None else socket_options,
        tls_connection_options,
        proxy_options,
        handshake_request,
        _read_window(initial_read_window) if manage_read_window else None,
        _Listener(on_connection_setup, on_connection_shutdown, *frames),
        any(frames),
        on_incoming_frame_payload is not None,
        on_incoming_frame_complete is not None,
    )


def create_handshake_request(*, host: str, path: str = "/") -> HttpRequest:
    """Make the request that asks a server for a WebSocket (RFC 6455, section 4.1).

    Args:
        host: Value of its Host header: the server's name, and its port unless that is the default.
        path: Path and query of the resource.

    Returns:
        A GET request with the headers Host, Upgrade, Connection, Sec-WebSocket-Key (a new random one) and
        Sec-WebSocket-Version. Others can be added.

    Raises:
        TypeError: An argument is not a str.
        ValueError: An argument has a CR, LF or NUL.
    """
    key = binascii.b2a_base64(os.urandom(_KEY_BYTES), newline=False).decode("ascii")
    headers = HttpHeaders(
        [
            ("Host", host),
            ("Upgrade", "websocket"),
            ("Connection", "Upgrade"),
            ("Sec-WebSocket-Key", key),
            ("Sec-WebSocket-Version", "13"),
        ],
    )
    return HttpRequest("GET", path, headers)


def _check_callback(name: str, value: object) -> None:
    if value is not None and not callable(value):
        raise TypeError(f"{name} must be callable or None, not {type(value).__name__}")


def _check_address(host: object, port: Optional[int]) -> None:
    if not isinstance(host, (str, bytes)):
        raise TypeError(f"host must be str, not {type(host).__name__}")
    text = host if isinstance(host, str) else host.decode("latin-1")
    if not text or any(c in text for c in "\r\n\0"):
        raise ValueError("host must not be empty, nor contain CR, LF or NUL")
    if port is not None and not 0 <= operator.index(port) <= _MAX_PORT:
        raise ValueError(f"port must be from 0 to {_MAX_PORT}, not {port}")


def _check_handshake(request: HttpRequest) -> None:
    if not isinstance(request, HttpRequest):
        raise TypeError(f"handshake_request must be HttpRequest, not {type(request).__name__}")
    if request.method != "GET":
        raise ValueError("handshake_request must have the method GET")
    if request.headers.get("Sec-WebSocket-Key") is None:
        raise ValueError("handshake_request must have a Sec-WebSocket-Key header")
    if request.headers.get("Sec-WebSocket-Extensions") is not None:
        raise ValueError("handshake_request must not ask for extensions: none is supported")


def _read_window(size: Optional[int]) -> int:
    if size is None:
        raise ValueError("initial_read_window must be given with manage_read_window")
    if size < 0:
        raise ValueError("initial_read_window must not be negative")
    return size
