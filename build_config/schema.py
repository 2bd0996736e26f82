"""Owns the checking of TOML tables: every problem is collected before any is told."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

from .errors import UsageError, suggestion

SHA256 = re.compile(r"[0-9a-f]{64}")
COMMIT = re.compile(r"[0-9a-f]{40}")

_T = TypeVar("_T")


class Table:
    """A TOML table that is read field by field; what is wrong goes to one shared list."""

    def __init__(self, data: object, where: str, problems: list[str]) -> None:
        self._where = where
        self._problems = problems
        self._known: set[str] = set()
        if isinstance(data, dict):
            self._data: dict[str, Any] = data
        else:
            self._data = {}
            self.wrong(f"is {_kind(data)}, not a table")

    def wrong(self, what: str) -> None:
        self._problems.append(f"{self._where}: {what}")

    def text(self, field: str, *, pattern: re.Pattern[str] | None = None, default: str | None = None) -> str:
        value = self._take(field, default)
        if not isinstance(value, str):
            self._mistyped(field, value, "a string")
            return ""
        if pattern is not None and not pattern.fullmatch(value):
            self.wrong(f"{field} {value!r} does not match {pattern.pattern}")
        return value

    def number(self, field: str) -> int:
        value = self._take(field, None)
        if isinstance(value, bool) or not isinstance(value, int):
            self._mistyped(field, value, "a whole number")
            return 0
        return value

    def numbers(self, field: str) -> tuple[int, ...]:
        value = self._take(field, [])
        if not isinstance(value, list) or not all(type(item) is int for item in value):
            self._mistyped(field, value, "a list of whole numbers")
            return ()
        return tuple(value)

    def flag(self, field: str, *, default: bool) -> bool:
        value = self._take(field, default)
        if not isinstance(value, bool):
            self._mistyped(field, value, "true or false")
            return default
        return value

    def texts(self, field: str, *, required: bool = False, allowed: Iterable[str] = ()) -> tuple[str, ...]:
        value = self._take(field, None if required else [])
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            self._mistyped(field, value, "a list of strings")
            return ()
        choices = tuple(allowed)
        for item in value:
            if choices and item not in choices:
                self.wrong(f"{field} has {item!r}, not one of {', '.join(choices)}{suggestion(item, choices)}")
        return tuple(value)

    def lists(self, field: str) -> tuple[tuple[str, ...], ...]:
        """An array of lists of strings."""
        value = self._take(field, None)
        rows = value if isinstance(value, list) else [None]
        if not all(isinstance(row, list) and all(isinstance(item, str) for item in row) for row in rows):
            self._mistyped(field, value, "a list of lists of strings")
            return ()
        return tuple(map(tuple, rows))

    def pairs(self, field: str) -> tuple[tuple[str, str], ...]:
        """A sub-table of strings, as sorted pairs."""
        value = self._take(field, {})
        if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
            self._mistyped(field, value, "a table of strings")
            return ()
        return tuple(sorted(value.items()))

    def table(self, field: str) -> Table:
        return Table(self._take(field, None), f"{self._where}.{field}", self._problems)

    def optional_table(self, field: str) -> Table | None:
        self._known.add(field)
        return self.table(field) if field in self._data else None

    def tables(self, field: str) -> tuple[Table, ...]:
        """An array of tables, empty where absent."""
        value = self._take(field, [])
        if not isinstance(value, list):
            self._mistyped(field, value, "an array of tables")
            return ()
        return tuple(Table(item, f"{self._where}.{field}[{i}]", self._problems) for i, item in enumerate(value))

    def named_tables(self, field: str) -> tuple[tuple[str, Table], ...]:
        """A table of tables, as pairs sorted by name."""
        value = self._take(field, None)
        if not isinstance(value, dict):
            self._mistyped(field, value, "a table of tables")
            return ()
        return tuple(
            (name, Table(item, f"{self._where}.{field}.{name}", self._problems)) for name, item in sorted(value.items())
        )

    def finish(self) -> None:
        """Every field that nobody asked for is a problem."""
        for field in self._data:
            if field not in self._known:
                self.wrong(f"unknown field {field!r}{suggestion(field, self._known)}")

    def _take(self, field: str, default: object) -> object:
        self._known.add(field)
        return self._data.get(field, default)

    def _mistyped(self, field: str, value: object, wanted: str) -> None:
        self.wrong(f"{field} is missing" if value is None else f"{field} is {_kind(value)}, not {wanted}")


def read(path: Path) -> object:
    """The parsed TOML file.

    Raises:
        UsageError: it cannot be read, or is not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as cause:
        raise UsageError(f"cannot be read: {cause.strerror}", subject=path) from cause
    except ValueError as cause:
        raise UsageError(f"not valid TOML: {cause}", subject=path) from cause


def rows(path: Path, field: str, make: Callable[[Table], _T]) -> tuple[_T, ...]:
    """What `make` reads from each table of the one array that a file has; nothing where there is no file.

    Raises:
        UsageError: the file is wrong; every problem is told.
    """
    if not path.is_file():
        return ()
    problems: list[str] = []
    table = Table(read(path), path.name, problems)
    made = []
    for row in table.tables(field):
        made.append(make(row))
        row.finish()
    table.finish()
    if problems:
        raise UsageError.many(problems, hint="correct the file named above")
    return tuple(made)


def _kind(value: object) -> str:
    names = {"str": "a string", "int": "a number", "bool": "a truth value", "list": "a list", "dict": "a table"}
    return names.get(type(value).__name__, type(value).__name__)
