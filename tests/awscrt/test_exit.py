"""The end of the interpreter, at any moment, with native threads at work: the exit code is the program's own."""

from __future__ import annotations

import textwrap
import time

import pytest

pytestmark = pytest.mark.fault("R09")

STAGES = {
    "imported": "",
    "started": "io.EventLoopGroup(1)",
    "event loop alive": "group = io.EventLoopGroup(2)",
    "everything alive": """
        group = io.EventLoopGroup(2)
        resolver = io.DefaultHostResolver(group)
        bootstrap = io.ClientBootstrap(group, resolver)
        context = io.ClientTlsContext(io.TlsContextOptions())
        connection = context.new_connection_options()
        """,
    "static defaults alive": "io.ClientBootstrap.get_or_create_static_default()",
    "being released": """
        groups = [io.EventLoopGroup(1) for _ in range(10)]
        del groups
        """,
    "callback in progress": """
        inside = threading.Event()
        def on_shutdown():
            inside.set()
            time.sleep(0.3)
        handle = _awscrt.event_loop_group_new(1, None, on_shutdown)
        del handle
        assert inside.wait(10)
        """,
    "callback raises at the end": """
        sys.unraisablehook = lambda event: None
        def on_shutdown():
            time.sleep(0.1)
            raise ValueError
        handle = _awscrt.event_loop_group_new(1, None, on_shutdown)
        del handle
        """,
    "callback arrives too late": """
        class Late:
            def __del__(self):
                if handles:
                    handles.clear()
        handles = [_awscrt.event_loop_group_new(1, None, lambda: None) for _ in range(10)]
        keep = Late()
        keep.cycle = keep
        """,
    "daemon threads at work": """
        for _ in range(4):
            threading.Thread(target=make_and_drop, args=[io.DefaultHostResolver], daemon=True).start()
        time.sleep(0.1)
        """,
    "lines being logged": """
        import awscrt.logging, logging
        logging.getLogger("awscrt").addHandler(logging.NullHandler())
        logging.getLogger("awscrt").setLevel(1)
        awscrt.logging.init_logging()
        def log(group):
            awscrt.logging.log(10, awscrt.logging.LogSubject.IO_GENERAL, "line")
        for _ in range(4):
            threading.Thread(target=make_and_drop, args=[log], daemon=True).start()
        time.sleep(0.1)
        """,
    "log file open": """
        io.init_logging(io.LogLevel.Trace, __import__("os").devnull)
        group = io.EventLoopGroup(1)
        """,
    "kept by the interpreter": """
        group = io.EventLoopGroup(1)
        sys.group = group
        import builtins
        builtins.group = group
        """,
    "cycle": """
        class Group(io.EventLoopGroup):
            pass
        group = Group(1)
        group.cycle = group
        """,
    "used in a destructor": """
        class Last:
            def __del__(self):
                try:
                    io.DefaultHostResolver(self.group)
                    self.group = None
                except Exception:
                    pass
        last = Last()
        last.group = io.EventLoopGroup(1)
        last.cycle = last
        """,
}

PRELUDE = """
import sys, threading, time
from awscrt import _awscrt, io

def make_and_drop(use):
    ended = []
    while True:
        group = io.EventLoopGroup(1)
        use(group)
        ended.append(group.shutdown_event)
        del group
        if len(ended) > 20:
            ended.pop(0).wait()  # each has open files, of which there is an end
"""


@pytest.mark.parametrize("stage", STAGES)
def test_exit_code_is_zero(run_python, stage):
    for _ in range(5):
        run_python(PRELUDE + textwrap.dedent(STAGES[stage]))


@pytest.mark.parametrize("stage", ["everything alive", "daemon threads at work"])
@pytest.mark.parametrize(("end", "code"), [("sys.exit(3)", 3), ("raise SystemExit(4)", 4), ("1 / 0", 1)])
def test_exit_code_is_kept(run_python, stage, end, code):
    done = run_python(PRELUDE + textwrap.dedent(STAGES[stage]) + "\n" + end, check=False)
    assert done.returncode == code, done.stderr


def test_callback_that_never_ends_is_left_behind(run_python):
    started = time.monotonic()
    run_python(
        PRELUDE
        + textwrap.dedent(
            """
            inside = threading.Event()
            def on_shutdown():
                inside.set()
                while True:
                    time.sleep(0.01)
            handle = _awscrt.event_loop_group_new(1, None, on_shutdown)
            del handle
            assert inside.wait(10)
            """,
        ),
    )
    assert time.monotonic() - started < 20


def test_atexit_handler_of_the_user_may_use_it(run_python):
    done = run_python(
        PRELUDE
        + textwrap.dedent(
            """
            import atexit
            from awscrt.common import join_all_native_threads

            @atexit.register
            def close():
                global group
                event = group.shutdown_event
                group = None
                assert event.wait(10), "no callback"
                assert join_all_native_threads(timeout_sec=10)
                print("closed")
            group = io.EventLoopGroup(1)
            """,
        ),
    )
    assert done.stdout == "closed\n"


# A handler that was registered before the package was imported runs after the package has cut native code off.
AFTERWARDS = """
import atexit, sys

@atexit.register
def last():
    afterwards()
"""


def test_callback_in_progress_is_waited_for(run_python):
    code = """
        done = []
        inside = threading.Event()

        def on_shutdown():
            inside.set()
            time.sleep(0.5)
            done.append(True)

        def afterwards():
            print(done)
        handle = _awscrt.event_loop_group_new(1, None, on_shutdown)
        del handle
        assert inside.wait(10)
        """
    assert run_python(AFTERWARDS + PRELUDE + textwrap.dedent(code)).stdout == "[True]\n"


def test_no_callback_comes_afterwards(run_python):
    code = """
        called = []
        handle = _awscrt.event_loop_group_new(1, None, lambda: called.append(True))
        extra = io.EventLoopGroup(1)
        bootstrap = io.ClientBootstrap(extra, io.DefaultHostResolver(extra))

        def afterwards():
            global handle
            del handle
            time.sleep(0.5)
            print(called)
        """
    assert run_python(AFTERWARDS + PRELUDE + textwrap.dedent(code)).stdout == "[]\n"


def test_nothing_is_freed_afterwards(run_python):
    """What native threads may be using is left to the end of the process."""
    code = """
        from awscrt import _test
        group = io.EventLoopGroup(1)

        def afterwards():
            global group
            before = _test.native_memory_usage()
            del group
            time.sleep(0.3)
            print(before > 0, _test.native_memory_usage() >= before)
        """
    done = run_python(AFTERWARDS + PRELUDE + textwrap.dedent(code), env={"AWS_CRT_MEMORY_TRACING": "1"})
    assert done.stdout == "True True\n"


def test_nothing_waits_for_a_live_event_loop(run_python):
    started = time.monotonic()
    run_python(PRELUDE + textwrap.dedent(STAGES["everything alive"]))
    assert time.monotonic() - started < 5
