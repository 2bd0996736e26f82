"""Small CMake projects built for real: what comes out, what does not depend on where, and what is refused."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from build_config import libraries, process
from build_config.errors import BuildError, UsageError
from build_config.model import Toolchain
from tests.build.conftest import BASE, USER, Make, Site


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def append(path: Path, text: str) -> None:
    path.write_text(path.read_text() + text)


def leftovers(site: Site) -> list[str]:
    return os.listdir(site.place("work"))


def test_an_entry_holds_the_library_its_notices_and_its_probes(make: Make, toolchain: Toolchain) -> None:
    site = make(toolchain)
    files = contents(site.build(BASE))
    assert set(BASE.outputs) < files.keys()
    assert files["include/base/config.h"] == b'#define BASE_LOUD "yes"\n'
    assert files["licenses/base/LICENSE"] == b"Do as you like.\n"
    notice = files["licenses/base/include/base/base.h.txt"].decode()
    assert notice.startswith("/*\n * Copyright")
    assert notice.endswith("granted.\n */\n")
    probes = json.loads(files["probes.json"])
    assert probes["HAVE_STDINT"] == "1"
    assert probes["HAVE_NO_SUCH_HEADER"] == "0"
    assert probes["-D BASE_HAS_PRINTF"] == "1"
    assert leftovers(site) == []
    assert "lib/libbase.a" in site.log.read_text()


def test_the_same_bytes_come_out_wherever_it_is_built(make: Make, toolchain: Toolchain, tmp_path: Path) -> None:
    near = make(toolchain, "a")
    far = make(toolchain, "b", source=tmp_path / "other" / "and" / "longer", work=tmp_path / "with space, @2 ~x+y")
    built = []
    for site in (near, far):
        base, user = site.build(BASE), site.build(USER, "base")
        built.append((contents(base), contents(user)))
    assert built[0] == built[1]


def test_files_are_named_by_their_library(make: Make, toolchain: Toolchain) -> None:
    site = make(toolchain)
    base, user = site.build(BASE) / "lib/libbase.a", site.build(USER, "base") / "lib/libuser.a"
    assert b"base/source/base.c\0" in base.read_bytes()
    assert b"build/base/generated.c\0" in base.read_bytes()
    assert b"prefix/base/include/base/base.h\0" in user.read_bytes()
    for archive in (base, user):
        for folder in (site.root, Path.home(), Path(__file__).parents[2], Path(os.__file__).parent):
            assert os.fsencode(folder) + b"/" not in archive.read_bytes()


def test_nothing_of_the_users_environment_gets_in(
    make: Make, toolchain: Toolchain, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    plain = contents(make(toolchain, "plain").build(BASE))
    (tmp_path / "include").mkdir()
    (tmp_path / "include" / "stdio.h").write_text("#error the user's header\n")
    for name in ("CFLAGS", "CPPFLAGS", "LDFLAGS"):
        monkeypatch.setenv(name, "-DFROM_THE_USER -O0")
    for name in ("CPATH", "C_INCLUDE_PATH", "CMAKE_PREFIX_PATH"):
        monkeypatch.setenv(name, str(tmp_path / "include"))
    monkeypatch.setenv("CMAKE_BUILD_TYPE", "Debug")
    monkeypatch.setenv("DESTDIR", str(tmp_path / "elsewhere"))
    assert contents(make(toolchain, "odd").build(BASE)) == plain
    assert not (tmp_path / "elsewhere").exists()


def test_a_failed_compile_tells_its_last_words_and_leaves_nothing(make: Make, toolchain: Toolchain) -> None:
    site = make(toolchain)
    append(site.source("base") / "source" / "base.c", "#error planted\n")
    with pytest.raises(BuildError, match="planted") as caught:
        site.build(BASE)
    assert caught.value.subject == f"base for {toolchain.target.id}"
    assert str(site.log) in caught.value.hint
    assert "planted" in site.log.read_text()
    assert not site.place("out").exists()
    assert len(leftovers(site)) == 1
    shutil.rmtree(site.source("base"))
    site.build(BASE)
    assert leftovers(site) == []


def test_a_failed_configure_is_a_build_error(make: Make, zig: Toolchain) -> None:
    site = make(zig)
    append(site.source("base") / "CMakeLists.txt", 'message(FATAL_ERROR "planted")\n')
    with pytest.raises(BuildError, match="planted"):
        site.build(BASE)


def test_a_need_that_is_not_given_is_not_found_elsewhere(make: Make, zig: Toolchain) -> None:
    site = make(zig)
    site.build(BASE)
    with pytest.raises(BuildError, match="base"):
        site.build(USER)


def test_a_missing_output_is_named(make: Make, zig: Toolchain) -> None:
    site = make(zig)
    with pytest.raises(BuildError, match=r"did not install lib/libmore\.a, share/x") as caught:
        site.build(replace(BASE, outputs=("lib/libbase.a", "lib/libmore.a", "share/x")))
    assert "recipes/base.toml" in caught.value.hint
    assert not site.place("out").exists()


def test_a_missing_licence_is_named(make: Make, zig: Toolchain) -> None:
    with pytest.raises(BuildError, match="licence file COPYING: No such file"):
        make(zig).build(replace(BASE, licence_files=("COPYING",)))


@pytest.mark.parametrize(
    "planted",
    [
        'file(APPEND "${CMAKE_CURRENT_BINARY_DIR}/include/base/config.h" "// ${CMAKE_CURRENT_BINARY_DIR}\\n")',
        'file(APPEND "${CMAKE_CURRENT_BINARY_DIR}/include/base/config.h" "// in ${CMAKE_CURRENT_SOURCE_DIR}: \\n")',
        """target_compile_definitions(base PRIVATE BASE_LEAK="${CMAKE_CURRENT_SOURCE_DIR}/x")
        file(APPEND "${CMAKE_CURRENT_BINARY_DIR}/generated.c" "const char base_leak[] = BASE_LEAK;\\n")""",
    ],
)
def test_a_path_of_this_machine_in_a_file_is_refused(make: Make, toolchain: Toolchain, planted: str) -> None:
    site = make(toolchain)
    append(site.source("base") / "CMakeLists.txt", planted)
    with pytest.raises(BuildError, match=r"holds the path /") as caught:
        site.build(BASE)
    assert not site.place("out").exists()
    assert "map it out" in caught.value.hint


@pytest.mark.fault("F20")
@pytest.mark.parametrize(
    "command",
    [
        'COMMAND ${CMAKE_COMMAND} -E touch "${CMAKE_CURRENT_SOURCE_DIR}/source/base.c"',
        'COMMAND ${CMAKE_COMMAND} -E touch "${CMAKE_CURRENT_SOURCE_DIR}/new.h"',
        'COMMAND ${CMAKE_COMMAND} -E rm "${CMAKE_CURRENT_SOURCE_DIR}/source/base.c"',
        """COMMAND ${CMAKE_COMMAND} -E copy "${CMAKE_CURRENT_SOURCE_DIR}/LICENSE"
        "${CMAKE_CURRENT_SOURCE_DIR}/include/base/base.h\"""",
    ],
)
def test_a_source_edited_during_the_build_leaves_nothing(make: Make, zig: Toolchain, command: str) -> None:
    site = make(zig)
    append(site.source("base") / "CMakeLists.txt", f"add_custom_command(TARGET base POST_BUILD {command})\n")
    with pytest.raises(BuildError, match="changed while it was being built: ") as caught:
        site.build(BASE)
    assert caught.value.subject == str(site.source("base"))
    assert not site.place("out").exists()


@pytest.mark.fault("F20")
def test_an_edit_that_is_taken_back_with_its_time_is_seen_too(make: Make, zig: Toolchain) -> None:
    site = make(zig)
    path = site.source("base") / "source" / "base.c"
    touch = f"COMMAND cp -p '{path}' kept COMMAND cp LICENSE '{path}' COMMAND cp -p kept '{path}'"
    add = f"add_custom_command(TARGET base POST_BUILD {touch} WORKING_DIRECTORY ${{CMAKE_CURRENT_BINARY_DIR}})\n"
    add = add.replace("cp LICENSE", "cp ${CMAKE_CURRENT_SOURCE_DIR}/LICENSE").replace("'", '"')
    append(site.source("base") / "CMakeLists.txt", add)
    facts = path.stat()
    with pytest.raises(BuildError, match=r"changed while it was being built: source/base\.c"):
        site.build(BASE)
    assert path.stat().st_mtime_ns == facts.st_mtime_ns


@pytest.mark.fault("F28")
@pytest.mark.parametrize("role", ["source", "work", "out"])
@pytest.mark.parametrize("name", ["a;b", "a$b", 'a"b', "a=b", "a[b", "a#b", "a\\b", "a|b", "é", "a\nb"])
def test_a_folder_that_would_be_misread_is_refused_before_anything(
    make: Make, zig: Toolchain, tmp_path: Path, role: str, name: str
) -> None:
    site = make(zig, **{role: tmp_path / name})
    wrong = re.search(r"[^ab]", name)
    assert wrong is not None
    with pytest.raises(UsageError, match="has " + re.escape(repr(wrong.group()))) as caught:
        site.build(BASE)
    assert str(tmp_path / name) in caught.value.subject
    assert not site.log.exists()


@pytest.mark.fault("F28")
def test_a_name_that_is_not_utf_8_is_refused(make: Make, zig: Toolchain, tmp_path: Path) -> None:
    site = make(zig, work=tmp_path / os.fsdecode(b"a\xffb"))
    with pytest.raises(UsageError, match="not UTF-8") as caught:
        site.build(BASE)
    assert r"a\xffb" in str(caught.value)


@pytest.mark.fault("F28")
def test_a_space_in_the_name_of_the_sources_is_refused(make: Make, zig: Toolchain, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="space"):
        make(zig, source=tmp_path / "a b").build(BASE)


def deep(root: Path, length: int) -> Path:
    """A folder whose path has just this length."""
    missing = length - len(str(root))
    parts = ["d" * 99] * ((missing - 1) // 100)
    folder = root.joinpath(*parts)
    return folder / ("e" * (length - len(str(folder)) - 1))


@pytest.mark.fault("F28")
@pytest.mark.parametrize("role", ["source", "work", "out"])
def test_a_long_path_works_to_the_limit_and_is_refused_beyond(
    make: Make, toolchain: Toolchain, tmp_path: Path, role: str
) -> None:
    plain = make(toolchain, "plain")
    expected = contents(plain.build(BASE)), contents(plain.build(USER, "base"))
    margin = len("/base")
    site = make(toolchain, "long", **{role: deep(tmp_path, libraries._LONGEST - margin)})
    assert (contents(site.build(BASE)), contents(site.build(USER, "base"))) == expected
    site = make(toolchain, "longer", **{role: deep(tmp_path, libraries._LONGEST + 1)})
    with pytest.raises(UsageError, match=rf"CMake has room for {libraries._LONGEST}"):
        site.build(BASE)


def alive(marker: str) -> list[str]:
    """The command lines of processes, zombies apart, whose arguments hold the marker."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
            found += [line] if marker in line else []
    return found


@pytest.mark.fault("F32")
def test_an_interrupted_build_leaves_no_process(make: Make, toolchain: Toolchain) -> None:
    site = make(toolchain)
    add = "add_custom_command(OUTPUT never COMMAND sleep 307.125)\nadd_custom_target(wait ALL DEPENDS never)\n"
    append(site.source("base") / "CMakeLists.txt", add)
    with ThreadPoolExecutor(1) as pool:
        build = pool.submit(site.build, BASE)
        try:
            end = time.monotonic() + 120
            while not alive("sleep 307.125"):
                assert not build.done(), build.exception()
                assert time.monotonic() < end
                time.sleep(0.1)
        finally:
            process.end_all()
        with pytest.raises(BuildError):
            build.result(30)
    assert alive("307.125") == []
    assert alive(str(site.root)) == []
    assert not site.place("out").exists()


def test_two_builds_at_once_in_one_scratch_folder(make: Make, zig: Toolchain, tmp_path: Path) -> None:
    sites = [make(zig, name, work=tmp_path / "work") for name in "abc"]
    start = threading.Barrier(3)

    def build(site: Site) -> dict[str, bytes]:
        start.wait()
        return contents(site.build(BASE))

    with ThreadPoolExecutor(3) as pool:
        first, *others = pool.map(build, sites)
    assert all(other == first for other in others)
    assert os.listdir(tmp_path / "work") == []
