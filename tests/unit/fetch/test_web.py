"""Owns the tests of the GET: whom it trusts, to whom it gives a password, and that it ends in time."""

from __future__ import annotations

import base64
import email.utils
import socket
import ssl
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trustme

from build_config.errors import MachineError, UsageError
from build_config.fetch.address import Address, bypasses_proxy, hidden, shown
from build_config.fetch.web import Client, GetError, Patience


def read(client: Client, url: str) -> bytes:
    with client.get(url, {}) as response:
        response.expect(200)
        return b"".join(iter(response.read, b""))


def basic(login: str) -> str:
    return f"Basic {base64.b64encode(login.encode()).decode()}"


def elsewhere(url: str) -> str:
    """The same server by another name, which makes it another host."""
    return url.replace("127.0.0.1", "localhost")


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_comes_whole(site: Any, client: Any, answers: Any, body: bytes, *, chunked: bool) -> None:
    def in_chunks(handler: Any) -> None:
        handler.protocol_version = "HTTP/1.1"
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        for start in range(0, len(body), 1000):
            piece = body[start : start + 1000]
            handler.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        handler.wfile.write(b"0\r\n\r\n")

    site.answers["/a%20b?q=%C3%A9"] = in_chunks if chunked else answers.serve(body)
    assert read(client(), f"{site.url}/a b?q=é") == body
    assert site.requests[0][1]["accept-encoding"] == "identity"
    assert "authorization" not in site.requests[0][1]


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_redirects_are_followed(site: Any, client: Any, answers: Any, code: int) -> None:
    site.answers["/a/b"] = answers.status(code, {"Location": "../c"})
    site.answers["/c"] = answers.serve(b"there")
    assert read(client(), f"{site.url}/a/b") == b"there"


@pytest.mark.parametrize(
    ("location", "why"),
    [
        ("/a", "without end"),
        ("file:///etc/passwd", "scheme 'file'"),
        ("ftp://h/x", "scheme"),
        ("http://[", "not a URL"),
    ],
)
def test_some_redirects_are_not(site: Any, client: Any, answers: Any, location: str, why: str) -> None:
    site.answers["/a"] = answers.status(302, {"Location": location})
    with pytest.raises(GetError, match=why) as fault:
        read(client(), f"{site.url}/a")
    assert not fault.value.again


def test_a_password_goes_to_its_own_host_only(site: Any, other_site: Any, client: Any, answers: Any) -> None:
    site.answers["/a"] = answers.status(302, {"Location": f"{other_site.url}/b"})
    other_site.answers["/b"] = answers.status(302, {"Location": f"{elsewhere(site.url)}/c"})
    site.answers["/c"] = answers.status(302, {"Location": f"{site.url}/d"})
    site.answers["/d"] = answers.serve(b"x")
    user = site.url.replace("//", "//us%40er:pass%3Aword@")
    assert read(client(PIP_INDEX_URL=f"{user}/simple"), f"{user}/a") == b"x"
    sent = {path: headers.get("authorization") for path, headers in site.requests + other_site.requests}
    assert sent == {"/a": basic("us@er:pass:word"), "/b": None, "/c": None, "/d": basic("us@er:pass:word")}


def test_netrc_has_passwords_too(site: Any, client: Any, answers: Any, tmp_path: Path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password it\n")
    netrc.chmod(0o600)
    site.answers["/a"] = answers.serve(b"x")
    read(client(NETRC=str(netrc)), f"{site.url}/a")
    read(client(NETRC=str(netrc)), f"{elsewhere(site.url)}/a")
    netrc.write_text("mach ine")
    read(client(NETRC=str(netrc)), f"{site.url}/a")
    assert [headers.get("authorization") for _, headers in site.requests] == [basic("me:it"), None, None]


def test_a_proxy_is_asked_for_the_whole_address(site: Any, client: Any, answers: Any) -> None:
    site.answers["http://nowhere.invalid:80/a"] = answers.serve(b"by proxy")
    proxy = site.url.replace("//", "//pu:pp@")
    assert read(client(PIP_PROXY=proxy), "http://nowhere.invalid/a") == b"by proxy"
    assert read(client(http_proxy=proxy.removeprefix("http://")), "http://nowhere.invalid/a") == b"by proxy"
    assert read(client(ALL_PROXY=proxy), "http://nowhere.invalid/a") == b"by proxy"
    assert {headers["proxy-authorization"] for _, headers in site.requests} == {basic("pu:pp")}
    assert not any("authorization" in headers for _, headers in site.requests)


def test_no_proxy_goes_straight(site: Any, other_site: Any, client: Any, answers: Any) -> None:
    other_site.answers["/a"] = answers.serve(b"straight")
    assert read(client(http_proxy=site.url, no_proxy="x, 127.0.0.0/8"), f"{other_site.url}/a") == b"straight"
    assert site.requests == []


@pytest.mark.parametrize(
    ("item", "bypassed"),
    [
        ("*", True),
        ("example.org", True),
        (".example.org", True),
        ("*.example.org", True),
        ("host.example.org:8443", True),
        ("host.example.org:443", False),
        ("ample.org", False),
        ("org.example", False),
        ("", False),
    ],
)
def test_no_proxy_names_a_host_or_its_parents(item: str, *, bypassed: bool) -> None:
    assert bypasses_proxy(Address.of("https://host.example.org:8443/"), f"a,{item}") is bypassed


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def secure(authority: trustme.CA, tls_sites: Any) -> Any:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return tls_sites(context)


@pytest.fixture
def bundle(authority: trustme.CA, tmp_path: Path) -> str:
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    return str(tmp_path / "ca.pem")


def test_a_known_authority_is_trusted(secure: Any, client: Any, answers: Any, bundle: str, tmp_path: Path) -> None:
    secure.answers["/a"] = answers.serve(b"secret")
    assert read(client(PIP_CERT=bundle), f"{secure.url}/a") == b"secret"
    folder = tmp_path / "hashed"
    folder.mkdir()
    with pytest.raises(GetError, match="not trusted"):
        read(client(PIP_CERT=str(folder)), f"{secure.url}/a")


def test_an_unknown_one_or_another_name_is_not(secure: Any, client: Any, bundle: str) -> None:
    with pytest.raises(GetError, match=r"not trusted .*pip's option cert") as fault:
        read(client(), f"{secure.url}/a")
    assert not fault.value.again
    with pytest.raises(GetError, match=r"not trusted .*localhost"):
        read(client(PIP_CERT=bundle), f"{elsewhere(secure.url)}/a")
    assert secure.requests == []


def test_a_trusted_host_is_trusted_whatever_it_shows(secure: Any, client: Any, answers: Any) -> None:
    secure.answers["/a"] = answers.serve(b"x")
    assert read(client(PIP_TRUSTED_HOST="127.0.0.1"), f"{secure.url}/a") == b"x"
    assert read(client(PIP_TRUSTED_HOST=f"x 127.0.0.1:{secure.port}"), f"{secure.url}/a") == b"x"
    with pytest.raises(GetError, match="not trusted"):
        read(client(PIP_TRUSTED_HOST="127.0.0.1:1"), f"{secure.url}/a")


def test_the_client_shows_its_certificate(
    authority: trustme.CA, tls_sites: Any, client: Any, answers: Any, bundle: str, tmp_path: Path
) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    site = tls_sites(context)
    site.answers["/a"] = answers.serve(b"known")
    authority.issue_cert("me@example.org").private_key_and_cert_chain_pem.write_to_path(tmp_path / "me.pem")
    assert read(client(PIP_CERT=bundle, PIP_CLIENT_CERT=str(tmp_path / "me.pem")), f"{site.url}/a") == b"known"
    with pytest.raises(GetError, match="the connection failed"):
        read(client(PIP_CERT=bundle), f"{site.url}/a")


@pytest.mark.parametrize("option", ["PIP_CERT", "PIP_CLIENT_CERT"])
def test_a_certificate_file_that_is_not_there_is_named(secure: Any, client: Any, option: str) -> None:
    with pytest.raises(UsageError, match="cannot be read") as fault:
        read(client(**{option: "/none.pem"}), f"{secure.url}/a")
    assert fault.value.subject == "/none.pem"


def test_encryption_is_not_given_up_by_a_redirect(
    secure: Any, site: Any, client: Any, answers: Any, bundle: str
) -> None:
    secure.answers["/a"] = answers.status(302, {"Location": f"{site.url}/b?signature=hunter2"})
    site.answers["/b?signature=hunter2"] = answers.serve(b"plain")
    with pytest.raises(GetError, match=r"unencrypted http://127\.0\.0\.1") as fault:
        read(client(PIP_CERT=bundle), f"{secure.url}/a")
    assert "hunter2" not in str(fault.value)
    assert site.requests == []
    assert read(client(PIP_TRUSTED_HOST="127.0.0.1"), f"{secure.url}/a") == b"plain"


def tunnel(seen: list[bytes], answer: bytes = b"HTTP/1.1 200 OK\r\nVia: x\r\n\r\n") -> Callable[[socket.socket], None]:
    """An HTTP proxy that makes tunnels."""

    def serve(client: socket.socket) -> None:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += client.recv(1)
        seen.append(head)
        host, _, port = head.split()[1].rpartition(b":")
        client.sendall(answer)
        if b" 200 " not in answer:
            return
        with socket.create_connection((host.decode(), int(port))) as server:
            back = threading.Thread(target=pump, args=(server, client))
            back.start()
            pump(client, server)
            back.join()

    return serve


def pump(source: socket.socket, sink: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def test_a_proxy_makes_a_tunnel_for_tls(secure: Any, client: Any, answers: Any, bundle: str, raw_server: Any) -> None:
    seen: list[bytes] = []
    secure.answers["/a"] = answers.serve(b"through")
    proxy = f"http://pu:pp@127.0.0.1:{raw_server(tunnel(seen))}"
    own = secure.url.replace("//", "//u:p@")
    assert read(client(PIP_CERT=bundle, https_proxy=proxy), f"{own}/a") == b"through"
    assert f"Proxy-Authorization: {basic('pu:pp')}".encode() in seen[0]
    assert basic("u:p").encode() not in seen[0]
    assert secure.requests[0][1]["authorization"] == basic("u:p")
    assert "proxy-authorization" not in secure.requests[0][1]


@pytest.mark.parametrize(
    ("answer", "why", "again"),
    [
        (b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "answers 407", False),
        (b"HTTP/1.1 503 Busy\r\n\r\n", "answers 503", True),
        (b"nonsense", "does not answer as one", True),
        (b"nonsense\r\n\r\n", "the proxy answers", False),
    ],
)
def test_a_proxy_that_refuses_is_told(client: Any, raw_server: Any, answer: bytes, why: str, *, again: bool) -> None:
    proxy = f"http://u:hunter2@127.0.0.1:{raw_server(tunnel([], answer))}"
    with pytest.raises(GetError, match=why) as fault:
        read(client(PIP_PROXY=proxy), "https://nowhere.invalid/")
    assert fault.value.again is again
    assert "hunter2" not in str(fault.value)


@pytest.mark.parametrize("proxy", ["https://p:1", "socks5://p:1", "http://[", "http://"])
def test_a_proxy_of_another_kind_is_refused(client: Any, proxy: str) -> None:
    with pytest.raises(GetError, match="the proxy") as fault:
        read(client(PIP_PROXY=proxy), "http://127.0.0.1/")
    assert not fault.value.again


@pytest.mark.fault("F04")
@pytest.mark.parametrize("code", [408, 429, 500, 502, 503, 504])
def test_passing_troubles_are_waited_for_twice(site: Any, client: Any, answers: Any, pauses: Any, code: int) -> None:
    site.answers["/a"] = answers.in_turn(answers.status(code), answers.status(code), answers.serve(b"x"))
    made = client()
    assert made.attempt(lambda: read(made, f"{site.url}/a")) == b"x"
    assert pauses.taken == [1.0, 2.0]
    site.answers["/a"] = answers.status(code)
    with pytest.raises(GetError, match=f"answers {code}"):
        made.attempt(lambda: read(made, f"{site.url}/a"))
    assert len(site.requests) == 6


@pytest.mark.parametrize("code", [400, 401, 403, 404, 410])
def test_others_are_not(site: Any, client: Any, answers: Any, pauses: Any, code: int) -> None:
    site.answers["/a"] = answers.status(code)
    made = client()
    with pytest.raises(GetError, match=f"answers {code}"):
        made.attempt(lambda: read(made, f"{site.url}/a"))
    assert pauses.taken == []


@pytest.mark.fault("F04")
@pytest.mark.parametrize(
    ("value", "low", "high"),
    [("7", 7, 7), ("100000", 30, 30), ("date", 10, 13), ("past", 1, 1), ("soon", 1, 1), ("-5", 1, 1)],
)
def test_the_server_says_how_long_within_reason(
    site: Any, client: Any, answers: Any, pauses: Any, value: str, low: float, high: float
) -> None:
    dates = {"date": time.time() + 12, "past": time.time() - 1000}
    value = email.utils.formatdate(dates[value], usegmt=True) if value in dates else value
    site.answers["/a"] = answers.in_turn(answers.status(429, {"Retry-After": value}), answers.serve(b"x"))
    made = client(Patience(sleep=pauses, total=60))
    made.attempt(lambda: read(made, f"{site.url}/a"))
    assert low <= pauses.taken[0] <= high


@pytest.mark.fault("F04")
@pytest.mark.parametrize("url", ["http://nowhere.invalid/", "http://127.0.0.1:1/"])
def test_no_server_is_a_failure_that_may_pass(client: Any, pauses: Any, url: str) -> None:
    made = client()
    with pytest.raises(GetError, match="the connection failed") as fault:
        made.attempt(lambda: read(made, url))
    assert fault.value.again
    assert not fault.value.cut
    assert len(pauses.taken) == 2


def test_a_server_that_is_silent_is_given_up_by_pips_timeout(client: Any, raw_server: Any) -> None:
    port = raw_server(lambda connection: time.sleep(3))
    begun = time.monotonic()
    with pytest.raises(GetError, match="did not answer in time"):
        read(client(PIP_TIMEOUT="0.2"), f"http://127.0.0.1:{port}/")
    assert time.monotonic() - begun < 2


def dripping(start: bytes) -> Callable[[socket.socket], None]:
    def serve(connection: socket.socket) -> None:
        connection.recv(1000)
        connection.sendall(start)
        for _ in range(200):
            connection.sendall(b"x")
            time.sleep(0.05)

    return serve


@pytest.mark.fault("F05")
@pytest.mark.parametrize(
    ("scheme", "start"),
    [
        ("http", b"HTTP/1.1 200 OK\r\nX: "),
        ("http", b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n"),
        ("http", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
        ("http", b"HTTP/1.1 200 OK\r\n\r\n"),
        ("https", b"\x16\x03\x03\x40\x00"),
    ],
    ids=["header", "body", "chunk", "endless", "handshake"],
)
def test_a_drip_ends_at_the_deadline_wherever_it_drips(client: Any, raw_server: Any, scheme: str, start: bytes) -> None:
    port = raw_server(dripping(start))
    made = client(Patience(total=0.5))
    begun = time.monotonic()
    with pytest.raises(MachineError, match=r"took longer than 0\.5 s") as fault:
        made.attempt(lambda: read(made, f"{scheme}://127.0.0.1:{port}/"))
    assert time.monotonic() - begun < 2
    assert "same command again" in fault.value.hint


@pytest.mark.fault("F05")
def test_pauses_end_at_the_deadline_too(site: Any, client: Any, answers: Any) -> None:
    site.answers["/a"] = answers.status(503, {"Retry-After": "20"})
    made = client(Patience(total=0.3))
    begun = time.monotonic()
    with pytest.raises(MachineError, match="took longer"):
        made.attempt(lambda: read(made, f"{site.url}/a"))
    assert time.monotonic() - begun < 2


def test_no_thread_is_left(site: Any, client: Any, answers: Any) -> None:
    site.answers["/a"] = answers.serve(b"x")
    before = {thread for thread in threading.enumerate() if isinstance(thread, threading.Timer)}
    made = client()
    for _ in range(5):
        read(made, f"{site.url}/a")
    time.sleep(0.1)
    assert {thread for thread in threading.enumerate() if isinstance(thread, threading.Timer)} == before


@pytest.mark.parametrize(
    "url", ["https://user:hunter2@h/a?token=hunter2#hunter2", "https://hunter2@h/a", "https://u:hunter2@x@h/a"]
)
def test_a_shown_address_has_no_secret(url: str) -> None:
    assert shown(url) == "https://h/a"
    assert "hunter2" not in hidden(f"fatal: unable to access '{url.partition('?')[0]}': and https://h/@")
    assert "hunter2" not in repr(Address.of(url))


@pytest.mark.parametrize("url", ["http://", "http://h:x/", "http://[/", "h", "https://u:hunter2@/", "javascript:1"])
def test_what_is_no_address_is_a_failure(client: Any, url: str) -> None:
    with pytest.raises(GetError, match="it ") as fault:
        read(client(), url)
    assert "hunter2" not in str(fault.value)
    assert not fault.value.again


def test_an_address_of_version_six_and_one_in_another_script() -> None:
    assert Address.of("http://[::1]:8080/x").netloc == "[::1]:8080"
    assert Address.of("http://[::1]/").is_local()
    assert Address.of("https://bücher.example/").host == "xn--bcher-kva.example"
    assert not Address.of("https://localhost.example/").is_local()
