"""Owns the peer that the event-stream RPC suite expects on port 8033: standard library only, Python 3.8 and newer.

Wire format: https://smithy.io/2.0/aws/amazon-eventstream.html. A connection is accepted, a ping's headers and payload come
back, and there are two operations: one answers a message and ends its stream, the other answers every message. Any other
operation ends its stream with an error. It ends when its stdin does.
"""

from __future__ import annotations

import os
import socketserver
import struct
import sys
import threading
import zlib

ADDRESS = ("127.0.0.1", 8033)

APPLICATION_MESSAGE, APPLICATION_ERROR, PING, PING_RESPONSE, CONNECT, CONNECT_ACK = range(6)
CONNECTION_ACCEPTED, TERMINATE_STREAM = 1, 2
ECHO_ONCE, ECHO_ALWAYS = "awstest#EchoMessage", "awstest#EchoStreamMessages"

PRELUDE, CHECKSUM, LENGTH, NUMBER = (struct.Struct(form) for form in (">II", ">I", ">H", ">i"))
FIXED = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}
"""Bytes of a header's value by its type; the types that are missing, bytes and strings, carry a length."""
INT32 = 4


def split(data: bytes) -> dict[str, tuple[int, bytes]]:
    """Headers by name: type and raw value."""
    found, at = {}, 0
    while at < len(data):
        end = at + 1 + data[at]
        name, kind = data[at + 1 : end].decode(), data[end]
        at = end + 1
        size = FIXED.get(kind)
        if size is None:
            (size,) = LENGTH.unpack_from(data, at)
            found[name] = kind, data[at : at + LENGTH.size + size]
            at += LENGTH.size + size
        else:
            found[name] = kind, data[at : at + size]
            at += size
    return found


def join(headers: dict[str, tuple[int, bytes]], payload: bytes) -> bytes:
    """A whole message."""
    raw = b"".join(
        bytes([len(name)]) + name.encode() + bytes([kind]) + value for name, (kind, value) in headers.items()
    )
    prelude = PRELUDE.pack(PRELUDE.size + 2 * CHECKSUM.size + len(raw) + len(payload), len(raw))
    head = prelude + CHECKSUM.pack(zlib.crc32(prelude)) + raw + payload
    return head + CHECKSUM.pack(zlib.crc32(head))


class Peer(socketserver.StreamRequestHandler):
    def setup(self) -> None:
        super().setup()
        self.operations: dict[int, str] = {}

    def handle(self) -> None:
        while True:
            prelude = self.rfile.read(PRELUDE.size + CHECKSUM.size)
            if len(prelude) < PRELUDE.size + CHECKSUM.size:
                return
            total, size = PRELUDE.unpack_from(prelude)
            body = self.rfile.read(total - len(prelude))
            if zlib.crc32(prelude + body[: -CHECKSUM.size]) != CHECKSUM.unpack(body[-CHECKSUM.size :])[0]:
                return
            self.answer(split(body[:size]), body[size : -CHECKSUM.size])

    def answer(self, headers: dict[str, tuple[int, bytes]], payload: bytes) -> None:
        kind = NUMBER.unpack(headers.pop(":message-type")[1])[0]
        stream = NUMBER.unpack(headers.pop(":stream-id")[1])[0]
        headers.pop(":message-flags")
        if kind == CONNECT:
            self.send(CONNECT_ACK, CONNECTION_ACCEPTED, stream, {}, b"")
        elif kind == PING:
            self.send(PING_RESPONSE, 0, stream, headers, payload)
        elif kind == APPLICATION_MESSAGE and stream:
            self.operate(stream, headers, payload)

    def operate(self, stream: int, headers: dict[str, tuple[int, bytes]], payload: bytes) -> None:
        if "operation" in headers:
            self.operations[stream] = headers["operation"][1][LENGTH.size :].decode()
        operation = self.operations[stream]
        if operation == ECHO_ONCE:
            self.send(APPLICATION_MESSAGE, TERMINATE_STREAM, stream, {}, payload)
        elif operation == ECHO_ALWAYS:
            self.send(APPLICATION_MESSAGE, 0, stream, {}, payload)
        else:
            self.send(APPLICATION_ERROR, TERMINATE_STREAM, stream, {}, b"{}")

    def send(self, kind: int, flags: int, stream: int, headers: dict[str, tuple[int, bytes]], payload: bytes) -> None:
        numbers = {":message-type": kind, ":message-flags": flags, ":stream-id": stream}
        own = {name: (INT32, NUMBER.pack(value)) for name, value in numbers.items()}
        self.wfile.write(join({**headers, **own}, payload))


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away in the middle is what some tests do."""


def main() -> None:
    server = Server(ADDRESS, Peer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print("serving", flush=True)  # noqa: T201 - what the runner waits for
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    main()
