"""Owns the tests of the verifier on macOS wheels: every rule on their binaries is broken once, and is the one named."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from build_config.model import Target
from build_config.verify import RULES, check, check_own, policy
from tests.support.elves import Elf
from tests.support.elves import build as build_elf
from tests.support.machos import ALLOW_STACK_EXECUTION, LIBC, PYTHON, SYSTEM, MachO, build, universal
from tests.support.wheels import EXTENSION, contents, sound

ROOT = Path(__file__).parents[3]
ARM = Target("macos", "aarch64", "", "11.0", ("macosx_11_0_arm64",), ("host",))
BOTH = Target("macos", "universal2", "", "10.15", ("macosx_10_15_universal2",), ("host",))
SOUND = MachO(arch="aarch64", minimum=(11, 0))
ZLIB = "/usr/lib/libz.1.dylib"


def wheel(folder: Path, extension: bytes, target: Target = ARM) -> Path:
    (platform,) = target.wheel_platforms
    files = contents(platforms=(platform,), changes={EXTENSION: extension})
    return sound(folder, files, f"thing-1.0-cp38-abi3-{platform}.whl")


def own(path: Path, target: Target = ARM) -> list[tuple[str, str]]:
    found = check_own(path, target, policy(ROOT, target), forbidden=["/srv/build/42"])
    return [(each.rule, each.message) for each in found]


def made(**changes: object) -> bytes:
    return build(replace(SOUND, **changes))  # type: ignore[arg-type]


PLANTED: tuple[tuple[str, Callable[[], bytes], str], ...] = (
    ("binary-malformed", lambda: made()[:900], "malformed Mach-O"),
    ("binary-malformed", lambda: universal()[:40_000], "outside the file"),
    ("binary-arch", lambda: made(arch="x86_64"), "macho for x86_64"),
    ("binary-arch", lambda: build_elf(Elf(arch="aarch64")), "elf for aarch64"),
    ("binary-arch", universal, "macho for aarch64 and x86_64"),
    ("binary-exports", lambda: made(exports=("PyInit__thing", "AES_encrypt")), "exports 1 more: AES_encrypt"),
    ("binary-exports", lambda: made(exports=()), "does not export PyInit__thing"),
    ("binary-needed", lambda: made(needed=(SYSTEM, ZLIB)), ZLIB),
    ("binary-needed", lambda: made(needed=(SYSTEM, "@rpath/libcrypto.dylib")), "@rpath/libcrypto.dylib"),
    ("binary-floor", lambda: made(minimum=(12, 0)), "needs macOS_12.0, newer than macOS_11.0"),
    ("binary-floor", lambda: made(platform=2), "platform-2_11.0"),
    ("binary-floor", lambda: made(minimum=None), "does not say which macOS"),
    ("binary-undefined", lambda: made(imports=(*LIBC, ("PyObject_GetBuffer", ""))), "PyObject_GetBuffer"),
    ("binary-undefined", lambda: made(imports=(*LIBC, ("nw_connection_create", ""))), "nw_connection_create"),
    ("binary-undefined", lambda: made(needed=(SYSTEM, ZLIB), imports=(*LIBC, ("crc32", ZLIB))), "crc32"),
    ("binary-relro", lambda: made(const_flags=0), "stay writable"),
    ("binary-nx", lambda: made(flags=ALLOW_STACK_EXECUTION), "executable"),
    ("binary-nx", lambda: made(text_protection=7), "executable"),
    ("binary-textrel", lambda: made(local_relocations=1), "own code"),
    ("binary-runpath", lambda: made(rpath="/opt/homebrew/lib"), "/opt/homebrew/lib"),
    ("binary-stack-protector", lambda: made(imports=(LIBC[1], *PYTHON)), "stack protector"),
    ("binary-fortify", lambda: made(imports=(LIBC[0], *PYTHON)), "fortified"),
    ("binary-paths", lambda: made(text=b"at /Users/ci/thing"), "/Users/"),
    ("binary-paths", lambda: made(text=b"see /srv/build/42/x"), "/srv/build/42"),
    ("binary-debug", lambda: made(locals=("helper",)), "symbol table"),
    ("binary-debug", lambda: made(stabs=1), "symbol table"),
    ("binary-build-id", lambda: made(uuid=b""), "no build-id"),
    ("binary-sections", lambda: made(sections=False), "no section headers"),
    ("binary-sections", lambda: made(listed_exports=()), "lists other exports"),
    ("binary-signature", lambda: made(signed=False), "no signature, on aarch64"),
)


def test_sound_wheels_break_no_rule(tmp_path: Path) -> None:
    assert own(wheel(tmp_path, build(SOUND))) == []
    assert own(wheel(tmp_path, build(replace(SOUND, chained=True)))) == []
    assert own(wheel(tmp_path, universal(), BOTH), BOTH) == []


@pytest.mark.fault("F38", "F40", "F43", "F44")
@pytest.mark.parametrize(("rule", "make", "said"), PLANTED, ids=[f"{row[0]}-{row[2]}" for row in PLANTED])
def test_a_planted_defect_is_named(tmp_path: Path, rule: str, make: Callable[[], bytes], said: str) -> None:
    found = own(wheel(tmp_path, make()))
    assert any(name == rule and said in message for name, message in found), found
    if rule != "binary-arch":
        # One defect may break a second rule, never a third.
        assert len({name for name, _ in found}) <= 2, found


def test_every_rule_on_binaries_has_a_planted_defect() -> None:
    elsewhere = {"binary-missing", "binary-bind-now", "binary-flags"}
    assert {row[0] for row in PLANTED} == {rule for rule in RULES if rule.startswith("binary-")} - elsewhere


def test_symbols_may_be_bound_when_they_are_first_used(tmp_path: Path) -> None:
    late = wheel(tmp_path, made(lazy=True))
    assert own(late) == []
    strict = replace(policy(ROOT, ARM), bind_now=True)
    assert [each.rule for each in check_own(late, ARM, strict)] == ["binary-bind-now"]


def test_intel_needs_no_signature_and_runs_older_systems(tmp_path: Path) -> None:
    intel = Target("macos", "x86_64", "", "10.15", ("macosx_10_15_x86_64",), ("host",))
    assert own(wheel(tmp_path, build(MachO(signed=False)), intel), intel) == []


def test_each_part_of_a_universal_file_is_judged(tmp_path: Path) -> None:
    found = check_own(wheel(tmp_path, universal(MachO(signed=False)), BOTH), BOTH, policy(ROOT, BOTH))
    assert [(each.rule, each.subject) for each in found] == [("binary-signature", f"{EXTENSION} (aarch64)")]


def test_a_part_that_is_missing_is_named(tmp_path: Path) -> None:
    assert own(wheel(tmp_path, build(SOUND), BOTH), BOTH) == [
        ("binary-arch", "is macho for aarch64, not for macos-universal2")
    ]


def test_the_checkers_of_others_agree_on_a_sound_wheel(tmp_path: Path) -> None:
    found = check(
        wheel(tmp_path, build(SOUND)),
        ARM,
        policy(ROOT, ARM),
        environment=os.environ,
        work=tmp_path / "work",
        progress=lambda _done, _total: None,
    )
    assert found == ()


def test_abi3audit_reads_macos_wheels_too(tmp_path: Path) -> None:
    found = check(
        wheel(tmp_path, made(imports=(*LIBC, ("PyObject_GetBuffer", "")))),
        ARM,
        policy(ROOT, ARM),
        environment=os.environ,
        work=tmp_path / "work",
        progress=lambda _done, _total: None,
    )
    assert {each.rule for each in found} == {"binary-undefined", "abi3audit"}
