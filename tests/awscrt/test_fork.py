"""What os.fork does to native objects, and what a child may do."""

from __future__ import annotations

import multiprocessing

import pytest

pytestmark = pytest.mark.fault("R08")

# `child(function)` forks, runs the function in the child, ends it as a Python program ends, and checks that it did.
PRELUDE = """
import contextlib, os, signal, sys, threading, time, warnings
warnings.filterwarnings("ignore", message=".*fork", category=DeprecationWarning)
import awscrt
awscrt.NativeResource._track_lifetime = True
from awscrt import _awscrt, _test, io
from awscrt.common import join_all_native_threads

def child(function, limit=20, end=sys.exit):
    pid = os.fork()
    if pid == 0:
        signal.alarm(limit)  # a hang ends the child by SIGALRM
        function()
        end(0)
    status = os.waitpid(pid, 0)[1]
    assert status == 0, f"the child ended with {status}"

@contextlib.contextmanager
def refused():
    started = time.monotonic()
    try:
        yield
    except RuntimeError as error:
        for words in ("forked", "in the child", "join_all_native_threads", "spawn"):
            assert words in str(error), error
    else:
        raise AssertionError("it was not refused")
    assert time.monotonic() - started < 1
"""


@pytest.fixture
def run(run_python):
    def run(code, *, env=None, timeout=60):
        import textwrap

        return run_python(PRELUDE + textwrap.dedent(code), env=env, timeout=timeout)

    return run


def test_resources_of_the_parent_are_refused(run):
    run(
        """
        group = io.EventLoopGroup(1)
        resolver = io.DefaultHostResolver(group)
        bootstrap = io.ClientBootstrap(group, resolver)
        context = io.ClientTlsContext(io.TlsContextOptions())

        def use():
            with refused():
                io.DefaultHostResolver(group)
            with refused():
                io.ClientBootstrap(io.EventLoopGroup(1), resolver)
        child(use)
        io.DefaultHostResolver(group)
        """,
    )


def test_destructors_in_the_child_return(run):
    run(
        """
        group = io.EventLoopGroup(2)
        bootstrap = io.ClientBootstrap(group, io.DefaultHostResolver(group))
        context = io.ClientTlsContext(io.TlsContextOptions())

        def drop():
            global group, bootstrap, context
            before = _test.native_memory_usage()
            del group, bootstrap, context
            __import__("gc").collect()
            assert _test.native_memory_usage() == before, "they are left alone"
            assert len(os.listdir("/proc/self/task")) == 1, "and no thread is started to free them"
        child(drop)
        del group, bootstrap, context
        _test.check_for_leaks()
        """,
        env={"AWS_CRT_MEMORY_TRACING": "2"},
    )


def test_join_in_the_child_returns_at_once(run):
    run(
        """
        group = io.EventLoopGroup(2)

        def join():
            started = time.monotonic()
            assert join_all_native_threads() is True
            assert time.monotonic() - started < 1
        child(join)
        """,
    )


def test_child_makes_its_own(run):
    run(
        """
        group = io.EventLoopGroup(1)

        def work():
            mine = io.EventLoopGroup(2)
            bootstrap = io.ClientBootstrap(mine, io.DefaultHostResolver(mine))
            assert not join_all_native_threads(timeout_sec=0)
            del mine, bootstrap
            assert join_all_native_threads(timeout_sec=10)
        for _ in range(3):
            child(work)
        del group
        assert join_all_native_threads(timeout_sec=10)
        child(work)
        """,
    )


def test_static_defaults_are_made_anew(run):
    run(
        """
        parent = io.ClientBootstrap.get_or_create_static_default()

        def work():
            mine = io.ClientBootstrap.get_or_create_static_default()
            assert mine is not parent
            assert io.ClientBootstrap.get_or_create_static_default() is mine
            io.ClientBootstrap.release_static_default()
            io.EventLoopGroup.release_static_default()
            io.DefaultHostResolver.release_static_default()
            del mine
            assert join_all_native_threads(timeout_sec=10)
        child(work)
        assert io.ClientBootstrap.get_or_create_static_default() is parent
        """,
    )


def test_grandchild(run):
    run(
        """
        group = io.EventLoopGroup(1)

        def first():
            mine = io.EventLoopGroup(1)
            def second():
                for foreign in (group, mine):
                    with refused():
                        io.DefaultHostResolver(foreign)
                own = io.EventLoopGroup(1)
                io.DefaultHostResolver(own)
            child(second)
            io.DefaultHostResolver(mine)
        child(first)
        """,
    )


def test_release_and_join_before_forking(run):
    """The way out that the error tells of."""
    run(
        """
        group = io.EventLoopGroup(1)
        del group
        assert join_all_native_threads(timeout_sec=10)

        def work():
            own = io.EventLoopGroup(1)
            io.DefaultHostResolver(own)
        child(work)
        """,
    )


def test_finished_thread_that_nobody_joined_yet(run):
    """It is the next thread to end that joins it, or a call: not one in the child, where it never was."""
    run(
        """
        group = io.EventLoopGroup(1)
        event = group.shutdown_event
        del group
        assert event.wait(10)
        time.sleep(0.2)

        def work():
            for _ in range(20):
                own = io.EventLoopGroup(1)
                del own
            assert join_all_native_threads(timeout_sec=10)
        for _ in range(5):
            child(work)
        """,
    )


def test_forked_while_native_threads_are_busy(run):
    """Threads that start, log and allocate at the moment of the fork hold locks that the child must not need."""
    run(
        """
        # Imported here: in a thread it would register logging's own fork handlers in the middle of a fork.
        import awscrt.logging

        io.init_logging(io.LogLevel.Trace, os.devnull)
        stop = threading.Event()

        def churn():
            while not stop.is_set():
                group = io.EventLoopGroup(1)
                io.ClientBootstrap(group, io.DefaultHostResolver(group))

        def chat():
            while not stop.is_set():
                awscrt.logging.log(10, awscrt.logging.LogSubject.IO_GENERAL, "a line " * 1000)

        # Before 3.12 the child itself may hang in PyOS_AfterFork_Child: it takes the lock that a thread which was making
        # a thread state at the moment of the fork held, before it makes that lock anew.
        busy = (churn, churn, churn, chat, chat) if sys.version_info >= (3, 12) else (chat, chat)
        threads = [threading.Thread(target=work) for work in busy]
        for thread in threads:
            thread.start()

        def work():
            assert join_all_native_threads() is True
            own = io.EventLoopGroup(1)
            del own
            assert join_all_native_threads(timeout_sec=10)
            os._exit(0)
        try:
            for _ in range(100):
                child(work, end=os._exit)
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        _test.check_for_leaks()
        """,
        env={"AWS_CRT_MEMORY_TRACING": "2"},
        timeout=200,
    )


def test_forked_from_another_thread(run):
    run(
        """
        group = io.EventLoopGroup(1)
        failures = []

        def fork():
            try:
                def use():
                    with refused():
                        io.DefaultHostResolver(group)
                    io.DefaultHostResolver(io.EventLoopGroup(1))
                child(use, end=os._exit)
            except BaseException as error:
                failures.append(error)
        thread = threading.Thread(target=fork)
        thread.start()
        thread.join()
        assert not failures, failures
        """,
    )


def test_callback_in_progress_at_the_fork(run):
    run(
        """
        inside, go_on = threading.Event(), threading.Event()

        def on_shutdown():
            inside.set()
            go_on.wait(20)
        handle = _awscrt.event_loop_group_new(1, None, on_shutdown)
        del handle
        assert inside.wait(10)
        child(lambda: None)
        go_on.set()
        assert join_all_native_threads(timeout_sec=10)
        """,
    )


def test_forked_by_c_code(run):
    """No hook of Python's runs then."""
    run(
        """
        import ctypes
        libc = ctypes.PyDLL(None)
        group = io.EventLoopGroup(1)
        pid = libc.fork()
        if pid == 0:
            signal.alarm(20)
            with refused():
                io.DefaultHostResolver(group)
            own = io.EventLoopGroup(1)
            del own
            os._exit(7 if join_all_native_threads(timeout_sec=10) else 8)
        assert os.waitpid(pid, 0)[1] == 7 << 8
        """,
    )


def test_plain_memory_survives(run):
    run(
        """
        from awscrt import crypto
        digest = crypto.Hash.sha256_new()
        digest.update(b"abc")

        def finish():
            digest.update(b"def")
            assert digest.digest().hex().startswith("bef57ec7")
        child(finish)
        finish()
        """,
    )


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_multiprocessing(run_python, tmp_path, method):
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"no {method} here")
    program = tmp_path / "program.py"
    program.write_text(
        f"""
import multiprocessing, warnings
from awscrt import io

def work(number):
    group = io.EventLoopGroup(1)
    io.DefaultHostResolver(group)
    return number * number

if __name__ == "__main__":
    warnings.filterwarnings("ignore", message=".*fork", category=DeprecationWarning)
    group = io.EventLoopGroup(1)
    with multiprocessing.get_context({method!r}).Pool(2) as pool:
        assert pool.map(work, range(8)) == [n * n for n in range(8)]
    io.DefaultHostResolver(group)
""",
    )
    run_python(f"import runpy; runpy.run_path({str(program)!r}, run_name='__main__')")


def test_subprocesses_go_on_as_ever(run):
    run(
        """
        import subprocess
        group = io.EventLoopGroup(1)
        for extra in ({}, {"preexec_fn": os.getpid}):
            assert subprocess.run([sys.executable, "-c", "print(1)"], stdout=-1, **extra).stdout == b"1\\n"
        io.DefaultHostResolver(group)
        """,
    )


def test_log_is_not_inherited_by_programs(run, tmp_path):
    names = """
def names():
    folder = "/proc/self/fd/"
    return [os.readlink(folder + number) for number in os.listdir(folder) if os.path.lexists(folder + number)]
"""
    run(
        f"""
        import subprocess
        names = {names!r}
        exec(names)
        io.init_logging(io.LogLevel.Info, {str(tmp_path / "native.log")!r})
        assert "native.log" in str(globals()["names"]())
        code = "import os" + {names!r} + "print(names())"
        out = subprocess.run([sys.executable, "-c", code], stdout=-1, check=True, close_fds=False).stdout
        assert b"pipe" in out, out
        assert b"native.log" not in out, out
        """,
    )
