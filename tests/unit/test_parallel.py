"""A walk over a graph on threads: order, parallelism, and a stop at the first failure."""

from __future__ import annotations

import threading

import pytest

from build_config.parallel import walk


def test_each_name_comes_after_its_needs() -> None:
    seen: list[str] = []
    lock = threading.Lock()

    def work(name: str) -> None:
        with lock:
            seen.append(name)

    needs = {"d": ["b", "c"], "b": ["a"], "c": ["a"], "a": []}
    walk(needs, work, jobs=3, stop=lambda: None)
    assert sorted(seen) == sorted(needs)
    assert all(seen.index(need) < seen.index(name) for name in needs for need in needs[name])


def test_the_longest_chain_comes_first() -> None:
    seen: list[str] = []
    walk({"a": [], "b": [], "z": [], "y": ["z"], "x": ["y"]}, seen.append, jobs=1, stop=lambda: None)
    assert seen == ["z", "y", "a", "b", "x"]


def test_independent_names_run_at_once() -> None:
    barrier = threading.Barrier(2, timeout=10)

    def meet(_: str) -> None:
        barrier.wait()

    walk({"a": [], "b": []}, meet, jobs=2, stop=lambda: None)
    assert barrier.broken is False


def test_no_more_than_jobs_run_at_once() -> None:
    running, most, lock = 0, 0, threading.Lock()

    def work(_: str) -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        threading.Event().wait(0.02)
        with lock:
            running -= 1

    walk({str(n): [] for n in range(8)}, work, jobs=2, stop=lambda: None)
    assert most == 2


@pytest.mark.fault("F32")
@pytest.mark.parametrize("fault", [ValueError("broken"), KeyboardInterrupt()])
def test_the_first_failure_stops_the_rest(fault: BaseException) -> None:
    ended, stopped, seen = threading.Event(), [], []

    def stop() -> None:
        stopped.append(True)
        ended.set()

    def work(name: str) -> None:
        seen.append(name)
        if name == "bad":
            raise fault
        ended.wait(10)

    with pytest.raises(type(fault)):
        walk({"bad": [], "slow": [], "later": ["slow"]}, work, jobs=2, stop=stop)
    assert stopped == [True]
    assert "later" not in seen
