"""Owns the tests of making environments for trials, as far as no package index is needed."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from build_config.errors import MachineError, UsageError
from build_config.trial.environment import fresh, pinned, python_of, template
from build_config.trial.interpreters import Interpreter, probe
from build_config.trial.place import clean
from build_config.trial.unavailable import load, reasons

PINS = """\
# made by a tool
attrs==26.1.0 ; python_full_version < '3.9' \\
    --hash=sha256:aa
pip==25.0.1 ; python_full_version < '3.9' \\
    --hash=sha256:bb \\
    --hash=sha256:cc
pip==26.3 ; python_full_version >= '3.9' and python_full_version < '3.15' \\
    --hash=sha256:dd
"""


def python(version: str) -> Interpreter:
    return Interpreter(Path("/python"), version, "cp3", "linux-x86_64", "cpython", Path("/"), virtual=False)


@pytest.mark.parametrize(
    ("version", "pins"),
    [
        (
            "3.8.18",
            {"attrs": "attrs==26.1.0 --hash=sha256:aa\n", "pip": "pip==25.0.1 --hash=sha256:bb --hash=sha256:cc\n"},
        ),
        ("3.13.0", {"pip": "pip==26.3 --hash=sha256:dd\n"}),
        ("3.15.0", {}),
    ],
)
def test_the_pins_of_an_interpreter_are_those_whose_markers_hold_for_it(
    tmp_path: Path, version: str, pins: dict[str, str]
) -> None:
    path = tmp_path / "trial.txt"
    path.write_text(PINS, encoding="utf-8")
    assert pinned(python(version), path) == pins


def test_markers_are_judged_for_the_interpreters_system_and_not_for_this_one(tmp_path: Path) -> None:
    path = tmp_path / "trial.txt"
    path.write_text("colorama==1 ; sys_platform == 'win32'\nother==1 ; sys_platform == 'linux'\n", encoding="utf-8")
    windows = Interpreter(Path("/p"), "3.12.0", "cp312", "win-amd64", "cpython", Path("/"), virtual=False)
    assert list(pinned(windows, path)) == ["colorama"]
    assert list(pinned(python("3.12.0"), path)) == ["other"]


def test_what_is_no_pinned_requirement_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "trial.txt"
    path.write_text("== 3", encoding="utf-8")
    with pytest.raises(UsageError, match="not a pinned") as caught:
        pinned(python("3.15.0"), path)
    assert caught.value.subject == str(path)


def test_requirements_without_a_pip_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "trial.txt"
    path.write_text(PINS, encoding="utf-8")
    here = probe(Path(sys.executable).resolve(), os.environ)
    with pytest.raises(UsageError, match="pins no pip for Python"):
        template(replace(here, version="3.15.0"), path, environment=os.environ, work=tmp_path / "work")


def test_the_projects_own_requirements_pin_pip_for_every_python() -> None:
    requirements = Path(__file__).parents[3] / "requirements" / "trial.txt"
    for minor in range(8, 16):
        assert pinned(python(f"3.{minor}.0"), requirements)["pip"].startswith("pip==")


def test_what_an_interpreter_cannot_have_is_left_out_and_said_why(tmp_path: Path) -> None:
    path = tmp_path / "trial.txt"
    path.write_text("one==1\ntwo==1\n", encoding="utf-8")
    (tmp_path / "unavailable.toml").write_text(
        '[[unavailable]]\npackage = "two"\nabis = ["cp313t"]\nreason = "it has no wheel"\n', encoding="utf-8"
    )
    threaded = replace(python("3.13.5"), abi="cp313t")
    assert list(pinned(threaded, path)) == ["one"]
    assert list(pinned(python("3.13.5"), path)) == ["one", "two"]
    assert reasons(threaded, path) == {"two": "it has no wheel"}


def test_a_wrong_list_of_what_cannot_be_had_is_refused(tmp_path: Path) -> None:
    (tmp_path / "unavailable.toml").write_text('[[unavailable]]\npackage = "two"\nabi = []\n', encoding="utf-8")
    with pytest.raises(UsageError, match="did you mean 'abis'"):
        reasons(python("3.13.5"), tmp_path / "trial.txt")


def test_the_projects_own_list_names_what_the_requirements_have() -> None:
    folder = Path(__file__).parents[3] / "requirements"
    known = {name for minor in range(8, 16) for name in pinned(python(f"3.{minor}.0"), folder / "trial.txt")}
    assert {each.package for each in load(folder / "unavailable.toml")} <= known


def test_variables_that_lead_elsewhere_are_left_out() -> None:
    given = {"PATH": "/bin", "PYTHONPATH": "/x", "PYTHONHOME": "/y", "VIRTUAL_ENV": "/z", "PIP_INDEX_URL": "u"}
    assert clean(given) == {"PATH": "/bin", "PIP_INDEX_URL": "u"}


def test_an_interpreter_that_makes_no_environment_is_told(tmp_path: Path) -> None:
    broken = tmp_path / "python3"
    broken.write_text("#!/bin/sh\necho no module named venv\nexit 1\n", encoding="utf-8")
    broken.chmod(0o755)
    odd = Interpreter(broken, "3.12.0", "cp312", "linux-x86_64", "cpython", tmp_path, virtual=False)
    with pytest.raises(MachineError, match="no module named venv"):
        fresh(odd, Path(sys.prefix), tmp_path / "env", environment={})
    assert not python_of(odd, tmp_path / "env").exists()
