"""Owns programs that tests talk to: those on PATH, else those of a Debian package, unpacked and not installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

# Servers are for administrators: a user's PATH may lack their folders.
_SYSTEM_FOLDERS = ("/usr/local/sbin", "/usr/sbin", "/sbin")
_SECONDS = 180.0


class UnavailableError(Exception):
    """A program is not on this machine and could not be brought; says what to do."""


class NoPackagesError(UnavailableError):
    """A program is not on this machine, and this is no machine of Debian's packages."""


@dataclass(frozen=True)
class Program:
    """An executable, and the variables that it needs to run from where it was unpacked."""

    path: Path
    variables: Mapping[str, str] = field(default_factory=dict)


def obtain(name: str, package: str, folder: Path) -> Program:
    """A program of this machine, or of a Debian package that is kept unpacked in `folder`.

    apt chooses the package and the libraries that this machine lacks, and checks the signatures. Nothing is installed and
    nobody has to be root.

    Raises:
        UnavailableError: it is not here, and apt is not or cannot help.
    """
    found = shutil.which(name, path=os.pathsep.join((os.environ.get("PATH", os.defpath), *_SYSTEM_FOLDERS)))
    if found:
        return Program(Path(found))
    final = folder.absolute() / package
    if not final.is_dir():
        _unpack(name, package, final)
    return _program(name, final)


def _unpack(name: str, package: str, final: Path) -> None:
    remedy = f"next: install {name} so that it is on PATH"
    missing = [tool for tool in ("apt-get", "dpkg-deb") if not shutil.which(tool)]
    if missing:
        raise NoPackagesError(f"there is no {name} here, and no {missing[0]} to bring it\n  {remedy}")
    final.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".bringing-", dir=final.parent) as scratch:
        tree = Path(scratch) / "tree"
        try:
            for archive in _download(package, Path(scratch)):
                _run(["dpkg-deb", "--extract", str(archive), str(tree)])
            _program(name, tree)
        except (UnavailableError, subprocess.TimeoutExpired) as cause:
            raise UnavailableError(f"there is no {name} here, and apt cannot bring it: {cause}\n  {remedy}") from cause
        try:
            tree.rename(final)
        except OSError:
            # Somebody else finished the same one first.
            if not final.is_dir():
                raise


def _download(package: str, scratch: Path) -> list[Path]:
    """The archives of a package and of what it needs and this machine has not."""
    archives, lists = scratch / "cache" / "archives", scratch / "lists"
    for folder in (archives, lists):
        (folder / "partial").mkdir(parents=True)
    # Without its locks, which only root can take, apt changes nothing outside of the folders that it is given.
    common = ["-q", "-o", "Debug::NoLocking=true", "-o", f"Dir::Cache={scratch / 'cache'}"]
    bring = ["install", "--download-only", "--no-install-recommends", "--yes", package]
    try:
        _run(["apt-get", *common, *bring])
    except UnavailableError:
        # The machine's lists of packages may be absent or older than what the mirrors still have.
        common += ["-o", f"Dir::State::Lists={lists}"]
        _run(["apt-get", *common, "update"])
        _run(["apt-get", *common, *bring])
    return sorted(archives.glob("*.deb"))


def _run(command: list[str]) -> None:
    environment = {**os.environ, "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        timeout=_SECONDS,
        check=False,
    )
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"exit {done.returncode}"]
        raise UnavailableError(f"{command[0]}: {said[-1]}")


def _program(name: str, tree: Path) -> Program:
    for folder in ("usr/sbin", "usr/bin"):
        path = tree / folder / name
        if path.is_file():
            places = {str(library.parent) for library in tree.glob("**/*.so*")}
            known = [os.environ["LD_LIBRARY_PATH"]] if os.environ.get("LD_LIBRARY_PATH") else []
            return Program(path, {"LD_LIBRARY_PATH": os.pathsep.join([*sorted(places), *known])} if places else {})
    raise UnavailableError(f"the package has no {name}")
