"""Owns wheel files: reading them without trust, and writing them so that the same content gives the same bytes."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import os
import re
import stat
import time
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass, replace
from email.message import Message
from email.parser import HeaderParser
from pathlib import Path

from packaging.tags import parse_tag
from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from .errors import VerifyError
from .wheel_zip import MAX_TOTAL, Fault, Member, members

__all__ = ["Fault", "Member", "Wheel", "digest", "inspect", "read", "retagged", "write"]

_ZIP_EPOCH = 315_532_800
"""1980-01-01T00:00:00Z: zip knows no earlier time."""
_COMPRESSION_LEVEL = 9
_UNHASHED = ("RECORD", "RECORD.jws", "RECORD.p7s")


@dataclass(frozen=True, slots=True)
class Wheel:
    """A wheel read into memory; `tags` are those of the file name, `dist_info` the name of its metadata folder."""

    path: Path
    distribution: str
    version: str
    tags: frozenset[str]
    members: tuple[Member, ...]
    dist_info: str

    def get(self, name: str) -> bytes | None:
        """A file's content, None where the wheel lacks it."""
        return next((member.data for member in self.members if member.name == name), None)

    def headers(self, name: str) -> Message:
        """A metadata file (`WHEEL`, `METADATA`) as headers; empty where the wheel lacks it."""
        raw = self.get(f"{self.dist_info}/{name}") or b""
        return HeaderParser().parsestr(raw.decode("utf-8", "backslashreplace"))

    @property
    def platforms(self) -> frozenset[str]:
        return frozenset(tag.rsplit("-", 1)[1] for tag in self.tags)

    @property
    def packages(self) -> tuple[str, ...]:
        """The top-level folders that are imported."""
        tops = {m.name.split("/")[0] for m in self.members if m.name.endswith(".py") and "/" in m.name}
        return tuple(sorted(top for top in tops if not top.endswith((".dist-info", ".data"))))


def digest(data: bytes) -> str:
    """The hash as RECORD has it: `sha256=` and unpadded URL-safe base64 (PEP 427)."""
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


def inspect(path: Path) -> tuple[Wheel | None, tuple[Fault, ...]]:
    """A wheel and all that is wrong with its name and archive; None where it cannot be read at all."""
    try:
        _, version, _, tags = parse_wheel_filename(path.name)
    except InvalidWheelFilename as cause:
        return None, (Fault("wheel-name", path.name, str(cause)),)
    try:
        size = path.stat().st_size
        data = path.read_bytes() if size <= MAX_TOTAL else b""
    except OSError as cause:
        return None, (Fault("wheel-malformed", path.name, f"cannot be read: {cause.strerror}"),)
    if size > MAX_TOTAL:
        return None, (Fault("wheel-malformed", path.name, f"{size} bytes"),)
    found, faults = members(data, path.name)
    folders = sorted({m.name.split("/")[0] for m in found if m.name.split("/")[0].endswith(".dist-info")})
    expected = "-".join(path.name.split("-")[:2]) + ".dist-info"
    if folders != [expected] and not any(fault.rule == "wheel-malformed" for fault in faults):
        faults = (*faults, Fault("wheel-dist-info", path.name, f"has {', '.join(folders) or 'none'}, not {expected}"))
    distribution = path.name.split("-")[0]
    return Wheel(path, distribution, str(version), frozenset(map(str, tags)), found, expected), faults


def read(path: Path) -> Wheel:
    """A wheel whose archive has no fault.

    Raises:
        VerifyError: naming every fault.
    """
    wheel, faults = inspect(path)
    if wheel is None or faults:
        lines = "\n".join(sorted(f"  - {fault.subject}: {fault.message} [{fault.rule}]" for fault in faults))
        raise VerifyError(f"not a sound wheel:\n{lines}", subject=path, hint="build it again")
    return wheel


def retagged(wheel: Wheel, tag: str) -> tuple[str, tuple[Member, ...]]:
    """The file name and the files of a wheel under another tag, which may be a compressed set: `cp38-abi3-a.b`."""
    description = f"{wheel.dist_info}/WHEEL"
    said = "".join(f"Tag: {each}\n" for each in sorted(map(str, parse_tag(tag))))
    members = tuple(
        replace(member, data=re.sub(rb"(?m)^Tag: .*\n?", b"", member.data).rstrip() + f"\n{said}\n".encode())
        if member.name == description
        else member
        for member in wheel.members
    )
    return f"{wheel.distribution}-{wheel.version}-{tag}.whl", members


def write(folder: Path, name: str, contents: Iterable[Member], *, epoch: int) -> Path:
    """Write a wheel named `name` into a folder; RECORD is made anew.

    Entries are sorted with the metadata last (PEP 427), their times are `epoch` (seconds since 1970), their modes one of
    two, so that the bytes depend on the content alone, for one version of zlib.
    """
    dist_info = "-".join(name.split("-")[:2]) + ".dist-info"
    unsigned = [m for m in contents if m.name not in {f"{dist_info}/{record}" for record in _UNHASHED}]
    ordered = sorted(unsigned, key=lambda m: (m.name.startswith(f"{dist_info}/"), m.name))
    record = Member(f"{dist_info}/RECORD", _record(ordered, dist_info), executable=False)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    partial = path.with_name(f".{name}.partial")
    with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED, compresslevel=_COMPRESSION_LEVEL) as archive:
        for member in (*ordered, record):
            archive.writestr(_zip_info(member, epoch), member.data)
    os.replace(partial, path)
    return path


def _record(ordered: Iterable[Member], dist_info: str) -> bytes:
    stream = io.StringIO()
    rows = csv.writer(stream, lineterminator="\n")
    rows.writerows((member.name, digest(member.data), len(member.data)) for member in ordered)
    rows.writerow((f"{dist_info}/RECORD", "", ""))
    return stream.getvalue().encode()


def _zip_info(member: Member, epoch: int) -> zipfile.ZipInfo:
    moment = time.gmtime(max(epoch, _ZIP_EPOCH))
    info = zipfile.ZipInfo(member.name, moment[:6])
    info.compress_type = zipfile.ZIP_DEFLATED
    info.create_system = 3
    info.external_attr = (stat.S_IFREG | (0o755 if member.executable else 0o644)) << 16
    return info
