"""Owns handlers that write down what they are told, for tests of event-stream RPC clients."""

from __future__ import annotations

import contextlib
import queue
import threading
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional, Sequence, Set

from awscrt.eventstream import Header
from awscrt.eventstream.rpc import (
    ClientConnection,
    ClientConnectionHandler,
    ClientContinuation,
    ClientContinuationHandler,
    MessageFlag,
    MessageType,
)

from .eventstream import RESERVED
from .tcp import Server

WAIT_SEC = 20.0


class Received(NamedTuple):
    headers: List[Header]
    payload: bytes
    message_type: MessageType
    flags: int

    def others(self) -> Dict[str, Any]:
        """The headers that are not the protocol's own."""
        return {header.name: header.value for header in self.headers if header.name not in RESERVED}


class _Record:
    """`raising` has functions by the names of events: called there, to raise, or to do what the test wants."""

    def __init__(self, **raising: Callable[[], object]) -> None:
        self.calls: List[str] = []
        self.threads: Set[int] = set()
        self.messages: queue.Queue[Received] = queue.Queue()
        self._raising = raising

    def _note(self, name: str) -> None:
        self.calls.append(name)
        self.threads.add(threading.get_ident())
        self._raising.get(name, lambda: None)()

    def next_message(self) -> Received:
        return self.messages.get(timeout=WAIT_SEC)


class ConnectionRecord(_Record, ClientConnectionHandler):
    connection: Any = None  # a ClientConnection, once there is one
    error: Optional[Exception] = None
    reason: Optional[Exception] = None

    def on_connection_setup(self, connection, error, **kwargs):
        self.connection = connection
        self.error = error
        self._note("setup")

    def on_connection_shutdown(self, reason, **kwargs):
        self.reason = reason
        self._note("shutdown")

    def on_protocol_message(self, headers, payload, message_type, flags, **kwargs):
        self.messages.put(Received(headers, payload, message_type, flags))
        self._note("message")

    def send(self, message_type, **options):
        """Send a protocol message, and wait until it is sent."""
        assert self.connection.send_protocol_message(message_type=message_type, **options).result(WAIT_SEC) is None

    def shake_hands(self):
        self.send(MessageType.CONNECT, headers=[Header.from_string(":version", "0.1.0")])
        received = self.next_message()
        assert (received.message_type, received.flags) == (MessageType.CONNECT_ACK, MessageFlag.CONNECTION_ACCEPTED)

    def close(self):
        assert self.connection.close().result(WAIT_SEC) is None

    def shutdown_error(self):
        return self.connection.shutdown_future.exception(WAIT_SEC)


class StreamRecord(_Record, ClientContinuationHandler):
    def on_continuation_message(self, headers, payload, message_type, flags, **kwargs):
        self.messages.put(Received(headers, payload, message_type, flags))
        self._note("message")

    def on_continuation_closed(self, **kwargs):
        self._note("closed")


def connect(server: Server, record: Optional[ConnectionRecord] = None, **options: Any) -> ConnectionRecord:
    """Connect to a server, without shaking hands."""
    record = record or ConnectionRecord()
    future = ClientConnection.connect(handler=record, host_name=server.host, port=server.port, **options)
    assert future.result(WAIT_SEC) is None
    return record


@contextlib.contextmanager
def connected(server: Server, record: Optional[ConnectionRecord] = None, **options: Any) -> Iterator[ConnectionRecord]:
    """A connection that is ready for streams; it is closed at the end."""
    record = connect(server, record, **options)
    try:
        record.shake_hands()
        yield record
    finally:
        record.connection.close()
        record.connection.shutdown_future.exception(WAIT_SEC)


def activate(
    stream: ClientContinuation, operation: str, headers: Sequence[Header] = (), payload: bytes = b"", **options: Any
) -> None:
    """Activate a stream, and wait until its first message is sent."""
    options.setdefault("message_type", MessageType.APPLICATION_MESSAGE)
    future = stream.activate(operation=operation, headers=headers, payload=payload, **options)
    assert future.result(WAIT_SEC) is None
