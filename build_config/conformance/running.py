"""Owns the running of the suites: both wheels in clean environments, one process after the other, nothing left behind."""

from __future__ import annotations

import json
import os
import shutil
import socket
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .. import process
from ..errors import MachineError, TrialError
from ..fetch.archive import extract
from ..trial.environment import fresh, template
from ..trial.interpreters import Interpreter
from ..trial.place import clean
from .judging import DIED, GOOD, NOT_RUN, PASSED, Comparison, Outcome, compare
from .rig import Mode, Rig, Suite

RUNNER = "runner.py"
SERVERS = "servers"
_STARTING_SECONDS = 60.0
_PORT_SECONDS = 15.0


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
        MachineError: an environment cannot be made, one of the wheels does not install into it, or somebody has a port.
    """
    work.mkdir(parents=True, exist_ok=True)
    compared = []
    with tempfile.TemporaryDirectory(prefix=".run-", dir=work) as name:
        scratch = Path(name).resolve()
        tests = lay_out(rig, archive, root / "tests" / "conformance", scratch / "tests")
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
                sides[side] = observe(rig, python, tests=tests, work=place, progress=progress)
            compared.append(compare(rig, interpreter.version, sides["baseline"], sides["ours"]))
    return tuple(compared)


def _install(python: Path, way: Sequence[str | Path], env: Mapping[str, str], folder: Path) -> None:
    words = ("-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--no-deps")
    process.run([python, *words, *way], cwd=folder, env=env, error=MachineError, subject=str(way[-1]))


def lay_out(rig: Rig, archive: Path, ours: Path, folder: Path) -> Path:
    """A new folder with the tests of the pinned archive and what they read beside them, the runner and its servers.

    `ours` is `tests/conformance`. Nothing else of either project is there.

    Raises:
        IntegrityError: the archive has no such tests, or an entry that is not to be written.
    """
    folder.mkdir(parents=True)
    top = archive.name.removesuffix(".tar.gz")
    wanted = {f"{top}/{name}": folder / name for name in (rig.folder, *rig.beside)}
    for place in wanted.values():
        place.parent.mkdir(parents=True, exist_ok=True)
    extract(archive, wanted)
    shutil.copyfile(ours / RUNNER, folder / RUNNER)
    shutil.copytree(ours / SERVERS, folder / SERVERS, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def observe(
    rig: Rig, python: Path, *, tests: Path, work: Path, progress: Callable[[str], None] = lambda _: None
) -> tuple[Outcome, ...]:
    """Run every suite with the interpreter of an environment: what became of each test, sorted by id.

    `tests` is a folder that `lay_out` made, so that what is under test is imported from the environment alone. `work` is
    a scratch folder. Loading a suite and ending the process that ran it count as tests of their own. What fails is
    tried once more in a process of its own: see `Outcome.again`.

    Raises:
        MachineError: a port that the tests insist on is taken.
    """
    found: list[Outcome] = []
    for suite in rig.suites:
        progress(suite.id)
        found += _Session(suite, python, tests, work, rig.seconds).outcomes()
    return tuple(sorted(found, key=lambda outcome: outcome.test))


@dataclass(frozen=True, slots=True)
class _Session:
    suite: Suite
    python: Path
    tests: Path
    work: Path
    seconds: int

    def outcomes(self) -> list[Outcome]:
        module, mode = self.suite.module, self.suite.mode
        trouble, rows = self._run("list", module)
        load = Outcome(f"{module} (load)", DIED if trouble else PASSED, trouble)
        found, end = self._all([row["test"] for row in rows])
        found = [one if one.outcome in {*GOOD, NOT_RUN} else self._once_more(one) for one in found]
        named = (load, *found, Outcome(f"{module} (exit)", DIED if end else PASSED, end))
        return [one.renamed(self.suite.named(one.test)) for one in named] if mode.name else list(named)

    def _all(self, left: list[str]) -> tuple[list[Outcome], str]:
        """What became of each test, and how the last process ended badly, if it did."""
        found: list[Outcome] = []
        trouble = ""
        # A run ends at the first test that fails, so that the suite's leak check is alive in all others.
        while left and not trouble:
            trouble, rows = self._run("run", str(self.seconds), self.suite.mode.server, *left)
            ended = [Outcome(row["end"], row["outcome"], row["detail"]) for row in rows if "end" in row]
            known = {outcome.test for outcome in ended}
            begun = {row["begin"] for row in rows if "begin" in row} - known
            found += [*ended, *(Outcome(test, DIED, trouble) for test in begun)]
            if begun:
                trouble = ""
            elif not ended:
                trouble = trouble or "no test was run"
            left = [test for test in left if test not in known | begun]
        return [*found, *(Outcome(test, NOT_RUN) for test in left)], trouble

    def _once_more(self, first: Outcome) -> Outcome:
        """A pass of the second try, marked so, or the first outcome."""
        found, trouble = self._all([first.test])
        passed = not trouble and [each.outcome for each in found] == [PASSED]
        return Outcome(first.test, PASSED, first.detail, again=True) if passed else first

    def _run(self, verb: str, *arguments: str) -> tuple[str, list[dict[str, str]]]:
        """How the process ended badly, if it did, and what it reported until then."""
        for port in self.suite.mode.ports:
            _await_port(port)
        report = self.work / "report.jsonl"
        report.unlink(missing_ok=True)
        limit = _STARTING_SECONDS + self.seconds * len(arguments)
        argv: list[str | Path] = [self.python, RUNNER, verb, report, *arguments]
        try:
            process.run(
                argv, cwd=self.tests, env=_environment(self.suite.mode, self.work), timeout=limit, error=TrialError
            )
        except TrialError as fault:
            return fault.what, _rows(report)
        return "", _rows(report)


def _environment(mode: Mode, home: Path) -> dict[str, str]:
    """Nothing of the caller's: variables of an AWS account would turn on tests that need the internet."""
    plain = {"PATH": os.defpath, "HOME": os.fspath(home), "LANG": "C.UTF-8", "PYTHONNOUSERSITE": "1"}
    return {**plain, **dict(mode.environment)}


def _await_port(port: int) -> None:
    """Wait until a port can be listened on: the last process's server may be ending."""
    end = time.monotonic() + _PORT_SECONDS
    while True:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError as cause:
                if time.monotonic() >= end:
                    raise MachineError(
                        f"cannot be listened on: {cause.strerror}",
                        subject=f"127.0.0.1:{port}",
                        hint="end what listens there; the tests insist on this port",
                    ) from cause
            else:
                return
        time.sleep(0.1)


def _rows(report: Path) -> list[dict[str, str]]:
    # A process that was killed may leave half a line; what it says of itself is in the lines before.
    lines = report.read_text(encoding="utf-8").splitlines(keepends=True) if report.exists() else []
    return [json.loads(line) for line in lines if line.endswith("\n")]
