"""Connections of event-stream RPC clients, with servers that behave."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from uuid import UUID

import pytest
from peers import eventstream, tls
from peers.eventstream_records import WAIT_SEC, ConnectionRecord, StreamRecord, connect, connected

from awscrt.eventstream import Header
from awscrt.eventstream.rpc import ClientConnection, ClientConnectionHandler, MessageFlag, MessageType
from awscrt.exceptions import AwsCrtError
from awscrt.io import (
    ClientBootstrap,
    ClientTlsContext,
    DefaultHostResolver,
    EventLoopGroup,
    SocketOptions,
    TlsContextOptions,
)

ALL_TYPES = [
    Header.from_bool("true", True),
    Header.from_bool("false", False),
    Header.from_byte("byte", -128),
    Header.from_int16("int16", -(2**15)),
    Header.from_int32("int32", 2**31 - 1),
    Header.from_int64("int64", -(2**63)),
    Header.from_byte_buf("bytes", bytes(range(256))),
    Header.from_byte_buf("no bytes", b""),
    Header.from_byte_buf("bytearray", bytearray(b"\0\1")),
    Header.from_string("string", "\u1234 \0\r\n"),
    Header.from_string("\u00e9" * 127, "a" * 32767),
    Header.from_timestamp("timestamp", 1_700_000_000),
    Header.from_uuid("uuid", UUID(int=2**127 + 1)),
]


@pytest.fixture
def server():
    with eventstream.RpcServer() as server:
        yield server
    assert server.errors == []


@pytest.fixture(scope="module")
def authority():
    return tls.Authority()


def test_a_connection_from_beginning_to_end(server):
    record = connect(server)
    connection = record.connection
    assert (connection.host_name, connection.port, record.error) == (server.host, server.port, None)
    assert connection.is_open()
    assert not connection.shutdown_future.done()
    future = connection.close()
    assert future is connection.shutdown_future
    assert future.result(WAIT_SEC) is None
    assert (record.calls, record.reason) == (["setup", "shutdown"], None)
    assert not connection.is_open()
    assert threading.get_ident() not in record.threads
    assert len(record.threads) == 1


def test_a_bootstrap_of_ones_own(server):
    group = EventLoopGroup(1)
    bootstrap = ClientBootstrap(group, DefaultHostResolver(group))
    event = bootstrap.shutdown_event
    record = connect(server, bootstrap=bootstrap, socket_options=SocketOptions())
    del bootstrap, group
    assert not event.wait(0.05), "the connection uses it"
    record.close()
    del record
    gc.collect()
    assert event.wait(WAIT_SEC)


def test_every_type_of_header_goes_there_and_back(server):
    with connected(server) as record:
        record.send(MessageType.PING, headers=ALL_TYPES, payload=b"\0\xde\xad")
        received = record.next_message()
    assert (received.message_type, received.payload) == (MessageType.PING_RESPONSE, b"\0\xde\xad")
    assert isinstance(received.message_type, MessageType)
    assert isinstance(received.payload, bytes)
    sent = [(header.name, header.type, header.value) for header in ALL_TYPES]
    assert [(header.name, header.type, header.value) for header in received.headers[3:]] == sent
    assert [header.name for header in received.headers[:3]] == list(eventstream.RESERVED)
    assert [(header.name, header.type, header.value) for header in server.messages[-1].headers] == sent


@pytest.mark.parametrize("payload", [None, b"", b"x", bytearray(b"xyz"), memoryview(b"abcdef")[::2].tobytes(), "text"])
def test_payloads(server, payload):
    with connected(server) as record:
        record.send(MessageType.PING, payload=payload)
        expected = payload.encode() if isinstance(payload, str) else bytes(payload or b"")
        assert record.next_message().payload == expected


def test_the_largest_payload(server):
    payload = bytes(range(256)) * (24 * 4096)
    with connected(server) as record:
        with pytest.raises(RuntimeError, match="AWS_ERROR_EVENT_STREAM_MESSAGE_FIELD_SIZE_EXCEEDED"):
            record.connection.send_protocol_message(message_type=MessageType.PING, payload=payload)
        payload = payload[:-200]
        record.send(MessageType.PING, payload=payload)
        assert record.next_message().payload == payload


@pytest.mark.fault("R03")
def test_headers_that_are_too_much_are_refused(server):
    headers = [Header.from_byte_buf("a", bytes(32767))] * 800
    with connected(server) as record:
        with pytest.raises(AwsCrtError, match="FIELD_SIZE_EXCEEDED"):
            record.connection.send_protocol_message(message_type=MessageType.PING, headers=headers)
        record.send(MessageType.PING, headers=headers[:700])
        assert len(record.next_message().headers) == 703


def test_a_mutable_value_that_grew_is_refused(server):
    value = bytearray(5)
    header = Header.from_byte_buf("a", value)
    value.extend(bytes(40000))
    with connected(server) as record, pytest.raises(ValueError, match="headers: a name or a value has a size"):
        record.connection.send_protocol_message(message_type=MessageType.PING, headers=[header])


def test_flags_go_over_the_wire(server):
    with connected(server) as record:
        record.send(MessageType.PING, flags=0x80000001)
        assert record.next_message().flags == 0x80000001
        assert server.messages[-1].flags == 0x80000001 - 2**32


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"message_type": 8}, ValueError, "8 is not a valid MessageType"),
        ({"flags": -1}, ValueError, "flags must be from 0 to 4294967295, not -1"),
        ({"flags": 2**32}, ValueError, "flags must be from 0 to"),
        ({"headers": [5]}, TypeError, "headers must be Header, not int"),
        ({"headers": 5}, TypeError, "not iterable"),
        ({"payload": 5}, TypeError, "int"),
        ({"on_flush": 5}, TypeError, "on_flush must be callable, not int"),
    ],
)
def test_a_wrong_message_is_refused(server, options, error, message):
    with connected(server) as record:
        with pytest.raises(error, match=message):
            record.connection.send_protocol_message(**{"message_type": MessageType.PING, **options})
        assert record.connection.is_open()


@pytest.mark.fault("R11")
def test_close_any_number_of_times(server):
    record = connect(server)
    futures = {record.connection.close() for _ in range(3)}
    assert futures == {record.connection.shutdown_future}
    record.close()
    record.close()
    assert record.calls == ["setup", "shutdown"]


def test_close_inside_the_first_callback(server):
    class Impatient(ConnectionRecord):
        def on_connection_setup(self, connection, error, **kwargs):
            super().on_connection_setup(connection, error, **kwargs)
            connection.close()

    record = connect(server, Impatient())
    assert record.shutdown_error() is None
    assert record.calls == ["setup", "shutdown"]


def test_as_a_context(server):
    record = connect(server)
    with record.connection as connection:
        assert connection is record.connection
        assert connection.is_open()
    assert not connection.is_open()
    assert connection.shutdown_future.result(WAIT_SEC) is None
    record = connect(server)
    with pytest.raises(KeyError), record.connection:
        raise KeyError
    assert record.connection.shutdown_future.result(WAIT_SEC) is None


@pytest.mark.fault("R13")
def test_an_open_connection_lives_and_a_closed_one_does_not(server):
    def open_one():
        return weakref.ref(connect(server).connection)

    reference = open_one()
    time.sleep(0.05)
    gc.collect()
    connection = reference()
    assert connection.is_open()
    future = connection.close()
    del connection
    assert future.result(WAIT_SEC) is None
    del future
    assert server.wait_for(lambda: gc.collect() is None or reference() is None)


@pytest.mark.fault("R18")
def test_cancelled_futures(server, unraisable):
    with unraisable() as caught:
        record = ConnectionRecord()
        connecting = ClientConnection.connect(handler=record, host_name=server.host, port=server.port)
        cancelled = connecting.cancel()
        assert server.wait_for(lambda: record.connection)
        assert connecting.cancelled() is cancelled
        record.shake_hands()
        sending = record.connection.send_protocol_message(message_type=MessageType.PING, payload=bytes(100_000))
        sending.cancel()
        assert record.next_message().message_type is MessageType.PING_RESPONSE
        assert not record.connection.shutdown_future.cancel(), "it comes by itself"
        record.close()
        assert caught == []


@pytest.mark.parametrize(
    ("host_name", "port", "name"),
    [
        ("127.0.0.1", None, "AWS_IO_SOCKET_CONNECTION_REFUSED"),
        ("127.0.0.1", 100_000, "AWS_IO_SOCKET_INVALID_ADDRESS"),
        ("no-such-host.invalid", 1, "AWS_IO_DNS_INVALID_NAME"),
    ],
)
@pytest.mark.fault("R12")
def test_no_connection(host_name, port, name):
    record = ConnectionRecord()
    future = ClientConnection.connect(handler=record, host_name=host_name, port=port or eventstream.refusing_port())
    error = future.exception(WAIT_SEC)
    assert record.calls == ["setup"]
    assert (record.connection, record.error) == (None, error)
    if host_name == "127.0.0.1":
        assert error.name == name
    else:
        assert isinstance(error, AwsCrtError)  # what a resolver says depends on the machine


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"handler": 5}, TypeError, r"handler of type int has no function on_connection_setup\(\)"),
        ({"host_name": b"localhost"}, TypeError, "host_name must be str, not bytes"),
        ({"host_name": "local\0host"}, ValueError, "null"),
        ({"port": -1}, ValueError, "port must be from 0 to"),
        ({"port": 2**32}, ValueError, "port must be from 0 to"),
        ({"port": "80"}, TypeError, "str"),
        ({"bootstrap": 5}, TypeError, "bootstrap must be ClientBootstrap, not int"),
        ({"socket_options": 5}, TypeError, "socket_options must be SocketOptions, not int"),
        ({"tls_connection_options": 5}, TypeError, "tls_connection_options must be TlsConnectionOptions, not int"),
    ],
)
def test_wrong_arguments_are_refused(options, error, message):
    record = ConnectionRecord()
    with pytest.raises(error, match=message):
        ClientConnection.connect(**{"handler": record, "host_name": "127.0.0.1", "port": 1, **options})
    assert record.calls == []


def test_handlers_are_abstract():
    with pytest.raises(TypeError, match="abstract"):
        ClientConnectionHandler()


def tls_options(authority, name):
    options = TlsContextOptions()
    options.override_default_trust_store(authority.ca_pem)
    tls_connection_options = ClientTlsContext(options).new_connection_options()
    tls_connection_options.set_server_name(name)
    return tls_connection_options


def test_over_tls(authority):
    with eventstream.RpcServer(tls=authority.issue().server_context()) as server:
        with connected(server, tls_connection_options=tls_options(authority, "localhost")) as record:
            record.send(MessageType.PING, payload=b"secret")
            assert record.next_message().payload == b"secret"
        assert server.handshakes == 1


def test_many_connections_at_once(server):
    records = [ConnectionRecord() for _ in range(20)]
    futures = [ClientConnection.connect(handler=r, host_name=server.host, port=server.port) for r in records]
    for record, future in zip(records, futures):
        future.result(WAIT_SEC)
        record.connection.send_protocol_message(message_type=MessageType.CONNECT)
    for record in records:
        assert record.next_message().flags & MessageFlag.CONNECTION_ACCEPTED
        record.connection.new_stream(StreamRecord())
    for record in records:
        record.close()
