"""Owns the making and settling of the futures that native operations complete."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future
    from typing import Any

# concurrent.futures costs milliseconds at import, which only those pay who start an operation; and asking for what is
# imported already still costs a third of making a future, so the class is remembered.
_make: Callable[[], Future[Any]]


def new_future() -> Future[Any]:
    """A future that is pending, and that its holder may cancel: it is then left as it is."""
    return _make()


def _first_future() -> Future[Any]:
    global _make  # noqa: PLW0603 - it is what it is for
    from concurrent.futures import Future  # noqa: PLC0415

    _make = Future
    return Future()


_make = _first_future


def set_result(future: Future[Any], value: object) -> None:
    """Settle a future, from any thread. Without effect on one that is done or cancelled."""
    # Asking first would leave a gap in which it could be cancelled. What `except` names is looked up only if it comes
    # to that, unlike what a suppress() is given.
    try:
        future.set_result(value)
    except _invalid_state():
        pass


def set_exception(future: Future[Any], error: BaseException) -> None:
    """Fail a future, from any thread. Without effect on one that is done or cancelled."""
    try:
        future.set_exception(error)
    except _invalid_state():
        pass


def _invalid_state() -> type[Exception]:
    from concurrent.futures import InvalidStateError  # noqa: PLC0415

    return InvalidStateError
