"""Owns how the HTTP connections of a client come about and end."""

from __future__ import annotations

import sys
import weakref

from . import _awscrt
from ._event_loop import ClientBootstrap, _check_type
from ._futures import new_future, set_exception, set_result
from ._http_base import HttpConnectionBase, HttpVersion, check_range
from ._http_proxy import HttpProxyOptions
from ._http_settings import Http2Setting, Http2SettingID
from ._tls import TlsConnectionOptions
from .exceptions import AwsCrtError, from_code
from .io import SocketOptions

TYPE_CHECKING = False
if TYPE_CHECKING:
    import concurrent.futures
    from collections.abc import Callable, Mapping
    from typing import Any, List, Optional, Tuple

_UNSUPPORTED_PROTOCOL = 2060
"""AWS_ERROR_HTTP_UNSUPPORTED_PROTOCOL"""

MAX_WINDOW = 2**31 - 1
"""RFC 9113, 6.9.1"""

_MAX_U32 = 2**32 - 1


class HttpMonitoringOptions:
    """When a connection counts as broken because too little goes over it.

    Only times count in which a request or a response is under way; they are measured once a second. The connection is
    then shut down, and its streams fail with AWS_ERROR_HTTP_CHANNEL_THROUGHPUT_FAILURE.

    Attributes:
        minimum_throughput_bytes_per_second (int): What must go over it, sent and received, 1 or more.
        allowable_throughput_failure_interval_seconds (int): For how many seconds less may, 1 or more.

    Raises:
        TypeError: A number is not an int.
        ValueError: A number is less than 1.
    """

    def __init__(
        self, minimum_throughput_bytes_per_second: int, allowable_throughput_failure_interval_seconds: int
    ) -> None:
        self.minimum_throughput_bytes_per_second = minimum_throughput_bytes_per_second
        self.allowable_throughput_failure_interval_seconds = allowable_throughput_failure_interval_seconds
        self._check()

    def _check(self) -> Tuple[int, int]:
        throughput = self.minimum_throughput_bytes_per_second
        interval = self.allowable_throughput_failure_interval_seconds
        check_range("minimum_throughput_bytes_per_second", throughput, sys.maxsize, low=1)
        check_range("allowable_throughput_failure_interval_seconds", interval, _MAX_U32, low=1)
        return throughput, interval


class HttpClientConnectionBase(HttpConnectionBase):
    """What the connections of a client have in common.

    At the end of a `with` block a connection is closed, without waiting for it.
    """

    __slots__ = ("_host_name", "_on_remote_settings_changed", "_port")

    def __init__(self) -> None:
        super().__init__()
        self._host_name = ""
        self._port = 0
        self._on_remote_settings_changed: Optional[Callable[[List[Http2Setting]], None]] = None

    @property
    def host_name(self) -> str:
        """The name or address of the server."""
        return self._host_name

    @property
    def port(self) -> int:
        """The port of the server."""
        return self._port

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *exception: object) -> None:
        _awscrt.http_connection_close(self)


class _Attempt:
    """What native code holds of a connection, from the begin of the attempt until the connection has shut down.

    It must not keep the connection alive, which closes when nobody else does. So what the user gave for the time after is
    put into the connection, where the cycle collector sees it.
    """

    __slots__ = ("_classes", "_connection", "_future", "_host_name", "_on_settings", "_port", "_shutdown_future")

    def __init__(
        self,
        host_name: str,
        port: int,
        classes: Mapping[HttpVersion, Any],
        on_settings: Optional[Callable[[List[Http2Setting]], None]],
    ) -> None:
        self._host_name = host_name
        self._port = port
        self._classes = classes
        self._on_settings = on_settings
        self._connection: Optional[weakref.ref[HttpClientConnectionBase]] = None
        self._shutdown_future: Optional[concurrent.futures.Future[None]] = None
        self._future: Any = new_future()

    @property
    def future(self) -> concurrent.futures.Future[Any]:
        future: concurrent.futures.Future[Any] = self._future
        return future

    def on_setup(self, binding: object, version: int, error: Optional[BaseException]) -> None:
        """Called once, on the native thread. The connection closes if `binding` is dropped."""
        future, self._future = self._future, None
        if error is None and version not in self._classes:
            error = from_code(_UNSUPPORTED_PROTOCOL)
        if error is not None:
            set_exception(future, error)
            return
        connection = self._classes[HttpVersion(version)]()
        connection._binding = binding
        connection._version = HttpVersion(version)
        connection._host_name = self._host_name
        connection._port = self._port
        connection._on_remote_settings_changed, self._on_settings = self._on_settings, None
        self._connection = weakref.ref(connection)
        self._shutdown_future = connection._shutdown_future
        set_result(future, connection)

    def on_shutdown(self, error: Optional[BaseException]) -> None:
        """Called once, last of all, on the native thread, if there was a connection."""
        if self._shutdown_future is not None:
            settle(self._shutdown_future, None, error)

    def on_remote_settings(self, pairs: List[Tuple[int, int]]) -> None:
        """Called on the native thread; not before `on_setup`."""
        connection = None if self._connection is None else self._connection()
        if connection is not None and connection._on_remote_settings_changed is not None:
            settings = [Http2Setting(Http2SettingID(setting_id), value) for setting_id, value in pairs]
            connection._on_remote_settings_changed(settings)


def connect(  # noqa: PLR0913 - each is something that native code can be told
    classes: Mapping[HttpVersion, Any],
    host_name: str,
    port: int,
    bootstrap: Optional[ClientBootstrap],
    socket_options: Optional[SocketOptions],
    tls_connection_options: Optional[TlsConnectionOptions],
    proxy_options: Optional[HttpProxyOptions],
    monitoring_options: Optional[HttpMonitoringOptions] = None,
    *,
    manual_window_management: bool = False,
    initial_window_size: Optional[int] = None,
    read_buffer_capacity: Optional[int] = None,
    response_first_byte_timeout_ms: int = 0,
    initial_settings: Optional[List[Tuple[int, int]]] = None,
    on_remote_settings_changed: Optional[Callable[[List[Http2Setting]], None]] = None,
    conn_manual_window_management: bool = False,
    conn_window_size_threshold: Optional[int] = None,
    stream_window_size_threshold: Optional[int] = None,
    prior_knowledge: bool = False,
) -> concurrent.futures.Future[Any]:
    """Connect; the future gets an object of the class for the version that is spoken, made without arguments."""
    bootstrap, socket_options = _peers(bootstrap, socket_options, tls_connection_options, proxy_options)
    _check_type("host_name", host_name, str)
    _check_type("port", port, int)
    throughput, interval = (0, 0)
    if monitoring_options is not None:
        _check_type("monitoring_options", monitoring_options, HttpMonitoringOptions)
        throughput, interval = monitoring_options._check()
    if manual_window_management and initial_window_size is None:
        raise ValueError("manual_window_management wants an initial_window_size")
    if prior_knowledge and tls_connection_options is not None:
        raise ValueError("prior_knowledge is for connections without TLS")
    if on_remote_settings_changed is not None and not callable(on_remote_settings_changed):
        raise TypeError("on_remote_settings_changed must be callable")
    check_range("response_first_byte_timeout_ms", response_first_byte_timeout_ms, _MAX_U32)
    attempt = _Attempt(host_name, port, classes, on_remote_settings_changed)
    future = attempt.future
    try:
        _awscrt.http_client_connect(
            host_name,
            check_range("port", port, _MAX_U32),
            bootstrap,
            socket_options,
            tls_connection_options,
            proxy_options,
            manual_window_management,
            conn_manual_window_management,
            on_remote_settings_changed is not None,
            prior_knowledge,
            check_range("initial_window_size", initial_window_size, sys.maxsize),
            check_range("read_buffer_capacity", read_buffer_capacity, sys.maxsize),
            initial_settings or [],
            check_range("conn_window_size_threshold", conn_window_size_threshold, MAX_WINDOW),
            check_range("stream_window_size_threshold", stream_window_size_threshold, MAX_WINDOW),
            throughput,
            interval,
            response_first_byte_timeout_ms,
            attempt,
        )
    except AwsCrtError as error:
        set_exception(future, error)
    return future


def _peers(
    bootstrap: Optional[ClientBootstrap],
    socket_options: Optional[SocketOptions],
    tls_connection_options: Optional[TlsConnectionOptions],
    proxy_options: Optional[HttpProxyOptions],
) -> Tuple[ClientBootstrap, SocketOptions]:
    """What to connect with; checks the types of all."""
    for name, value, wanted in (
        ("bootstrap", bootstrap, ClientBootstrap),
        ("socket_options", socket_options, SocketOptions),
        ("tls_connection_options", tls_connection_options, TlsConnectionOptions),
        ("proxy_options", proxy_options, HttpProxyOptions),
    ):
        if value is not None:
            _check_type(name, value, wanted)
    if bootstrap is None:
        bootstrap = ClientBootstrap.get_or_create_static_default()
    return bootstrap, SocketOptions() if socket_options is None else socket_options


def settle(future: concurrent.futures.Future[Any], value: object, error: Optional[BaseException]) -> None:
    """End a future by a value or, if there is one, by an error."""
    if error is None:
        set_result(future, value)
    else:
        set_exception(future, error)


# They are part of `awscrt.http`, which is where a pickle, a traceback or a reader looks for them.
for _class in (HttpMonitoringOptions, HttpClientConnectionBase):
    _class.__module__ = "awscrt.http"
