"""Owns where a trial runs: this machine, or whatever else starts programs in the same way."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from .. import process
from ..errors import ToolchainError
from ..process import Completed, Output


def clean(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment without what would lead Python or pip elsewhere than into the virtual environment."""
    return {
        name: value
        for name, value in environment.items()
        if not name.startswith("PYTHON")
        and name not in {"VIRTUAL_ENV", "__PYVENV_LAUNCHER__", "PIP_TARGET", "PIP_PREFIX"}
    }


class Place(Protocol):
    """Runs commands as `process.run` does; a work folder has the same path inside as outside."""

    @property
    def name(self) -> str:
        """What tells this place from others; empty for this machine."""

    @property
    def identity(self) -> str:
        """What decides all that is there, as keys have it; empty for this machine."""

    @property
    def slowness(self) -> int:
        """By how much longer than on the processor itself things may take."""

    def environment(self, environment: Mapping[str, str]) -> dict[str, str]:
        """The variables to start from there."""

    def run(  # noqa: PLR0913 - as process.run
        self,
        argv: Sequence[str | os.PathLike[str]],
        *,
        cwd: Path,
        env: Mapping[str, str],
        work: Path | None = None,
        timeout: float | None = None,
        log: Path | None = None,
        error: type[ToolchainError] | None = None,
        subject: str = "",
        output: Output = Output.MERGED,
    ) -> Completed:
        """Run a command to its end; what it may write to, and read beside the place's own files, is below `work`."""


@dataclass(frozen=True, slots=True)
class Here:
    """This machine."""

    name: str = ""
    identity: str = ""
    slowness: int = 1

    def environment(self, environment: Mapping[str, str]) -> dict[str, str]:
        return clean(environment)

    def run(  # noqa: PLR0913 - as process.run
        self,
        argv: Sequence[str | os.PathLike[str]],
        *,
        cwd: Path,
        env: Mapping[str, str],
        work: Path | None = None,
        timeout: float | None = None,
        log: Path | None = None,
        error: type[ToolchainError] | None = None,
        subject: str = "",
        output: Output = Output.MERGED,
    ) -> Completed:
        del work  # all of the machine is at hand
        return process.run(
            argv, cwd=cwd, env=env, timeout=timeout, log=log, error=error, subject=subject, output=output
        )


HERE = Here()
