"""Owns the tests of wheel files: what is refused when they are read, and that writing them is repeatable."""

from __future__ import annotations

import stat
import subprocess
import sys
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from build_config.errors import VerifyError
from build_config.wheel import Member, inspect, read, retagged, write
from build_config.wheel_zip import MAX_TOTAL, members
from tests.support.wheels import DIST_INFO, NAME, contents, sound
from tests.support.wheels import members as listed

EPOCH = 1_700_000_000


@pytest.fixture(scope="module")
def sound_bytes(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return sound(tmp_path_factory.mktemp("wheel")).read_bytes()


def rules(path: Path) -> set[str]:
    return {fault.rule for fault in inspect(path)[1]}


def entry(name: str, mode: int = stat.S_IFREG | 0o644) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    info.create_system = 3
    return info


def planted(folder: Path, *entries: tuple[zipfile.ZipInfo, bytes]) -> Path:
    """A sound wheel with more entries put behind its own."""
    path = sound(folder)
    with zipfile.ZipFile(path, "a") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # zipfile says that a name is there twice, which is the point
        for info, data in entries:
            archive.writestr(info, data)
    return path


def test_a_sound_wheel_is_read_whole(tmp_path: Path) -> None:
    wheel, faults = inspect(sound(tmp_path))
    assert faults == ()
    assert wheel is not None
    files = {member.name: member.data for member in wheel.members}
    assert files.pop(f"{DIST_INFO}/RECORD")
    assert files == contents()
    assert wheel.version == "1.0"
    assert wheel.dist_info == DIST_INFO
    assert wheel.packages == ("thing",)
    assert wheel.platforms == {"manylinux_2_17_x86_64", "manylinux2014_x86_64"}
    assert wheel.headers("METADATA")["Name"] == "thing"
    assert wheel.headers("NOTHING")["Name"] is None


@pytest.mark.fault("F36")
@pytest.mark.parametrize(
    "name",
    [
        "../evil.py",
        "thing/../../evil.py",
        "/etc/evil.py",
        "C:/evil.py",
        "thing\\evil.py",
        "thing//evil.py",
        "./evil.py",
        "a\nb",
    ],
)
def test_an_entry_that_leaves_the_folder_is_a_fault(tmp_path: Path, name: str) -> None:
    assert rules(planted(tmp_path, (entry(name), b"x"))) == {"wheel-entry-path"}


@pytest.mark.fault("F34")
@pytest.mark.parametrize("name", ["thing/__init__.py", "thing/__INIT__.py", "thing/__init__.py/x"])
def test_two_entries_for_one_path_are_a_fault(tmp_path: Path, name: str) -> None:
    assert rules(planted(tmp_path, (entry(name), b"evil"))) == {"wheel-duplicate-entry"}


@pytest.mark.parametrize("mode", [stat.S_IFLNK | 0o777, stat.S_IFIFO | 0o644, stat.S_IFREG | stat.S_ISUID | 0o755])
def test_an_entry_that_is_no_plain_file_is_a_fault(tmp_path: Path, mode: int) -> None:
    assert rules(planted(tmp_path, (entry("thing/odd", mode), b"/etc/passwd"))) == {"wheel-entry-type"}


def test_folders_are_no_files(tmp_path: Path) -> None:
    path = planted(tmp_path, (entry("thing/data/", stat.S_IFDIR | 0o755), b""))
    assert rules(path) == set()
    assert "thing/data/" not in {member.name for member in read(path).members}
    assert rules(planted(tmp_path / "b", (entry("thing/data/", stat.S_IFDIR | 0o755), b"x"))) == {"wheel-entry-type"}


def _local_header(data: bytearray, name: str) -> int:
    """Where the first local header of a name starts."""
    return data.index(name.encode()) - 30


def _grow(data: bytearray) -> None:
    data += b"more"


def _prepend(data: bytearray) -> None:
    data[:0] = b"PK more"


def _rename_locally(data: bytearray) -> None:
    position = data.index(b"thing/__init__.py")
    data[position : position + 5] = b"thang"


def _other_size_locally(data: bytearray) -> None:
    data[_local_header(data, "thing/__init__.py") + 22] ^= 1


def _other_checksum(data: bytearray) -> None:
    local = _local_header(data, "thing/__init__.py")
    central = data.rindex(b"thing/__init__.py") - 46
    data[local + 14] ^= 1
    data[central + 16] ^= 1


def _encrypted(data: bytearray) -> None:
    data[_local_header(data, "thing/__init__.py") + 6] |= 1
    data[data.rindex(b"thing/__init__.py") - 46 + 8] |= 1


def _cut(data: bytearray) -> None:
    del data[-100:]


def _hidden(data: bytearray) -> None:
    """Bytes between the last entry and the central directory, whose place is corrected."""
    start = int.from_bytes(data[-6:-2], "little")
    data[start:start] = b"hidden"
    data[-6:-2] = (start + 6).to_bytes(4, "little")


@pytest.mark.fault("F34")
@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (_grow, "wheel-malformed"),
        (_prepend, "wheel-malformed"),
        (_cut, "wheel-malformed"),
        (_other_checksum, "wheel-malformed"),
        (_encrypted, "wheel-malformed"),
        (_rename_locally, "wheel-header-mismatch"),
        (_other_size_locally, "wheel-header-mismatch"),
        (_hidden, "wheel-hidden-data"),
    ],
)
def test_an_archive_that_can_be_read_in_two_ways_is_a_fault(
    tmp_path: Path, change: Callable[[bytearray], None], rule: str
) -> None:
    path = sound(tmp_path)
    data = bytearray(path.read_bytes())
    change(data)
    path.write_bytes(data)
    assert rule in rules(path)
    with pytest.raises(VerifyError, match=rule):
        read(path)


def test_what_streams_write_is_read(tmp_path: Path) -> None:
    path = tmp_path / NAME

    class Unseekable:
        def __init__(self) -> None:
            self.stream = path.open("wb")

        def write(self, data: bytes) -> int:
            return self.stream.write(data)

        def flush(self) -> None:
            self.stream.flush()

    target = Unseekable()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:  # type: ignore[call-overload]
        for name, data in contents().items():
            archive.writestr(name, data)
    target.stream.close()
    assert rules(path) == set()
    assert {member.name: member.data for member in read(path).members} == contents()


@pytest.mark.fault("F40")
def test_an_archive_bomb_is_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / NAME
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("thing/zeros", "w") as stream:
        block = bytes(1 << 20)
        for _ in range((MAX_TOTAL >> 20) + 1):
            stream.write(block)
    assert path.stat().st_size < 1 << 20
    wheel, faults = inspect(path)
    assert wheel is None or wheel.members == ()
    assert {fault.rule for fault in faults} == {"wheel-malformed"}


@pytest.mark.fault("F40")
@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_damage_is_a_fault_and_never_an_accident(sound_bytes: bytes, data: st.DataObject) -> None:
    whole = bytearray(sound_bytes)
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(whole)))
    found, faults = members(bytes(whole[:cut]), "x.whl")
    assert faults or len(found) == 7


@pytest.mark.parametrize("name", ["thing.whl", "thing-1.0.whl", "thing-1.0-cp38-abi3.zip", "thing-x-cp38-abi3-any.whl"])
def test_a_name_that_is_no_wheels_is_a_fault(tmp_path: Path, name: str) -> None:
    assert rules(sound(tmp_path).rename(tmp_path / name)) == {"wheel-name"}


def test_metadata_of_another_name_is_a_fault(tmp_path: Path) -> None:
    assert rules(sound(tmp_path).rename(tmp_path / NAME.replace("1.0", "2.0"))) == {"wheel-dist-info"}


def test_a_file_that_is_not_there_is_a_fault(tmp_path: Path) -> None:
    assert rules(tmp_path / NAME) == {"wheel-malformed"}


def test_every_fault_is_told_at_once(tmp_path: Path) -> None:
    path = planted(tmp_path, (entry("../evil"), b""), (entry("thing/link", stat.S_IFLNK | 0o777), b"x"))
    with pytest.raises(VerifyError) as caught:
        read(path)
    assert "../evil" in caught.value.what
    assert "thing/link" in caught.value.what
    assert caught.value.exit_code == 6


def test_same_content_gives_same_bytes(tmp_path: Path) -> None:
    entries = listed(contents())
    first = write(tmp_path / "a", NAME, entries, epoch=EPOCH)
    second = write(
        tmp_path / "b", NAME, [*reversed(entries), Member(f"{DIST_INFO}/RECORD", b"old", executable=True)], epoch=EPOCH
    )
    assert first.read_bytes() == second.read_bytes()
    assert write(tmp_path / "c", NAME, entries, epoch=EPOCH + 86_400).read_bytes() != first.read_bytes()


def test_metadata_comes_last_and_record_after_it(tmp_path: Path) -> None:
    with zipfile.ZipFile(sound(tmp_path)) as archive:
        names = archive.namelist()
        modes = {info.filename: info.external_attr >> 16 for info in archive.infolist()}
        assert {info.date_time for info in archive.infolist()} == {(2023, 11, 14, 22, 13, 20)}
    assert names[-1] == f"{DIST_INFO}/RECORD"
    assert [name.startswith(DIST_INFO) for name in names] == sorted(name.startswith(DIST_INFO) for name in names)
    assert modes["thing/_thing.abi3.so"] == stat.S_IFREG | 0o755
    assert modes["thing/__init__.py"] == stat.S_IFREG | 0o644


def test_a_time_before_zip_began_is_its_first(tmp_path: Path) -> None:
    path = write(tmp_path, NAME, listed(contents()), epoch=0)
    with zipfile.ZipFile(path) as archive:
        assert archive.infolist()[0].date_time == (1980, 1, 1, 0, 0, 0)


def test_pip_unpacks_what_was_written(tmp_path: Path) -> None:
    pytest.importorskip("pip", reason="this environment was made without pip")
    path = write(tmp_path, "thing-1.0-py3-none-any.whl", listed(contents()), epoch=EPOCH)
    command: list[str | Path] = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--no-deps",
        "--no-index",
        "--target",
        tmp_path / "out",
        path,
    ]
    subprocess.run(command, check=True, capture_output=True)
    for name, data in contents().items():
        assert (tmp_path / "out" / name).read_bytes() == data


def test_a_wheel_under_another_tag_says_so_inside_and_keeps_the_rest(tmp_path: Path) -> None:
    before = read(sound(tmp_path))
    after = read(write(tmp_path / "out", *retagged(before, "cp313-cp313t-musllinux_1_1_aarch64"), epoch=0))
    assert after.path.name == "thing-1.0-cp313-cp313t-musllinux_1_1_aarch64.whl"
    headers = after.headers("WHEEL")
    assert headers.get_all("Tag") == ["cp313-cp313t-musllinux_1_1_aarch64"]
    assert headers["Root-Is-Purelib"] == "false"
    changed = {f"{before.dist_info}/{name}" for name in ("WHEEL", "RECORD")}
    for one, other in zip(before.members, after.members, strict=True):
        assert one.name == other.name
        assert one.data == other.data or one.name in changed


def test_a_set_of_tags_is_told_one_by_one(tmp_path: Path) -> None:
    after = read(write(tmp_path / "out", *retagged(read(sound(tmp_path)), "cp38-abi3-a.b"), epoch=0))
    assert after.headers("WHEEL").get_all("Tag") == ["cp38-abi3-a", "cp38-abi3-b"]
    assert after.tags == {"cp38-abi3-a", "cp38-abi3-b"}
