"""Owns the tests of making environments for trials, as far as no package index is needed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from build_config.errors import MachineError, UsageError
from build_config.trial.environment import clean, fresh, pip_pin, python_of
from build_config.trial.interpreters import Interpreter

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
    ("version", "pin"),
    [
        ("3.8.18", "pip==25.0.1 --hash=sha256:bb --hash=sha256:cc\n"),
        ("3.13.0", "pip==26.3 --hash=sha256:dd\n"),
    ],
)
def test_the_pip_of_an_interpreter_is_the_one_pinned_for_it(tmp_path: Path, version: str, pin: str) -> None:
    path = tmp_path / "trial.txt"
    path.write_text(PINS, encoding="utf-8")
    assert pip_pin(python(version), path) == pin


@pytest.mark.parametrize(("text", "said"), [(PINS, "pins no pip for Python 3.15.0"), ("== 3", "not a pinned")])
def test_requirements_without_a_pip_are_refused(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "trial.txt"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=said) as caught:
        pip_pin(python("3.15.0"), path)
    assert caught.value.subject == str(path)


def test_the_projects_own_requirements_pin_pip_for_every_python() -> None:
    requirements = Path(__file__).parents[3] / "requirements" / "trial.txt"
    for minor in range(8, 16):
        assert pip_pin(python(f"3.{minor}.0"), requirements).startswith("pip==")


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
    assert not python_of(tmp_path / "env").exists()
