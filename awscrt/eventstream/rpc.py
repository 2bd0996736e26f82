"""Owns the public face of event-stream RPC clients: connections, and the streams of messages on them.

Connect, send a message of the type `CONNECT`, and wait for the server's `CONNECT_ACK` with the flag
`CONNECTION_ACCEPTED`. Then open a stream for each operation (`aws/event-stream/event_stream_rpc_client.h`).

All callbacks of a connection and of its streams run on one native thread, one after the other.
"""

from __future__ import annotations

from awscrt._eventstream_connection import ClientConnection, ClientConnectionHandler
from awscrt._eventstream_continuation import ClientContinuation, ClientContinuationHandler
from awscrt._eventstream_message import MessageFlag, MessageType

__all__ = [
    "ClientConnection",
    "ClientConnectionHandler",
    "ClientContinuation",
    "ClientContinuationHandler",
    "MessageFlag",
    "MessageType",
]
