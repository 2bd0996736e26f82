"""Owns the telling of a job's commands as its machine would run them, without a compiler and without the network."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from . import extension, graph, libraries
from .extension import Extension
from .load import Catalog
from .model import Job, Node, Plan, Step
from .toolchain import Tools, planned

_TOOLS = Tools(Path("cmake"), Path("ninja"), ())
_PYTHON = "python"

Told = tuple[str, tuple[tuple[str, ...], ...]]
"""A node's id and its commands, word by word."""


def commands(plan: Plan, job: Job, catalog: Catalog, jobs: int) -> Iterator[Told]:
    """The commands of every library and wheel of a job, in order.

    Folders are told as SOURCES/, BUILD/ and STORE/; compilers by the names that people call them by. `jobs` is the
    number of compilers at once.
    """
    needs = {node.id: node.needs for node in plan.nodes}
    for node in plan.nodes:
        if node.target != job.target.id or node.step not in (Step.LIBRARY, Step.WHEEL):
            continue
        needed = graph.closure(node.needs, needs)
        built = [each.subject for each in plan.nodes if each.id in needed and each.step is Step.LIBRARY]
        prefixes = {name: Path("STORE", name) for name in sorted(built)}
        told = (
            _library(node, job, catalog, prefixes, jobs)
            if node.step is Step.LIBRARY
            else _wheel(node, job, catalog, prefixes)
        )
        yield node.id, tuple(tuple(str(word) for word in argv) for argv in told)


def _library(
    node: Node, job: Job, catalog: Catalog, prefixes: dict[str, Path], jobs: int
) -> tuple[list[str | Path], ...]:
    recipe, toolchain = catalog.recipes[node.subject], planned(job.toolchain, job.target)
    source, tree = Path("SOURCES", node.subject), Path("BUILD", node.subject)
    options = libraries.cmake_options(recipe, job.target, toolchain, _TOOLS, source, tree, prefixes)
    return libraries.commands(recipe, _TOOLS, source, tree, options, jobs=jobs)


def _wheel(node: Node, job: Job, catalog: Catalog, prefixes: dict[str, Path]) -> tuple[list[str | Path], ...]:
    whole = Extension(
        root=Path(),
        project=catalog.project,
        target=job.target,
        variant=catalog.variants[node.variant],
        toolchain=planned(job.toolchain, job.target),
        prefixes=tuple(prefixes.items()),
        build_folder=Path("BUILD", node.variant),
    )
    return ([_PYTHON, *extension.arguments(whole, Path("BUILD", "unrepaired"))],)
