"""awscrt.common: processors and native threads."""

from __future__ import annotations

import os
import signal
import statistics
import threading
import time

import pytest

from awscrt import _awscrt
from awscrt.common import get_cpu_count_for_group, get_cpu_group_count, join_all_native_threads
from awscrt.io import EventLoopGroup


def test_processors():
    groups = get_cpu_group_count()
    assert groups >= 1
    assert all(get_cpu_count_for_group(group) >= 1 for group in range(groups))
    assert sum(map(get_cpu_count_for_group, range(groups))) >= len(os.sched_getaffinity(0))
    # Where the system has no libnuma, the native library takes every group for the whole machine.
    assert get_cpu_count_for_group(groups) in {0, get_cpu_count_for_group(0)}


@pytest.mark.parametrize("group", [-1, 65536, 2**70])
def test_group_out_of_range(group):
    with pytest.raises(OverflowError, match="from 0 to 65535"):
        get_cpu_count_for_group(group)


def test_group_of_a_wrong_type():
    with pytest.raises(TypeError):
        get_cpu_count_for_group("0")


def test_join_without_threads_returns_at_once():
    assert join_all_native_threads() is True
    assert join_all_native_threads(timeout_sec=0) is True


def test_join_waits_no_longer_than_told():
    group = EventLoopGroup(2)
    started = time.monotonic()
    assert join_all_native_threads(timeout_sec=0) is False
    assert join_all_native_threads(timeout_sec=0.2) is False
    assert 0.2 <= time.monotonic() - started < 2
    del group
    assert join_all_native_threads(timeout_sec=10) is True


def test_join_waits_for_the_last_thread():
    blocked = threading.Event()
    go_on = threading.Event()

    def on_shutdown():
        blocked.set()
        go_on.wait(10)

    handle = _awscrt.event_loop_group_new(1, None, on_shutdown)
    del handle
    assert blocked.wait(10)
    assert join_all_native_threads(timeout_sec=0.1) is False
    threading.Timer(0.1, go_on.set).start()
    assert join_all_native_threads() is True


def test_join_is_woken_by_the_end():
    """It waits in slices of a tenth of a second, to see Ctrl-C, but does not wait for their end."""

    def seconds():
        handle = _awscrt.event_loop_group_new(1, None, lambda: time.sleep(0.02))
        del handle
        started = time.monotonic()
        assert join_all_native_threads()
        return time.monotonic() - started

    assert statistics.median(seconds() for _ in range(11)) < 0.09


def test_join_costs_no_processor_time():
    group = EventLoopGroup(1)
    before = time.process_time()
    assert not join_all_native_threads(timeout_sec=0.5)
    assert time.process_time() - before < 0.2
    del group


def test_join_can_be_interrupted():
    group = EventLoopGroup(1)
    previous = signal.signal(signal.SIGALRM, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        with pytest.raises(KeyboardInterrupt):
            join_all_native_threads()
    finally:
        signal.signal(signal.SIGALRM, previous)
    del group
