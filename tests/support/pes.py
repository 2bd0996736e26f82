"""Owns small DLLs made byte by byte, with any property that a test wants them to have."""

from __future__ import annotations

import struct
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

MACHINES = {"i686": 0x14C, "x86_64": 0x8664, "aarch64": 0xAA64}
GUID = uuid.UUID("00112233-4455-6677-8899-aabbccddeeff")
AGE = 1
HARD = 0x160
"""HIGH_ENTROPY_VA, DYNAMIC_BASE and NX_COMPAT."""

PYTHON = ("python3.dll", ("PyLong_FromLong", "PyModule_Create2"))
RUNTIME = ("api-ms-win-crt-heap-l1-1-0.dll", ("free", "malloc"))

_PAGE, _BLOCK = 0x1000, 0x200
_EXPORT, _IMPORT, _RELOCATIONS, _DEBUG, _CONFIGURATION, _DELAYED = 0, 1, 5, 6, 10, 13
_CODE, _READ, _WRITE, _EXECUTE = 0x20, 0x40000000, 0x80000000, 0x20000000


@dataclass(frozen=True)
class Pe:
    """What `build` writes; the defaults are those of an extension that is fit to ship."""

    arch: str = "x86_64"
    exports: tuple[str, ...] = ("PyInit__thing",)
    imports: tuple[tuple[str, tuple[str, ...]], ...] = (PYTHON, RUNTIME)
    delayed: tuple[tuple[str, tuple[str, ...]], ...] = ()
    system: tuple[int, int] = (6, 0)
    flags: int = HARD
    pdb: str = "_thing.pdb"
    guid: uuid.UUID = GUID
    linked: int = 0
    rodata: bytes = b"constant"
    code_flags: int = _CODE | _READ | _EXECUTE
    data_flags: int = 0x40 | _READ
    relocated: tuple[int, ...] = (2 * _PAGE,)
    cookie: bool = False
    symbols: int = 0
    extra: str = ""


def pdb(guid: uuid.UUID = GUID) -> bytes:
    """As much of a PDB as tells which link it is of."""
    return b"Microsoft C/C++ MSF 7.00\r\n\x1aDS\0\0\0" + struct.pack("<III", 20_000_404, 0, AGE) + guid.bytes_le


def build(pe: Pe) -> bytes:
    """A DLL with its code on the first page, its tables on the second."""
    tables = _Tables(pe, 2 * _PAGE)
    sections = [(".text", bytes([0xC3]) * 16, pe.code_flags), (".rdata", bytes(tables.body), pe.data_flags)]
    relocations = _relocations(pe)
    if relocations:
        tables.directories[_RELOCATIONS] = (_pages(sections), len(relocations))
        sections.append((".reloc", relocations, 0x42000040))
    if pe.extra:
        sections.append((pe.extra, b"extra", 0x42000040))
    headers, body, address, offset = b"", b"", _PAGE, 2 * _BLOCK
    for name, data, flags in sections:
        stored = data + bytes(-len(data) % _BLOCK)
        row = (len(data), address, len(stored), offset, 0, 0, 0, 0, flags)
        headers += name.encode().ljust(8, b"\0") + struct.pack("<IIIIIIHHI", *row)
        body += stored
        address, offset = _next(address, data), offset + len(stored)
    head = _head(pe, len(sections), address, tables.directories) + headers
    return head + bytes(2 * _BLOCK - len(head)) + body


def _next(address: int, data: bytes) -> int:
    return address + -(-len(data) // _PAGE) * _PAGE


def _pages(sections: Sequence[tuple[str, bytes, int]]) -> int:
    address = _PAGE
    for _, data, _ in sections:
        address = _next(address, data)
    return address


def _head(pe: Pe, sections: int, size: int, directories: dict[int, tuple[int, int]]) -> bytes:
    wide = pe.arch != "i686"
    optional = struct.pack("<HBBIIIII", 0x20B if wide else 0x10B, 14, 0, _BLOCK, _BLOCK, 0, 0, _PAGE)
    optional += struct.pack("<Q", 0x180000000) if wide else struct.pack("<II", 2 * _PAGE, 0x10000000)
    optional += struct.pack(
        "<IIHHHHHHIIIIHH", _PAGE, _BLOCK, 6, 0, 0, 0, *pe.system, 0, size, 2 * _BLOCK, 0, 3, pe.flags
    )
    optional += struct.pack("<QQQQ" if wide else "<IIII", 1 << 20, 1 << 12, 1 << 20, 1 << 12) + struct.pack(
        "<II", 0, 16
    )
    optional += b"".join(struct.pack("<II", *directories.get(number, (0, 0))) for number in range(16))
    dos = b"MZ" + bytes(58) + struct.pack("<I", 64)
    place = (len(dos), pe.symbols) if pe.symbols else (0, 0)
    return (
        dos
        + b"PE\0\0"
        + struct.pack("<HHIIIHH", MACHINES[pe.arch], sections, pe.linked, *place, len(optional), 0x2022)
        + optional
    )


def _relocations(pe: Pe) -> bytes:
    blocks = b""
    for address in pe.relocated:
        page, within = address & -_PAGE, address % _PAGE
        blocks += struct.pack("<IIHH", page, 12, 10 << 12 | within, 0)
    return blocks


class _Tables:
    """The section with imports, exports and the rest, which begins at `base`."""

    def __init__(self, pe: Pe, base: int) -> None:
        self.base = base
        self.body = bytearray(pe.rodata)
        self.word = 4 if pe.arch == "i686" else 8
        self.directories: dict[int, tuple[int, int]] = {}
        if pe.imports:
            self.directories[_IMPORT] = self._imports(pe.imports)
        if pe.delayed:
            self.directories[_DELAYED] = self._delayed(pe.delayed)
        if pe.exports:
            self.directories[_EXPORT] = self._exports(pe.exports)
        if pe.pdb:
            self.directories[_DEBUG] = self._debug(pe)
        if pe.cookie:
            self.directories[_CONFIGURATION] = self._configuration()

    def put(self, data: bytes) -> int:
        self.body += bytes(-len(self.body) % 8)
        self.body += data
        return self.base + len(self.body) - len(data)

    def text(self, text: str) -> int:
        return self.put(text.encode() + b"\0")

    def _words(self, values: Sequence[int]) -> int:
        return self.put(struct.pack(f"<{len(values)}{'I' if self.word == 4 else 'Q'}", *values))

    def _names(self, names: Sequence[str]) -> list[int]:
        """Thunks: a name's place, or with the highest bit a number where the name is one (`#7`)."""
        highest = 1 << (8 * self.word - 1)
        return [highest | int(n[1:]) if n.startswith("#") else self.put(b"\0\0" + n.encode() + b"\0") for n in names]

    def _imports(self, libraries: Sequence[tuple[str, tuple[str, ...]]]) -> tuple[int, int]:
        rows = b""
        for library, names in libraries:
            thunks = [*self._names(names), 0]
            rows += struct.pack("<IIIII", self._words(thunks), 0, 0, self.text(library), self._words(thunks))
        return self.put(rows + bytes(20)), len(rows) + 20

    def _delayed(self, libraries: Sequence[tuple[str, tuple[str, ...]]]) -> tuple[int, int]:
        rows = b""
        for library, names in libraries:
            thunks = [*self._names(names), 0]
            place = (self.text(library), self._words([0]), self._words(thunks), self._words(thunks))
            rows += struct.pack("<IIIIIIII", 1, *place, 0, 0, 0)
        return self.put(rows + bytes(32)), len(rows) + 32

    def _exports(self, names: Sequence[str]) -> tuple[int, int]:
        count = len(names)
        places = self.put(struct.pack(f"<{count}I", *(_PAGE + number for number in range(count))))
        texts = self.put(struct.pack(f"<{count}I", *(self.text(name) for name in sorted(names))))
        numbers = self.put(struct.pack(f"<{count}H", *range(count)))
        name = self.text("_thing.pyd")
        row = struct.pack("<IIHHIIIIIII", 0, 0, 0, 0, name, 1, count, count, places, texts, numbers)
        return self.put(row), len(row)

    def _debug(self, pe: Pe) -> tuple[int, int]:
        data = b"RSDS" + pe.guid.bytes_le + struct.pack("<I", AGE) + pe.pdb.encode() + b"\0"
        place = self.put(data)
        offset = 2 * _BLOCK + _BLOCK + place - self.base
        row = struct.pack("<IIHHIIII", 0, pe.linked, 0, 0, 2, len(data), place, offset)
        return self.put(row), len(row)

    def _configuration(self) -> tuple[int, int]:
        """Up to the cookie's address, its last field here."""
        size = 0x40 if self.word == 4 else 0x60
        data = struct.pack("<I", size) + bytes(size - 4 - self.word)
        return self.put(data + struct.pack("<I" if self.word == 4 else "<Q", 0x180002000 % (1 << 8 * self.word))), size
