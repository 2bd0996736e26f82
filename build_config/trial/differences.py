"""Owns the tests that cannot pass on some interpreters, by the data file in a suite's folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..schema import rows
from .interpreters import Interpreter

FILE = "differences.toml"


@dataclass(frozen=True, slots=True)
class Difference:
    """Tests by their pytest names, which interpreters are meant, and why they differ there.

    A name without parameters stands for all of them, a file's for all of its tests. An interpreter is meant that has all
    traits of one member of `where`, which holds words.
    """

    tests: tuple[str, ...]
    where: tuple[str, ...]
    reason: str


def load(path: Path) -> tuple[Difference, ...]:
    """What a file says; nothing where there is none.

    Raises:
        UsageError: the file is wrong.
    """
    return rows(
        path,
        "difference",
        lambda row: Difference(
            row.texts("tests", required=True), row.texts("where", required=True), row.text("reason")
        ),
    )


def reasons(interpreter: Interpreter, suite: Path) -> Mapping[str, str]:
    """Why tests of a suite's folder are not run on an interpreter, by the test's name."""
    has = interpreter.traits.issuperset
    meant = (each for each in load(suite / FILE) if any(has(words.split()) for words in each.where))
    return {test: each.reason for each in meant for test in each.tests}
