"""Owns the building of one C library with CMake, from a source tree to an install prefix that holds no path of here."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from . import probes, process
from .errors import BuildError, MachineError, UsageError
from .key import Key
from .model import Options, Recipe, Source, Target, Toolchain
from .scratch import scratch
from .toolchain import Tools

_PREFIX = "/prefix"
"""Where a library believes to be installed; with DESTDIR it goes elsewhere, and the same bytes come out anywhere."""

_OPTIONS = (
    ("BUILD_SHARED_LIBS", "OFF"),
    ("BUILD_TESTING", "OFF"),
    ("CMAKE_BUILD_TYPE", "RelWithDebInfo"),
    ("CMAKE_EXPORT_COMPILE_COMMANDS", "ON"),
    ("CMAKE_INSTALL_LIBDIR", "lib"),
    ("CMAKE_INSTALL_PREFIX", _PREFIX),
)

_LAYOUT = "1"
"""The form of an entry; another number makes every library be built again."""

_EPOCH = "315532800"
"""1980-01-01, the same for all: a library's bytes are a matter of its sources, not of when a wheel is made."""

_LONGEST = 600
"""Bytes of a folder's path; CMake's own probes and its object files add some hundreds, of 1000 that it allows."""

_UNSUITABLE = re.compile(r"[^A-Za-z0-9/._+@~, -]")
"""Everything else has a meaning to CMake, Ninja, a shell or a compiler's flags, or is escaped in assembly files."""


def library_key(
    recipe: Recipe,
    source: Source,
    target: Target,
    toolchain: Toolchain,
    tools: Tools,
    dependencies: Mapping[str, Key],
) -> Key:
    """The key of a library; `dependencies` are the keys of the libraries that it needs directly."""
    fields = [
        ("layout", _LAYOUT),
        ("version", recipe.version),
        ("source.tree", source.tree),
        ("target", target.id),
        ("target.floor", target.floor),
        ("toolchain", toolchain.name),
        # CMake writes parts of what is installed.
        ("cmake", dict(tools.versions)["cmake"]),
        ("licence_files", " ".join(recipe.licence_files)),
        ("outputs", " ".join(recipe.outputs)),
        *((f"toolchain.{name}", value) for name, value in toolchain.identity),
        *((f"option.{name}", value) for name, value in (*_OPTIONS, *recipe.options_for(target))),
        *((f"dependency.{name}", key.digest) for name, key in dependencies.items()),
    ]
    return Key.of("library", recipe.name, fields)


def build(  # noqa: PLR0913 - the facts of one build
    recipe: Recipe,
    target: Target,
    toolchain: Toolchain,
    tools: Tools,
    source: Path,
    dependencies: Mapping[str, Path],
    out: Path,
    *,
    work: Path,
    log: Path,
    jobs: int,
    niceness: int = 0,
) -> None:
    """Configure, compile and install a library into the folder `out`, which is empty or does not exist.

    `dependencies` are the prefixes of all libraries that it needs, directly or not. `work` is scratch space that many
    builds may share; what a failed build leaves there is swept by the next one. `log` is replaced by the output of
    every command. `jobs` is the number of compilers at once, `niceness` as in `process.run`. In `out`, beside what the
    library installs, come `licenses/NAME/` and `probes.json` (see `probes.read`).

    Raises:
        BuildError: a command failed, an output is missing, a path of this machine got into a file, or the source
            changed meanwhile.
        UsageError: a folder has a name that the build tools cannot take.
    """
    subject = f"{recipe.name} for {target.id}"
    folders = {"source": source, "work": work, "destination": out, **{f"of {n}": p for n, p in dependencies.items()}}
    for role, folder in folders.items():
        check_path(folder, f"the folder {role}" if role.startswith("of ") else f"the {role} folder")
    if " " in str(source.absolute()):
        # s2n hands its own folder to its probes unquoted, and takes their failure for an answer.
        raise UsageError("the source folder has a space in its name", subject=source, hint="use another folder")
    before = _state(source)
    log.unlink(missing_ok=True)
    with scratch(work) as folder:
        tree, stage = folder / "build", folder / "stage"
        options = cmake_options(recipe, target, toolchain, tools, source, tree, dependencies)
        env = {**build_environment(toolchain, folder), "DESTDIR": str(stage)}
        for argv in commands(recipe, tools, source, tree, options, jobs=jobs):
            process.run(argv, cwd=folder, env=env, log=log, subject=subject, niceness=niceness)
        staged = stage / _PREFIX.lstrip("/")
        _add_notices(recipe, source, staged)
        answers = probes.read(tree)
        (staged / "probes.json").write_text(json.dumps(answers, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        _check_outputs(recipe, staged, log)
        if not toolchain.local:
            _check_paths(staged, folders.values(), recipe.name)
        _check_unchanged(source, before)
        out.mkdir(parents=True, exist_ok=True)
        for path in sorted(staged.iterdir()):
            shutil.move(path, out / path.name)


def commands(
    recipe: Recipe, tools: Tools, source: Path, tree: Path, options: Options, *, jobs: int
) -> tuple[list[str | Path], ...]:
    """What is run to configure, compile and install a library; see `build`."""
    define = [f"-D{name}={value}" for name, value in options]
    ninja: list[str | Path] = [tools.ninja, "-C", tree, f"-j{jobs}"]
    return (
        [tools.cmake, "-G", "Ninja", "-S", source, "-B", tree, "--no-warn-unused-cli", *define],
        *([*ninja, name] for name in recipe.first),
        ninja,
        [tools.cmake, "--install", tree],
    )


def check_path(path: Path, what: str) -> None:
    """Refuse a folder whose name the build tools would take for something else.

    Raises:
        UsageError: naming the character, or the length.
    """
    try:
        text = os.fspath(path.absolute())
        length = len(text.encode())
    except UnicodeEncodeError as cause:
        name = os.fsencode(path).decode("utf-8", "backslashreplace")
        raise UsageError(f"{what} has a name that is not UTF-8", subject=name, hint="use another folder") from cause
    unsuitable = _UNSUITABLE.search(text)
    if unsuitable is not None:
        raise UsageError(
            f"{what} has {unsuitable.group()!r} in its name, which CMake, Ninja or the compiler would misread",
            subject=path,
            hint="use another folder",
        )
    if length > _LONGEST:
        raise UsageError(
            f"{what} has a name of {length} bytes; CMake has room for {_LONGEST}",
            subject=path,
            hint="use a folder nearer to the root",
        )


def cmake_options(
    recipe: Recipe,
    target: Target,
    toolchain: Toolchain,
    tools: Tools,
    source: Path,
    tree: Path,
    dependencies: Mapping[str, Path],
) -> Options:
    """The cache entries with which a library is configured in the build folder `tree`."""
    options = dict(_OPTIONS) | dict(toolchain.cmake_options) | dict(recipe.options_for(target))
    options["CMAKE_MAKE_PROGRAM"] = str(tools.ninja)
    options["CMAKE_PREFIX_PATH"] = ";".join(str(path) for _, path in sorted(dependencies.items()))
    # In debug information and __FILE__, files are named by their library, wherever they were when it was built.
    named = [(source, recipe.name), (tree, f"build/{recipe.name}")]
    named += [(path, f"prefix/{name}") for name, path in sorted(dependencies.items())]
    # Quoted inside the word: CMake takes quotes around a whole value off.
    maps = " ".join(f"-ffile-prefix-map={shlex.quote(str(path))}={name}" for path, name in named)
    for variable in ("CMAKE_C_FLAGS", "CMAKE_ASM_FLAGS"):
        options[variable] = f"{options.get(variable, '')} {maps}".strip()
    return tuple(sorted(options.items()))


def build_environment(toolchain: Toolchain, folder: Path) -> dict[str, str]:
    """All variables that the commands of a build see: nothing of the user's gets in."""
    temporary = folder / "tmp"
    temporary.mkdir(exist_ok=True)
    return {
        "PATH": os.pathsep.join(("/usr/bin", "/bin")),
        "LC_ALL": "C",
        "SOURCE_DATE_EPOCH": _EPOCH,
        "TMPDIR": str(temporary),
        **dict(toolchain.environment),
    }


def _add_notices(recipe: Recipe, source: Path, staged: Path) -> None:
    for name in recipe.licence_files:
        try:
            text = (source / name).read_bytes()
        except OSError as cause:
            raise BuildError(f"licence file {name}: {cause.strerror}", subject=recipe.name) from cause
        if Path(name).suffix in {".c", ".h"}:
            text, end, _ = text.partition(b"*/")
            text, name = text + end + b"\n", f"{name}.txt"  # noqa: PLW2901 - the same file under its new name
        path = staged / "licenses" / recipe.name / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text)


def _check_outputs(recipe: Recipe, staged: Path, log: Path) -> None:
    missing = [output for output in recipe.outputs if not (staged / output).is_file()]
    if missing:
        raise BuildError(
            f"did not install {', '.join(missing)}",
            subject=recipe.name,
            hint=f"compare 'outputs' in recipes/{recipe.name}.toml with the list at the end of {log}",
        )


def _check_paths(staged: Path, folders: Iterable[Path], name: str) -> None:
    """No file may hold the path of a folder that took part: it would differ from machine to machine, and tell of it."""
    paths = {os.fsencode(each) for folder in folders for each in (folder.absolute(), folder.resolve())}
    # Not in the middle of a longer path: the folder may have a short and common name.
    pattern = re.compile(rb"(?<![\w.-])(?:" + b"|".join(re.escape(path) for path in sorted(paths)) + rb")(?![\w.-])")
    for path in sorted(staged.rglob("*")):
        if path.is_file() and (found := pattern.search(path.read_bytes())):
            raise BuildError(
                f"{path.relative_to(staged)} holds the path {os.fsdecode(found.group())}",
                subject=name,
                hint="map it out of what the compiler or CMake writes",
            )


def _state(source: Path) -> dict[str, tuple[int, ...]]:
    """What tells that a file of a tree was written to, removed or put in place of another."""
    state: dict[str, tuple[int, ...]] = {}
    for folder, folders, files in os.walk(source, onerror=_unreadable):
        folders.sort()
        for name in files:
            path = Path(folder, name)
            facts = path.lstat()
            state[str(path.relative_to(source))] = (
                facts.st_mode, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns, facts.st_ino,
            )  # fmt: skip
    return state


def _unreadable(cause: OSError) -> None:
    raise MachineError(f"cannot read the sources: {cause.strerror}", subject=cause.filename or "") from cause


def _check_unchanged(source: Path, before: Mapping[str, tuple[int, ...]]) -> None:
    after = _state(source)
    changed = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    if changed:
        raise BuildError(
            f"changed while it was being built: {', '.join(changed[:5])}{' …' if len(changed) > 5 else ''}",  # noqa: PLR2004
            subject=source,
            hint="nothing was stored; build again",
        )
