"""Owns the tree digest: one sha256 over all in a folder that can matter to a build.

The digest is the sha256 of a listing that holds one record for each entry below the folder, the folder itself left out,
sorted by the UTF-8 bytes of the entry's path. A record is three fields, each ended by one NUL byte: the kind
(`directory`, `file`, `executable`, `symlink`); the path relative to the folder, `/` between its parts; and the value:
the sha256 of a file's contents in lower-case hex, a symlink's target as stored, nothing for a directory. `executable`
is a file whose owner may execute it. Before the records comes the line `tree 1` and a NUL. No path or target can hold a
NUL, so no two different trees have the same listing. Times, owners and other permission bits are no part of it.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from build_config.errors import IntegrityError, MachineError
from build_config.key import file_sha256

_FORMAT = b"tree 1\0"


class Kind(StrEnum):
    DIRECTORY = "directory"
    FILE = "file"
    EXECUTABLE = "executable"
    SYMLINK = "symlink"


@dataclass(frozen=True, slots=True)
class Entry:
    """One record of a tree's listing."""

    path: str
    kind: Kind
    value: str


def listing(entries: Iterable[Entry]) -> bytes:
    """The bytes that the digest is taken of."""
    records = sorted((entry.path.encode(), entry.kind.encode(), entry.value.encode()) for entry in entries)
    return _FORMAT + b"".join(b"%b\0%b\0%b\0" % (kind, path, value) for path, kind, value in records)


def digest_of(entries: Iterable[Entry]) -> str:
    """The tree digest of entries that are already known."""
    return hashlib.sha256(listing(entries)).hexdigest()


def digest(folder: Path) -> str:
    """The tree digest of a folder, each file read.

    Raises:
        IntegrityError: there is a device, a socket or a FIFO in it, or a name that is not UTF-8.
        MachineError: it cannot be read.
    """
    return digest_of(scan(folder))


def scan(folder: Path) -> tuple[Entry, ...]:
    """The entries of a folder, in no particular order; raises what `digest` raises."""
    try:
        return tuple(_walk(folder, ""))
    except OSError as cause:
        raise MachineError(f"cannot be read: {cause.strerror}", subject=cause.filename or folder) from cause


def _walk(folder: Path, prefix: str) -> Iterator[Entry]:
    with os.scandir(folder) as found:
        for item in found:
            path = prefix + _utf8(item.name, folder)
            mode = item.stat(follow_symlinks=False).st_mode
            if stat.S_ISDIR(mode):
                yield Entry(path, Kind.DIRECTORY, "")
                yield from _walk(Path(item.path), f"{path}/")
            elif stat.S_ISLNK(mode):
                yield Entry(path, Kind.SYMLINK, _utf8(os.readlink(item.path), folder))
            elif stat.S_ISREG(mode):
                kind = Kind.EXECUTABLE if mode & stat.S_IXUSR else Kind.FILE
                yield Entry(path, kind, file_sha256(Path(item.path)))
            else:
                raise IntegrityError("is neither a file, a folder nor a symlink", subject=item.path)


def _utf8(name: str, folder: Path) -> str:
    try:
        name.encode()
    except UnicodeEncodeError as cause:
        raise IntegrityError(f"holds a name that is not UTF-8: {os.fsencode(name)!r}", subject=folder) from cause
    return name
