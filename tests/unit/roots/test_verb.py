"""Owns the tests of the verb `roots`, as far as nothing has to be made."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from build_config.cli import main
from build_config.roots import load

PROJECT = Path(__file__).parents[3]

pytest.importorskip("ziglang", reason="its digest is part of a build's key")


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {**os.environ, "AWS_CRT_BUILD_STORE": str(tmp_path / "store")}


def test_roots_are_listed_and_none_is_made(environment: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["roots", "--json"], environment) == 0
    rows = json.loads(capsys.readouterr().out)
    assert {row["root"]: row["target"] for row in rows} == {
        name: root.target for name, root in load(PROJECT).roots.items()
    }
    assert not any(row["made"] for row in rows)
    assert main(["roots"], environment) == 0
    said = capsys.readouterr().out
    assert "not made yet" in said or "not here" in said


def test_an_unknown_root_is_a_usage_error(environment: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["roots", "sid-aarch"], environment) == 2
    assert "did you mean 'sid-aarch64'?" in capsys.readouterr().err


def test_offline_a_root_that_is_not_there_is_an_error_of_the_machine(
    environment: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["roots", "trixie-aarch64", "--offline", "--json"], environment) == 3
    assert json.loads(capsys.readouterr().out)["error"]["kind"] == "environment"
