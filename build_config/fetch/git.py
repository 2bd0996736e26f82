"""Owns getting a pinned commit with the system's git: its files as committed, nothing of the repository run."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from build_config import process
from build_config.errors import IntegrityError, MachineError, UsageError
from build_config.model import GitPin

from . import archive
from .address import hidden, shown
from .tree import Entry, digest_of

_SCHEMES = ("https", "ssh", "file")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_TIMEOUT = 1800.0
_TOP = "tree"
_SETTINGS = (
    "protocol.allow=never",
    *(f"protocol.{scheme}.allow=always" for scheme in _SCHEMES),
    f"core.hooksPath={os.devnull}",
    "core.fsmonitor=false",
    "fetch.recurseSubmodules=no",
    "gc.auto=0",
    "maintenance.auto=false",
    "tar.umask=0022",
)
# In `info/attributes` these outrank every .gitattributes of the commit, which could otherwise leave files out, edit
# them, or name a filter program (gitattributes(5)).
_ATTRIBUTES = "* -export-ignore -export-subst -text -ident -filter -working-tree-encoding\n"
# The others, GIT_DIR or GIT_EXEC_PATH among them, would turn our commands to something else.
_KEPT_VARIABLES = frozenset(("GIT_SSH", "GIT_SSH_COMMAND", "GIT_SSH_VARIANT", "GIT_ASKPASS", "GIT_SSL_CAINFO"))


def export(
    pin: GitPin, folder: Path, *, scratch: Path, environment: Mapping[str, str], timeout: float = _TIMEOUT
) -> str:
    """Write the files of a commit into `folder`, not yet existing, and return their tree digest.

    Submodules are left out. `scratch` is an empty folder for the repository; `timeout` is in seconds.

    Raises:
        UsageError: the URL or the commit is not one that is taken.
        MachineError: git is missing or fails; the repository cannot be reached.
        IntegrityError: there is something in the commit that must not be written.
    """
    _check(pin)
    env = {name: value for name, value in environment.items() if not name.startswith("GIT_") or name in _KEPT_VARIABLES}
    env |= {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    repository, packed = scratch / "repository", scratch / "tree.tar"
    _git(pin, "init", "--quiet", "--bare", "--template=", str(repository), cwd=scratch, env=env, timeout=timeout)
    (repository / "info").mkdir(exist_ok=True)
    (repository / "info" / "attributes").write_text(_ATTRIBUTES, encoding="utf-8")
    options = ("--quiet", "--depth=1", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head")
    _git(pin, "fetch", *options, "--", pin.url, pin.commit, cwd=repository, env=env, timeout=timeout)
    pack = ("--format=tar", f"--prefix={_TOP}/", f"--output={packed}", pin.commit)
    _git(pin, "archive", *pack, cwd=repository, env=env, timeout=timeout)
    return digest_of(_unpacked(packed, folder, pin))


def checked_export(pin: GitPin, folder: Path, *, scratch: Path, environment: Mapping[str, str]) -> None:
    """The same, and the files must be those of the pin.

    Raises:
        ToolchainError: what `export` raises.
        IntegrityError: the files are not those of the pin; the folder must not be used.
    """
    found = export(pin, folder, scratch=scratch, environment=environment)
    if found != pin.tree:
        raise IntegrityError(
            f"the files of commit {pin.commit} are not the pinned ones\n"
            f"  pinned tree  {pin.tree}\n  found tree   {found}",
            subject=shown(pin.url),
            hint="if the pin was changed on purpose, make its tree digest anew; else do not use this repository",
        )


def _unpacked(packed: Path, folder: Path, pin: GitPin) -> tuple[Entry, ...]:
    try:
        return archive.extract(packed, {_TOP: folder})[_TOP]
    except IntegrityError as fault:
        raise IntegrityError(f"commit {pin.commit}: {fault.what}", subject=shown(pin.url), hint=fault.hint) from fault


def _check(pin: GitPin) -> None:
    subject = shown(pin.url)
    scheme = urlsplit(pin.url).scheme
    if scheme not in _SCHEMES:
        raise UsageError(f"the scheme {scheme!r} is not one of {', '.join(_SCHEMES)}", subject=subject)
    if urlsplit(pin.url).password is not None:
        hint = "let git's credential helper hold it"
        raise UsageError("a password does not belong into a pin", subject=subject, hint=hint)
    if not _COMMIT.fullmatch(pin.commit):
        raise UsageError(f"{pin.commit!r} is not a full commit id (40 hex digits)", subject=subject)


def _git(pin: GitPin, *words: str, cwd: Path, env: Mapping[str, str], timeout: float) -> None:
    settings = [word for setting in _SETTINGS for word in ("-c", setting)]
    done = process.run(
        ["git", *settings, *words], cwd=cwd, env=env, timeout=timeout, error=None, subject=shown(pin.url)
    )
    if done.returncode != 0:
        raise MachineError(
            f"git {words[0]} of commit {pin.commit} failed: {hidden(done.tail(5))}",
            subject=shown(pin.url),
            hint="see that the repository can be reached and has this commit, or use the provider 'index'",
        )
