"""Owns the tests of taking debug information out of an ELF file."""

from __future__ import annotations

import struct
from dataclasses import replace

import pytest

from build_config import binary
from build_config.binary.elf_image import SHT_NOBITS, parse
from build_config.binary.elf_split import split
from build_config.errors import BuildError, VerifyError
from tests.support.elves import BUILD_ID, MACHINES, Elf, build

DWARF = b"line 1 of thing.c" * 100


@pytest.mark.parametrize("arch", MACHINES)
def test_what_the_loader_reads_stays_the_same(arch: str) -> None:
    whole = build(Elf(arch=arch, debug=DWARF))
    parts = split(whole)
    before, after = binary.facts(whole), binary.facts(parts.stripped)
    assert after == replace(before, debug=False, sections=tuple(s for s in before.sections if s != ".debug_info"))
    assert before.debug
    assert DWARF not in parts.stripped
    for segment in parse(whole).segments[1:]:
        kept = slice(segment.offset, segment.offset + segment.filesz)
        assert parts.stripped[kept] == whole[kept]


@pytest.mark.parametrize("arch", MACHINES)
def test_the_debug_file_has_the_rest_at_the_same_addresses(arch: str) -> None:
    whole = build(Elf(arch=arch, debug=DWARF))
    parts = split(whole)
    assert parts.build_id == BUILD_ID.hex()
    assert parts.debug_path == f".build-id/00/{BUILD_ID.hex()[2:]}.debug"
    original, debug = parse(whole), parse(parts.debug)
    sections = {section.name: section for section in debug.sections}
    info = sections[".debug_info"]
    assert parts.debug[info.offset : info.offset + info.size] == DWARF
    note = sections[".note.gnu.build-id"]
    assert BUILD_ID in parts.debug[note.offset : note.offset + note.size]
    for section in original.sections:
        if section.allocated:
            assert (sections[section.name].addr, sections[section.name].size) == (section.addr, section.size)
    assert sections[".rodata"].type == SHT_NOBITS
    assert b"constant" not in parts.debug
    assert [segment.vaddr for segment in debug.segments] == [segment.vaddr for segment in original.segments]


def test_same_file_same_parts() -> None:
    assert split(build(Elf(debug=DWARF))) == split(build(Elf(debug=DWARF)))


def test_a_stripped_file_comes_out_as_it_went_in() -> None:
    once = split(build(Elf(debug=DWARF))).stripped
    assert split(once).stripped == once


@pytest.mark.parametrize(
    ("elf", "said"), [(Elf(build_id=b""), "no build-id"), (Elf(sections=False), "no section headers")]
)
def test_what_cannot_be_found_again_is_refused(elf: Elf, said: str) -> None:
    with pytest.raises(BuildError, match=said):
        split(build(elf))


def test_a_debug_section_among_the_loaded_ones_is_refused() -> None:
    data = bytearray(build(Elf()))
    (start,) = struct.unpack_from("<Q", data, 40)
    rodata = next(n for n, section in enumerate(parse(bytes(data)).sections) if section.name == ".rodata")
    struct.pack_into("<Q", data, start + 64 * rodata + 8, 0)
    with pytest.raises(BuildError, match="among the loaded"):
        split(bytes(data))


@pytest.mark.fault("F40")
def test_a_cut_file_is_refused() -> None:
    with pytest.raises(VerifyError):
        split(build(Elf())[:500])
