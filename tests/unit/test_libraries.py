"""The key of a library has every fact that decides its bytes, each under a name, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from build_config import key, load
from build_config.key import Key
from build_config.libraries import library_key
from build_config.model import Archive, Condition, Recipe, Source, Target, Toolchain
from build_config.toolchain import Tools

ROOT = Path(__file__).parents[2]
RECIPE = Recipe(
    name="io",
    version="1.0",
    licence="Apache-2.0",
    licence_files=("LICENSE",),
    needs=("common",),
    options=(("FAST", "ON"),),
    conditions=(Condition(os=("windows",), options=(("FAST", "OFF"),)),),
    outputs=("lib/libio.a",),
)
SOURCE = Source("io", "1.0", "a" * 64, "crt/io", Archive("p", "1", "p.tar.gz", 1, "0" * 64), None)
TARGET = Target("linux", "x86_64", "gnu", "2.17", ("manylinux_2_17_x86_64",), ("zig",))
TOOLCHAIN = Toolchain(
    "zig", TARGET, (("compiler", "zig 0.16.0"),), (("CMAKE_C_COMPILER", "/one/cc"),), (("ZIG_CACHE", "/one"),)
)
TOOLS = Tools(Path("/one/cmake"), Path("/one/ninja"), (("cmake", "4.0.0"), ("ninja", "1.13.0")))
COMMON = Key.of("library", "common", [("version", "1")])


def made(
    recipe: Recipe = RECIPE,
    source: Source = SOURCE,
    target: Target = TARGET,
    toolchain: Toolchain = TOOLCHAIN,
    tools: Tools = TOOLS,
    common: Key = COMMON,
) -> Key:
    return library_key(recipe, source, target, toolchain, tools, {"common": common})


@pytest.mark.parametrize(
    ("other", "fields"),
    [
        (made(recipe=replace(RECIPE, version="2.0")), ["version"]),
        (made(recipe=replace(RECIPE, options=(("FAST", "1"),))), ["option.FAST"]),
        (made(recipe=replace(RECIPE, options=(("FAST", "ON"), ("MORE", "1")))), ["option.MORE"]),
        (made(recipe=replace(RECIPE, outputs=("lib/libio.a", "x"))), ["outputs"]),
        (made(recipe=replace(RECIPE, licence_files=("LICENSE", "NOTICE"))), ["licence_files"]),
        (made(source=replace(SOURCE, tree="b" * 64)), ["source.tree"]),
        (made(target=replace(TARGET, floor="2.28")), ["target.floor"]),
        (made(target=replace(TARGET, arch="aarch64")), ["target"]),
        (made(target=replace(TARGET, os="windows")), ["option.FAST", "target"]),
        (made(toolchain=replace(TOOLCHAIN, name="host")), ["toolchain"]),
        (made(toolchain=replace(TOOLCHAIN, identity=(("compiler", "zig 0.17.0"),))), ["toolchain.compiler"]),
        (made(tools=replace(TOOLS, versions=(("cmake", "4.1.0"), ("ninja", "1.13.0")))), ["cmake"]),
        (made(common=Key.of("library", "common", [("version", "2")])), ["dependency.common"]),
    ],
)
def test_what_changes_the_bytes_changes_the_key_in_a_named_field(other: Key, fields: list[str]) -> None:
    assert [difference.field for difference in key.differences(made(), other)] == fields


def test_where_things_are_is_not_part_of_it() -> None:
    toolchain = replace(TOOLCHAIN, cmake_options=(("CMAKE_C_COMPILER", "/two/cc"),), environment=())
    tools = Tools(Path("/two/cmake"), Path("/two/ninja"), (("cmake", "4.0.0"), ("ninja", "1.9.0")))
    assert made(toolchain=toolchain, tools=tools) == made()
    assert "/one" not in made().text


def test_conditions_of_other_targets_do_not_matter() -> None:
    conditions = (*RECIPE.conditions, Condition(arch=("aarch64",), options=(("NEON", "ON"),)))
    assert made(recipe=replace(RECIPE, conditions=conditions)) == made()


def test_every_recipe_has_a_key_that_reads_back() -> None:
    catalog = load.catalog(ROOT)
    for name, recipe in catalog.recipes.items():
        made_key = library_key(recipe, catalog.sources[name], TARGET, TOOLCHAIN, TOOLS, {"common": COMMON})
        assert Key.parse(made_key.text) == made_key
