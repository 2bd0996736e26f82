"""Owns the sanitized run: the libraries and the extension built with sanitizers, the package's tests run against them."""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from . import extension, trial
from .errors import UsageError
from .model import Finding, Result, Severity, Status, Step, Toolchain, Variant
from .provision import Prepared, Provision
from .schema import Table, read
from .toolchain import sanitizer_runtime
from .trial import Interpreter, TrialReport

TOOLCHAIN = "sanitize"
_TRIAL_SECONDS = 3600.0

_ASAN = {
    "abort_on_error": "1",
    # Some tests ask for more memory than there is.
    "allocator_may_return_null": "1",
    "detect_leaks": "1",
    # An interpreter leaves much behind on purpose, and so does the package; test_leaks.py looks while all is alive.
    "leak_check_at_exit": "0",
    "strict_string_checks": "1",
}
# What a report begins with, and its last line.
_SAID = re.compile(r"ERROR: .*")
_SUMMARY = "SUMMARY: "
# gcc's library of this sanitizer writes to stderr whatever it is told, as its namesakes in the other's come first.
_UNDEFINED = re.compile(r"[\w/][^\s:]*:\d+:\d+: runtime error: .*")
_UBSAN = {"abort_on_error": "1", "halt_on_error": "1", "print_stacktrace": "1"}


@dataclass(frozen=True, slots=True)
class Held:
    """A test, a class or a file of tests that cannot hold under a sanitizer, as pytest names it, and why."""

    test: str
    reason: str


def load(path: Path) -> tuple[Held, ...]:
    """The tests that are left out.

    Raises:
        UsageError: naming everything that is wrong with the file.
    """
    problems: list[str] = []
    table = Table(read(path), path.name, problems)
    held = tuple(_held(row) for row in table.tables("deselect"))
    table.finish()
    if problems:
        raise UsageError.many(problems, subject=path)
    return held


def build(provision: Provision, prepared: Prepared, variant: Variant) -> Path:
    """A wheel of the sanitized extension, in the store; not repaired, since it is of no use without its runtime."""
    planned = provision.extension(prepared, variant, {})
    key = replace(
        extension.wheel_key(planned, prepared.keys.values(), extension.tool_versions(prepared.target)),
        kind="sanitized-wheel",
    )
    node = next(each for each in provision.nodes(Step.WHEEL, prepared.target) if each.variant == variant.id)
    started = time.monotonic()
    entry, built = provision.store.find(key), False
    if entry is None:
        provision.provide([prepared])
        whole = extension.keyed(provision.extension(prepared, variant, provision.prefixes(prepared)), key)
        workspace = provision.workspace
        log = whole.build_folder.parent / "extension.log"
        provision.listener.begun(node)
        started = time.monotonic()

        def pack(staged: Path) -> None:
            extension.build_wheel(whole, staged, environment=workspace.environment, epoch=workspace.epoch, log=log)

        entry, built = provision.store.get_or_build(key, pack)
    status = Status.BUILT if built else Status.REUSED
    provision.end(Result(node, status, None, time.monotonic() - started))
    return next(iter(sorted(entry.path.glob("*.whl"))))


def run(
    wheel: Path,
    interpreter: Interpreter,
    toolchain: Toolchain,
    *,
    root: Path,
    work: Path,
    environment: Mapping[str, str],
    pytest_args: Sequence[str] = (),
) -> TrialReport:
    """Run the package's tests against a sanitized wheel; the first error of a sanitizer ends the process that made it.

    What a sanitizer reports, in whatever process, is a finding; the whole of it is in the folder `reports` of `work` or in
    the log.

    Raises:
        MachineError: the compiler has no runtime, or the environment cannot be made.
    """
    folder = root / "tests" / "sanitize"
    held = load(folder / "deselect.toml")
    compiler = Path(dict(toolchain.cmake_options)["CMAKE_C_COMPILER"])
    libraries = sanitizer_runtime(compiler, toolchain.target, environment)
    reports = work / "reports" / interpreter.abi
    shutil.rmtree(reports, ignore_errors=True)
    reports.mkdir(parents=True)
    tried = trial.run(
        wheel,
        interpreter,
        (root / "tests" / "awscrt",),
        requirements=root / "requirements" / "trial.txt",
        work=work,
        environment=environment,
        timeout=_TRIAL_SECONDS,
        pytest_args=[
            *("-p", "sanitizer", f"--reports={reports}", "--capture=sys", str(folder / "test_leaks.py")),
            *(f"--held={each.test}" for each in held),
            *pytest_args,
        ],
        variables=variables(libraries, folder, reports),
    )
    return replace(tried, findings=(*tried.findings, *findings(reports, tried.log)))


def findings(reports: Path, log: Path) -> tuple[Finding, ...]:
    """What the sanitizers found: a file for each process that erred in its memory, and each undefined thing in a log."""
    undefined = sorted(set(_UNDEFINED.findall(log.read_text(encoding="utf-8", errors="replace"))))
    return (
        *(_finding(path) for path in sorted(reports.iterdir())),
        *(_found("undefined behaviour", said, log) for said in undefined),
    )


def variables(libraries: Sequence[Path], folder: Path, reports: Path) -> dict[str, str]:
    """What the tested interpreter is started with; `folder` is `tests/sanitize`."""
    return {
        "LD_PRELOAD": os.pathsep.join(map(str, libraries)),
        # Python's own allocator would hide every object in a few large blocks.
        "PYTHONMALLOC": "malloc",
        "PYTHONPATH": str(folder),
        "ASAN_OPTIONS": _options({**_ASAN, "log_path": str(reports / "report")}),
        "LSAN_OPTIONS": _options({"print_suppressions": "0", "suppressions": str(folder / "leaks.txt")}),
        "UBSAN_OPTIONS": _options({**_UBSAN, "suppressions": str(folder / "undefined.txt")}),
    }


def _finding(path: Path) -> Finding:
    text = path.read_text(encoding="utf-8", errors="replace")
    said = _SAID.search(text)
    summary = next((line for line in text.splitlines() if line.startswith(_SUMMARY)), "")
    message = "; ".join(filter(None, (said[0].strip() if said else "a report", summary.removeprefix(_SUMMARY))))
    return _found(path.name, message, path)


def _found(subject: str, message: str, path: Path) -> Finding:
    return Finding("sanitizer", Severity.ERROR, subject, message, f"the whole report is in {path}")


def _options(said: Mapping[str, str]) -> str:
    return ":".join(f"{name}={value}" for name, value in said.items())


def _held(table: Table) -> Held:
    row = Held(table.text("test"), table.text("reason"))
    for field in ("test", "reason"):
        if not getattr(row, field).strip():
            table.wrong(f"{field} is empty")
    table.finish()
    return row
