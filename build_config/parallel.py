"""Owns doing independent work at once, on threads: a walk over a graph, or one function over many calls."""

from __future__ import annotations

import concurrent.futures
import graphlib
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, TypeVar

from . import graph

_T = TypeVar("_T")


def walk(
    needs: Mapping[str, Collection[str]], work: Callable[[str], None], *, jobs: int, stop: Callable[[], None]
) -> None:
    """Call `work` with every name, each after all that it needs, up to `jobs` at once, the longest chain first.

    The first exception (an interrupt too) calls `stop`, which must make running calls end, waits for them and is
    raised; names not started by then are never started.
    """
    heights = graph.heights(needs)
    sorter = graphlib.TopologicalSorter(needs)
    sorter.prepare()
    ready: list[str] = []
    running: dict[concurrent.futures.Future[None], str] = {}
    with concurrent.futures.ThreadPoolExecutor(max_workers=jobs) as pool:
        try:
            while sorter.is_active():
                ready = sorted((*ready, *sorter.get_ready()), key=lambda name: (-heights[name], name))
                while ready and len(running) < jobs:
                    name = ready.pop(0)
                    running[pool.submit(work, name)] = name
                done, _ = concurrent.futures.wait(running, return_when=concurrent.futures.FIRST_COMPLETED)
                for future in done:
                    future.result()
                    sorter.done(running.pop(future))
        except BaseException:
            for future in running:
                future.cancel()
            stop()
            raise


def each(
    work: Callable[..., _T], calls: Sequence[tuple[Any, ...]], *, jobs: int, stop: Callable[[], None]
) -> tuple[_T, ...]:
    """What `work` gives for the arguments of every call, in their order, up to `jobs` at once.

    The first exception (an interrupt too) calls `stop`, which must make running calls end, waits for them and is
    raised; calls not started by then are never started.
    """
    with concurrent.futures.ThreadPoolExecutor(max_workers=jobs) as pool:
        try:
            return tuple(pool.map(work, *zip(*calls, strict=True))) if calls else ()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            stop()
            raise
