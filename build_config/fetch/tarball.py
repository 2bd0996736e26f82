"""Owns the strict reading of tar streams: what two readers could understand differently is refused.

Formats: POSIX ustar and pax (IEEE Std 1003.1, "pax"), and GNU's long names. Read here and not by the standard library,
because that one accepts contradictory headers, and its extraction filters can be passed (CVE-2025-4517).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from .inflate import Stream
from .names import LONGEST_PATH
from .tree import Kind

_BLOCK = 512
_PIECE = 1 << 18
_LARGEST_EXTENSION = 1 << 20
_NUMBER = re.compile(rb" *([0-7]+)[ \0]*")
# Of no use here, but other readers take a header for the archive's end when one of these is malformed.
_UNUSED_NUMBERS = (slice(108, 116), slice(116, 124), slice(136, 148), slice(329, 337), slice(337, 345))
_UNUSED_NUMBER = re.compile(rb" *[0-7]*[ \0]*|[\x80\xff].*", re.DOTALL)
_SPECIAL_BITS = 0o7000
_EXECUTABLE_BIT = 0o100
_POSIX, _GNU = b"ustar\x0000", b"ustar  \0"
_KINDS = {b"0": Kind.FILE, b"\0": Kind.FILE, b"5": Kind.DIRECTORY, b"2": Kind.SYMLINK}
_REFUSED = {b"1": "a hard link", b"3": "a device", b"4": "a device", b"6": "a FIFO", b"S": "a sparse file"}
# Whatever else a pax header may say could change what the entry means.
_HARMLESS = frozenset(("mtime", "atime", "ctime", "uid", "gid", "uname", "gname", "comment"))
_MEANT = frozenset(("path", "linkpath", "size"))


@dataclass(frozen=True, slots=True)
class Member:
    """One entry: `path` as stored but for a folder's last slash, `size` in bytes, `link` a symlink's target."""

    path: str
    kind: Kind
    size: int
    link: str


class Body:
    """A member's contents, to be read before the next member is asked for; what is not read is passed over."""

    def __init__(self, stream: Stream, size: int) -> None:
        self._stream = stream
        self._left = size
        self._padding = -size % _BLOCK

    def __iter__(self) -> Iterator[bytes]:
        while self._left:
            piece = self._stream.take(min(self._left, _PIECE))
            self._left -= len(piece)
            yield piece

    def finish(self) -> None:
        for _ in self:
            pass
        self._stream.take(self._padding)
        self._padding = 0


@dataclass(frozen=True, slots=True)
class _Header:
    name: bytes
    link: bytes
    mode: int
    size: int
    type: bytes


def members(stream: Stream) -> Iterator[tuple[Member, Body]]:
    """Every member, in the archive's order, the stream read to its very end.

    Raises:
        IntegrityError: the archive is damaged, ambiguous, or has an entry other than a file, folder or symlink.
    """
    extensions = _Extensions(stream)
    while (header := _header(stream)) is not None:
        if header.type in (b"x", b"g", b"L", b"K"):
            extensions.add(header)
            continue
        member = extensions.apply(header)
        body = Body(stream, member.size)
        yield member, body
        body.finish()
    extensions.expect_none()
    while piece := stream.rest():
        if piece.strip(b"\0"):
            stream.refuse("has data after its end")


def _header(stream: Stream) -> _Header | None:
    """The next header; None at the archive's end, which is two blocks of zeros."""
    block = stream.take(_BLOCK)
    if not block.strip(b"\0"):
        if stream.take(_BLOCK).strip(b"\0"):
            stream.refuse("has data after its end")
        return None
    stored = _number(stream, block[148:156], "checksum")
    if stored != sum(block) - sum(block[148:156]) + 8 * ord(" "):
        stream.refuse("is no tar archive, or damaged: wrong checksum of a header")
    magic, prefix = block[257:265], block[345:]
    if magic not in (_POSIX, _GNU):
        stream.refuse("has a header of an unknown format")
    if magic == _GNU and prefix.strip(b"\0"):
        # There GNU puts sparse maps and more, where POSIX has the start of the name.
        stream.refuse("has a header that is read in two ways")
    if not all(_UNUSED_NUMBER.fullmatch(block[field]) for field in _UNUSED_NUMBERS):
        stream.refuse("has a header with a malformed number")
    name = _text(stream, block[0:100])
    if start := _text(stream, block[345:500]):
        name = start + b"/" + name
    return _Header(
        name=name,
        link=_text(stream, block[157:257]),
        mode=_number(stream, block[100:108], "mode"),
        size=_number(stream, block[124:136], "size"),
        type=block[156:157],
    )


class _Extensions:
    """What pax and GNU headers say of the member that follows them."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._said: dict[str, bytes] = {}
        self._seen: set[bytes] = set()

    def add(self, header: _Header) -> None:
        if header.size > _LARGEST_EXTENSION:
            self._stream.refuse(f"has an extended header of {header.size} bytes")
        body = Body(self._stream, header.size)
        data = b"".join(body)
        body.finish()
        if header.type == b"g":
            if self._seen or (_MEANT & self._records(data).keys()):
                self._stream.refuse("has a global header that renames or resizes entries")
            return
        if header.type in self._seen:
            self._stream.refuse("has two extended headers for one entry")
        self._seen.add(header.type)
        if header.type == b"x":
            said = self._records(data)
        else:
            said = {"path" if header.type == b"L" else "linkpath": _text(self._stream, data)}
        if said.keys() & self._said.keys():
            self._stream.refuse("has two extended headers for one entry")
        self._said |= said

    def apply(self, header: _Header) -> Member:
        """The member that a header stands for, with all that was said before it."""
        said, self._said = self._said, {}
        self._seen.clear()
        path = self._decode(said.get("path", header.name))
        if why := _REFUSED.get(header.type, "" if header.type in _KINDS else f"of the unknown type {header.type!r}"):
            self._stream.refuse(f"entry {path!r} is {why}")
        if header.mode & _SPECIAL_BITS:
            self._stream.refuse(f"entry {path!r} is setuid, setgid or sticky")
        kind = _KINDS[header.type]
        self._check_size(path, kind, header.size, said.get("size"))
        link = self._decode(said.get("linkpath", header.link))
        if bool(link) is not (kind is Kind.SYMLINK):
            self._stream.refuse(f"entry {path!r} is a {kind} with the link target {link!r}")
        if kind is Kind.DIRECTORY:
            path = path.removesuffix("/")
        elif kind is Kind.FILE and header.mode & _EXECUTABLE_BIT:
            kind = Kind.EXECUTABLE
        return Member(path, kind, header.size, link)

    def expect_none(self) -> None:
        if self._seen:
            self._stream.refuse("ends after an extended header")

    def _check_size(self, path: str, kind: Kind, size: int, said: bytes | None) -> None:
        if said is not None and said != b"%d" % size:
            self._stream.refuse(f"entry {path!r} has two sizes: {size} and {said[:20].decode(errors='replace')}")
        if size and kind is not Kind.FILE:
            self._stream.refuse(f"entry {path!r} is a {kind} of {size} bytes")

    def _records(self, data: bytes) -> dict[str, bytes]:
        """The records of a pax header: `LENGTH KEY=VALUE` and a newline each."""
        found: dict[str, bytes] = {}
        while data:
            digits, space, _ = data[:20].partition(b" ")
            length = int(digits) if space and digits.isdigit() else 0
            record, data = data[len(digits) + 1 : length], data[length:]
            key, equals, value = record.removesuffix(b"\n").partition(b"=")
            name = self._decode(key)
            if not equals or not record.endswith(b"\n") or length != len(digits) + 1 + len(record):
                self._stream.refuse("has a malformed pax header")
            if name in found or name not in _HARMLESS | _MEANT or b"\0" in value:
                self._stream.refuse(f"has a pax header with {name[:40]!r}")
            found[name] = value
        return {name: value for name, value in found.items() if name in _MEANT}

    def _decode(self, data: bytes) -> str:
        if len(data) > LONGEST_PATH:
            self._stream.refuse(f"has a name of {len(data)} bytes")
        try:
            return data.decode()
        except UnicodeDecodeError:
            self._stream.refuse(f"has a name that is not UTF-8: {data[:40]!r}")


def _number(stream: Stream, field: bytes, what: str) -> int:
    found = _NUMBER.fullmatch(field)
    if found is None:
        stream.refuse(f"has a header with the {what} {field!r}")
    return int(found[1], 8)


def _text(stream: Stream, field: bytes) -> bytes:
    text, _, after = field.partition(b"\0")
    if after.strip(b"\0"):
        stream.refuse("has a header with text after a NUL")
    return text
