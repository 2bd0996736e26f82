"""Owns the tests of real roots: commands in namespaces of their own, and trials in roots of Debian's packages."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from build_config.errors import BuildError, MachineError
from build_config.roots import Provider, load
from build_config.roots.namespace import Inside, check
from build_config.store import Store
from build_config.trial import run
from build_config.wheel import Member, write
from build_config.workspace import Listener, open_workspace

PROJECT = Path(__file__).parents[2]
DIST_INFO = "thing-1.0.dist-info"
SHELL = "/bin/sh"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="namespaces are Linux's")


@pytest.fixture
def place(tmp_path: Path) -> Inside:
    """A root of nothing but this machine's shell and what that needs."""
    try:
        check(os.environ, tmp_path)
    except MachineError as fault:
        pytest.skip(str(fault))
    tree = tmp_path / "a tree, with: odd=names"
    for name in ("dev", "mnt", "proc", "tmp"):
        (tree / name).mkdir(parents=True)
    needed = subprocess.run(["/usr/bin/ldd", SHELL], capture_output=True, text=True, check=True).stdout
    for file in (SHELL, *re.findall(r"(/\S+) \(0x", needed)):
        copy = tree / file.lstrip("/")
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, copy)
    return Inside("test", tree)


@pytest.fixture
def work(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


def shell(place: Inside, work: Path, script: str, *, timeout: float = 60) -> tuple[int, str]:
    done = place.run([SHELL, "-c", script], cwd=work, env=place.environment({}), work=work, timeout=timeout)
    return done.returncode, done.output


def test_a_command_sees_its_root_its_folder_and_nothing_else(place: Inside, work: Path) -> None:
    (work / "given").write_text("")
    code, said = shell(place, work, 'echo * / /* "$HOME"; pwd; [ -e /etc/passwd ] || echo alone; read x < /dev/null')
    assert f"{work}\nalone\n" in said
    assert said.startswith("given ")
    assert code == 1


def test_only_the_work_folder_keeps_what_is_written(place: Inside, work: Path) -> None:
    before = sorted(place.tree.rglob("*"))
    assert shell(place, work, f"echo 1 > /tmp/x && echo 2 > /bin/sh.new && echo 3 > {work}/kept && echo done") == (
        0,
        "done\n",
    )
    assert sorted(place.tree.rglob("*")) == before
    assert (work / "kept").read_text() == "3\n"


def test_nothing_of_this_machines_variables_reaches_it(place: Inside, work: Path) -> None:
    env = place.environment({"PYTHONPATH": "/x", "SECRET": "y"})
    done = place.run([SHELL, "-c", "export -p"], cwd=work, env=env, work=work)
    assert sorted(re.findall(r"export (\w+)=", done.output)) == ["HOME", "LANG", "PATH", "PWD"]


def test_a_command_is_not_the_first_process_of_its_namespace(place: Inside, work: Path) -> None:
    # That one survives signals which end others, and gets the orphans.
    code, said = shell(place, work, "echo $$ $PPID")
    number, parent = map(int, said.split())
    assert (code, parent) == (0, 1)
    assert number > 1


@pytest.mark.parametrize(("script", "code"), [("exit 3", 3), ("kill -SEGV $$", -11), ("kill -ABRT $$", -6)])
def test_a_command_ends_as_it_would_here(place: Inside, work: Path, script: str, code: int) -> None:
    assert shell(place, work, script)[0] == code


def test_a_failure_can_be_an_error(place: Inside, work: Path) -> None:
    with pytest.raises(BuildError, match="no good"):
        place.run([SHELL, "-c", "echo no good; exit 1"], cwd=work, env={}, work=work, error=BuildError)


def test_a_timeout_ends_everything_that_was_started(place: Inside, work: Path) -> None:
    with pytest.raises(BuildError, match="took longer"):
        shell(place, work, "(while :; do :; done) & while :; do :; done", timeout=1)
    mine = str(place.tree).encode()
    alive = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            alive += [path] if mine in path.read_bytes() else []
        except OSError:
            continue
    assert alive == []


def test_a_root_that_cannot_be_entered_is_told(place: Inside, work: Path) -> None:
    shutil.rmtree(place.tree / "mnt")
    with pytest.raises(MachineError, match="no file system in memory") as caught:
        shell(place, work, "true")
    assert "sysctl" in caught.value.hint


def test_a_kernel_that_forbids_namespaces_is_told(tmp_path: Path) -> None:
    refusing = tmp_path / "unshare"
    refusing.write_text("#!/bin/sh\necho 'unshare failed: Operation not permitted' >&2\nexit 1\n")
    refusing.chmod(0o755)
    with pytest.raises(MachineError, match="Operation not permitted") as caught:
        check({"PATH": str(tmp_path)}, tmp_path)
    assert "unprivileged_userns_clone" in caught.value.hint
    with pytest.raises(MachineError, match="there is no unshare"):
        check({"PATH": ""}, tmp_path)


@pytest.mark.network
@pytest.mark.slow
@pytest.mark.crossing
@pytest.mark.parametrize("name", ["sid-x86_64", "trixie-aarch64", "musl-x86_64"])
def test_a_wheel_is_tried_in_a_root(tmp_path: Path, name: str) -> None:
    if os.uname().machine != "x86_64":
        pytest.skip("the emulator's program is for x86_64")
    workspace = open_workspace(tmp_path, os.environ, {"AWS_CRT_BUILD_STORE": os.environ.get("AWS_CRT_BUILD_STORE", "")})
    catalog = load(PROJECT)
    root = catalog.roots[name]
    with Store(workspace.store) as store:
        provider = Provider(catalog, workspace, store, Listener())
        try:
            (*_, interpreter) = provider.interpreters(root)
        except MachineError as fault:
            pytest.skip(str(fault))
        libc = "musllinux_1_1" if "-musl-" in root.target else "manylinux_2_17"
        tag = f"cp38-abi3-{libc}_{root.tree.arch}"
        files = {
            "thing/__init__.py": "VALUE = 1\n",
            f"{DIST_INFO}/METADATA": "Metadata-Version: 2.1\nName: thing\nVersion: 1.0\n",
            f"{DIST_INFO}/WHEEL": f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: false\nTag: {tag}\n",
        }
        members = [Member(name, text.encode(), executable=False) for name, text in files.items()]
        wheel = write(tmp_path, f"thing-1.0-{tag}.whl", members, epoch=1_700_000_000)
        tests = tmp_path / "tests"
        tests.mkdir()
        (tests / "test_thing.py").write_text(
            "import bz2, ctypes, pathlib, platform, socket, ssl, subprocess, sys, thing, zlib\n"
            "def test_names():\n"
            "    assert socket.gethostbyname('localhost') == '127.0.0.1'\n"
            "    assert pathlib.Path.home() == pathlib.Path('/root')\n"
            f"def test_processor(): assert platform.machine() == {root.tree.arch!r}\n"
            f"def test_version(): assert platform.python_version() == {interpreter.version!r}\n"
            "def test_libraries():\n"
            "    assert bz2.decompress(bz2.compress(b'a')) == zlib.decompress(zlib.compress(b'a')) == b'a'\n"
            "    assert ctypes.CDLL(None).toupper(ord('a')) == ord('A')\n"
            "    assert ssl.create_default_context().cert_store_stats()['x509_ca'] > 100\n"
            "def test_children():\n"
            "    said = subprocess.run([sys.executable, '-c', 'print(6 * 7)'], capture_output=True, check=True)\n"
            "    assert said.stdout == b'42\\n'\n",
            encoding="utf-8",
        )
        report = run(
            wheel,
            interpreter,
            (tests,),
            requirements=PROJECT / "requirements" / "trial.txt",
            work=tmp_path / "work",
            environment=os.environ,
            timeout=300,
        )
    assert report.findings == ()
    assert (report.passed, report.failed, report.skipped) == (5, 0, 0)
