"""Owns finding a pinned file on the package indexes that pip is configured for (PEP 503, PEP 691)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit
from urllib.request import url2pathname

from build_config.errors import IntegrityError, MachineError, ToolchainError
from build_config.model import Archive

from .address import Address, shown
from .web import Client, GetError

_JSON = "application/vnd.pypi.simple.v1+json"
_ACCEPT = f"{_JSON}, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
_LARGEST_PAGE = 64 << 20


@dataclass(frozen=True, slots=True)
class Link:
    """Where the file can be had: a file of this machine, or a URL, which may hold a password. `shown` never does."""

    shown: str
    path: Path | None = None
    url: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class _Row:
    """A file that an index page lists; `sha256` is empty where the page has none."""

    url: str
    filename: str
    sha256: str


class Search:
    """The places of one file, local ones first; `missed` says why the others have none."""

    def __init__(self, archive: Archive, client: Client, *, offline: bool) -> None:
        self._archive = archive
        self.client = client
        self.offline = offline
        self._seen: set[str] = set()
        self.missed: list[ToolchainError] = []

    def links(self) -> Iterator[Link]:
        """Each place, looked for only when the one before it was of no use.

        A place that says itself to have another file than the pinned one is left out.

        Raises:
            MachineError: the time is over.
        """
        settings = self.client.settings
        project = re.sub(r"[-_.]+", "-", self._archive.project).lower()
        places = [(item, False) for item in settings.find_links]
        places += [(f"{item.rstrip('/')}/{project}/", True) for item in settings.indexes]
        # Stable, so that within the local and the remote ones pip's order holds.
        for place, is_index in sorted(places, key=lambda pair: _local(pair[0]) is None):
            local = _local(place)
            found = self._remote(place, is_index=is_index) if local is None else self._local(local, is_index=is_index)
            for link in found:
                if link.shown not in self._seen:
                    self._seen.add(link.shown)
                    yield link

    def _local(self, path: Path, *, is_index: bool) -> Iterator[Link]:
        if path.is_dir() and not is_index:
            file = path / self._archive.filename
            if file.is_file():
                yield Link(str(file), path=file)
            else:
                self._miss(f"{path} does not hold it")
            return
        page = path / "index.html" if path.is_dir() else path
        if page.name == self._archive.filename:
            yield Link(str(page), path=page)
            return
        try:
            text = page.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            self._miss(f"{page} cannot be read")
            return
        yield from self._listed(_from_html(text, page.absolute().as_uri()), str(page))

    def _remote(self, url: str, *, is_index: bool) -> Iterator[Link]:
        if self.offline:
            self._miss(f"{shown(url)} is not asked when offline")
            return
        try:
            address = Address.of(url)
        except ValueError as cause:
            self._miss(f"{shown(url)} {cause}")
            return
        trusted = address.is_among(self.client.settings.trusted_hosts)
        if address.scheme == "http" and not (trusted or address.is_local()):
            self._miss(f"{shown(url)} is neither encrypted nor one of pip's trusted hosts")
            return
        if not is_index and _filename(url) == self._archive.filename:
            yield Link(shown(url), url=url)
            return
        try:
            rows = self.client.attempt(lambda: self._page(url))
        except GetError as failure:
            self._miss(f"{shown(url)}: {failure}")
            return
        yield from self._listed(rows, shown(url))

    def _page(self, url: str) -> list[_Row]:
        with self.client.get(url, {"Accept": _ACCEPT}) as response:
            response.expect(200)
            body = bytearray()
            while piece := response.read():
                body += piece
                if len(body) > _LARGEST_PAGE:
                    raise GetError(f"its page is larger than {_LARGEST_PAGE} bytes", again=False)
            text = body.decode(errors="replace")
            if response.header("Content-Type").partition(";")[0].strip().lower() == _JSON:
                return _from_json(text, response.url)
            return _from_html(text, response.url)

    def _listed(self, rows: list[_Row], where: str) -> Iterator[Link]:
        wanted = [row for row in rows if row.filename == self._archive.filename]
        if not wanted:
            self._miss(f"{where} does not list it")
        for row in wanted:
            if row.sha256 not in ("", self._archive.sha256):
                self.missed.append(mismatch(self._archive, row.sha256, f"what {where} lists"))
                continue
            local = _local(row.url)
            if local is not None:
                if _local(where) is None:
                    self._miss(f"{where} names a file of this machine")
                else:
                    yield Link(str(local), path=local)
            elif self.offline:
                self._miss(f"{shown(row.url)} is not asked when offline")
            else:
                yield Link(shown(row.url), url=row.url)

    def _miss(self, why: str) -> None:
        self.missed.append(MachineError(why, subject=self._archive.filename))


def mismatch(archive: Archive, sha256: str, what: str) -> IntegrityError:
    """The error about a file that is not the pinned one."""
    return IntegrityError(
        f"{what} is not the pinned file\n  pinned sha256  {archive.sha256}\n  found sha256   {sha256}",
        subject=archive.filename,
        hint="if the pin was changed on purpose, make it anew from a file that you trust; else do not use this index",
    )


class _Anchors(HTMLParser):
    """The links of a page, as (href, base) that holds for them."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.base = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        href = dict(attrs).get("href")
        if tag == "a" and href:
            self.found.append(href)
        elif tag == "base" and href and not self.base:
            self.base = href


def _from_html(text: str, url: str) -> list[_Row]:
    parser = _Anchors()
    parser.feed(text)
    parser.close()
    base = _joined(url, parser.base)
    rows = []
    for href in parser.found:
        target, _, fragment = _joined(base, href).partition("#")
        # PEP 503: the fragment is `sha256=HEX`; another hash says nothing about ours.
        name, _, value = fragment.partition("=")
        rows.append(_Row(target, _filename(target), value.lower() if name == "sha256" else ""))
    return rows


def _from_json(text: str, url: str) -> list[_Row]:
    try:
        data = json.loads(text)
        if str(data["meta"]["api-version"]).partition(".")[0] != "1":
            raise GetError("its page is of a version unknown here", again=False)
        return [
            _Row(_joined(url, row["url"]), str(row["filename"]), str(row.get("hashes", {}).get("sha256", "")).lower())
            for row in data["files"]
        ]
    except (ValueError, KeyError, TypeError, AttributeError) as cause:
        raise GetError("its page is not what PEP 691 describes", again=False) from cause


def _joined(base: str, reference: str) -> str:
    try:
        return urljoin(base, reference)
    except ValueError:
        return ""


def _filename(url: str) -> str:
    try:
        return unquote(urlsplit(url).path.rpartition("/")[2])
    except ValueError:
        return ""


def _local(place: str) -> Path | None:
    """The path that a place names, where it is one of this machine."""
    scheme = re.match(r"([A-Za-z][A-Za-z0-9+.-]+):", place)
    if scheme is None:
        return Path(place)
    if scheme[1].lower() != "file":
        return None
    parts = urlsplit(place)
    return Path(url2pathname(parts.path)) if parts.netloc in ("", "localhost") else None
