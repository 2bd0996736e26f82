"""What the zig wrapper's translations are for, seen in what the compiler makes of them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from build_config import probes, process
from build_config.binary import elf
from build_config.model import Target, Toolchain
from build_config.toolchain import Tools, host, resolve, zig
from tests.build.conftest import BASE, ENVIRONMENT, MACHINE, Make

TARGETS = [Target("linux", arch, "gnu", "2.17", (), ("zig",)) for arch in ("x86_64", "aarch64")]


def run(toolchain: Toolchain, folder: Path, *arguments: str) -> process.Completed:
    compiler = dict(toolchain.cmake_options)["CMAKE_C_COMPILER"]
    return process.run([compiler, *arguments], cwd=folder, env=dict(toolchain.environment))


def answers(make: Make, toolchain: Toolchain, name: str) -> dict[str, str]:
    return dict(json.loads((make(toolchain, name).build(BASE) / "probes.json").read_text()))


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.id)
def test_every_probe_of_a_processor_is_answered_yes(make: Make, caches: Path, target: Target) -> None:
    toolchain = resolve("zig", target, environment={}, work=caches)
    found = answers(make, toolchain, target.id)
    assert {name for name, answer in found.items() if answer == "0"} == {"HAVE_NO_SUCH_HEADER"}
    wanted = {"HAVE_AVX2", "HAVE_BRANCH_ALIGN"} if target.arch == "x86_64" else {"HAVE_CRC", "HAVE_SHA3", "HAVE_TUNE"}
    assert wanted < found.keys()


def test_zig_and_the_native_compiler_agree(make: Make, toolchain: Toolchain, zig: Toolchain) -> None:
    ours = answers(make, zig, "zig")
    theirs = answers(make, toolchain, "other")
    assert probes.compare({"base": ours}, {"base": theirs}, ()) == ()


@pytest.mark.parametrize(
    ("translation", "probe"),
    [
        ("-Wp,-U_FORTIFY_SOURCE)", "HAVE_PREPROCESSOR_OPTION"),
        *([("-Wa,-mbranches-within-32B-boundaries)", "HAVE_BRANCH_ALIGN")] if MACHINE.arch == "x86_64" else []),
    ],
)
def test_a_translation_that_is_lost_is_found(
    make: Make,
    toolchain: Toolchain,
    caches: Path,
    monkeypatch: pytest.MonkeyPatch,
    translation: str,
    probe: str,
) -> None:
    whole = answers(make, toolchain, "whole")
    assert translation in zig._COMPILER
    monkeypatch.setattr(zig, "_COMPILER", zig._COMPILER.replace(translation, "-never)"))
    poor = resolve("zig", MACHINE, environment=ENVIRONMENT, work=caches)
    findings = probes.compare({"base": answers(make, poor, "poor")}, {"base": whole}, ())
    assert [(finding.subject, finding.message) for finding in findings] == [
        (f"base: {probe}", "zig answers '0', host '1'")
    ]


def test_the_oldest_glibc_is_the_floor(zig: Toolchain, tmp_path: Path) -> None:
    (tmp_path / "x.c").write_text(
        "#include <features.h>\n#if __GLIBC__ != 2 || __GLIBC_MINOR__ != 17\n#error\n#endif\nint x;\n"
    )
    run(zig, tmp_path, "-c", "x.c", "-o", "x.o")


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.id)
def test_modules_take_memory_functions_from_the_c_library(caches: Path, tmp_path: Path, target: Target) -> None:
    (tmp_path / "module.c").write_text(
        "#include <string.h>\nvoid f(char *a, char *b, size_t n) { memcpy(a, b, n); memset(b, 0, n); }\n"
        # One function of zig's runtime brings all of them.
        "__int128 divide(__int128 a, __int128 b) { return a / b; }\n"
    )
    toolchain = resolve("zig", target, environment={}, work=caches)
    flags = dict(toolchain.cmake_options)["CMAKE_MODULE_LINKER_FLAGS"].split()
    run(toolchain, tmp_path, "-O2", "-fPIC", "-shared", *flags, "module.c", "-o", "module.so")
    found = elf.facts((tmp_path / "module.so").read_bytes())
    assert {"memcpy", "memset"} <= {symbol.name for symbol in found.undefined}


def test_code_that_is_not_optimised_has_no_sanitizer(zig: Toolchain, tmp_path: Path) -> None:
    (tmp_path / "x.c").write_text("int add(int a, int b) { return a + b; }\n")
    run(zig, tmp_path, "-O0", "-c", "x.c", "-o", "x.o")
    assert b"ubsan" not in (tmp_path / "x.o").read_bytes()


def test_release_code_is_fortified_and_has_a_stack_protector(toolchain: Toolchain, tmp_path: Path) -> None:
    (tmp_path / "x.c").write_text(
        "#include <string.h>\nvoid use(char *);\n"
        "void copy(const char *from, size_t n) { char to[64]; memcpy(to, from, n); use(to); }\n"
    )
    options = dict(toolchain.cmake_options)
    words = f"{options['CMAKE_C_FLAGS']} {options['CMAKE_C_FLAGS_RELWITHDEBINFO']}".split()
    run(toolchain, tmp_path, *words, "-c", "x.c", "-o", "x.o")
    code = (tmp_path / "x.o").read_bytes()
    assert b"__memcpy_chk" in code
    assert b"__stack_chk_fail" in code


def test_the_identity_is_the_same_from_any_folder(zig: Toolchain, toolchain: Toolchain, tmp_path: Path) -> None:
    for each in (zig, toolchain):
        again = resolve(each.name, MACHINE, environment=ENVIRONMENT, work=tmp_path)
        assert again.identity == each.identity
        assert not any("/" in value.replace("zig/lib", "") for _, value in each.identity)


def test_a_machine_without_compiler_or_build_tools_suffices_for_zig(make: Make, caches: Path, tools: Tools) -> None:
    bare = resolve("zig", MACHINE, environment={"PATH": "/nonexistent"}, work=caches)
    site = replace(make(replace(bare, environment=(*bare.environment, ("PATH", "/nonexistent")))), tools=tools)
    site.build(BASE)


def test_the_native_compiler_is_known(toolchain: Toolchain) -> None:
    if toolchain.name != "host":
        pytest.skip("of the native compiler alone")
    facts = dict(toolchain.identity)
    assert facts["compiler"].split()[0] in host._OLDEST
    assert facts["libc"].startswith("gnu 2 ")
    assert "compiler.sha256" in facts
