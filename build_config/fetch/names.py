"""Owns which paths of an archive may be written: the same ones, meaning the same, on every file system."""

from __future__ import annotations

import re
import unicodedata

from build_config.errors import IntegrityError

from .tree import Kind

LONGEST_PATH = 1024
"""Bytes; macOS's PATH_MAX, the smallest of the supported systems."""

_LONGEST_PART = 255
_MOST_LINKS = 40
_FORBIDDEN = re.compile(r'[\x00-\x1f\x7f<>:"|?*\\]')
# https://learn.microsoft.com/windows/win32/fileio/naming-a-file; the superscript digits count as digits there.
_RESERVED = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³]) *(\..*)?", re.DOTALL)


def problem(path: str) -> str:
    """Why a member path must not be written, or an empty string.

    `path` has `/` between its parts and none at its end.
    """
    if len(path.encode()) > LONGEST_PATH:
        return f"is longer than {LONGEST_PATH} bytes"
    if path.startswith("/"):
        return "is absolute"
    if found := _FORBIDDEN.search(path):
        return "has a drive letter or a stream" if found[0] == ":" else f"has the character {found[0]!r}"
    # Control, format, surrogate, private and unassigned: invisible, or ignored by some file systems.
    if not path.isascii() and any(unicodedata.category(char).startswith("C") for char in path):
        return "has an invisible character"
    return next(filter(None, map(_part_problem, path.split("/"))), "")


def _part_problem(part: str) -> str:
    if part in ("", ".", ".."):
        return f"has the part {part!r}"
    if len(part.encode()) > _LONGEST_PART:
        return f"has a part longer than {_LONGEST_PART} bytes"
    if part.endswith((".", " ")):
        return f"has the part {part!r}, which ends in a dot or a space"
    folded = part.lower()
    if _RESERVED.fullmatch(folded):
        return f"has the part {part!r}, a device on Windows"
    # A build that asks Git for its version would run what the configuration in there says.
    return "has the part '.git'" if folded == ".git" else ""


class Namespace:
    """The paths of one archive, none of which may stand for another's file on any file system.

    Every method raises IntegrityError, with the archive as its subject.
    """

    def __init__(self, subject: str) -> None:
        self._subject = subject
        self._spelt: dict[str, str] = {}
        self._kinds: dict[str, Kind] = {}
        self._links: dict[str, str] = {}
        self._members: set[str] = set()

    def add(self, path: str, kind: Kind, link: str) -> None:
        """Enter a member; `link` is a symlink's target."""
        if why := problem(path):
            self.refuse(path, why)
        if path in self._members:
            self.refuse(path, "is there twice")
        self._members.add(path)
        parent, slash, _ = path.rpartition("/")
        if slash:
            self._enter(parent, Kind.DIRECTORY)
        self._enter(path, kind)
        if kind is Kind.SYMLINK:
            self._links[_folded(path)] = link

    def check_links(self, roots: tuple[str, ...]) -> None:
        """No symlink leads out of the root that it is in, nor, where it is in none, out of the archive."""
        for path in self._members:
            if self._kinds[path] is Kind.SYMLINK:
                self._resolve(path, next((f"{root}/" for root in roots if path.startswith(f"{root}/")), ""))

    def refuse(self, path: str, why: str) -> None:
        """Raise the error about one path."""
        shown = path if len(path) <= 200 else f"{path[:200]}…"  # noqa: PLR2004 - a line on a screen
        raise IntegrityError(f"entry {shown!r} {why}", subject=self._subject, hint="do not use this archive")

    def _enter(self, path: str, kind: Kind) -> None:
        known = self._kinds.get(path)
        if known is not None:
            if not (known is Kind.DIRECTORY and kind is Kind.DIRECTORY):
                self.refuse(path, "is both a folder and not one")
            return
        parent, slash, _ = path.rpartition("/")
        if slash:
            self._enter(parent, Kind.DIRECTORY)
        twin = self._spelt.setdefault(_folded(path), path)
        if twin != path:
            self.refuse(path, f"differs from {twin!r} only in case or Unicode form")
        self._kinds[path] = kind

    def _resolve(self, path: str, root: str) -> None:
        """Walk to where a symlink ends, as the kernel would, were `root` the file system's and case of no matter."""
        todo, done, links = path.removeprefix(root).split("/")[::-1], list[str](), 0
        while todo:
            part = todo.pop()
            if part in ("", "."):
                continue
            if part == "..":
                if not done:
                    self.refuse(path, f"is a symlink out of {root or 'the archive'}")
                done.pop()
                continue
            done.append(part)
            target = self._links.get(_folded(root + "/".join(done)))
            if target is None:
                continue
            links += 1
            if links > _MOST_LINKS:
                self.refuse(path, "is a symlink through too many others")
            self._check_target(path, target)
            done.pop()
            todo.extend(target.split("/")[::-1])

    def _check_target(self, path: str, target: str) -> None:
        # Parts of a target are not new names: only what makes it mean something else elsewhere is refused.
        inner = "/".join(part for part in target.split("/") if part not in ("", ".", ".."))
        if not target or target.startswith("/") or (inner and problem(inner)) or len(target) > LONGEST_PATH:
            self.refuse(path, f"is a symlink to {target[:200]!r}")


def _folded(path: str) -> str:
    if path.isascii():
        return path.lower()
    # Twice, for case folding may undo the normal form.
    once = unicodedata.normalize("NFC", path).casefold()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", once).casefold())
