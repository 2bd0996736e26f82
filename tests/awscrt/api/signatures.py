"""Owns what is compared of a signature: names, kinds, order and defaults.

Annotations are left out: they say what mypy reads, their text differs from Python to Python, and widening one breaks
nobody.
"""

from __future__ import annotations

import inspect
from typing import Any, Iterator, List, NamedTuple, Optional, Set, Tuple

ONLY, EITHER, REST, KEYWORD, KEYWORDS = "positional-only", "either way", "*", "keyword-only", "**"
KINDS = {
    inspect.Parameter.POSITIONAL_ONLY: ONLY,
    inspect.Parameter.POSITIONAL_OR_KEYWORD: EITHER,
    inspect.Parameter.VAR_POSITIONAL: REST,
    inspect.Parameter.KEYWORD_ONLY: KEYWORD,
    inspect.Parameter.VAR_KEYWORD: KEYWORDS,
}
PAIRS = {"(": ")", "[": "]", "{": "}", "<": ">"}


class Parameter(NamedTuple):
    name: str
    kind: str
    default: Optional[str]


def of(function: Any) -> List[Parameter]:
    """The parameters of a function."""
    found = inspect.signature(function).parameters.values()
    return [Parameter(p.name, KINDS[p.kind], None if p.default is p.empty else repr(p.default)) for p in found]


def parse(text: str) -> List[Parameter]:
    """The parameters in `(self, a: int = 1, *, b=<E.A: 0>) -> None`."""
    found: List[Parameter] = []
    kind = EITHER
    for piece in _split(text[1 : _end(text)], ","):
        if piece == "/":
            found = [p._replace(kind=ONLY) for p in found]
        elif piece == "*":
            kind = KEYWORD
        elif piece.startswith("**"):
            found.append(Parameter(_name(piece[2:]), KEYWORDS, None))
        elif piece.startswith("*"):
            found.append(Parameter(_name(piece[1:]), REST, None))
            kind = KEYWORD
        else:
            left, *right = _split(piece, "=")
            found.append(Parameter(_name(left), kind, right[0] if right else None))
    return found


def compare(name: str, wanted: List[Parameter], ours: List[Parameter], additions: Set[str]) -> List[str]:
    """What is wrong; parameters that are more go to `additions`."""
    problems = []
    by_name = {p.name: p for p in ours}
    for parameter in wanted:
        mine = by_name.get(parameter.name)
        if mine is None:
            problems.append(f"{name}: no parameter {parameter.name}")
        elif mine != parameter:
            problems.append(f"{name}: {_text(mine)} where {_text(parameter)} is wanted")
    order = [p.name for p in wanted if p.name in by_name]
    if order != [p.name for p in ours if p.name in order]:
        problems.append(f"{name}: the parameters' order is not {', '.join(order)}")
    known = {p.name for p in wanted}
    last = max([i for i, p in enumerate(ours) if p.name in known and p.kind in (ONLY, EITHER)], default=-1)
    for at, parameter in enumerate(ours):
        if parameter.name in known:
            continue
        additions.add(f"{name}({parameter.name})")
        if parameter.default is None and parameter.kind in (ONLY, EITHER, KEYWORD):
            problems.append(f"{name}: the new parameter {parameter.name} has no default")
        elif parameter.kind in (ONLY, EITHER) and at < last:
            problems.append(f"{name}: the new parameter {parameter.name} stands before known ones")
    return problems


def _name(piece: str) -> str:
    return piece.partition(":")[0].strip()


def _text(parameter: Parameter) -> str:
    default = "" if parameter.default is None else f"={parameter.default}"
    return f"{parameter.name}{default} ({parameter.kind})"


def _end(text: str) -> int:
    """Where the bracket that opens a text closes."""
    depth = 0
    for at, character in _bare(text):
        depth += (character == "(") - (character == ")")
        if depth == 0:
            return at
    raise ValueError(text)


def _split(text: str, separator: str) -> List[str]:
    """The pieces between separators that stand in no bracket and no string."""
    pieces: List[str] = []
    closing: List[str] = []
    start = 0
    for at, character in _bare(text):
        if closing and character == closing[-1]:
            closing.pop()
        elif character in PAIRS:
            closing.append(PAIRS[character])
        elif character == separator and not closing:
            pieces.append(text[start:at])
            start = at + 1
    return [piece.strip() for piece in (*pieces, text[start:]) if piece.strip()]


def _bare(text: str) -> Iterator[Tuple[int, str]]:
    """Each character outside of string literals, with its place."""
    quote = ""
    for at, character in enumerate(text):
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        else:
            yield at, character
