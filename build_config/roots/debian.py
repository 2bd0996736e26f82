"""Owns Debian's archive as apt knows it: choosing the packages of a tree, and fetching those that are pinned."""

from __future__ import annotations

import functools
import re
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from .. import process
from ..errors import IntegrityError, MachineError
from ..key import Key, file_sha256
from ..process import Output
from ..store import Store
from .catalog import WANTED, Package, Source, Tree

_APT_SECONDS, _FETCH_SECONDS = 600.0, 900.0
_AT_ONCE = 16
_HELPER = Path("/usr/lib/apt/apt-helper")
_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_URI = re.compile(r"'(?P<uri>[^']+)' \S+ (?P<size>\d+) SHA256:(?P<sha256>[0-9a-f]{64})")
_MOVED = "the mirror has other versions by now, as a moving suite's does: `roots lock` pins those that it has"

Progress = Callable[[int, int], None]
"""Told the bytes that are there, and those in all."""


def resolve(tree: Tree, *, environment: Mapping[str, str], work: Path) -> tuple[Package, ...]:
    """The packages that a tree needs today, with all that they depend on, sorted.

    apt decides, in folders of its own below `work`, as for a machine on which nothing is installed.

    Raises:
        MachineError: apt is not here, cannot reach an archive, or knows no such package.
    """
    command = ("download",) if tree.closed else ("install", "--yes", "--no-install-recommends")
    words = (*command, *tree.wanted)
    return _named(words, tree.suite, tree.architecture, environment, work)


def resolve_source(source: Source, *, environment: Mapping[str, str], work: Path) -> Package:
    """The upstream file of a source package; raises what `resolve` raises."""
    words = ("source", "--download-only", source.package)
    # No package of an architecture is asked for.
    found = _named(words, source.suite, "all", environment, work)
    return next(package for package in found if package.filename.endswith((".orig.tar.gz", ".orig.tar.xz")))


def _named(
    words: Sequence[str], suite: str, architecture: str, environment: Mapping[str, str], work: Path
) -> tuple[Package, ...]:
    """The files that a command of apt's would download."""
    uri = _archive(environment, work)
    env = {**environment, "APT_CONFIG": str(_private(suite, architecture, uri, work))}
    subject = " ".join(words[-1:])
    _apt(["update", "-qq"], env, work, suite)
    said = _apt([*words, "--print-uris"], env, work, subject)
    found = [
        Package(match["uri"].removeprefix(uri), int(match["size"]), match["sha256"])
        for match in map(_URI.match, said.splitlines())
        if match
    ]
    if not found:
        raise MachineError("apt names no files", subject=subject, hint=f"look at the packages of {WANTED}")
    return tuple(sorted(found, key=lambda package: package.path))


def package_key(package: Package) -> Key:
    """The key of a package's file."""
    return Key.of("debian", package.filename, [("sha256", package.sha256)])


def obtain(
    packages: Sequence[Package],
    store: Store,
    *,
    offline: bool,
    environment: Mapping[str, str],
    progress: Progress,
) -> dict[Package, Path]:
    """The file of each package, in the store; what is missing is fetched through apt, and verified.

    Raises:
        IntegrityError: a file is not the pinned one.
        MachineError: apt is not here, or has no such file; something is missing and `offline` is set.
    """
    entries = {package: store.find(package_key(package)) for package in packages}
    missing = [package for package, entry in entries.items() if entry is None]
    if missing and offline:
        raise MachineError(f"{len(missing)} packages are not in the store, and offline", subject=missing[0].path)
    total, done = sum(package.size for package in missing), 0
    for start in range(0, len(missing), _AT_ONCE):
        batch = missing[start : start + _AT_ONCE]
        with store.staging() as scratch:
            _fetch(batch, scratch, environment)
            for package in batch:
                file = scratch / package.filename
                entry, _ = store.get_or_build(package_key(package), functools.partial(_move, file))
                entries[package] = entry
        done += sum(package.size for package in batch)
        progress(done, total)
    return {package: entry.path / package.filename for package, entry in entries.items() if entry is not None}


def _move(file: Path, staged: Path) -> None:
    file.rename(staged / file.name)


def _fetch(packages: Iterable[Package], folder: Path, environment: Mapping[str, str]) -> None:
    """Fetch packages into a folder with apt's own downloader, which knows its proxies and certificates."""
    uri = _archive(environment, folder)
    words: list[str | Path] = [_HELPER, "-o", "APT::Sandbox::User=", "download-file"]
    for package in packages:
        words += [f"{uri}{package.path}", folder / package.filename, f"SHA256:{package.sha256}"]
    env = {**environment, "LC_ALL": "C.UTF-8"}
    done = process.run(words, cwd=folder, env=env, timeout=_FETCH_SECONDS, error=None)
    for package in packages:
        file = folder / package.filename
        refused = file.with_name(f"{file.name}.FAILED").is_file()
        if refused or (file.is_file() and file_sha256(file) != package.sha256):
            raise IntegrityError("is not the file that is pinned", subject=f"{uri}{package.path}", hint=_MOVED)
        if not file.is_file():
            raise MachineError(f"apt cannot fetch it:\n{done.tail(5)}", subject=package.path, hint=_MOVED)


def _archive(environment: Mapping[str, str], work: Path) -> str:
    """The address of Debian's main archive in this machine's configuration of apt."""
    if shutil.which("apt-get", path=environment.get("PATH")) is None or not _HELPER.is_file():
        raise MachineError("there is no apt", hint="roots are made of Debian's packages, on a Debian or Ubuntu machine")
    fields = ("Created-By: Packages", "Label: Debian", "Component: main")
    said = _apt(["indextargets", "--format", "$(REPO_URI)", *fields], environment, work, "apt")
    if not said.strip():
        raise MachineError(
            "apt is configured with no archive of Debian's, or has not yet read it",
            subject="/etc/apt",
            hint="add a source for Debian's component main, and run `apt-get update`",
        )
    return said.splitlines()[0]


def _apt(words: Sequence[str], environment: Mapping[str, str], work: Path, subject: str) -> str:
    return process.run(
        ["apt-get", *words],
        cwd=work,
        env={**environment, "LC_ALL": "C.UTF-8"},
        timeout=_APT_SECONDS,
        error=MachineError,
        subject=subject,
        output=Output.APART,
    ).output


def _private(suite: str, architecture: str, uri: str, work: Path) -> Path:
    """apt's configuration for one suite and architecture, and nothing of this machine's but how to reach the archive."""
    folder = work / "apt" / f"{suite}-{architecture}"
    for name in ("lists/partial", "cache/archives/partial"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "status").write_text("", encoding="utf-8")
    kind = "deb-src" if architecture == "all" else "deb"
    (folder / "sources.list").write_text(f"{kind} [signed-by={_KEYRING}] {uri} {suite} main\n", encoding="utf-8")
    rows = {
        "Dir::State": folder,
        "Dir::State::lists": folder / "lists",
        "Dir::State::status": folder / "status",
        "Dir::Cache": folder / "cache",
        "Dir::Etc::sourcelist": folder / "sources.list",
        "Dir::Etc::sourceparts": "-",
        "APT::Architecture": architecture,
        "APT::Sandbox::User": "",
        "Acquire::ForceHash": "sha256",
        "Acquire::Languages": "none",
    }
    text = "".join(f'{name} "{value}";\n' for name, value in rows.items())
    path = folder / "apt.conf"
    path.write_text(f'{text}APT::Architectures {{ "{architecture}"; }};\n', encoding="utf-8")
    return path
