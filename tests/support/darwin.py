"""Owns a compiler driver for macOS out of parts that run anywhere: zig compiles, LLVM's ld64.lld links.

Neither is Apple's; but both read Apple's options and write Mach-O, which is what tests of these options need.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

_TOOLCHAIN = """\
set(CMAKE_SYSTEM_NAME Darwin)
set(CMAKE_SYSTEM_PROCESSOR arm64)
set(CMAKE_C_COMPILER "{driver}")
set(CMAKE_C_COMPILER_ID Clang)
set(CMAKE_C_COMPILER_FORCED ON)
set(CMAKE_INSTALL_NAME_TOOL "/usr/bin/false")
"""


def toolchain(folder: Path, linker: Path) -> Path:
    """A CMake toolchain file for macOS 11 on arm64; `linker` is an ld64.lld."""
    folder.mkdir(parents=True)
    driver = folder / "cc"
    words = shlex.join((sys.executable, str(Path(__file__).absolute()), str(linker)))
    driver.write_text(f'#!/bin/sh\nexec {words} "$@"\n', encoding="utf-8")
    driver.chmod(0o755)
    file = folder / "macos.cmake"
    file.write_text(_TOOLCHAIN.format(driver=driver), encoding="utf-8")
    return file


def _linked(words: list[str]) -> list[str]:
    """What a driver hands to the linker, of its own words."""
    given: list[str] = []
    rest = iter(words)
    for word in rest:
        if word == "-Xlinker":
            given.append(next(rest))
        elif word.startswith("-Wl,"):
            given += word[4:].split(",")
        elif word in ("-bundle", "-o") or word.endswith((".o", ".so", ".tbd")):
            given.append(word)
    return given


def main(linker: str, *words: str) -> int:
    if "-c" in words:
        command = [sys.executable, "-m", "ziglang", "cc", "-target", "aarch64-macos.11.0", *words]
    else:
        # By its name it knows which linker it is to be.
        command = [linker, "-arch", "arm64", "-platform_version", "macos", "11.0", "12.3", *_linked(list(words))]
    return subprocess.run(command, env=os.environ, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
