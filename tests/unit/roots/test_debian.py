"""Owns the tests of choosing and fetching packages, with an apt that is made up."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from build_config.errors import IntegrityError, MachineError
from build_config.roots import debian
from build_config.roots.catalog import Package, Source, Tree
from build_config.store import Store

pytestmark = pytest.mark.skipif(os.name == "nt", reason="stand-ins are shell scripts")

DATA = b"a package"
PINNED = Package("pool/main/a/a/a_1%2b1_all.deb", len(DATA), hashlib.sha256(DATA).hexdigest())
TREE = Tree("tree", "sid", "aarch64", ("a",), (), (PINNED,))

APT = """\
#!/bin/sh
echo "$APT_CONFIG $*" >> {log}
case "$*" in
    indextargets*) echo "{archive}" ;;
    *source*--print-uris*)
        echo "'http://debian.example/debian/pool/main/z/z_1.dsc' z_1.dsc 9 SHA256:{sha}"
        echo "'http://debian.example/debian/pool/main/z/z_1.orig.tar.xz' z_1.orig.tar.xz 9 SHA256:{sha}" ;;
    *--print-uris*)
        echo "Reading package lists..."
        echo "'http://debian.example/debian/pool/main/b/b_2_arm64.deb' b_2_arm64.deb 7 SHA256:{sha}"
        echo "'http://debian.example/debian/pool/main/a/a/a_1%2b1_all.deb' a_1+1_all.deb 9 SHA256:{sha}" ;;
esac
"""
HELPER = """\
#!/bin/sh
echo "$*" >> {log}
shift 3
while [ $# -gt 0 ]; do {action}; shift 3; done
"""


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "bin"
    folder.mkdir()
    apt(folder)
    monkeypatch.setattr(debian, "_HELPER", folder / "apt-helper")
    return folder


def script(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


def apt(
    folder: Path, *, archive: str = "http://debian.example/debian/", action: str = 'printf "a package" > "$2"'
) -> None:
    log = folder.parent / "log"
    script(folder / "apt-get", APT.format(log=log, archive=archive, sha="0" * 64))
    script(folder / "apt-helper", HELPER.format(log=log, action=action))


def variables(machine: Path) -> dict[str, str]:
    return {"PATH": f"{machine}:{os.defpath}"}


def obtain(machine: Path, store: Store, *, offline: bool = False) -> dict[Package, Path]:
    told: list[tuple[int, int]] = []
    found = debian.obtain(
        [PINNED], store, offline=offline, environment=variables(machine), progress=lambda *step: told.append(step)
    )
    assert told in ([], [(len(DATA), len(DATA))])
    return found


def test_apt_chooses_in_folders_of_its_own(machine: Path, tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    first, second = debian.resolve(TREE, environment=variables(machine), work=work)
    assert first == Package("pool/main/a/a/a_1%2b1_all.deb", 9, "0" * 64)
    assert second.path == "pool/main/b/b_2_arm64.deb"
    configuration = (work / "apt" / "sid-arm64" / "apt.conf").read_text()
    assert 'APT::Architecture "arm64";' in configuration
    assert f'Dir::State::status "{work}' in configuration
    assert "http://debian.example/debian/ sid main" in (work / "apt" / "sid-arm64" / "sources.list").read_text()


def test_of_a_source_package_the_upstream_file_is_taken(machine: Path, tmp_path: Path) -> None:
    source = Source("z", "z", "trixie", (), (), (), None)
    found = debian.resolve_source(source, environment=variables(machine), work=tmp_path)
    assert found.path == "pool/main/z/z_1.orig.tar.xz"
    assert (tmp_path / "apt" / "trixie-all" / "sources.list").read_text().startswith("deb-src ")


def test_a_package_is_fetched_once(machine: Path, tmp_path: Path) -> None:
    with Store(tmp_path / "store") as store:
        for _ in range(2):
            assert obtain(machine, store)[PINNED].read_bytes() == DATA
    fetched = [line for line in (tmp_path / "log").read_text().splitlines() if "download-file" in line]
    assert len(fetched) == 1
    assert f"http://debian.example/debian/{PINNED.path}" in fetched[0]
    assert f"SHA256:{PINNED.sha256}" in fetched[0]


@pytest.mark.parametrize("action", ['printf other > "$2"', 'printf other > "$2.FAILED"; exit 100'])
def test_other_bytes_are_refused_and_not_stored(machine: Path, tmp_path: Path, action: str) -> None:
    apt(machine, action=action)
    with Store(tmp_path / "store") as store:
        with pytest.raises(IntegrityError, match="not the file that is pinned"):
            obtain(machine, store)
        assert list(store.entries()) == []


def test_a_version_that_the_mirror_has_no_more_is_told_with_the_next_step(machine: Path, tmp_path: Path) -> None:
    apt(machine, action='echo "E: 404 Not Found"; exit 100')
    with Store(tmp_path / "store") as store, pytest.raises(MachineError, match="404 Not Found") as caught:
        obtain(machine, store)
    assert "roots lock" in caught.value.hint


def test_offline_nothing_is_fetched(machine: Path, tmp_path: Path) -> None:
    with Store(tmp_path / "store") as store:
        with pytest.raises(MachineError, match="offline"):
            obtain(machine, store, offline=True)
        assert not (tmp_path / "log").exists()
        obtain(machine, store)
        assert obtain(machine, store, offline=True)[PINNED].read_bytes() == DATA


def test_a_machine_without_apt_or_debians_archive_is_told_so(machine: Path, tmp_path: Path) -> None:
    with Store(tmp_path / "store") as store:
        apt(machine, archive="")
        with pytest.raises(MachineError, match="no archive of Debian's"):
            obtain(machine, store)
        (machine / "apt-helper").unlink()
        with pytest.raises(MachineError, match="there is no apt"):
            obtain(machine, store)
