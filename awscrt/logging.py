"""Owns the way from the native log into Python's logging.

`init_logging` sends what the C libraries log to loggers below `"awscrt"`: a line of the event loop goes to
`"awscrt.io.event-loop"`. Handlers and filters are those of the standard `logging` module.

A native thread only queues its line and goes on: it waits neither for the GIL nor for a handler. A thread named
`awscrt-logging` takes the lines to their loggers, with the time, thread and thread name of where they arose. When lines
come faster than they are handled, 8 MiB of them are kept; a warning then tells how many were dropped.
"""

from __future__ import annotations

import atexit
import logging
import os
import sys
import threading
import types
from enum import IntEnum

from . import _awscrt

__all__ = ["CRT_LOG_FORMAT", "LogSubject", "init_logging", "log", "set_log_level"]

CRT_LOG_FORMAT = "%(asctime)s [%(threadName)s] %(levelname)s %(name)s - %(message)s"
"""A format for handlers that shows all there is to a native line."""

_NATIVE_LEVELS = {
    logging.NOTSET: 0,
    logging.CRITICAL: 1,
    logging.ERROR: 2,
    logging.WARNING: 3,
    logging.INFO: 4,
    logging.DEBUG: 5,
}
_PYTHON_LEVELS = {
    1: logging.CRITICAL,
    2: logging.ERROR,
    3: logging.WARNING,
    4: logging.INFO,
    5: logging.DEBUG,
    6: logging.DEBUG,
}

# A subject's number holds the number of its library in the bits from 10 on (aws/common/logging.h).
_LIBRARY_SHIFT = 10
_LIBRARIES = {
    0: "common",
    1: "io",
    2: "http",
    3: "compression",
    4: "event-stream",
    5: "mqtt",
    6: "auth",
    7: "cal",
    14: "s3",
    15: "sdkutils",
}


class LogSubject(IntEnum):
    """What a line of the native log is about: a part of a library."""

    COMMON_GENERAL = 0
    COMMON_TASK_SCHEDULER = 1

    IO_GENERAL = 1024
    IO_EVENT_LOOP = 1025
    IO_SOCKET = 1026
    IO_SOCKET_HANDLER = 1027
    IO_TLS = 1028
    IO_ALPN = 1029
    IO_DNS = 1030
    IO_PKI = 1031
    IO_CHANNEL = 1032
    IO_CHANNEL_BOOTSTRAP = 1033
    IO_FILE_UTILS = 1034
    IO_SHARED_LIBRARY = 1035

    HTTP_GENERAL = 2048
    HTTP_CONNECTION = 2049
    HTTP_SERVER = 2050
    HTTP_STREAM = 2051
    HTTP_CONNECTION_MANAGER = 2052
    HTTP_WEBSOCKET = 2053
    HTTP_WEBSOCKET_SETUP = 2054

    EVENT_STREAM_GENERAL = 4096
    EVENT_STREAM_CHANNEL_HANDLER = 4097
    EVENT_STREAM_RPC_SERVER = 4098
    EVENT_STREAM_RPC_CLIENT = 4099

    MQTT_GENERAL = 5120
    MQTT_CLIENT = 5121
    MQTT_TOPIC_TREE = 5122

    AUTH_GENERAL = 6144
    AUTH_PROFILE = 6145
    AUTH_CREDENTIALS_PROVIDER = 6146
    AUTH_SIGNING = 6147

    CAL_GENERAL = 7168
    CAL_ECC = 7169
    CAL_HASH = 7170
    CAL_HMAC = 7171
    CAL_DER = 7172
    CAL_LIBCRYPTO_RESOLVE = 7173
    CAL_RSA = 7174
    CAL_ED25519 = 7175

    S3_GENERAL = 14336
    S3_CLIENT = 14337

    SDKUTILS_GENERAL = 15360
    SDKUTILS_PROFILE = 15361
    SDKUTILS_ENDPOINTS_PARSING = 15362
    SDKUTILS_ENDPOINTS_RESOLVE = 15363
    SDKUTILS_ENDPOINTS_GENERAL = 15364
    SDKUTILS_PARTITIONS_PARSING = 15365
    SDKUTILS_ENDPOINTS_REGEX = 15366


def init_logging(level: int = logging.DEBUG) -> None:
    """Send native log lines to Python's logging. Called again, it sets the level again.

    It takes the place of `awscrt.io.init_logging`, and the other way round.

    Args:
        level: lines below it are dropped where they arise, at no cost. One of `logging.DEBUG`, `INFO`, `WARNING`,
            `ERROR`, `CRITICAL`, or `NOTSET` for no lines at all.

    Raises:
        ValueError: `level` is none of these.
    """
    native_level = _native_level(level)
    _reader.start()
    _awscrt.log_to_queue(native_level)


def set_log_level(level: int) -> None:
    """Change the level; see `init_logging`.

    Raises:
        ValueError: `level` is none of those that `init_logging` takes.
    """
    _awscrt.set_log_level(_native_level(level))


def log(level: int, subject: LogSubject, message: str) -> None:
    """Write a line of one's own to the native log. It is with its logger when this returns.

    Nothing happens unless logging was initialised, here or by `awscrt.io.init_logging`.

    Raises:
        ValueError: `level` is none of `logging.DEBUG`, `INFO`, `WARNING`, `ERROR`, `CRITICAL`.
        TypeError: `message` is not a str.
    """
    native_level = _native_level(level)
    if native_level == 0:
        raise ValueError("a message needs a level")
    if not isinstance(message, str):
        raise TypeError(f"the message must be a str, not {type(message).__name__}")
    if not _awscrt.log_message(native_level, subject, message):
        logger = _get_logger(int(subject))
        # Not so within a handler, from 3.13.4 on: a queued line that is brought to its logger there is lost.
        if logger.isEnabledFor(level):
            _reader.deliver(wait=False)
            logger.log(level, "%s", message)


def _native_level(level: int) -> int:
    try:
        return _NATIVE_LEVELS[level]
    except (KeyError, TypeError):
        raise ValueError(
            f"not a log level: {level!r}; use logging.DEBUG, INFO, WARNING, ERROR, CRITICAL or NOTSET"
        ) from None


def _get_logger(subject: int) -> logging.Logger:
    logger = _loggers.get(subject)
    if logger is None:
        library = _LIBRARIES.get(subject >> _LIBRARY_SHIFT, "other")
        logger = logging.getLogger(f"awscrt.{library}.{_awscrt.get_log_subject_name(subject)}")
        _loggers[subject] = logger
    return logger


_loggers: dict[int, logging.Logger] = {}


class _Reader:
    """Takes queued lines to their loggers: on a thread of its own, and on whichever thread logs by itself."""

    def __init__(self) -> None:
        self._delivering = threading.Lock()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stopping = False

    def start(self) -> None:
        with self._starting:
            if self._thread is None:
                atexit.register(self._stop)
                if hasattr(os, "register_at_fork"):
                    os.register_at_fork(after_in_child=self._restart_in_child)
                self._start_thread()

    def _start_thread(self) -> None:
        # A daemon, because the others are waited for before _stop can run.
        self._thread = threading.Thread(target=self._read, name="awscrt-logging", daemon=True)
        self._thread.start()

    def _read(self) -> None:
        while not self._stopping:
            _awscrt.wait_for_log_records()
            self.deliver(wait=True)

    def _stop(self) -> None:
        self._stopping = True
        _awscrt.set_log_level(0)
        _awscrt.wake_log_reader()
        if self._thread is not None:
            self._thread.join(timeout=1)
        self.deliver(wait=False)

    def _restart_in_child(self) -> None:
        self._delivering = threading.Lock()
        self._starting = threading.Lock()
        self._start_thread()

    def deliver(self, *, wait: bool) -> None:
        """Take what is queued to the loggers, in its order; leave it to the thread that is at it, unless `wait`."""
        if not self._delivering.acquire(blocking=wait):
            return
        try:
            records, dropped = _awscrt.take_log_records()
            names = {thread.ident: thread.name for thread in threading.enumerate()}
            for record in records:
                _handle(record, names)
            if dropped:
                logging.getLogger("awscrt").warning("%d lines of the native log were dropped", dropped)
        finally:
            self._delivering.release()


_reader = _Reader()


def _handle(queued: tuple[int, int, int, int, str, str], names: dict[int | None, str]) -> None:
    native_level, subject, nanoseconds, thread, native_name, message = queued
    try:
        logger = _get_logger(subject)
        level = _PYTHON_LEVELS[native_level]
        if not logger.isEnabledFor(level):
            return
        record = logger.makeRecord(logger.name, level, "(native)", 0, message, (), None)
        seconds = nanoseconds / 1e9
        record.relativeCreated += (seconds - record.created) * 1000
        record.created = seconds
        record.msecs = float(nanoseconds // 1_000_000 % 1000)
        record.thread = thread
        record.threadName = names.get(thread) or native_name or "native"
        logger.handle(record)
    except Exception as error:  # noqa: BLE001 - a filter of the user's must not end the thread
        sys.unraisablehook(
            types.SimpleNamespace(
                exc_type=type(error),
                exc_value=error,
                exc_traceback=error.__traceback__,
                err_msg="a line of the native log was lost",
                object=_handle,
            )
        )
