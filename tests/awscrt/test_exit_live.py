"""The end of the interpreter with connections at any stage: the exit code is the program's own, and it comes soon.

A script takes the client's side in an interpreter of its own; the server, in this one, lets the script know when the stage
is reached. The variable AWSCRT_TEST_REPEAT says how often each is run.
"""

from __future__ import annotations

import os
import textwrap
import threading
import time
from typing import Any, Callable, NamedTuple

import pytest
from peers import stalling, tls
from peers.tcp import Server

pytestmark = pytest.mark.fault("R09")

REPEAT = int(os.environ.get("AWSCRT_TEST_REPEAT") or 2)
SOON_SEC = 20.0

PRELUDE = """
import socket, sys, threading, time
from concurrent.futures import Future
from awscrt import auth, http, io, s3, websocket
from awscrt.eventstream import rpc

HOST, WAIT = "localhost", 20

class Late:  # makes the end of the interpreter last, while native threads go on
    def __del__(self, sleep=time.sleep):
        sleep(0.05)

late = Late()

def there():
    with socket.create_connection(("127.0.0.1", GATE), WAIT) as gate:
        assert gate.recv(1), "the server never saw it"

def trust(*protocols):
    options = io.TlsContextOptions()
    options.override_default_trust_store(CA)
    connection = io.ClientTlsContext(options).new_connection_options()
    connection.set_server_name(HOST)
    if protocols:
        connection.set_alpn_list(list(protocols))
    return connection

def connect(cls=http.HttpClientConnection, **options):
    return cls.new(HOST, PORT, **options)

def connect2(**options):
    return connect(http.Http2ClientConnection, tls_connection_options=trust("h2"), **options)

def start(connection, stream=None, **callbacks):
    headers = http.HttpHeaders([("host", HOST)])
    if stream is not None:
        headers.add("content-length", str(1 << 30))
    exchange = connection.request(http.HttpRequest("PUT", "/", headers, stream), **callbacks)
    exchange.activate()
    return exchange

class Endless:
    def __init__(self, pause=0):
        self.pause = pause

    def readinto(self, view):
        time.sleep(self.pause)
        return len(view)

    def read(self, size):
        time.sleep(self.pause)
        return bytes(size)

    def seek(self, offset, whence=0):
        return (1 << 30) if whence == 2 else 0

    def tell(self):
        return 0

inside = threading.Event()

def callback(*args, **kwargs):
    inside.set()
    time.sleep(0.3)

def open_websocket(**options):
    opened = Future()
    websocket.connect(
        host=HOST,
        port=PORT,
        handshake_request=websocket.create_handshake_request(host=HOST),
        on_connection_setup=lambda data: opened.set_result(data.websocket),
        **options,
    )
    return opened

def transfer(method, **options):
    provider = auth.AwsCredentialsProvider.new_static("id", "secret")
    client = s3.S3Client(region="r", credential_provider=provider, tls_mode=s3.S3RequestTlsMode.DISABLED)
    headers = http.HttpHeaders([("host", f"{HOST}:{PORT}")])
    stream = None
    kind = s3.S3RequestType.GET_OBJECT
    if method == "PUT":
        kind, stream = s3.S3RequestType.PUT_OBJECT, Endless(0.001)
        headers.add("content-length", str(1 << 30))
    return client, client.make_request(
        type=kind, request=http.HttpRequest(method, "/key", headers, stream), **options
    )

class Connection(rpc.ClientConnectionHandler):
    def on_connection_setup(self, connection, error, **kwargs):
        assert error is None, error
        self.connection = connection

    def on_connection_shutdown(self, reason, **kwargs):
        pass

    def on_protocol_message(self, message_type, **kwargs):
        accepted.set_result(message_type)

class Stream(rpc.ClientContinuationHandler):
    def on_continuation_message(self, **kwargs):
        callback()

    def on_continuation_closed(self, **kwargs):
        pass

accepted = Future()

def open_rpc():
    handler = Connection()
    rpc.ClientConnection.connect(handler=handler, host_name=HOST, port=PORT).result(WAIT)
    handler.connection.send_protocol_message(message_type=rpc.MessageType.CONNECT)
    assert accepted.result(WAIT) == rpc.MessageType.CONNECT_ACK
    return handler.connection

def open_stream(connection):
    stream = connection.new_stream(Stream())
    stream.activate(operation="silent", message_type=rpc.MessageType.APPLICATION_MESSAGE)
    return stream
"""


class Stage(NamedTuple):
    server: Callable[..., Server]
    script: str
    alpn: Any = None
    """A list, which may be empty, for a server with TLS."""


STAGES = {
    "http connecting": Stage(stalling.Unreachable, "future = connect(); there(); assert not future.done()"),
    "http TLS handshaking": Stage(
        stalling.listens,
        "future = connect(tls_connection_options=trust()); there(); assert not future.done()",
    ),
    "http connected": Stage(stalling.accepts, "connection = connect().result(WAIT)"),
    "https connected": Stage(
        stalling.accepts, "connection = connect(tls_connection_options=trust()).result(WAIT)", alpn=[]
    ),
    "http closing": Stage(stalling.accepts, "connection = connect().result(WAIT); connection.close()"),
    "http response waited for": Stage(
        stalling.listens, "connection = connect().result(WAIT); stream = start(connection); there()"
    ),
    "http response arriving": Stage(
        stalling.drips,
        """
        got = []
        connection = connect().result(WAIT)
        stream = start(connection, on_body=lambda http_stream, chunk, **kwargs: got.append(chunk))
        there()
        """,
    ),
    "https response arriving": Stage(
        stalling.drips,
        """
        got = []
        connection = connect(tls_connection_options=trust()).result(WAIT)
        stream = start(connection, on_body=lambda http_stream, chunk, **kwargs: got.append(chunk))
        there()
        """,
        alpn=[],
    ),
    "http body being read": Stage(
        stalling.listens, "connection = connect().result(WAIT); stream = start(connection, Endless(0.01)); there()"
    ),
    "http body not taken": Stage(
        stalling.reads_nothing, "connection = connect().result(WAIT); stream = start(connection, Endless()); there()"
    ),
    "http callback running": Stage(
        stalling.drips,
        """
        connection = connect().result(WAIT)
        stream = start(connection, on_body=callback)
        assert inside.wait(WAIT)
        """,
    ),
    "http2 connected": Stage(stalling.http2_listens, "connection = connect2().result(WAIT)", alpn=["h2"]),
    "http2 response waited for": Stage(
        stalling.http2_listens,
        "connection = connect2().result(WAIT); stream = start(connection); there()",
        alpn=["h2"],
    ),
    "http2 response arriving": Stage(
        stalling.http2_drips,
        """
        got = []
        connection = connect2().result(WAIT)
        streams = [start(connection, on_body=lambda chunk, **kwargs: got.append(chunk)) for _ in range(5)]
        there()
        """,
        alpn=["h2"],
    ),
    "http2 body being read": Stage(
        stalling.http2_listens,
        "connection = connect2().result(WAIT); stream = start(connection, Endless(0.01)); there()",
        alpn=["h2"],
    ),
    "http2 callback running": Stage(
        stalling.http2_drips,
        """
        connection = connect2().result(WAIT)
        stream = start(connection, on_response=callback, on_body=callback)
        assert inside.wait(WAIT)
        """,
        alpn=["h2"],
    ),
    "websocket connecting": Stage(stalling.listens, "opened = open_websocket(); there(); assert not opened.done()"),
    "websocket open": Stage(stalling.websocket_listens, "socket_ = open_websocket().result(WAIT)"),
    "websocket closing": Stage(stalling.websocket_listens, "open_websocket().result(WAIT).close()"),
    "websocket frame arriving": Stage(
        stalling.websocket_drips,
        """
        got = []
        socket_ = open_websocket(on_incoming_frame_payload=got.append).result(WAIT)
        there()
        """,
    ),
    "websocket frame being sent": Stage(
        stalling.websocket_reads_nothing,
        """
        socket_ = open_websocket().result(WAIT)
        for payload in (bytes(32 << 20), bytearray(32 << 20), "text"):
            socket_.send_frame(2, payload, on_complete=print)
        """,
    ),
    "websocket callback running": Stage(
        stalling.websocket_drips,
        """
        socket_ = open_websocket(on_incoming_frame_payload=callback).result(WAIT)
        assert inside.wait(WAIT)
        """,
    ),
    "s3 get waiting": Stage(stalling.listens, "kept = transfer('GET'); there()"),
    "s3 get in progress": Stage(
        stalling.parts_drip,
        """
        got = []
        kept = transfer("GET", on_body=lambda chunk, **kwargs: got.append(chunk))
        there()
        """,
    ),
    "s3 put in progress": Stage(stalling.listens, "kept = transfer('PUT'); there()"),
    "s3 callback running": Stage(
        stalling.parts_drip, "kept = transfer('GET', on_body=callback); assert inside.wait(WAIT)"
    ),
    "rpc connected": Stage(stalling.rpc_listens, "connection = open_rpc()"),
    "rpc answer waited for": Stage(
        stalling.rpc_listens, "connection = open_rpc(); stream = open_stream(connection); there()"
    ),
    "rpc callback running": Stage(
        stalling.rpc_drips,
        "connection = open_rpc(); stream = open_stream(connection); assert inside.wait(WAIT)",
    ),
    "credentials waited for": Stage(
        stalling.listens,
        """
        import os
        os.environ.update(
            HOME="/nonexistent",
            AWS_CONFIG_FILE="/nonexistent",
            AWS_SHARED_CREDENTIALS_FILE="/nonexistent",
            AWS_EC2_METADATA_DISABLED="true",
            AWS_CONTAINER_CREDENTIALS_FULL_URI=f"http://127.0.0.1:{PORT}/",
        )
        provider = auth.AwsCredentialsProvider.new_default_chain()
        future = provider.get_credentials()
        there()
        assert not future.done()
        """,
    ),
    "credentials callback running": Stage(
        stalling.accepts,
        """
        provider = auth.AwsCredentialsProvider.new_delegate(callback)
        threading.Thread(target=provider.get_credentials, daemon=True).start()
        assert inside.wait(WAIT)
        """,
    ),
    "future waited for by a daemon thread": Stage(
        stalling.listens,
        """
        future = connect(tls_connection_options=trust())
        threading.Thread(target=future.result, daemon=True).start()
        there()
        """,
    ),
    "daemon threads connecting": Stage(
        stalling.accepts,
        """
        def work():
            while True:
                connect().result(WAIT)
                open_websocket()
        for _ in range(4):
            threading.Thread(target=work, daemon=True).start()
        time.sleep(0.2)
        """,
    ),
    "daemon threads exchanging": Stage(
        stalling.drips,
        """
        def work():
            while True:
                stream = start(connect().result(WAIT), on_response=callback, on_body=callback)
                time.sleep(0.01)
        for _ in range(4):
            threading.Thread(target=work, daemon=True).start()
        there()
        """,
    ),
}


@pytest.fixture(scope="module")
def authority():
    return tls.Authority()


def run(run_python, authority, stage, **options):
    """Run the script of a stage beside its server; a hang or any exit code but 0 is an error."""
    reached = threading.Event()
    context = {} if stage.alpn is None else {"tls": authority.issue("localhost").server_context(alpn=stage.alpn)}
    with stage.server(reached, **context) as server, Server(
        lambda sock: sock.sendall(b".") if reached.wait(SOON_SEC) else None
    ) as gate:
        constants = f"PORT, GATE, CA = {server.port}, {gate.port}, {authority.ca_pem!r}\n"
        started = time.monotonic()
        done = run_python(constants + PRELUDE + textwrap.dedent(stage.script), **options)
        assert time.monotonic() - started < SOON_SEC
    return done


@pytest.mark.parametrize("name", STAGES)
def test_exit_code_is_zero(run_python, authority, name):
    for _ in range(REPEAT):
        run(run_python, authority, STAGES[name])


@pytest.mark.parametrize("name", ["http response arriving", "websocket callback running", "s3 put in progress"])
@pytest.mark.parametrize(("end", "code"), [("sys.exit(3)", 3), ("1 / 0", 1)])
def test_exit_code_is_kept(run_python, authority, name, end, code):
    stage = STAGES[name]
    stage = stage._replace(script=textwrap.dedent(stage.script) + "\n" + end)
    done = run(run_python, authority, stage, check=False)
    assert done.returncode == code, done.stderr
