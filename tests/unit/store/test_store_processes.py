"""Tests of the store with several processes, and with processes that are killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from build_config.key import Key
from build_config.store import Store

Build = Callable[[Path], None]
Look = Callable[[Path], list[str]]
Script = Callable[..., "subprocess.Popen[str]"]

CHILD_KEY = 'key = Key.parse(sys.argv[2].replace("|", chr(10)))\n'


def as_argument(key: Key) -> str:
    return key.text.replace("\n", "|")


def answer(process: subprocess.Popen[str]) -> str:
    """The next line that a child prints."""
    assert process.stdout is not None
    line = process.stdout.readline().strip()
    assert line, process.communicate()[0]
    return line


def finish(process: subprocess.Popen[str], said: str = "\n") -> str:
    output, _ = process.communicate(said, timeout=30)
    assert process.returncode == 0, output
    return output.strip()


def killed_at(step: int, work: Callable[[], object], root: Path) -> bool:
    """Do the work in a forked process that kills itself at its nth deed below a folder; False when it got to its end."""
    child = os.fork()
    if child == 0:
        left = step

        def count(event: str, arguments: tuple[object, ...]) -> None:
            nonlocal left
            deeds = {"open", "os.rename", "os.mkdir", "os.chmod", "os.remove", "os.rmdir", "os.utime", "fcntl.flock"}
            first = arguments[0] if arguments else None
            if event in deeds and (event == "fcntl.flock" or os.fspath(root) in str(first)):
                left -= 1
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)

        status = 1
        try:
            sys.addaudithook(count)
            work()
            status = 0
        finally:
            os._exit(status)
    _, result = os.waitpid(child, 0)
    assert os.WIFSIGNALED(result) or os.WEXITSTATUS(result) == 0
    return os.WIFSIGNALED(result)


@pytest.mark.fault("F14")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork to kill a process at each of its steps")
@pytest.mark.parametrize("task", ["build", "prune", "quarantine"])
def test_killed_at_any_step_the_next_run_gives_the_same_bytes(
    tmp_path: Path, key: Key, leftovers: Look, task: str
) -> None:
    def build(folder: Path) -> None:
        (folder / "lib").mkdir()
        (folder / "lib" / "libs2n.a").write_bytes(bytes(5000))

    with Store(tmp_path / "expected") as store:
        expected = store.get_or_build(key, build)[0].digest
    steps = 0
    for step in range(1, 1000):
        root = tmp_path / f"at-{step}"
        if task != "build":
            with Store(root) as store:
                entry, _ = store.get_or_build(key, build)
            if task == "quarantine":
                (entry.path.parent / "more").touch()

        def work(root: Path = root) -> object:
            store = Store(root, warn=lambda _: None)
            return store.prune(keep_size=0) if task == "prune" else store.get_or_build(key, build)

        if not killed_at(step, work, root):
            break
        steps = step
        with Store(root, warn=lambda _: None) as store:
            found = store.find(key)
            assert found is None or found.digest == expected
            assert leftovers(root) == []
            assert store.get_or_build(key, build)[0].digest == expected
            assert store.verify() == ()
    assert {"build": 35, "prune": 18, "quarantine": 35}[task] <= steps < 999


@pytest.mark.fault("F14")
def test_killed_at_any_moment_nothing_wrong_is_served(tmp_path: Path, leftovers: Look, script: Script) -> None:
    """Real processes with threads that flush; which moment is hit is chance, that nothing wrong is served is not."""
    root = tmp_path / "store"

    def build(folder: Path) -> None:
        for number in range(60):
            (folder / str(number)).write_bytes(bytes([number]) * 5000)

    text = """
        store = Store(Path(sys.argv[1]))
        def build(folder):
            for number in range(60):
                (folder / str(number)).write_bytes(bytes([number]) * 5000)
        print("ready", flush=True)
        for number in range(100000):
            store.get_or_build(Key.of("library", "s2n", [("number", str(number))]), build)
            if number % 8 == 7:
                store.close()
                Store(Path(sys.argv[1])).prune(keep_size=0)
                store = Store(Path(sys.argv[1]))
    """
    for step in range(12):
        process = script(text, root)
        assert answer(process) == "ready"
        time.sleep(step * 0.017)
        process.send_signal(signal.SIGKILL)
        process.wait(30)
        with Store(root) as store:
            digest = store.get_or_build(Key.of("library", "s2n", ()), build)[0].digest
            assert leftovers(root) == []
            assert store.verify() == ()
            assert {info.digest for info in store.entries()} == {digest}


@pytest.mark.fault("F16")
def test_two_processes_build_one_key_once(tmp_path: Path, key: Key, script: Script) -> None:
    text = f"""
        {CHILD_KEY.strip()}
        def build(folder):
            (folder / "who").write_text(str(os.getpid()))
            time.sleep(1)
        print("ready", flush=True)
        sys.stdin.readline()
        entry, built = Store(Path(sys.argv[1]), warn=lambda text: print(text)).get_or_build(key, build)
        print((entry.path / "who").read_text(), built)
    """
    processes = [script(text, tmp_path / "store", as_argument(key)) for _ in range(4)]
    for process in processes:
        assert answer(process) == "ready"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    lines = [finish(process, "").splitlines() for process in processes]
    results = [said[-1].split() for said in lines]
    assert len({who for who, _ in results}) == 1
    assert sorted(built for _, built in results) == ["False", "False", "False", "True"]
    assert sum("waiting for another build" in said[0] for said in lines) == 3


@pytest.mark.fault("F17")
def test_the_lock_of_a_killed_build_is_free(tmp_path: Path, key: Key, build: Build, script: Script) -> None:
    root = tmp_path / "store"
    text = f"""
        {CHILD_KEY.strip()}
        def build(folder):
            (folder / "half").touch()
            print("building", flush=True)
            time.sleep(60)
        Store(Path(sys.argv[1])).get_or_build(key, build)
    """
    process = script(text, root, as_argument(key))
    assert answer(process) == "building"
    (lock,) = (root / "v1" / "locks").glob("*.build")
    process.kill()
    process.wait(30)
    assert lock.exists()
    told: list[str] = []
    with Store(root, warn=told.append) as store:
        entry, built_now = store.get_or_build(key, build)
    assert built_now
    assert not (entry.path / "half").exists()
    assert told == []


@pytest.mark.fault("F17")
def test_a_lock_file_that_names_a_living_process_is_no_lock(
    store: Store, key: Key, build: Build, warnings: list[str]
) -> None:
    """A process id that was given to another process cannot mislead: nothing in a lock file is read."""
    assert store.find(key) is None
    (store.root / "v1" / "locks" / f"{key.digest[:32]}.build").write_text(f"{os.getpid()}\n")
    assert store.get_or_build(key, build)[1]
    assert warnings == []


@pytest.mark.fault("F14")
def test_the_folder_of_a_living_build_is_not_swept(store: Store, build: Build) -> None:
    with store.staging() as staged:
        build(staged)
        with Store(store.root) as other:
            assert other.sweep() == ()
        assert (staged / "include" / "s2n.h").exists()


@pytest.mark.fault("F19")
def test_what_another_process_reads_is_not_pruned(store: Store, key: Key, build: Build, script: Script) -> None:
    with Store(store.root) as other:
        other.get_or_build(key, build)
    text = f"""
        {CHILD_KEY.strip()}
        entry = Store(Path(sys.argv[1])).find(key)
        print("reading", flush=True)
        sys.stdin.readline()
        print((entry.path / "include" / "s2n.h").read_text())
    """
    process = script(text, store.root, as_argument(key))
    assert answer(process) == "reading"
    assert store.prune(keep_size=0) == ()
    assert finish(process) == "int s2n_init(void);"
    (info,) = store.prune(keep_size=0)
    assert info.key == key
    assert store.find(key) is None
    assert not list((store.root / "v1" / "locks").glob(f"{key.digest[:32]}*"))


@pytest.mark.fault("F19")
def test_reading_goes_on_while_another_process_prunes_and_builds(
    tmp_path: Path, key: Key, build: Build, script: Script
) -> None:
    root = tmp_path / "store"
    text = f"""
        {CHILD_KEY.strip()}
        read = 0
        while read < 20:
            with Store(Path(sys.argv[1])) as store:
                if (entry := store.find(key)) is not None:
                    for path in entry.path.rglob("*"):
                        if path.is_file():
                            path.read_bytes()
                    read += len(list(entry.path.rglob("*"))) == 8
                assert not list(store.quarantined())
    """
    readers = [script(text, root, as_argument(key)) for _ in range(2)]
    pruned = 0
    while pruned < 5 or any(reader.poll() is None for reader in readers):
        with Store(root) as store:
            store.get_or_build(key, build)
        with Store(root) as store:
            pruned += len(store.prune(keep_size=0))
    for reader in readers:
        assert not finish(reader, "")
