"""Owns the tests of the verifier on Windows wheels: every rule that is about PE files is broken once."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from build_config.model import Target
from build_config.verify import check, check_own
from tests.support.pes import PYTHON, RUNTIME, Pe, build
from tests.support.windows_wheels import EXTENSION, NAME, POLICY, TARGET, sound

ABI3T = NAME.replace("cp38-abi3", "cp313-cp313t")


def own(path: Path, target: Target = TARGET) -> list[tuple[str, str]]:
    return [(found.rule, found.message) for found in check_own(path, target, POLICY, forbidden=["/srv/build/42"])]


def pe(**changes: object) -> Callable[[Path], Path]:
    return lambda folder: sound(folder, replace(Pe(), **changes))  # type: ignore[arg-type]


def imports(library: str, *names: str) -> Callable[[Path], Path]:
    return pe(imports=(PYTHON, RUNTIME, (library, names)))


PLANTED: tuple[tuple[str, Callable[[Path], Path], str], ...] = (
    # rule, the wheel, a word of the message
    ("tag-target", lambda folder: sound(folder, name=NAME.replace("win_amd64", "windows_x86_64")), "windows_x86_64"),
    ("tag-suffix", lambda folder: sound(folder, changes={"thing/_o.cp38-win_amd64.pyd": build(Pe())}), "abi3"),
    ("binary-malformed", lambda folder: sound(folder, changes={EXTENSION: build(Pe())[:900]}), "malformed PE"),
    ("binary-malformed", lambda folder: sound(folder, changes={"thing/_text.pyd": b"text"}), "is none"),
    ("binary-sections", lambda folder: sound(folder, changes={EXTENSION: build(Pe()) + b"hidden"}), "6 bytes"),
    ("binary-arch", pe(arch="aarch64"), "aarch64"),
    ("binary-arch", pe(arch="i686"), "i686"),
    ("binary-exports", pe(exports=("PyInit__thing", "jent_entropy_init")), "jent_entropy_init"),
    ("binary-exports", pe(exports=("PyInit__other",)), "does not export PyInit__thing"),
    ("binary-needed", imports("VCRUNTIME140.dll", "memcpy"), "vcruntime140.dll"),
    ("binary-needed", imports("libcrypto-3-x64.dll", "EVP_sha256"), "libcrypto-3-x64.dll"),
    ("binary-needed", imports("python311.dll", "PyLong_FromLong"), "python311.dll"),
    ("binary-floor", pe(system=(11, 0)), "Windows 11.0"),
    ("binary-undefined", imports("python3.dll", "PyObject_GetBuffer"), "PyObject_GetBuffer"),
    ("binary-undefined", imports("PYTHON3.DLL", "_PyLong_Sign"), "_PyLong_Sign"),
    ("binary-undefined", imports("python3.dll", "#12"), "#12"),
    ("binary-relro", pe(data_flags=0xC0000040), "stay writable"),
    ("binary-bind-now", pe(delayed=(("kernel32.dll", ("Sleep",)),)), "first used"),
    ("binary-nx", pe(code_flags=0xE0000020), "executable"),
    ("binary-textrel", pe(relocated=(0x1000,)), "own code"),
    ("binary-flags", pe(flags=0x140), "lacks HIGH_ENTROPY_VA"),
    ("binary-flags", pe(flags=0x120), "lacks DYNAMIC_BASE"),
    ("binary-flags", pe(flags=0x60), "lacks NX_COMPAT"),
    ("binary-paths", pe(rodata=b"in C:\\ci\\thing\\thing.c at"), "C:\\ci\\thing\\thing.c"),
    ("binary-paths", pe(rodata=b"in D:/a b/thing.h at"), "D:/a b/thing.h"),
    ("binary-paths", pe(rodata=b"in /srv/build/42/x"), "/srv/build/42"),
    ("binary-paths", pe(pdb="C:\\ci\\_thing.pdb"), "C:\\ci\\_thing.pdb"),
    ("binary-debug", pe(symbols=3), "symbol table"),
    ("binary-build-id", pe(pdb=""), "no build-id"),
)


def test_a_sound_wheel_breaks_no_rule(tmp_path: Path) -> None:
    assert own(sound(tmp_path)) == []


@pytest.mark.fault("F38", "F40", "F43", "F44")
@pytest.mark.parametrize(("rule", "make", "said"), PLANTED, ids=[f"{row[0]}-{row[2]}" for row in PLANTED])
def test_a_planted_defect_is_named(tmp_path: Path, rule: str, make: Callable[[Path], Path], said: str) -> None:
    found = own(make(tmp_path))
    assert any(name == rule and said in message for name, message in found), found
    assert len({name for name, _ in found}) <= 2, found


def test_without_a_gil_python_is_the_dll_of_one_version(tmp_path: Path) -> None:
    libraries = (("python313t.dll", ("PyLong_FromLong", "_PyLong_Sign")), RUNTIME)
    named = {EXTENSION: None, "thing/_thing.cp313t-win_amd64.pyd": build(Pe(imports=libraries))}
    assert own(sound(tmp_path, changes=named, name=ABI3T)) == []
    found = own(sound(tmp_path, Pe(imports=(PYTHON, RUNTIME)), name=ABI3T))
    assert ("binary-needed", "needs python3.dll") in found


def whole(path: Path, folder: Path) -> tuple[set[str], list[str]]:
    """The rules that are broken, and what delvewheel said."""
    found = check(
        path, TARGET, POLICY, environment=os.environ, work=folder / "work", progress=lambda _done, _total: None
    )
    return {each.rule for each in found}, [each.message for each in found if each.rule == "delvewheel"]


def test_the_checkers_of_others_agree_on_a_sound_wheel(tmp_path: Path) -> None:
    assert whole(sound(tmp_path), tmp_path) == (set(), [])


def test_what_delvewheel_finds_is_told(tmp_path: Path) -> None:
    broken, said = whole(imports("libcrypto-3-x64.dll", "EVP_sha256")(tmp_path), tmp_path)
    assert broken == {"binary-needed", "binary-undefined", "delvewheel"}
    assert "libcrypto-3-x64.dll" in said[0]


def test_abi3audit_reads_windows_extensions_too(tmp_path: Path) -> None:
    broken, _ = whole(imports("python3.dll", "PyObject_GetBuffer")(tmp_path), tmp_path)
    assert broken == {"binary-undefined", "abi3audit"}
