"""Owns a proxy: it forwards plain requests (RFC 9112, 3.2.2) and opens tunnels (CONNECT, RFC 9110, 9.3.6)."""

from __future__ import annotations

import base64
import contextlib
import http.client
import select
import socket
import ssl
from typing import Any, List, Optional, Tuple
from urllib.parse import urlsplit

from .http1 import Request, Response, read_request, written
from .tcp import CLOSE_TIMEOUT_SEC, Server

ROOM = 65536
WAITING = (ssl.SSLWantReadError, ssl.SSLWantWriteError, BlockingIOError)


class ProxyServer(Server):
    """A proxy, to which clients connect with TLS if `tls` is given.

    Attributes:
        auth: (name, password) that clients must give (Basic, RFC 7617); they get 407 otherwise.
        tunnels (list): "host:port" of each tunnel that was opened.
        forwarded (list): The URI of each request that was forwarded.
        refused (int): How many requests got 407.
        requests (list): All that was asked of the proxy itself.
    """

    def __init__(self, *, auth: Optional[Tuple[str, str]] = None, **options: Any) -> None:
        super().__init__(**options)
        self.auth = auth
        self.tunnels: List[str] = []
        self.forwarded: List[str] = []
        self.refused = 0
        self.requests: List[Request] = []

    def handle(self, sock: Any) -> None:
        with sock.makefile("rb") as stream:
            while not self.closing.is_set():
                request = read_request(stream)
                if request is None:
                    return
                self.requests.append(request)
                if not self._allowed(request):
                    self.refused += 1
                    self._answer(sock, request, Response(407, [("Proxy-Authenticate", 'Basic realm="test"')]))
                elif request.method == "CONNECT":
                    if self._tunnel(sock, request):
                        return
                else:
                    self._answer(sock, request, self._forward(request))

    def _allowed(self, request: Request) -> bool:
        if self.auth is None:
            return True
        wanted = base64.b64encode(":".join(self.auth).encode()).decode()
        return request.header("proxy-authorization") == f"Basic {wanted}"

    def _answer(self, sock: Any, request: Request, response: Response) -> None:
        for piece in written(response, request):
            sock.sendall(piece)

    def _forward(self, request: Request) -> Response:
        uri = urlsplit(request.path)
        if uri.scheme != "http" or uri.hostname is None:
            return Response(400, reason="Bad Request")
        target = (uri.path or "/") + (f"?{uri.query}" if uri.query else "")
        client = http.client.HTTPConnection(uri.hostname, uri.port or 80, timeout=CLOSE_TIMEOUT_SEC)
        with contextlib.closing(client):
            try:
                client.putrequest(request.method, target, skip_host=True, skip_accept_encoding=True)
                for name, value in request.headers:
                    if name.lower() not in ("proxy-authorization", "proxy-connection", "transfer-encoding"):
                        client.putheader(name, value)
                if request.body and not request.header("content-length"):
                    client.putheader("Content-Length", str(len(request.body)))
                client.endheaders(request.body or None)
                answer = client.getresponse()
                body = answer.read()
            except OSError:
                return Response(502, reason="Bad Gateway")
        self.forwarded.append(request.path)
        kept = [(k, v) for k, v in answer.getheaders() if k.lower() not in ("content-length", "transfer-encoding")]
        return Response(answer.status, kept, body, reason=answer.reason)

    def _tunnel(self, sock: Any, request: Request) -> bool:
        host, _, port = request.path.rpartition(":")
        try:
            target = socket.create_connection((host.strip("[]"), int(port)), timeout=CLOSE_TIMEOUT_SEC)
        except OSError:
            self._answer(sock, request, Response(502, reason="Bad Gateway"))
            return False
        with target:
            self.tunnels.append(request.path)
            sock.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            relay(sock, target)
        return True


def relay(left: Any, right: Any) -> None:
    """Carry bytes both ways between two sockets, TLS or not, until either of them ends."""
    waiting = {left: bytearray(), right: bytearray()}  # what is to be sent to each
    other = {left: right, right: left}
    for sock in waiting:
        sock.setblocking(False)
    ended: List[Any] = []
    while not ended or waiting[other[ended[0]]]:
        writers = [sock for sock, data in waiting.items() if data]
        readers = [] if ended else [sock for sock in waiting if len(waiting[other[sock]]) < ROOM]
        readable, writable, _ = select.select(readers, writers, [], CLOSE_TIMEOUT_SEC)
        ended += [sock for sock in readable if not _pull(sock, waiting[other[sock]])]
        for sock in writable:
            with contextlib.suppress(*WAITING):
                del waiting[sock][: sock.send(bytes(waiting[sock][:16384]))]


def _pull(sock: Any, into: bytearray) -> bool:
    """Read all that there is, which for TLS may be more than the socket shows; False at the end."""
    try:
        while True:
            data = sock.recv(ROOM)
            if not data:
                return False
            into += data
    except WAITING:
        return True
    except ConnectionError:
        return False
