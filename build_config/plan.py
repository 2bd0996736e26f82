"""Owns deciding: which nodes of work a request comes to; pure, so that it runs anywhere."""

from __future__ import annotations

import platform
import re
from collections.abc import Sequence
from dataclasses import dataclass

from . import graph
from .errors import UsageError, suggestion
from .load import Catalog
from .model import Job, Node, Plan, Step, Target, Variant

ALL = "all"
_CROSSING = ("zig",)
"""Toolchains that build for any target on any machine."""


@dataclass(frozen=True, slots=True)
class Machine:
    """What work is done on, in the words of targets."""

    os: str
    arch: str
    libc: str

    @property
    def id(self) -> str:
        return "-".join(filter(None, (self.os, self.libc, self.arch)))


def machine() -> Machine:
    """The machine that runs this process."""
    libc = platform.libc_ver()[0] if platform.system() == "Linux" else ""
    return described(system=platform.system(), machine=platform.machine(), libc=libc)


def described(*, system: str, machine: str, libc: str) -> Machine:
    """The machine of which `platform.system()`, `.machine()` and `.libc_ver()[0]` say this."""
    os = {"darwin": "macos"}.get(system.lower(), system.lower())
    arch = {"amd64": "x86_64", "arm64": "aarch64"}.get(machine.lower(), machine.lower())
    kind = {"glibc": "gnu", "": "musl"}.get(libc, libc) if os == "linux" else ""
    return Machine(os, arch, kind)


def own_target(catalog: Catalog, machine: Machine) -> Target:
    """The target that a machine is itself.

    Raises:
        UsageError: the project has no such target.
    """
    if machine.id not in catalog.targets:
        raise UsageError(f"this machine ({machine.id}) is no target", hint=f"name one of {', '.join(catalog.targets)}")
    return catalog.targets[machine.id]


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


def choose_targets(catalog: Catalog, names: Sequence[str], machine: Machine) -> tuple[Target, ...]:
    """The targets of these names, sorted; none means the machine's own, `all` every one.

    Raises:
        UsageError: unknown names, each with a suggestion.
    """
    if not names:
        return (own_target(catalog, machine),)
    known = (*catalog.targets, ALL)
    unknown = [f"unknown target {name!r}{suggestion(name, known)}" for name in names if name not in known]
    if unknown:
        raise UsageError.many(unknown, hint=f"targets are {', '.join(known)}")
    chosen = catalog.targets.keys() if ALL in names else set(names)
    return tuple(catalog.targets[name] for name in sorted(chosen))


def choose_variants(catalog: Catalog, names: Sequence[str], *, everything: bool) -> tuple[Variant, ...]:
    """The variants of these names, sorted; none means those that are built by default, or `everything`.

    Raises:
        UsageError: unknown names, each with a suggestion.
    """
    unknown = [f"unknown variant {v!r}{suggestion(v, catalog.variants)}" for v in names if v not in catalog.variants]
    if unknown:
        raise UsageError.many(unknown, hint=f"variants are {', '.join(catalog.variants)}")
    return tuple(v for v in catalog.variants.values() if v.id in names or (not names and (everything or v.default)))


def make(
    catalog: Catalog,
    targets: Sequence[Target],
    variants: Sequence[Variant],
    *,
    machine: Machine,
    toolchain: str = "",
    possible_only: bool = False,
) -> Plan:
    """The plan that ends in a verified, tried wheel for each target and variant.

    No `toolchain` means each target's first one. With `possible_only`, targets that `machine` cannot build are left out.

    Raises:
        UsageError: a target that the toolchain does not serve.
    """
    jobs = [Job(each, toolchain or each.toolchains[0], tuple(variants), each.id == machine.id) for each in targets]
    left_out = {job: why for job in jobs if possible_only and (why := obstacle(job.target, job.toolchain, machine))}
    jobs = [job for job in jobs if job not in left_out]
    unserved = [
        f"{job.target.id} {_unserved(job.toolchain)}" for job in jobs if job.toolchain not in job.target.toolchains
    ]
    if unserved:
        raise UsageError.many(unserved, hint="leave out --toolchain, or choose another")
    nodes: list[Node] = []
    for job in jobs:
        nodes += _libraries(catalog, job.target)
        built = tuple(node.id for node in nodes if node.step is Step.LIBRARY and node.target == job.target.id)
        for variant in variants:
            nodes += _wheel(job.target, variant, built, catalog.project.name)
    by_id = {node.id: node for node in nodes}
    order = graph.ordered({node.id: node.needs for node in by_id.values()})
    return Plan(tuple(jobs), tuple(by_id[name] for name in order), tuple(left_out.items()))


def obstacle(target: Target, toolchain: str, machine: Machine) -> str:
    """Why a machine, as it is, cannot build for a target with a toolchain; empty where it can."""
    if toolchain not in target.toolchains:
        return _unserved(toolchain)
    # Apple's compiler builds for both of its processors.
    alike = target.os == machine.os and (target.os == "macos" or target.id == machine.id)
    if toolchain in _CROSSING or alike:
        return ""
    where = "macOS" if target.os == "macos" else target.id
    return f"is built by the compiler of {where} itself; this machine is {machine.id}"


def _unserved(toolchain: str) -> str:
    return f"is not built with {toolchain!r}"


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
