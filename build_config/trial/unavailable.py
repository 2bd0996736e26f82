"""Owns the requirements that an interpreter cannot have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..schema import rows
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
    return rows(
        path,
        "unavailable",
        lambda row: Unavailable(row.text("package"), row.texts("abis", required=True), row.text("reason")),
    )


def reasons(interpreter: Interpreter, requirements: Path) -> Mapping[str, str]:
    """Why an interpreter goes without packages of a file of requirements, by package.

    What the file `unavailable.toml` beside it says.
    """
    known = load(requirements.with_name("unavailable.toml"))
    return {each.package: each.reason for each in known if interpreter.abi in each.abis}
