"""Owns the second opinions: what the checkers of others, run as programs, say about a wheel."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import process
from ..auditing import reaches
from ..errors import MachineError
from ..model import Finding, Target
from ..process import Completed
from ..wheel import Wheel
from .rules import finding

_TIMEOUT = 300.0
_ANSI = re.compile(r"\x1b\[[0-9;]*m")
_COPIED = re.compile(r"will be copied into the wheel\.\n((?: +\S.*\n)+)")


@dataclass(frozen=True, slots=True)
class Tool:
    """A checker that is run as `python -m MODULE ARGUMENTS WHEEL`; `judge` reads its answer.

    One with `systems` serves wheels for these alone.
    """

    rule: str
    module: str
    arguments: tuple[str, ...]
    judge: Callable[[Completed, Wheel, Target], Iterator[Finding]]
    abi3_only: bool = False
    systems: tuple[str, ...] = ()

    def check(self, wheel: Wheel, target: Target, *, environment: Mapping[str, str], work: Path) -> tuple[Finding, ...]:
        """What the tool holds against a wheel.

        Raises:
            MachineError: it is not installed.
        """
        if self.abi3_only and not any(tag.split("-")[1] == "abi3" for tag in wheel.tags):
            return ()
        if self.systems and target.os not in self.systems:
            return ()
        if importlib.util.find_spec(self.module) is None:
            hint = "python -m pip install -r requirements/build.txt"
            raise MachineError(f"{self.module} is not installed", subject=wheel.path.name, hint=hint)
        done = process.run(
            [sys.executable, "-m", self.module, *self.arguments, wheel.path.absolute()],
            cwd=work,
            env={**environment, "NO_COLOR": "1", "COLUMNS": "1000"},
            timeout=_TIMEOUT,
            error=None,
            subject=wheel.path.name,
            output=process.Output.APART if self.rule in _ANSWERS_IN_JSON else process.Output.MERGED,
        )
        return tuple(self.judge(done, wheel, target))


def _judge_auditwheel(done: Completed, wheel: Wheel, target: Target) -> Iterator[Finding]:
    answer = _parsed(done.output)
    if done.returncode != 0 or answer is None:
        said = str((answer or {}).get("error") or _last_line(done)).split("\n", 1)[0]
        yield finding("auditwheel", wheel.path.name, f"auditwheel cannot judge it: {said}")
        return
    tag = str(answer.get("overall_tag", ""))
    if not reaches(tag, target):
        yield finding(
            "auditwheel", wheel.path.name, f"auditwheel sees {tag or 'no tag'}, not {target.wheel_platforms[0]}"
        )


def _judge_delvewheel(done: Completed, wheel: Wheel, _: Target) -> Iterator[Finding]:
    if done.returncode != 0:
        yield finding("delvewheel", wheel.path.name, f"delvewheel cannot judge it: {_last_line(done)}")
        return
    copied = _COPIED.search(done.output)
    names = copied[1].split() if copied is not None else ["nothing that is understood"]
    if names != ["None"]:
        yield finding("delvewheel", wheel.path.name, f"delvewheel would add {', '.join(names)}")


def _judge_abi3audit(done: Completed, wheel: Wheel, _: Target) -> Iterator[Finding]:
    answer = _parsed(done.output)
    extensions = [
        extension
        for spec in (answer or {}).get("specs", {}).values()
        for extension in spec.get("wheel", [])
        if "result" in extension
    ]
    for extension in extensions:
        result = extension["result"]
        if not result["is_abi3"] or not result["is_abi3_baseline_compatible"]:
            names = ", ".join(sorted(result["non_abi3_symbols"])[:5]) or "none outside it"
            message = (
                f"tag says {result['baseline']}, symbols need {result['computed']}; outside the stable ABI: {names}"
            )
            yield finding("abi3audit", extension["name"], message)
    if not extensions:
        yield finding("abi3audit", wheel.path.name, f"abi3audit found no extension to judge: {_last_line(done)}")


def _judge_lines(rule: str, marker: re.Pattern[str]) -> Callable[[Completed, Wheel, Target], Iterator[Finding]]:
    def judge(done: Completed, wheel: Wheel, _: Target) -> Iterator[Finding]:
        if done.returncode == 0:
            return
        found: list[str] = []
        for line in _ANSI.sub("", done.output).splitlines():
            if marker.search(line):
                found.append(line.removeprefix(f"{wheel.path.absolute()}: ").strip())
            elif found and line.startswith(" "):
                found[-1] += f" {line.strip()}"
        for message in found or [_last_line(done)]:
            yield finding(rule, wheel.path.name, message)

    return judge


def _parsed(text: str) -> dict[str, Any] | None:
    try:
        answer = json.loads(text)
    except ValueError:
        return None
    return answer if isinstance(answer, dict) else None


def _last_line(done: Completed) -> str:
    lines = done.output.strip().splitlines()
    return lines[-1] if lines else f"exit {done.returncode} without a word"


TOOLS: tuple[Tool, ...] = (
    Tool("auditwheel", "auditwheel", ("show", "--json"), _judge_auditwheel, systems=("linux",)),
    Tool("delvewheel", "delvewheel", ("show",), _judge_delvewheel, systems=("windows",)),
    Tool("abi3audit", "abi3audit", ("--strict", "--report"), _judge_abi3audit, abi3_only=True),
    Tool("twine", "twine", ("check", "--strict"), _judge_lines("twine", re.compile(r"ERROR|WARNING"))),
    Tool(
        "check-wheel-contents",
        "check_wheel_contents",
        # W002, duplicate files: many libraries share the text of a licence, and each must come with its own.
        ("--no-config", "--ignore", "W002"),
        _judge_lines("check-wheel-contents", re.compile(r"\bW\d{3}\b")),
    ),
)
_ANSWERS_IN_JSON = frozenset({"auditwheel", "abi3audit"})
