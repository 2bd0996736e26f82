"""Owns the lock files of the tools: `requirements/*.in` resolved to exact versions with hashes."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from . import process
from .errors import MachineError, UsageError
from .fetch import settings

OLDEST_FOR_TOOLS = "3.11"
OLDEST_FOR_TRIALS = "3.8"
FOR_TRIALS = ("baseline", "trial")
"""Groups that are installed next to the package, on every Python that it serves."""


def groups(root: Path) -> tuple[str, ...]:
    """The names of the groups that have a `requirements/NAME.in`, sorted."""
    return tuple(sorted(path.stem for path in (root / "requirements").glob("*.in")))


def lock(root: Path, *, environment: Mapping[str, str], progress: Callable[[str], None]) -> tuple[Path, ...]:
    """Resolve every group anew and write its `.txt`; the running interpreter must have uv.

    A version is chosen once for all groups. Only the main index of pip's configuration is asked: an index beside it may
    hold a part of a version's files, and a lock made from that would refuse the others.

    Raises:
        MachineError: the index cannot be reached, or the groups have no common solution.
        UsageError: pip is configured badly, or with no index.
    """
    env = {**environment, **_index_environment(environment)}
    names = groups(root)
    tools = tuple(name for name in names if name not in FOR_TRIALS)
    progress("choosing one version of each tool")
    shared = _compile(root, tools, env, OLDEST_FOR_TOOLS)
    written = []
    with tempfile.TemporaryDirectory() as scratch:
        constraints = Path(scratch) / "constraints.txt"
        constraints.write_text(_constrain(shared, OLDEST_FOR_TOOLS), encoding="utf-8")
        for name in names:
            progress(f"locking {name}")
            oldest = OLDEST_FOR_TRIALS if name in FOR_TRIALS else OLDEST_FOR_TOOLS
            text = _compile(root, (name,), env, oldest, "--generate-hashes", "--constraints", os.fspath(constraints))
            written.append(_write(root / "requirements" / f"{name}.txt", text))
    return tuple(written)


def _compile(root: Path, names: tuple[str, ...], env: Mapping[str, str], oldest: str, *options: str) -> str:
    inputs = [f"requirements/{name}.in" for name in names]
    # Wheels only: no package's own code runs while its tools are chosen, and no tool needs a compiler to install.
    words = ("--universal", "--python-version", oldest, "--only-binary", ":all:", "--no-header", "--no-annotate")
    quiet = ("--quiet", "--no-config", "--no-python-downloads")
    argv = [sys.executable, "-m", "uv", "pip", "compile", *words, *quiet, *options, *inputs]
    subject = ", ".join(inputs)
    return process.run(argv, cwd=root, env=env, error=MachineError, subject=subject, output=process.Output.APART).output


def _constrain(resolved: str, oldest: str) -> str:
    """The resolved lines as constraints that leave interpreters older than `oldest` free."""
    rows = []
    for line in resolved.splitlines():
        pin, separator, marker = line.partition(" ; ")
        where = f"({marker}) and " if separator else ""
        rows.append(f"{pin} ; {where}python_full_version >= '{oldest}'\n")
    return "".join(rows)


def _index_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """What pip is configured with, in uv's variables: an address may hold a password, and an argv can be seen."""
    said = settings.load(environment)
    if not said.indexes:
        raise UsageError("pip is configured with no index", hint="see `pip config list`: no-index must be off")
    pairs = (("UV_DEFAULT_INDEX", said.indexes[0]), ("SSL_CERT_FILE", said.cert), ("ALL_PROXY", said.proxy))
    return {variable: value for variable, value in pairs if value}


def _write(path: Path, text: str) -> Path:
    fresh = path.with_suffix(".txt.new")
    fresh.write_text(text, encoding="utf-8")
    fresh.replace(path)
    return path
