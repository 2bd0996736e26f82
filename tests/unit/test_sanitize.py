"""Owns the tests of the sanitized run's data: what is held back exists and has a reason, what is set is whole."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from build_config import sanitize
from build_config.errors import UsageError

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "tests" / "sanitize"


def test_every_test_that_is_held_back_has_a_reason() -> None:
    held = sanitize.load(FOLDER / "deselect.toml")
    assert held
    assert [each.test for each in held if len(each.reason.split()) < 4] == []
    assert [
        each.test for each in held if not (ROOT / "tests" / "awscrt" / each.test.partition("::")[0]).is_file()
    ] == []


def test_every_problem_of_the_list_is_told(tmp_path: Path) -> None:
    path = tmp_path / "deselect.toml"
    path.write_text('[[deselect]]\ntest = "a"\n[[deselect]]\ntest = ""\nreason = "r"\nwhy = ""\n')
    with pytest.raises(UsageError) as caught:
        sanitize.load(path)
    assert [word for word in ("reason is missing", "test is empty", "'why'") if word not in caught.value.what] == []


def test_the_runtime_comes_first_and_every_error_ends_the_process() -> None:
    said = sanitize.variables([Path("/lib/a.so"), Path("/lib/b.so")], FOLDER, Path("/r"))
    assert said["LD_PRELOAD"] == "/lib/a.so:/lib/b.so"
    assert "halt_on_error=1" in said["UBSAN_OPTIONS"]
    assert "log_path=/r/report" in said["ASAN_OPTIONS"]
    for name in ("LSAN_OPTIONS", "UBSAN_OPTIONS"):
        suppressions = dict(word.split("=", 1) for word in said[name].split(":"))["suppressions"]
        assert Path(suppressions).is_file()


TWO = "def test_a(): pass\ndef test_b(): raise ValueError\n"


def collected(tmp_path: Path, *held: str, text: str = TWO) -> subprocess.CompletedProcess[str]:
    (tmp_path / "test_it.py").write_text(text)
    (tmp_path / "reports").mkdir()
    words = [
        "-m",
        "pytest",
        "-p",
        "sanitizer",
        "-p",
        "no:cacheprovider",
        "-q",
        "--reports=reports",
        f"--rootdir={tmp_path}",
        str(tmp_path),
    ]
    return subprocess.run(
        [sys.executable, *words, *(f"--held={name}" for name in held)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(FOLDER), "PYTEST_ADDOPTS": ""},
        capture_output=True,
        text=True,
        check=False,
    )


def test_what_is_held_back_does_not_run(tmp_path: Path) -> None:
    assert "1 passed, 1 deselected" in collected(tmp_path, "test_it.py::test_b").stdout


def test_what_is_held_back_must_exist(tmp_path: Path) -> None:
    done = collected(tmp_path, "test_it.py::test_b", "test_it.py::test_gone")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "no test begins with test_it.py::test_gone" in done.stderr


TURNS = """
import os, sys
def test_a():
    with open("turns", "a+") as stream:
        stream.write("x")
        stream.seek(0)
        turn = len(stream.read())
    {body}
"""


@pytest.mark.parametrize(
    ("body", "outcome", "turns"),
    [
        ("assert turn == 1", "1 passed", 1),
        ("assert turn == 2", "1 passed", 2),
        ("assert turn == 3", "1 failed", 2),
        ("open('reports/report.1', 'w'); assert turn == 2", "1 failed", 1),
        ("assert turn == 2, 'x.c:1:2: runtime error: planted'", "1 failed", 1),
    ],
)
def test_a_failure_is_tried_once_more_unless_a_sanitizer_reported(
    tmp_path: Path, body: str, outcome: str, turns: int
) -> None:
    assert outcome in collected(tmp_path, text=TURNS.format(body=body)).stdout
    assert len((tmp_path / "turns").read_text()) == turns


def test_every_report_is_a_finding_that_says_what_and_where(tmp_path: Path) -> None:
    reports, log = tmp_path / "reports", tmp_path / "log"
    reports.mkdir()
    text = (
        "==\n==7==ERROR: AddressSanitizer: heap-use-after-free on 0x1\n  #0 f\nSUMMARY: AddressSanitizer: a.c:1 in f\n"
    )
    (reports / "report.1").write_text(text)
    (reports / "report.2").write_text("cut")
    log.write_text("...a.c:3:4: runtime error: signed integer overflow\n" * 2 + "RuntimeError: x\n")
    found = sanitize.findings(reports, log)
    assert [each.message for each in found] == [
        "ERROR: AddressSanitizer: heap-use-after-free on 0x1; AddressSanitizer: a.c:1 in f",
        "a report",
        "a.c:3:4: runtime error: signed integer overflow",
    ]
    assert [each.hint.rpartition("/")[2] for each in found] == ["report.1", "report.2", "log"]
