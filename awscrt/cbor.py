"""Owns CBOR (RFC 8949): encoders and decoders, element by element or of whole Python values.

Python and CBOR: `int` is an integer (from -2**64 to 2**64 - 1), `float` a float, `bytes` a byte string, `str` a text
string, `list` an array, `dict` a map, `bool` true or false, `None` null. Decoding takes undefined for None too, strings,
arrays and maps of indefinite length as the others, and seconds since the epoch (tag 1) for a number.

Malformed data raises `awscrt.exceptions.AwsCrtRuntimeError`, which is a RuntimeError. No object here has a thread of its
own, and all of them go on working in a forked child.
"""

from __future__ import annotations

from enum import IntEnum

from . import NativeResource, _awscrt

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Optional, Union

__all__ = ["AwsCborDecoder", "AwsCborEncoder", "AwsCborType"]


class AwsCborType(IntEnum):
    """What an element is (values of `aws_cbor_type`, aws/common/cbor.h)."""

    Unknown = 0
    UnsignedInt = 1
    NegativeInt = 2
    Float = 3
    Bytes = 4
    Text = 5
    ArrayStart = 6
    MapStart = 7
    Tag = 8
    Bool = 9
    Null = 10
    Undefined = 11
    Break = 12
    IndefBytes = 13
    IndefStr = 14
    IndefArray = 15
    IndefMap = 16


_TYPES = tuple(AwsCborType)


class AwsCborEncoder(NativeResource):
    """Writes CBOR, each value in its shortest form (RFC 8949, 4.2.1), except that no float is written in half precision.

    What follows a head or a tag is up to the caller: nothing checks that there are as many entries as announced. If a
    value is refused, what was written before it stays.
    """

    def __init__(self) -> None:
        super().__init__()
        self._binding = _awscrt.cbor_encoder_new()

    def get_encoded_data(self) -> bytes:
        """A copy of what has been written."""
        return _awscrt.cbor_encoder_get_encoded_data(self._binding)

    def reset(self) -> None:
        """Forget what has been written."""
        _awscrt.cbor_encoder_reset(self._binding)

    def write_int(self, val: int) -> None:
        """Write an integer.

        Raises:
            TypeError: `val` is not an int, or not from -2**64 to 2**64 - 1.
        """
        _awscrt.cbor_encoder_write_int(self._binding, val)

    def write_float(self, val: float) -> None:
        """Write a number: as an integer if it is one of at most 32 bits, else in single precision if nothing is lost.

        The sign of -0.0 is lost.

        Raises:
            TypeError: `val` is not a number.
        """
        _awscrt.cbor_encoder_write_float(self._binding, val)

    def write_bytes(self, val: bytes) -> None:
        """Write a byte string.

        Raises:
            TypeError: `val` is not bytes-like.
        """
        _awscrt.cbor_encoder_write_bytes(self._binding, val)

    def write_text(self, val: str) -> None:
        """Write a text string.

        Raises:
            TypeError: `val` is not a str.
            UnicodeEncodeError: it holds a lone surrogate.
        """
        _awscrt.cbor_encoder_write_text(self._binding, val)

    def write_array_start(self, number_entries: int) -> None:
        """Write the head of an array; its entries must follow.

        Raises:
            ValueError: `number_entries` is negative.
            TypeError: it is not an int, or has more than 64 bits.
        """
        _awscrt.cbor_encoder_write_array_start(self._binding, number_entries)

    def write_map_start(self, number_entries: int) -> None:
        """Write the head of a map; its keys and values must follow, in turn.

        Raises:
            ValueError: `number_entries` is negative.
            TypeError: it is not an int, or has more than 64 bits.
        """
        _awscrt.cbor_encoder_write_map_start(self._binding, number_entries)

    def write_tag(self, tag_number: int) -> None:
        """Write a tag (RFC 8949, 3.4); the tagged item must follow.

        Raises:
            ValueError: `tag_number` is negative.
            TypeError: it is not an int, or has more than 64 bits.
        """
        _awscrt.cbor_encoder_write_tag(self._binding, tag_number)

    def write_null(self) -> None:
        """Write null."""
        _awscrt.cbor_encoder_write_null(self._binding)

    def write_undefined(self) -> None:
        """Write undefined."""
        _awscrt.cbor_encoder_write_undefined(self._binding)

    def write_indef_array_start(self) -> None:
        """Write the head of an array of indefinite length; its entries and a break must follow."""
        _awscrt.cbor_encoder_write_indef_array_start(self._binding)

    def write_indef_map_start(self) -> None:
        """Write the head of a map of indefinite length; keys and values in turn and a break must follow."""
        _awscrt.cbor_encoder_write_indef_map_start(self._binding)

    def write_indef_bytes_start(self) -> None:
        """Write the head of a byte string of indefinite length; byte strings and a break must follow."""
        _awscrt.cbor_encoder_write_indef_bytes_start(self._binding)

    def write_indef_text_start(self) -> None:
        """Write the head of a text string of indefinite length; text strings and a break must follow."""
        _awscrt.cbor_encoder_write_indef_text_start(self._binding)

    def write_break(self) -> None:
        """Write a break: the end of an item of indefinite length."""
        _awscrt.cbor_encoder_write_break(self._binding)

    def write_bool(self, val: bool) -> None:
        """Write true or false, by the truth of `val`."""
        _awscrt.cbor_encoder_write_bool(self._binding, val)

    def write_epoch_time(self, val: float) -> None:
        """Write seconds since the epoch, 1970-01-01T00:00Z, as tag 1 and a number (RFC 8949, 3.4.2).

        Raises:
            TypeError: `val` is not a number.
        """
        _awscrt.cbor_encoder_write_epoch_time(self._binding, val)

    def write_list(self, val: list[Any]) -> None:
        """Write a list as an array, with its items as `write_data_item` does.

        Raises:
            TypeError: `val` is not a list.
        """
        if not isinstance(val, list):
            raise TypeError(f"expected list, not {type(val)!r}")
        _awscrt.cbor_encoder_write_data_item(self._binding, val)

    def write_dict(self, val: dict[Any, Any]) -> None:
        """Write a dict as a map, in its order, with its keys and values as `write_data_item` does.

        Raises:
            TypeError: `val` is not a dict.
        """
        if not isinstance(val, dict):
            raise TypeError(f"expected dict, not {type(val)!r}")
        _awscrt.cbor_encoder_write_data_item(self._binding, val)

    def write_data_item(self, data_item: Any) -> None:
        """Write a Python value of the types named above, or of their subclasses.

        Raises:
            ValueError: it is, or contains, an object of another type.
            OverflowError: it is, or contains, an integer that is not from -2**64 to 2**64 - 1.
            UnicodeEncodeError: it is, or contains, text with a lone surrogate.
            RecursionError: it contains itself, or containers nested too deeply.
        """
        _awscrt.cbor_encoder_write_data_item(self._binding, data_item)


class AwsCborDecoder(NativeResource):
    """Reads CBOR from `src`, from its start on, one element or one whole data item at a time.

    What is not as expected raises RuntimeError: AWS_ERROR_CBOR_UNEXPECTED_TYPE leaves the element where it is;
    AWS_ERROR_INVALID_CBOR, for malformed or incomplete data, ends the decoding, until `reset_src`. Hostile data are
    bounded: an array or map of more than 10,000 entries, or items nested more than 128 deep, are refused.
    """

    def __init__(
        self,
        src: bytes,
        on_epoch_time: Optional[Callable[[Union[int, float]], Any]] = None,
        **kwargs: Any,  # noqa: ARG002 - as published
    ) -> None:
        """Make a decoder.

        Args:
            src: what to decode. Not copied if it is bytes.
            on_epoch_time: called for each time (tag 1) inside a data item, with seconds since the epoch, on the thread
                that decodes; what it returns takes the place of the number, and what it raises ends the call. Without
                it the number itself is returned.
            **kwargs: ignored.

        Raises:
            TypeError: `src` is not bytes-like.
        """
        super().__init__()
        self._on_epoch_time = on_epoch_time
        self._binding = _awscrt.cbor_decoder_new(src)

    def peek_next_type(self) -> AwsCborType:
        """The type of the next element, which stays where it is."""
        return _TYPES[_awscrt.cbor_decoder_peek_type(self._binding)]

    def get_remaining_bytes_len(self) -> int:
        """How many bytes have not been read. An element that has been peeked at no longer counts."""
        return _awscrt.cbor_decoder_get_remaining_bytes_len(self._binding)

    def get_remaining_bytes(self) -> bytes:
        """A copy of the bytes that have not been read. An element that has been peeked at no longer counts."""
        return _awscrt.cbor_decoder_get_remaining_bytes(self._binding)

    def reset_src(self, src: bytes) -> None:
        """Decode something else from now on; a failure before is forgotten.

        Raises:
            TypeError: `src` is not bytes-like.
        """
        _awscrt.cbor_decoder_reset_src(self._binding, src)

    def consume_next_single_element(self) -> None:
        """Skip one element: of an array, map, tag or string of indefinite length, only the head."""
        _awscrt.cbor_decoder_consume_next_element(self._binding)

    def consume_next_whole_data_item(self) -> None:
        """Skip one data item with all that belongs to it."""
        _awscrt.cbor_decoder_consume_next_data_item(self._binding)

    def pop_next_unsigned_int(self) -> int:
        """Read an integer that is not negative."""
        return _awscrt.cbor_decoder_pop_next_unsigned_int(self._binding)

    def pop_next_negative_int(self) -> int:
        """Read a negative integer."""
        return _awscrt.cbor_decoder_pop_next_negative_int(self._binding)

    def pop_next_double(self) -> float:
        """Read a float of any precision. An integer is not one."""
        return _awscrt.cbor_decoder_pop_next_double(self._binding)

    def pop_next_bool(self) -> bool:
        """Read true or false."""
        return _awscrt.cbor_decoder_pop_next_bool(self._binding)

    def pop_next_bytes(self) -> bytes:
        """Read a byte string of definite length."""
        return _awscrt.cbor_decoder_pop_next_bytes(self._binding)

    def pop_next_text(self) -> str:
        """Read a text string of definite length.

        Raises:
            UnicodeDecodeError: it is not UTF-8. It is consumed.
        """
        return _awscrt.cbor_decoder_pop_next_text(self._binding)

    def pop_next_array_start(self) -> int:
        """Read the head of an array of definite length: the number of its entries, which follow."""
        return _awscrt.cbor_decoder_pop_next_array_start(self._binding)

    def pop_next_map_start(self) -> int:
        """Read the head of a map of definite length: the number of its entries, each a key and a value, which follow."""
        return _awscrt.cbor_decoder_pop_next_map_start(self._binding)

    def pop_next_tag_val(self) -> int:
        """Read a tag: its number. The tagged item follows."""
        return _awscrt.cbor_decoder_pop_next_tag_val(self._binding)

    def pop_next_list(self) -> list[Any]:
        """Read a whole array, of definite or indefinite length.

        Raises:
            As `pop_next_data_item` does, for its items.
        """
        return _awscrt.cbor_decoder_pop_next_list(self._binding, self._on_epoch_time)

    def pop_next_map(self) -> dict[Any, Any]:
        """Read a whole map, of definite or indefinite length. Of a key that occurs twice the last value counts.

        Raises:
            As `pop_next_data_item` does, for its keys and values.
        """
        return _awscrt.cbor_decoder_pop_next_map(self._binding, self._on_epoch_time)

    def pop_next_data_item(self) -> Any:
        """Read a whole data item as the Python value for it.

        Raises:
            ValueError: it is, or contains, an item with another tag than 1.
            UnicodeDecodeError: text in it is not UTF-8.
            TypeError: a key in it cannot be one of a dict: a list, a dict, or what the callback has made.
            RecursionError: it is nested more than 128 deep.
            RuntimeError: it is malformed, incomplete or too large.
        """
        return _awscrt.cbor_decoder_pop_next_data_item(self._binding, self._on_epoch_time)
