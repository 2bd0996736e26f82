"""The command line: exit codes, one message for a fault, JSON beside text, help that teaches."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from build_config import cli, variables, verbs

ROOT = Path(__file__).resolve().parents[2]


def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """The command line as a person starts it, on a machine with no tools on PATH."""
    environment = {"PATH": "/nonexistent", "HOME": "/nonexistent", **variables}
    argv = [sys.executable, "-m", "build_config", *arguments]
    return subprocess.run(argv, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)


def test_the_plan_needs_no_compiler_and_is_json_if_asked() -> None:
    done = run("plan", "linux-gnu-x86_64", "--json")
    assert done.returncode == 0, done.stderr
    plan = json.loads(done.stdout)
    assert [target["target"] for target in plan["targets"]] == ["linux-gnu-x86_64"]
    ids = [node["id"] for node in plan["nodes"]]
    assert "library:linux-gnu-x86_64:aws-lc" in ids
    assert ids[-1] == "trial:linux-gnu-x86_64:cp38-abi3:awscrt"


def test_the_plan_as_text_names_every_library() -> None:
    done = run("plan", "linux-gnu-x86_64")
    assert all(path.stem in done.stdout for path in (ROOT / "recipes").glob("*.toml"))


@pytest.mark.fault("F29")
@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("plan", "linux-gnu-x86"), "did you mean 'linux-gnu-x86_64'?"),
        (("paln",), "did you mean 'plan'?"),
        (("plan", "--toolchain", "gcc"), "invalid choice: 'gcc'"),
        (("plan", "--variant", "cp37-abi3"), "did you mean 'cp38-abi3'?"),
        (("bench", "bulid"), "did you mean 'build'?"),
        (("verify", "x.zip"), "not the file name of a wheel"),
        (("store", "prune", "--keep", "lots"), "'lots' is no size"),
        (("store", "prune", "--older-than", "30x"), "'30x' is no age"),
        (("store", "prune"), "nothing says what may go"),
        ((), "VERB"),
    ],
)
def test_a_wrong_argument_is_told_with_the_next_step(tmp_path: Path, arguments: tuple[str, ...], told: str) -> None:
    done = run(*arguments, AWS_CRT_BUILD_STORE=str(tmp_path))
    assert done.returncode == 2
    assert told in done.stderr
    assert "next:" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.fault("F04")
def test_offline_with_an_empty_store_says_what_is_missing(tmp_path: Path) -> None:
    done = run("wheels", "linux-gnu-x86_64", "--offline", "--no-trial", AWS_CRT_BUILD_STORE=str(tmp_path))
    assert done.returncode == 3, done.stderr
    assert "not in the store" in done.stderr
    assert "without --offline" in done.stderr


@pytest.mark.fault("F31")
def test_a_misspelt_variable_is_refused_by_every_verb() -> None:
    done = run("plan", AWS_CRT_BUILD_OFLINE="1")
    assert done.returncode == 2
    assert "did you mean 'AWS_CRT_BUILD_OFFLINE'?" in done.stderr


@pytest.mark.fault("F24")
def test_a_malformed_source_date_epoch_is_refused(tmp_path: Path) -> None:
    done = run("store", "ls", SOURCE_DATE_EPOCH="yesterday", AWS_CRT_BUILD_STORE=str(tmp_path))
    assert done.returncode == 2
    assert "SOURCE_DATE_EPOCH is 'yesterday'" in done.stderr


def test_an_error_is_json_too() -> None:
    done = run("plan", "nowhere", "--json")
    assert done.returncode == 2
    error = json.loads(done.stdout)["error"]
    assert (error["kind"], error["exit_code"]) == ("usage", 2)


def test_help_names_every_verb_variable_and_exit_code() -> None:
    done = run("--help")
    assert done.returncode == 0
    assert all(verb.name in done.stdout for verb in verbs.VERBS)
    assert "AWS_CRT_BUILD_STORE" in done.stdout
    assert "130 interrupted" in done.stdout


@pytest.mark.parametrize("verb", [verb.name for verb in verbs.VERBS])
def test_every_verb_has_help(verb: str) -> None:
    done = run(verb, "--help")
    assert done.returncode == 0
    assert "usage:" in done.stdout


def test_an_interrupt_ends_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(variables, "checked", interrupted)
    assert cli.main(["plan"], os.environ) == 130
    assert "interrupted" in capsys.readouterr().err


def test_a_root_is_named_for_the_wheels_of_dist_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["tests", "linux-gnu-x86_64", "--in", "trixie-aarch64"], os.environ) == 2
    assert "use it with the target `all`" in capsys.readouterr().err
