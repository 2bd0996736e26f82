"""Owns the tests of the verifier: every rule is broken once, and is the one that is named."""

from __future__ import annotations

import os
import stat
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from build_config.errors import MachineError
from build_config.model import Finding, Severity
from build_config.verify import RULES, check, check_own
from build_config.verify.tools import TOOLS, Tool
from build_config.wheel import read
from tests.support.elves import LIBC, PYTHON, Elf, build
from tests.support.wheels import (
    DIST_INFO,
    EXTENSION,
    METADATA,
    NAME,
    PLATFORMS,
    POLICY,
    TARGET,
    contents,
    plain,
    record,
    sound,
    wheel_file,
    with_record,
)
from tests.unit.verify.test_verify_windows import PLANTED as PLANTED_FOR_WINDOWS

OLD = "libc.so.6"


def own(path: Path) -> list[tuple[str, str]]:
    """Rule and message of what our own rules find."""
    return [(found.rule, found.message) for found in check_own(path, TARGET, POLICY, forbidden=["/srv/build/42"])]


def elf(**changes: object) -> Callable[[Path], Path]:
    return lambda folder: sound(folder, contents(replace(Elf(), **changes)))  # type: ignore[arg-type]


def files(**changes: bytes | None) -> Callable[[Path], Path]:
    """Files of the wheel by a short name."""
    names = {
        "typed": "thing/py.typed",
        "extension": EXTENSION,
        "metadata": f"{DIST_INFO}/METADATA",
        "wheel": f"{DIST_INFO}/WHEEL",
        "licence": f"{DIST_INFO}/licenses/LICENSE",
        "other": "thing/_thing.cpython-311-x86_64-linux-gnu.so",
        "text": "thing/_text.so",
        "stray": "tests/__init__.py",
    }
    return lambda folder: sound(folder, contents(changes={names[name]: data for name, data in changes.items()}))


def rows(change: Callable[[list[list[str]]], object]) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        listed = record(contents())
        change(listed)
        return with_record(folder, listed)

    return make


def odd(name: str, mode: int = stat.S_IFREG | 0o644) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        path = sound(folder)
        info = zipfile.ZipInfo(name)
        info.external_attr = mode << 16
        info.create_system = 3
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr(info, b"x")
        return path

    return make


def patched(change: Callable[[bytearray], object]) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        path = sound(folder)
        data = bytearray(path.read_bytes())
        change(data)
        path.write_bytes(data)
        return path

    return make


def _hide(data: bytearray) -> None:
    start = int.from_bytes(data[-6:-2], "little")
    data[start:start] = b"hidden"
    data[-6:-2] = (start + 6).to_bytes(4, "little")


def _rename_locally(data: bytearray) -> None:
    data[30:35] = b"thang"


def _set(listed: list[list[str]], row: int, field: int, value: str) -> None:
    listed[row][field] = value


def _contradict(data: bytes) -> bytes:
    """Section .dynsym at another address than the loader's symbol table."""
    changed = bytearray(data)
    start = int.from_bytes(data[40:48], "little")
    changed[start + 2 * 64 + 16] ^= 8
    return bytes(changed)


PLANTED: tuple[tuple[str, str, Callable[[Path], Path], str], ...] = (
    # rule, rows of faults, the wheel, a word of the message
    ("wheel-name", "F37", lambda folder: sound(folder).rename(folder / "thing.whl"), "wheel"),
    ("wheel-malformed", "F34", patched(lambda data: data.extend(b"more")), "after the end"),
    ("wheel-hidden-data", "F34", patched(_hide), "6 bytes"),
    ("wheel-header-mismatch", "F34", patched(_rename_locally), "header"),
    ("wheel-entry-path", "F36", odd("../evil"), "leads out"),
    ("wheel-entry-type", "F36", odd("link", stat.S_IFLNK | 0o777), "neither"),
    ("wheel-duplicate-entry", "F34", odd("THING/PY.TYPED"), "same on some"),
    (
        "wheel-dist-info",
        "F37",
        lambda folder: sound(folder).rename(folder / NAME.replace("1.0", "1.1")),
        "not thing-1.1",
    ),
    ("wheel-size", "", elf(rodata=os.urandom(120_000)), "100,000 allowed"),
    ("record-missing", "F35", lambda folder: plain(folder, contents()), "no RECORD"),
    ("record-missing", "F35", rows(lambda listed: listed.append(["a", "b"])), "2 fields"),
    ("record-missing", "F35", rows(lambda listed: listed.append(['"'])), "1 fields"),
    ("record-unlisted", "F35", rows(lambda listed: listed.pop(1)), "not listed"),
    ("record-absent", "F35", rows(lambda listed: listed.append(["thing/gone.py", "", ""])), "not in the wheel"),
    ("record-hash", "F35", rows(lambda listed: _set(listed, 0, 1, "sha256=AAAA")), "sha256=AAAA"),
    ("record-hash", "F35", rows(lambda listed: _set(listed, 0, 1, "")), "no hash"),
    ("record-hash", "F35", rows(lambda listed: _set(listed, 0, 2, "7")), "7 bytes"),
    ("record-hash", "F35", rows(lambda listed: listed.append(listed[0])), "twice"),
    ("tag-mismatch", "F37", files(wheel=wheel_file("manylinux_2_5_x86_64").encode()), "manylinux_2_5"),
    ("tag-mismatch", "F37", files(wheel=wheel_file(*PLATFORMS).replace("cp38", "cp39").encode()), "cp39"),
    ("tag-mismatch", "F37", files(wheel=wheel_file(*PLATFORMS).replace("false", "true").encode()), "Root-Is-Purelib"),
    ("tag-mismatch", "F37", files(wheel=b""), "nothing"),
    (
        "tag-target",
        "F37",
        lambda folder: sound(folder, contents(platforms=("linux_x86_64",)), "thing-1.0-cp38-abi3-linux_x86_64.whl"),
        "linux_x86_64",
    ),
    ("tag-suffix", "F37", files(other=build(Elf(exports=("PyInit__thing",))), extension=None), "abi3"),
    ("metadata-mismatch", "F37", files(metadata=METADATA.replace("Name: thing", "Name: other").encode()), "other"),
    ("metadata-mismatch", "F37", files(metadata=METADATA.replace("Version: 1.0", "Version: x").encode()), "thing x"),
    ("metadata-licence", "", files(metadata=METADATA.replace("License-Expression", "License").encode()), "Expression"),
    ("metadata-licence", "", files(metadata=METADATA.replace("License-File: LICENSE\n", "").encode()), "File"),
    ("licence-file", "", files(licence=None), "not in the wheel"),
    ("typed", "", files(typed=None), "py.typed"),
    ("binary-missing", "", files(extension=None), "no compiled file"),
    ("binary-malformed", "F40", files(extension=build(Elf())[:600]), "malformed"),
    ("binary-malformed", "F40", files(text=b"not compiled"), "is none"),
    ("binary-sections", "F39", elf(sections=False), "no section headers"),
    ("binary-sections", "F39", files(extension=_contradict(build(Elf()))), "loader uses"),
    ("binary-arch", "F38", elf(arch="aarch64"), "aarch64"),
    ("binary-arch", "F38", elf(arch="i686"), "i686"),
    ("binary-exports", "F44", elf(exports=("PyInit__thing", "AES_encrypt", "EVP_sha256")), "AES_encrypt, EVP_sha256"),
    ("binary-exports", "F44", elf(exports=("PyInit__other",)), "does not export PyInit__thing"),
    ("binary-needed", "", elf(needed=("libc.so.6", "libcrypto.so.3")), "libcrypto.so.3"),
    ("binary-floor", "", elf(imports=(*LIBC, ("clock_gettime", OLD, "GLIBC_2.18"))), "GLIBC_2.18"),
    ("binary-floor", "", elf(imports=(*LIBC, ("arc4random", OLD, "GLIBC_2.100"))), "GLIBC_2.100"),
    ("binary-floor", "", elf(imports=(*LIBC, ("__libc_x", OLD, "GLIBC_PRIVATE"))), "GLIBC_PRIVATE"),
    ("binary-undefined", "", elf(imports=(*LIBC, ("PyObject_GetBuffer", "", ""))), "PyObject_GetBuffer"),
    ("binary-undefined", "", elf(imports=(*LIBC, ("_PyLong_Sign", "", ""))), "_PyLong_Sign"),
    ("binary-undefined", "", elf(imports=(*LIBC, ("deflate", "libz.so.1", "ZLIB_1.2.9"))), "deflate"),
    ("binary-undefined", "", elf(weak=("EVP_sha256",)), "EVP_sha256"),
    ("binary-relro", "F43", elf(relro=False), "stay writable"),
    ("binary-bind-now", "F43", elf(bind_now=False), "first used"),
    ("binary-nx", "F43", elf(stack_flags=7), "executable"),
    ("binary-nx", "F43", elf(stack_flags=None), "executable"),
    ("binary-nx", "F43", elf(load_flags=7), "executable"),
    ("binary-textrel", "F43", elf(textrel=True), "own code"),
    ("binary-runpath", "F43", elf(runpath="/opt/lib"), "/opt/lib"),
    ("binary-runpath", "F43", elf(rpath="/opt/lib"), "/opt/lib"),
    ("binary-stack-protector", "", elf(imports=(LIBC[0], *PYTHON)), "stack protector"),
    ("binary-fortify", "", elf(imports=(LIBC[1], *PYTHON)), "fortified"),
    ("binary-paths", "", elf(rodata=b"in /data/ci/thing/source/thing.c at"), "/data/ci/thing/source/thing.c"),
    ("binary-paths", "", elf(rodata=b"cc1 -I/home/me"), "/home/"),
    ("binary-paths", "", elf(rodata=b"see /srv/build/42/x"), "/srv/build/42"),
    ("binary-debug", "", elf(debug=b"dwarf"), "debug sections"),
    ("binary-build-id", "", elf(build_id=b""), "no build-id"),
)


def test_a_sound_wheel_breaks_no_rule(tmp_path: Path) -> None:
    assert own(sound(tmp_path)) == []


@pytest.mark.fault("F34", "F35", "F36", "F37", "F38", "F39", "F40", "F43", "F44")
@pytest.mark.parametrize(("rule", "_row", "make", "said"), PLANTED, ids=[f"{row[0]}-{row[3]}" for row in PLANTED])
def test_a_planted_defect_is_named(
    tmp_path: Path, rule: str, _row: str, make: Callable[[Path], Path], said: str
) -> None:
    found = own(make(tmp_path))
    assert any(name == rule and said in message for name, message in found), found
    # One defect may break a second rule, never a third.
    assert len({name for name, _ in found}) <= 2, found


def test_every_rule_has_a_planted_defect() -> None:
    planted = {row[0] for row in (*PLANTED, *PLANTED_FOR_WINDOWS)}
    # What only macOS asks for is in test_macos.py.
    assert planted | {tool.rule for tool in TOOLS} | {"binary-signature"} == set(RULES)


def test_a_finding_says_what_to_do(tmp_path: Path) -> None:
    (found,) = check_own(elf(relro=False)(tmp_path), TARGET, POLICY)
    assert found == Finding(
        "binary-relro", Severity.ERROR, EXTENSION, "has tables that stay writable", RULES["binary-relro"].hint
    )


def test_relative_source_paths_are_no_trace(tmp_path: Path) -> None:
    assert own(elf(rodata=b"\0s2n/utils/s2n_timer.c\0x/y.c\0/etc/ssl/certs\0")(tmp_path)) == []


def test_a_wheel_for_one_abi_may_use_all_of_it(tmp_path: Path) -> None:
    name = NAME.replace("cp38-abi3", "cp313-cp313t")
    made = build(Elf(imports=(*LIBC, ("_PyLong_Sign", "", ""))))
    inside = wheel_file(*PLATFORMS).replace("cp38-abi3", "cp313-cp313t").encode()
    changes = {
        EXTENSION: None,
        "thing/_thing.cpython-313t-x86_64-linux-gnu.so": made,
        f"{DIST_INFO}/WHEEL": inside,
    }
    assert own(sound(tmp_path, contents(changes=changes), name)) == []


def test_policy_decides_what_is_hard_enough(tmp_path: Path) -> None:
    path = elf(imports=PYTHON)(tmp_path)
    soft = replace(POLICY, stack_protector=False, fortify=False)
    assert [found.rule for found in check_own(path, TARGET, POLICY)] == ["binary-stack-protector", "binary-fortify"]
    assert check_own(path, TARGET, soft) == ()


def whole(path: Path, folder: Path) -> Iterator[tuple[str, str]]:
    for found in check(
        path, TARGET, POLICY, environment=os.environ, work=folder / "work", progress=lambda _done, _total: None
    ):
        yield found.rule, found.message


def test_the_checkers_of_others_agree_on_a_sound_wheel(tmp_path: Path) -> None:
    steps: list[tuple[int, int]] = []
    found = check(
        sound(tmp_path),
        TARGET,
        POLICY,
        environment=os.environ,
        work=tmp_path / "work",
        progress=lambda done, total: steps.append((done, total)),
    )
    assert found == ()
    assert steps == [(number, 6) for number in range(1, 7)]


@pytest.mark.parametrize(
    ("rule", "make", "said"),
    [
        ("auditwheel", elf(imports=(*LIBC, ("arc4random", OLD, "GLIBC_2.36"))), "manylinux_2_36_x86_64"),
        ("auditwheel", elf(needed=("libcrypto.so.3",)), "linux_x86_64"),
        ("auditwheel", elf(arch="aarch64"), "with a 'x86_64' architecture"),
        ("abi3audit", elf(imports=(*LIBC, ("PyObject_GetBuffer", "", ""))), "symbols need 3.11"),
        ("abi3audit", elf(imports=(*LIBC, ("_PyLong_Sign", "", ""))), "_PyLong_Sign"),
        (
            "twine",
            files(metadata=METADATA.replace("text/markdown", "text/x-rst").encode() + b"`open"),
            "ERROR    `long_description` has syntax errors",
        ),
        ("check-wheel-contents", files(stray=b"VALUE = 2\n"), "common toplevel name in library: tests/"),
    ],
)
def test_what_the_checkers_of_others_find_is_told(
    tmp_path: Path, rule: str, make: Callable[[Path], Path], said: str
) -> None:
    found = [message for name, message in whole(make(tmp_path), tmp_path) if name == rule]
    assert found
    assert any(said in message for message in found)


@pytest.mark.fault("F34")
def test_an_unsound_archive_is_not_handed_on(tmp_path: Path) -> None:
    assert [rule for rule, _ in whole(patched(_hide)(tmp_path), tmp_path)] == ["wheel-hidden-data"]


def test_a_checker_that_is_not_installed_is_told(tmp_path: Path) -> None:
    missing = Tool("twine", "no_such_module_here", (), TOOLS[0].judge)
    with pytest.raises(MachineError, match="is not installed"):
        missing.check(read(sound(tmp_path)), TARGET, environment=os.environ, work=tmp_path)
