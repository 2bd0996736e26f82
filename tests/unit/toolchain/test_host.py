"""The system's compiler is known by what it is, and refused where it is of no use; real ones are run in tests/build.

The compilers here are shell scripts that answer the few questions as the real ones do.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from build_config import key
from build_config.errors import MachineError, UsageError
from build_config.key import Key
from build_config.model import Recipe, Source, Target, Toolchain
from build_config.toolchain import Tools, has_host_compiler, host, resolve

TARGET = Target("linux", "x86_64", "gnu", "2.17", (), ("host",))
GCC = ('family "gcc"', "version 12 2 0", 'libc "gnu" \n# 11 "questions.c" 3 4\n 2 36', 'os "linux"', 'arch "x86_64"')

Make = Callable[..., Path]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Makes a compiler of some name in the folder `bin`, with the programs that it starts."""

    def program(name: str, text: str) -> Path:
        path = tmp_path / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
        return path

    def compiler(name: str = "gcc", answers: tuple[str, ...] = GCC, build: str = "1", status: int = 0) -> Path:
        for other in ("cc1", "as", "ar", "ranlib"):
            program(other, f"# {other} of build 1")
        said = "\n".join(f"answer {answer} end" for answer in answers)
        return program(
            name,
            f"# build {build}\n"
            "case $1 in\n"
            f"-E) cat <<'ANSWERS'\n{said}\nANSWERS\nexit {status} ;;\n"
            f'--version) echo "{name} (Distribution 12.2.0-14) 12.2.0" ;;\n'
            "-dumpmachine) echo x86_64-linux-gnu ;;\n"
            f"-print-prog-name=*) echo {tmp_path}/bin/${{1#*=}} ;;\n"
            "esac",
        )

    return compiler


def resolved(tmp_path: Path, **variables: str) -> Toolchain:
    environment = {"PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin", **variables}
    return resolve("host", TARGET, environment=environment, work=tmp_path / "work")


def library(toolchain: Toolchain) -> Key:
    from build_config.libraries import library_key
    from build_config.model import Archive

    recipe = Recipe("one", "1", "MIT", ("LICENSE",), (), (), (), ("lib/libone.a",))
    source = Source("one", "1", "0" * 64, "crt/one", Archive("p", "1", "p.tar.gz", 1, "0" * 64), None)
    tools = Tools(Path("/cmake"), Path("/ninja"), (("cmake", "4.0.0"), ("ninja", "1.13.0")))
    return library_key(recipe, source, TARGET, toolchain, tools, {})


def test_the_identity_names_what_shapes_the_result_and_no_path(make: Make, tmp_path: Path) -> None:
    make()
    toolchain = resolved(tmp_path, CC="gcc")
    facts = dict(toolchain.identity)
    assert facts["compiler"] == "gcc 12.2.0"
    assert facts["compiler.text"] == "(Distribution 12.2.0-14) 12.2.0"
    assert facts["compiler.machine"] == "x86_64-linux-gnu"
    assert facts["libc"] == "gnu 2 36"
    assert {name for name in facts if name.endswith(".sha256")} == {
        "compiler.sha256", "cc1.sha256", "as.sha256", "ar.sha256", "ranlib.sha256",
    }  # fmt: skip
    assert not any(str(tmp_path) in value for value in facts.values())


def test_a_name_is_not_part_of_the_identity(make: Make, tmp_path: Path) -> None:
    gcc = make()
    (gcc.parent / "x86_64-gcc-12").symlink_to(gcc)
    # The script says its own name; a real one the name that it was called by.
    text = gcc.read_text().replace('"gcc (', '"${0##*/} (')
    gcc.write_text(text)
    assert resolved(tmp_path, CC="gcc").identity == resolved(tmp_path, CC="x86_64-gcc-12").identity


@pytest.mark.fault("F21")
@pytest.mark.parametrize("name", ["gcc", "cc1", "as", "ar"])
def test_a_program_replaced_at_the_same_path_is_a_miss_whose_reason_is_told(
    make: Make, tmp_path: Path, name: str
) -> None:
    make()
    before = resolved(tmp_path, CC="gcc")
    path = tmp_path / "bin" / name
    path.write_text(path.read_text().replace("build 1", "build 2"))
    after = resolved(tmp_path, CC="gcc")
    assert before.cmake_options == after.cmake_options
    assert library(before).digest != library(after).digest
    field = f"toolchain.{'compiler' if name == 'gcc' else name}.sha256"
    assert [difference.field for difference in key.differences(library(before), library(after))] == [field]


def test_the_same_compiler_is_a_hit(make: Make, tmp_path: Path) -> None:
    make()
    assert library(resolved(tmp_path, CC="gcc")) == library(resolved(tmp_path, CC="gcc"))


@pytest.mark.parametrize(
    ("present", "chosen"), [(("cc", "gcc"), "cc"), (("gcc", "clang"), "gcc"), (("clang",), "clang")]
)
def test_the_first_on_path_is_taken(make: Make, tmp_path: Path, present: tuple[str, ...], chosen: str) -> None:
    for name in present:
        make(name)
    found = host.find({"PATH": str(tmp_path / "bin")})
    assert found == tmp_path / "bin" / chosen


@pytest.mark.fault("F26")
@pytest.mark.parametrize(
    ("variables", "what"),
    [
        ({}, "no C compiler on PATH"),
        ({"CC": "no-such-cc"}, "CC names no program"),
        ({"CC": "ccache gcc"}, "without arguments"),
    ],
)
def test_no_compiler(tmp_path: Path, variables: dict[str, str], what: str) -> None:
    environment = {"PATH": str(tmp_path / "empty"), **variables}
    assert not has_host_compiler(environment)
    with pytest.raises(MachineError, match=what) as caught:
        resolve("host", TARGET, environment=environment, work=tmp_path / "work")
    assert "install gcc" in caught.value.hint


@pytest.mark.fault("F26")
@pytest.mark.parametrize(
    ("answers", "status", "what"),
    [
        (GCC[2:], 0, "neither gcc nor clang"),
        (('family "gcc"', "version 4 9 4", *GCC[2:]), 0, r"gcc 4\.9\.4 is too old: 5 or newer"),
        (('family "clang"', "version 6 0 1", *GCC[2:]), 0, r"clang 6\.0\.1 is too old: 7 or newer"),
        ((*GCC[:4], 'arch "aarch64"'), 0, "compiles for linux-gnu-aarch64, not for linux-gnu-x86_64"),
        ((*GCC[:2], 'libc "musl"', *GCC[3:]), 0, "compiles for linux-musl-x86_64, not for linux-gnu-x86_64"),
        ((), 1, "includes <limits.h>"),
    ],
)
def test_an_unsupported_compiler(make: Make, tmp_path: Path, answers: tuple[str, ...], status: int, what: str) -> None:
    make(answers=answers, status=status)
    with pytest.raises(MachineError, match=what) as caught:
        resolved(tmp_path, CC="gcc")
    assert caught.value.subject.endswith("bin/gcc")
    assert "'zig'" in caught.value.hint


@pytest.mark.fault("F26")
def test_a_missing_archiver(make: Make, tmp_path: Path) -> None:
    make()
    (tmp_path / "bin" / "ar").unlink()
    with pytest.raises(MachineError, match="archiver"):
        resolve("host", TARGET, environment={"PATH": str(tmp_path / "bin"), "CC": "gcc"}, work=tmp_path / "work")


@pytest.mark.fault("F29")
def test_an_unknown_toolchain_has_a_suggestion(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="unknown toolchain 'zigg'; did you mean 'zig'"):
        resolve("zigg", TARGET, environment={}, work=tmp_path)


APPLE = ('family "clang"', "version 16 0 0", 'os "macos"', 'arch "aarch64"')


@pytest.mark.parametrize(("arch", "processor"), [("aarch64", "arm64"), ("x86_64", "x86_64")])
def test_apples_compiler_serves_both_of_its_processors(make: Make, tmp_path: Path, arch: str, processor: str) -> None:
    compiler = make("cc", answers=APPLE)
    xcrun = compiler.with_name("xcrun")
    xcrun.write_text("#!/bin/sh\necho 14.5\n")
    xcrun.chmod(0o755)
    target = Target("macos", arch, "", "11.0", (), ("host",))
    found = host.resolve(target, environment={"PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin"}, work=tmp_path / "work")
    assert dict(found.identity)["sdk"] == "14.5"
    assert "libc" not in dict(found.identity)
    options, said = dict(found.cmake_options), dict(host.planned(target).cmake_options)
    assert options["CMAKE_OSX_ARCHITECTURES"] == options["CMAKE_SYSTEM_PROCESSOR"] == processor
    assert options["CMAKE_OSX_DEPLOYMENT_TARGET"] == "11.0"
    assert {name for name in options if options[name] != said[name]} == {
        "CMAKE_C_COMPILER", "CMAKE_ASM_COMPILER", "CMAKE_AR", "CMAKE_RANLIB",
    }  # fmt: skip


@pytest.mark.fault("F26")
def test_apples_compiler_serves_no_linux(make: Make, tmp_path: Path) -> None:
    make(answers=APPLE)
    with pytest.raises(MachineError, match="compiles for macos-x86_64, not for linux-gnu-x86_64"):
        resolved(tmp_path, CC="gcc")
