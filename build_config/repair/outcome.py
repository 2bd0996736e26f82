"""Owns what every platform's repair takes and gives back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ..model import Target


@dataclass(frozen=True, slots=True)
class Repaired:
    """`wheel` is what ships; `debug` is an archive of what debuggers look up by build-id."""

    wheel: Path
    debug: Path


class Repairer(Protocol):
    """What `repair/PLATFORM.py` offers as `repair`."""

    def __call__(
        self, wheel: Path, target: Target, out: Path, *, environment: Mapping[str, str], work: Path, epoch: int
    ) -> Repaired: ...
