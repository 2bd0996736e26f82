"""Owns the outer structure of a Mach-O file: parts for processors, load commands, and that all lies inside the file.

LIEF reads what is inside, and passes over what does not fit; so nothing reaches it that was not measured here.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from ..errors import VerifyError

CPU_X86_64, CPU_ARM64 = 0x01000007, 0x0100000C
_FAT, _FAT_64 = b"\xca\xfe\xba\xbe", b"\xca\xfe\xba\xbf"
_THIN_64 = b"\xcf\xfa\xed\xfe"
_MAGICS = (_THIN_64, b"\xce\xfa\xed\xfe", b"\xfe\xed\xfa\xcf", b"\xfe\xed\xfa\xce")
_FAT_ENTRY, _FAT_64_ENTRY = struct.Struct(">IIIII"), struct.Struct(">IIQQII")
_JAVA_1_0 = 45
"""Java's class files have the magic of fat ones; where these count, those have their version, 45 and up (JVMS 4.1)."""

_HEADER = struct.Struct("<IIIIIIII")
_COMMAND = struct.Struct("<II")
_CAPABILITIES = 0xFF000000
_MAX_COMMANDS = 1_000
_MAX_SYMBOLS = 500_000
_SYMBOL_SIZE, _WORD = 16, 4

_SEGMENT_64, _SYMTAB, _DYSYMTAB = 0x19, 0x2, 0xB
_SEGMENT = struct.Struct("<II16sQQQQIIII")
_DYLD_INFO = (0x22, 0x80000022)
_BLOBS = (0x1D, 0x1E, 0x26, 0x29, 0x2B, 0x2E, 0x80000033, 0x80000034)
"""Commands that are nothing but the offset and size of a blob (mach-o/loader.h, linkedit_data_command)."""


@dataclass(frozen=True, slots=True)
class Header:
    """What a file is; `kind` is the processor's subtype, `commands` how many there are."""

    cpu: int
    kind: int
    commands: int
    flags: int


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of the file that is mapped."""

    name: str
    offset: int
    size: int


def recognises(data: bytes) -> bool:
    """True for what claims to be Mach-O for one processor."""
    return data.startswith(_MAGICS)


def is_fat(data: bytes) -> bool:
    """True for what claims to be a fat Mach-O file: one for several processors."""
    return data.startswith((_FAT, _FAT_64)) and int.from_bytes(data[4:8], "big") < _JAVA_1_0


def malformed(what: str) -> VerifyError:
    """The error for a file that is not the Mach-O that it claims to be."""
    return VerifyError(f"malformed Mach-O: {what}", hint="build the binary again; it is damaged or was tampered with")


def images(data: bytes) -> tuple[bytes, ...]:
    """What a fat file holds, one file for each processor, in its order.

    Raises:
        VerifyError: the table of contents points outside, or at the same bytes twice, or names another processor.
    """
    entry = _FAT_64_ENTRY if data.startswith(_FAT_64) else _FAT_ENTRY
    count = int.from_bytes(data[4:8], "big")
    end = 8 + count * entry.size
    if not count or end > len(data):
        raise malformed(f"a table of contents with {count} parts")
    rows = sorted((entry.unpack_from(data, place) for place in range(8, end, entry.size)), key=lambda row: row[2])
    parts, seen = {}, set()
    for kind, sub, offset, size, *_ in rows:
        if offset < end or offset + size > len(data):
            raise malformed("a part lies outside the file, or over another")
        end = offset + size
        part = data[offset:end]
        inside = _HEADER.unpack_from(part) if recognises(part) and len(part) >= _HEADER.size else (0, 0, 0)
        if inside[1:3] != (kind, sub) or (kind, sub) in seen:
            raise malformed("a part is not for the processor that the table of contents says")
        seen.add((kind, sub))
        parts[kind, sub] = part
    order = (entry.unpack_from(data, place)[:2] for place in range(8, 8 + count * entry.size, entry.size))
    return tuple(parts[kind, sub] for kind, sub in order)


def require_sound(data: bytes) -> Header:
    """The header, once every load command and all that they point at lies inside the file.

    Raises:
        VerifyError: something does not, or the file is not for 64-bit processors with little-endian order.
    """
    if not data.startswith(_THIN_64) or len(data) < _HEADER.size:
        raise malformed("cut short, or not for a processor that macOS has run on since 10.15")
    _, cpu, kind, _, count, size, flags, _ = _HEADER.unpack_from(data)
    commands = tuple(_commands(data, count, size))
    segments = tuple(_segments(data, commands))
    tables = next((each for each in segments if each.name == "__LINKEDIT"), Segment("", 0, 0))
    for place, command in commands:
        for offset, length in _extents(data, place, command):
            if length and not tables.offset <= offset <= offset + length <= tables.offset + tables.size:
                raise malformed(f"a table of command {command:#x} lies outside of __LINKEDIT")
    return Header(cpu, kind & ~_CAPABILITIES, count, flags)


def _commands(data: bytes, count: int, size: int) -> Iterator[tuple[int, int]]:
    """(offset, kind) of each load command."""
    place, end = _HEADER.size, _HEADER.size + size
    if not 0 < count <= _MAX_COMMANDS or end > len(data):
        raise malformed(f"{count} load commands in {size} bytes")
    for _ in range(count):
        kind, length = _COMMAND.unpack_from(data, place) if place + _COMMAND.size <= end else (0, 0)
        if length < _COMMAND.size or length % _WORD or place + length > end:
            raise malformed("a load command does not end where the next one starts")
        if length < _SIZES.get(kind, 0):
            raise malformed(f"command {kind:#x} of {length} bytes")
        yield place, kind
        place += length
    if place != end:
        raise malformed("the load commands are shorter than the header says")


def _segments(data: bytes, commands: tuple[tuple[int, int], ...]) -> Iterator[Segment]:
    for place, command in commands:
        if command == _SEGMENT_64:
            _, _, name, _, _, offset, size, *_ = _SEGMENT.unpack_from(data, place)
            if offset + size > len(data):
                raise malformed(f"a segment of {size} bytes at {offset:#x} of {len(data)}")
            yield Segment(name.rstrip(b"\0").decode("ascii", "backslashreplace"), offset, size)


def _extents(data: bytes, place: int, command: int) -> Iterator[tuple[int, int]]:
    """(offset, size) of what a command points at, apart from segments."""
    if command in _BLOBS:
        yield struct.unpack_from("<II", data, place + 8)
    elif command in _DYLD_INFO:
        numbers = struct.unpack_from("<10I", data, place + 8)
        yield from zip(numbers[::2], numbers[1::2], strict=True)
    elif command == _SYMTAB:
        offset, count, strings, size = struct.unpack_from("<IIII", data, place + 8)
        if count > _MAX_SYMBOLS:
            raise malformed(f"{count} symbols")
        yield offset, count * _SYMBOL_SIZE
        yield strings, size
    elif command == _DYSYMTAB:
        offset, count = struct.unpack_from("<II", data, place + 56)
        yield offset, count * _WORD


_SIZES = {_SEGMENT_64: 72, _SYMTAB: 24, _DYSYMTAB: 80, **dict.fromkeys(_DYLD_INFO, 48), **dict.fromkeys(_BLOBS, 16)}
