"""Owns the tests of the definition of Python's DLL; tests/build makes real import libraries of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from build_config.errors import MachineError
from build_config.model import Target, Toolchain, Variant
from build_config.toolchain import implib

TARGET = Target("windows", "x86_64", "", "10.0", ("win_amd64",), ("zig",))


def test_the_definition_names_the_library_and_what_is_data() -> None:
    lines = implib.definition(Variant("cp38", "abi3")).splitlines()
    assert lines[:2] == ['LIBRARY "python3.dll"', "EXPORTS"]
    assert "PyLong_FromLong" in lines
    assert "PyExc_OSError DATA" in lines
    assert "PyObject_GetBuffer" not in lines
    assert lines[2:] == sorted(lines[2:])


def test_without_a_gil_the_library_is_that_of_one_version() -> None:
    assert implib.definition(Variant("cp313", "cp313t")).startswith('LIBRARY "python313t.dll"\n')


def test_a_toolchain_without_dlltool_is_told(tmp_path: Path) -> None:
    toolchain = Toolchain("host", TARGET, (), (), ())
    with pytest.raises(MachineError, match="'host' makes no import libraries") as caught:
        implib.write(tmp_path / "python.lib", Variant("cp38", "abi3"), toolchain)
    assert "zig" in caught.value.hint
