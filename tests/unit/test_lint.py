"""Owns the tests of how linters are run; that each linter sees what it should is its own project's business."""

from __future__ import annotations

import os
import sys
import sysconfig
from pathlib import Path

import pytest

from build_config import lint
from build_config.errors import MachineError
from build_config.lint import Ground, Linter

ROOT = Path(__file__).parents[2]


@pytest.fixture
def ground(tmp_path: Path) -> Ground:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "b.c").touch()
    (tmp_path / "source" / "a.h").touch()
    return Ground(tmp_path, (Path("/libraries/include"),), (Path("/libc/include"),))


def test_a_linter_that_ends_well_finds_nothing(tmp_path: Path) -> None:
    assert lint.check("rule", [sys.executable, "-c", "print('fine')"], tmp_path, os.environ) == ()


def test_what_a_linter_says_is_its_finding(tmp_path: Path) -> None:
    words = [sys.executable, "-c", "import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)"]
    (finding,) = lint.check("rule", words, tmp_path, os.environ)
    assert (finding.rule, finding.message) == ("rule", "exit 3")
    assert {"out", "err"} <= set(finding.hint.split())


def test_a_linter_that_is_not_installed_is_no_finding(tmp_path: Path) -> None:
    with pytest.raises(MachineError, match="no-such-linter"):
        lint.check("rule", ["no-such-linter"], tmp_path, os.environ)


def test_files_are_named_sorted_and_relative(ground: Ground) -> None:
    assert Linter("x", "x", lambda _: ("-v",), ("source/*.[ch]",)).argv(ground)[1:] == (
        "-v",
        "source/a.h",
        "source/b.c",
    )


def test_a_linter_without_files_is_not_run(ground: Ground) -> None:
    assert Linter("x", "x", lambda _: ("-v",), ("source/*.cpp",)).argv(ground) == ()
    assert Linter("x", "x", lambda _: (".",)).argv(ground)[1:] == (".",)


def test_the_c_checker_sees_the_headers_that_the_build_sees(ground: Ground) -> None:
    (tidy,) = [linter for linter in lint.LINTERS if linter.program == "clang-tidy"]
    argv = tidy.argv(ground)
    assert argv.index("source/b.c") < argv.index("--") < argv.index("/libraries/include") < argv.index("/libc/include")
    assert "-nostdlibinc" in argv


def test_the_c_librarys_headers_come_from_zig() -> None:
    folders = lint.system_dirs(ROOT, os.environ)
    assert any((folder / "stdio.h").is_file() for folder in folders)
    assert not any((folder / "stddef.h").is_file() for folder in folders)
    assert all("ziglang" in folder.parts for folder in folders)


def test_users_programs_see_the_package_as_it_is_installed(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in for the type checker says what it would see of the package and of its marker."""
    package = ground.root / "awscrt"
    (package / "__pycache__").mkdir(parents=True)
    (package / "__init__.py").write_text("here = __file__\n")
    (package / "py.typed").touch()
    (ground.root / "tests" / "typing").mkdir(parents=True)
    (ground.root / "tests" / "typing" / "sample.py").touch()
    checker = ground.root / "mypy"
    checker.write_text(
        '#!/bin/sh\nwhile [ "$1" != --python-executable ]; do shift; done\n'
        'echo "$3"; "$2" -c "import awscrt, os; print(os.listdir(os.path.dirname(awscrt.here)))"; exit 1\n'
    )
    checker.chmod(0o755)
    monkeypatch.setattr(sysconfig, "get_path", lambda _: str(ground.root))
    findings = lint.users_view(ground, {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"})
    assert [finding.rule for finding in findings] == ["mypy-users-3.10", "mypy-users-3.14"]
    for finding in findings:
        assert finding.hint.splitlines()[0] == str(ground.root / "tests" / "typing" / "sample.py")
        assert "'py.typed'" in finding.hint
        assert "__pycache__" not in finding.hint


def test_nothing_is_installed_where_no_user_is(ground: Ground) -> None:
    assert lint.users_view(ground, {}) == ()


def test_data_that_is_not_toml_is_found(ground: Ground) -> None:
    (ground.root / "recipes").mkdir()
    (ground.root / "recipes" / "good.toml").write_text("a = 1\n")
    (ground.root / "recipes" / "bad.toml").write_text("a = = 1\n")
    assert [finding.subject for finding in lint.broken_data(ground)] == ["recipes/bad.toml"]


def test_every_program_is_among_the_requirements() -> None:
    names = (ROOT / "requirements" / "lint.in").read_text(encoding="utf-8").split()
    assert {linter.program for linter in lint.LINTERS} <= set(names)
