"""Owns the reading of compiled files: whatever the format, the same facts."""

from __future__ import annotations

from typing import Protocol

from ..errors import VerifyError
from ..model import BinaryFacts
from . import elf

__all__ = ["facts", "recognises"]


class _Reader(Protocol):
    """What each format's module offers."""

    def recognises(self, data: bytes, /) -> bool: ...

    def facts(self, data: bytes, /) -> BinaryFacts: ...


_READERS: tuple[_Reader, ...] = (elf,)


def recognises(data: bytes) -> bool:
    """True for what claims to be a compiled file of a known format."""
    return any(reader.recognises(data) for reader in _READERS)


def facts(data: bytes) -> BinaryFacts:
    """What a compiled file says of itself.

    Raises:
        VerifyError: the format is unknown, or the file is malformed.
    """
    for reader in _READERS:
        if reader.recognises(data):
            return reader.facts(data)
    raise VerifyError("not a compiled file of a known format", hint="the formats known are: ELF")
