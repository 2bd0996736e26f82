"""Owns small Windows wheels: one that is fit to ship, and one as a build leaves it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from build_config.model import Target
from tests.support import wheels
from tests.support.pes import Pe, build, pdb

NAME = "thing-1.0-cp38-abi3-win_amd64.whl"
RAW_NAME = "thing-1.0-cp38-abi3-windows_x86_64.whl"
EXTENSION, SYMBOLS = "thing/_thing.pyd", "thing/_thing.pdb"
TARGET = Target("windows", "x86_64", "", "10.0", ("win_amd64",), ("zig",))
POLICY = replace(
    wheels.POLICY,
    libraries=("api-ms-win-crt-heap-l1-1-0.dll", "kernel32.dll"),
    version_prefix="Windows ",
    stack_protector=False,
    fortify=False,
    weak=(),
    parts=((TARGET.arch, TARGET.floor),),
    flags=("DYNAMIC_BASE", "HIGH_ENTROPY_VA", "NX_COMPAT"),
)


def sound(
    folder: Path, pe: Pe | None = None, changes: Mapping[str, bytes | None] | None = None, name: str = NAME
) -> Path:
    """A wheel with the tag of its file name; `changes` replaces, adds or (None) removes files."""
    python, abi, platform = name.removesuffix(".whl").split("-")[2:]
    inside = wheels.wheel_file(platform, abi=f"{python}-{abi}").encode()
    files: dict[str, bytes | None] = {
        wheels.EXTENSION: None,
        EXTENSION: build(pe or Pe()),
        f"{wheels.DIST_INFO}/WHEEL": inside,
        **(changes or {}),
    }
    return wheels.sound(folder, wheels.contents(changes={k: v for k, v in files.items() if _kept(k, v)}), name)


def raw(folder: Path, pe: Pe | None = None, symbols: bytes | None = None) -> Path:
    """A wheel as a build leaves it: under no platform tag that installers know, with its PDB."""
    return sound(folder, pe, {SYMBOLS: pdb() if symbols is None else symbols}, RAW_NAME)


def _kept(name: str, data: bytes | None) -> bool:
    return data is not None or name == wheels.EXTENSION
