"""Owns what a configured CMake project found out about its compiler, and the comparing of two such findings."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from .errors import BuildError
from .model import Finding, Severity
from .schema import Table

_CACHED = re.compile(
    r"//(?:Test|Have|Result of TRY_COMPILE|Result of try_compile\(\)|CHECK_TYPE_SIZE:).*\n(\w+):INTERNAL=(.*)"
)
"""An entry of CMakeCache.txt that one of CMake's check modules, or `try_compile`, has left."""

ABSENT = "absent"
"""The answer of a probe that was not asked, or of a definition that was not made."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A probe of a library that two toolchains answer differently; as an exception, with the reason."""

    library: str
    probe: str
    zig: str
    host: str
    reason: str = ""


def read(build: Path) -> dict[str, str]:
    """The answers in the build folder of a configured project, by name.

    They are the cached results of checks (`1`, `0`), and what came of all checks, cached or not: the preprocessor
    definitions (`-D NAME`) and the processor flags (`-mNAME`) with which at least one file is compiled. This needs a
    folder configured with CMAKE_EXPORT_COMPILE_COMMANDS.

    Raises:
        BuildError: the folder is not that of a configured project.
    """
    try:
        cache = (build / "CMakeCache.txt").read_text(encoding="utf-8", errors="replace")
        commands = json.loads((build / "compile_commands.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as cause:
        raise BuildError(f"not the folder of a configured project: {cause}", subject=build) from cause
    answers = {name: "1" if value in ("1", "TRUE") else "0" for name, value in _CACHED.findall(cache)}
    for name, values in sorted(_effects(commands).items()):
        answers[name] = " ".join(sorted(values))
    return dict(sorted(answers.items()))


def exceptions(table: Table) -> tuple[Difference, ...]:
    """The differences that are known and explained; what is wrong with the table goes to its list of problems."""
    found = []
    for row in table.tables("exception"):
        probe, zig, host, reason = (row.text(field) for field in ("probe", "zig", "host", "reason"))
        if not reason.strip():
            row.wrong("reason is empty")
        found += [Difference(name, probe, zig, host, reason) for name in row.texts("libraries", required=True)]
        row.finish()
    table.finish()
    return tuple(found)


def compare(
    zig: Mapping[str, Mapping[str, str]], host: Mapping[str, Mapping[str, str]], known: Iterable[Difference]
) -> tuple[Finding, ...]:
    """What is wrong between the answers of two toolchains, by library: a difference without a reason on record, or a
    recorded one that is not there any more.
    """
    explained = {(each.library, each.probe): each for each in known}
    findings = []
    for library in sorted(zig.keys() | host.keys()):
        ours, theirs = zig.get(library, {}), host.get(library, {})
        for probe in sorted(ours.keys() | theirs.keys()):
            pair = ours.get(probe, ABSENT), theirs.get(probe, ABSENT)
            record = explained.pop((library, probe), None)
            recorded = (record.zig, record.host) if record is not None else (ABSENT, ABSENT)
            if pair[0] == pair[1]:
                if record is not None:
                    findings.append(
                        _finding(library, probe, f"both answer {pair[0]!r}, though a difference is on record")
                    )
            elif pair != recorded:
                findings.append(_finding(library, probe, f"zig answers {pair[0]!r}, host {pair[1]!r}"))
    findings += [_finding(*name, "a difference is on record, but nothing asks this") for name in sorted(explained)]
    return tuple(findings)


def _finding(library: str, probe: str, message: str) -> Finding:
    hint = "translate the flag that it needs in the compiler wrapper, or record the difference with its reason"
    return Finding("probe", Severity.ERROR, f"{library}: {probe}", message, hint)


def _effects(commands: Iterable[Mapping[str, str]]) -> dict[str, set[str]]:
    effects: dict[str, set[str]] = {}
    for command in commands:
        for word in shlex.split(command["command"])[1:]:
            if word.startswith("-D") and len(word) > len("-D"):
                name, _, value = word.removeprefix("-D").partition("=")
                effects.setdefault(f"-D {name}", set()).add(value or "1")
            elif re.fullmatch(r"-m[a-z][\w.=+-]*|-Wa,-m[\w-]+", word):
                effects.setdefault(word, set()).add("1")
    return effects
