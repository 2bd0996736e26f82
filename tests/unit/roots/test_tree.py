"""Owns the tests of putting packages together: where their files come to lie, and what is refused."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from build_config.errors import IntegrityError, MachineError
from build_config.roots.catalog import Tree
from build_config.roots.tree import assemble, merge

DPKG = shutil.which("dpkg-deb")
TREE = Tree("test", "sid", "x86_64", (), ("usr/share/doc/",), ())

pytestmark = pytest.mark.skipif(os.name == "nt", reason="file systems of Linux")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "root"
    for name in ("bin", "lib"):
        (made / "usr" / name).mkdir(parents=True)
        (made / name).symlink_to(f"usr/{name}")
    return made


def package(tmp_path: Path, name: str = "package") -> Path:
    made = tmp_path / name
    made.mkdir()
    return made


def put(path: Path, text: str = "x", mode: int = 0o644) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return path


def test_files_lie_below_usr_whichever_way_a_package_names_them(tmp_path: Path, folder: Path) -> None:
    one = package(tmp_path)
    put(one / "lib" / "x86_64" / "a.so")
    put(one / "usr" / "lib" / "x86_64" / "b.so")
    merge(one, folder, TREE)
    assert sorted(path.name for path in (folder / "usr" / "lib" / "x86_64").iterdir()) == ["a.so", "b.so"]
    assert (folder / "lib").is_symlink()


@pytest.mark.parametrize(
    ("where", "target", "becomes"),
    [
        ("usr/bin/a", "/etc/alternatives/a", "../../etc/alternatives/a"),
        ("usr/bin/a", "b", "b"),
        ("a", "/", "."),
        ("usr/lib/ssl", "/etc/ssl", "../../etc/ssl"),
    ],
)
def test_links_mean_the_same_wherever_the_tree_lies(
    tmp_path: Path, folder: Path, where: str, target: str, becomes: str
) -> None:
    link = package(tmp_path) / where
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(target)
    merge(tmp_path / "package", folder, TREE)
    assert os.readlink(folder / where) == becomes


def test_a_link_of_a_merged_folder_is_relative_to_where_it_comes_to_lie(tmp_path: Path, folder: Path) -> None:
    link = package(tmp_path) / "lib" / "ld.so"
    link.parent.mkdir()
    link.symlink_to("/usr/lib/real.so")
    merge(tmp_path / "package", folder, TREE)
    put(folder / "usr" / "lib" / "real.so", "found")
    assert (folder / "lib" / "ld.so").read_text() == "found"


def test_what_is_left_out_is_not_there_and_files_stay_readable(tmp_path: Path, folder: Path) -> None:
    one = package(tmp_path)
    put(one / "usr" / "share" / "doc" / "x" / "copyright")
    put(one / "usr" / "bin" / "program", mode=0o111)
    merge(one, folder, TREE)
    assert not (folder / "usr" / "share" / "doc").exists()
    assert (folder / "usr" / "bin" / "program").stat().st_mode & 0o777 == 0o711


def test_two_packages_may_have_the_same_link_and_folder(tmp_path: Path, folder: Path) -> None:
    for name in ("one", "two"):
        each = package(tmp_path, name)
        put(each / "usr" / "share" / "x" / name)
        (each / "usr" / "share" / "link").symlink_to("/x")
        merge(each, folder, TREE)
    assert sorted(path.name for path in (folder / "usr" / "share" / "x").iterdir()) == ["one", "two"]


def test_two_packages_may_not_have_the_same_file(tmp_path: Path, folder: Path) -> None:
    put(package(tmp_path, "one") / "etc" / "x", "1")
    put(package(tmp_path, "two") / "etc" / "x", "2")
    merge(tmp_path / "one", folder, TREE)
    with pytest.raises(IntegrityError, match="in another package too"):
        merge(tmp_path / "two", folder, TREE)


def test_nothing_is_written_through_a_link_of_another_package(tmp_path: Path, folder: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    one = package(tmp_path, "one")
    (one / "usr" / "share").mkdir(parents=True)
    (one / "usr" / "share" / "x").symlink_to("../../../outside")
    merge(one, folder, TREE)
    put(package(tmp_path, "two") / "usr" / "share" / "x" / "file")
    with pytest.raises(IntegrityError):
        merge(tmp_path / "two", folder, TREE)
    assert list(outside.iterdir()) == []


def test_what_is_no_file_folder_or_link_is_refused(tmp_path: Path, folder: Path) -> None:
    one = package(tmp_path)
    os.mkfifo(one / "pipe")
    with pytest.raises(IntegrityError, match="neither a file"):
        merge(one, folder, TREE)


@pytest.mark.skipif(DPKG is None, reason="makes a package with dpkg-deb")
def test_a_tree_is_made_of_real_packages(tmp_path: Path) -> None:
    files = []
    for name in ("one", "two"):
        made = package(tmp_path, name)
        control = f"Package: {name}\nVersion: 1\nArchitecture: all\nMaintainer: x <x@example.org>\nDescription: x\n"
        put(made / "DEBIAN" / "control", control)
        put(made / "DEBIAN" / "postinst", "#!/bin/sh\ntouch /ran\n", 0o755)
        put(made / "usr" / "share" / "ca-certificates" / "mozilla" / f"{name}.crt", f"{name}\n")
        file = tmp_path / f"{name}.deb"
        subprocess.run([DPKG or "", "--root-owner-group", "--build", made, file], check=True, capture_output=True)
        files.append(file)
    final, scratch = tmp_path / "final", tmp_path / "scratch"
    final.mkdir()
    scratch.mkdir()
    tree = replace(TREE, files=(("etc/hosts", "127.0.0.1 localhost\n"),))
    assemble(tree, files, final, environment=os.environ, scratch=scratch)
    assert (final / "etc" / "hosts").read_text() == "127.0.0.1 localhost\n"
    assert (final / "etc" / "ssl" / "certs" / "ca-certificates.crt").read_text() == "one\ntwo\n"
    assert (final / "lib64").readlink() == Path("usr/lib64")
    assert list((final / "tmp").iterdir()) == list(scratch.iterdir()) == []
    assert not (final / "DEBIAN").exists()


def test_a_machine_without_dpkg_is_told_so(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    with pytest.raises(MachineError, match="no dpkg-deb") as caught:
        assemble(TREE, [tmp_path / "x.deb"], tmp_path / "root", environment={"PATH": ""}, scratch=tmp_path)
    assert "Debian" in caught.value.hint
