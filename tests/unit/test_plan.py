"""Deciding is pure: which nodes a request comes to, in which order."""

from __future__ import annotations

from pathlib import Path

import pytest

from build_config import load, plan
from build_config.errors import UsageError
from build_config.load import Catalog
from build_config.model import Step
from build_config.plan import Machine

ROOT = Path(__file__).resolve().parents[2]
HERE = Machine("linux", "x86_64", "gnu")


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load.catalog(ROOT)


def test_the_plan_goes_from_sources_to_trials(catalog: Catalog) -> None:
    target = catalog.targets["linux-gnu-x86_64"]
    made = plan.make(catalog, [target], [catalog.variants["cp38-abi3"]], machine=HERE)
    names = [node.id for node in made.nodes]
    assert names[-1] == "trial:linux-gnu-x86_64:cp38-abi3:awscrt"
    assert len([node for node in made.nodes if node.step is Step.LIBRARY]) == 13
    assert all(names.index(need) < names.index(node.id) for node in made.nodes for need in node.needs)


def test_sources_are_shared_by_targets(catalog: Catalog) -> None:
    targets = [catalog.targets["linux-gnu-aarch64"], catalog.targets["linux-gnu-x86_64"]]
    made = plan.make(catalog, targets, list(catalog.variants.values()), machine=HERE)
    assert len([node for node in made.nodes if node.step is Step.SOURCE]) == 13
    assert len([node for node in made.nodes if node.step is Step.LIBRARY]) == 26


def test_the_plan_is_the_same_every_time(catalog: Catalog) -> None:
    targets = [catalog.targets["linux-gnu-x86_64"]]
    variants = list(catalog.variants.values())
    plans = {plan.make(catalog, targets, variants, machine=HERE) for _ in range(3)}
    assert len(plans) == 1


@pytest.mark.fault("F29")
def test_unknown_targets_come_with_suggestions(catalog: Catalog) -> None:
    with pytest.raises(UsageError) as caught:
        plan.choose_targets(catalog, ["linux-gnu-x86-64", "all", "plan9"], HERE)
    assert "unknown target 'linux-gnu-x86-64'; did you mean 'linux-gnu-x86_64'?" in str(caught.value)
    assert "unknown target 'plan9'" in str(caught.value)


def test_no_target_means_the_machines_own_and_all_means_each(catalog: Catalog) -> None:
    assert [t.id for t in plan.choose_targets(catalog, [], HERE)] == ["linux-gnu-x86_64"]
    assert {t.id for t in plan.choose_targets(catalog, ["all"], HERE)} == set(catalog.targets)


@pytest.mark.parametrize(
    ("names", "everything", "chosen"),
    [
        ((), False, ["cp38-abi3"]),
        ((), True, ["cp313-cp313t", "cp314-cp314t", "cp38-abi3"]),
        (("cp314-cp314t",), False, ["cp314-cp314t"]),
        (("cp314-cp314t",), True, ["cp314-cp314t"]),
    ],
)
def test_all_means_every_variant_too(
    catalog: Catalog, names: tuple[str, ...], *, everything: bool, chosen: list[str]
) -> None:
    assert [v.id for v in plan.choose_variants(catalog, names, everything=everything)] == chosen


@pytest.mark.parametrize(
    ("machine", "toolchain", "built"),
    [
        (HERE, "", {"linux-gnu-aarch64", "linux-musl-x86_64", "windows-x86_64"}),
        (HERE, "host", {"linux-gnu-x86_64"}),
        (Machine("macos", "aarch64", ""), "", {"linux-gnu-x86_64", "macos-x86_64", "macos-aarch64"}),
        (Machine("macos", "aarch64", ""), "host", {"macos-x86_64", "macos-aarch64"}),
        (Machine("linux", "riscv64", "gnu"), "host", set()),
    ],
)
def test_what_a_machine_cannot_build_is_left_out_with_the_reason(
    catalog: Catalog, machine: Machine, toolchain: str, built: set[str]
) -> None:
    targets = list(catalog.targets.values())
    made = plan.make(catalog, targets, [], machine=machine, toolchain=toolchain, possible_only=True)
    done, left = {job.target.id for job in made.jobs}, {job.target.id: why for job, why in made.left_out}
    assert built <= done
    assert done | left.keys() == set(catalog.targets)
    assert not done & left.keys()
    assert all(machine.id in why or "not built with" in why for why in left.values())
    assert toolchain != "host" or done == built
    assert {job.target.id for job in made.jobs if job.native} == {machine.id} & done


def test_a_target_that_somebody_names_is_never_left_out(catalog: Catalog) -> None:
    target = catalog.targets["macos-aarch64"]
    made = plan.make(catalog, [target], [], machine=HERE)
    assert [(job.target, job.toolchain) for job in made.jobs] == [(target, "host")]
    with pytest.raises(UsageError, match="macos-aarch64 is not built with 'zig'"):
        plan.make(catalog, [target], [], machine=HERE, toolchain="zig")


@pytest.mark.parametrize(
    ("system", "machine", "libc", "name"),
    [
        ("Linux", "x86_64", "glibc", "linux-gnu-x86_64"),
        ("Linux", "AMD64", "glibc", "linux-gnu-x86_64"),
        ("Linux", "arm64", "glibc", "linux-gnu-aarch64"),
        ("Linux", "x86_64", "", "linux-musl-x86_64"),
        ("Windows", "AMD64", "", "windows-x86_64"),
        ("Darwin", "arm64", "", "macos-aarch64"),
    ],
)
def test_the_machines_own_target(catalog: Catalog, system: str, machine: str, libc: str, name: str) -> None:
    assert plan.own_target(catalog, plan.described(system=system, machine=machine, libc=libc)).id == name


def test_a_machine_that_is_no_target_is_told(catalog: Catalog) -> None:
    with pytest.raises(UsageError, match=r"this machine \(linux-gnu-riscv64\) is no target"):
        plan.own_target(catalog, Machine("linux", "riscv64", "gnu"))


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
