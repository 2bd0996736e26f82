"""Owns finding and publishing entries: each visible by one rename, verified when read, and held while it is used."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import logging
import os
import re
import tempfile
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

from build_config.errors import MachineError, UsageError
from build_config.key import Key
from build_config.model import Finding

from . import content, locks, record, upkeep
from .home import FULL, Home, machine_error, status_of

_TAKEN = frozenset({errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR})
_ORIGIN = re.compile(r"[a-z0-9][a-z0-9._-]*")
_PUBLISH_TRIES = 3


@dataclasses.dataclass(frozen=True, slots=True)
class Entry:
    """A content that may be read until its store is closed, whose object it keeps alive; its files are read-only.

    `path` is the folder that holds the files as published; `digest` is the same for the same files, names, modes and
    links. `published` False means that it could not be stored and goes away with the store object. `rival` is the
    digest of another content that was offered for the same key and refused: the build is then not reproducible.
    """

    key: Key
    path: Path
    digest: str
    origin: str
    store: Store = dataclasses.field(repr=False, compare=False)
    published: bool = True
    rival: str | None = None


class Store:
    """Results of builds under the keys that decided them, shared by processes; safe to use from several threads.

    Each origin writes among its own entries. `accept` names the origins that are read (None: every one), so that a
    release build can leave alone what an untrusted job has written. Where the root cannot be used, a temporary folder
    takes its place. `warn` is told what the user should know, on the thread that is at work.
    """

    def __init__(
        self,
        root: Path,
        *,
        origin: str = "local",
        accept: frozenset[str] | None = None,
        warn: Callable[[str], None] | None = None,
    ) -> None:
        for name in {origin, *(accept or ())}:
            if not _ORIGIN.fullmatch(name):
                raise UsageError(f"not a name of an origin: {name!r}", hint="use a-z, 0-9, '.', '_' and '-'")
        self.root = root.absolute()
        self.origin = origin
        self._accept = accept
        self._warn = warn or logging.getLogger(__name__).warning
        self._nominal = Home(self.root)
        self._home: Home | None = None
        self._guard = threading.RLock()
        self._closing = threading.Event()
        self._leases: set[str] = set()
        self._unpublished: dict[str, Entry] = {}
        self._resources = contextlib.ExitStack()
        self._finalizer = weakref.finalize(self, self._resources.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of every entry, and end the waiting of other threads with a `MachineError`."""
        self._closing.set()
        with self._guard:
            self._unpublished.clear()
            self._finalizer()

    def find(self, key: Key) -> Entry | None:
        """The entry of this key, every byte of it verified; a bad one is quarantined and not returned.

        Raises:
            MachineError: the store cannot be read.
        """
        if (private := self._unpublished.get(key.digest)) is not None:
            return private
        home = self._prepared()
        with _refusal("cannot read the store", self.root):
            for origin in self._readable(home):
                if (found := self._read(home, key, origin)) is not None:
                    return found
        return None

    @contextlib.contextmanager
    def staging(self) -> Iterator[Path]:
        """A fresh empty folder for `publish`, on the store's file system; gone at the end if it was not published.

        Raises:
            MachineError: it cannot be made.
        """
        with contextlib.ExitStack() as stack:
            yield self._staged(stack)

    def publish(self, key: Key, staged: Path) -> Entry:
        """Make a folder from `staging` the entry of this key, by one rename after everything is on the disk.

        When another build was first its entry is kept, and `rival` of the result tells whether ours was different.

        Raises:
            BuildError: the folder holds what cannot be stored.
            MachineError: it cannot be stored.
            ValueError: the folder is not one of `staging`.
        """
        home = self._prepared()
        if not home.staged_here(staged.parent):
            raise ValueError(f"not a folder that the store gave out: {staged}")
        with _refusal("cannot store what was built", staged):
            content.seal(staged)
            return self._admit(home, key, staged, content.describe(staged))

    def get_or_build(self, key: Key, build: Callable[[Path], None]) -> tuple[Entry, bool]:
        """The entry of this key, made by `build` in the empty folder that it is given if there is none; whether it was.

        One process and thread at a time builds a key, the others wait for it. What cannot be stored for want of space
        or rights is returned all the same, unpublished, with a warning.

        Raises:
            MachineError: there is no room to build in, or the store was closed while waiting.
            ToolchainError: whatever `build` raises.
        """
        if (found := self.find(key)) is not None:
            return found, False
        home = self._prepared()
        with self._alone(home, key), contextlib.ExitStack() as stack:
            if (found := self.find(key)) is not None:
                return found, False
            staged = self._staged(stack)
            _build(build, staged)
            with _refusal("cannot keep what was built", staged):
                content.seal(staged)
                described = content.describe(staged)
            try:
                return self._admit(home, key, staged, described), True
            except OSError as cause:
                self._warn(f"{key.kind} {key.name} is not stored: {cause.strerror or cause}: {self.root}")
            with self._guard:
                self._resources.push(stack.pop_all())
            private = Entry(key, staged, described.digest, self.origin, self, published=False)
            self._unpublished[key.digest] = private
            return private, True

    def entries(self) -> Iterator[upkeep.EntryInfo]:
        """What the store says it holds, nothing of it verified, sorted; entries that cannot be read have a `reason`.

        Raises:
            MachineError: the store cannot be read.
        """
        with _refusal("cannot read the store", self.root):
            yield from upkeep.entries(self._nominal)

    def quarantined(self) -> Iterator[upkeep.EntryInfo]:
        """The bad entries that were put away, each with the `reason`.

        Raises:
            MachineError: the store cannot be read.
        """
        with _refusal("cannot read the store", self.root):
            yield from upkeep.quarantined(self._nominal)

    def explain(self, key: Key) -> upkeep.Explanation:
        """Whether this key would be found, and why not; changes nothing.

        Raises:
            MachineError: the store cannot be read.
        """
        with _refusal("cannot read the store", self.root):
            return upkeep.explain(self._nominal, key, self._readable(self._nominal))

    def prune(
        self, *, older_than: timedelta | None = None, keep_size: int | None = None, dry_run: bool = False
    ) -> tuple[upkeep.EntryInfo, ...]:
        """Remove what was not used for `older_than`, then the longest unused until at most `keep_size` bytes are left.

        What somebody reads right now stays. `dry_run` only tells what would go.

        Raises:
            MachineError: the store cannot be changed.
            UsageError: neither limit is given.
        """
        if older_than is None and keep_size is None:
            raise UsageError("nothing says what may go", hint="give an age, a size, or both")
        with _refusal("cannot prune the store", self.root):
            age = None if older_than is None else older_than.total_seconds()
            return upkeep.prune(self._nominal, age, keep_size, dry_run=dry_run)

    def verify(self) -> tuple[Finding, ...]:
        """Verify every entry, of every origin; bad ones are quarantined, one finding each.

        Raises:
            MachineError: the store cannot be read, or a bad entry cannot be moved.
        """
        with _refusal("cannot verify the store", self.root):
            return upkeep.verify(self._nominal)

    def sweep(self) -> tuple[Path, ...]:
        """Remove what processes that are no more left unfinished; done once by itself before a store is used.

        Raises:
            MachineError: the store cannot be read.
        """
        with _refusal("cannot sweep the store", self.root):
            return self._nominal.sweep()

    def _prepared(self) -> Home:
        with self._guard:
            if self._closing.is_set():
                raise MachineError("the store is closed", subject=self.root)
            if self._home is None:
                try:
                    self._nominal.prepare()
                    self._home = self._nominal
                    self._home.sweep()
                except OSError as cause:
                    self._home = self._temporary(cause)
            return self._home

    def _temporary(self, cause: OSError) -> Home:
        with _refusal("the store cannot be used, and no temporary folder instead of it", self.root):
            folder = tempfile.TemporaryDirectory(prefix="build-store-", ignore_cleanup_errors=True)
            home = Home(Path(self._resources.enter_context(folder)))
            home.prepare()
        self._warn(f"the store cannot be used and nothing is kept for the next time: {cause.strerror}: {self.root}")
        return home

    def _readable(self, home: Home) -> list[str]:
        """The origins to look for, our own first."""
        names = [name for name in home.origins() if self._accept is None or name in self._accept]
        return sorted(names, key=lambda name: (name != self.origin, name))

    def _read(self, home: Home, key: Key, origin: str) -> Entry | None:
        folder = home.entry(key, origin)
        if status_of(folder) is None:
            return None
        self._lease(home, key)
        if (status := status_of(folder)) is None:
            return None
        try:
            own, _ = record.verify(folder, key=key, origin=origin)
        except FileNotFoundError:
            return None
        except record.BadEntryError as bad:
            self._put_away(home, folder, status, str(bad))
            return None
        with contextlib.suppress(OSError):
            record.touch(folder)
        return Entry(key, folder / record.FILES, own.digest, origin, self)

    def _put_away(self, home: Home, folder: Path, status: os.stat_result, reason: str) -> None:
        try:
            moved = home.put_away(folder, status, reason)
        except OSError as cause:
            self._warn(f"a bad entry ({reason}) cannot be moved: {cause.strerror}: {folder}")
        else:
            if moved:
                self._warn(f"a bad entry ({reason}) is put into quarantine and made anew: {folder}")

    def _lease(self, home: Home, key: Key) -> None:
        """Hold a key's entries until the store is closed, so that `prune` leaves them alone."""
        with self._guard:
            if key.digest not in self._leases:
                held = locks.acquire(home.using(record.folder_name(key)), shared=True, stop=self._closing)
                self._resources.callback(held.release)
                self._leases.add(key.digest)

    @contextlib.contextmanager
    def _alone(self, home: Home, key: Key) -> Iterator[None]:
        path = home.building(key)

        def tell() -> None:
            self._warn(f"waiting for another build that is making {key.kind} {key.name}")

        with _refusal("cannot lock the store", path):
            held = locks.acquire(path, stop=self._closing, waiting=tell)
        try:
            yield
        finally:
            held.release(remove=True)

    def _staged(self, stack: contextlib.ExitStack) -> Path:
        with _refusal("cannot make room for a build", self.root):
            folder = stack.enter_context(self._prepared().stage()) / record.FILES
            folder.mkdir()
            return folder

    def _admit(self, home: Home, key: Key, staged: Path, described: content.Content) -> Entry:
        """Raises OSError."""
        folder, target = staged.parent, home.entry(key, self.origin)
        self._lease(home, key)
        made = record.Record(key.text, self.origin, described.digest, described.size, time.time())
        record.write(folder, made, described.manifest)
        with contextlib.suppress(FileNotFoundError):
            # A path that cannot be named could be published, by renaming what is above it, and never be read again.
            (target / record.FILES / described.longest).lstat()
        target.parent.mkdir(parents=True, exist_ok=True)
        for _ in range(_PUBLISH_TRIES):
            try:
                folder.rename(target)
            except OSError as cause:
                if cause.errno not in _TAKEN:
                    raise
            else:
                # It is visible now; should a power loss take the name back, that is a miss and nothing worse.
                with contextlib.suppress(OSError):
                    for parent in target.parents[:3]:
                        content.flush_folder(parent)
                return Entry(key, target / record.FILES, described.digest, self.origin, self)
            if (theirs := self._read(home, key, self.origin)) is not None:
                same = theirs.digest == described.digest
                return theirs if same else dataclasses.replace(theirs, rival=described.digest)
        raise FileExistsError(errno.EEXIST, "a bad entry is in the way", os.fspath(target))


def _build(build: Callable[[Path], None], staged: Path) -> None:
    try:
        build(staged)
    except OSError as cause:
        if cause.errno in FULL:
            raise machine_error("no space left to build in", cause, staged) from cause
        raise


@contextlib.contextmanager
def _refusal(what: str, subject: Path) -> Iterator[None]:
    try:
        yield
    except OSError as cause:
        raise machine_error(what, cause, subject) from cause
