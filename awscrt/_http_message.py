"""Owns HTTP messages: headers and requests."""

from __future__ import annotations

from . import NativeResource, _awscrt
from ._input_stream import InputStream

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, List, Optional, Tuple, Union


class HttpHeaders(NativeResource):
    """The headers of an HTTP message: names with values, where a name may occur more than once.

    Names are compared without regard to case, and keep the case they were given in. Headers of one name keep their
    order. Spaces and tabs around a value are dropped (RFC 9110, 5.5).

    Args:
        name_value_pairs: What to begin with: tuples of a name and a value.

    Raises:
        TypeError: A name or a value is not a str, here and in all methods.
        ValueError: A name is empty, or a name or a value contains CR, LF or NUL, here and in all methods: they would
            end the line early, so that the rest became another header, or a request of its own (RFC 9110, 5.5).
    """

    __slots__ = ()

    def __init__(self, name_value_pairs: Optional[List[Tuple[str, str]]] = None) -> None:
        super().__init__()
        self._binding = _awscrt.http_headers_new(name_value_pairs)

    def add(self, name: str, value: str) -> None:
        """Add a header, beside those of the same name."""
        _awscrt.http_headers_add(self, name, value)

    def add_pairs(self, name_value_pairs: List[Tuple[str, str]]) -> None:
        """Add headers: all of them or, if one is refused, none."""
        _awscrt.http_headers_add_pairs(self, name_value_pairs)

    def set(self, name: str, value: str) -> None:
        """Add a header in place of all those of the same name."""
        _awscrt.http_headers_set(self, name, value)

    def get_values(self, name: str) -> Iterator[str]:
        """All values of a name, in their order; changes made meanwhile are not seen."""
        return iter(_awscrt.http_headers_get_values(self, name))

    def get(self, name: str, default: Optional[str] = None) -> Optional[str]:
        """The first value of a name, or `default` if there is none."""
        return _awscrt.http_headers_get(self, name, default)

    def remove(self, name: str) -> None:
        """Remove all headers of a name.

        Raises:
            KeyError: There is none.
        """
        if not _awscrt.http_headers_remove(self, name):
            raise KeyError(f"there is no header {name!r}")

    def remove_value(self, name: str, value: str) -> None:
        """Remove the first header that has this name and this value.

        Raises:
            ValueError: There is none.
        """
        if not _awscrt.http_headers_remove_value(self, name, value):
            raise ValueError(f"there is no header {name!r} with that value")

    def clear(self) -> None:
        """Remove all headers."""
        _awscrt.http_headers_clear(self)

    def __iter__(self) -> Iterator[Tuple[str, str]]:
        """All headers as tuples of a name and a value; changes made meanwhile are not seen."""
        return iter(_awscrt.http_headers_get_pairs(self))

    def __str__(self) -> str:
        return f"{type(self).__name__}({_awscrt.http_headers_get_pairs(self)!r})"


class HttpMessageBase(NativeResource):
    """What HTTP requests and responses have in common.

    Args:
        binding: The native message.
        headers: Its headers.
        body_stream: Where its body is read from: a binary stream, see `awscrt.io.InputStream`.

    Raises:
        TypeError: `headers` is not an `HttpHeaders`, or `body_stream` is not a binary stream.
    """

    __slots__ = ("_body_stream", "_headers")

    def __init__(
        self, binding: Any, headers: HttpHeaders, body_stream: Optional[Union[InputStream, Any]] = None
    ) -> None:
        super().__init__()
        self._binding = binding
        self._headers = headers
        self._body_stream: Optional[InputStream] = None
        if body_stream is not None:
            self.body_stream = body_stream

    @property
    def headers(self) -> HttpHeaders:
        """The headers. They can be changed until the message is sent, and outlive it."""
        return self._headers

    @property
    def body_stream(self) -> Optional[InputStream]:
        """Where the body is read from, on a native thread, while the message is sent; None for no body.

        It can be set to any binary stream. The stream is kept alive as long as native code may read it.
        """
        return self._body_stream

    @body_stream.setter
    def body_stream(self, stream: Optional[Union[InputStream, Any]]) -> None:
        wrapped = InputStream.wrap(stream, allow_none=True)
        _awscrt.http_message_set_body_stream(self, wrapped)
        self._body_stream = wrapped


class HttpRequest(HttpMessageBase):
    """A request that a client sends.

    Args:
        method: The method, such as `"GET"` (RFC 9110, 9).
        path: The path and the query, escaped as they are to be sent (RFC 9112, 3.2).
        headers: The headers; the request keeps them, it does not copy. None for none at first.
        body_stream: Where the body is read from: a binary stream, see `awscrt.io.InputStream`. On HTTP/1.1 it is sent
            only with a header `Content-Length`, or `Transfer-Encoding: chunked`.

    Raises:
        TypeError: An argument is of another type.
        ValueError: The method or the path contains CR, LF or NUL.
    """

    __slots__ = ()

    def __init__(
        self,
        method: str = "GET",
        path: str = "/",
        headers: Optional[HttpHeaders] = None,
        body_stream: Optional[Union[InputStream, Any]] = None,
    ) -> None:
        if headers is None:
            headers = HttpHeaders()
        elif not isinstance(headers, HttpHeaders):
            raise TypeError(f"headers must be HttpHeaders, not {type(headers).__name__}")
        super().__init__(_awscrt.http_request_new(headers, method, path), headers, body_stream)

    @property
    def method(self) -> str:
        """The method, such as `"GET"`.

        Raises:
            TypeError: It is set to something that is not a str.
            ValueError: It is set to something that contains CR, LF or NUL.
        """
        return _awscrt.http_request_get_method(self)

    @method.setter
    def method(self, method: str) -> None:
        _awscrt.http_request_set_method(self, method)

    @property
    def path(self) -> str:
        """The path and the query, as they are sent.

        Raises:
            TypeError: It is set to something that is not a str.
            ValueError: It is set to something that contains CR, LF or NUL.
        """
        return _awscrt.http_request_get_path(self)

    @path.setter
    def path(self, path: str) -> None:
        _awscrt.http_request_set_path(self, path)


# They are part of `awscrt.http`, which is where a pickle, a traceback or a reader looks for them.
for _class in (HttpHeaders, HttpMessageBase, HttpRequest):
    _class.__module__ = "awscrt.http"
