"""Owns what no package of Debian's has: sources compiled by zig to a part of a root."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from .. import process
from ..errors import MachineError
from ..key import Key, file_sha256
from ..toolchain import wrapper, zig
from .catalog import Build, Source

_SECONDS = 3600.0
_PROGRAMS = ("make", "perl", "sh", "tar")
_FLAGS = "-dynamic -fno-sanitize=undefined -g0 -Wno-date-time"
"""zig would link musl statically; in what configure scripts compile, it turns on a sanitizer and debug information."""

_EPOCH = "315532800"
"""What sources write down as the time of their build, in seconds since 1970: the earliest that a zip file can say."""


@dataclass(frozen=True, slots=True)
class Workshop:
    """Where and with what a build is made; `python` is the interpreter on PATH meanwhile, where one is needed."""

    scratch: Path
    log: Path
    tools: Path
    environment: Mapping[str, str]
    jobs: int
    python: Path | None


def build_key(build: Build, python: Key | None) -> Key:
    """What decides the bytes of a build, but for the programs of this machine."""
    files = [(f"source {source.name}", source.file.sha256) for source in build.sources if source.file is not None]
    told = [(f"commands {source.name}", repr((source.commands, source.environment))) for source in build.sources]
    kept = [(f"left out {source.name}", " ".join(source.leave_out)) for source in build.sources]
    rest = {
        "zig": build.zig,
        "zig.sha256": file_sha256(zig.find()),
        "flags": _FLAGS,
        "epoch": _EPOCH,
        "names": repr(build.names),
        "options": " ".join(build.options),
        "python": python.digest if python else "",
    }
    return Key.of("program", build.name, [*files, *told, *kept, *rest.items()])


def make(
    build: Build, files: Mapping[str, Path], staged: Path, workshop: Workshop, told: Callable[[str], None]
) -> None:
    """Compile the sources, given as files by name, so that `staged` holds what they install.

    Raises:
        BuildError: a command fails.
        MachineError: a program of the system's is missing.
    """
    path = workshop.environment.get("PATH", os.defpath)
    missing = [name for name in _PROGRAMS if shutil.which(name, path=path) is None]
    if missing:
        raise MachineError(f"there is no {', '.join(missing)}", subject=build.name, hint="install the system's package")
    prefix, root = workshop.scratch / "prefix", workshop.scratch / "root"
    for folder in (prefix / "include", prefix / "lib", root):
        folder.mkdir(parents=True)
    programs = () if workshop.python is None else (workshop.python.parent,)
    compilers = wrapper.install(_scripts(build.zig), workshop.tools / "wrappers")
    places = {"scratch": str(workshop.scratch), "prefix": str(prefix), "root": str(root)}
    names = {**dict(build.names), **places, "jobs": str(workshop.jobs)}
    base = {
        **{name: value for name, value in workshop.environment.items() if name in {"HOME", "LANG", "TMPDIR"}},
        "PATH": os.pathsep.join(map(str, (compilers, *programs, path))),
        "SOURCE_DATE_EPOCH": _EPOCH,
        "CC": "cc",
        "CXX": "c++",
        "AR": "ar",
        "RANLIB": "ranlib",
        **dict.fromkeys(("ZIG_GLOBAL_CACHE_DIR", "ZIG_LOCAL_CACHE_DIR"), str(workshop.tools / "zig-cache")),
    }
    for source in build.sources:
        told(f"compiling {source.name}")
        folder = workshop.scratch / source.name
        folder.mkdir()
        env = {**base, **{name: value.format(**names) for name, value in source.environment}}
        for words in (
            ("tar", "-xf", str(files[source.name]), "--strip-components=1"),
            *_commands(source, build.options),
        ):
            said = [word.format(**names) for word in words]
            process.run(said, cwd=folder, env=env, timeout=_SECONDS, log=workshop.log, subject=build.name)
    for place, folders, names_here in os.walk(root):
        here = Path(place).relative_to(root)
        for name in [name for name in folders if build.left_out(f"{here / name}/")]:
            folders.remove(name)
            shutil.rmtree(Path(place, name))
        for name in names_here:
            if build.left_out(str(here / name)):
                Path(place, name).unlink()
    for item in root.iterdir():
        item.rename(staged / item.name)


def _commands(source: Source, options: tuple[str, ...]) -> list[tuple[str, ...]]:
    """The commands of a source, the build's options in place of the word for them."""
    return [
        tuple(part for word in words for part in (options if word == "{options}" else (word,)))
        for words in source.commands
    ]


def _scripts(target: str) -> dict[str, str]:
    program = shlex.quote(str(zig.find()))
    compilers = {name: f'#!/bin/sh\nexec {program} {name} -target {target} {_FLAGS} "$@"\n' for name in ("cc", "c++")}
    return compilers | {name: f'#!/bin/sh\nexec {program} {name} "$@"\n' for name in ("ar", "ranlib")}
