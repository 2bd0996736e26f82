"""Owns the nouns of the toolchain: frozen facts that plans, keys and results are made of."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

Options = tuple[tuple[str, str], ...]
"""CMake cache entries as sorted (name, value) pairs."""


@dataclass(frozen=True, slots=True)
class Target:
    """A platform that artifacts are built for.

    `floor` is the oldest C library or system version that the artifact runs on (glibc "2.17", macOS "11.0").
    """

    os: str
    arch: str
    libc: str
    floor: str
    wheel_platforms: tuple[str, ...]
    toolchains: tuple[str, ...]

    @property
    def id(self) -> str:
        """The one name of a target, used everywhere: `linux-gnu-x86_64`."""
        return "-".join(part for part in (self.os, self.libc, self.arch) if part)

    def at_glibc(self, version: str) -> Target:
        """The same platform from another glibc on, as PEP 600 names it."""
        tag = f"manylinux_{version.replace('.', '_')}_{self.arch}"
        return self if version == self.floor else replace(self, floor=version, wheel_platforms=(tag,))


@dataclass(frozen=True, slots=True)
class Archive:
    """A pinned file of a package index project."""

    project: str
    version: str
    filename: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class GitPin:
    """A pinned commit of a Git repository; `tree` is the tree digest of its checkout."""

    url: str
    commit: str
    tree: str


@dataclass(frozen=True, slots=True)
class Source:
    """The C sources of one library: where they come from and what they must be.

    `path` is the library's folder inside the archive; `tree` is the tree digest (see `fetch.tree`) of that folder.
    """

    name: str
    version: str
    tree: str
    path: str
    archive: Archive
    git: GitPin | None


@dataclass(frozen=True, slots=True)
class Condition:
    """A recipe's exception for some targets: every non-empty field of the match must hold.

    `built` False leaves the library out on these targets (the system provides what it would).
    """

    os: tuple[str, ...] = ()
    arch: tuple[str, ...] = ()
    libc: tuple[str, ...] = ()
    options: Options = ()
    built: bool = True

    def matches(self, target: Target) -> bool:
        pairs = ((self.os, target.os), (self.arch, target.arch), (self.libc, target.libc))
        return all(not wanted or actual in wanted for wanted, actual in pairs)


@dataclass(frozen=True, slots=True)
class Recipe:
    """How one C library is built, from `recipes/NAME.toml`.

    `first` are the build targets that are started before all others, since they take longest.
    """

    name: str
    version: str
    licence: str
    licence_files: tuple[str, ...]
    needs: tuple[str, ...]
    options: Options
    conditions: tuple[Condition, ...]
    outputs: tuple[str, ...]
    first: tuple[str, ...] = ()

    def built_on(self, target: Target) -> bool:
        return all(condition.built for condition in self.conditions if condition.matches(target))

    def options_for(self, target: Target) -> Options:
        merged = dict(self.options)
        for condition in self.conditions:
            if condition.matches(target):
                merged.update(condition.options)
        return tuple(sorted(merged.items()))


@dataclass(frozen=True, slots=True)
class Toolchain:
    """A compiler set that is ready to use; `identity` is what enters cache keys.

    `cmake_options` and `environment` select it in a CMake build. What a `local` one makes is for this machine alone, and
    may tell of its folders.
    """

    name: str
    target: Target
    identity: tuple[tuple[str, str], ...]
    cmake_options: Options
    environment: tuple[tuple[str, str], ...]
    local: bool = False


@dataclass(frozen=True, slots=True)
class Variant:
    """An ABI that the extension is built for: `cp38-abi3`, or one interpreter's own ABI such as `cp313-cp313t`.

    A `default` one is built where nobody names variants.
    """

    python: str
    abi: str
    default: bool = False

    @property
    def id(self) -> str:
        return f"{self.python}-{self.abi}"

    @property
    def free_threaded(self) -> bool:
        return self.abi.endswith("t")


@dataclass(frozen=True, slots=True)
class Project:
    """The Python package that the wheels carry, from `[tool.wheels]` of pyproject.toml.

    `inputs` are the globs of the files that, beside libraries and tools, decide a wheel's bytes.
    """

    name: str
    module: str
    inputs: tuple[str, ...]


class Step(StrEnum):
    """What a node of a plan does."""

    SOURCE = "source"
    LIBRARY = "library"
    WHEEL = "wheel"
    VERIFY = "verify"
    TRIAL = "trial"
    ROOT = "root"


@dataclass(frozen=True, slots=True)
class Node:
    """One piece of work; `target` and `variant` are empty where the work is the same for all."""

    step: Step
    subject: str
    target: str = ""
    variant: str = ""
    needs: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        return ":".join(part for part in (self.step, self.target, self.variant, self.subject) if part)


@dataclass(frozen=True, slots=True)
class Job:
    """What is made for one target, with which toolchain; a `native` one runs on the machine that builds it."""

    target: Target
    toolchain: str
    variants: tuple[Variant, ...]
    native: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """The work in an order in which every node comes after those that it needs.

    `left_out` are targets that this machine cannot build, each with the reason.
    """

    jobs: tuple[Job, ...]
    nodes: tuple[Node, ...]
    left_out: tuple[tuple[Job, str], ...] = ()

    def job(self, target: Target) -> Job:
        return next(job for job in self.jobs if job.target.id == target.id)


@dataclass(frozen=True, slots=True)
class Artifact:
    """A file that was made; `key` is the sha256 of the cache key it was made from."""

    path: Path
    sha256: str
    size: int
    kind: str
    key: str


class Severity(StrEnum):
    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that was done, or looked at, and is bad."""

    rule: str
    severity: Severity
    subject: str
    message: str
    hint: str = ""


class Status(StrEnum):
    """`BUILT` was made now, `REUSED` came from the store; `FAILED` and `SKIPPED` end in no artifact."""

    BUILT = "built"
    REUSED = "reused"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a node; `seconds` is wall time."""

    node: Node
    status: Status
    artifact: Artifact | None
    seconds: float
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True, order=True)
class Import:
    """A symbol that a binary takes from elsewhere; `library` and `version` are empty where the format does not say.

    A weak one may stay unresolved.
    """

    name: str
    library: str = ""
    version: str = ""
    weak: bool = False


@dataclass(frozen=True, slots=True)
class Tried:
    """What the package's tests came to on one interpreter; `seconds` is wall time when they really ran."""

    wheel: Path
    interpreter: str
    passed: int
    failed: int
    skipped: int
    seconds: float
    reused: bool
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class BinaryFacts:
    """What an object file says of itself, the same for ELF, Mach-O and PE.

    Everything but `sections`, `debug`, `contradictions` and `sdk` is what the loader reads. Symbols have the names that C
    gives them, whatever the format puts before. `versions` are those asked of the system: of symbols (`GLIBC_2.17`), or of
    the whole (`macOS_11.0`). `build_id` is lower-case hex, `relro` means that the relocated tables become read-only, `nx`
    that no memory is both writable and executable, the stack included. `debug` is True where symbol tables or debug
    sections remain; `contradictions` says where the headers for tools differ from those for the loader. `flags` are the
    switches of the header that harden, under the format's own names; `debug_file` is the file with the debug information,
    where the format names one. `signed` and `sdk`, the version of the system's headers that it was compiled with, are known
    of Mach-O alone.
    """

    format: str
    arch: str
    needed: tuple[str, ...]
    exported: tuple[str, ...]
    undefined: tuple[Import, ...]
    versions: tuple[str, ...]
    runpath: tuple[str, ...]
    build_id: str
    relro: bool
    bind_now: bool
    nx: bool
    textrel: bool
    stack_protector: bool
    fortified: bool
    sections: tuple[str, ...] = ()
    debug: bool = False
    contradictions: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    debug_file: str = ""
    signed: bool = False
    sdk: str = ""
