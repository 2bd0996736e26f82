"""Event-stream headers: their types, and what they refuse."""

from __future__ import annotations

import time
from uuid import UUID

import pytest

from awscrt.eventstream import Header, HeaderType

AN_ID = UUID("0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0")

GOOD = [
    (Header.from_bool, True, HeaderType.BOOL_TRUE),
    (Header.from_bool, False, HeaderType.BOOL_FALSE),
    (Header.from_byte, -128, HeaderType.BYTE),
    (Header.from_byte, 127, HeaderType.BYTE),
    (Header.from_int16, -(2**15), HeaderType.INT16),
    (Header.from_int16, 2**15 - 1, HeaderType.INT16),
    (Header.from_int32, -(2**31), HeaderType.INT32),
    (Header.from_int32, 2**31 - 1, HeaderType.INT32),
    (Header.from_int64, -(2**63), HeaderType.INT64),
    (Header.from_int64, 2**63 - 1, HeaderType.INT64),
    (Header.from_byte_buf, b"", HeaderType.BYTE_BUF),
    (Header.from_byte_buf, bytearray(b"\0\xff"), HeaderType.BYTE_BUF),
    (Header.from_byte_buf, bytes(32767), HeaderType.BYTE_BUF),
    (Header.from_string, "", HeaderType.STRING),
    (Header.from_string, "\u00e9" * 16383, HeaderType.STRING),
    (Header.from_timestamp, -(2**63), HeaderType.TIMESTAMP),
    (Header.from_timestamp, 2**63 - 1, HeaderType.TIMESTAMP),
    (Header.from_uuid, AN_ID, HeaderType.UUID),
]

READERS = {
    HeaderType.BOOL_TRUE: "value_as_bool",
    HeaderType.BOOL_FALSE: "value_as_bool",
    HeaderType.BYTE: "value_as_byte",
    HeaderType.INT16: "value_as_int16",
    HeaderType.INT32: "value_as_int32",
    HeaderType.INT64: "value_as_int64",
    HeaderType.BYTE_BUF: "value_as_byte_buf",
    HeaderType.STRING: "value_as_string",
    HeaderType.TIMESTAMP: "value_as_timestamp",
    HeaderType.UUID: "value_as_uuid",
}


@pytest.mark.parametrize(("make", "value", "header_type"), GOOD)
def test_a_value_is_kept_and_read_by_its_type_only(make, value, header_type):
    for header in (make("a-name", value), Header("a-name", value, header_type)):
        assert (header.name, header.value, header.type) == ("a-name", value, header_type)
        assert header.type is header_type
        assert header.value is value or header.value == value
        for reader in set(READERS.values()):
            if reader == READERS[header_type]:
                assert getattr(header, reader)() == value
            else:
                with pytest.raises(TypeError, match=f"'a-name' has the type {header_type.name}, not "):
                    getattr(header, reader)()


@pytest.mark.fault("R03")
@pytest.mark.parametrize(
    ("make", "value"),
    [
        (Header.from_byte, 128),
        (Header.from_byte, -129),
        (Header.from_int16, 2**15),
        (Header.from_int16, -(2**15) - 1),
        (Header.from_int32, 2**31),
        (Header.from_int32, -(2**31) - 1),
        (Header.from_int64, 2**63),
        (Header.from_int64, -(2**63) - 1),
        (Header.from_byte_buf, bytes(32768)),
        (Header.from_byte_buf, memoryview(bytes(32768)).cast("q")),
        (Header.from_string, "a" * 32768),
        (Header.from_string, "\u00e9" * 16384),
        (Header.from_string, "\ud800"),
        (Header.from_timestamp, 2**63),
        (Header.from_timestamp, float("inf")),
        (Header.from_timestamp, float("nan")),
    ],
)
def test_a_value_out_of_range_is_refused(make, value):
    with pytest.raises(ValueError):
        make("a", value)


@pytest.mark.parametrize(
    ("make", "value", "message"),
    [
        (Header.from_byte, "1", "value must be int, not str"),
        (Header.from_int16, 1.0, "value must be int, not float"),
        (Header.from_int32, None, "value must be int, not NoneType"),
        (Header.from_int64, b"1", "value must be int, not bytes"),
        (Header.from_timestamp, "1", "value must be int, not str"),
        (Header.from_byte_buf, "text", "value must be bytes, not str"),
        (Header.from_byte_buf, 7, "value must be bytes, not int"),
        (Header.from_string, b"text", "value must be str, not bytes"),
        (Header.from_uuid, str(AN_ID), "value must be UUID, not str"),
        (Header.from_uuid, AN_ID.bytes, "value must be UUID, not bytes"),
    ],
)
def test_a_value_of_another_type_is_refused(make, value, message):
    with pytest.raises(TypeError, match=message):
        make("a", value)


@pytest.mark.parametrize(("name", "error"), [("", ValueError), ("a" * 256, ValueError), ("\u00e9" * 128, ValueError)])
def test_a_bad_name_is_refused(name, error):
    with pytest.raises(error, match="name must be 1 to 255 bytes of UTF-8, not "):
        Header.from_bool(name, True)


@pytest.mark.parametrize("name", [b"a", 1, None])
def test_a_name_of_another_type_is_refused(name):
    with pytest.raises(TypeError, match="name must be str, not "):
        Header.from_bool(name, True)


def test_the_truth_of_a_value_makes_the_type():
    assert Header.from_bool("a", 1).value is True
    assert Header.from_bool("a", "").type is HeaderType.BOOL_FALSE
    with pytest.raises(ValueError, match="True is not that of BOOL_FALSE"):
        Header("a", True, HeaderType.BOOL_FALSE)


def test_an_unknown_type_is_refused():
    with pytest.raises(ValueError, match="10 is not a valid HeaderType"):
        Header("a", 1, 10)
    assert Header("a", 1, 2).type is HeaderType.BYTE


def test_a_time_with_a_fraction_is_cut_off():
    now = time.time()
    assert Header.from_timestamp("a", now).value == int(now)
    assert Header.from_timestamp("a", -1.5).value == -1


def test_how_it_shows_itself():
    header = Header.from_string("greeting", "hello")
    assert str(header) == "greeting: 'hello' <STRING>"
    assert repr(header) == "Header('greeting', 'hello', <HeaderType.STRING: 7>)"
    assert format(HeaderType.BYTE) == str(HeaderType.BYTE)


def test_it_cannot_be_changed():
    header = Header.from_byte("a", 1)
    for attribute in ("name", "value", "type"):
        with pytest.raises(AttributeError):
            setattr(header, attribute, 2)
