"""Owns the small executables that stand between CMake and a compiler that does not take every flag of gcc's."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from ..errors import MachineError


def digest(scripts: Mapping[str, str]) -> str:
    """A sha256 over names and texts."""
    text = "".join(f"{name}\0{scripts[name]}\0" for name in sorted(scripts))
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()


def install(scripts: Mapping[str, str], under: Path) -> Path:
    """A folder below `under`, named by what it holds, with one executable a script; safe for processes at once.

    Raises:
        MachineError: the folder cannot be written.
    """
    folder = under / digest(scripts)[:16]
    if _holds(folder, scripts):
        return folder
    try:
        under.mkdir(parents=True, exist_ok=True)
        staged = Path(tempfile.mkdtemp(dir=under, prefix=".wrapper-"))
        try:
            for name, text in scripts.items():
                path = staged / name
                path.write_text(text, encoding="utf-8", errors="surrogateescape")
                path.chmod(0o755)
            _publish(staged, folder, scripts)
        finally:
            shutil.rmtree(staged, ignore_errors=True)
    except OSError as cause:
        raise MachineError(
            f"cannot write compiler wrappers: {cause.strerror}",
            subject=under,
            hint="choose a folder that can be written to, or free some space",
        ) from cause
    return folder


def _publish(staged: Path, folder: Path, scripts: Mapping[str, str]) -> None:
    """Rename into place; a folder there by now is another process's, or a damaged one."""
    try:
        staged.rename(folder)
    except OSError:
        if _holds(folder, scripts):
            return
        # Somebody may be running what is there: replace each file at once, never remove the folder.
        folder.mkdir(exist_ok=True)
        for name in scripts:
            (staged / name).replace(folder / name)


def _holds(folder: Path, scripts: Mapping[str, str]) -> bool:
    try:
        return all(
            (folder / name).read_text(encoding="utf-8", errors="surrogateescape") == text
            and os.access(folder / name, os.X_OK)
            for name, text in scripts.items()
        )
    except OSError:
        return False
