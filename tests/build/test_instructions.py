"""What the libraries of every Linux target make of their processors, judged from their code.

A feature that is lost leaves no error behind, only a slower library.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest

from build_config import load, plan, provision
from build_config.model import Target
from build_config.store import Store
from build_config.toolchain import has_host_compiler
from build_config.variables import checked
from build_config.workspace import Listener, Workspace, open_workspace
from tests.support.instructions import families
from tests.support.targets import crossing

pytestmark = [pytest.mark.slow, pytest.mark.network]

ROOT = Path(__file__).parents[2]
DATA = Path(__file__).with_name("instructions.toml")
CATALOG = load.catalog(ROOT)
TARGETS = [name for name, target in CATALOG.targets.items() if target.os == "linux"]


@pytest.fixture(scope="module")
def workspace() -> Workspace:
    """The store that `wheels` uses: what it holds is not built again."""
    return open_workspace(ROOT, os.environ, checked(os.environ))


def found(workspace: Workspace, target: Target, toolchain: str) -> dict[str, set[str]]:
    """The functions of each family in all libraries of a target."""
    whole = plan.make(CATALOG, [target], [], machine=plan.machine(), toolchain=toolchain)
    with Store(workspace.store) as store:
        run = provision.Provision(whole, CATALOG, workspace, store, Listener())
        prepared = run.prepare(target)
        run.provide([prepared])
        prefixes = run.prefixes(prepared)
    functions: dict[str, set[str]] = {}
    for name, prefix in prefixes.items():
        (archive,) = (output for output in CATALOG.recipes[name].outputs if output.endswith(".a"))
        for family, names in families(prefix / archive).items():
            functions.setdefault(family, set()).update(names)
    return functions


def wanted(target: Target) -> dict[str, set[str]]:
    """What a native build has, without what is known to be different on a target."""
    data = tomllib.loads(DATA.read_text(encoding="utf-8"))
    functions = {family: set(names) for family, names in data["functions"][target.arch].items()}
    for row in data.get("exception", []):
        assert row["reason"].strip()
        if target.id in row["targets"]:
            assert set(row["functions"]) <= functions[row["family"]], "an exception for what no native build has"
            functions[row["family"]] -= set(row["functions"])
    return functions


def lacks(functions: Mapping[str, set[str]], target: Target) -> dict[str, list[str]]:
    missing = {family: sorted(names - functions.get(family, set())) for family, names in wanted(target).items()}
    return {family: names for family, names in missing.items() if names}


@pytest.mark.parametrize("name", crossing(TARGETS))
def test_every_feature_of_a_native_build_is_there(workspace: Workspace, name: str) -> None:
    target = CATALOG.targets[name]
    functions = found(workspace, target, "zig")
    assert lacks(functions, target) == {}
    # A feature that is lost is seen.
    assert lacks({**functions, "crc32": set()}, target).keys() == {"crc32"}


def test_the_list_is_that_of_a_native_build(workspace: Workspace) -> None:
    """By the compiler of this machine, where it has one for a target of the list."""
    if not has_host_compiler(workspace.environment):
        pytest.skip("this machine has no compiler of its own")
    target = plan.own_target(CATALOG, plan.machine())
    assert lacks(found(workspace, target, "host"), target) == {}
