"""Owns scratch folders: each for one user alone, gone after success, swept after a crash."""

from __future__ import annotations

import contextlib
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from .errors import MachineError

_PREFIX = "run-"
_LOCK = "in-use"


@contextlib.contextmanager
def scratch(under: Path) -> Iterator[Path]:
    """A new folder below `under`; kept after an exception, to be looked at, until the next user comes.

    Raises:
        MachineError: it cannot be made.
    """
    try:
        under.mkdir(parents=True, exist_ok=True)
        _sweep(under)
        fresh = Path(tempfile.mkdtemp(dir=under, prefix="new-"))
        lock = (fresh / _LOCK).open("wb")
        _try_lock(lock)
        # Under the name that sweepers look for only now, when the lock is held.
        folder = fresh.rename(under / f"{_PREFIX}{fresh.name}")
    except OSError as cause:
        raise MachineError(f"cannot make a scratch folder: {cause.strerror}", subject=under) from cause
    with lock:
        yield folder
    shutil.rmtree(folder, ignore_errors=True)


def _sweep(under: Path) -> None:
    """Remove the folders whose users are gone: a lock ends with its process, however that ends."""
    for folder in under.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError), (folder / _LOCK).open("rb+") as lock:
            if _try_lock(lock):
                shutil.rmtree(folder, ignore_errors=True)


def _try_lock(lock: IO[bytes]) -> bool:
    """Whether the lock is ours now; never, where the file system or the platform has no locks."""
    if sys.platform == "win32":
        return False
    import fcntl  # noqa: PLC0415 - does not exist everywhere

    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
