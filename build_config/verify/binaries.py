"""Owns the rules on a wheel's compiled files: portability, exports, hardening, traces of the build."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from abi3info import DATAS, FUNCTIONS
from abi3info.models import PyVersion

from .. import binary
from ..errors import VerifyError
from ..model import BinaryFacts, Finding, Import, Target
from ..wheel import Member, Wheel
from .policy import Policy
from .rules import finding

_SOURCE_PATH = re.compile(rb"(?<![\w.+/-])/[\w.+/-]{1,1000}\.(?:c|h|cc|cpp|inl|S|asm)(?![\w.])")
_FORMATS = {"linux": "elf"}
_SHOWN = 5
_TELLING = 5
"""A shorter path is found by chance in some megabytes of code."""
_SUFFIXES = (".so", ".pyd", ".dll", ".dylib")


def check(wheel: Wheel, target: Target, policy: Policy, forbidden: Iterable[str]) -> Iterator[Finding]:
    """What the wheel's compiled files break; `forbidden` are paths of this build that must not be inside."""
    found = [member for member in wheel.members if binary.recognises(member.data)]
    if not found:
        yield finding("binary-missing", wheel.path.name, "holds no compiled file")
    allowed = _stable_abi(wheel, policy)
    for member in wheel.members:
        if member.name.endswith(_SUFFIXES) and member not in found:
            yield finding("binary-malformed", member.name, "is named as a compiled file and is none")
    for member in found:
        try:
            facts = binary.facts(member.data)
        except VerifyError as fault:
            yield finding("binary-malformed", member.name, fault.what)
            continue
        yield from _platform(member.name, facts, target, policy)
        yield from _symbols(member.name, facts, policy, allowed)
        yield from _hardening(member.name, facts, policy)
        yield from _traces(member, policy, forbidden)


def _platform(name: str, facts: BinaryFacts, target: Target, policy: Policy) -> Iterator[Finding]:
    if (facts.format, facts.arch) != (_FORMATS.get(target.os), target.arch):
        yield finding("binary-arch", name, f"is {facts.format} for {facts.arch}, not for {target.id}")
    for library in facts.needed:
        if library not in policy.libraries:
            yield finding("binary-needed", name, f"needs {library}")
    for version in facts.versions:
        if not _within(version, policy.version_prefix, target.floor):
            yield finding("binary-floor", name, f"needs {version}, newer than {policy.version_prefix}{target.floor}")


def _within(version: str, prefix: str, floor: str) -> bool:
    number = version.removeprefix(prefix)
    if number == version or not re.fullmatch(r"\d+(\.\d+)*", number):
        return False
    return tuple(map(int, number.split("."))) <= tuple(map(int, floor.split(".")))


def _symbols(name: str, facts: BinaryFacts, policy: Policy, allowed: frozenset[str] | None) -> Iterator[Finding]:
    module = name.rpartition("/")[2].partition(".")[0]
    wanted = {export.format(module=module) for export in policy.exports}
    if set(facts.exported) != wanted:
        extra = sorted(set(facts.exported) - wanted)
        missing = ", ".join(sorted(wanted - set(facts.exported)))
        why = [f"exports {len(extra)} more: {_few(extra)}"] * bool(extra) + [f"does not export {missing}"] * bool(
            missing
        )
        yield finding("binary-exports", name, "; ".join(why))
    unknown = [symbol.name for symbol in facts.undefined if not _provided(symbol, policy, allowed)]
    if unknown:
        yield finding("binary-undefined", name, f"wants {_few(unknown)}")


def _provided(symbol: Import, policy: Policy, allowed: frozenset[str] | None) -> bool:
    if symbol.library:
        return symbol.library in policy.libraries
    if symbol.weak and symbol.name in policy.weak:
        return True
    return symbol.name.startswith(("Py", "_Py")) if allowed is None else symbol.name in allowed


def _stable_abi(wheel: Wheel, policy: Policy) -> frozenset[str] | None:
    """The stable ABI at the oldest Python of the tag (PEP 384); None where the wheel is for one Python's own ABI."""
    pythons = [tag.split("-")[0] for tag in wheel.tags if tag.split("-")[1] == "abi3"]
    if not pythons:
        return None
    oldest = min(PyVersion.parse_python_tag(python) for python in pythons)
    return frozenset(
        symbol.name
        for table in (FUNCTIONS, DATAS)
        for symbol, entry in table.items()
        if entry.added <= oldest and (entry.ifdef is None or entry.ifdef.name in policy.python_features)
    )


def _hardening(name: str, facts: BinaryFacts, policy: Policy) -> Iterator[Finding]:
    demands = (
        ("binary-relro", facts.relro, "has tables that stay writable"),
        ("binary-bind-now", facts.bind_now, "binds symbols when they are first used"),
        ("binary-nx", facts.nx, "asks for memory that is both writable and executable"),
        ("binary-textrel", not facts.textrel, "changes its own code at load"),
        ("binary-runpath", not facts.runpath, f"looks for libraries in {', '.join(facts.runpath)}"),
        ("binary-stack-protector", facts.stack_protector or not policy.stack_protector, "has no stack protector"),
        ("binary-fortify", facts.fortified or not policy.fortify, "uses no fortified function"),
        ("binary-build-id", bool(facts.build_id), "has no build-id"),
        ("binary-sections", bool(facts.sections), "has no section headers: other tools see nothing in it"),
        ("binary-sections", not facts.contradictions, "; ".join(facts.contradictions)),
        ("binary-debug", not facts.debug, "has debug sections or a symbol table"),
    )
    for rule, good, message in demands:
        if not good:
            yield finding(rule, name, message)


def _traces(member: Member, policy: Policy, forbidden: Iterable[str]) -> Iterator[Finding]:
    inside = {match.group().decode() for match in _SOURCE_PATH.finditer(member.data)}
    inside |= {
        path for path in (*policy.private_paths, *forbidden) if len(path) >= _TELLING and path.encode() in member.data
    }
    if inside:
        message = f"names {len(inside)} paths of the build machine: {_few(sorted(inside))}"
        yield finding("binary-paths", member.name, message)


def _few(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
