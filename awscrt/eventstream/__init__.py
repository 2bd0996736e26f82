"""Owns the headers of event-stream messages; `awscrt.eventstream.rpc` sends and receives messages.

The format is that of Amazon's event-stream encoding (`aws/event-stream/event_stream.h`).
"""

from __future__ import annotations

import operator
from enum import IntEnum

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Union
    from uuid import UUID

__all__ = ["Header", "HeaderType"]

# The length of a name goes over the wire in one byte.
_MAX_NAME_BYTES = 255
# That of a value goes in two, of which all implementations use 15 bits.
_MAX_VALUE_BYTES = 0x7FFF


class HeaderType(IntEnum):
    """The kinds of values (numbers of `aws_event_stream_header_value_type`, which go over the wire)."""

    BOOL_TRUE = 0
    """The value is `True`."""

    BOOL_FALSE = 1
    """The value is `False`."""

    BYTE = 2
    """The value is an int of 8 bits, signed."""

    INT16 = 3
    """The value is an int of 16 bits, signed."""

    INT32 = 4
    """The value is an int of 32 bits, signed."""

    INT64 = 5
    """The value is an int of 64 bits, signed."""

    BYTE_BUF = 6
    """The value is bytes, at most 32767."""

    STRING = 7
    """The value is a str of at most 32767 bytes of UTF-8."""

    TIMESTAMP = 8
    """The value is an int of 64 bits, signed: a time since the Unix epoch, in the unit that the application uses.

    `aws/event-stream/event_stream.h` calls it milliseconds.
    """

    UUID = 9
    """The value is a `uuid.UUID`."""

    def __format__(self, format_spec: str) -> str:
        return str(self)


_INTEGER_SIZES = {
    HeaderType.BYTE: 1,
    HeaderType.INT16: 2,
    HeaderType.INT32: 4,
    HeaderType.INT64: 8,
    HeaderType.TIMESTAMP: 8,
}
_BOOLEANS = {HeaderType.BOOL_TRUE: True, HeaderType.BOOL_FALSE: False}


class Header:
    """A header of a message: a name, and a value of some type. Each type has a function that makes headers of it.

    Args:
        name: 1 to 255 bytes of UTF-8.
        value: The value, of the Python type that `header_type` stands for.
        header_type: The type of the value.

    Raises:
        TypeError: An argument is of another type.
        ValueError: The name is empty or too long, or the value does not fit the type.
    """

    __slots__ = ("_name", "_type", "_value")

    def __init__(self, name: str, value: Any, header_type: HeaderType) -> None:
        self._name: str = _checked_name(name)
        self._type: HeaderType = HeaderType(header_type)
        self._value: Any = _checked_value(value, self._type)

    @classmethod
    def from_bool(cls, name: str, value: bool) -> Header:
        """A header of the type `BOOL_TRUE` or `BOOL_FALSE`, by the truth of `value`."""
        truth = bool(value)
        return cls(name, truth, HeaderType.BOOL_TRUE if truth else HeaderType.BOOL_FALSE)

    @classmethod
    def from_byte(cls, name: str, value: int) -> Header:
        """A header of the type `BYTE`.

        Raises:
            ValueError: `value` is not from -128 to 127.
        """
        return cls(name, value, HeaderType.BYTE)

    @classmethod
    def from_int16(cls, name: str, value: int) -> Header:
        """A header of the type `INT16`.

        Raises:
            ValueError: `value` does not fit 16 bits.
        """
        return cls(name, value, HeaderType.INT16)

    @classmethod
    def from_int32(cls, name: str, value: int) -> Header:
        """A header of the type `INT32`.

        Raises:
            ValueError: `value` does not fit 32 bits.
        """
        return cls(name, value, HeaderType.INT32)

    @classmethod
    def from_int64(cls, name: str, value: int) -> Header:
        """A header of the type `INT64`.

        Raises:
            ValueError: `value` does not fit 64 bits.
        """
        return cls(name, value, HeaderType.INT64)

    @classmethod
    def from_byte_buf(cls, name: str, value: Union[bytes, bytearray]) -> Header:
        """A header of the type `BYTE_BUF`. A mutable `value` is not copied before the header is sent.

        Raises:
            ValueError: `value` is longer than 32767 bytes.
        """
        return cls(name, value, HeaderType.BYTE_BUF)

    @classmethod
    def from_string(cls, name: str, value: str) -> Header:
        """A header of the type `STRING`.

        Raises:
            ValueError: `value` is longer than 32767 bytes of UTF-8, or cannot be encoded.
        """
        return cls(name, value, HeaderType.STRING)

    @classmethod
    def from_timestamp(cls, name: str, value: int) -> Header:
        """A header of the type `TIMESTAMP`. A fraction, such as `time.time()` has, is cut off.

        Raises:
            ValueError: `value` does not fit 64 bits.
        """
        return cls(name, value, HeaderType.TIMESTAMP)

    @classmethod
    def from_uuid(cls, name: str, value: UUID) -> Header:
        """A header of the type `UUID`."""
        return cls(name, value, HeaderType.UUID)

    @classmethod
    def _from_wire(cls, name: bytes, header_type: int, value: bytes) -> Header:
        """A header that came in: the peer's business is not checked by the rules for ours, as by an empty name."""
        header = cls.__new__(cls)
        header._name = name.decode()
        header._type = HeaderType(header_type)
        header._value = _decoded_value(value, header._type)
        return header

    def _to_wire(self) -> tuple[bytes, int, bytes]:
        """Name, type and value as they go over the wire, without their lengths."""
        return self._name.encode(), self._type.value, _encoded_value(self._value, self._type)

    @property
    def name(self) -> str:
        """The name."""
        return self._name

    @property
    def type(self) -> HeaderType:
        """The type of the value."""
        return self._type

    @property
    def value(self) -> Any:
        """The value, of the Python type that `type` stands for."""
        return self._value

    def value_as_bool(self) -> bool:
        """The value of a `BOOL_TRUE` or `BOOL_FALSE`.

        Raises:
            TypeError: The header is of another type.
        """
        value: bool = self._value_as(HeaderType.BOOL_TRUE, HeaderType.BOOL_FALSE)
        return value

    def value_as_byte(self) -> int:
        """The value of a `BYTE`.

        Raises:
            TypeError: The header is of another type.
        """
        value: int = self._value_as(HeaderType.BYTE)
        return value

    def value_as_int16(self) -> int:
        """The value of an `INT16`.

        Raises:
            TypeError: The header is of another type.
        """
        value: int = self._value_as(HeaderType.INT16)
        return value

    def value_as_int32(self) -> int:
        """The value of an `INT32`.

        Raises:
            TypeError: The header is of another type.
        """
        value: int = self._value_as(HeaderType.INT32)
        return value

    def value_as_int64(self) -> int:
        """The value of an `INT64`.

        Raises:
            TypeError: The header is of another type.
        """
        value: int = self._value_as(HeaderType.INT64)
        return value

    def value_as_byte_buf(self) -> Union[bytes, bytearray]:
        """The value of a `BYTE_BUF`: bytes if it came in, else what the header was made with.

        Raises:
            TypeError: The header is of another type.
        """
        value: Union[bytes, bytearray] = self._value_as(HeaderType.BYTE_BUF)
        return value

    def value_as_string(self) -> str:
        """The value of a `STRING`.

        Raises:
            TypeError: The header is of another type.
        """
        value: str = self._value_as(HeaderType.STRING)
        return value

    def value_as_timestamp(self) -> int:
        """The value of a `TIMESTAMP`.

        Raises:
            TypeError: The header is of another type.
        """
        value: int = self._value_as(HeaderType.TIMESTAMP)
        return value

    def value_as_uuid(self) -> UUID:
        """The value of a `UUID`.

        Raises:
            TypeError: The header is of another type.
        """
        value: UUID = self._value_as(HeaderType.UUID)
        return value

    def _value_as(self, *wanted: HeaderType) -> Any:
        if self._type not in wanted:
            names = " or ".join(one.name for one in wanted)
            raise TypeError(f"header {self._name!r} has the type {self._type.name}, not {names}")
        return self._value

    def __str__(self) -> str:
        return f"{self._name}: {self._value!r} <{self._type.name}>"

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._name!r}, {self._value!r}, {self._type!r})"


def _checked_name(name: str) -> str:
    if not isinstance(name, str):
        raise TypeError(f"name must be str, not {type(name).__name__}")
    size = len(name.encode())
    if not 1 <= size <= _MAX_NAME_BYTES:
        raise ValueError(f"name must be 1 to {_MAX_NAME_BYTES} bytes of UTF-8, not {size}")
    return name


def _checked_value(value: Any, header_type: HeaderType) -> Any:
    if header_type in _INTEGER_SIZES:
        return _checked_integer(value, header_type)
    if header_type in _BOOLEANS:
        if bool(value) is not _BOOLEANS[header_type]:
            raise ValueError(f"value {value!r} is not that of {header_type.name}")
        return _BOOLEANS[header_type]
    if header_type == HeaderType.UUID:
        from uuid import UUID  # noqa: PLC0415 - it costs milliseconds, which those have paid who give us one

        if not isinstance(value, UUID):
            raise TypeError(f"value must be UUID, not {type(value).__name__}")
        return value
    return _checked_text(value, header_type)


def _checked_integer(value: Any, header_type: HeaderType) -> int:
    try:
        integer = int(value) if header_type == HeaderType.TIMESTAMP and isinstance(value, float) else value
        integer = operator.index(integer)
    except TypeError:
        raise TypeError(f"value must be int, not {type(value).__name__}") from None
    except OverflowError:
        raise ValueError(f"value {value} is no time") from None
    bits = 8 * _INTEGER_SIZES[header_type]
    if not -(1 << bits - 1) <= integer < 1 << bits - 1:
        raise ValueError(f"value {integer} does not fit the {bits} bits of {header_type.name}")
    return integer


def _checked_text(value: Any, header_type: HeaderType) -> Any:
    wanted = (str,) if header_type == HeaderType.STRING else (bytes, bytearray, memoryview)
    if not isinstance(value, wanted):
        raise TypeError(f"value must be {wanted[0].__name__}, not {type(value).__name__}")
    size = len(value.encode()) if isinstance(value, str) else memoryview(value).nbytes
    if size > _MAX_VALUE_BYTES:
        raise ValueError(f"value must be at most {_MAX_VALUE_BYTES} bytes, not {size}")
    return value


def _encoded_value(value: Any, header_type: HeaderType) -> bytes:
    if header_type in _INTEGER_SIZES:
        integer: int = value
        return integer.to_bytes(_INTEGER_SIZES[header_type], "big", signed=True)
    if header_type in _BOOLEANS:
        return b""
    if header_type == HeaderType.UUID:
        identifier: UUID = value
        return identifier.bytes
    return value.encode() if isinstance(value, str) else bytes(value)


def _decoded_value(data: bytes, header_type: HeaderType) -> Any:
    if header_type in _INTEGER_SIZES:
        return int.from_bytes(data, "big", signed=True)
    if header_type in _BOOLEANS:
        return _BOOLEANS[header_type]
    if header_type == HeaderType.UUID:
        from uuid import UUID  # noqa: PLC0415 - it costs milliseconds

        return UUID(bytes=data)
    return data.decode() if header_type == HeaderType.STRING else data
