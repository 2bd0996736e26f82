"""Owns what the code of static libraries makes use of: which families of instructions stand in which functions."""

from __future__ import annotations

import io
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import capstone
from elftools.elf.elffile import ELFFile

_MAGIC = b"!<arch>\n"
_HEADER = 60

_ENGINES = {
    "EM_X86_64": (capstone.CS_ARCH_X86, capstone.CS_MODE_64),
    "EM_AARCH64": (capstone.CS_ARCH_ARM64, capstone.CS_MODE_ARM),
}

FAMILIES = {
    "EM_X86_64": {
        "aes": r"v?aes\w+ xmm",
        "aes, wide": r"vaes\w+ [yz]mm",
        "avx2": r"v\w+ .*ymm",
        "avx512": r"v\w+ .*(zmm|\{k\d\})",
        "crc32": r"crc32 ",
        "carry chains": r"(adcx|adox|mulx) ",
        "carryless multiplication": r"v?pclmul\w+ xmm",
        "carryless multiplication, wide": r"vpclmul\w+ [yz]mm",
        "random numbers": r"(rdrand|rdseed) ",
        "sha": r"sha(1|256)\w+ ",
    },
    "EM_AARCH64": {
        "aes": r"aes\w+ v",
        "carryless multiplication": r"pmull2? v\d+\.1q",
        "crc32": r"crc32\w+ ",
        "neon": r"(add|mul|eor|uml\w+|ld1|ext|tbl) .*v\d+\.(16b|8h|4s|2d)",
        "sha": r"sha(1|256)\w+ ",
        "sha3": r"(eor3|bcax|rax1|xar) ",
        "sha512": r"sha512\w+ ",
    },
}
"""By machine, the text that an instruction of a family begins with, as capstone writes it."""


def families(archive: Path) -> dict[str, frozenset[str]]:
    """The functions of a static library in which each family is found; those without a name of their own are left out."""
    found: dict[str, set[str]] = defaultdict(set)
    for data in members(archive.read_bytes()):
        for function, family in _object(ELFFile(io.BytesIO(data))):
            found[family].add(function)
    return {family: frozenset(names) for family, names in sorted(found.items())}


def members(data: bytes) -> Iterator[bytes]:
    """The object files of an `ar` archive."""
    assert data.startswith(_MAGIC), "not an archive"
    position = len(_MAGIC)
    while position < len(data):
        size = int(data[position + 48 : position + 58])
        body = data[position + _HEADER : position + _HEADER + size]
        if body.startswith(b"\x7fELF"):
            yield body
        position += _HEADER + size + size % 2


def _object(elf: Any) -> Iterator[tuple[str, str]]:
    machine = elf.header["e_machine"]
    engine = capstone.Cs(*_ENGINES[machine])  # type: ignore[no-untyped-call]
    engine.skipdata = True
    patterns = {name: re.compile(pattern) for name, pattern in FAMILIES[machine].items()}
    for number, starts in _functions(elf).items():
        code = elf.get_section(number).data()
        # Each up to the next one: assembly often states no size.
        ends = [*sorted(starts), len(code)][1:]
        for start, end in zip(sorted(starts), ends, strict=True):
            used = _used(engine, code[start:end], patterns)
            yield from ((name, family) for name in starts[start] for family in used)


def _functions(elf: Any) -> dict[int, dict[int, list[str]]]:
    """By section, the names of functions by where they begin."""
    found: dict[int, dict[int, list[str]]] = defaultdict(lambda: defaultdict(list))
    table = elf.get_section_by_name(".symtab")
    for symbol in table.iter_symbols() if table else ():
        if symbol["st_info"]["type"] == "STT_FUNC" and isinstance(symbol["st_shndx"], int) and symbol.name:
            found[symbol["st_shndx"]][symbol["st_value"]].append(symbol.name)
    return found


def _used(engine: Any, code: bytes, patterns: Mapping[str, re.Pattern[str]]) -> set[str]:
    texts = {f"{name} {operands}" for _, _, name, operands in engine.disasm_lite(code, 0)}
    return {family for family, pattern in patterns.items() if any(pattern.match(text) for text in texts)}
