"""Owns what the tests of fetching share: tar archives made field by field, and web servers that behave as they are told."""

from __future__ import annotations

import gzip
import hashlib
import http.server
import io
import lzma
import os
import socket
import socketserver
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from build_config.fetch import settings
from build_config.fetch.web import Client, Patience
from build_config.model import Archive, Source
from build_config.store import Store

TOP = "pack-1.0"
ONE = "53d912a5e96195e8f30fa45d0c958949e5679319c5b1fede1d802096eacb5d48"
TWO = "8f9989fa3a087bf8b8d72836797d90d99b906484075e44f4ca7fb84fa904ea49"


class Tar:
    """A tar archive, written header by header, so that any of them can be wrong."""

    def __init__(self) -> None:
        self.blocks: list[bytes] = []

    def entry(
        self,
        name: str | bytes,
        data: bytes = b"",
        *,
        type: bytes = b"0",  # noqa: A002 - the field's name
        mode: int = 0o644,
        size: int | None = None,
        link: str | bytes = "",
        magic: bytes = b"ustar\x0000",
        fields: dict[int, bytes] | None = None,
    ) -> Tar:
        """Add an entry; `fields` puts bytes at offsets of its header, the checksum made to fit."""
        header = bytearray(512)
        where = {
            0: _bytes(name),
            100: b"%07o\0" % mode,
            108: b"0000000\0",
            116: b"0000000\0",
            124: b"%011o\0" % (len(data) if size is None else size),
            136: b"00000000000\0",
            148: b" " * 8,
            156: type,
            157: _bytes(link),
            257: magic,
            **(fields or {}),
        }
        for offset, value in where.items():
            header[offset : offset + len(value)] = value
        header[148:156] = b"%06o\0 " % sum(header)
        assert len(header) == 512, "a field is too long for its header"
        self.blocks.append(bytes(header) + data + bytes(-len(data) % 512))
        return self

    def folder(self, name: str, mode: int = 0o755) -> Tar:
        return self.entry(f"{name}/", type=b"5", mode=mode)

    def symlink(self, name: str, target: str) -> Tar:
        return self.entry(name, type=b"2", link=target, mode=0o777)

    def pax(self, records: dict[str, str | bytes], type: bytes = b"x") -> Tar:  # noqa: A002
        return self.entry("pax", b"".join(map(_record, records.items())), type=type)

    def gnu(self, name: str, type: bytes = b"L") -> Tar:  # noqa: A002
        return self.entry("././@LongLink", name.encode() + b"\0", type=type, magic=b"ustar  \0")

    def long_file(self, name: str, data: bytes = b"") -> Tar:
        return self.pax({"path": name}).entry("short", data)

    @property
    def plain(self) -> bytes:
        return b"".join(self.blocks) + bytes(1024)

    def write(self, path: Path, pack: Callable[[bytes], bytes] | None = None) -> Path:
        """The archive as a file, compressed as its name says."""
        suffixes = {".gz": lambda data: gzip.compress(data, mtime=0), ".xz": lzma.compress, ".tar": bytes}
        path.write_bytes((pack or suffixes[path.suffix])(self.plain))
        return path


def _bytes(text: str | bytes) -> bytes:
    return text.encode() if isinstance(text, str) else text


def _record(item: tuple[str, str | bytes]) -> bytes:
    rest = b" %b=%b\n" % (item[0].encode(), _bytes(item[1]))
    length = len(rest)
    while length != len(rest) + len(str(length)):
        length = len(rest) + len(str(length))
    return str(length).encode() + rest


@pytest.fixture
def tar() -> Tar:
    return Tar()


@pytest.fixture
def good(tar: Tar) -> Tar:
    """An archive with two libraries and much else."""
    tar.folder(TOP).folder(f"{TOP}/crt").folder(f"{TOP}/crt/one").entry(f"{TOP}/crt/one/LICENSE", b"free\n")
    tar.entry(f"{TOP}/crt/one/source/a.c", b"int a;\n" * 1000).entry(f"{TOP}/crt/one/run.sh", b"#!\n", mode=0o755)
    tar.folder(f"{TOP}/crt/one/empty").entry(f"{TOP}/crt/one/VERSION", b"1.2.3\n")
    tar.entry(f"{TOP}/crt/two/CMakeLists.txt", b'set(SOFTWARE_VERSION "5.9.0")\n').symlink(
        f"{TOP}/crt/two/doc", "CMakeLists.txt"
    )
    return tar.entry(f"{TOP}/setup.py", b"raise SystemExit('never run')\n")


Handler = http.server.BaseHTTPRequestHandler
Answer = Callable[[Handler], None]


class Site:
    """A web server: `answers` has what a path does, `requests` what came in, in order."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.answers: dict[str, Answer] = {}
        self.requests: list[tuple[str, dict[str, str]]] = []
        site = self

        class Inner(Handler):
            def do_GET(self) -> None:
                site.requests.append((self.path, {k.lower(): v for k, v in self.headers.items()}))
                answer = site.answers.get(self.path, status(404))
                with suppress(ConnectionError, ssl.SSLError, TimeoutError):
                    answer(self)

            def log_message(self, *_: object) -> None: ...

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: object) -> None: ...

        self.server = Server(("127.0.0.1", 0), Inner)
        if tls is not None:
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.port = self.server.server_address[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self.server.serve_forever, args=(0.02,))
        self._thread.start()

    def paths(self) -> list[str]:
        return [path for path, _ in self.requests]

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self._thread.join()


def status(code: int, headers: dict[str, str] | None = None, body: bytes = b"") -> Answer:
    """An answer with this status."""

    def answer(handler: Handler) -> None:
        handler.send_response(code)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def serve(body: bytes, kind: str = "application/octet-stream") -> Answer:
    return status(200, {"Content-Type": kind}, body)


def in_turn(*answers: Answer) -> Answer:
    """Each answer once, the last for ever."""
    left = list(answers)

    def answer(handler: Handler) -> None:
        now = left.pop(0) if len(left) > 1 else left[0]
        now(handler)

    return answer


def cut(body: bytes, at: int, headers: dict[str, str] | None = None) -> Answer:
    """A body that breaks off."""

    def answer(handler: Handler) -> None:
        handler.send_response(200)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body[:at])
        handler.wfile.flush()
        handler.connection.shutdown(socket.SHUT_RDWR)

    return answer


def ranged(body: bytes, etag: str = "", first_cut: int | None = None) -> Answer:
    """A server that resumes; the first answer breaks off at `first_cut`."""
    cuts = [] if first_cut is None else [first_cut]

    def answer(handler: Handler) -> None:
        start = 0
        wanted = handler.headers.get("Range", "")
        if wanted and handler.headers.get("If-Range", etag) == etag:
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
        handler.send_response(206 if start else 200)
        if start:
            handler.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        if etag:
            handler.send_header("ETag", etag)
        handler.send_header("Content-Length", str(len(body) - start))
        handler.end_headers()
        handler.wfile.write(body[start : cuts[0] if cuts else None])
        handler.wfile.flush()
        if cuts:
            cuts.clear()
            handler.connection.shutdown(socket.SHUT_RDWR)

    return answer


def drip(seconds: float = 0.05) -> Answer:
    """One byte at a time, without end."""

    def answer(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000000")
        handler.end_headers()
        while True:
            handler.wfile.write(b"x")
            handler.wfile.flush()
            time.sleep(seconds)

    return answer


class Answers:
    """The answers above, for tests to choose from."""

    status = staticmethod(status)
    serve = staticmethod(serve)
    in_turn = staticmethod(in_turn)
    cut = staticmethod(cut)
    ranged = staticmethod(ranged)
    drip = staticmethod(drip)


@pytest.fixture
def answers() -> type[Answers]:
    return Answers


@pytest.fixture
def site() -> Iterator[Site]:
    made = Site()
    yield made
    made.close()


@pytest.fixture
def other_site() -> Iterator[Site]:
    made = Site()
    yield made
    made.close()


@pytest.fixture
def tls_sites() -> Iterator[Callable[[ssl.SSLContext], Site]]:
    """Makes servers that speak TLS."""
    made: list[Site] = []

    def make(context: ssl.SSLContext) -> Site:
        made.append(Site(context))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def raw_server() -> Iterator[Callable[[Callable[[socket.socket], None]], int]]:
    """Makes TCP servers out of functions of a connection; their port."""
    servers: list[tuple[socketserver.ThreadingTCPServer, threading.Thread]] = []

    def make(serve_one: Callable[[socket.socket], None]) -> int:
        class One(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                with suppress(OSError):
                    serve_one(self.request)

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            allow_reuse_address = True

            def handle_error(self, *_: object) -> None: ...

        server = Server(("127.0.0.1", 0), One)
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        servers.append((server, thread))
        return int(server.server_address[1])

    yield make
    for server, thread in servers:
        server.shutdown()
        server.server_close()
        thread.join()


class Pauses:
    """Stands for sleeping: remembers how long."""

    def __init__(self) -> None:
        self.taken: list[float] = []

    def __call__(self, seconds: float) -> None:
        self.taken.append(seconds)


@pytest.fixture
def pauses() -> Pauses:
    return Pauses()


@pytest.fixture
def patience(pauses: Pauses) -> Patience:
    return Patience(sleep=pauses, total=30.0)


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """An environment in which nobody has configured pip."""
    home = tmp_path / "home"
    home.mkdir()
    return {"HOME": str(home), "PIP_CONFIG_FILE": os.devnull, "PIP_TIMEOUT": "5", "PATH": os.environ["PATH"]}


@pytest.fixture
def client(environment: dict[str, str], patience: Patience, tmp_path: Path) -> Callable[..., Client]:
    """Makes a client of an environment with these variables added."""

    def make(patience: Patience = patience, **variables: str) -> Client:
        return Client(settings.load({**environment, **variables}, prefix=tmp_path), patience)

    return make


@pytest.fixture
def body() -> bytes:
    return bytes(range(256)) * 1024


def pin_of(data: bytes, filename: str = f"{TOP}.tar.gz") -> Archive:
    return Archive("pack", "1.0", filename, len(data), hashlib.sha256(data).hexdigest())


@pytest.fixture
def pin() -> Callable[..., Archive]:
    return pin_of


@pytest.fixture
def packed(good: Tar) -> bytes:
    """The good archive's bytes."""
    sink = io.BytesIO()
    with gzip.GzipFile(fileobj=sink, mode="wb", mtime=0) as stream:
        stream.write(good.plain)
    return sink.getvalue()


@pytest.fixture
def sources(packed: bytes) -> tuple[Source, ...]:
    """The good archive's libraries; the digests are written down here, so that a change of their definition shows."""
    archive = pin_of(packed)
    trees = {"one": ONE, "two": TWO}
    return tuple(Source(name, "1", tree, f"crt/{name}", archive, None) for name, tree in trees.items())


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "store") as made:
        yield made
