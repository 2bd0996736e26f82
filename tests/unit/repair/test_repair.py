"""Owns the tests of repair: debug information apart, the right tags, the same bytes every time, real auditwheel."""

from __future__ import annotations

import os
import tarfile
from pathlib import Path

import pytest

from build_config import binary
from build_config.errors import BuildError, UsageError, VerifyError
from build_config.model import Target
from build_config.repair import Repaired, repair
from build_config.wheel import read
from tests.support.elves import BUILD_ID, LIBC, PYTHON, Elf, build
from tests.support.wheels import EXTENSION, NAME, RAW_NAME, TARGET, contents, sound

EPOCH = 1_700_000_000
DWARF = b"line 1 of thing.c" * 1000

pytest.importorskip("auditwheel")


def raw(folder: Path, elf: Elf | None = None) -> Path:
    """A wheel as a build leaves it: not portable by its tag, with debug information."""
    return sound(folder, contents(elf or Elf(debug=DWARF), ("linux_x86_64",)), RAW_NAME)


def repaired(wheel: Path, folder: Path, target: Target = TARGET) -> Repaired:
    return repair(wheel, target, folder / "out", environment=os.environ, work=folder / "work", epoch=EPOCH)


def test_the_wheel_gets_its_tags_and_loses_its_debug_information(tmp_path: Path) -> None:
    result = repaired(raw(tmp_path), tmp_path)
    assert result.wheel == tmp_path / "out" / NAME
    wheel = read(result.wheel)
    assert sorted(wheel.headers("WHEEL").get_all("Tag", [])) == sorted(wheel.tags)
    extension = wheel.get(EXTENSION)
    assert extension is not None
    assert not binary.facts(extension).debug
    assert DWARF not in extension
    assert {member.name for member in wheel.members if member.executable} == {EXTENSION}


def test_the_debug_artifact_is_keyed_by_build_id(tmp_path: Path) -> None:
    result = repaired(raw(tmp_path), tmp_path)
    assert result.debug.name == NAME.removesuffix(".whl") + ".debug.tar.xz"
    with tarfile.open(result.debug) as archive:
        (entry,) = archive.getmembers()
        assert entry.name == f".build-id/00/{BUILD_ID.hex()[2:]}.debug"
        assert (entry.mtime, entry.mode, entry.uid, entry.uname) == (EPOCH, 0o644, 0, "")
        stream = archive.extractfile(entry)
        assert stream is not None
        assert DWARF in stream.read()


def test_same_wheel_same_bytes_wherever_it_lies(tmp_path: Path) -> None:
    first = repaired(raw(tmp_path / "a"), tmp_path / "a")
    other = tmp_path / "another folder" / "b"
    second = repaired(raw(other), other)
    assert first.wheel.read_bytes() == second.wheel.read_bytes()
    assert first.debug.read_bytes() == second.debug.read_bytes()


def test_leftovers_of_an_earlier_run_do_no_harm(tmp_path: Path) -> None:
    first = repaired(raw(tmp_path), tmp_path)
    before = first.wheel.read_bytes()
    (tmp_path / "work" / "repaired" / "stale-1.0-py3-none-any.whl").write_bytes(b"stale")
    assert repaired(raw(tmp_path), tmp_path).wheel.read_bytes() == before


@pytest.mark.parametrize("arch", ["x86_64", "aarch64"])
def test_musl_gets_the_name_that_its_distributions_use(tmp_path: Path, arch: str) -> None:
    target = Target("linux", arch, "musl", "1.1", (f"musllinux_1_1_{arch}",), ("zig",))
    module = Elf(arch=arch, needed=("libc.so",), imports=(("malloc", "", ""), *PYTHON), debug=DWARF)
    files = contents(module, (f"linux_{arch}",))
    result = repaired(sound(tmp_path, files, f"thing-1.0-cp38-abi3-linux_{arch}.whl"), tmp_path, target)
    assert result.wheel.name == f"thing-1.0-cp38-abi3-musllinux_1_1_{arch}.whl"
    wheel = read(result.wheel)
    assert wheel.headers("WHEEL").get_all("Tag") == [f"cp38-abi3-musllinux_1_1_{arch}"]
    facts = binary.facts(wheel.get(EXTENSION) or b"")
    assert facts.needed == (f"libc.musl-{arch}.so.1",)
    assert (facts.build_id, facts.contradictions) == (BUILD_ID.hex(), ())


def test_another_processor_than_this_machines_gets_its_tags(tmp_path: Path) -> None:
    platforms = ("manylinux_2_17_aarch64", "manylinux2014_aarch64")
    target = Target("linux", "aarch64", "gnu", "2.17", platforms, ("zig",))
    module = Elf(arch="aarch64", imports=(("memcpy", "libc.so.6", "GLIBC_2.17"), *PYTHON), debug=DWARF)
    files = contents(module, ("linux_aarch64",))
    result = repaired(sound(tmp_path, files, "thing-1.0-cp38-abi3-linux_aarch64.whl"), tmp_path, target)
    assert read(result.wheel).platforms == set(platforms)


def test_a_c_library_of_another_family_is_refused(tmp_path: Path) -> None:
    target = Target("linux", "x86_64", "musl", "1.1", ("musllinux_1_1_x86_64",), ("zig",))
    with pytest.raises(BuildError, match=r"grants manylinux.*, not musllinux_1_1_x86_64"):
        repaired(raw(tmp_path), tmp_path, target)


def test_symbols_above_the_floor_are_refused(tmp_path: Path) -> None:
    new = Elf(imports=(*LIBC, ("pidfd_open", "libc.so.6", "GLIBC_2.36")))
    with pytest.raises(BuildError, match="grants manylinux_2_36_x86_64, not manylinux_2_17_x86_64") as caught:
        repaired(raw(tmp_path, new), tmp_path)
    assert caught.value.subject == RAW_NAME
    assert not (tmp_path / "out").exists()


def test_a_binary_without_build_id_is_named(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="build-id") as caught:
        repaired(raw(tmp_path, Elf(build_id=b"")), tmp_path)
    assert EXTENSION in caught.value.subject


def test_a_pure_wheel_is_refused(tmp_path: Path) -> None:
    pure = sound(tmp_path, contents(platforms=("linux_x86_64",), changes={EXTENSION: None}), RAW_NAME)
    with pytest.raises(BuildError, match="no compiled file"):
        repaired(pure, tmp_path)


@pytest.mark.fault("F40")
def test_a_damaged_binary_is_named(tmp_path: Path) -> None:
    cut = contents(platforms=("linux_x86_64",), changes={EXTENSION: build(Elf())[:700]})
    with pytest.raises(VerifyError, match="malformed ELF") as caught:
        repaired(sound(tmp_path, cut, RAW_NAME), tmp_path)
    assert EXTENSION in caught.value.subject


@pytest.mark.fault("F34")
def test_an_unsound_wheel_is_refused(tmp_path: Path) -> None:
    wheel = raw(tmp_path)
    wheel.write_bytes(wheel.read_bytes() + b"trailing")
    with pytest.raises(VerifyError, match="after the end"):
        repaired(wheel, tmp_path)


def test_a_system_without_repair_is_told(tmp_path: Path) -> None:
    target = Target("plan9", "x86_64", "", "4", ("plan9_x86_64",), ("host",))
    with pytest.raises(UsageError, match="no repair for plan9"):
        repaired(raw(tmp_path), tmp_path, target)
