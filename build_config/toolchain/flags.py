"""Owns the compiler flags that every library is built with, whatever the compiler."""

from __future__ import annotations

from ..model import Options, Target

ALWAYS = "-ffunction-sections -fdata-sections -fstack-protector-strong"

# CMake's probes are compiled without the flags of a build type: glibc warns of fortification without optimisation, and
# a probe with -Werror would then fail for a reason of ours. Some distributions predefine the macro: undefine it first.
RELEASE = "-O2 -g1 -DNDEBUG"
FORTIFY = "-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2"


def release(target: Target) -> str:
    """The flags of a release build; only glibc has headers that fortify."""
    return f"{RELEASE} {FORTIFY}" if target.libc == "gnu" else RELEASE


def cmake_options(target: Target) -> Options:
    """The flags as CMake cache entries."""
    return (
        # No debug level here: assembly is described line by line or not at all.
        ("CMAKE_ASM_FLAGS_RELWITHDEBINFO", "-DNDEBUG"),
        ("CMAKE_C_FLAGS", ALWAYS),
        ("CMAKE_C_FLAGS_RELWITHDEBINFO", release(target)),
        # Archives end up in one shared object, which exports by a list of its own.
        ("CMAKE_C_VISIBILITY_PRESET", "hidden"),
        ("CMAKE_POSITION_INDEPENDENT_CODE", "ON"),
    )


def identity(target: Target) -> tuple[tuple[str, str], ...]:
    return (("flags", f"{ALWAYS} {release(target)} -fvisibility=hidden -fPIC"),)
