"""Tests of damaged entries: each is put into quarantine and built anew, none is served."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from build_config.key import Key
from build_config.store import Entry, Store, record
from build_config.store.home import Home

pytestmark = pytest.mark.fault("F18")

Build = Callable[[Path], None]
OTHER = Key.of("library", "s2n", [("compiler", "gcc 13"), ("floor", "2.17")])

FILES = ("files/bin/tool", "files/include/s2n.h", "files/lib/libs2n.a", "manifest", "record")


@pytest.fixture
def entry(store: Store, key: Key, build: Build) -> Entry:
    made, _ = store.get_or_build(key, build)
    return made


def rewrite(path: Path, data: bytes) -> None:
    """Change a file as a bad disk would: nothing else about it changes."""
    mode = path.stat().st_mode
    path.chmod(0o644)
    path.write_bytes(data)
    path.chmod(mode)


def assert_replaced(store: Store, key: Key, entry: Entry, build: Build) -> None:
    """The bad entry is not served, is in quarantine, and the next build gives the same bytes."""
    before = len(list(store.quarantined()))
    assert store.find(key) is None
    assert len(list(store.quarantined())) == before + 1
    again, built_now = store.get_or_build(key, build)
    assert built_now
    assert again == entry
    assert store.find(key) == entry


@given(part=st.sampled_from(FILES), position=st.integers(0, 2**32))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_flipped_bit_is_seen(part: str, position: int, store: Store, key: Key, build: Build) -> None:
    entry, _ = store.get_or_build(key, build)
    path = entry.path.parent / part
    content = bytearray(path.read_bytes())
    bit = position % (len(content) * 8)
    content[bit // 8] ^= 1 << bit % 8
    rewrite(path, bytes(content))
    assert_replaced(store, key, entry, build)


def test_every_flipped_bit_of_a_record_is_seen(entry: Entry, key: Key) -> None:
    whole = entry.path.parent
    record.verify(whole, key=key, origin="local")
    good = (whole / "record").read_bytes()
    for bit in range(len(good) * 8):
        flipped = bytearray(good)
        flipped[bit // 8] ^= 1 << bit % 8
        (whole / "record").write_bytes(flipped)
        with pytest.raises(record.BadEntryError):
            record.verify(whole, key=key, origin="local")


def test_an_entry_is_good_for_its_own_key_only(entry: Entry, key: Key) -> None:
    """Even where a folder's shortened name is the right one."""
    assert record.verify(entry.path.parent, key=key, origin="local")[1] == key
    with pytest.raises(record.BadEntryError, match="another key"):
        record.verify(entry.path.parent, key=OTHER, origin="local")


@pytest.mark.parametrize("part", FILES)
def test_a_file_that_grew_is_seen(store: Store, key: Key, entry: Entry, build: Build, part: str) -> None:
    path = entry.path.parent / part
    rewrite(path, path.read_bytes() + b"x")
    assert_replaced(store, key, entry, build)


@pytest.mark.parametrize("part", FILES)
@pytest.mark.parametrize("keep", [0, 0.5, -1])
def test_a_file_cut_short_is_seen(store: Store, key: Key, entry: Entry, build: Build, part: str, keep: float) -> None:
    path = entry.path.parent / part
    content = path.read_bytes()
    rewrite(path, content[: -1 if keep < 0 else int(len(content) * keep)])
    assert_replaced(store, key, entry, build)


def swapped_files(whole: Path) -> None:
    one, two = whole / "files" / "include" / "s2n.h", whole / "files" / "bin" / "tool"
    first, second = one.read_bytes(), two.read_bytes()
    rewrite(one, second)
    rewrite(two, first)


def file_gone(whole: Path) -> None:
    (whole / "files" / "include" / "s2n.h").unlink()


def file_added(whole: Path) -> None:
    (whole / "files" / "empty" / "more").touch(mode=0o444)


def mode_changed(whole: Path) -> None:
    (whole / "files" / "include" / "s2n.h").chmod(0o644)


def folder_mode_changed(whole: Path) -> None:
    (whole / "files" / "include").chmod(0o700)


def unreadable(whole: Path) -> None:
    (whole / "files" / "include" / "s2n.h").chmod(0)


def link_changed(whole: Path) -> None:
    link = whole / "files" / "lib" / "libs2n.so"
    link.unlink()
    link.symlink_to("../include/s2n.h")


def file_became_link(whole: Path) -> None:
    path = whole / "files" / "include" / "s2n.h"
    same = whole.parent / "same.h"
    path.rename(same)
    path.symlink_to(same)


def file_became_pipe(whole: Path) -> None:
    path = whole / "files" / "include" / "s2n.h"
    path.unlink()
    os.mkfifo(path, 0o444)


def no_record(whole: Path) -> None:
    (whole / "record").unlink()


def no_manifest(whole: Path) -> None:
    (whole / "manifest").unlink()


def no_files(whole: Path) -> None:
    (whole / "files").rename(whole.parent / "away")


def a_part_more(whole: Path) -> None:
    (whole / "more").touch()


def record_is_a_folder(whole: Path) -> None:
    (whole / "record").unlink()
    (whole / "record").mkdir()


def entry_is_a_file(whole: Path) -> None:
    whole.rename(whole.parent / "away")
    whole.write_text("not a folder")


def entry_is_a_link(whole: Path) -> None:
    whole.rename(whole.parent / "away")
    whole.symlink_to("away")


def empty_entry(whole: Path) -> None:
    whole.rename(whole.parent / "away")
    whole.mkdir()


@pytest.mark.parametrize(
    "damage",
    [
        swapped_files,
        file_gone,
        file_added,
        mode_changed,
        folder_mode_changed,
        unreadable,
        link_changed,
        file_became_link,
        file_became_pipe,
        no_record,
        no_manifest,
        no_files,
        a_part_more,
        record_is_a_folder,
        entry_is_a_file,
        entry_is_a_link,
        empty_entry,
    ],
    ids=lambda damage: damage.__name__,
)
def test_each_damage_is_seen(
    store: Store, key: Key, entry: Entry, build: Build, damage: Callable[[Path], None]
) -> None:
    damage(entry.path.parent)
    assert store.explain(key).state == "bad"
    assert_replaced(store, key, entry, build)


class TestSwappedEntries:
    """An entry in the place of another is never taken for it, whole or in part."""

    @pytest.fixture
    def other(self, store: Store, build: Build) -> Path:
        """An entry whose files have the same names and sizes."""

        def different(folder: Path) -> None:
            build(folder)
            (folder / "lib" / "libs2n.a").write_bytes(bytes(reversed((folder / "lib" / "libs2n.a").read_bytes())))

        made, _ = store.get_or_build(OTHER, different)
        return made.path.parent

    @pytest.mark.parametrize("how", ["find", "verify"])
    def test_whole(
        self, store: Store, key: Key, entry: Entry, other: Path, build: Build, how: str, warnings: list[str]
    ) -> None:
        whole = entry.path.parent
        whole.rename(whole.parent / "aside")
        other.rename(whole)
        (whole.parent / "aside").rename(other)
        if how == "verify":
            assert len(store.verify()) == 2
        assert store.find(OTHER) is None
        assert store.find(key) is None
        assert store.get_or_build(key, build) == (entry, True)
        assert len(list(store.quarantined())) == 2
        assert all("published for another key" in text for text in warnings)

    @pytest.mark.parametrize(
        "parts", [("files",), ("files", "manifest"), ("record",), ("manifest", "record"), ("manifest",)]
    )
    def test_in_part(
        self, store: Store, key: Key, entry: Entry, other: Path, build: Build, parts: tuple[str, ...]
    ) -> None:
        whole = entry.path.parent
        for part in parts:
            (whole / part).rename(whole.parent / part)
            (other / part).rename(whole / part)
        assert_replaced(store, key, entry, build)


def test_the_reason_names_the_files(store: Store, key: Key, entry: Entry, warnings: list[str]) -> None:
    rewrite(entry.path / "lib" / "libs2n.a", b"changed")
    file_added(entry.path.parent)
    file_gone(entry.path.parent)
    assert store.find(key) is None
    (info,) = store.quarantined()
    assert info.reason == "empty/more was added, include/s2n.h is missing, lib/libs2n.a differs"
    assert info.key == key
    assert info.reason in warnings[0]
    explanation = store.explain(key)
    assert (explanation.state, explanation.reason) == ("quarantined", info.reason)


def test_verify_finds_every_bad_entry_and_only_those(store: Store, key: Key, entry: Entry) -> None:
    store.get_or_build(OTHER, lambda folder: (folder / "other").touch())
    assert store.verify() == ()
    rewrite(entry.path / "lib" / "libs2n.a", b"changed")
    (finding,) = store.verify()
    assert finding.subject == str(entry.path.parent)
    assert finding.message == "lib/libs2n.a differs"
    assert finding.severity == "error"
    assert store.verify() == ()
    assert store.find(key) is None
    assert store.find(OTHER) is not None


def test_a_lost_reason_does_not_hide_what_is_in_quarantine(store: Store, key: Key, entry: Entry) -> None:
    rewrite(entry.path / "lib" / "libs2n.a", b"changed")
    assert store.find(key) is None
    (info,) = store.quarantined()
    (info.path / "reason").write_bytes(b"\xff")
    (again,) = store.quarantined()
    assert again.key == key
    assert "could not be written" in again.reason


def test_a_good_entry_is_not_put_away_for_the_bad_one_that_was_in_its_place(
    store: Store, key: Key, entry: Entry
) -> None:
    """Another process may replace the bad entry after it was judged and before it is moved."""
    whole = entry.path.parent
    judged = whole.lstat()
    good = shutil.copytree(whole, whole.parent / "good", symlinks=True)
    whole.rename(whole.parent / "bad")
    good.rename(whole)
    assert not Home(store.root).put_away(whole, judged, "judged before")
    assert list(store.quarantined()) == []
    assert store.find(key) == entry
