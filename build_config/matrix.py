"""Owns trying every wheel in every place that can run it, and the table of what that came to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from . import parallel, process, suites
from .errors import BuildError, MachineError, UsageError
from .key import file_sha256
from .model import Target, Tried
from .roots import Provider, Root
from .store import Store
from .trial import Interpreter
from .wheel import read
from .workspace import Workspace


@dataclass(frozen=True, slots=True)
class Untried:
    """A wheel that was not run somewhere, and why; a `fault` is one that somebody can mend."""

    wheel: Path
    where: str
    why: str
    fault: bool


@dataclass(frozen=True, slots=True)
class Matrix:
    """What every wheel came to everywhere."""

    targets: Mapping[Path, str]
    tried: tuple[Tried, ...]
    untried: tuple[Untried, ...]

    @property
    def failed(self) -> bool:
        return any(one.failed or one.findings for one in self.tried)

    def markdown(self) -> str:
        """The table for the README, and a list of what was not run."""
        rows = ["| artifact | tried on | passed | failed | skipped |", "|---|---|--:|--:|--:|"]
        for one in self.tried:
            counts = " | ".join(map(str, (one.passed, one.failed, one.skipped)))
            rows.append(f"| {self.targets[one.wheel]} {_abi(one.wheel)} | {one.interpreter} | {counts} |")
        missing = [
            f"- {self.targets[each.wheel]} {_abi(each.wheel)}: {_where(each)}{each.why}" for each in self.untried
        ]
        return "\n".join([*rows, *(["", "Not run:", "", *missing] if missing else []), ""])


def run(
    wheels: Mapping[Path, Target],
    roots: Sequence[Root],
    interpreters: Sequence[Interpreter],
    *,
    provider: Provider,
    workspace: Workspace,
    store: Store,
    progress: Callable[[Tried], None],
) -> Matrix:
    """Try wheels on this machine's interpreters and in roots, which are made where the store lacks them.

    A root that cannot be had leaves its wheels untried; the others are tried all the same.

    Raises:
        IntegrityError: a root's packages are not those that are pinned.
    """
    targets = {target.id for target in wheels.values()}
    found, missed = _places([root for root in roots if root.target in targets], provider)
    planned: list[tuple[Path, Interpreter]] = []
    untried: list[Untried] = []
    for wheel, target in wheels.items():
        tags = read(wheel).tags
        there = [root for root in roots if root.target == target.id]
        known = (*interpreters, *(each for root in there for each in found.get(root.name, ())))
        suitable = [(wheel, each) for each in known if each.accepts(tags)]
        absent = [
            Untried(wheel, root.name, missed[root.name], fault=not provider.obstacle(root))
            for root in there
            if root.name in missed
        ]
        if not suitable and not absent:
            absent.append(Untried(wheel, "", "no interpreter here is for it, and no root has one", fault=False))
        planned += suitable
        untried += absent
    sums = {wheel: file_sha256(wheel) for wheel in wheels}

    def attempt(wheel: Path, interpreter: Interpreter) -> Tried:
        done = suites.run(
            wheel, sums[wheel], suites.PACKAGE, interpreter, workspace=workspace, store=store, again=False
        )
        progress(done)
        return done

    tried = parallel.each(attempt, planned, jobs=workspace.jobs, stop=process.end_all)
    return Matrix({wheel: target.id for wheel, target in wheels.items()}, tried, tuple(untried))


def _places(roots: Sequence[Root], provider: Provider) -> tuple[dict[str, tuple[Interpreter, ...]], dict[str, str]]:
    """The interpreters of each root, and why those roots that cannot be had cannot, by name."""
    found, missed = {}, {}
    for root in roots:
        try:
            found[root.name] = provider.interpreters(root)
        except (BuildError, MachineError, UsageError) as fault:
            missed[root.name] = fault.what
    return found, missed


def _abi(wheel: Path) -> str:
    return "-".join(wheel.name.split("-")[-3:-1])


def _where(each: Untried) -> str:
    return f"in {each.where}: " if each.where else ""
