"""Owns the question whether a Mach-O file's signature covers the bytes that are there (Apple's cs_blobs.h).

Who signed is not asked: an ad-hoc signature, which every linker makes, names nobody. The kernel kills a process on
Apple's processors that maps a page with another hash than the signature's.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator

_SUPER_BLOB, _DIRECTORY = 0xFADE0CC0, 0xFADE0C02
_HEAD, _INDEX = struct.Struct(">III"), struct.Struct(">II")
_CODE_DIRECTORY = struct.Struct(">IIIIIIIIIBBBB")
_HASHES = {1: ("sha1", 20), 2: ("sha256", 32), 3: ("sha256", 20), 4: ("sha384", 48)}
_MAX_BLOBS = 100
_SMALLEST_PAGE, _LARGEST_PAGE = 12, 16
"""As powers of two."""


def covers(data: bytes, offset: int, size: int) -> bool:
    """True where a file's signature, of `size` bytes at `offset`, has the right hash of every byte before it."""
    try:
        directories = tuple(_directories(data[offset : offset + size]))
        return bool(directories) and all(_agrees(data, offset, directory) for directory in directories)
    except struct.error:
        return False


def _directories(blob: bytes) -> Iterator[bytes]:
    """The code directories: tables of hashes, one for each kind of hash."""
    magic, _, count = _HEAD.unpack_from(blob)
    if magic != _SUPER_BLOB:
        return
    for number in range(min(count, _MAX_BLOBS)):
        _, start = _INDEX.unpack_from(blob, _HEAD.size + number * _INDEX.size)
        kind, length = _INDEX.unpack_from(blob, start)
        if kind == _DIRECTORY:
            yield blob[start : start + length]


def _agrees(data: bytes, end: int, directory: bytes) -> bool:
    fields = _CODE_DIRECTORY.unpack_from(directory)
    _, _, _, _, table, _, _, count, limit, width, kind, _, power = fields
    name, expected = _HASHES.get(kind, ("", 0))
    if (limit, width) != (end, expected) or not _SMALLEST_PAGE <= power <= _LARGEST_PAGE:
        return False
    page = 1 << power
    if count != -(-limit // page) or table + count * width > len(directory):
        return False
    return all(
        hashlib.new(name, data[start : min(start + page, limit)], usedforsecurity=False).digest()[:width]
        == directory[table + number * width : table + (number + 1) * width]
        for number, start in enumerate(range(0, limit, page))
    )
