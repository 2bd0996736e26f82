"""Owns having roots: made where the store lacks them, and entered as places that trials run in."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from .. import trial
from ..errors import MachineError, UsageError
from ..fetch.sources import obtain_archive
from ..key import Key
from ..model import Node, Result, Status, Step
from ..scratch import scratch
from ..store import Entry, Store
from ..trial import Interpreter
from ..workspace import Listener, Workspace
from . import debian, namespace, tree, windows, wine
from .building import Workshop, build_key, make
from .catalog import LOCKED, Build, Catalog, Package, Root, Tree, Windows
from .namespace import Inside

_FORMAT = "1"
_COMPILE_SECONDS = 900.0
_EMULATED_SLOWNESS = 12


@dataclass(frozen=True, slots=True)
class State:
    """What is known of a root without making it: its size in bytes where the store has it, why it cannot be here."""

    root: Root
    size: int | None
    obstacle: str


class Provider:
    """Roots on demand; they may be used until the store is closed."""

    def __init__(self, catalog: Catalog, workspace: Workspace, store: Store, listener: Listener) -> None:
        self._catalog = catalog
        self._workspace = workspace
        self._store = store
        self._listener = listener
        self._machine = _machine()
        self._entries: dict[str, Entry] = {}

    def states(self, roots: Sequence[Root]) -> tuple[State, ...]:
        """What is there of roots; looks at the store's records alone, and makes nothing."""
        sizes = {info.key.digest: info.size for info in self._store.entries() if info.key is not None}
        return tuple(State(root, sizes.get(self._key(root).digest), self.obstacle(root)) for root in roots)

    def obstacle(self, root: Root) -> str:
        """Why this machine can run no program of a root; empty where it can."""
        arch = root.tree.arch
        emulator = self._catalog.emulators.get(arch)
        if arch == self._machine or (emulator is not None and emulator.tree.arch == self._machine):
            builder = root.build.builder if root.build else self._machine
            return "" if builder.startswith(self._machine) else f"its Python is built on {builder} alone"
        return f"there is no emulator of {arch} for {self._machine or 'this machine'}"

    def place(self, root: Root) -> Inside:
        """A root to run in, made where the store lacks it.

        Raises:
            IntegrityError: a package is not the pinned one, or cannot be part of a file system.
            MachineError: the kernel forbids namespaces, or packages cannot be had.
            UsageError: the root's packages are not pinned.
        """
        if obstacle := self.obstacle(root):
            raise MachineError(
                obstacle, subject=root.name, hint=f"run it on a machine of the processor {root.tree.arch}"
            )
        if not root.tree.packages:
            raise UsageError("its packages are not pinned", subject=root.name, hint=f"`roots lock` writes {LOCKED}")
        self._workspace.build.mkdir(parents=True, exist_ok=True)
        namespace.check(self._workspace.environment, self._workspace.build)
        enter = self._entrance(root)
        return enter(self._made(root, enter).path)

    def interpreters(self, root: Root) -> tuple[Interpreter, ...]:
        """The Pythons of a root, each tried by running it; raises what `place` raises."""
        place = self.place(root)
        return tuple(trial.probe(Path(path), place.environment({}), place) for path in root.pythons)

    def _entrance(self, root: Root) -> Callable[[Path], Inside]:
        """How a root is entered, given where it lies."""
        identity = self._identity(root)
        if root.windows:
            started, inner = wine.handler(root.windows), wine.variables(root.windows)
            return lambda tree: Inside(root.name, tree, identity, started, variables=inner)
        if root.tree.arch == self._machine:
            return lambda tree: Inside(root.name, tree, identity)
        emulated = self._handler(root.tree)
        return lambda tree: Inside(root.name, tree, identity, emulated, _EMULATED_SLOWNESS)

    def _handler(self, wanted: Tree) -> str:
        """What to tell the kernel of the emulator that a tree's programs need."""
        emulator = self._catalog.emulators[wanted.arch]
        program = self._tree(emulator.tree)
        # F: opened now, outside of any root. P, O, C: the program sees its own name, file and rights.
        return f":{emulator.tree.name}:M::{emulator.magic}:{emulator.mask}:{program.path / emulator.program}:FPOC"

    def _identity(self, root: Root) -> str:
        emulator = () if root.tree.arch == self._machine else (tree_key(self._catalog.emulators[root.tree.arch].tree),)
        return " ".join(key.digest for key in (self._key(root), *emulator))

    def _key(self, root: Root) -> Key:
        built = [("build", self._build_key(root.build).digest)] if root.build else []
        own: list[tuple[str, str]] = []
        if root.windows:
            own = [*windows.facts(root.windows.pythons, self._workspace), *wine.facts(root.windows)]
        return tree_key(root.tree, [*built, *own, ("pythons", " ".join(root.pythons))])

    def _build_key(self, build: Build) -> Key:
        return build_key(build, self._build_key(self._catalog.builds[build.needs]) if build.needs else None)

    def _made(self, root: Root, enter: Callable[[Path], Inside]) -> Entry:
        def build(node: Node, staged: Path) -> None:
            self._assemble(root.tree, node, staged)
            if root.build is not None:
                shutil.copytree(self._built(root.build).path, staged, symlinks=True, dirs_exist_ok=True)
            if root.windows:
                self._furnish(root.windows, enter(staged), node)
            for done, python in enumerate(root.pythons, 1):
                self._listener.moved(node, done, len(root.pythons), f"compiling the library of {python}")
                _compile(enter(staged), Path(python), self._workspace.jobs)

        return self._had(self._key(root), build)

    def _furnish(self, wanted: Windows, place: Inside, node: Node) -> None:
        """Put Pythons for Windows, and what Wine needs, into a tree."""
        workspace = self._workspace
        with scratch(workspace.build / "roots" / place.name) as folder:
            bench = windows.Bench(workspace, folder)
            for done, python in enumerate(wanted.pythons, 1):
                self._listener.moved(node, done, len(wanted.pythons), f"putting Python {python.name} together")
                wheel = obtain_archive(
                    python.wheel, self._store, offline=workspace.offline, environment=workspace.environment
                )
                library = self._tree(python.library.tree).path / python.library.folder
                windows.make(python, wheel, library, place.tree, bench)
        self._listener.moved(node, 0, None, "making drive C")
        wine.prepare(wanted, place)

    def _built(self, wanted: Build) -> Entry:
        workspace = self._workspace

        def build(node: Node, staged: Path) -> None:
            pinned = {source.name: source.file for source in wanted.sources if source.file is not None}
            files = self._files(tuple(pinned.values()), node)
            with scratch(workspace.build / "roots" / wanted.name) as folder:
                log = workspace.build / "roots" / f"{wanted.name}.log"
                log.unlink(missing_ok=True)
                python = self._python(wanted, folder / "builder") if wanted.needs else None
                shop = Workshop(folder, log, workspace.tools, workspace.environment, workspace.jobs, python)
                by_name = {name: files[package] for name, package in pinned.items()}
                steps = iter(range(1, len(by_name) + 1))
                make(
                    wanted,
                    by_name,
                    staged,
                    shop,
                    lambda what: self._listener.moved(node, next(steps), len(by_name), what),
                )

        return self._had(self._build_key(wanted), build)

    def _python(self, wanted: Build, folder: Path) -> Path:
        """The interpreter that runs during a build, in a copy: it writes bytecode beside its library."""
        shutil.copytree(self._built(self._catalog.builds[wanted.needs]).path, folder, symlinks=True)
        return folder / wanted.python.partition("/")[2]

    def _tree(self, wanted: Tree) -> Entry:
        return self._had(tree_key(wanted), lambda node, staged: self._assemble(wanted, node, staged))

    def _assemble(self, wanted: Tree, node: Node, staged: Path) -> None:
        environment = self._workspace.environment
        files = self._files(wanted.packages, node)
        with tempfile.TemporaryDirectory(dir=staged.parent) as alone:
            tree.assemble(wanted, files.values(), staged, environment=environment, scratch=Path(alone))

    def _files(self, packages: tuple[Package, ...], node: Node) -> dict[Package, Path]:
        return debian.obtain(
            packages,
            self._store,
            offline=self._workspace.offline,
            environment=self._workspace.environment,
            progress=lambda done, total: self._listener.moved(node, done, total),
        )

    def _had(self, key: Key, build: Callable[[Node, Path], None]) -> Entry:
        """An entry of the store, verified once, made by `build` if need be, with what that takes told on the way."""
        if key.digest not in self._entries:
            node = Node(Step.ROOT, key.name)
            started = time.monotonic()

            def begin(staged: Path) -> None:
                self._listener.begun(node)
                build(node, staged)

            self._entries[key.digest], built = self._store.get_or_build(key, begin)
            status = Status.BUILT if built else Status.REUSED
            self._listener.ended(Result(node, status, None, time.monotonic() - started))
        return self._entries[key.digest]


def parts(roots: Sequence[Root]) -> int:
    """How many entries of the store roots are made of, emulators and builds among them."""
    foreign = {root.tree.arch for root in roots} - {_machine()}
    builds = [root.build for root in roots if root.build]
    pythons = [each for root in roots if root.windows for each in root.windows.pythons]
    built = {name for build in builds for name in (build.name, build.needs) if name}
    return len(roots) + len(foreign) + len(built) + len({python.library.tree for python in pythons})


def _machine() -> str:
    return os.uname().machine if hasattr(os, "uname") else ""


def tree_key(wanted: Tree, more: Sequence[tuple[str, str]] = ()) -> Key:
    """What decides the bytes of a tree."""
    packages = [(f"package {package.path}", package.sha256) for package in wanted.packages]
    rules = [("rules", _FORMAT), ("left out", " ".join(wanted.leave_out))]
    files = [(f"file {path}", text) for path, text in wanted.files]
    return Key.of("root", wanted.name, [*rules, *packages, *files, *more])


def _compile(place: Inside, python: Path, jobs: int) -> None:
    """Compile the standard library where it lies: nothing could keep it later, and an emulated compiler is slow."""
    installed = place.tree / python.parent.relative_to("/")
    library = installed / "Lib" if python.suffix == ".exe" else installed.parent / "lib" / python.name
    names: Callable[[Path], str] = wine.named if python.suffix == ".exe" else str
    lasting = ("--invalidation-mode", "unchecked-hash", "-s", names(place.tree), "-p", names(Path("/")))
    place.run(
        [python, "-I", "-m", "compileall", "-q", "-j", str(jobs), *lasting, names(library)],
        cwd=Path("/"),
        env=place.environment({}),
        work=place.tree,
        timeout=_COMPILE_SECONDS,
        error=MachineError,
    )
