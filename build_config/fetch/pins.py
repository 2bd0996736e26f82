"""Owns making pins anew: the text of `crt/pins.toml` for an archive, and a commit's tree digest."""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path

from build_config.errors import MachineError, UsageError
from build_config.model import GitPin

from . import archive as packed
from . import git
from .tree import digest_of

_SUFFIX = re.compile(r"(?P<project>.+)-(?P<version>[^-]+)\.tar\.(gz|xz)")
_FOLDER = "crt"
_COMMENT = """\
# What the sources of the C libraries must be. `tree` is the tree digest (build_config/fetch/tree.py) of a library's
# folder in the archive. Made by `python -m build_config pins ARCHIVE`; not to be edited by hand.
"""
# Where the libraries state their version: a file of that name, else their CMakeLists.txt, in one piece or in three.
_ONE = re.compile(r'^set\(SOFTWARE_VERSION "([0-9.]+)"\)', re.MULTILINE)
_THREE = tuple(re.compile(rf"^set\(VERSION_{part} ([0-9]+)\)", re.MULTILINE) for part in ("MAJOR", "MINOR", "PATCH"))


def describe(archive: Path) -> str:
    """The text of `pins.toml` for an archive that is trusted, `PROJECT-VERSION.tar.gz` with libraries in `crt/`.

    Raises:
        IntegrityError: the archive has an entry that must not be extracted.
        MachineError: it cannot be read.
        UsageError: its name or contents are not as said.
    """
    name = _SUFFIX.fullmatch(archive.name)
    if name is None:
        raise UsageError("is not named PROJECT-VERSION.tar.gz", subject=archive)
    top = f"{name['project']}-{name['version']}/{_FOLDER}"
    libraries = packed.folders(archive, top)
    if not libraries:
        raise UsageError(f"has no folders below {top}", subject=archive)
    with tempfile.TemporaryDirectory() as scratch:
        folders = {library: Path(scratch, library) for library in libraries}
        written = packed.extract(archive, {f"{top}/{library}": folder for library, folder in folders.items()})
        tables = [
            _table(
                f"libraries.{library}",
                version=_version(folder),
                path=f"{_FOLDER}/{library}",
                tree=digest_of(written[f"{top}/{library}"]),
            )
            for library, folder in folders.items()
        ]
    size, sha256 = _measured(archive)
    head = _table(
        "archive",
        project=name["project"],
        version=name["version"],
        filename=archive.name,
        size=size,
        sha256=sha256,
    )
    return "\n".join([_COMMENT, head, *tables])


def describe_commit(library: str, url: str, commit: str, *, environment: Mapping[str, str]) -> str:
    """The `[libraries.NAME.git]` table for a commit that is trusted; raises what `git.export` raises."""
    with tempfile.TemporaryDirectory() as scratch:
        room = Path(scratch, "git")
        room.mkdir()
        pin = GitPin(url=url, commit=commit, tree="")
        tree = git.export(pin, Path(scratch, library), scratch=room, environment=environment)
    return _table(f"libraries.{library}.git", url=url, commit=commit, tree=tree)


def _table(heading: str, **fields: str | int) -> str:
    # JSON's strings and numbers are TOML's too, for what names, versions and digests are made of.
    return f"[{heading}]\n" + "".join(f"{name} = {json.dumps(value)}\n" for name, value in fields.items())


def _version(folder: Path) -> str:
    stated = folder / "VERSION"
    if stated.is_file():
        return stated.read_text(encoding="utf-8").strip()
    try:
        text = (folder / "CMakeLists.txt").read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UsageError("has neither VERSION nor CMakeLists.txt", subject=folder.name) from None
    if found := _ONE.search(text):
        return found[1]
    parts = [found[1] for pattern in _THREE if (found := pattern.search(text))]
    if len(parts) != len(_THREE):
        raise UsageError("states no version", subject=folder.name)
    return ".".join(parts)


def _measured(archive: Path) -> tuple[int, str]:
    try:
        with archive.open("rb") as stream:
            return archive.stat().st_size, hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as cause:
        raise MachineError(f"cannot be read: {cause.strerror}", subject=archive) from cause
