"""Owns the public face of I/O: event loops, name resolution, sockets, TLS, streams, and the log that goes to a file."""

from __future__ import annotations

from enum import IntEnum

from . import _awscrt
from ._event_loop import ClientBootstrap, DefaultHostResolver, EventLoopGroup, HostResolverBase
from ._input_stream import InputStream
from ._tls import ClientTlsContext, TlsConnectionOptions, is_alpn_available
from ._tls_options import Pkcs11Lib, TlsCipherPref, TlsContextOptions, TlsVersion
from ._tls_options import _CertificateSource as _CertificateSource  # noqa: PLC0414 - re-exported for the other modules

__all__ = [
    "ClientBootstrap",
    "ClientTlsContext",
    "DefaultHostResolver",
    "EventLoopGroup",
    "ExponentialBackoffJitterMode",
    "HostResolverBase",
    "InputStream",
    "LogLevel",
    "Pkcs11Lib",
    "SocketDomain",
    "SocketOptions",
    "SocketType",
    "TlsCipherPref",
    "TlsConnectionOptions",
    "TlsContextOptions",
    "TlsVersion",
    "init_logging",
    "is_alpn_available",
    "set_log_level",
]


class LogLevel(IntEnum):
    """How much native code logs; each level includes those before it (values of `aws_log_level`)."""

    NoLogs = 0
    Fatal = 1
    Error = 2
    Warn = 3
    Info = 4
    Debug = 5
    Trace = 6


def init_logging(log_level: LogLevel, file_name: str) -> None:
    """Write the native log to a file; `awscrt.logging` hands it to Python instead.

    It replaces what an earlier call, here or of `awscrt.logging.init_logging()`, has set up.

    Args:
        log_level: The most detailed level to write.
        file_name: Path of a file, which is appended to; or `"stdout"` or `"stderr"`.

    Raises:
        OSError: The file cannot be opened.
        TypeError: `file_name` is not a path.
        ValueError: There is no such level.
    """
    _awscrt.init_logging(LogLevel(log_level).value, file_name)


def set_log_level(log_level: LogLevel) -> None:
    """Change the most detailed level that is logged. Without effect before logging is initialized.

    Raises:
        ValueError: There is no such level.
    """
    _awscrt.set_log_level(LogLevel(log_level).value)


class SocketDomain(IntEnum):
    """The network of a socket (values of `aws_socket_domain`)."""

    IPv4 = 0
    IPv6 = 1
    Local = 2
    """Unix domain sockets; named pipes on Windows."""


class SocketType(IntEnum):
    """How a socket sends (values of `aws_socket_type`)."""

    Stream = 0
    """TCP, or its like on a local socket: in order, and complete or failed."""

    DGram = 1
    """UDP: messages that may be lost. Not for local sockets, and not for TLS."""


class SocketOptions:
    """How a connection's socket behaves.

    Attributes:
        domain (SocketDomain): `SocketDomain.IPv6` by default; an address or name of the other kind is used as it is.
        type (SocketType): `SocketType.Stream` by default.
        connect_timeout_ms (int): Milliseconds for a connection to come about. 5000 by default.
        keep_alive (bool): Whether TCP tests a connection that is idle. False by default.
        keep_alive_timeout_secs (int): Seconds of silence before the first test, 0 for the system's default.
        keep_alive_interval_secs (int): Seconds between tests, 0 for the system's default.
        keep_alive_max_probes (int): How many tests may go unanswered before the connection is given up, 0 for the
            system's default.
        tcp_nodelay (bool): Whether TCP sends small writes at once (TCP_NODELAY) where it would wait for the answer to
            those before (Nagle's algorithm, RFC 896); waiting costs a TLS 1.2 handshake some 40 ms. False leaves it to
            the system's default. True by default.
    """

    __slots__ = (
        "connect_timeout_ms",
        "domain",
        "keep_alive",
        "keep_alive_interval_secs",
        "keep_alive_max_probes",
        "keep_alive_timeout_secs",
        "tcp_nodelay",
        "type",
    )

    def __init__(self) -> None:
        self.domain = SocketDomain.IPv6
        self.type = SocketType.Stream
        self.connect_timeout_ms = 5000
        self.keep_alive = False
        self.keep_alive_timeout_secs = 0
        self.keep_alive_interval_secs = 0
        self.keep_alive_max_probes = 0
        self.tcp_nodelay = True


class ExponentialBackoffJitterMode(IntEnum):
    """How chance enters the wait before a retry (values of `aws_exponential_backoff_jitter_mode`)."""

    DEFAULT = 0
    """The native library's choice, which is `FULL`."""

    NONE = 1
    """None: the wait doubles each time."""

    FULL = 2
    """Any wait from nothing to that of `NONE`."""

    DECORRELATED = 3
    """Any wait from the shortest to three times the last one."""
