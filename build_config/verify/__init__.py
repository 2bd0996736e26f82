"""Owns the judgement of a finished wheel: every rule that it breaks, as findings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ..model import Finding, Target
from ..wheel import inspect
from . import binaries, contents
from .policy import Policy, policy
from .rules import RULES, Rule, finding
from .tools import TOOLS

__all__ = ["RULES", "Policy", "Rule", "check", "check_own", "policy"]


def check(
    wheel: Path,
    target: Target,
    policy: Policy,
    *,
    forbidden: Iterable[str] = (),
    environment: Mapping[str, str],
    work: Path,
    progress: Callable[[int, int], None],
) -> tuple[Finding, ...]:
    """Every rule that a wheel breaks, by our own rules and by the checkers of others; empty when it is fit to ship.

    `forbidden` are paths of this build that must not be inside. `progress` is called from this thread with the number of
    checks done and in all.

    Raises:
        MachineError: a checker is not installed.
    """
    work.mkdir(parents=True, exist_ok=True)
    total = len(TOOLS) + 1
    own = check_own(wheel, target, policy, forbidden=forbidden)
    progress(1, total)
    read, faults = inspect(wheel)
    if read is None or faults:
        return own
    found = list(own)
    with ThreadPoolExecutor(len(TOOLS)) as pool:
        running = [pool.submit(tool.check, read, target, environment=environment, work=work) for tool in TOOLS]
        for done, future in enumerate(running, start=2):
            found += future.result()
            progress(done, total)
    return tuple(found)


def check_own(wheel: Path, target: Target, policy: Policy, *, forbidden: Iterable[str] = ()) -> tuple[Finding, ...]:
    """Like `check`, by our own rules alone: no process is started."""
    read, faults = inspect(wheel)
    found = [finding(fault.rule, fault.subject, fault.message) for fault in faults]
    if read is not None and not faults:
        found += contents.check(read, target, policy)
        found += binaries.check(read, target, policy, tuple(forbidden))
    return tuple(found)
