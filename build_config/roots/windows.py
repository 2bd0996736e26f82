"""Owns putting a CPython for Windows together: DLL and modules of a wheel, a standard library, and programs by zig."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from .. import binary, process, stable_abi
from ..errors import IntegrityError, MachineError
from ..key import file_sha256
from ..toolchain import zig
from ..workspace import Workspace
from .catalog import WindowsPython

_PROGRAM = "windows/python.c"
_FORMAT = "1"
_TARGET = "x86_64-windows-gnu"
_CARRIED = "deploy_libs/"
"""Where the wheel has what its users' programs are to bring along."""

_NOT_NEEDED = ("api-ms-", "tcl", "tk", "_tkinter", "_test", "_ctypes_test", "winsound")
"""By the first letters; Wine has the first of them itself."""

_BESIDE = ("python", "vcruntime")
"""What Windows looks for where the program is; modules and their libraries have a folder."""

_LIBRARY_WITHOUT = ("_sysconfigdata_*", "config-*", "EXTERNALLY-MANAGED", "lib-dynload", "sitecustomize.py", "test")
_LAUNCHERS = ("python.exe", "venvlauncher.exe", "venvlaunchert.exe")
"""What `venv` copies to a new environment, as its versions call it."""

_FEATURES = ("MS_WINDOWS", "PY_HAVE_THREAD_NATIVE_ID")
_NEWEST = "cp314"
_NO_CODE = "int start(void *module, unsigned reason, void *reserved) { return 1; }\n"
_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Bench:
    """Where and with what programs are compiled."""

    workspace: Workspace
    scratch: Path

    @property
    def program(self) -> Path:
        """The source of python.exe."""
        return self.workspace.root / _PROGRAM

    @property
    def environment(self) -> dict[str, str]:
        caches = dict.fromkeys(("ZIG_GLOBAL_CACHE_DIR", "ZIG_LOCAL_CACHE_DIR"), str(self.workspace.tools / "zig-cache"))
        return {**self.workspace.environment, **caches}


def facts(pythons: Iterable[WindowsPython], workspace: Workspace) -> Iterator[tuple[str, str]]:
    """What decides the bytes of CPythons, as fields of a key."""
    yield "windows rules", _FORMAT
    yield "windows program", file_sha256(workspace.root / _PROGRAM)
    yield "windows zig", file_sha256(zig.find())
    for python in pythons:
        yield f"windows {python.name} wheel", python.wheel.sha256
        packages = python.library.tree.packages
        yield f"windows {python.name} library", " ".join(each.sha256 for each in packages)


def make(python: WindowsPython, wheel: Path, library: Path, tree: Path, bench: Bench) -> None:
    """Put a CPython for Windows into a tree; `library` is the folder of its standard library.

    Raises:
        IntegrityError: the wheel carries no Python of the ABI that it is named after.
        MachineError: the compiler fails.
    """
    folder = tree / python.path.lstrip("/").rpartition("/")[0]
    folder.mkdir(parents=True)
    own = f"python{python.name.replace('.', '')}.dll"
    _carried(python, wheel, folder, own)
    shutil.copytree(library, folder / "Lib", symlinks=True, ignore=shutil.ignore_patterns(*_LIBRARY_WITHOUT))
    (folder / "Lib" / "site-packages").mkdir()
    launchers = folder / "Lib" / "venv" / "scripts" / "nt"
    launchers.mkdir(exist_ok=True)
    inside = PurePosixPath(python.path).with_name(own)
    named = "Z:" + str(inside).replace("/", "\\\\")
    options = ("-municode", f'-DPYTHON_LIBRARY=L"{named}"')
    _compile([*options, bench.program], folder / "python.exe", bench)
    for name in _LAUNCHERS:
        shutil.copy(folder / "python.exe", launchers / name)
    if not python.name.endswith("t"):
        _forwarder(folder / own, bench)


def _carried(python: WindowsPython, wheel: Path, folder: Path, own: str) -> None:
    """The wheel's files, each where Windows looks for it; modules of the other ABI stay out."""
    modules = folder / "DLLs"
    modules.mkdir()
    free = python.name.endswith("t")
    with zipfile.ZipFile(wheel) as archive:
        for member in archive.namelist():
            name = PurePosixPath(member).name.lower()
            other = name.endswith(".pyd") and ("t-win" in name) != free
            if not member.startswith(_CARRIED) or not name or name.startswith(_NOT_NEEDED) or other:
                continue
            place = folder if name.startswith(_BESIDE) else modules
            (place / name).write_bytes(archive.read(member))
    if not (folder / own).is_file():
        raise IntegrityError(f"carries no {own}", subject=wheel.name, hint="pin the wheel of this Python's ABI")


def _forwarder(own: Path, bench: Bench) -> None:
    """The DLL of the stable ABI: every name that the version's own DLL has of it leads there."""
    exported = frozenset(binary.facts(own.read_bytes()).exported)
    names = stable_abi.names(_NEWEST, _FEATURES)
    rows = [
        f"  {name}={own.stem}.{name}{' DATA' if data else ''}\n"
        for name, data in sorted(names.items())
        if name in exported
    ]
    final = own.with_name(stable_abi.windows_library(stable_abi.ABI3))
    listed, code = bench.scratch / "python3.def", bench.scratch / "python3.c"
    listed.write_text(f"LIBRARY {final.name}\nEXPORTS\n{''.join(rows)}", encoding="ascii")
    code.write_text(_NO_CODE, encoding="ascii")
    _compile(["-shared", "-nostdlib", "-Wl,-e,start", code, listed], final, bench)


def _compile(words: list[str | Path], final: Path, bench: Bench) -> None:
    # Elsewhere first: the linker leaves an import library beside it.
    made = bench.scratch / final.name
    process.run(
        [zig.find(), "cc", "-target", _TARGET, "-O2", "-s", *words, "-o", made],
        cwd=bench.scratch,
        env=bench.environment,
        timeout=_SECONDS,
        error=MachineError,
        subject=str(final),
    )
    made.rename(final)
