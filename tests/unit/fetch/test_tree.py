"""Owns the tests of the tree digest: what it is made of, what changes it and what does not."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from build_config.errors import IntegrityError, MachineError
from build_config.fetch import tree
from build_config.fetch.tree import Entry, Kind


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    (root / "b" / "inner").mkdir(parents=True)
    (root / "a.c").write_bytes(b"int a;\n")
    (root / "b" / "run").write_bytes(b"#!\n")
    (root / "b" / "run").chmod(0o755)
    (root / "link").symlink_to("b/run")
    return root


def test_the_digest_is_that_of_the_listing_it_is_said_to_be(folder: Path) -> None:
    a, run = (hashlib.sha256(text).hexdigest().encode() for text in (b"int a;\n", b"#!\n"))
    listing = b"tree 1\0"
    listing += b"file\0a.c\0" + a + b"\0"
    listing += b"directory\0b\0\0"
    listing += b"directory\0b/inner\0\0"
    listing += b"executable\0b/run\0" + run + b"\0"
    listing += b"symlink\0link\0b/run\0"
    assert tree.digest(folder) == hashlib.sha256(listing).hexdigest()


def rename(folder: Path) -> None:
    (folder / "a.c").rename(folder / "a.d")


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda f: (f / "a.c").write_bytes(b"int b;\n"), id="contents"),
        pytest.param(lambda f: (f / "a.c").chmod(0o744), id="executable"),
        pytest.param(lambda f: (f / "b" / "run").chmod(0o644), id="not executable"),
        pytest.param(rename, id="name"),
        pytest.param(lambda f: (f / "b" / "inner").rmdir(), id="folder gone"),
        pytest.param(lambda f: (f / "new").mkdir(), id="folder new"),
        pytest.param(lambda f: (f / "a.c").unlink(), id="file gone"),
        pytest.param(lambda f: ((f / "link").unlink(), (f / "link").symlink_to("a.c")), id="target"),
        pytest.param(lambda f: ((f / "link").unlink(), (f / "link").write_bytes(b"b/run")), id="link to file"),
    ],
)
def test_every_change_that_matters_changes_it(folder: Path, change: Callable[[Path], object]) -> None:
    before = tree.digest(folder)
    change(folder)
    assert tree.digest(folder) != before


def test_times_and_other_permissions_do_not(folder: Path) -> None:
    before = tree.digest(folder)
    os.utime(folder / "a.c", (1, 1))
    (folder / "a.c").chmod(0o400)
    (folder / "b" / "run").chmod(0o500)
    (folder / "b").chmod(0o700)
    assert tree.digest(folder) == before


def test_the_order_of_entries_does_not() -> None:
    entries = [Entry(name, Kind.FILE, "0" * 64) for name in ("b", "a", "é", "a/b", "a-b")]
    assert tree.digest_of(entries) == tree.digest_of(entries[::-1])


def test_sorted_by_bytes_and_not_by_a_language() -> None:
    paths = [
        record.split(b"\0")[0]
        for record in tree.listing(Entry(name, Kind.DIRECTORY, "") for name in ("é", "z", "Z", "a")).split(
            b"directory\0"
        )[1:]
    ]
    assert paths == [b"Z", b"a", b"z", "é".encode()]


def test_fields_cannot_flow_into_each_other() -> None:
    digests = {
        tree.digest_of(entries)
        for entries in (
            [Entry("a", Kind.SYMLINK, "b"), Entry("c", Kind.SYMLINK, "d")],
            [Entry("a", Kind.SYMLINK, "bsymlinkc"), Entry("", Kind.SYMLINK, "d")],
            [Entry("ab", Kind.SYMLINK, ""), Entry("c", Kind.SYMLINK, "d")],
            [Entry("a", Kind.SYMLINK, "b")],
        )
    }
    assert len(digests) == 4


@pytest.mark.fault("F09")
def test_a_fifo_is_refused(folder: Path) -> None:
    os.mkfifo(folder / "b" / "fifo")
    with pytest.raises(IntegrityError, match="neither a file") as fault:
        tree.digest(folder)
    assert fault.value.subject.endswith("b/fifo")


def test_a_name_that_is_not_utf_8_is_refused(folder: Path) -> None:
    (folder / os.fsdecode(b"\xff")).touch()
    with pytest.raises(IntegrityError, match="UTF-8"):
        tree.digest(folder)


def test_a_folder_that_is_not_there_is_a_fault_of_the_machine(tmp_path: Path) -> None:
    with pytest.raises(MachineError, match="cannot be read") as fault:
        tree.digest(tmp_path / "none")
    assert fault.value.subject.endswith("none")
