"""Tests that differ by interpreter, as data."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from build_config.errors import UsageError
from build_config.trial.differences import FILE, load, reasons
from build_config.trial.interpreters import Interpreter
from build_config.trial.place import Here

TESTS = Path(__file__).parents[2]
NATIVE = Interpreter(Path("/python"), "3.13.5", "cp313", "linux-x86_64", "cpython", Path("/"), virtual=False)


def test_traits_are_what_tells_interpreters_apart() -> None:
    assert NATIVE.traits == {"cp313", "linux", "x86_64", "glibc"}
    root = Here(name="musl-aarch64", slowness=8)
    other = replace(NATIVE, abi="cp314t", platform="linux-aarch64", libc="", place=root)
    assert other.traits == {"cp314t", "linux", "aarch64", "musl", "musl-aarch64", "emulated"}
    assert replace(NATIVE, platform="win-amd64", libc="").traits == {"cp313", "win", "amd64"}


def test_an_interpreter_is_meant_that_has_all_traits_of_a_member(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(
        '[[difference]]\ntests = ["test_a.py::test_b"]\nwhere = ["linux emulated"]\nreason = "slow"\n'
        '[[difference]]\ntests = ["test_a.py::test_c"]\nwhere = ["win", "linux"]\nreason = "odd"\n',
        encoding="utf-8",
    )
    emulated = replace(NATIVE, place=Here(slowness=8))
    assert reasons(emulated, tmp_path) == {"test_a.py::test_b": "slow", "test_a.py::test_c": "odd"}
    assert reasons(NATIVE, tmp_path) == {"test_a.py::test_c": "odd"}
    assert reasons(NATIVE, tmp_path / "another") == {}


def test_a_wrong_list_is_refused(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text('[[difference]]\ntests = ["a"]\nwhere = []\nreasn = "odd"\n', encoding="utf-8")
    with pytest.raises(UsageError, match="did you mean 'reason'"):
        reasons(NATIVE, tmp_path)


def _names(path: Path) -> Iterator[str]:
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef):
            yield from (f"{node.name}::{each.name}" for each in node.body if isinstance(each, ast.FunctionDef))
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name


@pytest.mark.parametrize("suite", ["awscrt", "integration"])
def test_every_test_that_differs_is_there(suite: str) -> None:
    paths = list((TESTS / suite).glob("test_*.py"))
    known = {path.name for path in paths} | {f"{path.name}::{name}" for path in paths for name in _names(path)}
    listed = {test.partition("[")[0] for each in load(TESTS / suite / FILE) for test in each.tests}
    assert listed <= known
