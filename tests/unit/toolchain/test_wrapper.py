"""Wrappers are written once, whole, and by any number of processes at once."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from build_config.errors import MachineError
from build_config.toolchain import wrapper

SCRIPTS = {"cc": "#!/bin/sh\nexit 0\n", "ar": "#!/bin/sh\nexit 1\n"}


def test_each_script_is_there_and_executable(tmp_path: Path) -> None:
    folder = wrapper.install(SCRIPTS, tmp_path / "deep" / "wrappers")
    assert {path.name: path.read_text() for path in folder.iterdir()} == SCRIPTS
    assert all(os.access(path, os.X_OK) for path in folder.iterdir())


def test_the_folder_is_named_by_its_content(tmp_path: Path) -> None:
    first = wrapper.install(SCRIPTS, tmp_path)
    assert wrapper.install(dict(reversed(SCRIPTS.items())), tmp_path) == first
    assert wrapper.install(SCRIPTS | {"cc": "#!/bin/sh\nexit 2\n"}, tmp_path) != first
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted({first.name, *os.listdir(tmp_path)})
    assert len(os.listdir(tmp_path)) == 2


def test_what_is_there_already_is_not_written_again(tmp_path: Path) -> None:
    folder = wrapper.install(SCRIPTS, tmp_path)
    before = {path.name: path.stat().st_ino for path in folder.iterdir()}
    wrapper.install(SCRIPTS, tmp_path)
    assert {path.name: path.stat().st_ino for path in folder.iterdir()} == before


@pytest.mark.parametrize("damage", ["text", "mode", "gone"])
def test_a_damaged_wrapper_is_replaced(tmp_path: Path, damage: str) -> None:
    script = wrapper.install(SCRIPTS, tmp_path) / "cc"
    if damage == "text":
        script.write_text("#!/bin/sh\n")
    elif damage == "mode":
        script.chmod(0o644)
    else:
        script.unlink()
    assert wrapper.install(SCRIPTS, tmp_path) == script.parent
    assert script.read_text() == SCRIPTS["cc"]
    assert os.access(script, os.X_OK)
    assert os.listdir(tmp_path) == [script.parent.name]


def test_many_at_once_get_the_same_whole_folder(tmp_path: Path) -> None:
    with ThreadPoolExecutor(16) as pool:
        folders = set(pool.map(lambda _: wrapper.install(SCRIPTS, tmp_path), range(64)))
    assert len(folders) == 1
    assert os.listdir(tmp_path) == [folders.pop().name]


def test_a_place_that_cannot_be_written_to_is_a_fault_of_the_machine(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(MachineError, match="cannot write compiler wrappers"):
        wrapper.install(SCRIPTS, tmp_path / "file")
