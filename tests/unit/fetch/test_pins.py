"""Owns the tests of making pins, and of those that the project has."""

from __future__ import annotations

import hashlib
import tomllib
from pathlib import Path
from typing import Any

import pytest

from build_config.errors import IntegrityError, MachineError, UsageError
from build_config.fetch import archive, pins, tree

PINS = Path(__file__).parents[3] / "crt" / "pins.toml"
LIBRARIES = {
    *("aws-lc", "s2n", "aws-c-common", "aws-c-sdkutils", "aws-c-cal", "aws-c-io", "aws-checksums"),
    *("aws-c-compression", "aws-c-event-stream", "aws-c-http", "aws-c-auth", "aws-c-mqtt", "aws-c-s3"),
}


def test_the_pins_of_the_project_are_complete() -> None:
    data = tomllib.loads(PINS.read_text(encoding="utf-8"))
    assert data["libraries"].keys() == LIBRARIES
    assert {row["path"] for row in data["libraries"].values()} == {f"crt/{name}" for name in LIBRARIES}
    assert len({row["tree"] for row in data["libraries"].values()}) == len(LIBRARIES)
    assert data["archive"]["filename"] == f"{data['archive']['project']}-{data['archive']['version']}.tar.gz"


@pytest.mark.parametrize("suffix", ["tar.gz", "tar.xz"])
def test_an_archive_is_described(good: Any, tmp_path: Path, suffix: str) -> None:
    path = good.write(tmp_path / f"pack-1.0.{suffix}")
    data = tomllib.loads(pins.describe(path))
    archive.extract(path, {f"pack-1.0/crt/{name}": tmp_path / name for name in ("one", "two")})
    assert data == {
        "archive": {
            "project": "pack",
            "version": "1.0",
            "filename": path.name,
            "size": path.stat().st_size,
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        },
        "libraries": {
            "one": {"version": "1.2.3", "path": "crt/one", "tree": tree.digest(tmp_path / "one")},
            "two": {"version": "5.9.0", "path": "crt/two", "tree": tree.digest(tmp_path / "two")},
        },
    }


def test_the_text_is_the_same_each_time(good: Any, tmp_path: Path) -> None:
    path = good.write(tmp_path / "pack-1.0.tar.gz")
    assert pins.describe(path) == pins.describe(path)


@pytest.mark.parametrize(
    ("files", "version"),
    [
        ({"VERSION": "1.0.3\n", "CMakeLists.txt": 'set(SOFTWARE_VERSION "2")\n'}, "1.0.3"),
        ({"CMakeLists.txt": 'x\nset(SOFTWARE_VERSION "5.9.0")\n'}, "5.9.0"),
        ({"CMakeLists.txt": "set(VERSION_MAJOR 1)\nset(VERSION_MINOR 20)\nset(VERSION_PATCH 3)\n"}, "1.20.3"),
    ],
)
def test_a_version_is_where_the_library_has_it(tar: Any, tmp_path: Path, files: dict[str, str], version: str) -> None:
    tar.folder("p-1/crt/x")
    for name, text in files.items():
        tar.entry(f"p-1/crt/x/{name}", text.encode())
    assert tomllib.loads(pins.describe(tar.write(tmp_path / "p-1.tar.gz")))["libraries"]["x"]["version"] == version


@pytest.mark.parametrize(
    ("name", "files", "what"),
    [
        ("other.tar.gz", {}, "not named PROJECT-VERSION"),
        ("p-1.zip", {}, "not named PROJECT-VERSION"),
        ("p-1.tar.gz", {"p-1/setup.py": b""}, "no folders below p-1/crt"),
        ("p-1.tar.gz", {"p-1/crt/x/a.c": b""}, "neither VERSION nor CMakeLists"),
        ("p-1.tar.gz", {"p-1/crt/x/CMakeLists.txt": b"set(VERSION_MAJOR 1)\n"}, "states no version"),
    ],
)
def test_what_cannot_be_described_is_said(
    tar: Any, tmp_path: Path, name: str, files: dict[str, bytes], what: str
) -> None:
    if any("/crt/" in file for file in files):
        tar.folder("p-1/crt/x")
    for file, data in files.items():
        tar.entry(file, data)
    path = tar.write(tmp_path / "a.tar.gz").rename(tmp_path / name)
    with pytest.raises(UsageError, match=what):
        pins.describe(path)


@pytest.mark.fault("F08")
def test_an_archive_with_a_bad_entry_is_not_described(good: Any, tmp_path: Path) -> None:
    path = good.symlink("pack-1.0/crt/one/x", "/etc").write(tmp_path / "pack-1.0.tar.gz")
    with pytest.raises(IntegrityError):
        pins.describe(path)


def test_an_archive_that_is_not_there_is_a_fault_of_the_machine(tmp_path: Path) -> None:
    with pytest.raises(MachineError):
        pins.describe(tmp_path / "pack-1.0.tar.gz")
