"""Checksums: against zlib and against their definitions, for every length, alignment and implementation."""

from __future__ import annotations

import array
import inspect
import threading
import time
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from awscrt import _awscrt
from awscrt.checksums import (
    combine_crc32,
    combine_crc32c,
    combine_crc64nvme,
    crc32,
    crc32c,
    crc64nvme,
)


class Definition:
    """A reflected CRC with inverted initial value and result, straight from its polynomial."""

    def __init__(self, bits, polynomial):
        self.mask = (1 << bits) - 1
        self.polynomial = int(f"{polynomial:0{bits}b}"[::-1], 2)
        self.top = 1 << (bits - 1)
        self.table = [self._shift(byte, 8) for byte in range(256)]

    def _shift(self, register, count):
        for _ in range(count):
            register = (register >> 1) ^ (self.polynomial if register & 1 else 0)
        return register

    def __call__(self, data, previous=0):
        register = previous ^ self.mask
        for byte in data:
            register = (register >> 8) ^ self.table[(register ^ byte) & 0xFF]
        return register ^ self.mask

    def _times(self, a, b):
        """The product of two polynomials modulo ours; the lowest power of x is the highest bit."""
        product = 0
        while a:
            if a & self.top:
                product ^= b
            a = (a << 1) & self.mask
            b = self._shift(b, 1)
        return product

    def after_zeros(self, previous, count):
        """The CRC once `count` zero bytes follow: the register times x**(8 * count)."""
        power, base = self.top, self._shift(self.top, 8)
        while count:
            if count & 1:
                power = self._times(power, base)
            base = self._times(base, base)
            count >>= 1
        return self._times(previous ^ self.mask, power) ^ self.mask


CRC32 = Definition(32, 0x04C11DB7)
CRC32C = Definition(32, 0x1EDC6F41)
CRC64NVME = Definition(64, 0xAD93D23594C93659)
ALL = [(crc32, CRC32, combine_crc32), (crc32c, CRC32C, combine_crc32c), (crc64nvme, CRC64NVME, combine_crc64nvme)]
each = pytest.mark.parametrize(("function", "definition", "combine"), ALL, ids=["crc32", "crc32c", "crc64nvme"])


NOISE = bytes((i * i * 31 + i * 7 + (i >> 5)) & 0xFF for i in range(5000))
MORE_THAN_32_BITS = 2**32 + 5


@pytest.mark.parametrize(
    ("function", "check"), [(crc32, 0xCBF43926), (crc32c, 0xE3069283), (crc64nvme, 0xAE8B14860A799888)]
)
def test_published_check_values(function, check):
    assert function(b"123456789") == check


@pytest.mark.parametrize("implementation", range(3))
def test_crc32_agrees_with_zlib_for_every_length_and_alignment(implementation):
    compared = 0
    for length in [*range(1300), 2047, 2048, 4095, 4097, 4900]:
        for offset in (0, 1, 7, 15) if length > 300 else range(17):
            piece = memoryview(NOISE)[offset : offset + length]
            previous = (length * 2654435761 + offset) & 0xFFFFFFFF
            results = _awscrt.checksums_crc32_by_each(piece, previous)
            if implementation < len(results):
                assert results[implementation] == zlib.crc32(piece, previous), (length, offset)
                compared += 1
            assert crc32(piece, previous) == results[0]
    if not compared:
        pytest.skip("this processor has fewer implementations")


@settings(max_examples=300, deadline=None)
@given(data=st.binary(max_size=3000), previous=st.integers(0, 2**32 - 1), repeat=st.sampled_from([1, 1, 1, 50]))
def test_crc32_agrees_with_zlib(data, previous, repeat):
    data *= repeat
    assert crc32(data, previous) == zlib.crc32(data, previous)
    assert set(_awscrt.checksums_crc32_by_each(data, previous)) == {zlib.crc32(data, previous)}


@each
def test_definition_for_every_short_length(function, definition, combine):
    for length in [*range(300), 511, 512, 513, 1023, 1024, 3000]:
        previous = (length * 11400714819323198485) & definition.mask
        assert function(NOISE[:length], previous) == definition(NOISE[:length], previous), length


@each
@settings(max_examples=100, deadline=None)
@given(data=st.binary(max_size=2000), cut=st.integers(0, 2000))
def test_pieces_and_combination_give_the_whole(function, definition, combine, data, cut):
    first, second = data[:cut], data[cut:]
    assert function(second, function(first)) == function(data)
    assert combine(function(first), function(second), len(second)) == function(data)


@each
def test_combination_over_any_length(function, definition, combine):
    first = function(b"first")
    for length in (0, 1, 2**16, 2**32 - 1, 2**32, 2**40 + 3, 2**63, 2**64 - 1):
        zeros = definition.after_zeros(0, length)
        assert combine(first, zeros, length) == definition.after_zeros(first, length)


@each
def test_more_than_4_gib_count_to_the_last_byte(zeros_in_no_memory, function, definition, combine):
    with zeros_in_no_memory(MORE_THAN_32_BITS) as zeros:
        expected = definition.after_zeros(0, MORE_THAN_32_BITS)
        assert function(zeros) == expected
        zeros[MORE_THAN_32_BITS - 1] = 1
        before_last = definition.after_zeros(0, MORE_THAN_32_BITS - 1)
        assert function(zeros) == definition(b"\x01", before_last) != expected


@each
def test_any_contiguous_buffer(function, definition, combine):
    data = NOISE[:100]
    expected = function(data)
    for same in (
        bytearray(data),
        memoryview(data),
        memoryview(bytearray(b"x" + data + b"y"))[1:-1],
        array.array("B", data),
        array.array("H", data),
        memoryview(data).cast("B", (10, 10)),
    ):
        assert function(same) == expected
    assert function("é\0€") == function("é\0€".encode())
    assert function(b"") == function("") == function(bytearray()) == function(memoryview(b"")) == 0
    assert function(b"", 77) == 77
    with pytest.raises(BufferError):
        function(memoryview(data)[::2])
    with pytest.raises(UnicodeEncodeError):
        function("\ud800")


@each
def test_mutable_input_is_free_again_afterwards(function, definition, combine):
    data = bytearray(NOISE)
    function(data)
    data.append(1)
    assert function(data) == function(bytes(data))


@each
def test_signature_is_the_published_one(function, definition, combine):
    name = function.__name__
    parameters = inspect.signature(function).parameters
    assert list(parameters) == ["input", f"previous_{name}"]
    assert {p.kind for p in parameters.values()} == {inspect.Parameter.POSITIONAL_OR_KEYWORD}
    assert parameters["input"].default is inspect.Parameter.empty
    assert parameters[f"previous_{name}"].default == 0
    assert inspect.getdoc(function).startswith("CRC-")
    expected = function(b"data", 7)
    assert function(input=b"data", **{f"previous_{name}": 7}) == expected
    assert function(**{f"previous_{name}": 7}, input=b"data") == expected
    assert function(b"data", **{f"previous_{name}": 7}) == expected


@each
def test_wrong_arguments(function, definition, combine):
    name = function.__name__
    for wrong in (None, 3, [1], 1.5):
        with pytest.raises(TypeError):
            function(wrong)
    for wrong in (None, "1", 1.0, b"1"):
        with pytest.raises(TypeError):
            function(b"data", wrong)
    for wrong in (-1, 2**64, -(2**70)):
        with pytest.raises(OverflowError):
            function(b"data", wrong)
    for args, kwargs in (
        ((), {}),
        ((b"", 0, 0), {}),
        ((b"",), {"input": b""}),
        ((b"", 0), {f"previous_{name}": 0}),
        ((b"",), {"previous": 0}),
        ((), {f"previous_{name}": 0}),
    ):
        with pytest.raises(TypeError, match=name):
            function(*args, **kwargs)


@each
def test_previous_beyond_the_width_counts_by_its_lower_bits(function, definition, combine):
    high = 0xABCDEF0123456789
    assert function(b"data", high) == definition(b"data", high & definition.mask)
    assert function(b"data", True) == function(b"data", 1)


@each
def test_combination_refuses_what_is_no_unsigned_integer(function, definition, combine):
    first, second, length = inspect.signature(combine).parameters
    assert length == "data_length2"
    assert (first, second) == (f"{function.__name__}_result1", f"{function.__name__}_result2")
    bits = definition.mask.bit_length()
    for wrong in (-1, 2**64, 1.0, None, "1"):
        with pytest.raises(ValueError, match=f"^{first} is not a valid unsigned {bits}-bit integer$"):
            combine(wrong, 0, 0)
        with pytest.raises(ValueError, match=f"^{second} is not a valid unsigned {bits}-bit integer$"):
            combine(0, wrong, 0)
        with pytest.raises(ValueError, match=r"^data_length2 is not a valid unsigned 64-bit integer$"):
            combine(0, 0, wrong)


def ticks_during(work):
    """How often this thread gets to run while another one is at work."""
    thread = threading.Thread(target=work)
    thread.start()
    ticks = 0
    while thread.is_alive():
        time.sleep(0.001)
        ticks += 1
    thread.join()
    return ticks


@pytest.mark.fault("R12")
@pytest.mark.parametrize("function", [crc32, crc32c, crc64nvme])
def test_other_threads_run_while_a_long_input_is_worked_on(zeros_in_no_memory, function):
    with zeros_in_no_memory(2**31) as zeros:
        assert ticks_during(lambda: function(zeros)) >= 5


@pytest.mark.fault("R17")
def test_failed_allocation_is_a_memory_error(run_python):
    run_python(
        """
        import resource
        from awscrt.checksums import crc32
        text = "\\u00e9" * (100 << 20)  # twice as long in UTF-8
        with open("/proc/self/statm") as statm:
            used = int(statm.read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + (64 << 20), resource.RLIM_INFINITY))
        try:
            crc32(text)
        except MemoryError:
            pass
        else:
            raise SystemExit("there was memory")
        assert crc32("\\u00e9") == crc32(b"\\xc3\\xa9")
        """
    )
