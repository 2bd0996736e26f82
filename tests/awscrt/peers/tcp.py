"""Owns servers on loopback: a thread that accepts, a thread a connection, and an end within a bounded time."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
import time
from typing import Any, Callable, List, Optional, Sequence

CLOSE_TIMEOUT_SEC = 5.0
LINGER_SEC = 1.0
WAIT_SEC = 10.0


class Server:
    """Accepts connections on a port that the system chooses, from `with` to its end.

    Args:
        handler: What a connection is given to, on a thread of its own; the connection is closed when it returns.
        tls: Makes it a TLS server.
        host: The address to listen on.

    Attributes:
        connections (int): How many were accepted.
        errors (list): What handlers raised, except for what follows.
        lost (list): The `OSError`s that they raised: connections that the other side, or the end of the server, cut.
        handshake_errors (list): Why TLS handshakes failed.
        handshakes (int): How many TLS handshakes went well.
        closing (threading.Event): Set when the server ends; what waits in a handler should wait for this.
    """

    def __init__(
        self,
        handler: Optional[Callable[[Any], object]] = None,
        *,
        tls: Optional[ssl.SSLContext] = None,
        host: str = "127.0.0.1",
    ) -> None:
        self.host = host
        self.port = 0
        self.connections = 0
        self.handshakes = 0
        self.errors: List[BaseException] = []
        self.lost: List[OSError] = []
        self.handshake_errors: List[OSError] = []
        self.closing = threading.Event()
        self._handler = handler
        self._tls = tls
        self._lock = threading.Lock()
        self._sockets: List[socket.socket] = []
        self._threads: List[threading.Thread] = []

    def __enter__(self) -> Any:
        self._listener = socket.socket(socket.AF_INET6 if ":" in self.host else socket.AF_INET)
        self._listener.bind((self.host, 0))
        self._listener.listen(512)
        self.port = self._listener.getsockname()[1]
        self._accepting = threading.Thread(target=self._accept, name="peer accepts", daemon=True)
        self._accepting.start()
        return self

    def __exit__(self, *exception: object) -> None:
        end = time.monotonic() + CLOSE_TIMEOUT_SEC
        self.closing.set()
        with contextlib.suppress(OSError):  # it is woken by a connection, the one way that all systems have
            socket.create_connection((self.host, self.port), timeout=1).close()
        self._accepting.join(CLOSE_TIMEOUT_SEC)
        self._listener.close()
        self.disconnect()
        threads = self._running()
        while threads and time.monotonic() < end:
            threads[0].join(max(0.0, end - time.monotonic()))
            threads = self._running()
        assert not self._running(), f"handlers still run: {self._running()}"

    def handle(self, sock: Any) -> None:
        """Serve one connection."""
        assert self._handler is not None
        self._handler(sock)

    def disconnect(self) -> None:
        """Cut every connection, as the other side sees it: no more bytes, and no TLS alert."""
        with self._lock:
            for sock in self._sockets:
                # Of the base class: an SSLSocket's own takes its state from under the thread that reads.
                with contextlib.suppress(OSError):
                    socket.socket.shutdown(sock, socket.SHUT_RDWR)

    def spawn(self, action: Callable[..., object], *arguments: Any) -> None:
        """Do something on a thread of its own, which ends before the server does."""
        thread = threading.Thread(target=self._run, args=(action, arguments), name="peer serves", daemon=True)
        with self._lock:
            thread.start()
            self._threads = [*(other for other in self._threads if other.is_alive()), thread]

    def wait_for(self, predicate: Callable[[], object], timeout: float = WAIT_SEC) -> bool:
        """Whether something comes true in time."""
        end = time.monotonic() + timeout
        while not predicate():
            if time.monotonic() > end:
                return False
            time.sleep(0.002)
        return True

    def _accept(self) -> None:
        while True:
            sock, _ = self._listener.accept()
            if self.closing.is_set():
                sock.close()
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.connections += 1
            self.spawn(self._serve, sock)

    def _running(self) -> List[threading.Thread]:
        with self._lock:
            return [thread for thread in self._threads if thread.is_alive()]

    def _run(self, action: Callable[..., object], arguments: Sequence[Any]) -> None:
        try:
            action(*arguments)
        except OSError as error:
            self.lost.append(error)
        except BaseException as error:
            self.errors.append(error)

    def _serve(self, sock: Any) -> None:
        try:
            if self._tls is not None:
                sock = self._shake_hands(sock, self._tls)
                if sock is None:
                    return
            self._track(sock)
            self.handle(sock)
            self._finish(sock)
        finally:
            if sock is not None:
                with self._lock, contextlib.suppress(ValueError):
                    self._sockets.remove(sock)
                sock.close()

    def _shake_hands(self, sock: socket.socket, context: ssl.SSLContext) -> Optional[ssl.SSLSocket]:
        wrapped = context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
        self._track(wrapped)
        try:
            wrapped.do_handshake()
        except OSError as error:
            self.handshake_errors.append(error)
            with self._lock:
                self._sockets.remove(wrapped)
            wrapped.close()
            return None
        self.handshakes += 1
        return wrapped

    def _track(self, sock: socket.socket) -> None:
        with self._lock:
            if sock not in self._sockets:
                self._sockets.append(sock)
        if self.closing.is_set():
            self.disconnect()

    def _finish(self, sock: Any) -> None:
        """Close as a good server does: say so, and read on for a while, for unread bytes would make it a reset."""
        if sock.fileno() < 0:
            return
        sock.settimeout(0)
        if isinstance(sock, ssl.SSLSocket):
            with contextlib.suppress(OSError, ValueError):
                sock.unwrap()
        with contextlib.suppress(OSError):
            socket.socket.shutdown(sock, socket.SHUT_WR)
        sock.settimeout(0.05)
        end = time.monotonic() + LINGER_SEC
        while time.monotonic() < end and not self.closing.is_set():
            try:
                if not socket.socket.recv(sock, 65536):
                    return
            except socket.timeout:
                continue
            except OSError:
                return


def reset(sock: Any) -> None:
    """Close a connection by a TCP reset."""
    socket.socket.setsockopt(sock, socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def read_all(sock: Any) -> bytes:
    """What the other side sends until it closes."""
    parts = []
    with contextlib.suppress(OSError):
        while True:
            part = sock.recv(65536)
            if not part:
                break
            parts.append(part)
    return b"".join(parts)
