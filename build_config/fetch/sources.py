"""Owns obtaining the sources of libraries: from the store where they are there, else from their pinned origin."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from build_config.errors import IntegrityError, MachineError, ToolchainError, UsageError
from build_config.key import Key
from build_config.model import Archive, Source
from build_config.store import Entry, Store

from . import archive as packed
from . import git, settings
from .download import PlaceError, Receiver, partial_name
from .index import Search
from .tree import digest_of
from .web import Client, Patience

Progress = Callable[[int, int], None]

PROVIDERS = ("index", "git")


def source_key(source: Source) -> Key:
    """The key of a library's source tree: the same bytes have the same key, wherever they come from."""
    return Key.of("source", source.name, [("tree", source.tree)])


def archive_key(archive: Archive) -> Key:
    """The key of a downloaded archive."""
    return Key.of("archive", archive.filename, [("sha256", archive.sha256)])


def provided(source: Source, provider: str) -> Source:
    """The source as a provider has it: what its `tree` then says is what `obtain` gives, and what keys must hold.

    Raises:
        UsageError: the provider is unknown, or has no pin of this library.
    """
    if provider not in PROVIDERS:
        raise UsageError(f"no provider {provider!r}", hint=f"use one of {', '.join(PROVIDERS)}")
    if provider == "index":
        return source
    if source.git is None:
        raise UsageError(
            f"{source.name} has no pinned commit",
            subject="crt/pins.toml",
            hint=f"add [libraries.{source.name}.git] with url, commit and tree, or use the provider 'index'",
        )
    return replace(source, tree=source.git.tree)


def obtain(
    sources: Sequence[Source],
    store: Store,
    *,
    provider: str,
    offline: bool,
    environment: Mapping[str, str],
    progress: Progress | None = None,
    patience: Patience | None = None,
) -> dict[str, Path]:
    """The folder with the files of each library, by name; valid until the store is closed.

    What the store has is verified and used; of the rest, the archive is downloaded unless the store has it, and its
    libraries are extracted in one pass. `progress` is called with bytes received and in all. With `offline`, only
    places on this machine are looked at.

    Raises:
        IntegrityError: what was found is not what is pinned; none of it is stored.
        MachineError: the network, the index, git or the disk fails; nothing is there and `offline` is set.
        UsageError: a library has no pin for the provider, or pip's configuration is wrong.
    """
    wanted = [provided(source, provider) for source in sources]
    found = {source.name: store.find(source_key(source)) for source in wanted}
    entries = {name: entry for name, entry in found.items() if entry is not None}
    missing = [source for source in wanted if source.name not in entries]
    if provider == "git":
        if missing and offline:
            names = ", ".join(source.name for source in missing)
            raise MachineError(f"not in the store, and offline: {names}", hint="run it once without --offline")
        for source in missing:
            entries[source.name] = _from_git(source, store, environment)
    else:
        for archive in dict.fromkeys(source.archive for source in missing):
            file = obtain_archive(
                archive, store, offline=offline, environment=environment, progress=progress, patience=patience
            )
            entries |= _from_archive(file, [source for source in missing if source.archive == archive], store)
    return {source.name: entries[source.name].path for source in wanted}


def obtain_archive(
    archive: Archive,
    store: Store,
    *,
    offline: bool,
    environment: Mapping[str, str],
    progress: Progress | None = None,
    patience: Patience | None = None,
) -> Path:
    """The pinned archive, in the store; valid, and raising, as with `obtain`."""

    def build(staged: Path) -> None:
        client = Client(settings.load(environment), patience or Patience())
        with tempfile.TemporaryDirectory(dir=staged.parent) as private:
            partial = _partial_folder(store, staged, Path(private)) / partial_name(archive)
            receiver = Receiver(archive, partial, client, progress)
            _download(archive, Search(archive, client, offline=offline), receiver, staged / archive.filename)

    return store.get_or_build(archive_key(archive), build)[0].path / archive.filename


def _download(archive: Archive, search: Search, receiver: Receiver, final: Path) -> None:
    faults: list[ToolchainError] = []
    for link in search.links():
        try:
            receiver.receive(link, final)
        except (IntegrityError, PlaceError) as fault:
            faults.append(fault)
        else:
            return
    faults += search.missed
    wrong = next((fault for fault in faults if isinstance(fault, IntegrityError)), None)
    if wrong is not None:
        raise wrong
    reasons = (
        f"{fault.subject}: {fault.what}" if fault.subject != archive.filename else fault.what for fault in faults
    )
    raise MachineError(
        "not in the store, and nowhere to be had:\n" + "\n".join(f"  - {reason}" for reason in reasons),
        subject=archive.filename,
        hint=(
            "run it once without --offline, or put the file into a folder that PIP_FIND_LINKS names"
            if search.offline
            else "see `pip config list`: an index there must have this file, and be reached; then run the same command again"
        ),
    )


def _partial_folder(store: Store, staged: Path, private: Path) -> Path:
    """Where a download may be gone on from next time: in the store, whose lock on the archive's key guards it too.

    Where the store cannot be used, a folder that goes away.
    """
    folder = store.root / "partial"
    if not staged.is_relative_to(store.root):
        return private
    try:
        folder.mkdir(exist_ok=True)
    except OSError:
        return private
    return folder


def _from_archive(path: Path, missing: Sequence[Source], store: Store) -> dict[str, Entry]:
    """The entries of libraries, all extracted in one pass and none stored before each was found right."""
    entries = {}
    with store.staging() as staged:
        folders = {source.name: staged / source.name for source in missing}
        top = path.name.removesuffix(".tar.gz").removesuffix(".tar.xz")
        prefixes = {source.name: f"{top}/{source.path}" for source in missing}
        written = packed.extract(path, {prefixes[name]: folder for name, folder in folders.items()})
        for source in missing:
            found = digest_of(written[prefixes[source.name]])
            if found != source.tree:
                raise IntegrityError(
                    f"{prefixes[source.name]} is not the pinned tree\n"
                    f"  pinned tree  {source.tree}\n  found tree   {found}",
                    subject=path.name,
                    hint="the pin of the archive and those of its libraries do not belong together: make all anew",
                )
        for source in missing:
            entries[source.name] = _stored(source, folders[source.name], store)
    return entries


def _from_git(source: Source, store: Store, environment: Mapping[str, str]) -> Entry:
    if source.git is None:
        raise UsageError(f"{source.name} has no pinned commit", subject="crt/pins.toml")
    with store.staging() as staged:
        scratch, folder = staged / "scratch", staged / "files"
        scratch.mkdir()
        git.checked_export(source.git, folder, scratch=scratch, environment=environment)
        return _stored(source, folder, store)


def _stored(source: Source, folder: Path, store: Store) -> Entry:
    def build(staged: Path) -> None:
        for item in sorted(folder.iterdir()):
            item.rename(staged / item.name)

    return store.get_or_build(source_key(source), build)[0]
