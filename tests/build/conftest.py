"""Owns what real builds of small projects share: compilers, recipes and places."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from build_config import libraries
from build_config.model import Recipe, Target, Toolchain
from build_config.toolchain import Tools, find_tools, has_host_compiler, resolve

PROJECTS = Path(__file__).parent / "projects"
ENVIRONMENT = {"PATH": os.environ.get("PATH", os.defpath)}
MACHINE = Target("linux", platform.machine(), "gnu", "2.17", (), ("zig", "host"))

BASE = Recipe(
    name="base",
    version="1.2.3",
    licence="MIT",
    licence_files=("LICENSE", "include/base/base.h"),
    needs=(),
    options=(("BASE_LOUD", "yes"),),
    conditions=(),
    outputs=("include/base/base.h", "include/base/config.h", "lib/cmake/base/base-config.cmake", "lib/libbase.a"),
)
USER = replace(BASE, name="user", licence_files=("LICENSE",), needs=("base",), options=(), outputs=("lib/libuser.a",))


@dataclass(frozen=True)
class Site:
    """Where and with what small projects are built; each may be put elsewhere."""

    root: Path
    toolchain: Toolchain
    tools: Tools
    places: Mapping[str, Path] = field(default_factory=dict)

    def place(self, role: str) -> Path:
        return self.places.get(role, self.root / role)

    def source(self, name: str) -> Path:
        """A copy of a project's sources, made at the first call."""
        folder = self.place("source") / name
        if not folder.exists():
            shutil.copytree(PROJECTS / name, folder)
        return folder

    def build(self, recipe: Recipe, *needed: str) -> Path:
        out = self.place("out") / recipe.name
        libraries.build(
            recipe,
            self.toolchain.target,
            self.toolchain,
            self.tools,
            self.source(recipe.name),
            {name: self.place("out") / name for name in needed},
            out,
            work=self.place("work"),
            log=self.log,
            jobs=2,
        )
        return out

    @property
    def log(self) -> Path:
        return self.root / "build.log"


@pytest.fixture(scope="session")
def tools() -> Tools:
    return find_tools(ENVIRONMENT)


@pytest.fixture(scope="session")
def caches(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where compilers keep wrappers and caches: zig builds its C library once for all tests."""
    return tmp_path_factory.mktemp("tools")


@pytest.fixture(scope="session")
def zig(caches: Path) -> Toolchain:
    return resolve("zig", MACHINE, environment=ENVIRONMENT, work=caches)


@pytest.fixture(scope="session", params=["zig", "host"])
def toolchain(request: pytest.FixtureRequest, caches: Path) -> Toolchain:
    if request.param == "host" and not has_host_compiler(ENVIRONMENT):
        pytest.skip("this machine has no compiler of its own")
    return resolve(request.param, MACHINE, environment=ENVIRONMENT, work=caches)


Make = Callable[..., Site]


@pytest.fixture
def make(tmp_path: Path, tools: Tools) -> Make:
    """Makes a site below the test's own folder."""

    def site(toolchain: Toolchain, name: str = "site", **places: Path) -> Site:
        return Site(tmp_path / name, toolchain, tools, places)

    return site
