"""Owns the tests of extraction: what is written, and that nothing is before the whole archive was found harmless."""

from __future__ import annotations

import gzip
import hashlib
import lzma
import os
import re
import resource
import signal
import stat
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from build_config.errors import IntegrityError, MachineError
from build_config.fetch import archive, tree
from build_config.fetch.inflate import Limits
from build_config.fetch.tree import Kind

TOP = "pack-1.0"
ONE = f"{TOP}/crt/one"
Make = Callable[[Any], Any]


def extract(path: Path, into: Path, limits: Limits = archive.LIMITS) -> dict[str, tuple[tree.Entry, ...]]:
    return archive.extract(path, {ONE: into / "one", f"{TOP}/crt/two": into / "two"}, limits=limits)


@pytest.mark.parametrize("suffix", ["tar", "tar.gz", "tar.xz"])
def test_what_is_wanted_is_written_and_nothing_else(good: Any, tmp_path: Path, suffix: str) -> None:
    path = good.write(tmp_path / f"a.{suffix}")
    into = tmp_path / "into"
    into.mkdir()
    written = extract(path, into)
    found = {p.relative_to(into).as_posix() for p in into.rglob("*")}
    assert found == {
        *("one", "one/LICENSE", "one/source", "one/source/a.c", "one/run.sh", "one/VERSION"),
        *("two", "two/CMakeLists.txt", "two/doc"),
    }
    assert (into / "one/source/a.c").read_bytes() == b"int a;\n" * 1000
    assert (into / "two/doc").readlink() == Path("CMakeLists.txt")
    assert tree.digest_of(written[ONE]) == tree.digest(into / "one")
    assert tree.digest_of(written[f"{TOP}/crt/two"]) == tree.digest(into / "two")


def test_modes_and_times_are_the_same_whatever_the_archive_and_the_umask_say(tar: Any, tmp_path: Path) -> None:
    tar.entry(f"{ONE}/a", b"a", mode=0o600, fields={136: b"17777777777\0"}).entry(f"{ONE}/d/b", b"b", mode=0o777)
    path = tar.write(tmp_path / "a.tar")
    before = os.umask(0o077)
    try:
        archive.extract(path, {ONE: tmp_path / "one"})
    finally:
        os.umask(before)
    modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in (tmp_path / "one", *(tmp_path / "one").rglob("*"))}
    assert modes == {"one": 0o755, "a": 0o644, "d": 0o755, "b": 0o755}
    assert {p.stat().st_mtime for p in (tmp_path / "one", *(tmp_path / "one").rglob("*"))} == {315_532_800}


def test_long_names_of_both_formats_and_large_files_are_read(tar: Any, tmp_path: Path) -> None:
    deep = "/".join(["d" * 50] * 6)
    large = os.urandom(1 << 20)
    tar.long_file(f"{ONE}/{deep}/pax", large).gnu(f"{ONE}/{deep}/gnu").entry("cut", b"2", magic=b"ustar  \0")
    tar.entry("ustar", b"3", fields={345: f"{ONE}/{'e' * 100}".encode()})
    tar.pax({"linkpath": "d" * 50, "mtime": "1.5"}).symlink(f"{ONE}/pax-link", "short")
    tar.gnu("d" * 50 + "/" + "d" * 50, type=b"K").symlink(f"{ONE}/gnu-link", "short")
    tar.pax({"comment": "0" * 40}, type=b"g")
    written = archive.extract(tar.write(tmp_path / "a.tar.xz"), {ONE: tmp_path / "one"})[ONE]
    files = {entry.path: entry.value for entry in written if entry.kind is not Kind.DIRECTORY}
    assert files == {
        f"{deep}/pax": hashlib.sha256(large).hexdigest(),
        f"{deep}/gnu": hashlib.sha256(b"2").hexdigest(),
        f"{'e' * 100}/ustar": hashlib.sha256(b"3").hexdigest(),
        "pax-link": "d" * 50,
        "gnu-link": "d" * 50 + "/" + "d" * 50,
    }
    assert (tmp_path / "one" / deep / "pax").read_bytes() == large


def test_progress_goes_to_the_end(good: Any, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    archive.extract(good.write(tmp_path / "a.tar"), {ONE: tmp_path / "one"}, progress=lambda *done: seen.append(done))
    assert seen[-1] == (11, 11)
    assert seen == sorted(seen)


def test_folders_are_those_right_below_with_or_without_an_entry(good: Any, tmp_path: Path) -> None:
    path = good.write(tmp_path / "a.tar.gz")
    assert archive.folders(path, f"{TOP}/crt") == ("one", "two")
    assert archive.folders(path, ONE) == ("empty", "source")
    assert archive.folders(path, f"{TOP}/cr") == ()


def refused(path: Path, tmp_path: Path, limits: Limits = archive.LIMITS) -> IntegrityError:
    """The refusal, given before the first write: the folder to write into is not even there."""
    before = sorted(p for p in tmp_path.rglob("*"))
    with pytest.raises(IntegrityError) as fault:
        archive.extract(path, {ONE: tmp_path / "missing" / "one"}, limits=limits)
    assert sorted(p for p in tmp_path.rglob("*")) == before
    assert fault.value.subject == str(path)
    assert fault.value.hint
    return fault.value


def case(fault: str, name: str, why: str, make: Make) -> Any:
    return pytest.param(make, why, id=f"{fault}-{name}", marks=MARKS[fault])


MARKS = {
    "F07": pytest.mark.fault("F07"),
    "F08": pytest.mark.fault("F08"),
    "F09": pytest.mark.fault("F09"),
    "F10": pytest.mark.fault("F10"),
    "F11": pytest.mark.fault("F11"),
}


def twin(first: str, second: str) -> Make:
    return lambda tar: tar.long_file(f"{ONE}/{first}").long_file(f"{ONE}/{second}")


NAMES = [
    ("F07", "parent", "'..'", f"{ONE}/../../../x"),
    ("F07", "parent at the top", "'..'", "../x"),
    ("F07", "parent alone", "'..'", ".."),
    ("F07", "absolute", "is absolute", "/etc/x"),
    ("F07", "two slashes", "is absolute", "//host/x"),
    ("F07", "drive", "drive letter", "C:x"),
    ("F07", "drive and slash", "drive letter", f"{ONE}/c:/x"),
    ("F07", "stream", "stream", f"{ONE}/file:stream"),
    ("F07", "backslash", r"'\\\\'", f"{ONE}/..\\..\\x"),
    ("F07", "dot", "'.'", f"{ONE}/./x"),
    ("F07", "empty part", "''", f"{ONE}//x"),
    ("F07", "newline", "character", f"{ONE}/a\nb"),
    ("F07", "escape sequence", "character", f"{ONE}/\x1b[2J"),
    ("F07", "right-to-left mark", "invisible", f"{ONE}/a\u202eb"),
    ("F07", "zero width", "invisible", f"{ONE}/.g\u200cit/config"),
    ("F07", "question mark", "character", f"{ONE}/a?"),
    ("F07", "git folder", "'.git'", f"{ONE}/.GIT/config"),
    ("F08", "long part", "longer than 255", f"{ONE}/{'a' * 256}"),
    ("F08", "long path", "name of 1127 bytes", f"{ONE}/{'/'.join(['a' * 100] * 11)}"),
    ("F10", "device name", "a device on Windows", f"{ONE}/aux.c"),
    ("F10", "device name in capitals", "a device on Windows", f"{ONE}/CON"),
    ("F10", "device folder", "a device on Windows", f"{ONE}/com1/x"),
    ("F10", "device with superscript", "a device on Windows", f"{ONE}/lpt².txt"),
    ("F10", "device with blanks", "a device on Windows", f"{ONE}/nul .txt"),
    ("F10", "dot at the end", "ends in a dot", f"{ONE}/a."),
    ("F10", "blank at the end", "ends in a dot or a space", f"{ONE}/a /b"),
]

SHAPES = [
    case("F08", "to the parent", "symlink out of", lambda tar: tar.symlink(f"{ONE}/x", "../two")),
    case("F08", "absolute link", "is a symlink to", lambda tar: tar.symlink(f"{ONE}/x", "/etc/passwd")),
    case("F08", "drive link", "is a symlink to", lambda tar: tar.symlink(f"{ONE}/x", "c:/x")),
    case("F08", "backslash link", "is a symlink to", lambda tar: tar.symlink(f"{ONE}/x", "..\\..\\x")),
    case("F08", "out and in again", "symlink out of", lambda tar: tar.symlink(f"{ONE}/d/x", "../../one/LICENSE")),
    case("F08", "out of the archive", "symlink out of", lambda tar: tar.symlink("x", "../x")),
    case(
        "F08",
        "through another link",
        "symlink out of",
        lambda tar: tar.symlink(f"{ONE}/a/here", "..").symlink(f"{ONE}/b", "a/here/../x"),
    ),
    case(
        "F08",
        "through a link spelt otherwise",
        "symlink out of",
        lambda tar: tar.symlink(f"{ONE}/a/Here", "..").symlink(f"{ONE}/b", "a/hERE/../x"),
    ),
    case("F08", "loop", "too many", lambda tar: tar.symlink(f"{ONE}/a", "b").symlink(f"{ONE}/b", "a")),
    case(
        "F08",
        "file through a link",
        "both a folder and not",
        lambda tar: tar.symlink(f"{ONE}/d", "e").entry(f"{ONE}/d/x", b"x"),
    ),
    case(
        "F08",
        "file through a later link",
        "both a folder and not",
        lambda tar: tar.entry(f"{ONE}/d/x", b"x").symlink(f"{ONE}/d", "e"),
    ),
    case("F08", "hard link", "a hard link", lambda tar: tar.entry(f"{ONE}/x", type=b"1", link=f"{ONE}/LICENSE")),
    case("F08", "hard link out", "a hard link", lambda tar: tar.entry(f"{ONE}/x", type=b"1", link="../../etc/passwd")),
    case("F08", "no target", "link target ''", lambda tar: tar.symlink(f"{ONE}/x", "")),
    case("F08", "file with a target", "link target", lambda tar: tar.entry(f"{ONE}/x", link="y")),
    case("F09", "character device", "a device", lambda tar: tar.entry(f"{ONE}/x", type=b"3")),
    case("F09", "block device", "a device", lambda tar: tar.entry(f"{ONE}/x", type=b"4")),
    case("F09", "FIFO", "a FIFO", lambda tar: tar.entry(f"{ONE}/x", type=b"6")),
    case("F09", "contiguous", "unknown type", lambda tar: tar.entry(f"{ONE}/x", type=b"7")),
    case("F09", "multi-volume", "unknown type", lambda tar: tar.entry(f"{ONE}/x", type=b"M")),
    case("F09", "setuid", "setuid", lambda tar: tar.entry(f"{ONE}/x", mode=0o4755)),
    case("F09", "setgid folder", "setgid", lambda tar: tar.folder(f"{ONE}/x", mode=0o2755)),
    case("F09", "sticky", "sticky", lambda tar: tar.folder(f"{ONE}/x", mode=0o1777)),
    case("F09", "outside of what is wanted", "a device", lambda tar: tar.entry(f"{TOP}/x", type=b"3")),
    case("F10", "twice", "is there twice", twin("x", "x")),
    case("F10", "folder twice", "is there twice", lambda tar: tar.folder(f"{ONE}/x").folder(f"{ONE}/x")),
    case("F10", "case", "only in case", twin("x", "X")),
    case("F10", "case of a folder", "only in case", twin("d/a", "D/b")),
    case("F10", "sharp s", "only in case", twin("straße", "strasse")),
    case("F10", "composed", "only in case", twin("\u00e9", "e\u0301")),
    case("F10", "file and folder", "both a folder and not", twin("x", "x/y")),
    case("F10", "folder and file", "both a folder and not", twin("x/y", "x")),
    case("F11", "pax size", "two sizes", lambda tar: tar.pax({"size": "1"}).entry(f"{ONE}/x", b"12")),
    case("F11", "sparse", "a sparse file", lambda tar: tar.entry(f"{ONE}/x", b"1", type=b"S")),
    case(
        "F11",
        "sparse by pax",
        "GNU.sparse",
        lambda tar: tar.pax({"GNU.sparse.major": "1", "GNU.sparse.realsize": "9"}).entry(f"{ONE}/x", b"1"),
    ),
    case("F11", "folder with a size", "of 5 bytes", lambda tar: tar.entry(f"{ONE}/x/", b"12345", type=b"5")),
    case("F11", "link with a size", "of 5 bytes", lambda tar: tar.entry(f"{ONE}/x", b"12345", type=b"2", link="y")),
    case("F11", "base-256", "the size", lambda tar: tar.entry(f"{ONE}/x", fields={124: b"\x80" + bytes(11)})),
    case("F11", "negative", "the size", lambda tar: tar.entry(f"{ONE}/x", fields={124: b"-0000000001\0"})),
    case("F11", "size and then more", "the size", lambda tar: tar.entry(f"{ONE}/x", fields={124: b"000000\x007777\0"})),
    case("F11", "size beyond the end", "ends in the middle", lambda tar: tar.entry(f"{ONE}/x", size=1 << 20)),
    case("F11", "size by a global header", "global header", lambda tar: tar.pax({"size": "1"}, type=b"g")),
    case("F11", "name by a global header", "global header", lambda tar: tar.pax({"path": "x"}, type=b"g")),
    case("F11", "two pax headers", "two extended", lambda tar: tar.pax({}).pax({}).entry(f"{ONE}/x")),
    case(
        "F11",
        "pax and GNU names",
        "two extended",
        lambda tar: tar.gnu(f"{ONE}/x").pax({"path": f"{ONE}/y"}).entry(f"{ONE}/z"),
    ),
    case("F11", "text after NUL", "after a NUL", lambda tar: tar.entry(f"{ONE}/x\0y")),
    case("F11", "NUL in a pax name", "pax header with 'path'", lambda tar: tar.pax({"path": "x\0y"}).entry("x")),
    case("F11", "wrong length", "malformed pax", lambda tar: tar.entry("p", b"99 path=x\n", type=b"x").entry("x")),
    case("F11", "no length", "malformed pax", lambda tar: tar.entry("p", b"path=x\n", type=b"x").entry("x")),
    case("F11", "character set", "hdrcharset", lambda tar: tar.pax({"hdrcharset": "BINARY"}).entry(f"{ONE}/x")),
    case("F11", "no UTF-8", "not UTF-8", lambda tar: tar.entry(f"{ONE}/".encode() + b"\xff")),
    case("F11", "not a known magic", "unknown format", lambda tar: tar.entry(f"{ONE}/x", magic=bytes(8))),
    case(
        "F11",
        "prefix in GNU's format",
        "read in two ways",
        lambda tar: tar.entry("x", magic=b"ustar  \0", fields={345: ONE.encode()}),
    ),
    case("F11", "file with a slash", "has the part ''", lambda tar: tar.entry(f"{ONE}/x/")),
    case("F11", "extension at the end", "ends after", lambda tar: tar.pax({"path": "x"})),
    case("F11", "huge extension", "extended header of", lambda tar: tar.entry("x", size=1 << 33, type=b"x")),
    case("F11", "checksum", "wrong checksum", lambda tar: tar.blocks.append(tar.blocks[3].replace(b"LIC", b"lic"))),
    case("F11", "end for other readers", "malformed number", lambda tar: tar.entry(f"{ONE}/x", fields={136: b"x"})),
    case("F11", "no header", "the checksum b'x", lambda tar: tar.blocks.append(b"x" * 512)),
    case("F11", "data after the end", "after its end", lambda tar: tar.blocks.append(bytes(1024) + b"x" * 512)),
    case("F11", "one block of zeros", "after its end", lambda tar: tar.blocks.extend([bytes(512), b"x" * 512])),
]


@pytest.mark.parametrize(("make", "why"), SHAPES)
def test_a_bad_entry_is_refused_before_the_first_write(good: Any, tmp_path: Path, make: Make, why: str) -> None:
    make(good)
    fault = refused(good.write(tmp_path / "a.tar.gz"), tmp_path)
    assert re.search(why, fault.what), fault.what


@pytest.mark.parametrize(
    ("name", "why"), [pytest.param(name, why, id=f"{row}-{what}", marks=MARKS[row]) for row, what, why, name in NAMES]
)
def test_a_bad_name_is_refused_before_the_first_write(good: Any, tmp_path: Path, name: str, why: str) -> None:
    fault = refused(good.long_file(name).write(tmp_path / "a.tar.gz"), tmp_path)
    assert re.search(why, fault.what), fault.what


@pytest.mark.fault("F08")
def test_a_path_too_long_for_the_system_hides_no_escape(tar: Any, tmp_path: Path) -> None:
    """CVE-2025-4517: links that together are longer than the system resolves, so that the last one looks harmless."""
    long = "d" * 247
    path = ONE
    for step in "abcdefghijklmnop":
        tar.folder(f"{path}/{long}") if len(path) < 700 else None
        tar.pax({"path": f"{path}/{step}", "linkpath": long}).symlink("short", "short")
        path = f"{path}/{step}"
    tar.pax({"path": f"{path}/l", "linkpath": "../" * 16}).symlink("short", "short")
    tar.symlink(f"{ONE}/escape", "a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/l/../../../etc")
    tar.entry(f"{ONE}/escape/x", b"x")
    refused(tar.write(tmp_path / "a.tar"), tmp_path)


@pytest.mark.fault("F08")
def test_links_that_stay_inside_are_written_as_they_are(tar: Any, tmp_path: Path) -> None:
    tar.entry(f"{ONE}/deep/er/file", b"x").symlink(f"{ONE}/up", "deep/er/../er/file").symlink(
        f"{ONE}/deep/top", "../up"
    )
    tar.symlink(f"{ONE}/folder", "./deep//er").symlink(f"{ONE}/not-there", "a-submodule/x").symlink(f"{ONE}/root", ".")
    written = archive.extract(tar.write(tmp_path / "a.tar"), {ONE: tmp_path / "one"})[ONE]
    assert (tmp_path / "one" / "deep" / "top").read_bytes() == b"x"
    assert (tmp_path / "one" / "folder" / "file").read_bytes() == b"x"
    assert tree.digest(tmp_path / "one") == tree.digest_of(written)


@pytest.mark.fault("F12")
@pytest.mark.parametrize(
    ("limits", "why"),
    [
        (Limits(total=10_000), "more than 10000 bytes"),
        (Limits(ratio=10), "more than 10 times its size"),
        (Limits(entries=5), "more than 5 entries"),
    ],
)
@pytest.mark.parametrize("suffix", ["tar.gz", "tar.xz"])
def test_a_bomb_is_refused_at_the_limit(good: Any, tmp_path: Path, limits: Limits, why: str, suffix: str) -> None:
    path = good.entry(f"{ONE}/zeros", bytes(3 << 20)).write(tmp_path / f"a.{suffix}")
    assert why in refused(path, tmp_path, limits).what


@pytest.mark.fault("F12")
def test_a_bomb_takes_little_memory_and_time_by_the_ordinary_limits(tar: Any, tmp_path: Path) -> None:
    layer = gzip.compress(bytes(64 << 20), compresslevel=9)
    path = tar.entry(f"{ONE}/zeros", bytes(64 << 20)).write(tmp_path / "a.tar.gz")
    assert path.stat().st_size < 2 * len(layer)
    tracemalloc.start()
    try:
        assert "100 times its size" in refused(path, tmp_path).what
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.fault("F12")
def test_an_xz_that_asks_for_much_memory_is_refused(tar: Any, tmp_path: Path) -> None:
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 1 << 30}]
    path = tar.entry(f"{ONE}/x", b"x").write(tmp_path / "a.tar.xz", lambda data: lzma.compress(data, filters=filters))
    assert "is damaged: Memory usage limit" in refused(path, tmp_path).what


@pytest.mark.fault("F01")
@pytest.mark.parametrize("suffix", ["tar", "tar.gz", "tar.xz"])
def test_an_archive_cut_anywhere_is_refused(tar: Any, tmp_path: Path, suffix: str) -> None:
    whole = tar.entry(f"{ONE}/x", os.urandom(700)).write(tmp_path / f"whole.{suffix}").read_bytes()
    path = tmp_path / f"a.{suffix}"
    for length in range(0, len(whole), 37):
        path.write_bytes(whole[:length])
        refused(path, tmp_path)
    path.write_bytes(whole[:-1])
    refused(path, tmp_path)


@pytest.mark.fault("F02")
@pytest.mark.parametrize("suffix", ["tar.gz", "tar.xz"])
def test_damage_is_seen_by_the_checksum_of_the_stream(tar: Any, tmp_path: Path, suffix: str) -> None:
    path = tar.entry(f"{ONE}/x", os.urandom(5000)).write(tmp_path / f"a.{suffix}")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert "is damaged" in refused(path, tmp_path).what or "checksum" in refused(path, tmp_path).what


@pytest.mark.parametrize("more", [b"x", gzip.compress(b"x")])
@pytest.mark.parametrize("suffix", ["tar.gz", "tar.xz"])
def test_data_after_the_compressed_stream_is_refused(good: Any, tmp_path: Path, suffix: str, more: bytes) -> None:
    path = good.write(tmp_path / f"a.{suffix}")
    path.write_bytes(path.read_bytes() + more)
    assert "after its compressed stream" in refused(path, tmp_path).what


def test_a_prefix_without_files_is_refused(good: Any, tmp_path: Path) -> None:
    path = good.write(tmp_path / "a.tar")
    with pytest.raises(IntegrityError, match=r"no files below 'pack-1\.0/crt/three'"):
        archive.extract(path, {f"{TOP}/crt/three": tmp_path / "three"})
    with pytest.raises(IntegrityError, match="no files below"):
        archive.extract(path, {f"{ONE}/empty": tmp_path / "three"})


def test_a_folder_that_is_there_is_neither_written_to_nor_removed(good: Any, tmp_path: Path) -> None:
    mine = tmp_path / "two" / "mine"
    mine.parent.mkdir()
    mine.touch()
    with pytest.raises(MachineError, match="cannot be written"):
        extract(good.write(tmp_path / "a.tar"), tmp_path)
    assert mine.exists()
    assert not (tmp_path / "one").exists()


@pytest.mark.fault("F13")
def test_a_full_disk_leaves_nothing(good: Any, tmp_path: Path) -> None:
    """The limit on a file's size stands for the full disk: the write fails half way in the same manner."""
    path = good.entry(f"{ONE}/zz", os.urandom(1 << 20)).write(tmp_path / "a.tar")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        with pytest.raises(MachineError, match="cannot be written") as fault:
            extract(path, tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert "make room" in fault.value.hint
    assert not (tmp_path / "one").exists()
    assert not (tmp_path / "two").exists()


def test_an_archive_that_changes_while_it_is_read_is_refused(tar: Any, tmp_path: Path) -> None:
    # So large that its end is not read yet when the first entry is written.
    tar.entry(f"{ONE}/first", b"1").entry(f"{ONE}/large", os.urandom(3 << 20))
    other = type(tar)()
    other.blocks = list(tar.blocks)
    path = tar.entry(f"{ONE}/last", b"1").write(tmp_path / "a.tar")

    def change(done: int, total: int) -> None:
        if done == 1:
            path.write_bytes(other.entry(f"{ONE}/else", b"1").plain)

    with pytest.raises(IntegrityError, match="changed while it was read"):
        archive.extract(path, {ONE: tmp_path / "one"}, progress=change)
    assert not (tmp_path / "one").exists()


def test_an_archive_that_is_not_there_is_a_fault_of_the_machine(tmp_path: Path) -> None:
    with pytest.raises(MachineError, match="cannot be read"):
        archive.folders(tmp_path / "none", TOP)
