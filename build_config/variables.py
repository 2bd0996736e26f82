"""Owns the environment variables: what each may say, and that none is misspelt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .errors import UsageError, suggestion
from .schema import Table, read

_PREFIX = "AWS_CRT_"
_KINDS = ("path", "flag", "number", "choice")


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable's name, what kind of value it takes, and what it means."""

    name: str
    kind: str
    choices: tuple[str, ...]
    meaning: str

    def problem(self, value: str) -> str:
        """What is wrong with a value; an empty string where nothing is."""
        if self.kind == "flag" and value not in ("0", "1"):
            return f"{self.name} is {value!r}; write 1 or 0"
        if self.kind == "number" and not (value.isascii() and value.isdecimal() and int(value) > 0):
            return f"{self.name} is {value!r}; write a whole number from 1 on"
        if self.kind == "choice" and value not in self.choices:
            return f"{self.name} is {value!r}; write one of {', '.join(self.choices)}{suggestion(value, self.choices)}"
        if self.kind == "path" and not value:
            return f"{self.name} is empty; write a path, or unset it"
        return ""


def known() -> dict[str, Variable]:
    """Every variable of variables.toml by name."""
    problems: list[str] = []
    found = {}
    data = read(Path(__file__).with_name("variables.toml"))
    for name, table in Table({"all": data}, "variables.toml", problems).named_tables("all"):
        found[name] = Variable(name, table.text("kind"), table.texts("choices"), table.text("meaning"))
        if found[name].kind not in _KINDS:
            table.wrong(f"kind {found[name].kind!r} is not one of {', '.join(_KINDS)}")
        table.finish()
    if problems:
        raise UsageError.many(problems)
    return found


def checked(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables of ours that are set.

    Raises:
        UsageError: naming every misspelt name and every wrong value.
    """
    variables = known()
    ours = {name: value for name, value in environment.items() if name.upper().startswith(_PREFIX)}
    problems = [
        variables[name].problem(value) if name in variables else f"unknown variable {name}{suggestion(name, variables)}"
        for name, value in ours.items()
    ]
    if any(problems):
        raise UsageError.many(filter(None, problems), hint="`python -m build_config --help` lists the variables")
    return ours
