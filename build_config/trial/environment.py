"""Owns the virtual environments that wheels are tried in: packages kept per interpreter, the rest new for each trial."""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement

from .. import process
from ..errors import MachineError, UsageError
from .interpreters import Interpreter
from .place import clean
from .unavailable import reasons

_FORMAT = "2"
_TIMEOUT = 900.0
_HASHES = re.compile(r"\s--hash=\S+")
_PLATFORMS = """\
import json, sys
sys.path.insert(0, sys.argv[1])
from pip._vendor.packaging.tags import sys_tags
print(json.dumps(list(dict.fromkeys(tag.platform for tag in sys_tags()))))
"""
"""Prints the platforms whose wheels an interpreter takes, as the pip that is given sees them."""


def python_of(interpreter: Interpreter, folder: Path) -> Path:
    """The interpreter of a virtual environment that another one has made."""
    return folder / ("Scripts/python.exe" if interpreter.platform.startswith("win") else "bin/python")


def template(interpreter: Interpreter, requirements: Path, *, environment: Mapping[str, str], work: Path) -> Path:
    """A virtual environment with the pinned requirements and nothing else, kept in `work` for later trials.

    Raises:
        MachineError: the environment or its packages cannot be had.
        UsageError: the requirements pin no pip for this interpreter.
    """
    facts = (interpreter.place.identity, str(interpreter.path), interpreter.version, interpreter.abi)
    named = (_FORMAT, *facts, *reasons(interpreter, requirements), requirements.read_text("utf-8"))
    digest = hashlib.sha256("\0".join(named).encode()).hexdigest()[:16]
    final = work / f"{interpreter.abi}-{digest}"
    if final.is_dir():
        return final
    work.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".making-", dir=work) as scratch:
        folder = Path(scratch) / "environment"
        _make(interpreter, folder, requirements, environment=environment, work=work)
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
    return python_of(interpreter, folder)


def _site_packages(folder: Path) -> Path:
    return next(iter(sorted((*folder.glob("lib/python*/site-packages"), *folder.glob("Lib/site-packages")))))


def _venv(interpreter: Interpreter, folder: Path, *, environment: Mapping[str, str], log: Path | None) -> None:
    # The stdlib's venv, without pip: virtualenv's pip has left 3.8, and Debian splits ensurepip from Python.
    interpreter.place.run(
        [interpreter.path, "-I", "-m", "venv", "--without-pip", folder],
        cwd=folder.parent,
        env=interpreter.place.environment(environment),
        work=folder.parent,
        timeout=_TIMEOUT,
        log=log,
        error=MachineError,
        subject=f"{interpreter.path} ({interpreter.version})",
    )


def _make(
    interpreter: Interpreter, folder: Path, requirements: Path, *, environment: Mapping[str, str], work: Path
) -> None:
    """The wheels are brought by this machine's pip, which knows its indexes, and installed by the environment's own."""
    log, wheels = work / "environments.log", folder.with_name("wheels")
    _venv(interpreter, folder, environment=environment, log=log)
    pins = pinned(interpreter, requirements)
    if "pip" not in pins:
        raise UsageError(
            f"pins no pip for Python {interpreter.version}",
            subject=requirements,
            hint="add `pip` to the file that it is made from, and lock again",
        )
    outside = clean(environment)
    _download(interpreter, [pins["pip"]], (), wheels, pip=("-m", "pip"), environment=outside, log=log)
    pip = f"{next(iter(sorted(wheels.glob('pip-*.whl'))))}{os.sep}pip"
    run = _Runner(interpreter, environment, folder.parent, log)
    python = python_of(interpreter, folder)
    platforms = json.loads(run([python, "-I", "-c", _PLATFORMS, Path(pip).parent]).splitlines()[-1])
    chosen = [word for name in platforms for word in ("--platform", name)]
    # The pinned pip here too: an older one does not know every interpreter's tags.
    _download(interpreter, [*pins.values()], chosen, wheels, pip=(pip,), environment=outside, log=log)
    options = ("--disable-pip-version-check", "--no-input", "--isolated", "--no-index", "--no-deps")
    # As a module: on Windows, what is called pip does not put another pip in place of itself.
    command: list[str | Path] = [python, "-m", "pip", "install", *options, *sorted(wheels.glob("*.whl"))]
    run(command, PYTHONPATH=str(Path(pip).parent))


@dataclass(frozen=True, slots=True)
class _Runner:
    """Runs what must not fail with an interpreter of an environment that is being made."""

    interpreter: Interpreter
    environment: Mapping[str, str]
    scratch: Path
    log: Path

    def __call__(self, argv: Sequence[str | Path], **variables: str) -> str:
        place = self.interpreter.place
        return place.run(
            argv,
            cwd=self.scratch,
            env={**place.environment(self.environment), **variables},
            work=self.scratch,
            timeout=_TIMEOUT,
            log=self.log,
            error=MachineError,
            subject=f"test requirements for Python {self.interpreter.version}",
        ).output


def _download(
    interpreter: Interpreter,
    pins: Sequence[str],
    platforms: Sequence[str],
    folder: Path,
    *,
    pip: Sequence[str],
    environment: Mapping[str, str],
    log: Path,
) -> None:
    folder.mkdir(exist_ok=True)
    listed = folder / "pins.txt"
    listed.write_text("".join(pins), encoding="utf-8")
    # Whole, since a requirement may exclude patch releases; without the letters of a preview, which pip does not take.
    release = ".".join(re.findall(r"\d+", interpreter.version)[:3])
    options = ("--disable-pip-version-check", "--no-input", "--no-deps", "--require-hashes", "--only-binary", ":all:")
    python = ("--python-version", release, "--implementation", "cp", "--abi", interpreter.abi, *platforms)
    process.run(
        [sys.executable, *pip, "download", *options, *python, "--dest", folder, "--requirement", listed],
        cwd=folder,
        env=environment,
        timeout=_TIMEOUT,
        log=log,
        error=MachineError,
        subject=f"test requirements for Python {interpreter.version}",
    )


def pinned(interpreter: Interpreter, requirements: Path) -> dict[str, str]:
    """The lines of pinned requirements that hold for an interpreter, by package: without markers, with hashes.

    Markers are judged here: pip judges them for the Python that it runs on, whatever it is told to download for.

    Raises:
        UsageError: a line is no pinned requirement.
    """
    found = {}
    without = reasons(interpreter, requirements)
    for line in _lines(requirements):
        hashes = _HASHES.findall(line)
        try:
            requirement = Requirement(_HASHES.sub("", line))
        except InvalidRequirement as cause:
            raise UsageError(f"not a pinned requirement: {line[:80]!r}", subject=requirements) from cause
        holds = requirement.marker is None or requirement.marker.evaluate(interpreter.markers)
        if holds and requirement.name not in without:
            found[requirement.name] = f"{requirement.name}{requirement.specifier}{''.join(hashes)}\n"
    return found


def _lines(requirements: Path) -> Iterator[str]:
    text = requirements.read_text(encoding="utf-8").replace("\\\n", " ")
    for line in text.splitlines():
        bare = line.partition(" #")[0].strip()
        if bare and not bare.startswith(("#", "-")):
            yield bare
