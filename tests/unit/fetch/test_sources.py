"""Owns the tests of obtaining sources: from an index or git into the store, and from the store without either."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from build_config.errors import IntegrityError, MachineError, ToolchainError, UsageError
from build_config.fetch import pins, tree
from build_config.fetch import sources as module
from build_config.fetch.web import Patience
from build_config.key import Key
from build_config.model import GitPin, Source
from build_config.store import Store

ROOT = Path(__file__).parents[3]
PAGE = "/simple/pack/"
FILE = "/files/pack-1.0.tar.gz"
Obtain = Callable[..., "dict[str, Path]"]
Sources = tuple[Source, ...]


@pytest.fixture
def index(site: Any, answers: Any, packed: bytes) -> Any:
    """A site that is an index with the archive."""
    site.answers[PAGE] = answers.serve(f'<a href="../..{FILE}">'.encode(), "text/html")
    site.answers[FILE] = answers.serve(packed)
    return site


@pytest.fixture
def obtain(index: Any, store: Store, sources: Sources, environment: dict[str, str], patience: Patience) -> Obtain:
    def run(wanted: Sources = sources, store: Store = store, **options: Any) -> dict[str, Path]:
        chosen = {"provider": "index", "offline": False, "patience": patience, **options}
        variables = {**environment, "PIP_INDEX_URL": f"{index.url}/simple", **chosen.pop("variables", {})}
        return module.obtain(wanted, store, environment=variables, **chosen)

    return run


def kinds(store: Store) -> list[str]:
    return sorted(info.key.kind if info.key else "?" for info in store.entries())


def fails(obtain: Obtain, kind: type[ToolchainError], why: str, **options: Any) -> ToolchainError:
    with pytest.raises(kind, match=why) as fault:
        obtain(**options)
    assert fault.value.hint
    return fault.value


def test_the_libraries_are_what_is_pinned_and_nothing_else_is_taken(
    obtain: Obtain, sources: Sources, index: Any, store: Store, packed: bytes
) -> None:
    seen: list[tuple[int, int]] = []
    found = obtain(progress=lambda *done: seen.append(done))
    assert {name: tree.digest(path) for name, path in found.items()} == {s.name: s.tree for s in sources}
    assert sorted(p.name for p in found["one"].iterdir()) == ["LICENSE", "VERSION", "run.sh", "source"]
    assert index.paths() == [PAGE, FILE]
    assert seen[-1] == (len(packed), len(packed))
    assert kinds(store) == ["archive", "source", "source"]
    assert not any(store.root.rglob("setup.py"))
    assert list((store.root / "partial").iterdir()) == []


def test_the_key_says_only_what_the_tree_is(sources: Sources) -> None:
    assert module.source_key(sources[0]) == Key.of("source", "one", [("tree", sources[0].tree)])


@pytest.mark.fault("F04")
def test_offline_with_a_warm_store_goes_on(obtain: Obtain, index: Any) -> None:
    first = obtain()
    index.requests.clear()
    assert obtain(offline=True) == first
    assert index.requests == []


@pytest.mark.fault("F04")
def test_offline_with_a_cold_store_says_what_to_do(obtain: Obtain, index: Any, store: Store) -> None:
    fault = fails(obtain, MachineError, "not in the store, and nowhere to be had", offline=True)
    assert "without --offline" in fault.hint
    assert "PIP_FIND_LINKS" in fault.hint
    assert index.requests == []
    assert kinds(store) == []


def test_offline_takes_a_file_of_this_machine(obtain: Obtain, packed: bytes, tmp_path: Path, index: Any) -> None:
    (tmp_path / "pack-1.0.tar.gz").write_bytes(packed)
    assert len(obtain(offline=True, variables={"PIP_FIND_LINKS": str(tmp_path)})) == 2
    assert index.requests == []


@pytest.mark.fault("F18")
def test_a_library_that_went_bad_is_extracted_again_without_the_network(
    obtain: Obtain, index: Any, store: Store, sources: Sources
) -> None:
    path = obtain()["one"] / "VERSION"
    store.close()
    path.chmod(0o644)
    path.write_bytes(b"9.9.9\n")
    path.chmod(0o444)
    index.requests.clear()
    with Store(store.root) as again:
        found = obtain(store=again, offline=True)
        assert tree.digest(found["one"]) == sources[0].tree
    assert index.requests == []


def test_only_what_is_missing_is_extracted(obtain: Obtain, index: Any, sources: Sources, store: Store) -> None:
    obtain(wanted=sources[:1])
    assert kinds(store) == ["archive", "source"]
    index.requests.clear()
    assert obtain().keys() == {"one", "two"}
    assert index.requests == []


@pytest.mark.fault("F01")
def test_a_download_that_broke_off_leaves_no_entry_and_is_gone_on_from(
    obtain: Obtain, index: Any, store: Store, answers: Any, packed: bytes
) -> None:
    index.answers[FILE] = answers.cut(packed, 300)
    fails(obtain, IntegrityError, "broke off")
    assert kinds(store) == []
    assert index.paths().count(FILE) == 3
    index.answers[FILE] = answers.ranged(packed)
    index.requests.clear()
    assert len(obtain()) == 2
    assert index.requests[-1][1]["range"] == "bytes=300-"


_CHILD = """
import json, sys
from pathlib import Path
from build_config.fetch import sources
from build_config.model import Archive
from build_config.store import Store
archive, root, environment = json.loads(sys.argv[1])
with Store(Path(root)) as store:
    sources.obtain_archive(Archive(**archive), store, offline=False, environment=environment)
"""


@pytest.mark.fault("F14")
def test_after_a_kill_the_next_run_goes_on(
    obtain: Obtain,
    index: Any,
    store: Store,
    answers: Any,
    packed: bytes,
    sources: Sources,
    environment: dict[str, str],
) -> None:
    released = threading.Event()

    def stuck(handler: Any) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(packed)))
        handler.end_headers()
        handler.wfile.write(packed[:200])
        handler.wfile.flush()
        released.wait(30)

    index.answers[FILE] = stuck
    variables = {**environment, "PIP_INDEX_URL": f"{index.url}/simple", "PIP_TIMEOUT": "60"}
    arguments = json.dumps([asdict(sources[0].archive), str(store.root), variables])
    with subprocess.Popen([sys.executable, "-c", _CHILD, arguments], cwd=ROOT) as child:
        partial = store.root / "partial" / f"{sources[0].archive.sha256}.part"
        while child.poll() is None and not (partial.exists() and partial.stat().st_size == 200):
            time.sleep(0.01)
        child.kill()
    released.set()
    assert child.returncode == -signal.SIGKILL
    index.answers[FILE] = answers.ranged(packed)
    assert tree.digest(obtain()["one"]) == sources[0].tree
    assert index.requests[-1][1]["range"] == "bytes=200-"
    assert list((store.root / "partial").iterdir()) == []
    assert not list((store.root / "v1" / "tmp").iterdir())


@pytest.mark.fault("F02", "F03")
@pytest.mark.parametrize("kind", ["wrong", "page", "larger", "listed"])
def test_a_file_that_is_not_the_pinned_one_is_never_stored(
    obtain: Obtain, index: Any, store: Store, answers: Any, packed: bytes, sources: Sources, kind: str
) -> None:
    page = f'<a href="../..{FILE}#sha256={"0" * 64}">'.encode()
    body = {"wrong": packed[:-1] + b"x", "page": b"<html>", "larger": packed + b"x", "listed": packed}[kind]
    index.answers[FILE] = answers.serve(body)
    if kind == "listed":
        index.answers[PAGE] = answers.serve(page, "text/html")
    fault = fails(obtain, IntegrityError, "pinned")
    assert sources[0].archive.sha256 in fault.what
    assert kinds(store) == []
    index.answers[PAGE] = answers.serve(f'<a href="../..{FILE}">'.encode(), "text/html")
    index.answers[FILE] = answers.serve(packed)
    assert len(obtain()) == 2


@pytest.mark.fault("F06")
def test_a_pin_of_a_tree_that_the_archive_does_not_have_is_refused(
    obtain: Obtain, store: Store, sources: Sources
) -> None:
    changed = (sources[0], replace(sources[1], tree="0" * 64))
    fault = fails(obtain, IntegrityError, "pack-1.0/crt/two is not the pinned tree", wanted=changed)
    assert "0" * 64 in fault.what
    assert sources[1].tree in fault.what
    assert kinds(store) == ["archive"]


@pytest.mark.fault("F06")
def test_a_source_that_moved_is_refused(obtain: Obtain, store: Store, sources: Sources) -> None:
    moved = (replace(sources[0], path="crt/gone"),)
    fails(obtain, IntegrityError, "no files below 'pack-1.0/crt/gone'", wanted=moved)
    swapped = (replace(sources[0], path="crt/two"),)
    fails(obtain, IntegrityError, "not the pinned tree", wanted=swapped)
    assert kinds(store) == ["archive"]


@pytest.mark.fault("F06")
def test_a_pin_of_another_archive_is_refused(obtain: Obtain, store: Store, sources: Sources) -> None:
    other = replace(sources[0].archive, sha256="0" * 64)
    changed = tuple(replace(source, archive=other) for source in sources)
    fault = fails(obtain, IntegrityError, "is not the pinned file", wanted=changed)
    assert sources[0].archive.sha256 in fault.what
    assert kinds(store) == []


@pytest.mark.fault("F07")
def test_a_pinned_archive_with_a_bad_entry_is_refused(
    obtain: Obtain, index: Any, store: Store, answers: Any, good: Any, pin: Any, sources: Sources, tmp_path: Path
) -> None:
    bad = good.long_file("pack-1.0/../../x").write(tmp_path / "bad.gz").read_bytes()
    index.answers[FILE] = answers.serve(bad)
    fails(obtain, IntegrityError, r"'\.\.'", wanted=tuple(replace(source, archive=pin(bad)) for source in sources))
    assert kinds(store) == ["archive"]


@pytest.mark.fault("F04")
def test_the_next_index_is_asked_when_one_fails(
    obtain: Obtain, index: Any, other_site: Any, answers: Any, tmp_path: Path
) -> None:
    other_site.answers[PAGE] = answers.serve(f'<a href="{FILE}">'.encode(), "text/html")
    other_site.answers[FILE] = answers.serve(b"wrong")
    (tmp_path / "pack-1.0.tar.gz").write_bytes(b"wrong too")
    variables = {
        "PIP_INDEX_URL": f"{other_site.url}/simple",
        "PIP_EXTRA_INDEX_URL": f"http://127.0.0.1:1/simple {index.url}/simple",
        "PIP_FIND_LINKS": str(tmp_path),
    }
    assert len(obtain(variables=variables)) == 2
    assert FILE in other_site.paths()


@pytest.mark.fault("F02")
def test_a_wrong_file_is_told_before_an_index_that_lacks_it(obtain: Obtain, index: Any, answers: Any) -> None:
    index.answers[FILE] = answers.serve(b"wrong")
    fails(obtain, IntegrityError, "not the pinned file", variables={"PIP_EXTRA_INDEX_URL": f"{index.url}/other"})


@pytest.mark.fault("F04")
def test_no_index_at_all_says_why_of_each(obtain: Obtain, store: Store, tmp_path: Path, pauses: Any) -> None:
    variables = {"PIP_INDEX_URL": "http://127.0.0.1:1/simple", "PIP_FIND_LINKS": str(tmp_path)}
    fault = fails(obtain, MachineError, "nowhere to be had", variables=variables)
    assert f"{tmp_path} does not hold it" in fault.what
    assert "http://127.0.0.1:1/simple/pack/: the connection failed" in fault.what
    assert "pip config list" in fault.hint
    assert pauses.taken == [1.0, 2.0]
    assert kinds(store) == []


@pytest.mark.fault("F04")
@pytest.mark.parametrize(("path", "why"), [(PAGE, "answers 404"), (FILE, "answers 404")])
def test_one_index_that_lacks_it_says_what_to_do(obtain: Obtain, index: Any, answers: Any, path: str, why: str) -> None:
    index.answers[path] = answers.status(404)
    fault = fails(obtain, MachineError, f"{path}.*{why}")
    assert "pip config list" in fault.hint


@pytest.mark.fault("F05")
def test_one_deadline_spans_it_all(obtain: Obtain, index: Any, answers: Any, store: Store) -> None:
    index.answers[FILE] = answers.drip()
    fails(obtain, MachineError, "took longer than 0.5 s", patience=Patience(total=0.5))
    assert kinds(store) == []


@pytest.mark.fault("F16")
def test_two_at_once_download_once(obtain: Obtain, index: Any, store: Store, sources: Sources) -> None:
    found: list[dict[str, Path]] = []

    def run() -> None:
        with Store(store.root, warn=lambda _: None) as own:
            found.append({name: path.resolve() for name, path in obtain(store=own).items()})

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [found[0]] * 3
    assert index.paths().count(FILE) == 1
    assert tree.digest(found[0]["two"]) == sources[1].tree


@pytest.mark.fault("F23")
def test_a_store_that_cannot_be_used_is_done_without(obtain: Obtain, sources: Sources, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    warnings: list[str] = []
    with Store(tmp_path / "file" / "store", warn=warnings.append) as nowhere:
        found = obtain(store=nowhere)
        assert tree.digest(found["one"]) == sources[0].tree
    assert warnings


def test_the_archive_itself_can_be_had(
    index: Any, store: Store, sources: Sources, environment: dict[str, str], packed: bytes
) -> None:
    variables = {**environment, "PIP_INDEX_URL": f"{index.url}/simple"}
    path = module.obtain_archive(sources[0].archive, store, offline=False, environment=variables)
    assert path.name == "pack-1.0.tar.gz"
    assert path.read_bytes() == packed


@pytest.fixture
def committed(tmp_path: Path, environment: dict[str, str], sources: Sources) -> Sources:
    """The libraries pinned to a commit that has a file more than the archive."""
    folder = tmp_path / "repository"
    folder.mkdir()
    (folder / "a.c").write_text("int a;\n")
    (folder / ".clang-format").write_text("x\n")
    who = {f"GIT_{who}_{what}": "t@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}

    program = shutil.which("git")
    if program is None:
        pytest.skip("there is no git on this machine")

    def git(*words: str) -> str:
        return subprocess.run(
            [program, *words], cwd=folder, env={**environment, **who}, capture_output=True, text=True, check=True
        ).stdout.strip()

    git("init", "--quiet")
    git("add", "--all")
    git("commit", "--quiet", "--message=x")
    commit = git("rev-parse", "HEAD")
    row = pins.describe_commit("one", folder.as_uri(), commit, environment=environment)
    pin = GitPin(folder.as_uri(), commit, row.split('tree = "')[1].partition('"')[0])
    return tuple(replace(source, git=pin) for source in sources)


@pytest.mark.fault("F04")
def test_git_gives_its_own_tree_once(
    obtain: Obtain, index: Any, store: Store, committed: Sources, tmp_path: Path
) -> None:
    found = obtain(wanted=committed, provider="git")
    assert sorted(p.name for p in found["one"].iterdir()) == [".clang-format", "a.c"]
    assert index.requests == []
    (tmp_path / "repository").rename(tmp_path / "gone")
    assert obtain(wanted=committed, provider="git", offline=True) == found
    assert kinds(store) == ["source", "source"]


def test_the_key_of_a_source_is_that_of_its_provider(committed: Sources) -> None:
    by_git, by_index = (module.provided(committed[0], provider) for provider in ("git", "index"))
    assert committed[0].git
    assert by_git.tree == committed[0].git.tree
    assert by_index == committed[0]
    assert module.source_key(by_git) != module.source_key(by_index)


@pytest.mark.fault("F06")
def test_git_with_another_tree_is_refused(obtain: Obtain, store: Store, committed: Sources) -> None:
    assert committed[0].git
    changed = (replace(committed[0], git=replace(committed[0].git, tree="0" * 64)),)
    fails(obtain, IntegrityError, "not the pinned ones", wanted=changed, provider="git")
    assert kinds(store) == []


@pytest.mark.fault("F04")
def test_git_offline_with_a_cold_store_says_what_to_do(obtain: Obtain, committed: Sources) -> None:
    fault = fails(obtain, MachineError, "offline: one, two", wanted=committed, provider="git", offline=True)
    assert "without --offline" in fault.hint


def test_a_library_without_a_commit_and_a_provider_that_is_none(obtain: Obtain) -> None:
    assert "[libraries.one.git]" in fails(obtain, UsageError, "one has no pinned commit", provider="git").hint
    assert "index, git" in fails(obtain, UsageError, "no provider 'svn'", provider="svn").hint


def test_no_password_is_shown_whatever_fails(obtain: Obtain, index: Any, answers: Any) -> None:
    url = index.url.replace("//", "//user:hunter2@") + "/simple"
    for answer in (answers.status(401), answers.status(503), answers.serve(b"wrong"), answers.serve(b"x" * 10**5)):
        index.answers[FILE] = answer
        with pytest.raises(ToolchainError) as fault:
            obtain(variables={"PIP_INDEX_URL": url, "PIP_EXTRA_INDEX_URL": "https://user:hunter2@nowhere.invalid/s"})
        assert "hunter2" not in str(fault.value) + repr(fault.value) + str(fault.value.to_json())
