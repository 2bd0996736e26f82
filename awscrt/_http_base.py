"""Owns what HTTP connections and streams have in common."""

from __future__ import annotations

import operator
from enum import IntEnum

from . import NativeResource, _awscrt
from ._futures import new_future

TYPE_CHECKING = False
if TYPE_CHECKING:
    import concurrent.futures
    from collections.abc import Callable
    from typing import Optional


class HttpVersion(IntEnum):
    """A version of HTTP (values of `aws_http_version`)."""

    Unknown = 0
    Http1_0 = 1
    Http1_1 = 2
    Http2 = 3


class HttpConnectionBase(NativeResource):
    """What HTTP connections have in common.

    A connection is closed when the last reference to it is dropped; streams that are under way hold one.
    """

    __slots__ = ("_shutdown_future", "_version")

    def __init__(self) -> None:
        super().__init__()
        self._shutdown_future = new_future()
        self._version = HttpVersion.Unknown

    @property
    def shutdown_future(self) -> concurrent.futures.Future[None]:
        """Completes on a native thread when the connection has shut down, with None or with the reason, an exception.

        It does not keep the connection open.
        """
        return self._shutdown_future

    @property
    def version(self) -> HttpVersion:
        """The version of HTTP that it speaks."""
        return self._version

    def is_open(self) -> bool:
        """Whether it is neither closed nor closing."""
        return _awscrt.http_connection_is_open(self)


class HttpStreamBase(NativeResource):
    """What HTTP streams have in common: a request and its response.

    Args:
        connection: The connection.
        on_body: See `HttpClientConnection.request()`.
    """

    __slots__ = ("_completion_future", "_connection", "_exception", "_on_body")

    def __init__(self, connection: HttpConnectionBase, on_body: Optional[Callable[..., None]] = None) -> None:
        super().__init__()
        self._connection = connection
        self._completion_future = new_future()
        self._on_body: Optional[Callable[..., None]] = on_body
        self._exception: Optional[BaseException] = None

    @property
    def connection(self) -> HttpConnectionBase:
        """The connection; the stream keeps it alive."""
        return self._connection

    @property
    def completion_future(self) -> concurrent.futures.Future[int]:
        """Completes on a native thread when the exchange has ended: with the status code of the response, or with why
        it failed.

        The exception is the one that a callback or the stream of the request's body raised, if that is why.
        """
        return self._completion_future


def check_range(name: str, value: Optional[int], high: int, *, low: int = 0) -> int:
    """The number, or 0 for None; ValueError if it is out of range."""
    if value is None:
        return 0
    if not low <= operator.index(value) <= high:
        raise ValueError(f"{name} must be from {low} to {high}, not {value}")
    return value


# They are part of `awscrt.http`, which is where a pickle, a traceback or a reader looks for them.
for _class in (HttpVersion, HttpConnectionBase, HttpStreamBase):
    _class.__module__ = "awscrt.http"
