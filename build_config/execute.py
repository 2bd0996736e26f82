"""Owns acting on a plan: wheels and their proof, each step only where the store lacks its result."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from . import extension, process, repair, trial, verify
from .errors import TrialError
from .extension import Extension
from .key import Key, file_sha256
from .load import Catalog
from .model import Artifact, Finding, Node, Plan, Result, Severity, Status, Step, Target, Tried, Variant
from .provision import Prepared, Provision
from .store import Store
from .trial import Interpreter
from .wheel import read
from .workspace import Listener, Workspace

_TRIAL_SECONDS = 900.0
"""How long one interpreter's run of the package's tests may take."""


@dataclass(frozen=True, slots=True)
class Suite:
    """Tests of the installed package: a folder below tests/, its requirement group, folders that it uses."""

    name: str
    group: str
    beside: tuple[str, ...] = ()


PACKAGE = Suite("awscrt", "trial")
INTEGRATION = Suite("integration", "integration", ("support",))


@dataclass(frozen=True, slots=True)
class Made:
    """A repaired wheel in dist/; its artifact's key is that of the store's entry it was copied from."""

    target: Target
    variant: Variant
    artifact: Artifact

    @property
    def path(self) -> Path:
        return self.artifact.path


class Execution:
    """One run of a plan; `results` holds what became of every node that was looked at."""

    def __init__(self, plan: Plan, catalog: Catalog, workspace: Workspace, store: Store, listener: Listener) -> None:
        self.plan = plan
        self.workspace = workspace
        self.store = store
        self.listener = listener
        self.provision = Provision(plan, catalog, workspace, store, listener)

    @property
    def results(self) -> Sequence[Result]:
        return self.provision.results

    def wheels(self) -> tuple[Made, ...]:
        """Every wheel of the plan in dist/, built where the store lacks it."""
        made = []
        for target in self.plan.targets:
            prepared = self.provision.prepare(target)
            for node in self.provision.nodes(Step.WHEEL, target):
                variant = next(v for v in self.plan.variants if v.id == node.variant)
                made.append(self._wheel(node, prepared, variant))
        return tuple(made)

    def verify(self, wheel: Made) -> tuple[Finding, ...]:
        """The findings on a wheel; that there are none is remembered in the store."""
        node = self._node(Step.VERIFY, wheel)
        rules = extension.inputs(self.workspace.root, ("build_config/**/*.py", "manylinux/*", "requirements/build.txt"))
        key = Key.of("verified", wheel.path.name, [("wheel", wheel.artifact.sha256), *rules])
        started = time.monotonic()
        if self.store.find(key) is not None:
            self.provision.end(Result(node, Status.REUSED, wheel.artifact, time.monotonic() - started))
            return ()
        self.listener.begun(node)
        findings = verify.check(
            wheel.path,
            wheel.target,
            verify.policy(self.workspace.root / "manylinux" / "policy.toml", wheel.target),
            forbidden=[str(self.workspace.root), str(self.workspace.store)],
            environment=self.workspace.environment,
            work=self.workspace.build / wheel.target.id / "verify",
            progress=lambda done, total: self.listener.moved(node, done, total, "checks"),
        )
        bad = any(finding.severity is Severity.ERROR for finding in findings)
        if not findings:
            self.store.get_or_build(key, _writes({"wheel": wheel.path.name}))
        status = Status.FAILED if bad else Status.BUILT
        self.provision.end(Result(node, status, wheel.artifact, time.monotonic() - started, findings))
        return findings

    def trials(
        self, wheel: Made, interpreters: Sequence[Interpreter], *, again: bool, integration: bool = False
    ) -> tuple[Tried, ...]:
        """Run the package's tests on every interpreter that the wheel is for; a pass is remembered, unless `again`.

        The integration tests run on the newest interpreter alone.

        Raises:
            TrialError: there is no interpreter to try it on.
        """
        tags = read(wheel.path).tags
        suitable = [interpreter for interpreter in interpreters if interpreter.accepts(tags)]
        if not suitable:
            raise TrialError("no CPython to try it on", subject=wheel.path, hint="install one, or use --no-trial")
        node = self._node(Step.TRIAL, wheel)
        started = time.monotonic()
        self.listener.begun(node)
        ended = itertools.count(1)
        planned = [(PACKAGE, interpreter) for interpreter in suitable]
        if integration:
            # First, so that a server that cannot be brought is told of early.
            planned.insert(0, (INTEGRATION, suitable[-1]))

        def trial_on(suite: Suite, interpreter: Interpreter) -> Tried:
            done = self._trial(wheel, suite, interpreter, again=again)
            self.listener.moved(node, next(ended), len(planned), f"{done.interpreter} done")
            return done

        with ThreadPoolExecutor(self.workspace.jobs) as pool:
            try:
                tried = tuple(pool.map(trial_on, *zip(*planned, strict=True)))
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                process.end_all()
                raise
        findings = tuple(finding for one in tried for finding in one.findings)
        good = Status.REUSED if all(one.reused for one in tried) else Status.BUILT
        status = Status.FAILED if findings else good
        self.provision.end(Result(node, status, wheel.artifact, time.monotonic() - started, findings))
        return tried

    def _trial(self, wheel: Made, suite: Suite, interpreter: Interpreter, *, again: bool) -> Tried:
        root, build = self.workspace.root, self.workspace.build
        name = f"{interpreter.abi} {interpreter.version}" + ("" if suite is PACKAGE else f", {suite.name}")
        folders = [root / "tests" / folder for folder in (suite.name, *suite.beside)]
        inputs = [f"{folder.relative_to(root).as_posix()}/**/*" for folder in folders]
        tests = extension.inputs(root, (*inputs, f"requirements/{suite.group}.txt"))
        identity = [("wheel", wheel.artifact.sha256), ("interpreter", f"{name} {interpreter.path}")]
        key = Key.of("tried", wheel.path.name, [*identity, *tests])
        entry = None if again else self.store.find(key)
        if entry is not None:
            said = json.loads((entry.path / _DOCUMENT).read_text(encoding="utf-8"))
            return Tried(wheel.path, name, said["passed"], 0, said["skipped"], said["seconds"], reused=True)
        report = trial.run(
            wheel.path,
            interpreter,
            folders,
            requirements=root / "requirements" / f"{suite.group}.txt",
            work=build / suite.group,
            environment=self.workspace.environment,
            timeout=_TRIAL_SECONDS,
            pytest_args=() if suite is PACKAGE else (f"--programs={build / 'programs'}",),
        )
        counts = {"passed": report.passed, "failed": report.failed, "skipped": report.skipped}
        if not report.findings:
            self.store.get_or_build(key, _writes({**counts, "seconds": round(report.seconds, 1)}))
        return Tried(
            wheel=wheel.path,
            interpreter=name,
            **counts,
            seconds=report.seconds,
            reused=False,
            findings=report.findings,
        )

    def _wheel(self, node: Node, prepared: Prepared, variant: Variant) -> Made:
        started = time.monotonic()
        planned = self.provision.extension(prepared, variant, {})
        key = extension.wheel_key(planned, prepared.keys.values(), extension.tool_versions())
        entry = self.store.find(key)
        status = Status.REUSED
        if entry is None:
            whole = self.provision.extension(prepared, variant, self.provision.provide(prepared))
            whole = extension.keyed(whole, key)
            self.listener.begun(node)
            started = time.monotonic()
            entry, built = self.store.get_or_build(key, lambda staged: self._build(whole, staged))
            status = Status.BUILT if built else Status.REUSED
        copies = [_copy(path, self.workspace.dist) for path in sorted(entry.path.iterdir())]
        final = next(path for path in copies if path.suffix == ".whl")
        made = Artifact(final, file_sha256(final), final.stat().st_size, "wheel", key.digest)
        self.provision.end(Result(node, status, made, time.monotonic() - started))
        return Made(prepared.target, variant, made)

    def _build(self, whole: Extension, staged: Path) -> None:
        folder = whole.build_folder.parent
        raw = folder / "unrepaired"
        shutil.rmtree(raw, ignore_errors=True)
        environment, epoch = self.workspace.environment, self.workspace.epoch
        log = folder / "extension.log"
        wheel = extension.build_wheel(whole, raw, environment=environment, epoch=epoch, log=log)
        repair.repair(wheel, whole.target, staged, environment=environment, work=folder / "repair", epoch=epoch)

    def _node(self, step: Step, wheel: Made) -> Node:
        nodes = self.provision.nodes(step, wheel.target)
        return next(node for node in nodes if node.variant == wheel.variant.id)


_DOCUMENT = "result.json"


def _writes(document: Mapping[str, object]) -> Callable[[Path], None]:
    text = json.dumps(document, indent=1, sort_keys=True) + "\n"

    def write(folder: Path) -> None:
        (folder / _DOCUMENT).write_text(text, encoding="utf-8")

    return write


def _copy(path: Path, folder: Path) -> Path:
    """A copy that appears under its final name only when it is whole."""
    folder.mkdir(parents=True, exist_ok=True)
    final = folder / path.name
    partial = folder / f".{path.name}.{os.getpid()}.partial"
    shutil.copyfile(path, partial)
    os.replace(partial, final)
    return final
