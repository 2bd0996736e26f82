"""Owns small shared objects made byte by byte, with any property that a test wants them to have."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass

MACHINES = {"i686": (3, 32, "<"), "x86_64": (62, 64, "<"), "aarch64": (183, 64, "<"), "s390x": (22, 64, ">")}
BUILD_ID = bytes(range(20))

LIBC = (("__memcpy_chk", "libc.so.6", "GLIBC_2.3.4"), ("__stack_chk_fail", "libc.so.6", "GLIBC_2.4"))
PYTHON = (("PyLong_FromLong", "", ""), ("PyModule_Create2", "", ""))

_ALLOCATED = 2


@dataclass(frozen=True)
class Elf:
    """What `build` writes; the defaults are those of an extension that is fit to ship."""

    arch: str = "x86_64"
    exports: tuple[str, ...] = ("PyInit__thing",)
    imports: tuple[tuple[str, str, str], ...] = LIBC + PYTHON
    weak: tuple[str, ...] = ("__gmon_start__",)
    needed: tuple[str, ...] = ("libc.so.6",)
    runpath: str = ""
    rpath: str = ""
    relro: bool = True
    bind_now: bool = True
    stack_flags: int | None = 6
    load_flags: int = 5
    textrel: bool = False
    build_id: bytes = BUILD_ID
    rodata: bytes = b"constant"
    sections: bool = True
    debug: bytes = b""
    gnu_hash: bool = True


@dataclass
class _Part:
    name: str
    data: bytes
    type: int = 1
    flags: int = _ALLOCATED
    link: int = 0
    info: int = 0
    align: int = 8
    entsize: int = 0
    offset: int = 0


def build(elf: Elf) -> bytes:
    """A shared object whose addresses equal its file offsets."""
    writer = _Writer(elf)
    parts = writer.parts()
    dynamic = _Part(".dynamic", writer.dynamic(parts), type=6, flags=3, link=3, entsize=16 if writer.wide else 8)
    loaded = [*parts, dynamic]
    end = writer.place(loaded)
    dynamic.data = writer.dynamic(parts)
    segments = writer.segments(loaded, end)
    body = bytearray(writer.header_size) + b"".join(segments)
    for part in loaded:
        body += bytes(part.offset - len(body)) + part.data
    shoff, shnum = writer.add_sections(body, loaded) if elf.sections else (0, 0)
    body[: writer.header_size] = writer.header(len(segments), shoff, shnum)
    return bytes(body)


class _Writer:
    def __init__(self, elf: Elf) -> None:
        self.elf = elf
        self.machine, bits, self.order = MACHINES[elf.arch]
        self.wide = bits == 64
        self.header_size, self.segment_size, self.section_size = (64, 56, 64) if self.wide else (52, 32, 40)
        self.libraries = sorted({library for _, library, _ in elf.imports if library})
        self.versions = sorted({(library, version) for _, library, version in elf.imports if version})
        names = [*(name for name, _, _ in elf.imports), *elf.weak, *elf.exports, *elf.needed, elf.runpath, elf.rpath]
        self.strings, self.at = _string_table([*names, *self.libraries, *(version for _, version in self.versions)])

    def pack(self, form: str, *values: int) -> bytes:
        """`P` in `form` is an address-sized word."""
        return struct.pack(self.order + form.replace("P", "Q" if self.wide else "I"), *values)

    def parts(self) -> list[_Part]:
        elf = self.elf
        named = [*((name, 1, 0) for name, _, _ in elf.imports), *((name, 2, 0) for name in elf.weak)]
        named += [(name, 1, 1) for name in elf.exports]
        symbols = b"".join(self.symbol(*each) for each in [("", 0, 0), *named])
        numbers = {pair: number for number, pair in enumerate(self.versions, start=2)}
        versym = [0, *(numbers.get((library, version), 1) for _, library, version in elf.imports)]
        versym += [1] * (len(elf.weak) + len(elf.exports))
        note = self.pack("III", 4, len(elf.build_id), 3) + b"GNU\0" + elf.build_id if elf.build_id else b""
        kind = 0x6FFFFFF6 if elf.gnu_hash else 5
        return [
            _Part(".note.gnu.build-id", note, type=7, align=4),
            _Part(".dynsym", symbols, type=11, link=3, info=1, entsize=24 if self.wide else 16),
            _Part(".dynstr", self.strings, type=3, align=1),
            _Part(".gnu.hash" if elf.gnu_hash else ".hash", self.hashes(len(versym)), type=kind, link=2),
            _Part(".gnu.version", self.pack(f"{len(versym)}H", *versym), type=0x6FFFFFFF, link=2, align=2, entsize=2),
            _Part(".gnu.version_r", self.needs(numbers), type=0x6FFFFFFE, link=3, info=len(self.libraries)),
            _Part(".rodata", elf.rodata),
        ]

    def symbol(self, name: str, binding: int, section: int) -> bytes:
        info = binding << 4 | 2
        if self.wide:
            return self.pack("IBBHQQ", self.at[name], info, 0, section, 0, 0)
        return self.pack("IIIBBH", self.at[name], 0, 0, info, 0, section)

    def hashes(self, count: int) -> bytes:
        if not self.elf.gnu_hash:
            return self.pack(f"III{count}I", 1, count, 0, *[0] * count)
        first = count - len(self.elf.exports)
        chain = [2 * number for number in range(first, count)]
        chain[-1:] = [value | 1 for value in chain[-1:]]
        return self.pack(f"IIIIPI{len(chain)}I", 1, first, 1, 0, 0, first if chain else 0, *chain)

    def needs(self, numbers: dict[tuple[str, str], int]) -> bytes:
        table = b""
        for library in self.libraries:
            wanted = [version for each, version in self.versions if each == library]
            following = 0 if library == self.libraries[-1] else 16 * (1 + len(wanted))
            table += self.pack("HHIII", 1, len(wanted), self.at[library], 16, following)
            for version in wanted:
                step = 0 if version == wanted[-1] else 16
                table += self.pack("IHHII", 0, 0, numbers[library, version], self.at[version], step)
        return table

    def dynamic(self, parts: Iterable[_Part]) -> bytes:
        elf, where = self.elf, {part.name: part.offset for part in parts}
        rows = [(1, self.at[name]) for name in elf.needed]
        rows += [(29, self.at[elf.runpath])] if elf.runpath else []
        rows += [(15, self.at[elf.rpath])] if elf.rpath else []
        rows += [(5, where[".dynstr"]), (10, len(self.strings)), (6, where[".dynsym"]), (11, 24 if self.wide else 16)]
        rows += [(0x6FFFFEF5, where[".gnu.hash"])] if elf.gnu_hash else [(4, where[".hash"])]
        rows += [(0x6FFFFFF0, where[".gnu.version"])]
        rows += [(0x6FFFFFFE, where[".gnu.version_r"]), (0x6FFFFFFF, len(self.libraries))] if self.libraries else []
        rows += [(30, 8 * elf.bind_now + 4 * elf.textrel)] if elf.bind_now or elf.textrel else []
        return b"".join(self.pack("PP", tag, value) for tag, value in [*rows, (0, 0)])

    def place(self, parts: Iterable[_Part]) -> int:
        count = 2 + self.elf.relro + (self.elf.stack_flags is not None) + bool(self.elf.build_id)
        position = self.header_size + count * self.segment_size
        for part in parts:
            part.offset = -(-position // part.align) * part.align
            position = part.offset + len(part.data)
        return position

    def segments(self, parts: Iterable[_Part], end: int) -> list[bytes]:
        elf, where = self.elf, {part.name: part for part in parts}
        note, dynamic = where[".note.gnu.build-id"], where[".dynamic"]
        rows = [(1, elf.load_flags, 0, end, 4096), (2, 6, dynamic.offset, len(dynamic.data), 8)]
        rows += [(4, 4, note.offset, len(note.data), 4)] if elf.build_id else []
        rows += [(0x6474E552, 4, dynamic.offset, len(dynamic.data), 1)] if elf.relro else []
        rows += [(0x6474E551, elf.stack_flags, 0, 0, 16)] if elf.stack_flags is not None else []
        return [self.segment(*row) for row in rows]

    def segment(self, kind: int, flags: int, offset: int, size: int, align: int) -> bytes:
        if self.wide:
            return self.pack("IIQQQQQQ", kind, flags, offset, offset, offset, size, size, align)
        return self.pack("IIIIIIII", kind, offset, offset, offset, size, size, flags, align)

    def add_sections(self, body: bytearray, loaded: Iterable[_Part]) -> tuple[int, int]:
        parts = list(loaded)
        parts += [_Part(".debug_info", self.elf.debug, flags=0, align=1)] if self.elf.debug else []
        table = _Part(".shstrtab", b"", type=3, flags=0, align=1)
        parts.append(table)
        table.data, names = _string_table([part.name for part in parts])
        for part in parts:
            if not part.flags & _ALLOCATED:
                part.offset = len(body)
                body += part.data
        body += bytes(-len(body) % 8)
        start = len(body)
        body += bytes(self.section_size)
        for part in parts:
            address = part.offset if part.flags & _ALLOCATED else 0
            place = (names[part.name], part.type, part.flags, address, part.offset, len(part.data))
            body += self.pack("IIPPPPIIPP", *place, part.link, part.info, part.align, part.entsize)
        return start, len(parts) + 1

    def header(self, segments: int, shoff: int, shnum: int) -> bytes:
        identification = bytes([0x7F, *b"ELF", 2 if self.wide else 1, 1 if self.order == "<" else 2, 1]) + bytes(9)
        sizes = (self.header_size, self.segment_size, segments, self.section_size, shnum, max(shnum - 1, 0))
        return identification + self.pack("HHIPPPIHHHHHH", 3, self.machine, 1, 0, self.header_size, shoff, 0, *sizes)


def _string_table(names: Iterable[str]) -> tuple[bytes, dict[str, int]]:
    table, places = bytearray(1), {"": 0}
    for name in names:
        if name not in places:
            places[name] = len(table)
            table += name.encode() + b"\0"
    return bytes(table), places
