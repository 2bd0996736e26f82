"""Owns the linters: which are run over which files, and what each one finds."""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
import tempfile
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from . import process
from .errors import MachineError
from .model import Finding, Severity

_TARGET = "x86_64-linux-gnu"
_TAIL_LINES = 200
# The oldest Python that the type checker still knows, and the newest; the package itself is tried on older ones.
_OLDEST_CHECKED = "3.10"
_NEWEST_CHECKED = "3.14"
# Programs as users write them.
_USERS = "tests/typing/*.py"
_DATA = ("*.toml", "build_config/*.toml", "crt/*.toml", "manylinux/**/*.toml", "recipes/*.toml", "tests/**/*.toml")


@dataclass(frozen=True, slots=True)
class Ground:
    """What linters look at; `include_dirs` hold the headers of the C libraries, `system_dirs` those of the C library."""

    root: Path
    include_dirs: Sequence[Path]
    system_dirs: Sequence[Path]

    def files(self, *patterns: str) -> tuple[str, ...]:
        """Paths relative to the root, sorted."""
        found = {path for pattern in patterns for path in self.root.glob(pattern)}
        return tuple(sorted(path.relative_to(self.root).as_posix() for path in found))


@dataclass(frozen=True, slots=True)
class Linter:
    """A program from the `lint` requirements: the files it looks at, and its arguments before them.

    One without `patterns` finds its files itself; one whose patterns match nothing is not run.
    """

    name: str
    program: str
    arguments: Callable[[Ground], tuple[str, ...]]
    patterns: tuple[str, ...] = ()
    trailing: Callable[[Ground], tuple[str, ...]] = lambda _: ()

    def argv(self, ground: Ground) -> tuple[str, ...]:
        """The command; empty where there is nothing to look at."""
        files = ground.files(*self.patterns)
        if self.patterns and not files:
            return ()
        program = os.fspath(_scripts() / self.program)
        return (program, *self.arguments(ground), *files, *self.trailing(ground))


def _scripts() -> Path:
    return Path(sysconfig.get_path("scripts"))


def _compiler_flags(ground: Ground) -> tuple[str, ...]:
    """How the extension is compiled, for clang-tidy: with the C library's headers that zig carries, not this machine's."""
    system = [word for folder in ground.system_dirs for word in ("-isystem", os.fspath(folder))]
    libraries = [word for folder in ground.include_dirs for word in ("-isystem", os.fspath(folder))]
    return ("--", f"--target={_TARGET}", "-std=gnu11", "-nostdlibinc", "-Wall", "-Wextra", *libraries, *system)


LINTERS: tuple[Linter, ...] = (
    Linter("ruff", "ruff", lambda _: ("check", "--no-cache", ".")),
    Linter("ruff-format", "ruff", lambda _: ("format", "--no-cache", "--check", ".")),
    Linter("mypy", "mypy", lambda _: ("--no-color-output",)),
    Linter(
        "mypy-package",
        "mypy",
        lambda _: ("--no-color-output", "--python-version", _OLDEST_CHECKED, "--package", "awscrt"),
    ),
    Linter("clang-format", "clang-format", lambda _: ("--dry-run", "-Werror"), ("source/*.[ch]", "windows/*.c")),
    Linter("clang-tidy", "clang-tidy", lambda _: ("--quiet",), ("source/*.c",), _compiler_flags),
    Linter(
        "workflow-schema",
        "check-jsonschema",
        lambda _: ("--builtin-schema", "vendor.github-workflows"),
        (".github/workflows/*.yml", ".github/workflows/*.yaml"),
    ),
    Linter("workflow-security", "zizmor", lambda _: ("--offline", "--no-progress", ".github")),
)
"""Every linter by the rule that its findings have, in the order in which they run."""


def run(
    root: Path, *, environment: Mapping[str, str], include_dirs: Sequence[Path], progress: Callable[[str], None]
) -> tuple[Finding, ...]:
    """Run every linter over the project in `root`; a linter that finds something is one finding with all it said.

    `include_dirs` hold the headers of the C libraries that the extension is compiled with.

    Raises:
        MachineError: a linter is not installed.
    """
    env = {**environment, "NO_COLOR": "1", "TERM": "dumb"}
    ground = Ground(root, include_dirs, system_dirs(root, env))
    found: list[Finding] = []
    for linter in LINTERS:
        argv = linter.argv(ground)
        if argv:
            progress(linter.name)
            found += check(linter.name, argv, root, env)
    progress("mypy-users")
    found += users_view(ground, env)
    progress("toml")
    return (*found, *broken_data(ground))


def check(name: str, argv: Sequence[str], root: Path, env: Mapping[str, str]) -> tuple[Finding, ...]:
    """Run one linter: no finding where it ends well."""
    done = process.run(argv, cwd=root, env=env, error=None, subject=name)
    if done.returncode == 0:
        return ()
    return (Finding(name, Severity.ERROR, Path(argv[0]).name, f"exit {done.returncode}", done.tail(_TAIL_LINES)),)


def users_view(ground: Ground, env: Mapping[str, str]) -> tuple[Finding, ...]:
    """Check the types of users' programs against the package as they have it: installed, and typed by its marker.

    Raises:
        MachineError: the type checker is not installed, or no virtual environment can be made.
    """
    programs = [os.fspath(ground.root / name) for name in ground.files(_USERS)]
    if not programs:
        return ()
    found: list[Finding] = []
    # Neither the project's configuration nor its folder: through either, the checker would find the sources.
    words = ("--no-color-output", "--config-file=", "--strict", "--cache-dir", ground.root / ".mypy_cache" / "users")
    with tempfile.TemporaryDirectory(prefix="lint-") as scratch:
        python = install(ground.root / "awscrt", Path(scratch), env)
        for version in (_OLDEST_CHECKED, _NEWEST_CHECKED):
            chosen = ("--python-version", version, "--python-executable", python)
            argv = [os.fspath(word) for word in (_scripts() / "mypy", *words, *chosen)]
            found += check(f"mypy-users-{version}", (*argv, *programs), Path(scratch), env)
    return tuple(found)


def install(package: Path, folder: Path, env: Mapping[str, str]) -> Path:
    """A virtual environment in `folder` with the Python part of a package; returns its interpreter.

    Raises:
        MachineError: it cannot be made.
    """
    argv = [sys.executable, "-m", "venv", "--without-pip", os.fspath(folder)]
    process.run(argv, cwd=folder, env=env, error=MachineError, subject="venv")
    (packages,) = (*folder.glob("lib/python*/site-packages"), *folder.glob("Lib/site-packages"))
    shutil.copytree(package, packages / package.name, ignore=shutil.ignore_patterns("__pycache__"))
    return folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def broken_data(ground: Ground) -> tuple[Finding, ...]:
    """The data files that are not TOML."""
    found = []
    for name in ground.files(*_DATA):
        try:
            tomllib.loads((ground.root / name).read_text(encoding="utf-8"))
        except ValueError as cause:
            found.append(Finding("toml", Severity.ERROR, name, str(cause)))
    return tuple(found)


def system_dirs(root: Path, env: Mapping[str, str]) -> tuple[Path, ...]:
    """The folders in which zig finds the C library's headers.

    Raises:
        MachineError: zig cannot be run.
    """
    argv = [sys.executable, "-m", "ziglang", "cc", "-target", _TARGET, "-E", "-v", "-x", "c", os.devnull]
    lines = process.run(argv, cwd=root, env=env, error=MachineError, subject="ziglang").output.splitlines()
    start, end = lines.index("#include <...> search starts here:"), lines.index("End of search list.")
    # zig names folders below the working directory relative to it.
    folders = [root / line.strip() for line in lines[start + 1 : end]]
    # clang-tidy has its own of the compiler's headers; another compiler's would not fit it.
    return tuple(folder for folder in folders if not (folder / "stddef.h").is_file())
