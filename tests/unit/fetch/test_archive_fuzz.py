"""Owns the search for archives that get past the checks: whatever the bytes, nothing but a refusal or a faithful copy."""

from __future__ import annotations

import io
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import hypothesis
import hypothesis.strategies as st
import pytest

from build_config.errors import IntegrityError
from build_config.fetch import archive, tree
from build_config.fetch.tree import Kind

ROOT = "p/a"
SETTINGS = hypothesis.settings(
    max_examples=400, deadline=None, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture]
)
# Harmless ones more often, so that some archives have only these.
PARTS = (
    st.sampled_from("abcdefgh")
    | st.sampled_from("abcdefgh")
    | st.sampled_from("abcdefgh")
    | st.sampled_from(["..", ".", "", "A", "x" * 90, "é", "c:", "nul", "d.", "\\", "/etc", "p"])
)
PATHS = st.lists(PARTS, min_size=1, max_size=3).map(lambda parts: f"{ROOT}/{'/'.join(parts)}") | st.lists(
    PARTS, min_size=1, max_size=5
).map("/".join)
TYPES = st.sampled_from([b"0", b"\0", b"5", b"2", b"2", b"L", b"K"]) | st.sampled_from([b"1", b"x", b"g", b"S", b"6"])
ENTRIES = st.fixed_dictionaries(
    {
        "name": PATHS,
        "data": st.binary(max_size=40) | st.binary(min_size=510, max_size=514) | PATHS.map(str.encode),
        "type": TYPES,
        "link": PATHS | st.just(""),
        "mode": st.sampled_from([0o644] * 9 + [0o755] * 9 + [0o4755]),
        "magic": st.sampled_from([b"ustar\x0000"] * 9 + [b"ustar  \0"] * 9 + [bytes(8)]),
    }
)
RECORDS = st.dictionaries(
    st.sampled_from(["path", "linkpath", "size", "mtime", "GNU.sparse.major", "path "]),
    PATHS | st.integers(-9, 600).map(str),
    max_size=3,
)


def check(data: bytes) -> bool:
    """Extract or be refused; then what is there is what is said to be, and no place beside it has changed."""
    with tempfile.TemporaryDirectory() as scratch:
        path, into = Path(scratch, "a.tar"), Path(scratch, "in", "to")
        into.parent.mkdir()
        path.write_bytes(data)
        try:
            written = archive.extract(path, {ROOT: into})[ROOT]
        except IntegrityError:
            assert sorted(p.name for p in Path(scratch).rglob("*")) == ["a.tar", "in"]
            return False
        assert {p.name for p in Path(scratch).iterdir()} == {"a.tar", "in"}
        assert {p.name for p in into.parent.iterdir()} == {"to"}
        assert tree.digest(into) == tree.digest_of(written)
        for entry in written:
            assert (into / entry.path).resolve().is_relative_to(into.resolve())
        agrees_with_the_standard_library(
            data, into, {entry.path for entry in written if entry.kind is not Kind.DIRECTORY}
        )
        return True


def agrees_with_the_standard_library(data: bytes, into: Path, paths: set[str]) -> None:
    """What was accepted has one meaning: another reader sees the same files with the same contents."""
    with tarfile.open(fileobj=io.BytesIO(data)) as other:
        seen = {}
        for member in other:
            if member.name.startswith(f"{ROOT}/") and not member.isdir():
                seen[member.name.removeprefix(f"{ROOT}/")] = member
        assert seen.keys() == paths
        for name, member in seen.items():
            if member.issym():
                assert (into / name).readlink() == Path(member.linkname)
            else:
                stream = other.extractfile(member)
                assert stream is not None
                assert (into / name).read_bytes() == stream.read()


@pytest.mark.fault("F07", "F08", "F09", "F10", "F11")
@SETTINGS
@hypothesis.given(entries=st.lists(ENTRIES | RECORDS, max_size=3))
def test_archives_of_odd_entries(tar: Any, entries: list[dict[str, Any]]) -> None:
    made = type(tar)()
    for number, entry in enumerate(entries):
        if "type" in entry:
            room = {"name": entry["name"].encode()[:100], "link": entry["link"].encode()[:100]}
            if entry["type"] in (b"5", b"2"):
                room["data"] = b""
            if entry["type"] != b"2" and len(entry["data"]) % 3:
                room["link"] = b""
            made.entry(**{**entry, **room})
        else:
            made.pax(entry).entry(f"{ROOT}/after{number}", b"x")
    check(made.entry(f"{ROOT}/file", b"x").plain)


@pytest.mark.fault("F07", "F08", "F09", "F10", "F11")
@SETTINGS
@hypothesis.given(
    changes=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 511), st.binary(min_size=1, max_size=12)), max_size=4),
    sums=st.booleans(),
)
def test_archives_with_changed_headers(tar: Any, changes: list[tuple[int, int, bytes]], *, sums: bool) -> None:
    made = type(tar)().folder(ROOT).entry(f"{ROOT}/file", b"x" * 600).symlink(f"{ROOT}/link", "file")
    made.long_file(f"{ROOT}/{'n' * 120}", b"y").entry(f"{ROOT}/last", b"z", mode=0o755)
    data = bytearray(made.plain)
    offsets = [offset for offset in range(0, len(data), 512) if data[offset + 257 : offset + 262] == b"ustar"]
    for which, where, value in changes:
        start = offsets[which % len(offsets)] + where
        data[start : start + len(value)] = value
    if sums:
        for offset in offsets:
            data[offset + 148 : offset + 156] = b" " * 8
            data[offset + 148 : offset + 156] = b"%06o\0 " % sum(data[offset : offset + 512])
    check(bytes(data))


@pytest.mark.fault("F01", "F11")
@SETTINGS
@hypothesis.given(start=st.sampled_from([b"", b"\x1f\x8b\x08", b"\xfd7zXZ\0"]), rest=st.binary(max_size=1500))
def test_no_archives_at_all(start: bytes, rest: bytes) -> None:
    assert not check(start + rest)


def test_an_archive_without_faults_is_accepted(tar: Any) -> None:
    """So that the search does not pass because everything is refused."""
    made = type(tar)().entry(f"{ROOT}/file", b"x").symlink(f"{ROOT}/link", "file").long_file(f"{ROOT}/{'n' * 120}")
    assert check(made.plain)
