"""Owns what a PE file says of itself, as LIEF reads it, with the checks that make the reading sure."""

from __future__ import annotations

import io
import uuid
from collections.abc import Iterator, Sequence

import lief
from lief import PE

from ..errors import VerifyError
from ..model import BinaryFacts, Import

_MAGIC = b"MZ"
_SIGNATURE = b"PE\0\0"
_SIGNATURE_AT = 0x3C
"""Where the DOS header tells the offset of the signature."""

_MACHINE_AT, _MAGIC_AT = 4, 24
"""Seen from the signature."""
_MAGICS = (0x10B, 0x20B)

_ARCHES = {0x14C: "i686", 0x1C4: "armv7l", 0x8664: "x86_64", 0xAA64: "aarch64"}
_Directory = PE.DataDirectory.TYPES
_DIRECTORIES = (
    _Directory.EXPORT_TABLE,
    _Directory.IMPORT_TABLE,
    _Directory.DELAY_IMPORT_DESCRIPTOR,
    _Directory.BASE_RELOCATION_TABLE,
    _Directory.DEBUG_DIR,
    _Directory.LOAD_CONFIG_TABLE,
    _Directory.IAT,
)
_Entry = PE.ImportEntry | PE.DelayImportEntry
_WRITE, _EXECUTE = PE.Section.CHARACTERISTICS.MEM_WRITE, PE.Section.CHARACTERISTICS.MEM_EXECUTE
_IMPORT_BYTES, _DELAYED_BYTES = 20, 32
_MAX_ROWS = 20_000
_WORD_BYTES = {PE.PE_TYPE.PE32: 4, PE.PE_TYPE.PE32_PLUS: 8}
_PLACE_BITS = 12
"""Of a relocation; the bits above are its kind, 0 for padding."""
_FLAGS = PE.OptionalHeader.DLL_CHARACTERISTICS


def recognises(data: bytes) -> bool:
    """True for what claims to be PE; a DOS program alone does not."""
    start = _number(data, _SIGNATURE_AT, 4)
    return data.startswith(_MAGIC) and data[start : start + 4] == _SIGNATURE


def facts(data: bytes) -> BinaryFacts:
    """The facts of a DLL. Names of libraries are in lower case, as the loader ignores case.

    Of the fields that ELF gave their names: `relro` means that the table of imported addresses is read-only, `bind_now`
    that no library is loaded at a first call, `stack_protector` that the loader gets to set the canary.

    Raises:
        VerifyError: the file is cut short, or contradicts itself.
    """
    image = _parse(data)
    machine = _number(data, _number(data, _SIGNATURE_AT, 4) + _MACHINE_AT, 2)
    flags = frozenset(image.optional_header.dll_characteristics_lists)
    imported, delayed = tuple(_imports(image)), tuple(_delayed(image))
    export = image.get_export()
    pdb = image.codeview_pdb
    return BinaryFacts(
        format="pe",
        arch=_ARCHES.get(machine, f"machine-{machine:#x}"),
        needed=tuple(dict.fromkeys(_text(each.name).lower() for each in (*image.imports, *image.delay_imports))),
        exported=tuple(sorted(_exports(export))) if export is not None else (),
        undefined=tuple(sorted({*imported, *delayed})),
        versions=(_windows(image.optional_header),),
        runpath=(),
        # As symbol servers file it: the identifier's digits, then how often the PDB was written.
        build_id=f"{uuid.UUID(pdb.guid).hex}{pdb.age:x}" if pdb is not None else "",
        relro=_imports_are_constant(image),
        bind_now=not delayed,
        nx=_FLAGS.NX_COMPAT in flags
        and not any(_has(each, _WRITE) and _has(each, _EXECUTE) for each in image.sections),
        textrel=_relocates_code(image),
        stack_protector=_has_cookie(image),
        fortified=False,
        sections=tuple(_text(section.name) for section in image.sections),
        debug=image.header.numberof_symbols > 0
        or any(_text(each.name).startswith(".debug") for each in image.sections),
        contradictions=tuple(_contradictions(image)),
        flags=tuple(sorted(str(flag.name) for flag in flags)),
        debug_file=_text(pdb.filename) if pdb is not None else "",
    )


def _parse(data: bytes) -> PE.Binary:
    # Read here, for LIEF warns of numbers that it has no name for.
    if _number(data, _number(data, _SIGNATURE_AT, 4) + _MAGIC_AT, 2) not in _MAGICS:
        raise _malformed("it is neither for 32 nor for 64 bits")
    options = PE.ParserConfig()
    options.parse_signature = options.parse_rsrc = options.parse_exceptions = options.parse_arm64x_binary = False
    # It tells of faults on standard error, and passes over many of them.
    with lief.logging.level_scope(lief.logging.LEVEL.OFF):
        image = PE.parse(io.BytesIO(data), options)
    if image is None or not image.optional_header.section_alignment:
        raise _malformed("its headers cannot be read")
    if len(image.sections) != max(1, image.header.numberof_sections):
        raise _malformed(f"of {image.header.numberof_sections} sections {len(image.sections)} can be read")
    for section in image.sections:
        if section.pointerto_raw_data + section.sizeof_raw_data > len(data):
            raise _malformed(f"section {_text(section.name)} reaches beyond the end")
    present = {kind for kind in _DIRECTORIES if _has_directory(image, kind)}
    read = {
        _Directory.EXPORT_TABLE: image.has_exports,
        _Directory.IMPORT_TABLE: image.has_imports,
        _Directory.DELAY_IMPORT_DESCRIPTOR: image.has_delay_imports,
        _Directory.BASE_RELOCATION_TABLE: image.has_relocations,
        _Directory.DEBUG_DIR: image.has_debug,
        _Directory.LOAD_CONFIG_TABLE: image.has_configuration,
    }
    for kind, found in read.items():
        if kind in present and not found:
            raise _malformed(f"{kind.name} cannot be read")
    return image


def _number(data: bytes, start: int, size: int) -> int:
    return int.from_bytes(data[start : start + size], "little")


def _has_directory(image: PE.Binary, kind: _Directory) -> bool:
    directory = image.data_directory(kind)
    if directory is None or not directory.rva:
        return False
    section = image.section_from_rva(directory.rva)
    if section is None or directory.rva + directory.size > section.virtual_address + section.virtual_size:
        raise _malformed(f"{kind.name} is in no section")
    return True


def _imports(image: PE.Binary) -> Iterator[Import]:
    _check_count(image, _Directory.IMPORT_TABLE, _IMPORT_BYTES, len(image.imports))
    for library in image.imports:
        names = library.import_lookup_table_rva or library.import_address_table_rva
        yield from _from(image, library.name, tuple(library.entries), names)


def _delayed(image: PE.Binary) -> Iterator[Import]:
    _check_count(image, _Directory.DELAY_IMPORT_DESCRIPTOR, _DELAYED_BYTES, len(image.delay_imports))
    for library in image.delay_imports:
        yield from _from(image, library.name, tuple(library.entries), library.names_table)


def _from(image: PE.Binary, library: str | bytes, entries: Sequence[_Entry], names: int) -> Iterator[Import]:
    name = _text(library).lower()
    if not name or not entries or len(entries) != _rows(image, names, _WORD_BYTES[image.optional_header.magic]):
        raise _malformed(f"what it imports from {name or 'a library without a name'} cannot be read")
    for entry in entries:
        yield Import(f"#{entry.ordinal}" if entry.is_ordinal else _named(entry), library=name)


def _check_count(image: PE.Binary, kind: _Directory, size: int, read: int) -> None:
    """LIEF leaves out libraries whose names it finds odd; the loader does not."""
    directory = image.data_directory(kind)
    there = _rows(image, directory.rva, size) if directory is not None and directory.rva else 0
    if there != read:
        raise _malformed(f"{kind.name} names {there} libraries, of which {read} can be read")


def _rows(image: PE.Binary, address: int, size: int) -> int:
    """How many rows of a table come before the one that is all zero."""
    section = image.section_from_rva(address)
    if section is None:
        raise _malformed("a table of imports is in no section")
    table = section.content[address - section.virtual_address :][: _MAX_ROWS * size]
    rows = (table[start : start + size] for start in range(0, len(table) - size + 1, size))
    for number, row in enumerate(rows):
        if not any(row):
            return number
    raise _malformed("a table of imports has no end")


def _exports(export: PE.Export) -> Iterator[str]:
    """By name, or by number where there is no name."""
    for entry in export.entries:
        yield _text(entry.name) or f"#{entry.ordinal}"


def _named(entry: _Entry) -> str:
    name = _text(entry.name)
    if not name:
        raise _malformed("a symbol without a name is imported")
    return name


def _windows(header: PE.OptionalHeader) -> str:
    """The oldest Windows that loads it, in the form of a symbol version."""
    return f"Windows {header.major_subsystem_version}.{header.minor_subsystem_version}"


def _imports_are_constant(image: PE.Binary) -> bool:
    places = (image.section_from_rva(entry.iat_address) for library in image.imports for entry in library.entries)
    return all(section is not None and not _has(section, _WRITE) for section in places)


def _relocates_code(image: PE.Binary) -> bool:
    code = [each for each in image.sections if _has(each, _EXECUTE)]
    return any(
        section.virtual_address <= entry.address < section.virtual_address + section.virtual_size
        for block in image.relocations
        for entry in block.entries
        if entry.data >> _PLACE_BITS
        for section in code
    )


def _has_cookie(image: PE.Binary) -> bool:
    configuration = image.load_configuration
    return configuration is not None and bool(configuration.security_cookie)


def _contradictions(image: PE.Binary) -> Iterator[str]:
    if image.optional_header.sizeof_image % image.optional_header.section_alignment:
        yield "its size in memory is no multiple of its alignment"
    if len(image.overlay) and not image.has_signatures:
        yield f"{len(image.overlay)} bytes after the last section belong to nothing"


def _has(section: PE.Section, characteristic: PE.Section.CHARACTERISTICS) -> bool:
    return section.has_characteristic(characteristic)


def _text(name: str | bytes) -> str:
    if isinstance(name, bytes):
        raise _malformed(f"{name[:40]!r} is no name")
    return name


def _malformed(what: str) -> VerifyError:
    return VerifyError(f"malformed PE: {what}", hint="build it again; if it came from elsewhere, do not use it")
