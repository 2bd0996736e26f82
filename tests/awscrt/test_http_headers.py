"""HTTP headers and requests: what they keep, and what they refuse."""

from __future__ import annotations

import gc
import io
import weakref

import pytest

from awscrt.http import HttpHeaders, HttpMessageBase, HttpRequest
from awscrt.io import InputStream

PAIRS = [("Host", "example.org"), ("Cookie", "a=1"), ("cookie", "b=2"), ("X-Empty", "")]


def test_pairs_come_back_in_their_order_and_case():
    headers = HttpHeaders(PAIRS)
    assert list(headers) == PAIRS
    headers.add("COOKIE", "c=3")
    assert list(headers.get_values("cookie")) == ["a=1", "b=2", "c=3"]
    assert headers.get("CoOkIe") == "a=1"
    assert headers.get("X-Empty") == ""


def test_any_iterable_of_tuples_serves():
    assert list(HttpHeaders(iter(PAIRS))) == PAIRS
    assert list(HttpHeaders(tuple(PAIRS))) == PAIRS
    assert list(HttpHeaders(HttpHeaders(PAIRS))) == PAIRS
    assert list(HttpHeaders([])) == list(HttpHeaders()) == list(HttpHeaders(None)) == []


def test_set_replaces_all_of_the_name():
    headers = HttpHeaders(PAIRS)
    headers.set("Cookie", "only")
    assert list(headers.get_values("cookie")) == ["only"]
    assert headers.get("Host") == "example.org"


def test_what_is_missing():
    headers = HttpHeaders(PAIRS)
    assert headers.get("None") is None
    assert headers.get("None", "default") == "default"
    assert list(headers.get_values("None")) == []
    with pytest.raises(KeyError, match="None"):
        headers.remove("None")
    with pytest.raises(ValueError, match="no header 'Cookie'") as caught:
        headers.remove_value("Cookie", "secret")
    assert "secret" not in str(caught.value)


def test_remove():
    headers = HttpHeaders([*PAIRS, ("Cookie", "a=1")])
    headers.remove_value("COOKIE", "a=1")
    assert list(headers.get_values("Cookie")) == ["b=2", "a=1"]
    headers.remove("cookie")
    assert list(headers) == [PAIRS[0], PAIRS[3]]
    headers.clear()
    assert list(headers) == []


def test_iterating_sees_the_headers_of_its_beginning():
    headers = HttpHeaders(PAIRS)
    for _ in headers:
        headers.clear()
    values = HttpHeaders(PAIRS)
    iterator = values.get_values("Cookie")
    values.clear()
    assert list(iterator) == ["a=1", "b=2"]


def test_str_shows_the_pairs():
    assert str(HttpHeaders(PAIRS[:2])) == "HttpHeaders([('Host', 'example.org'), ('Cookie', 'a=1')])"


def test_unicode_is_utf8_and_space_around_values_is_dropped():
    headers = HttpHeaders([("a", "ሴ"), ("b", " \t 𦉘 \t")])
    assert list(headers) == [("a", "ሴ"), ("b", "𦉘")]


@pytest.mark.fault("R02")
@pytest.mark.parametrize("bad", ["\r\nEvil: 1", "\n", "\r", "\0", "a\r\n\r\nGET / HTTP/1.1"])
def test_line_ends_and_nul_are_refused_everywhere(bad):
    headers = HttpHeaders(PAIRS)
    request = HttpRequest()
    for attempt in (
        lambda: headers.add("x" + bad, "y"),
        lambda: headers.add("x", "y" + bad),
        lambda: headers.add("x", bad + "y"),
        lambda: headers.set("x" + bad, "y"),
        lambda: headers.set("Host", "y" + bad),
        lambda: headers.add_pairs([("ok", "1"), ("x", "y" + bad)]),
        lambda: HttpHeaders([("ok", "1"), ("x" + bad, "y")]),
        lambda: HttpRequest("GET" + bad),
        lambda: HttpRequest("GET", "/" + bad),
        lambda: setattr(request, "method", "GET" + bad),
        lambda: setattr(request, "path", "/" + bad),
    ):
        with pytest.raises(ValueError, match="must not contain CR, LF or NUL"):
            attempt()
    assert list(headers) == PAIRS
    assert (request.method, request.path) == ("GET", "/")


@pytest.mark.fault("R02")
def test_what_is_refused_is_not_shown():
    with pytest.raises(ValueError) as caught:
        HttpHeaders([("Authorization", "secret\n")])
    assert "secret" not in str(caught.value)


def test_empty_names_are_refused():
    headers = HttpHeaders()
    for attempt in (lambda: headers.add("", "x"), lambda: headers.set("", "x"), lambda: HttpHeaders([("", "x")])):
        with pytest.raises(ValueError, match="empty"):
            attempt()


def test_lone_surrogates_are_refused():
    with pytest.raises(ValueError):
        HttpHeaders([("a", "\ud800")])


@pytest.mark.parametrize(
    "pairs",
    [{"a": "b"}, [("a",)], [("a", "b", "c")], [["a", "b"]], ["ab"], [("a", 1)], [(b"a", "b")], [None], 5, "ab"],
)
def test_wrong_pairs(pairs):
    with pytest.raises(TypeError):
        HttpHeaders(pairs)
    headers = HttpHeaders(PAIRS)
    with pytest.raises(TypeError):
        headers.add_pairs(pairs)
    assert list(headers) == PAIRS


def test_wrong_types():
    headers = HttpHeaders()
    for attempt in (
        lambda: headers.add("a", None),
        lambda: headers.set(5, "b"),
        lambda: headers.get(None),
        lambda: headers.get_values(b"a"),
        lambda: headers.remove(5),
        lambda: headers.remove_value("a", 5),
        lambda: HttpRequest(None),
        lambda: HttpRequest("GET", b"/"),
        lambda: HttpRequest("GET", "/", [("a", "b")]),
        lambda: HttpRequest("GET", "/", None, "text"),
        lambda: HttpRequest("GET", "/", None, b"bytes"),
        lambda: setattr(HttpRequest(), "body_stream", 5),
    ):
        with pytest.raises(TypeError):
            attempt()


def test_an_iterator_that_raises():
    def pairs():
        yield ("a", "b")
        raise ZeroDivisionError

    headers = HttpHeaders(PAIRS)
    with pytest.raises(ZeroDivisionError):
        headers.add_pairs(pairs())
    assert list(headers) == PAIRS


def test_subclasses():
    class Mine(HttpHeaders):
        pass

    headers = Mine([("a", "b")])
    assert str(headers) == "Mine([('a', 'b')])"
    assert HttpRequest(headers=headers).headers is headers


def test_request_defaults_and_changes():
    request = HttpRequest()
    assert (request.method, request.path, list(request.headers), request.body_stream) == ("GET", "/", [], None)
    request.method = "PUT"
    request.path = "/ሴ?x=1"
    assert (request.method, request.path) == ("PUT", "/ሴ?x=1")
    assert HttpRequest("", "").method == HttpRequest("", "").path == ""


def test_headers_of_a_request_are_shared_and_outlive_it():
    headers = HttpHeaders(PAIRS)
    request = HttpRequest(headers=headers)
    request.headers.add("New", "1")
    assert headers.get("New") == "1"
    default = HttpRequest().headers
    default.add("a", "b")
    assert list(default) == [("a", "b")]


def test_body_stream_is_wrapped_and_kept_alive():
    class Body(io.BytesIO):
        pass

    body = Body(b"x")
    alive = weakref.ref(body)
    request = HttpRequest(body_stream=body)
    assert isinstance(request.body_stream, InputStream)
    stream = InputStream(Body(b"y"))
    other = HttpRequest(body_stream=stream)
    assert other.body_stream is stream
    del body
    gc.collect()
    assert alive() is not None
    request.body_stream = None
    assert request.body_stream is None
    assert alive() is None
    del other, stream


def test_classes_are_public():
    for public in (HttpHeaders, HttpMessageBase, HttpRequest):
        assert public.__module__ == "awscrt.http"
    with pytest.raises(AttributeError):
        HttpRequest().no_such_attribute = 1
