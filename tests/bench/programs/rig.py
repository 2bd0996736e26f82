"""Owns what the measured programs share: the way to the server, their clock and their answer.

Each program runs in a process of its own, on either side's package, with nothing but the standard library beside it.
"""

from __future__ import annotations

import json
import re
import sys
import time
from typing import Any, Callable

SECONDS = 60.0
HOST = "127.0.0.1"
_PEAK = re.compile(r"^VmHWM:\s+(\d+) kB$", re.MULTILINE)


def bootstrap() -> Any:
    from awscrt.io import ClientBootstrap, DefaultHostResolver, EventLoopGroup

    group = EventLoopGroup(1)
    return ClientBootstrap(group, DefaultHostResolver(group))


def tls(authority: str, protocol: str) -> Any:
    from awscrt.io import ClientTlsContext, TlsContextOptions

    options = TlsContextOptions()
    options.override_default_trust_store_from_path(None, authority)
    made = ClientTlsContext(options).new_connection_options()
    made.set_alpn_list([protocol])
    made.set_server_name("localhost")
    return made


def clocked(work: Callable[[], object], times: int = 1) -> float:
    """The seconds that the best of some runs takes: what disturbs only ever adds time."""
    best = float("inf")
    for _ in range(times):
        started = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - started)
    return best


def rate(work: Callable[[], object], count: int, pieces: int) -> float:
    """How often a second something can be done, over the best of some pieces of `count` times."""
    piece = max(1, count // pieces)

    def repeat() -> None:
        for _ in range(piece):
            work()

    return piece / clocked(repeat, pieces)


def answer(figure: float) -> None:
    """One line of JSON: what was measured, and the most memory that was in use, in bytes."""
    # Not getrusage: its maximum is that of the process that started this one, where that was larger.
    with open("/proc/self/status", encoding="ascii", errors="replace") as stream:
        found = _PEAK.search(stream.read())
    if not found:
        raise RuntimeError("the kernel does not tell VmHWM")
    sys.stdout.write(json.dumps({"rate": figure, "peak": int(found[1]) * 1024}) + "\n")
