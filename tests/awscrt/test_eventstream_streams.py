"""Streams on connections of event-stream RPC clients."""

from __future__ import annotations

import gc
import threading
import weakref

import pytest
from peers import eventstream
from peers.eventstream_records import WAIT_SEC, StreamRecord, activate, connect, connected

from awscrt import NativeResource
from awscrt._test import native_memory_usage
from awscrt.eventstream import Header
from awscrt.eventstream.rpc import ClientContinuation, ClientContinuationHandler, MessageFlag, MessageType
from awscrt.exceptions import AwsCrtError

MESSAGE = {"message_type": MessageType.APPLICATION_MESSAGE}


@pytest.fixture
def server():
    with eventstream.RpcServer() as server:
        yield server
    assert server.errors == []


@pytest.fixture
def client(server):
    with connected(server) as record:
        yield record
    record.connection = None  # pytest keeps what a fixture gave until all of them have ended


def test_an_operation_that_answers_once(server, client):
    record = StreamRecord()
    stream = client.connection.new_stream(record)
    assert stream.connection is client.connection
    assert not stream.is_closed()
    activate(stream, "once", [Header.from_byte("a", 1)], b"request")
    received = record.next_message()
    assert (received.payload, received.flags) == (b"request", MessageFlag.TERMINATE_STREAM)
    assert received.others() == {"operation": "once", "a": 1}
    assert received.message_type is MessageType.APPLICATION_MESSAGE
    assert stream.closed_future.result(WAIT_SEC) is None
    assert stream.is_closed()
    assert record.calls == ["message", "closed"]
    sent = server.messages[-1]
    assert (sent.stream_id, sent.operation, sent.payload) == (1, "once", b"request")


def test_an_operation_of_many_messages(server, client):
    record = StreamRecord()
    stream = client.connection.new_stream(record)
    activate(stream, "stream", payload=b"0")
    for number in range(1, 20):
        assert stream.send_message(payload=b"%d" % number, **MESSAGE).result(WAIT_SEC) is None
    assert [record.next_message().payload for _ in range(20)] == [b"%d" % number for number in range(20)]
    assert not stream.is_closed()
    assert stream.send_message(flags=MessageFlag.TERMINATE_STREAM, **MESSAGE).result(WAIT_SEC) is None
    assert stream.closed_future.result(WAIT_SEC) is None
    assert record.calls[-1] == "closed"
    assert server.messages[-1].stream_id == 1


def test_an_operation_that_fails(client):
    record = StreamRecord()
    stream = client.connection.new_stream(record)
    activate(stream, "unknown")
    received = record.next_message()
    assert (received.message_type, received.payload) == (MessageType.APPLICATION_ERROR, b"no such operation")
    assert stream.closed_future.result(WAIT_SEC) is None


def test_streams_side_by_side(client):
    records = [StreamRecord() for _ in range(10)]
    streams = [client.connection.new_stream(record) for record in records]
    for number, stream in enumerate(streams):
        activate(stream, "stream", payload=b"%d" % number)
    for number, record in enumerate(records):
        assert record.next_message().payload == b"%d" % number
    client.connection.close()
    for stream in streams:
        assert stream.closed_future.result(WAIT_SEC) is None
    assert [record.calls for record in records] == [["message", "closed"]] * 10
    assert len(set.union(*(record.threads for record in records))) == 1


def test_the_first_message_may_be_the_last(server, client):
    record = StreamRecord()
    stream = client.connection.new_stream(record)
    activate(stream, "silent", flags=MessageFlag.TERMINATE_STREAM)
    assert stream.closed_future.result(WAIT_SEC) is None
    assert record.calls == ["closed"]


def test_a_stream_that_is_never_activated(client):
    record = StreamRecord()
    stream = client.connection.new_stream(record)
    assert client.connection.close().result(WAIT_SEC) is None
    assert record.calls == []
    assert not stream.closed_future.done()


@pytest.mark.fault("R11")
def test_a_stream_out_of_season_is_refused(server):
    with connected(server) as record:
        early = record.connection.new_stream(StreamRecord())
        with pytest.raises(RuntimeError, match="AWS_ERROR_EVENT_STREAM_RPC_STREAM_NOT_ACTIVATED"):
            early.send_message(**MESSAGE)
        activate(early, "stream")
        with pytest.raises(RuntimeError, match="AWS_ERROR_INVALID_STATE"):
            early.activate(operation="stream", **MESSAGE)
        record.close()
        with pytest.raises(AwsCrtError, match="AWS_ERROR_EVENT_STREAM_RPC_STREAM_CLOSED"):
            early.send_message(**MESSAGE)
        with pytest.raises(RuntimeError, match="AWS_ERROR_INVALID_STATE"):
            early.activate(operation="stream", **MESSAGE)
        late = record.connection.new_stream(StreamRecord())
        with pytest.raises(RuntimeError, match="AWS_ERROR_EVENT_STREAM_RPC_CONNECTION_CLOSED"):
            late.activate(operation="stream", **MESSAGE)
        assert early.closed_future.done()
        assert not late.closed_future.done()


def test_before_the_server_has_accepted(server):
    record = connect(server)
    stream_record = StreamRecord()
    stream = record.connection.new_stream(stream_record)
    with pytest.raises(RuntimeError, match="AWS_ERROR_EVENT_STREAM_RPC_CONNECTION_CLOSED"):
        stream.activate(operation="once", **MESSAGE)
    record.shake_hands()
    activate(stream, "once")
    assert stream.closed_future.result(WAIT_SEC) is None
    record.close()


@pytest.mark.fault("R03")
@pytest.mark.parametrize("operation", ["", "a" * 32768, "\u00e9" * 16384])
def test_a_bad_operation_is_refused(client, operation):
    stream = client.connection.new_stream(StreamRecord())
    with pytest.raises(ValueError, match="operation must be 1 to 32767 bytes"):
        stream.activate(operation=operation, **MESSAGE)
    activate(stream, "\u00e9" * 16383)


def test_wrong_arguments_are_refused(client):
    with pytest.raises(TypeError, match=r"handler of type int has no function on_continuation_message\(\)"):
        client.connection.new_stream(5)
    with pytest.raises(TypeError, match="abstract"):
        ClientContinuationHandler()
    with pytest.raises(AttributeError):
        ClientContinuation(StreamRecord(), object())
    stream = client.connection.new_stream(StreamRecord())
    with pytest.raises(TypeError, match="operation must be str, not bytes"):
        stream.activate(operation=b"once", **MESSAGE)
    with pytest.raises(TypeError, match="headers must be Header, not str"):
        stream.activate(operation="once", headers=["a"], **MESSAGE)
    with pytest.raises(ValueError, match="flags must be from 0"):
        stream.activate(operation="once", flags=-1, **MESSAGE)


class TestFlush:
    def test_of_the_first_message_and_of_others(self, client):
        errors = []

        def on_flush(error, **kwargs):
            errors.append(error)

        stream = client.connection.new_stream(StreamRecord())
        activate(stream, "stream", on_flush=on_flush)
        assert stream.send_message(on_flush=on_flush, **MESSAGE).result(WAIT_SEC) is None
        assert errors == [None, None]

    def test_a_refused_message_is_not_flushed(self, client):
        calls = []
        stream = client.connection.new_stream(StreamRecord())
        with pytest.raises(RuntimeError):
            stream.send_message(on_flush=lambda error, **kwargs: calls.append(error), **MESSAGE)
        assert calls == []


def test_another_stream_from_within_a_callback(client):
    activated = threading.Event()
    second = client.connection.new_stream(StreamRecord())

    def next_one():
        second.activate(operation="once", **MESSAGE)
        activated.set()

    first = client.connection.new_stream(StreamRecord(closed=next_one))
    activate(first, "once")
    assert activated.wait(WAIT_SEC)
    assert second.closed_future.result(WAIT_SEC) is None


def test_close_the_connection_from_within_a_callback(client):
    stream = client.connection.new_stream(StreamRecord(message=client.connection.close))
    activate(stream, "once")
    assert client.connection.shutdown_future.result(WAIT_SEC) is None
    assert stream.closed_future.result(WAIT_SEC) is None


@pytest.mark.fault("R10")
@pytest.mark.parametrize("where", ["message", "closed"])
def test_a_mistake_in_a_handler_reaches_the_future_and_no_other_stream(client, where):
    mistake = ZeroDivisionError("mine")

    def fail():
        raise mistake

    record = StreamRecord(**{where: fail})
    stream = client.connection.new_stream(record)
    other = client.connection.new_stream(StreamRecord())
    activate(stream, "once")
    assert stream.closed_future.exception(WAIT_SEC) is mistake
    activate(other, "once")
    assert other.closed_future.result(WAIT_SEC) is None
    assert record.calls == ["message", "closed"]
    mistake.__traceback__ = None


@pytest.mark.fault("R10")
def test_a_second_mistake_is_not_lost(server, client, unraisable):
    mistakes = [ZeroDivisionError("first"), ZeroDivisionError("second")]

    def fail():
        raise mistakes[len(record.calls) - 1]

    record = StreamRecord(message=fail, closed=fail)
    stream = client.connection.new_stream(record)
    with unraisable() as caught:
        activate(stream, "once")
        assert stream.closed_future.exception(WAIT_SEC) is mistakes[0]
        assert server.wait_for(lambda: caught)
        assert caught == [mistakes[1]]
    record._raising.clear()
    mistakes[0].__traceback__ = None


@pytest.mark.fault("R18")
def test_cancelled_futures(client, unraisable):
    record = StreamRecord()
    stream = client.connection.new_stream(record)
    with unraisable() as caught:
        assert not stream.closed_future.cancel(), "it comes by itself"
        stream.activate(operation="stream", payload=bytes(100_000), **MESSAGE).cancel()
        stream.send_message(**MESSAGE).cancel()
        assert len(record.next_message().payload) == 100_000
        assert record.next_message().payload == b""
        assert caught == []


@pytest.mark.fault("R13")
class TestLife:
    def test_an_active_stream_lives_until_it_is_closed(self, client):
        def begin():
            record = StreamRecord()
            stream = client.connection.new_stream(record)
            activate(stream, "stream")
            return weakref.ref(stream), record.messages, record.calls, stream.closed_future

        reference, messages, calls, closed = begin()
        gc.collect()
        assert reference() is not None
        assert messages.get(timeout=WAIT_SEC).payload == b""
        client.connection.close()
        assert closed.result(WAIT_SEC) is None
        assert calls == ["message", "closed"]

    def test_closed_streams_are_freed(self, server, client):
        def run():
            stream = client.connection.new_stream(StreamRecord())
            activate(stream, "once")
            assert stream.closed_future.result(WAIT_SEC) is None

        def living():
            gc.collect()
            return len(NativeResource._living)

        run()
        memory = native_memory_usage()
        for _ in range(10):
            run()
        assert server.wait_for(lambda: living() <= 4), "group, resolver, bootstrap and connection"
        assert server.wait_for(lambda: native_memory_usage() <= memory)

    def test_a_stream_that_is_not_activated_is_freed(self, client):
        reference = weakref.ref(client.connection.new_stream(StreamRecord()))
        gc.collect()
        assert reference() is None

    def test_a_stream_may_outlive_its_connection(self, server):
        with connected(server) as record:
            stream = record.connection.new_stream(StreamRecord())
            activate(stream, "once")
            assert stream.closed_future.result(WAIT_SEC) is None
            never = record.connection.new_stream(StreamRecord())
        del record
        gc.collect()
        assert stream.is_closed()
        assert not never.is_closed()
        with pytest.raises(RuntimeError):
            never.activate(operation="once", **MESSAGE)


def test_threads_that_share_a_connection(client):
    errors = []

    def work():
        try:
            for _ in range(10):
                stream = client.connection.new_stream(StreamRecord())
                activate(stream, "once", payload=b"x")
                assert stream.closed_future.result(WAIT_SEC) is None
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT_SEC)
    assert errors == []


def test_one_stream_is_activated_by_one_of_many_threads(client):
    for _ in range(20):
        stream = client.connection.new_stream(StreamRecord())
        gate = threading.Barrier(4)
        outcomes = []

        def work(stream=stream, gate=gate, outcomes=outcomes):
            gate.wait(WAIT_SEC)
            try:
                stream.activate(operation="once", **MESSAGE)
                outcomes.append("done")
            except AwsCrtError as error:
                outcomes.append(error.name)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(WAIT_SEC)
        assert sorted(outcomes) == ["AWS_ERROR_INVALID_STATE"] * 3 + ["done"]
        assert stream.closed_future.result(WAIT_SEC) is None
