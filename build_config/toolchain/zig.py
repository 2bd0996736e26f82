"""Owns the compiler of the package `ziglang`: one program that compiles for any of its targets on any machine."""

from __future__ import annotations

import importlib.util
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

from .. import process
from ..errors import MachineError
from ..key import file_sha256
from ..model import Target, Toolchain
from . import flags, wrapper

_SYSTEMS = {"linux": "Linux", "windows": "Windows"}
"""CMake's name of each system that zig carries a C library for."""

_COMPILER = r"""#!/bin/sh
# Started once for every source file, so nothing here starts another program.
links=yes
for word do
    case $word in
        -c|-E|-S|*.c|*.S|*.s|*.cc|*.cpp) links= ;;
    esac
done
for word do
    shift
    case $word in
        -Wp,-U_FORTIFY_SOURCE) word=-U_FORTIFY_SOURCE ;;
        -Wa,-mbranches-within-32B-boundaries) word=${word#-Wa,} ;;
    esac
    # zig would build its C library once more for every processor that a link names, to no effect on the result.
    case $links$word in
        yes-march=*|yes-mcpu=*|yes-mtune=*|yes-mavx*|yes-msse*|yes-mpclmul*|yes-mvpclmul*) continue ;;
    esac
    # gcc's spelling of an Arm processor: zig takes a base processor and features, and reads -mtune as a processor.
    case $word in
        -march=armv8-a*) word=-mcpu=generic+v8a${word#-march=armv8-a} ;;
        -march=armv8.[1-9]-a*)
            rest=${word#-march=armv8.}
            word=-mcpu=generic+v8_${rest%%-a*}a${rest#?-a} ;;
        -mtune=neoverse-*)
            set -- "$@" -Xclang -tune-cpu -Xclang
            word=${word#-mtune=} ;;
    esac
    set -- "$@" "$word"
done
"""

_XXHASH = "-fgnuc-version=9.1.0 -mevex512 -mllvm -unroll-threshold=1000 -mllvm -post-RA-scheduler"
"""Its sources leave AVX2 and AVX-512 to gcc 5 and later, which clang does not say it is. Functions there name the
instructions that they use; zig wants the registers that are 512 bits wide to be named too. The loop over the 16 stripes
of a block takes twice as long where it is not unrolled: clang makes every addition wait for the one before. The loop of
XXH64 is all multiplications; ordered once more after registers are given, they wait 2 % less, as gcc's do."""

_WIDE = f"""\
case " $* " in
    *" CMakeFiles/aws-checksums.dir/source/xxhash.c.o "*) set -- "$@" {_XXHASH} ;;
esac
"""

_ARGUMENTS = '"$@" -fno-sanitize=undefined'
"""zig turns this sanitizer on for code that is not optimised, which some of libcrypto must be."""

_RUNTIME = "-rtlib=none"
"""Where a C library is linked as well, zig's runtime stands before it, with a memcpy at half the speed of glibc's, and on
AArch64 with a stack canary that is the same in every process. A module brings what else it needs of it."""

_CODEVIEW = "-gno-codeview-command-line -Xclang -object-file-name=object"
"""Windows' debug information would tell the whole command, and the name of a temporary file that is new every time."""

_NO_EXPORTS = "-Ddllexport=nothrow"
"""Libraries mark functions as exported even where they are static; what a module exports is a list of its own."""

_HEADERS = "zig/lib"
"""What debug information calls the folder of zig's own headers, wherever that is."""


def resolve(target: Target, *, environment: Mapping[str, str], work: Path) -> Toolchain:
    """zig for a target.

    Raises:
        MachineError: the package `ziglang` is not installed, or has nothing for this target.
    """
    triple = zig_target(target)
    zig = find()
    version = _version(zig, environment)
    scripts = _scripts(zig, triple)
    folder = wrapper.install(scripts, work / "wrappers")
    cache = str(work / "zig-cache")
    options = _options(target, folder)
    return Toolchain(
        name="zig",
        target=target,
        identity=(
            ("compiler", f"zig {version}"),
            ("compiler.sha256", file_sha256(zig)),
            ("target", triple),
            ("wrapper", wrapper.digest(_scripts(Path("zig"), triple))),
            ("modules", options.get("CMAKE_MODULE_LINKER_FLAGS", "")),
            *flags.identity(target),
        ),
        cmake_options=tuple(sorted((*options.items(), *flags.cmake_options(target)))),
        environment=(("ZIG_GLOBAL_CACHE_DIR", cache), ("ZIG_LOCAL_CACHE_DIR", cache)),
    )


def planned(target: Target) -> Toolchain:
    """What `resolve` would make, with the wrappers' folder called `zig`."""
    options = _options(target, Path("zig"))
    return Toolchain("zig", target, (), tuple(sorted((*options.items(), *flags.cmake_options(target)))), ())


def zig_target(target: Target) -> str:
    """The target in zig's words: `x86_64-linux-gnu.2.17`.

    Raises:
        MachineError: zig carries no C library for it.
    """
    if target.os not in _SYSTEMS:
        raise MachineError(
            "zig cannot build for this target, as it carries no system libraries for it",
            subject=target.id,
            hint="choose the toolchain 'host' on such a machine",
        )
    # A musl version would select nothing: zig carries one.
    libc = f"gnu.{target.floor}" if (target.os, target.libc) == ("linux", "gnu") else target.libc or "gnu"
    return f"{target.arch}-{target.os}-{libc}"


def find() -> Path:
    """The program `zig` of the running interpreter's environment.

    Raises:
        MachineError: the package is not installed.
    """
    spec = importlib.util.find_spec("ziglang")
    for place in (spec.submodule_search_locations or []) if spec is not None else []:
        path = Path(place).absolute() / ("zig.exe" if sys.platform == "win32" else "zig")
        if path.is_file():
            return path
    raise MachineError(
        "the package 'ziglang' is not installed in this Python's environment",
        subject=sys.executable,
        hint="python -m pip install ziglang, or choose the toolchain 'host'",
    )


def _scripts(zig: Path, triple: str) -> dict[str, str]:
    program = shlex.quote(str(zig))
    always = f"-target {triple} " + shlex.quote(f"-ffile-prefix-map={zig.parent / 'lib'}={_HEADERS}")
    if "-windows-" in triple:
        always += f" {_CODEVIEW} {_NO_EXPORTS}"
    prepared = _COMPILER + (_WIDE if triple.startswith("x86_64-") else "")
    plain = ("ar", "ranlib", "rc", *(("dlltool",) if "-windows-" in triple else ()))
    scripts = {name: f"{prepared}exec {program} {name} {always} {_ARGUMENTS}\n" for name in ("cc", "c++")}
    return scripts | {name: f'#!/bin/sh\nexec {program} {name} "$@"\n' for name in plain}


def _options(target: Target, folder: Path) -> dict[str, str]:
    options = {
        # Always a cross build, even for the machine's own platform: results must not depend on what can run here.
        "CMAKE_SYSTEM_NAME": _SYSTEMS[target.os],
        "CMAKE_SYSTEM_PROCESSOR": target.arch,
        "CMAKE_C_COMPILER": str(folder / "cc"),
        "CMAKE_CXX_COMPILER": str(folder / "c++"),
        "CMAKE_ASM_COMPILER": str(folder / "cc"),
        "CMAKE_AR": str(folder / "ar"),
        "CMAKE_RANLIB": str(folder / "ranlib"),
    }
    if target.os == "linux":
        options["CMAKE_MODULE_LINKER_FLAGS"] = _RUNTIME
    if target.os == "windows":
        options["CMAKE_RC_COMPILER"] = str(folder / "rc")
        options["CMAKE_DLLTOOL"] = str(folder / "dlltool")
    return options


def _version(zig: Path, environment: Mapping[str, str]) -> str:
    return process.run([zig, "version"], cwd=zig.parent, env=environment, timeout=60, error=MachineError).output.strip()
