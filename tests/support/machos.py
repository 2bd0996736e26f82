"""Owns small Mach-O bundles made byte by byte, thin and fat, with any property that a test wants them to have."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable
from dataclasses import dataclass, replace

CPUS = {"x86_64": (0x01000007, 3), "aarch64": (0x0100000C, 0)}
UUID = bytes(range(16))

SYSTEM = "/usr/lib/libSystem.B.dylib"
LIBC = (("__stack_chk_fail", SYSTEM), ("__memcpy_chk", SYSTEM))
PYTHON = (("PyLong_FromLong", ""), ("PyModule_Create2", ""))

BUNDLE = 8
ALLOW_STACK_EXECUTION = 0x20000
PAGE = 0x4000

_NOUNDEFS_DYLDLINK_TWOLEVEL = 0x85
_SEGMENT_64, _SYMTAB, _DYSYMTAB, _LOAD_DYLIB, _UUID = 0x19, 0x2, 0xB, 0xC, 0x1B
_CODE_SIGNATURE, _BUILD_VERSION, _VERSION_MIN = 0x1D, 0x32, 0x24
_DYLD_INFO_ONLY, _RPATH, _CHAINED_FIXUPS, _EXPORTS_TRIE = 0x80000022, 0x8000001C, 0x80000034, 0x80000033
_FLAT = 0xFE
_WEAK_IMPORT = 0x40


@dataclass(frozen=True)
class MachO:
    """What `build` writes; the defaults are those of an extension that is fit to ship."""

    arch: str = "x86_64"
    exports: tuple[str, ...] = ("PyInit__thing",)
    imports: tuple[tuple[str, str], ...] = LIBC + PYTHON
    weak: tuple[str, ...] = ()
    lazy: bool = False
    chained: bool = False
    needed: tuple[str, ...] = (SYSTEM,)
    rpath: str = ""
    minimum: tuple[int, int] | None = (10, 15)
    older_command: bool = False
    platform: int = 1
    flags: int = _NOUNDEFS_DYLDLINK_TWOLEVEL
    text_protection: int = 5
    const_flags: int = 0x10
    local_relocations: int = 0
    uuid: bytes = UUID
    signed: bool = True
    text: bytes = b"constant"
    sections: bool = True
    locals: tuple[str, ...] = ()
    stabs: int = 0
    listed_exports: tuple[str, ...] | None = None
    bindings: bytes | None = None
    trie: bytes | None = None


def fat(*images: bytes) -> bytes:
    """A universal file of thin ones."""
    body = bytearray(struct.pack(">II", 0xCAFEBABE, len(images)))
    places, position = [], PAGE
    for image in images:
        places.append(position)
        position = -(-(position + len(image)) // PAGE) * PAGE
    for image, place in zip(images, places, strict=True):
        kind, sub = struct.unpack_from("<II", image, 4)
        body += struct.pack(">IIIII", kind, sub, place, len(image), 14)
    for image, place in zip(images, places, strict=True):
        body += bytes(place - len(body)) + image
    return bytes(body)


def universal(macho: MachO | None = None) -> bytes:
    """The same file for both processors; that for arm64 starts at macOS 11, where these began."""
    made = macho or MachO()
    return fat(build(replace(made, arch="x86_64")), build(replace(made, arch="aarch64", minimum=(11, 0))))


def build(macho: MachO) -> bytes:
    """A bundle of four pages at most; the tables for the linker fill the last of its segments."""
    writer = _Writer(macho)
    commands = writer.commands()
    head = writer.header(len(commands), sum(map(len, commands))) + b"".join(commands)
    if len(head) + len(macho.text) > PAGE:
        raise ValueError("the text does not fit")
    body = head + bytes(PAGE - len(macho.text) - len(head)) + macho.text + writer.pointers() + writer.linkedit
    if not macho.signed:
        return body
    offset, size = writer.places["signature"]
    return body[:offset] + signature(body[:offset]) + body[offset + size :]


def signature(data: bytes) -> bytes:
    """An ad-hoc signature as linkers make it: one code directory with a SHA-256 for each page of 4 KiB (cs_blobs.h)."""
    pages = range(0, len(data), 4096)
    hashes = b"".join(hashlib.sha256(data[start : start + 4096]).digest() for start in pages)
    identity = b"thing\0"
    table = 44 + len(identity)
    sizes = (table + len(hashes), 0x20001, 0x20002, table, 44, 0, len(pages), len(data))
    directory = struct.pack(">9IBBBBI", 0xFADE0C02, *sizes, 32, 2, 0, 12, 0) + identity + hashes
    return struct.pack(">IIIII", 0xFADE0CC0, 20 + len(directory), 1, 0, 20) + directory


class _Writer:
    """`linkedit` is laid out first, since the commands before it name places in it."""

    def __init__(self, macho: MachO) -> None:
        self.macho = macho
        self.libraries = list(macho.needed)
        self.linkedit = b""
        self.places: dict[str, tuple[int, int]] = {}
        bindings = self.bindings() if macho.bindings is None else macho.bindings
        if macho.chained:
            self.put("fixups", self.chained_fixups())
        else:
            self.put("bind", b"" if macho.lazy else bindings)
            self.put("lazy", bindings if macho.lazy else b"")
        self.put("exports", _trie(macho.exports) if macho.trie is None else macho.trie)
        symbols, strings = self.symbols()
        self.put("symbols", symbols)
        self.put("strings", strings)
        if macho.signed:
            # Of the right size; what it covers is not there yet.
            self.linkedit += bytes(-len(self.linkedit) % 16)
            self.put("signature", signature(bytes(2 * PAGE + len(self.linkedit))))

    def put(self, name: str, data: bytes) -> None:
        self.linkedit += bytes(-len(self.linkedit) % 16)
        self.places[name] = (2 * PAGE + len(self.linkedit), len(data))
        self.linkedit += data

    def place(self, name: str) -> tuple[int, int]:
        offset, size = self.places[name]
        return (offset, size) if size else (0, 0)

    def header(self, count: int, size: int) -> bytes:
        kind, sub = CPUS[self.macho.arch]
        return struct.pack("<IIIIIIII", 0xFEEDFACF, kind, sub, BUNDLE, count, size, self.macho.flags, 0)

    def commands(self) -> list[bytes]:
        macho, size = self.macho, len(self.linkedit)
        commands = [
            _segment("__TEXT", 0, PAGE, macho.text_protection, 0, b"__text" if macho.sections else b""),
            _segment("__DATA_CONST", PAGE, PAGE, 3, macho.const_flags),
            _segment("__LINKEDIT", 2 * PAGE, size, 1, 0),
        ]
        if macho.chained:
            commands.append(struct.pack("<IIII", _CHAINED_FIXUPS, 16, *self.place("fixups")))
            commands.append(struct.pack("<IIII", _EXPORTS_TRIE, 16, *self.place("exports")))
        else:
            tables = (0, 0, *self.place("bind"), 0, 0, *self.place("lazy"), *self.place("exports"))
            commands.append(struct.pack("<II10I", _DYLD_INFO_ONLY, 48, *tables))
        offset, length = self.places["symbols"]
        commands.append(struct.pack("<IIIIII", _SYMTAB, 24, offset, length // 16, *self.places["strings"]))
        defined = len(macho.exports if macho.listed_exports is None else macho.listed_exports)
        inside, undefined = len(macho.locals) + macho.stabs, len(macho.imports) + len(macho.weak)
        groups = (0, inside, inside, defined, inside + defined, undefined)
        commands.append(struct.pack("<II18I", _DYSYMTAB, 80, *groups, *[0] * 11, macho.local_relocations))
        commands += [struct.pack("<II16s", _UUID, 24, macho.uuid)] if macho.uuid else []
        commands += self.minimum()
        commands += [_named(_LOAD_DYLIB, name, struct.pack("<III", 2, 0x10000, 0x10000)) for name in macho.needed]
        commands += [_named(_RPATH, macho.rpath, b"")] if macho.rpath else []
        if macho.signed:
            commands.append(struct.pack("<IIII", _CODE_SIGNATURE, 16, *self.place("signature")))
        return commands

    def minimum(self) -> list[bytes]:
        if self.macho.minimum is None:
            return []
        major, minor = self.macho.minimum
        version, sdk = major << 16 | minor << 8, 12 << 16 | 3 << 8
        if self.macho.older_command:
            return [struct.pack("<IIII", _VERSION_MIN, 16, version, sdk)]
        return [struct.pack("<IIIIII", _BUILD_VERSION, 24, self.macho.platform, version, sdk, 0)]

    def ordinal(self, library: str) -> int:
        return self.libraries.index(library) + 1 if library else _FLAT

    def bindings(self) -> bytes:
        """Opcodes that bind each import to a slot of the second segment (mach-o/loader.h, BIND_OPCODE_*)."""
        wanted = [(name, library, 0) for name, library in self.macho.imports] + [
            (n, SYSTEM, 1) for n in self.macho.weak
        ]
        code = bytearray()
        for number, (name, library, weak) in enumerate(wanted):
            ordinal = self.ordinal(library)
            code.append(0x3E if ordinal == _FLAT else 0x10 | ordinal)
            code += bytes([0x40 | weak]) + b"_" + name.encode() + b"\0"
            # The table of lazy ones knows no types.
            code += (b"" if self.macho.lazy else b"\x51") + b"\x71" + _uleb(8 * number) + b"\x90"
        return bytes(code) + b"\0"

    def wanted(self) -> list[tuple[str, str, int]]:
        macho = self.macho
        return [(name, library, 0) for name, library in macho.imports] + [(name, SYSTEM, 1) for name in macho.weak]

    def chained_fixups(self) -> bytes:
        """The imports, and where the chain of slots begins: at the start of the second segment (mach-o/fixup-chains.h)."""
        strings, rows = bytearray(b"\0"), b""
        for name, library, weak in self.wanted():
            rows += struct.pack("<I", self.ordinal(library) & 0xFF | weak << 8 | len(strings) << 9)
            strings += b"_" + name.encode() + b"\0"
        chain = struct.pack("<IHHQIHH", 24, PAGE, 2, PAGE, 0, 1, 0)
        starts = struct.pack("<IIII", 3, 0, 16, 0) + chain
        offset = 32 + len(starts)
        head = struct.pack("<IIIIIIII", 0, 32, offset, offset + len(rows), len(self.wanted()), 1, 0, 0)
        return head + starts + rows + bytes(strings)

    def pointers(self) -> bytes:
        """The second segment: where imports are bound to."""
        slots = b""
        if self.macho.chained:
            last = len(self.wanted()) - 1
            for number in range(last + 1):
                slots += struct.pack("<Q", 1 << 63 | (0 if number == last else 2) << 51 | number)
        return slots + bytes(PAGE - len(slots))

    def symbols(self) -> tuple[bytes, bytes]:
        """The table for tools (mach-o/nlist.h): local ones, then defined, then undefined."""
        macho, strings, rows = self.macho, bytearray(b" \0"), b""
        listed = macho.exports if macho.listed_exports is None else macho.listed_exports
        named = [(name, 0x0E, 1, 0) for name in macho.locals]
        named += [("thing.c", 0x64, 0, 0)] * macho.stabs
        named += [(name, 0x0F, 1, 0) for name in listed]
        named += [(name, 0x01, 0, self.ordinal(library) << 8) for name, library in macho.imports]
        named += [(name, 0x01, 0, self.ordinal(SYSTEM) << 8 | _WEAK_IMPORT) for name in macho.weak]
        for name, kind, section, description in named:
            rows += struct.pack("<IBBHQ", len(strings), kind, section, description, 0)
            strings += b"_" + name.encode() + b"\0"
        return rows, bytes(strings)


def _segment(name: str, offset: int, size: int, protection: int, flags: int, section: bytes = b"") -> bytes:
    room = -(-size // PAGE) * PAGE
    place = (offset, room, offset, size, protection, protection, bool(section), flags)
    inside = struct.pack("<16s16sQQ8I", section, name.encode(), offset, 0, 0, 0, 0, 0, 0, 0, 0, 0) if section else b""
    return struct.pack("<II16sQQQQIIII", _SEGMENT_64, 72 + len(inside), name.encode(), *place) + inside


def _named(command: int, name: str, more: bytes) -> bytes:
    text = name.encode() + b"\0"
    text += bytes(-len(text) % 8 + (-len(more) - 12) % 8)
    return struct.pack("<III", command, 12 + len(more) + len(text), 12 + len(more)) + more + text


def _trie(names: Iterable[str]) -> bytes:
    """An export trie whose root has one edge for each name (mach-o/loader.h, EXPORT_SYMBOL_FLAGS_*)."""
    edges = [b"_" + name.encode() + b"\0" for name in names]
    if not edges:
        return b""
    leaf = b"\x02\x00\x00\x00"
    start = 2 + sum(len(edge) + 2 for edge in edges)
    root = bytes([0, len(edges)])
    for number, edge in enumerate(edges):
        offset = start + number * len(leaf)
        root += edge + bytes([offset & 0x7F | 0x80, offset >> 7])
    return root + leaf * len(edges)


def _uleb(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])
