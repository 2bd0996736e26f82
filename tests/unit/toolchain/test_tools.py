"""CMake and Ninja are found in the interpreter's own environment first, then on PATH, and must be new enough."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from build_config import process
from build_config.errors import MachineError
from build_config.toolchain import find_tools

ROOT = Path(__file__).parents[3]

_ASK = """
import json, sys
sys.path.insert(0, sys.argv[1])
from build_config.errors import ToolchainError
from build_config.toolchain import find_tools
try:
    tools = find_tools({"PATH": sys.argv[2]})
    print(json.dumps([str(tools.cmake), str(tools.ninja), dict(tools.versions)]))
except ToolchainError as fault:
    print(json.dumps(fault.to_json()))
"""


def on_path(folder: Path) -> object:
    """What an interpreter finds that has no packages at all: `-S` leaves them out."""
    argv = [sys.executable, "-I", "-S", "-c", _ASK, str(ROOT), str(folder)]
    return json.loads(process.run(argv, cwd=folder, env={}).output)


def program(folder: Path, name: str, output: str, status: int = 0) -> Path:
    path = folder / name
    path.write_text(f"#!/bin/sh\necho '{output}'\nexit {status}\n")
    path.chmod(0o755)
    return path


def test_the_environments_own_programs_come_first_and_are_no_scripts(tmp_path: Path) -> None:
    program(tmp_path, "cmake", "cmake version 99.0.0")
    program(tmp_path, "ninja", "99.0.0")
    tools = find_tools({"PATH": str(tmp_path)})
    for path in (tools.cmake, tools.ninja):
        assert path.read_bytes()[:2] != b"#!"
    assert "99.0.0" not in dict(tools.versions).values()
    assert [name for name, _ in tools.versions] == ["cmake", "ninja"]


def test_those_on_path_serve_otherwise(tmp_path: Path) -> None:
    cmake, ninja = program(tmp_path, "cmake", "cmake version 3.25.1"), program(tmp_path, "ninja", "1.11.1.git.kitware")
    assert on_path(tmp_path) == [str(cmake), str(ninja), {"cmake": "3.25.1", "ninja": "1.11.1"}]


@pytest.mark.fault("F25")
@pytest.mark.parametrize(
    ("outputs", "subject", "what"),
    [
        ({"ninja": "1.11.1"}, "cmake", "cmake 3.25 or newer is needed; there is none"),
        ({"cmake": "cmake version 3.30.0"}, "ninja", "ninja 1.10 or newer is needed; there is none"),
        ({"cmake": "cmake version 3.18.4", "ninja": "1.11.1"}, "cmake", "/cmake is 3.18.4"),
        ({"cmake": "cmake version 3.25.1", "ninja": "1.9.0"}, "ninja", "/ninja is 1.9.0"),
        ({"cmake": "Segmentation fault", "ninja": "1.11.1"}, "cmake", "/cmake does not tell its version"),
    ],
)
def test_missing_or_too_old_is_told_before_anything_else(
    tmp_path: Path, outputs: dict[str, str], subject: str, what: str
) -> None:
    for name, output in outputs.items():
        program(tmp_path, name, output)
    fault = on_path(tmp_path)
    assert isinstance(fault, dict)
    assert (fault["exit_code"], fault["subject"]) == (MachineError.exit_code, subject)
    assert what in fault["what"]
    assert f"pip install '{subject}>=" in fault["hint"]


@pytest.mark.fault("F25")
def test_a_program_that_fails_is_not_taken(tmp_path: Path) -> None:
    program(tmp_path, "cmake", "cmake version 3.30.0", status=1)
    fault = on_path(tmp_path)
    assert isinstance(fault, dict)
    assert "does not tell its version" in fault["what"]
