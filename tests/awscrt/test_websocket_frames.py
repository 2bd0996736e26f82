"""Frames both ways over an open WebSocket, and what a bad one does."""

from __future__ import annotations

import io as std_io
import os
import queue
import threading
import time
from concurrent.futures import Future

import pytest
from peers.tcp import reset
from peers.websocket import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, WebSocketServer, encode
from peers.websocket_client import Client, send

from awscrt import websocket
from awscrt.websocket import Opcode


@pytest.mark.parametrize("opcode", [Opcode.TEXT, Opcode.BINARY, 1])
@pytest.mark.parametrize(
    "payload",
    [
        "text",
        "t\u00e9xt \0 \U0001f441",
        b"bytes",
        bytearray(b"bytearray"),
        memoryview(b"--part--")[2:-2],
        memoryview(bytearray(range(64))).cast("I"),
        "",
        b"",
        None,
        b"x" * 125,
        b"x" * 126,
        b"x" * 65535,
        b"x" * 65536,
    ],
)
def test_payload_of_any_kind_comes_back(opcode, payload):
    with WebSocketServer() as server:
        client = Client().connect(server)
        with client.opened() as socket:
            assert send(socket, opcode, payload) is None
            expected = payload.encode() if isinstance(payload, str) else bytes(payload or b"")
            if isinstance(payload, memoryview):
                expected = payload.tobytes()
            message = client.receive()
            assert message == (opcode, expected, True, None)
            assert isinstance(message.opcode, Opcode)
            assert message.fin is True
        assert client.ended() is None


def test_large_payload():
    payload = os.urandom(8 << 20)
    with WebSocketServer() as server:
        client = Client().connect(server)
        with client.opened() as socket:
            assert send(socket, Opcode.BINARY, payload) is None
            assert client.receive().payload == payload
        assert client.ended() is None


def test_events_of_a_frame():
    """Begin, pieces, complete: of one frame at a time, which is the same object."""
    with WebSocketServer() as server:
        client = Client().connect(server)
        with client.opened() as socket:
            socket.send_frame(Opcode.BINARY, bytes(200_000))
            socket.send_frame(Opcode.TEXT)
            client.receive()
            client.receive()
        client.ended()
    events = [event for event in client.events if isinstance(event, tuple)]
    first, second = events[0][1], events[-1][1]
    assert first == websocket.IncomingFrame(Opcode.BINARY, 200_000, True)
    assert second == websocket.IncomingFrame(Opcode.TEXT, 0, True)
    kinds = [kind for kind, frame in events if frame is first]
    assert kinds[0] == "begin"
    assert set(kinds[1:-1]) == {"payload"}
    assert kinds[-1] == "complete"
    assert [kind for kind, frame in events if frame is second] == ["begin", "complete"]
    assert len(kinds) + 2 == len(events)
    assert client.events[-1] == "shutdown"


def test_fragments_keep_their_order():
    with WebSocketServer() as server:
        client = Client().connect(server)
        with client.opened() as socket:
            socket.send_frame(Opcode.TEXT, "a", fin=False)
            socket.send_frame(Opcode.PING, b"between")
            socket.send_frame(Opcode.CONTINUATION, "b", fin=False)
            socket.send_frame(Opcode.CONTINUATION, "c")
            got = [client.receive()[:3] for _ in range(4)]
        assert client.ended() is None
    assert got == [(0x1, b"a", False), (0xA, b"between", True), (0x0, b"b", False), (0x0, b"c", True)]
    assert server.seen[:4] == [(TEXT, b"a", False), (PING, b"between", True), (0, b"b", False), (0, b"c", True)]


def test_many_frames_from_many_threads():
    with WebSocketServer() as server:
        client = Client().connect(server)
        with client.opened() as socket:

            def work(name):
                for i in range(50):
                    socket.send_frame(Opcode.BINARY, f"{name}:{i}")

            threads = [threading.Thread(target=work, args=(name,)) for name in range(4)]
            for thread in threads:
                thread.start()
            got = [client.receive().payload.decode().split(":") for _ in range(200)]
            for thread in threads:
                thread.join(10)
        assert client.ended() is None
    for name in range(4):
        assert [int(i) for who, i in got if who == str(name)] == list(range(50))


def test_ping_is_answered_and_handed_over():
    def converse(connection):
        connection.send(PING, b"are you there")
        frame = connection.receive()
        answers.append((int(frame.opcode), bytes(frame.data)))
        connection.receive()

    answers = []
    with WebSocketServer(converse) as server:
        client = Client().connect(server)
        with client.opened():
            assert client.receive() == (Opcode.PING, b"are you there", True, None)
            assert server.wait_for(lambda: answers)
        client.ended()
    assert answers == [(PONG, b"are you there")]


@pytest.mark.parametrize("opcode", [Opcode.CLOSE, Opcode.PING, Opcode.PONG])
def test_control_frames_have_limits(opcode):
    with WebSocketServer() as server:
        client = Client().connect(server)
        with client.opened() as socket:
            for options in ({"payload": bytes(126)}, {"payload": "\u00e9" * 63}, {"fin": False}):
                with pytest.raises(ValueError, match=r"control frame \(RFC 6455, section 5\.5\)"):
                    socket.send_frame(opcode, **options)
            if opcode != Opcode.CLOSE:
                assert send(socket, opcode, bytes(125)) is None
        assert client.ended() is None


def test_wrong_arguments():
    with WebSocketServer() as server:
        client = Client().connect(server)
        with client.opened() as socket:
            for opcode in (3, 11, -1, 256, "TEXT", None, 1 << 70):
                with pytest.raises(ValueError, match="Opcode"):
                    socket.send_frame(opcode, b"")
            for payload in (5, std_io.StringIO("stream"), std_io.BytesIO(b"stream"), [1], object()):
                with pytest.raises(TypeError):
                    socket.send_frame(Opcode.TEXT, payload)
            with pytest.raises(BufferError):
                socket.send_frame(Opcode.BINARY, memoryview(b"abcdef")[::2])
            with pytest.raises(TypeError, match="on_complete"):
                socket.send_frame(Opcode.TEXT, "a", on_complete=5)
            with pytest.raises(TypeError):
                socket.increment_read_window("1")
            with pytest.raises(ValueError, match="negative"):
                socket.increment_read_window(-1)
            with pytest.raises(OverflowError):
                socket.increment_read_window(1 << 65)
        assert client.ended() is None
    assert server.seen == [(CLOSE, b"", True)]


def test_payload_is_lent_until_the_end():
    """It is neither copied nor resizable meanwhile, and free afterwards."""
    payload = bytearray(24 << 20)
    release = threading.Event()

    def converse(connection):
        release.wait(10)
        connection.receive()

    with WebSocketServer(converse) as server:
        client = Client().connect(server)
        socket = client.opened()
        done = Future()
        socket.send_frame(Opcode.BINARY, payload, on_complete=done.set_result)
        with pytest.raises(BufferError):
            payload.append(1)
        assert not done.done()
        release.set()
        assert done.result(10).exception is None
        payload.append(1)
        socket.close()
        client.ended()


@pytest.mark.fault("R04")
@pytest.mark.parametrize("end", [lambda sock: None, reset])
def test_connection_is_cut(end):
    """Whatever part of a frame has come."""
    frame = encode(BINARY, b"abcdefgh")
    cuts = iter(range(len(frame)))

    def converse(connection):
        connection.send_raw(frame[: next(cuts)])
        connection.receive()
        end(connection.sock)

    with WebSocketServer(converse) as server:
        for cut in range(len(frame)):
            client = Client().connect(server)
            socket = client.opened()
            assert server.wait_for(lambda: cut < 3 or client.received == cut - 2)  # noqa: B023
            send(socket, Opcode.TEXT, "go on")
            error = client.ended()
            assert error is not None
            if cut >= 2:
                message = client.receive(timeout=0)
                assert message.payload == b"abcdefgh"[: cut - 2]
                assert message.exception is not None
            with pytest.raises(RuntimeError):
                socket.send_frame(Opcode.TEXT, "late")


@pytest.mark.fault("R03")
@pytest.mark.parametrize(
    "bad",
    [
        encode(3, b"x"),
        encode(0xB, b"x"),
        encode(PING, bytes(126)),
        encode(PING, b"x", fin=False),
        encode(CONTINUATION, b"x"),
        encode(TEXT, b"x", fin=False) + encode(TEXT, b"y"),
        encode(TEXT, b"\xff\xfe"),
        encode(TEXT, b"", length=1 << 63, length_bytes=8),
        encode(TEXT, b"", length=1, length_bytes=8),
        encode(TEXT, b"", length=125, length_bytes=2),
    ],
)
def test_bad_frames_end_the_connection(bad):
    def converse(connection):
        connection.send_raw(bad)
        connection.receive()

    with WebSocketServer(converse) as server:
        client = Client().connect(server)
        socket = client.opened()
        error = client.ended()
        assert error.name == "AWS_ERROR_HTTP_WEBSOCKET_PROTOCOL_ERROR", error
        del socket


@pytest.mark.fault("R03")
def test_announced_length_costs_nothing():
    def converse(connection):
        connection.send(BINARY, b"only this", length=websocket.MAX_PAYLOAD_LENGTH)
        connection.receive()

    with WebSocketServer(converse) as server:
        client = Client().connect(server)
        with client.opened():
            assert server.wait_for(lambda: client.received == 9)
            assert client.events[1][1].payload_length == 2**63 - 1
        assert client.ended() is None
        message = client.receive(timeout=0)
        assert message.payload == b"only this"
        assert message.exception.name == "AWS_ERROR_HTTP_CONNECTION_CLOSED"


def test_wrong_order_of_fragments_closes():
    with WebSocketServer() as server:
        client = Client().connect(server)
        socket = client.opened()
        assert send(socket, Opcode.CONTINUATION, "of nothing").name == "AWS_ERROR_INVALID_STATE"
        assert client.ended().name == "AWS_ERROR_INVALID_STATE"


@pytest.mark.parametrize("payload_too", [True, False])
def test_only_what_is_asked_for_is_told(payload_too):
    with WebSocketServer() as server:
        told = queue.Queue()
        client = Client().connect(
            server,
            on_incoming_frame_begin=None,
            on_incoming_frame_payload=told.put if payload_too else None,
            on_incoming_frame_complete=None if payload_too else told.put,
        )
        with client.opened() as socket:
            socket.send_frame(Opcode.TEXT, "a")
            socket.send_frame(Opcode.BINARY, "b")
            first, second = told.get(timeout=10), told.get(timeout=10)
        client.ended()
    assert first.frame == websocket.IncomingFrame(Opcode.TEXT, 1, True)
    assert second.frame == websocket.IncomingFrame(Opcode.BINARY, 1, True)


def test_read_window():
    """Ten messages of 100 bytes fill it; of the next one, payload comes as far as it is opened."""
    go = queue.Queue()

    def converse(connection):
        for _ in range(10):
            connection.send(BINARY, bytes(100))
        connection.send(PING, b"outside of the window")
        connection.send(BINARY, bytes(1000))
        go.get(timeout=20)

    with WebSocketServer(converse) as server:
        client = Client().connect(server, manage_read_window=True, initial_read_window=1000)
        socket = client.opened()
        assert [client.receive().payload for _ in range(10)] == [bytes(100)] * 10
        time.sleep(0.2)
        assert client.received == 0
        socket.increment_read_window(500)
        assert client.receive().opcode == Opcode.PING
        assert server.wait_for(lambda: client.received == 500)
        time.sleep(0.2)
        assert client.received == 500
        for _ in range(5):
            socket.increment_read_window(100)
        assert client.receive().payload == bytes(1000)
        go.put(None)
        socket.close()
        client.ended()
