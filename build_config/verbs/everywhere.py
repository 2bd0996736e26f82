"""Owns trying every wheel of dist/ in every place that can run it: `tests all`."""

from __future__ import annotations

from .. import load, matrix, trial
from .. import plan as plans
from .. import roots as root_data
from ..errors import MachineError, TrialError, UsageError
from ..model import Tried
from ..report import finding_json, tried_json
from .context import Context


def everywhere(context: Context) -> int:
    """Run the package's tests on every wheel, wherever it can run; 7: a test failed, 3: a place could not be had."""
    workspace = context.workspace()
    catalog = load.catalog(context.root)
    wheels = {path: plans.wheel_target(catalog, path.name) for path in sorted(workspace.dist.glob("*.whl"))}
    if not wheels:
        raise UsageError("there is no wheel in dist/", hint="run the verb wheels with `all`")
    roots = root_data.load(context.root)
    targets = {target.id for target in wheels.values()}
    named = tuple(context.arguments.root)
    wanted = [root for root in roots.choose(named) if named or root.target in targets]
    for root in wanted:
        if root.target not in targets:
            raise UsageError(f"dist/ has no wheel for {root.name}", hint=f"run the verb wheels with {root.target}")
    if named:
        wheels = {path: target for path, target in wheels.items() if target.id in {root.target for root in wanted}}
    with context.store() as store, context.report.listener(root_data.parts(wanted)) as listener:
        done = matrix.run(
            wheels,
            wanted,
            () if named else trial.interpreters(context.environment),
            provider=root_data.Provider(roots, workspace, store, listener),
            workspace=workspace,
            store=store,
            progress=lambda one: context.report.note(_told(one)),
        )
    path = workspace.build / "tests" / "matrix.md"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(done.markdown(), encoding="utf-8")
    if context.report.as_json:
        context.report.document(_json(done))
    else:
        context.report.line(done.markdown())
        context.report.findings([finding for one in done.tried for finding in one.findings])
        context.report.line(f"{len(done.tried)} runs, {len(done.untried)} not run; the table is in {path}")
    if done.failed:
        return TrialError.exit_code
    return MachineError.exit_code if any(each.fault for each in done.untried) else 0


def _told(one: Tried) -> str:
    return f"{one.wheel.name}: {one.interpreter}: {one.passed} passed, {one.failed} failed, {one.skipped} skipped"


def _json(done: matrix.Matrix) -> dict[str, object]:
    return {
        "trials": [tried_json(one) for one in done.tried],
        "findings": [finding_json(finding) for one in done.tried for finding in one.findings],
        "not run": [
            {"wheel": each.wheel.name, "where": each.where, "why": each.why, "fault": each.fault}
            for each in done.untried
        ],
    }
