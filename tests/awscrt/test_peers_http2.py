"""Owns the tests of the peers that speak HTTP/2 or stand between: by python-h2's client, and by http.client through proxies."""

from __future__ import annotations

import base64
import http.client
import socket
import ssl
import time

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import pytest
from peers import tls
from peers.http1 import Http1Server, Response
from peers.http2 import Http2Server, Reset
from peers.proxy import ProxyServer

WAIT_SEC = 10.0


@pytest.fixture(scope="module")
def authority():
    return tls.Authority()


class Client:
    """A client of python-h2, enough to try a server with."""

    def __init__(self, server, context=None):
        self.sock = socket.create_connection((server.host, server.port), timeout=WAIT_SEC)
        if context is not None:
            context.set_alpn_protocols(["h2"])
            self.sock = context.wrap_socket(self.sock, server_hostname="localhost")
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        self.h2.initiate_connection()
        self.events = []
        self.flush()

    def flush(self):
        self.sock.sendall(self.h2.data_to_send())

    def request(self, body=b"", method="POST", path="/", end=True):
        stream_id = self.h2.get_next_available_stream_id()
        head = [(":method", method), (":path", path), (":scheme", "https"), (":authority", "localhost"), ("x-a", "b")]
        self.h2.send_headers(stream_id, head)
        self.send(stream_id, body, end=end)
        return stream_id

    def send(self, stream_id, body, end=True):
        while body:
            room = min(self.h2.local_flow_control_window(stream_id), self.h2.max_outbound_frame_size)
            if room:
                self.h2.send_data(stream_id, body[:room])
                body = body[room:]
                self.flush()
            else:
                self.receive()
        if end:
            self.h2.end_stream(stream_id)
        self.flush()

    def receive(self):
        data = self.sock.recv(65536)
        if not data:
            raise EOFError
        events = self.h2.receive_data(data)
        for event in events:
            if isinstance(event, h2.events.DataReceived) and event.flow_controlled_length:
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        self.flush()
        self.events += events

    def until(self, kind, stream_id=None):
        while True:
            for event in self.events:
                if isinstance(event, kind) and (stream_id is None or event.stream_id == stream_id):
                    return event
            self.receive()

    def body(self, stream_id):
        self.until(h2.events.StreamEnded, stream_id)
        data = [e for e in self.events if isinstance(e, h2.events.DataReceived) and e.stream_id == stream_id]
        return b"".join(event.data for event in data)


@pytest.mark.parametrize("secure", [False, True])
def test_http_2_both_ways_beyond_the_window(authority, secure):
    context = ssl.create_default_context(cadata=authority.ca_pem.decode()) if secure else None
    tls_context = authority.issue().server_context(["h2"]) if secure else None
    big = bytes(range(256)) * 1200
    with Http2Server(tls=tls_context) as server:
        client = Client(server, context)
        first, second = client.request(big), client.request(b"small", path="/b")
        assert client.body(second) == b"small"
        assert client.body(first) == big
        request = server.requests[1]
        assert (request.path, request.header(":authority"), request.header("x-a")) == ("/b", "localhost", "b")
        assert (server.errors, server.lost, server.protocol_errors) == ([], [], [])
        client.sock.close()


def test_http_2_answers_of_every_kind():
    answers = {
        "/reset": Reset(7),
        "/trailers": Response(body=iter([b"a", b"b"]), trailers=[("x-t", "u")]),
        "/nothing": None,
        "/last": Response(404, close=True),
    }
    with Http2Server(lambda request: answers[request.path]) as server:
        client = Client(server)
        client.request(path="/nothing")
        assert client.until(h2.events.StreamReset, client.request(path="/reset")).error_code == 7
        stream = client.request(path="/trailers")
        assert client.body(stream) == b"ab"
        assert ("x-t", "u") in client.until(h2.events.TrailersReceived, stream).headers
        stream = client.request(path="/last")
        assert client.body(stream) == b""
        assert client.until(h2.events.ConnectionTerminated).last_stream_id == stream
        with pytest.raises(EOFError):
            client.until(h2.events.PingReceived)


def test_http_2_early_answer_and_reset_by_the_client():
    early = {"/early": Response(403, body=b"no")}
    with Http2Server(early=lambda request: early.get(request.path)) as server:
        client = Client(server)
        stream = client.request(b"begun", path="/early", end=False)
        assert client.body(stream) == b"no"
        client.send(stream, b"", end=True)
        assert server.wait_for(lambda: server.requests)
        stream = client.request(b"begun", end=False)
        client.h2.reset_stream(stream, 8)
        client.flush()
        assert server.wait_for(lambda: server.resets == [(stream, 8)])


def test_http_2_windows_and_settings_and_ping():
    settings = {3: 7, 4: 10}
    with Http2Server(settings=settings, automatic_windows=False) as server:
        client = Client(server)
        client.until(h2.events.SettingsAcknowledged)
        stream = client.request(b"0123456789", end=False)
        connection = server.live[0]
        assert server.wait_for(lambda: connection.received(stream) == b"0123456789")
        assert client.h2.local_flow_control_window(stream) == 0
        connection.acknowledge(stream, 10)
        client.send(stream, b"abc")
        assert client.body(stream) == b"0123456789abc"
        changed = client.until(h2.events.RemoteSettingsChanged).changed_settings
        assert {int(key): changed[key].new_value for key in changed}[3] == 7
        client.h2.ping(b"from me.")
        client.flush()
        connection.ping(b"from you")
        assert client.until(h2.events.PingReceived).ping_data == b"from you"
        assert server.wait_for(lambda: server.pings == [b"from me."])
        connection.goaway(0, stream, b"bye")
        assert client.until(h2.events.ConnectionTerminated).additional_data == b"bye"


def test_http_2_slow_answers_hold_nothing_up():
    def respond(request):
        if request.path == "/slow":
            server.closing.wait(WAIT_SEC)
        return Response(body=b"quick")

    with Http2Server(respond) as server:
        client = Client(server)
        client.request(path="/slow")
        assert client.body(client.request()) == b"quick"
        client.h2.close_connection(2)
        client.flush()
        assert server.wait_for(lambda: server.goaways == [(2, 0, b"")])
        client.sock.close()
        start = time.monotonic()
    assert time.monotonic() - start < 2


@pytest.mark.parametrize("secure", [False, True])
def test_proxy_tunnels(authority, secure):
    context = ssl.create_default_context(cadata=authority.ca_pem.decode())
    big = b"x" * 3_000_000
    tls_context = authority.issue().server_context() if secure else None
    with Http1Server(tls=tls_context) as server, ProxyServer() as proxy:
        if secure:
            client = http.client.HTTPSConnection(proxy.host, proxy.port, timeout=WAIT_SEC, context=context)
        else:
            client = http.client.HTTPConnection(proxy.host, proxy.port, timeout=WAIT_SEC)
        client.set_tunnel("localhost", server.port)
        client.request("PUT", "/", body=big)
        assert client.getresponse().read() == big
        client.close()
        assert proxy.tunnels == [f"localhost:{server.port}"]


def test_proxy_forwards_and_asks_who_it_is(authority):
    context = ssl.create_default_context(cadata=authority.ca_pem.decode())
    proxy_tls = authority.issue().server_context()
    with Http1Server() as server, ProxyServer(auth=("me", "secret"), tls=proxy_tls) as proxy:
        client = http.client.HTTPSConnection("localhost", proxy.port, timeout=WAIT_SEC, context=context)
        uri = f"http://127.0.0.1:{server.port}/a?b"
        client.request("POST", uri, body=b"hello")
        answer = client.getresponse()
        assert (answer.status, answer.read()) == (407, b"")
        word = base64.b64encode(b"me:secret").decode()
        client.request("POST", uri, body=b"hello", headers={"Proxy-Authorization": f"Basic {word}"})
        assert client.getresponse().read() == b"hello"
        assert (proxy.refused, proxy.forwarded) == (1, [uri])
        assert (server.requests[0].path, server.requests[0].header("proxy-authorization")) == ("/a?b", None)
        client.close()
