"""Event-stream RPC clients, and servers that break the protocol, processes that fork, interpreters that end."""

from __future__ import annotations

import os
import struct
import textwrap
import threading
import time

import pytest
from peers import eventstream, stalling
from peers.eventstream import (
    APPLICATION_MESSAGE,
    CLOSE,
    CONNECT,
    CONNECT_ACK,
    CONNECTION_ACCEPTED,
    INT32,
    INTERNAL_ERROR,
    PING,
    PING_RESPONSE,
    PROTOCOL_ERROR,
    STRING,
    TERMINATE_STREAM,
    Header,
    Message,
    frame,
)
from peers.eventstream_records import WAIT_SEC, ConnectionRecord, StreamRecord, activate, connect, connected

from awscrt.eventstream.rpc import ClientConnection, MessageType
from awscrt.io import SocketOptions

PONG = Message(PING_RESPONSE)


def with_headers(*encoded):
    return frame(PONG.encode_headers() + b"".join(encoded))


def raw_header(name, header_type, value):
    return bytes([len(name)]) + name + bytes([header_type]) + value


def raw_text(size, data, name=b"a"):
    return raw_header(name, STRING, struct.pack(">H", size) + data)


BROKEN = {
    "wrong CRC of the prelude": (PONG.encode(prelude_crc=1), "AWS_ERROR_EVENT_STREAM_PRELUDE_CHECKSUM_FAILURE"),
    "wrong CRC of the message": (PONG.encode(message_crc=1), "AWS_ERROR_EVENT_STREAM_MESSAGE_CHECKSUM_FAILURE"),
    "4 GiB": (PONG.encode(total=2**32 - 1), "AWS_ERROR_EVENT_STREAM_MESSAGE_FIELD_SIZE_EXCEEDED"),
    "24 MiB and a byte": (PONG.encode(total=(24 << 20) + 1), "AWS_ERROR_EVENT_STREAM_MESSAGE_FIELD_SIZE_EXCEEDED"),
    "no length": (PONG.encode(total=0), "AWS_ERROR_EVENT_STREAM_BUFFER_LENGTH_MISMATCH"),
    "a prelude only": (PONG.encode(total=12), "AWS_ERROR_EVENT_STREAM_BUFFER_LENGTH_MISMATCH"),
    "headers longer than the message": (
        PONG.encode(headers_size=1000),
        "AWS_ERROR_EVENT_STREAM_MESSAGE_INVALID_HEADERS_LEN",
    ),
    "headers of 4 GiB": (
        PONG.encode(headers_size=2**32 - 1),
        "AWS_ERROR_EVENT_STREAM_MESSAGE_INVALID_HEADERS_LEN",
    ),
    "headers cut short": (with_headers(b"\x05abc"), "AWS_ERROR_EVENT_STREAM_RPC_PROTOCOL_ERROR"),
    "value longer than the headers": (with_headers(raw_text(9, b"a")), "AWS_ERROR_EVENT_STREAM_RPC_PROTOCOL_ERROR"),
    "value longer than allowed": (
        with_headers(raw_text(0x8000, bytes(0x8000))),
        "AWS_ERROR_EVENT_STREAM_RPC_PROTOCOL_ERROR",
    ),
    "too many headers": (
        with_headers(*[raw_header(b"a", 0, b"")] * 1025),
        "AWS_ERROR_EVENT_STREAM_RPC_PROTOCOL_ERROR",
    ),
    "no headers at all": (frame(b""), "AWS_ERROR_EVENT_STREAM_RPC_PROTOCOL_ERROR"),
    "no stream id": (
        frame(b"".join(Header(name, INT32, PING).encode() for name in eventstream.RESERVED[:2])),
        "AWS_ERROR_EVENT_STREAM_RPC_PROTOCOL_ERROR",
    ),
    "type that is not a number": (
        frame(b"".join(Header(name, STRING, "3").encode() for name in eventstream.RESERVED)),
        "AWS_ERROR_EVENT_STREAM_RPC_PROTOCOL_ERROR",
    ),
    "unknown type": (Message(99).encode(), "AWS_ERROR_EVENT_STREAM_RPC_PROTOCOL_ERROR"),
    "negative type": (Message(-1).encode(), "AWS_ERROR_EVENT_STREAM_RPC_PROTOCOL_ERROR"),
    "message of a stream without one": (
        Message(APPLICATION_MESSAGE).encode(),
        "AWS_ERROR_EVENT_STREAM_RPC_PROTOCOL_ERROR",
    ),
    "message of a stream that is not there": (
        Message(APPLICATION_MESSAGE, stream_id=5).encode(),
        "AWS_ERROR_EVENT_STREAM_RPC_PROTOCOL_ERROR",
    ),
    "message of a negative stream": (
        Message(APPLICATION_MESSAGE, stream_id=-1).encode(),
        "AWS_ERROR_EVENT_STREAM_RPC_PROTOCOL_ERROR",
    ),
    "second acknowledgement": (
        Message(CONNECT_ACK, CONNECTION_ACCEPTED).encode(),
        "AWS_ERROR_EVENT_STREAM_RPC_PROTOCOL_ERROR",
    ),
    "unknown type of header": (
        with_headers(raw_header(b"a", 10, b"")),
        "AWS_ERROR_EVENT_STREAM_MESSAGE_UNKNOWN_HEADER_TYPE",
    ),
    "name that is not UTF-8": (with_headers(raw_header(b"\xff", 0, b"")), "UnicodeDecodeError"),
    "text that is not UTF-8": (with_headers(raw_text(1, b"\xff")), "UnicodeDecodeError"),
}


@pytest.mark.fault("R03")
@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_message_ends_the_connection(what):
    data, name = BROKEN[what]

    def respond(message):
        if message.type == PING:
            yield data
        else:
            yield from eventstream.answer(message)

    with eventstream.RpcServer(respond) as server, connected(server) as record:
        stream = record.connection.new_stream(StreamRecord())
        record.send(MessageType.PING)
        error = record.shutdown_error()
        assert getattr(error, "name", type(error).__name__) == name
        assert record.reason is error
        assert not record.connection.is_open()
        assert not stream.closed_future.done(), "it was never activated"
    told = {message.type for message in server.messages[2:]}
    assert bool(told) == (name == "AWS_ERROR_EVENT_STREAM_RPC_PROTOCOL_ERROR")
    assert told <= {PROTOCOL_ERROR, INTERNAL_ERROR}


@pytest.mark.fault("R10")
def test_a_broken_message_of_a_stream(unraisable):
    def respond(message):
        if message.stream_id:
            headers = Message(APPLICATION_MESSAGE, stream_id=message.stream_id).encode_headers()
            yield frame(headers + raw_text(1, b"\xff"))
            yield Message(APPLICATION_MESSAGE, TERMINATE_STREAM, message.stream_id)
        else:
            yield from eventstream.answer(message)

    with eventstream.RpcServer(respond) as server, connected(server) as record:
        stream_record = StreamRecord()
        stream = record.connection.new_stream(stream_record)
        activate(stream, "once")
        error = stream.closed_future.exception(WAIT_SEC)
        assert isinstance(error, UnicodeDecodeError)
        assert server.wait_for(lambda: stream_record.calls == ["message", "closed"])


def test_headers_that_only_we_refuse_are_read():
    """Names may be empty and there may be 1024 headers, since a peer may have other limits."""

    def respond(message):
        if message.type == PING:
            yield with_headers(*[raw_header(b"", 0, b"")] * 1021)
        else:
            yield from eventstream.answer(message)

    with eventstream.RpcServer(respond) as server, connected(server) as record:
        record.send(MessageType.PING)
        headers = record.next_message().headers
        assert (len(headers), headers[-1].name, headers[-1].value) == (1024, "", True)
        with pytest.raises(ValueError, match="headers: a name or a value has a size"):
            record.connection.send_protocol_message(message_type=MessageType.PING, headers=headers)


@pytest.mark.fault("R04")
@pytest.mark.parametrize("size", range(0, 60, 4))
def test_the_server_goes_in_the_middle_of_a_message(size):
    def respond(message):
        if message.stream_id:
            yield Message(APPLICATION_MESSAGE, stream_id=message.stream_id, payload=bytes(8)).encode()[:size]
            yield CLOSE
        else:
            yield from eventstream.answer(message)

    with eventstream.RpcServer(respond) as server, connected(server) as record:
        stream_record = StreamRecord()
        stream = record.connection.new_stream(stream_record)
        activate(stream, "silent")
        assert record.shutdown_error().name == "AWS_IO_SOCKET_CLOSED"
        assert stream.closed_future.result(WAIT_SEC) is None
        assert stream_record.calls == ["closed"]


@pytest.mark.fault("R03")
@pytest.mark.parametrize("parts", [1, 7])
def test_messages_in_pieces_are_whole(parts):
    def respond(message):
        if message.type == PING:
            data = b"".join(PONG._replace(payload=b"%d" % number).encode() for number in range(5))
            for start in range(0, len(data), parts):
                yield data[start : start + parts]
        else:
            yield from eventstream.answer(message)

    with eventstream.RpcServer(respond) as server, connected(server) as record:
        record.send(MessageType.PING)
        assert [record.next_message().payload for _ in range(5)] == [b"%d" % number for number in range(5)]


@pytest.mark.parametrize(
    "greeting",
    [PONG.encode(), Message(CONNECT_ACK, CONNECTION_ACCEPTED).encode(), b"HTTP/1.1 200 OK\r\n\r\n"],
    ids=["message", "acknowledgement", "HTTP"],
)
def test_a_server_that_speaks_first_breaks_the_protocol(greeting):
    with eventstream.RpcServer(greeting=greeting) as server:
        record = connect(server)
        assert record.shutdown_error().name in {
            "AWS_ERROR_EVENT_STREAM_RPC_PROTOCOL_ERROR",
            "AWS_ERROR_EVENT_STREAM_MESSAGE_FIELD_SIZE_EXCEEDED",
        }
        assert record.messages.empty()


def test_a_server_that_does_not_accept():
    def respond(message):
        yield Message(CONNECT_ACK if message.type == CONNECT else PROTOCOL_ERROR)
        yield CLOSE

    with eventstream.RpcServer(respond) as server:
        record = connect(server)
        record.send(MessageType.CONNECT)
        assert record.next_message().flags == 0
        assert record.shutdown_error().name == "AWS_IO_SOCKET_CLOSED"


def test_a_message_before_the_hands_are_shaken():
    with eventstream.RpcServer() as server:
        record = connect(server)
        future = record.connection.send_protocol_message(message_type=MessageType.PING)
        assert future.exception(WAIT_SEC).name == "AWS_ERROR_EVENT_STREAM_RPC_PROTOCOL_ERROR"
        assert record.shutdown_error().name == "AWS_ERROR_EVENT_STREAM_RPC_PROTOCOL_ERROR"
        assert server.messages == []


def test_messages_of_a_stream_that_is_over_are_dropped():
    def respond(message):
        if message.stream_id:
            last = Message(APPLICATION_MESSAGE, TERMINATE_STREAM, message.stream_id)
            yield last
            yield last
        else:
            yield from eventstream.answer(message)

    with eventstream.RpcServer(respond) as server, connected(server) as record:
        stream_record = StreamRecord()
        activate(record.connection.new_stream(stream_record), "once")
        record.send(MessageType.PING)
        assert record.next_message().message_type is MessageType.PING_RESPONSE
        assert stream_record.calls == ["message", "closed"]


@pytest.mark.fault("R05")
def test_the_timeout_of_a_connection_that_does_not_come_about():
    options = SocketOptions()
    options.connect_timeout_ms = 200
    record = ConnectionRecord()
    with stalling.Unreachable(threading.Event()) as server:
        started = time.monotonic()
        future = ClientConnection.connect(
            handler=record, host_name=server.host, port=server.port, socket_options=options
        )
        assert future.exception(WAIT_SEC).name == "AWS_IO_SOCKET_TIMEOUT"
        assert time.monotonic() - started < 10
    assert record.calls == ["setup"]


CLIENT = """
import gc, os, signal, sys, threading, time, types, warnings
sys.path[:0] = [{tests!r}]
warnings.filterwarnings("ignore", message=".*fork", category=DeprecationWarning)
import awscrt
from awscrt.eventstream.rpc import ClientConnection, MessageType
from peers.eventstream_records import ConnectionRecord, StreamRecord, activate, connect

server = types.SimpleNamespace(host={host!r}, port={port})
"""


@pytest.fixture
def run(run_python):
    """Runs a client in an interpreter of its own, which has no other threads: the server is in this one."""

    def run(code):
        with eventstream.RpcServer() as server:
            tests = os.path.dirname(os.path.abspath(__file__))
            prelude = CLIENT.format(tests=tests, host=server.host, port=server.port)
            return run_python(prelude + textwrap.dedent(code))

    return run


STAGES = {
    "connecting": "ClientConnection.connect(handler=ConnectionRecord(), host_name=server.host, port=server.port)",
    "connected": "record = connect(server)",
    "ready": "record = connect(server); record.shake_hands()",
    "stream": """
        record = connect(server)
        record.shake_hands()
        stream = record.connection.new_stream(StreamRecord())
        activate(stream, "stream")
        """,
    "sending": """
        record = connect(server)
        record.shake_hands()
        for _ in range(50):
            record.connection.send_protocol_message(message_type=MessageType.PING, payload=bytes(1_000_000))
        """,
    "closing": "record = connect(server); record.connection.close()",
    "in a callback": """
        inside = threading.Event()
        def wait():
            inside.set()
            time.sleep(0.3)
        record = connect(server, ConnectionRecord(message=wait))
        record.connection.send_protocol_message(message_type=MessageType.CONNECT)
        assert inside.wait(10)
        """,
    "closed in a destructor": """
        class Late:
            def __del__(self):
                record.connection.close()
        record = connect(server)
        late = Late()
        late.cycle = late
        """,
}


@pytest.mark.fault("R09")
@pytest.mark.parametrize("stage", STAGES)
def test_the_end_of_the_interpreter(run, stage):
    run(STAGES[stage])


@pytest.mark.fault("R08")
def test_a_child_is_refused_the_connections_of_its_parent(run):
    run(
        """
        record = connect(server)
        record.shake_hands()
        stream = record.connection.new_stream(StreamRecord())
        activate(stream, "stream")
        idle = record.connection.new_stream(StreamRecord())

        def refused(function, *args, **kwargs):
            try:
                function(*args, **kwargs)
            except RuntimeError as error:
                assert "forked" in str(error), error
            else:
                raise AssertionError("it was not refused")

        pid = os.fork()
        if pid == 0:
            signal.alarm(20)
            message = {"message_type": MessageType.PING}
            refused(record.connection.close)
            refused(record.connection.is_open)
            refused(record.connection.send_protocol_message, **message)
            refused(record.connection.new_stream, StreamRecord())
            refused(stream.send_message, **message)
            refused(stream.is_closed)
            refused(idle.activate, operation="once", **message)
            del stream, idle
            record.connection = None
            gc.collect()
            sys.exit(0)
        assert os.waitpid(pid, 0)[1] == 0
        assert stream.send_message(message_type=MessageType.APPLICATION_MESSAGE).result(10) is None
        record.close()
        """
    )
