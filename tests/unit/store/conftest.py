"""Owns what the tests of the store share: a store, a key, a content with every kind of part, and child processes."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import build_config
from build_config.key import Key
from build_config.store import Store

KEY = Key.of("library", "s2n", [("compiler", "zig 0.16.0"), ("floor", "2.17")])

Script = Callable[..., "subprocess.Popen[str]"]


def tree(folder: Path) -> None:
    """A content with files, a program, an empty folder and a link."""
    (folder / "include").mkdir()
    (folder / "include" / "s2n.h").write_text("int s2n_init(void);\n")
    (folder / "lib").mkdir()
    (folder / "lib" / "libs2n.a").write_bytes(bytes(range(256)) * 8)
    (folder / "lib" / "libs2n.so").symlink_to("libs2n.a")
    (folder / "bin").mkdir()
    (folder / "bin" / "tool").write_text("#!/bin/sh\n")
    (folder / "bin" / "tool").chmod(0o755)
    (folder / "empty").mkdir()


@pytest.fixture
def key() -> Key:
    return KEY


@pytest.fixture
def build() -> Callable[[Path], None]:
    return tree


@pytest.fixture
def warnings() -> list[str]:
    return []


@pytest.fixture
def store(tmp_path: Path, warnings: list[str]) -> Iterator[Store]:
    with Store(tmp_path / "store", warn=warnings.append) as opened:
        yield opened


@pytest.fixture
def leftovers() -> Callable[[Path], list[str]]:
    """What lies in a store's working folders: unfinished entries, and the locks of builds."""

    def look(root: Path) -> list[str]:
        base = root / "v1"
        locks = (path for path in (base / "locks").iterdir() if path.suffix in {".build", ".stage"})
        return sorted(path.name for path in (*(base / "tmp").iterdir(), *locks))

    return look


@pytest.fixture
def script(tmp_path: Path) -> Iterator[Script]:
    """Start a Python program with the store at hand, in a process of its own; its stdout and stdin are pipes."""
    started: list[subprocess.Popen[str]] = []
    head = "import os, sys, time\nfrom pathlib import Path\nfrom build_config.key import Key\n"
    head += "from build_config.store import Store\n"

    def start(text: str, *arguments: object, prefix: tuple[str, ...] = ()) -> subprocess.Popen[str]:
        path = tmp_path / f"child-{len(started)}.py"
        path.write_text(head + textwrap.dedent(text), encoding="utf-8")
        root = Path(build_config.__file__).parents[1]
        process = subprocess.Popen(
            [*prefix, sys.executable, path, *(os.fsencode(str(argument)) for argument in arguments)],
            env={**os.environ, "PYTHONPATH": os.fspath(root)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()
