"""Owns what is written beside a content: whose key it has, who made it, and what its bytes must be."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from build_config.errors import UsageError
from build_config.key import Key

from . import content

FILES = "files"
_MANIFEST = "manifest"
_RECORD = "record"
_NAME_LENGTH = 32
_PARTS = {FILES, _MANIFEST, _RECORD}


class BadEntryError(Exception):
    """A verdict, not a fault that a caller sees: this entry must not be served; the text says why."""


@dataclass(frozen=True, slots=True)
class Record:
    """`digest` is the content's, `size` its bytes, `created` seconds since 1970 by the clock of whoever made it."""

    key: str
    origin: str
    digest: str
    size: int
    created: float

    def to_bytes(self) -> bytes:
        """One line of JSON and one with its sha256."""
        text = json.dumps(asdict(self), sort_keys=True)
        return f"{text}\n{hashlib.sha256(text.encode()).hexdigest()}\n".encode()


def folder_name(key: Key) -> str:
    """What an entry's folder is called: half of the digest, since Windows limits paths and the record holds the key."""
    return key.digest[:_NAME_LENGTH]


def write(folder: Path, record: Record, manifest: bytes) -> None:
    """Complete a folder that holds `files` into an entry, durably.

    Raises:
        OSError: it cannot be written.
    """
    content.write_durably(folder / _MANIFEST, manifest)
    content.write_durably(folder / _RECORD, record.to_bytes())
    content.flush_folder(folder)


def read(folder: Path) -> tuple[Record, Key]:
    """What an entry says of itself, and its key; `verify` shows whether that is true.

    Raises:
        BadEntryError: the record is damaged.
        OSError: it cannot be read.
    """
    try:
        raw = (folder / _RECORD).read_bytes()
        text, digest, rest = raw.split(b"\n")
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as cause:
        raise BadEntryError("it has no record") from cause
    except ValueError as cause:
        raise BadEntryError("its record is damaged") from cause
    if rest or hashlib.sha256(text).hexdigest().encode() != digest:
        raise BadEntryError("its record is damaged")
    try:
        record = Record(**json.loads(text))
        return record, Key.parse(record.key)
    except (TypeError, ValueError, UsageError) as cause:
        raise BadEntryError("its record is of another form") from cause


def verify(folder: Path, *, key: Key | None, origin: str) -> tuple[Record, Key]:
    """Read every byte of an entry and compare it with what was published; `key` None asks for any.

    Raises:
        BadEntryError: it is not what was published, or was published for another key or by another origin.
        OSError: it cannot be read.
    """
    if folder.is_symlink() or not folder.is_dir():
        raise BadEntryError("it is not a folder")
    record, own = read(folder)
    if folder_name(own) != folder.name or (key is not None and own != key):
        raise BadEntryError(f"it was published for another key, of {own.kind} {own.name}")
    if record.origin != origin:
        raise BadEntryError(f"it was published by {record.origin}, and lies among the entries of {origin}")
    names = {path.name for path in folder.iterdir()}
    if names != _PARTS:
        raise BadEntryError(f"it has other parts than it should: {', '.join(sorted(names ^ _PARTS))}")
    manifest = (folder / _MANIFEST).read_bytes()
    if hashlib.sha256(manifest).hexdigest() != record.digest:
        raise BadEntryError("its manifest is damaged")
    found = content.describe(folder / FILES)
    if found.manifest != manifest or found.size != record.size:
        raise BadEntryError(content.compare(manifest, found.manifest) or "its size is not the one recorded")
    return record, own


def touch(folder: Path) -> None:
    """Note that an entry was used just now.

    Raises:
        OSError: it cannot be noted.
    """
    (folder / _RECORD).touch()


def used(folder: Path) -> float:
    """When an entry was last used, in seconds since 1970 by this machine's clock."""
    return (folder / _RECORD).stat().st_mtime
