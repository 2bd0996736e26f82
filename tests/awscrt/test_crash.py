"""The crash handler: a native stack on stderr, and the end that the process would have had without it."""

from __future__ import annotations

import os
import platform
import signal

import pytest

from awscrt import _awscrt

WANTED = {"AWS_CRT_CRASH_HANDLER": "1"}
GNU = platform.libc_ver()[0] == "glibc"


def crash(run_python, code, *, env=WANTED):
    done = run_python(
        f"import awscrt, ctypes, os, resource, signal, sys\nresource.setrlimit(resource.RLIMIT_CORE, (0, 0))\n{code}",
        env=env,
        check=False,
    )
    return done.returncode, done.stderr


@pytest.mark.parametrize("name", ["SIGSEGV", "SIGABRT", "SIGBUS", "SIGFPE", "SIGILL"])
def test_signal_that_is_sent(run_python, name):
    number = getattr(signal, name)
    code, text = crash(run_python, f"os.kill(os.getpid(), {int(number)})")
    assert code == -number
    assert f"awscrt: fatal signal {name}\n" in text
    if GNU:
        assert os.path.basename(_awscrt.__file__) in text


def test_fault_of_the_processor(run_python):
    code, text = crash(run_python, "ctypes.string_at(0x10)")
    assert code == -signal.SIGSEGV
    assert f"fatal signal SIGSEGV at address 0x{0x10:016x}\n" in text
    if GNU:
        assert text.count("\n") > 5


def test_abort(run_python):
    code, text = crash(run_python, "os.abort()")
    assert code == -signal.SIGABRT
    assert "fatal signal SIGABRT" in text


def test_stack_overflow(run_python):
    recursion = """
kind = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)
@kind
def deeper(n):
    return deeper(n + 1)
sys.setrecursionlimit(10**9)
ctypes.pythonapi.Py_SetRecursionLimit(10**9)
deeper(0)
"""
    code, text = crash(run_python, recursion)
    if code != -signal.SIGSEGV:
        pytest.skip("this Python stops the recursion itself")
    assert "fatal signal SIGSEGV" in text


def test_handler_of_before_runs_next(run_python):
    """`-X dev` turns faulthandler on before the package is imported."""
    for code, number in (("ctypes.string_at(0)", signal.SIGSEGV), ("os.abort()", signal.SIGABRT)):
        ended, text = crash(run_python, code)
        assert ended == -number
        assert text.index("awscrt: fatal signal") < text.index("Fatal Python error")


@pytest.mark.parametrize("env", [{}, {"AWS_CRT_CRASH_HANDLER": "0"}, {"AWS_CRT_CRASH_HANDLER": ""}])
def test_off_unless_wanted(run_python, env):
    code, text = crash(run_python, "os.abort()", env=env)
    assert code == -signal.SIGABRT
    assert "awscrt:" not in text
