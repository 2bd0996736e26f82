"""Owns the tests of the roots' data: what is in the project, and what is said of data that is wrong."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from build_config import load as project
from build_config.errors import UsageError
from build_config.roots import load
from build_config.roots.catalog import LOCKED, WANTED, Package, Tree

ROOT = Path(__file__).parents[3]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    (tmp_path / "manylinux").mkdir()
    for name in (WANTED, LOCKED):
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def replaced(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_everything_that_the_project_wants_is_pinned() -> None:
    catalog = load(ROOT)
    assert [tree.name for tree in catalog.trees if not tree.packages] == []
    assert [source.name for source in catalog.sources.values() if source.file is None] == []


def test_every_python_of_a_tree_comes_from_a_package_of_it_or_is_built() -> None:
    for root in load(ROOT).roots.values():
        names = {package.filename.partition("_")[0] for package in root.tree.packages}
        for python in root.pythons:
            assert root.build or root.windows or python.rpartition("/")[2] in names, f"{root.name}: {python}"


def test_every_linux_target_of_the_project_has_a_root() -> None:
    targets = {name for name in project.catalog(ROOT).targets if name.startswith("linux-")}
    assert targets <= {root.target for root in load(ROOT).roots.values()}


def test_a_windows_python_has_a_library_of_its_minor_version_and_a_wheel_of_its_abi() -> None:
    (root,) = (root for root in load(ROOT).roots.values() if root.windows)
    assert root.windows is not None
    for python in root.windows.pythons:
        minor = python.name.removesuffix("t")
        assert python.library.folder == f"usr/lib/python{minor}"
        assert f"-cp{python.name.replace('.', '')}-win_amd64" in python.wheel.filename
    assert root.python_names[0] == f"python{root.windows.pythons[0].name}"


def test_of_a_closed_tree_nothing_is_pinned_but_what_is_named() -> None:
    for tree in (each for each in load(ROOT).trees if each.closed):
        assert sorted(package.filename.partition("_")[0] for package in tree.packages) == sorted(tree.wanted)


def test_without_a_lock_file_nothing_is_pinned(copy: Path) -> None:
    (copy / LOCKED).unlink()
    catalog = load(copy)
    assert not any(tree.packages for tree in catalog.trees)
    assert not any(source.file for source in catalog.sources.values())


@pytest.mark.parametrize(
    ("name", "old", "new", "said"),
    [
        (WANTED, 'target = "linux-gnu-aarch64"', 'target = "linux-gnu-sparc"', "'sparc' is not one of x86_64, aarch64"),
        (WANTED, 'build = "cpython-musl-x86_64"', 'build = "cpython-musl-x86"', "did you mean 'cpython-musl-x86_64'?"),
        (WANTED, 'python = "cpython-t-gnu-x86_64/', 'python = "none/', "there is no build 'none'"),
        (WANTED, 'sources = ["zlib",', 'sources = ["zlob",', "did you mean 'zlib'?"),
        (WANTED, 'library = "39"', 'library = "38"', "there is no library '38'"),
        (WANTED, 'pythons = ["3.9",', 'pythons = ["3.8",', "pythons has '3.8', not one of"),
        (WANTED, '  ["make", "install"],', '  "make",', "a list of lists of strings"),
        (WANTED, 'suite = "sid"', 'suit = "sid"', "unknown field 'suit'; did you mean 'suite'?"),
        (LOCKED, 'path = "pool/', 'path = "../pool/', "does not match"),
        (LOCKED, 'path = "pool/', 'path = "pool/../', "does not match"),
        (LOCKED, 'sha256 = "', 'sha256 = "x', "does not match"),
    ],
)
def test_what_is_wrong_is_told(copy: Path, name: str, old: str, new: str, said: str) -> None:
    replaced(copy / name, old, new)
    with pytest.raises(UsageError) as caught:
        load(copy)
    assert said in str(caught.value)
    assert name in str(caught.value)


def test_roots_are_chosen_by_name() -> None:
    catalog = load(ROOT)
    assert [root.name for root in catalog.choose(("sid-x86_64",))] == ["sid-x86_64"]
    assert catalog.choose(()) == tuple(catalog.roots.values())
    with pytest.raises(UsageError, match="did you mean 'sid-aarch64'"):
        catalog.choose(("sid-aarch",))


@pytest.mark.parametrize(
    ("path", "left_out"),
    [
        ("usr/share/doc/", True),
        ("usr/share/doc/x/copyright", True),
        ("usr/share/docs", False),
        ("usr/lib/aarch64-linux-gnu/gconv/", True),
        ("usr/lib/aarch64-linux-gnu/libc.so.6", False),
    ],
)
def test_what_is_left_out_is_below_a_folder(path: str, left_out: bool) -> None:  # noqa: FBT001
    tree = Tree("t", "sid", "aarch64", (), ("usr/share/doc/", "usr/lib/*/gconv/"), ())
    assert tree.left_out(path) is left_out


def test_a_package_is_named_by_its_file() -> None:
    assert Package("pool/main/d/dash/dash_1_arm64.deb", 1, "0" * 64).filename == "dash_1_arm64.deb"
