"""Measures calls a second of a checksum over SIZE bytes, for about SECONDS: NAME SIZE SECONDS."""

from __future__ import annotations

import sys
from typing import Any, Callable

import rig

from awscrt import checksums, crypto

PIECES = 20


def call(name: str, data: bytes) -> Callable[[], Any]:
    """What is measured: once over `data`."""
    if name.startswith("crc"):
        function: Callable[[bytes], Any] = getattr(checksums, name)
        return lambda: function(data)
    if name.startswith("xxhash"):
        function = getattr(checksums.XXHash, f"compute_{name}")
        return lambda: function(data)
    new = getattr(crypto.Hash, f"{name}_new")

    def digest() -> bytes:
        state = new()
        state.update(data)
        return bytes(state.digest())

    return digest


def main(name: str, size: int, seconds: float) -> None:
    measured = call(name, bytes(range(256)) * (size // 256) + bytes(range(size % 256)))
    once = rig.clocked(measured)
    rig.answer(rig.rate(measured, int(seconds / max(once, 1e-7)), PIECES))


main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
