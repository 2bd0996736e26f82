"""Owns the choice of how a wheel is made fit to ship: by the system that it is for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ..errors import UsageError
from ..model import Target
from . import linux, macos, windows
from .outcome import Repaired, Repairer

__all__ = ["Repaired", "repair", "repairer"]

_REPAIRERS: Mapping[str, Repairer] = {"linux": linux.repair, "macos": macos.repair, "windows": windows.repair}


def repairer(target: Target) -> str:
    """The name of what repairs a target's wheels; empty where nothing does."""
    return target.os if target.os in _REPAIRERS else ""


def repair(
    wheel: Path, target: Target, out: Path, *, environment: Mapping[str, str], work: Path, epoch: int
) -> Repaired:
    """Take debug information out of a wheel's binaries and give the wheel the platform tags of its target.

    The results go to folder `out`; `work` is scratch and is emptied first. `epoch` is the time, in seconds since 1970,
    that every entry gets: same wheel, same bytes.

    Raises:
        UsageError: nothing repairs wheels of the target's system.
        VerifyError: the wheel is unsound.
        BuildError: the wheel cannot become what the target asks for.
    """
    repairer = _REPAIRERS.get(target.os)
    if repairer is None:
        raise UsageError(f"no repair for {target.os}; there is one for {', '.join(_REPAIRERS)}", subject=target.id)
    return repairer(wheel, target, out, environment=environment, work=work, epoch=epoch)
