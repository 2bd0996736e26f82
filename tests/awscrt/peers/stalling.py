"""Owns servers that take a client to one point of a conversation and leave it there.

Each is made with an event, which it sets when the client has got there.
"""

from __future__ import annotations

import contextlib
import itertools
import socket
import threading
from typing import Any, Callable, Iterator, List

from . import eventstream
from .http1 import Response, read_request
from .http2 import Http2Server
from .tcp import Server, read_all
from .websocket import BINARY, WebSocketServer

PIECE = b"x" * 1000
PAUSE_SEC = 0.002
TOTAL = 1 << 30


class Unreachable(Server):
    """Has no room for another connection, so that a client waits for it to come about (Linux; elsewhere it may come)."""

    def __init__(self, there: threading.Event) -> None:
        super().__init__()
        self._there = there
        self._taken: List[socket.socket] = []

    def __enter__(self) -> Any:
        self._listener = socket.socket()
        self._listener.bind((self.host, 0))
        self._listener.listen(0)
        self.port = self._listener.getsockname()[1]
        for _ in range(8):
            taken = socket.socket()
            taken.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                taken.connect((self.host, self.port))
            self._taken.append(taken)
        self._there.set()
        return self

    def __exit__(self, *exception: object) -> None:
        for taken in (self._listener, *self._taken):
            taken.close()


class Talker(Server):
    """Serves a connection by `talk`, which gets the server too."""

    def __init__(self, talk: Callable[[Any, Talker], object], there: threading.Event, **options: Any) -> None:
        super().__init__(**options)
        self._talk = talk
        self.there = there

    def handle(self, sock: Any) -> None:
        self._talk(sock, self)


def accepts(there: threading.Event, **options: Any) -> Server:
    """Lets the client connect, and says nothing."""

    def talk(sock: Any, server: Talker) -> None:
        there.set()
        read_all(sock)

    return Talker(talk, there, **options)


def listens(there: threading.Event, **options: Any) -> Server:
    """Hears the client's first bytes, and all others, and says nothing."""

    def talk(sock: Any, server: Talker) -> None:
        if sock.recv(1):
            there.set()
            read_all(sock)

    return Talker(talk, there, **options)


def reads_nothing(there: threading.Event, **options: Any) -> Server:
    """Hears the client's first bytes and no other."""

    def talk(sock: Any, server: Talker) -> None:
        if sock.recv(1):
            there.set()
            server.closing.wait()

    return Talker(talk, there, **options)


def pieces(there: threading.Event, closing: threading.Event) -> Iterator[bytes]:
    """Without end, slowly."""
    for count in itertools.count():
        if count == 3:
            there.set()
        yield PIECE
        if closing.wait(PAUSE_SEC):
            return


def drips(there: threading.Event, **options: Any) -> Server:
    """Answers a request by a body that goes on for ever."""

    def talk(sock: Any, server: Talker) -> None:
        with sock.makefile("rb") as stream:
            if read_request(stream) is None:
                return
        sock.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: {TOTAL}\r\n\r\n".encode())
        for piece in pieces(there, server.closing):
            sock.sendall(piece)

    return Talker(talk, there, **options)


def parts_drip(there: threading.Event) -> Server:
    """Gives the first part of an object, and of each other part a body that goes on for ever."""

    def talk(sock: Any, server: Talker) -> None:
        with sock.makefile("rb") as stream:
            for request in iter(lambda: read_request(stream), None):
                first, last = (request.header("range") or "").replace("bytes=", "").split("-")
                size = int(last) - int(first) + 1
                head = f"Content-Range: bytes {first}-{last}/{TOTAL}\r\nContent-Length: {size}\r\n"
                sock.sendall(f'HTTP/1.1 206 Partial Content\r\n{head}ETag: "1"\r\n\r\n'.encode())
                for piece in pieces(there, server.closing) if int(first) else [bytes(size)]:
                    sock.sendall(piece)

    return Talker(talk, there)


def http2_listens(there: threading.Event, **options: Any) -> Server:
    """Hears the head of an HTTP/2 request, takes its body, and never answers."""

    def early(request: Any) -> None:
        there.set()

    return Http2Server(lambda request: None, early=early, **options)


def http2_drips(there: threading.Event, **options: Any) -> Server:
    """Answers an HTTP/2 request by a body that goes on for ever."""
    server = Http2Server(**options)
    server.respond = lambda request: Response(body=pieces(there, server.closing))
    return server


def websocket_listens(there: threading.Event, **options: Any) -> Server:
    """Opens a WebSocket, and says nothing."""

    def converse(connection: Any) -> None:
        there.set()
        read_all(connection.sock)

    return WebSocketServer(converse, **options)


def websocket_drips(there: threading.Event) -> Server:
    """Sends a frame over a WebSocket that goes on for ever."""
    server = WebSocketServer()

    def converse(connection: Any) -> None:
        connection.send(BINARY, length=TOTAL)
        for piece in pieces(there, server.closing):
            connection.send_raw(piece)

    server.converse = converse
    return server


def websocket_reads_nothing(there: threading.Event) -> Server:
    """Opens a WebSocket, and hears nothing."""
    server = WebSocketServer()

    def converse(connection: Any) -> None:
        there.set()
        server.closing.wait()

    server.converse = converse
    return server


def rpc_listens(there: threading.Event) -> Server:
    """Accepts an event-stream connection, and does not answer what comes over a stream."""

    def respond(message: eventstream.Message) -> Any:
        if message.type == eventstream.CONNECT:
            yield from eventstream.answer(message)
        else:
            there.set()

    return eventstream.RpcServer(respond)


def rpc_drips(there: threading.Event) -> Server:
    """Accepts an event-stream connection, and answers over a stream for ever."""
    closing = threading.Event()

    def respond(message: eventstream.Message) -> Any:
        if message.type == eventstream.CONNECT:
            yield from eventstream.answer(message)
            return
        for piece in pieces(there, closing):
            yield message._replace(flags=0, payload=piece, headers=())

    server = eventstream.RpcServer(respond)
    server.closing = closing
    return server
