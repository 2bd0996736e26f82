"""The sanitizing compiler is the system's, with a runtime that exists, under keys of its own.

The compilers here are shell scripts that answer the few questions as the real ones do.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from build_config.errors import MachineError
from build_config.model import Target, Toolchain
from build_config.toolchain import resolve, sanitizer_runtime

TARGET = Target("linux", "x86_64", "gnu", "2.17", (), ("host", "sanitize"))
ANSWERS = 'answer version 12 2 0 end\nanswer libc "gnu" 2 36 end\nanswer os "linux" end\nanswer arch "x86_64" end'


def compiler(folder: Path, *libraries: str, family: str = "gcc") -> Path:
    """A compiler of some family that has these runtime libraries."""
    programs = folder / "bin"
    programs.mkdir(parents=True, exist_ok=True)
    for name in libraries:
        (folder / name).write_text(f"{name} of build 1")
    texts = dict.fromkeys(("cc1", "as", "ar", "ranlib"), "")
    texts["cc"] = (
        "case $1 in\n"
        f"-E) cat <<'ANSWERS'\nanswer family \"{family}\" end\n{ANSWERS}\nANSWERS\n;;\n"
        "--version) echo 'gcc 12.2.0' ;;\n"
        "-dumpmachine) echo x86_64-linux-gnu ;;\n"
        f"-print-prog-name=*) echo {programs}/${{1#*=}} ;;\n"
        f"-print-file-name=*) name=${{1#*=}}; test -f {folder}/$name && echo {folder}/$name || echo $name ;;\n"
        "esac"
    )
    for name, text in texts.items():
        (programs / name).write_text(f"#!/bin/sh\n{text}\n")
        (programs / name).chmod(0o755)
    return programs / "cc"


def resolved(folder: Path, name: str = "sanitize") -> Toolchain:
    return resolve(name, TARGET, environment={"PATH": f"{folder / 'bin'}:/usr/bin:/bin"}, work=folder / "work")


def test_it_is_the_hosts_compiler_with_other_flags_and_keys(tmp_path: Path) -> None:
    compiler(tmp_path, "libasan.so", "libubsan.so")
    plain, made = resolved(tmp_path, "host"), resolved(tmp_path)
    assert (made.name, made.local, plain.local) == ("sanitize", True, False)
    options = dict(made.cmake_options)
    assert "-fsanitize=address,undefined" in options["CMAKE_C_FLAGS_RELWITHDEBINFO"]
    assert "_FORTIFY_SOURCE=" not in options["CMAKE_C_FLAGS_RELWITHDEBINFO"]
    # Probes are compiled with these, and must answer as they do for a wheel.
    assert options["CMAKE_C_FLAGS"] == dict(plain.cmake_options)["CMAKE_C_FLAGS"]
    differing = {name for name, value in set(made.identity) ^ set(plain.identity)}
    assert differing == {"flags", "libasan.so.sha256", "libubsan.so.sha256"}
    assert len({name for name, _ in made.identity}) == len(made.identity)


def test_another_runtime_is_another_key(tmp_path: Path) -> None:
    compiler(tmp_path, "libasan.so", "libubsan.so")
    before = resolved(tmp_path).identity
    (tmp_path / "libasan.so").write_text("build 2")
    assert resolved(tmp_path).identity != before


@pytest.mark.parametrize("name", ["libclang_rt.asan-x86_64.so", "libclang_rt.asan.so"])
def test_clangs_runtime_is_one_library_that_is_shared_when_told(tmp_path: Path, name: str) -> None:
    path = compiler(tmp_path, name, family="clang")
    assert sanitizer_runtime(path, TARGET, {"PATH": "/usr/bin:/bin"}) == (tmp_path / name,)
    assert "-shared-libsan" in dict(resolved(tmp_path).cmake_options)["CMAKE_C_FLAGS_RELWITHDEBINFO"]


@pytest.mark.parametrize("libraries", [(), ("libasan.so",)])
def test_a_compiler_without_the_runtime_is_refused(tmp_path: Path, libraries: tuple[str, ...]) -> None:
    compiler(tmp_path, *libraries)
    with pytest.raises(MachineError, match="no runtime library of its sanitizers") as caught:
        resolved(tmp_path)
    assert "libasan" in caught.value.hint
