"""Tests of the store on machines that refuse: disks that are full, folders without rights, locks or room for names."""

from __future__ import annotations

import errno
import functools
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from build_config.errors import MachineError
from build_config.key import Key
from build_config.store import Store

Build = Callable[[Path], None]
Script = Callable[..., "subprocess.Popen[str]"]


@functools.cache
def why_no_mounts() -> str:
    """Why this user cannot mount a file system of its own; empty when it can."""
    if (program := shutil.which("unshare")) is None:
        return "needs the unshare program, to mount a small file system"
    tried = subprocess.run(
        [program, "-Urm", "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True, text=True, check=False
    )
    return f"cannot mount a small file system: {tried.stderr.strip()}" if tried.returncode else ""


@pytest.fixture
def on_tmpfs(tmp_path: Path, script: Script) -> Callable[..., str]:
    """Run a program that finds a file system of 1 MiB, mounted with the given options, at `sys.argv[1]`."""
    if reason := why_no_mounts():
        pytest.skip(reason)
    place = tmp_path / "small"
    place.mkdir()

    def run(text: str, options: str = "rw") -> str:
        mount = f'mount -t tmpfs -o size=1m,{options} tmpfs "$1" && shift && exec "$@"'
        prefix = ("unshare", "-Urm", "sh", "-c", mount, "sh", os.fspath(place))
        process = script(text, place, prefix=prefix)
        output, _ = process.communicate(timeout=30)
        assert process.returncode == 0, output
        return output

    return run


KEY_TEXT = 'key = Key.of("library", "s2n", [("a", "1")])\nroot = Path(sys.argv[1]) / "store"\ntold = []\n'
LEFT = "left = [str(p) for p in root.rglob('*') if p.parent.name in ('tmp', 'entries') or p.suffix == '.stage']\n"


@pytest.mark.fault("F13")
def test_a_disk_that_is_full_while_building_ends_with_the_remedy(on_tmpfs: Callable[..., str]) -> None:
    text = f"""
from build_config.errors import MachineError
{KEY_TEXT}
store = Store(root, warn=told.append)
try:
    store.get_or_build(key, lambda folder: (folder / "big").write_bytes(bytes(2 << 20)))
except MachineError as fault:
    print(fault.exit_code, fault)
assert store.find(key) is None
{LEFT}
assert not left, left
entry, built = store.get_or_build(key, lambda folder: (folder / "small").write_bytes(bytes(1000)))
assert built and entry.published and not told
"""
    output = on_tmpfs(text)
    assert output.startswith("3 ")
    assert "No space left on device" in output
    assert "store prune" in output


@pytest.mark.fault("F13")
def test_a_disk_that_is_full_while_storing_does_not_stop_the_build(on_tmpfs: Callable[..., str]) -> None:
    """The build fills the disk to the last byte with what it makes, so that the record beside it cannot be written."""
    text = f"""
from build_config.errors import MachineError
{KEY_TEXT}
store = Store(root, warn=told.append)
def build(folder):
    with (folder / "big").open("wb", buffering=0) as stream:
        try:
            while stream.write(bytes(4096)):
                pass
        except OSError as full:
            assert full.errno == 28
entry, built = store.get_or_build(key, build)
assert built and not entry.published
assert (entry.path / "big").stat().st_size > 500_000
assert store.find(key) == entry
assert store.get_or_build(key, None) == (entry, False)
assert not list(store.entries())
store.close()
assert not entry.path.exists()
try:
    print(store.find(key))
except MachineError as fault:
    assert "closed" in str(fault)
{LEFT}
assert not left, left
with Store(root) as again:
    assert again.find(key) is None
    assert again.get_or_build(key, lambda folder: (folder / "small").touch())[0].published
print(*told, sep=chr(10))
"""
    output = on_tmpfs(text)
    assert "library s2n is not stored: No space left on device" in output
    assert len(output.splitlines()) == 1


@pytest.mark.fault("F13")
def test_a_full_disk_still_serves_what_it_has(on_tmpfs: Callable[..., str]) -> None:
    text = f"""
{KEY_TEXT}
with Store(root) as store:
    made, _ = store.get_or_build(key, lambda folder: (folder / "small").write_bytes(bytes(1000)))
filler = (root.parent / "filler").open("wb", buffering=0)
try:
    while filler.write(bytes(4096)):
        pass
except OSError:
    pass
with Store(root, warn=told.append) as store:
    assert store.find(key) == made
print(len(told))
"""
    assert on_tmpfs(text).strip() == "0"


@pytest.mark.fault("F23")
def test_a_store_that_is_read_only_is_replaced_for_the_time_being(on_tmpfs: Callable[..., str]) -> None:
    text = f"""
{KEY_TEXT}
store = Store(root, warn=told.append)
entry, built = store.get_or_build(key, lambda folder: (folder / "small").write_bytes(bytes(1000)))
assert built and root not in entry.path.parents
assert store.find(key) == entry
store.close()
assert not entry.path.exists()
assert not root.exists()
print(*told, sep=chr(10))
"""
    output = on_tmpfs(text, options="ro")
    assert "nothing is kept for the next time: Read-only file system" in output
    assert len(output.splitlines()) == 1


@pytest.mark.fault("F23")
@pytest.mark.parametrize("place", ["a-file/store", "a-file"])
def test_a_store_that_cannot_be_made_is_replaced_for_the_time_being(
    tmp_path: Path, key: Key, build: Build, warnings: list[str], place: str
) -> None:
    (tmp_path / "a-file").write_text("in the way")
    with Store(tmp_path / place, warn=warnings.append) as store:
        entry, built_now = store.get_or_build(key, build)
        assert built_now
        assert store.find(key) == entry
        assert store.get_or_build(key, build) == (entry, False)
        with store.staging() as staged:
            assert tmp_path not in staged.parents
        assert list(store.entries()) == []
    assert not entry.path.exists()
    assert len(warnings) == 1
    assert "nothing is kept" in warnings[0]
    assert (tmp_path / "a-file").read_text() == "in the way"


@pytest.mark.fault("F23")
@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may write everywhere")
def test_a_store_without_rights_is_replaced_for_the_time_being(
    tmp_path: Path, key: Key, build: Build, warnings: list[str]
) -> None:
    with Store(tmp_path / "store") as store:
        store.get_or_build(key, build)
    for folder in ("tmp", "entries", "locks", "quarantine"):
        (tmp_path / "store" / "v1" / folder).chmod(0o555)
        with Store(tmp_path / "store", warn=warnings.append) as store:
            assert store.get_or_build(key, build)[1] or folder == "locks"
        (tmp_path / "store" / "v1" / folder).chmod(0o755)
    assert all("Permission denied" in text for text in warnings)
    assert len(warnings) == 4


@pytest.mark.fault("F23")
@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux for the path of a descriptor")
@pytest.mark.parametrize("code", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_replaced_for_the_time_being(
    tmp_path: Path, key: Key, build: Build, warnings: list[str], monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """No such file system is at hand, so the kernel's refusal is planted, for this folder alone."""
    fcntl = pytest.importorskip("fcntl")
    real = fcntl.flock

    def flock(descriptor: int, operation: int) -> None:
        if os.readlink(f"/proc/self/fd/{descriptor}").startswith(os.fspath(tmp_path / "store")):
            raise OSError(code, os.strerror(code))
        real(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", flock)
    with Store(tmp_path / "store", warn=warnings.append) as store:
        entry, _ = store.get_or_build(key, build)
        assert tmp_path not in entry.path.parents
    assert [text for text in warnings if os.strerror(code) in text] == warnings
    assert len(warnings) == 1


@pytest.mark.fault("F23")
def test_without_any_folder_to_write_to_the_fault_is_the_machines(
    tmp_path: Path, key: Key, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a-file").touch()
    monkeypatch.setattr("tempfile.tempdir", os.fspath(tmp_path / "a-file"))
    with Store(tmp_path / "a-file" / "store") as store, pytest.raises(MachineError, match="temporary folder"):
        store.find(key)


NAMES = [
    b"with blanks and ; and 'quotes' and \"more\"",
    b"line\nfeed and tab\t",
    b"not utf-8 \xff\xfe",
    b"\xc3\xa9 utf-8",
    b"percent %0A",
    b"-rf",
    b"x" * 255,
    b"CON",
    b"back\\slash",
]


def odd(folder: Path) -> None:
    for name in NAMES:
        place = os.path.join(os.fsencode(folder), name)
        os.mkdir(place)
        with open(os.path.join(place, name), "wb") as stream:
            stream.write(name)
        os.symlink(name, os.path.join(place, b"link to"))


@pytest.mark.fault("F28")
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux takes any bytes for a name")
@pytest.mark.parametrize("name", [b"plain", *NAMES], ids=repr)
def test_odd_names_work_inside_and_above(tmp_path: Path, key: Key, name: bytes) -> None:
    root = Path(os.fsdecode(os.path.join(os.fsencode(tmp_path), name)))
    with Store(root) as store:
        entry, _ = store.get_or_build(key, odd)
        assert entry.published
    with Store(root) as store:
        found = store.find(key)
        assert found == entry
        for inside in NAMES:
            assert Path(os.fsdecode(os.path.join(os.fsencode(found.path), inside, inside))).read_bytes() == inside
        assert store.verify() == ()
    with Store(root) as store:
        assert len(store.prune(keep_size=0)) == 1
        assert list((root / "v1" / "entries").rglob("*/files")) == []


def deep(length: int) -> Build:
    """A content whose longest relative path has this many characters."""

    def build(folder: Path) -> None:
        left = length
        while left > 201:
            folder /= "d" * 199
            left -= 200
        folder.mkdir(parents=True)
        (folder / ("f" * left)).write_text("deep")

    return build


@pytest.mark.fault("F28")
@pytest.mark.skipif(sys.platform != "linux", reason="limits differ")
class TestLongPaths:
    """A path that the system can name works; one that it cannot is refused for what it is."""

    def test_a_long_path_works(self, store: Store, key: Key) -> None:
        room = 4095 - len(os.fspath(store.root)) - len("/v1/entries/local/library//files/") - 32
        entry, _ = store.get_or_build(key, deep(room))
        assert entry.published
        assert store.find(key) == entry

    def test_a_path_that_could_be_built_but_not_read_is_not_published(
        self, store: Store, key: Key, warnings: list[str]
    ) -> None:
        room = 4095 - len(os.fspath(store.root)) - len("/v1/entries/local/library//files/") - 32
        entry, _ = store.get_or_build(key, deep(room + 1))
        assert not entry.published
        assert "File name too long" in warnings[0]
        assert list(store.entries()) == []

    @pytest.mark.parametrize("depth", [60, 3000])
    def test_a_path_that_cannot_be_named_is_refused_and_removed(
        self, store: Store, key: Key, leftovers: Callable[[Path], list[str]], depth: int
    ) -> None:
        name = "d" * (150 if depth < 1000 else 2)

        def build(folder: Path) -> None:
            descriptors = [os.open(folder, os.O_RDONLY)]
            for _ in range(depth):
                os.mkdir(name, dir_fd=descriptors[-1])
                descriptors.append(os.open(name, os.O_RDONLY, dir_fd=descriptors[-1]))
                os.close(descriptors.pop(0)) if len(descriptors) > 1 else None
            os.close(descriptors.pop())

        with pytest.raises(MachineError, match="File name too long"):
            store.get_or_build(key, build)
        assert leftovers(store.root) == []

    def test_a_root_that_is_too_long_is_replaced_for_the_time_being(
        self, tmp_path: Path, key: Key, build: Build, warnings: list[str]
    ) -> None:
        with Store(tmp_path / "/".join(["r" * 200] * 25), warn=warnings.append) as store:
            assert store.get_or_build(key, build)[1]
        assert "File name too long" in warnings[0]
