"""Owns the compiler that the system has: gcc or clang, told apart by its bytes and not by its name alone."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from .. import process
from ..errors import MachineError
from ..key import file_sha256
from ..model import Options, Target, Toolchain
from . import flags

_OLDEST = {"gcc": (5,), "clang": (7,)}
"""The oldest compilers that know every flag and builtin that the libraries are built with."""

_QUESTIONS = """\
#include <limits.h>
#if defined(__TINYC__) || defined(__INTEL_COMPILER) || defined(__NVCOMPILER)
#elif defined(__apple_build_version__) || defined(__clang__)
answer family "clang" end
answer version __clang_major__ __clang_minor__ __clang_patchlevel__ end
#elif defined(__GNUC__)
answer family "gcc" end
answer version __GNUC__ __GNUC_MINOR__ __GNUC_PATCHLEVEL__ end
#endif
#ifdef __GLIBC__
answer libc "gnu" __GLIBC__ __GLIBC_MINOR__ end
#elif defined(__linux__)
answer libc "musl" end
#endif
#ifdef __linux__
answer os "linux" end
#elif defined(__APPLE__)
answer os "macos" end
#endif
#ifdef __x86_64__
answer arch "x86_64" end
#elif defined(__aarch64__)
answer arch "aarch64" end
#endif
"""
"""Preprocessed, this says what a compiler is and what it compiles for, whatever it is called.

Words are quoted, since compilers define some as macros (`linux` is 1).
"""

_APPLES = {"aarch64": "arm64"}
"""Apple's name of a processor, where it has one of its own."""

_REMEDY = "install gcc (or clang), name one in CC, or choose the toolchain 'zig', which brings its own"


def resolve(target: Target, *, environment: Mapping[str, str], work: Path) -> Toolchain:
    """The compiler that CC names, or else the first of cc, gcc and clang on PATH that can build for the target.

    Raises:
        MachineError: there is none, it is not one that is supported, or it compiles for something else.
    """
    compiler = find(environment)
    answers = _ask(compiler, environment, work)
    _check(compiler, answers, target)
    parts = dict(_parts(compiler, environment))
    return Toolchain(
        name="host",
        target=_with_floor(target, answers.get("libc", "")),
        identity=(
            ("compiler", f"{answers['family']} {answers['version']}"),
            # The first word is the name that it was called by.
            ("compiler.text", _first_line([compiler, "--version"], environment).removeprefix(compiler.name).strip()),
            ("compiler.machine", _first_line([compiler, "-dumpmachine"], environment)),
            ("sdk", _first_line(["xcrun", "--show-sdk-version"], environment))
            if target.os == "macos"
            else ("libc", answers["libc"]),
            *((f"{name}.sha256", file_sha256(path.resolve())) for name, path in sorted(parts.items())),
            *flags.identity(target),
        ),
        cmake_options=tuple(sorted((*_options(target, compiler, parts), *flags.cmake_options(target)))),
        environment=(
            ("PATH", _search_path(path for name, path in parts.items() if name != "cc1")),
            # Apple's archiver writes times and owners without it, and has no option against that.
            ("ZERO_AR_DATE", "1"),
        ),
    )


def planned(target: Target) -> Toolchain:
    """What `resolve` would make on a machine that has a compiler, which is called `cc` here."""
    options = _options(target, Path("cc"), {"ar": Path("ar"), "ranlib": Path("ranlib")})
    return Toolchain("host", target, (), tuple(sorted((*options, *flags.cmake_options(target)))), ())


def _with_floor(target: Target, libc: str) -> Target:
    """The target from the C library on that its headers are of: what is compiled with these runs on no older one."""
    kind, _, version = libc.partition(" ")
    return target.at_glibc(version.replace(" ", ".")) if kind == "gnu" else target


def find(environment: Mapping[str, str]) -> Path:
    """The compiler that CC names, or else the first of cc, gcc and clang on PATH.

    Raises:
        MachineError: there is none.
    """
    search = environment.get("PATH", "")
    named = environment.get("CC", "").strip()
    for name in [named] if named else ["cc", "gcc", "clang"]:
        found = shutil.which(name, path=search)
        if found is not None:
            return Path(found).absolute()
    if not named:
        raise MachineError("there is no C compiler on PATH", subject="cc", hint=_REMEDY)
    if len(named.split()) > 1:
        raise MachineError("CC must be one program, without arguments", subject=named, hint=_REMEDY)
    raise MachineError("CC names no program", subject=named, hint=_REMEDY)


def _ask(compiler: Path, environment: Mapping[str, str], work: Path) -> dict[str, str]:
    work.mkdir(parents=True, exist_ok=True)
    questions = work / "questions.c"
    # Written beside and renamed: another process may be reading the same questions.
    staged = work / f"questions-{os.getpid()}.c"
    staged.write_text(_QUESTIONS, encoding="utf-8")
    staged.replace(questions)
    done = process.run(
        [compiler, "-E", questions], cwd=work, env=environment, timeout=60, error=None, output=process.Output.APART
    )
    if done.returncode != 0:
        raise MachineError(
            f"cannot preprocess a file that includes <limits.h> (exit {done.returncode}): "
            "no compiler, or one without the C library's headers",
            subject=compiler,
            hint="install the C library's headers (Debian: libc6-dev), or choose the toolchain 'zig'",
        )
    # gcc puts line markers into a line, where a macro of the C library's is expanded.
    text = " ".join(line for line in done.output.splitlines() if not line.startswith("#"))
    rows = [found.replace('"', "").split() for found in re.findall(r"\banswer (.*?) end\b", text)]
    return {name: ".".join(words) if name == "version" else " ".join(words) for name, *words in rows}


def _check(compiler: Path, answers: Mapping[str, str], target: Target) -> None:
    family, version = answers.get("family"), answers.get("version", "")
    if family is None:
        raise MachineError("neither gcc nor clang, which alone are supported", subject=compiler, hint=_REMEDY)
    oldest = _OLDEST[family]
    if tuple(int(part) for part in version.split(".")) < oldest:
        raise MachineError(
            f"{family} {version} is too old: {'.'.join(map(str, oldest))} or newer is needed",
            subject=compiler,
            hint=_REMEDY,
        )
    system, libc = answers.get("os", "?"), answers.get("libc", "").partition(" ")[0]
    # Apple's compiler is told the processor.
    arch = target.arch if system == "macos" else answers.get("arch", "?")
    built = "-".join(filter(None, (system, libc, arch)))
    if built != target.id:
        raise MachineError(
            f"compiles for {built}, not for {target.id}",
            subject=compiler,
            hint="name a compiler for this target in CC, or choose the toolchain 'zig'",
        )


def _parts(compiler: Path, environment: Mapping[str, str]) -> Iterator[tuple[str, Path]]:
    """The programs whose bytes shape a result: the driver, what it starts, and the archiver."""
    yield "compiler", compiler
    for name in ("cc1", "as"):
        line = _first_line([compiler, f"-print-prog-name={name}"], environment)
        path = shutil.which(line, path=environment.get("PATH", ""))
        # clang is its own cc1, and may be its own assembler.
        if path is not None:
            yield name, Path(path)
    for name in ("ar", "ranlib"):
        path = shutil.which(name, path=environment.get("PATH", ""))
        if path is None:
            raise MachineError("the archiver is not on PATH", subject=name, hint="install binutils, or choose 'zig'")
        yield name, Path(path).absolute()


def _options(target: Target, compiler: Path, parts: Mapping[str, Path]) -> Options:
    programs = (
        ("CMAKE_C_COMPILER", str(compiler)),
        ("CMAKE_ASM_COMPILER", str(compiler)),
        ("CMAKE_AR", str(parts["ar"])),
        ("CMAKE_RANLIB", str(parts["ranlib"])),
    )
    if target.os == "macos":
        processor = _APPLES.get(target.arch, target.arch)
        return (
            *programs,
            # A cross build always, so that both processors' results are told apart by nothing but their name.
            ("CMAKE_SYSTEM_NAME", "Darwin"),
            ("CMAKE_SYSTEM_PROCESSOR", processor),
            ("CMAKE_OSX_ARCHITECTURES", processor),
            ("CMAKE_OSX_DEPLOYMENT_TARGET", target.floor),
        )
    return (
        *programs,
        # D: no times and owners in archives; many binutils are configured to write them.
        ("CMAKE_C_ARCHIVE_CREATE", "<CMAKE_AR> qcD <TARGET> <LINK_FLAGS> <OBJECTS>"),
        ("CMAKE_C_ARCHIVE_FINISH", "<CMAKE_RANLIB> -D <TARGET>"),
    )


def _search_path(parts: Iterable[Path]) -> str:
    """Where the driver finds what it starts, and no more."""
    return os.pathsep.join(dict.fromkeys([*(str(path.parent) for path in parts), "/usr/bin", "/bin"]))


def _first_line(argv: list[str | Path], environment: Mapping[str, str]) -> str:
    done = process.run(argv, cwd=Path("/"), env=environment, timeout=60, error=MachineError)
    return done.output.partition("\n")[0].strip()
