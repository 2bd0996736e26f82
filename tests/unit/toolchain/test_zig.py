"""What the zig toolchain says of itself, and how its wrapper translates; the compiler itself is run in tests/build."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from build_config import process
from build_config.errors import MachineError
from build_config.model import Target
from build_config.toolchain import wrapper, zig


def target(os: str = "linux", arch: str = "x86_64", libc: str = "gnu", floor: str = "2.17") -> Target:
    return Target(os, arch, libc, floor, (), ("zig",))


Translate = Callable[..., list[str]]


@pytest.fixture
def translate(tmp_path: Path) -> Translate:
    """Calls the wrapper; returns the arguments that the compiler gets, without those that it always gets."""
    compiler = tmp_path / "has a space" / "zig"
    compiler.parent.mkdir()
    compiler.write_text('#!/bin/sh\nfor word do printf "%s\\n" "$word"; done\n')
    compiler.chmod(0o755)
    folder = wrapper.install(zig._scripts(compiler, "x86_64-linux-gnu.2.17"), tmp_path)

    def call(*arguments: str, name: str = "cc") -> list[str]:
        words = process.run([folder / name, *arguments], cwd=tmp_path, env={}).output.split("\n")[:-1]
        mapped = f"-ffile-prefix-map={compiler.parent / 'lib'}=zig/lib"
        assert words[:4] == [name, "-target", "x86_64-linux-gnu.2.17", mapped]
        assert words[-1] == "-fno-sanitize=undefined"
        return words[4:-1]

    return call


@pytest.mark.parametrize(
    ("target_", "expected"),
    [
        (target(), "x86_64-linux-gnu.2.17"),
        (target(arch="aarch64", floor="2.28"), "aarch64-linux-gnu.2.28"),
        (target(libc="musl", floor="1.2"), "x86_64-linux-musl"),
        (target(arch="aarch64", libc="musl", floor="1.2"), "aarch64-linux-musl"),
        (target(os="windows", libc="", floor="10"), "x86_64-windows-gnu"),
        (target(os="windows", arch="aarch64", libc="gnu", floor="10"), "aarch64-windows-gnu"),
    ],
)
def test_the_target_in_zigs_words(target_: Target, expected: str) -> None:
    assert zig.zig_target(target_) == expected


@pytest.mark.fault("F26")
def test_a_target_that_zig_has_no_libraries_for_is_refused() -> None:
    with pytest.raises(MachineError, match="no system libraries") as caught:
        zig.zig_target(target(os="macos", libc="", floor="11.0"))
    assert "host" in caught.value.hint


@pytest.mark.fault("F26")
def test_without_the_package_the_next_step_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    monkeypatch.delitem(sys.modules, "ziglang", raising=False)
    with pytest.raises(MachineError, match="'ziglang' is not installed") as caught:
        zig.resolve(target(), environment={}, work=tmp_path)
    assert "pip install ziglang" in caught.value.hint
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("given", "got"),
    [
        (["-Wp,-U_FORTIFY_SOURCE"], ["-U_FORTIFY_SOURCE"]),
        (["-Wa,-mbranches-within-32B-boundaries"], ["-mbranches-within-32B-boundaries"]),
        (["-march=armv8-a+crc+crypto"], ["-mcpu=generic+v8a+crc+crypto"]),
        (["-march=armv8-a"], ["-mcpu=generic+v8a"]),
        (["-march=armv8.4-a+sha3"], ["-mcpu=generic+v8_4a+sha3"]),
        (["-march=armv8.1-a"], ["-mcpu=generic+v8_1a"]),
        (["-mtune=neoverse-v1"], ["-Xclang", "-tune-cpu", "-Xclang", "neoverse-v1"]),
        (["-mavx512f", "-mvpclmulqdq", "-msse4.2"], ["-mavx512f", "-mvpclmulqdq", "-msse4.2"]),
        (["-Wa,--noexecstack", "-Wp,-DX"], ["-Wa,--noexecstack", "-Wp,-DX"]),
        (["-DTEXT=a b", "", "$HOME", "'\"\\", "*"], ["-DTEXT=a b", "", "$HOME", "'\"\\", "*"]),
    ],
)
def test_a_compile_gets_what_zig_understands(translate: Translate, given: list[str], got: list[str]) -> None:
    assert translate("-c", *given, "x.c") == ["-c", *got, "x.c"]


def test_a_link_names_no_processor(translate: Translate) -> None:
    flags = ["-march=x86-64-v3", "-mcpu=x", "-mtune=x", "-mavx2", "-msse4.2", "-mpclmul", "-mvpclmulqdq"]
    assert translate("-O2", *flags, "x.o", "-o", "x", "-mwindows") == ["-O2", "x.o", "-o", "x", "-mwindows"]


@pytest.mark.parametrize("source", ["x.c", "x.S", "x.cpp"])
def test_compiling_and_linking_at_once_keeps_the_processor(translate: Translate, source: str) -> None:
    assert translate("-mavx2", source, "-o", "x") == ["-mavx2", source, "-o", "x"]


def test_xxhash_is_built_for_wide_vectors(translate: Translate, tmp_path: Path) -> None:
    words = ["-c", "xxhash.c", "-o", "CMakeFiles/aws-checksums.dir/source/xxhash.c.o"]
    assert translate(*words) == [*words, *zig._XXHASH.split()]
    assert translate("-c", "xxhash.c", "-o", "xxhash.c.o") == ["-c", "xxhash.c", "-o", "xxhash.c.o"]
    assert "evex512" not in zig._scripts(Path("zig"), "aarch64-linux-gnu.2.17")["cc"]


def test_other_tools_get_every_argument(tmp_path: Path) -> None:
    for name in ("ar", "ranlib", "rc", "dlltool"):
        script = zig._scripts(Path("/opt/zig"), "x86_64-windows-gnu")[name]
        assert script == f'#!/bin/sh\nexec /opt/zig {name} "$@"\n'
