"""Owns the requirements that an interpreter cannot have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..errors import UsageError
from ..schema import Table, read
from .interpreters import Interpreter


@dataclass(frozen=True, slots=True)
class Unavailable:
    """A package, the ABIs of the interpreters that cannot have it, and why."""

    package: str
    abis: tuple[str, ...]
    reason: str


def load(path: Path) -> tuple[Unavailable, ...]:
    """What a file says; nothing where there is none.

    Raises:
        UsageError: the file is wrong.
    """
    if not path.is_file():
        return ()
    problems: list[str] = []
    table = Table(read(path), path.name, problems)
    found = []
    for row in table.tables("unavailable"):
        found.append(Unavailable(row.text("package"), row.texts("abis", required=True), row.text("reason")))
        row.finish()
    table.finish()
    if problems:
        raise UsageError.many(problems, hint="correct the file named above")
    return tuple(found)


def reasons(interpreter: Interpreter, requirements: Path) -> Mapping[str, str]:
    """Why an interpreter goes without packages of a file of requirements, by package.

    What the file `unavailable.toml` beside it says.
    """
    known = load(requirements.with_name("unavailable.toml"))
    return {each.package: each.reason for each in known if interpreter.abi in each.abis}
