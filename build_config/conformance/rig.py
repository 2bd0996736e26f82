"""Owns what is compared: the suites of `tests/conformance/suites.toml`, the modes they run in, the excepted tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import UsageError, suggestion
from ..schema import Table, read

_PORTS = range(1, 65536)


@dataclass(frozen=True, slots=True)
class Mode:
    """Circumstances in which a suite is run beside the plain ones.

    `environment` turns tests on. `server` is a file of `tests/conformance/servers` that the runner starts and ends;
    `ports` are those that the tests or their servers insist on.
    """

    name: str = ""
    environment: tuple[tuple[str, str], ...] = ()
    server: str = ""
    ports: tuple[int, ...] = ()


PLAIN = Mode()


@dataclass(frozen=True, slots=True)
class Suite:
    """A test module in a mode, and how many of its tests pass with the baseline on every machine."""

    module: str
    passes: int
    mode: Mode = PLAIN

    @property
    def id(self) -> str:
        return self.named(self.module)

    def named(self, test: str) -> str:
        """The id of a test of this suite: `localhost:test.test_module.Class.test_name`."""
        return f"{self.mode.name}:{test}" if self.mode.name else test


@dataclass(frozen=True, slots=True)
class Excepted:
    """A test in which the sides may differ, and why."""

    test: str
    reason: str


@dataclass(frozen=True, slots=True)
class Rig:
    """What is run; `seconds` is the limit of one test, `beside` are folders of the archive that its tests read.

    `expected` are tests that pass with the baseline and not with ours; `unsteady` are those that come to one outcome or
    another with the baseline itself.
    """

    folder: str
    baseline: str
    seconds: int
    suites: tuple[Suite, ...]
    beside: tuple[str, ...] = ()
    expected: tuple[Excepted, ...] = ()
    unsteady: tuple[Excepted, ...] = ()

    def reason(self, test: str) -> str:
        """Why a test may differ; empty where it may not."""
        return next((each.reason for each in (*self.expected, *self.unsteady) if each.test == test), "")


def load(path: Path) -> Rig:
    """The rig that a `suites.toml` describes.

    Raises:
        UsageError: naming everything that is wrong with the file.
    """
    problems: list[str] = []
    table = Table(read(path), path.name, problems)
    modes = {mode.name: mode for mode in (_mode(row, path.parent) for row in table.tables("mode"))}
    rig = Rig(
        folder=table.text("folder"),
        baseline=table.text("baseline"),
        seconds=table.number("seconds"),
        suites=tuple(_suite(row, modes) for row in table.tables("suite")),
        beside=table.texts("beside"),
        expected=tuple(_excepted(row) for row in table.tables("expected")),
        unsteady=tuple(_excepted(row) for row in table.tables("unsteady")),
    )
    if not rig.suites:
        table.wrong("names no suite")
    ids = [suite.id for suite in rig.suites]
    for twice in sorted({name for name in ids if ids.count(name) > 1}):
        table.wrong(f"names the suite {twice} twice")
    for unused in sorted(modes.keys() - {suite.mode.name for suite in rig.suites}):
        table.wrong(f"no suite runs in the mode {unused!r}")
    table.finish()
    if problems:
        raise UsageError.many(problems, subject=path)
    return rig


def only(rig: Rig, names: Sequence[str]) -> Rig:
    """The part of a rig that these names choose, ids or modules of suites; all of it where none is given.

    Raises:
        UsageError: a name that no suite has.
    """
    known = {name for suite in rig.suites for name in (suite.id, suite.module)}
    wrong = [f"unknown suite {name!r}{suggestion(name, known)}" for name in names if name not in known]
    if wrong:
        raise UsageError.many(wrong, hint=f"suites are {', '.join(suite.id for suite in rig.suites)}")
    if not names:
        return rig
    suites = tuple(suite for suite in rig.suites if {suite.id, suite.module} & set(names))
    kept = tuple(f"{suite.id}." for suite in suites)
    return replace(rig, suites=suites, expected=tuple(each for each in rig.expected if each.test.startswith(kept)))


def _mode(table: Table, folder: Path) -> Mode:
    mode = Mode(
        name=table.text("name"),
        environment=table.pairs("environment"),
        server=table.text("server", default=""),
        ports=table.numbers("ports"),
    )
    if not mode.name:
        table.wrong("name is empty")
    if mode.server and not (folder / "servers" / mode.server).is_file():
        table.wrong(f"there is no servers/{mode.server}")
    for port in mode.ports:
        if port not in _PORTS:
            table.wrong(f"{port} is no port")
    table.finish()
    return mode


def _suite(table: Table, modes: dict[str, Mode]) -> Suite:
    name = table.text("mode", default="")
    if name and name not in modes:
        table.wrong(f"there is no mode {name!r}{suggestion(name, modes)}")
    suite = Suite(table.text("module"), table.number("passes"), modes.get(name, PLAIN))
    if suite.passes < 1:
        table.wrong("passes must be 1 or more: a suite in which nothing passes compares nothing")
    table.finish()
    return suite


def _excepted(table: Table) -> Excepted:
    row = Excepted(table.text("test"), table.text("reason"))
    if not row.reason.strip():
        table.wrong("reason is empty")
    table.finish()
    return row
