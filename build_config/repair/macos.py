"""Owns the repair of macOS wheels: debug information apart, then delocate, then the same bytes every time."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from .. import binary, process
from .. import wheel as wheels
from ..errors import BuildError, ToolchainError
from ..model import BinaryFacts, Target
from . import debug, macos_tools
from .outcome import Repaired


def repair(
    wheel: Path, target: Target, out: Path, *, environment: Mapping[str, str], work: Path, epoch: int
) -> Repaired:
    """See `repair.repair`: delocate is held to the target's floor, and changes no tag."""
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    tools = _Tools(macos_tools.provide(work / "tools", environment), work, wheel.name)
    read = wheels.read(wheel)
    (abi,) = {tag.rpartition("-")[0] for tag in read.tags}
    name, members = wheels.retagged(read, f"{abi}-{'.'.join(sorted(target.wheel_platforms))}")
    stripped, symbols = _strip(members, tools)
    delocated = _delocate(wheels.write(work / "stripped", name, stripped, epoch=epoch), target, tools)
    whole = wheels.read(delocated).members
    for member in whole:
        _require_signed(member, tools)
    final = wheels.write(out, name, whole, epoch=epoch)
    return Repaired(final, debug.archive(out / f"{final.stem}.debug.tar.xz", symbols, epoch=epoch))


@dataclass(frozen=True, slots=True)
class _Tools:
    """Runs programs in one folder, with one log."""

    environment: Mapping[str, str]
    work: Path
    subject: str

    def run(self, command: Sequence[str | Path], **more: str) -> None:
        environment = {**self.environment, **more}
        process.run(command, cwd=self.work, env=environment, log=self.work / "repair.log", subject=self.subject)


def _strip(members: Sequence[wheels.Member], tools: _Tools) -> tuple[list[wheels.Member], dict[str, bytes]]:
    kept: list[wheels.Member] = []
    symbols: dict[str, bytes] = {}
    for member in members:
        if not binary.recognises(member.data):
            kept.append(member)
            continue
        before = _facts(member, tools)
        # Under its own name: dsymutil names its results after it.
        path = tools.work / "binaries" / member.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(member.data)
        symbols |= _debug_files(path, member, tools)
        tools.run(["strip", "-S", "-x", path])
        stripped = replace(member, data=path.read_bytes(), executable=True)
        after = _facts(stripped, tools)
        if [_loaded(each) for each in before] != [_loaded(each) for each in after]:
            raise BuildError("strip changed what the loader reads", subject=f"{tools.subject}: {member.name}")
        if any(map(_unsigned, after)):
            tools.run(["codesign", "--force", "--sign", "-", path])
            stripped = replace(stripped, data=path.read_bytes())
        kept.append(stripped)
    if not symbols:
        raise BuildError("holds no compiled file", subject=tools.subject, hint="a pure wheel needs no repair")
    return kept, symbols


def _facts(member: wheels.Member, tools: _Tools) -> tuple[BinaryFacts, ...]:
    try:
        return tuple(binary.facts(image) for image in binary.images(member.data))
    except ToolchainError as fault:
        raise type(fault)(fault.what, subject=f"{tools.subject}: {member.name}", hint=fault.hint) from fault


def _loaded(facts: BinaryFacts) -> BinaryFacts:
    """What must be the same before and after."""
    return replace(facts, debug=False, signed=False)


def _debug_files(path: Path, member: wheels.Member, tools: _Tools) -> dict[str, bytes]:
    """A dSYM bundle, which debuggers find by the UUID in it; where the object files are gone, it has names alone."""
    bundle = path.with_name(f"{path.name}.dSYM")
    tools.run(["dsymutil", path, "-o", bundle])
    names = ("Contents/Info.plist", f"Contents/Resources/DWARF/{path.name}")
    try:
        return {f"{member.name}.dSYM/{name}": (bundle / name).read_bytes() for name in names}
    except OSError as cause:
        subject = f"{tools.subject}: {member.name}"
        raise BuildError(f"dsymutil made no {bundle.name}: {cause.strerror}", subject=subject) from cause


def _delocate(wheel: Path, target: Target, tools: _Tools) -> Path:
    folder = tools.work / "repaired"
    processor = target.wheel_platforms[0].split("_", 3)[3]
    command = (sys.executable, "-m", "delocate.cmd.delocate_wheel", "--require-archs", processor, "--wheel-dir", folder)
    tools.run([*command, wheel], MACOSX_DEPLOYMENT_TARGET=target.floor)
    found = sorted(folder.glob("*.whl"))
    if [path.name for path in found] != [wheel.name]:
        raise BuildError(f"delocate made {', '.join(path.name for path in found) or 'nothing'}", subject=wheel.name)
    return found[0]


def _require_signed(member: wheels.Member, tools: _Tools) -> None:
    if binary.recognises(member.data) and any(map(_unsigned, _facts(member, tools))):
        subject = f"{tools.subject}: {member.name}"
        raise BuildError(
            "its signature is not that of its bytes", subject=subject, hint="sign it on a Mac: codesign --sign - FILE"
        )


def _unsigned(facts: BinaryFacts) -> bool:
    """True for what Apple's processors would not start."""
    return facts.arch == "aarch64" and not facts.signed
