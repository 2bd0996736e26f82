"""Owns wording for people and machines: progress, tables, JSON; the only module that prints."""

from __future__ import annotations

import json
import shlex
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Self, TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from .errors import ToolchainError
from .model import Finding, Node, Plan, Result, Status, Tried
from .outlook import Outlook
from .workspace import Listener

_MARKS = {Status.BUILT: "built", Status.REUSED: "store", Status.FAILED: "FAILED", Status.SKIPPED: "skipped"}


class Report:
    """Where one run's words go: progress and tables to stderr and stdout, or one JSON document to stdout."""

    def __init__(self, *, as_json: bool, steps: int = 0) -> None:
        self.as_json = as_json
        self.out = _console(sys.stdout)
        self.err = _console(sys.stderr)
        self._steps = steps

    def line(self, text: str) -> None:
        if not self.as_json:
            self.out.print(text, markup=False)

    def document(self, data: object) -> None:
        """The machine's answer, on stdout as JSON with sorted keys."""
        sys.stdout.write(json.dumps(data, indent=2, sort_keys=True) + "\n")

    def note(self, text: str) -> None:
        """A word on what goes on, apart from the answer."""
        self.err.print(text, markup=False)

    def warning(self, text: str) -> None:
        self.err.print(f"warning: {text}", markup=False)

    def error(self, fault: ToolchainError) -> None:
        if self.as_json:
            self.document({"error": fault.to_json()})
        self.err.print(f"{fault.kind} error: {fault}", markup=False)

    def listener(self, steps: int) -> ConsoleListener:
        return ConsoleListener(self.err, steps)

    def table(self, title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        if self.as_json:
            return
        table = Table(title=title, title_justify="left", box=None, pad_edge=False)
        for column in columns:
            table.add_column(
                column, justify="right" if column in ("size", "seconds", "passed", "failed", "skipped") else "left"
            )
        for row in rows:
            table.add_row(*row)
        self.out.print(table)

    def plan(self, plan: Plan, outlooks: Sequence[Outlook]) -> None:
        if self.as_json:
            self.document(plan_json(plan, outlooks))
            return
        for outlook in outlooks:
            self.line(outlook.target)
            for name, text in _outlook_rows(outlook):
                self.line(f"  {name:<10} {text}")
        self.line(f"{len(plan.nodes)} steps")
        rows = [(node.step, node.target or "any", node.subject, str(len(node.needs))) for node in plan.nodes]
        self.table("", ("step", "target", "subject", "needs"), rows)

    def commands(self, told: Iterable[tuple[str, Sequence[Sequence[str]]]]) -> None:
        """Commands of nodes, as a shell would take them."""
        told = list(told)
        if self.as_json:
            self.document([{"node": name, "commands": [list(argv) for argv in commands]} for name, commands in told])
            return
        for name, commands in told:
            self.line(f"# {name}")
            for argv in commands:
                self.line(shlex.join(argv))

    def results(self, results: Sequence[Result]) -> None:
        """The closing table: artifact, size, seconds, SHA-256 and what came from the store."""
        rows = [
            (
                result.node.id,
                _MARKS[result.status],
                human_size(result.artifact.size) if result.artifact else "",
                f"{result.seconds:.1f}",
                result.artifact.sha256[:16] if result.artifact else "",
            )
            for result in results
        ]
        self.table("", ("step", "how", "size", "seconds", "sha256"), rows)
        reused = sum(result.status is Status.REUSED for result in results)
        self.line(f"{reused} of {len(results)} steps came from the store")

    def trials(self, tried: Sequence[Tried]) -> None:
        """What the package's tests came to on each interpreter."""
        rows = [
            (one.interpreter, str(one.passed), str(one.failed), str(one.skipped), f"{one.seconds:.1f}", _how(one))
            for one in tried
        ]
        if rows:
            self.table("", ("tried on", "passed", "failed", "skipped", "seconds", "how"), rows)

    def findings(self, findings: Sequence[Finding]) -> None:
        for finding in findings:
            self.line(f"{finding.severity}: [{finding.rule}] {finding.subject}: {finding.message}")
            if finding.hint:
                self.line(f"  next: {finding.hint}")


class ConsoleListener(Listener):
    """Shows what is being built, how far the run is and for how long: a live bar, or lines where no terminal is."""

    def __init__(self, console: Console, steps: int) -> None:
        self._console = console
        self._lock = threading.Lock()
        self._started = time.monotonic()
        self._steps = steps
        self._done = 0
        self._tasks: dict[str, TaskID] = {}
        self._shown: dict[str, float] = {}
        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=20),
            TextColumn("{task.fields[extra]}", markup=False),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def begun(self, node: Node) -> None:
        with self._lock:
            self._tasks[node.id] = self._bar.add_task(node.id, total=None, extra="")
            self._say(f"{node.id} …")

    def moved(self, node: Node, done: int, total: int | None, what: str = "") -> None:
        if what:
            text = f"{what} ({done} of {total})"
        else:
            text = f"{human_size(done)} of {human_size(total)}" if total else human_size(done)
        with self._lock:
            if node.id in self._tasks:
                self._bar.update(self._tasks[node.id], completed=done, total=total, extra=text)
            now = time.monotonic()
            if what or now - self._shown.get(node.id, self._started) >= _QUIET_SECONDS:
                self._shown[node.id] = now
                self._say(f"{node.id}: {text}")

    def ended(self, result: Result) -> None:
        with self._lock:
            self._done += 1
            task = self._tasks.pop(result.node.id, None)
            if task is not None:
                self._bar.remove_task(task)
            if result.status is not Status.REUSED:
                text = f"{result.node.id}: {_MARKS[result.status]} in {result.seconds:.1f} s"
                self._console.print(f"[{self._done}/{self._steps}] {text}", markup=False)

    def warned(self, text: str) -> None:
        self._console.print(f"warning: {text}", markup=False)

    def _say(self, text: str) -> None:
        if not self._console.is_terminal:
            elapsed = time.monotonic() - self._started
            self._console.print(f"[{self._done}/{self._steps} {elapsed:5.1f} s] {text}", markup=False)


_QUIET_SECONDS = 2.0
"""How long a piece of work may run without a word where there is no live bar."""


def _console(stream: TextIO) -> Console:
    # Where no terminal sets a width, nothing is cut to one.
    return Console(file=stream, highlight=False, soft_wrap=True, width=None if stream.isatty() else _FILE_WIDTH)


_FILE_WIDTH = 200


def _how(one: Tried) -> str:
    return "passed before" if one.reused else "run now"


def _outlook_rows(outlook: Outlook) -> Iterator[tuple[str, str]]:
    yield from (("wheel", wheel) for wheel in outlook.wheels)
    yield "toolchain", outlook.toolchain
    yield "repair", outlook.repairer or "none"
    yield "built here", f"no: it {outlook.unbuilt}" if outlook.unbuilt else "yes"
    yield from (("tried", f"{site.name}: Python {', '.join(site.pythons)}") for site in outlook.sites)
    if outlook.untried:
        yield "tried", f"no: {outlook.untried}"


def plan_json(plan: Plan, outlooks: Sequence[Outlook]) -> dict[str, Any]:
    return {
        "targets": [asdict(outlook) for outlook in outlooks],
        "nodes": [{"id": node.id, "step": node.step, "needs": list(node.needs)} for node in plan.nodes],
    }


def results_json(results: Sequence[Result]) -> list[dict[str, Any]]:
    return [
        {
            "node": result.node.id,
            "status": result.status,
            "seconds": round(result.seconds, 3),
            "artifact": artifact_json(result),
            "findings": [finding_json(finding) for finding in result.findings],
        }
        for result in results
    ]


def artifact_json(result: Result) -> dict[str, Any] | None:
    made = result.artifact
    if made is None:
        return None
    return {"path": str(made.path), "sha256": made.sha256, "size": made.size, "kind": made.kind, "key": made.key}


def closing_line(counts: Mapping[str, int]) -> str:
    """How many tests ran, in the form that test runners share."""
    return "{passed} passed, {failed} failed, {skipped} skipped".format(**counts)


def finding_json(finding: Finding) -> dict[str, str]:
    return {
        "rule": finding.rule,
        "severity": finding.severity,
        "subject": finding.subject,
        "message": finding.message,
        "hint": finding.hint,
    }


def tried_json(one: Tried) -> dict[str, Any]:
    return {
        "wheel": one.wheel.name,
        "interpreter": one.interpreter,
        "passed": one.passed,
        "failed": one.failed,
        "skipped": one.skipped,
        "seconds": round(one.seconds, 3),
        "reused": one.reused,
    }


def human_size(size: float) -> str:
    """Bytes in decimal units: `2.16 MB`."""
    for unit in ("B", "kB", "MB"):
        if size < 1000:  # noqa: PLR2004 - the step between decimal units
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.2f} {unit}"
        size /= 1000
    return f"{size:.2f} GB"
