"""Which wheel an interpreter takes, of all that the data files plan: by the library that pip itself judges with."""

from __future__ import annotations

from pathlib import Path

import pytest
from packaging.tags import Tag, cpython_tags, parse_tag

from build_config import load, outlook, plan
from build_config.extension import extension_suffix
from build_config.load import Catalog
from build_config.model import Job, Target
from tests.support.platforms import before, platforms

ROOT = Path(__file__).resolve().parents[2]
HERE = plan.Machine("linux", "x86_64", "gnu")
TARGETS = sorted(load.catalog(ROOT).targets)
PYTHONS = (
    ((3, 7), "cp37m", None),
    ((3, 8), "cp38", "cp38-abi3"),
    ((3, 11), "cp311", "cp38-abi3"),
    ((3, 13), "cp313", "cp38-abi3"),
    ((3, 15), "cp315", "cp38-abi3"),
    ((3, 13), "cp313t", "cp313-cp313t"),
    ((3, 14), "cp314t", "cp314-cp314t"),
    ((3, 15), "cp315t", None),
)


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load.catalog(ROOT)


def wheels(catalog: Catalog) -> dict[Tag, tuple[str, str]]:
    """Every tag of every planned wheel, with its target and variant."""
    found: dict[Tag, tuple[str, str]] = {}
    for target in catalog.targets.values():
        job = Job(target, target.toolchains[0], tuple(catalog.variants.values()), native=False)
        for text in outlook.outlook(job, machine=HERE, repairer="", sites=()).wheels:
            for tag in parse_tag(text):
                assert tag not in found, f"two wheels are for {tag}"
                found[tag] = target.id, text.rsplit("-", 1)[0]
    return found


def taken(catalog: Catalog, target: Target, floor: str, release: tuple[int, int], abi: str) -> tuple[str, str] | None:
    known = wheels(catalog)
    accepted = cpython_tags(release, abis=[abi], platforms=platforms(target, floor))
    return next((known[tag] for tag in accepted if tag in known), None)


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.parametrize(("release", "abi", "variant"), PYTHONS)
def test_each_python_takes_the_wheel_of_its_abi_on_its_platform(
    catalog: Catalog, name: str, release: tuple[int, int], abi: str, variant: str | None
) -> None:
    target = catalog.targets[name]
    wanted = (name, variant) if variant else None
    assert taken(catalog, target, target.floor, release, abi) == wanted


@pytest.mark.parametrize("name", [name for name in TARGETS if not name.startswith("windows")])
def test_a_machine_older_than_the_floor_takes_none(catalog: Catalog, name: str) -> None:
    target = catalog.targets[name]
    assert taken(catalog, target, before(target.floor), (3, 11), "cp311") is None


@pytest.mark.parametrize(
    ("target", "variant", "suffix"),
    [
        ("linux-gnu-aarch64", "cp38-abi3", ".abi3.so"),
        ("linux-musl-x86_64", "cp38-abi3", ".abi3.so"),
        ("linux-gnu-aarch64", "cp313-cp313t", ".cpython-313t-aarch64-linux-gnu.so"),
        ("linux-musl-x86_64", "cp314-cp314t", ".cpython-314t-x86_64-linux-musl.so"),
        ("macos-aarch64", "cp314-cp314t", ".cpython-314t-darwin.so"),
    ],
)
def test_the_file_name_is_one_that_its_python_imports(catalog: Catalog, target: str, variant: str, suffix: str) -> None:
    assert extension_suffix(catalog.targets[target], catalog.variants[variant]) == suffix
