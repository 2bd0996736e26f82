"""Owns the reading of compiled files: whatever the format, the same facts."""

from __future__ import annotations

from typing import Protocol

from ..errors import VerifyError
from ..model import BinaryFacts
from . import elf, macho, pe

__all__ = ["facts", "images", "recognises"]


class _Reader(Protocol):
    """What each format's module offers."""

    def recognises(self, data: bytes, /) -> bool: ...

    def facts(self, data: bytes, /) -> BinaryFacts: ...


_READERS: tuple[_Reader, ...] = (elf, macho, pe)


def recognises(data: bytes) -> bool:
    """True for what claims to be a compiled file of a known format."""
    return macho.is_fat(data) or any(reader.recognises(data) for reader in _READERS)


def images(data: bytes) -> tuple[bytes, ...]:
    """The parts of a compiled file that are loaded each on another processor; most formats have but one.

    Raises:
        VerifyError: it is no sound container.
    """
    return macho.images(data) if macho.is_fat(data) else (data,)


def facts(data: bytes) -> BinaryFacts:
    """What one of a file's `images` says of itself.

    Raises:
        VerifyError: the format is unknown, or the file is malformed.
    """
    for reader in _READERS:
        if reader.recognises(data):
            return reader.facts(data)
    raise VerifyError("not a compiled file of a known format", hint="the formats known are: ELF, Mach-O, PE")
