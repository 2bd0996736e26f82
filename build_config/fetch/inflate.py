"""Owns decompression that cannot be made to fill memory or disk: a gzip, xz or plain stream within set limits."""

from __future__ import annotations

import lzma
import zlib
from dataclasses import dataclass
from typing import BinaryIO, NoReturn, Protocol

from build_config.errors import IntegrityError

_PIECE = 1 << 20
_XZ_MEMORY = 256 << 20
_GZIP_MAGIC = b"\x1f\x8b"
_XZ_MAGIC = b"\xfd7zXZ\0"


@dataclass(frozen=True, slots=True)
class Limits:
    """What an archive may at most become: bytes in all, bytes per compressed byte, entries."""

    total: int = 1 << 30
    ratio: int = 100
    entries: int = 100_000


class Stream:
    """The decompressed bytes of a file that is open for reading at its start.

    Every method raises IntegrityError: the stream is damaged, ends early, has data after its end or exceeds a limit.
    """

    def __init__(self, raw: BinaryIO, subject: str, limits: Limits) -> None:
        self._raw = raw
        self._subject = subject
        self._limits = limits
        self._buffer = bytearray()
        self._consumed = 0
        self._produced = 0
        first = self._compressed()
        self._decoder = _decoder(first)
        self._input = first

    def take(self, count: int) -> bytes:
        """Exactly `count` bytes."""
        while len(self._buffer) < count:
            if not self._fill():
                self.refuse("ends in the middle of an entry")
        taken = bytes(self._buffer[:count])
        del self._buffer[:count]
        return taken

    def rest(self) -> bytes:
        """Up to one piece of what is left; nothing at the end, once the stream's own checksum held."""
        if not self._buffer and not self._fill():
            return b""
        taken = bytes(self._buffer)
        self._buffer.clear()
        return taken

    def refuse(self, why: str) -> NoReturn:
        """Raise the error about this archive."""
        raise IntegrityError(why, subject=self._subject, hint="do not use this archive")

    def _compressed(self) -> bytes:
        piece = self._raw.read(_PIECE)
        self._consumed += len(piece)
        return piece

    def _fill(self) -> bool:
        """Decompress a little more into the buffer; False at the end."""
        while True:
            if self._decoder.eof:
                if self._input or self._compressed():
                    self.refuse("has data after its compressed stream")
                return False
            if not self._input:
                self._input = self._compressed()
            try:
                piece, self._input = self._decoder.decode(self._input)
            except (zlib.error, lzma.LZMAError, EOFError) as cause:
                self.refuse(f"is damaged: {cause}")
            if piece:
                self._count(piece)
                self._buffer += piece
                return True

    def _count(self, piece: bytes) -> None:
        self._produced += len(piece)
        if self._produced > self._limits.total:
            self.refuse(f"decompresses to more than {self._limits.total} bytes")
        if self._produced > _PIECE + self._consumed * self._limits.ratio:
            self.refuse(f"decompresses to more than {self._limits.ratio} times its size")


class _Decoder(Protocol):
    eof: bool

    def decode(self, data: bytes) -> tuple[bytes, bytes]:
        """At most one piece of output, and the input that is left; no input means that there is no more."""


class _Gzip:
    def __init__(self) -> None:
        self._inner = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
        self.eof = False

    def decode(self, data: bytes) -> tuple[bytes, bytes]:
        piece = self._inner.decompress(data, _PIECE)
        self.eof = self._inner.eof
        left = self._inner.unused_data if self.eof else self._inner.unconsumed_tail
        if not data and not piece and not self.eof:
            raise EOFError("it ends early")
        return piece, left


class _Xz:
    def __init__(self) -> None:
        self._inner = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY)
        self.eof = False

    def decode(self, data: bytes) -> tuple[bytes, bytes]:
        # The decoder keeps input that it has not used, and must not be given more before it asks.
        if not data and self._inner.needs_input:
            raise EOFError("it ends early")
        piece = self._inner.decompress(data, _PIECE)
        self.eof = self._inner.eof
        return piece, self._inner.unused_data if self.eof else b""


class _Plain:
    def __init__(self) -> None:
        self.eof = False

    def decode(self, data: bytes) -> tuple[bytes, bytes]:
        self.eof = not data
        return data, b""


def _decoder(first: bytes) -> _Decoder:
    if first.startswith(_GZIP_MAGIC):
        return _Gzip()
    return _Xz() if first.startswith(_XZ_MAGIC) else _Plain()
