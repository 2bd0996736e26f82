"""Owns the tests of finding interpreters: what counts, what does not, and each one once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from packaging.tags import platform_tags

from build_config.errors import MachineError
from build_config.process import Completed
from build_config.trial import Here, Interpreter, interpreters, probe, require

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="stand-ins are shell scripts")

HERE = {"PATH": os.defpath}


def stand_in(path: Path, **changes: object) -> Path:
    """An executable that answers as an interpreter would."""
    answer = {
        "implementation": "cpython",
        "version": "3.12.4",
        "abi": "cp312",
        "platform": "linux-x86_64",
        "prefix": str(path.parent),
        "virtual": False,
        **changes,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{json.dumps(answer)}'\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def found(folder: Path, **environment: str) -> list[Path]:
    """What is found below a folder; the machine's own are left out."""
    known = interpreters({"PATH": os.defpath, "HOME": str(folder / "home"), **environment})
    return [each.path for each in known if each.path.is_relative_to(folder)]


def test_the_running_interpreter_is_found_by_its_base() -> None:
    base = Path(sys.executable).resolve()
    (mine,) = [each for each in interpreters({"PATH": str(base.parent)}) if each.path == base]
    assert mine.version == ".".join(map(str, sys.version_info[:3]))
    assert mine.release == sys.version_info[:2]
    assert mine.prefix == Path(sys.base_prefix).resolve()


def test_path_pyenv_and_uv_are_searched(tmp_path: Path) -> None:
    on_path = stand_in(tmp_path / "bin" / "python3.12")
    pyenv = stand_in(
        tmp_path / "home" / ".pyenv" / "versions" / "3.9.1" / "bin" / "python3.9", version="3.9.1", abi="cp39"
    )
    uv = stand_in(
        tmp_path / "home" / ".local" / "share" / "uv" / "python" / "cpython-3.13.0" / "bin" / "python3.13t",
        version="3.13.0",
        abi="cp313t",
    )
    assert found(tmp_path, PATH=str(on_path.parent)) == [pyenv, on_path, uv]


def test_variables_move_what_is_searched(tmp_path: Path) -> None:
    pyenv = stand_in(tmp_path / "p" / "versions" / "3.9.1" / "bin" / "python3", version="3.9.1")
    uv = stand_in(tmp_path / "u" / "cpython-3.13.0" / "bin" / "python3", version="3.13.0")
    assert found(tmp_path, PYENV_ROOT=str(tmp_path / "p"), UV_PYTHON_INSTALL_DIR=str(tmp_path / "u")) == [pyenv, uv]


def test_versions_are_in_the_order_of_numbers(tmp_path: Path) -> None:
    for version in ("3.10.2", "3.9.18", "3.10.13", "3.8.0"):
        stand_in(tmp_path / version / "python3", version=version)
    folders = os.pathsep.join(str(tmp_path / name) for name in os.listdir(tmp_path))
    assert [path.parent.name for path in found(tmp_path, PATH=folders)] == ["3.8.0", "3.9.18", "3.10.2", "3.10.13"]


def test_one_installation_counts_once(tmp_path: Path) -> None:
    real = stand_in(tmp_path / "bin" / "python3.12")
    (tmp_path / "bin" / "python3").symlink_to(real)
    (tmp_path / "link").symlink_to(tmp_path / "bin")
    stand_in(tmp_path / "bin" / "python3.12t", prefix=str(tmp_path / "bin"))
    both = os.pathsep.join((str(tmp_path / "bin"), str(tmp_path / "link")))
    assert len(found(tmp_path, PATH=both)) == 1


def test_two_installations_of_one_version_count_twice(tmp_path: Path) -> None:
    one, two = stand_in(tmp_path / "one" / "python3"), stand_in(tmp_path / "two" / "python3")
    assert found(tmp_path, PATH=f"{one.parent}{os.pathsep}{two.parent}") == [one, two]


@pytest.mark.fault("F30")
@pytest.mark.parametrize(
    "changes", [{"version": "3.7.17"}, {"implementation": "pypy"}, {"virtual": True}, {"version": "4"}, {"extra": 1}]
)
def test_what_cannot_be_served_is_left_out(tmp_path: Path, changes: dict[str, object]) -> None:
    stand_in(tmp_path / "bin" / "python3", **changes)
    assert found(tmp_path, PATH=str(tmp_path / "bin")) == []


@pytest.mark.fault("F30")
@pytest.mark.parametrize("text", ["#!/bin/sh\nexit 127\n", "#!/no/such/shell\n", "#!/bin/sh\necho hello\n", "\0\1\2"])
def test_what_does_not_run_is_left_out(tmp_path: Path, text: str) -> None:
    path = stand_in(tmp_path / "bin" / "python3")
    path.write_text(text, encoding="utf-8")
    assert found(tmp_path, PATH=str(path.parent)) == []
    with pytest.raises(MachineError, match="not a Python that works"):
        require(path, HERE)


def test_other_programs_are_not_run(tmp_path: Path) -> None:
    for name in ("python", "python2.7", "python3-config", "python3.12-gdb.py", "python3.12m"):
        stand_in(tmp_path / "bin" / name)
    (stand_in(tmp_path / "bin" / "python3")).chmod(0o644)
    assert found(tmp_path, PATH=str(tmp_path / "bin")) == []


def test_a_shim_of_pyenv_is_not_asked(tmp_path: Path) -> None:
    shims = tmp_path / "home" / ".pyenv" / "shims"
    stand_in(shims / "python3")
    assert found(tmp_path, PATH=str(shims)) == []


@pytest.mark.fault("F30")
def test_a_virtual_environment_is_refused_by_name(tmp_path: Path) -> None:
    base = Path(sys.executable).resolve()
    subprocess.run([base, "-m", "venv", "--without-pip", "--copies", tmp_path / "env"], check=True)
    python = tmp_path / "env" / "bin" / "python3"
    assert found(tmp_path, PATH=str(python.parent)) == []
    with pytest.raises(MachineError, match="a virtual environment of cpython"):
        require(python, HERE)


@pytest.mark.fault("F30")
@pytest.mark.parametrize("changes", [{"version": "3.7.17"}, {"implementation": "pypy"}])
def test_an_unsupported_interpreter_is_refused_with_a_remedy(tmp_path: Path, changes: dict[str, object]) -> None:
    path = stand_in(tmp_path / "bin" / "python3", **changes)
    with pytest.raises(MachineError, match="wanted is an installed CPython of version") as caught:
        require(path, HERE)
    assert caught.value.exit_code == 3
    assert caught.value.hint


def test_an_interpreter_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(MachineError) as caught:
        require(tmp_path / "python3", HERE)
    assert caught.value.subject == str(tmp_path / "python3")


def test_the_callers_python_variables_do_not_reach_it(tmp_path: Path) -> None:
    assert probe(Path(sys.executable).resolve(), {**HERE, "PYTHONHOME": str(tmp_path)}).supported


ABI3 = "cp38-abi3-manylinux_2_17_x86_64"


@pytest.mark.fault("F30")
@pytest.mark.parametrize(
    ("version", "abi", "platform", "tag", "accepted"),
    [
        ("3.8.18", "cp38", "linux-x86_64", ABI3, True),
        ("3.15.0a2", "cp315", "linux-x86_64", ABI3, True),
        ("3.7.17", "cp37", "linux-x86_64", ABI3, False),
        ("3.13.0", "cp313t", "linux-x86_64", ABI3, False),
        ("3.13.0", "cp313t", "linux-x86_64", "cp313-cp313t-manylinux_2_17_x86_64", True),
        ("3.13.0", "cp313", "linux-x86_64", "cp313-cp313t-manylinux_2_17_x86_64", False),
        ("3.14.0", "cp314t", "linux-x86_64", "cp313-cp313t-manylinux_2_17_x86_64", False),
        ("3.12.1", "cp312", "linux-aarch64", ABI3, False),
        ("3.12.1", "cp312", "win-amd64", "cp38-abi3-win_amd64", True),
        ("3.12.1", "cp312", "win-arm64", "cp38-abi3-win_arm64", True),
        ("3.12.1", "cp312", "win-arm64", "cp38-abi3-macosx_11_0_arm64", False),
        ("3.12.1", "cp312", "macosx-11.0-arm64", "cp38-abi3-macosx_11_0_arm64", True),
        ("3.12.1", "cp312", "linux-x86_64", "cp38-abi3-linux_x86_64", True),
    ],
)
def test_a_wheel_is_tried_where_its_tag_says(
    version: str, abi: str, platform: str, tag: str, *, accepted: bool
) -> None:
    python = Interpreter(Path("/python"), version, abi, platform, "cpython", Path("/"), virtual=False)
    assert python.accepts([tag, "cp27-cp27mu-manylinux1_x86_64"]) is accepted


@pytest.mark.parametrize(
    ("libc", "platform", "accepted"),
    [
        ("glibc 2.17", "manylinux_2_17_x86_64", True),
        ("glibc 2.17", "manylinux_2_18_x86_64", False),
        ("glibc 2.9", "manylinux_2_17_x86_64", False),
        ("glibc 2.17", "manylinux2014_x86_64", True),
        ("glibc 2.12", "manylinux2014_x86_64", False),
        ("glibc 2.12", "manylinux2010_x86_64", True),
        ("glibc 2.4", "manylinux1_x86_64", False),
        ("glibc 3.0", "manylinux_2_28_x86_64", True),
        ("glibc 2.36", "musllinux_1_1_x86_64", False),
        ("glibc", "manylinux_2_39_x86_64", True),
        ("", "manylinux_2_17_x86_64", False),
        ("", "manylinux1_x86_64", False),
        ("", "musllinux_1_1_x86_64", True),
        ("libc", "musllinux_1_2_x86_64", True),
        ("musl 1.2.5", "musllinux_1_2_x86_64", True),
        ("musl 1.1.24", "musllinux_1_2_x86_64", False),
        ("musl 1.2.5", "manylinux_2_5_x86_64", False),
        ("glibc 2.17", "linux_x86_64", True),
    ],
)
def test_a_wheel_is_tried_with_its_own_c_library(libc: str, platform: str, accepted: bool) -> None:  # noqa: FBT001
    python = Interpreter(Path("/p"), "3.13.5", "cp313", "linux-x86_64", "cpython", Path("/"), virtual=False, libc=libc)
    assert python.accepts([f"cp38-abi3-{platform}"]) is accepted


@pytest.mark.skipif(sys.platform != "linux", reason="what is compared are C libraries of Linux")
def test_this_python_takes_what_packaging_says_that_it_takes() -> None:
    mine, taken = probe(Path(sys.executable).resolve(), HERE), set(platform_tags())
    glibc, musl = (f"manylinux_2_{minor}" for minor in range(17, 99)), (f"musllinux_1_{minor}" for minor in range(9))
    machine = mine.platform.rpartition("-")[2]
    names = {f"{name}_{machine}" for name in (*glibc, *musl, "manylinux2014", "linux")}
    assert {name for name in names if mine.accepts([f"cp38-abi3-{name}"])} == names & taken
    assert 1 < len(names & taken) < len(names)


@dataclass(frozen=True)
class Elsewhere(Here):
    """A place in which every command answers the same."""

    name: str = "elsewhere"
    answer: str = ""

    def run(self, argv: Sequence[str | os.PathLike[str]], **_: object) -> Completed:
        return Completed(tuple(os.fspath(word) for word in argv), 0, self.answer, 0.0)


def test_an_interpreter_of_another_place_is_asked_there(tmp_path: Path) -> None:
    answer = {"implementation": "cpython", "version": "3.13.5", "abi": "cp313", "platform": "linux-aarch64"}
    place = Elsewhere(answer=json.dumps({**answer, "prefix": "/usr/local/../local", "virtual": False, "libc": ""}))
    found = probe(Path("/usr/local/bin/python3.13"), HERE, place)
    assert (found.place, found.prefix, found.libc) == (place, Path("/usr/local/../local"), "")
    assert found.accepts(["cp38-abi3-musllinux_1_1_aarch64"])
