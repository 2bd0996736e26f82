"""Owns the tests of PE facts: what is said of sound files, and that damaged ones are refused."""

from __future__ import annotations

import contextlib
import struct
import sysconfig
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from build_config import binary
from build_config.binary import pe
from build_config.errors import VerifyError
from build_config.model import BinaryFacts, Import
from tests.support.pes import AGE, GUID, PYTHON, RUNTIME, Pe, build

SOUND = BinaryFacts(
    format="pe",
    arch="x86_64",
    needed=("python3.dll", "api-ms-win-crt-heap-l1-1-0.dll"),
    exported=("PyInit__thing",),
    undefined=(
        Import("PyLong_FromLong", "python3.dll"),
        Import("PyModule_Create2", "python3.dll"),
        Import("free", "api-ms-win-crt-heap-l1-1-0.dll"),
        Import("malloc", "api-ms-win-crt-heap-l1-1-0.dll"),
    ),
    versions=("Windows 6.0",),
    runpath=(),
    build_id=f"{GUID.hex}{AGE:x}",
    relro=True,
    bind_now=True,
    nx=True,
    textrel=False,
    stack_protector=False,
    fortified=False,
    sections=(".text", ".rdata", ".reloc"),
    flags=("DYNAMIC_BASE", "HIGH_ENTROPY_VA", "NX_COMPAT"),
    debug_file="_thing.pdb",
)
WIDE = Pe(imports=(PYTHON, ("WS2_32.dll", ("#7", "send")), RUNTIME), delayed=(("foo.dll", ("bar",)),), cookie=True)
BUDGET_SECONDS = 2.0


@pytest.mark.parametrize("arch", ["i686", "x86_64", "aarch64"])
def test_the_facts_of_a_sound_file(arch: str) -> None:
    assert binary.facts(build(Pe(arch=arch))) == replace(SOUND, arch=arch)


@pytest.mark.parametrize(
    ("made", "changed"),
    [
        (Pe(exports=()), {"exported": ()}),
        (Pe(exports=("a", "PyInit_b")), {"exported": ("PyInit_b", "a")}),
        (Pe(imports=()), {"needed": (), "undefined": ()}),
        (
            Pe(imports=(("WS2_32.dll", ("#7",)),)),
            {"needed": ("ws2_32.dll",), "undefined": (Import("#7", "ws2_32.dll"),)},
        ),
        (
            Pe(imports=(), delayed=(("Foo.dll", ("bar",)),)),
            {"needed": ("foo.dll",), "undefined": (Import("bar", "foo.dll"),), "bind_now": False},
        ),
        (Pe(system=(10, 0)), {"versions": ("Windows 10.0",)}),
        (Pe(flags=0x40), {"flags": ("DYNAMIC_BASE",), "nx": False}),
        (Pe(flags=0x4160), {"flags": ("DYNAMIC_BASE", "GUARD_CF", "HIGH_ENTROPY_VA", "NX_COMPAT")}),
        (Pe(code_flags=0xE0000020), {"nx": False}),
        (Pe(data_flags=0xC0000040), {"relro": False}),
        (Pe(relocated=(0x1000,)), {"textrel": True}),
        (Pe(relocated=()), {"sections": (".text", ".rdata")}),
        (Pe(cookie=True), {"stack_protector": True}),
        (Pe(pdb=""), {"build_id": "", "debug_file": ""}),
        (Pe(pdb="C:\\build\\_thing.pdb"), {"debug_file": "C:\\build\\_thing.pdb"}),
        (Pe(extra=".debug_i"), {"debug": True, "sections": (".text", ".rdata", ".reloc", ".debug_i")}),
        (Pe(symbols=3), {"debug": True}),
    ],
    ids=str,
)
def test_each_fact_is_seen(made: Pe, changed: dict[str, object]) -> None:
    assert binary.facts(build(made)) == replace(SOUND, **changed)  # type: ignore[arg-type]


def test_a_processor_without_a_name_is_told_by_its_number() -> None:
    data = bytearray(build(Pe()))
    data[68:70] = struct.pack("<H", 0x5064)
    assert binary.facts(bytes(data)).arch == "machine-0x5064"


def test_bytes_that_belong_to_nothing_are_told() -> None:
    (said,) = binary.facts(build(Pe()) + b"hidden").contradictions
    assert said == "6 bytes after the last section belong to nothing"


def test_a_library_that_lief_leaves_out_is_missed() -> None:
    """Its name is too short for LIEF; the loader looks for it."""
    with pytest.raises(VerifyError, match="IMPORT_TABLE names 2 libraries, of which 1 can be read"):
        binary.facts(build(Pe(imports=(PYTHON, ("abc", ("free",))))))


@pytest.mark.fault("F40")
@pytest.mark.parametrize("arch", ["i686", "x86_64"])
def test_a_file_cut_anywhere_is_refused(arch: str) -> None:
    data = build(replace(WIDE, arch=arch))
    for end in range(64, len(data), 7):
        with pytest.raises(VerifyError):
            binary.facts(data[:end])


@pytest.mark.fault("F40")
@settings(max_examples=300, deadline=None)
@given(st.data())
def test_damage_never_leads_to_another_exception(data: st.DataObject) -> None:
    changed = bytearray(build(WIDE))
    for _ in range(data.draw(st.integers(1, 4))):
        changed[data.draw(st.integers(64, len(changed) - 1))] = data.draw(st.sampled_from((0, 1, 0x7F, 0x80, 0xFF)))
    if pe.recognises(bytes(changed)):
        with contextlib.suppress(VerifyError):
            pe.facts(bytes(changed))


@pytest.mark.fault("F40")
@settings(max_examples=300, deadline=None)
@given(st.integers(64, len(build(WIDE)) - 1), st.integers(0, 255))
def test_no_import_that_pefile_reads_is_missed(place: int, value: int) -> None:
    changed = bytearray(build(WIDE))
    changed[place] = value
    with contextlib.suppress(VerifyError):
        read = binary.facts(bytes(changed))
        assert _pefile_imports(bytes(changed)) <= {(each.library, each.name) for each in read.undefined}


@pytest.mark.fault("F40")
def test_very_many_imports_cost_little() -> None:
    names = tuple(f"f{number}" for number in range(30_000))
    started = time.process_time()
    with pytest.raises(VerifyError):
        binary.facts(build(Pe(imports=tuple((f"library{number}.dll", names[:1]) for number in range(30_000)))))
    assert time.process_time() - started < BUDGET_SECONDS


def _pefile_imports(data: bytes) -> set[tuple[str, str]]:
    """Pairs of library and name, or number; what pefile calls invalid, or cannot read, is left out."""
    pefile = pytest.importorskip("pefile")
    try:
        image = pefile.PE(data=data, fast_load=True)
        image.parse_data_directories([1, 13])
    except pefile.PEFormatError:
        return set()
    return {
        (library.dll.decode().lower(), f"#{each.ordinal}" if each.import_by_ordinal else each.name.decode())
        for table in ("DIRECTORY_ENTRY_IMPORT", "DIRECTORY_ENTRY_DELAY_IMPORT")
        for library in getattr(image, table, [])
        for each in library.imports
        if library.dll != b"*invalid*"
    }


def _installed() -> list[Path]:
    """Launchers that installers of Python packages carry, for several processors."""
    folders = {sysconfig.get_path("platlib"), sysconfig.get_path("stdlib")}
    return sorted(path for folder in folders for path in Path(folder).rglob("*.exe"))


def test_real_files_are_read_as_pefile_reads_them() -> None:
    if not _installed():
        pytest.skip("this Python has no packages with launchers for Windows")
    arches = set()
    for path in _installed():
        data = path.read_bytes()
        found = binary.facts(data)
        arches.add(found.arch)
        assert {(each.library, each.name) for each in found.undefined} == _pefile_imports(data), path
    assert "x86_64" in arches
