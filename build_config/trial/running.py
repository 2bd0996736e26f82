"""Owns one trial: a wheel installed into a clean environment, and its tests run there, never near its sources."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import signal
import tempfile
import time
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import BuildError, MachineError
from ..model import Finding
from ..process import Completed
from ..wheel import read
from . import differences, unavailable
from .environment import fresh, python_of, template
from .interpreters import Interpreter
from .rules import finding
from .skipping import PLUGIN, write_plugin

_STEP_SECONDS = 300.0
_SHOWN = 20
_STORY_LINES = 15
_FATAL = "Fatal Python error"
_PASSED, _TESTS_FAILED, _NO_TESTS = 0, 1, 5
_LOCATE = """\
import importlib, json, pathlib, sys
folder = pathlib.Path(sys.argv[1]).resolve()
files = {name: importlib.import_module(name).__file__ for name in sys.argv[2:]}
astray = {name: file for name, file in files.items() if not file or folder not in pathlib.Path(file).resolve().parents}
print(json.dumps(astray))
"""
"""Asked inside, where a path means what it says."""


@dataclass(frozen=True, slots=True)
class TrialReport:
    """How a wheel fared on one interpreter; `seconds` is wall time, `junit` exists where pytest came to its end.

    A test that ended in an error counts as failed. No findings: the wheel is good there.
    """

    interpreter: Interpreter
    passed: int
    failed: int
    skipped: int
    seconds: float
    junit: Path
    log: Path
    findings: tuple[Finding, ...]


def run(  # noqa: PLR0913 - the facts of one trial
    wheel: Path,
    interpreter: Interpreter,
    tests: Sequence[Path],
    *,
    requirements: Path,
    work: Path,
    environment: Mapping[str, str],
    timeout: float,
    pytest_args: Sequence[str] = (),
    variables: Mapping[str, str] | None = None,
) -> TrialReport:
    """Install a wheel into a clean virtual environment of an interpreter and run a folder of tests against it.

    `tests` is that folder and others that it uses; they are copied, side by side, to where no sources are.
    `requirements` is a hash-pinned file for pip, which pins pip itself, too. Environments with nothing but those are kept
    in `work`, and so are the log and the JUnit file of each interpreter. `timeout`, in seconds, is for the tests;
    `variables` are set where the package is imported, and not for pip.

    Raises:
        MachineError: the interpreter does not suit the wheel, or the environment cannot be made.
        UsageError: the requirements pin no pip for the interpreter.
        VerifyError: the wheel cannot be read.
    """
    parsed = read(wheel)
    if not interpreter.accepts(parsed.tags):
        kind = f"{interpreter.implementation} {interpreter.version}, {interpreter.abi}, {interpreter.platform}"
        hint = f"give an interpreter that one of its tags names: {', '.join(sorted(parsed.tags))}"
        raise MachineError(f"cannot serve {kind} ({interpreter.path})", subject=wheel.name, hint=hint)
    work = work.absolute()
    work.mkdir(parents=True, exist_ok=True)
    made = template(interpreter, requirements, environment=environment, work=work / "environments")
    started = time.monotonic()
    whose = f"{interpreter.place.name}{interpreter.path}".encode()
    name = f"{interpreter.abi}-{interpreter.version}-{hashlib.sha256(whose).hexdigest()[:8]}"
    log, junit = work / f"{name}.log", work / f"{name}.xml"
    log.unlink(missing_ok=True)
    junit.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{name}-", dir=work) as scratch:
        inner = interpreter.place.environment(environment)
        trial = _Trial(Path(scratch).resolve(), inner, variables or {}, log, interpreter)
        trial.nowhere.mkdir()
        findings = trial.install(made, wheel) or trial.locate(parsed.packages)
        # The current folder is where `-m pytest` looks for plugins first.
        missing = unavailable.reasons(interpreter, requirements)
        write_plugin(trial.nowhere, missing, differences.reasons(interpreter, tests[0]))
        findings = findings or trial.test(tests, junit, timeout, ("-p", PLUGIN, *pytest_args))
    passed, failed, skipped = _counts(junit)
    return TrialReport(interpreter, passed, failed, skipped, time.monotonic() - started, junit, log, findings)


@dataclass(frozen=True, slots=True)
class _Trial:
    """One clean environment in a scratch folder; each step gives what is bad."""

    scratch: Path
    environment: Mapping[str, str]
    variables: Mapping[str, str]
    log: Path
    interpreter: Interpreter

    @property
    def subject(self) -> str:
        where = f" in {self.interpreter.place.name}" if self.interpreter.place.name else ""
        return f"Python {self.interpreter.version} ({self.interpreter.abi}){where}"

    @property
    def folder(self) -> Path:
        return self.scratch / "environment"

    @property
    def python(self) -> Path:
        return python_of(self.interpreter, self.folder)

    @property
    def nowhere(self) -> Path:
        """The current folder of what runs."""
        return self.scratch / "nowhere"

    def install(self, made: Path, wheel: Path) -> tuple[Finding, ...]:
        python = fresh(self.interpreter, made, self.folder, environment=self.environment)
        options = ("--isolated", "--no-input", "--disable-pip-version-check", "--no-index", "--no-deps")
        here = shutil.copy(wheel, self.scratch)
        done = self._run([python, "-m", "pip", "install", *options, here], _STEP_SECONDS)
        return () if done.returncode == _PASSED else (finding("trial-install", self.subject, done.tail(5)),)

    def locate(self, packages: Sequence[str]) -> tuple[Finding, ...]:
        """The packages must come from the environment and from nowhere else."""
        done = self._run(
            [self.python, "-X", "faulthandler", "-I", "-c", _LOCATE, self.folder, *packages],
            _STEP_SECONDS,
            **self.variables,
        )
        if done.returncode != _PASSED:
            why = f"{', '.join(packages)} cannot be imported ({_how(done)}): {done.tail(3)}"
            return (finding("trial-import", self.subject, why),)
        astray: dict[str, str | None] = json.loads(done.output.splitlines()[-1])
        return tuple(
            finding("trial-location", self.subject, f"{name} comes from {file}") for name, file in astray.items()
        )

    def test(self, tests: Sequence[Path], junit: Path, timeout: float, arguments: Sequence[str]) -> tuple[Finding, ...]:
        copied = self.scratch / "tests" / tests[0].name
        for folder in tests:
            shutil.copytree(folder, copied.with_name(folder.name), ignore=shutil.ignore_patterns("__pycache__"))
        # Named, since pytest would otherwise take the first settings file that it meets on the way up from any argument.
        settings = copied.parent / "pytest.ini"
        settings.write_text("[pytest]\n", encoding="utf-8")
        command: list[str | Path] = [
            *(self.python, "-X", "faulthandler", "-m", "pytest", copied, "--import-mode=importlib"),
            *("-c", settings),
            *(f"--rootdir={copied}", f"--confcutdir={copied}", "-p", "no:cacheprovider", f"--junitxml={junit}"),
            *arguments,
        ]
        try:
            done = self._run(command, timeout, **self.variables)
        except BuildError:
            return (finding("trial-timeout", self.subject, f"the tests took longer than {timeout:g} s"),)
        return tuple(self._judge(done, junit))

    def _judge(self, done: Completed, junit: Path) -> Iterator[Finding]:
        passed, failed, skipped = _counts(junit)
        # Windows' codes of crashes are longer than what reaches us through Wine, whose last byte may be one of pytest's.
        if not junit.is_file() or done.returncode not in (_PASSED, _TESTS_FAILED, _NO_TESTS):
            yield finding(
                "trial-crash", self.subject, f"pytest did not come to its end ({_how(done)}):\n{_story(done)}"
            )
        elif failed or done.returncode == _TESTS_FAILED:
            names = list(_failures(junit))
            more = f"\n  and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
            listed = "".join(f"\n  {name}" for name in names[:_SHOWN])
            yield finding("trial-tests", self.subject, f"{failed} of {passed + failed} tests failed:{listed}{more}")
        elif not passed:
            yield finding("trial-empty", self.subject, f"no test ran ({skipped} skipped)")

    def _run(self, command: Sequence[str | Path], timeout: float, **variables: str) -> Completed:
        env = {**self.environment, **variables}
        # Beside the scratch folder lie the packages, and where pytest's report goes.
        return self.interpreter.place.run(
            command,
            cwd=self.nowhere,
            env=env,
            work=self.scratch.parent,
            timeout=timeout,
            log=self.log,
            subject=self.subject,
        )


def _how(done: Completed) -> str:
    if done.returncode >= 0:
        return f"exit {done.returncode}"
    try:
        return signal.Signals(-done.returncode).name
    except ValueError:
        return f"signal {-done.returncode}"


def _story(done: Completed) -> str:
    """What faulthandler said of a crash, down to the test; otherwise the last words."""
    _, fatal, after = done.output.partition(_FATAL)
    return fatal + "\n".join(after.splitlines()[:_STORY_LINES]) if fatal else done.tail(_STORY_LINES)


def _suites(junit: Path) -> Iterator[ET.Element]:
    try:
        root = ET.parse(junit).getroot()  # noqa: S314 - our own pytest wrote it a moment ago
    except (OSError, ET.ParseError):
        return
    yield from root.iter("testsuite")


def _counts(junit: Path) -> tuple[int, int, int]:
    """Passed, failed and skipped tests; all zero where pytest wrote nothing."""
    passed = failed = skipped = 0
    for suite in _suites(junit):
        numbers = {name: int(suite.get(name, "0")) for name in ("tests", "failures", "errors", "skipped")}
        bad = numbers["failures"] + numbers["errors"]
        failed += bad
        skipped += numbers["skipped"]
        passed += numbers["tests"] - bad - numbers["skipped"]
    return passed, failed, skipped


def _failures(junit: Path) -> Iterator[str]:
    for suite in _suites(junit):
        for case in suite.iter("testcase"):
            for bad in (*case.findall("failure"), *case.findall("error")):
                first = re.sub(r"\s+", " ", bad.get("message", ""))[:160]
                yield f"{case.get('classname')}.{case.get('name')}: {first}"
