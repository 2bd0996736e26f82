"""Owns the programs that take Mach-O files apart: Apple's, or LLVM's under Apple's names."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Mapping
from pathlib import Path

from ..errors import MachineError

_SIGNER = "codesign"
_LLVM = {
    "dsymutil": "dsymutil",
    "install_name_tool": "llvm-install-name-tool",
    "lipo": "llvm-lipo",
    "otool": "llvm-otool",
    "strip": "llvm-strip",
    # LLVM's strip and install_name_tool sign anew, ad hoc, what was signed.
    _SIGNER: "true",
}
_DROPPED = {"otool": "-m"}
"""That file names are no members of archives, Apple's otool must be told and LLVM's does not know."""


def provide(folder: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """The environment in which Apple's names work; `folder` is made for those of other programs.

    Raises:
        MachineError: programs are missing, here and on PATH.
    """
    path = environment.get("PATH", os.defpath)
    if shutil.which(_SIGNER, path=path):
        return dict(environment)
    found = {name: shutil.which(program, path=path) for name, program in _LLVM.items()}
    missing = sorted(_LLVM[name] for name, program in found.items() if program is None)
    if missing:
        hint = "on a Mac, xcode-select --install; elsewhere, LLVM's programs on PATH (Debian: /usr/lib/llvm-14/bin)"
        raise MachineError(f"there is no {', '.join(missing)}", subject="repair of macOS wheels", hint=hint)
    folder.mkdir(parents=True)
    for name, program in found.items():
        if name in _DROPPED:
            _wrap(folder / name, str(program), _DROPPED[name])
        else:
            (folder / name).symlink_to(str(program))
    return {**environment, "PATH": os.pathsep.join((str(folder), path))}


def _wrap(path: Path, program: str, dropped: str) -> None:
    keep = f'for word do shift; [ "$word" = {dropped} ] || set -- "$@" "$word"; done'
    path.write_text(f'#!/bin/sh\n{keep}\nexec {shlex.quote(program)} "$@"\n', encoding="utf-8")
    path.chmod(0o755)
