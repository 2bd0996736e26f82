"""Owns acting on a plan: wheels and their proof, each step only where the store lacks its result."""

from __future__ import annotations

import itertools
import os
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from . import extension, parallel, process, repair, suites, verify
from .errors import TrialError
from .extension import Extension
from .key import Key, file_sha256
from .load import Catalog
from .model import Artifact, Finding, Node, Plan, Result, Severity, Status, Step, Target, Tried, Variant
from .provision import Prepared, Provision
from .store import Entry, Store
from .trial import Interpreter
from .wheel import read
from .workspace import Listener, Workspace

_VERIFIER = ("build_config/**/*.py", "manylinux/*", "macos/*", "windows/*", "requirements/build.txt")
"""What decides whether a wheel has findings."""


@dataclass(frozen=True, slots=True)
class Made:
    """A repaired wheel in dist/; its artifact's key is that of the store's entry it was copied from."""

    target: Target
    variant: Variant
    artifact: Artifact

    @property
    def path(self) -> Path:
        return self.artifact.path


@dataclass(frozen=True, slots=True)
class _Draft:
    """A wheel that is to be had, and the key that it has in the store."""

    node: Node
    prepared: Prepared
    variant: Variant
    key: Key


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
        """Every wheel of the plan in dist/, built where the store lacks it, together with the libraries that it needs."""
        drafts = [
            self._draft(prepared, variant)
            for job in self.plan.jobs
            for prepared in [self.provision.prepare(job.target)]
            for variant in job.variants
        ]
        made = {draft.node.id: self._stored(draft) for draft in drafts}
        missing = [draft for draft in drafts if made[draft.node.id] is None]

        def build(draft: _Draft) -> None:
            made[draft.node.id] = self._built(draft)

        wanted = {draft.prepared.target.id: draft.prepared for draft in missing}
        self.provision.provide(list(wanted.values()), {draft.node.id: partial(build, draft) for draft in missing})
        return tuple(wheel for wheel in made.values() if wheel is not None)

    def verify(self, wheel: Made) -> tuple[Finding, ...]:
        """The findings on a wheel; that there are none is remembered in the store."""
        node = self._node(Step.VERIFY, wheel)
        rules = extension.inputs(self.workspace.root, _VERIFIER)
        key = Key.of("verified", wheel.path.name, [("wheel", wheel.artifact.sha256), *rules])
        started = time.monotonic()
        if self.store.find(key) is not None:
            self.provision.end(Result(node, Status.REUSED, wheel.artifact, time.monotonic() - started))
            return ()
        self.listener.begun(node)
        findings = verify.check(
            wheel.path,
            wheel.target,
            verify.policy(self.workspace.root, wheel.target),
            forbidden=[str(self.workspace.root), str(self.workspace.store)],
            environment=self.workspace.environment,
            work=self.workspace.build / wheel.target.id / "verify",
            progress=lambda done, total: self.listener.moved(node, done, total, "checks"),
        )
        bad = any(finding.severity is Severity.ERROR for finding in findings)
        if not findings:
            self.store.get_or_build(key, suites.writes({"wheel": wheel.path.name}))
        status = Status.FAILED if bad else Status.BUILT
        self.provision.end(Result(node, status, wheel.artifact, time.monotonic() - started, findings))
        return findings

    def trials(
        self, wheel: Made, interpreters: Sequence[Interpreter], *, again: bool, integration: bool = False
    ) -> tuple[Tried, ...]:
        """Run the package's tests on every interpreter that the wheel is for; a pass is remembered, unless `again`.

        The integration tests run on the newest interpreter alone. What no interpreter here is for comes back untried.

        Raises:
            TrialError: there is no interpreter for what this machine itself would use.
        """
        job, tags = self.plan.job(wheel.target), read(wheel.path).tags
        suitable = [interpreter for interpreter in interpreters if job.native and interpreter.accepts(tags)]
        node = self._node(Step.TRIAL, wheel)
        started = time.monotonic()
        if not suitable:
            if job.native and wheel.variant.default:
                raise TrialError("no CPython to try it on", subject=wheel.path, hint="install one, or use --no-trial")
            self.provision.end(Result(node, Status.SKIPPED, wheel.artifact, 0.0))
            return ()
        self.listener.begun(node)
        ended = itertools.count(1)
        planned = [(suites.PACKAGE, interpreter) for interpreter in suitable]
        if integration:
            # First, so that a server that cannot be brought is told of early.
            planned.insert(0, (suites.INTEGRATION, suitable[-1]))

        def trial_on(suite: suites.Suite, interpreter: Interpreter) -> Tried:
            done = suites.run(
                wheel.path,
                wheel.artifact.sha256,
                suite,
                interpreter,
                workspace=self.workspace,
                store=self.store,
                again=again,
            )
            self.listener.moved(node, next(ended), len(planned), f"{done.interpreter} done")
            return done

        tried = parallel.each(trial_on, planned, jobs=self.workspace.jobs, stop=process.end_all)
        findings = tuple(finding for one in tried for finding in one.findings)
        good = Status.REUSED if all(one.reused for one in tried) else Status.BUILT
        status = Status.FAILED if findings else good
        self.provision.end(Result(node, status, wheel.artifact, time.monotonic() - started, findings))
        return tried

    def _draft(self, prepared: Prepared, variant: Variant) -> _Draft:
        planned = self.provision.extension(prepared, variant, {})
        key = extension.wheel_key(planned, prepared.keys.values(), extension.tool_versions(prepared.target))
        nodes = self.provision.nodes(Step.WHEEL, prepared.target)
        return _Draft(next(node for node in nodes if node.variant == variant.id), prepared, variant, key)

    def _stored(self, draft: _Draft) -> Made | None:
        started = time.monotonic()
        entry = self.store.find(draft.key)
        return self._delivered(draft, entry, Status.REUSED, started) if entry is not None else None

    def _built(self, draft: _Draft) -> Made:
        self.listener.begun(draft.node)
        started = time.monotonic()
        prefixes = self.provision.prefixes(draft.prepared)
        whole = extension.keyed(self.provision.extension(draft.prepared, draft.variant, prefixes), draft.key)
        entry, built = self.store.get_or_build(draft.key, lambda staged: self._build(whole, staged))
        return self._delivered(draft, entry, Status.BUILT if built else Status.REUSED, started)

    def _delivered(self, draft: _Draft, entry: Entry, status: Status, started: float) -> Made:
        copies = [_copy(path, self.workspace.dist) for path in sorted(entry.path.iterdir())]
        final = next(path for path in copies if path.suffix == ".whl")
        made = Artifact(final, file_sha256(final), final.stat().st_size, "wheel", draft.key.digest)
        self.provision.end(Result(draft.node, status, made, time.monotonic() - started))
        return Made(draft.prepared.target, draft.variant, made)

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


def _copy(path: Path, folder: Path) -> Path:
    """A copy that appears under its final name only when it is whole."""
    folder.mkdir(parents=True, exist_ok=True)
    final = folder / path.name
    partial = folder / f".{path.name}.{os.getpid()}.partial"
    shutil.copyfile(path, partial)
    os.replace(partial, final)
    return final
