"""Owns looking after a store: listing, explaining, verifying and pruning its entries."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from build_config.key import Difference, Key, differences, nearest
from build_config.model import Finding, Severity

from . import content, record
from .home import Home, status_of


@dataclass(frozen=True, slots=True)
class EntryInfo:
    """What is known of an entry without reading its content.

    `size` is in bytes; `created` and `used` are seconds since 1970. `reason` says why it is not served, if so; `key` is
    None, and `kind` and `name` a guess from its place, when its record cannot be read.
    """

    kind: str
    name: str
    origin: str
    size: int
    created: float
    used: float
    digest: str
    key: Key | None
    path: Path
    reason: str = ""


class State(StrEnum):
    """What asking for a key comes to.

    `BAD`: there is an entry and it will be put into quarantine. `QUARANTINED`: that happened before. `UNACCEPTED`: only
    origins that are not read have it.
    """

    HIT = "hit"
    BAD = "bad"
    QUARANTINED = "quarantined"
    UNACCEPTED = "unaccepted"
    MISS = "miss"


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a key is found or not: `reason` for what is bad, and for anything but a hit how the nearest key differs."""

    key: Key
    state: State
    reason: str = ""
    nearest: Key | None = None
    differences: tuple[Difference, ...] = ()


def entries(home: Home) -> Iterator[EntryInfo]:
    """Every entry in its place, sorted."""
    for origin, folder in home.all_entries():
        with contextlib.suppress(FileNotFoundError):
            yield _info(folder, origin, folder.parent.name)


def quarantined(home: Home) -> Iterator[EntryInfo]:
    """Every entry in the quarantine, sorted by key."""
    for place, reason in home.quarantined():
        with contextlib.suppress(FileNotFoundError):
            yield _info(place, "", "", reason)


def explain(home: Home, key: Key, origins: Sequence[str]) -> Explanation:
    """What `find` would come to if these origins are read.

    Raises:
        OSError: the store cannot be read.
    """
    state, reason = State.MISS, ""
    for origin in origins:
        try:
            record.verify(home.entry(key, origin), key=key, origin=origin)
        except FileNotFoundError:
            continue
        except record.BadEntryError as bad:
            if status_of(home.entry(key, origin)) is not None:
                state, reason = State.BAD, str(bad)
        else:
            return Explanation(key, State.HIT)
    known = {info.key: info.origin for info in entries(home) if info.key is not None and not info.reason}
    if state is State.MISS:
        put_away = [why for place, why in home.quarantined() if place.name.startswith(record.folder_name(key))]
        if key in known:
            state, reason = State.UNACCEPTED, f"only {known[key]} has made it, whose entries are not read"
        elif put_away:
            state, reason = State.QUARANTINED, put_away[-1]
    near = nearest(key, (other for other in known if other != key))
    return Explanation(key, state, reason, near, differences(key, near) if near else ())


def prune(home: Home, age: float | None, keep_size: int | None, *, dry_run: bool) -> tuple[EntryInfo, ...]:
    """Remove what is older than `age` seconds, then from the longest unused on until `keep_size` bytes are left.

    Raises:
        OSError: something cannot be removed.
    """
    now = time.time()
    known = sorted(
        (*quarantined(home), *entries(home)), key=lambda info: (not info.reason, info.used, info.digest, info.path)
    )
    left = sum(info.size for info in known)
    gone = []
    for info in known:
        old = age is not None and now - info.used > age
        if not old and (keep_size is None or left <= keep_size):
            continue
        with contextlib.suppress(FileNotFoundError):
            if dry_run or home.discard(info.path):
                gone.append(info)
                left -= info.size
    return tuple(gone)


def verify(home: Home) -> tuple[Finding, ...]:
    """Put every bad entry away, and tell of each.

    Raises:
        OSError: an entry cannot be read or moved.
    """
    findings = []
    for origin, folder in home.all_entries():
        if (status := status_of(folder)) is None:
            continue
        try:
            record.verify(folder, key=None, origin=origin)
        except FileNotFoundError:
            continue
        except record.BadEntryError as bad:
            if home.put_away(folder, status, str(bad)):
                hint = "it is in quarantine, and made anew when it is needed"
                findings.append(Finding("store-entry", Severity.ERROR, str(folder), str(bad), hint))
    return tuple(findings)


def _info(folder: Path, origin: str, kind: str, reason: str = "") -> EntryInfo:
    inside = folder / "entry" if not origin else folder
    try:
        own, key = record.read(inside)
    except record.BadEntryError as bad:
        used = inside.lstat().st_mtime
        why = reason or str(bad)
        return EntryInfo(kind, folder.name[:12], origin, content.size_of(inside), used, used, "", None, folder, why)
    used = record.used(inside)
    return EntryInfo(key.kind, key.name, own.origin, own.size, own.created, used, own.digest, key, folder, reason)
