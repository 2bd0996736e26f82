"""Owns deciding: which nodes of work a request comes to; pure, so that it runs anywhere."""

from __future__ import annotations

import platform
import re
from collections.abc import Sequence

from . import graph
from .errors import UsageError, suggestion
from .load import Catalog
from .model import Node, Plan, Step, Target, Variant

ALL = "all"


def this_machine(catalog: Catalog) -> Target:
    """The target that runs this process.

    Raises:
        UsageError: the project has no such target.
    """
    libc = platform.libc_ver()[0] if platform.system() == "Linux" else ""
    return machine_target(catalog, system=platform.system(), machine=platform.machine(), libc=libc)


def machine_target(catalog: Catalog, *, system: str, machine: str, libc: str) -> Target:
    """The target that this machine is itself; arguments as `platform.system()`, `.machine()` and `.libc_ver()[0]` say.

    Raises:
        UsageError: the project has no such target.
    """
    os = {"darwin": "macos"}.get(system.lower(), system.lower())
    arch = {"amd64": "x86_64", "arm64": "aarch64"}.get(machine.lower(), machine.lower())
    kind = {"glibc": "gnu", "": "musl"}.get(libc, libc) if os == "linux" else ""
    name = "-".join(filter(None, (os, kind, arch)))
    if name not in catalog.targets:
        raise UsageError(f"this machine ({name}) is no target", hint=f"name one of {', '.join(catalog.targets)}")
    return catalog.targets[name]


def wheel_target(catalog: Catalog, filename: str) -> Target:
    """The target that a wheel's file name says it is for, by any of its platform tags.

    Raises:
        UsageError: none is, or it is no wheel's name (binary distribution format specification).
    """
    stem, _, suffix = filename.rpartition(".")
    parts = stem.split("-")
    if suffix != "whl" or len(parts) not in (5, 6):
        raise UsageError("not the file name of a wheel", subject=filename, hint="name a .whl file, or none for dist/")
    tags = parts[-1].split(".")
    for target in catalog.targets.values():
        if set(tags) & {*target.wheel_platforms, f"{target.os}_{target.arch}"}:
            return target
        found = re.fullmatch(rf"manylinux_(\d+)_(\d+)_{target.arch}", tags[0])
        if found is not None and target.libc == "gnu":
            return target.at_glibc(f"{found[1]}.{found[2]}")
    known = ", ".join(target.wheel_platforms[0] for target in catalog.targets.values())
    raise UsageError(f"its platform {parts[-1]} is no target's", subject=filename, hint=f"platforms are {known}")


def choose_targets(catalog: Catalog, names: Sequence[str], default: Target) -> tuple[Target, ...]:
    """The targets of these names, sorted; none means the default, `all` every one.

    Raises:
        UsageError: unknown names, each with a suggestion.
    """
    if not names:
        return (default,)
    known = (*catalog.targets, ALL)
    unknown = [f"unknown target {name!r}{suggestion(name, known)}" for name in names if name not in known]
    if unknown:
        raise UsageError.many(unknown, hint=f"targets are {', '.join(known)}")
    chosen = catalog.targets.keys() if ALL in names else set(names)
    return tuple(catalog.targets[name] for name in sorted(chosen))


def make(catalog: Catalog, targets: Sequence[Target], variants: Sequence[Variant], *, toolchain: str) -> Plan:
    """The plan that ends in a verified, tried wheel for each target and variant.

    Raises:
        UsageError: a target that the toolchain does not serve.
    """
    unserved = [
        f"{target.id} is not built with {toolchain!r}" for target in targets if toolchain not in target.toolchains
    ]
    if unserved:
        raise UsageError.many(unserved, hint="leave out --toolchain, or choose another")
    nodes: list[Node] = []
    for target in targets:
        nodes += _libraries(catalog, target)
        built = tuple(node.id for node in nodes if node.step is Step.LIBRARY and node.target == target.id)
        for variant in variants:
            nodes += _wheel(target, variant, built, catalog.project.name)
    by_id = {node.id: node for node in nodes}
    order = graph.ordered({node.id: node.needs for node in by_id.values()})
    return Plan(tuple(targets), tuple(variants), toolchain, tuple(by_id[name] for name in order))


def _libraries(catalog: Catalog, target: Target) -> list[Node]:
    nodes = []
    built = {name: recipe for name, recipe in catalog.recipes.items() if recipe.built_on(target)}
    for name, recipe in built.items():
        source = Node(Step.SOURCE, name)
        needed = tuple(Node(Step.LIBRARY, need, target.id).id for need in recipe.needs if need in built)
        nodes += [source, Node(Step.LIBRARY, name, target.id, needs=(source.id, *needed))]
    return nodes


def _wheel(target: Target, variant: Variant, libraries: tuple[str, ...], project: str) -> list[Node]:
    wheel = Node(Step.WHEEL, project, target.id, variant.id, libraries)
    verify = Node(Step.VERIFY, project, target.id, variant.id, (wheel.id,))
    return [wheel, verify, Node(Step.TRIAL, project, target.id, variant.id, (verify.id,))]
