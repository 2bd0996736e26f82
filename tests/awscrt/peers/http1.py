"""Owns an HTTP/1.1 server (RFC 9112) that records what it is asked, and one that says any bytes that a test wants."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any, Callable, Iterable, Iterator, List, Optional, Tuple, Union

from .tcp import Server, read_all, reset

Headers = List[Tuple[str, str]]


@dataclass
class Request:
    method: str
    path: str
    headers: Headers = field(default_factory=list)
    body: bytes = b""
    trailers: Headers = field(default_factory=list)
    version: str = "HTTP/1.1"

    def header(self, name: str, default: Optional[str] = None) -> Optional[str]:
        """The first value of a header, whatever its case."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), default)


@dataclass
class Response:
    """What to answer.

    A body may come piece by piece from an iterable, at its pace; each piece is a chunk if `chunked`, and with neither
    `chunked` nor a Content-Length among the headers the body ends with the connection.
    """

    status: int = 200
    headers: Headers = field(default_factory=list)
    body: Union[bytes, Iterable[bytes]] = b""
    chunked: bool = False
    trailers: Headers = field(default_factory=list)
    close: bool = False
    reason: str = "OK"

    def has(self, name: str) -> bool:
        return any(key.lower() == name for key, _ in self.headers)

    @property
    def bodiless(self) -> bool:
        return self.status < 200 or self.status in (204, 304)


def echo(request: Request) -> Response:
    return Response(body=request.body)


class Http1Server(Server):
    """Answers by `respond`, which is called on the thread of the connection; `requests` are those read so far."""

    def __init__(self, respond: Callable[[Request], Response] = echo, **options: Any) -> None:
        super().__init__(**options)
        self.respond = respond
        self.requests: List[Request] = []

    def handle(self, sock: Any) -> None:
        with sock.makefile("rb") as stream:
            while not self.closing.is_set():
                request = read_request(stream)
                if request is None:
                    return
                self.requests.append(request)
                response = self.respond(request)
                for piece in written(response, request):
                    sock.sendall(piece)
                if ends_connection(response, request):
                    return


def ends_connection(response: Response, request: Request) -> bool:
    endless = not (
        isinstance(response.body, bytes) or response.chunked or response.has("content-length") or response.bodiless
    )
    asked = (request.header("connection") or "").lower()
    return response.close or endless or asked == "close" or (request.version == "HTTP/1.0" and asked != "keep-alive")


def read_request(stream: Any) -> Optional[Request]:
    """The next request of a connection, None where it ends; ValueError for what is none."""
    line = stream.readline()
    if not line:
        return None
    method, path, version = _text(line).split(" ")
    if not version.startswith("HTTP/1."):
        raise ValueError(f"not a request: {line!r}")
    request = Request(method, path, _read_fields(stream), version=version)
    if (request.header("transfer-encoding") or "").lower() == "chunked":
        request.body = b"".join(_read_chunks(stream))
        request.trailers = _read_fields(stream)
    else:
        request.body = _read_exactly(stream, int(request.header("content-length", "0") or 0))
    return request


def _text(line: bytes) -> str:
    if not line.endswith(b"\r\n"):
        raise ConnectionError(f"the line is cut: {line!r}")
    return line[:-2].decode("latin-1")


def _read_fields(stream: Any) -> Headers:
    fields: Headers = []
    while True:
        line = _text(stream.readline())
        if not line:
            return fields
        name, colon, value = line.partition(":")
        if not colon or name != name.strip():
            raise ValueError(f"not a header: {line!r}")
        fields.append((name, value.strip(" \t")))


def _read_chunks(stream: Any) -> Iterator[bytes]:
    while True:
        size = int(_text(stream.readline()).partition(";")[0], 16)
        if size == 0:
            return
        yield _read_exactly(stream, size)
        if _text(stream.readline()):
            raise ValueError("a chunk is longer than it says")


def _read_exactly(stream: Any, size: int) -> bytes:
    body: bytes = stream.read(size)
    if len(body) < size:
        raise ConnectionError(f"the body ends after {len(body)} of {size} bytes")
    return body


def written(response: Response, request: Request) -> Iterator[bytes]:
    """A response as it goes over the wire, piece by piece."""
    headers = list(response.headers)
    if response.chunked:
        headers.append(("Transfer-Encoding", "chunked"))
    elif isinstance(response.body, bytes) and not response.has("content-length") and not response.bodiless:
        headers.append(("Content-Length", str(len(response.body))))
    if ends_connection(response, request) and not response.has("connection"):
        headers.append(("Connection", "close"))
    head = f"HTTP/1.1 {response.status} {response.reason}\r\n".encode("latin-1") + _fields(headers) + b"\r\n"
    if request.method == "HEAD" or response.bodiless:
        yield head
        return
    pieces = [response.body] if isinstance(response.body, bytes) else response.body
    if not response.chunked and isinstance(response.body, bytes):
        yield head + response.body
        return
    yield head
    for piece in pieces:
        if piece:  # an empty chunk would be the last one
            yield b"%x\r\n%b\r\n" % (len(piece), piece) if response.chunked else piece
    if response.chunked:
        yield b"0\r\n" + _fields(response.trailers) + b"\r\n"


def _fields(headers: Headers) -> bytes:
    return "".join(f"{name}: {value}\r\n" for name, value in headers).encode("latin-1")


READ = "read"
"""Step: read a request."""

CLOSE = "close"
"""Step: close in good order, which also happens after the last step."""

RESET = "reset"
"""Step: reset the connection."""

HANG = "hang"
"""Step: say nothing until the other side, or the server, closes."""


class Script:
    """A handler for `tcp.Server` that takes the same steps on every connection; see `scripted`."""

    def __init__(self, steps: Tuple[Any, ...]) -> None:
        self._steps = steps
        self.requests: List[Request] = []

    def __call__(self, sock: Any) -> None:
        with sock.makefile("rb") as stream:
            for step in self._steps:
                if step == CLOSE:
                    return
                if step == RESET:
                    reset(sock)
                    return
                self._take(step, sock, stream)

    def _take(self, step: Any, sock: Any, stream: Any) -> None:
        if isinstance(step, bytes):
            sock.sendall(step)
        elif step == READ:
            request = read_request(stream)
            if request is not None:
                self.requests.append(request)
        elif step == HANG:
            read_all(sock)
        elif callable(step):
            step(sock)
        else:
            time.sleep(step)


def scripted(*steps: Union[bytes, str, float, Callable[[Any], object]]) -> Script:
    """A handler for `tcp.Server`. Steps are bytes to send, seconds to wait, READ, CLOSE, RESET, HANG, or a callable."""
    return Script(steps)
