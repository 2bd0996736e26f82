"""Owns the tests of macOS wheels on files that a compiler and a linker made: how they are linked, repaired and judged.

Nothing here starts what was built: it is for another system.
"""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import sys
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from build_config import binary
from build_config.errors import BuildError
from build_config.model import Target
from build_config.repair import Repaired, repair
from build_config.verify import check, policy
from build_config.wheel import read
from tests.support import darwin, llvm
from tests.support.debian import UnavailableError
from tests.support.machos import SYSTEM
from tests.support.wheels import EXTENSION, contents, sound

pytestmark = [
    pytest.mark.slow,
    pytest.mark.crossing,
    pytest.mark.skipif(sys.platform != "linux", reason="a Mac has tools of its own"),
]

ROOT = Path(__file__).parents[2]
PROJECT = Path(__file__).parent / "projects" / "bundle"
TARGET = Target("macos", "aarch64", "", "11.0", ("macosx_11_0_arm64",), ("host",))
RAW = "thing-1.0-cp38-abi3-macosx_14_0_arm64.whl"
NAME = "thing-1.0-cp38-abi3-macosx_11_0_arm64.whl"
EPOCH = 1_700_000_000
BUILD_VERSION = 0x32

Build = Callable[..., bytes]


@dataclass(frozen=True)
class Llvm:
    """LLVM's linker, and the environment in which its other programs are found."""

    linker: Path
    environment: Mapping[str, str]


@pytest.fixture(scope="module")
def tools() -> Llvm:
    programs = ROOT / "build" / "programs"
    try:
        found, linker = llvm.folder(programs), llvm.linker(programs)
    except UnavailableError as cause:
        pytest.skip(str(cause))
    path = os.pathsep.join((str(found.path), os.environ.get("PATH", os.defpath)))
    return Llvm(linker.path, {**os.environ, **found.variables, **linker.variables, "PATH": path})


@pytest.fixture
def build(tools: Llvm, tmp_path: Path) -> Build:
    """Compiles the project for macOS; flags are for the compiler."""
    pytest.importorskip("ziglang")

    def run(*flags: str, linking: str = "") -> bytes:
        folder = tmp_path / "build"
        shutil.rmtree(folder, ignore_errors=True)
        values = {
            "CMAKE_C_FLAGS": " ".join((f"-ffile-prefix-map={PROJECT}=thing", "-fdebug-compilation-dir=build", *flags)),
            "CMAKE_MODULE_LINKER_FLAGS": linking,
            "LINKING": str(ROOT / "source" / "macos.cmake"),
            "ABI_HEADER": str(ROOT / "source" / "python_abi.h"),
            "SYSTEM": str(PROJECT / "libSystem.tbd"),
        }
        file = darwin.toolchain(folder / "toolchain", tools.linker)
        words = ["--toolchain", str(file), *(f"-D{name}={value}" for name, value in values.items())]
        for command in (["-G", "Ninja", "-S", str(PROJECT), "-B", str(folder), *words], ["--build", str(folder)]):
            subprocess.run(["cmake", *command], env=tools.environment, check=True, capture_output=True, text=True)
        return (folder / "_thing.abi3.so").read_bytes()

    return run


def raw(folder: Path, extension: bytes) -> Path:
    return sound(folder, contents(platforms=("macosx_14_0_arm64",), changes={EXTENSION: extension}), RAW)


def repaired(wheel: Path, folder: Path, tools: Llvm) -> Repaired:
    return repair(
        wheel, TARGET, folder / "out", environment=tools.environment, work=folder / "work" / "deep", epoch=EPOCH
    )


def test_the_extension_exports_its_entry_point_alone(build: Build) -> None:
    facts = binary.facts(build())
    assert facts.exported == ("PyInit__thing",)
    assert facts.needed == (SYSTEM,)
    assert {each.name for each in facts.undefined if not each.library} == {"PyLong_FromLong"}


def test_a_framework_that_is_not_linked_is_an_error(build: Build) -> None:
    with pytest.raises(subprocess.CalledProcessError) as caught:
        build("-DFRAMEWORK")
    assert "undefined symbol: _nw_connection_create" in caught.value.stdout


def test_from_compiler_to_a_wheel_that_breaks_no_rule(build: Build, tools: Llvm, tmp_path: Path) -> None:
    made = repaired(raw(tmp_path, build()), tmp_path, tools)
    assert made.wheel.name == NAME
    found = check(
        made.wheel,
        TARGET,
        policy(ROOT, TARGET),
        forbidden=[str(tmp_path)],
        environment=os.environ,
        work=tmp_path / "verify",
        progress=lambda _done, _total: None,
    )
    # LLVM 14's linker does not mark __DATA_CONST as what becomes read-only; Apple's does.
    assert {each.rule for each in found} <= {"binary-relro"}


def test_debug_information_goes_into_a_bundle_of_its_own(build: Build, tools: Llvm, tmp_path: Path) -> None:
    whole = build()
    made = repaired(raw(tmp_path, whole), tmp_path, tools)
    extension = read(made.wheel).get(EXTENSION)
    assert extension is not None
    before, after = binary.facts(whole), binary.facts(extension)
    assert (before.debug, after.debug) == (True, False)
    assert (before.signed, after.signed) == (True, True)
    assert (before.undefined, before.exported) == (after.undefined, after.exported)
    with tarfile.open(made.debug) as archive:
        names = archive.getnames()
        stream = archive.extractfile(names[1])
        assert stream is not None
        debug = stream.read()
    assert names == [
        f"{EXTENSION}.dSYM/Contents/Info.plist",
        f"{EXTENSION}.dSYM/Contents/Resources/DWARF/{Path(EXTENSION).name}",
    ]
    assert b"measure" in debug
    assert b"measure" not in extension
    assert bytes.fromhex(before.build_id) in debug
    assert str(tmp_path).encode() not in extension + debug


def test_same_wheel_same_bytes_wherever_it_lies(build: Build, tools: Llvm, tmp_path: Path) -> None:
    whole = build()
    first = repaired(raw(tmp_path / "a", whole), tmp_path / "a", tools)
    second = repaired(raw(tmp_path / "other folder", whole), tmp_path / "other folder", tools)
    assert first.wheel.read_bytes() == second.wheel.read_bytes()
    assert first.debug.read_bytes() == second.debug.read_bytes()


def test_what_needs_a_newer_system_is_refused(build: Build, tools: Llvm, tmp_path: Path) -> None:
    whole = bytearray(build())
    place = 32
    while struct.unpack_from("<I", whole, place)[0] != BUILD_VERSION:
        place += struct.unpack_from("<I", whole, place + 4)[0]
    struct.pack_into("<I", whole, place + 12, 12 << 16)
    with pytest.raises(BuildError, match=r"minimum target of 12\.0"):
        repaired(raw(tmp_path, bytes(whole)), tmp_path, tools)
    assert not (tmp_path / "out").exists()


def test_what_nobody_signed_is_refused(build: Build, tools: Llvm, tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="signature") as caught:
        repaired(raw(tmp_path, build(linking="-Wl,-no_adhoc_codesign")), tmp_path, tools)
    assert EXTENSION in caught.value.subject
    assert "codesign" in caught.value.hint
