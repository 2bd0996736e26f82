"""Owns the tests of TLS as HTTP connections meet it: good certificates, bad ones, and handshakes that do not come to an end."""

from __future__ import annotations

import contextlib
import itertools
import socket
import ssl
import time
from collections import deque

import pytest
from peers import tcp, tls
from peers.http1 import Http1Server

from awscrt.exceptions import AwsCrtError
from awscrt.http import HttpClientConnection, HttpRequest
from awscrt.io import (
    ClientBootstrap,
    ClientTlsContext,
    DefaultHostResolver,
    EventLoopGroup,
    SocketOptions,
    TlsContextOptions,
    TlsVersion,
)

WAIT_SEC = 20.0
# After a failed handshake s2n holds its answer back for 10 to 30 s, which makes its errors useless to who times them.
REFUSAL_SEC = 45.0
HANDSHAKE_TIMEOUT_SEC = 10.0  # of aws-c-io

TLS_1_2, TLS_1_3 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
CLOSED, FAILED, TIMED_OUT = (
    "AWS_IO_SOCKET_CLOSED",
    "AWS_IO_TLS_ERROR_NEGOTIATION_FAILURE",
    "AWS_IO_TLS_NEGOTIATION_TIMEOUT",
)


@pytest.fixture(scope="module")
def authority():
    return tls.Authority()


class Client:
    """Connects with TLS; all its connections share one event loop and one context."""

    def __init__(self, ca_pem, **options):
        group = EventLoopGroup(1)
        self.bootstrap = ClientBootstrap(group, DefaultHostResolver(group))
        context_options = TlsContextOptions()
        if ca_pem is not None:
            context_options.override_default_trust_store(ca_pem)
        for name, value in options.items():
            setattr(context_options, name, value)
        self.context = ClientTlsContext(context_options)

    def connect(self, port, host="127.0.0.1", name="localhost", socket_options=None):
        options = self.context.new_connection_options()
        if name is not None:
            options.set_server_name(name)
        return HttpClientConnection.new(
            host, port, bootstrap=self.bootstrap, socket_options=socket_options, tls_connection_options=options
        )


def error_of(future, timeout=WAIT_SEC):
    error = future.exception(timeout)
    assert isinstance(error, AwsCrtError), error or future.result().close()
    return error.name


def exchange(connection):
    """One request and its answer, which proves that bytes go both ways."""
    body = bytearray()
    stream = connection.request(HttpRequest("GET", "/"), on_body=lambda chunk, **_: body.extend(chunk))
    stream.activate()
    status = stream.completion_future.result(WAIT_SEC)
    connection.close().result(WAIT_SEC)
    return status, bytes(body)


@pytest.mark.parametrize("version", [TLS_1_2, TLS_1_3], ids=["1.2", "1.3"])
@pytest.mark.parametrize("key", ["ec", "rsa"])
@pytest.mark.parametrize(
    ("certified", "host", "name"),
    [
        ("localhost", "localhost", "localhost"),
        ("localhost", "127.0.0.1", "localhost"),
        ("127.0.0.1", "127.0.0.1", "127.0.0.1"),
        ("*.example.test", "127.0.0.1", "a.example.test"),
    ],
)
def test_good_certificate(authority, version, key, certified, host, name):
    context = authority.issue(certified, key=key).server_context(minimum=version, maximum=version)
    with Http1Server(tls=context) as server:
        connection = Client(authority.ca_pem).connect(server.port, host, name).result(WAIT_SEC)
        assert exchange(connection) == (200, b"")
        assert (len(server.requests), server.handshakes, server.handshake_errors) == (1, 1, [])


@pytest.mark.parametrize("version", ["TLSv1", "TLSv1_1"])
def test_old_version_if_asked_for(authority, version):
    old = ssl.TLSVersion[version]
    with Http1Server(tls=authority.issue().server_context(minimum=old, maximum=old)) as server:
        client = Client(authority.ca_pem, min_tls_ver=TlsVersion.TLSv1)
        assert exchange(client.connect(server.port).result(WAIT_SEC)) == (200, b"")


@pytest.mark.parametrize("issue", [lambda: tls.self_signed("elsewhere.test"), lambda: tls.Authority().issue()])
def test_anything_goes_without_verification(issue):
    with Http1Server(tls=issue().server_context()) as server:
        client = Client(None, verify_peer=False)
        assert exchange(client.connect(server.port).result(WAIT_SEC)) == (200, b"")


def drip(sock):
    """The start of a record that announces a long handshake message, a byte at a time."""
    for byte in b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc\x03\x03" + bytes(1000):
        sock.sendall(bytes([byte]))
        time.sleep(0.2)


SILENCES = {
    "silent": tcp.read_all,
    "silent in the middle": lambda sock: (sock.sendall(b"\x16\x03\x03\x00\x5a\x02"), tcp.read_all(sock)),
    "dripping": drip,
}

REFUSED = {
    "expired": lambda authority: authority.issue(expired=True),
    "not yet valid": lambda authority: authority.issue(not_yet=True),
    "self-signed": lambda authority: tls.self_signed(),
    "another host": lambda authority: authority.issue("elsewhere.test"),
    "another host, which begins with this one": lambda authority: authority.issue("localhost.example.test"),
    "another address": lambda authority: authority.issue("127.0.0.2"),
    "an unknown authority": lambda authority: tls.Authority().issue(),
}


class Refusal:
    """A connection that fails in the end, with a server that notes what it was sent."""

    def __init__(self, servers, client, server_context, name="localhost"):
        self.received = []
        self._server = servers.enter_context(
            tcp.Server(lambda sock: self.received.append(tcp.read_all(sock)), tls=server_context)
        )
        self.future = client.connect(self._server.port, name=name)

    def outcome(self):
        name = error_of(self.future, REFUSAL_SEC)
        assert self._server.wait_for(lambda: self._server.handshake_errors)
        return name, self._server.handshakes, self.received


class Silence:
    """A connection whose handshake does not come to its end."""

    def __init__(self, servers, client, handler):
        server = servers.enter_context(tcp.Server(handler))
        begun, self._times = time.monotonic(), []
        self._future = client.connect(server.port)
        self._future.add_done_callback(lambda _: self._times.append(time.monotonic() - begun))

    def outcome(self):
        name = error_of(self._future, REFUSAL_SEC)
        return name, 0 < self._times[0] - HANDSHAKE_TIMEOUT_SEC + 0.5 < 5


@pytest.mark.fault("R05", "R06", "R07")
def test_refused_before_a_byte_of_the_application_and_timed_out(authority):
    """All at once, because of the time that each takes."""
    client, stranger = Client(authority.ca_pem), Client(None)
    with contextlib.ExitStack() as servers:
        silences = {case: Silence(servers, client, handler) for case, handler in SILENCES.items()}
        refusals = {
            case: Refusal(servers, client, issue(authority).server_context()) for case, issue in REFUSED.items()
        }
        good = authority.issue()
        refusals["not in the system's store"] = Refusal(servers, stranger, good.server_context())
        other = authority.issue("elsewhere.test").server_context()
        refusals["another host, and no name given"] = Refusal(servers, client, other, name=None)
        for version in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1):
            old = good.server_context(minimum=version, maximum=version)
            refusals[version.name] = Refusal(servers, client, old)
        assert {case: one.outcome() for case, one in silences.items()} == dict.fromkeys(silences, (TIMED_OUT, True))
        assert {case: one.outcome() for case, one in refusals.items()} == dict.fromkeys(refusals, (FAILED, 0, []))


class Cut:
    """A TLS server in memory, whose every handshake is cut one byte later than the one before.

    Attributes:
        size (int): How many bytes it sends for a handshake, once it has brought one to its end.
    """

    def __init__(self, context, first=0):
        self._context = context
        self._sizes = itertools.count(first)
        self.size = 0

    def __call__(self, sock):
        room = next(self._sizes)
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        server = self._context.wrap_bio(incoming, outgoing, server_side=True)
        sent, done = 0, False
        while not done and sent < room:
            try:
                server.do_handshake()
                done = True
            except ssl.SSLWantReadError:
                pass
            flight = outgoing.read()
            sock.sendall(flight[: max(0, room - sent)])
            sent += len(flight)
            if done and sent <= room:
                self.size = sent
                tcp.read_all(sock)
            elif sent < room:
                incoming.write(sock.recv(65536))


def without_tickets(context):
    context.num_tickets = 0
    context.options |= ssl.OP_NO_TICKET
    return context


@pytest.mark.fault("R07")
@pytest.mark.parametrize("version", [TLS_1_2, TLS_1_3], ids=["1.2", "1.3"])
def test_handshake_cut_at_every_byte(authority, version):
    """RSA, for its signatures are all of one length, so that each handshake takes the same number of bytes."""
    context = without_tickets(authority.issue(key="rsa").server_context(minimum=version, maximum=version))
    client = Client(authority.ca_pem)
    whole = Cut(context, first=1 << 20)
    with tcp.Server(whole) as server:
        connection = client.connect(server.port).result(WAIT_SEC)
        assert server.wait_for(lambda: whole.size)
        connection.close().exception(WAIT_SEC)
    size = whole.size
    assert 1000 < size < 4000
    cut = Cut(context)
    with tcp.Server(cut) as server:
        names = set()
        waiting = deque()
        for _ in range(size):
            waiting.append(client.connect(server.port))
            if len(waiting) == 64:
                names.add(error_of(waiting.popleft()))
        names.update(map(error_of, waiting))
        assert (server.connections, server.errors, server.lost) == (size, [], [])
        assert names == {CLOSED}


@pytest.mark.fault("R05")
def test_connect_timeout(authority):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        crowd = [socket.socket() for _ in range(4)]
        for sock in crowd:
            sock.setblocking(False)
            sock.connect_ex(listener.getsockname())
        options = SocketOptions()
        options.connect_timeout_ms = 200
        begun = time.monotonic()
        future = Client(authority.ca_pem).connect(listener.getsockname()[1], socket_options=options)
        assert error_of(future) == "AWS_IO_SOCKET_TIMEOUT"
        assert 0.1 < time.monotonic() - begun < 5
        for sock in crowd:
            sock.close()
