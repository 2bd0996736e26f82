"""Owns the tests of Windows repair: PDBs apart, the right tag, the same bytes every time, real delvewheel."""

from __future__ import annotations

import os
import tarfile
import uuid
from pathlib import Path

import pytest

from build_config import binary
from build_config.binary import pe_identity
from build_config.errors import BuildError, VerifyError
from build_config.repair import Repaired, repair
from build_config.wheel import read
from tests.support.pes import AGE, GUID, PYTHON, RUNTIME, Pe, build, pdb
from tests.support.windows_wheels import EXTENSION, NAME, SYMBOLS, TARGET, raw, sound

EPOCH = 1_700_000_000

pytest.importorskip("delvewheel")


def repaired(wheel: Path, folder: Path) -> Repaired:
    return repair(wheel, TARGET, folder / "out", environment=os.environ, work=folder / "work", epoch=EPOCH)


def test_the_wheel_gets_its_tag_and_loses_its_pdb(tmp_path: Path) -> None:
    result = repaired(raw(tmp_path), tmp_path)
    assert result.wheel == tmp_path / "out" / NAME
    wheel = read(result.wheel)
    assert wheel.headers("WHEEL").get_all("Tag", []) == ["cp38-abi3-win_amd64"]
    extension = wheel.get(EXTENSION)
    assert extension is not None
    assert pe_identity.anonymous(extension) == pe_identity.anonymous(build(Pe()))
    assert wheel.get(SYMBOLS) is None


def test_the_debug_artifact_is_a_symbol_server(tmp_path: Path) -> None:
    result = repaired(raw(tmp_path), tmp_path)
    with tarfile.open(result.debug) as archive:
        (entry,) = archive.getmembers()
        identity = _identity(result)
        assert entry.name == f"_thing.pdb/{identity.hex.upper()}{AGE}/_thing.pdb"
        assert (entry.mtime, entry.mode, entry.uid, entry.uname) == (EPOCH, 0o644, 0, "")
        stream = archive.extractfile(entry)
        assert stream is not None
        assert stream.read() == pdb(identity)


def test_same_wheel_same_bytes_wherever_it_lies(tmp_path: Path) -> None:
    first = repaired(raw(tmp_path / "a"), tmp_path / "a")
    other = tmp_path / "another folder" / "b"
    second = repaired(raw(other), other)
    assert first.wheel.read_bytes() == second.wheel.read_bytes()
    assert first.debug.read_bytes() == second.debug.read_bytes()


def test_what_the_linker_took_for_an_identity_is_of_no_account(tmp_path: Path) -> None:
    """Its hash covers the PDB, and so the folder of the build."""
    first = repaired(raw(tmp_path / "a"), tmp_path / "a")
    other = raw(tmp_path / "b", Pe(guid=uuid.UUID(int=7), linked=1234), pdb(uuid.UUID(int=7)))
    assert repaired(other, tmp_path / "b").wheel.read_bytes() == first.wheel.read_bytes()


def test_other_code_has_another_identity(tmp_path: Path) -> None:
    first, second = (
        repaired(raw(tmp_path / name, Pe(rodata=name.encode())), tmp_path / name) for name in ("one", "two")
    )
    assert _identity(first) != _identity(second)
    assert GUID not in {_identity(first), _identity(second)}


def _identity(result: Repaired) -> uuid.UUID:
    extension = read(result.wheel).get(EXTENSION)
    assert extension is not None
    return uuid.UUID(binary.facts(extension).build_id.removesuffix(str(AGE)))


def test_a_library_that_windows_lacks_is_refused(tmp_path: Path) -> None:
    foreign = Pe(imports=(PYTHON, RUNTIME, ("libcrypto-3-x64.dll", ("EVP_sha256",))))
    with pytest.raises(BuildError, match="libcrypto") as caught:
        repaired(raw(tmp_path, foreign), tmp_path)
    assert caught.value.subject == NAME
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("pe", "symbols", "said"),
    [
        (Pe(pdb=""), None, "names no PDB"),
        (Pe(pdb="other.pdb"), None, "thing/other.pdb is not in the wheel"),
        (Pe(), pdb(uuid.UUID(int=7)), "thing/_thing.pdb is of another link"),
        (Pe(symbols=3), None, "debug sections inside"),
    ],
)
def test_debug_information_that_would_be_lost_is_told(tmp_path: Path, pe: Pe, symbols: bytes | None, said: str) -> None:
    with pytest.raises(BuildError, match=said) as caught:
        repaired(raw(tmp_path, pe, symbols), tmp_path)
    assert EXTENSION in caught.value.subject


def test_a_pure_wheel_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="no compiled file"):
        repaired(sound(tmp_path, changes={EXTENSION: b"text"}), tmp_path)


@pytest.mark.fault("F40")
def test_a_damaged_binary_is_named(tmp_path: Path) -> None:
    with pytest.raises(VerifyError, match="malformed PE") as caught:
        repaired(sound(tmp_path, changes={EXTENSION: build(Pe())[:900]}), tmp_path)
    assert EXTENSION in caught.value.subject
