"""Owns conformance: the pinned sdist's own tests, run against our wheel and the baseline's, compared test by test."""

from __future__ import annotations

from .judging import (
    DIED,
    NOT_RUN,
    PASSED,
    Comparison,
    Difference,
    Outcome,
    compare,
    counts,
    difference_rows,
    findings,
    to_json,
)
from .rig import Excepted, Mode, Rig, Suite, load, only
from .running import lay_out, observe, run

__all__ = [
    "DIED",
    "NOT_RUN",
    "PASSED",
    "Comparison",
    "Difference",
    "Excepted",
    "Mode",
    "Outcome",
    "Rig",
    "Suite",
    "compare",
    "counts",
    "difference_rows",
    "findings",
    "lay_out",
    "load",
    "observe",
    "only",
    "run",
    "to_json",
]
