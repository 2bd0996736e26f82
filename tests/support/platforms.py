"""Owns the platforms of machines that wheels are installed on, in the words of their installers."""

from __future__ import annotations

from packaging.tags import mac_platforms

from build_config.model import Target

_APPLES = {"aarch64": "arm64"}
_WINDOWS = {"aarch64": "win_arm64", "x86_64": "win_amd64"}


def platforms(target: Target, floor: str) -> tuple[str, ...]:
    """The platform tags that a machine accepts whose C library or system is of version `floor`, best first."""
    major, minor = map(int, floor.split("."))
    if target.os == "macos":
        return tuple(mac_platforms((major, minor), _APPLES.get(target.arch, target.arch)))
    if target.os == "windows":
        return (_WINDOWS[target.arch],)
    family = {"gnu": "manylinux", "musl": "musllinux"}[target.libc]
    names = [f"{family}_{major}_{each}_{target.arch}" for each in range(minor, -1, -1)]
    if f"manylinux_2_17_{target.arch}" in names:
        names.append(f"manylinux2014_{target.arch}")
    return (*names, f"linux_{target.arch}")


def before(floor: str) -> str:
    """A version that is older than a floor, as little as its numbers allow."""
    major, minor = map(int, floor.split("."))
    return f"{major}.{minor - 1}" if minor else f"{major - 1}.15"
