"""Owns trying a finished wheel on the interpreters of this machine."""

from __future__ import annotations

from .interpreters import Interpreter, interpreters, probe, require
from .rules import RULES
from .running import TrialReport, run

__all__ = ["RULES", "Interpreter", "TrialReport", "interpreters", "probe", "require", "run"]
