"""Owns import libraries of Python's DLL, made from the list of the stable ABI: no Python for Windows is at hand."""

from __future__ import annotations

from pathlib import Path

from .. import process, stable_abi
from ..errors import MachineError
from ..model import Toolchain, Variant

_MACHINES = {"aarch64": "arm64", "x86_64": "i386:x86-64"}


def definition(variant: Variant) -> str:
    """The module-definition file of the DLL that a variant is linked against.

    A Python without a GIL has no stable ABI, but the same functions under the same names.
    """
    names = stable_abi.names(variant.python, features=())
    rows = (f"{name} DATA" if data else name for name, data in sorted(names.items()))
    return "\n".join((f'LIBRARY "{stable_abi.windows_library(variant.abi)}"', "EXPORTS", *rows, ""))


def write(path: Path, variant: Variant, toolchain: Toolchain) -> None:
    """Write the import library that the extension is linked with.

    Raises:
        MachineError: the toolchain has no dlltool.
        BuildError: it failed.
    """
    program = dict(toolchain.cmake_options).get("CMAKE_DLLTOOL")
    if program is None:
        raise MachineError(
            f"the toolchain {toolchain.name!r} makes no import libraries",
            subject=toolchain.target.id,
            hint="choose the toolchain 'zig'",
        )
    source = path.with_suffix(".def")
    source.write_text(definition(variant), encoding="ascii", newline="\n")
    process.run(
        [program, "-m", _MACHINES[toolchain.target.arch], "-d", source, "-l", path],
        cwd=path.parent,
        env=dict(toolchain.environment),
        timeout=60,
        subject=path.name,
    )
