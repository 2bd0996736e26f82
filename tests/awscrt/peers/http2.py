"""Owns an HTTP/2 server (RFC 9113) over python-h2, which records what it is sent and can be told to misbehave.

With TLS, give its context `alpn=["h2"]`; without, clients come with prior knowledge.
"""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import threading
from dataclasses import dataclass
from typing import Any, Callable, Dict, List, Optional, Tuple

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import h2.settings
from hyperframe.frame import GoAwayFrame

from .http1 import Headers, Request, Response, echo
from .tcp import Server

WAIT_SEC = 10.0


@dataclass
class Http2Request(Request):
    """Its headers have the pseudo-headers `:scheme` and `:authority` among them."""

    stream_id: int = 0
    connection: Any = None


@dataclass
class Reset:
    """Answer by RST_STREAM."""

    error_code: int = 0


Answer = Any
"""A Response, a Reset, or None for no answer at all."""


class Http2Server(Server):
    """Answers by `respond`, on a thread for each stream, once the request has ended.

    Args:
        respond: Gives the answer; it may take its time, and so may the pieces of a body.
        early: Asked first, when the head of a request has come; what it returns is sent at once, unless it is None.
        settings: Those of the first SETTINGS frame. They bind a client only from then on.
        automatic_windows: Whether received bytes are taken notice of (WINDOW_UPDATE); see `Connection.acknowledge`.
        options: As `Server` has them.

    Attributes:
        requests (list): Those that have ended.
        live (list): The connections that are open, each a `Connection`.
        settings_received (list): A dict of each SETTINGS frame.
        pings (list): The 8 bytes of each.
        resets (list): (stream, error code) of each RST_STREAM.
        goaways (list): (error code, last stream, debug data) of each GOAWAY.
        protocol_errors (list): Why connections were ended by h2.
    """

    def __init__(
        self,
        respond: Callable[[Http2Request], Answer] = echo,
        *,
        early: Callable[[Http2Request], Answer] = lambda request: None,
        settings: Optional[Dict[int, int]] = None,
        automatic_windows: bool = True,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.respond = respond
        self.early = early
        self.settings = settings
        self.automatic_windows = automatic_windows
        self.requests: List[Http2Request] = []
        self.live: List[Connection] = []
        self.settings_received: List[Dict[int, int]] = []
        self.pings: List[bytes] = []
        self.resets: List[Tuple[int, int]] = []
        self.goaways: List[Tuple[Any, Any, bytes]] = []
        self.protocol_errors: List[Exception] = []

    def handle(self, sock: Any) -> None:
        with contextlib.closing(Connection(self, sock)) as connection:
            self.live.append(connection)
            try:
                connection.run()
            finally:
                self.live.remove(connection)


class Connection:
    """One connection of a client. Only its own thread touches the socket; the methods may be called on any thread."""

    def __init__(self, server: Http2Server, sock: Any) -> None:
        self._server = server
        self._sock = sock
        self._changed = threading.Condition(threading.RLock())  # guards all below
        self._out = bytearray()
        self._ending = self._gone = False
        self._open: Dict[int, Http2Request] = {}
        self._answered: List[int] = []
        self._wake_reader, self._wake_writer = socket.socketpair()
        for end in (self._wake_reader, self._wake_writer):
            end.setblocking(False)
        self._h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
        if server.settings is not None:
            settings: Any = server.settings
            self._h2.local_settings = h2.settings.Settings(client=False, initial_values=settings)
        self._h2.initiate_connection()

    # What a test may do.

    def update_settings(self, settings: Dict[int, int]) -> None:
        self._do(lambda: self._h2.update_settings(settings))

    def ping(self, data: bytes = b"8 bytes!") -> None:
        self._do(lambda: self._h2.ping(data))

    def reset(self, stream_id: int, error_code: int = 0) -> None:
        self._do(lambda: self._h2.reset_stream(stream_id, error_code))

    def goaway(self, error_code: int = 0, last_stream_id: int = 2**31 - 1, data: bytes = b"") -> None:
        """Send GOAWAY, after which streams up to the last one go on."""
        frame = GoAwayFrame(0, last_stream_id=last_stream_id, error_code=error_code, additional_data=data)
        self.send_raw(frame.serialize())

    def acknowledge(self, stream_id: int, size: int) -> None:
        """Open the windows, where they are not automatic, by that many received bytes."""
        self._do(lambda: self._h2.acknowledge_received_data(size, stream_id))

    def send_raw(self, data: bytes) -> None:
        """Send any bytes, behind h2's back."""
        self._do(lambda: self._out.extend(data))

    def end(self) -> None:
        """Close the connection once everything is sent."""
        with self._changed:
            self._ending = True
        self._do(lambda: None)

    def received(self, stream_id: int) -> bytes:
        """What has come so far of a request's body."""
        with self._changed:
            request = self._open.get(stream_id)
            return b"" if request is None else request.body

    # The thread of the connection.

    def run(self) -> None:
        self._sock.setblocking(False)
        while True:
            with self._changed:
                self._out.extend(self._h2.data_to_send() or b"")
                done = self._ending and not self._out
                writable = [self._sock] if self._out else []
            if done:
                return
            readable, writable, _ = select.select([self._sock, self._wake_reader], writable, [])
            if writable:
                self._write()
            if self._wake_reader in readable:
                self._wake_reader.recv(4096)
            if self._sock in readable and not self._read():
                return

    def close(self) -> None:
        with self._changed:
            self._gone = True
            self._changed.notify_all()
            self._wake_reader.close()
            self._wake_writer.close()

    def _write(self) -> None:
        with self._changed, contextlib.suppress(ssl.SSLWantWriteError, ssl.SSLWantReadError, BlockingIOError):
            while self._out:
                del self._out[: self._sock.send(bytes(self._out[:16384]))]

    def _read(self) -> bool:
        while True:
            try:
                data = self._sock.recv(65536)
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError, BlockingIOError):
                return True
            if not data:
                return False
            with self._changed:
                try:
                    events = self._h2.receive_data(data)
                except h2.exceptions.ProtocolError as error:
                    self._server.protocol_errors.append(error)
                    self._ending = True
                    return True
                for event in events:
                    self._take(event)
                self._changed.notify_all()

    def _take(self, event: Any) -> None:
        if isinstance(event, h2.events.RequestReceived):
            self._start(event)
        elif isinstance(event, h2.events.DataReceived):
            self._open[event.stream_id].body += event.data
            if self._server.automatic_windows:
                self._h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.TrailersReceived):
            trailers: Any = event.headers
            self._open[event.stream_id].trailers = list(trailers)
        elif isinstance(event, h2.events.StreamEnded):
            request = self._open[event.stream_id]
            self._server.requests.append(request)
            if event.stream_id not in self._answered:
                self._server.spawn(self._answer, request, self._server.respond)
        else:
            self._note(event)

    def _note(self, event: Any) -> None:
        server = self._server
        if isinstance(event, h2.events.StreamReset):
            server.resets.append((event.stream_id, event.error_code))
        elif isinstance(event, h2.events.RemoteSettingsChanged):
            changed = {int(key): setting.new_value for key, setting in event.changed_settings.items()}
            server.settings_received.append(changed)
        elif isinstance(event, h2.events.PingReceived):
            server.pings.append(bytes(event.ping_data))
        elif isinstance(event, h2.events.ConnectionTerminated):
            server.goaways.append((event.error_code, event.last_stream_id, event.additional_data or b""))

    def _start(self, event: Any) -> None:
        fields = dict(event.headers)
        headers: Headers = [(name, value) for name, value in event.headers if name not in (":method", ":path")]
        request = Http2Request(
            fields[":method"],
            fields.get(":path", ""),
            headers,
            version="HTTP/2",
            stream_id=event.stream_id,
            connection=self,
        )
        self._open[event.stream_id] = request
        self._answer(request, self._server.early, wait=False)

    # The thread of a stream.

    def _answer(self, request: Http2Request, respond: Callable[[Http2Request], Answer], *, wait: bool = True) -> None:
        answer = respond(request)
        if answer is None:
            return
        self._answered.append(request.stream_id)
        if not wait:
            self._server.spawn(self._send, request, answer)
        else:
            self._send(request, answer)

    def _send(self, request: Http2Request, answer: Any) -> None:
        try:
            if isinstance(answer, Reset):
                self.reset(request.stream_id, answer.error_code)
            else:
                self._send_response(request, answer)
        except (h2.exceptions.ProtocolError, ConnectionError):
            # The client has reset the stream, or left: then nobody wants the rest.
            with self._changed:
                if not self._gone and not any(stream == request.stream_id for stream, _ in self._server.resets):
                    raise

    def _send_response(self, request: Http2Request, response: Response) -> None:
        stream_id = request.stream_id
        headers = [(":status", str(response.status))]
        headers += [(name.lower(), value) for name, value in response.headers]
        bodiless = response.bodiless or request.method == "HEAD"
        pieces = [response.body] if isinstance(response.body, bytes) else response.body
        self._do(lambda: self._h2.send_headers(stream_id, headers))
        for piece in () if bodiless else pieces:
            self._send_data(stream_id, piece)
        if response.trailers:
            self._do(lambda: self._h2.send_headers(stream_id, response.trailers, end_stream=True))
        else:
            self._do(lambda: self._h2.end_stream(stream_id))
        if response.close:
            self.goaway(last_stream_id=stream_id)
            self.end()

    def _send_data(self, stream_id: int, piece: bytes) -> None:
        while piece:
            with self._changed:
                room = 0
                while room <= 0 and not self._gone:
                    room = min(self._h2.local_flow_control_window(stream_id), self._h2.max_outbound_frame_size)
                    if room <= 0:
                        self._changed.wait(WAIT_SEC)
                now, piece = piece[:room], piece[room:]
                self._do(lambda now=now: self._h2.send_data(stream_id, now))  # type: ignore[misc]

    def _do(self, action: Callable[[], object]) -> None:
        with self._changed:
            if self._gone:
                raise ConnectionError("the client is gone")
            action()
            self._out.extend(self._h2.data_to_send() or b"")
            with contextlib.suppress(BlockingIOError):  # then it is awake
                self._wake_writer.send(b"\0")
