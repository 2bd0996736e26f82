"""Owns conformance: the pinned sdist's own tests, run against our wheel and the baseline's, compared test by test."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from . import process
from .errors import MachineError, TrialError, UsageError
from .fetch.archive import extract
from .model import Finding, Severity
from .schema import Table, read
from .trial.environment import clean, fresh, template
from .trial.interpreters import Interpreter

PASSED = "passed"
DIED = "died"
RUNNER = "runner.py"
NOT_RUN = "not run"
_STARTING_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Suite:
    """A test module, and how many of its tests pass with the baseline on every machine."""

    module: str
    passes: int


@dataclass(frozen=True, slots=True)
class Rig:
    """What is run: see `tests/conformance/suites.toml`; `seconds` is the limit of one test."""

    folder: str
    baseline: str
    seconds: int
    suites: tuple[Suite, ...]
    expected: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one test id: passed, skipped, failed, error, died (the process ended in it) or not run."""

    test: str
    outcome: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Difference:
    """A test with another outcome than the baseline's; `reason` is set where that is expected."""

    test: str
    baseline: str
    ours: str
    detail: str
    reason: str = ""

    @property
    def regression(self) -> bool:
        return self.baseline == PASSED and not self.reason


@dataclass(frozen=True, slots=True)
class Comparison:
    """Both sides on one interpreter."""

    interpreter: str
    baseline: tuple[Outcome, ...]
    ours: tuple[Outcome, ...]
    differences: tuple[Difference, ...]


def load(path: Path) -> Rig:
    """The rig that a `suites.toml` describes.

    Raises:
        UsageError: naming everything that is wrong with the file.
    """
    problems: list[str] = []
    table = Table(read(path), path.name, problems)
    rig = Rig(
        folder=table.text("folder"),
        baseline=table.text("baseline"),
        seconds=table.number("seconds"),
        suites=tuple(_suite(row) for row in table.tables("suite")),
        expected=dict(_expected(row) for row in table.tables("expected")),
    )
    if not rig.suites:
        table.wrong("names no suite")
    table.finish()
    if problems:
        raise UsageError.many(problems, subject=path)
    return rig


def run(
    rig: Rig,
    wheel: Path,
    interpreters: Sequence[Interpreter],
    *,
    archive: Path,
    root: Path,
    work: Path,
    environment: Mapping[str, str],
    progress: Callable[[str], None],
) -> tuple[Comparison, ...]:
    """Compare a wheel with the baseline's on each interpreter; `archive` is the pinned one that holds the tests.

    `root` is the project, `work` keeps prepared environments from run to run.

    Raises:
        IntegrityError: the archive does not hold the tests.
        MachineError: an environment cannot be made, or one of the wheels does not install into it.
    """
    work.mkdir(parents=True, exist_ok=True)
    compared = []
    with tempfile.TemporaryDirectory(prefix=".run-", dir=work) as name:
        scratch = Path(name).resolve()
        tests = lay_out(rig, archive, root / "tests" / "conformance" / RUNNER, scratch / "tests")
        requirements = root / "requirements"
        ways = {
            "baseline": ("--require-hashes", "--only-binary", ":all:", "-r", requirements / f"{rig.baseline}.txt"),
            "ours": ("--no-index", wheel.absolute()),
        }
        for interpreter in interpreters:
            made = template(
                interpreter, requirements / "trial.txt", environment=environment, work=work / "environments"
            )
            sides = {}
            for side, way in ways.items():
                place = scratch / f"{interpreter.abi}-{interpreter.version}-{side}"
                place.mkdir()
                python = fresh(interpreter, made, place / "environment", environment=environment)
                _install(python, way, clean(environment), place)
                progress(f"{interpreter.version} {side}")
                sides[side] = observe(rig, python, tests=tests, work=place)
            compared.append(compare(rig, interpreter.version, sides["baseline"], sides["ours"]))
    return tuple(compared)


def _install(python: Path, way: Sequence[str | Path], env: Mapping[str, str], folder: Path) -> None:
    words = ("-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--no-deps")
    process.run([python, *words, *way], cwd=folder, env=env, error=MachineError, subject=str(way[-1]))


def lay_out(rig: Rig, archive: Path, runner: Path, folder: Path) -> Path:
    """A new folder with the tests of the pinned archive and the runner, and nothing else of either project.

    Raises:
        IntegrityError: the archive has no such tests, or an entry that is not to be written.
    """
    folder.mkdir(parents=True)
    top = archive.name.removesuffix(".tar.gz")
    extract(archive, {f"{top}/{rig.folder}": folder / rig.folder})
    shutil.copyfile(runner, folder / RUNNER)
    return folder


def observe(rig: Rig, python: Path, *, tests: Path, work: Path) -> tuple[Outcome, ...]:
    """Run every suite with the interpreter of an environment: what became of each test, sorted by id.

    `tests` is a folder that `lay_out` made, so that what is under test is imported from the environment alone. `work` is
    a scratch folder. Loading a suite and ending the process that ran it count as tests of their own.
    """
    # Nothing of the caller's environment: variables of an AWS account would turn on tests that need the internet.
    env = {"PATH": os.defpath, "HOME": os.fspath(work), "LANG": "C.UTF-8", "PYTHONNOUSERSITE": "1"}
    session = _Session(python, tests, work, env, rig.seconds)
    found: list[Outcome] = []
    for suite in rig.suites:
        found += session.suite(suite.module)
    return tuple(sorted(found, key=lambda outcome: outcome.test))


@dataclass(frozen=True, slots=True)
class _Session:
    python: Path
    tests: Path
    work: Path
    env: Mapping[str, str]
    seconds: int

    def suite(self, module: str) -> list[Outcome]:
        trouble, rows = self._run("list", module)
        found = [Outcome(f"{module} (load)", DIED if trouble else PASSED, trouble)]
        left = [row["test"] for row in rows]
        trouble = ""
        # A run ends at the first test that fails, so that the suite's leak check is alive in all others.
        while left and not trouble:
            trouble, rows = self._run("run", str(self.seconds), *left)
            ended = [Outcome(row["end"], row["outcome"], row["detail"]) for row in rows if "end" in row]
            known = {outcome.test for outcome in ended}
            begun = {row["begin"] for row in rows if "begin" in row} - known
            found += [*ended, *(Outcome(test, DIED, trouble) for test in begun)]
            if begun:
                trouble = ""
            elif not ended:
                trouble = trouble or "no test was run"
            left = [test for test in left if test not in known | begun]
        found.append(Outcome(f"{module} (exit)", DIED if trouble else PASSED, trouble))
        return found + [Outcome(test, NOT_RUN) for test in left]

    def _run(self, verb: str, *arguments: str) -> tuple[str, list[dict[str, str]]]:
        """How the process ended badly, if it did, and what it reported until then."""
        report = self.work / "report.jsonl"
        report.unlink(missing_ok=True)
        limit = _STARTING_SECONDS + self.seconds * len(arguments)
        argv: list[str | Path] = [self.python, RUNNER, verb, report, *arguments]
        try:
            process.run(argv, cwd=self.tests, env=self.env, timeout=limit, error=TrialError)
        except TrialError as fault:
            return fault.what, _rows(report)
        return "", _rows(report)


def compare(rig: Rig, interpreter: str, baseline: Sequence[Outcome], ours: Sequence[Outcome]) -> Comparison:
    """Both sides' outcomes and the tests in which they differ, sorted by id."""
    left = {outcome.test: outcome for outcome in baseline}
    right = {outcome.test: outcome for outcome in ours}
    differences = []
    for test in sorted(left.keys() | right.keys()):
        one, other = (side.get(test, Outcome(test, NOT_RUN)) for side in (left, right))
        if one.outcome != other.outcome:
            detail = other.detail or one.detail
            differences.append(Difference(test, one.outcome, other.outcome, detail, rig.expected.get(test, "")))
    return Comparison(interpreter, tuple(baseline), tuple(ours), tuple(differences))


def findings(rig: Rig, comparisons: Sequence[Comparison]) -> tuple[Finding, ...]:
    """What is bad: a test that passes with the baseline only, a baseline that is too weak, a needless exception."""
    found = []
    for comparison in comparisons:
        where = comparison.interpreter
        unloaded = tuple(f"{s.module}." for s in rig.suites if _unloaded(s, comparison))
        found += [
            _regression(difference, where)
            for difference in comparison.differences
            # A suite that does not load is one finding, not one for each of its tests.
            if difference.regression and not difference.test.startswith(unloaded)
        ]
        found += [_weak(suite, comparison) for suite in rig.suites if _passes(suite, comparison) < suite.passes]
    differing = {difference.test for comparison in comparisons for difference in comparison.differences}
    found += [
        Finding("conformance-expected", Severity.ERROR, test, "is expected to differ, and does not", "take the row out")
        for test in sorted(rig.expected.keys() - differing)
    ]
    return tuple(found)


def counts(outcomes: Sequence[Outcome]) -> dict[str, int]:
    """How many tests came to each outcome, sorted by outcome."""
    kinds = [outcome.outcome for outcome in outcomes]
    return {kind: kinds.count(kind) for kind in sorted(set(kinds))}


def to_json(comparison: Comparison) -> dict[str, object]:
    """A machine's view: counts of both sides, and every difference."""
    return {
        "interpreter": comparison.interpreter,
        "baseline": counts(comparison.baseline),
        "ours": counts(comparison.ours),
        "differences": [{**asdict(each), "regression": each.regression} for each in comparison.differences],
    }


def difference_rows(comparison: Comparison) -> tuple[tuple[str, str, str, str], ...]:
    """A table with its heading: test, baseline, ours, and what that means."""
    rows = [("test", "baseline", "ours", "")]
    for each in comparison.differences:
        meaning = "REGRESSION" if each.regression else each.reason or "not worse"
        rows.append((each.test, each.baseline, each.ours, meaning))
    return tuple(rows)


def _suite(table: Table) -> Suite:
    suite = Suite(table.text("module"), table.number("passes"))
    if suite.passes < 1:
        table.wrong("passes must be 1 or more: a suite in which nothing passes compares nothing")
    table.finish()
    return suite


def _expected(table: Table) -> tuple[str, str]:
    row = table.text("test"), table.text("reason")
    if not row[1].strip():
        table.wrong("reason is empty")
    table.finish()
    return row


def _rows(report: Path) -> list[dict[str, str]]:
    # A process that was killed may leave half a line; what it says of itself is in the lines before.
    lines = report.read_text(encoding="utf-8").splitlines(keepends=True) if report.exists() else []
    return [json.loads(line) for line in lines if line.endswith("\n")]


def _unloaded(suite: Suite, comparison: Comparison) -> bool:
    return any(each.test == f"{suite.module} (load)" and each.regression for each in comparison.differences)


def _passes(suite: Suite, comparison: Comparison) -> int:
    members = [each for each in comparison.baseline if each.test.startswith(f"{suite.module}.")]
    return counts(members).get(PASSED, 0)


def _weak(suite: Suite, comparison: Comparison) -> Finding:
    message = f"{_passes(suite, comparison)} tests pass with the baseline's wheel, {suite.passes} should"
    hint = "the rig or the machine is broken; nothing was shown about our wheel"
    return Finding("conformance-baseline", Severity.ERROR, f"{suite.module} [{comparison.interpreter}]", message, hint)


def _regression(difference: Difference, interpreter: str) -> Finding:
    message = f"passes with the baseline's wheel; with ours: {difference.ours}"
    return Finding("conformance", Severity.ERROR, f"{difference.test} [{interpreter}]", message, difference.detail)
