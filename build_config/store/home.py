"""Owns the folders of a store on disk: where things lie, staging, and clearing away what dead processes left."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

from build_config.errors import MachineError
from build_config.key import Key

from . import content, locks, record

_VERSION = "v1"
FULL = frozenset({errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)})
_HINTS = {
    **dict.fromkeys(FULL, "free some space (`store prune`), or choose a store on another disk"),
    **dict.fromkeys((errno.EACCES, errno.EPERM), "look at the owner and permissions, or choose another store"),
    errno.ENAMETOOLONG: "choose a store with a shorter path",
    errno.EMFILE: "allow more open files (`ulimit -n`)",
}


class Home:
    """The folders below a store's root; nothing is made before `prepare`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        base = root / _VERSION
        self.entries, self.quarantine = base / "entries", base / "quarantine"
        self._locks, self._staging = base / "locks", base / "tmp"

    def prepare(self) -> None:
        """Make the folders and find out whether this process may write and lock here.

        Raises:
            OSError: it may not.
        """
        for folder in (self.entries, self.quarantine, self._locks, self._staging):
            folder.mkdir(parents=True, exist_ok=True)
        if (held := locks.try_acquire(self._locks / "probe", shared=True)) is not None:
            held.release()
        for folder in (self.entries, self.quarantine, self._locks, self._staging):
            if not os.access(folder, os.W_OK | os.X_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), os.fspath(folder))

    def entry(self, key: Key, origin: str) -> Path:
        return self.entries / origin / key.kind / record.folder_name(key)

    def origins(self) -> tuple[str, ...]:
        return tuple(path.name for path in _below(self.entries))

    def all_entries(self) -> Iterator[tuple[str, Path]]:
        """Each origin and entry folder, sorted."""
        for origin in _below(self.entries):
            for kind in _below(origin):
                for entry in _below(kind):
                    yield origin.name, entry

    def building(self, key: Key) -> Path:
        """The lock that whoever builds this key holds alone."""
        return self._locks / f"{record.folder_name(key)}.build"

    def using(self, name: str) -> Path:
        """The lock that readers of the entries in folders of this name share; whoever removes one holds it alone."""
        return self._locks / f"{name}.use"

    @contextlib.contextmanager
    def stage(self) -> Iterator[Path]:
        """A fresh folder that is gone at the end, unless it was renamed; after a crash `sweep` removes it.

        Raises:
            OSError: it cannot be made.
        """
        name = uuid.uuid4().hex
        # Nobody else wants this lock, but one who sweeps may look whether its holder is dead.
        held = locks.acquire(self._locks / f"{name}.stage")
        folder = self._staging / name
        try:
            folder.mkdir()
            yield folder
        finally:
            with contextlib.suppress(OSError):
                content.remove(folder)
            held.release(remove=not folder.exists())

    def staged_here(self, folder: Path) -> bool:
        return folder.parent == self._staging

    def sweep(self) -> tuple[Path, ...]:
        """Remove what dead processes left, and return the folders that were removed.

        Death is told by the kernel having let go of a lock: neither process ids nor clocks are asked.
        """
        swept = []
        for folder in _below(self._staging):
            with contextlib.suppress(OSError):
                if (held := locks.try_acquire(self._locks / f"{folder.name}.stage")) is not None:
                    try:
                        content.remove(folder)
                        swept.append(folder)
                    finally:
                        held.release(remove=not folder.exists())
        for path in _below(self._locks):
            if path.suffix in {".build", ".stage"} and not (self._staging / path.stem).exists():
                with contextlib.suppress(OSError):
                    if (held := locks.try_acquire(path)) is not None:
                        held.release(remove=True)
        return tuple(swept)

    def put_away(self, entry: Path, status: os.stat_result, reason: str) -> bool:
        """Move a bad entry to the quarantine with its reason; False when it is no longer the one that was judged.

        Raises:
            OSError: it cannot be moved.
        """
        place = self.quarantine / f"{entry.name}-{uuid.uuid4().hex[:8]}"
        with self._removing():
            current = status_of(entry)
            if current is None or not os.path.samestat(current, status):
                return False
            place.mkdir()
            entry.rename(place / "entry")
        # The entry is out of the way, which is what counts; a full disk must not undo that.
        with contextlib.suppress(OSError):
            (place / "reason").write_text(json.dumps({"from": os.fspath(entry), "reason": reason}), encoding="utf-8")
        return True

    def quarantined(self) -> Iterator[tuple[Path, str]]:
        """Each place in the quarantine and why it is there."""
        for place in _below(self.quarantine):
            try:
                reason = json.loads((place / "reason").read_text(encoding="utf-8"))["reason"]
            except (OSError, ValueError, KeyError, TypeError):
                reason = "for a reason that could not be written down"
            yield place, reason

    def discard(self, folder: Path) -> bool:
        """Remove an entry or a place in the quarantine; False when somebody uses it.

        Raises:
            OSError: it cannot be removed.
        """
        with contextlib.ExitStack() as stack:
            stage = stack.enter_context(self.stage())
            if folder.parent != self.quarantine:
                held = locks.try_acquire(self.using(folder.name))
                if held is None:
                    return False
                stack.callback(held.release, remove=True)
            with self._removing():
                folder.rename(stage / "discarded")
        return True

    @contextlib.contextmanager
    def _removing(self) -> Iterator[None]:
        """While it lasts, nobody else takes an entry away, so that none is mistaken for another at the same place."""
        held = locks.acquire(self._locks / "removing")
        try:
            yield
        finally:
            held.release()


def machine_error(what: str, cause: OSError, subject: Path) -> MachineError:
    """An operating system's refusal, with what to do about it."""
    hint = _HINTS.get(cause.errno or 0, "choose another store")
    return MachineError(f"{what}: {cause.strerror or cause}", subject=cause.filename or subject, hint=hint)


def status_of(path: Path) -> os.stat_result | None:
    """What is at a path, no link being followed; None for nothing."""
    try:
        return path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None


def _below(folder: Path) -> list[Path]:
    """What lies in a folder, sorted; nothing when there is no such folder.

    Raises:
        OSError: it cannot be read.
    """
    try:
        return sorted(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
