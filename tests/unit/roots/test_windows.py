"""Owns the tests of putting a CPython for Windows together, as far as no compiler is needed."""

from __future__ import annotations

import os
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from build_config.errors import IntegrityError
from build_config.roots import load, windows
from build_config.roots.catalog import WindowsPython
from build_config.workspace import open_workspace

PROJECT = Path(__file__).parents[3]
CARRIED = (
    "deploy_libs/python313.dll",
    "deploy_libs/python313t.dll",
    "deploy_libs/VCRUNTIME140.dll",
    "deploy_libs/_socket.pyd",
    "deploy_libs/_socket.cp313t-win_amd64.pyd",
    "deploy_libs/libffi-8.dll",
    "deploy_libs/tcl86t.dll",
    "deploy_libs/_tkinter.pyd",
    "deploy_libs/api-ms-win-crt-math-l1-1-0.dll",
    "elsewhere/_socket.pyd",
)


def python(name: str) -> WindowsPython:
    root = load(PROJECT).roots["wine-x86_64"]
    assert root.windows is not None
    return next(each for each in root.windows.pythons if each.name == name)


def wheel(folder: Path, names: tuple[str, ...] = CARRIED) -> Path:
    path = folder / "carrier.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, name)
    return path


def files(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("name", "module"),
    [("3.13", "DLLs/_socket.pyd"), ("3.13t", "DLLs/_socket.cp313t-win_amd64.pyd")],
)
def test_of_a_wheel_a_python_gets_what_is_for_its_abi(tmp_path: Path, name: str, module: str) -> None:
    own = f"python{name.replace('.', '')}.dll"
    folder = tmp_path / "python"
    folder.mkdir()
    windows._carried(python(name), wheel(tmp_path), folder, own)
    found = files(folder)
    assert found[module] == f"deploy_libs/{module.removeprefix('DLLs/')}"
    assert {own, "vcruntime140.dll", "DLLs/libffi-8.dll", module} <= set(found)
    assert [path for path in found if path.startswith("DLLs/_") and path != module] == []
    assert [path for path in found if "tcl" in path or "api-ms" in path] == []


def test_a_wheel_without_the_pythons_dll_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "python"
    folder.mkdir()
    with pytest.raises(IntegrityError, match=r"carries no python314\.dll"):
        windows._carried(python("3.14"), wheel(tmp_path), folder, "python314.dll")


def test_whatever_decides_a_windows_python_is_a_field_of_the_key(tmp_path: Path) -> None:
    pytest.importorskip("ziglang", reason="its digest is a field")
    workspace = open_workspace(PROJECT, os.environ, {}, store=tmp_path)
    one = python("3.9")
    tree = one.library.tree
    changed = [
        replace(one, wheel=replace(one.wheel, sha256="0" * 64)),
        replace(one, library=replace(one.library, tree=replace(tree, packages=tree.packages[1:]))),
    ]
    keys = {tuple(windows.facts([each], workspace)) for each in (one, *changed)}
    assert len(keys) == 3
