"""Tests of finding and publishing: what is published is found as it was, and only that."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from build_config.errors import BuildError, MachineError, UsageError
from build_config.key import Key
from build_config.store import Store

Build = Callable[[Path], None]


def seen(folder: Path) -> dict[str, tuple[str, bytes]]:
    """Every path below a folder with its mode and content."""
    found = {}
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        data = os.readlink(path).encode() if path.is_symlink() else path.read_bytes() if path.is_file() else b""
        found[path.relative_to(folder).as_posix()] = (stat.filemode(status.st_mode), data)
    return found


def test_a_key_that_nobody_built_is_not_found(store: Store, key: Key) -> None:
    assert store.find(key) is None


def test_what_is_built_is_found_as_it_was_with_its_files_read_only(store: Store, key: Key, build: Build) -> None:
    made, built_now = store.get_or_build(key, build)
    found = store.find(key)
    assert built_now
    assert found == made
    assert made.published
    assert made.rival is None
    assert seen(made.path) == {
        "bin": ("drwxr-xr-x", b""),
        "bin/tool": ("-r-xr-xr-x", b"#!/bin/sh\n"),
        "empty": ("drwxr-xr-x", b""),
        "include": ("drwxr-xr-x", b""),
        "include/s2n.h": ("-r--r--r--", b"int s2n_init(void);\n"),
        "lib": ("drwxr-xr-x", b""),
        "lib/libs2n.a": ("-r--r--r--", bytes(range(256)) * 8),
        "lib/libs2n.so": ("lrwxrwxrwx", b"libs2n.a"),
    }


def test_a_second_store_object_finds_it_and_does_not_build(tmp_path: Path, key: Key, build: Build) -> None:
    with Store(tmp_path) as first:
        made, _ = first.get_or_build(key, build)
    with Store(tmp_path) as second:
        again, built_now = second.get_or_build(key, lambda _: pytest.fail("built again"))
    assert (again, built_now) == (made, False)


def test_another_key_is_another_entry(store: Store, key: Key, build: Build) -> None:
    store.get_or_build(key, build)
    assert store.find(Key.of(key.kind, key.name, [("compiler", "gcc")])) is None


def test_the_digest_depends_on_nothing_but_the_content(tmp_path: Path, key: Key, build: Build) -> None:
    def elsewhere(folder: Path) -> None:
        umask = os.umask(0o077)
        try:
            build(folder)
        finally:
            os.umask(umask)
        os.utime(folder / "include" / "s2n.h", (1, 1))

    with Store(tmp_path / "one") as one, Store(tmp_path / "two") as two:
        assert one.get_or_build(key, build)[0].digest == two.get_or_build(key, elsewhere)[0].digest


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "lib" / "libs2n.a").write_bytes(b""),
        lambda folder: (folder / "bin" / "tool").chmod(0o644),
        lambda folder: (folder / "empty").rmdir(),
        lambda folder: (folder / "empty" / "more").touch(),
        lambda folder: (folder / "include" / "s2n.h").rename(folder / "include" / "s3n.h"),
        lambda folder: ((folder / "lib/libs2n.so").unlink(), (folder / "lib/libs2n.so").symlink_to("./libs2n.a")),
    ],
    ids=["bytes", "mode", "folder gone", "file more", "name", "link"],
)
def test_every_part_of_the_content_is_in_the_digest(
    tmp_path: Path, key: Key, build: Build, change: Callable[[Path], object]
) -> None:
    def other(folder: Path) -> None:
        build(folder)
        change(folder)

    with Store(tmp_path / "one") as one, Store(tmp_path / "two") as two:
        assert one.get_or_build(key, build)[0].digest != two.get_or_build(key, other)[0].digest


def test_a_build_that_fails_leaves_nothing(store: Store, key: Key, leftovers: Callable[[Path], list[str]]) -> None:
    def fail(folder: Path) -> None:
        (folder / "half").write_text("half")
        raise BuildError("planted")

    with pytest.raises(BuildError, match="planted"):
        store.get_or_build(key, fail)
    assert store.find(key) is None
    assert leftovers(store.root) == []


def test_staging_that_is_not_published_is_gone(store: Store, build: Build) -> None:
    with store.staging() as staged:
        assert list(staged.iterdir()) == []
        build(staged)
    assert not staged.exists()


def test_only_a_staged_folder_can_be_published(store: Store, key: Key, tmp_path: Path) -> None:
    folder = tmp_path / "own" / "files"
    folder.mkdir(parents=True)
    with pytest.raises(ValueError, match="gave out"):
        store.publish(key, folder)
    assert list(folder.parent.iterdir()) == [folder]


@pytest.mark.fault("F16")
def test_the_first_to_publish_wins_and_the_same_content_is_no_rival(store: Store, key: Key, build: Build) -> None:
    with store.staging() as one, store.staging() as two:
        build(one)
        build(two)
        first, second = store.publish(key, one), store.publish(key, two)
    assert first == second
    assert store.find(key) == first


@pytest.mark.fault("F16")
def test_a_different_content_for_the_same_key_is_told(store: Store, key: Key, build: Build) -> None:
    with store.staging() as one, store.staging() as two:
        build(one)
        (two / "other").touch()
        first, second = store.publish(key, one), store.publish(key, two)
    assert second.digest == first.digest
    assert second.rival not in {None, first.digest}
    assert seen(second.path).keys() == seen(first.path).keys()


@pytest.mark.fault("F16")
def test_threads_that_want_the_same_key_build_it_once(store: Store, key: Key, build: Build) -> None:
    builds: list[str] = []
    results = []
    barrier = threading.Barrier(8)

    def slow(folder: Path) -> None:
        builds.append(threading.current_thread().name)
        build(folder)

    def work() -> None:
        barrier.wait()
        results.append(store.get_or_build(key, slow))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(builds) == 1
    assert len({entry for entry, _ in results}) == 1
    assert [built for _, built in results].count(True) == 1


def test_closing_ends_the_waiting_of_another_thread(tmp_path: Path, key: Key, build: Build) -> None:
    building, go = threading.Event(), threading.Event()
    faults: list[BaseException] = []
    holder, waiter = Store(tmp_path), Store(tmp_path, warn=lambda _: None)

    def slow(folder: Path) -> None:
        building.set()
        go.wait(30)
        build(folder)

    def wait() -> None:
        try:
            waiter.get_or_build(key, build)
        except MachineError as fault:
            faults.append(fault)

    first = threading.Thread(target=holder.get_or_build, args=(key, slow))
    first.start()
    assert building.wait(30)
    second = threading.Thread(target=wait)
    second.start()
    waiter.close()
    second.join(30)
    assert [str(fault) for fault in faults if "closed" in str(fault)]
    go.set()
    first.join(30)
    assert holder.find(key)
    holder.close()


def test_a_closed_store_says_so(store: Store, key: Key, build: Build) -> None:
    store.get_or_build(key, build)
    store.close()
    with pytest.raises(MachineError, match="closed"):
        store.find(key)


@pytest.mark.parametrize("target", ["/etc/passwd", "../../outside", "lib/../../outside"])
def test_a_link_that_leads_outside_is_refused(store: Store, key: Key, build: Build, target: str) -> None:
    def linked(folder: Path) -> None:
        build(folder)
        (folder / "way-out").symlink_to(target)

    with pytest.raises(BuildError, match="outside of what is stored"):
        store.get_or_build(key, linked)
    assert store.find(key) is None


def test_a_link_to_where_the_folder_was_made_is_refused(store: Store, key: Key, build: Build) -> None:
    def linked(folder: Path) -> None:
        build(folder)
        (folder / "absolute").symlink_to(folder / "bin" / "tool")

    with pytest.raises(BuildError, match="outside of what is stored"):
        store.get_or_build(key, linked)


def test_what_its_owner_may_not_even_read_is_stored(store: Store, key: Key, build: Build) -> None:
    def closed(folder: Path) -> None:
        build(folder)
        (folder / "lib" / "libs2n.a").chmod(0)
        (folder / "lib").chmod(0)

    entry, _ = store.get_or_build(key, closed)
    assert store.find(key) == entry
    assert (entry.path / "lib" / "libs2n.a").stat().st_mode & 0o777 == 0o444


def test_two_may_read_at_once(store: Store, key: Key, build: Build) -> None:
    store.get_or_build(key, build)
    with Store(store.root) as other:
        assert other.find(key) == store.find(key)


def test_a_pipe_is_refused(store: Store, key: Key) -> None:
    with pytest.raises(BuildError, match="neither a file"):
        store.get_or_build(key, lambda folder: os.mkfifo(folder / "pipe"))


def test_a_file_that_has_another_name_outside_is_copied(store: Store, key: Key, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("as built")
    mode = outside.stat().st_mode
    entry, _ = store.get_or_build(key, lambda folder: os.link(outside, folder / "inside"))
    outside.write_text("changed")
    assert outside.stat().st_mode == mode
    assert (entry.path / "inside").read_text() == "as built"
    assert store.find(key) == entry


@pytest.mark.fault("F15")
def test_everything_is_on_the_disk_before_the_entry_is_visible(
    store: Store, key: Key, build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: set[tuple[int, int]] = set()
    before: list[set[tuple[int, int]]] = []
    fsync, rename = os.fsync, Path.rename

    def note_flush(descriptor: int) -> None:
        fsync(descriptor)
        status = os.fstat(descriptor)
        flushed.add((status.st_dev, status.st_ino))

    def note_rename(path: Path, target: Path) -> Path:
        before.append(set(flushed))
        return rename(path, target)

    monkeypatch.setattr(os, "fsync", note_flush)
    monkeypatch.setattr(Path, "rename", note_rename)
    entry, _ = store.get_or_build(key, build)
    whole = entry.path.parent
    parts = [whole, *(path for path in whole.rglob("*") if not path.is_symlink())]
    assert len(parts) == 11
    assert len(before) == 1
    assert {(path.stat().st_dev, path.stat().st_ino) for path in parts} <= before[0]
    assert (whole.parent.stat().st_dev, whole.parent.stat().st_ino) in flushed - before[0]


@pytest.mark.fault("F22")
class TestOrigins:
    """Entries of one origin are not read by a store that does not accept it."""

    def test_an_entry_of_an_untrusted_job_is_not_read(self, tmp_path: Path, key: Key, build: Build) -> None:
        def forged(folder: Path) -> None:
            (folder / "libs2n.a").write_text("forged")

        with Store(tmp_path, origin="untrusted") as job:
            job.get_or_build(key, forged)
        with Store(tmp_path, origin="release", accept=frozenset({"release", "ci"})) as release:
            assert release.find(key) is None
            assert release.explain(key).state == "unaccepted"
            entry, built_now = release.get_or_build(key, build)
            assert built_now
            assert not (entry.path / "libs2n.a").exists()
            assert release.find(key) == entry

    def test_an_accepted_origin_is_read(self, tmp_path: Path, key: Key, build: Build) -> None:
        with Store(tmp_path, origin="ci") as job:
            job.get_or_build(key, build)
        with Store(tmp_path, origin="release", accept=frozenset({"release", "ci"})) as release:
            entry = release.find(key)
            assert entry is not None
            assert entry.origin == "ci"
            assert release.verify() == ()

    def test_what_we_made_ourselves_comes_first(self, tmp_path: Path, key: Key, build: Build) -> None:
        for origin in ("a", "m", "z"):
            with Store(tmp_path, origin=origin, accept=frozenset({origin})) as job:
                job.get_or_build(key, build)
        with Store(tmp_path, origin="m") as own:
            found = own.find(key)
            assert found is not None
            assert found.origin == "m"

    def test_an_entry_moved_among_those_of_another_origin_is_bad(
        self, tmp_path: Path, key: Key, build: Build, warnings: list[str]
    ) -> None:
        with Store(tmp_path, origin="untrusted") as job:
            job.get_or_build(key, build)
        (tmp_path / "v1" / "entries" / "untrusted").rename(tmp_path / "v1" / "entries" / "ci")
        with Store(tmp_path, accept=frozenset({"ci"}), warn=warnings.append) as release:
            assert release.find(key) is None
        assert "published by untrusted" in warnings[0]

    @pytest.mark.parametrize("origin", ["", "..", "a/b", "A"])
    def test_an_origin_that_cannot_be_a_folder_is_refused(self, tmp_path: Path, origin: str) -> None:
        with pytest.raises(UsageError, match="not a name of an origin"):
            Store(tmp_path, origin=origin)
