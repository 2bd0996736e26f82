"""Owns the tests of Windows extensions that zig makes on any machine: linked without a Python, repaired, verified."""

from __future__ import annotations

import os
import tarfile
from pathlib import Path

import pytest

from build_config import binary, process
from build_config.errors import BuildError
from build_config.model import Target, Toolchain, Variant
from build_config.repair import Repaired, repair
from build_config.toolchain import implib, resolve
from build_config.verify import check, policy
from build_config.wheel import read
from tests.build.conftest import ENVIRONMENT
from tests.support.windows_wheels import EXTENSION, SYMBOLS, sound

pytestmark = [pytest.mark.slow, pytest.mark.crossing]

ROOT = Path(__file__).parents[2]
ABI3 = Variant("cp38", "abi3")
EPOCH = 1_700_000_000
SOURCE = """\
#include <stdio.h>
#include <string.h>

typedef struct object Object;
extern __declspec(dllimport) Object *PyExc_OSError;
Object *PyLong_FromLong(long);
void PyErr_SetString(Object *, const char *);

__attribute__((noinline)) static long measure(const char *text) {
    char copy[64];
    strcpy(copy, text);
    printf("%s %s", copy, __FILE__);
    return (long)strlen(copy);
}

/* As a static library may have it. */
__declspec(dllexport) void leftover(void) {
    puts("leftover");
}

__declspec(dllexport) Object *PyInit__thing(void) {
    PyErr_SetString(PyExc_OSError, "none");
    return PyLong_FromLong(measure("text"));
}
"""
TARGETS = {
    "x86_64": Target("windows", "x86_64", "", "10.0", ("win_amd64",), ("zig",)),
    "aarch64": Target("windows", "aarch64", "", "10.0", ("win_arm64",), ("zig",)),
}


@pytest.fixture(scope="module", params=sorted(TARGETS))
def windows(request: pytest.FixtureRequest, caches: Path) -> Toolchain:
    return resolve("zig", TARGETS[request.param], environment=ENVIRONMENT, work=caches)


def linked(toolchain: Toolchain, folder: Path, variant: Variant = ABI3, source: str = SOURCE) -> tuple[bytes, bytes]:
    """An extension and its PDB, made with the flags of a library."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "thing.c").write_text(source, encoding="utf-8")
    (folder / "exports.def").write_text("EXPORTS\n  PyInit__thing\n", encoding="utf-8")
    implib.write(folder / "python.lib", variant, toolchain)
    options = dict(toolchain.cmake_options)
    flags = [*options["CMAKE_C_FLAGS"].split(), *options["CMAKE_C_FLAGS_RELWITHDEBINFO"].split()]
    words: list[str | Path] = ["-shared", *flags, f"-ffile-prefix-map={folder}=thing", "-Wl,--gc-sections", folder / "thing.c"]
    process.run(
        [options["CMAKE_C_COMPILER"], *words, folder / "exports.def", folder / "python.lib", "-o", folder / "_thing.pyd"],
        cwd=folder,
        env={**ENVIRONMENT, **dict(toolchain.environment)},
    )
    return (folder / "_thing.pyd").read_bytes(), (folder / "_thing.pdb").read_bytes()


def test_it_takes_python_from_the_dll_of_the_stable_abi(windows: Toolchain, tmp_path: Path) -> None:
    facts = binary.facts(linked(windows, tmp_path)[0])
    assert facts.arch == windows.target.arch
    assert facts.exported == ("PyInit__thing",)
    taken = {each.name for each in facts.undefined if each.library == "python3.dll"}
    assert taken == {"PyErr_SetString", "PyExc_OSError", "PyLong_FromLong"}


def test_without_a_gil_it_takes_python_from_one_versions_dll(windows: Toolchain, tmp_path: Path) -> None:
    facts = binary.facts(linked(windows, tmp_path, Variant("cp313", "cp313t"))[0])
    assert [name for name in facts.needed if name.startswith("python")] == ["python313t.dll"]


def test_what_is_not_in_the_stable_abi_does_not_link(windows: Toolchain, tmp_path: Path) -> None:
    newer = SOURCE.replace("PyLong_FromLong", "PyLong_AsInt")
    with pytest.raises(BuildError, match="PyLong_AsInt"):
        linked(windows, tmp_path, source=newer)


def repaired(toolchain: Toolchain, folder: Path) -> Repaired:
    extension, symbols = linked(toolchain, folder / "made")
    name = f"thing-1.0-cp38-abi3-windows_{toolchain.target.arch}.whl"
    return repair(
        sound(folder, changes={EXTENSION: extension, SYMBOLS: symbols}, name=name),
        toolchain.target,
        folder / "out",
        environment=os.environ,
        work=folder / "work",
        epoch=EPOCH,
    )


def test_same_source_same_wheel_in_any_folder(windows: Toolchain, tmp_path: Path) -> None:
    first, second = tmp_path / "a", tmp_path / "another" / "folder"
    assert repaired(windows, first).wheel.read_bytes() == repaired(windows, second).wheel.read_bytes()
    assert (first / "made" / "python.lib").read_bytes() == (second / "made" / "python.lib").read_bytes()


def test_from_compiler_to_a_wheel_that_breaks_no_rule(windows: Toolchain, tmp_path: Path) -> None:
    made = repaired(windows, tmp_path)
    found = check(
        made.wheel,
        windows.target,
        policy(ROOT, windows.target),
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
        assert archive.getnames() == [f"_thing.pdb/{identity[:32].upper()}{identity[32:]}/_thing.pdb"]
