"""Whatever happens to a build, the next one gives the same bytes."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from build_config.store import Store
from tests.faults.conftest import Site
from tests.support import project as copies

Sites = Callable[..., Site]

KILLED_AFTER = (0.4, 1.5, 3.0, 5.0, 8.0, 12.0)
"""Seconds, from start-up over a library's build to compiling, packing and repairing the wheel."""


@pytest.fixture(scope="session")
def reference() -> bytes:
    """The wheel that the last `wheels` left in dist/."""
    (path,) = (path for path in (copies.ROOT / "dist").glob("*.whl") if "manylinux_2_17_" in path.name)
    return path.read_bytes()


def _same(wheel: bytes, reference: bytes) -> None:
    assert hashlib.sha256(wheel).hexdigest() == hashlib.sha256(reference).hexdigest()


def _entries(store: Path, kind: str) -> dict[str, Path]:
    with Store(store) as opened:
        return {info.name: info.path for info in opened.entries() if info.kind == kind}


def _flip(path: Path) -> None:
    """Turn over one bit in the middle of a file, as a failing disk would."""
    os.chmod(path, 0o644)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0x10
    path.write_bytes(data)


@pytest.mark.slow
@pytest.mark.fault("F14", "F17", "F32")
def test_a_build_killed_at_any_moment_is_made_good_by_the_next(site: Sites, reference: bytes) -> None:
    here = site("killed", without=("aws-c-compression", "aws-c-event-stream", "aws-c-s3"))
    for seconds in KILLED_AFTER:
        process = here.start()
        time.sleep(seconds)
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=60)
        if process.returncode == 0:
            break
        assert not list((here.project / "dist").glob("*.whl")), "killed, and yet there is a wheel under its final name"
    _same(here.build(), reference)
    with Store(here.store) as store:
        assert store.verify() == ()
        assert list(store.quarantined()) == []


@pytest.mark.slow
@pytest.mark.fault("F32")
def test_an_interrupted_build_says_so_and_leaves_nothing_behind(site: Sites, reference: bytes) -> None:
    here = site("interrupted", without=("aws-c-compression",))
    process = here.start()
    time.sleep(6)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130, output.decode(errors="replace")
    assert b"Traceback" not in output
    assert b"interrupted" in output
    _same(here.build(), reference)


@pytest.mark.slow
@pytest.mark.fault("F18")
def test_a_flipped_bit_in_a_library_is_found_and_the_library_made_again(site: Sites, reference: bytes) -> None:
    here = site("flipped")
    library = _entries(here.store, "library")["aws-c-compression"]
    _flip(next(iter(sorted(library.rglob("*.a")))))
    _same(here.build(), reference)
    with Store(here.store) as store:
        assert [info.name for info in store.quarantined()] == ["aws-c-compression"]
        assert store.verify() == ()


@pytest.mark.slow
@pytest.mark.fault("F18")
def test_a_flipped_bit_in_a_stored_wheel_is_never_served(site: Sites, reference: bytes) -> None:
    here = site("wheel")
    here.build()
    _flip(next(iter(sorted(_entries(here.store, "wheel")["awscrt"].rglob("*.whl")))))
    _same(here.build(), reference)


@pytest.mark.slow
@pytest.mark.fault("F16")
def test_two_builds_at_once_both_end_well(site: Sites, reference: bytes) -> None:
    one = site("one", without=("aws-c-compression", "aws-c-s3"))
    other = Site(copies.copy(one.project.parent / "other"), one.store)
    processes = [one.start(), other.start()]
    outputs = [process.communicate(timeout=900)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outputs
    _same(one.wheel(), reference)
    _same(other.wheel(), reference)
    assert len([name for name in _entries(one.store, "library") if name == "aws-c-s3"]) == 1


@pytest.mark.slow
def test_two_builds_in_different_folders_give_the_same_bytes(site: Sites, reference: bytes) -> None:
    far = site("a-folder-with-a-rather-longer-name-than-the-other-one-has", libraries=False)
    spaced = Site(copies.copy(far.project.parent / "and a name with spaces"), far.store)
    _same(far.build(), reference)
    for entry in _entries(far.store, "wheel").values():
        shutil.rmtree(entry)
    _same(spaced.build(), reference)
