"""Owns the tests of remembering what a suite came to: what is asked again, and when."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from build_config import suites, trial
from build_config.model import Tried
from build_config.store import Store
from build_config.trial import Here, Interpreter, TrialReport
from build_config.trial.rules import finding
from build_config.workspace import Workspace, open_workspace

PYTHON = Interpreter(Path("/python"), "3.13.5", "cp313", "linux-x86_64", "cpython", Path("/"), virtual=False)
WHEEL, SHA256 = Path("awscrt-1.0-cp38-abi3-linux_x86_64.whl"), "0" * 64


@dataclass(frozen=True)
class Root(Here):
    name: str = "musl"
    identity: str = "one"


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    for name in ("tests/awscrt/test_one.py", "requirements/trial.txt", "requirements/unavailable.toml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    return open_workspace(tmp_path, {}, {}, store=tmp_path / "store")


@pytest.fixture
def findings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """What each trial finds that really runs, one text for all."""
    found: list[str] = []

    def run(_wheel: Path, python: Interpreter, *_: object, **__: object) -> TrialReport:
        bad = tuple(finding("trial-tests", "it", text) for text in found)
        return TrialReport(python, 5, len(bad), 2, 1.0, tmp_path / "x.xml", tmp_path / "x.log", bad)

    monkeypatch.setattr(trial, "run", run)
    return found


def run(workspace: Workspace, python: Interpreter = PYTHON, sha256: str = SHA256, *, again: bool = False) -> Tried:
    with Store(workspace.store) as store:
        return suites.run(WHEEL, sha256, suites.PACKAGE, python, workspace=workspace, store=store, again=again)


@pytest.mark.usefixtures("findings")
def test_a_pass_is_remembered(workspace: Workspace) -> None:
    first, second = run(workspace), run(workspace)
    assert (first.reused, second.reused) == (False, True)
    assert (second.passed, second.failed, second.skipped) == (5, 0, 2)
    assert not run(workspace, again=True).reused


def test_a_failure_is_not_remembered(workspace: Workspace, findings: list[str]) -> None:
    findings.append("bad")
    assert run(workspace).failed == 1
    assert not run(workspace).reused
    findings.clear()
    assert not run(workspace).reused


@pytest.mark.usefixtures("findings")
@pytest.mark.parametrize(
    "name", ["tests/awscrt/test_one.py", "requirements/trial.txt", "requirements/unavailable.toml"]
)
def test_what_a_trial_reads_decides_whether_it_runs_again(workspace: Workspace, name: str) -> None:
    run(workspace)
    (workspace.root / name).write_text("# changed")
    assert not run(workspace).reused


@pytest.mark.usefixtures("findings")
def test_another_wheel_python_or_content_of_a_root_is_tried(workspace: Workspace) -> None:
    there = replace(PYTHON, place=Root())
    run(workspace, there)
    others = (PYTHON, replace(there, version="3.13.6"), replace(PYTHON, place=Root(identity="two")))
    assert [run(workspace, python).reused for python in others] == [False, False, False]
    assert not run(workspace, there, "1" * 64).reused
    assert run(workspace, there).reused
