"""Owns what manylinux/roots.toml and its lock file say: the roots, and the files that each is made of."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ..errors import UsageError, suggestion
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

    `files` are pairs of a path and a text, written beside what the packages have.
    """

    name: str
    suite: str
    arch: str
    wanted: tuple[str, ...]
    leave_out: tuple[str, ...]
    packages: tuple[Package, ...]
    files: tuple[tuple[str, str], ...] = ()

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
class Root:
    """A place for trials: the target whose wheels it is for, its file system, its interpreters.

    `build` is what is built for it beside its packages, if anything is.
    """

    name: str
    target: str
    tree: Tree
    pythons: tuple[str, ...]
    build: Build | None = None


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
        return (*(each.tree for each in self.emulators.values()), *(each.tree for each in self.roots.values()))


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
        wanted = (*base, *row.texts("packages"))
        return Tree(name, row.text("suite", pattern=_NAME), arch, wanted, leave_out, locked.get(name, ()), files)

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
    roots = {}
    for name, row in table.named_tables("root"):
        target, build_name = row.text("target"), row.text("build", default="")
        if build_name and build_name not in builds:
            row.wrong(f"there is no build {build_name!r}{suggestion(build_name, builds)}")
        made = tree(name, row, target.rpartition("-")[2], common)
        roots[name] = Root(name, target, made, row.texts("pythons", required=True), builds.get(build_name))
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
