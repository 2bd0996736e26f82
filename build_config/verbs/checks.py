"""Owns the verbs that measure and compare: lint, conformance, bench."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Sequence

from .. import conformance as rigs
from .. import lint as linters
from .. import load, process, sanitize, trial
from ..errors import TrialError, UsageError, VerifyError, suggestion
from ..execute import Execution
from ..fetch.sources import obtain_archive
from ..model import Severity
from ..provision import Provision
from ..report import closing_line, finding_json
from ..trial import Interpreter
from .context import Context
from .making import choose

TEACHES_CONFORMANCE = """\
The tests come from the pinned sdist and are run twice on each Python: with our wheel from dist/ (built if need be) and
with the wheel that the package index has. Whatever passes there must pass here; exit 7 otherwise. What fails is tried
once more on either side; a test that only ours needed that for is a warning. SUITE is a name of
tests/conformance/suites.toml: test.test_io, localhost:test.test_http_client.
"""
TEACHES_SANITIZE = """\
The C libraries and the extension are built by the system's gcc or clang with AddressSanitizer and
UndefinedBehaviorSanitizer, through the same recipes and the same store. tests/sanitize says what is left out, and why.
--pytest hands words to pytest: --pytest="-k fork -x".
"""
TEACHES_BENCH = "NAME is a file of tests/bench without its ending: build, files or runtime; what follows goes to it: runtime --help."


def choose_lint(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(target=[], variant=None)
    parser.add_argument("--toolchain", choices=("zig", "host"), help="whose build of the C libraries' headers is used")


def choose_bench(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="which benchmark")
    parser.add_argument("words", nargs=argparse.REMAINDER, metavar="…", help="for the benchmark")


def choose_conformance(parser: argparse.ArgumentParser) -> None:
    choose(parser)
    parser.add_argument(
        "--python",
        action="append",
        metavar="X.Y",
        help="which Pythons, or `all`; default: the oldest and the newest found",
    )
    parser.add_argument("--suite", action="append", default=[], metavar="SUITE", help="may be repeated; default: all")


def choose_sanitize(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(target=[], toolchain=sanitize.TOOLCHAIN, variant=None)
    parser.add_argument("--python", action="append", metavar="X.Y", help="which Pythons, or `all`; default: the newest")
    parser.add_argument("--pytest", default="", metavar="WORDS", help="for the package's tests")
    parser.add_argument("--offline", action="store_true", help="no network: sources come from the store, or it fails")


def conformance(context: Context) -> int:
    catalog = load.catalog(context.root)
    chosen = context.plan(catalog)
    workspace = context.workspace()
    rig = rigs.only(rigs.load(context.root / "tests" / "conformance" / "suites.toml"), context.arguments.suite)
    archive = next(iter(catalog.sources.values())).archive
    with context.store() as store, context.report.listener(len(chosen.nodes)) as listener:
        made = Execution(chosen, catalog, workspace, store, listener).wheels()
        sdist = obtain_archive(archive, store, offline=workspace.offline, environment=context.environment)
        compared = [
            comparison
            for wheel in made
            for comparison in rigs.run(
                rig,
                wheel.path,
                _pythons(context, trial.interpreters(context.environment)),
                archive=sdist,
                root=context.root,
                work=workspace.build / "conformance",
                environment=context.environment,
                progress=context.report.note,
            )
        ]
    findings = rigs.findings(rig, compared)
    if context.report.as_json:
        context.report.document([rigs.to_json(comparison) for comparison in compared])
    for comparison in compared:
        context.report.line(f"Python {comparison.interpreter}")
        for side, outcomes in (("upstream's", comparison.baseline), ("ours", comparison.ours)):
            told = ", ".join(f"{count} {outcome}" for outcome, count in rigs.counts(outcomes).items())
            context.report.line(f"  {side}: {told}")
        heading, *rows = rigs.difference_rows(comparison)
        if rows:
            context.report.table("", heading, rows)
    context.report.findings(findings)
    return TrialError.exit_code if any(finding.severity is Severity.ERROR for finding in findings) else 0


def sanitized(context: Context) -> int:
    catalog = load.catalog(context.root)
    chosen = context.plan(catalog)
    workspace = context.workspace()
    pythons = _pythons(context, trial.interpreters(context.environment), newest_only=True)
    with context.store() as store, context.report.listener(len(chosen.nodes)) as listener:
        provision = Provision(chosen, catalog, workspace, store, listener)
        (job,) = chosen.jobs
        prepared = provision.prepare(job.target)
        wheel = sanitize.build(provision, prepared, job.variants[0])
        reports = [
            sanitize.run(
                wheel,
                python,
                prepared.toolchain,
                root=context.root,
                work=workspace.build / "sanitize",
                environment=context.environment,
                pytest_args=shlex.split(context.arguments.pytest),
            )
            for python in pythons
        ]
    findings = [finding for report in reports for finding in report.findings]
    if context.report.as_json:
        context.report.document([finding_json(finding) for finding in findings])
    for report in reports:
        counts = {"passed": report.passed, "failed": report.failed, "skipped": report.skipped}
        context.report.line(f"Python {report.interpreter.version}: {closing_line(counts)}; {report.log}")
    context.report.findings(findings)
    return TrialError.exit_code if findings else 0


def _pythons(context: Context, found: Sequence[Interpreter], *, newest_only: bool = False) -> tuple[Interpreter, ...]:
    """The interpreters that are asked for, each release once; by default the oldest, unless told, and the newest.

    Raises:
        UsageError: one that is not here.
    """
    releases = {".".join(map(str, each.release)): each for each in found}
    default = list(releases)[-1:] if newest_only else sorted({*list(releases)[:1], *list(releases)[-1:]})
    names = context.arguments.python or default
    names = list(releases) if "all" in names else names
    unknown = [f"no Python {name} was found" for name in names if name not in releases]
    if unknown or not names:
        raise UsageError.many(unknown or ["no Python was found"], hint=f"there are {', '.join(releases)}")
    return tuple(releases[name] for name in names)


def lint(context: Context) -> int:
    catalog = load.catalog(context.root)
    chosen = context.plan(catalog)
    with context.store() as store, context.report.listener(len(chosen.nodes)) as listener:
        provision = Provision(chosen, catalog, context.workspace(), store, listener)
        prepared = [provision.prepare(job.target) for job in chosen.jobs]
        provision.provide(prepared)
        findings = linters.run(
            context.root,
            environment=context.environment,
            include_dirs=[prefix / "include" for each in prepared for prefix in provision.prefixes(each).values()],
            progress=lambda name: context.report.note(f"lint: {name}"),
        )
    if context.report.as_json:
        context.report.document([finding_json(finding) for finding in findings])
    else:
        context.report.findings(findings)
        context.report.line(f"lint: {len(findings)} linters found something" if findings else "lint: all clean")
    return VerifyError.exit_code if findings else 0


def bench(context: Context) -> int:
    folder = context.root / "tests" / "bench"
    known = sorted(path.stem for path in folder.glob("*.py"))
    name = context.arguments.name
    if name not in known:
        hint = f"there are {', '.join(known)}"
        raise UsageError(f"unknown benchmark {name!r}{suggestion(name, known)}", hint=hint)
    path = os.pathsep.join(filter(None, (str(context.root), context.environment.get("PYTHONPATH"))))
    done = process.run(
        [sys.executable, str(folder / f"{name}.py"), *context.arguments.words],
        cwd=context.root,
        env={**context.environment, "PYTHONPATH": path},
        error=None,
        output=process.Output.SHOWN,
    )
    return 0 if done.returncode == 0 else TrialError.exit_code
