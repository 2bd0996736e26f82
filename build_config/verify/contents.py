"""Owns the rules on a wheel's files and metadata: RECORD, tags, licences, size."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from packaging.tags import parse_tag
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from .. import binary
from ..model import Finding, Target
from ..wheel import Wheel, digest
from .policy import Policy
from .rules import finding

_UNHASHED = frozenset({"RECORD", "RECORD.jws", "RECORD.p7s"})
_ROW = 3


def check(wheel: Wheel, target: Target, policy: Policy) -> Iterator[Finding]:
    """What the wheel's contents break."""
    yield from _size(wheel, policy)
    yield from _record(wheel)
    yield from _tags(wheel, target)
    yield from _metadata(wheel)
    for package in wheel.packages:
        if wheel.get(f"{package}/py.typed") is None:
            yield finding("typed", package, "has no py.typed")


def _size(wheel: Wheel, policy: Policy) -> Iterator[Finding]:
    size = wheel.path.stat().st_size
    if size > policy.max_bytes:
        yield finding("wheel-size", wheel.path.name, f"{size:,} bytes, {policy.max_bytes:,} allowed")


def _record(wheel: Wheel) -> Iterator[Finding]:
    """pip and uv look at none of this."""
    raw = wheel.get(f"{wheel.dist_info}/RECORD")
    if raw is None:
        yield finding("record-missing", wheel.path.name, "no RECORD")
        return
    try:
        rows = [row for row in csv.reader(io.StringIO(raw.decode()), strict=True) if row]
    except (UnicodeDecodeError, csv.Error) as cause:
        yield finding("record-missing", wheel.path.name, f"RECORD cannot be read: {cause}")
        return
    contents = {member.name: member.data for member in wheel.members}
    unhashed = {f"{wheel.dist_info}/{name}" for name in _UNHASHED}
    listed: set[str] = set()
    for row in rows:
        if len(row) != _ROW:
            yield finding("record-missing", wheel.path.name, f"a row of RECORD with {len(row)} fields: {row}")
            continue
        name, hashed, size = row
        if name in listed:
            yield finding("record-hash", name, "is listed twice in RECORD")
        listed.add(name)
        if name not in contents:
            yield finding("record-absent", name, "is listed in RECORD and not in the wheel")
        elif name not in unhashed and (hashed, size) != (digest(contents[name]), str(len(contents[name]))):
            actual = f"{digest(contents[name])}, {len(contents[name])} bytes"
            yield finding("record-hash", name, f"RECORD says {hashed or 'no hash'}, {size} bytes; it is {actual}")
    for name in sorted(contents.keys() - listed - (unhashed - {f"{wheel.dist_info}/RECORD"})):
        yield finding("record-unlisted", name, "is not listed in RECORD")


def _tags(wheel: Wheel, target: Target) -> Iterator[Finding]:
    headers = wheel.headers("WHEEL")
    inside = frozenset(str(tag) for line in headers.get_all("Tag", []) for tag in _expanded(line))
    if inside != wheel.tags:
        says = ", ".join(sorted(inside)) or "nothing"
        yield finding(
            "tag-mismatch", wheel.path.name, f"WHEEL says {says}; the name says {', '.join(sorted(wheel.tags))}"
        )
    if headers.get("Root-Is-Purelib", "").strip().lower() != "false":
        yield finding("tag-mismatch", wheel.path.name, "WHEEL does not say Root-Is-Purelib: false")
    if wheel.platforms != frozenset(target.wheel_platforms):
        wanted = ", ".join(sorted(target.wheel_platforms))
        yield finding("tag-target", wheel.path.name, f"is for {', '.join(sorted(wheel.platforms))}, not {wanted}")
    abis = sorted({tag.split("-")[1] for tag in wheel.tags})
    for member in wheel.members:
        if binary.recognises(member.data) and not any(_suits(member.name, abi) for abi in abis):
            yield finding("tag-suffix", member.name, f"is no file name for ABI {', '.join(abis)}")


def _expanded(tag: str) -> frozenset[object]:
    return frozenset(parse_tag(tag.strip())) if tag.count("-") == _ROW - 1 else frozenset({tag})


def _suits(name: str, abi: str) -> bool:
    suffix = name.rpartition("/")[2].partition(".")[2]
    if abi == "abi3":
        return suffix in {"abi3.so", "pyd"}
    return suffix.startswith((f"cpython-{abi.removeprefix('cp')}-", f"{abi}-"))


def _metadata(wheel: Wheel) -> Iterator[Finding]:
    headers = wheel.headers("METADATA")
    name, version = headers.get("Name", ""), headers.get("Version", "")
    if canonicalize_name(name) != canonicalize_name(wheel.distribution) or not _same_version(version, wheel.version):
        yield finding(
            "metadata-mismatch", wheel.path.name, f"METADATA says {name or 'no name'} {version or 'no version'}"
        )
    files = headers.get_all("License-File", [])
    for field, found in (("License-Expression", headers.get("License-Expression")), ("License-File", files)):
        if not found:
            yield finding("metadata-licence", wheel.path.name, f"METADATA has no {field}")
    for file in files:
        if wheel.get(f"{wheel.dist_info}/licenses/{file}") is None:
            yield finding("licence-file", file, "is named in METADATA and not in the wheel")


def _same_version(left: str, right: str) -> bool:
    try:
        return Version(left) == Version(right)
    except InvalidVersion:
        return False
