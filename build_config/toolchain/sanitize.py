"""Owns the system's compiler with its address and undefined-behaviour sanitizers on, and their runtime libraries.

What it makes runs only in a process that has the runtime preloaded: for tests, never for users.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from .. import process
from ..errors import MachineError
from ..key import file_sha256
from ..model import Target, Toolchain
from . import flags, host

# Recovery is compiled in, so that a suppression can have an effect; UBSAN_OPTIONS halts at everything else. Fortified
# functions are not: they go past the interceptors. Frame pointers and -O1 give stacks that can be read.
SANITIZERS = "-fsanitize=address,undefined"
RELEASE = (
    "-O1 -g1 -DNDEBUG -U_FORTIFY_SOURCE -fno-omit-frame-pointer -fno-optimize-sibling-calls"
    f" {SANITIZERS} -fsanitize-recover=undefined"
)
# clang links its runtime into programs only, unless it is told to share it.
_SHARED = {"gcc": "", "clang": " -shared-libsan"}

_RUNTIMES = (("libasan.so", "libubsan.so"), ("libclang_rt.asan-{arch}.so",), ("libclang_rt.asan.so",))
"""The files that are preloaded: gcc's, or clang's of either layout, in which one library has both sanitizers."""


def resolve(target: Target, *, environment: Mapping[str, str], work: Path) -> Toolchain:
    """The compiler that the toolchain `host` finds, with sanitizers.

    Raises:
        MachineError: there is no such compiler, or it has no runtime library of its sanitizers.
    """
    plain = host.resolve(target, environment=environment, work=work)
    compiler = Path(dict(plain.cmake_options)["CMAKE_C_COMPILER"])
    family = dict(plain.identity)["compiler"].partition(" ")[0]
    words = RELEASE + _SHARED[family]
    options = {
        "CMAKE_C_FLAGS_RELWITHDEBINFO": words,
        # Probes are compiled without the flags of a build type, and some are linked with libraries that have them.
        "CMAKE_EXE_LINKER_FLAGS": f"{SANITIZERS}{_SHARED[family]}",
    }
    libraries = runtime(compiler, target, environment)
    digests = [(f"{path.name}.sha256", file_sha256(path.resolve())) for path in libraries]
    return replace(
        plain,
        name="sanitize",
        # gcc's undefined-behaviour sanitizer tells source files by their whole paths, -ffile-prefix-map or not.
        local=True,
        identity=(*(_without_flags(plain)), ("flags", f"{flags.ALWAYS} {words}"), *digests),
        cmake_options=tuple(sorted({**dict(plain.cmake_options), **options}.items())),
    )


def runtime(compiler: Path, target: Target, environment: Mapping[str, str]) -> tuple[Path, ...]:
    """The libraries that must be loaded before all others.

    Raises:
        MachineError: the compiler has none.
    """
    for names in _RUNTIMES:
        said = [_ask(compiler, name.format(arch=target.arch), environment) for name in names]
        if all(path.is_absolute() and path.is_file() for path in said):
            return tuple(said)
    raise MachineError(
        "has no runtime library of its sanitizers",
        subject=compiler,
        hint="install it (Debian: libasan and libubsan of gcc's version, or libclang-rt-dev), or name a compiler in CC",
    )


def _ask(compiler: Path, name: str, environment: Mapping[str, str]) -> Path:
    done = process.run(
        [compiler, f"-print-file-name={name}"], cwd=Path("/"), env=environment, timeout=60, error=MachineError
    )
    # A file that it does not have is answered by its bare name.
    return Path(done.output.strip())


def _without_flags(toolchain: Toolchain) -> Iterator[tuple[str, str]]:
    yield from (pair for pair in toolchain.identity if pair[0] != "flags")
