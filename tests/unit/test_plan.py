"""Deciding is pure: which nodes a request comes to, in which order."""

from __future__ import annotations

from pathlib import Path

import pytest

from build_config import load, plan
from build_config.errors import UsageError
from build_config.load import Catalog
from build_config.model import Step

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load.catalog(ROOT)


def test_the_plan_goes_from_sources_to_trials(catalog: Catalog) -> None:
    target = catalog.targets["linux-gnu-x86_64"]
    made = plan.make(catalog, [target], list(catalog.variants.values()), toolchain="zig")
    names = [node.id for node in made.nodes]
    assert names[-1] == "trial:linux-gnu-x86_64:cp38-abi3:awscrt"
    assert len([node for node in made.nodes if node.step is Step.LIBRARY]) == 13
    assert all(names.index(need) < names.index(node.id) for node in made.nodes for need in node.needs)


def test_sources_are_shared_by_targets(catalog: Catalog) -> None:
    targets = [catalog.targets["linux-gnu-aarch64"], catalog.targets["linux-gnu-x86_64"]]
    made = plan.make(catalog, targets, list(catalog.variants.values()), toolchain="zig")
    assert len([node for node in made.nodes if node.step is Step.SOURCE]) == 13
    assert len([node for node in made.nodes if node.step is Step.LIBRARY]) == 26


def test_the_plan_is_the_same_every_time(catalog: Catalog) -> None:
    targets = [catalog.targets["linux-gnu-x86_64"]]
    variants = list(catalog.variants.values())
    plans = {plan.make(catalog, targets, variants, toolchain="zig") for _ in range(3)}
    assert len(plans) == 1


@pytest.mark.fault("F29")
def test_unknown_targets_come_with_suggestions(catalog: Catalog) -> None:
    default = catalog.targets["linux-gnu-x86_64"]
    with pytest.raises(UsageError) as caught:
        plan.choose_targets(catalog, ["linux-gnu-x86-64", "all", "plan9"], default)
    assert "unknown target 'linux-gnu-x86-64'; did you mean 'linux-gnu-x86_64'?" in str(caught.value)
    assert "unknown target 'plan9'" in str(caught.value)


def test_no_target_means_the_default_and_all_means_each(catalog: Catalog) -> None:
    default = catalog.targets["linux-gnu-x86_64"]
    assert plan.choose_targets(catalog, [], default) == (default,)
    assert {t.id for t in plan.choose_targets(catalog, ["all"], default)} == set(catalog.targets)


@pytest.mark.parametrize(
    ("system", "machine", "libc", "name"),
    [
        ("Linux", "x86_64", "glibc", "linux-gnu-x86_64"),
        ("Linux", "AMD64", "glibc", "linux-gnu-x86_64"),
        ("Linux", "arm64", "glibc", "linux-gnu-aarch64"),
    ],
)
def test_the_machines_own_target(catalog: Catalog, system: str, machine: str, libc: str, name: str) -> None:
    assert plan.machine_target(catalog, system=system, machine=machine, libc=libc).id == name


def test_a_machine_that_is_no_target_is_told(catalog: Catalog) -> None:
    with pytest.raises(UsageError, match=r"this machine \(linux-gnu-riscv64\) is no target"):
        plan.machine_target(catalog, system="Linux", machine="riscv64", libc="glibc")


@pytest.mark.parametrize(
    ("filename", "floor"),
    [
        ("awscrt-0.38.0-cp38-abi3-manylinux_2_17_x86_64.manylinux2014_x86_64.whl", "2.17"),
        ("awscrt-0.38.0-cp38-abi3-manylinux2014_x86_64.whl", "2.17"),
        ("awscrt-0.38.0-cp38-abi3-manylinux_2_36_x86_64.whl", "2.36"),
        ("awscrt-0.38.0-1-cp38-abi3-linux_x86_64.whl", "2.17"),
    ],
)
def test_a_wheels_name_says_its_target(catalog: Catalog, filename: str, floor: str) -> None:
    target = plan.wheel_target(catalog, filename)
    assert (target.id, target.floor) == ("linux-gnu-x86_64", floor)


@pytest.mark.fault("F29")
@pytest.mark.parametrize("filename", ["awscrt.zip", "awscrt-0.38.0-cp38-abi3-plan9_mips.whl", "a-b.whl"])
def test_a_wheel_for_no_target_is_refused(catalog: Catalog, filename: str) -> None:
    with pytest.raises(UsageError):
        plan.wheel_target(catalog, filename)
