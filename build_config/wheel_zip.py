"""Owns the zip structure of a wheel: every byte of the file is accounted for, or there is a fault (APPNOTE 4.3).

Installers read such files leniently, and each in its own way; a file that has one reading only is read here.
"""

from __future__ import annotations

import re
import stat
import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_END = struct.Struct("<4sHHHHIIH")
_CENTRAL = struct.Struct("<4sHHHHHHIIIHHHHHII")
_LOCAL = struct.Struct("<4sHHHHHIIIHH")
_DESCRIPTOR = struct.Struct("<III")
_DESCRIPTOR_MAGIC = b"PK\x07\x08"
_ENCRYPTED, _STREAMED, _UTF8 = 1, 8, 0x800
_STORED, _DEFLATED = 0, 8
_UNIX = 3
_ZIP64 = 0xFFFFFFFF
_DRIVE = re.compile(r"[A-Za-z]:")

MAX_ENTRIES = 10_000
MAX_TOTAL = 128 << 20
"""Bytes after decompression; real wheels of this kind are a tenth of it."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A rule that a wheel breaks, and where; `rule` is an id of the table of rules."""

    rule: str
    subject: str
    message: str


@dataclass(frozen=True, slots=True)
class Member:
    """A file of the archive."""

    name: str
    data: bytes
    executable: bool


@dataclass(frozen=True, slots=True)
class _Row:
    """A record of the central directory."""

    name: str
    raw_name: bytes
    flags: int
    method: int
    crc: int
    packed: int
    size: int
    offset: int
    mode: int


class _BrokenError(Exception):
    """The structure cannot be followed any further."""


def members(data: bytes, name: str) -> tuple[tuple[Member, ...], tuple[Fault, ...]]:
    """The files of a zip archive in its own order, and all that is wrong with it.

    Where there are faults, the members are those that could be read.
    """
    faults: list[Fault] = []
    try:
        rows, start = _directory(data)
    except _BrokenError as broken:
        return (), (Fault("wheel-malformed", name, str(broken)),)
    faults += _name_faults(rows)
    faults += _extent_faults(data, rows, start, name)
    if sum(row.size for row in rows) > MAX_TOTAL:
        return (), (*faults, Fault("wheel-malformed", name, f"unpacks to more than {MAX_TOTAL} bytes"))
    found = []
    for row in rows:
        try:
            content = _content(data, row)
        except _BrokenError as broken:
            faults.append(Fault("wheel-malformed", row.name, str(broken)))
            continue
        if not row.name.endswith("/"):
            found.append(Member(row.name, content, bool(row.mode & 0o111)))
        elif content:
            faults.append(Fault("wheel-entry-type", row.name, "a folder with content"))
    return tuple(found), tuple(faults)


def _directory(data: bytes) -> tuple[tuple[_Row, ...], int]:
    """The central directory and where it starts."""
    if len(data) < _END.size or not data.startswith(b"PK"):
        raise _BrokenError("not a zip archive, or cut short")
    position = data.rfind(b"PK\x05\x06")
    if position < 0 or position + _END.size > len(data):
        raise _BrokenError("no end of the central directory: cut short")
    _, disk, start_disk, here, total, size, start, comment = _END.unpack_from(data, position)
    if position + _END.size + comment != len(data) or comment:
        raise _BrokenError(f"{len(data) - position - _END.size} bytes after the end of the archive")
    if disk or start_disk or here != total or _ZIP64 in (start, size):
        raise _BrokenError("a multi-part or zip64 archive")
    if start + size != position:
        raise _BrokenError("the central directory is not where the archive's end says")
    if total > MAX_ENTRIES:
        raise _BrokenError(f"{total} entries")
    rows, offset = [], start
    for _ in range(total):
        row, offset = _row(data, offset, position)
        rows.append(row)
    if offset != position:
        raise _BrokenError("the central directory has bytes that belong to no entry")
    return tuple(rows), start


def _row(data: bytes, offset: int, end: int) -> tuple[_Row, int]:
    if offset + _CENTRAL.size > end:
        raise _BrokenError("the central directory is cut short")
    fields = _CENTRAL.unpack_from(data, offset)
    magic, made_by, _, flags, method, _, _, crc, packed, size, name, extra, comment, _, _, attributes, local = fields
    if magic != b"PK\x01\x02":
        raise _BrokenError(f"no entry at offset {offset} of the central directory")
    raw = data[offset + _CENTRAL.size : offset + _CENTRAL.size + name]
    mode = attributes >> 16 if made_by >> 8 == _UNIX else 0
    following = offset + _CENTRAL.size + name + extra + comment
    if following > end:
        raise _BrokenError("the central directory is cut short")
    text = raw.decode("utf-8" if flags & _UTF8 else "cp437", "backslashreplace")
    return _Row(text, raw, flags, method, crc, packed, size, local, mode), following


def _name_faults(rows: Iterable[_Row]) -> Iterator[Fault]:
    seen: dict[str, str] = {}
    for row in rows:
        why = _unsafe(row.name)
        if why:
            yield Fault("wheel-entry-path", row.name, why)
        if row.mode and stat.S_IFMT(row.mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
            yield Fault("wheel-entry-type", row.name, "neither a file nor a folder")
        if row.mode & (stat.S_ISUID | stat.S_ISGID):
            yield Fault("wheel-entry-type", row.name, "a set-user-id or set-group-id file")
        key = row.name.rstrip("/").casefold()
        if key in seen:
            same = "twice" if seen[key] == row.name else f"beside {seen[key]!r}, the same on some file systems"
            yield Fault("wheel-duplicate-entry", row.name, f"is there {same}")
        seen[key] = row.name
    folders = {key for key, name in seen.items() if not name.endswith("/")}
    for key, name in seen.items():
        if any(parent in folders for parent in _parents(key)):
            yield Fault("wheel-duplicate-entry", name, "lies below a file")


def _parents(name: str) -> Iterator[str]:
    while "/" in name:
        name = name.rpartition("/")[0]
        yield name


def _unsafe(name: str) -> str:
    parts = name.removesuffix("/").split("/")
    if name.startswith("/") or _DRIVE.match(name):
        return "an absolute path"
    if ".." in parts:
        return "leads out of the installation folder"
    if "" in parts or "." in parts or "\\" in name or not name.isprintable():
        return "a path that installers read in different ways"
    return ""


def _extent_faults(data: bytes, rows: Iterable[_Row], start: int, name: str) -> Iterator[Fault]:
    """Entries must follow each other without gap or overlap from byte 0 up to the central directory."""
    expected = 0
    for row in sorted(rows, key=lambda row: row.offset):
        if row.offset != expected:
            yield Fault("wheel-hidden-data", name, f"{row.name!r} starts at byte {row.offset}, not at {expected}")
        try:
            body = _body(data, row)
        except _BrokenError as broken:
            yield Fault("wheel-header-mismatch", row.name, str(broken))
            return
        expected = body + row.packed + _descriptor_size(data, row, body + row.packed)
    if expected != start:
        yield Fault(
            "wheel-hidden-data", name, f"{start - expected} bytes before the central directory belong to no entry"
        )


def _body(data: bytes, row: _Row) -> int:
    """The offset of an entry's data, once its local header agrees with the directory."""
    if row.offset + _LOCAL.size > len(data):
        raise _BrokenError("its header lies outside the file")
    magic, _, flags, method, _, _, crc, packed, size, name, extra = _LOCAL.unpack_from(data, row.offset)
    start = row.offset + _LOCAL.size
    ours = (b"PK\x03\x04", row.flags, row.method, row.raw_name)
    if ours != (magic, flags, method, data[start : start + name]):
        raise _BrokenError("its own header differs from the central directory")
    sizes = (crc, packed, size)
    if sizes != (row.crc, row.packed, row.size) and not (row.flags & _STREAMED and sizes == (0, 0, 0)):
        raise _BrokenError("its own header has another checksum or size than the central directory")
    if start + name + extra + row.packed > len(data):
        raise _BrokenError("its data lies outside the file")
    return int(start + name + extra)


def _descriptor_size(data: bytes, row: _Row, position: int) -> int:
    if not row.flags & _STREAMED:
        return 0
    magic = 4 if data.startswith(_DESCRIPTOR_MAGIC, position) else 0
    return magic + _DESCRIPTOR.size


def _content(data: bytes, row: _Row) -> bytes:
    if row.flags & _ENCRYPTED or row.method not in (_STORED, _DEFLATED):
        raise _BrokenError("is encrypted, or packed in a way that installers need not know")
    start = _body(data, row)
    packed = data[start : start + row.packed]
    if row.method == _STORED:
        content = packed
    else:
        unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            content = unpacker.decompress(packed, row.size + 1)
        except zlib.error as cause:
            raise _BrokenError(f"cannot be unpacked: {cause}") from cause
        if not unpacker.eof or unpacker.unused_data:
            raise _BrokenError("its packed data is cut short, or holds more than the entry")
    if len(content) != row.size or zlib.crc32(content) != row.crc:
        raise _BrokenError("its content has another checksum or size than the archive says")
    return content
