"""Owns finding CMake and Ninja: those of the running interpreter's environment first, then those on PATH."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from .. import process
from ..errors import MachineError

OLDEST = {"cmake": (3, 25), "ninja": (1, 10)}
"""The oldest versions that builds are known to work with."""

_VERSION = re.compile(r"\b(\d+)\.(\d+)(?:\.(\d+))?")


@dataclass(frozen=True, slots=True)
class Tools:
    """The build tools, as absolute paths; `versions` are (name, version) pairs, sorted."""

    cmake: Path
    ninja: Path
    versions: tuple[tuple[str, str], ...]


def find_tools(environment: Mapping[str, str]) -> Tools:
    """CMake and Ninja, each new enough.

    Raises:
        MachineError: one is missing or too old; it names every one that was found.
    """
    found = {name: _find(name, environment) for name in OLDEST}
    return Tools(
        cmake=found["cmake"][0],
        ninja=found["ninja"][0],
        versions=tuple(sorted((name, version) for name, (_, version) in found.items())),
    )


def _find(name: str, environment: Mapping[str, str]) -> tuple[Path, str]:
    oldest = ".".join(str(part) for part in OLDEST[name])
    refused = []
    for path in _candidates(name, environment):
        version = _version(path, environment)
        if version is None:
            refused.append(f"{path} does not tell its version")
        elif tuple(int(part) for part in version.split(".")) >= OLDEST[name]:
            return path, version
        else:
            refused.append(f"{path} is {version}")
    what = f"{name} {oldest} or newer is needed; " + ("; ".join(refused) if refused else "there is none")
    raise MachineError(what, subject=name, hint=f"python -m pip install '{name}>={oldest}'")


def _candidates(name: str, environment: Mapping[str, str]) -> Iterator[Path]:
    try:
        files = metadata.files(name) or []
    except metadata.PackageNotFoundError:
        files = []
    for file in files:
        if file.name in (name, f"{name}.exe") and file.parent.name in ("bin", "Scripts"):
            path = Path(str(file.locate())).resolve()
            if path.is_file() and not _is_script(path):
                yield path
    on_path = shutil.which(name, path=environment.get("PATH", ""))
    if on_path is not None:
        yield Path(on_path).absolute()


def _is_script(path: Path) -> bool:
    """Whether this is a console script, which would start an interpreter for every call."""
    with path.open("rb") as stream:
        return stream.read(2) == b"#!"


def _version(path: Path, environment: Mapping[str, str]) -> str | None:
    try:
        done = process.run([path, "--version"], cwd=path.parent, env=environment, timeout=60, error=None)
    except MachineError:
        return None
    match = _VERSION.search(done.output)
    return match.group(0) if done.returncode == 0 and match else None
