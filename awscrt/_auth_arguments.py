"""Owns the checks of auth's arguments that are Python's; texts are checked in source/auth_text.c."""

from __future__ import annotations

import datetime as dt
import os

from ._event_loop import ClientBootstrap

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional, Type, TypeVar, Union

    StrPath = Union[str, os.PathLike[str]]
    T = TypeVar("T")


def encoded_path(name: str, path: Optional[StrPath]) -> Optional[bytes]:
    """The path as the system has it; None of None, and of an empty one.

    Raises:
        TypeError: `path` is no path.
        ValueError: It has a NUL.
    """
    if path is None:
        return None
    data = os.fsencode(path)
    if b"\0" in data:
        raise ValueError(f"{name} must not contain NUL")
    return data or None


def checked(name: str, value: object, wanted: Type[T]) -> T:
    """The value itself.

    Raises:
        TypeError: It is of another type.
    """
    if not isinstance(value, wanted):
        raise TypeError(f"{name} must be {wanted.__name__}, not {type(value).__name__}")
    return value


def bootstrap_or_default(client_bootstrap: Optional[ClientBootstrap]) -> ClientBootstrap:
    """The bootstrap itself, or in place of None the shared one.

    Raises:
        TypeError: It is of another type.
    """
    if client_bootstrap is None:
        return ClientBootstrap.get_or_create_static_default()
    return checked("client_bootstrap", client_bootstrap, ClientBootstrap)


def milliseconds(name: str, date: dt.datetime) -> int:
    """Milliseconds since 1970, rounded down.

    Raises:
        TypeError: `date` is no datetime.
        ValueError: It is before 1970, or a local time that the system cannot convert.
    """
    try:
        seconds = date.timestamp()
    except AttributeError:
        seconds = None
    except (OverflowError, OSError, ValueError) as error:
        raise ValueError(f"{name} is out of range: {error}") from error
    if seconds is None:
        raise TypeError(f"{name} must be datetime.datetime, not {type(date).__name__}")
    if seconds < 0:
        raise ValueError(f"{name} must not be before 1970")
    return int(seconds) * 1000 + date.microsecond // 1000
