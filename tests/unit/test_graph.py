"""The order of things that need each other."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from build_config import graph
from build_config.errors import UsageError


def test_needs_come_first_and_ties_are_sorted() -> None:
    assert graph.ordered({"s3": ["auth", "checksums"], "auth": ["http"], "http": [], "checksums": []}) == (
        "checksums",
        "http",
        "auth",
        "s3",
    )


@given(st.lists(st.integers(0, 30), min_size=1, max_size=30, unique=True), st.randoms())
def test_any_acyclic_graph_is_ordered(numbers: list[int], random: object) -> None:
    needs = {str(n): [str(m) for m in numbers if m < n and (n * 7 + m) % 3 == 0] for n in numbers}
    order = graph.ordered(needs)
    assert sorted(order) == sorted(needs)
    assert all(order.index(need) < order.index(name) for name, wanted in needs.items() for need in wanted)


@pytest.mark.fault("F33")
def test_a_cycle_is_named() -> None:
    with pytest.raises(UsageError, match=r"need each other: .*(a → b → c → a|b → c → a → b|c → a → b → c)"):
        graph.ordered({"a": ["b"], "b": ["c"], "c": ["a"], "d": []})


@pytest.mark.fault("F33")
def test_every_unknown_need_is_named_with_a_suggestion() -> None:
    with pytest.raises(UsageError) as caught:
        graph.ordered({"aws-c-io": ["aws-c-cmmon", "zzz"], "aws-c-common": []})
    assert "'aws-c-cmmon', which does not exist; did you mean 'aws-c-common'?" in str(caught.value)
    assert "'zzz'" in str(caught.value)


def test_closure_takes_what_is_needed_indirectly() -> None:
    needs = {"a": ["b"], "b": ["c"], "c": [], "d": ["a"]}
    assert graph.closure(["a"], needs) == {"a", "b", "c"}


def test_height_is_the_length_of_the_longest_chain_that_waits() -> None:
    needs = {"crypto": [], "tls": ["crypto"], "io": ["tls", "common"], "common": [], "sums": ["common"]}
    assert graph.heights(needs) == {"crypto": 3, "tls": 2, "io": 1, "common": 2, "sums": 1}
