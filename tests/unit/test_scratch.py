"""Scratch folders are each for one user, and those of the dead are swept."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from build_config.errors import MachineError
from build_config.scratch import scratch

ROOT = Path(__file__).parents[2]

_HOLD = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from build_config.scratch import scratch
with scratch(Path(sys.argv[2])) as folder:
    (folder / "half").write_text("done")
    print(folder, flush=True)
    time.sleep(60)
"""


def test_it_is_gone_after_success(tmp_path: Path) -> None:
    with scratch(tmp_path / "work") as folder:
        (folder / "deep" / "er").mkdir(parents=True)
        assert folder.parent == tmp_path / "work"
    assert os.listdir(tmp_path / "work") == []


def test_it_stays_after_a_failure_until_the_next_user(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="planted"), scratch(tmp_path) as failed:
        raise ValueError("planted")
    assert failed.is_dir()
    with scratch(tmp_path) as folder:
        assert not failed.exists()
        assert os.listdir(tmp_path) == [folder.name]


def test_users_at_once_have_folders_of_their_own(tmp_path: Path) -> None:
    with scratch(tmp_path) as first, scratch(tmp_path) as second:
        assert first != second
        assert first.is_dir()
        assert second.is_dir()
    assert os.listdir(tmp_path) == []


@pytest.mark.fault("F14")
def test_the_folder_of_a_killed_process_is_swept_and_that_of_a_living_one_is_not(tmp_path: Path) -> None:
    argv = [sys.executable, "-c", _HOLD, str(ROOT), str(tmp_path)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        held = Path(process.stdout.readline().strip())
        with scratch(tmp_path):
            assert (held / "half").read_text() == "done"
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert held.is_dir()
        with scratch(tmp_path):
            assert not held.exists()


def test_a_place_that_cannot_be_written_to_is_a_fault_of_the_machine(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(MachineError, match="cannot make a scratch folder"), scratch(tmp_path / "file"):
        pass
