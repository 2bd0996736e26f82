"""Owns the user of a WebSocket: what its callbacks were told, to be waited for."""

from __future__ import annotations

import queue
from concurrent.futures import Future
from typing import Any, List, NamedTuple, Optional

from awscrt import websocket

from .tcp import Server

WAIT_SEC = 10.0


class Message(NamedTuple):
    """A frame that has ended."""

    opcode: websocket.Opcode
    payload: bytes
    fin: bool
    exception: Optional[BaseException]


def send(socket: websocket.WebSocket, *arguments: Any, **options: Any) -> Optional[BaseException]:
    """Send a frame and wait for how that ends."""
    done: Future[Any] = Future()
    socket.send_frame(*arguments, on_complete=done.set_result, **options)
    data = done.result(WAIT_SEC)
    assert isinstance(data, websocket.OnSendFrameCompleteData)
    return data.exception


class Client:
    """Keeps what callbacks were told, in `events` by kind, and frames that have ended."""

    def __init__(self) -> None:
        self.events: List[Any] = []
        self._setup: Future[Any] = Future()
        self._shutdown: Future[Any] = Future()
        self._messages: queue.Queue[Message] = queue.Queue()
        self._pieces: List[bytes] = []

    def connect(self, server: Server, **options: Any) -> Client:
        """Begin a connection; `options` replace what would be given to `connect()`."""
        wanted = {
            "host": server.host,
            "port": server.port,
            "on_connection_setup": self.on_setup,
            "on_connection_shutdown": self.on_shutdown,
            "on_incoming_frame_begin": self.on_frame_begin,
            "on_incoming_frame_payload": self.on_frame_payload,
            "on_incoming_frame_complete": self.on_frame_complete,
            **options,
        }
        wanted.setdefault("handshake_request", websocket.create_handshake_request(host=wanted["host"]))
        websocket.connect(**wanted)
        return self

    def set_up(self) -> websocket.OnConnectionSetupData:
        data: websocket.OnConnectionSetupData = self._setup.result(WAIT_SEC)
        return data

    def opened(self) -> websocket.WebSocket:
        """The WebSocket; what is kept here of it is given away."""
        data = self.set_up()
        assert data.exception is None, data
        found, data.websocket = data.websocket, None
        assert found is not None
        return found

    def failed(self) -> websocket.OnConnectionSetupData:
        data = self.set_up()
        assert data.exception is not None
        assert data.websocket is None
        return data

    def ended(self) -> Optional[BaseException]:
        """Why it has ended."""
        reason: Optional[BaseException] = self._shutdown.result(WAIT_SEC).exception
        return reason

    @property
    def has_ended(self) -> bool:
        return self._shutdown.done()

    def receive(self, timeout: float = WAIT_SEC) -> Message:
        """The next frame that has ended."""
        return self._messages.get(timeout=timeout)

    @property
    def received(self) -> int:
        """Bytes of payload of the frame that has not ended."""
        return sum(map(len, self._pieces))

    def on_setup(self, data: websocket.OnConnectionSetupData) -> None:
        self.events.append("setup")
        self._setup.set_result(data)

    def on_shutdown(self, data: websocket.OnConnectionShutdownData) -> None:
        self.events.append("shutdown")
        self._shutdown.set_result(data)

    def on_frame_begin(self, data: websocket.OnIncomingFrameBeginData) -> None:
        self.events.append(("begin", data.frame))

    def on_frame_payload(self, data: websocket.OnIncomingFramePayloadData) -> None:
        self.events.append(("payload", data.frame))
        self._pieces.append(data.data)

    def on_frame_complete(self, data: websocket.OnIncomingFrameCompleteData) -> None:
        frame = data.frame
        self.events.append(("complete", frame))
        self._messages.put(Message(frame.opcode, b"".join(self._pieces), frame.fin, data.exception))
        self._pieces.clear()
