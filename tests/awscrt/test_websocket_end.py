"""How a WebSocket ends: closed by either side, dropped, by an exception in a callback, or forked away."""

from __future__ import annotations

import gc
import queue
import threading
import time
import weakref
from concurrent.futures import Future

import pytest
from peers.websocket import BINARY, CLOSE, TEXT, WebSocketServer
from peers.websocket_client import Client, send

from awscrt import websocket
from awscrt.websocket import Opcode


@pytest.mark.fault("R11")
def test_use_after_close():
    with WebSocketServer() as server:
        client = Client().connect(server)
        socket = client.opened()
        socket.close()
        socket.close()
        assert client.ended() is None
        socket.close()
        with socket:
            pass
        socket.increment_read_window(5)
        told = []
        with pytest.raises(RuntimeError, match="AWS_ERROR_HTTP_WEBSOCKET_CLOSE_FRAME_SENT"):
            socket.send_frame(Opcode.TEXT, "late", on_complete=told.append)
        assert told == []
    assert server.seen == [(CLOSE, b"", True)]


def test_with_closes_whatever_happens():
    with WebSocketServer() as server:
        client = Client().connect(server)
        socket = client.opened()
        with pytest.raises(KeyError), socket:
            raise KeyError
        assert client.ended() is None


def test_dropping_the_last_reference_closes():
    with WebSocketServer() as server:
        client = Client().connect(server)
        socket = client.opened()
        gc.collect()
        assert send(socket, Opcode.PING) is None
        del socket
        gc.collect()
        assert client.ended() is None
    assert server.seen[-1] == (CLOSE, b"", True)


@pytest.mark.fault("R13")
def test_last_reference_dropped_on_the_event_loop():
    with WebSocketServer() as server:
        client = Client()
        ended = Future()
        client.connect(server, on_connection_setup=lambda data: None, on_connection_shutdown=ended.set_result)
        assert ended.result(10).exception is None


@pytest.mark.fault("R13")
def test_cycle_through_the_callbacks_ends_with_the_connection():
    """No collector is needed for it, and nothing is kept."""

    class User(Client):
        def on_setup(self, data):
            self.socket = data.websocket
            super().on_setup(data)

    gc.collect()
    gc.disable()
    try:
        with WebSocketServer() as server:
            user = User().connect(server)
            assert user.set_up().exception is None
            user.socket.send_frame(Opcode.TEXT, "a", on_complete=user.events.append)
            user.receive()
            user.socket.close()
            user.ended()
            freed = weakref.ref(user)
            del user
            assert server.wait_for(lambda: freed() is None)
            assert server.wait_for(lambda: not listeners())
    finally:
        gc.enable()


def listeners():
    return [each for each in gc.get_objects() if type(each) is websocket._Listener]


def test_close_with_a_reason():
    with WebSocketServer() as server:
        client = Client().connect(server)
        socket = client.opened()
        assert send(socket, Opcode.CLOSE, b"\x03\xe8done") is None
        assert client.receive() == (Opcode.CLOSE, b"\x03\xe8done", True, None)
        with pytest.raises(RuntimeError, match="AWS_ERROR_HTTP_WEBSOCKET_CLOSE_FRAME_SENT"):
            socket.send_frame(Opcode.TEXT, "late")
        socket.close()
        client.ended()
    assert server.seen == [(CLOSE, b"\x03\xe8done", True)]


def test_server_says_close():
    def converse(connection):
        connection.send(CLOSE, b"\x0f\xa0bye")
        connection.send(TEXT, b"too late")
        connection.receive()

    with WebSocketServer(converse) as server:
        client = Client().connect(server)
        socket = client.opened()
        assert client.receive() == (Opcode.CLOSE, b"\x0f\xa0bye", True, None)
        assert not client.has_ended
        socket.close()
        assert client.ended() is None
        with pytest.raises(queue.Empty):
            client.receive(timeout=0)


def test_frames_that_are_not_sent_any_more_are_told():
    stop = threading.Event()
    with WebSocketServer(lambda connection: stop.wait(10)) as server:
        client = Client().connect(server)
        socket = client.opened()
        done = [Future() for _ in range(3)]
        for future in done:
            socket.send_frame(Opcode.BINARY, bytes(30 << 20), on_complete=future.set_result)
        started = time.monotonic()
        socket.close()
        assert {future.result(10).exception.name for future in done} == {"AWS_ERROR_HTTP_CONNECTION_CLOSED"}
        client.ended()
        assert time.monotonic() - started < 5
        stop.set()


def test_closed_read_window_does_not_hold_up_the_end():
    def converse(connection):
        connection.send(BINARY, bytes(100_000))
        connection.receive()

    with WebSocketServer(converse) as server:
        client = Client().connect(server, manage_read_window=True, initial_read_window=0)
        client.opened().close()
        assert client.ended() is None


@pytest.mark.fault("R10")
@pytest.mark.parametrize("kind", ["begin", "payload", "complete", "sent"])
def test_exception_of_a_callback_reaches_the_end(kind, unraisable):
    error = RuntimeError(kind)

    def fail(data):
        raise error

    with WebSocketServer() as server, unraisable() as caught:
        client = Client().connect(server, **({f"on_incoming_frame_{kind}": fail} if kind != "sent" else {}))
        socket = client.opened()
        socket.send_frame(Opcode.TEXT, "echo", on_complete=fail if kind == "sent" else None)
        assert client.ended() is error
        if kind in {"begin", "payload"}:
            assert client.receive(timeout=0).exception is error
        with pytest.raises(RuntimeError, match="AWS_ERROR_HTTP"):
            socket.send_frame(Opcode.TEXT, "late")
        assert caught == []
    error.__traceback__ = None


@pytest.mark.fault("R10")
def test_first_exception_is_the_one(unraisable):
    first, second = KeyError("begin"), KeyError("complete")

    def begin(data):
        raise first

    def complete(data):
        raise second

    with WebSocketServer() as server, unraisable() as caught:
        client = Client().connect(server, on_incoming_frame_begin=begin, on_incoming_frame_complete=complete)
        socket = client.opened()
        socket.send_frame(Opcode.TEXT, "echo")
        assert client.ended() is first
        assert caught == [second]
    first.__traceback__ = second.__traceback__ = None


@pytest.mark.fault("R10")
@pytest.mark.parametrize("kind", ["frame", "shutdown"])
def test_exception_that_nobody_gets(kind, unraisable):
    error = KeyError(kind)

    def fail(data):
        raise error

    options = {"on_incoming_frame_begin": fail, "on_connection_shutdown": None}
    with WebSocketServer() as server, unraisable() as caught:
        client = Client()
        client.connect(server, **(options if kind == "frame" else {"on_connection_shutdown": fail}))
        socket = client.opened()
        socket.send_frame(Opcode.TEXT, "echo")
        if kind == "shutdown":
            socket.close()
        assert server.wait_for(lambda: caught)
        assert caught == [error]
        assert server.wait_for(lambda: server.seen[-1:] == [(CLOSE, b"", True)] or kind == "frame")
        del socket
    error.__traceback__ = None


def test_a_handle_of_another_kind_is_refused():
    with pytest.raises(TypeError):
        websocket.WebSocket(object()).close()
    from awscrt import io

    with pytest.raises(TypeError, match="WebSocket"):
        websocket.WebSocket(io.EventLoopGroup(1)._binding).close()


@pytest.mark.fault("R08")
def test_use_after_fork(run_python):
    with WebSocketServer() as server:
        done = run_python(
            f"""
            import os, signal, sys, warnings
            from concurrent.futures import Future
            warnings.filterwarnings("ignore", message=".*fork", category=DeprecationWarning)
            from awscrt import websocket

            opened, ended = Future(), Future()
            websocket.connect(
                host="127.0.0.1",
                port={server.port},
                handshake_request=websocket.create_handshake_request(host="h"),
                on_connection_setup=opened.set_result,
                on_connection_shutdown=ended.set_result,
            )
            socket = opened.result(10).websocket
            del opened
            pid = os.fork()
            if pid == 0:
                signal.alarm(20)
                for use in (
                    socket.close,
                    lambda: socket.send_frame(1, "a"),
                    lambda: socket.increment_read_window(1),
                ):
                    try:
                        use()
                    except RuntimeError as error:
                        assert "forked" in str(error), error
                    else:
                        raise AssertionError("it was not refused")
                del socket
                os._exit(0)
            assert os.waitpid(pid, 0)[1] == 0
            done = Future()
            socket.send_frame(1, "of the parent", on_complete=done.set_result)
            assert done.result(10).exception is None
            assert not ended.done()
            socket.close()
            assert ended.result(10).exception is None
            print("closed")
            """,
        )
        assert done.stdout == "closed\n"
        assert [bytes(frame.data) for frame in server.frames] == [b"of the parent", b""]
