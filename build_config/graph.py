"""Owns the order of things that need each other."""

from __future__ import annotations

import graphlib
from collections.abc import Collection, Mapping

from .errors import UsageError, suggestion


def ordered(needs: Mapping[str, Collection[str]]) -> tuple[str, ...]:
    """Every name after those it needs; names that could come in any order come sorted.

    Raises:
        UsageError: a need that is no name, or names that need each other in a circle.
    """
    unknown = [
        f"{name!r} needs {need!r}, which does not exist{suggestion(need, needs)}"
        for name, wanted in needs.items()
        for need in wanted
        if need not in needs
    ]
    if unknown:
        raise UsageError.many(unknown)
    sorter = graphlib.TopologicalSorter(needs)
    try:
        sorter.prepare()
    except graphlib.CycleError as cause:
        raise UsageError("these need each other: " + " → ".join(reversed(cause.args[1]))) from cause
    order: list[str] = []
    while sorter.is_active():
        ready = sorted(sorter.get_ready())
        order += ready
        sorter.done(*ready)
    return tuple(order)


def closure(roots: Collection[str], needs: Mapping[str, Collection[str]]) -> frozenset[str]:
    """The roots and all that they need, directly or not."""
    found: set[str] = set()
    waiting = list(roots)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += needs[name]
    return frozenset(found)


def heights(needs: Mapping[str, Collection[str]]) -> dict[str, int]:
    """How many names wait for each, one after the other: the length of the longest chain that begins with it."""
    found = dict.fromkeys(needs, 1)
    for name in reversed(ordered(needs)):
        for need in needs[name]:
            found[need] = max(found[need], found[name] + 1)
    return found
