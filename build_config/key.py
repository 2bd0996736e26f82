"""Owns cache keys: a readable text first, and the sha256 of it second."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from .errors import UsageError

_FORMAT = "1"
_KIND = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
_ESCAPED = re.compile(r"[^ -\[\]-~]")
_ESCAPE = re.compile(r"\\(?:\\|x([0-9a-f]{1,5}|10[0-9a-f]{4});)")


@dataclass(frozen=True, slots=True)
class Key:
    """Named fields, sorted, that together decide the bytes of a result.

    Raises:
        UsageError: a kind that cannot be a folder's name, an empty or ambiguous field name, or one given twice.
    """

    kind: str
    name: str
    fields: tuple[tuple[str, str], ...]

    def __post_init__(self) -> None:
        problems = [] if _KIND.fullmatch(self.kind) else [f"not a kind: {self.kind!r}"]
        names = [field for field, _ in self.fields]
        problems += [f"not a field name: {field!r}" for field in names if not field or field != _escape(field)]
        problems += [f"a field name may not contain a colon and a blank: {field!r}" for field in names if ": " in field]
        problems += [f"a field given twice: {field!r}" for field, count in Counter(names).items() if count > 1]
        if problems:
            raise UsageError.many(problems, subject=f"key of {self.name}")
        object.__setattr__(self, "fields", tuple(sorted(self.fields)))

    @classmethod
    def of(cls, kind: str, name: str, fields: Iterable[tuple[str, str]]) -> Key:
        return cls(kind, name, tuple(fields))

    @property
    def text(self) -> str:
        """One `field: value` a line, in printable ASCII, escaped in one way only, so that no two keys share a text."""
        rows = (("format", _FORMAT), ("kind", self.kind), ("name", self.name), *self.fields)
        return "".join(f"{field}: {_escape(value)}\n" for field, value in rows)

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()

    @classmethod
    def parse(cls, text: str) -> Key:
        """The key whose text this is.

        Raises:
            UsageError: it is not exactly the text of a key.
        """
        rows = []
        for line in text.removesuffix("\n").split("\n"):
            field, separator, value = line.partition(": ")
            if not separator:
                raise UsageError(f"not a line of a key: {line!r}")
            rows.append((field, _unescape(value)))
        if [field for field, _ in rows[:3]] != ["format", "kind", "name"] or rows[0][1] != _FORMAT:
            raise UsageError(f"not a key of format {_FORMAT}")
        key = cls(rows[1][1], rows[2][1], tuple(rows[3:]))
        if key.text != text:
            raise UsageError("a key that is not written in the one way it can be")
        return key


@dataclass(frozen=True, slots=True)
class Difference:
    """A field that differs; `None` where one key lacks it."""

    field: str
    ours: str | None
    theirs: str | None


def differences(ours: Key, theirs: Key) -> tuple[Difference, ...]:
    """The fields in which two keys differ, sorted by name."""
    left, right = dict(ours.fields), dict(theirs.fields)
    return tuple(
        Difference(field, left.get(field), right.get(field))
        for field in sorted(left.keys() | right.keys())
        if left.get(field) != right.get(field)
    )


def nearest(key: Key, others: Iterable[Key]) -> Key | None:
    """The key of the same kind and name that differs in the fewest fields."""
    same = [other for other in others if (other.kind, other.name) == (key.kind, key.name)]
    return min(same, key=lambda other: (len(differences(key, other)), other.text), default=None)


def _escape(value: str) -> str:
    """Escape the backslash and what is not printable ASCII: which of the rest prints depends on Python's version."""
    return _ESCAPED.sub(lambda found: "\\\\" if found[0] == "\\" else f"\\x{ord(found[0]):x};", value)


def _unescape(value: str) -> str:
    return _ESCAPE.sub(lambda found: chr(int(found[1], 16)) if found[1] else "\\", value)


def file_sha256(path: Path) -> str:
    """The hex digest of a file, as keys and pins have it."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
