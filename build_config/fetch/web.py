"""Owns the GET over HTTP: with pip's proxy, certificates and logins, tried a few times, never late."""

from __future__ import annotations

import contextlib
import email.utils
import http.client
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self, TypeVar
from urllib.parse import urljoin

from build_config.errors import MachineError, UsageError

from .address import Address, authorization, bypasses_proxy, shown, stored_login
from .settings import Settings

_T = TypeVar("_T")
_PIECE = 1 << 16
_LONGEST_HEAD = 1 << 16
_MOST_REDIRECTS = 10
_REDIRECTS = frozenset((301, 302, 303, 307, 308))
_PASSING = frozenset((408, 425, 429, 500, 502, 503, 504))


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to go on; all but `tries` in seconds. `total` spans everything that one `Client` does."""

    tries: int = 3
    first_pause: float = 1.0
    longest_pause: float = 30.0
    total: float = 1800.0
    sleep: Callable[[float], None] = time.sleep


class GetError(Exception):
    """A GET that came to nothing: why, whether it may go better `again`, and no sooner than `after` seconds.

    `cut` says that the answer had begun and broke off.
    """

    def __init__(self, why: str, *, again: bool, after: float = 0.0, cut: bool = False) -> None:
        super().__init__(why)
        self.again = again
        self.after = after
        self.cut = cut


class Response:
    """An answer whose body is being read."""

    def __init__(self, raw: http.client.HTTPResponse, url: str, check: Callable[[], None]) -> None:
        self.status = raw.status
        self.url = url
        self._raw = raw
        self._check = check
        self._left = raw.length

    def header(self, name: str) -> str:
        return self._raw.headers.get(name, "")

    def read(self) -> bytes:
        """What has arrived, up to a piece; nothing at the body's end.

        Raises:
            GetError: the body broke off.
            MachineError: the time is over.
        """
        with _translated(self._check, reading=True):
            piece = self._raw.read1(_PIECE)
        self._check()
        if self._left is not None:
            self._left -= len(piece)
            if not piece and self._left:
                raise GetError(f"it ended {self._left} bytes early", again=True, cut=True)
        return piece

    @property
    def has_known_end(self) -> bool:
        """Whether an end of the body can be told from a connection that broke."""
        return self._raw.chunked or self._raw.length is not None

    def expect(self, *statuses: int) -> None:
        """Raise GetError for another status than these."""
        if self.status not in statuses:
            reason = f"the server answers {self.status} {self._raw.reason[:80]}".rstrip()
            raise GetError(reason, again=self.status in _PASSING, after=_retry_after(self.header("Retry-After")))


class Client:
    """GETs of one undertaking, which all end before its deadline; for one thread."""

    def __init__(self, settings: Settings, patience: Patience) -> None:
        self.settings = settings
        self._patience = patience
        self._end = time.monotonic() + patience.total

    def check(self) -> None:
        """Raise MachineError when the time is over."""
        if time.monotonic() >= self._end:
            raise MachineError(
                f"the download took longer than {self._patience.total:g} s",
                hint="run the same command again: what was received is kept and the rest is asked for",
            )

    def attempt(self, action: Callable[[], _T]) -> _T:
        """What `action` returns, called again after a pause, that doubles, for each GetError that may pass.

        Raises:
            GetError: the last one.
            MachineError: the time is over.
        """
        pause = self._patience.first_pause
        for _ in range(self._patience.tries - 1):
            try:
                return action()
            except GetError as failure:
                if not failure.again:
                    raise
                self.check()
                wait = min(max(pause, failure.after), self._patience.longest_pause)
                self._patience.sleep(min(wait, max(0.0, self._end - time.monotonic())))
                self.check()
                pause *= 2
        return action()

    @contextlib.contextmanager
    def get(self, url: str, headers: Mapping[str, str]) -> Iterator[Response]:
        """The answer to a GET, redirects followed; a password goes only to the host that it is for.

        Raises:
            GetError: there is no answer.
            MachineError: the time is over, or a certificate file cannot be read.
        """
        for _ in range(_MOST_REDIRECTS):
            with self._exchange(url, headers) as response:
                if response.status not in _REDIRECTS or not response.header("Location"):
                    yield response
                    return
                url = self._redirected(url, response.header("Location"))
        raise GetError("it redirects without end", again=False)

    def _redirected(self, url: str, location: str) -> str:
        try:
            there = urljoin(url, location)
        except ValueError:
            raise GetError("it redirects to what is not a URL", again=False) from None
        before, after = _address(url), _address(there)
        if before.scheme == "https" and after.scheme == "http" and not after.is_among(self.settings.trusted_hosts):
            raise GetError(f"it redirects to the unencrypted {shown(there)}", again=False)
        return there

    @contextlib.contextmanager
    def _exchange(self, url: str, headers: Mapping[str, str]) -> Iterator[Response]:
        self.check()
        address = _address(url)
        with contextlib.ExitStack() as stack:
            with _translated(self.check):
                sock, absolute = self._connected(address, stack)
                connection = http.client.HTTPConnection(address.host, address.port)
                connection.sock = sock
                target = f"{address.scheme}://{address.netloc}{address.target}" if absolute else address.target
                connection.request("GET", target, headers={**self._headers(address, absolute=absolute), **headers})
                raw = stack.enter_context(connection.getresponse())
            yield Response(raw, url, self.check)

    def _headers(self, address: Address, *, absolute: bool) -> dict[str, str]:
        headers = {"Accept-Encoding": "identity", "Connection": "close", "User-Agent": "build_config"}
        login = stored_login(address, (*self.settings.indexes, *self.settings.find_links), self.settings.netrc)
        if login:
            headers["Authorization"] = authorization(login)
        if absolute and (proxy := self._proxy(address)) is not None and proxy.login:
            headers["Proxy-Authorization"] = authorization(proxy.login)
        return headers

    def _connected(self, address: Address, stack: contextlib.ExitStack) -> tuple[socket.socket, bool]:
        """A socket to the host, and whether what speaks there is a proxy that wants whole URLs."""
        proxy = self._proxy(address)
        next_hop = proxy or address
        timeout = min(self.settings.timeout, self._end - time.monotonic())
        sock = socket.create_connection((next_hop.host, next_hop.port), timeout=max(timeout, 0.001))
        guard = stack.enter_context(_Guard(self._end - time.monotonic()))
        guard.watch(stack.enter_context(sock))
        if address.scheme != "https":
            return sock, proxy is not None
        if proxy is not None:
            _open_tunnel(sock, address, proxy.login)
        # The handshake apart, so that the guard has the socket before it.
        trusted = address.is_among(self.settings.trusted_hosts)
        context = _tls(self.settings.cert, self.settings.client_cert, trusted=trusted)
        secure = context.wrap_socket(sock, server_hostname=address.host, do_handshake_on_connect=False)
        guard.watch(stack.enter_context(secure))
        secure.do_handshake()
        return secure, False

    def _proxy(self, address: Address) -> Address | None:
        said = self.settings.proxy
        if not said:
            table = dict(self.settings.proxies)
            if not bypasses_proxy(address, table.get("no_proxy", "")):
                said = table.get(f"{address.scheme}_proxy") or table.get("all_proxy", "")
        if not said:
            return None
        proxy = _address(said if "://" in said else f"http://{said}", "the proxy")
        if proxy.scheme != "http":
            raise GetError("the proxy has the scheme 'https': only http is known here", again=False)
        return proxy


class _Guard:
    """Ends a connection when the time is over, whatever it is waiting for."""

    def __init__(self, seconds: float) -> None:
        self._socket: socket.socket | None = None
        self._timer = threading.Timer(max(seconds, 0.0), self._fire)
        self._timer.daemon = True

    def watch(self, sock: socket.socket) -> None:
        self._socket = sock

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()

    def _fire(self) -> None:
        if self._socket is not None:
            with contextlib.suppress(OSError):
                # Not the method of a TLS socket, which would take its state from under a reader.
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)


@contextlib.contextmanager
def _translated(check: Callable[[], None], *, reading: bool = False) -> Iterator[None]:
    """Network errors as GetError, or as the deadline's error where that is what ended it."""
    try:
        yield
    except ssl.SSLCertVerificationError as cause:
        why = f"its certificate is not trusted ({cause.verify_message}); pip's option cert names the authorities"
        raise GetError(why, again=False) from cause
    except (OSError, http.client.HTTPException) as cause:
        check()
        if isinstance(cause, TimeoutError):
            raise GetError("it did not answer in time", again=True) from cause
        why = getattr(cause, "strerror", None) or type(cause).__name__
        raise GetError(f"the connection failed ({why})", again=True, cut=reading) from cause


def _address(url: str, what: str = "it") -> Address:
    try:
        return Address.of(url)
    except ValueError as cause:
        raise GetError(f"{what} {cause}", again=False) from None


def _open_tunnel(sock: socket.socket, address: Address, login: str) -> None:
    """Ask an HTTP proxy for a way through (RFC 9110, 9.3.6)."""
    lines = [f"CONNECT {address.netloc} HTTP/1.1", f"Host: {address.netloc}"]
    if login:
        lines.append(f"Proxy-Authorization: {authorization(login)}")
    sock.sendall("\r\n".join([*lines, "", ""]).encode())
    head = bytearray()
    while not head.endswith(b"\r\n\r\n"):
        # Byte by byte: what follows the head is the host's, not ours to take.
        byte = sock.recv(1)
        if not byte or len(head) > _LONGEST_HEAD:
            raise GetError("the proxy does not answer as one", again=True)
        head += byte
    status = head.split(maxsplit=2)[1:2]
    if status != [b"200"]:
        said = b"".join(status).decode(errors="replace")[:3]
        raise GetError(f"the proxy answers {said}", again=said.isdecimal() and int(said) in _PASSING)


def _tls(cert: str, client_cert: str, *, trusted: bool) -> ssl.SSLContext:
    try:
        folder = bool(cert) and Path(cert).is_dir()
        context = ssl.create_default_context(
            cafile=cert if cert and not folder else None, capath=cert if folder else None
        )
    except OSError as cause:
        raise UsageError(f"cannot be read: {cause.strerror}", subject=cert, hint="correct pip's option cert") from cause
    if client_cert:
        try:
            context.load_cert_chain(client_cert)
        except OSError as cause:
            hint = "correct pip's option client-cert"
            raise UsageError(f"cannot be read: {cause.strerror}", subject=client_cert, hint=hint) from cause
    if trusted:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _retry_after(value: str) -> float:
    """Seconds from now (RFC 9110, 10.2.3); 0 where there is nothing to understand."""
    if value.strip().isdecimal():
        return float(value)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except (TypeError, ValueError):
        return 0.0
