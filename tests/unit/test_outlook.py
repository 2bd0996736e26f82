"""What a person is told to expect of a target: its wheels, where they are built and tried, and why not where not."""

from __future__ import annotations

from pathlib import Path

import pytest

from build_config import explain, load, plan
from build_config.load import Catalog
from build_config.model import Job
from build_config.outlook import Outlook, Site, outlook
from build_config.plan import Machine

ROOT = Path(__file__).resolve().parents[2]
HERE = Machine("linux", "x86_64", "gnu")
SITES = (
    Site("linux-gnu-x86_64", "this machine", ("3.8", "3.13t")),
    Site("linux-musl-aarch64", "root musl", ("3.12",)),
    Site("windows-x86_64", "root wine", ()),
)


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load.catalog(ROOT)


def job(catalog: Catalog, name: str) -> Job:
    target = catalog.targets[name]
    return Job(target, target.toolchains[0], tuple(catalog.variants.values()), native=name == HERE.id)


def told(catalog: Catalog, name: str) -> Outlook:
    return outlook(job(catalog, name), machine=HERE, repairer="linux", sites=SITES)


def test_wheels_are_told_by_their_tags(catalog: Catalog) -> None:
    assert told(catalog, "linux-musl-aarch64").wheels == (
        "cp313-cp313t-musllinux_1_1_aarch64",
        "cp314-cp314t-musllinux_1_1_aarch64",
        "cp38-abi3-musllinux_1_1_aarch64",
    )


def test_a_place_serves_its_own_target_alone(catalog: Catalog) -> None:
    assert told(catalog, "linux-gnu-x86_64").sites == SITES[:1]
    assert told(catalog, "linux-musl-aarch64").sites == SITES[1:2]
    assert told(catalog, "linux-gnu-x86_64").untried == ""


@pytest.mark.parametrize("name", ["linux-musl-x86_64", "windows-x86_64"])
def test_where_nothing_runs_it_the_reason_is_told(catalog: Catalog, name: str) -> None:
    found = told(catalog, name)
    assert found.sites == ()
    assert name in found.untried


def test_why_a_target_is_not_built_here_is_told(catalog: Catalog) -> None:
    assert told(catalog, "linux-musl-aarch64").unbuilt == ""
    assert "macOS itself; this machine is linux-gnu-x86_64" in told(catalog, "macos-aarch64").unbuilt


def commands(catalog: Catalog, name: str) -> dict[str, str]:
    chosen = job(catalog, name)
    made = plan.make(catalog, [chosen.target], chosen.variants, machine=HERE)
    rows = explain.commands(made, chosen, catalog, 2)
    return {node: "\n".join(" ".join(argv) for argv in commands) for node, commands in rows}


@pytest.mark.parametrize(("name", "processor"), [("macos-aarch64", "arm64"), ("macos-x86_64", "x86_64")])
def test_the_commands_of_a_mac_are_told_on_any_machine(catalog: Catalog, name: str, processor: str) -> None:
    rows = commands(catalog, name)
    floor = catalog.targets[name].floor
    for subject in ("library", "wheel"):
        text = "\n".join(text for node, text in rows.items() if node.startswith(f"{subject}:"))
        assert f"CMAKE_OSX_ARCHITECTURES={processor}" in text or f'CMAKE_OSX_ARCHITECTURES": "{processor}"' in text
        assert f"CMAKE_OSX_DEPLOYMENT_TARGET={floor}" in text or f'DEPLOYMENT_TARGET": "{floor}"' in text
    assert {node.rpartition(":")[2] for node in rows} >= catalog.recipes.keys() - {"s2n"}


def test_a_target_is_told_of_what_it_needs_alone(catalog: Catalog) -> None:
    rows = commands(catalog, "windows-x86_64")
    assert "library:windows-x86_64:s2n" not in rows
    assert "CMAKE_PREFIX_PATH=STORE/aws-c-common;STORE/aws-lc " in rows["library:windows-x86_64:aws-c-cal"]
    assert rows["library:windows-x86_64:aws-c-common"].endswith("--install BUILD/aws-c-common")


@pytest.mark.parametrize("name", ["linux-gnu-x86_64", "linux-musl-aarch64"])
def test_no_path_of_this_machine_is_told(catalog: Catalog, name: str) -> None:
    assert str(ROOT) not in "\n".join(commands(catalog, name).values())
