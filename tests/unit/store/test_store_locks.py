"""Tests of the locks that processes and threads share."""

from __future__ import annotations

import os
import threading
import uuid
from pathlib import Path

import pytest

from build_config.key import Key
from build_config.store import Store
from build_config.store.locks import acquire, try_acquire

pytestmark = pytest.mark.fault("F17")


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    return tmp_path / "lock"


@pytest.mark.parametrize(
    ("first", "second", "bear"),
    [("shared", "shared", "both"), ("shared", "alone", "one"), ("alone", "shared", "one"), ("alone", "alone", "one")],
)
def test_sharers_bear_each_other_and_nobody_else(lock: Path, first: str, second: str, bear: str) -> None:
    one = try_acquire(lock, shared=first == "shared")
    two = try_acquire(lock, shared=second == "shared")
    assert one is not None
    assert (two is not None) is (bear == "both")
    one.release()
    if two is not None:
        two.release()
    again = try_acquire(lock)
    assert again is not None
    again.release()


def test_a_lock_file_that_is_removed_before_it_is_locked_is_made_anew(
    lock: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its last holder removes it after we opened it: a lock of that file would exclude nobody."""
    real, opened = os.open, []

    def open_and_lose(path: Path, flags: int, mode: int = 0o777) -> int:
        descriptor = real(path, flags, mode)
        opened.append(descriptor)
        if len(opened) == 1:
            path.unlink()
        return descriptor

    monkeypatch.setattr(os, "open", open_and_lose)
    held = try_acquire(lock)
    assert held is not None
    assert len(opened) == 2
    assert os.path.samestat(os.fstat(held.descriptor), lock.stat())
    assert try_acquire(lock) is None
    held.release(remove=True)
    assert not lock.exists()


def test_one_at_a_time_however_often_the_lock_file_goes(lock: Path) -> None:
    inside: list[int] = []
    most: list[int] = []

    def work() -> None:
        for _ in range(20):
            held = acquire(lock)
            inside.append(1)
            most.append(len(inside))
            inside.pop()
            held.release(remove=True)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(most) == 80
    assert max(most) == 1
    assert not lock.exists()


def test_a_long_wait_is_told_once(lock: Path) -> None:
    told: list[str] = []
    held = acquire(lock)
    timer = threading.Timer(1, held.release)
    timer.start()
    acquire(lock, waiting=lambda: told.append("waiting")).release()
    timer.join()
    assert told == ["waiting"]


@pytest.mark.fault("F14")
def test_staging_waits_for_one_who_sweeps(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """One who sweeps holds the lock of a new folder for a moment, to see whether its maker is dead."""
    assert store.find(Key.of("library", "s2n", ())) is None
    name = uuid.UUID(int=14)
    monkeypatch.setattr(uuid, "uuid4", lambda: name)
    held = acquire(store.root / "v1" / "locks" / f"{name.hex}.stage")
    timer = threading.Timer(0.2, held.release, kwargs={"remove": True})
    timer.start()
    with store.staging() as staged:
        assert staged.parent.name == name.hex
        assert Store(store.root).sweep() == ()
    timer.join()
