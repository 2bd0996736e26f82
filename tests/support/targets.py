"""Owns the marking of tests that are made for several targets."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from build_config import plan


def crossing(names: Iterable[str]) -> list[Any]:
    """Targets as parameters of a test, those marked that are not this machine's own."""
    own = plan.machine().id
    return [pytest.param(name, marks=() if name == own else pytest.mark.crossing) for name in sorted(names)]
