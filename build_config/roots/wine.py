"""Owns what Wine needs of a root: its drive C, made once, and how the kernel is told to start programs with it."""

from __future__ import annotations

import filecmp
import os
import shutil
from collections.abc import Iterator
from pathlib import Path, PureWindowsPath

from ..errors import MachineError
from .catalog import Windows
from .namespace import Inside

_FORMAT = "1"
_SECONDS = 600.0
_ZLIB = "usr/x86_64-w64-mingw32ucrt/lib/zlib1.dll"
_LIBRARIES = "usr/lib/x86_64-linux-gnu/wine/x86_64-windows"
_SYSTEM = "drive_c/windows/system32"
_REGISTRY = "system.reg"
_INIT = '"$0" wineboot.exe --init; "$WINESERVER" --wait'
"""The server writes the registry when all others are gone. That nothing for 32 bits is there makes the first command fail."""


def handler(windows: Windows) -> str:
    """What the kernel is told: the program is looked up in the root whenever one of Windows' starts."""
    return f":wine:M::{windows.magic}::{windows.program}:"


def variables(windows: Windows) -> tuple[tuple[str, str], ...]:
    """What is set where programs of Windows' run."""
    return (*windows.variables, ("WINEPREFIX", windows.prefix))


def facts(windows: Windows) -> Iterator[tuple[str, str]]:
    """What decides drive C, as fields of a key, beside the packages."""
    yield "wine rules", _FORMAT
    yield from ((f"wine {name}", value) for name, value in variables(windows))


def named(path: Path) -> str:
    """A path of the root as programs of Windows' name it: drive Z is all of the root."""
    return str(PureWindowsPath("Z:\\", path))


def prepare(windows: Windows, place: Inside) -> None:
    """Make drive C in a root. A run sees it through its overlay, and so has one of its own.

    Raises:
        MachineError: Wine fails.
    """
    tree = place.tree
    prefix = tree / windows.prefix.lstrip("/")
    prefix.mkdir(parents=True)
    # Wine's own programs look for it among its libraries, others in Windows' system folder.
    shutil.copy(tree / _ZLIB, tree / _LIBRARIES)
    done = place.run(
        ["/bin/sh", "-c", _INIT, windows.program],
        cwd=tree,
        env={**place.environment({}), "WINEPREFIX": str(prefix)},
        work=tree,
        timeout=_SECONDS,
        subject=place.name,
    )
    if not (prefix / _REGISTRY).is_file():
        raise MachineError(f"Wine made no registry:\n{done.tail()}", subject=place.name)
    shutil.copy(tree / _ZLIB, prefix / _SYSTEM)
    _keep_drives(prefix, tree)
    _share(prefix, tree)


def _keep_drives(prefix: Path, tree: Path) -> None:
    """C and Z; others are this machine's devices. No link of a tree is absolute: it would lead out where it is stored."""
    drives = prefix / "dosdevices"
    for link in drives.iterdir():
        if link.name != "c:":
            link.unlink()
    (drives / "z:").symlink_to(os.path.relpath(tree, drives))


def _share(prefix: Path, tree: Path) -> None:
    """Make links of what Wine has copied: it would be in the root twice."""
    originals = {path.name: path for path in (tree / _LIBRARIES).iterdir()}
    for copy in (path for path in sorted(prefix.rglob("*")) if path.is_file() and not path.is_symlink()):
        original = originals.get(copy.name)
        if original is not None and filecmp.cmp(copy, original, shallow=False):
            copy.unlink()
            copy.symlink_to(os.path.relpath(original, copy.parent))
