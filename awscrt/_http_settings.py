"""Owns the settings of HTTP/2 connections."""

from __future__ import annotations

from enum import IntEnum

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import ClassVar, Dict, List, Optional, Tuple


class Http2SettingID(IntEnum):
    """The settings that HTTP/2 defines (RFC 9113, 6.5.2), by their number in a SETTINGS frame."""

    HEADER_TABLE_SIZE = 1
    """Bytes for the dynamic table of the header compression."""

    ENABLE_PUSH = 2
    """Whether a server may push: 0 or 1."""

    MAX_CONCURRENT_STREAMS = 3
    """How many streams the peer may have open at a time."""

    INITIAL_WINDOW_SIZE = 4
    """Bytes that the peer may send on a new stream."""

    MAX_FRAME_SIZE = 5
    """Bytes of the largest frame that the sender of the setting takes."""

    MAX_HEADER_LIST_SIZE = 6
    """Bytes of the largest block of headers that the sender of the setting takes, as advice."""


class Http2Setting:
    """A setting and its value.

    Attributes:
        id (Http2SettingID): Which setting.
        value (int): Its value; `VALID_RANGES` has the least and the greatest of each.

    Raises:
        TypeError: `id` is not an `Http2SettingID`, or `value` is not an int.
        ValueError: `value` is out of range.
    """

    VALID_RANGES: ClassVar[Dict[Http2SettingID, Tuple[int, int]]] = {
        Http2SettingID.HEADER_TABLE_SIZE: (0, 2**32 - 1),
        Http2SettingID.ENABLE_PUSH: (0, 1),
        Http2SettingID.MAX_CONCURRENT_STREAMS: (0, 2**32 - 1),
        Http2SettingID.INITIAL_WINDOW_SIZE: (0, 2**31 - 1),
        Http2SettingID.MAX_FRAME_SIZE: (2**14, 2**24 - 1),
        Http2SettingID.MAX_HEADER_LIST_SIZE: (0, 2**32 - 1),
    }

    def __init__(self, id: Http2SettingID, value: int) -> None:
        if not isinstance(id, Http2SettingID):
            raise TypeError(f"id must be Http2SettingID, not {type(id).__name__}")
        if not isinstance(value, int):
            raise TypeError(f"value must be int, not {type(value).__name__}")
        low, high = self.VALID_RANGES[id]
        if not low <= value <= high:
            raise ValueError(f"value of {id.name} must be from {low} to {high}, not {value}")
        self.id = id
        self.value = value

    def __str__(self) -> str:
        return f"{type(self).__name__}({self.id.name}={self.value})"


def to_pairs(name: str, settings: Optional[Iterable[Http2Setting]]) -> List[Tuple[int, int]]:
    """As native code takes them; TypeError for anything else in it."""
    pairs = []
    for setting in settings or ():
        if not isinstance(setting, Http2Setting):
            raise TypeError(f"{name} must hold Http2Setting, not {type(setting).__name__}")
        pairs.append((int(setting.id), setting.value))
    return pairs


# They are part of `awscrt.http`, which is where a pickle, a traceback or a reader looks for them.
for _class in (Http2SettingID, Http2Setting):
    _class.__module__ = "awscrt.http"
