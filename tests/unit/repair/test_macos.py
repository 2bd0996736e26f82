"""Owns the tests of the repair of macOS wheels that need no tools of LLVM's or Apple's."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from build_config.errors import BuildError, MachineError, VerifyError
from build_config.model import Target
from build_config.repair import Repaired, repair
from build_config.repair.macos_tools import provide
from tests.support.machos import MachO, build
from tests.support.wheels import EXTENSION, contents, sound

TARGET = Target("macos", "aarch64", "", "11.0", ("macosx_11_0_arm64",), ("host",))
NAME = "thing-1.0-cp38-abi3-macosx_11_0_arm64.whl"
SOUND = MachO(arch="aarch64", minimum=(11, 0), locals=("helper",))
LLVM = ("dsymutil", "llvm-install-name-tool", "llvm-lipo", "llvm-otool", "llvm-strip", "true")
KEEPS = "exit 0"
BUNDLE = """\
mkdir -p "$3/Contents/Resources/DWARF"
echo plist > "$3/Contents/Info.plist"
cp "$1" "$3/Contents/Resources/DWARF/$(basename "$1")"
"""

pytestmark = pytest.mark.skipif(os.name != "posix", reason="stands in for programs by shell scripts")


def programs(folder: Path, names: Iterable[str] = LLVM, **bodies: str) -> dict[str, str]:
    """An environment whose PATH has scripts of these names alone, and the shell's own folder."""
    folder.mkdir(parents=True)
    for name in names:
        script = folder / name
        script.write_text(f"#!/bin/sh\n{bodies.get(name.removeprefix('llvm-'), KEEPS)}\n")
        script.chmod(0o755)
    return {"PATH": str(folder)}


def repaired(folder: Path, extension: bytes, **bodies: str) -> Repaired:
    environment = programs(folder / "programs", **{"dsymutil": BUNDLE, **bodies})
    environment["PATH"] += f"{os.pathsep}/usr/bin{os.pathsep}/bin"
    wheel = sound(folder, contents(platforms=TARGET.wheel_platforms, changes={EXTENSION: extension}), NAME)
    return repair(wheel, TARGET, folder / "out", environment=environment, work=folder / "work", epoch=1_700_000_000)


def test_programs_of_llvm_stand_in_for_those_of_apple(tmp_path: Path) -> None:
    given = provide(tmp_path / "tools", programs(tmp_path / "programs"))
    assert given["PATH"] == f"{tmp_path / 'tools'}{os.pathsep}{tmp_path / 'programs'}"
    names = {path.name for path in (tmp_path / "tools").iterdir()}
    assert names == {"codesign", "dsymutil", "install_name_tool", "lipo", "otool", "strip"}
    assert (tmp_path / "tools" / "strip").resolve() == tmp_path / "programs" / "llvm-strip"


def test_otool_is_not_told_what_it_does_not_know(tmp_path: Path) -> None:
    environment = programs(tmp_path / "with space", otool='printf "%s|" "$@"')
    provide(tmp_path / "tools", environment)
    command: list[str | Path] = [tmp_path / "tools" / "otool", "-arch", "all", "-m", "-L", "a file"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert done.stdout == "-arch|all|-L|a file|"


def test_the_programs_of_apple_are_used_where_they_are(tmp_path: Path) -> None:
    environment = programs(tmp_path / "programs", ("codesign",))
    assert provide(tmp_path / "tools", environment) == environment
    assert not (tmp_path / "tools").exists()


def test_every_program_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(MachineError, match="there is no llvm-lipo, llvm-otool") as caught:
        provide(tmp_path / "tools", programs(tmp_path / "programs", set(LLVM) - {"llvm-lipo", "llvm-otool"}))
    assert "xcode-select --install" in caught.value.hint


@pytest.mark.parametrize(
    ("strip", "said"),
    [
        (f'cp "{{folder}}/other" "$3"\n{KEEPS}', "changed what the loader reads"),
        ('echo "no room" >&2; exit 1', "no room"),
    ],
)
def test_a_strip_that_does_harm_is_refused(tmp_path: Path, strip: str, said: str) -> None:
    (tmp_path / "other").write_bytes(build(replace(SOUND, exports=("PyInit__other",))))
    with pytest.raises(BuildError, match=said) as caught:
        repaired(tmp_path, build(SOUND), strip=strip.format(folder=tmp_path))
    assert NAME in caught.value.subject
    assert not (tmp_path / "out").exists()


def test_a_bundle_that_was_not_made_is_told(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=r"dsymutil made no _thing\.abi3\.so\.dSYM"):
        repaired(tmp_path, build(SOUND), dsymutil=KEEPS)


def test_a_pure_wheel_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="no compiled file"):
        repaired(tmp_path, b"not compiled")


@pytest.mark.fault("F40")
@pytest.mark.parametrize("damage", [lambda data: data[:700], lambda data: data[:-20]])
def test_a_damaged_binary_is_named(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    with pytest.raises(VerifyError, match="malformed Mach-O") as caught:
        repaired(tmp_path, damage(build(SOUND)))
    assert EXTENSION in caught.value.subject
