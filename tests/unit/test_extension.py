"""What the extension is built from, under which key, and how its wheel is tagged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from build_config import extension
from build_config import wheel as wheels
from build_config.extension import Extension, extension_suffix, wheel_key
from build_config.key import Key, differences
from build_config.model import Project, Target, Toolchain, Variant

GNU = Target("linux", "x86_64", "gnu", "2.17", ("manylinux_2_17_x86_64",), ("zig", "host"))
WINDOWS = Target("windows", "x86_64", "", "10.0", ("win_amd64",), ("zig",))
ABI3 = Variant("cp38", "abi3")
LIBRARY = Key.of("library", "aws-c-common", [("version", "1")])


@pytest.fixture
def whole(tmp_path: Path) -> Extension:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "module.c").write_text("int x;\n")
    toolchain = Toolchain("zig", GNU, (("compiler", "zig 1"),), (("CMAKE_C_FLAGS", "-O2"),), (("ZIG_X", "1"),))
    project = Project("awscrt", "awscrt._awscrt", ("source/*",))
    return Extension(tmp_path, project, GNU, ABI3, toolchain, (("a", tmp_path / "p"),), tmp_path / "build")


def _key(whole: Extension, *, library: Key = LIBRARY, tools: str = "1") -> Key:
    return wheel_key(whole, [library], {"packer": tools})


@pytest.mark.parametrize(
    ("target", "variant", "suffix"),
    [
        (GNU, ABI3, ".abi3.so"),
        (GNU, Variant("cp313", "cp313t"), ".cpython-313t-x86_64-linux-gnu.so"),
        (replace(GNU, libc="musl", arch="aarch64"), Variant("cp314", "cp314t"), ".cpython-314t-aarch64-linux-musl.so"),
        (replace(GNU, os="macos", libc=""), Variant("cp313", "cp313t"), ".cpython-313t-darwin.so"),
        (WINDOWS, ABI3, ".pyd"),
        (WINDOWS, Variant("cp313", "cp313t"), ".cp313t-win_amd64.pyd"),
    ],
)
def test_the_suffix_is_what_interpreters_look_for(target: Target, variant: Variant, suffix: str) -> None:
    assert extension_suffix(target, variant) == suffix


def test_the_key_is_the_same_for_the_same_inputs_wherever_they_are(whole: Extension) -> None:
    assert _key(whole) == _key(replace(whole, build_folder=Path("/elsewhere"), prefixes=()))
    assert str(whole.root) not in _key(whole).text


Change = Callable[[Extension], Key]


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("input.source/module.c", lambda e: (e.root / "source" / "module.c").write_text("int y;\n") and _key(e)),
        ("input.source/more.c", lambda e: (e.root / "source" / "more.c").write_text("int y;\n") and _key(e)),
        ("floor", lambda e: _key(replace(e, target=replace(e.target, floor="2.28")))),
        ("variant", lambda e: _key(replace(e, variant=Variant("cp313", "cp313t")))),
        ("library.aws-c-common", lambda e: _key(e, library=Key.of("library", "aws-c-common", [("version", "2")]))),
        ("tool.packer", lambda e: _key(e, tools="2")),
        (
            "toolchain.compiler",
            lambda e: _key(replace(e, toolchain=replace(e.toolchain, identity=(("compiler", "2"),)))),
        ),
    ],
)
def test_whatever_decides_the_bytes_changes_the_key(whole: Extension, field: str, change: Change) -> None:
    before = _key(whole)
    assert [difference.field for difference in differences(change(whole), before)] == [field]


def test_no_folder_of_this_machine_is_left_unmapped(whole: Extension) -> None:
    flags = whole.settings()["cmake.define.CMAKE_C_FLAGS"]
    for folder in (whole.root, whole.build_folder, whole.prefixes[0][1]):
        assert f"-ffile-prefix-map={folder}=" in flags


def test_windows_alone_links_with_a_library_of_python(whole: Extension) -> None:
    name = "cmake.define.EXTENSION_PYTHON_LIBRARY"
    assert name not in whole.settings()
    assert replace(whole, target=WINDOWS).settings()[name] == str(whole.build_folder / "python.lib")


def test_the_environment_tells_of_the_target_and_the_time(whole: Extension) -> None:
    environment = whole.environment({"PATH": "/bin"}, 5)
    assert environment == {
        "PATH": "/bin",
        "ZIG_X": "1",
        "SOURCE_DATE_EPOCH": "5",
        "_PYTHON_HOST_PLATFORM": "linux-x86_64",
    }


def test_a_wheel_gets_the_tag_of_the_abi_it_was_compiled_for(tmp_path: Path) -> None:
    text = b"Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: cp311-cp311-linux_x86_64\n\n"
    members = [
        wheels.Member("awscrt/x.so", b"x", executable=True),
        wheels.Member("awscrt-0.38.0.dist-info/WHEEL", text, executable=False),
        wheels.Member("awscrt-0.38.0.dist-info/METADATA", b"Name: awscrt\n", executable=False),
    ]
    packed = wheels.write(tmp_path, "awscrt-0.38.0-cp311-cp311-linux_x86_64.whl", members, epoch=0)
    tagged = extension.tagged(packed, ABI3, 0)
    assert tagged.name == "awscrt-0.38.0-cp38-abi3-linux_x86_64.whl"
    assert wheels.read(tagged).headers("WHEEL").get_all("Tag") == ["cp38-abi3-linux_x86_64"]
    assert [path.name for path in tmp_path.iterdir()] == [tagged.name]


def test_a_build_folder_is_kept_for_the_same_configuration_only(tmp_path: Path) -> None:
    folder = tmp_path / "cmake"
    extension.ready(folder, "one")
    (folder / "object.o").write_text("x")
    extension.ready(folder, "one")
    assert (folder / "object.o").exists()
    extension.ready(folder, "two")
    assert not (folder / "object.o").exists()
