"""Owns the tests of Mach-O facts: what is said of sound files, and that damaged ones are refused, quickly and cheaply."""

from __future__ import annotations

import contextlib
import struct
import time
import tracemalloc
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from build_config import binary
from build_config.binary import macho
from build_config.binary.macho_signature import covers
from build_config.errors import VerifyError
from build_config.model import BinaryFacts, Import
from tests.support.machos import (
    ALLOW_STACK_EXECUTION,
    CPUS,
    LIBC,
    PAGE,
    PYTHON,
    SYSTEM,
    UUID,
    MachO,
    build,
    fat,
    signature,
    universal,
)

SOUND = BinaryFacts(
    format="macho",
    arch="x86_64",
    needed=(SYSTEM,),
    exported=("PyInit__thing",),
    undefined=(
        Import("PyLong_FromLong"),
        Import("PyModule_Create2"),
        Import("__memcpy_chk", SYSTEM),
        Import("__stack_chk_fail", SYSTEM),
    ),
    versions=("macOS_10.15",),
    runpath=(),
    build_id=UUID.hex(),
    relro=True,
    bind_now=True,
    nx=True,
    textrel=False,
    stack_protector=True,
    fortified=True,
    sections=("__TEXT,__text",),
    signed=True,
    sdk="12.3",
)
OTHER = "/opt/lib/libz.1.dylib"
EXPORTS = "the symbol table lists other exports than the loader sees"
IMPORTS = "the symbol table lists other undefined symbols than the loader binds"
BUDGET_SECONDS = 2.0
BUDGET_BYTES = 512 << 20


@pytest.mark.parametrize("arch", CPUS)
@pytest.mark.parametrize("chained", [False, True])
def test_the_facts_of_a_sound_file(arch: str, *, chained: bool) -> None:
    assert binary.facts(build(MachO(arch=arch, chained=chained))) == replace(SOUND, arch=arch)


@pytest.mark.parametrize(
    ("made", "changed"),
    [
        (MachO(exports=("PyInit__thing", "AES_encrypt")), {"exported": ("AES_encrypt", "PyInit__thing")}),
        (MachO(exports=()), {"exported": ()}),
        (MachO(needed=(OTHER, SYSTEM)), {"needed": (OTHER, SYSTEM)}),
        (MachO(weak=("sdallocx",)), {"undefined": (*SOUND.undefined, Import("sdallocx", SYSTEM, weak=True))}),
        (MachO(rpath="@loader_path/../lib"), {"runpath": ("@loader_path/../lib",)}),
        (MachO(minimum=(14, 4)), {"versions": ("macOS_14.4",)}),
        (MachO(older_command=True), {}),
        (MachO(platform=2), {"versions": ("platform-2_10.15",)}),
        (MachO(minimum=None), {"versions": (), "sdk": ""}),
        (MachO(uuid=b""), {"build_id": ""}),
        (MachO(const_flags=0), {"relro": False}),
        (MachO(lazy=True), {"bind_now": False}),
        (MachO(text_protection=7), {"nx": False}),
        (MachO(flags=ALLOW_STACK_EXECUTION), {"nx": False}),
        (MachO(local_relocations=1), {"textrel": True}),
        (MachO(locals=("helper",)), {"debug": True}),
        (MachO(stabs=3), {"debug": True}),
        (MachO(sections=False), {"sections": ()}),
        (MachO(signed=False), {"signed": False}),
        (MachO(listed_exports=()), {"contradictions": (EXPORTS,)}),
        (MachO(bindings=b"\0"), {"undefined": (), "stack_protector": False, "fortified": False}),
    ],
)
def test_each_fact_is_seen(made: MachO, changed: dict[str, object]) -> None:
    if made.bindings:
        changed = {**changed, "contradictions": (IMPORTS,)}
    assert binary.facts(build(made)) == replace(SOUND, **changed)  # type: ignore[arg-type]


@pytest.mark.parametrize(("ordinal", "library"), [(0x30, "<itself>"), (0x3F, "<main executable>"), (0x3E, "")])
def test_where_a_symbol_is_looked_for_is_told(ordinal: int, library: str) -> None:
    code = bytes([ordinal, 0x40]) + b"_PyLong_FromLong\0" + bytes([0x51, 0x71, 0, 0x90, 0])
    made = MachO(imports=(("PyLong_FromLong", ""),), bindings=code)
    assert binary.facts(build(made)).undefined == (Import("PyLong_FromLong", library),)


def test_no_guard_no_fortified_function() -> None:
    found = binary.facts(build(MachO(imports=PYTHON)))
    assert (found.stack_protector, found.fortified) == (False, False)
    assert not binary.facts(build(MachO(imports=(LIBC[0], *PYTHON)))).fortified


@pytest.mark.parametrize("position", [40, PAGE - 1, PAGE + 100, 2 * PAGE])
def test_a_signature_must_cover_the_bytes_that_are_there(position: int) -> None:
    data = bytearray(build(MachO(uuid=b"")))
    data[position] ^= 1
    with contextlib.suppress(VerifyError):
        assert not binary.facts(bytes(data)).signed


def _directory(data: bytes) -> int:
    return data.index(b"\xfa\xde\x0c\x02")


@pytest.mark.parametrize(
    ("field", "form", "value"),
    [
        (0, "I", 0xFADE0C01),
        (16, "I", 1 << 20),
        (28, "I", 1),
        (32, "I", 100),
        (36, "B", 20),
        (37, "B", 9),
        (39, "B", 60),
    ],
)
def test_a_broken_table_of_hashes_signs_nothing(field: int, form: str, value: int) -> None:
    data = bytearray(build(MachO()))
    struct.pack_into(">" + form, data, _directory(bytes(data)) + field, value)
    assert not binary.facts(bytes(data)).signed


def test_a_signature_must_cover_all_that_is_before_it() -> None:
    body = build(MachO(signed=False))
    whole, part = signature(body), signature(body[:PAGE])
    assert covers(body + whole, len(body), len(whole))
    assert not covers(body + part, len(body), len(part))


def test_every_table_of_hashes_must_agree() -> None:
    whole = build(MachO())
    first = _directory(whole) - 20
    body, table = whole[:first], whole[first + 20 :]
    wrong = table[:-1] + bytes([table[-1] ^ 1])

    def signed(*tables: bytes) -> bool:
        rows, start = b"", 12 + 8 * len(tables)
        for each in tables:
            rows += struct.pack(">II", 0, start)
            start += len(each)
        blob = struct.pack(">III", 0xFADE0CC0, start, len(tables)) + rows + b"".join(tables)
        return covers(body + blob, first, len(blob))

    assert signed(table)
    assert signed(table, table)
    assert not signed(table, wrong)
    assert not signed()


@pytest.mark.parametrize(("sub", "arch"), [(8, "x86_64h"), (0x80000003, "x86_64"), (77, "machine-1000007-77")])
def test_kinds_of_one_processor_are_told_apart(sub: int, arch: str) -> None:
    data = bytearray(build(MachO()))
    struct.pack_into("<I", data, 8, sub)
    assert binary.facts(bytes(data)).arch == arch


def test_a_fat_file_has_facts_for_each_processor() -> None:
    whole = universal()
    assert binary.recognises(whole)
    assert [binary.facts(image) for image in binary.images(whole)] == [
        SOUND,
        replace(SOUND, arch="aarch64", versions=("macOS_11.0",)),
    ]


def test_a_thin_file_is_its_only_image() -> None:
    data = build(MachO())
    assert binary.images(data) == (data,)


def test_classes_of_java_are_no_fat_files() -> None:
    assert not binary.recognises(b"\xca\xfe\xba\xbe\x00\x00\x00\x34" + bytes(100))


def _table(data: bytearray, row: int, field: int, value: int) -> bytes:
    struct.pack_into(">I", data, 8 + 20 * row + 4 * field, value)
    return bytes(data)


@pytest.mark.fault("F40")
@pytest.mark.parametrize(
    ("row", "field", "value", "said"),
    [
        (0, 0, CPUS["aarch64"][0], "not for the processor"),
        (1, 2, PAGE, "over another"),
        (0, 2, 8, "over another"),
        (1, 3, 1 << 31, "outside the file"),
        (1, 3, 10, "not for the processor"),
        (-1, 4, 0, "0 parts"),
        (-1, 4, 44, "over another"),
    ],
)
def test_a_wrong_table_of_contents_is_refused(row: int, field: int, value: int, said: str) -> None:
    with pytest.raises(VerifyError, match=said):
        binary.images(_table(bytearray(universal()), row, field, value))


@pytest.mark.fault("F40")
def test_two_parts_for_one_processor_are_refused() -> None:
    with pytest.raises(VerifyError, match="not for the processor"):
        binary.images(fat(build(MachO()), build(MachO())))


@pytest.mark.fault("F40")
@pytest.mark.parametrize("whole", [build(MachO()), build(MachO(chained=True, signed=False))])
def test_a_file_cut_anywhere_is_refused(whole: bytes) -> None:
    for length in [*range(2000), *range(2000, len(whole), 61), *range(2 * PAGE, len(whole))]:
        with pytest.raises(VerifyError):
            binary.facts(whole[:length])


@pytest.mark.fault("F40")
@settings(max_examples=500, deadline=None)
@given(data=st.data())
def test_damage_never_leads_to_another_exception(data: st.DataObject) -> None:
    whole = bytearray(build(MachO(chained=data.draw(st.booleans()), locals=("helper",), rpath="@loader_path")))
    for _ in range(data.draw(st.integers(1, 6))):
        width = data.draw(st.sampled_from((1, 4, 8)))
        places = st.integers(0, 1200) | st.integers(2 * PAGE, len(whole) - width)
        position = data.draw(places)
        whole[position : position + width] = data.draw(st.binary(min_size=width, max_size=width))
    with contextlib.suppress(VerifyError):
        macho.facts(bytes(whole))


@pytest.mark.fault("F40")
@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_damage_to_the_table_of_contents_never_leads_to_another_exception(data: st.DataObject) -> None:
    whole = bytearray(universal())
    for _ in range(data.draw(st.integers(1, 4))):
        position = data.draw(st.integers(4, 48))
        whole[position] = data.draw(st.integers(0, 255))
    with contextlib.suppress(VerifyError):
        for image in binary.images(bytes(whole)):
            macho.facts(image)


def _command(data: bytes, kind: int) -> int:
    """Where the load command of a kind starts."""
    (count,) = struct.unpack_from("<I", data, 16)
    place = 32
    for _ in range(count):
        found, size = struct.unpack_from("<II", data, place)
        if found == kind:
            return place
        place += size
    raise AssertionError(kind)


@pytest.mark.fault("F40")
@pytest.mark.parametrize(
    ("kind", "field", "value", "said"),
    [
        (0x19, 48, 1 << 31, "segment"),
        (0x2, 8, 1 << 31, "outside of __LINKEDIT"),
        (0x2, 12, 0xFFFFFFFF, "4294967295 symbols"),
        (0x2, 20, 1 << 30, "outside of __LINKEDIT"),
        (0xB, 56, 0, ""),
        (0xB, 60, 1 << 20, "outside of __LINKEDIT"),
        (0x80000022, 20, 1 << 30, "outside of __LINKEDIT"),
        (0x1D, 8, 0, "outside of __LINKEDIT"),
        (0xC, 4, 0, "where the next one starts"),
        (0xC, 4, 1 << 20, "where the next one starts"),
        (0xC, 0, 0x2, ""),
        (0xC, 0, 0x80000022, ""),
    ],
)
def test_what_points_outside_is_refused(kind: int, field: int, value: int, said: str) -> None:
    data = bytearray(build(MachO()))
    struct.pack_into("<I", data, _command(bytes(data), kind) + field, value)
    if said:
        with pytest.raises(VerifyError, match=said):
            binary.facts(bytes(data))
    else:
        with contextlib.suppress(VerifyError):
            binary.facts(bytes(data))


@pytest.mark.fault("F40")
@pytest.mark.parametrize(("field", "value"), [(16, 0), (16, 2000), (16, 9), (16, 12), (20, 8), (20, 1 << 30)])
def test_a_header_that_counts_wrong_is_refused(field: int, value: int) -> None:
    data = bytearray(build(MachO()))
    struct.pack_into("<I", data, field, value)
    with pytest.raises(VerifyError, match="malformed Mach-O"):
        binary.facts(bytes(data))


@pytest.mark.fault("F40")
def test_a_file_for_32_bits_is_refused() -> None:
    with pytest.raises(VerifyError, match=r"since 10\.15"):
        binary.facts(b"\xce\xfa\xed\xfe" + bytes(100))


@pytest.mark.fault("F40")
def test_a_name_that_is_no_text_is_refused() -> None:
    data = build(MachO(rpath="@loader_path/xyz")).replace(b"@loader_path/xyz", b"@loader_path/\xff\xfe\xfd")
    with pytest.raises(VerifyError, match="no text"):
        binary.facts(data)


def _forking_trie(depth: int) -> bytes:
    """Two edges from each node to the next: twice as many names with every level."""
    nodes = b""
    for number in range(depth):
        following = 10 * (number + 1)
        edge = bytes([following & 0x7F | 0x80, following >> 7])
        nodes += bytes([0, 2]) + b"a\0" + edge + b"b\0" + edge
    return nodes + b"\x02\x00\x00\x00"


ENDLESS = bytes([0x3E, 0x40]) + b"_x\0" + bytes([0x51, 0x71, 0, 0xC0, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F, 0, 0])


@pytest.mark.fault("F40")
@pytest.mark.parametrize(
    "made",
    [
        MachO(trie=_forking_trie(60)),
        MachO(trie=bytes([0, 1]) + b"a\0\0"),
        MachO(bindings=ENDLESS),
        MachO(bindings=b"\x90" * 100_000),
        MachO(locals=tuple(f"s{number}" for number in range(100_000))),
    ],
)
def test_counts_of_any_size_cost_little(made: MachO) -> None:
    data = build(made)
    tracemalloc.start()
    started = time.process_time()
    try:
        with contextlib.suppress(VerifyError):
            binary.facts(data)
        assert time.process_time() - started < BUDGET_SECONDS
        assert tracemalloc.get_traced_memory()[1] < BUDGET_BYTES
    finally:
        tracemalloc.stop()


@pytest.mark.fault("F40")
def test_what_a_trie_hides_contradicts_the_symbol_table() -> None:
    assert binary.facts(build(MachO(trie=b"\0\0"))).contradictions == (EXPORTS,)
