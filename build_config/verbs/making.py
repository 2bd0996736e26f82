"""Owns the verbs that make and prove wheels: plan, wheels, tests, verify, clean."""

from __future__ import annotations

import argparse
import shlex
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree as ET

from .. import explain, load, process, trial
from .. import plan as plans
from .. import verify as checks
from ..errors import TrialError, UsageError, VerifyError
from ..execute import Execution, Made
from ..model import Finding, Severity, Tried
from ..outlook import Site, outlook
from ..repair import repairer
from ..report import closing_line, finding_json, results_json, tried_json
from .context import Context
from .everywhere import everywhere

TEACHES = """\
TARGET is a platform such as linux-gnu-x86_64, or `all`; default: this machine's. `all` also means every variant, and
leaves out, with the reason, what cannot be built here.
The toolchain zig needs no compiler on the machine and reaches back to glibc 2.17; host is the system's gcc or clang.
"""
TEACHES_TESTS = """\
--pytest hands words to pytest for the toolchain's own tests: --pytest="-k store -x".
The package's tests run against the wheel in dist/, installed into a clean environment of every CPython found; those
against real servers (tests/integration) on the newest of them. Servers that are not on PATH come from Debian's packages.
`all` runs the package's tests on every wheel in dist/, on this machine and in the roots of other platforms (see `roots`);
with --in, in the roots named alone.
"""
TEACHES_VERIFY = "WHEEL is a file; default: every wheel in dist/. Exit 6 if a rule is broken."


def choose(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("target", nargs="*", metavar="TARGET", help="a platform, or `all`")
    parser.add_argument("--toolchain", choices=("zig", "host"), help="the compiler; default: the target's first")
    parser.add_argument("--variant", action="append", metavar="ABI", help="an ABI such as cp38-abi3; may be repeated")


def choose_plan(parser: argparse.ArgumentParser) -> None:
    choose(parser)
    parser.add_argument("--explain", action="store_true", help="print the commands that the target's machine would run")


def choose_building(parser: argparse.ArgumentParser) -> None:
    choose(parser)
    parser.add_argument("--offline", action="store_true", help="no network: sources come from the store, or it fails")


def choose_wheels(parser: argparse.ArgumentParser) -> None:
    choose_building(parser)
    parser.add_argument("--no-trial", action="store_true", help="do not run the package's tests on the wheel")


def choose_tests(parser: argparse.ArgumentParser) -> None:
    choose_building(parser)
    parser.add_argument("--only", choices=("toolchain", "package"), help="one half of the tests")
    parser.add_argument("--in", dest="root", action="append", default=[], metavar="ROOT", help="with `all`: only there")
    parser.add_argument("--pytest", default="", metavar="WORDS", help="for the toolchain's own tests")


def choose_files(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("wheel", nargs="*", type=Path, metavar="WHEEL", help="default: every wheel in dist/")


def plan(context: Context) -> int:
    catalog = load.catalog(context.root)
    chosen = context.plan(catalog)
    if context.arguments.explain:
        told = [
            each for job in chosen.jobs for each in explain.commands(chosen, job, catalog, context.workspace().jobs)
        ]
        context.report.commands(told)
        return 0
    machine, sites = plans.machine(), _sites(context)
    context.report.plan(
        chosen,
        [
            outlook(job, machine=machine, repairer=repairer(job.target), sites=sites)
            for job in (*chosen.jobs, *(job for job, _ in chosen.left_out))
        ],
    )
    return 0


def wheels(context: Context) -> int:
    catalog = load.catalog(context.root)
    chosen = context.plan(catalog)
    outcome = _Outcome()
    with context.store() as store, context.report.listener(len(chosen.nodes)) as listener:
        execution = Execution(chosen, catalog, context.workspace(), store, listener)
        made = _proven(execution, outcome)
        if not outcome.findings and not context.arguments.no_trial:
            _try(execution, made, outcome, context, whole=False)
    _close(context, execution, made, outcome)
    return outcome.exit_code


def tests(context: Context) -> int:
    if context.arguments.target == ["all"]:
        return everywhere(context)
    if context.arguments.root:
        raise UsageError("--in names a root for the wheels of dist/", hint="use it with the target `all`")
    catalog = load.catalog(context.root)
    chosen = context.plan(catalog)
    outcome = _Outcome()
    with context.store() as store, context.report.listener(len(chosen.nodes)) as listener:
        execution = Execution(chosen, catalog, context.workspace(), store, listener)
        made = _proven(execution, outcome)
        if context.arguments.only != "toolchain" and not outcome.findings:
            _try(execution, made, outcome, context, whole=True)
    if context.arguments.only != "package":
        outcome.own = _own_tests(context)
    _close(context, execution, made, outcome)
    closing = closing_line(outcome.counts)
    context.report.line(closing)
    note = context.workspace().build / "tests" / "closing.txt"
    note.parent.mkdir(parents=True, exist_ok=True)
    note.write_text(f"{closing}\n", encoding="utf-8")
    return outcome.exit_code


def verify(context: Context) -> int:
    workspace = context.workspace()
    files = context.arguments.wheel or sorted(workspace.dist.glob("*.whl"))
    if not files:
        raise UsageError("there is no wheel in dist/", hint="name one, or run the verb wheels")
    catalog = load.catalog(context.root)
    findings: list[Finding] = []
    for path in files:
        target = plans.wheel_target(catalog, path.name)
        work = workspace.build / target.id / "verify"
        findings += checks.check(
            path,
            target,
            checks.policy(context.root, target),
            environment=context.environment,
            work=work,
            progress=lambda _done, _total: None,
        )
    if context.report.as_json:
        context.report.document([finding_json(finding) for finding in findings])
    else:
        context.report.findings(findings)
        context.report.line(f"{len(files)} checked, {len(findings)} findings")
    return _Outcome(findings=findings).exit_code


def clean(context: Context) -> int:
    workspace = context.workspace()
    for folder in (workspace.build, workspace.dist):
        shutil.rmtree(folder, ignore_errors=True)
        context.report.line(f"removed {folder.name}/")
    return 0


@dataclass(slots=True)
class _Outcome:
    """What a run has come to so far."""

    findings: list[Finding] = field(default_factory=list)
    tried: list[Tried] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    own: dict[str, int] = field(default_factory=lambda: {"passed": 0, "failed": 0, "skipped": 0})

    @property
    def counts(self) -> dict[str, int]:
        return {name: count + sum(getattr(one, name) for one in self.tried) for name, count in self.own.items()}

    @property
    def exit_code(self) -> int:
        if any(finding.severity is Severity.ERROR for finding in self.findings):
            return VerifyError.exit_code
        broken = self.counts["failed"] or any(one.findings for one in self.tried)
        return TrialError.exit_code if broken else 0


def _sites(context: Context) -> tuple[Site, ...]:
    """Where wheels can be tried from here."""
    found_here = trial.interpreters(context.environment)
    pythons = (f"{found.release[0]}.{found.release[1]}{'t' * found.abi.endswith('t')}" for found in found_here)
    return (Site(plans.machine().id, "this machine", tuple(dict.fromkeys(pythons))),)


def _proven(execution: Execution, outcome: _Outcome) -> tuple[Made, ...]:
    made = execution.wheels()
    for wheel in made:
        outcome.findings += execution.verify(wheel)
    return made


def _try(execution: Execution, made: Sequence[Made], outcome: _Outcome, context: Context, *, whole: bool) -> None:
    """Try each wheel; `whole`: everything anew, and against real servers too."""
    found = trial.interpreters(context.environment)
    for wheel in made:
        tried = execution.trials(wheel, found, again=whole, integration=whole)
        outcome.tried += tried
        if not tried:
            outcome.notes.append(
                f"not tried: {wheel.path.name}: nothing here runs {wheel.variant.id} of {wheel.target.id}"
            )


def _close(context: Context, execution: Execution, made: Sequence[Made], outcome: _Outcome) -> None:
    report = context.report
    notes = [*(f"not built: {job.target.id} {why}" for job, why in execution.plan.left_out), *outcome.notes]
    if report.as_json:
        report.document(
            {
                "notes": notes,
                "steps": results_json(execution.results),
                "findings": [finding_json(finding) for finding in outcome.findings],
                "trials": [tried_json(one) for one in outcome.tried],
                "tests": outcome.counts,
            }
        )
        return
    report.results(execution.results)
    report.trials(outcome.tried)
    report.findings([*outcome.findings, *(finding for one in outcome.tried for finding in one.findings)])
    for line in notes:
        report.line(line)
    for wheel in made:
        report.line(f"{wheel.artifact.sha256}  dist/{wheel.path.name}")


def _own_tests(context: Context) -> dict[str, int]:
    """Run the toolchain's own tests and count them.

    Raises:
        TrialError: pytest came to no end, or ran nothing.
    """
    junit = context.workspace().build / "tests" / "toolchain.xml"
    junit.unlink(missing_ok=True)
    folders = ("tests/unit", "tests/build", "tests/faults")
    done = process.run(
        [sys.executable, "-m", "pytest", *folders, f"--junitxml={junit}", *shlex.split(context.arguments.pytest)],
        cwd=context.root,
        env=context.environment,
        error=None,
        output=process.Output.SHOWN,
    )
    if not junit.is_file():
        raise TrialError(f"pytest ended with exit code {done.returncode} and no report", subject="toolchain tests")
    suite = next(ET.parse(junit).getroot().iter("testsuite"))  # noqa: S314 - pytest's own report
    total, skipped = int(suite.get("tests", 0)), int(suite.get("skipped", 0))
    failed = int(suite.get("failures", 0)) + int(suite.get("errors", 0))
    if not total:
        raise TrialError("pytest ran no test", subject="toolchain tests")
    return {"passed": total - skipped - failed, "failed": failed, "skipped": skipped}
