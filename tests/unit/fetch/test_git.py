"""Owns the tests of the git provider, against repositories made on the spot."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from build_config.errors import IntegrityError, MachineError, UsageError
from build_config.fetch import git, pins, tree
from build_config.model import GitPin

ATTRIBUTES = """\
hidden export-ignore
stamped export-subst ident
lines text eol=crlf
run filter=evil
wide working-tree-encoding=UTF-16
"""
GIT = shutil.which("git") or "git"
FILES = {
    ".gitattributes": ATTRIBUTES,
    "hidden": "still here\n",
    "stamped": "$Format:%H$ $Id$\n",
    "lines": "one\ntwo\n",
    "run": "#!/bin/sh\n",
    "wide": "text\n",
    "inner/.gitattributes": "* export-ignore\n",
    "inner/file": "x\n",
}


class Repository:
    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        if shutil.which(GIT) is None:
            pytest.skip("there is no git on this machine")
        self.folder = folder
        names = {f"GIT_{who}_{what}": "t@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        self.environment = {**environment, **names, "GIT_CONFIG_NOSYSTEM": "1"}
        folder.mkdir()
        self.git("init", "--quiet", "--initial-branch=main")
        # What is committed is what is written, so that every difference comes from the export.
        (folder / ".git" / "info").mkdir(exist_ok=True)
        (folder / ".git" / "info" / "attributes").write_text("* -text -eol -ident -filter -working-tree-encoding\n")

    def git(self, *words: str) -> str:
        done = subprocess.run(
            [GIT, *words], cwd=self.folder, env=self.environment, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    def commit(self) -> str:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message=x")
        return self.git("rev-parse", "HEAD")

    def write(self, files: dict[str, str]) -> None:
        for name, text in files.items():
            (self.folder / name).parent.mkdir(exist_ok=True)
            (self.folder / name).write_text(text)

    @property
    def url(self) -> str:
        return self.folder.as_uri()


Make = Callable[[str], Repository]


@pytest.fixture
def make(tmp_path: Path, environment: dict[str, str]) -> Make:
    return lambda name: Repository(tmp_path / name, environment)


@pytest.fixture
def repository(make: Make) -> Repository:
    made = make("repository")
    made.write(FILES)
    (made.folder / "run").chmod(0o755)
    (made.folder / "link").symlink_to("inner/file")
    return made


def export(pin: GitPin, tmp_path: Path, environment: dict[str, str]) -> tuple[str, Path]:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    return git.export(pin, tmp_path / "out", scratch=scratch, environment=environment), tmp_path / "out"


def test_the_files_are_those_committed_whatever_the_attributes_say(
    repository: Repository, tmp_path: Path, environment: dict[str, str]
) -> None:
    commit = repository.commit()
    digest, out = export(GitPin(repository.url, commit, ""), tmp_path, environment)
    found = {
        p.relative_to(out).as_posix(): p.read_bytes().decode()
        for p in out.rglob("*")
        if p.is_file() and not p.is_symlink()
    }
    assert found == FILES
    assert (out / "link").readlink() == Path("inner/file")
    assert os.access(out / "run", os.X_OK)
    assert not (out / ".git").exists()
    assert digest == tree.digest(out)


def test_neither_hooks_nor_filters_nor_the_persons_settings_act(
    repository: Repository, tmp_path: Path, environment: dict[str, str]
) -> None:
    commit = repository.commit()
    touch = f"touch {tmp_path}/acted"
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    for name in ("post-checkout", "reference-transaction", "post-merge", "pre-auto-gc", "fsmonitor-watchman"):
        (hooks / name).write_text(f"#!/bin/sh\n{touch}\n")
        (hooks / name).chmod(0o755)
    Path(environment["HOME"], ".gitconfig").write_text(
        f"[core]\n\thooksPath = {hooks}\n\tfsmonitor = {touch}\n\tautocrlf = true\n\tattributesFile = {tmp_path}/a\n"
        f'[init]\n\ttemplateDir = {hooks}\n[filter "evil"]\n\tsmudge = {touch}\n\tclean = {touch}\n\trequired = true\n'
        "[tar]\n\tumask = 0777\n"
    )
    (tmp_path / "a").write_text("* export-ignore\n")
    # A repository made from such a template could not be used.
    (hooks / "config").write_text(f'[url "file:///nowhere"]\n\tinsteadOf = {repository.url}\n')
    variables = {"GIT_DIR": "/nowhere", "GIT_INDEX_FILE": "/nowhere", "GIT_CONFIG_COUNT": "x"}
    _, out = export(GitPin(repository.url, commit, ""), tmp_path, {**environment, **variables})
    assert (out / "lines").read_bytes() == FILES["lines"].encode()
    assert os.access(out / "run", os.X_OK)
    assert not (tmp_path / "acted").exists()


def test_submodules_are_left_out(make: Make, tmp_path: Path, environment: dict[str, str]) -> None:
    inner, outer = make("inner"), make("outer")
    inner.write({"file": "x"})
    inner.commit()
    outer.write({"own": "y"})
    outer.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", inner.url, "module")
    _, out = export(GitPin(outer.url, outer.commit(), ""), tmp_path, environment)
    assert sorted(p.name for p in out.iterdir()) == [".gitmodules", "own"]


def test_a_commit_that_is_not_the_last_is_found(
    repository: Repository, tmp_path: Path, environment: dict[str, str]
) -> None:
    first = repository.commit()
    repository.write({"later": "x"})
    repository.commit()
    _, out = export(GitPin(repository.url, first, ""), tmp_path, environment)
    assert not (out / "later").exists()


@pytest.mark.fault("F06")
def test_another_tree_than_the_pinned_one_is_refused(
    repository: Repository, tmp_path: Path, environment: dict[str, str]
) -> None:
    pin = GitPin(repository.url, repository.commit(), "0" * 64)
    with pytest.raises(IntegrityError, match="not the pinned ones") as fault:
        git.checked_export(pin, tmp_path / "out", scratch=tmp_path, environment=environment)
    assert pin.tree in str(fault.value)
    assert tree.digest(tmp_path / "out") in str(fault.value)


@pytest.mark.fault("F08")
def test_a_link_out_of_the_commit_is_refused(
    repository: Repository, tmp_path: Path, environment: dict[str, str]
) -> None:
    (repository.folder / "out").symlink_to("../../etc")
    pin = GitPin(repository.url, repository.commit(), "")
    with pytest.raises(IntegrityError, match=f"commit {pin.commit}: entry .*symlink out of"):
        export(pin, tmp_path, environment)
    assert not (tmp_path / "out").exists()


@pytest.mark.fault("F04")
def test_a_commit_that_is_not_there_and_a_repository_that_is_not(
    repository: Repository, tmp_path: Path, environment: dict[str, str]
) -> None:
    repository.commit()
    with pytest.raises(MachineError, match=f"git fetch of commit {'1' * 40} failed") as fault:
        export(GitPin(repository.url, "1" * 40, ""), tmp_path, environment)
    assert "can be reached" in fault.value.hint
    (tmp_path / "other").mkdir()
    with pytest.raises(MachineError, match="git fetch"):
        export(GitPin((tmp_path / "none").as_uri(), "1" * 40, ""), tmp_path / "other", environment)


def test_without_git_it_says_so(repository: Repository, tmp_path: Path, environment: dict[str, str]) -> None:
    (tmp_path / "empty").mkdir()
    pin = GitPin(repository.url, repository.commit(), "")
    with pytest.raises(MachineError, match="cannot start 'git'"):
        export(pin, tmp_path, {**environment, "PATH": str(tmp_path / "empty")})


@pytest.mark.parametrize(
    ("url", "what"),
    [
        ("ext::sh -c touch%20/tmp/x", "scheme 'ext'"),
        ("/some/where", "scheme ''"),
        ("--upload-pack=touch", "scheme ''"),
        ("http://h/x", "scheme 'http'"),
        ("git://h/x", "scheme 'git'"),
        ("https://u:hunter2@h/x", "password"),
    ],
)
def test_other_urls_are_refused(tmp_path: Path, environment: dict[str, str], url: str, what: str) -> None:
    with pytest.raises(UsageError, match=what) as fault:
        export(GitPin(url, "1" * 40, ""), tmp_path, environment)
    assert "hunter2" not in str(fault.value)


@pytest.mark.parametrize("commit", ["main", "1" * 39, "1" * 41, "A" * 40, "-" * 40])
def test_only_a_whole_commit_id_is_taken(
    repository: Repository, tmp_path: Path, environment: dict[str, str], commit: str
) -> None:
    with pytest.raises(UsageError, match="not a full commit id"):
        export(GitPin(repository.url, commit, ""), tmp_path, environment)


def test_a_pin_can_be_made_of_a_commit(repository: Repository, tmp_path: Path, environment: dict[str, str]) -> None:
    commit = repository.commit()
    text = pins.describe_commit("lib", repository.url, commit, environment=environment)
    digest, _ = export(GitPin(repository.url, commit, ""), tmp_path, environment)
    lines = [f'url = "{repository.url}"', f'commit = "{commit}"', f'tree = "{digest}"']
    assert text.splitlines() == ["[libraries.lib.git]", *lines]
    pin = replace(GitPin(repository.url, commit, ""), tree=digest)
    (tmp_path / "again").mkdir()
    git.checked_export(pin, tmp_path / "checked", scratch=tmp_path / "again", environment=environment)
