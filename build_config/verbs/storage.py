"""Owns the verb `store`: listing, explaining, pruning and verifying what builds have left."""

from __future__ import annotations

import argparse
import re
import time
from datetime import timedelta

from .. import load
from ..errors import UsageError
from ..model import Severity
from ..provision import Provision
from ..report import finding_json, human_size
from ..store import EntryInfo, Explanation, State, Store
from ..workspace import Listener
from .context import Context

_AGE = re.compile(r"(\d{1,6})([hd])")
_SIZE = re.compile(r"(\d{1,9})(MB|GB)")

TEACHES = """\
  ls        what is stored, with size and time since last use
  explain   for each library of a target: found, or which field of its key differs from the nearest entry
  prune     remove what was long unused: --older-than 30d, --keep 5GB, or both; --dry-run only tells
  verify    read every entry and put bad ones into quarantine; exit 4 if there was one
"""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=("ls", "explain", "prune", "verify"))
    parser.add_argument("target", nargs="*", metavar="TARGET", help="for explain; default: this machine's")
    parser.add_argument("--toolchain", choices=("zig", "host"), help="for explain")
    parser.add_argument("--older-than", type=_age, metavar="AGE", help="hours or days: 12h, 30d")
    parser.add_argument("--keep", type=_size, metavar="SIZE", help="bytes to keep: 500MB, 5GB")
    parser.add_argument("--dry-run", action="store_true", help="remove nothing")


def run(context: Context) -> int:
    with context.store() as store:
        return _ACTIONS[context.arguments.action](context, store)


def _ls(context: Context, store: Store) -> int:
    return _show(context, list(store.entries()), "entries")


def _prune(context: Context, store: Store) -> int:
    arguments = context.arguments
    removed = store.prune(older_than=arguments.older_than, keep_size=arguments.keep, dry_run=arguments.dry_run)
    return _show(context, removed, "would be removed" if arguments.dry_run else "removed")


def _verify(context: Context, store: Store) -> int:
    findings = store.verify()
    if context.report.as_json:
        context.report.document([finding_json(finding) for finding in findings])
    else:
        context.report.findings(findings)
        context.report.line(f"{sum(1 for _ in store.entries())} good entries, {len(findings)} put into quarantine")
    return 4 if any(finding.severity is Severity.ERROR for finding in findings) else 0


def _explain(context: Context, store: Store) -> int:
    catalog = load.catalog(context.root)
    made = context.plan(catalog)
    provision = Provision(made, catalog, context.workspace(), store, Listener())
    told = [
        (job.target.id, store.explain(key)) for job in made.jobs for key in provision.prepare(job.target).keys.values()
    ]
    if context.report.as_json:
        context.report.document([_explanation_json(target, explanation) for target, explanation in told])
        return 0
    for target, explanation in told:
        context.report.line(f"{target} {explanation.key.name}: {_reason(explanation)}")
        for difference in explanation.differences:
            ours, theirs = difference.ours or "absent", difference.theirs or "absent"
            context.report.line(f"    {difference.field}: now {ours}, stored {theirs}")
    return 0


def _reason(explanation: Explanation) -> str:
    if explanation.state is State.HIT:
        return "in the store"
    if explanation.reason:
        return f"will be built: {explanation.state}: {explanation.reason}"
    if explanation.nearest is None:
        return "will be built: nothing of this name is stored"
    return "will be built: its key differs from the nearest entry in"


def _show(context: Context, infos: list[EntryInfo] | tuple[EntryInfo, ...], what: str) -> int:
    report = context.report
    if report.as_json:
        report.document([_info_json(info) for info in infos])
        return 0
    now = time.time()
    rows = [
        (info.kind, info.name, info.origin, human_size(info.size), _ago(now - info.used), info.digest[:16])
        for info in infos
    ]
    report.table("", ("kind", "name", "origin", "size", "used", "content"), rows)
    report.line(f"{len(infos)} {what}, {human_size(sum(info.size for info in infos))}")
    return 0


def _info_json(info: EntryInfo) -> dict[str, object]:
    return {
        "kind": info.kind,
        "name": info.name,
        "origin": info.origin,
        "size": info.size,
        "created": info.created,
        "used": info.used,
        "digest": info.digest,
        "key": dict(info.key.fields) if info.key else None,
        "path": str(info.path),
        "reason": info.reason,
    }


def _explanation_json(target: str, explanation: Explanation) -> dict[str, object]:
    return {
        "target": target,
        "library": explanation.key.name,
        "state": explanation.state,
        "reason": explanation.reason,
        "key": dict(explanation.key.fields),
        "differences": [{"field": row.field, "now": row.ours, "stored": row.theirs} for row in explanation.differences],
    }


def _ago(seconds: float) -> str:
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length:
            return f"{seconds / length:.0f} {unit} ago"
    return "just now"


def _age(text: str) -> timedelta:
    found = _AGE.fullmatch(text)
    if found is None:
        raise UsageError(f"{text!r} is no age", hint="write hours or days: 12h, 30d")
    return timedelta(**{"hours" if found[2] == "h" else "days": int(found[1])})


def _size(text: str) -> int:
    found = _SIZE.fullmatch(text)
    if found is None:
        raise UsageError(f"{text!r} is no size", hint="write megabytes or gigabytes: 500MB, 5GB")
    return int(found[1]) * (10**6 if found[2] == "MB" else 10**9)


_ACTIONS = {"ls": _ls, "explain": _explain, "prune": _prune, "verify": _verify}
