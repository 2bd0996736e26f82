"""Probe answers are read from what CMake leaves, and two sets of them are compared against what is on record."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from build_config import load, probes
from build_config.errors import BuildError
from build_config.probes import Difference
from build_config.schema import Table, read

ROOT = Path(__file__).parents[2]

CACHE = """\
# This is the CMakeCache file.
//Build the testing tree.
BUILD_TESTING:BOOL=OFF
//Test HAVE_AVX2
HAVE_AVX2:INTERNAL=1
//Test HAVE_OLD
HAVE_OLD:INTERNAL=
//Have include stdint.h
HAVE_STDINT:INTERNAL=1
//Have symbol fseeko
HAVE_FSEEKO:INTERNAL=
//Result of TRY_COMPILE
HAVE_RANDOM_H:INTERNAL=TRUE
//Result of try_compile()
HAVE_OTHER_H:INTERNAL=FALSE
//ADVANCED property for variable: CMAKE_AR
CMAKE_AR-ADVANCED:INTERNAL=1
//Name of generator.
CMAKE_GENERATOR:INTERNAL=Ninja
"""

COMMANDS = [
    "/cc -DONE -DTWO=2 -D'TEXT=\"a b\"' -I/x -O2 -march=armv8-a+crc -MD -MT a.o -MF a.d -o a.o -c a.c",
    "/cc -DTWO=3 -mavx2 -msse4.2 -Wa,-mbranches-within-32B-boundaries -Wa,--noexecstack -c b.c",
]


def configured(folder: Path, cache: str = CACHE) -> Path:
    (folder / "CMakeCache.txt").write_text(cache)
    commands = [{"directory": "/", "command": command, "file": "a.c"} for command in COMMANDS]
    (folder / "compile_commands.json").write_text(json.dumps(commands))
    return folder


def test_checks_definitions_and_processor_flags_are_read(tmp_path: Path) -> None:
    assert probes.read(configured(tmp_path)) == {
        "-D ONE": "1",
        "-D TEXT": '"a b"',
        "-D TWO": "2 3",
        "-Wa,-mbranches-within-32B-boundaries": "1",
        "-march=armv8-a+crc": "1",
        "-mavx2": "1",
        "-msse4.2": "1",
        "HAVE_AVX2": "1",
        "HAVE_FSEEKO": "0",
        "HAVE_OLD": "0",
        "HAVE_OTHER_H": "0",
        "HAVE_RANDOM_H": "1",
        "HAVE_STDINT": "1",
    }


def test_a_folder_that_was_never_configured_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="not the folder of a configured project"):
        probes.read(tmp_path)


ZIG = {"io": {"A": "1", "B": "1", "C": "0"}}
HOST = {"io": {"A": "1", "B": "0", "D": "1"}}
KNOWN = (
    Difference("io", "B", "1", "0", "why"),
    Difference("io", "C", "0", "absent", "why"),
    Difference("io", "D", "absent", "1", "why"),
)


def messages(zig: Any, host: Any, known: tuple[Difference, ...]) -> list[str]:
    return [f"{finding.subject}: {finding.message}" for finding in probes.compare(zig, host, known)]


def test_explained_differences_are_no_findings() -> None:
    assert messages(ZIG, HOST, KNOWN) == []


@pytest.mark.parametrize("left_out", range(3))
def test_each_unexplained_difference_is_one(left_out: int) -> None:
    known = KNOWN[:left_out] + KNOWN[left_out + 1 :]
    missing = KNOWN[left_out]
    assert messages(ZIG, HOST, known) == [f"io: {missing.probe}: zig answers '{missing.zig}', host '{missing.host}'"]


def test_a_difference_other_than_the_recorded_one_is_one() -> None:
    wrong = Difference("io", "B", "0", "1", "why")
    assert messages(ZIG, HOST, (wrong, *KNOWN[1:])) == ["io: B: zig answers '1', host '0'"]


def test_a_record_that_is_no_longer_true_is_one() -> None:
    same = {"io": {"A": "1"}}
    records = (Difference("io", "A", "1", "0", "why"), Difference("http", "A", "1", "0", "why"))
    assert messages(same, same, records) == [
        "io: A: both answer '1', though a difference is on record",
        "http: A: a difference is on record, but nothing asks this",
    ]


def test_a_library_that_one_side_lacks_differs_in_all() -> None:
    assert messages({"io": {"A": "1"}}, {}, ()) == ["io: A: zig answers '1', host 'absent'"]


def recorded(text: str) -> tuple[tuple[Difference, ...], list[str]]:
    problems: list[str] = []
    return probes.exceptions(Table(tomllib.loads(text), "probes.toml", problems)), problems


def test_a_record_names_libraries_and_a_reason() -> None:
    row = '[[exception]]\nprobe = "A"\nlibraries = ["io", "http"]\nzig = "1"\nhost = "0"\n'
    assert recorded(row + 'reason = "why"') == (
        (Difference("io", "A", "1", "0", "why"), Difference("http", "A", "1", "0", "why")),
        [],
    )
    assert recorded(row + 'reason = " "')[1] == ["probes.toml.exception[0]: reason is empty"]
    assert "probes.toml.exception[0]: reason is missing" in recorded(row)[1]
    assert "unknown field 'hots'" in recorded(row + 'reason = "why"\nhots = "0"')[1][0]


def test_the_projects_record_is_whole_and_names_libraries_that_exist() -> None:
    problems: list[str] = []
    records = probes.exceptions(Table(read(ROOT / "build_config" / "probes.toml"), "probes.toml", problems))
    assert problems == []
    assert {record.library for record in records} <= load.catalog(ROOT).recipes.keys()
    assert len({(record.library, record.probe) for record in records}) == len(records) > 0
