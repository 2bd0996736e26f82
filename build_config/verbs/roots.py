"""Owns the verb `roots`: listing the roots that wheels are tried in, making them, and pinning what they are made of."""

from __future__ import annotations

import argparse

from .. import roots
from ..report import human_size
from ..roots import Catalog, Provider, State
from .context import Context

TEACHES = """\
Without a name, lists the roots; with names (or `all`), makes those that the store lacks and runs their Pythons.
`roots lock [NAME…]` asks Debian's archive what the packages of manylinux/roots.toml are today, and pins that.
Nobody has to be root: packages are unpacked, never installed, and commands run in namespaces of the kernel's.
"""
_LOCK, _ALL = "lock", "all"


def choose(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", nargs="*", metavar="NAME", help="a root, or `all`; `lock` pins their packages anew")
    parser.add_argument("--offline", action="store_true", help="no network: packages come from the store, or it fails")


def run(context: Context) -> int:
    catalog = roots.load(context.root)
    names = tuple(context.arguments.name)
    if names[:1] == (_LOCK,):
        return _lock(context, catalog, names[1:])
    chosen = catalog.choose(() if names == (_ALL,) else names)
    with context.store() as store, context.report.listener(roots.parts(chosen)) as listener:
        provider = Provider(catalog, context.workspace(), store, listener)
        pythons = {root.name: [each.version for each in provider.interpreters(root)] for root in chosen if names}
        states = provider.states(chosen)
    if context.report.as_json:
        context.report.document([_json(state, pythons.get(state.root.name)) for state in states])
        return 0
    rows = [_row(state, pythons.get(state.root.name)) for state in states]
    context.report.table("", ("root", "target", "Pythons", "state", "size"), rows)
    return 0


def _lock(context: Context, catalog: Catalog, names: tuple[str, ...]) -> int:
    work = context.workspace().build / "roots"
    work.mkdir(parents=True, exist_ok=True)
    environment = context.environment
    path = roots.lock(catalog, names, context.root, environment=environment, work=work, progress=context.report.line)
    context.report.line(f"wrote {path.relative_to(context.root)}")
    return 0


def _row(state: State, found: list[str] | None) -> tuple[str, ...]:
    """`found` are the versions that answered, or nothing where none was asked."""
    pythons = ", ".join(found or state.root.python_names)
    size = "" if state.size is None else human_size(state.size)
    return state.root.name, state.root.target, pythons, _said(state), size


def _said(state: State) -> str:
    if state.obstacle:
        return f"not here: {state.obstacle}"
    return "not made yet" if state.size is None else "in the store"


def _json(state: State, found: list[str] | None) -> dict[str, object]:
    return {
        "root": state.root.name,
        "target": state.root.target,
        "interpreters": list(state.root.pythons),
        "versions": found,
        "made": state.size is not None,
        "size": state.size,
        "obstacle": state.obstacle,
    }
