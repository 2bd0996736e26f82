"""Owns locks between processes and threads, which the kernel lets go when their holder dies.

They are the kernel's file locks, called directly: the PEP 517 backend would have to fetch a library before its first
build, and `filelock`, the common one, has no shared locks.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from build_config.errors import MachineError

_POLL_SECONDS = 0.05
_PATIENT_POLLS = 10


@dataclass(frozen=True, slots=True)
class Held:
    """A lock that is held until `release`, or until the process ends in any way."""

    path: Path
    descriptor: int

    def release(self, *, remove: bool = False) -> None:
        """Let go; `remove` takes the lock file away too, which a waiting process notices."""
        if remove:
            with contextlib.suppress(OSError):
                self.path.unlink()
        os.close(self.descriptor)


def try_acquire(path: Path, *, shared: bool = False) -> Held | None:
    """The lock of this file (made if need be), or None while another holds it in a way that excludes this one.

    Each call opens the file anew, so that two threads of one process exclude each other like two processes.

    Raises:
        OSError: the file cannot be made, or its file system has no locks.
    """
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o666)
        try:
            taken = _lock(descriptor, shared=shared)
            current = taken and _is_still(path, descriptor)
        except BaseException:
            os.close(descriptor)
            raise
        if current:
            return Held(path, descriptor)
        os.close(descriptor)
        if not taken:
            return None


def acquire(
    path: Path,
    *,
    shared: bool = False,
    stop: threading.Event | None = None,
    waiting: Callable[[], None] | None = None,
) -> Held:
    """Wait for the lock of this file, at most until `stop` is set; `waiting` is called once if it takes a while.

    Waiting is polling: a thread that sleeps in the kernel could not be told to stop.

    Raises:
        MachineError: stopped.
        OSError: as for `try_acquire`.
    """
    stop = stop or threading.Event()
    polls = 0
    while (held := try_acquire(path, shared=shared)) is None:
        if stop.wait(_POLL_SECONDS):
            raise MachineError("the store was closed while waiting for another process", subject=path)
        polls += 1
        if waiting is not None and polls == _PATIENT_POLLS:
            waiting()
    return held


def _is_still(path: Path, descriptor: int) -> bool:
    """Whether the path names the locked file; the last holder may have removed it after we opened it."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


if sys.platform == "win32":
    import msvcrt

    _REGION = 0x7FFFFFFF

    def _lock(descriptor: int, *, shared: bool) -> bool:
        """A sharer takes one byte at random and an excluder takes them all: this call knows no shared locks."""
        offset, length = (int.from_bytes(os.urandom(4)) % _REGION, 1) if shared else (0, _REGION)
        os.lseek(descriptor, offset, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, length)
        except PermissionError:
            return False
        return True

else:
    import fcntl

    def _lock(descriptor: int, *, shared: bool) -> bool:
        """`flock`, not `lockf`: the latter belongs to the process, and closing any descriptor of the file drops it."""
        try:
            fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
