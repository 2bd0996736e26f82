"""Owns the tests of receiving a file: resumed, counted, hashed, and never there under its name unless it is right."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from build_config.errors import IntegrityError, MachineError
from build_config.fetch.download import PlaceError, Receiver, partial_name
from build_config.fetch.index import Link
from build_config.fetch.web import Client, Patience
from build_config.model import Archive


class Rig:
    """A receiver of one body from one site."""

    def __init__(self, site: Any, client: Client, archive: Archive, folder: Path) -> None:
        self.site = site
        self.client = client
        self.archive = archive
        self.partial = folder / partial_name(archive)
        self.final = folder / archive.filename
        self.link = Link(f"{site.url}/f", url=f"{site.url}/f")
        self.progress: list[tuple[int, int]] = []

    def receive(self, link: Link | None = None) -> bytes:
        receiver = Receiver(self.archive, self.partial, self.client, lambda *done: self.progress.append(done))
        receiver.receive(link or self.link, self.final)
        assert sorted(self.final.parent.iterdir()) == [self.final]
        return self.final.read_bytes()

    def fails(self, kind: type[Exception], why: str, *, kept: int | None = None) -> str:
        """The fault's text; nothing is at the final name, and of the partial file so much is left."""
        with pytest.raises(kind, match=why) as fault:
            self.receive()
        assert not self.final.exists()
        assert (self.partial.stat().st_size if self.partial.exists() else None) == kept
        assert fault.value.hint  # type: ignore[attr-defined]
        assert "next:" in str(fault.value)
        return str(fault.value)

    @property
    def ranges(self) -> list[str | None]:
        return [headers.get("range") for _, headers in self.site.requests]


@pytest.fixture
def rig(site: Any, client: Any, pin: Any, body: bytes, tmp_path: Path) -> Rig:
    folder = tmp_path / "received"
    folder.mkdir()
    return Rig(site, client(), pin(body), folder)


def test_the_file_is_received_and_progress_told(rig: Rig, answers: Any, body: bytes) -> None:
    rig.site.answers["/f"] = answers.serve(body)
    assert rig.receive() == body
    assert rig.progress[-1] == (len(body), len(body))
    assert rig.progress == sorted(rig.progress)


def test_a_file_of_this_machine_is_copied(rig: Rig, body: bytes, tmp_path: Path) -> None:
    path = tmp_path / "here"
    path.write_bytes(body)
    rig.partial.write_bytes(b"left from before")
    assert rig.receive(Link(str(path), path=path)) == body
    assert path.exists()
    assert rig.site.requests == []


def test_a_file_of_this_machine_that_cannot_be_read_is_a_fault_of_its_place(rig: Rig, tmp_path: Path) -> None:
    with pytest.raises(PlaceError, match="cannot be read") as fault:
        rig.receive(Link("here", path=tmp_path / "none"))
    assert fault.value.subject == str(tmp_path / "none")


@pytest.mark.fault("F02")
@pytest.mark.parametrize("other", [b"short", b"x" * 262144, b"x" * 300000])
def test_a_wrong_file_of_this_machine_is_refused(rig: Rig, tmp_path: Path, other: bytes) -> None:
    path = tmp_path / "here"
    path.write_bytes(other)
    with pytest.raises(IntegrityError, match=rig.archive.sha256):
        rig.receive(Link(str(path), path=path))
    assert list(rig.final.parent.iterdir()) == []


@pytest.mark.fault("F01")
@pytest.mark.parametrize("etag", ['"v1"', ""])
def test_what_broke_off_is_gone_on_from(rig: Rig, answers: Any, body: bytes, etag: str, pauses: Any) -> None:
    rig.site.answers["/f"] = answers.ranged(body, etag, first_cut=100_000)
    assert rig.receive() == body
    assert rig.ranges == [None, "bytes=100000-"]
    assert rig.site.requests[1][1].get("if-range") == (etag or None)
    assert pauses.taken == [1.0]


@pytest.mark.fault("F01")
def test_a_server_that_cannot_go_on_begins_anew(rig: Rig, answers: Any, body: bytes) -> None:
    rig.site.answers["/f"] = answers.in_turn(answers.cut(body, 100_000), answers.serve(body))
    assert rig.receive() == body
    assert rig.ranges == [None, "bytes=100000-"]


@pytest.mark.fault("F01")
@pytest.mark.parametrize("first", [b"other, " * 1000, b""])
def test_another_version_on_the_server_begins_anew(rig: Rig, answers: Any, body: bytes, first: bytes) -> None:
    """By If-Range with an ETag; without one, by the hash of the whole."""
    tag = {"ETag": '"old"'} if first else {}
    rig.site.answers["/f"] = answers.in_turn(
        answers.cut(b"x" * len(body), 7000, tag), answers.ranged(body, '"new"'), answers.serve(body)
    )
    assert rig.receive() == body
    assert rig.ranges[:2] == [None, "bytes=7000-"]
    assert len(rig.ranges) == (2 if first else 3)


@pytest.mark.fault("F01")
def test_it_is_given_up_after_three_tries_and_gone_on_from_by_the_next_run(
    rig: Rig, answers: Any, body: bytes, pauses: Any
) -> None:
    rig.site.answers["/f"] = answers.cut(body, 100_000)
    text = rig.fails(IntegrityError, "broke off: it ended 162144 bytes early", kept=100_000)
    assert len(rig.site.requests) == 3
    assert pauses.taken == [1.0, 2.0]
    assert rig.archive.sha256 in text
    assert hashlib.sha256(body[:100_000]).hexdigest() in text
    rig.site.answers["/f"] = answers.ranged(body)
    assert rig.receive() == body
    assert rig.ranges[3:] == ["bytes=100000-"]


@pytest.mark.fault("F01")
@pytest.mark.parametrize("chunked", [False, True])
def test_a_cut_is_seen_without_a_length_too(rig: Rig, body: bytes, *, chunked: bool) -> None:
    def cut(handler: Any) -> None:
        handler.send_response(200)
        if chunked:
            handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        handler.wfile.write(b"%x\r\n%b" % (len(body), body[:5000]) if chunked else body[:5000])

    rig.site.answers["/f"] = cut
    rig.fails(IntegrityError, "broke off", kept=5000)


@pytest.mark.fault("F02")
def test_the_wrong_file_shows_both_hashes(rig: Rig, answers: Any, body: bytes) -> None:
    other = body[:-1] + b"x"
    rig.site.answers["/f"] = answers.serve(other)
    text = rig.fails(IntegrityError, "is not the pinned file")
    assert rig.archive.sha256 in text
    assert hashlib.sha256(other).hexdigest() in text
    assert len(rig.site.requests) == 1


@pytest.mark.fault("F02")
@pytest.mark.parametrize("length", [True, False])
def test_a_web_page_with_status_200_shows_both_hashes(rig: Rig, answers: Any, *, length: bool) -> None:
    page = b"<!DOCTYPE html><title>Please log in</title>"

    def endless(handler: Any) -> None:
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write(page)

    rig.site.answers["/f"] = answers.serve(page, "text/html") if length else endless
    text = rig.fails(IntegrityError, "a web page" if length else "broke off", kept=None if length else len(page))
    assert rig.archive.sha256 in text
    assert hashlib.sha256(page).hexdigest() in text


@pytest.mark.fault("F01", "F02")
def test_a_file_that_is_whole_but_short_is_wrong(rig: Rig, answers: Any, body: bytes) -> None:
    rig.site.answers["/f"] = answers.serve(body[:-1])
    rig.fails(IntegrityError, "262143 bytes, pinned 262144")
    assert len(rig.site.requests) == 1


@pytest.mark.fault("F03")
def test_a_larger_file_is_refused_at_the_pinned_size(rig: Rig, answers: Any, body: bytes) -> None:
    rig.site.answers["/f"] = answers.serve(body + b"x")
    rig.fails(IntegrityError, "larger than the pinned 262144 bytes")


@pytest.mark.fault("F03")
@pytest.mark.parametrize("chunked", [False, True])
def test_an_endless_file_is_left_at_the_pinned_size(rig: Rig, *, chunked: bool) -> None:
    sent = [0]

    def endless(handler: Any) -> None:
        handler.send_response(200)
        if chunked:
            handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        while True:
            handler.wfile.write(b"3e8\r\n" + b"x" * 1000 + b"\r\n" if chunked else b"x" * 1000)
            sent[0] += 1000

    rig.site.answers["/f"] = endless
    rig.fails(IntegrityError, "larger than the pinned")
    assert max(done for done, _ in rig.progress) <= rig.archive.size
    # What the sockets between hold is sent too, and no more.
    assert sent[0] < 20 << 20


@pytest.mark.fault("F04")
@pytest.mark.parametrize(("code", "requests"), [(503, 3), (429, 3), (404, 1), (403, 1)])
def test_a_server_that_refuses_is_a_fault_of_the_machine(rig: Rig, answers: Any, code: int, requests: int) -> None:
    rig.site.answers["/f"] = answers.status(code, {"Retry-After": "1"})
    rig.fails(PlaceError, f"answers {code}")
    assert len(rig.site.requests) == requests


@pytest.mark.fault("F04")
@pytest.mark.parametrize("url", ["http://nowhere.invalid/f", "http://127.0.0.1:1/f"])
def test_no_server_is_a_fault_of_the_machine(rig: Rig, pauses: Any, url: str) -> None:
    rig.link = Link(url, url=url)
    rig.fails(MachineError, "the connection failed")
    assert pauses.taken == [1.0, 2.0]


@pytest.mark.fault("F04")
def test_a_passing_refusal_is_waited_for(rig: Rig, answers: Any, body: bytes) -> None:
    rig.site.answers["/f"] = answers.in_turn(answers.status(503), answers.status(429), answers.serve(body))
    assert rig.receive() == body


@pytest.mark.fault("F05")
def test_a_slow_drip_ends_at_the_deadline_and_is_gone_on_from(rig: Rig, answers: Any, client: Any, body: bytes) -> None:
    rig.site.answers["/f"] = answers.drip()
    rig.client = client(Patience(total=0.5))
    begun = time.monotonic()
    with pytest.raises(MachineError, match=r"took longer than 0\.5 s"):
        rig.receive()
    assert time.monotonic() - begun < 2
    assert not rig.final.exists()
    assert 1 < rig.partial.stat().st_size < 20


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Range": "bytes 5-99/262144"},
        {"Content-Range": "bytes 1000-262143/262145"},
        {"Content-Range": "bytes */262144"},
        {"Content-Range": "lines 1000-262143/262144"},
        {},
    ],
)
def test_another_part_than_was_asked_for_is_not_taken(
    rig: Rig, answers: Any, body: bytes, headers: dict[str, str]
) -> None:
    rig.partial.write_bytes(body[:1000])
    rig.site.answers["/f"] = answers.in_turn(answers.status(206, headers, body[1000:]), answers.serve(body))
    assert rig.receive() == body
    assert rig.ranges == ["bytes=1000-", None]


def test_a_part_that_nobody_asked_for_is_refused(rig: Rig, answers: Any, body: bytes) -> None:
    rig.site.answers["/f"] = answers.status(206, {"Content-Range": "bytes 0-262143/262144"}, body)
    rig.fails(MachineError, "answers 206")


@pytest.mark.fault("F02")
@pytest.mark.parametrize("damage", ["flipped", "too long", "whole and flipped"])
def test_a_damaged_partial_file_costs_a_try_and_no_more(rig: Rig, answers: Any, body: bytes, damage: str) -> None:
    part = {"flipped": b"x" + body[1:1000], "too long": body + b"x", "whole and flipped": b"x" + body[1:]}[damage]
    rig.partial.write_bytes(part)
    rig.site.answers["/f"] = answers.ranged(body)
    assert rig.receive() == body


def test_a_whole_partial_file_is_taken_without_asking(rig: Rig, body: bytes) -> None:
    rig.partial.write_bytes(body)
    assert rig.receive() == body
    assert rig.site.requests == []


def test_a_range_that_the_server_cannot_give_begins_anew(rig: Rig, answers: Any, body: bytes) -> None:
    rig.partial.write_bytes(body[:1000])
    rig.site.answers["/f"] = answers.in_turn(answers.status(416), answers.serve(body))
    assert rig.receive() == body
    assert rig.ranges == ["bytes=1000-", None]


def test_a_weak_tag_is_not_used(rig: Rig, answers: Any, body: bytes) -> None:
    rig.site.answers["/f"] = answers.in_turn(answers.cut(body, 1000, {"ETag": 'W/"1"'}), answers.serve(body))
    assert rig.receive() == body
    assert "if-range" not in rig.site.requests[1][1]


@pytest.mark.fault("F13")
def test_a_place_that_cannot_be_written_is_a_fault_of_the_machine(rig: Rig, answers: Any, body: bytes) -> None:
    rig.site.answers["/f"] = answers.serve(body)
    rig.partial = Path(os.devnull, "x")
    with pytest.raises(MachineError, match="cannot be received: Not a directory") as fault:
        rig.receive()
    # No other place would do better.
    assert not isinstance(fault.value, PlaceError)
    assert "make room" in fault.value.hint


@pytest.mark.parametrize("make", ["status", "cut", "serve", "down", "large"])
def test_no_fault_shows_a_password(rig: Rig, answers: Any, body: bytes, make: str) -> None:
    kinds: dict[str, Callable[[], Any]] = {
        "status": lambda: answers.status(403),
        "cut": lambda: answers.cut(body, 5),
        "serve": lambda: answers.serve(b"wrong"),
        "down": lambda: answers.status(302, {"Location": "http://u:hunter2@127.0.0.1:1/x?token=hunter2"}),
        "large": lambda: answers.serve(body * 2),
    }
    rig.site.answers["/f?token=hunter2"] = kinds[make]()
    url = rig.site.url.replace("//", "//u:hunter2@") + "/f?token=hunter2"
    with pytest.raises((IntegrityError, MachineError)) as fault:
        rig.receive(Link(f"{rig.site.url}/f", url=url))
    assert "hunter2" not in str(fault.value) + repr(fault.value) + repr(fault.value.__cause__)
