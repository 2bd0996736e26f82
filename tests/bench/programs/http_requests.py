"""Measures GET requests a second with small answers: 1.1|2 PORT AUTHORITY COUNT.

HTTP/1.1 goes over 16 connections without TLS, one request at a time on each; HTTP/2 over one connection with TLS that
carries 64 streams at a time.
"""

from __future__ import annotations

import sys
from typing import Any

import rig

from awscrt.http import Http2ClientConnection, HttpClientConnection, HttpHeaders, HttpRequest
from awscrt.io import SocketOptions

CONNECTIONS, STREAMS = 16, 64
PIECES = 5


class Exchange:
    """One request and what came back."""

    def __init__(self, connection: Any, request: HttpRequest) -> None:
        self.size = self.status = 0
        self.stream = connection.request(request, self.on_response, self.on_body)
        self.stream.activate()

    def on_response(self, http_stream: Any, status_code: int, headers: Any, **_: Any) -> None:
        self.status = status_code

    def on_body(self, http_stream: Any, chunk: bytes, **_: Any) -> None:
        self.size += len(chunk)

    def wait(self) -> None:
        self.stream.completion_future.result(rig.SECONDS)
        if (self.status, self.size > 0) != (200, True):
            raise RuntimeError(f"status {self.status}, {self.size} bytes")


def main(version: str, port: int, authority: str, count: int) -> None:
    bootstrap = rig.bootstrap()
    if version == "2":
        kind: Any = Http2ClientConnection
        opened, tls = 1, rig.tls(authority, "h2")
    else:
        kind, opened, tls = HttpClientConnection, CONNECTIONS, None
    opening = [kind.new(rig.HOST, port, bootstrap, SocketOptions(), tls) for _ in range(opened)]
    connections = [future.result(rig.SECONDS) for future in opening]
    ways = connections * (STREAMS // opened) if version == "2" else connections

    def burst(times: int) -> None:
        for _ in range(times):
            for exchange in [Exchange(way, request()) for way in ways]:
                exchange.wait()

    def request() -> HttpRequest:
        return HttpRequest("GET", "/small", HttpHeaders([("Host", "localhost")]))

    burst(2)
    times = count // PIECES // len(ways)
    seconds = rig.clocked(lambda: burst(times), PIECES)
    rig.answer(times * len(ways) / seconds)


main(sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4]))
