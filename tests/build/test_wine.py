"""Owns the tests of Windows' Pythons in the root that Wine makes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from build_config.errors import MachineError
from build_config.roots import Provider, load
from build_config.store import Store
from build_config.trial import Interpreter, run
from build_config.workspace import Listener, open_workspace

PROJECT = Path(__file__).parents[2]
ROOT = "wine-x86_64"
TEST = """\
import subprocess, sys

import awscrt
from awscrt import checksums, io


def test_it_is_windows():
    assert sys.platform == "win32"
    assert awscrt.__file__.startswith("Z:")


def test_it_computes():
    assert checksums.crc32c(b"123456789") == 0xE3069283


def test_an_event_loop_starts_and_ends():
    loops = io.EventLoopGroup(1)
    over = loops.shutdown_event
    del loops
    assert over.wait(20)


def test_children_run_in_the_same_environment():
    code = "import awscrt; print(awscrt.__file__)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout
    assert said.strip() == awscrt.__file__
"""

pytestmark = [
    pytest.mark.network,
    pytest.mark.slow,
    pytest.mark.crossing,
    pytest.mark.skipif(
        not hasattr(os, "uname") or os.uname().machine != "x86_64", reason="Wine's programs are for x86_64"
    ),
]


@pytest.fixture(scope="module")
def pythons() -> Iterator[tuple[Interpreter, ...]]:
    """Every Python of the root, by the project's own store."""
    catalog = load(PROJECT)
    workspace = open_workspace(PROJECT, os.environ, {"AWS_CRT_BUILD_STORE": os.environ.get("AWS_CRT_BUILD_STORE", "")})
    with Store(workspace.store) as store:
        try:
            yield Provider(catalog, workspace, store, Listener()).interpreters(catalog.roots[ROOT])
        except MachineError as fault:
            pytest.skip(str(fault))


def test_every_python_is_windows_and_of_the_abi_that_it_is_named_after(pythons: tuple[Interpreter, ...]) -> None:
    names = [each.path.parent.name for each in pythons]
    assert [f"python{each.release[0]}.{each.release[1]}{'t' * each.abi.endswith('t')}" for each in pythons] == names
    assert {each.platform for each in pythons} == {"win-amd64"}


def test_the_package_is_imported_and_works(pythons: tuple[Interpreter, ...], tmp_path: Path) -> None:
    wheel = next((PROJECT / "dist").glob("*-abi3-win_amd64.whl"), None)
    if wheel is None:
        pytest.skip("there is no wheel for windows-x86_64 in dist/")
    tests = tmp_path / "tests"
    tests.mkdir()
    (tests / "test_it.py").write_text(TEST, encoding="utf-8")
    report = run(
        wheel,
        next(each for each in pythons if not each.abi.endswith("t")),
        (tests,),
        requirements=PROJECT / "requirements" / "trial.txt",
        work=tmp_path / "work",
        environment=os.environ,
        timeout=300,
    )
    assert report.findings == ()
    assert (report.passed, report.failed, report.skipped) == (4, 0, 0)


def test_what_a_run_changes_on_drive_c_is_gone_after_it(pythons: tuple[Interpreter, ...], tmp_path: Path) -> None:
    python = pythons[0]
    code = "import os; print(os.path.exists(r'C:\\left')); open(r'C:\\left', 'w').close()"
    for _ in range(2):
        env = python.place.environment({})
        done = python.place.run([python.path, "-c", code], cwd=tmp_path, env=env, work=tmp_path, timeout=120)
        assert (done.returncode, done.output.split()[-1]) == (0, "False")
