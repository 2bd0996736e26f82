"""What callbacks of event-stream RPC clients raise, and when they are called."""

from __future__ import annotations

import threading
import time
import weakref

import pytest
from peers import eventstream
from peers.eventstream_records import WAIT_SEC, ConnectionRecord, connect, connected

from awscrt.eventstream.rpc import ClientConnection, MessageType


@pytest.fixture
def server():
    with eventstream.RpcServer() as server:
        yield server
    assert server.errors == []


class TestFlush:
    def test_it_is_called_before_the_future_is_done(self, server):
        calls = []

        def on_flush(error, **kwargs):
            calls.append((error, threading.get_ident() in record.threads))

        with connected(server) as record:
            future = record.connection.send_protocol_message(message_type=MessageType.PING, on_flush=on_flush)
            assert future.result(WAIT_SEC) is None
            assert calls == [(None, True)]

    @pytest.mark.fault("R13")
    def test_it_is_let_go_when_it_was_called(self, server):
        class OnFlush:
            def __call__(self, error, **kwargs):
                pass

        with connected(server) as record:
            on_flush = OnFlush()
            reference = weakref.ref(on_flush)
            future = record.connection.send_protocol_message(message_type=MessageType.PING, on_flush=on_flush)
            del on_flush
            assert future.result(WAIT_SEC) is None
            assert server.wait_for(lambda: reference() is None)

    @pytest.mark.fault("R10")
    def test_what_it_raises_reaches_the_future(self, server):
        mistake = LookupError("mine")

        def on_flush(error, **kwargs):
            raise mistake

        with connected(server) as record:
            future = record.connection.send_protocol_message(message_type=MessageType.PING, on_flush=on_flush)
            assert future.exception(WAIT_SEC) is mistake
            assert record.connection.is_open()
        mistake.__traceback__ = None

    @pytest.mark.fault("R10", "R18")
    def test_what_it_raises_is_not_lost_if_the_future_is_taken(self, server, unraisable):
        mistake = LookupError("mine")
        release = threading.Event()

        def on_flush(error, **kwargs):
            assert release.wait(WAIT_SEC)
            raise mistake

        with connected(server) as record, unraisable() as caught:
            future = record.connection.send_protocol_message(message_type=MessageType.PING, on_flush=on_flush)
            assert future.cancel()
            release.set()
            assert server.wait_for(lambda: caught)
            assert caught == [mistake]

    @pytest.mark.fault("R11")
    def test_a_closed_connection_fails_the_message(self, server):
        errors = []
        with connected(server) as record:
            record.close()
            future = record.connection.send_protocol_message(
                message_type=MessageType.PING, on_flush=lambda error, **kwargs: errors.append(error)
            )
            error = future.exception(WAIT_SEC)
            assert error.name == "AWS_ERROR_EVENT_STREAM_RPC_CONNECTION_CLOSED"
            assert errors == [error]


@pytest.mark.fault("R10")
class TestHandlerRaises:
    def test_at_setup_it_is_the_cause_of_the_end(self, server):
        mistake = ZeroDivisionError("mine")

        def fail():
            raise mistake

        record = ConnectionRecord(setup=fail)
        connect(server, record)
        error = record.shutdown_error()
        assert (error.name, error.code) == ("AWS_ERROR_CRT_CALLBACK_EXCEPTION", 10240)
        assert error.__cause__ is mistake
        assert record.reason is error
        assert not record.connection.is_open()
        mistake.__traceback__ = None

    def test_it_ends_the_connection_as_itself(self, server):
        mistake = ZeroDivisionError("mine")

        def fail():
            raise mistake

        record = ConnectionRecord(message=fail)
        connect(server, record)
        record.connection.send_protocol_message(message_type=MessageType.CONNECT)
        assert record.shutdown_error() is mistake
        assert record.reason is mistake
        assert not record.connection.is_open()
        mistake.__traceback__ = None

    def test_at_the_end(self, server):
        mistake = ZeroDivisionError("mine")

        def fail():
            raise mistake

        record = connect(server, ConnectionRecord(shutdown=fail))
        record.connection.close()
        assert record.shutdown_error() is mistake
        assert record.reason is None
        mistake.__traceback__ = None

    def test_twice(self, server, unraisable):
        mistakes = [ZeroDivisionError("first"), ZeroDivisionError("second")]

        def fail():
            raise mistakes[len(record.calls) - 1]

        record = ConnectionRecord(setup=fail, shutdown=fail)
        with unraisable() as caught:
            connect(server, record)
            assert record.shutdown_error().__cause__ is mistakes[0]
            assert server.wait_for(lambda: caught)
            assert caught == [mistakes[1]]
        record._raising.clear()
        mistakes[0].__traceback__ = None

    def test_after_a_failure_to_connect(self, unraisable):
        mistake = ZeroDivisionError("mine")

        def fail():
            raise mistake

        with unraisable() as caught:
            future = ClientConnection.connect(
                handler=ConnectionRecord(setup=fail), host_name="127.0.0.1", port=eventstream.refusing_port()
            )
            assert future.exception(WAIT_SEC).name == "AWS_IO_SOCKET_CONNECTION_REFUSED"
            end = time.monotonic() + WAIT_SEC
            while not caught and time.monotonic() < end:
                time.sleep(0.005)
            assert caught == [mistake]
