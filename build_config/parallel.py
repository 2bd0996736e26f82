"""Owns doing independent work at once: a walk over a graph on threads."""

from __future__ import annotations

import concurrent.futures
import graphlib
from collections.abc import Callable, Collection, Mapping


def walk(
    needs: Mapping[str, Collection[str]], work: Callable[[str], None], *, jobs: int, stop: Callable[[], None]
) -> None:
    """Call `work` with every name, each after all that it needs, up to `jobs` at once.

    The first exception (an interrupt too) calls `stop`, which must make running calls end, waits for them and is
    raised; names not started by then are never started.
    """
    sorter = graphlib.TopologicalSorter(needs)
    sorter.prepare()
    running: dict[concurrent.futures.Future[None], str] = {}
    with concurrent.futures.ThreadPoolExecutor(max_workers=jobs) as pool:
        try:
            while sorter.is_active():
                # The longest chain first would need timings; names sorted keep the order the same from run to run.
                running |= {pool.submit(work, name): name for name in sorted(sorter.get_ready())}
                done, _ = concurrent.futures.wait(running, return_when=concurrent.futures.FIRST_COMPLETED)
                for future in done:
                    future.result()
                    sorter.done(running.pop(future))
        except BaseException:
            for future in running:
                future.cancel()
            stop()
            raise
