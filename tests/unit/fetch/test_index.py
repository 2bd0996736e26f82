"""Owns the tests of finding the pinned file: both forms of index pages, local places, and pages that say wrong things."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from build_config.errors import IntegrityError
from build_config.fetch.index import Link, Search
from build_config.model import Archive

BODY = b"the file"
SHA256 = hashlib.sha256(BODY).hexdigest()
NAME = "My.Pack_age-1.0.tar.gz"
ARCHIVE = Archive("My.Pack__age", "1.0", NAME, len(BODY), SHA256)
PAGE = "/simple/my-pack-age/"
JSON = "application/vnd.pypi.simple.v1+json"

Find = Callable[..., "tuple[list[Link], Search]"]


@pytest.fixture
def find(client: Any) -> Find:
    def run(*, offline: bool = False, **variables: str) -> tuple[list[Link], Search]:
        search = Search(ARCHIVE, client(**variables), offline=offline)
        return list(search.links()), search

    return run


def reasons(search: Search) -> str:
    return "\n".join(fault.what for fault in search.missed)


def page(*anchors: str, head: str = "") -> bytes:
    return f"<!DOCTYPE html><html><head>{head}</head><body>{'<br>'.join(anchors)}</body></html>".encode()


@pytest.mark.parametrize(
    ("href", "path"),
    [
        (f"/files/{NAME}#sha256={SHA256}", f"/files/{NAME}"),
        (f"../../files/{NAME}#sha256={SHA256.upper()}", f"/files/{NAME}"),
        (f"{NAME}", f"{PAGE}{NAME}"),
        (f"/f/My%2EPack_age-1.0.tar.gz?x=1&amp;y=2#md5={'0' * 32}", "/f/My%2EPack_age-1.0.tar.gz"),
    ],
)
def test_an_html_page_is_read(site: Any, answers: Any, find: Find, href: str, path: str) -> None:
    other = '<a href="/files/my-pack-age-1.1.tar.gz">My.Pack_age-1.0.tar.gz</a>'
    site.answers[PAGE] = answers.serve(
        page(other, f'<a data-x="1" HREF="{href}">x</a>', "<a>", "<a href>"), "text/html"
    )
    links, _ = find(PIP_INDEX_URL=f"{site.url}/simple/")
    assert [link.shown for link in links] == [site.url + path]
    assert JSON in site.requests[0][1]["accept"]


def test_a_base_counts_for_relative_links(site: Any, answers: Any, find: Find) -> None:
    site.answers[PAGE] = answers.serve(page(f'<a href="x/{NAME}">', head='<base href="/base/y/">'), "text/html")
    links, _ = find(PIP_INDEX_URL=f"{site.url}/simple")
    assert [link.url for link in links] == [f"{site.url}/base/y/x/{NAME}"]


def test_links_are_relative_to_where_a_redirect_ended(site: Any, answers: Any, find: Find) -> None:
    site.answers[PAGE] = answers.status(301, {"Location": "/elsewhere/"})
    site.answers["/elsewhere/"] = answers.serve(page(f'<a href="{NAME}">'), "text/html")
    links, _ = find(PIP_INDEX_URL=f"{site.url}/simple")
    assert [link.url for link in links] == [f"{site.url}/elsewhere/{NAME}"]


def listing(*files: dict[str, object], version: str = "1.3") -> bytes:
    return json.dumps({"meta": {"api-version": version}, "name": "my-pack-age", "files": files}).encode()


@pytest.mark.parametrize("kind", [JSON, f"{JSON}; charset=utf-8", JSON.upper()])
def test_a_json_page_is_read(site: Any, answers: Any, find: Find, kind: str) -> None:
    files: tuple[dict[str, object], ...] = (
        {"filename": "my-pack-age-0.9.tar.gz", "url": f"/f/{NAME}", "hashes": {}},
        {"filename": NAME, "url": "../f/anything", "hashes": {"sha256": SHA256, "md5": "0"}, "yanked": True},
    )
    site.answers[PAGE] = answers.serve(listing(*files), kind)
    links, _ = find(PIP_INDEX_URL=f"{site.url}/simple")
    assert [link.url for link in links] == [f"{site.url}/simple/f/anything"]


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b"null",
        b'{"meta": {"api-version": "1.0"}}',
        b'{"meta": {"api-version": "1.0"}, "files": [1]}',
        b'{"meta": {"api-version": "1.0"}, "files": [{"url": 1, "filename": "x"}]}',
        b'{"meta": {"api-version": "1.0"}, "files": [{"url": "x", "filename": "x", "hashes": 1}]}',
        listing(version="2.0"),
    ],
)
def test_a_page_that_is_not_one_is_a_reason(site: Any, answers: Any, find: Find, body: bytes) -> None:
    site.answers[PAGE] = answers.serve(body, JSON)
    links, search = find(PIP_INDEX_URL=f"{site.url}/simple")
    assert links == []
    assert "its page is" in reasons(search)


@pytest.mark.fault("F06")
def test_an_index_that_has_another_file_of_the_name_says_both_hashes(site: Any, answers: Any, find: Find) -> None:
    site.answers[PAGE] = answers.serve(page(f'<a href="/f/{NAME}#sha256={"0" * 64}">'), "text/html")
    links, search = find(PIP_INDEX_URL=f"{site.url}/simple")
    assert links == []
    assert isinstance(search.missed[0], IntegrityError)
    assert SHA256 in str(search.missed[0])
    assert "0" * 64 in str(search.missed[0])
    assert site.paths() == [PAGE]


def test_a_folder_and_a_file_of_this_machine_are_looked_at_first(
    site: Any, answers: Any, find: Find, tmp_path: Path
) -> None:
    for name in ("folder", "other folder"):
        (tmp_path / name).mkdir()
        (tmp_path / name / NAME).write_bytes(BODY)
    (tmp_path / "empty").mkdir()
    site.answers[PAGE] = answers.serve(page(f'<a href="/f/{NAME}">'), "text/html")
    where = f"{site.url}/find {tmp_path}/empty {tmp_path}/folder {(tmp_path / 'other folder' / NAME).as_uri()}"
    links, search = find(PIP_INDEX_URL=f"{site.url}/simple", PIP_FIND_LINKS=where)
    local = [str(tmp_path / "folder" / NAME), str(tmp_path / "other folder" / NAME)]
    assert [link.shown for link in links] == [*local, f"{site.url}/f/{NAME}"]
    assert f"{tmp_path}/empty does not hold it" in reasons(search)


def test_what_is_found_on_this_machine_spares_the_network(site: Any, client: Any, tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(BODY)
    search = Search(ARCHIVE, client(PIP_INDEX_URL=f"{site.url}/simple", PIP_FIND_LINKS=str(tmp_path)), offline=False)
    assert next(search.links()).path == tmp_path / NAME
    assert site.requests == []


@pytest.mark.parametrize("scheme", ["file://", ""])
def test_an_index_of_this_machine_is_read(find: Find, tmp_path: Path, scheme: str) -> None:
    folder = tmp_path / "simple" / "my-pack-age"
    folder.mkdir(parents=True)
    (folder / "index.html").write_bytes(page(f'<a href="../../the%20files/{NAME}#sha256={SHA256}">'))
    links, _ = find(PIP_INDEX_URL=f"{scheme}{tmp_path}/simple", offline=True)
    assert [link.path for link in links] == [tmp_path / "the files" / NAME]


def test_a_page_of_links_is_read_wherever_it_is(site: Any, answers: Any, find: Find, tmp_path: Path) -> None:
    (tmp_path / "links.html").write_bytes(page(f'<a href="{NAME}">', f'<a href="{site.url}/far/{NAME}">'))
    site.answers["/links"] = answers.serve(page(f'<a href="{NAME}">'), "text/html")
    where = f"{tmp_path}/links.html {site.url}/links {site.url}/direct/{NAME}"
    links, _ = find(PIP_NO_INDEX="1", PIP_FIND_LINKS=where)
    assert [link.shown for link in links] == [
        str(tmp_path / NAME),
        f"{site.url}/far/{NAME}",
        f"{site.url}/{NAME}",
        f"{site.url}/direct/{NAME}",
    ]


def test_a_page_of_the_network_names_no_file_of_this_machine(site: Any, answers: Any, find: Find) -> None:
    site.answers[PAGE] = answers.serve(page(f'<a href="file:///etc/{NAME}">'), "text/html")
    links, search = find(PIP_INDEX_URL=f"{site.url}/simple")
    assert links == []
    assert "names a file of this machine" in reasons(search)


def test_every_index_is_asked_and_its_reason_told(site: Any, other_site: Any, answers: Any, find: Find) -> None:
    site.answers[PAGE] = answers.serve(page("<a href='x'>"), "text/html")
    extra = f"{other_site.url}/simple ftp://h/ https:// /none"
    links, search = find(PIP_INDEX_URL=f"{site.url}/simple", PIP_EXTRA_INDEX_URL=extra)
    assert links == []
    assert reasons(search).splitlines() == [
        "/none/my-pack-age cannot be read",
        f"{site.url}/simple/my-pack-age/ does not list it",
        f"{other_site.url}/simple/my-pack-age/: the server answers 404 Not Found",
        "ftp://h/my-pack-age/ has the scheme 'ftp', not http or https",
        "https:/my-pack-age/ names no host",
    ]


def test_without_encryption_only_this_machine_and_trusted_hosts_are_asked(find: Find) -> None:
    links, search = find(PIP_INDEX_URL="http://nowhere.invalid/simple")
    assert links == []
    assert "neither encrypted nor one of pip's trusted hosts" in reasons(search)
    _, search = find(PIP_INDEX_URL="http://nowhere.invalid/simple", PIP_TRUSTED_HOST="nowhere.invalid")
    assert "the connection failed" in reasons(search)


@pytest.mark.fault("F04")
def test_offline_asks_nobody(site: Any, answers: Any, find: Find, tmp_path: Path) -> None:
    (tmp_path / "links.html").write_bytes(page(f'<a href="{site.url}/far/{NAME}">'))
    site.answers[PAGE] = answers.serve(page(f'<a href="{NAME}">'), "text/html")
    where = f"{tmp_path}/links.html {site.url}/direct/{NAME}"
    links, search = find(PIP_INDEX_URL=f"{site.url}/simple", PIP_FIND_LINKS=where, offline=True)
    assert links == []
    assert site.requests == []
    assert reasons(search).count("is not asked when offline") == 3


@pytest.mark.fault("F03")
def test_an_endless_page_ends(site: Any, find: Find, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("build_config.fetch.index._LARGEST_PAGE", 100_000)

    def endless(handler: Any) -> None:
        handler.send_response(200)
        handler.end_headers()
        while True:
            handler.wfile.write(b"<a>" * 1000)

    site.answers[PAGE] = endless
    links, search = find(PIP_INDEX_URL=f"{site.url}/simple")
    assert links == []
    assert "its page is larger than 100000 bytes" in reasons(search)


def test_no_reason_and_no_link_shows_a_password(site: Any, answers: Any, find: Find) -> None:
    secret = site.url.replace("//", "//user:hunter2@")
    site.answers[PAGE] = answers.serve(page(f'<a href="/f/{NAME}?token=hunter2">'), "text/html")
    extra = f"{secret}/none https://user:hunter2@nowhere.invalid/ ftp://user:hunter2@h/ https://user:hunter2@[/ user:hunter2@h/"
    links, search = find(PIP_INDEX_URL=f"{secret}/simple", PIP_EXTRA_INDEX_URL=extra)
    assert len(links) == 1
    assert "hunter2" not in repr(links) + "".join(map(str, search.missed)) + "".join(map(repr, search.missed))
    assert len(search.missed) == 5
