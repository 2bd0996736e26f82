"""The values that a WebSocket's callbacks are given."""

from __future__ import annotations

import dataclasses
import pickle

import pytest

from awscrt import websocket
from awscrt.websocket import IncomingFrame, Opcode

DATA = {
    "OnConnectionSetupData": (
        "exception",
        "websocket",
        "handshake_response_status",
        "handshake_response_headers",
        "handshake_response_body",
    ),
    "OnConnectionShutdownData": ("exception",),
    "OnIncomingFrameBeginData": ("frame",),
    "OnIncomingFramePayloadData": ("frame", "data"),
    "OnIncomingFrameCompleteData": ("frame", "exception"),
    "OnSendFrameCompleteData": ("exception",),
    "IncomingFrame": ("opcode", "payload_length", "fin"),
}
NEEDED = {"frame", "data", "opcode", "payload_length", "fin"}


@pytest.mark.parametrize("name", DATA)
def test_dataclasses(name):
    cls = getattr(websocket, name)
    fields = dataclasses.fields(cls)
    assert tuple(field.name for field in fields) == DATA[name]
    for field in fields:
        assert field.default is (dataclasses.MISSING if field.name in NEEDED else None)
    values = tuple(range(len(fields)))
    made = cls(*values)
    assert dataclasses.astuple(made) == values
    assert made == cls(**dict(zip(DATA[name], values)))
    assert made != cls(*(value + 1 for value in values))
    assert repr(made).startswith(f"{name}({DATA[name][0]}=0")
    assert pickle.loads(pickle.dumps(made)) == made  # noqa: S301 - our own
    assert cls.__module__ == "awscrt.websocket"


def test_opcodes():
    assert {opcode.name: opcode.value for opcode in Opcode} == {
        "CONTINUATION": 0,
        "TEXT": 1,
        "BINARY": 2,
        "CLOSE": 8,
        "PING": 9,
        "PONG": 10,
    }
    assert [opcode.name for opcode in Opcode if opcode.is_data_frame()] == ["CONTINUATION", "TEXT", "BINARY"]
    assert IncomingFrame(Opcode.TEXT, 1, True).is_data_frame()
    assert not IncomingFrame(Opcode.PING, 1, True).is_data_frame()
    assert Opcode.__module__ == "awscrt.websocket"
    assert websocket.MAX_PAYLOAD_LENGTH == 0x7FFFFFFFFFFFFFFF


def test_import_is_light(run_python):
    """Nothing of what only some users need is imported with it."""
    code = "import sys; before = set(sys.modules); import awscrt.websocket; print(*set(sys.modules) - before)"
    loaded = set(run_python(code).stdout.split())
    assert loaded.isdisjoint(
        {"asyncio", "concurrent.futures", "tempfile", "ssl", "socket", "logging", "uuid", "typing_extensions"}
    )
