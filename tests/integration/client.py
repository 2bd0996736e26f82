"""Owns the client that tests of HTTP share: its TLS, its connections, a request and what came back for it."""

from __future__ import annotations

import concurrent.futures
import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from awscrt.http import Http2ClientConnection, HttpClientConnection, HttpHeaders, HttpRequest
from awscrt.io import (
    ClientBootstrap,
    ClientTlsContext,
    SocketOptions,
    TlsConnectionOptions,
    TlsContextOptions,
    TlsVersion,
)

SECONDS = 60.0


@dataclass(frozen=True)
class Certificates:
    """An authority as a file, and what it issued to localhost and 127.0.0.1."""

    authority: Path
    chain: bytes
    key: bytes


class TlsMaker:
    """Makes the client's side of TLS, which trusts the tests' authority."""

    def __init__(self, authority: Path) -> None:
        self._authority = str(authority)

    def __call__(
        self, *protocols: str, minimum: TlsVersion = TlsVersion.DEFAULT, host: str = "localhost"
    ) -> TlsConnectionOptions:
        options = TlsContextOptions()
        options.override_default_trust_store_from_path(None, self._authority)
        options.min_tls_ver = minimum
        made = ClientTlsContext(options).new_connection_options()
        made.set_server_name(host)
        if protocols:
            made.set_alpn_list(list(protocols))
        return made


def connect(
    port: int,
    bootstrap: ClientBootstrap,
    tls: TlsConnectionOptions | None = None,
    *,
    http2: bool = False,
    **more: Any,
) -> Any:
    """An open connection to 127.0.0.1."""
    kind = Http2ClientConnection if http2 else HttpClientConnection
    return kind.new("127.0.0.1", port, bootstrap, SocketOptions(), tls, **more).result(SECONDS)


class Exchange:
    """A request that was sent; `body` is what came until now."""

    def __init__(
        self,
        connection: Any,
        path: str,
        *,
        method: str = "GET",
        body: bytes | None = None,
        headers: Iterable[tuple[str, str]] = (),
    ) -> None:
        fields = [("Host", "localhost"), *headers]
        fields += [("Content-Length", str(len(body)))] if body is not None else []
        request = HttpRequest(method, path, HttpHeaders(fields), None if body is None else io.BytesIO(body))
        self.status = 0
        self.headers: dict[str, str] = {}
        self._pieces: list[bytes] = []
        self.stream = connection.request(request, self._on_response, self._on_body)
        self.stream.activate()

    def _on_response(self, http_stream: Any, status_code: int, headers: Any, **_: Any) -> None:
        self.status = status_code
        self.headers = {name.lower(): value for name, value in headers}

    def _on_body(self, http_stream: Any, chunk: bytes, **_: Any) -> None:
        self._pieces.append(chunk)

    @property
    def body(self) -> bytes:
        return b"".join(self._pieces)

    @property
    def future(self) -> concurrent.futures.Future[int]:
        found: concurrent.futures.Future[int] = self.stream.completion_future
        return found

    def wait(self, seconds: float = SECONDS) -> Exchange:
        assert self.future.result(seconds) == self.status
        return self
