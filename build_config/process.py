"""Owns subprocesses: the only module that starts one, so that none outlives us."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from .errors import BuildError, MachineError, ToolchainError

_GRACE_SECONDS = 3.0
_TAIL_LINES = 40
_TAIL_BYTES = 4000
_NAME_WORDS, _NAME_LENGTH = 3, 120

_live: set[subprocess.Popen[bytes]] = set()
_live_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class Completed:
    """A finished command; `output` is stdout, and stderr too unless it was asked for apart."""

    argv: tuple[str, ...]
    returncode: int
    output: str
    seconds: float

    def tail(self, lines: int = _TAIL_LINES) -> str:
        return "\n".join(self.output.splitlines()[-lines:])


class Output(StrEnum):
    """What becomes of a command's output: kept as one text, kept without what goes to stderr, or shown as it comes."""

    MERGED = "merged"
    APART = "apart"
    SHOWN = "shown"


def run(  # noqa: PLR0913 - what a command may need
    argv: Sequence[str | os.PathLike[str]],
    *,
    cwd: Path,
    env: Mapping[str, str],
    timeout: float | None = None,
    log: Path | None = None,
    error: type[ToolchainError] | None = BuildError,
    subject: str = "",
    output: Output = Output.MERGED,
    niceness: int = 0,
) -> Completed:
    """Run a command to its end in a process group of its own.

    `timeout` is in seconds. `niceness`, from 0 to 19, is how far it and its children stand back where processors are
    scarce, on systems that know it. What was kept of the output goes to `log` where given. A non-zero exit raises
    `error`, with the last lines of the output; with `error=None` it is returned. On a timeout or any exception the whole
    group is killed.

    Raises:
        MachineError: the command cannot be started.
        ToolchainError: `error`, as said above; also on a timeout.
    """
    words = tuple(os.fspath(word) for word in argv)
    started = time.monotonic()
    process = _start(words, cwd, env, output, subject)
    _stand_back(process, niceness)
    try:
        stdout, stderr = _communicate(process, timeout)
    except subprocess.TimeoutExpired as cause:
        _signal_group(process)
        _log(log, words, process.communicate()[0])
        failure = error or BuildError
        raise failure(f"{_name(words)} took longer than {timeout:g} s", subject=subject) from cause
    except BaseException:
        _end_group(process)
        raise
    finally:
        with _live_lock:
            _live.discard(process)
    done = Completed(words, process.returncode, (stdout or b"").decode(errors="replace"), time.monotonic() - started)
    _log(log, words, stdout)
    if done.returncode != 0 and error is not None:
        said = (stderr or b"").decode(errors="replace")[-_TAIL_BYTES:] if output is Output.APART else done.tail()
        hint = f"the whole output is in {log}" if log is not None else ""
        how = f"exit {done.returncode}" if done.returncode >= 0 else f"signal {-done.returncode}"
        raise error(f"{_name(words)} failed ({how}):\n{said}", subject=subject, hint=hint)
    return done


def _start(
    words: tuple[str, ...], cwd: Path, env: Mapping[str, str], output: Output, subject: str
) -> subprocess.Popen[bytes]:
    shown = output is Output.SHOWN
    try:
        process = subprocess.Popen(
            words,
            cwd=cwd,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=None if shown else subprocess.PIPE,
            stderr=None if shown else subprocess.PIPE if output is Output.APART else subprocess.STDOUT,
            # Not a session of its own: Linux weighs priorities only within one (sched_autogroup, see sched(7)).
            process_group=0,
        )
    except OSError as cause:
        raise MachineError(f"cannot start {words[0]!r}: {cause.strerror}", subject=subject) from cause
    with _live_lock:
        _live.add(process)
    return process


def _stand_back(process: subprocess.Popen[bytes], niceness: int) -> None:
    if niceness and hasattr(os, "setpriority"):
        # It may be over already.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.setpriority(os.PRIO_PGRP, process.pid, niceness)


def _communicate(process: subprocess.Popen[bytes], timeout: float | None) -> tuple[bytes, bytes]:
    """A command's whole output; what it leaves running with its output open is ended after it, not waited for."""
    end = None if timeout is None else time.monotonic() + timeout
    while True:
        left = _GRACE_SECONDS if end is None else min(_GRACE_SECONDS, end - time.monotonic())
        try:
            return process.communicate(timeout=max(left, 0))
        except subprocess.TimeoutExpired:
            if end is not None and time.monotonic() >= end:
                raise
            if process.poll() is not None:
                _signal_group(process)


def _log(log: Path | None, words: tuple[str, ...], output: bytes | None) -> None:
    if log is not None:
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as stream:
            stream.write(f"$ {shlex.join(words)}\n".encode(errors="replace") + (output or b"") + b"\n")


def _name(words: tuple[str, ...]) -> str:
    """The beginning of a command: enough to tell which one it was."""
    short = shlex.join(words[:_NAME_WORDS])[:_NAME_LENGTH]
    return short if short == shlex.join(words) else f"{short} …"


def end_all() -> None:
    """Kill every command still running, with its children."""
    with _live_lock:
        running = tuple(_live)
    for process in running:
        # Its streams are those of the thread that reads them.
        _signal_group(process)


def _end_group(process: subprocess.Popen[bytes]) -> None:
    _signal_group(process)
    for stream in (process.stdout, process.stderr):
        if stream is not None:
            stream.close()


def _signal_group(process: subprocess.Popen[bytes]) -> None:
    """Ask every process of the group to end, then make it."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE_SECONDS)
