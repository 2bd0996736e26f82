"""Owns trying a finished wheel on interpreters, of this machine and of other places."""

from __future__ import annotations

from .interpreters import Interpreter, interpreters, probe, require
from .place import HERE, Here, Place
from .rules import RULES
from .running import TrialReport, run

__all__ = ["HERE", "RULES", "Here", "Interpreter", "Place", "TrialReport", "interpreters", "probe", "require", "run"]
