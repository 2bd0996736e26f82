"""Owns the tests of what Wine needs of a root, as far as it need not run."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from build_config.roots import load, wine
from build_config.roots.catalog import Windows

PROJECT = Path(__file__).parents[3]


def wanted() -> Windows:
    windows = load(PROJECT).roots["wine-x86_64"].windows
    assert windows is not None
    return windows


def test_the_kernel_starts_programs_of_windows_with_wine_as_it_is_in_the_root() -> None:
    assert wine.handler(wanted()) == ":wine:M::MZ::/usr/lib/wine/wine64:"


def test_a_path_of_the_root_is_on_drive_z() -> None:
    assert wine.named(Path("/opt/python3.9/Lib")) == "Z:\\opt\\python3.9\\Lib"


def test_whatever_decides_drive_c_is_a_field_of_the_key() -> None:
    one = wanted()
    others = (replace(one, prefix="/elsewhere"), replace(one, variables=()))
    assert len({tuple(wine.facts(each)) for each in (one, *others)}) == 3


def test_a_copy_of_a_library_becomes_a_link_and_what_differs_stays(tmp_path: Path) -> None:
    libraries, system = tmp_path / wine._LIBRARIES, tmp_path / "opt/wine" / wine._SYSTEM
    for folder in (libraries, system):
        folder.mkdir(parents=True)
        (folder / "same.dll").write_text("same")
        (folder / "other.dll").write_text(folder.name)
    wine._share(tmp_path / "opt/wine", tmp_path)
    assert (system / "same.dll").is_symlink()
    assert not os.path.isabs(os.readlink(system / "same.dll"))
    assert (system / "same.dll").read_text() == "same"
    assert not (system / "other.dll").is_symlink()


def test_drives_are_c_and_z_and_lead_nowhere_else(tmp_path: Path) -> None:
    drives = tmp_path / "opt/wine/dosdevices"
    drives.mkdir(parents=True)
    for name, target in (("c:", "../drive_c"), ("z:", "/"), ("com1", "/dev/ttyS0")):
        (drives / name).symlink_to(target)
    wine._keep_drives(tmp_path / "opt/wine", tmp_path)
    assert {link.name: os.readlink(link) for link in drives.iterdir()} == {"c:": "../drive_c", "z:": "../../.."}
