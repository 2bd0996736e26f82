"""Owns what a Mach-O file for one processor says of itself, judged from what the loader reads."""

from __future__ import annotations

import io
from collections.abc import Iterator

import lief

from ..model import BinaryFacts, Import
from .macho_image import (
    CPU_ARM64,
    CPU_X86_64,
    Header,
    images,
    is_fat,
    malformed,
    recognises,
    require_sound,
)
from .macho_signature import covers

__all__ = ["facts", "images", "is_fat", "recognises"]

_ARCHES = {(CPU_X86_64, 3): "x86_64", (CPU_X86_64, 8): "x86_64h", (CPU_ARM64, 0): "aarch64", (CPU_ARM64, 2): "arm64e"}
_SYSTEMS = {1: "macOS"}
_LIBRARY_COMMANDS = {0xC, 0x80000018, 0x8000001F, 0x20, 0x80000023}
"""LC_LOAD_DYLIB and its weak, re-exported, lazy and upward kinds; LC_ID_DYLIB, the file's own name, is none."""

_GUARDS = frozenset({"__stack_chk_fail", "__stack_chk_guard"})
_WRITE, _EXECUTE = 2, 4
_SG_READ_ONLY = 0x10
_STAB, _PRIVATE_EXTERNAL, _KIND, _EXTERNAL = 0xE0, 0x10, 0x0E, 0x01
_ALLOW_STACK_EXECUTION = 0x20000
_SPECIAL_ORDINALS = {0: "<itself>", -1: "<main executable>"}
"""The flat ones, -2 and -3, search every library that is loaded: the format does not say which."""


def facts(data: bytes) -> BinaryFacts:
    """The facts of a bundle or dynamic library.

    Raises:
        VerifyError: the file is cut short, contradicts itself, or is larger in some count than any real one.
    """
    head = require_sound(data)
    # It would tell stderr what the error tells.
    lief.logging.disable()
    parsed = lief.MachO.parse(io.BytesIO(data))
    binary = parsed.at(0) if parsed is not None and parsed.size == 1 else None
    if binary is None:
        raise malformed("its load commands make no sense")
    if len(binary.commands) != head.commands:
        raise malformed(f"{len(binary.commands)} of its {head.commands} load commands can be read")
    try:
        return _facts(binary, head, data)
    except UnicodeDecodeError as cause:
        raise malformed("a name that is no text") from cause


def _facts(binary: lief.MachO.Binary, head: Header, data: bytes) -> BinaryFacts:
    symbols = tuple(binary.symbols)
    imports = sorted(set(_imports(binary)))
    names = {each.name for each in imports}
    exported = tuple(sorted(set(_exports(binary))))
    minimum = _minimum(binary)
    return BinaryFacts(
        format="macho",
        arch=_ARCHES.get((head.cpu, head.kind), f"machine-{head.cpu:x}-{head.kind}"),
        needed=tuple(each.name for each in binary.libraries if int(each.command) in _LIBRARY_COMMANDS),
        exported=exported,
        undefined=tuple(imports),
        versions=minimum[:1],
        runpath=tuple(each.path for each in binary.rpaths),
        build_id=bytes(binary.uuid.uuid).hex() if binary.uuid is not None else "",
        relro=any(each.name == "__DATA_CONST" and int(each.flags) & _SG_READ_ONLY for each in binary.segments),
        bind_now=binary.dyld_info is None or not binary.dyld_info.lazy_bind[1],
        nx=not head.flags & _ALLOW_STACK_EXECUTION and not any(map(_writable_code, binary.segments)),
        textrel=_relocates(binary),
        stack_protector=not names.isdisjoint(_GUARDS),
        fortified=any(name.startswith("__") and name.endswith("_chk") for name in names),
        sections=tuple(f"{each.segment_name},{_text(each.name)}" for each in binary.sections),
        debug=any(_for_debuggers(each) for each in symbols) or binary.get_segment("__DWARF") is not None,
        contradictions=tuple(_contradictions(symbols, exported, names)),
        signed=_signed(binary, data),
        sdk=minimum[1] if minimum else "",
    )


def _text(name: str | bytes) -> str:
    """A name; LIEF gives what is no text as bytes."""
    return name if isinstance(name, str) else name.decode("utf-8", "backslashreplace")


def _c_name(symbol: lief.MachO.Symbol) -> str:
    """C's names have an underscore before them."""
    return _text(symbol.name).removeprefix("_")


def _imports(binary: lief.MachO.Binary) -> Iterator[Import]:
    for each in binary.bindings:
        if each.symbol is not None and not _coalesces(each):
            special = _SPECIAL_ORDINALS.get(each.library_ordinal, "")
            library = each.library.name if each.library is not None else special
            yield Import(_c_name(each.symbol), library, weak=each.weak_import)


def _coalesces(binding: lief.MachO.BindingInfo) -> bool:
    """True for one that joins definitions of C++ among loaded files; what it really needs is bound a second time."""
    return (
        isinstance(binding, lief.MachO.DyldBindingInfo)
        and binding.binding_class == lief.MachO.DyldBindingInfo.CLASS.WEAK
    )


def _exports(binary: lief.MachO.Binary) -> Iterator[str]:
    for table in (binary.dyld_info, binary.dyld_exports_trie):
        if table is not None:
            yield from (_c_name(each.symbol) for each in table.exports if each.symbol is not None)


def _minimum(binary: lief.MachO.Binary) -> tuple[str, ...]:
    """The oldest system, as `macOS_11.0`, and the SDK; empty where the file does not say."""
    stated, older = binary.build_version, binary.version_min
    if stated is not None:
        # LIEF names no platform that it does not know.
        platform = int.from_bytes(bytes(stated.data[8:12]), "little")
        system = _SYSTEMS.get(platform, f"platform-{platform}")
        return f"{system}_{_dotted(stated.minos)}", _dotted(stated.sdk)
    if older is not None and older.command == lief.MachO.LoadCommand.TYPE.VERSION_MIN_MACOSX:
        return f"macOS_{_dotted(older.version)}", _dotted(older.sdk)
    return ()


def _dotted(version: list[int]) -> str:
    """`11.0`, or `10.15.4` where the third number counts."""
    return ".".join(map(str, version if version[2] else version[:2]))


def _writable_code(segment: lief.MachO.SegmentCommand) -> bool:
    both = _WRITE | _EXECUTE
    return both in (segment.init_protection & both, segment.max_protection & both)


def _relocates(binary: lief.MachO.Binary) -> bool:
    table = binary.dynamic_symbol_command
    return table is not None and bool(table.nb_external_relocations or table.nb_local_relocations)


def _signed(binary: lief.MachO.Binary, data: bytes) -> bool:
    command = binary.code_signature
    return command is not None and covers(data, command.data_offset, command.data_size)


def _for_debuggers(symbol: lief.MachO.Symbol) -> bool:
    """True for one that no loader asks for: debug maps, and names of what is private to the file."""
    if symbol.origin != lief.MachO.Symbol.ORIGIN.SYMTAB:
        return False
    return bool(symbol.raw_type & _STAB) or not symbol.raw_type & _EXTERNAL


def _contradictions(
    symbols: tuple[lief.MachO.Symbol, ...], exported: tuple[str, ...], wanted: set[str]
) -> Iterator[str]:
    listed = [
        each
        for each in symbols
        if each.origin == lief.MachO.Symbol.ORIGIN.SYMTAB
        and not each.raw_type & (_STAB | _PRIVATE_EXTERNAL)
        and each.raw_type & _EXTERNAL
    ]
    defined = {_c_name(each) for each in listed if each.raw_type & _KIND}
    undefined = {_c_name(each) for each in listed if not each.raw_type & _KIND}
    if defined != set(exported):
        yield "the symbol table lists other exports than the loader sees"
    if undefined - wanted or wanted - undefined - defined:
        yield "the symbol table lists other undefined symbols than the loader binds"
