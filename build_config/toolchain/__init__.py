"""Owns compilers and build tools: which one serves a target, what it is, and how a CMake build is told of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ..errors import MachineError, UsageError, suggestion
from ..model import Target, Toolchain
from . import host, sanitize, zig
from .tools import Tools, find_tools

__all__ = ["TOOLCHAINS", "Tools", "find_tools", "has_host_compiler", "planned", "resolve", "sanitizer_runtime"]

sanitizer_runtime = sanitize.runtime

TOOLCHAINS = {"host": host.resolve, "sanitize": sanitize.resolve, "zig": zig.resolve}


def resolve(name: str, target: Target, *, environment: Mapping[str, str], work: Path) -> Toolchain:
    """The compiler `name` made ready for a target.

    `work` is a folder that lasts: compiler wrappers and the compiler's own caches are kept there, for any number of
    targets and of processes at once. `environment` says where to look (PATH, CC); nothing of it reaches the identity.

    Raises:
        MachineError: there is no such compiler here, or it cannot build for the target.
        UsageError: `name` is no toolchain.
    """
    if name not in TOOLCHAINS:
        raise UsageError(
            f"unknown toolchain {name!r}{suggestion(name, TOOLCHAINS)}", hint=f"one of {', '.join(sorted(TOOLCHAINS))}"
        )
    return TOOLCHAINS[name](target, environment=environment, work=work)


def planned(name: str, target: Target) -> Toolchain:
    """What `resolve` would say to CMake, with the names of programs in place of their paths; nothing is looked for."""
    return zig.planned(target) if name == "zig" else host.planned(target)


def has_host_compiler(environment: Mapping[str, str]) -> bool:
    """Whether this machine has a compiler of its own; nothing is run to find out."""
    try:
        host.find(environment)
    except MachineError:
        return False
    return True
