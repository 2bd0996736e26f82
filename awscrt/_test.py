"""Owns the questions that tests ask of the native half: what is alive, and what memory it holds."""

from __future__ import annotations

import gc
import sys
import time

from . import NativeResource, _awscrt
from .common import join_all_native_threads

__all__ = ["check_for_leaks", "dump_native_memory", "native_memory_usage"]

_PAUSE_SEC = 0.01


def native_memory_usage() -> int:
    """Bytes of native memory in use. 0 unless the process was started with AWS_CRT_MEMORY_TRACING=1 or 2.

    1 counts bytes, 2 also remembers the call stack of each allocation, at a price in speed. What the C libraries
    keep for themselves from their start to the end of the process is not counted.
    """
    return _awscrt.native_memory_usage()


def dump_native_memory() -> None:
    """Write to stderr what native memory is in use, and under AWS_CRT_MEMORY_TRACING=2 where it was allocated.

    Nothing is written if none is, or if memory is not traced.
    """
    _awscrt.dump_native_memory()


def check_for_leaks(*, timeout_sec: float = 10.0) -> None:
    """Release the static defaults of `awscrt.io`, then wait for all native objects, threads and memory to go.

    Objects are known if `NativeResource._track_lifetime` was set when they were made.

    Args:
        timeout_sec: seconds to wait at most.

    Raises:
        RuntimeError: something is still alive; the message names it, and `dump_native_memory` is called.
    """
    end = time.monotonic() + timeout_sec
    _release_static_defaults()
    while True:
        gc.collect()
        joined = join_all_native_threads(timeout_sec=_PAUSE_SEC)
        living = list(NativeResource._living)
        if joined and not living and native_memory_usage() == 0:
            return
        if time.monotonic() >= end:
            break
        del living
        time.sleep(_PAUSE_SEC)
    dump_native_memory()
    summary = (
        f"still in use after {timeout_sec:g} s: {len(living)} NativeResource objects, "
        f"{native_memory_usage()} bytes of native memory, threads {'ended' if joined else 'running'}"
    )
    raise RuntimeError("\n".join([summary, *map(_describe, living)]))


def _release_static_defaults() -> None:
    loops = sys.modules.get("awscrt._event_loop")
    if loops is not None:
        for owner in (loops.ClientBootstrap, loops.DefaultHostResolver, loops.EventLoopGroup):
            owner.release_static_default()


def _describe(resource: NativeResource) -> str:
    """Types only: values may be secrets."""
    holders = sorted({type(holder).__qualname__ for holder in gc.get_referrers(resource)})
    return f"- {type(resource).__module__}.{type(resource).__qualname__}, held by {', '.join(holders)}"
