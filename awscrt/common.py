"""Owns what is common to the whole runtime: its threads, and the processors that they run on."""

from __future__ import annotations

import math
import time

from . import _awscrt

__all__ = ["get_cpu_count_for_group", "get_cpu_group_count", "join_all_native_threads"]

# Between two looks at whether Ctrl-C was pressed.
_WAIT_MS = 100


def get_cpu_group_count() -> int:
    """The number of processor groups (NUMA nodes) of this machine; at least 1."""
    return _awscrt.get_cpu_group_count()


def get_cpu_count_for_group(group_idx: int) -> int:
    """The number of processors, hyper-threads included, in a processor group; 0 if there is no such group.

    Raises:
        OverflowError: `group_idx` is negative or above 65535.
    """
    return _awscrt.get_cpu_count_for_group(group_idx)


def join_all_native_threads(*, timeout_sec: float = -1.0) -> bool:
    """Wait until all native threads of the runtime have ended, and say whether they have.

    Threads end when the resources that they serve are released: drop those first, static defaults of `awscrt.io`
    included. Do both before `os.fork`. Ctrl-C interrupts the wait. In a forked child the parent's threads do not count.
    Not to be called from a callback: its own thread is among those that are waited for.

    Args:
        timeout_sec: seconds to wait at most; 0 only looks, a negative number waits forever.
    """
    if timeout_sec < 0:
        while not _awscrt.join_native_threads(_WAIT_MS):
            pass
        return True
    end = time.monotonic() + timeout_sec
    while True:
        left_ms = max(0, math.ceil((end - time.monotonic()) * 1000))
        if _awscrt.join_native_threads(min(left_ms, _WAIT_MS)):
            return True
        if left_ms == 0:
            return False
