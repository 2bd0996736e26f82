"""Owns the outer structure of an ELF file: header, segments and sections, read with bounds (gABI chapters 4 and 5)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ..errors import VerifyError

MAGIC = b"\x7fELF"

PT_NULL, PT_LOAD, PT_DYNAMIC, PT_NOTE, PT_PHDR = 0, 1, 2, 4, 6
PT_GNU_STACK, PT_GNU_RELRO = 0x6474E551, 0x6474E552
PF_X, PF_W = 1, 2
SHT_NULL, SHT_PROGBITS, SHT_SYMTAB, SHT_STRTAB, SHT_NOTE, SHT_NOBITS, SHT_DYNAMIC, SHT_DYNSYM = 0, 1, 2, 3, 7, 8, 6, 11
SHF_ALLOC = 2
ET_DYN = 3

MAX_SYMBOL_NAME = 4096
MAX_SECTION_NAME = 256
"""Longer names are refused: with many names that share one long string, memory would be the attacker's to spend."""

_PN_XNUM = 0xFFFF
_WIDE_BITS = 64
_CLASS_BITS = {1: 32, 2: _WIDE_BITS}
_IDENTIFICATION = 16
_BYTE_ORDER = {1: "<", 2: ">"}


@dataclass(frozen=True, slots=True)
class Segment:
    """A program header: what the loader maps."""

    type: int
    flags: int
    offset: int
    vaddr: int
    paddr: int
    filesz: int
    memsz: int
    align: int

    def holds(self, address: int, size: int = 1) -> bool:
        return self.vaddr <= address and address + size <= self.vaddr + self.memsz


@dataclass(frozen=True, slots=True)
class Section:
    """A section header, for linkers and debuggers; the loader never reads it."""

    name: str
    type: int
    flags: int
    addr: int
    offset: int
    size: int
    link: int
    info: int
    align: int
    entsize: int

    @property
    def allocated(self) -> bool:
        return bool(self.flags & SHF_ALLOC)

    @property
    def stored(self) -> int:
        """Bytes of it in the file."""
        return 0 if self.type in (SHT_NULL, SHT_NOBITS) else self.size


@dataclass(frozen=True, slots=True)
class Layout:
    """The struct formats of one class and byte order."""

    bits: int
    order: str

    @property
    def wide(self) -> bool:
        return self.bits == _WIDE_BITS

    @property
    def header(self) -> struct.Struct:
        return struct.Struct(self.order + ("16sHHIQQQIHHHHHH" if self.wide else "16sHHIIIIIHHHHHH"))

    @property
    def segment(self) -> struct.Struct:
        return struct.Struct(self.order + ("IIQQQQQQ" if self.wide else "IIIIIIII"))

    @property
    def section(self) -> struct.Struct:
        return struct.Struct(self.order + ("IIQQQQIIQQ" if self.wide else "IIIIIIIIII"))

    @property
    def word(self) -> int:
        return self.bits // 8


@dataclass(frozen=True, slots=True)
class Header:
    """The ELF header; `raw` is every field in file order, the identification bytes first."""

    type: int
    machine: int
    phoff: int
    shoff: int
    phentsize: int
    phnum: int
    shentsize: int
    shnum: int
    shstrndx: int
    raw: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Image:
    """An ELF file's bytes with its headers decoded."""

    data: bytes
    layout: Layout
    header: Header
    segments: tuple[Segment, ...]
    sections: tuple[Section, ...]

    def read(self, offset: int, size: int, what: str) -> bytes:
        """Exactly `size` bytes of the file.

        Raises:
            VerifyError: they lie outside the file.
        """
        self.require(offset, size, what)
        return self.data[offset : offset + size]

    def require(self, offset: int, size: int, what: str) -> None:
        """Like `read`, without the copy."""
        if offset < 0 or size < 0 or offset + size > len(self.data):
            raise malformed(f"{what} lies outside the file ({size} bytes at {offset:#x} of {len(self.data)})")

    def records(self, offset: int, size: int, form: str, what: str) -> Iterator[tuple[Any, ...]]:
        """The table of `size` bytes at `offset` as tuples; an incomplete last record is left out."""
        shape = struct.Struct(self.layout.order + form)
        return shape.iter_unpack(self.read(offset, size - size % shape.size, what))

    def unpack(self, form: str, offset: int, what: str) -> tuple[Any, ...]:
        shape = struct.Struct(self.layout.order + form)
        return shape.unpack(self.read(offset, shape.size, what))

    def offset_of(self, address: int, what: str) -> int:
        """The file offset of a virtual address.

        Raises:
            VerifyError: no loaded segment holds it.
        """
        for segment in self.segments:
            if segment.type == PT_LOAD and segment.vaddr <= address < segment.vaddr + segment.filesz:
                return address - segment.vaddr + segment.offset
        raise malformed(f"{what} at address {address:#x} is in no loaded segment")


def malformed(what: str) -> VerifyError:
    """The error for a file that is not the ELF that it claims to be."""
    return VerifyError(f"malformed ELF: {what}", hint="build the binary again; it is damaged or was tampered with")


def parse(data: bytes) -> Image:
    """The headers of an ELF file; sections are empty where the file has none.

    Raises:
        VerifyError: the file is cut short, or a header points outside it.
    """
    if len(data) < _IDENTIFICATION or not data.startswith(MAGIC):
        raise malformed("no ELF identification")
    bits, order = _CLASS_BITS.get(data[4]), _BYTE_ORDER.get(data[5])
    if bits is None or order is None:
        raise malformed(f"unknown class {data[4]} or byte order {data[5]}")
    layout = Layout(bits, order)
    bare = Image(data, layout, Header(0, 0, 0, 0, 0, 0, 0, 0, 0, ()), (), ())
    header = _header(bare)
    segments = tuple(_segments(bare, header))
    return Image(data, layout, header, segments, tuple(_sections(bare, header)))


def _header(image: Image) -> Header:
    shape = image.layout.header
    raw = shape.unpack(image.read(0, shape.size, "the ELF header"))
    _, kind, machine, _, _, phoff, shoff, _, _, phentsize, phnum, shentsize, shnum, shstrndx = raw
    return Header(kind, machine, phoff, shoff, phentsize, phnum, shentsize, shnum, shstrndx, raw)


def _segments(image: Image, header: Header) -> Iterator[Segment]:
    shape = image.layout.segment
    if header.phnum in (0, _PN_XNUM):
        raise malformed(f"{header.phnum} program headers: nothing that a loader could map")
    if header.phentsize != shape.size:
        raise malformed(f"program headers of {header.phentsize} bytes, not {shape.size}")
    table = image.read(header.phoff, header.phnum * shape.size, "the program header table")
    for row in shape.iter_unpack(table):
        if image.layout.wide:
            kind, flags, offset, vaddr, paddr, filesz, memsz, align = row
        else:
            kind, offset, vaddr, paddr, filesz, memsz, flags, align = row
        if kind in (PT_LOAD, PT_DYNAMIC, PT_NOTE):
            image.require(offset, filesz, f"a segment of type {kind}")
        if kind == PT_LOAD and filesz > memsz:
            raise malformed(f"a loaded segment of {memsz} bytes takes {filesz} bytes of the file")
        yield Segment(kind, flags, offset, vaddr, paddr, filesz, memsz, align)


def _sections(image: Image, header: Header) -> Iterator[Section]:
    shape = image.layout.section
    if header.shoff == 0 or header.shnum == 0:
        return
    if header.shentsize != shape.size:
        raise malformed(f"section headers of {header.shentsize} bytes, not {shape.size}")
    rows = list(shape.iter_unpack(image.read(header.shoff, header.shnum * shape.size, "the section header table")))
    if header.shstrndx >= len(rows):
        raise malformed(f"section {header.shstrndx} with the section names does not exist")
    names = rows[header.shstrndx]
    strings = image.read(names[4], names[5], "the table of section names")
    for row in rows:
        name, kind, flags, addr, offset, size, link, info, align, entsize = row
        label = text(strings, name, "a section name", MAX_SECTION_NAME)
        section = Section(label, kind, flags, addr, offset, size, link, info, align, entsize)
        if section.stored:
            image.require(offset, section.stored, f"section {label}")
        yield section


def text(strings: bytes, offset: int, what: str, limit: int = MAX_SYMBOL_NAME) -> str:
    """The NUL-terminated string at an offset of a string table.

    Raises:
        VerifyError: the offset is outside, or the string has no end within `limit` bytes.
    """
    end = strings.find(b"\0", offset, offset + limit)
    if offset < 0 or end < 0:
        raise malformed(f"{what} at {offset:#x} of a string table of {len(strings)} bytes has no end")
    return strings[offset:end].decode("utf-8", "backslashreplace")
