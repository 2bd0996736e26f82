"""Owns where work happens: the folders and settings of one run, passed to everything that acts."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .errors import UsageError
from .model import Node, Result

_DEFAULT_EPOCH = 1_767_225_600
"""2026-01-01T00:00:00Z, for a run in which SOURCE_DATE_EPOCH is not set."""


@dataclass(frozen=True, slots=True)
class Workspace:
    """`build` holds scratch and logs, `dist` finished artifacts; `epoch` is seconds since 1970."""

    root: Path
    store: Path
    environment: Mapping[str, str]
    jobs: int
    provider: str
    offline: bool
    epoch: int

    @property
    def build(self) -> Path:
        return self.root / "build"

    @property
    def dist(self) -> Path:
        return self.root / "dist"

    @property
    def tools(self) -> Path:
        """Where toolchains keep wrappers and compiler caches."""
        return self.store / "tools"


class Listener:
    """What a run tells while it goes on, from any thread; this one says nothing."""

    def begun(self, node: Node) -> None: ...

    def moved(self, node: Node, done: int, total: int | None, what: str = "") -> None: ...

    def ended(self, result: Result) -> None: ...

    def warned(self, text: str) -> None: ...


def default_store(environment: Mapping[str, str]) -> Path:
    """The user's cache folder by the platform's convention (XDG base directory specification on Unix)."""
    home = Path(environment.get("HOME") or environment.get("USERPROFILE") or os.path.expanduser("~"))
    if sys.platform == "darwin":
        cache = home / "Library" / "Caches"
    elif sys.platform == "win32":
        cache = Path(environment.get("LOCALAPPDATA") or home / "AppData" / "Local")
    else:
        cache = Path(environment.get("XDG_CACHE_HOME") or home / ".cache")
    return cache / "awscrt-build"


def open_workspace(
    root: Path, environment: Mapping[str, str], settings: Mapping[str, str], *, store: Path | None = None
) -> Workspace:
    """The workspace of the project at `root`; `settings` are the checked AWS_CRT_BUILD_* variables.

    Raises:
        UsageError: SOURCE_DATE_EPOCH is not a whole number of seconds.
    """
    text = environment.get("SOURCE_DATE_EPOCH", str(_DEFAULT_EPOCH))
    if not (text.isascii() and text.isdecimal()):
        raise UsageError(
            f"SOURCE_DATE_EPOCH is {text!r}, not a whole number of seconds",
            hint="unset it, or use `git log -1 --format=%ct`",
        )
    chosen = settings.get("AWS_CRT_BUILD_STORE")
    return Workspace(
        root=root,
        store=(store or (Path(chosen).expanduser() if chosen else default_store(environment))).absolute(),
        environment=environment,
        jobs=int(settings.get("AWS_CRT_BUILD_JOBS", os.cpu_count() or 1)),
        provider=settings.get("AWS_CRT_BUILD_PROVIDER", "index"),
        offline=settings.get("AWS_CRT_BUILD_OFFLINE") == "1",
        # The zip format cannot say a time before 1980.
        epoch=max(int(text), 315_532_800),
    )
