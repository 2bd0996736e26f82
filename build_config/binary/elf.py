"""Owns what an ELF file says of itself, judged from what the loader reads."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..model import BinaryFacts, Import
from .elf_dynamic import (
    DF_1_NOW,
    DF_BIND_NOW,
    DF_TEXTREL,
    DT_BIND_NOW,
    DT_FLAGS,
    DT_FLAGS_1,
    DT_NEEDED,
    DT_RPATH,
    DT_RUNPATH,
    DT_STRTAB,
    DT_SYMTAB,
    DT_TEXTREL,
    Dynamic,
    Symbol,
)
from .elf_image import (
    MAGIC,
    PF_W,
    PF_X,
    PT_GNU_RELRO,
    PT_GNU_STACK,
    PT_LOAD,
    PT_NOTE,
    SHT_DYNAMIC,
    SHT_DYNSYM,
    SHT_SYMTAB,
    Image,
    Section,
    parse,
)

_ARCHES = {
    (3, 32): "i686",
    (21, 64): "ppc64le",
    (22, 64): "s390x",
    (40, 32): "armv7l",
    (62, 32): "x32",
    (62, 64): "x86_64",
    (183, 64): "aarch64",
    (243, 64): "riscv64",
    (258, 64): "loongarch64",
}
_GUARDS = frozenset({"__stack_chk_fail", "__stack_chk_fail_local", "__stack_chk_guard"})
_VARIABLES = {183: frozenset({"__stack_chk_guard"})}
"""By machine, where the canary is a variable: it protects only as the C library's own, which is chosen at each start. A
compiler's runtime may bring one that is the same everywhere."""
_CANARY = {62: re.compile(rb"\x64[\x48\x4c]\x8b[\x04-\x3c]\x25\x28\0\0\0")}
"""By machine, an instruction that loads the canary from where the C library put it: `mov %fs:0x28,%reg` on x86-64
(System V ABI, thread control block). A linker may bring its own __stack_chk_fail, which then is no import."""

_NOTE_BUILD_ID = 3
_MAX_NOTES = 1_000


def recognises(data: bytes) -> bool:
    """True for what claims to be ELF."""
    return data.startswith(MAGIC)


def facts(data: bytes) -> BinaryFacts:
    """The facts of a shared object; without section headers they are the same, but for `sections` and `debug`.

    Raises:
        VerifyError: the file is cut short, contradicts itself, or is larger in some count than any real one.
    """
    image = parse(data)
    dynamic = Dynamic(image)
    symbols = tuple(dynamic.symbols())
    flags, flags_1 = dynamic.values.get(DT_FLAGS, 0), dynamic.values.get(DT_FLAGS_1, 0)
    undefined = sorted({Import(s.name, s.library, s.version, s.weak) for s in symbols if not s.defined})
    names = {symbol.name for symbol in undefined}
    return BinaryFacts(
        format="elf",
        arch=_ARCHES.get((image.header.machine, image.layout.bits), f"machine-{image.header.machine}"),
        needed=dynamic.texts(DT_NEEDED),
        exported=tuple(sorted({symbol.name for symbol in symbols if _exported(symbol)})),
        undefined=tuple(undefined),
        versions=dynamic.wanted_versions(),
        runpath=dynamic.texts(DT_RUNPATH) + dynamic.texts(DT_RPATH),
        build_id=build_id(image),
        relro=any(s.type == PT_GNU_RELRO and s.holds(dynamic.segment.vaddr) for s in image.segments),
        bind_now=DT_BIND_NOW in dynamic.values or bool(flags & DF_BIND_NOW or flags_1 & DF_1_NOW),
        nx=_no_writable_code(image),
        textrel=DT_TEXTREL in dynamic.values or bool(flags & DF_TEXTREL),
        stack_protector=not names.isdisjoint(_VARIABLES.get(image.header.machine, _GUARDS)) or _reads_canary(image),
        fortified=any(name.startswith("__") and name.endswith("_chk") for name in names),
        sections=tuple(section.name for section in image.sections if section.name),
        debug=any(_for_debuggers(section) for section in image.sections),
        contradictions=tuple(_contradictions(image, dynamic)),
    )


def _reads_canary(image: Image) -> bool:
    pattern = _CANARY.get(image.header.machine)
    code = [segment for segment in image.segments if segment.type == PT_LOAD and segment.flags & PF_X]
    return pattern is not None and any(
        pattern.search(image.read(segment.offset, segment.filesz, "code")) for segment in code
    )


def build_id(image: Image) -> str:
    """The GNU build-id note as hex, empty where there is none."""
    for segment in image.segments:
        if segment.type == PT_NOTE:
            for owner, kind, value in _notes(image, segment.offset, segment.offset + segment.filesz, segment.align):
                if owner == b"GNU\0" and kind == _NOTE_BUILD_ID:
                    return value.hex()
    return ""


def _notes(image: Image, position: int, end: int, align: int) -> Iterator[tuple[bytes, int, bytes]]:
    step = max(4, align)
    for _ in range(_MAX_NOTES):
        if position + 12 > end:
            return
        owner_size, size, kind = image.unpack("III", position, "a note")
        value = position + 12 + -(-owner_size // step) * step
        yield image.read(position + 12, owner_size, "a note"), kind, image.read(value, size, "a note")
        position = value + -(-size // step) * step


def _exported(symbol: Symbol) -> bool:
    return symbol.defined and not symbol.local and not symbol.hidden


def _no_writable_code(image: Image) -> bool:
    stacks = [segment for segment in image.segments if segment.type == PT_GNU_STACK]
    loaded = [segment for segment in image.segments if segment.type == PT_LOAD]
    # Without the header, Linux gives x86 programs an executable stack.
    return (
        bool(stacks)
        and not any(segment.flags & PF_X for segment in stacks)
        and not any(segment.flags & PF_X and segment.flags & PF_W for segment in loaded)
    )


def _for_debuggers(section: Section) -> bool:
    return section.type == SHT_SYMTAB or section.name.startswith((".debug", ".zdebug"))


def _contradictions(image: Image, dynamic: Dynamic) -> Iterator[str]:
    for section in image.sections:
        if section.type == SHT_DYNAMIC and section.addr != dynamic.segment.vaddr:
            yield f"section {section.name} is at {section.addr:#x}, the dynamic segment at {dynamic.segment.vaddr:#x}"
        if section.type == SHT_DYNSYM:
            if section.addr != dynamic.values.get(DT_SYMTAB):
                yield f"section {section.name} is not the symbol table that the loader uses"
            strings = image.sections[section.link] if section.link < len(image.sections) else None
            if strings is None or strings.addr != dynamic.values.get(DT_STRTAB):
                yield f"section {section.name} names another string table than the loader's"
        if section.allocated and section.stored and not _mapped(image, section):
            yield f"section {section.name} is not where the segments map it"


def _mapped(image: Image, section: Section) -> bool:
    return any(
        segment.type == PT_LOAD
        and segment.vaddr <= section.addr
        and section.addr + section.size <= segment.vaddr + segment.filesz
        and section.addr - segment.vaddr + segment.offset == section.offset
        for segment in image.segments
    )
