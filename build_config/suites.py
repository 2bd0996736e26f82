"""Owns the suites of tests of the installed package: what each is made of, and remembering what it came to."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from . import extension, trial
from .key import Key
from .model import Tried
from .store import Store
from .trial import Interpreter
from .workspace import Workspace

_SECONDS = 2400.0
"""How long one interpreter's run of a suite may take where it runs on the processor itself, and shares it with others."""

_DOCUMENT = "result.json"


@dataclass(frozen=True, slots=True)
class Suite:
    """Tests of the installed package: a folder below tests/, its requirement group, folders that it uses."""

    name: str
    group: str
    beside: tuple[str, ...] = ()


PACKAGE = Suite("awscrt", "trial")
INTEGRATION = Suite("integration", "integration", ("support",))


def title(suite: Suite, interpreter: Interpreter) -> str:
    """What a run of a suite is called in tables: ABI, version, and what is not as usual."""
    parts = [f"{interpreter.abi} {interpreter.version}", interpreter.place.name, "" if suite is PACKAGE else suite.name]
    return ", ".join(filter(None, parts))


def run(
    wheel: Path,
    sha256: str,
    suite: Suite,
    interpreter: Interpreter,
    *,
    workspace: Workspace,
    store: Store,
    again: bool,
) -> Tried:
    """Run a suite against a wheel on an interpreter; a pass is remembered in the store, unless `again`.

    Raises:
        MachineError: the interpreter does not suit the wheel, or its environment cannot be made.
    """
    root, build = workspace.root, workspace.build
    name = title(suite, interpreter)
    folders = [root / "tests" / folder for folder in (suite.name, *suite.beside)]
    inputs = [f"{folder.relative_to(root).as_posix()}/**/*" for folder in folders]
    tests = extension.inputs(root, (*inputs, f"requirements/{suite.group}.txt", "requirements/unavailable.toml"))
    place = interpreter.place.identity
    identity = [("wheel", sha256), ("interpreter", f"{name} {interpreter.path}"), ("place", place)]
    key = Key.of("tried", wheel.name, [*identity, *tests])
    entry = None if again else store.find(key)
    if entry is not None:
        said = json.loads((entry.path / _DOCUMENT).read_text(encoding="utf-8"))
        return Tried(wheel, name, said["passed"], 0, said["skipped"], said["seconds"], reused=True)
    report = trial.run(
        wheel,
        interpreter,
        folders,
        requirements=root / "requirements" / f"{suite.group}.txt",
        work=build / suite.group,
        environment=workspace.environment,
        timeout=_SECONDS * interpreter.place.slowness,
        pytest_args=() if suite is PACKAGE else (f"--programs={build / 'programs'}",),
    )
    counts = {"passed": report.passed, "failed": report.failed, "skipped": report.skipped}
    if not report.findings:
        store.get_or_build(key, writes({**counts, "seconds": round(report.seconds, 1)}))
    return Tried(
        wheel=wheel,
        interpreter=name,
        **counts,
        seconds=report.seconds,
        reused=False,
        findings=report.findings,
    )


def writes(document: Mapping[str, object]) -> Callable[[Path], None]:
    """What makes a store's entry of one JSON document."""
    text = json.dumps(document, indent=1, sort_keys=True) + "\n"

    def write(folder: Path) -> None:
        (folder / _DOCUMENT).write_text(text, encoding="utf-8")

    return write
