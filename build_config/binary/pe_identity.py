"""Owns the identity of a PE file: what a debugger tells by that a PDB is of the same link, and how another is given.

A linker's own identity covers the PDB, in which it names the folders of the build.
"""

from __future__ import annotations

import io
import uuid
from collections.abc import Iterator

from lief import PE

from ..errors import BuildError

_STAMP_BYTES, _GUID_BYTES = 4, 16
_FILE_STAMP_AT = 8
"""In the file header, seen from the signature."""
_ENTRY_BYTES, _ENTRY_STAMP_AT = 28, 4
_GUID_AT = 4
"""In a CodeView record, after its own signature."""


def anonymous(data: bytes) -> bytes:
    """The file without its identity: the same for every link of the same code."""
    return _filled(data, bytes(_GUID_BYTES))


def identified(data: bytes, pdb: bytes, identity: uuid.UUID) -> tuple[bytes, bytes]:
    """The file and its PDB under another identity; what the file has for times becomes a part of it."""
    ((old, size),) = [place for place in _places(data) if place[1] == _GUID_BYTES]
    return _filled(data, identity.bytes_le), pdb.replace(data[old : old + size], identity.bytes_le)


def _filled(data: bytes, identity: bytes) -> bytes:
    changed = bytearray(data)
    for place, size in _places(data):
        changed[place : place + size] = identity[:size]
    return bytes(changed)


def _places(data: bytes) -> Iterator[tuple[int, int]]:
    """Where the identity stands, and the times that a reproducible link makes of it; (offset, size) pairs."""
    image = PE.parse(io.BytesIO(data))
    if image is None or image.debug_dir is None or image.codeview_pdb is None:
        raise BuildError("names no PDB to look its debug information up by", hint="compile with -g")
    yield image.dos_header.addressof_new_exeheader + _FILE_STAMP_AT, _STAMP_BYTES
    start = image.rva_to_offset(image.debug_dir.rva)
    for entry in range(start, start + image.debug_dir.size, _ENTRY_BYTES):
        yield entry + _ENTRY_STAMP_AT, _STAMP_BYTES
    yield image.codeview_pdb.pointerto_rawdata + _GUID_AT, _GUID_BYTES
