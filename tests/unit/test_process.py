"""Commands end with all their children, and say what went wrong."""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path

import pytest

from build_config import process
from build_config.errors import BuildError, IntegrityError, MachineError

_SPAWN = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
open(sys.argv[1], "w").write(str(child.pid))
time.sleep(60)
"""


def _gone(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return True
    return state == "Z"


def _wait_gone(pid: int) -> bool:
    end = time.monotonic() + 10
    while time.monotonic() < end:
        if _gone(pid):
            return True
        time.sleep(0.05)
    return False


def test_output_exit_code_and_log(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "x.log"
    done = process.run([sys.executable, "-c", "print('hello')"], cwd=tmp_path, env={}, log=log)
    assert (done.returncode, done.output) == (0, "hello\n")
    assert "hello" in log.read_text()


def test_a_command_stands_back_with_its_children(tmp_path: Path) -> None:
    code = "import time, os, subprocess, sys; time.sleep(0.3); print(os.nice(0), flush=True); subprocess.run(['nice'])"
    done = process.run([sys.executable, "-c", code], cwd=tmp_path, env=dict(os.environ), niceness=7)
    assert done.output.split() == ["7", "7"]


def test_a_failure_raises_the_asked_error_with_the_tail(tmp_path: Path) -> None:
    code = "import sys; print('\\n'.join(map(str, range(100)))); sys.exit(3)"
    with pytest.raises(IntegrityError) as caught:
        process.run([sys.executable, "-c", code], cwd=tmp_path, env={}, error=IntegrityError, subject="thing")
    text = str(caught.value)
    assert "(exit 3)" in text
    assert "99" in text
    assert "\n10\n" not in text
    assert text.startswith("thing: ")


def test_a_missing_command_is_a_machine_error(tmp_path: Path) -> None:
    with pytest.raises(MachineError, match="cannot start"):
        process.run(["./no-such-command"], cwd=tmp_path, env={})


def test_the_environment_is_only_what_is_given(tmp_path: Path) -> None:
    code = "import os; print(sorted(k for k in os.environ if k not in ('LC_CTYPE', '__CF_USER_TEXT_ENCODING')))"
    assert process.run([sys.executable, "-c", code], cwd=tmp_path, env={"A": "1"}).output == "['A']\n"


@pytest.mark.fault("F32")
def test_a_timeout_leaves_no_grandchild(tmp_path: Path) -> None:
    note, log = tmp_path / "pid", tmp_path / "log"
    code = "print('so far', flush=True)\n" + _SPAWN
    with pytest.raises(BuildError, match="took longer than"):
        process.run([sys.executable, "-c", code, str(note)], cwd=tmp_path, env=dict(os.environ), timeout=3, log=log)
    assert _wait_gone(int(note.read_text()))
    assert "so far" in log.read_text()


def test_what_a_command_leaves_running_is_ended_after_it(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    code = "print('so far', flush=True)\n" + _SPAWN.removesuffix("time.sleep(60)\n")
    done = process.run([sys.executable, "-c", code, str(note)], cwd=tmp_path, env=dict(os.environ), timeout=30)
    assert (done.output, done.seconds < 20) == ("so far\n", True)
    assert _wait_gone(int(note.read_text()))


@pytest.mark.fault("F32")
def test_end_all_leaves_no_grandchild(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    failures: list[BaseException] = []

    def work() -> None:
        try:
            process.run([sys.executable, "-c", _SPAWN, str(note)], cwd=tmp_path, env=dict(os.environ))
        except BuildError as fault:
            failures.append(fault)

    thread = threading.Thread(target=work)
    thread.start()
    end = time.monotonic() + 10
    while not (note.exists() and note.read_text()) and time.monotonic() < end:
        time.sleep(0.05)
    process.end_all()
    thread.join(20)
    assert not thread.is_alive()
    assert failures
    assert _wait_gone(int(note.read_text()))
