"""Owns the reading of the data files: recipes, pins and targets become model objects, or one complete error."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from . import graph
from .errors import UsageError
from .model import Archive, Condition, GitPin, Project, Recipe, Source, Target, Variant
from .schema import COMMIT, SHA256, Table, read

_OSES = ("linux", "macos", "windows")
_ARCHES = ("x86_64", "aarch64")
_LIBCS = ("gnu", "musl")
_TOOLCHAINS = ("zig", "host", "sanitize")
_NAME = re.compile(r"[a-z0-9][a-z0-9-]*")
_RELATIVE = re.compile(r"(?!/)(?!.*(^|/)\.\.(/|$))[^\\\0]+")


@dataclass(frozen=True, slots=True)
class Catalog:
    """All that the project's data files say; every mapping is sorted by name."""

    project: Project
    recipes: Mapping[str, Recipe]
    sources: Mapping[str, Source]
    targets: Mapping[str, Target]
    variants: Mapping[str, Variant]


def catalog(root: Path) -> Catalog:
    """The catalog of the project in folder `root`.

    Raises:
        UsageError: naming every problem of every file.
    """
    problems: list[str] = []
    platforms = Table(read(root / "build_config" / "targets.toml"), "targets.toml", problems)
    loaded = Catalog(
        project=_project(root / "pyproject.toml", problems),
        recipes=_recipes(root / "recipes", problems),
        sources=_sources(root / "crt" / "pins.toml", problems),
        targets=_targets(platforms),
        variants=_variants(platforms),
    )
    platforms.finish()
    problems += [f"recipes/{name}.toml: no pin in crt/pins.toml" for name in loaded.recipes.keys() - loaded.sources]
    problems += [f"crt/pins.toml: {name} has no recipe" for name in loaded.sources.keys() - loaded.recipes]
    problems += [
        f"recipes/{name}.toml: version {recipe.version}, but the pinned source is {loaded.sources[name].version}"
        for name, recipe in loaded.recipes.items()
        if name in loaded.sources and loaded.sources[name].version != recipe.version
    ]
    if problems:
        raise UsageError.many(problems, hint="correct the files named above")
    try:
        graph.ordered({name: recipe.needs for name, recipe in loaded.recipes.items()})
    except UsageError as fault:
        raise UsageError(fault.what, subject="recipes", hint="correct the field 'needs'") from fault
    return loaded


def recipe(path: Path, problems: list[str]) -> Recipe:
    """The recipe in a file; what is wrong with it is appended to `problems`."""
    table = Table(read(path), f"recipes/{path.name}", problems)
    loaded = Recipe(
        name=table.text("name", pattern=_NAME),
        version=table.text("version"),
        licence=table.text("licence"),
        licence_files=table.texts("licence_files", required=True),
        needs=table.texts("needs"),
        options=table.pairs("options"),
        conditions=tuple(_condition(row) for row in table.tables("when")),
        outputs=table.texts("outputs", required=True),
        first=table.texts("first"),
    )
    if loaded.name != path.stem:
        table.wrong(f"name {loaded.name!r} differs from the file's")
    for output in (*loaded.outputs, *loaded.licence_files):
        if not _RELATIVE.fullmatch(output):
            table.wrong(f"{output!r} is not a path below the library's own folder")
    table.finish()
    return loaded


def _project(path: Path, problems: list[str]) -> Project:
    tool = Table(read(path), path.name, problems).table("tool")
    table = tool.table("wheels")
    project = Project(
        name=table.text("project", pattern=_NAME),
        module=table.text("module"),
        inputs=table.texts("inputs", required=True),
    )
    table.finish()
    return project


def _recipes(folder: Path, problems: list[str]) -> dict[str, Recipe]:
    files = sorted(folder.glob("*.toml"))
    if not files:
        problems.append("recipes: no recipe there")
    return {path.stem: recipe(path, problems) for path in files}


def _condition(table: Table) -> Condition:
    condition = Condition(
        os=table.texts("os", allowed=_OSES),
        arch=table.texts("arch", allowed=_ARCHES),
        libc=table.texts("libc", allowed=_LIBCS),
        options=table.pairs("options"),
        built=table.flag("built", default=True),
    )
    table.finish()
    return condition


def _sources(path: Path, problems: list[str]) -> dict[str, Source]:
    table = Table(read(path), "crt/pins.toml", problems)
    row = table.table("archive")
    archive = Archive(
        project=row.text("project", pattern=_NAME),
        version=row.text("version"),
        filename=row.text("filename"),
        size=row.number("size"),
        sha256=row.text("sha256", pattern=SHA256),
    )
    row.finish()
    sources = {name: _source(name, library, archive) for name, library in table.named_tables("libraries")}
    table.finish()
    return sources


def _source(name: str, table: Table, archive: Archive) -> Source:
    git = table.optional_table("git")
    pin = None
    if git is not None:
        pin = GitPin(
            url=git.text("url"), commit=git.text("commit", pattern=COMMIT), tree=git.text("tree", pattern=SHA256)
        )
        git.finish()
    source = Source(
        name=name,
        version=table.text("version"),
        tree=table.text("tree", pattern=SHA256),
        path=table.text("path", pattern=_RELATIVE),
        archive=archive,
        git=pin,
    )
    table.finish()
    return source


def _targets(table: Table) -> dict[str, Target]:
    targets = [_target(row) for row in table.tables("target")]
    return {target.id: target for target in sorted(targets, key=lambda target: target.id)}


def _target(table: Table) -> Target:
    os, arch, libc = table.text("os"), table.text("arch"), table.text("libc", default="")
    for value, allowed in ((os, _OSES), (arch, _ARCHES), (libc, ("", *_LIBCS))):
        if value not in allowed:
            table.wrong(f"{value!r} is not one of {', '.join(filter(None, allowed))}")
    target = Target(
        os=os,
        arch=arch,
        libc=libc,
        floor=table.text("floor"),
        wheel_platforms=table.texts("wheel_platforms", required=True),
        toolchains=table.texts("toolchains", required=True, allowed=_TOOLCHAINS),
    )
    table.finish()
    return target


def _variants(table: Table) -> dict[str, Variant]:
    variants = []
    for row in table.tables("variant"):
        default = row.flag("default", default=False)
        variants.append(Variant(python=row.text("python"), abi=row.text("abi"), default=default))
        row.finish()
    return {variant.id: variant for variant in sorted(variants, key=lambda variant: variant.id)}
