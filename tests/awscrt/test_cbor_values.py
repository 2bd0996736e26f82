"""CBOR values: the examples of RFC 8949, round trips, and `cbor2` as a second opinion."""

from __future__ import annotations

import math

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from awscrt.cbor import AwsCborDecoder, AwsCborEncoder

# RFC 8949, appendix A: data, value, and whether writing the value gives the data. It does not for floats that hold a
# whole number, and for those of half precision, which is never written; nor for items of indefinite length.
EXAMPLES = [
    ("00", 0, True),
    ("01", 1, True),
    ("0a", 10, True),
    ("17", 23, True),
    ("1818", 24, True),
    ("1819", 25, True),
    ("1864", 100, True),
    ("1903e8", 1000, True),
    ("1a000f4240", 1000000, True),
    ("1b000000e8d4a51000", 1000000000000, True),
    ("1bffffffffffffffff", 18446744073709551615, True),
    ("3bffffffffffffffff", -18446744073709551616, True),
    ("20", -1, True),
    ("29", -10, True),
    ("3863", -100, True),
    ("3903e7", -1000, True),
    ("f90000", 0.0, False),
    ("f98000", -0.0, False),
    ("f93c00", 1.0, False),
    ("fb3ff199999999999a", 1.1, True),
    ("f93e00", 1.5, False),
    ("f97bff", 65504.0, False),
    ("fa47c35000", 100000.0, False),
    ("fa7f7fffff", 3.4028234663852886e38, True),
    ("fb7e37e43c8800759c", 1.0e300, True),
    ("f90001", 5.960464477539063e-8, False),
    ("f90400", 0.00006103515625, False),
    ("f9c400", -4.0, False),
    ("fbc010666666666666", -4.1, True),
    ("f97c00", math.inf, False),
    ("f97e00", math.nan, False),
    ("f9fc00", -math.inf, False),
    ("fa7f800000", math.inf, True),
    ("fa7fc00000", math.nan, True),
    ("faff800000", -math.inf, True),
    ("fb7ff0000000000000", math.inf, False),
    ("fb7ff8000000000000", math.nan, False),
    ("fbfff0000000000000", -math.inf, False),
    ("f4", False, True),
    ("f5", True, True),
    ("f6", None, True),
    ("f7", None, False),
    ("c11a514b67b0", 1363896240, False),
    ("c1fb41d452d9ec200000", 1363896240.5, False),
    ("40", b"", True),
    ("4401020304", bytes.fromhex("01020304"), True),
    ("60", "", True),
    ("6161", "a", True),
    ("6449455446", "IETF", True),
    ("62225c", '"\\', True),
    ("62c3bc", "\u00fc", True),
    ("63e6b0b4", "\u6c34", True),
    ("64f0908591", "\U00010151", True),
    ("80", [], True),
    ("83010203", [1, 2, 3], True),
    ("8301820203820405", [1, [2, 3], [4, 5]], True),
    ("98190102030405060708090a0b0c0d0e0f101112131415161718181819", list(range(1, 26)), True),
    ("a0", {}, True),
    ("a201020304", {1: 2, 3: 4}, True),
    ("a26161016162820203", {"a": 1, "b": [2, 3]}, True),
    ("826161a161626163", ["a", {"b": "c"}], True),
    ("a56161614161626142616361436164614461656145", dict(zip("abcde", "ABCDE")), True),
    ("5f42010243030405ff", bytes.fromhex("0102030405"), False),
    ("7f657374726561646d696e67ff", "streaming", False),
    ("9fff", [], False),
    ("9f018202039f0405ffff", [1, [2, 3], [4, 5]], False),
    ("9f01820203820405ff", [1, [2, 3], [4, 5]], False),
    ("83018202039f0405ff", [1, [2, 3], [4, 5]], False),
    ("83019f0203ff820405", [1, [2, 3], [4, 5]], False),
    ("9f0102030405060708090a0b0c0d0e0f101112131415161718181819ff", list(range(1, 26)), False),
    ("bf61610161629f0203ffff", {"a": 1, "b": [2, 3]}, False),
    ("826161bf61626163ff", ["a", {"b": "c"}], False),
    ("bf6346756ef563416d7421ff", {"Fun": True, "Amt": -2}, False),
]
# Of the same appendix: tags and simple values that have no Python value here.
TAGGED = [
    ("c249010000000000000000", 2),
    ("c349010000000000000000", 3),
    ("c074323031332d30332d32315432303a30343a30305a", 0),
    ("d74401020304", 23),
    ("d818456449455446", 24),
    ("d82076687474703a2f2f7777772e6578616d706c652e636f6d", 32),
]
UNASSIGNED = ["f0", "f8ff"]


def encode(value):
    encoder = AwsCborEncoder()
    encoder.write_data_item(value)
    return encoder.get_encoded_data()


def decode(data):
    reader = AwsCborDecoder(data)
    value = reader.pop_next_data_item()
    assert reader.get_remaining_bytes_len() == 0
    return value


def same(one, other):
    """Equal, and of the same types; NaN is itself, and -0.0 is not 0.0."""
    if isinstance(one, float):
        return isinstance(other, float) and repr(one) == repr(other)
    if isinstance(one, list):
        return isinstance(other, list) and len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return isinstance(other, dict) and len(one) == len(other) and all(map(same, one.items(), other.items()))
    if isinstance(one, tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and one == other


@pytest.mark.parametrize(("data", "value", "is_written"), EXAMPLES, ids=[data for data, _, _ in EXAMPLES])
def test_examples_of_the_rfc(data, value, is_written):
    raw = bytes.fromhex(data)
    assert same(decode(raw), value)
    assert (encode(value) == raw) is is_written
    skipping = AwsCborDecoder(raw + b"\x05")
    skipping.consume_next_whole_data_item()
    assert skipping.pop_next_unsigned_int() == 5
    for length in range(len(raw)):
        with pytest.raises((RuntimeError, UnicodeDecodeError)):
            AwsCborDecoder(raw[:length]).pop_next_data_item()


@pytest.mark.parametrize(("data", "tag"), TAGGED, ids=[data for data, _ in TAGGED])
def test_tagged_examples_of_the_rfc(data, tag):
    reader = AwsCborDecoder(bytes.fromhex(data))
    assert reader.pop_next_tag_val() == tag
    assert reader.pop_next_data_item() == cbor2.loads(bytes.fromhex(data)[1 if tag < 24 else 2 :])
    with pytest.raises(ValueError, match=f"tag value: {tag}"):
        decode(bytes.fromhex(data))


@pytest.mark.parametrize("data", UNASSIGNED)
def test_unassigned_simple_values_of_the_rfc(data):
    with pytest.raises(RuntimeError, match="AWS_ERROR_INVALID_CBOR"):
        decode(bytes.fromhex(data))


integers = st.integers(-(2**64), 2**64 - 1) | st.sampled_from(
    [s * 2**n + d for n in (8, 16, 32, 63) for s in (1, -1) for d in (-1, 0)]
)
text = st.text(st.characters(blacklist_categories=["Cs"]), max_size=30)
keys = integers | text | st.binary(max_size=30)
# A float that holds a whole number becomes an integer, so those are left to a test of their own.
fractions = st.floats().filter(lambda value: not math.isfinite(value) or not value.is_integer())
scalars = keys | fractions | st.none() | st.booleans()
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(keys, inner, max_size=6),
    max_leaves=30,
)


@settings(max_examples=300, deadline=None)
@given(values)
def test_values_come_back(value):
    assert same(decode(encode(value)), value)


@settings(max_examples=300, deadline=None)
@given(values)
def test_the_other_side_reads_what_is_written(value):
    assert same(cbor2.loads(encode(value)), value)


@settings(max_examples=300, deadline=None)
@given(values)
def test_what_the_other_side_writes_is_read(value):
    assert same(decode(cbor2.dumps(value)), value)


@settings(max_examples=200, deadline=None)
@given(st.floats())
def test_floats_are_written_without_loss_but_for_the_sign_of_zero(value):
    encoder = AwsCborEncoder()
    encoder.write_float(value)
    data = encoder.get_encoded_data()
    back = decode(data)
    assert back == value or (math.isnan(back) and math.isnan(value))
    if value.is_integer() and abs(value) < 2**32:
        assert isinstance(back, int)
        assert data == cbor2.dumps(int(value))
    assert len(data) <= 9


@settings(max_examples=300, deadline=None)
@given(values, st.data())
def test_strings_and_containers_in_pieces(value, data):
    encoder = AwsCborEncoder()

    def write(item):
        if isinstance(item, (list, dict)) and data.draw(st.booleans()):
            if isinstance(item, list):
                encoder.write_indef_array_start()
                for entry in item:
                    write(entry)
            else:
                encoder.write_indef_map_start()
                for key, entry in item.items():
                    write(key)
                    write(entry)
            encoder.write_break()
        elif isinstance(item, (str, bytes)) and data.draw(st.booleans()):
            cut = data.draw(st.integers(0, len(item)))
            is_text = isinstance(item, str)
            (encoder.write_indef_text_start if is_text else encoder.write_indef_bytes_start)()
            for piece in (item[:cut], item[cut:]):
                (encoder.write_text if is_text else encoder.write_bytes)(piece)
            encoder.write_break()
        else:
            encoder.write_data_item(item)

    write(value)
    assert same(decode(encoder.get_encoded_data()), value)
    assert same(cbor2.loads(encoder.get_encoded_data()), value)


@settings(max_examples=2000, deadline=None)
@given(st.binary(max_size=60))
def test_no_data_do_more_than_raise(data):
    for method in ("pop_next_data_item", "consume_next_whole_data_item", "pop_next_list", "pop_next_map"):
        reader = AwsCborDecoder(data, lambda seconds: seconds)
        before = reader.get_remaining_bytes_len()
        try:
            while reader.get_remaining_bytes_len() > 0:
                getattr(reader, method)()
                after = reader.get_remaining_bytes_len()
                assert after < before
                before = after
        except (RuntimeError, ValueError, TypeError, RecursionError):
            pass
        assert reader.get_remaining_bytes() == data[len(data) - reader.get_remaining_bytes_len() :]
