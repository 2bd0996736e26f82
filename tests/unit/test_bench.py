"""Owns the tests of the runtime benchmark's judgement, and of what its data file says."""

from __future__ import annotations

import random
import statistics
from pathlib import Path

import pytest

from build_config.errors import UsageError
from tests.bench import runtime
from tests.bench.runtime import Measure, judge

ROOT = Path(__file__).parents[2]
DATA = ROOT / "tests" / "bench" / "runtime.toml"
FASTER = Measure("x", ("p",), "rate", "1/s", ">= 1")
SMALLER = Measure("x", ("p",), "peak", "B", "<= 0.5")


@pytest.mark.parametrize(
    ("measure", "baseline", "ours", "verdict"),
    [
        (FASTER, [10.0] * 7, [10.0] * 7, "yes"),
        (FASTER, [10.0] * 7, [9.9] * 7, "NO"),
        (FASTER, [10.0] * 7, [9.9] * 6 + [10.1], "even"),
        (FASTER, [10.0] * 9, [9.9] * 8 + [10.1], "NO"),
        (FASTER, [10.0] * 3, [20.0, 5.0, 11.0], "yes"),
        (SMALLER, [10.0] * 7, [5.0] * 7, "yes"),
        (SMALLER, [10.0] * 7, [5.1] * 7, "NO"),
        (SMALLER, [10.0] * 7, [5.1] * 6 + [4.9], "even"),
        (FASTER, [10.0], [9.0], "NO"),
    ],
)
def test_the_verdict(measure: Measure, baseline: list[float], ours: list[float], verdict: str) -> None:
    assert judge(measure, baseline, ours).verdict == verdict


def test_the_medians_are_told() -> None:
    row = judge(FASTER, [1.0, 2.0, 100.0], [4.0, 8.0, 0.5])
    assert (row.baseline, row.ours, row.ratio) == (2.0, 4.0, 4.0)


def test_a_machine_that_gets_slower_favours_nobody() -> None:
    # Of the sides' medians the ratio would be 0.5.
    row = judge(FASTER, [10.0, 10.0, 10.0, 10.0, 5.0, 5.0, 5.0], [10.0, 10.0, 10.0, 5.0, 5.0, 5.0, 5.0])
    assert (row.baseline, row.ours, row.ratio, row.verdict) == (10.0, 5.0, 1.0, "yes")


@pytest.mark.parametrize("rounds", [6, 7, 9, 12, 21])
def test_the_bounds_hold_the_truth_as_often_as_they_say(rounds: int) -> None:
    source = random.Random(rounds)  # noqa: S311 - made-up figures
    held = []
    for _ in range(1000):
        baseline = [source.lognormvariate(0, 0.3) for _ in range(rounds)]
        ours = [source.lognormvariate(0, 0.3) for _ in range(rounds)]
        row = judge(FASTER, baseline, ours)
        held.append(row.low <= 1.0 <= row.high)
    assert statistics.mean(held) >= runtime.CONFIDENCE - 0.01


def test_the_data_file_is_good_and_names_programs_that_exist() -> None:
    plan = runtime.load(DATA)
    assert {each.call[0] for each in plan.measures} == {
        path.stem for path in (DATA.parent / "programs").glob("*.py") if path.stem != "rig"
    }
    names = [each.name for each in plan.measures]
    assert len(names) == len(set(names))


def test_against_another_wheel_every_limit_is_one() -> None:
    assert {each.limit for each in runtime.load(DATA).even().measures} == {">= 1", "<= 1"}


def test_measures_are_chosen_by_a_part_of_their_name() -> None:
    plan = runtime.load(DATA)
    assert {each.figure for each in plan.only(["peak memory"]).measures} == {"peak"}
    with pytest.raises(UsageError, match="no measure") as caught:
        plan.only(["nothing"])
    assert "TLS 1.2 connections" in caught.value.hint


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ('{ name = "a", call = ["p"], unit = "s", limit = "> 1" }', "limit '> 1' does not match"),
        ('{ name = "a", call = ["p"], unit = "s", limit = ">= 1", figure = "size" }', "figure 'size' does not match"),
        ('{ name = "a", unit = "s", limit = ">= 1" }', "call is missing"),
        ('{ name = "a", call = ["p"], unit = "s", limit = ">= 1", limits = "x" }', "unknown field 'limits'"),
    ],
)
def test_a_wrong_row_is_refused(tmp_path: Path, row: str, told: str) -> None:
    path = tmp_path / "runtime.toml"
    path.write_text(f"large = 1\nfirst = 1\nmeasure = [\n{row}\n]\n")
    with pytest.raises(UsageError, match=told):
        runtime.load(path)
