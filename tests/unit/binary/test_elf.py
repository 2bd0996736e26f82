"""Owns the tests of ELF facts: what is said of sound files, and that damaged ones are refused, quickly and cheaply."""

from __future__ import annotations

import contextlib
import io
import struct
import sys
import sysconfig
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from build_config import binary
from build_config.binary import elf
from build_config.errors import VerifyError
from build_config.model import BinaryFacts, Import
from tests.support.elves import BUILD_ID, MACHINES, PYTHON, Elf, build

SOUND = BinaryFacts(
    format="elf",
    arch="x86_64",
    needed=("libc.so.6",),
    exported=("PyInit__thing",),
    undefined=(
        Import("PyLong_FromLong"),
        Import("PyModule_Create2"),
        Import("__gmon_start__", weak=True),
        Import("__memcpy_chk", "libc.so.6", "GLIBC_2.3.4"),
        Import("__stack_chk_fail", "libc.so.6", "GLIBC_2.4"),
    ),
    versions=("GLIBC_2.3.4", "GLIBC_2.4"),
    runpath=(),
    build_id=BUILD_ID.hex(),
    relro=True,
    bind_now=True,
    nx=True,
    textrel=False,
    stack_protector=True,
    fortified=True,
    sections=(
        ".note.gnu.build-id",
        ".dynsym",
        ".dynstr",
        ".gnu.hash",
        ".gnu.version",
        ".gnu.version_r",
        ".rodata",
        ".dynamic",
        ".shstrtab",
    ),
)
BUDGET_SECONDS = 2.0
BUDGET_BYTES = 512 << 20


@pytest.mark.parametrize("arch", MACHINES)
def test_the_facts_of_a_sound_file(arch: str) -> None:
    # Where the canary is a variable, the imports of this file lack it.
    assert binary.facts(build(Elf(arch=arch))) == replace(SOUND, arch=arch, stack_protector=arch != "aarch64")


@pytest.mark.parametrize(
    ("made", "changed"),
    [
        (Elf(exports=("PyInit__thing", "AES_encrypt")), {"exported": ("AES_encrypt", "PyInit__thing")}),
        (Elf(exports=()), {"exported": ()}),
        (Elf(needed=("libz.so.1", "libc.so.6")), {"needed": ("libz.so.1", "libc.so.6")}),
        (Elf(runpath="$ORIGIN/x"), {"runpath": ("$ORIGIN/x",)}),
        (Elf(rpath="/opt/lib"), {"runpath": ("/opt/lib",)}),
        (Elf(relro=False), {"relro": False}),
        (Elf(bind_now=False), {"bind_now": False}),
        (Elf(stack_flags=7), {"nx": False}),
        (Elf(stack_flags=None), {"nx": False}),
        (Elf(load_flags=7), {"nx": False}),
        (Elf(textrel=True), {"textrel": True}),
        (Elf(debug=b"dwarf"), {"debug": True, "sections": (*SOUND.sections[:-1], ".debug_info", ".shstrtab")}),
    ],
)
def test_each_fact_is_seen(made: Elf, changed: dict[str, object]) -> None:
    assert binary.facts(build(made)) == replace(SOUND, **changed)  # type: ignore[arg-type]


def test_no_build_id_no_versions() -> None:
    found = binary.facts(build(Elf(build_id=b"", imports=PYTHON)))
    assert (found.build_id, found.versions, found.stack_protector, found.fortified) == ("", (), False, False)


def test_a_stack_protector_that_is_linked_in_is_seen_by_its_code() -> None:
    loads_canary = bytes.fromhex("64488b0c2528000000")  # mov %fs:0x28,%rcx
    made = Elf(imports=PYTHON, rodata=b"\x90" + loads_canary)
    assert binary.facts(build(made)).stack_protector
    assert not binary.facts(build(replace(made, load_flags=4))).stack_protector
    assert not binary.facts(build(replace(made, arch="aarch64"))).stack_protector


def test_a_canary_that_is_a_variable_is_the_c_librarys() -> None:
    fail, guard = (("__stack_chk_fail", "libc.so.6", "GLIBC_2.17"), ("__stack_chk_guard", "ld.so", "GLIBC_2.17"))
    made = Elf(arch="aarch64", imports=(fail, guard, *PYTHON))
    assert binary.facts(build(made)).stack_protector
    assert not binary.facts(build(replace(made, imports=(fail, *PYTHON)))).stack_protector
    assert binary.facts(build(replace(made, arch="x86_64", imports=(fail, *PYTHON)))).stack_protector


def test_the_older_hash_table_counts_symbols_too() -> None:
    found = binary.facts(build(Elf(gnu_hash=False)))
    assert (found.exported, found.undefined) == (SOUND.exported, SOUND.undefined)


@pytest.mark.fault("F39")
def test_without_sections_the_dynamic_segment_says_the_same() -> None:
    assert binary.facts(build(Elf(sections=False, debug=b"x"))) == replace(SOUND, sections=())


def _section(data: bytes | bytearray, name: str) -> int:
    """Where the header of a section starts, in a 64-bit file."""
    (start,) = struct.unpack_from("<Q", data, 40)
    return int(start + 64 * (1 + SOUND.sections.index(name)))


@pytest.mark.fault("F39")
@pytest.mark.parametrize(
    ("section", "field", "said"),
    [
        (".dynsym", 16, "symbol table"),
        (".dynsym", 40, "string table"),
        (".dynamic", 16, "dynamic segment"),
        (".rodata", 24, "segments map it"),
    ],
)
def test_sections_that_contradict_segments_are_told(section: str, field: int, said: str) -> None:
    data = bytearray(build(Elf()))
    data[_section(data, section) + field] ^= 4
    found = binary.facts(bytes(data))
    assert any(said in each for each in found.contradictions)
    assert replace(found, contradictions=()) == SOUND


@pytest.mark.fault("F40")
@pytest.mark.parametrize("arch", ["x86_64", "i686"])
def test_a_file_cut_anywhere_is_refused(arch: str) -> None:
    whole = build(Elf(arch=arch))
    for length in range(len(whole)):
        with pytest.raises(VerifyError):
            binary.facts(whole[:length])


@pytest.mark.fault("F40")
@settings(max_examples=500, deadline=None)
@given(data=st.data())
def test_damage_never_leads_to_another_exception(data: st.DataObject) -> None:
    whole = bytearray(build(Elf(arch=data.draw(st.sampled_from(sorted(MACHINES))), gnu_hash=data.draw(st.booleans()))))
    for _ in range(data.draw(st.integers(1, 6))):
        width = data.draw(st.sampled_from((1, 4, 8)))
        position = data.draw(st.integers(0, len(whole) - width))
        whole[position : position + width] = data.draw(st.binary(min_size=width, max_size=width))
    with contextlib.suppress(VerifyError):
        elf.facts(bytes(whole))


def _set(data: bytearray, position: int, form: str, value: int) -> None:
    struct.pack_into("<" + form, data, position, value)


def _dynamic_value(data: bytearray, tag: int) -> int:
    """Where the value of an entry of the dynamic segment is."""
    row = _section(data, ".dynamic")
    start, size = struct.unpack_from("<QQ", data, row + 24)
    places = range(start, start + size, 16)
    return next(place + 8 for place in places if struct.unpack_from("<q", data, place)[0] == tag)


def _many_segments(data: bytearray) -> None:
    _set(data, 56, "H", 0xFFFE)


def _many_sections(data: bytearray) -> None:
    _set(data, 60, "H", 0xFFFF)


def _long_chain(data: bytearray) -> None:
    (start,) = struct.unpack_from("<Q", data, _dynamic_value(data, 4))
    _set(data, start + 4, "I", 0xFFFFFFFF)


def _many_buckets(data: bytearray) -> None:
    (start,) = struct.unpack_from("<Q", data, _dynamic_value(data, 0x6FFFFEF5))
    _set(data, start, "I", 0xFFFFFFFF)


def _many_versions(data: bytearray) -> None:
    _set(data, _dynamic_value(data, 0x6FFFFFFF), "Q", 0xFFFFFFFFFFFF)


def _endless_versions(data: bytearray) -> None:
    """Each record says 65,535 entries, and that the next record is itself a little further on."""
    (start,) = struct.unpack_from("<Q", data, _dynamic_value(data, 0x6FFFFFFE))
    _many_versions(data)
    _set(data, start + 2, "H", 0xFFFF)
    _set(data, start + 12, "I", 0)


def _long_strings(data: bytearray) -> None:
    _set(data, _dynamic_value(data, 10), "Q", 1 << 62)


def _far_table(data: bytearray) -> None:
    _set(data, _dynamic_value(data, 6), "Q", 1 << 63)


def _endless_dynamic(data: bytearray) -> None:
    row = _section(data, ".dynamic")
    start, size = struct.unpack_from("<QQ", data, row + 24)
    data[start + size - 16] = 1


@pytest.mark.fault("F40")
@pytest.mark.parametrize(
    ("made", "change", "refused"),
    [
        (Elf(), _many_segments, True),
        (Elf(), _many_sections, True),
        (Elf(gnu_hash=False), _long_chain, True),
        (Elf(), _many_buckets, True),
        (Elf(), _many_versions, False),
        (Elf(), _endless_versions, False),
        (Elf(), _long_strings, True),
        (Elf(), _far_table, True),
        (Elf(), _endless_dynamic, True),
    ],
)
def test_counts_of_any_size_cost_little(made: Elf, change: Callable[[bytearray], None], *, refused: bool) -> None:
    data = bytearray(build(made))
    change(data)
    seconds, peak = _cost(bytes(data), refused=refused)
    assert seconds < BUDGET_SECONDS
    assert peak < BUDGET_BYTES


@pytest.mark.fault("F40")
def test_many_long_names_cost_little() -> None:
    names = tuple(f"{'n' * 4000}{number}" for number in range(30_000))
    data = build(Elf(exports=names))
    assert len(data) > 100 << 20
    seconds, peak = _cost(data, refused=True)
    assert seconds < BUDGET_SECONDS
    assert peak < BUDGET_BYTES


@pytest.mark.fault("F40")
def test_more_symbols_than_any_library_has_are_refused() -> None:
    seconds, _ = _cost(build(Elf(exports=tuple(f"s{number}" for number in range(250_000)))), refused=True)
    assert seconds < BUDGET_SECONDS


def _cost(data: bytes, *, refused: bool) -> tuple[float, int]:
    tracemalloc.start()
    started = time.process_time()
    try:
        if refused:
            with pytest.raises(VerifyError):
                binary.facts(data)
        else:
            binary.facts(data)
        return time.process_time() - started, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("data", [b"", b"\x7fEL", b"MZ" + bytes(100), b"#!/bin/sh\n"])
def test_what_is_no_known_format_is_refused(data: bytes) -> None:
    assert not binary.recognises(data)
    with pytest.raises(VerifyError, match="known format"):
        binary.facts(data)


def _installed() -> list[Path]:
    folders = {sysconfig.get_path("platlib"), sysconfig.get_path("stdlib")}
    return sorted(path for folder in folders for path in Path(folder).rglob("*.so*") if path.is_file())


@pytest.mark.skipif(sys.platform != "linux", reason="compares with the ELF files of the running Python")
def test_real_files_are_read_as_pyelftools_reads_them() -> None:
    elffile = pytest.importorskip("elftools.elf.elffile")
    compared = 0
    for path in _installed():
        data = path.read_bytes()
        if not elf.recognises(data) or len(data) > 2 << 20:
            continue
        other = elffile.ELFFile(io.BytesIO(data))
        table = other.get_section_by_name(".dynsym")
        if table is None:
            continue
        symbols = [symbol for symbol in table.iter_symbols() if symbol.name]
        wanted = {symbol.name for symbol in symbols if symbol["st_shndx"] == "SHN_UNDEF"}
        given_out = {
            symbol.name
            for symbol in symbols
            if symbol["st_shndx"] != "SHN_UNDEF"
            and symbol["st_info"]["bind"] != "STB_LOCAL"
            and symbol["st_other"]["visibility"] not in {"STV_HIDDEN", "STV_INTERNAL"}
        }
        tags = list(other.get_section_by_name(".dynamic").iter_tags())
        found = binary.facts(data)
        assert {symbol.name for symbol in found.undefined} == wanted, path
        assert set(found.exported) == given_out, path
        assert found.needed == tuple(tag.needed for tag in tags if tag.entry.d_tag == "DT_NEEDED"), path
        assert found.contradictions == (), path
        compared += 1
    assert compared > 20
