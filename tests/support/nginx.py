"""Owns a real nginx on loopback: HTTP/1.1, HTTP/2, TLS of one version or both, files, and what tests want to be told."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from . import debian

_CONFIGURATION = """\
{user}daemon off;
worker_processes 1;
worker_rlimit_nofile 8192;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    default_type application/octet-stream;
    types {{ }}
    sendfile on;
    tcp_nodelay on;
    keepalive_requests 100000000;
    keepalive_timeout 600s;
    http2_max_concurrent_streams {streams};
    client_max_body_size 0;
    client_body_buffer_size 64k;
    client_body_temp_path {folder}/temporary;
    proxy_temp_path {folder}/temporary;
    fastcgi_temp_path {folder}/temporary;
    uwsgi_temp_path {folder}/temporary;
    scgi_temp_path {folder}/temporary;
    ssl_certificate {folder}/certificate.pem;
    ssl_certificate_key {folder}/key.pem;
{servers}
}}
"""

_SERVER = """\
    server {{
        listen 127.0.0.1:{port}{options};
{directives}
        root {folder}/files;
        location = /small {{ return 200 "{small}"; }}
        location = /about {{ return 200 "$server_protocol $ssl_protocol $http2 $connection $connection_requests"; }}
        location /discard {{ return 200; }}
        location /slow/ {{ alias {folder}/files/; limit_rate 64k; sendfile_max_chunk 16k; }}
        location /stored/ {{ dav_methods PUT DELETE; create_full_put_path on; }}
        location /bucket/ {{
            set $step "";
            if ($arg_uploadId) {{ set $step "${{request_method}}"; }}
            if ($step = POST) {{ return 200 '{completed}'; }}
            if ($request_method = POST) {{ return 200 '{initiated}'; }}
            if ($request_method = PUT) {{ add_header ETag '"0"'; return 200; }}
            alias {folder}/files/;
        }}
    }}
"""

STREAMS = 256
SMALL = "nginx on loopback"
# What a client of S3 waits for in CreateMultipartUpload and CompleteMultipartUpload.
_INITIATED = "<InitiateMultipartUploadResult><UploadId>1</UploadId></InitiateMultipartUploadResult>"
_COMPLETED = "<CompleteMultipartUploadResult><ETag>0</ETag></CompleteMultipartUploadResult>"

_KINDS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "plain": ("", ()),
    "tls": (" ssl http2", ("ssl_protocols TLSv1.2 TLSv1.3;",)),
    # No resumption: each connection pays for a whole handshake.
    "tls12": (" ssl http2", ("ssl_protocols TLSv1.2;", "ssl_session_tickets off;", "ssl_session_cache off;")),
    "tls13": (" ssl http2", ("ssl_protocols TLSv1.3;",)),
}

_STARTING_SECONDS = 20.0
_ENDING_SECONDS = 5.0
_BACKLOG = 1024


@dataclass(frozen=True)
class Ports:
    """Where it listens on 127.0.0.1: without TLS, with any version of TLS, with one."""

    plain: int
    tls: int
    tls12: int
    tls13: int


class Nginx:
    """A server while its `with` lasts; `files` is what it serves below `/` and `/bucket/`.

    `folder` is for it alone. `/small`, `/about` (protocol, TLS version, h2, connection, request of the connection),
    `/discard` (takes any body), `/slow/FILE` (64 kB/s), `/stored/…` (keeps what is PUT), `/bucket/…` (answers as S3 does).

    Raises:
        debian.UnavailableError: there is no nginx to be had.
    """

    def __init__(self, folder: Path, certificate: bytes, key: bytes, *, programs: Path) -> None:
        self.folder = folder.absolute()
        self._program = debian.obtain("nginx", "nginx", programs)
        self.files = self.folder / "files"
        self.files.mkdir(parents=True)
        (self.folder / "temporary").mkdir()
        (self.folder / "certificate.pem").write_bytes(certificate)
        (self.folder / "key.pem").write_bytes(key)

    def __enter__(self) -> Nginx:  # noqa: PYI034 - Self is newer than the oldest Python
        sockets = {kind: self._listen() for kind in _KINDS}
        self.ports = Ports(**{kind: each.getsockname()[1] for kind, each in sockets.items()})
        (self.folder / "nginx.conf").write_text(self._configuration(), encoding="utf-8")
        descriptors = [each.fileno() for each in sockets.values()]
        # It takes over listening sockets as if from an nginx that it replaces: so the system can choose the ports.
        environment = {**os.environ, **self._program.variables, "NGINX": "".join(f"{fd};" for fd in descriptors)}
        log = self.folder / "error.log"
        with log.open("wb") as stream:
            self._process = subprocess.Popen(
                [self._program.path, "-p", self.folder, "-c", "nginx.conf", "-e", log],
                env=environment,
                pass_fds=descriptors,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=stream,
            )
        for each in sockets.values():
            each.close()
        try:
            self._wait()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(_ENDING_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    @property
    def log(self) -> str:
        return (self.folder / "error.log").read_text(encoding="utf-8", errors="replace")

    def _configuration(self) -> str:
        servers = [
            _SERVER.format(
                folder=self.folder,
                port=getattr(self.ports, kind),
                options=options,
                directives="".join(f"        {line}\n" for line in directives).rstrip("\n"),
                small=SMALL,
                initiated=_INITIATED,
                completed=_COMPLETED,
            )
            for kind, (options, directives) in _KINDS.items()
        ]
        # Started by root it would leave root, and its folder with that.
        user = "user root root;\n" if os.geteuid() == 0 else ""
        return _CONFIGURATION.format(user=user, streams=STREAMS, folder=self.folder, servers="".join(servers))

    @staticmethod
    def _listen() -> socket.socket:
        opened = socket.socket()
        opened.bind(("127.0.0.1", 0))
        opened.listen(_BACKLOG)
        return opened

    def _wait(self) -> None:
        """Until a request is answered: the port accepts from the start, the server needs a moment."""
        end = time.monotonic() + _STARTING_SECONDS
        while True:
            try:
                with socket.create_connection(("127.0.0.1", self.ports.plain), timeout=1.0) as peer:
                    peer.sendall(b"GET /small HTTP/1.0\r\n\r\n")
                    if peer.recv(12):
                        return
            except OSError:
                pass
            if self._process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"nginx did not start (exit {self._process.poll()}):\n{self.log}")
