"""CBOR: what is written and read element by element, the limits, and what goes wrong."""

from __future__ import annotations

import array
import enum
import gc
import math
import weakref

import pytest

from awscrt.cbor import AwsCborDecoder, AwsCborEncoder, AwsCborType

MAX_DEPTH = 128
MAX_ENTRIES = 10_000


def written(method, *args):
    encoder = AwsCborEncoder()
    assert getattr(encoder, method)(*args) is None
    return encoder.get_encoded_data().hex()


def decoder(data, *args):
    return AwsCborDecoder(bytes.fromhex(data) if isinstance(data, str) else data, *args)


class Whole(int):
    pass


class Level(enum.IntEnum):
    HIGH = 300


# ------------------------------------------------------------------------------------------------------------ writing


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0, "00"),
        (23, "17"),
        (24, "1818"),
        (2**63, "1b8000000000000000"),
        (2**64 - 1, "1bffffffffffffffff"),
        (-1, "20"),
        (-(2**63), "3b7fffffffffffffff"),
        (-(2**63) - 1, "3b8000000000000000"),
        (-(2**64), "3bffffffffffffffff"),
        (True, "01"),
        (Level.HIGH, "19012c"),
        (Whole(-500), "3901f3"),
        (Whole(-(2**64)), "3bffffffffffffffff"),
    ],
)
def test_write_int(value, expected):
    assert written("write_int", value) == expected


@pytest.mark.parametrize("wrong", [1.0, "1", None, b"1", [1], 2**64, -(2**64) - 1, 2**1000, -(2**1000)])
def test_write_int_refuses(wrong):
    encoder = AwsCborEncoder()
    with pytest.raises(TypeError):
        encoder.write_int(wrong)
    assert encoder.get_encoded_data() == b""


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1.5, "fa3fc00000"),
        (1.1, "fb3ff199999999999a"),
        (1.0, "01"),
        (-3.0, "22"),
        (-0.0, "00"),
        (2.0**32 - 1, "1affffffff"),
        (2.0**32, "fa4f800000"),
        (-(2.0**32), "3affffffff"),
        (-(2.0**32) - 1, "fbc1f0000000100000"),
        (1e300, "fb7e37e43c8800759c"),
        (math.inf, "fa7f800000"),
        (-math.inf, "faff800000"),
        (math.nan, "fa7fc00000"),
        (5, "05"),
        (5.960464477539063e-08, "fa33800000"),
        (2.0**-149, "fa00000001"),
        (2.0**-150, "fb3690000000000000"),
    ],
)
def test_write_float(value, expected):
    assert written("write_float", value) == expected
    assert written("write_epoch_time", value) == "c1" + expected


@pytest.mark.parametrize("wrong", ["1.5", None, b"1", [1.5], 1j])
def test_write_float_refuses(wrong):
    for method in ("write_float", "write_epoch_time"):
        encoder = AwsCborEncoder()
        with pytest.raises(TypeError):
            getattr(encoder, method)(wrong)
        assert encoder.get_encoded_data() == b""


@pytest.mark.parametrize("length", [0, 1, 23, 24, 255, 256, 65535, 65536])
def test_write_strings_of_every_width_of_length(length):
    head = {1: f"{length:02x}", 2: f"18{length:02x}", 3: f"19{length:04x}", 5: f"1a{length:08x}"}
    width = 1 if length < 24 else 2 if length < 256 else 3 if length < 65536 else 5
    for major, method, contents in ((0x40, "write_bytes", b"x" * length), (0x60, "write_text", "x" * length)):
        expected = bytearray.fromhex(head[width]) + b"x" * length
        expected[0] |= major
        assert written(method, contents) == expected.hex()
        assert decoder(expected).pop_next_data_item() == contents


def test_write_any_contiguous_buffer():
    for same in (b"ab", bytearray(b"ab"), memoryview(b"xaby")[1:3], array.array("B", b"ab")):
        assert written("write_bytes", same) == "426162"
    with pytest.raises(BufferError):
        written("write_bytes", memoryview(b"abcd")[::2])


def test_write_strings_refuse():
    for wrong in ("text", 1, None, [1]):
        with pytest.raises(TypeError):
            written("write_bytes", wrong)
    for wrong in (b"bytes", 1, None, [1]):
        with pytest.raises(TypeError):
            written("write_text", wrong)
    with pytest.raises(UnicodeEncodeError):
        written("write_text", "\ud800")
    assert written("write_text", "\0é€\U00010151") == "6a00c3a9e282acf0908591"


HEADS = {"write_array_start": 0x80, "write_map_start": 0xA0, "write_tag": 0xC0}


@pytest.mark.parametrize("method", HEADS)
def test_write_heads(method):
    for number, rest in (
        (0, ""),
        (23, ""),
        (24, "18"),
        (256, "0100"),
        (2**32, "0000000100000000"),
        (2**64 - 1, "ff" * 8),
    ):
        additional = number if number < 24 else {1: 24, 2: 25, 8: 27}[len(rest) // 2]
        assert written(method, number) == f"{HEADS[method] | additional:02x}{rest}"
    for wrong in (-1, -(2**70)):
        with pytest.raises(ValueError, match="between 0 and 2"):
            written(method, wrong)
    for wrong in (2**64, 1.0, "1", None):
        with pytest.raises(TypeError):
            written(method, wrong)


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("write_null", "f6"),
        ("write_undefined", "f7"),
        ("write_break", "ff"),
        ("write_indef_bytes_start", "5f"),
        ("write_indef_text_start", "7f"),
        ("write_indef_array_start", "9f"),
        ("write_indef_map_start", "bf"),
    ],
)
def test_write_what_has_no_value(method, expected):
    assert written(method) == expected


def test_write_bool_by_truth():
    for value in (False, 0, None, "", []):
        assert written("write_bool", value) == "f4"
    for value in (True, 1, "x", [0]):
        assert written("write_bool", value) == "f5"

    class Undecided:
        def __bool__(self):
            raise KeyError("undecided")

    with pytest.raises(KeyError, match="undecided"):
        written("write_bool", Undecided())


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "f6"),
        (True, "f5"),
        (False, "f4"),
        (Level.HIGH, "19012c"),
        ([1, [2, "a"], {}], "830182026161a0"),
        ({"a": {1: [b"b"]}, 2: None}, "a26161a10181416202f6"),
    ],
)
def test_write_data_item(value, expected):
    assert written("write_data_item", value) == expected
    if isinstance(value, list):
        assert written("write_list", value) == expected
    if isinstance(value, dict):
        assert written("write_dict", value) == expected


@pytest.mark.parametrize("wrong", [(1,), {1}, object(), bytearray(b"x"), memoryview(b"x"), 1j, range(2), int])
def test_write_data_item_refuses_other_types(wrong):
    for value in (wrong, [1, wrong], {1: wrong}):
        with pytest.raises(ValueError, match="Not supported type"):
            written("write_data_item", value)
    for method in ("write_list", "write_dict"):
        with pytest.raises(TypeError, match="expected"):
            written(method, wrong)


@pytest.mark.parametrize("wrong", [2**64, -(2**64) - 1])
def test_write_data_item_refuses_big_numbers(wrong):
    for value in (wrong, [wrong], {wrong: 1}, {1: wrong}):
        with pytest.raises(OverflowError):
            written("write_data_item", value)


def test_what_was_written_before_a_refusal_stays():
    encoder = AwsCborEncoder()
    with pytest.raises(ValueError, match="Not supported"):
        encoder.write_data_item([1, object(), 2])
    assert encoder.get_encoded_data().hex() == "8301"
    encoder.write_null()
    assert encoder.get_encoded_data().hex() == "8301f6"


def test_reset():
    encoder = AwsCborEncoder()
    encoder.write_text("x" * 10_000)
    encoder.reset()
    assert encoder.get_encoded_data() == b""
    encoder.write_int(5)
    assert encoder.get_encoded_data() == b"\x05"


def nested(depth, innermost):
    for _ in range(depth):
        innermost = [innermost]
    return innermost


def flatten(item):
    """Takes a deep list apart, which Python's own recursion could not."""
    while isinstance(item, list) and item:
        item = item.pop()


@pytest.mark.parametrize("depth", [1, 127, 128, 5_000, 99_999])
def test_write_deep_values(depth):
    value = nested(depth, 5)
    assert written("write_data_item", value) == "81" * depth + "05"
    flatten(value)


def test_write_values_that_contain_themselves_or_are_too_deep():
    value = []
    value.append(value)
    table = {}
    table[1] = [table]
    deep = nested(100_001, 5)
    for wrong in (value, table, deep):
        with pytest.raises(RecursionError):
            written("write_data_item", wrong)
    value.clear()
    table.clear()
    flatten(deep)


def test_no_method_of_a_number_runs_while_it_is_written():
    def never(self, *args):
        raise AssertionError("a method of the number ran")

    names = ("__index__", "__int__", "__float__", "__invert__", "__neg__", "__lt__", "__eq__", "__sub__", "__rsub__")
    number = type("Number", (int,), dict.fromkeys(names, never))
    fraction = type("Fraction", (float,), dict.fromkeys(("__float__", "__int__"), never))
    near = [2**64 - 1, 2**63, -(2**63) - 1, -(2**64) + 1023, -(2**64) + 1, -(2**64), *range(-3, 3)]
    assert written("write_list", [number(n) for n in near]) == written("write_list", near)
    for beyond in (-(2**64) - 1, -(2**64) - 1024, -(2**64) - 2048, -(2**64) - 4096, -(2**2000), 2**64, 2**2000):
        with pytest.raises(OverflowError):
            written("write_list", [number(beyond)])
    assert written("write_list", [fraction(1.5)]) == written("write_list", [1.5])


@pytest.mark.fault("R13")
@pytest.mark.parametrize(
    "make", [lambda kept: [kept, object()], lambda kept: {object(): kept}, lambda kept: {1: [kept, {2: object()}]}]
)
def test_nothing_is_kept_of_a_refused_value(make):
    class Text(str):  # noqa: SLOT000 - it must be one that a weak reference can name
        pass

    kept = Text("kept")
    gone = weakref.ref(kept)
    encoder = AwsCborEncoder()
    with pytest.raises(ValueError, match="Not supported type"):
        encoder.write_data_item(make(kept))
    del kept
    gc.collect()
    assert gone() is None


# ------------------------------------------------------------------------------------------------------------ reading

SINGLE = {
    "00": ("pop_next_unsigned_int", AwsCborType.UnsignedInt, 0),
    "1bffffffffffffffff": ("pop_next_unsigned_int", AwsCborType.UnsignedInt, 2**64 - 1),
    "20": ("pop_next_negative_int", AwsCborType.NegativeInt, -1),
    "3b7fffffffffffffff": ("pop_next_negative_int", AwsCborType.NegativeInt, -(2**63)),
    "3b8000000000000000": ("pop_next_negative_int", AwsCborType.NegativeInt, -(2**63) - 1),
    "3bffffffffffffffff": ("pop_next_negative_int", AwsCborType.NegativeInt, -(2**64)),
    "f93c00": ("pop_next_double", AwsCborType.Float, 1.0),
    "fa3fc00000": ("pop_next_double", AwsCborType.Float, 1.5),
    "fb3ff199999999999a": ("pop_next_double", AwsCborType.Float, 1.1),
    "f5": ("pop_next_bool", AwsCborType.Bool, True),
    "f4": ("pop_next_bool", AwsCborType.Bool, False),
    "426162": ("pop_next_bytes", AwsCborType.Bytes, b"ab"),
    "62c3a9": ("pop_next_text", AwsCborType.Text, "é"),
    "83": ("pop_next_array_start", AwsCborType.ArrayStart, 3),
    "a3": ("pop_next_map_start", AwsCborType.MapStart, 3),
    "dbffffffffffffffff": ("pop_next_tag_val", AwsCborType.Tag, 2**64 - 1),
}
PLAIN = {
    "f6": AwsCborType.Null,
    "f7": AwsCborType.Undefined,
    "ff": AwsCborType.Break,
    "5f": AwsCborType.IndefBytes,
    "7f": AwsCborType.IndefStr,
    "9f": AwsCborType.IndefArray,
    "bf": AwsCborType.IndefMap,
}
POPS = sorted({method for method, _, _ in SINGLE.values()})


@pytest.mark.parametrize("data", SINGLE)
def test_single_elements(data):
    method, kind, expected = SINGLE[data]
    reader = decoder(data + "f6")
    for other in POPS:
        if other != method:
            with pytest.raises(RuntimeError, match="AWS_ERROR_CBOR_UNEXPECTED_TYPE"):
                getattr(reader, other)()
    assert reader.peek_next_type() is kind
    value = getattr(reader, method)()
    assert (value, type(value)) == (expected, type(expected))
    assert reader.get_remaining_bytes() == b"\xf6"


@pytest.mark.parametrize("data", PLAIN)
def test_elements_without_a_value(data):
    reader = decoder(data + "05")
    assert reader.peek_next_type() is PLAIN[data]
    for method in POPS:
        with pytest.raises(RuntimeError, match="AWS_ERROR_CBOR_UNEXPECTED_TYPE"):
            getattr(reader, method)()
    assert reader.consume_next_single_element() is None
    assert reader.pop_next_unsigned_int() == 5


def test_types_are_those_of_the_library():
    assert {kind.name: kind.value for kind in AwsCborType} == {
        "Unknown": 0, "UnsignedInt": 1, "NegativeInt": 2, "Float": 3, "Bytes": 4, "Text": 5, "ArrayStart": 6,
        "MapStart": 7, "Tag": 8, "Bool": 9, "Null": 10, "Undefined": 11, "Break": 12, "IndefBytes": 13, "IndefStr": 14,
        "IndefArray": 15, "IndefMap": 16,
    }  # fmt: skip


def test_what_remains():
    reader = decoder("0001820203")
    assert (reader.get_remaining_bytes_len(), reader.get_remaining_bytes().hex()) == (5, "0001820203")
    reader.pop_next_unsigned_int()
    reader.peek_next_type()  # an element that was peeked at does not count
    assert (reader.get_remaining_bytes_len(), reader.get_remaining_bytes().hex()) == (3, "820203")
    reader.consume_next_single_element()
    reader.consume_next_whole_data_item()
    assert (reader.get_remaining_bytes_len(), reader.get_remaining_bytes()) == (0, b"")


def test_reading_goes_on_after_an_unexpected_type():
    reader = decoder("82018102")
    for method in ("pop_next_map", "pop_next_text", "pop_next_map_start"):
        with pytest.raises(RuntimeError, match="AWS_ERROR_CBOR_UNEXPECTED_TYPE"):
            getattr(reader, method)()
    assert reader.pop_next_list() == [1, [2]]


def test_reading_ends_at_malformed_data_until_reset():
    reader = decoder("1c00")
    for _ in range(2):
        for method in (*POPS, "peek_next_type", "pop_next_data_item", "pop_next_list", "pop_next_map",
                       "consume_next_single_element", "consume_next_whole_data_item"):  # fmt: skip
            with pytest.raises(RuntimeError, match="AWS_ERROR_INVALID_CBOR"):
                getattr(reader, method)()
    assert reader.get_remaining_bytes().hex() == "1c00"
    reader.reset_src(b"\x05")
    assert reader.pop_next_unsigned_int() == 5


def test_reset_forgets_what_was_peeked_at():
    reader = decoder("0102")
    reader.peek_next_type()
    reader.reset_src(b"\x63abc")
    assert reader.get_remaining_bytes_len() == 4
    assert reader.pop_next_text() == "abc"


def test_sources():
    mutable = bytearray(b"\x42ab")
    for source in (mutable, memoryview(b"x\x42aby")[1:4]):
        reader = decoder(source)
        mutable[1:] = b"??"  # the decoder has a copy, and does not lock the source
        mutable.append(0)
        assert reader.pop_next_bytes() == b"ab"
        mutable[:] = b"\x42ab"
    for wrong in (None, "text", 5, [1]):
        with pytest.raises(TypeError):
            AwsCborDecoder(wrong)
        with pytest.raises(TypeError):
            decoder("00").reset_src(wrong)
    reader = decoder("05")
    with pytest.raises(TypeError):
        reader.reset_src(None)
    assert reader.pop_next_unsigned_int() == 5  # a refused source leaves the old one


def test_other_keywords_are_ignored():
    assert AwsCborDecoder(b"\xc1\x05", on_epoch_time=str, something=1).pop_next_data_item() == "5"


@pytest.mark.parametrize(
    ("data", "error"),
    [
        ("", "INVALID_CBOR"),
        ("18", "INVALID_CBOR"),
        ("61", "INVALID_CBOR"),
        ("5bffffffffffffffff", "INVALID_CBOR"),
        ("7b7fffffffffffffff", "INVALID_CBOR"),
        ("82", "INVALID_CBOR"),
        ("8201", "INVALID_CBOR"),
        ("a101", "INVALID_CBOR"),
        ("9f01", "INVALID_CBOR"),
        ("bf0102", "INVALID_CBOR"),
        ("5f4101", "INVALID_CBOR"),
        ("c1", "INVALID_CBOR"),
        ("1c", "INVALID_CBOR"),
        ("f0", "INVALID_CBOR"),
        ("f8ff", "INVALID_CBOR"),
        ("ff", "CBOR_UNEXPECTED_TYPE"),
        ("81ff", "CBOR_UNEXPECTED_TYPE"),
        ("a101ff", "CBOR_UNEXPECTED_TYPE"),
        ("bf01ff", "CBOR_UNEXPECTED_TYPE"),
        ("5f01ff", "CBOR_UNEXPECTED_TYPE"),
        ("5f6161ff", "CBOR_UNEXPECTED_TYPE"),
        ("7f4161ff", "CBOR_UNEXPECTED_TYPE"),
        ("5f5f4101ffff", "CBOR_UNEXPECTED_TYPE"),
        ("c160", "CBOR_UNEXPECTED_TYPE"),
        ("c1f6", "CBOR_UNEXPECTED_TYPE"),
        ("c1c100", "CBOR_UNEXPECTED_TYPE"),
        ("9a00002711", "CBOR_RESOURCE_LIMIT_EXCEEDED"),
        ("9affffffff", "CBOR_RESOURCE_LIMIT_EXCEEDED"),
        ("9bffffffffffffffff", "CBOR_RESOURCE_LIMIT_EXCEEDED"),
        ("ba00002711", "CBOR_RESOURCE_LIMIT_EXCEEDED"),
        ("bbffffffffffffffff", "CBOR_RESOURCE_LIMIT_EXCEEDED"),
    ],
)
def test_bad_data(data, error):
    with pytest.raises(RuntimeError, match=f"AWS_ERROR_{error}"):
        decoder(data).pop_next_data_item()


@pytest.mark.parametrize("tag", [0, 2, 3, 4, 24, 55799, 2**64 - 1])
def test_other_tags(tag):
    encoder = AwsCborEncoder()
    encoder.write_tag(tag)
    encoder.write_bytes(b"tagged")
    reader = AwsCborDecoder(encoder.get_encoded_data())
    with pytest.raises(ValueError, match=f"Unsupported tag value: {tag}"):
        reader.pop_next_data_item()
    assert reader.pop_next_data_item() == b"tagged"


def test_text_that_is_not_utf8():
    reader = decoder("61ff05")
    with pytest.raises(UnicodeDecodeError):
        reader.pop_next_text()
    assert reader.pop_next_unsigned_int() == 5
    for data in ("61ff", "62c328", "63eda080", "7f61c361a9ff", "8161ff", "a161ff01"):
        with pytest.raises(UnicodeDecodeError):
            decoder(data).pop_next_data_item()


def test_keys():
    assert decoder("a201020103").pop_next_map() == {1: 3}
    for data in ("a18001", "a1a001", "bf8001ff"):
        with pytest.raises(TypeError, match="unhashable"):
            decoder(data).pop_next_data_item()


def test_the_largest_containers():
    many = list(range(MAX_ENTRIES))
    encoder = AwsCborEncoder()
    encoder.write_list(many)
    encoder.write_dict(dict.fromkeys(many, True))
    reader = AwsCborDecoder(encoder.get_encoded_data())
    assert reader.pop_next_list() == many
    assert reader.pop_next_map() == dict.fromkeys(many, True)
    encoder.reset()
    encoder.write_indef_array_start()
    for value in range(2 * MAX_ENTRIES):
        encoder.write_int(value)
    encoder.write_break()
    assert AwsCborDecoder(encoder.get_encoded_data()).pop_next_data_item() == list(range(2 * MAX_ENTRIES))


# Each makes an item one deeper.
DEEPER = {"array": ("81", ""), "map": ("a100", ""), "indef array": ("9f", "ff"), "indef map": ("bf00", "ff")}


@pytest.mark.parametrize("kind", DEEPER)
def test_depth_is_limited(kind):
    before, after = DEEPER[kind]

    def data(depth):
        return before * (depth - 1) + "00" + after * (depth - 1)

    item = decoder(data(MAX_DEPTH)).pop_next_data_item()
    for _ in range(MAX_DEPTH - 1):
        item = item[0]
    assert item == 0
    decoder(data(MAX_DEPTH)).consume_next_whole_data_item()
    for depth in (MAX_DEPTH + 1, 1_000, 1_000_000):
        reader = decoder(data(depth))
        with pytest.raises(RecursionError, match="128"):
            reader.pop_next_data_item()
        with pytest.raises(RuntimeError, match="AWS_ERROR_CBOR_RESOURCE_LIMIT_EXCEEDED"):
            decoder(data(depth)).consume_next_whole_data_item()
        reader.reset_src(b"\x81\x05")
        assert reader.pop_next_data_item() == [5]


def test_indefinite_strings():
    assert decoder("5f42010243030405ff").pop_next_data_item() == b"\1\2\3\4\5"
    assert decoder("7f657374726561646d696e67ff").pop_next_data_item() == "streaming"
    assert decoder("5fff").pop_next_data_item() == b""
    assert decoder("7fff").pop_next_data_item() == ""
    assert decoder("7f" + "62c3a9" * 5000 + "ff").pop_next_data_item() == "é" * 5000


# ------------------------------------------------------------------------------------------------------- epoch times


def test_epoch_time_without_a_callback_is_the_number():
    for data, expected in (("c11a514b67b0", 1363896240), ("c1fb41d452d9ec200000", 1363896240.5), ("c120", -1)):
        value = decoder(data).pop_next_data_item()
        assert (value, type(value)) == (expected, type(expected))


def test_epoch_time_goes_through_the_callback_wherever_it_is():
    def seconds(value):
        return ("at", value)

    assert decoder("c100", seconds).pop_next_data_item() == ("at", 0)
    assert decoder("c1f93e00", seconds).pop_next_data_item() == ("at", 1.5)
    assert decoder("83c10001c120", seconds).pop_next_list() == [("at", 0), 1, ("at", -1)]
    assert decoder("a2c10001 02c103", seconds).pop_next_map() == {("at", 0): 1, 2: ("at", 3)}
    assert decoder("9fbf00c104ffff", seconds).pop_next_data_item() == [{0: ("at", 4)}]


def test_written_epoch_times_come_back():
    encoder = AwsCborEncoder()
    for value in (0, 1.5, -1e10, 2**31):
        encoder.write_epoch_time(value)
    reader = AwsCborDecoder(encoder.get_encoded_data(), on_epoch_time=lambda value: [value])
    assert [reader.pop_next_data_item() for _ in range(4)] == [[0], [1.5], [-1e10], [2**31]]


@pytest.mark.fault("R10")
@pytest.mark.parametrize("data", ["c100", "8301c10002", "a1c10001", "bf01c100ff", "9fc100ff"])
def test_what_the_callback_raises_reaches_the_caller(data):
    error = KeyError("from the callback")

    def fail(value):
        raise error

    with pytest.raises(KeyError) as caught:
        decoder(data, fail).pop_next_data_item()
    assert caught.value is error


def test_a_callback_that_is_none():
    for wrong in (3, "x", 0, False):
        with pytest.raises(TypeError, match="not callable"):
            decoder("c100", wrong).pop_next_data_item()


def test_a_callback_may_use_the_decoder():
    def read_on(value):
        return value, reader.pop_next_data_item()

    reader = decoder("c10082c10102", read_on)
    with pytest.raises(RuntimeError, match="AWS_ERROR_INVALID_CBOR"):
        reader.pop_next_data_item()  # the callback inside took the last item away from the array
    reader = decoder("81c10563616263", read_on)
    assert reader.pop_next_data_item() == [(5, "abc")]


def test_a_callback_may_change_the_source():
    def replace(value):
        reader.reset_src(bytes.fromhex("63646566ff"))
        gc.collect()
        return value

    reader = AwsCborDecoder(bytes.fromhex("9fc105") + b"\x63abc" * 1000 + b"\xff", replace)
    assert reader.pop_next_data_item() == [5, "def"]


def test_depth_counts_through_callbacks():
    depth = 0

    def descend(value):
        nonlocal depth
        depth += 1
        return reader.pop_next_data_item()

    reader = decoder("81c100" * 1000, descend)
    with pytest.raises(RecursionError):
        reader.pop_next_data_item()
    assert 0 < depth <= MAX_DEPTH
    reader.reset_src(b"\x05")
    assert reader.pop_next_data_item() == 5


@pytest.mark.fault("R13")
def test_a_decoder_in_a_cycle_with_its_callback_is_freed():
    class Holder:
        def callback(self, value):
            return value

    holder = Holder()
    holder.reader = decoder("c100", holder.callback)
    gone = weakref.ref(holder.reader)
    assert holder.reader.pop_next_data_item() == 0
    del holder
    gc.collect()
    assert gone() is None


# --------------------------------------------------------------------------------------------------------- processes


@pytest.mark.fault("R08")
def test_a_forked_child_goes_on_where_the_parent_was(run_python):
    run_python(
        """
        import os
        from awscrt.cbor import AwsCborDecoder, AwsCborEncoder
        encoder, reader = AwsCborEncoder(), AwsCborDecoder(b"\\x01\\x02")
        encoder.write_int(1)
        assert reader.pop_next_unsigned_int() == 1
        child = os.fork()
        encoder.write_text("x" * 1000)
        assert len(encoder.get_encoded_data()) == 1004
        assert reader.pop_next_unsigned_int() == 2
        if child:
            assert os.waitpid(child, 0)[1] == 0
        """
    )


@pytest.mark.fault("R17")
def test_failed_allocation_is_a_memory_error_and_nothing_is_lost(run_python):
    run_python(
        """
        import resource
        from awscrt.cbor import AwsCborDecoder, AwsCborEncoder
        encoder = AwsCborEncoder()
        data = bytes(20 << 20)
        with open("/proc/self/statm") as statm:
            used = int(statm.read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + (100 << 20), resource.RLIM_INFINITY))
        encoder.write_null()
        count = 0
        try:
            while True:
                encoder.write_bytes(data)
                count += 1
        except MemoryError:
            assert 1 <= count <= 5, count
        else:
            raise SystemExit("there was memory")
        small = AwsCborEncoder()
        try:
            while True:
                small.write_data_item(["x" * 100] * 1000)
        except MemoryError:
            pass
        del small, data
        resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        reader = AwsCborDecoder(encoder.get_encoded_data())
        assert reader.pop_next_data_item() is None
        for _ in range(count):
            assert len(reader.pop_next_bytes()) == 20 << 20
        assert reader.get_remaining_bytes_len() == 0
        """
    )


@pytest.mark.parametrize("wrong", [None, 3, object()])
def test_without_a_native_object(wrong):
    encoder = AwsCborEncoder()
    encoder._binding = wrong
    reader = decoder("00")
    reader._binding = wrong
    for use in (encoder.write_null, lambda: encoder.write_int(1), encoder.get_encoded_data, reader.peek_next_type):
        with pytest.raises(TypeError, match="AwsCbor"):
            use()
    reader._binding = AwsCborEncoder()._binding
    with pytest.raises(TypeError, match="AwsCborDecoder"):
        reader.pop_next_data_item()
