"""Owns what manylinux/roots.toml and its lock file say: the roots, and the files that each is made of."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ..errors import UsageError, suggestion
from ..model import Archive
from ..schema import SHA256, Table, read

WANTED = "manylinux/roots.toml"
LOCKED = "manylinux/roots.lock.toml"

_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]*")
_POOL = re.compile(r"pool(/[A-Za-z0-9][A-Za-z0-9.+~%_-]*)+(\.deb|\.orig\.tar\.[gx]z)")
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
"""Debian's names of architectures."""


@dataclass(frozen=True, slots=True)
class Package:
    """A pinned file of Debian's archive; `path` is the one below the archive's own address."""

    path: str
    size: int
    sha256: str

    @property
    def filename(self) -> str:
        return PurePosixPath(self.path).name


@dataclass(frozen=True, slots=True)
class Tree:
    """A file system made of Debian's packages: what is wanted of which suite, and the files that this means.

    `files` are pairs of a path and a text, written beside what the packages have. A `closed` tree is of the packages that
    are named and of nothing that they depend on.
    """

    name: str
    suite: str
    arch: str
    wanted: tuple[str, ...]
    leave_out: tuple[str, ...]
    packages: tuple[Package, ...]
    files: tuple[tuple[str, str], ...] = ()
    closed: bool = False

    @property
    def architecture(self) -> str:
        return _ARCHITECTURES[self.arch]

    def left_out(self, path: str) -> bool:
        """Whether a path, a folder's with its slash at the end, is below one that is left out."""
        return _matches(path, self.leave_out)


@dataclass(frozen=True, slots=True)
class Source:
    """A source package of Debian's, its pinned upstream file, and how it is built: commands, and variables for them.

    `leave_out` is what is not kept of what they install.
    """

    name: str
    package: str
    suite: str
    commands: tuple[tuple[str, ...], ...]
    environment: tuple[tuple[str, str], ...]
    leave_out: tuple[str, ...]
    file: Package | None


@dataclass(frozen=True, slots=True)
class Build:
    """Sources compiled by zig, one after the other, to a part of a file system.

    `names` are put in place of {name} in commands and variables; `python` is the interpreter on PATH meanwhile:
    the name of a build, and a path in what that made.
    """

    name: str
    zig: str
    sources: tuple[Source, ...]
    names: tuple[tuple[str, str], ...]
    options: tuple[str, ...]
    python: str

    @property
    def needs(self) -> str:
        """The name of the build that has to be there first, if any."""
        return self.python.partition("/")[0]

    @property
    def builder(self) -> str:
        """The platform on which its commands run."""
        return dict(self.names).get("builder", "")

    def left_out(self, path: str) -> bool:
        """As of a tree."""
        return any(_matches(path, source.leave_out) for source in self.sources)


@dataclass(frozen=True, slots=True)
class Emulator:
    """A program that runs another processor's: where it lies in its tree, and how the kernel knows what it is for."""

    tree: Tree
    program: str
    magic: str
    mask: str


@dataclass(frozen=True, slots=True)
class Library:
    """A standard library: packages, and the folder among their files that is it."""

    tree: Tree
    folder: str


@dataclass(frozen=True, slots=True)
class WindowsPython:
    """A CPython for Windows: a package's wheel that carries its DLL and modules, and a library of its minor version."""

    name: str
    wheel: Archive
    library: Library

    @property
    def path(self) -> str:
        return f"/opt/python{self.name}/python.exe"


@dataclass(frozen=True, slots=True)
class Windows:
    """What makes a root Windows': its Pythons, and the program that starts theirs.

    `magic` is how the kernel knows what to start with it, `variables` are set for it, and `prefix` is where it keeps what
    it takes for drive C.
    """

    program: str
    magic: str
    prefix: str
    variables: tuple[tuple[str, str], ...]
    pythons: tuple[WindowsPython, ...]


@dataclass(frozen=True, slots=True)
class Root:
    """A place for trials: the target whose wheels it is for, its file system, its interpreters.

    `build` is what is built for it beside its packages, if anything is.
    """

    name: str
    target: str
    tree: Tree
    pythons: tuple[str, ...]
    build: Build | None = None
    windows: Windows | None = None

    @property
    def python_names(self) -> tuple[str, ...]:
        """What its Pythons are called in tables."""
        paths = map(PurePosixPath, self.pythons)
        return tuple(path.parent.name if self.windows else path.name for path in paths)


@dataclass(frozen=True, slots=True)
class Catalog:
    """Every root, build and source by name, and the emulator of each architecture that has one."""

    roots: Mapping[str, Root]
    emulators: Mapping[str, Emulator]
    builds: Mapping[str, Build]
    sources: Mapping[str, Source]

    def choose(self, names: tuple[str, ...]) -> tuple[Root, ...]:
        """The roots of these names, or all.

        Raises:
            UsageError: a name that does not exist.
        """
        wrong = [f"unknown root {name!r}{suggestion(name, self.roots)}" for name in names if name not in self.roots]
        if wrong:
            raise UsageError.many(wrong, hint=f"roots are {', '.join(self.roots)}")
        return tuple(self.roots[name] for name in names or self.roots)

    @property
    def trees(self) -> tuple[Tree, ...]:
        libraries = (each.library.tree for root in self.roots.values() if root.windows for each in root.windows.pythons)
        emulators = (each.tree for each in self.emulators.values())
        return tuple(dict.fromkeys((*emulators, *libraries, *(each.tree for each in self.roots.values()))))


def load(root: Path) -> Catalog:
    """The roots of the project at `root`; what the lock file does not know has no files.

    Raises:
        UsageError: one of the two files is wrong; every problem is told.
    """
    problems: list[str] = []
    locked = _locked(root / LOCKED, problems)
    table = Table(read(root / WANTED), WANTED, problems)
    debian = table.table("debian")
    common, leave_out = debian.texts("packages", required=True), debian.texts("leave_out")
    files = debian.pairs("files")
    debian.finish()

    def tree(name: str, row: Table, arch: str, base: tuple[str, ...]) -> Tree:
        if arch not in _ARCHITECTURES:
            row.wrong(f"{arch!r} is not one of {', '.join(_ARCHITECTURES)}")
        closed = row.flag("closed", default=False)
        wanted = (*(() if closed else base), *row.texts("packages"))
        without = (*leave_out, *row.texts("leave_out"))
        suite = row.text("suite", pattern=_NAME)
        return Tree(name, suite, arch, wanted, without, locked.get(name, ()), files, closed)

    emulators = {}
    for arch, row in table.named_tables("emulator"):
        made = tree(f"emulator-{arch}", row, row.text("arch"), ())
        emulators[arch] = Emulator(made, row.text("program"), row.text("magic"), row.text("mask"))
        row.finish()
    sources = {name: _source(name, row, locked) for name, row in table.named_tables("source")}
    builds = {name: _build(name, row, sources) for name, row in table.named_tables("build")}
    problems += [
        f"{WANTED}: build.{build.name}: there is no build {build.needs!r}"
        for build in builds.values()
        if build.needs and build.needs not in builds
    ]
    libraries = {name: _library(name, row, tree) for name, row in table.named_tables("library")}
    pythons = {name: _windows_python(name, row, libraries) for name, row in table.named_tables("windows_python")}
    roots = {}
    for name, row in table.named_tables("root"):
        target, build_name = row.text("target"), row.text("build", default="")
        if build_name and build_name not in builds:
            row.wrong(f"there is no build {build_name!r}{suggestion(build_name, builds)}")
        made = tree(name, row, target.rpartition("-")[2], common)
        below = row.optional_table("windows")
        windows = _windows(below, pythons) if below else None
        paths = tuple(each.path for each in windows.pythons) if windows else row.texts("pythons", required=True)
        roots[name] = Root(name, target, made, paths, builds.get(build_name), windows)
        row.finish()
    table.finish()
    if problems:
        raise UsageError.many(problems, hint="correct the files named above")
    return Catalog(roots, emulators, builds, sources)


def _source(name: str, row: Table, locked: Mapping[str, tuple[Package, ...]]) -> Source:
    source = Source(
        name=name,
        package=row.text("package"),
        suite=row.text("suite", pattern=_NAME),
        commands=row.lists("commands"),
        environment=row.pairs("environment"),
        leave_out=row.texts("leave_out"),
        file=next(iter(locked.get(f"source-{name}", ())), None),
    )
    row.finish()
    return source


def _build(name: str, row: Table, sources: Mapping[str, Source]) -> Build:
    named = row.texts("sources", required=True, allowed=sources)
    build = Build(
        name=name,
        zig=row.text("zig"),
        sources=tuple(sources[each] for each in named if each in sources),
        names=row.pairs("names"),
        options=row.texts("options"),
        python=row.text("python", default=""),
    )
    row.finish()
    return build


def _library(name: str, row: Table, tree: Callable[[str, Table, str, tuple[str, ...]], Tree]) -> Library:
    library = Library(tree(f"library-{name}", row, row.text("arch"), ()), row.text("folder"))
    row.finish()
    return library


def _windows_python(name: str, row: Table, libraries: Mapping[str, Library]) -> WindowsPython | None:
    wheel = Archive(
        project=row.text("project"),
        version=row.text("version"),
        filename=row.text("filename"),
        size=row.number("size"),
        sha256=row.text("sha256", pattern=SHA256),
    )
    library = row.text("library")
    row.finish()
    if library not in libraries:
        row.wrong(f"there is no library {library!r}{suggestion(library, libraries)}")
        return None
    return WindowsPython(name, wheel, libraries[library])


def _windows(row: Table, pythons: Mapping[str, WindowsPython | None]) -> Windows:
    named = row.texts("pythons", required=True, allowed=pythons)
    windows = Windows(
        program=row.text("program"),
        magic=row.text("magic"),
        prefix=row.text("prefix"),
        variables=row.pairs("variables"),
        pythons=tuple(python for name in named if (python := pythons.get(name))),
    )
    row.finish()
    return windows


def _matches(path: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatch.fnmatchcase(path, f"{pattern}*") for pattern in patterns)


def _locked(path: Path, problems: list[str]) -> dict[str, tuple[Package, ...]]:
    if not path.is_file():
        return {}
    table = Table(read(path), LOCKED, problems)
    found = {}
    for name, row in table.named_tables("packages"):
        found[name] = tuple(_package(file) for file in row.tables("files"))
        row.finish()
    table.finish()
    return found


def _package(row: Table) -> Package:
    package = Package(row.text("path", pattern=_POOL), row.number("size"), row.text("sha256", pattern=SHA256))
    row.finish()
    return package
