"""Owns separating an ELF file from its debug information, so that each part is found by the same build-id.

Debug sections are never mapped: dropping them changes no byte that the loader reads, only the section headers. So this
needs no re-layout, and no binutils: zig 0.16's objcopy refuses ELF, no maintained PyPI package ships one, and LIEF
writes the segments anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from ..errors import BuildError
from .elf import build_id
from .elf_image import (
    PT_NOTE,
    PT_NULL,
    PT_PHDR,
    SHT_NOBITS,
    SHT_NOTE,
    SHT_NULL,
    SHT_STRTAB,
    Image,
    Section,
    Segment,
    parse,
)

_SHSTRTAB = ".shstrtab"
_HEADER_SHOFF, _HEADER_SHNUM, _HEADER_SHSTRNDX, _HEADER_PHOFF = 6, 12, 13, 5
_EMPTY = Section("", SHT_NULL, 0, 0, 0, 0, 0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Split:
    """`stripped` is what runs; `debug` holds everything else, under the path that debuggers look for."""

    stripped: bytes
    debug: bytes
    build_id: str

    @property
    def debug_path(self) -> str:
        """Relative to a debugger's debug-file-directory (GDB manual, "Separate Debug Files")."""
        return f".build-id/{self.build_id[:2]}/{self.build_id[2:]}.debug"


def split(data: bytes) -> Split:
    """Take a linked file apart.

    Raises:
        VerifyError: it is not well-formed ELF.
        BuildError: it has no build-id, no section headers, or mixes debug sections into what is loaded.
    """
    image = parse(data)
    identity = build_id(image)
    if not identity:
        raise BuildError("no build-id to file the debug information under", hint="link with -Wl,--build-id=sha1")
    if not image.sections:
        raise BuildError("no section headers: nothing says where the debug information is")
    return Split(_stripped(image), _debug(image), identity)


def _stripped(image: Image) -> bytes:
    """The file up to the end of what is loaded, with headers for that alone; a dropped header before a kept one stays
    as an empty one, since symbols refer to sections by number.
    """
    end = max(
        *(segment.offset + segment.filesz for segment in image.segments),
        *(section.offset + section.stored for section in image.sections if section.allocated),
    )
    if any(s.stored and not s.allocated and s.offset < end for s in image.sections) or image.header.shoff < end:
        raise BuildError("debug sections lie among the loaded ones", hint="link without a linker script of your own")
    kept = [section if section.allocated else _EMPTY for section in image.sections]
    while kept and not kept[-1].allocated:
        kept.pop()
    return _assemble(image, bytearray(image.data[:end]), kept, image.header.phoff)


def _debug(image: Image) -> bytes:
    """The sections that are not loaded, and notes; loaded ones keep their addresses and sizes but have no bytes."""
    tables = image.layout.header.size + len(image.segments) * image.layout.segment.size
    body = bytearray(tables)
    moved: dict[int, int] = {}
    segments: list[Segment] = []
    for segment in image.segments:
        if segment.type == PT_NOTE and segment.offset not in moved:
            _align(body, segment.align)
            moved[segment.offset] = len(body)
            body += image.read(segment.offset, segment.filesz, "a note segment")
        if segment.type == PT_NOTE:
            segments.append(replace(segment, offset=moved[segment.offset]))
        else:
            # Tools want the table of PT_PHDR to be loaded, and nothing is.
            kind = PT_NULL if segment.type == PT_PHDR else segment.type
            segments.append(replace(segment, type=kind, offset=0, filesz=0))
    sections = []
    for section in image.sections:
        if section.allocated:
            place = _inside_note(section, image.segments, moved) if section.type == SHT_NOTE else None
            sections.append(
                replace(section, type=SHT_NOBITS, offset=tables) if place is None else replace(section, offset=place)
            )
        elif section.type == SHT_NULL or (section.name == _SHSTRTAB and section.type == SHT_STRTAB):
            sections.append(_EMPTY)
        else:
            _align(body, section.align)
            place = len(body)
            body += image.read(section.offset, section.stored, f"section {section.name}")
            sections.append(replace(section, offset=place))
    _write_segments(image, body, segments)
    return _assemble(image, body, sections, image.layout.header.size)


def _inside_note(section: Section, segments: Iterable[Segment], moved: Mapping[int, int]) -> int | None:
    for segment in segments:
        inside = segment.offset <= section.offset and section.offset + section.size <= segment.offset + segment.filesz
        if segment.type == PT_NOTE and inside:
            return moved[segment.offset] + section.offset - segment.offset
    return None


def _assemble(image: Image, out: bytearray, sections: list[Section], phoff: int) -> bytes:
    """`out` with its header brought up to date, followed by a table of section names and the section headers."""
    names, offsets = _name_table([*(section.name for section in sections), _SHSTRTAB])
    table = Section(_SHSTRTAB, SHT_STRTAB, 0, 0, len(out), len(names), 0, 0, 1, 0)
    out += names
    _align(out, image.layout.word)
    start = len(out)
    for section in (*sections, table):
        out += image.layout.section.pack(
            offsets[section.name],
            section.type,
            section.flags,
            section.addr,
            section.offset,
            section.size,
            section.link,
            section.info,
            section.align,
            section.entsize,
        )
    header = list(image.header.raw)
    header[_HEADER_PHOFF], header[_HEADER_SHOFF] = phoff, start
    header[_HEADER_SHNUM], header[_HEADER_SHSTRNDX] = len(sections) + 1, len(sections)
    out[: image.layout.header.size] = image.layout.header.pack(*header)
    return bytes(out)


def _write_segments(image: Image, body: bytearray, segments: Iterable[Segment]) -> None:
    """The program headers, directly after the ELF header."""
    shape = image.layout.segment
    for index, each in enumerate(segments):
        if image.layout.wide:
            row = (each.type, each.flags, each.offset, each.vaddr, each.paddr, each.filesz, each.memsz, each.align)
        else:
            row = (each.type, each.offset, each.vaddr, each.paddr, each.filesz, each.memsz, each.flags, each.align)
        position = image.layout.header.size + index * shape.size
        body[position : position + shape.size] = shape.pack(*row)


def _name_table(names: Iterable[str]) -> tuple[bytes, dict[str, int]]:
    table, offsets = bytearray(b"\0"), {"": 0}
    for name in names:
        if name not in offsets:
            offsets[name] = len(table)
            table += name.encode() + b"\0"
    return bytes(table), offsets


def _align(body: bytearray, align: int) -> None:
    if align > 1:
        body += bytes(-len(body) % align)
