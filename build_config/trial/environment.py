"""Owns the virtual environments that wheels are tried in: packages kept per interpreter, the rest new for each trial."""

from __future__ import annotations

import hashlib
import os
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement

from .. import process
from ..errors import MachineError, UsageError
from .interpreters import Interpreter

_FORMAT = "1"
_TIMEOUT = 900.0
_HASHES = re.compile(r"\s--hash=\S+")


def clean(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment without what would lead Python or pip elsewhere than into the virtual environment."""
    return {
        name: value
        for name, value in environment.items()
        if not name.startswith("PYTHON")
        and name not in {"VIRTUAL_ENV", "__PYVENV_LAUNCHER__", "PIP_TARGET", "PIP_PREFIX"}
    }


def python_of(folder: Path) -> Path:
    """The interpreter of a virtual environment."""
    return folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def template(interpreter: Interpreter, requirements: Path, *, environment: Mapping[str, str], work: Path) -> Path:
    """A virtual environment with the pinned requirements and nothing else, kept in `work` for later trials.

    Raises:
        MachineError: the environment or its packages cannot be had.
        UsageError: the requirements pin no pip for this interpreter.
    """
    named = (_FORMAT, str(interpreter.path), interpreter.version, interpreter.abi, requirements.read_text("utf-8"))
    digest = hashlib.sha256("\0".join(named).encode()).hexdigest()[:16]
    final = work / f"{interpreter.abi}-{digest}"
    if final.is_dir():
        return final
    work.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".making-", dir=work) as scratch:
        folder = Path(scratch) / "environment"
        _make(interpreter, folder, requirements, environment=clean(environment), work=work)
        try:
            os.rename(folder, final)
        except OSError:
            # Somebody else finished the same one first.
            if not final.is_dir():
                raise
    return final


def fresh(interpreter: Interpreter, packages: Path, folder: Path, *, environment: Mapping[str, str]) -> Path:
    """A new, empty virtual environment that also sees the packages of a template; returns its interpreter.

    Raises:
        MachineError: the interpreter cannot make one.
    """
    _venv(interpreter, folder, environment=environment, log=None)
    # A path file (see the stdlib's `site`): copying the template's few thousand files takes longer than the tests.
    (_site_packages(folder) / "trial.pth").write_text(f"{_site_packages(packages)}\n", encoding="utf-8")
    return python_of(folder)


def _site_packages(folder: Path) -> Path:
    return next(iter(sorted((*folder.glob("lib/python*/site-packages"), *folder.glob("Lib/site-packages")))))


def _venv(interpreter: Interpreter, folder: Path, *, environment: Mapping[str, str], log: Path | None) -> None:
    # The stdlib's venv, without pip: virtualenv's pip has left 3.8, and Debian splits ensurepip from Python.
    process.run(
        [interpreter.path, "-I", "-m", "venv", "--without-pip", folder],
        cwd=folder.parent,
        env=environment,
        timeout=_TIMEOUT,
        log=log,
        error=MachineError,
        subject=f"{interpreter.path} ({interpreter.version})",
    )


def _make(
    interpreter: Interpreter, folder: Path, requirements: Path, *, environment: Mapping[str, str], work: Path
) -> None:
    log = work / "environments.log"
    _venv(interpreter, folder, environment=environment, log=log)
    pip = _pip_wheel(interpreter, requirements, environment=environment, folder=folder.parent, log=log)
    process.run(
        [
            *(python_of(folder), f"{pip}{os.sep}pip", "install", "--disable-pip-version-check", "--no-input"),
            *("--require-hashes", "--only-binary", ":all:", "--requirement", requirements.absolute()),
        ],
        cwd=folder.parent,
        env=environment,
        timeout=_TIMEOUT,
        log=log,
        error=MachineError,
        subject=f"test requirements for Python {interpreter.version}",
    )


def _pip_wheel(
    interpreter: Interpreter, requirements: Path, *, environment: Mapping[str, str], folder: Path, log: Path
) -> Path:
    """The pinned pip for an interpreter, as a wheel that the interpreter can run pip from."""
    pinned = folder / "pip.txt"
    pinned.write_text(pip_pin(interpreter, requirements), encoding="utf-8")
    process.run(
        [
            *(sys.executable, "-m", "pip", "download", "--disable-pip-version-check", "--no-input", "--no-deps"),
            *(
                "--require-hashes",
                "--only-binary",
                ":all:",
                "--python-version",
                ".".join(map(str, interpreter.release)),
            ),
            *("--dest", folder, "--requirement", pinned),
        ],
        cwd=folder,
        env=environment,
        timeout=_TIMEOUT,
        log=log,
        error=MachineError,
        subject=f"pip for Python {interpreter.version}",
    )
    return next(iter(sorted(folder.glob("pip-*.whl"))))


def pip_pin(interpreter: Interpreter, requirements: Path) -> str:
    """The line that pins pip for an interpreter, without its marker, with its hashes."""
    major, minor = interpreter.release
    python = {"python_version": f"{major}.{minor}", "python_full_version": interpreter.version}
    for line in _lines(requirements):
        hashes = _HASHES.findall(line)
        try:
            requirement = Requirement(_HASHES.sub("", line))
        except InvalidRequirement as cause:
            raise UsageError(f"not a pinned requirement: {line[:80]!r}", subject=requirements) from cause
        if requirement.name == "pip" and (requirement.marker is None or requirement.marker.evaluate(python)):
            return f"pip{requirement.specifier}{''.join(hashes)}\n"
    raise UsageError(
        f"pins no pip for Python {interpreter.version}",
        subject=requirements,
        hint="add `pip` to the file that it is made from, and lock again",
    )


def _lines(requirements: Path) -> Iterator[str]:
    text = requirements.read_text(encoding="utf-8").replace("\\\n", " ")
    for line in text.splitlines():
        bare = line.partition(" #")[0].strip()
        if bare and not bare.startswith(("#", "-")):
            yield bare
