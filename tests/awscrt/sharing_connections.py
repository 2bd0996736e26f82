"""Owns scenarios of many threads at one connection or client; see sharing.py."""

from __future__ import annotations

import asyncio
import contextlib
import io
import logging
import socket
import threading

from http_exchange import Exchange, bootstrap, connect, connect_http2, request
from peers.eventstream import RpcServer
from peers.http1 import Http1Server
from peers.http2 import Http2Server
from peers.s3 import S3Server
from peers.s3_transfers import GET, KEY, get_request, new_client
from peers.websocket import WebSocketServer
from peers.websocket_client import Client
from sharing import THREADS, WAIT_SEC, together

import awscrt.logging
from awscrt.aio.s3 import AIOS3Client
from awscrt.eventstream.rpc import (
    ClientConnection,
    ClientConnectionHandler,
    ClientContinuationHandler,
    MessageFlag,
    MessageType,
)
from awscrt.exceptions import AwsCrtError
from awscrt.http import HttpClientConnection
from awscrt.io import ClientTlsContext, LogLevel, TlsContextOptions
from awscrt.s3 import S3RequestTlsMode
from awscrt.websocket import Opcode

ROUNDS = 20


def _exchange_on(connection):
    def exchange(number):
        text = f"{threading.get_ident()} {number} ".encode() * 50
        message = request("PUT", "/", ("Content-Length", str(len(text))), body=io.BytesIO(text))
        assert Exchange(connection, message).done().body == text

    return exchange


def exchanges():
    with Http1Server() as server, connect(server) as connection:
        together(_exchange_on(connection), rounds=ROUNDS)
    with Http2Server() as server, connect_http2(server) as connection:
        together(_exchange_on(connection), rounds=ROUNDS)
        assert not server.protocol_errors
    connection.shutdown_future.exception(WAIT_SEC)


def drops():
    """What is dropped closes at once, though the thread of the event loop, which made it, has nothing else to do."""
    loops = bootstrap()
    with Http1Server() as server:
        for _ in range(ROUNDS):
            ended = connect(server, bootstrap=loops).shutdown_future
            ended.exception(WAIT_SEC)


def _pester(stream):
    """All that can be asked of a stream, on many threads."""
    ask = (
        stream.activate,
        lambda: stream.write_data(io.BytesIO(b"piece")),
        lambda: stream.update_window(1),
        lambda: stream.response_status_code,
        lambda: stream.remote_end_stream_future,
    )

    def work(number):
        # What is not active yet, or is complete, may refuse it.
        with contextlib.suppress(AwsCrtError):
            ask[number % len(ask)]()
        if number == 2 * len(ask) + 1:
            stream.cancel()

    together(work, rounds=4 * len(ask))


def stream_commands():
    with Http2Server() as server, connect_http2(
        server, manual_window_management=True, initial_window_size=1000
    ) as connection:
        for _ in range(ROUNDS):
            stream = connection.request(request("PUT"), manual_write=True)
            _pester(stream)
            stream.cancel()
            assert isinstance(stream.completion_future.exception(WAIT_SEC), AwsCrtError)
            assert stream.remote_end_stream_future.exception(WAIT_SEC) is not None
        assert _exchange_on(connection)(0) is None
    connection.shutdown_future.exception(WAIT_SEC)


def tls_options():
    options = TlsContextOptions()
    options.verify_peer = False
    shared = ClientTlsContext(options).new_connection_options()
    loops = bootstrap()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    def name(number):
        shared.set_server_name("ab"[number % 2] * (number % 60 + 1) + ".example")
        shared.set_alpn_list([["h2"], ["http/1.1", "h2"]][number % 2])

    def use(_):
        future = HttpClientConnection.new("127.0.0.1", port, loops, tls_connection_options=shared)
        assert future.exception(WAIT_SEC) is not None

    together(name, use, rounds=ROUNDS)


def websocket_frames():
    with WebSocketServer() as server:
        client = Client().connect(server)
        opened = client.opened()
        together(
            lambda number: opened.send_frame(Opcode.TEXT, f"{threading.get_ident()} {number} " * 20), rounds=ROUNDS
        )
        received = [client.receive().payload.decode() for _ in range(ROUNDS * THREADS)]
        together(lambda _: opened.close(), rounds=2)
        client.ended()
    assert len(set(received)) == ROUNDS * THREADS
    assert all(len(set(text.split())) == 2 or text.split()[0] == text.split()[1] for text in received)


class _Connected(ClientConnectionHandler):
    def __init__(self):
        self.accepted = threading.Event()

    def on_connection_setup(self, connection, error, **kwargs):
        self.connection = connection

    def on_connection_shutdown(self, reason, **kwargs):
        self.connection = None

    def on_protocol_message(self, headers, payload, message_type, flags, **kwargs):
        if message_type == MessageType.CONNECT_ACK:
            self.accepted.set()


class _Echoes(ClientContinuationHandler):
    def __init__(self):
        self.payloads = []

    def on_continuation_message(self, headers, payload, message_type, flags, **kwargs):
        self.payloads.append(payload)

    def on_continuation_closed(self, **kwargs):
        pass


def event_streams():
    with RpcServer() as server:
        handler = _Connected()
        ClientConnection.connect(
            handler=handler, host_name=server.host, port=server.port, bootstrap=bootstrap()
        ).result(WAIT_SEC)
        connection = handler.connection
        connection.send_protocol_message(message_type=MessageType.CONNECT).result(WAIT_SEC)
        assert handler.accepted.wait(WAIT_SEC)

        def talk(number):
            echoes = _Echoes()
            stream = connection.new_stream(echoes)
            payload = f"{threading.get_ident()} {number}".encode()
            stream.activate(operation="once", payload=payload, message_type=MessageType.APPLICATION_MESSAGE).result(
                WAIT_SEC
            )
            stream.closed_future.result(WAIT_SEC)
            assert echoes.payloads == [payload]

        def send_on_one(number):
            # Refused until it is active, and once it is closed.
            with contextlib.suppress(AwsCrtError):
                if number % 4 == 0:
                    shared.activate(operation="stream", message_type=MessageType.APPLICATION_MESSAGE)
                flags = MessageFlag.TERMINATE_STREAM if number == ROUNDS - 1 else None
                shared.send_message(payload=b"x", message_type=MessageType.APPLICATION_MESSAGE, flags=flags)

        shared = connection.new_stream(_Echoes())
        together(talk, send_on_one, rounds=ROUNDS)
        connection.close().result(WAIT_SEC)


def transfers():
    data = bytes(range(256)) * 4096
    with S3Server() as server:
        server.put(KEY, data)
        client = new_client(bootstrap=bootstrap())
        _transfer_all(client, get_request(server), data)


def _transfer_all(client, message, data):
    def get(number):
        chunks = []
        transfer = client.make_request(
            type=GET, request=message, on_body=lambda chunk, **_: chunks.append(chunk), part_size=256 * 1024
        )
        if number % 5 == 4:
            together(lambda _: transfer.cancel(), rounds=1)
            transfer.finished_future.exception(WAIT_SEC)
        else:
            transfer.finished_future.result(WAIT_SEC)
            assert b"".join(chunks) == data

    def change(number):
        for step in range(50):
            message.headers.add(f"x-amz-meta-{number}", "x" * step)
        with contextlib.suppress(KeyError):
            message.headers.remove(f"x-amz-meta-{number}")

    together(get, change, rounds=ROUNDS)


def closing():
    logging.getLogger("asyncio").setLevel(logging.ERROR)  # it warns where the machine is slow
    with S3Server() as server:
        server.put(KEY, b"data")
        loops = bootstrap()
        for _ in range(5):
            client = AIOS3Client(bootstrap=loops, region="us-east-1", tls_mode=S3RequestTlsMode.DISABLED)
            _close_beside_requests(client, server)


def _close_beside_requests(client, server):
    async def get():
        transfer = client.make_request(type=GET, request=get_request(server))
        transfer.cancel()
        with contextlib.suppress(AwsCrtError):
            await transfer.wait_for_completion()

    def work(number):
        if number == 3:
            asyncio.run(client.close())
            return
        try:
            asyncio.run(get())
        except RuntimeError as error:
            if str(error) != "the client is closed":
                raise

    together(work, rounds=5)


def logs():
    class Counts(logging.Handler):
        def __init__(self):
            super().__init__()
            self.messages = []

        def emit(self, record):
            self.messages.append(record.getMessage())

    counts = Counts()
    logger = logging.getLogger("awscrt")
    logger.addHandler(counts)
    logger.propagate = False
    logger.setLevel(logging.WARNING)

    def log(number):
        awscrt.logging.init_logging(logging.WARNING)
        awscrt.logging.log(logging.ERROR, awscrt.logging.LogSubject.COMMON_GENERAL, f"{threading.get_ident()} {number}")

    together(log, rounds=150)
    assert len(counts.messages) == len(set(counts.messages))
    together(lambda number: awscrt.io.set_log_level(LogLevel(number % 7)), log, rounds=ROUNDS)
    awscrt.io.set_log_level(LogLevel.NoLogs)
