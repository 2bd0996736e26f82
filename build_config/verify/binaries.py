"""Owns the rules on a wheel's compiled files: portability, exports, hardening, traces of the build."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from .. import binary, stable_abi
from ..errors import VerifyError
from ..model import BinaryFacts, Finding, Import, Target
from ..stable_abi import ABI3
from ..wheel import Member, Wheel
from .policy import Policy
from .rules import finding

_SOURCE_PATHS = (
    re.compile(rb"(?<![\w.+/-])/[\w.+/-]{1,1000}\.(?:c|h|cc|cpp|inl|S|asm)(?![\w.])"),
    re.compile(rb"(?<!\w)[A-Za-z]:[\\/][\w.+ ~()\\/-]{1,1000}\.(?:c|h|cc|cpp|inl|S|asm)(?![\w.])"),
)
_MACHO = "macho"
_FORMATS = {"linux": "elf", "macos": _MACHO, "windows": "pe"}
_SHOWN = 5
_TELLING = 5
"""A shorter path is found by chance in some megabytes of code."""
_SUFFIXES = (".so", ".pyd", ".dll", ".dylib")


@dataclass(frozen=True, slots=True)
class _Python:
    """What a wheel's binaries may use of Python: `names` is None where that is all; `libraries` are its DLLs."""

    libraries: frozenset[str]
    names: frozenset[str] | None


def check(wheel: Wheel, target: Target, policy: Policy, forbidden: Iterable[str]) -> Iterator[Finding]:
    """What the wheel's compiled files break; `forbidden` are paths of this build that must not be inside."""
    found = [member for member in wheel.members if binary.recognises(member.data)]
    if not found:
        yield finding("binary-missing", wheel.path.name, "holds no compiled file")
    python = _python(wheel, target, policy)
    for member in wheel.members:
        if member.name.endswith(_SUFFIXES) and member not in found:
            yield finding("binary-malformed", member.name, "is named as a compiled file and is none")
    for member in found:
        try:
            parts = [binary.facts(image) for image in binary.images(member.data)]
        except VerifyError as fault:
            yield finding("binary-malformed", member.name, fault.what)
            continue
        yield from _arches(member.name, parts, target, policy)
        for facts in parts:
            name = member.name if len(parts) == 1 else f"{member.name} ({facts.arch})"
            yield from _platform(name, facts, target, policy, python)
            yield from _symbols(name, facts, policy, python)
            yield from _hardening(name, facts, policy)
        yield from _traces(member, parts, policy, forbidden)


def _arches(name: str, parts: Sequence[BinaryFacts], target: Target, policy: Policy) -> Iterator[Finding]:
    found = sorted((facts.format, facts.arch) for facts in parts)
    if found != sorted((_FORMATS.get(target.os, ""), arch) for arch, _ in policy.parts):
        arches = " and ".join(arch for _, arch in found)
        yield finding("binary-arch", name, f"is {parts[0].format} for {arches}, not for {target.id}")


def _platform(name: str, facts: BinaryFacts, target: Target, policy: Policy, python: _Python) -> Iterator[Finding]:
    libraries = {*policy.libraries, *python.libraries}
    for library in facts.needed:
        if library not in libraries:
            yield finding("binary-needed", name, f"needs {library}")
    floor = dict(policy.parts).get(facts.arch, target.floor)
    for version in facts.versions:
        if not _within(version, policy.version_prefix, floor):
            yield finding("binary-floor", name, f"needs {version}, newer than {policy.version_prefix}{floor}")
    if facts.format == _MACHO and not facts.versions:
        yield finding("binary-floor", name, "does not say which macOS it needs")


def _within(version: str, prefix: str, floor: str) -> bool:
    number = version.removeprefix(prefix)
    if number == version or not re.fullmatch(r"\d+(\.\d+)*", number):
        return False
    return tuple(map(int, number.split("."))) <= tuple(map(int, floor.split(".")))


def _symbols(name: str, facts: BinaryFacts, policy: Policy, python: _Python) -> Iterator[Finding]:
    module = name.rpartition("/")[2].partition(".")[0]
    wanted = {export.format(module=module) for export in policy.exports}
    if set(facts.exported) != wanted:
        extra = sorted(set(facts.exported) - wanted)
        missing = ", ".join(sorted(wanted - set(facts.exported)))
        why = [f"exports {len(extra)} more: {_few(extra)}"] * bool(extra) + [f"does not export {missing}"] * bool(
            missing
        )
        yield finding("binary-exports", name, "; ".join(why))
    unknown = [symbol.name for symbol in facts.undefined if not _provided(symbol, policy, python)]
    if unknown:
        yield finding("binary-undefined", name, f"wants {_few(unknown)}")


def _provided(symbol: Import, policy: Policy, python: _Python) -> bool:
    if symbol.library and symbol.library not in python.libraries:
        return symbol.library in policy.libraries
    if symbol.name in policy.symbols or (symbol.weak and symbol.name in policy.weak):
        return True
    return symbol.name.startswith(("Py", "_Py")) if python.names is None else symbol.name in python.names


def _python(wheel: Wheel, target: Target, policy: Policy) -> _Python:
    """What Python has for a wheel: the stable ABI at each Python of its tag (PEP 384), or one Python's own ABI."""
    tags = [tag.split("-") for tag in sorted(wheel.tags)]
    libraries = {stable_abi.windows_library(abi) for _, abi, _ in tags} if target.os == "windows" else set()
    stable = [frozenset(stable_abi.names(python, policy.python_features)) for python, abi, _ in tags if abi == ABI3]
    return _Python(frozenset(libraries), frozenset.intersection(*stable) if stable else None)


def _hardening(name: str, facts: BinaryFacts, policy: Policy) -> Iterator[Finding]:
    unset = [flag for flag in policy.flags if flag not in facts.flags]
    demands = (
        ("binary-relro", facts.relro, "has tables that stay writable"),
        ("binary-bind-now", facts.bind_now or not policy.bind_now, "binds symbols when they are first used"),
        ("binary-nx", facts.nx, "asks for memory that is both writable and executable"),
        ("binary-textrel", not facts.textrel, "changes its own code at load"),
        ("binary-runpath", not facts.runpath, f"looks for libraries in {', '.join(facts.runpath)}"),
        ("binary-stack-protector", facts.stack_protector or not policy.stack_protector, "has no stack protector"),
        ("binary-fortify", facts.fortified or not policy.fortify, "uses no fortified function"),
        ("binary-build-id", bool(facts.build_id), "has no build-id"),
        ("binary-sections", bool(facts.sections), "has no section headers: other tools see nothing in it"),
        ("binary-sections", not facts.contradictions, "; ".join(facts.contradictions)),
        ("binary-signature", facts.signed or facts.arch not in policy.signed, f"has no signature, on {facts.arch}"),
        ("binary-debug", not facts.debug, "has debug sections or a symbol table"),
        ("binary-flags", not unset, f"lacks {', '.join(unset)}"),
    )
    for rule, good, message in demands:
        if not good:
            yield finding(rule, name, message)


def _traces(
    member: Member, parts: Iterable[BinaryFacts], policy: Policy, forbidden: Iterable[str]
) -> Iterator[Finding]:
    inside = {found.group().decode() for path in _SOURCE_PATHS for found in path.finditer(member.data)}
    inside |= {facts.debug_file for facts in parts if re.search(r"[/\\:]", facts.debug_file)}
    inside |= {
        path for path in (*policy.private_paths, *forbidden) if len(path) >= _TELLING and path.encode() in member.data
    }
    if inside:
        message = f"names {len(inside)} paths of the build machine: {_few(sorted(inside))}"
        yield finding("binary-paths", member.name, message)


def _few(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
