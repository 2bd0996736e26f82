"""Owns checksums: CRC-32, CRC-32C and CRC-64/NVME, their combination, and the xxHash family.

Input is taken without copying it (a `str` is encoded as UTF-8 first), of any length, and the GIL is released while a
long one is worked on. No function here starts a thread, and all of them go on working in a forked child.
"""

from __future__ import annotations

from . import NativeResource, _awscrt
from ._awscrt import crc32, crc32c, crc64nvme

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Union

    _Buffer = Union[bytes, bytearray, memoryview]

__all__ = [
    "XXHash",
    "combine_crc32",
    "combine_crc32c",
    "combine_crc64nvme",
    "crc32",
    "crc32c",
    "crc64nvme",
]


def combine_crc32(crc32_result1: int, crc32_result2: int, data_length2: int) -> int:
    """CRC-32 of two blocks, one after the other, from the CRC-32 of each and the length of the second in bytes.

    Raises:
        ValueError: a value is not an unsigned integer of 64 bits. Of a CRC its lower 32 bits count.
    """
    return _awscrt.checksums_combine_crc32(crc32_result1, crc32_result2, data_length2)


def combine_crc32c(crc32c_result1: int, crc32c_result2: int, data_length2: int) -> int:
    """CRC-32C of two blocks, one after the other, from the CRC-32C of each and the length of the second in bytes.

    Raises:
        ValueError: a value is not an unsigned integer of 64 bits. Of a CRC its lower 32 bits count.
    """
    return _awscrt.checksums_combine_crc32c(crc32c_result1, crc32c_result2, data_length2)


def combine_crc64nvme(crc64nvme_result1: int, crc64nvme_result2: int, data_length2: int) -> int:
    """CRC-64/NVME of two blocks, one after the other, from the CRC of each and the length of the second in bytes.

    Raises:
        ValueError: a value is not an unsigned integer of 64 bits.
    """
    return _awscrt.checksums_combine_crc64nvme(crc64nvme_result1, crc64nvme_result2, data_length2)


class XXHash(NativeResource):
    """A hash of the xxHash family (https://xxhash.com): fast, not cryptographic. Made by one of the `new_…` functions.

    Hashes are returned as bytes, the most significant first (the canonical form). Feeding one object on two threads at
    a time is a RuntimeError.
    """

    def __init__(self, binding: object) -> None:
        super().__init__()
        self._binding = binding

    @staticmethod
    def new_xxhash64(seed: int = 0) -> XXHash:
        """An XXH64 to be fed piece by piece; its hash has 8 bytes.

        Raises:
            OverflowError: `seed` is not an unsigned integer of 64 bits.
        """
        return XXHash(_awscrt.xxhash64_new(seed))

    @staticmethod
    def new_xxhash3_64(seed: int = 0) -> XXHash:
        """An XXH3 of 64 bits to be fed piece by piece; its hash has 8 bytes.

        Raises:
            OverflowError: `seed` is not an unsigned integer of 64 bits.
        """
        return XXHash(_awscrt.xxhash3_64_new(seed))

    @staticmethod
    def new_xxhash3_128(seed: int = 0) -> XXHash:
        """An XXH3 of 128 bits to be fed piece by piece; its hash has 16 bytes.

        Raises:
            OverflowError: `seed` is not an unsigned integer of 64 bits.
        """
        return XXHash(_awscrt.xxhash3_128_new(seed))

    @staticmethod
    def compute_xxhash64(input: _Buffer, seed: int = 0) -> bytes:
        """XXH64 of a whole buffer: 8 bytes.

        Raises:
            OverflowError: `seed` is not an unsigned integer of 64 bits.
            TypeError: `input` is not bytes-like.
        """
        return _awscrt.xxhash64_compute(input, seed)

    @staticmethod
    def compute_xxhash3_64(input: _Buffer, seed: int = 0) -> bytes:
        """XXH3 of 64 bits of a whole buffer: 8 bytes.

        Raises:
            OverflowError: `seed` is not an unsigned integer of 64 bits.
            TypeError: `input` is not bytes-like.
        """
        return _awscrt.xxhash3_64_compute(input, seed)

    @staticmethod
    def compute_xxhash3_128(input: _Buffer, seed: int = 0) -> bytes:
        """XXH3 of 128 bits of a whole buffer: 16 bytes.

        Raises:
            OverflowError: `seed` is not an unsigned integer of 64 bits.
            TypeError: `input` is not bytes-like.
        """
        return _awscrt.xxhash3_128_compute(input, seed)

    def update(self, input: _Buffer) -> None:
        """Feed a piece.

        Raises:
            TypeError: `input` is not bytes-like.
            RuntimeError: another thread is feeding this object.
        """
        _awscrt.xxhash_update(self._binding, input)

    def finalize(self) -> bytes:
        """The hash of all pieces so far; more may follow."""
        return _awscrt.xxhash_finalize(self._binding)
