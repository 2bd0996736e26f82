"""Opening a WebSocket: the handshake, what a server may answer to it, and what is refused before."""

from __future__ import annotations

import base64
import socket
import threading
from concurrent.futures import Future

import pytest
from peers import tls
from peers.http1 import Response, scripted
from peers.tcp import Server, reset
from peers.websocket import WebSocketServer, read_handshake, switching
from peers.websocket_client import Client

from awscrt import io, websocket
from awscrt.http import HttpHeaders, HttpRequest


@pytest.fixture(scope="module")
def authority():
    return tls.Authority()


def trusting(authority, host="localhost"):
    options = io.TlsContextOptions()
    options.override_default_trust_store(authority.ca_pem)
    connection = io.ClientTlsContext(options).new_connection_options()
    connection.set_server_name(host)
    return connection


def test_handshake_request():
    request = websocket.create_handshake_request(host="server:81", path="/a?b=c")
    assert (request.method, request.path, request.body_stream) == ("GET", "/a?b=c", None)
    headers = dict(request.headers)
    key = headers.pop("Sec-WebSocket-Key")
    assert headers == {
        "Host": "server:81",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Version": "13",
    }
    assert len(base64.b64decode(key, validate=True)) == 16
    again = websocket.create_handshake_request(host="server")
    assert again.path == "/"
    assert again.headers.get("Sec-WebSocket-Key") != key


@pytest.mark.fault("R02")
@pytest.mark.parametrize("bad", ["a\r\nb: c", "a\rb", "a\nb", "a\0b"])
def test_handshake_request_is_one_request(bad):
    with pytest.raises(ValueError):
        websocket.create_handshake_request(host=bad)
    with pytest.raises(ValueError):
        websocket.create_handshake_request(host="server", path="/" + bad)


def test_connection_is_opened_and_closed():
    with WebSocketServer() as server:
        client = Client()
        request = websocket.create_handshake_request(host="name", path="/path?query")
        request.headers.add("X-Extra", "1")
        client.connect(server, handshake_request=request)
        data = client.set_up()
        assert data.exception is None
        assert isinstance(data.websocket, websocket.WebSocket)
        assert data.handshake_response_status == 101
        assert ("Upgrade", "websocket") in data.handshake_response_headers
        assert data.handshake_response_body is None
        data.websocket.close()
        assert client.ended() is None
        assert client.events == ["setup", "shutdown"]
        assert server.wait_for(lambda: server.frames)
        assert [(int(f.opcode), bytes(f.data)) for f in server.frames] == [(8, b"")]
        (seen,) = server.requests
        assert (seen.method, seen.path, seen.header("host"), seen.header("x-extra")) == (
            "GET",
            "/path?query",
            "name",
            "1",
        )
    assert not server.errors


def test_over_tls(authority):
    with WebSocketServer(tls=authority.issue("localhost").server_context()) as server:
        client = Client().connect(server, tls_connection_options=trusting(authority))
        with client.opened() as socket_:
            socket_.send_frame(websocket.Opcode.BINARY, bytes(100_000))
            assert client.receive().payload == bytes(100_000)
        assert client.ended() is None


def test_bootstrap_and_socket_options_are_taken():
    group = io.EventLoopGroup(1)
    bootstrap = io.ClientBootstrap(group, io.DefaultHostResolver(group))
    options = io.SocketOptions()
    options.domain = io.SocketDomain.IPv4
    threads = []
    with WebSocketServer() as server:
        client = Client()

        def on_setup(data):
            threads.append(threading.get_ident())
            client.on_setup(data)

        client.connect(server, bootstrap=bootstrap, socket_options=options, on_connection_setup=on_setup)
        ended = bootstrap.shutdown_event
        del bootstrap, group
        with client.opened():
            assert not ended.is_set()
        assert client.ended() is None
        assert ended.wait(10)
    assert threads != [threading.get_ident()]


def test_ipv6():
    try:
        with WebSocketServer(host="::1") as server:
            client = Client().connect(server)
            client.opened().close()
            assert client.ended() is None
    except OSError as error:
        pytest.skip(f"no IPv6 here: {error}")


def test_nobody_listens():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        server = Server()
        server.port = taken.getsockname()[1]
        client = Client().connect(server)
        data = client.failed()
    assert data.exception.name == "AWS_IO_SOCKET_CONNECTION_REFUSED"
    response = (data.handshake_response_status, data.handshake_response_headers, data.handshake_response_body)
    assert response == (None, None, None)
    assert client.events == ["setup"]


@pytest.mark.fault("R12")
def test_name_that_does_not_exist():
    data = Client().connect(Server(), host="name.invalid", port=80).failed()
    assert "DNS" in data.exception.name


@pytest.mark.parametrize("body", [b"", b"not for you", bytes(300_000)])
@pytest.mark.parametrize("window", [{}, {"manage_read_window": True, "initial_read_window": 0}])
def test_server_refuses(body, window):
    response = Response(403, [("X-Reason", "caf\u00e9")], body=body, reason="Forbidden")
    with WebSocketServer(respond=lambda request: response) as server:
        client = Client().connect(server, **window)
        data = client.failed()
        assert data.exception.name == "AWS_ERROR_HTTP_WEBSOCKET_UPGRADE_FAILURE"
        assert data.handshake_response_status == 403
        assert dict(data.handshake_response_headers)["Content-Length"] == str(len(body))
        assert "X-Reason" in dict(data.handshake_response_headers)
        assert data.handshake_response_body == body
        assert client.events == ["setup"]


@pytest.mark.parametrize(
    "changed",
    [
        {"Sec_WebSocket_Accept": "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="},
        {"Sec_WebSocket_Accept": None},
        {"Upgrade": None},
        {"Upgrade": "h2c"},
        {"Connection": None},
        {"Connection": "close"},
        {"Sec_WebSocket_Protocol": "not-asked"},
        {"Sec_WebSocket_Extensions": "permessage-deflate"},
    ],
)
def test_bad_answer_to_the_handshake(changed):
    with WebSocketServer(respond=lambda request: switching(request, **changed)) as server:
        client = Client().connect(server)
        data = client.failed()
        assert data.exception.name == "AWS_ERROR_HTTP_WEBSOCKET_UPGRADE_FAILURE"
        assert data.handshake_response_status == 101
        assert data.handshake_response_headers is not None
        assert data.handshake_response_body is None
        assert client.events == ["setup"]


def test_protocol_that_was_asked_for():
    with WebSocketServer(respond=lambda request: switching(request, Sec_WebSocket_Protocol="two")) as server:
        request = websocket.create_handshake_request(host="h")
        request.headers.add("Sec-WebSocket-Protocol", "one, two")
        client = Client().connect(server, handshake_request=request)
        with client.opened():
            pass
        assert client.ended() is None


def test_interim_responses_are_passed_over():
    def answer(sock):
        request = read_handshake(sock)
        accept = switching(request)
        head = "".join(f"{name}: {value}\r\n" for name, value in accept.headers)
        sock.sendall(f"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 101 OK\r\n{head}\r\n".encode())
        sock.recv(100)

    with Server(answer) as server:
        client = Client().connect(server)
        data = client.set_up()
        assert data.handshake_response_status == 101
        assert "Link" not in dict(data.handshake_response_headers)
        data.websocket.close()
        client.ended()


def answer_head(request):
    lines = [f"{name}: {value}" for name, value in switching(request).headers]
    return "\r\n".join(["HTTP/1.1 101 Switching Protocols", *lines, "", ""]).encode()


@pytest.mark.fault("R04", "R07")
@pytest.mark.parametrize("end", [Server.__name__, reset.__name__])
def test_answer_cut_at_every_byte(end):
    """All connections at once: one for each byte of the answer."""
    size = len(answer_head(websocket_request()))
    cuts = iter(range(size))

    def answer(sock):
        head = answer_head(read_handshake(sock))
        assert len(head) == size
        sock.sendall(head[: next(cuts)])
        if end == reset.__name__:
            reset(sock)

    with Server(answer) as server:
        clients = [Client().connect(server) for _ in range(size)]
        for client in clients:
            data = client.failed()
            assert data.handshake_response_status is None
            assert client.events == ["setup"]
    assert not server.errors


def websocket_request():
    from peers.http1 import Request

    headers = list(websocket.create_handshake_request(host="h").headers)
    return Request("GET", "/", headers)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 403 Forbidden\r\nX-Bad\xe9Name: 1\r\n\r\n",
        b"HTTP/1.1 101\r\n\r\n",
        b"SSH-2.0-OpenSSH\r\n",
        b"\0" * 100,
        b"HTTP/1.1 403 Forbidden\r\nContent-Length: -1\r\n\r\n",
    ],
)
@pytest.mark.fault("R03")
def test_answer_that_is_none(answer):
    with Server(scripted("read", answer)) as server:
        client = Client().connect(server)
        assert client.failed().exception is not None
        assert client.events == ["setup"]


@pytest.mark.fault("R04")
def test_refusal_without_its_end_has_no_body():
    with Server(scripted("read", b"HTTP/1.1 500 No\r\nContent-Length: 10\r\n\r\n12345")) as server:
        data = Client().connect(server).failed()
        assert data.handshake_response_status == 500
        assert data.handshake_response_body is None


def no_setup(data):
    raise AssertionError(data)


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"host": None}, TypeError),
        ({"host": 1}, TypeError),
        ({"host": ""}, ValueError),
        ({"host": "a\r\nb"}, ValueError),
        ({"host": "127.0.0.1\0"}, ValueError),
        ({"port": "80"}, TypeError),
        ({"port": 80.0}, TypeError),
        ({"port": -1}, ValueError),
        ({"port": 65536}, ValueError),
        ({"handshake_request": None}, TypeError),
        ({"handshake_request": HttpHeaders}, TypeError),
        ({"bootstrap": 3}, (TypeError, AttributeError)),
        ({"socket_options": 3}, (TypeError, AttributeError)),
        ({"tls_connection_options": 3}, (TypeError, AttributeError)),
        ({"proxy_options": 3}, (TypeError, AttributeError)),
        ({"manage_read_window": True}, ValueError),
        ({"manage_read_window": True, "initial_read_window": -1}, ValueError),
        ({"manage_read_window": True, "initial_read_window": 1 << 65}, OverflowError),
        ({"manage_read_window": True, "initial_read_window": "1"}, TypeError),
        ({"on_connection_setup": None}, TypeError),
        ({"on_connection_shutdown": 3}, TypeError),
        ({"on_incoming_frame_begin": 3}, TypeError),
        ({"on_incoming_frame_payload": 3}, TypeError),
        ({"on_incoming_frame_complete": 3}, TypeError),
    ],
)
def test_wrong_arguments(wrong, error):
    arguments = {
        "host": "127.0.0.1",
        "port": 1,
        "handshake_request": websocket.create_handshake_request(host="h"),
        "on_connection_setup": no_setup,
        **wrong,
    }
    with pytest.raises(error) as raised:
        websocket.connect(**arguments)
    assert raised.type is not SystemError


def test_request_that_is_no_handshake():
    def refuse(request, word):
        with pytest.raises(ValueError, match=word):
            websocket.connect(host="h", handshake_request=request, on_connection_setup=no_setup)

    refuse(HttpRequest("POST", "/"), "GET")
    refuse(HttpRequest("GET", "/"), "Sec-WebSocket-Key")
    request = websocket.create_handshake_request(host="h")
    request.headers.add("Sec-WebSocket-Extensions", "permessage-deflate")
    refuse(request, "extensions")


@pytest.mark.fault("R12")
def test_many_at_once():
    with WebSocketServer() as server:
        clients = []
        lock = threading.Lock()

        def open_some():
            for _ in range(10):
                client = Client().connect(server)
                with lock:
                    clients.append(client)

        threads = [threading.Thread(target=open_some) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        for client in clients:
            client.opened().close()
        assert [client.ended() for client in clients] == [None] * 80


@pytest.mark.fault("R10")
def test_setup_callback_raises(unraisable):
    error = ValueError("of the setup")
    with WebSocketServer() as server:
        client = Client()

        def on_setup(data):
            client.on_setup(data)
            raise error

        with unraisable() as caught:
            client.connect(server, on_connection_setup=on_setup)
            assert client.ended() is error
        assert caught == []
        client.set_up().websocket = None
    error.__traceback__ = None


@pytest.mark.fault("R10")
@pytest.mark.parametrize("listening", [True, False])
def test_exception_that_nobody_gets(unraisable, listening):
    """There is no shutdown of what was never open, and none to be told of without a callback."""
    error = ValueError("of the setup")
    told = Future()

    def on_setup(data):
        told.set_result(data.exception)
        raise error

    with WebSocketServer(respond=switching if listening else lambda request: Response(500)) as server:
        caught_error = Future()
        with unraisable() as caught:
            Client().connect(
                server,
                on_connection_setup=on_setup,
                on_connection_shutdown=None if listening else caught_error.set_result,
            )
            assert (told.result(10) is None) == listening
            assert server.wait_for(lambda: caught)
            assert caught == [error]
        assert not caught_error.done()
        if listening:
            assert server.wait_for(lambda: [int(f.opcode) for f in server.frames] == [8])
    error.__traceback__ = None
