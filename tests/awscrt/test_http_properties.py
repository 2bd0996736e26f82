"""HTTP requests of any text: what is sent is one request that says just that, and what is not sent was refused."""

from __future__ import annotations

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from peers import tcp

from awscrt.exceptions import AwsCrtError
from awscrt.http import HttpClientConnection, HttpHeaders, HttpRequest

WAIT_SEC = 20.0

many = settings(max_examples=150, deadline=None, derandomize=True)

# Whatever may end a word or a line somewhere, among any other characters.
SPECIAL = st.sampled_from(
    [*"\r\n\0 \t:;,/?#%&=\"'\\\x0b\x0c\x1c\x7f\x85\xa0\u2028", "\r\n", "\r\n\r\n", " HTTP/1.1\r\n"]
)
ORDINARY = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=5)
TEXT = st.lists(st.one_of(SPECIAL, ORDINARY), max_size=6).map("".join)
FORBIDDEN = frozenset("\r\n\0")

RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Recorder:
    """A server that keeps all that a client sends before and after its first answer."""

    def __init__(self):
        self.seen = []

    def __call__(self, sock):
        data = b""
        while b"\r\n\r\n" not in data:
            part = sock.recv(65536)
            if not part:
                self.seen.append(data)
                return
            data += part
        sock.sendall(RESPONSE)
        self.seen.append(data + tcp.read_all(sock))


def send(server, recorder, request):
    """What arrived at the server; nothing if the request was refused."""
    recorder.seen.clear()
    connection = HttpClientConnection.new(server.host, server.port).result(WAIT_SEC)
    error = None
    try:
        stream = connection.request(request)
        stream.activate()
        error = stream.completion_future.exception(WAIT_SEC)
    except AwsCrtError as refused:
        error = refused
    connection.close().exception(WAIT_SEC)
    assert server.wait_for(lambda: recorder.seen)
    (data,) = recorder.seen
    assert error is None or isinstance(error, AwsCrtError)
    assert bool(data) == (error is None), "it is refused before a byte is sent"
    return data


@pytest.fixture
def recorder():
    return Recorder()


@pytest.fixture
def server(recorder):
    with tcp.Server(recorder) as server:
        yield server
    assert server.errors == []


@pytest.mark.fault("R02")
def test_any_method_and_path(server, recorder):
    @many
    @given(st.one_of(st.sampled_from(["GET", "OPTIONS"]), TEXT), st.one_of(TEXT, TEXT.map("/".__add__)))
    @example("GET", "/ HTTP/1.1\r\nInjected: yes\r\n\r\n")
    @example("GET", "/a b")
    @example("GET /other HTTP/1.1\r\nHost: a\r\n\r\nGET", "/")
    def check(method, path):
        forbidden = FORBIDDEN & {*method, *path}
        try:
            request = HttpRequest(method, path)
        except ValueError:
            assert forbidden or not method or not path
            return
        assert not forbidden
        assert (request.method, request.path) == (method, path)
        data = send(server, recorder, request)
        if data:
            assert data == f"{method} {path} HTTP/1.1\r\n\r\n".encode()
            assert data.count(b" ") == 2, "the line is read as three words"

    check()


@pytest.mark.fault("R02")
def test_any_header(server, recorder):
    @many
    @given(st.one_of(st.sampled_from(["x-name", "Cookie"]), TEXT), TEXT)
    @example("x-name", "a\r\nInjected: yes")
    @example("x-name: a\r\nInjected", "yes")
    @example("x-name ", "space before the colon")
    @example("x-name", "\tspaces around \t")
    def check(name, value):
        assume(name.lower() not in {"content-length", "transfer-encoding", "connection", "upgrade", "te", "trailer"})
        forbidden = FORBIDDEN & {*name, *value}
        try:
            headers = HttpHeaders([(name, value)])
        except ValueError:
            assert forbidden or not name
            return
        assert not forbidden
        stripped = value.strip(" \t")
        assert list(headers) == [(name, stripped)]
        assert headers.get(name.upper() if name.isascii() else name) == stripped
        data = send(server, recorder, HttpRequest("GET", "/", headers))
        if data:
            assert data == f"GET / HTTP/1.1\r\n{name}: {stripped}\r\n\r\n".encode()
            assert ":" not in name
            assert " " not in name

    check()


NAME = st.sampled_from(["a", "A", "b", "B", "\u00e4", "c"])
CHANGES = st.lists(st.tuples(st.sampled_from(["add", "set", "remove", "remove_value"]), NAME, st.sampled_from("xyz")))


@many
@given(CHANGES)
def test_headers_are_a_list_that_ignores_case(changes):
    """Against a model in a few lines of Python."""
    headers = HttpHeaders()
    model = []
    for change, name, value in changes:
        same = [pair for pair in model if pair[0].lower() == name.lower()]
        if change == "add":
            headers.add(name, value)
            model.append((name, value))
        elif change == "set":
            headers.set(name, value)
            model = [pair for pair in model if pair not in same] + [(name, value)]
        elif change == "remove":
            remove(headers.remove, (name,), KeyError if not same else None)
            model = [pair for pair in model if pair not in same]
        else:
            first = next((pair for pair in same if pair[1] == value), None)
            remove(headers.remove_value, (name, value), ValueError if first is None else None)
            if first is not None:
                model.remove(first)
        expected = [pair[1] for pair in model if pair[0].lower() == name.lower()]
        assert list(headers.get_values(name)) == expected
        assert headers.get(name, "none") == (expected or ["none"])[0]
    assert sorted(headers) == sorted(model)


def remove(function, arguments, error):
    if error is None:
        function(*arguments)
    else:
        with pytest.raises(error):
            function(*arguments)
