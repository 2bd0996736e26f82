"""Owns the tests of bringing programs from Debian's packages, with an apt that is made up."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.support import debian

APT = """\
#!/bin/sh
echo "$@" >> {log}
for word do case $word in
    Dir::Cache=*) cache=${{word#*=}} ;;
    Dir::State::Lists=*) fresh=yes ;;
    update) exit 0 ;;
esac done
if [ -n "{stale}" ] && [ -z "$fresh" ]; then echo "E: 404" >&2; exit 100; fi
[ -z "{broken}" ] || {{ echo "W: something" >&2; echo "E: no such package" >&2; exit 100; }}
echo > "$cache/archives/server_1_all.deb"
"""
DPKG = """\
#!/bin/sh
[ "$1" = --extract ] && mkdir -p "$3/usr/sbin" "$3/usr/lib/x" && cp {program} "$3/usr/sbin/server" && touch "$3/usr/lib/x/liba.so.1"
"""


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all of PATH; nothing else is found on this machine."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("mkdir", "cp", "touch", "sh", "echo"):
        (folder / name).symlink_to(next(p for p in map(Path, (f"/bin/{name}", f"/usr/bin/{name}")) if p.exists()))
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(debian, "_SYSTEM_FOLDERS", ())
    monkeypatch.delenv("LD_LIBRARY_PATH", raising=False)
    return folder


def script(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o755)
    return path


def apt(machine: Path, *, stale: str = "", broken: str = "") -> Path:
    """Puts apt and dpkg there; returns what apt writes its calls to."""
    log = machine.parent / "apt.log"
    script(machine / "apt-get", APT.format(log=log, stale=stale, broken=broken))
    program = script(machine.parent / "program", "#!/bin/sh\necho served\n")
    script(machine / "dpkg-deb", DPKG.format(program=program))
    return log


def test_a_program_of_the_machine_is_taken(machine: Path, tmp_path: Path) -> None:
    script(machine / "server", "")
    assert debian.obtain("server", "package", tmp_path / "programs") == debian.Program(machine / "server")
    assert not (tmp_path / "programs").exists()


def test_a_program_is_brought_once_and_runs_with_its_libraries(machine: Path, tmp_path: Path) -> None:
    log = apt(machine)
    found = debian.obtain("server", "package", tmp_path / "programs")
    assert subprocess.run([found.path], capture_output=True, text=True, check=True).stdout == "served\n"
    assert found.variables == {"LD_LIBRARY_PATH": str(tmp_path / "programs" / "package" / "usr" / "lib" / "x")}
    assert debian.obtain("server", "package", tmp_path / "programs") == found
    assert len(log.read_text().splitlines()) == 1
    assert [path.name for path in (tmp_path / "programs").iterdir()] == ["package"]


def test_the_users_own_library_path_stays(machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    apt(machine)
    monkeypatch.setenv("LD_LIBRARY_PATH", "/mine")
    found = debian.obtain("server", "package", tmp_path / "programs")
    assert found.variables["LD_LIBRARY_PATH"].endswith(f"{os.pathsep}/mine")


def test_old_lists_of_packages_are_renewed_in_a_folder_of_ours(machine: Path, tmp_path: Path) -> None:
    log = apt(machine, stale="yes")
    debian.obtain("server", "package", tmp_path / "programs")
    first, update, second = log.read_text().splitlines()
    assert "install" in first
    assert update.endswith("update")
    assert "Dir::State::Lists" in update
    assert "Dir::State::Lists" in second
    assert all("Debug::NoLocking=true" in line and "--download-only" in line for line in (first, second))


def test_without_apt_the_next_step_is_told(machine: Path, tmp_path: Path) -> None:
    with pytest.raises(debian.NoPackagesError, match="no apt-get") as caught:
        debian.obtain("server", "package", tmp_path / "programs")
    assert "next: install server" in str(caught.value)


def test_what_apt_says_last_is_told(machine: Path, tmp_path: Path) -> None:
    apt(machine, broken="yes")
    with pytest.raises(debian.UnavailableError, match="no such package") as caught:
        debian.obtain("server", "package", tmp_path / "programs")
    assert "next: install server" in str(caught.value)
    assert list((tmp_path / "programs").iterdir()) == []


def test_a_package_without_the_program_is_told_and_not_kept(machine: Path, tmp_path: Path) -> None:
    apt(machine)
    with pytest.raises(debian.UnavailableError, match="the package has no client"):
        debian.obtain("client", "package", tmp_path / "programs")
    assert list((tmp_path / "programs").iterdir()) == []
