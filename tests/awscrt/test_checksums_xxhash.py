"""xxHash: against its specification and known values, in pieces and on threads."""

from __future__ import annotations

import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from awscrt.checksums import XXHash

SEEDS = [0, 1, 2**32, 2**64 - 1]

KINDS = {
    "xxhash64": (XXHash.new_xxhash64, XXHash.compute_xxhash64, 8),
    "xxhash3_64": (XXHash.new_xxhash3_64, XXHash.compute_xxhash3_64, 8),
    "xxhash3_128": (XXHash.new_xxhash3_128, XXHash.compute_xxhash3_128, 16),
}
each_kind = pytest.mark.parametrize("kind", KINDS)

MASK = 2**64 - 1
PRIMES = (
    0x9E3779B185EBCA87,
    0xC2B2AE3D27D4EB4F,
    0x165667B19E3779F9,
    0x85EBCA77C2B2AE63,
    0x27D4EB2F165667C5,
)


def rotate(value, bits):
    value &= MASK
    return ((value << bits) | (value >> (64 - bits))) & MASK


def lane(accumulator, value):
    return rotate(accumulator + value * PRIMES[1], 31) * PRIMES[0] & MASK


def stripes(data, seed):
    """The state after all whole stripes of 32 bytes, and the bytes that are left."""
    p1, p2, _, p4, p5 = PRIMES
    if len(data) < 32:
        return seed + p5, data
    lanes = [seed + p1 + p2, seed + p2, seed, seed - p1]
    while len(data) >= 32:
        words = [int.from_bytes(data[8 * i : 8 * i + 8], "little") for i in range(4)]
        lanes = [lane(accumulator, word) for accumulator, word in zip(lanes, words)]
        data = data[32:]
    state = sum(rotate(value, bits) for value, bits in zip(lanes, (1, 7, 12, 18)))
    for value in lanes:
        state = (state & MASK ^ lane(0, value)) * p1 + p4
    return state, data


def xxh64(data, seed):
    """XXH64 as its specification says it."""
    p1, p2, p3, p4, p5 = PRIMES
    state, rest = stripes(data, seed)
    state += len(data)
    while len(rest) >= 8:
        state = rotate(state & MASK ^ lane(0, int.from_bytes(rest[:8], "little")), 27) * p1 + p4
        rest = rest[8:]
    if len(rest) >= 4:
        state = rotate(state & MASK ^ (int.from_bytes(rest[:4], "little") * p1 & MASK), 23) * p2 + p3
        rest = rest[4:]
    for byte in rest:
        state = rotate(state & MASK ^ (byte * p5 & MASK), 11) * p1
    for shift, prime in ((33, p2), (29, p3), (32, 1)):
        state &= MASK
        state = (state ^ (state >> shift)) * prime
    return (state & MASK).to_bytes(8, "big")


@pytest.mark.parametrize(
    ("kind", "data", "expected"),
    [
        ("xxhash64", b"", "ef46db3751d8e999"),
        ("xxhash3_64", b"", "2d06800538d394c2"),
        ("xxhash3_128", b"", "99aa06d3014798d86001c324468d497f"),
        ("xxhash64", b"Hello world", "c500b0c912b376d8"),
        ("xxhash3_64", b"Hello world", "b6acb9d84a38ff74"),
        ("xxhash3_128", b"Hello world", "7351f89812f97382b91d05b31e04dd7f"),
    ],
)
def test_xxhash_known_values(kind, data, expected):
    new, compute, size = KINDS[kind]
    streaming = new()
    streaming.update(data)
    assert compute(data).hex() == streaming.finalize().hex() == expected
    assert len(expected) == 2 * size


@settings(max_examples=200, deadline=None)
@given(data=st.binary(max_size=200), seed=st.integers(0, 2**64 - 1))
def test_xxhash64_agrees_with_its_specification(data, seed):
    assert XXHash.compute_xxhash64(data, seed) == xxh64(data, seed)


@each_kind
@settings(max_examples=60, deadline=None)
@given(pieces=st.lists(st.binary(max_size=700), max_size=6), seed=st.sampled_from(SEEDS))
def test_xxhash_of_pieces_is_that_of_the_whole(kind, pieces, seed):
    new, compute, _ = KINDS[kind]
    streaming = new(seed)
    for piece in pieces:
        assert streaming.update(bytearray(piece)) is None
    assert streaming.finalize() == compute(b"".join(pieces), seed=seed)


@each_kind
def test_xxhash_may_go_on_after_its_value_is_taken(kind):
    new, compute, _ = KINDS[kind]
    streaming = new(3)
    streaming.update(b"one")
    assert streaming.finalize() == streaming.finalize() == compute(b"one", 3)
    streaming.update(memoryview(b"two"))
    assert streaming.finalize() == compute(b"onetwo", 3)
    assert len({compute(b"one", seed) for seed in SEEDS}) == len(SEEDS)


@each_kind
def test_xxhash_wrong_arguments(kind):
    new, compute, _ = KINDS[kind]
    for wrong in (-1, 2**64):
        with pytest.raises(OverflowError):
            new(wrong)
        with pytest.raises(OverflowError):
            compute(b"", wrong)
    for wrong in (None, "1", 1.0):
        with pytest.raises(TypeError):
            new(wrong)
        with pytest.raises(TypeError):
            compute(b"", wrong)
    for wrong in (None, "text", 3):
        with pytest.raises(TypeError):
            compute(wrong)
        with pytest.raises(TypeError):
            new().update(wrong)


@pytest.mark.parametrize("wrong", [None, 3, object()])
def test_xxhash_without_a_native_object(wrong):
    with pytest.raises(TypeError, match="XXHash"):
        XXHash(wrong).update(b"")
    with pytest.raises(TypeError, match="XXHash"):
        XXHash(wrong).finalize()


@pytest.mark.fault("R12")
@each_kind
def test_other_threads_run_meanwhile_but_may_not_feed_the_same_object(zeros_in_no_memory, kind):
    new, compute, _ = KINDS[kind]
    with zeros_in_no_memory(2**31) as zeros:
        streaming = new()
        thread = threading.Thread(target=streaming.update, args=(zeros,))
        thread.start()
        refused = 0
        while thread.is_alive():
            try:
                streaming.finalize()
                streaming.update(b"")
            except RuntimeError as error:
                refused += "another thread" in str(error)
            time.sleep(0.001)
        thread.join()
        assert refused >= 5
        assert streaming.finalize() == compute(zeros)
