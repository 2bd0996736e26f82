"""Owns receiving a pinned file: resumed where it broke off, hashed on the way, named only when it is right."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from build_config.errors import IntegrityError, MachineError
from build_config.model import Archive

from .index import Link, mismatch
from .web import Client, GetError, Response

_PIECE = 1 << 20
_OK, _PARTIAL, _UNSATISFIABLE = 200, 206, 416
_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")
_HINT = "look at the network and at `pip config list`, then run the same command again"

Progress = Callable[[int, int], None]


def partial_name(archive: Archive) -> str:
    """The file name under which an incomplete file waits for the rest."""
    return f"{archive.sha256}.part"


class PlaceError(MachineError):
    """One place fails to give the file; another may do better."""


class Receiver:
    """Makes one pinned file out of what its places give.

    `partial` is a path for nobody else's use, named by `partial_name`. It stays, to be gone on from, when the network
    fails, and goes when its bytes are found to be wrong. `progress` is called with bytes received and in all.
    """

    def __init__(self, archive: Archive, partial: Path, client: Client, progress: Progress | None = None) -> None:
        self._archive = archive
        self._partial = partial
        # The validator of what is in the partial file (RFC 9110, 8.8.3).
        self._etag = partial.with_suffix(".etag")
        self._client = client
        self._progress = progress

    def receive(self, link: Link, final: Path) -> None:
        """Make `final`, on the file system of the partial file, the pinned file.

        Raises:
            IntegrityError: it is another file, or shorter, or longer; or each try broke off. Nothing is at `final`.
            PlaceError: the server or the network fails, or the file of this machine cannot be read.
            MachineError: the time is over, or there is no room.
        """
        try:
            if link.path is not None:
                self._copy(link, link.path)
            else:
                self._download(link)
            os.replace(self._partial, final)
            self._etag.unlink(missing_ok=True)
        except OSError as cause:
            raise MachineError(
                f"cannot be received: {cause.strerror}",
                subject=cause.filename or self._partial,
                hint="make room or choose another store, then run the same command again",
            ) from cause

    def _copy(self, link: Link, path: Path) -> None:
        self._discard()
        hasher = hashlib.sha256()
        try:
            source = path.open("rb")
        except OSError as cause:
            raise PlaceError(f"cannot be read: {cause.strerror}", subject=path, hint=_HINT) from cause
        with source:
            self._append(link, iter(lambda: source.read(_PIECE), b""), hasher)
        self._judge(link, hasher, resumed=False)

    def _download(self, link: Link) -> None:
        try:
            self._client.attempt(lambda: self._once(link))
        except GetError as failure:
            have = self._have()
            if failure.cut:
                raise IntegrityError(
                    f"{link.shown} broke off: {failure}; {have} of {self._archive.size} bytes are there\n"
                    f"  pinned sha256  {self._archive.sha256}\n  found sha256   {self._hash_of_partial().hexdigest()}",
                    subject=self._archive.filename,
                    hint="run the same command again: it goes on from there",
                ) from failure
            raise PlaceError(f"{link.shown}: {failure}", subject=self._archive.filename, hint=_HINT) from failure

    def _once(self, link: Link) -> None:
        have = self._have()
        if have > self._archive.size:
            self._discard()
            have = 0
        if have == self._archive.size:
            self._judge(link, self._hash_of_partial(), resumed=True)
            return
        headers = {}
        if have:
            headers["Range"] = f"bytes={have}-"
            if etag := self._stored_etag():
                headers["If-Range"] = etag
        with self._client.get(link.url, headers) as response:
            if have and response.status == _UNSATISFIABLE:
                self._discard()
                raise GetError("the server has no more of it than is here", again=True)
            response.expect(_OK, *([_PARTIAL] if have else []))
            resumed = response.status == _PARTIAL
            if resumed:
                self._check_range(response, have)
            else:
                self._discard()
                self._keep_etag(response)
            self._take(link, response, resumed=resumed)

    def _take(self, link: Link, response: Response, *, resumed: bool) -> None:
        hasher = self._hash_of_partial()
        received = self._append(link, iter(response.read, b""), hasher)
        if received < self._archive.size and not response.has_known_end:
            raise GetError("it ended early", again=True, cut=True)
        self._judge(link, hasher, resumed=resumed)

    def _append(self, link: Link, pieces: Iterator[bytes], hasher: hashlib._Hash) -> int:
        """Add to the partial file; its size then."""
        with self._partial.open("ab") as sink:
            received = sink.tell()
            for piece in pieces:
                received += len(piece)
                if received > self._archive.size:
                    break
                sink.write(piece)
                # So that a killed process leaves what it has received.
                sink.flush()
                hasher.update(piece)
                if self._progress is not None:
                    self._progress(received, self._archive.size)
        if received > self._archive.size:
            self._discard()
            raise IntegrityError(
                f"{link.shown} is larger than the pinned {self._archive.size} bytes; stopped there\n"
                f"  pinned sha256  {self._archive.sha256}",
                subject=self._archive.filename,
                hint="do not use this index, or make the pin anew from a file that you trust",
            )
        return received

    def _judge(self, link: Link, hasher: hashlib._Hash, *, resumed: bool) -> None:
        """Accept a file that is complete by its own account."""
        found = hasher.hexdigest()
        if found == self._archive.sha256:
            return
        size, page = self._have(), self._looks_like_a_page()
        self._discard()
        if resumed:
            raise GetError("the part that was here did not fit the rest", again=True)
        what = f"{link.shown} ({size} bytes, pinned {self._archive.size}{', a web page' if page else ''})"
        raise mismatch(self._archive, found, what)

    def _check_range(self, response: Response, have: int) -> None:
        found = _RANGE.fullmatch(response.header("Content-Range").strip())
        if found is None or int(found[1]) != have or found[2] not in ("*", str(self._archive.size)):
            self._discard()
            raise GetError("the server sends another part than was asked for", again=True)

    def _keep_etag(self, response: Response) -> None:
        etag = response.header("ETag")
        # A weak one does not say that the bytes are the same.
        if etag.startswith('"'):
            self._etag.write_text(etag, encoding="utf-8")

    def _stored_etag(self) -> str:
        try:
            return self._etag.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            return ""

    def _have(self) -> int:
        try:
            return self._partial.stat().st_size
        except FileNotFoundError:
            return 0

    def _hash_of_partial(self) -> hashlib._Hash:
        hasher = hashlib.sha256()
        with contextlib.suppress(FileNotFoundError), self._partial.open("rb") as stream:
            while piece := stream.read(_PIECE):
                hasher.update(piece)
        return hasher

    def _looks_like_a_page(self) -> bool:
        with self._partial.open("rb") as stream:
            return stream.read(64).lstrip().startswith(b"<")

    def _discard(self) -> None:
        self._partial.unlink(missing_ok=True)
        self._etag.unlink(missing_ok=True)
