"""Owns the content of an entry: making a folder read-only and durable, and describing every byte of it."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import stat
import sys
import uuid
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote_from_bytes

from build_config.errors import BuildError

_Made = TypeVar("_Made")

_PROGRAM, _DATA = 0o555, 0o444
_FOLDER = 0o755
"""Folders stay writable, so that `rm -r` clears a store away; what is added to one is noticed at the next read."""

_SMALL = 1 << 20
_LONG = 2048
_INLINE_FILES = 8
_FLUSH_THREADS = 16
_REASONS = 5
_UNREADABLE = frozenset({errno.EACCES, errno.EPERM, errno.EIO, errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ESTALE})
"""What reading a damaged content may raise; other faults (no descriptors, no memory) say nothing about the content."""


@dataclass(frozen=True, slots=True)
class Content:
    """A folder described: one line for each file, folder and link below it, sorted by path.

    `size` is the sum over the files, in bytes; `longest` is the longest of the relative paths.
    """

    manifest: bytes
    size: int
    longest: str

    @property
    def digest(self) -> str:
        """The same for the same tree, wherever it lies and whenever it was made."""
        return hashlib.sha256(self.manifest).hexdigest()


@dataclass(frozen=True, slots=True)
class _Item:
    relative: str
    path: str
    status: os.stat_result


def describe(folder: Path) -> Content:
    """Read every byte below a folder.

    A part that cannot be read gets a line that no sound content has.

    Raises:
        OSError: the machine lacks what reading needs.
    """
    items = list(_walk(folder))
    regular = [item for item in items if stat.S_ISREG(item.status.st_mode)]
    sums = dict(zip((item.relative for item in regular), _each(_sum, regular, os.cpu_count() or 1), strict=True))
    lines = sorted((os.fsencode(item.relative), _line(item, sums)) for item in items)
    longest = os.fsdecode(max((path for path, _ in lines), key=len))
    return Content(b"".join(line for _, line in lines), sum(item.status.st_size for item in regular), longest)


def seal(folder: Path) -> None:
    """Make a folder private and durable, and its files read-only, so that nobody edits them by accident.

    Raises:
        BuildError: it holds something other than files, folders and links that stay inside.
        OSError: the machine cannot do it; the content is then not to be trusted.
    """
    items = list(_walk(folder, unlock=True))
    for item in items:
        _refuse_foreign(item, folder)
    regular = [item for item in items if stat.S_ISREG(item.status.st_mode)]
    _each(_seal_file, regular, _FLUSH_THREADS)
    for item in reversed([item for item in items if stat.S_ISDIR(item.status.st_mode)]):
        os.chmod(item.path, _FOLDER)
        flush_folder(Path(item.path))


def compare(published: bytes, found: bytes) -> str:
    """In words, how a content differs from the manifest that was published with it; empty when it does not."""
    then, now = ({line.split(b" ")[-1]: line for line in text.splitlines()} for text in (published, found))
    faults = [
        f"{path.decode()} " + ("is missing" if path not in now else "was added" if path not in then else "differs")
        for path in sorted(then.keys() | now.keys())
        if then.get(path) != now.get(path)
    ]
    more = f" and {len(faults) - _REASONS} more" if len(faults) > _REASONS else ""
    return ", ".join(faults[:_REASONS]) + more


def flush_folder(folder: Path) -> None:
    """Make a folder's list of names durable, where the system can."""
    if sys.platform == "win32":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as cause:
        if cause.errno != errno.EINVAL:
            raise
    finally:
        os.close(descriptor)


def write_durably(path: Path, data: bytes) -> None:
    with path.open("wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())


def size_of(folder: Path) -> int:
    """The bytes of all files below a folder, however damaged it is."""
    return sum(item.status.st_size for item in _walk(folder) if stat.S_ISREG(item.status.st_mode))


def remove(folder: Path) -> None:
    """Remove a folder, also a sealed one or one whose paths are too long to be named; a file or nothing will do too.

    Raises:
        OSError: a part cannot be removed.
    """
    if folder.is_symlink() or not folder.is_dir():
        folder.unlink(missing_ok=True)
        return
    pending, emptied = [os.fspath(folder)], []
    while pending:
        here = pending.pop()
        os.chmod(here, 0o700)
        emptied.append(here)
        with os.scandir(here) as names:
            below = list(names)
        for name in below:
            if name.is_dir(follow_symlinks=False):
                pending.append(_within_reach(name.path, folder))
            else:
                _remove_file(name.path)
    for here in reversed(emptied):
        os.rmdir(here)


def _within_reach(path: str, top: Path) -> str:
    """The folder's path, after a move to the top when what lies in it could not be named otherwise."""
    if len(os.fsencode(path)) < _LONG:
        return path
    moved = os.path.join(top, uuid.uuid4().hex)
    os.chmod(path, 0o700)
    os.rename(path, moved)
    return moved


def _remove_file(path: str) -> None:
    if sys.platform == "win32":
        os.chmod(path, stat.S_IWRITE)
    os.unlink(path)


def _walk(folder: Path, *, unlock: bool = False) -> Iterator[_Item]:
    """Every folder before what it holds, itself first; `unlock` makes each writable for its owner before it is read."""
    pending = [_Item(".", os.fspath(folder), os.lstat(folder))]
    while pending:
        item = pending.pop()
        if stat.S_ISDIR(item.status.st_mode):
            if unlock:
                os.chmod(item.path, 0o700)
            try:
                pending.extend(_below(item))
            except OSError as cause:
                if unlock or cause.errno not in _UNREADABLE:
                    raise
        yield item


def _below(folder: _Item) -> list[_Item]:
    prefix = "" if folder.relative == "." else f"{folder.relative}/"
    with os.scandir(folder.path) as names:
        return [_Item(prefix + name.name, name.path, name.stat(follow_symlinks=False)) for name in names]


def _line(item: _Item, sums: dict[str, str]) -> bytes:
    """Blanks and bytes beyond ASCII are percent-escaped, so that the path is the last word of the line."""
    mode, size, path = item.status.st_mode, item.status.st_size, quote_from_bytes(os.fsencode(item.relative))
    if stat.S_ISREG(mode):
        return f"file {_permissions(mode)} {size} {sums[item.relative]} {path}\n".encode()
    if stat.S_ISDIR(mode):
        return f"folder {_permissions(mode)} {path}\n".encode()
    if stat.S_ISLNK(mode):
        return f"link {quote_from_bytes(os.fsencode(os.readlink(item.path)))} {path}\n".encode()
    return f"foreign {stat.S_IFMT(mode):o} {path}\n".encode()


def _permissions(mode: int) -> str:
    """Windows invents the bits from the name and the read-only flag, so that they say nothing there."""
    return "-" if sys.platform == "win32" else f"{stat.S_IMODE(mode):03o}"


def _sum(item: _Item) -> str:
    try:
        with open(item.path, "rb") as stream:
            if item.status.st_size <= _SMALL:
                return hashlib.sha256(stream.read()).hexdigest()
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as cause:
        if cause.errno not in _UNREADABLE:
            raise
        return f"unreadable-{cause.errno}"


def _seal_file(item: _Item) -> None:
    if item.status.st_nlink > 1:
        # Another name of this file, outside, would let the content change without the entry being touched.
        copy = os.path.join(os.path.dirname(item.path), uuid.uuid4().hex)
        shutil.copy2(item.path, copy, follow_symlinks=False)
        os.replace(copy, item.path)
    if sys.platform == "win32":
        os.chmod(item.path, stat.S_IWRITE)
        with open(item.path, "rb+") as stream:
            os.fsync(stream.fileno())
    os.chmod(item.path, _PROGRAM if item.status.st_mode & stat.S_IXUSR else _DATA)
    if sys.platform != "win32":
        with open(item.path, "rb") as stream:
            os.fsync(stream.fileno())


def _refuse_foreign(item: _Item, folder: Path) -> None:
    mode = item.status.st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISLNK(mode)):
        raise BuildError("neither a file, a folder nor a link, so it cannot be stored", subject=item.path)
    if stat.S_ISLNK(mode):
        home = os.path.realpath(folder)
        if os.path.isabs(os.readlink(item.path)) or os.path.commonpath((home, os.path.realpath(item.path))) != home:
            raise BuildError(f"a link to {os.readlink(item.path)!r}, outside of what is stored", subject=item.path)


def _each(work: Callable[[_Item], _Made], items: Iterable[_Item], threads: int) -> list[_Made]:
    todo = list(items)
    if len(todo) <= _INLINE_FILES:
        return [work(item) for item in todo]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(work, todo, chunksize=1))
