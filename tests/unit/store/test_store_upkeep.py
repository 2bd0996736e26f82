"""Tests of looking after a store: listing, explaining, pruning, and clocks that are wrong."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from build_config.errors import UsageError
from build_config.key import Difference, Key
from build_config.store import State, Store

Build = Callable[[Path], None]
HOUR = 3600.0


def sized(size: int) -> Build:
    def build(folder: Path) -> None:
        (folder / "data").write_bytes(bytes(size))

    return build


def library(name: str, **fields: str) -> Key:
    return Key.of("library", name, fields.items())


def fill(root: Path, ages: dict[str, float], size: int = 1000) -> None:
    """An entry for each name, last used so many seconds ago."""
    with Store(root) as store:
        for name, age in ages.items():
            entry, _ = store.get_or_build(library(name), sized(size))
            used = time.time() - age
            os.utime(entry.path.parent / "record", (used, used))


def names(store: Store) -> list[str]:
    return sorted(info.name for info in store.entries())


def test_a_store_that_does_not_exist_is_empty_and_not_made(tmp_path: Path, key: Key) -> None:
    store = Store(tmp_path / "store")
    assert [*store.entries(), *store.quarantined()] == []
    assert [*store.verify(), *store.sweep(), *store.prune(keep_size=0)] == []
    assert store.explain(key).state is State.MISS
    assert not store.root.exists()


def test_entries_tell_what_there_is(store: Store, key: Key, build: Build) -> None:
    before = time.time()
    entry, _ = store.get_or_build(key, build)
    (info,) = store.entries()
    assert (info.kind, info.name, info.origin, info.key, info.reason) == ("library", "s2n", "local", key, "")
    assert info.digest == entry.digest
    assert info.path == entry.path.parent
    assert info.size == sum(
        path.stat().st_size for path in entry.path.rglob("*") if path.is_file() and not path.is_symlink()
    )
    assert before - 1 <= info.created <= time.time() + 1
    assert before - 1 <= info.used <= time.time() + 1


def test_an_entry_whose_record_is_lost_is_listed_with_the_reason_and_pruned(
    tmp_path: Path, key: Key, build: Build
) -> None:
    with Store(tmp_path) as store:
        entry, _ = store.get_or_build(key, build)
    (entry.path.parent / "record").write_text("lost")
    store = Store(tmp_path)
    (info,) = store.entries()
    assert info.key is None
    assert info.reason == "its record is damaged"
    assert info.size > 2000
    assert store.prune(keep_size=0) == (info,)
    assert list(store.entries()) == []


def test_finding_an_entry_counts_as_use(tmp_path: Path) -> None:
    fill(tmp_path, {"old": 5 * HOUR})
    with Store(tmp_path) as store:
        assert store.find(library("old")) is not None
        (info,) = store.entries()
        assert time.time() - info.used < HOUR


class TestExplain:
    """Why a key is found or not."""

    def test_a_hit(self, store: Store, key: Key, build: Build) -> None:
        store.get_or_build(key, build)
        assert store.explain(key).state is State.HIT

    @pytest.mark.fault("F21")
    def test_a_miss_names_the_fields_that_differ_from_the_nearest(self, store: Store, build: Build) -> None:
        old = library("s2n", compiler="gcc 12.2.0", floor="2.17")
        store.get_or_build(old, build)
        store.get_or_build(library("s2n", compiler="gcc 11.0.0", floor="2.28"), build)
        store.get_or_build(library("aws-lc", compiler="gcc 13.1.0", floor="2.17"), build)
        explained = store.explain(library("s2n", compiler="gcc 13.1.0", floor="2.17"))
        assert explained.state is State.MISS
        assert explained.nearest == old
        assert explained.differences == (Difference("compiler", "gcc 13.1.0", "gcc 12.2.0"),)

    def test_a_miss_of_something_new_has_no_nearest(self, store: Store, build: Build) -> None:
        store.get_or_build(library("aws-lc"), build)
        explained = store.explain(library("s2n"))
        assert (explained.state, explained.nearest, explained.differences) == (State.MISS, None, ())

    def test_explaining_changes_nothing(self, store: Store, key: Key, build: Build) -> None:
        entry, _ = store.get_or_build(key, build)
        (entry.path.parent / "more").touch()
        assert store.explain(key).state is State.BAD
        assert store.explain(key).state is State.BAD
        assert "more" in store.explain(key).reason
        assert store.explain(key).nearest is None
        assert list(store.quarantined()) == []


class TestPrune:
    """What goes, and what stays."""

    def test_by_age(self, tmp_path: Path) -> None:
        fill(tmp_path, {"young": HOUR, "old": 3 * HOUR, "older": 4 * HOUR})
        store = Store(tmp_path)
        assert [info.name for info in store.prune(older_than=timedelta(hours=2))] == ["older", "old"]
        assert names(store) == ["young"]

    def test_by_size_the_longest_unused_goes_first(self, tmp_path: Path) -> None:
        fill(tmp_path, {"young": HOUR, "old": 3 * HOUR, "older": 4 * HOUR})
        store = Store(tmp_path)
        assert [info.name for info in store.prune(keep_size=2000)] == ["older"]
        assert store.prune(keep_size=2000) == ()
        assert names(store) == ["old", "young"]

    def test_by_both(self, tmp_path: Path) -> None:
        fill(tmp_path, {"young": HOUR, "old": 3 * HOUR, "older": 4 * HOUR})
        store = Store(tmp_path)
        gone = store.prune(older_than=timedelta(hours=3.5), keep_size=1000)
        assert [info.name for info in gone] == ["older", "old"]

    def test_a_dry_run_only_tells(self, tmp_path: Path) -> None:
        fill(tmp_path, {"young": HOUR, "old": 3 * HOUR})
        store = Store(tmp_path)
        would = store.prune(keep_size=1000, dry_run=True)
        assert [info.name for info in would] == ["old"]
        assert names(store) == ["old", "young"]
        assert store.prune(keep_size=1000) == would

    def test_nothing_is_left_on_the_disk(self, tmp_path: Path, build: Build, key: Key) -> None:
        with Store(tmp_path) as store:
            store.get_or_build(key, build)
        Store(tmp_path).prune(keep_size=0)
        assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == ["probe", "removing"]

    def test_the_quarantine_goes_first(self, tmp_path: Path, key: Key, build: Build) -> None:
        fill(tmp_path, {"old": 5 * HOUR})
        with Store(tmp_path, warn=lambda _: None) as store:
            entry, _ = store.get_or_build(key, build)
            (entry.path.parent / "more").touch()
            assert store.find(key) is None
        store = Store(tmp_path)
        assert [info.name for info in store.prune(keep_size=1000)] == ["s2n"]
        assert names(store) == ["old"]
        assert list(store.quarantined()) == []

    def test_what_is_in_use_stays_until_the_store_is_closed(self, store: Store, key: Key, build: Build) -> None:
        entry, _ = store.get_or_build(key, build)
        other = Store(store.root)
        assert other.prune(keep_size=0) == ()
        assert (entry.path / "bin" / "tool").exists()
        store.close()
        assert [info.key for info in other.prune(keep_size=0)] == [key]

    def test_without_a_limit_nothing_is_done(self, store: Store) -> None:
        with pytest.raises(UsageError, match="what may go"):
            store.prune()


@pytest.mark.fault("F24")
class TestClocks:
    """A clock that is wrong decides nothing but the order in which entries are pruned."""

    @pytest.mark.parametrize("skew", [-50 * 365 * 24 * HOUR, -HOUR, HOUR, 50 * 365 * 24 * HOUR])
    def test_an_entry_made_by_another_clock_is_served_as_it_is(
        self, tmp_path: Path, key: Key, build: Build, monkeypatch: pytest.MonkeyPatch, skew: float
    ) -> None:
        real = time.time
        with monkeypatch.context() as patched:
            patched.setattr(time, "time", lambda: real() + skew)
            with Store(tmp_path) as store:
                made, _ = store.get_or_build(key, build)
        for path in (made.path.parent / "record", made.path / "bin" / "tool", made.path):
            os.utime(path, (real() + skew, real() + skew))
        with Store(tmp_path) as store:
            assert store.find(key) == made
            assert store.verify() == ()

    def test_what_was_used_in_the_future_is_not_old(self, tmp_path: Path) -> None:
        fill(tmp_path, {"future": -9 * HOUR, "old": 9 * HOUR})
        store = Store(tmp_path)
        assert [info.name for info in store.prune(older_than=timedelta(hours=1))] == ["old"]

    def test_leftovers_are_swept_whatever_their_age(self, tmp_path: Path) -> None:
        store = Store(tmp_path)
        assert store.find(library("s2n")) is None
        for age in (-9 * HOUR, 9 * HOUR):
            left = tmp_path / "v1" / "tmp" / f"left{age:+.0f}"
            left.mkdir()
            os.utime(left, (time.time() - age,) * 2)
        assert len(store.sweep()) == 2
        assert list((tmp_path / "v1" / "tmp").iterdir()) == []
