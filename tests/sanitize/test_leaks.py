"""What no pointer leads to after all other tests was lost; the interpreter is alive, so its own memory is reachable."""

import ctypes
import gc

from awscrt.common import join_all_native_threads


def test_no_memory_was_lost() -> None:
    gc.collect()
    join_all_native_threads(timeout_sec=10)
    assert ctypes.CDLL(None).__lsan_do_recoverable_leak_check() == 0
