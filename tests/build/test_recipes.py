"""The recipes built from the pinned sources, or taken from the store: what comes out is right under every toolchain."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from build_config import libraries, load, plan, probes, provision
from build_config.fetch import sources
from build_config.load import Catalog
from build_config.schema import Table, read
from build_config.store import Store
from build_config.toolchain import find_tools, has_host_compiler, resolve
from build_config.variables import checked
from build_config.workspace import Listener, Workspace, open_workspace

ROOT = Path(__file__).parents[2]

pytestmark = [pytest.mark.slow, pytest.mark.network]


@pytest.fixture(scope="module")
def workspace() -> Workspace:
    """The store that `wheels` uses: what it holds is not built again."""
    return open_workspace(ROOT, os.environ, checked(os.environ))


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load.catalog(ROOT)


def prefixes(workspace: Workspace, catalog: Catalog, toolchain: str) -> Mapping[str, Path]:
    machine = plan.machine()
    target = plan.own_target(catalog, machine)
    whole = plan.make(catalog, [target], [], machine=machine, toolchain=toolchain)
    with Store(workspace.store) as store:
        run = provision.Provision(whole, catalog, workspace, store, Listener())
        prepared = run.prepare(target)
        run.provide([prepared])
        return run.prefixes(prepared)


@pytest.fixture(scope="module")
def zig(workspace: Workspace, catalog: Catalog) -> Mapping[str, Path]:
    return prefixes(workspace, catalog, "zig")


@pytest.fixture(scope="module")
def gcc(workspace: Workspace, catalog: Catalog) -> Mapping[str, Path]:
    if not has_host_compiler(workspace.environment):
        pytest.skip("this machine has no compiler of its own")
    target = plan.own_target(catalog, plan.machine())
    host = resolve("host", target, environment=workspace.environment, work=workspace.tools)
    if not dict(host.identity)["compiler"].startswith("gcc "):
        pytest.skip("the differences on record are those to gcc")
    return prefixes(workspace, catalog, "host")


def answers(folders: Mapping[str, Path]) -> dict[str, dict[str, str]]:
    return {name: json.loads((folder / "probes.json").read_text()) for name, folder in folders.items()}


def test_probes_are_answered_as_by_a_native_gcc(zig: Mapping[str, Path], gcc: Mapping[str, Path]) -> None:
    problems: list[str] = []
    known = probes.exceptions(Table(read(ROOT / "build_config" / "probes.toml"), "probes.toml", problems))
    assert problems == []
    findings = probes.compare(answers(zig), answers(gcc), known)
    assert [f"{finding.subject}: {finding.message}" for finding in findings] == []


def test_what_a_recipe_says_in_place_of_a_probe_is_what_the_probe_says(
    catalog: Catalog, workspace: Workspace, gcc: Mapping[str, Path], tmp_path: Path
) -> None:
    said = dict(catalog.recipes["aws-c-common"].options)
    probe = "AWS_HAVE_GCC_OVERFLOW_MATH_EXTENSIONS"
    recipe = replace(catalog.recipes["aws-c-common"], options=tuple((k, v) for k, v in said.items() if k != probe))
    target = plan.own_target(catalog, plan.machine())
    host = resolve("host", target, environment=workspace.environment, work=workspace.tools)
    with Store(workspace.store) as store:
        folders = sources.obtain(
            [catalog.sources["aws-c-common"]],
            store,
            provider=workspace.provider,
            offline=workspace.offline,
            environment=workspace.environment,
            progress=lambda done, total: None,
        )
        libraries.build(
            recipe,
            target,
            host,
            find_tools(workspace.environment),
            folders["aws-c-common"],
            {},
            tmp_path / "out",
            work=tmp_path / "work",
            log=tmp_path / "log",
            jobs=2,
        )
    assert json.loads((tmp_path / "out" / "probes.json").read_text())[probe] == said[probe]
    header = Path("include", "aws", "common", "config.h")
    assert (tmp_path / "out" / header).read_bytes() == (gcc["aws-c-common"] / header).read_bytes()


def test_every_library_has_its_notices(zig: Mapping[str, Path], catalog: Catalog) -> None:
    for name, folder in zig.items():
        for file in catalog.recipes[name].licence_files:
            base = folder / "licenses" / name / file
            path = base if base.is_file() else base.with_name(f"{base.name}.txt")
            assert len(path.read_text(encoding="utf-8")) > 50


def test_every_identifier_of_a_licence_stands_in_a_notice(zig: Mapping[str, Path], catalog: Catalog) -> None:
    """An expression is of SPDX identifiers, and aws-lc's names those that its own LICENSE lists."""
    known = {"Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "MIT-0"}
    for recipe in catalog.recipes.values():
        words = set(re.findall(r"[\w.-]+", recipe.licence)) - {"AND", "OR"}
        assert words <= known
    listed = (zig["aws-lc"] / "licenses" / "aws-lc" / "LICENSE").read_text(encoding="utf-8")
    named = set(re.findall(r"SPDX-License-Identifier: (.*)", listed.partition("NOT compiled into")[0]))
    assert named
    parts = set(re.split(r"\s+AND\s+", catalog.recipes["aws-lc"].licence))
    assert {part.strip("()") for part in parts} == named
