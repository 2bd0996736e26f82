"""Owns what every test of the package gets: traced memory, a check for leaks, and interpreters of its own."""

from __future__ import annotations

import contextlib
import gc
import mmap
import os
import subprocess
import sys
import textwrap
import threading
import time

# Read when the extension is loaded.
os.environ["AWS_CRT_MEMORY_TRACING"] = "2"
# The tests are copied to where they run, so `peers` is found beside this file and nowhere else.
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import pytest

import awscrt
from awscrt import _test
from awscrt.common import join_all_native_threads

LEAK_TIMEOUT_SEC = 15.0
PROCESS_TIMEOUT_SEC = 60.0

# With its checks of memory, 3.8 aborts by itself in any forked child that ends.
DEVELOPER_MODE = ("-X", "dev") if sys.version_info >= (3, 9) else ("-X", "faulthandler", "-W", "default")

outcome_key = pytest.StashKey[bool]()


def pytest_configure(config):
    config.addinivalue_line("markers", "fault(*ids): covers rows of tests/faults.toml")
    config.addinivalue_line("filterwarnings", "ignore:Python 3.8 is no longer supported")  # by cryptography


def pytest_collection_finish():
    # What exists before the first test is no test's garbage; looking through it after each one took most of the time.
    gc.collect()
    gc.freeze()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    item.stash[outcome_key] = item.stash.get(outcome_key, True) and not report.failed


@pytest.fixture(autouse=True)
def no_leaks(request):
    """Native memory, objects and threads are after a test what they were before it."""
    awscrt.NativeResource._track_lifetime = True
    _test._release_static_defaults()
    before = _test.native_memory_usage()
    known = set(map(id, awscrt.NativeResource._living))
    yield
    if not request.node.stash.get(outcome_key, True):
        return  # what a failed test still holds says nothing
    end = time.monotonic() + LEAK_TIMEOUT_SEC
    _test._release_static_defaults()
    while True:
        gc.collect()
        joined = join_all_native_threads(timeout_sec=0.01) or before > 0
        alive = [repr(r) for r in list(awscrt.NativeResource._living) if id(r) not in known]
        grown = _test.native_memory_usage() - before
        if joined and not alive and grown <= 0:
            return
        if time.monotonic() > end:
            _test.dump_native_memory()
            pytest.fail(f"left behind: {alive}, {grown} bytes, threads {'ended' if joined else 'running'}")


class Interpreter:
    """Runs code in a process of its own, without the variables that this one was given."""

    def __call__(self, code, *, env=None, check=True, timeout=PROCESS_TIMEOUT_SEC, options=()):
        variables = {k: v for k, v in os.environ.items() if not k.startswith("AWS_CRT_")}
        variables.update(env or {})
        done = subprocess.run(
            [sys.executable, *DEVELOPER_MODE, *options, "-c", textwrap.dedent(code)],
            env=variables,
            capture_output=True,
            timeout=timeout,
            text=True,
            errors="replace",
            check=False,
        )
        if check:
            assert (done.returncode, done.stderr) == (0, ""), done.stderr or done.stdout
        return done


@pytest.fixture
def run_python():
    return Interpreter()


@contextlib.contextmanager
def _catch_unraisable():
    caught = []
    previous = sys.unraisablehook
    sys.unraisablehook = lambda event: caught.append(event.exc_value)
    try:
        yield caught
    finally:
        sys.unraisablehook = previous
        for error in caught:
            error.__traceback__ = None  # it holds the frames that the test leaves
        caught.clear()


@pytest.fixture
def unraisable():
    """Catches what goes to sys.unraisablehook inside a `with`; pytest puts its own hook there around each test."""
    return _catch_unraisable


def _make_elsewhere(make):
    made = []
    thread = threading.Thread(target=lambda: made.append(make()))
    thread.start()
    thread.join()
    return made.pop()


@pytest.fixture
def make_elsewhere():
    """Calls a function on a thread that has ended afterwards.

    What is made there is freed by whoever drops it last; without a GIL, a thread that lives frees itself what it has made.
    """
    return _make_elsewhere


def _zeros_in_no_memory(size):
    flags = {"flags": mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS} if hasattr(mmap, "MAP_PRIVATE") else {}
    return mmap.mmap(-1, size, **flags)


@pytest.fixture
def zeros_in_no_memory():
    """Makes a buffer of any size: pages that are only read are all the same one, where mappings can be private."""
    return _zeros_in_no_memory
