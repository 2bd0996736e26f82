"""Owns the judgement: what became of each test on both sides, where they differ, and which of that is bad."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

from ..model import Finding, Severity
from .rig import Rig, Suite

PASSED = "passed"
SKIPPED = "skipped"
DIED = "died"
NOT_RUN = "not run"
GOOD = (PASSED, SKIPPED)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one test id: passed, skipped, failed, error, died (the process ended in it) or not run.

    `again` is True where only the second try was good; `detail` then tells of the first.
    """

    test: str
    outcome: str
    detail: str = ""
    again: bool = False

    def renamed(self, test: str) -> Outcome:
        return replace(self, test=test)


@dataclass(frozen=True, slots=True)
class Difference:
    """A test with another outcome than the baseline's; `reason` is set where that is expected."""

    test: str
    baseline: str
    ours: str
    detail: str
    reason: str = ""

    @property
    def regression(self) -> bool:
        return self.baseline == PASSED and not self.reason


@dataclass(frozen=True, slots=True)
class Comparison:
    """Both sides on one interpreter."""

    interpreter: str
    baseline: tuple[Outcome, ...]
    ours: tuple[Outcome, ...]
    differences: tuple[Difference, ...]


def compare(rig: Rig, interpreter: str, baseline: Sequence[Outcome], ours: Sequence[Outcome]) -> Comparison:
    """Both sides' outcomes and the tests in which they differ, sorted by id."""
    left = {outcome.test: outcome for outcome in baseline}
    right = {outcome.test: outcome for outcome in ours}
    differences = []
    for test in sorted(left.keys() | right.keys()):
        one, other = (side.get(test, Outcome(test, NOT_RUN)) for side in (left, right))
        if one.outcome != other.outcome:
            detail = other.detail or one.detail
            differences.append(Difference(test, one.outcome, other.outcome, detail, rig.reason(test)))
    return Comparison(interpreter, tuple(baseline), tuple(ours), tuple(differences))


def findings(rig: Rig, comparisons: Sequence[Comparison]) -> tuple[Finding, ...]:
    """What is bad: a test that passes with the baseline only, a baseline that is too weak, a needless exception.

    A test that only our second try passed, and the baseline's first one, is a warning.
    """
    found: list[Finding] = []
    for comparison in comparisons:
        where = comparison.interpreter
        unloaded = tuple(f"{s.id}." for s in rig.suites if _unloaded(s, comparison))
        found += [
            _regression(difference, where)
            for difference in comparison.differences
            # A suite that does not load is one finding, not one for each of its tests.
            if difference.regression and not difference.test.startswith(unloaded)
        ]
        found += _unsteady(comparison)
        found += [_weak(suite, comparison) for suite in rig.suites if _passes(suite, comparison) < suite.passes]
    differing = {difference.test for comparison in comparisons for difference in comparison.differences}
    found += [
        Finding("conformance-expected", Severity.ERROR, test, "is expected to differ, and does not", "take the row out")
        for test in sorted({each.test for each in rig.expected} - differing)
    ]
    return tuple(found)


def counts(outcomes: Sequence[Outcome]) -> dict[str, int]:
    """How many tests came to each outcome, sorted by outcome."""
    kinds = [outcome.outcome for outcome in outcomes]
    return {kind: kinds.count(kind) for kind in sorted(set(kinds))}


def to_json(comparison: Comparison) -> dict[str, object]:
    """A machine's view: counts of both sides, every difference, and what needed a second try."""
    sides = {"baseline": comparison.baseline, "ours": comparison.ours}
    return {
        "interpreter": comparison.interpreter,
        **{side: counts(outcomes) for side, outcomes in sides.items()},
        "differences": [{**asdict(each), "regression": each.regression} for each in comparison.differences],
        "again": {side: [one.test for one in outcomes if one.again] for side, outcomes in sides.items()},
    }


def difference_rows(comparison: Comparison) -> tuple[tuple[str, str, str, str], ...]:
    """A table with its heading: test, baseline, ours, and what that means."""
    rows = [("test", "baseline", "ours", "")]
    for each in comparison.differences:
        meaning = "REGRESSION" if each.regression else each.reason or "not worse"
        rows.append((each.test, each.baseline, each.ours, meaning))
    return tuple(rows)


def _unloaded(suite: Suite, comparison: Comparison) -> bool:
    return any(each.test == f"{suite.id} (load)" and each.regression for each in comparison.differences)


def _passes(suite: Suite, comparison: Comparison) -> int:
    members = [each for each in comparison.baseline if each.test.startswith(f"{suite.id}.")]
    return counts(members).get(PASSED, 0)


def _weak(suite: Suite, comparison: Comparison) -> Finding:
    message = f"{_passes(suite, comparison)} tests pass with the baseline's wheel, {suite.passes} should"
    hint = "the rig or the machine is broken; nothing was shown about our wheel"
    return Finding("conformance-baseline", Severity.ERROR, f"{suite.id} [{comparison.interpreter}]", message, hint)


def _regression(difference: Difference, interpreter: str) -> Finding:
    message = f"passes with the baseline's wheel; with ours: {difference.ours}"
    return Finding("conformance", Severity.ERROR, f"{difference.test} [{interpreter}]", message, difference.detail)


def _unsteady(comparison: Comparison) -> list[Finding]:
    steady = {each.test for each in comparison.baseline if each.outcome == PASSED and not each.again}
    message = "passes at the second try with our wheel, and at the first with the baseline's"
    return [
        Finding(
            "conformance-unsteady", Severity.WARNING, f"{each.test} [{comparison.interpreter}]", message, each.detail
        )
        for each in comparison.ours
        if each.again and each.test in steady
    ]
