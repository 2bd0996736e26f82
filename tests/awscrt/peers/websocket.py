"""Owns a WebSocket server (RFC 6455): another implementation judges what a client sends, and bytes of any kind go back."""

from __future__ import annotations

import base64
import hashlib
import struct
from typing import Any, Callable, Dict, List, Optional, Tuple

from websockets.frames import Frame
from websockets.protocol import State
from websockets.server import ServerProtocol

from .http1 import Headers, Request, Response, written
from .tcp import Server

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
READ_BYTES = 1 << 18
MAX_HEAD_BYTES = 1 << 16


def accept_key(request: Request) -> str:
    """What section 4.2.2 wants for the key of a request."""
    text = (request.header("Sec-WebSocket-Key") or "") + GUID
    digest = hashlib.sha1(text.encode("ascii")).digest()  # noqa: S324 - the protocol's
    return base64.b64encode(digest).decode("ascii")


def switching(request: Request, **changed: Optional[str]) -> Response:
    """The response that makes a WebSocket of a connection. `changed` headers (`_` for `-`) are added, or left out if None."""
    headers: Dict[str, Optional[str]] = {
        "upgrade": "websocket",
        "connection": "Upgrade",
        "sec-websocket-accept": accept_key(request),
    }
    headers.update({name.lower().replace("_", "-"): value for name, value in changed.items()})
    kept: Headers = [(name.title(), value) for name, value in headers.items() if value is not None]
    return Response(101, kept, reason="Switching Protocols")


def encode(
    opcode: int,
    payload: bytes = b"",
    *,
    fin: bool = True,
    length: Optional[int] = None,
    length_bytes: Optional[int] = None,
) -> bytes:
    """A frame as it goes over the wire, with the length that it should have or another, in 0, 2, or 8 more bytes."""
    size = len(payload) if length is None else length
    if length_bytes is None:
        length_bytes = 0 if size < 126 else 2 if size < 1 << 16 else 8
    short = {0: size, 2: 126, 8: 127}[length_bytes]
    head = bytes([fin << 7 | opcode, short])
    head += {0: b"", 2: struct.pack(">H", size & 0xFFFF), 8: struct.pack(">Q", size)}[length_bytes]
    return head + payload


class Connection:
    """One WebSocket, after its handshake. What the client sends is unmasked and checked by the `websockets` library."""

    def __init__(self, sock: Any, request: Request, frames: List[Frame]) -> None:
        self.sock = sock
        self.request = request
        self._frames = frames
        self._waiting: List[Frame] = []
        self._protocol = ServerProtocol(state=State.OPEN, max_size=None)

    def receive(self) -> Optional[Frame]:
        """The next frame, or None after the last one. What is wrong with one is raised."""
        while not self._waiting:
            data = self.sock.recv(READ_BYTES)
            if not data:
                return None
            self._protocol.receive_data(data)
            if self._protocol.parser_exc is not None:
                raise self._protocol.parser_exc
            self._waiting = [event for event in self._protocol.events_received() if isinstance(event, Frame)]
            self._frames.extend(self._waiting)
        return self._waiting.pop(0)

    def send(self, opcode: int, payload: bytes = b"", **changed: Any) -> None:
        """Send a frame; see `encode`."""
        self.sock.sendall(encode(opcode, payload, **changed))

    def send_raw(self, data: bytes) -> None:
        self.sock.sendall(data)


def echo(connection: Connection) -> None:
    """Send back what comes, and answer PING and CLOSE, until that or the end."""
    while True:
        frame = connection.receive()
        if frame is None:
            return
        opcode = int(frame.opcode)
        connection.send(PONG if opcode == PING else opcode, bytes(frame.data), fin=frame.fin)
        if opcode == CLOSE:
            return


class WebSocketServer(Server):
    """Answers handshakes by `respond`, and gives each WebSocket that comes of it to `converse`, on its own thread.

    Attributes:
        requests (list): The handshakes.
        frames (list): All frames that were received.
    """

    def __init__(
        self,
        converse: Callable[[Connection], object] = echo,
        *,
        respond: Callable[[Request], Response] = switching,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.converse = converse
        self.respond = respond
        self.requests: List[Request] = []
        self.frames: List[Frame] = []

    @property
    def seen(self) -> List[Tuple[int, bytes, bool]]:
        """The frames as opcode, payload, and whether it was the last of its message."""
        return [(int(frame.opcode), bytes(frame.data), frame.fin) for frame in self.frames]

    def handle(self, sock: Any) -> None:
        request = read_handshake(sock)
        if request is None:
            return
        self.requests.append(request)
        response = self.respond(request)
        for piece in written(response, request):
            sock.sendall(piece)
        if response.status == 101:
            self.converse(Connection(sock, request, self.frames))


def read_handshake(sock: Any) -> Optional[Request]:
    """The request, which no other byte may follow: a client waits for the response. None where there is none."""
    data = b""
    while not data.endswith(b"\r\n\r\n") and len(data) < MAX_HEAD_BYTES:
        part = sock.recv(4096)
        if not part:
            return None
        data += part
    line, *fields = data[:-4].decode("latin-1").split("\r\n")
    method, path, version = line.split(" ")
    pairs = [field.partition(": ") for field in fields]
    return Request(method, path, [(name, value) for name, _, value in pairs], version=version)
