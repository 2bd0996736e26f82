"""Owns the tests of building from sources: what commands see, what is kept, and what decides the key."""

from __future__ import annotations

import os
import shutil
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from build_config.errors import BuildError, MachineError
from build_config.roots import building
from build_config.roots.building import Workshop, build_key, make
from build_config.roots.catalog import Build, Package, Source

pytest.importorskip("ziglang", reason="the compiler of these builds")
pytestmark = pytest.mark.skipif(os.name == "nt", reason="commands of Unix")
equipped = pytest.mark.skipif(not all(map(shutil.which, ("make", "perl"))), reason="there is no make, or no perl")

FILE = Package("pool/main/a/a/a_1.orig.tar.gz", 1, "0" * 64)
LIBRARY = Source("library", "a", "sid", (("sh", "-c", "cat text > {prefix}/lib/text"),), (), (), FILE)
PROGRAM = Source(
    "program",
    "b",
    "sid",
    (
        (
            "sh",
            "-c",
            'echo "$1 $2 $NAME $CC $SOURCE_DATE_EPOCH $(python) $(cat {prefix}/lib/text)" > said',
            "sh",
            "{options}",
        ),
        ("mkdir", "-p", "{root}/usr/lib/static", "{root}/usr/bin"),
        ("cp", "said", "{root}/usr/bin/"),
        ("touch", "{root}/usr/lib/x.a", "{root}/usr/lib/static/y", "{root}/usr/lib/x.so"),
    ),
    (("NAME", "{name}-{jobs}"),),
    ("usr/lib/*.a", "usr/lib/static/"),
    FILE,
)
BUILD = Build(
    name="thing",
    zig="x86_64-linux-musl",
    sources=(LIBRARY, PROGRAM),
    names=(("name", "it"),),
    options=("--one", "--in={prefix}"),
    python="",
)


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    (tmp_path / "scratch").mkdir()
    python = tmp_path / "bin" / "python"
    python.parent.mkdir()
    python.write_text("#!/bin/sh\necho built with it\n")
    python.chmod(0o755)
    return Workshop(tmp_path / "scratch", tmp_path / "log", tmp_path / "tools", os.environ, 3, python)


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    (tmp_path / "a-1").mkdir()
    (tmp_path / "a-1" / "text").write_text("from the sources")
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "a-1", "a-1")
    return dict.fromkeys(("library", "program"), tmp_path / "a.tar.gz")


@equipped
def test_what_a_build_installs_is_all_that_is_kept(workshop: Workshop, files: dict[str, Path], tmp_path: Path) -> None:
    staged, told = tmp_path / "staged", list[str]()
    staged.mkdir()
    make(BUILD, files, staged, workshop, told.append)
    kept = sorted(path.relative_to(staged).as_posix() for path in staged.rglob("*") if path.is_file())
    assert kept == ["usr/bin/said", "usr/lib/x.so"]
    options = f"--one --in={workshop.scratch}/prefix"
    said = (staged / "usr/bin/said").read_text()
    assert said == f"{options} it-3 cc 315532800 built with it from the sources\n"
    assert told == ["compiling library", "compiling program"]
    assert "cat text" in workshop.log.read_text()


@equipped
def test_a_command_that_fails_is_told_with_its_log(workshop: Workshop, files: dict[str, Path], tmp_path: Path) -> None:
    broken = replace(BUILD, sources=(replace(LIBRARY, commands=(("sh", "-c", "echo cannot; exit 3"),)),))
    with pytest.raises(BuildError, match="cannot") as caught:
        make(broken, files, tmp_path, workshop, lambda _: None)
    assert str(workshop.log) in caught.value.hint


def test_programs_that_the_machine_lacks_are_named(workshop: Workshop, files: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(MachineError, match="make, perl"):
        make(BUILD, files, tmp_path, replace(workshop, environment={"PATH": str(tmp_path)}), lambda _: None)


@pytest.mark.parametrize(
    "change",
    [
        {"zig": "aarch64-linux-musl"},
        {"options": ("--two",)},
        {"names": (("name", "other"),)},
        {"sources": (LIBRARY, replace(PROGRAM, leave_out=()))},
        {"sources": (LIBRARY,)},
        {"sources": (replace(LIBRARY, file=replace(FILE, sha256="1" * 64)), PROGRAM)},
        {"sources": (replace(LIBRARY, commands=(("true",),)), PROGRAM)},
        {"sources": (replace(LIBRARY, environment=(("A", "b"),)), PROGRAM)},
    ],
)
def test_whatever_decides_a_build_decides_its_key(change: dict[str, object]) -> None:
    assert build_key(replace(BUILD, **change), None) != build_key(BUILD, None)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["_FLAGS", "_EPOCH"])
def test_what_all_builds_are_told_decides_the_key_too(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    before = build_key(BUILD, None)
    monkeypatch.setattr(building, name, "other")
    assert build_key(BUILD, None) != before


def test_the_python_that_runs_meanwhile_decides_the_key_too() -> None:
    other = build_key(replace(BUILD, name="other"), None)
    assert build_key(BUILD, other) != build_key(BUILD, None)
