"""Owns the libraries of a target: finds its compiler, knows their keys, and builds those that the store lacks."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from . import graph, libraries, parallel, process
from .extension import Extension
from .fetch import sources
from .key import Key
from .load import Catalog
from .model import Artifact, Node, Plan, Result, Status, Step, Target, Toolchain, Variant
from .store import Entry, Store
from .toolchain import Tools, find_tools, resolve
from .workspace import Listener, Workspace

_NICER, _NICEST = 3, 19
"""By how much a library stands back, on the scale of nice(1), for each step that its chain is shorter; and the most."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A target whose compiler is at hand, so that the keys of its libraries, in building order, are known."""

    target: Target
    toolchain: Toolchain
    tools: Tools
    keys: Mapping[str, Key]


class Provision:
    """One run's access to libraries; `results` grows as nodes end."""

    def __init__(self, plan: Plan, catalog: Catalog, workspace: Workspace, store: Store, listener: Listener) -> None:
        self.plan = plan
        self.catalog = catalog
        self.workspace = workspace
        self.store = store
        self.listener = listener
        self.results: list[Result] = []
        self._needs = {node.id: node.needs for node in plan.nodes}
        self._prefixes: dict[str, Path] = {}
        self._lock = threading.Lock()

    def prepare(self, target: Target) -> Prepared:
        """Find the compiler and compute the key of every library of a target."""
        tools = find_tools(self.workspace.environment)
        named = self.plan.job(target).toolchain
        toolchain = resolve(named, target, environment=self.workspace.environment, work=self.workspace.tools)
        target = toolchain.target
        keys: dict[str, Key] = {}
        for node in self.nodes(Step.LIBRARY, target):
            recipe = self.catalog.recipes[node.subject]
            needed = {name: keys[name] for name in recipe.needs if name in keys}
            source = sources.provided(self.catalog.sources[node.subject], self.workspace.provider)
            keys[node.subject] = libraries.library_key(recipe, source, target, toolchain, tools, needed)
        return Prepared(target, toolchain, tools, keys)

    def provide(self, wanted: Sequence[Prepared], then: Mapping[str, Callable[[], None]] | None = None) -> None:
        """Have every library of some targets; what the store lacks is built, all targets in one walk.

        `then` is further work by node id; each is called in the same walk once all that its node needs is there.

        Raises:
            ToolchainError: the first failure; everything running is stopped.
        """
        missing = [(node, prepared) for prepared in wanted for node in self._missing(prepared)]
        folders = self._sources({node.subject for node, _ in missing})
        work = {node.id: partial(self._build, node, prepared, folders[node.subject]) for node, prepared in missing}
        further = {name: partial(_unhurried, call) for name, call in (then or {}).items()}
        self._walk({**work, **further})

    def prefixes(self, prepared: Prepared) -> Mapping[str, Path]:
        """The installed prefix of every library of a target by name, once it was provided."""
        return {node.subject: self._prefixes[node.id] for node in self.nodes(Step.LIBRARY, prepared.target)}

    def extension(self, prepared: Prepared, variant: Variant, prefixes: Mapping[str, Path]) -> Extension:
        """What is compiled for a variant, in a scratch folder from which a later build of it goes on."""
        folder = self._work(prepared) / variant.id
        return Extension(
            root=self.workspace.root,
            project=self.catalog.project,
            target=prepared.target,
            variant=variant,
            toolchain=prepared.toolchain,
            prefixes=tuple(prefixes.items()),
            build_folder=folder / "cmake",
        )

    def nodes(self, step: Step, target: Target) -> list[Node]:
        return [node for node in self.plan.nodes if node.step is step and node.target == target.id]

    def end(self, result: Result) -> None:
        with self._lock:
            self.results.append(result)
        self.listener.ended(result)

    def _missing(self, prepared: Prepared) -> list[Node]:
        missing = []
        for node in self.nodes(Step.LIBRARY, prepared.target):
            started = time.monotonic()
            entry = self.store.find(prepared.keys[node.subject])
            if entry is None:
                missing.append(node)
            else:
                self._prefixes[node.id] = entry.path
                self.end(Result(node, Status.REUSED, artifact(entry), time.monotonic() - started))
        return missing

    def _walk(self, work: Mapping[str, Callable[[int], None]]) -> None:
        """Do the work of nodes, by id; each call is given its niceness."""
        # Indirect needs too: what stands between may be in the store, and what it needs may not.
        needs = {node.id: sorted(self._needed(node) & work.keys()) for node in self.plan.nodes if node.id in work}
        heights = graph.heights(needs)
        most = max(heights.values(), default=0)

        def build(name: str) -> None:
            work[name](min(_NICER * (most - heights[name]), _NICEST))

        # More at once than processors, for each has steps that are serial; the longest chain is served first all the same.
        parallel.walk(needs, build, jobs=2 * self.workspace.jobs - 1, stop=process.end_all)

    def _work(self, prepared: Prepared) -> Path:
        return self.workspace.build / prepared.target.id / prepared.toolchain.name

    def _build(self, node: Node, prepared: Prepared, source: Path, niceness: int) -> None:
        self.listener.begun(node)
        started = time.monotonic()
        recipe = self.catalog.recipes[node.subject]
        work = self._work(prepared) / node.subject
        dependencies = self._closure(node)

        def build(staged: Path) -> None:
            libraries.build(
                recipe,
                prepared.target,
                prepared.toolchain,
                prepared.tools,
                source,
                dependencies,
                staged,
                work=work,
                log=work.with_suffix(".log"),
                jobs=self.workspace.jobs,
                niceness=niceness,
            )

        entry, built = self.store.get_or_build(prepared.keys[node.subject], build)
        with self._lock:
            self._prefixes[node.id] = entry.path
        status = Status.BUILT if built else Status.REUSED
        self.end(Result(node, status, artifact(entry), time.monotonic() - started))

    def _closure(self, node: Node) -> dict[str, Path]:
        """The prefixes of all that a library needs, directly or not."""
        ids = self._needed(node) & self._prefixes.keys()
        return {name.rpartition(":")[2]: self._prefixes[name] for name in sorted(ids)}

    def _needed(self, node: Node) -> frozenset[str]:
        """The ids of all nodes that a node needs, directly or not."""
        return graph.closure(node.needs, self._needs)

    def _sources(self, names: Collection[str]) -> Mapping[str, Path]:
        if not names:
            return {}
        node = Node(Step.SOURCE, f"{len(names)} libraries")
        self.listener.begun(node)
        started = time.monotonic()
        folders = sources.obtain(
            [self.catalog.sources[name] for name in sorted(names)],
            self.store,
            provider=self.workspace.provider,
            offline=self.workspace.offline,
            environment=self.workspace.environment,
            progress=lambda done, total: self.listener.moved(node, done, total),
        )
        self.end(Result(node, Status.BUILT, None, time.monotonic() - started))
        return folders


def _unhurried(call: Callable[[], None], _niceness: int) -> None:
    call()


def artifact(entry: Entry) -> Artifact:
    """The store's entry as an artifact: the digest and size of all its files together."""
    size = sum(path.stat().st_size for path in entry.path.rglob("*") if path.is_file())
    return Artifact(entry.path, entry.digest, size, entry.key.kind, entry.key.digest)
