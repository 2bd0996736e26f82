"""Owns a program of a user who talks by WebSockets and event streams, every result annotated. It is type-checked and
never run.

What it calls stands in the public interface of awscrt 0.38.0, except where a comment says that it is an addition.
"""

from __future__ import annotations

import uuid
from concurrent.futures import Future
from queue import Queue
from threading import Event
from typing import Any, Sequence

from awscrt import websocket
from awscrt.eventstream import Header, HeaderType
from awscrt.eventstream.rpc import (
    ClientConnection,
    ClientConnectionHandler,
    ClientContinuation,
    ClientContinuationHandler,
    MessageFlag,
    MessageType,
)
from awscrt.http import HttpRequest
from awscrt.io import ClientBootstrap

TIMEOUT = 30.0


class Chat:
    def __init__(self) -> None:
        self.open: Future[websocket.WebSocket] = Future()
        self.closed: Future[None] = Future()
        self.frames: Queue[bytes] = Queue()
        self.frame = bytearray()

    def on_setup(self, data: websocket.OnConnectionSetupData) -> None:
        if data.websocket is None:
            error: Exception | None = data.exception
            status: int | None = data.handshake_response_status
            self.open.set_exception(error or RuntimeError(f"status {status}"))
        else:
            self.open.set_result(data.websocket)

    def on_shutdown(self, data: websocket.OnConnectionShutdownData) -> None:
        self.closed.set_exception(data.exception) if data.exception else self.closed.set_result(None)

    def on_begin(self, data: websocket.OnIncomingFrameBeginData) -> None:
        length: int = data.frame.payload_length
        assert length >= 0
        self.frame.clear()

    def on_payload(self, data: websocket.OnIncomingFramePayloadData) -> None:
        self.frame += data.data

    def on_complete(self, data: websocket.OnIncomingFrameCompleteData) -> None:
        opcode: websocket.Opcode = data.frame.opcode
        if data.frame.is_data_frame() and opcode is not websocket.Opcode.CLOSE:
            self.frames.put(bytes(self.frame))


def chat(host: str, bootstrap: ClientBootstrap) -> bytes:
    request: HttpRequest = websocket.create_handshake_request(host=host, path="/chat")
    state = Chat()
    websocket.connect(
        host=host,
        handshake_request=request,
        bootstrap=bootstrap,
        on_connection_setup=state.on_setup,
        on_connection_shutdown=state.on_shutdown,
        on_incoming_frame_begin=state.on_begin,
        on_incoming_frame_payload=state.on_payload,
        on_incoming_frame_complete=state.on_complete,
    )
    connection: websocket.WebSocket = state.open.result(TIMEOUT)
    sent: Queue[websocket.OnSendFrameCompleteData] = Queue()
    connection.send_frame(websocket.Opcode.TEXT, "hello", on_complete=sent.put)
    error: Exception | None = sent.get(timeout=TIMEOUT).exception
    assert error is None
    answer = state.frames.get(timeout=TIMEOUT)
    connection.close()
    state.closed.result(TIMEOUT)
    return answer


class RpcConnection(ClientConnectionHandler):
    def __init__(self) -> None:
        self.connection: ClientConnection | None = None
        self.accepted = Event()

    def on_connection_setup(self, connection: ClientConnection | None, error: Exception | None, **kwargs: Any) -> None:
        self.connection = connection

    def on_connection_shutdown(self, reason: Exception | None, **kwargs: Any) -> None:
        self.connection = None

    def on_protocol_message(
        self, headers: Sequence[Header], payload: bytes, message_type: MessageType, flags: int, **kwargs: Any
    ) -> None:
        if message_type is MessageType.CONNECT_ACK and flags & MessageFlag.CONNECTION_ACCEPTED:
            self.accepted.set()


class RpcStream(ClientContinuationHandler):
    def __init__(self) -> None:
        self.answers: Queue[bytes] = Queue()

    def on_continuation_message(
        self, headers: Sequence[Header], payload: bytes, message_type: MessageType, flags: int, **kwargs: Any
    ) -> None:
        for header in headers:
            if header.type is HeaderType.STRING:
                text: str = header.value_as_string()
                assert text
        self.answers.put(payload)

    def on_continuation_closed(self, **kwargs: Any) -> None:
        self.answers.put(b"")


def call(bootstrap: ClientBootstrap, operation: str, payload: bytes) -> bytes:
    handler = RpcConnection()
    connected: Future[None] = ClientConnection.connect(
        handler=handler, host_name="localhost", port=8033, bootstrap=bootstrap
    )
    connected.result(TIMEOUT)
    connection = handler.connection
    if connection is None:
        raise ConnectionError
    with connection:  # an addition
        version = Header.from_string(":version", "0.1.0")
        connection.send_protocol_message(headers=[version], message_type=MessageType.CONNECT).result(TIMEOUT)
        handler.accepted.wait(TIMEOUT)
        stream_handler = RpcStream()
        stream: ClientContinuation = connection.new_stream(stream_handler)
        headers: list[Header] = [
            Header.from_bool("retry", False),
            Header.from_int32("attempt", 1),
            Header.from_byte_buf("token", bytearray(b"abc")),
            Header.from_timestamp("at", 1_700_000_000),
            Header.from_uuid("id", uuid.uuid4()),
        ]
        identifier: uuid.UUID = headers[-1].value_as_uuid()
        assert identifier.version == 4
        flushed: Future[None] = stream.activate(
            operation=operation, headers=headers, payload=payload, message_type=MessageType.APPLICATION_MESSAGE
        )
        flushed.result(TIMEOUT)
        answer = stream_handler.answers.get(timeout=TIMEOUT)
        if not stream.is_closed():
            stream.send_message(
                message_type=MessageType.APPLICATION_MESSAGE, flags=MessageFlag.TERMINATE_STREAM
            ).result(TIMEOUT)
        closed: Future[None] = stream.closed_future
        closed.result(TIMEOUT)
    connection.shutdown_future.result(TIMEOUT)
    return answer
