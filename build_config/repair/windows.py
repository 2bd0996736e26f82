"""Owns the repair of Windows wheels: debug information apart, then delvewheel, then the same bytes every time."""

from __future__ import annotations

import hashlib
import shutil
import sys
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from .. import binary, process
from .. import wheel as wheels
from ..binary import pe_identity
from ..errors import BuildError, ToolchainError
from ..model import BinaryFacts, Target
from . import debug
from .outcome import Repaired

_GUID_DIGITS = 32


def repair(
    wheel: Path, target: Target, out: Path, *, environment: Mapping[str, str], work: Path, epoch: int
) -> Repaired:
    """See `repair.repair`: a library that is neither Windows' nor Python's must be found by delvewheel, or is refused."""
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    read = wheels.read(wheel)
    members, symbols = _part(read)
    (platform,) = target.wheel_platforms
    (abi,) = {tag.rpartition("-")[0] for tag in read.tags}
    name, renamed = wheels.retagged(replace(read, members=members), f"{abi}-{platform}")
    stripped = wheels.write(work / "stripped", name, renamed, epoch=epoch)
    complete = _delvewheel(stripped, environment=environment, work=work)
    final = wheels.write(out, complete.name, wheels.read(complete).members, epoch=epoch)
    return Repaired(final, debug.archive(out / f"{final.stem}.debug.tar.xz", symbols, epoch=epoch))


def _part(wheel: wheels.Wheel) -> tuple[tuple[wheels.Member, ...], dict[str, bytes]]:
    """The wheel's files without PDBs, and these by the path under which a symbol server has them."""
    pdbs = {member.name: _pdb(wheel, member) for member in wheel.members if binary.recognises(member.data)}
    if not pdbs:
        raise BuildError("holds no compiled file", subject=wheel.path, hint="a pure wheel needs no repair")
    taken = {pdb.name for pdb in pdbs.values()}
    kept = [member for member in wheel.members if member.name not in taken]
    identity = _identity(wheel, kept)
    members, symbols = [], {}
    for member in kept:
        if member.name in pdbs:
            data, pdb = pe_identity.identified(member.data, pdbs[member.name].data, identity)
            members.append(replace(member, data=data))
            symbols[_symbol_path(binary.facts(data))] = pdb
        else:
            members.append(member)
    return tuple(members), symbols


def _identity(wheel: wheels.Wheel, members: Iterable[wheels.Member]) -> uuid.UUID:
    """What the files of a wheel alone decide, wherever they were built; RECORD has the hash of the first identity."""
    hashed = hashlib.sha256()
    for member in sorted(members, key=lambda member: member.name):
        if member.name != f"{wheel.dist_info}/RECORD":
            data = pe_identity.anonymous(member.data) if binary.recognises(member.data) else member.data
            hashed.update(f"{len(member.name)} {member.name} {len(data)} ".encode() + data)
    return uuid.UUID(bytes=hashed.digest()[:16])


def _pdb(wheel: wheels.Wheel, extension: wheels.Member) -> wheels.Member:
    """The file with an extension's debug information, which is beside it."""
    subject = f"{wheel.path.name}: {extension.name}"
    try:
        facts = binary.facts(extension.data)
    except ToolchainError as fault:
        raise type(fault)(fault.what, subject=subject, hint=fault.hint) from fault
    if facts.debug:
        raise BuildError("has debug sections inside", subject=subject, hint="compile with -gcodeview")
    if not facts.build_id:
        raise BuildError("names no PDB to look its debug information up by", subject=subject, hint="compile with -g")
    path = f"{extension.name.rpartition('/')[0]}/{facts.debug_file}"
    found = next((member for member in wheel.members if member.name == path), None)
    if found is None:
        raise BuildError(f"its debug information {path} is not in the wheel", subject=subject, hint="install it beside")
    if found.data.count(uuid.UUID(facts.build_id[:_GUID_DIGITS]).bytes_le) != 1:
        raise BuildError(f"{path} is of another link", subject=subject, hint="empty the build folder")
    return found


def _symbol_path(facts: BinaryFacts) -> str:
    """Where symstore files it (Microsoft, "SymPath"): debuggers take the unpacked archive as a symbol server."""
    identity = facts.build_id[:_GUID_DIGITS].upper() + facts.build_id[_GUID_DIGITS:]
    return f"{facts.debug_file}/{identity}/{facts.debug_file}"


def _delvewheel(wheel: Path, *, environment: Mapping[str, str], work: Path) -> Path:
    folder = work / "repaired"
    process.run(
        [sys.executable, "-m", "delvewheel", "repair", "--wheel-dir", folder, wheel],
        cwd=work,
        env=environment,
        log=work / "delvewheel.log",
        subject=wheel.name,
    )
    found = sorted(folder.glob("*.whl"))
    if len(found) != 1:
        raise BuildError(f"delvewheel made {len(found)} wheels, not one", subject=wheel)
    return found[0]
