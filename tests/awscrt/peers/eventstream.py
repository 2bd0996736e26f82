"""Owns a server of the event-stream RPC protocol, in pure Python: well behaved by default, and able to misbehave.

The format: a prelude (length of all, length of the headers, CRC of these eight bytes), the headers, the payload, and the
CRC of everything before it; numbers are big-endian, CRCs those of zlib.
"""

from __future__ import annotations

import ssl
import struct
import uuid
import zlib
from typing import Any, Callable, Dict, Iterable, List, NamedTuple, Optional, Tuple, Union

from .tcp import Server

BOOL_TRUE, BOOL_FALSE, BYTE, INT16, INT32, INT64, BYTE_BUF, STRING, TIMESTAMP, UUID = range(10)
(
    APPLICATION_MESSAGE,
    APPLICATION_ERROR,
    PING,
    PING_RESPONSE,
    CONNECT,
    CONNECT_ACK,
    PROTOCOL_ERROR,
    INTERNAL_ERROR,
) = range(8)
CONNECTION_ACCEPTED = 1
TERMINATE_STREAM = 2

RESERVED = (":message-type", ":message-flags", ":stream-id")
PRELUDE_SIZE = 12
TRAILER_SIZE = 4

_NUMBERS = {BYTE: ">b", INT16: ">h", INT32: ">i", INT64: ">q", TIMESTAMP: ">q"}


class Header(NamedTuple):
    """A header with a value of Python; `type` says how it goes over the wire."""

    name: str
    type: int
    value: Any

    def encode(self) -> bytes:
        name = self.name.encode()
        return bytes([len(name)]) + name + bytes([self.type]) + self._encode_value()

    def _encode_value(self) -> bytes:
        if self.type in {BOOL_TRUE, BOOL_FALSE}:
            return b""
        if self.type in _NUMBERS:
            return struct.pack(_NUMBERS[self.type], self.value)
        if self.type == UUID:
            return bytes(self.value.bytes)
        data = self.value.encode() if self.type == STRING else bytes(self.value)
        return struct.pack(">H", len(data)) + data


def _decode_header(data: bytes, start: int) -> Tuple[Header, int]:
    size = data[start]
    name = data[start + 1 : start + 1 + size].decode()
    kind = data[start + 1 + size]
    at = start + 2 + size
    if kind in {BOOL_TRUE, BOOL_FALSE}:
        return Header(name, kind, kind == BOOL_TRUE), at
    if kind in _NUMBERS:
        size = struct.calcsize(_NUMBERS[kind])
        return Header(name, kind, struct.unpack_from(_NUMBERS[kind], data, at)[0]), at + size
    if kind == UUID:
        return Header(name, kind, uuid.UUID(bytes=data[at : at + 16])), at + 16
    assert kind in {BYTE_BUF, STRING}, kind
    (size,) = struct.unpack_from(">H", data, at)
    value = data[at + 2 : at + 2 + size]
    assert len(value) == size
    return Header(name, kind, value.decode() if kind == STRING else value), at + 2 + size


def decode_headers(data: bytes) -> List[Header]:
    headers = []
    at = 0
    while at < len(data):
        header, at = _decode_header(data, at)
        headers.append(header)
    return headers


def frame(
    headers: bytes,
    payload: bytes = b"",
    *,
    total: Optional[int] = None,
    headers_size: Optional[int] = None,
    prelude_crc: Optional[int] = None,
    message_crc: Optional[int] = None,
) -> bytes:
    """The bytes of a message; what is given replaces what would be right."""
    right_total = PRELUDE_SIZE + len(headers) + len(payload) + TRAILER_SIZE
    lengths = struct.pack(
        ">II",
        right_total if total is None else total,
        len(headers) if headers_size is None else headers_size,
    )
    body = lengths + struct.pack(">I", zlib.crc32(lengths) if prelude_crc is None else prelude_crc) + headers + payload
    return body + struct.pack(">I", zlib.crc32(body) if message_crc is None else message_crc)


class Message(NamedTuple):
    """A message of the RPC protocol; `headers` are those beside the three that every message has."""

    type: int
    flags: int = 0
    stream_id: int = 0
    headers: Tuple[Header, ...] = ()
    payload: bytes = b""

    @property
    def operation(self) -> Optional[str]:
        return next((str(header.value) for header in self.headers if header.name == "operation"), None)

    def encode_headers(self) -> bytes:
        numbers = zip(RESERVED, (self.type, self.flags, self.stream_id))
        reserved = [Header(name, INT32, number) for name, number in numbers]
        return b"".join(header.encode() for header in (*reserved, *self.headers))

    def encode(self, **wrong: int) -> bytes:
        return frame(self.encode_headers(), self.payload, **wrong)

    @classmethod
    def decode(cls, headers: bytes, payload: bytes) -> Message:
        reserved: Dict[str, int] = {}
        others = []
        for header in decode_headers(headers):
            if header.name in RESERVED:
                assert header.type == INT32
                assert header.name not in reserved
                reserved[header.name] = header.value
            else:
                others.append(header)
        kind, flags, stream_id = (reserved[name] for name in RESERVED)
        return cls(kind, flags, stream_id, tuple(others), payload)


def _read_exactly(sock: Any, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        part = sock.recv(size - len(data))
        if not part:
            raise ConnectionError(f"{len(data)} bytes of {size}")
        data += part
    return bytes(data)


def read_message(sock: Any) -> Optional[Message]:
    """The next message, or None at the end; every length and CRC is checked."""
    first = sock.recv(1)
    if not first:
        return None
    prelude = first + _read_exactly(sock, PRELUDE_SIZE - 1)
    total, headers_size, crc = struct.unpack(">III", prelude)
    assert crc == zlib.crc32(prelude[:8])
    rest = _read_exactly(sock, total - PRELUDE_SIZE)
    (crc,) = struct.unpack(">I", rest[-TRAILER_SIZE:])
    assert crc == zlib.crc32(prelude + rest[:-TRAILER_SIZE])
    return Message.decode(rest[:headers_size], rest[headers_size:-TRAILER_SIZE])


CLOSE = object()
"""In an answer: close the connection."""

Answer = Iterable[Union[Message, bytes, object]]


def answer(message: Message) -> Answer:
    """What a good server says: accepts connections, echoes pings and messages of streams.

    The operation "once" ends the stream with its answer, "stream" echoes until the client ends it, "silent" is never
    answered, and any other one is answered by an error that ends the stream.
    """
    if message.type == CONNECT:
        yield Message(CONNECT_ACK, CONNECTION_ACCEPTED)
    elif message.type == PING:
        yield message._replace(type=PING_RESPONSE)
    elif message.stream_id > 0 and not message.flags & TERMINATE_STREAM and message.operation != "silent":
        if message.operation in {None, "stream"}:
            yield message._replace(type=APPLICATION_MESSAGE)
        elif message.operation == "once":
            yield message._replace(type=APPLICATION_MESSAGE, flags=TERMINATE_STREAM)
        else:
            yield Message(APPLICATION_ERROR, TERMINATE_STREAM, message.stream_id, payload=b"no such operation")


class RpcServer(Server):
    """Answers each message by what `respond` yields: messages, raw bytes, or `CLOSE`.

    `messages` are those received; `greeting` is sent as soon as a client connects.
    """

    def __init__(
        self,
        respond: Callable[[Message], Answer] = answer,
        *,
        greeting: bytes = b"",
        tls: Optional[ssl.SSLContext] = None,
        host: str = "127.0.0.1",
    ) -> None:
        super().__init__(tls=tls, host=host)
        self.messages: List[Message] = []
        self._respond = respond
        self._greeting = greeting

    def handle(self, sock: Any) -> None:
        if self._greeting:
            sock.sendall(self._greeting)
        while True:
            message = read_message(sock)
            if message is None:
                return
            self.messages.append(message)
            for item in self._respond(message):
                if item is CLOSE:
                    return
                sock.sendall(item.encode() if isinstance(item, Message) else item)


def refusing_port() -> int:
    """A port on which nobody listens."""
    with RpcServer() as server:
        port: int = server.port
    return port
