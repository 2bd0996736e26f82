"""Owns safe extraction: chosen folders of a tar archive, written only after the whole of it was found harmless."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from build_config.errors import IntegrityError, MachineError

from .inflate import Limits, Stream
from .names import Namespace
from .tarball import Body, Member, members
from .tree import Entry, Kind

LIMITS = Limits()
_MTIME_NS = 315_532_800 * 10**9
"""1980-01-01, the oldest time that every archive format can hold."""
_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL
_PORTABLE_FLAGS = ("O_NOFOLLOW", "O_CLOEXEC", "O_BINARY")

Progress = Callable[[int, int], None]


def extract(
    archive: Path, wanted: Mapping[str, Path], *, limits: Limits = LIMITS, progress: Progress | None = None
) -> dict[str, tuple[Entry, ...]]:
    """Write the members below each wanted prefix into that prefix's folder, and say what was written.

    A folder must not exist, its parent must. Files get the mode 0644 or 0755, folders 0755, all the same time. An empty
    folder of the archive is not made. `progress` is called with (entries passed, entries in all). On any exception
    the folders are removed.

    Raises:
        IntegrityError: an entry, wanted or not, is not one to be written; a limit is exceeded; a prefix has no file.
        MachineError: the archive cannot be read, or a file cannot be written.
    """
    with _opened(archive, limits) as reading:
        survey = reading.survey(tuple(wanted))
        made: list[Path] = []
        try:
            for folder in wanted.values():
                folder.mkdir(mode=0o755)
                made.append(folder)
            entries = reading.write(wanted, survey, progress)
            for folder in made:
                _settle(folder)
        except BaseException as fault:
            for folder in made:
                shutil.rmtree(folder, ignore_errors=True)
            if isinstance(fault, OSError):
                raise MachineError(
                    f"cannot be written: {fault.strerror}",
                    subject=fault.filename or archive,
                    hint="make room or choose another folder, then run the same command again",
                ) from fault
            raise
    return entries


def folders(archive: Path, parent: str, *, limits: Limits = LIMITS) -> tuple[str, ...]:
    """The names of the folders right below one, sorted, the archive checked as a whole; raises what `extract` raises."""
    found = set()
    with _opened(archive, limits) as reading:
        for member in reading.survey(()):
            name, slash, _ = member.path.removeprefix(f"{parent}/").partition("/")
            if member.path.startswith(f"{parent}/") and (slash or member.kind is Kind.DIRECTORY):
                found.add(name)
    return tuple(sorted(found))


class _Reading:
    """An archive that stays open, so that what is surveyed and what is written are the same file."""

    def __init__(self, archive: Path, raw: BinaryIO, limits: Limits) -> None:
        self._archive = archive
        self._raw = raw
        self._limits = limits

    def survey(self, prefixes: tuple[str, ...]) -> tuple[Member, ...]:
        """Every member of an archive in which nothing is wrong, read to its end."""
        names, found = Namespace(str(self._archive)), []
        for member, _ in self._members():
            names.add(member.path, member.kind, member.link)
            found.append(member)
            if len(found) > self._limits.entries:
                raise self._bad(f"has more than {self._limits.entries} entries")
        names.check_links(prefixes)
        for prefix in prefixes:
            if not any(member.kind is not Kind.DIRECTORY and member.path.startswith(f"{prefix}/") for member in found):
                raise self._bad(f"has no files below {prefix!r}")
        return tuple(found)

    def write(
        self, wanted: Mapping[str, Path], survey: tuple[Member, ...], progress: Progress | None
    ) -> dict[str, tuple[Entry, ...]]:
        """Write what is wanted of the surveyed members; raises OSError."""
        entries: dict[str, dict[str, Entry]] = {prefix: {} for prefix in wanted}
        links: list[tuple[Path, str]] = []
        done = 0
        expected = iter(survey)
        for member, body in self._members():
            if member != next(expected, None):
                raise self._bad("changed while it was read")
            done += 1
            if progress is not None:
                progress(done, len(survey))
            prefix = _owner(member, wanted)
            if prefix is None or member.kind is Kind.DIRECTORY:
                continue
            path = member.path.removeprefix(f"{prefix}/")
            _make_parents(wanted[prefix], path, entries[prefix])
            place = wanted[prefix] / path
            if member.kind is Kind.SYMLINK:
                links.append((place, member.link))
                value = member.link
            else:
                value = _write_file(place, body, executable=member.kind is Kind.EXECUTABLE)
            entries[prefix][path] = Entry(path, member.kind, value)
        # Last, so that no file can be written through one, whatever the checks before have missed.
        for place, target in links:
            place.symlink_to(target)
        return {prefix: tuple(found.values()) for prefix, found in entries.items()}

    def _bad(self, why: str) -> IntegrityError:
        return IntegrityError(why, subject=self._archive, hint="do not use this archive")

    def _members(self) -> Iterator[tuple[Member, Body]]:
        self._raw.seek(0)
        return members(Stream(self._raw, str(self._archive), self._limits))


def _make_parents(folder: Path, path: str, entries: dict[str, Entry]) -> None:
    parent = _parent(path)
    if parent and parent not in entries:
        _make_parents(folder, parent, entries)
        (folder / parent).mkdir(mode=0o755)
        entries[parent] = Entry(parent, Kind.DIRECTORY, "")


def _write_file(path: Path, body: Body, *, executable: bool) -> str:
    """Write a new file; its sha256."""
    hasher = hashlib.sha256()
    flags = _FLAGS
    for name in _PORTABLE_FLAGS:
        flags |= getattr(os, name, 0)
    with os.fdopen(os.open(path, flags, 0o600), "wb", buffering=0) as stream:
        for piece in body:
            hasher.update(piece)
            if stream.write(piece) != len(piece):
                raise MachineError("cannot be written to its end", subject=path, hint="make room on the disk")
    path.chmod(0o755 if executable else 0o644)
    return hasher.hexdigest()


def _settle(folder: Path) -> None:
    """Give everything below and including a folder the one time; folders also their mode, whatever the umask is."""
    for place, folders, files in os.walk(folder, topdown=False):
        for name in (*folders, *files):
            path = Path(place, name)
            if not path.is_symlink():
                _stamp(path, is_folder=name in folders)
            elif os.utime in os.supports_follow_symlinks:
                os.utime(path, ns=(_MTIME_NS, _MTIME_NS), follow_symlinks=False)
    _stamp(folder, is_folder=True)


def _stamp(path: Path, *, is_folder: bool) -> None:
    if is_folder:
        path.chmod(0o755)
    os.utime(path, ns=(_MTIME_NS, _MTIME_NS))


def _owner(member: Member, wanted: Iterable[str]) -> str | None:
    """The wanted prefix that a member is below."""
    return next((prefix for prefix in wanted if member.path.startswith(f"{prefix}/")), None)


def _parent(path: str) -> str:
    return path.rpartition("/")[0]


@contextmanager
def _opened(archive: Path, limits: Limits) -> Iterator[_Reading]:
    try:
        raw = archive.open("rb")
    except OSError as cause:
        raise MachineError(f"cannot be read: {cause.strerror}", subject=archive) from cause
    with raw:
        yield _Reading(archive, raw, limits)
