"""Owns the tests of repair and of the verifier on extensions that a compiler made."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from build_config import binary, load
from build_config.binary.elf_split import Split, split
from build_config.repair import repair
from build_config.toolchain import resolve
from build_config.verify import check, policy
from build_config.wheel import read
from tests.support.targets import crossing
from tests.support.wheels import EXTENSION, contents, sound

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux" or os.uname().machine != "x86_64", reason="runs what it compiles"),
]

ROOT = Path(__file__).parents[2]
TARGETS = load.catalog(ROOT).targets
SOURCE = """\
#include <stdio.h>
#include <string.h>

typedef struct object Object;
extern Object *PyLong_FromLong(long);

__attribute__((noinline)) static long measure(const char *text, long length) {
    char copy[64];
    snprintf(copy, sizeof copy, "%.*s", (int)length, text);
    return (long)strlen(copy);
}

__attribute__((visibility("default"))) Object *PyInit__thing(void) {
    return PyLong_FromLong(measure("text", 5));
}

#ifdef ALONE
static long last;
Object *PyLong_FromLong(long value) {
    last = value;
    return (Object *)&last;
}
#endif
"""
FLAGS = (
    *("-shared", "-fPIC", "-g", "-O2", "-fvisibility=hidden", "-fstack-protector-strong", "-D_FORTIFY_SOURCE=2"),
    *("-ffile-prefix-map=.=thing", "-fdebug-compilation-dir=thing", "-Wl,-z,relro", "-Wl,-z,now", "-Wl,-z,noexecstack"),
    "-Wl,--build-id=sha1",
)
COMPILERS = {
    "zig": (sys.executable, "-m", "ziglang", "cc", "-target", "x86_64-linux-gnu.2.17"),
    "gcc": ("gcc",),
}


READELF = shutil.which("readelf")


def compiled(compiler: str, folder: Path, *flags: str) -> bytes:
    if compiler == "zig":
        pytest.importorskip("ziglang")
    elif shutil.which(compiler) is None:
        pytest.skip(f"no {compiler} on this machine")
    (folder / "thing.c").write_text(SOURCE, encoding="utf-8")
    known = [flag for flag in FLAGS if compiler == "zig" or not flag.startswith("-fdebug-compilation-dir")]
    subprocess.run([*COMPILERS[compiler], *known, *flags, "thing.c", "-o", "thing.so"], cwd=folder, check=True)
    return (folder / "thing.so").read_bytes()


@pytest.fixture(scope="module", params=sorted(COMPILERS))
def parts(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes, Split]:
    """A folder with the stripped file, and its debug file where debuggers look."""
    folder = tmp_path_factory.mktemp(request.param)
    whole = compiled(request.param, folder, "-DALONE")
    taken = split(whole)
    (folder / "stripped.so").write_bytes(taken.stripped)
    debug = folder / "debug" / taken.debug_path
    debug.parent.mkdir(parents=True)
    debug.write_bytes(taken.debug)
    return folder, whole, taken


def test_the_stripped_file_runs(parts: tuple[Path, bytes, Split]) -> None:
    folder, whole, taken = parts
    assert len(taken.stripped) < len(whole)
    start = ctypes.CDLL(str(folder / "stripped.so")).PyInit__thing
    start.restype = ctypes.POINTER(ctypes.c_long)
    assert start().contents.value == 4


def test_nothing_but_debug_information_is_gone(parts: tuple[Path, bytes, Split]) -> None:
    _, whole, taken = parts
    before, after = binary.facts(whole), binary.facts(taken.stripped)
    assert before.debug
    assert not after.debug
    assert not [name for name in after.sections if name.startswith(".debug")]
    for field in (
        "needed",
        "exported",
        "undefined",
        "versions",
        "build_id",
        "relro",
        "bind_now",
        "nx",
        "contradictions",
    ):
        assert getattr(before, field) == getattr(after, field), field


@pytest.mark.skipif(READELF is None, reason="readelf is a second opinion; this machine has none")
def test_readelf_has_nothing_to_say_against_either_part(parts: tuple[Path, bytes, Split]) -> None:
    folder, _, taken = parts
    assert READELF
    for path in (folder / "stripped.so", folder / "debug" / taken.debug_path):
        done = subprocess.run([READELF, "-WSln", path], check=True, capture_output=True, text=True)
        assert done.stderr == ""
        assert taken.build_id in done.stdout


@pytest.mark.skipif(shutil.which("gdb") is None, reason="only gdb shows that gdb finds it; this machine has none")
def test_gdb_finds_the_debug_file_by_build_id(parts: tuple[Path, bytes, Split]) -> None:
    folder, _, _ = parts
    words = (f"set debug-file-directory {folder / 'debug'}", f"file {folder / 'stripped.so'}", "info line measure")
    command = ["gdb", "-nx", "-batch", *(word for each in words for word in ("-ex", each))]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert 'thing.c"' in told
    assert "Line 7" in told or "Line 8" in told
    command[4] = f"set debug-file-directory {folder / 'nowhere'}"
    assert "thing.c" not in subprocess.run(command, check=False, capture_output=True, text=True).stdout


@pytest.mark.parametrize("name", crossing(name for name in TARGETS if name.startswith("linux-")))
def test_from_compiler_to_a_wheel_that_breaks_no_rule(tmp_path: Path, name: str) -> None:
    target = TARGETS[name]
    toolchain = resolve("zig", target, environment=os.environ, work=tmp_path / "tools")
    options = dict(toolchain.cmake_options)
    (tmp_path / "thing.c").write_text(SOURCE, encoding="utf-8")
    fortify = () if target.libc == "gnu" else ("-U_FORTIFY_SOURCE",)
    link = options["CMAKE_MODULE_LINKER_FLAGS"].split()
    words = [*FLAGS, *fortify, *link, "-Wl,--version-script=thing.map", "thing.c", "-o", "thing.so"]
    (tmp_path / "thing.map").write_text("{ global: PyInit__thing; local: *; };\n", encoding="utf-8")
    # The compiler's own cache, which it fills with a C library at its first use for a target, lasts.
    subprocess.run([options["CMAKE_C_COMPILER"], *words], cwd=tmp_path, check=True)
    files = contents(platforms=("linux_x",), changes={EXTENSION: (tmp_path / "thing.so").read_bytes()})
    made = repair(
        sound(tmp_path, files, f"thing-1.0-cp38-abi3-linux_{target.arch}.whl"),
        target,
        tmp_path / "out",
        environment=os.environ,
        work=tmp_path / "work",
        epoch=1_700_000_000,
    )
    found = check(
        made.wheel,
        target,
        policy(ROOT, target),
        forbidden=[str(tmp_path)],
        environment=os.environ,
        work=tmp_path / "verify",
        progress=lambda _done, _total: None,
    )
    assert found == ()
    extension = read(made.wheel).get(EXTENSION)
    assert extension is not None
    identity = binary.facts(extension).build_id
    with tarfile.open(made.debug) as archive:
        assert archive.getnames() == [f".build-id/{identity[:2]}/{identity[2:]}.debug"]
