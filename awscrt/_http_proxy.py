"""Owns what is said of a proxy that HTTP connections go through."""

from __future__ import annotations

from enum import IntEnum

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional

    from ._tls import TlsConnectionOptions


class HttpProxyConnectionType(IntEnum):
    """How a proxy is used (values of `aws_http_proxy_connection_type`)."""

    Legacy = 0
    """`Tunneling` if the connection to the server uses TLS, else `Forwarding`."""

    Forwarding = 1
    """Requests are sent to the proxy, with absolute paths (RFC 9112, 3.2.2); no TLS to the server."""

    Tunneling = 2
    """The proxy is asked, by CONNECT (RFC 9110, 9.3.6), to pass on the bytes of a connection to the server."""


class HttpProxyAuthenticationType(IntEnum):
    """How a client says to a proxy who it is (values of `aws_http_proxy_authentication_type`)."""

    Nothing = 0
    """It does not."""

    Basic = 1
    """By user name and password (RFC 7617), which go over the wire as they are: use TLS to the proxy."""


class HttpProxyOptions:
    """A proxy, and how to use it. It is read when a connection is asked for.

    Attributes:
        host_name (str): Name or address of the proxy.
        port (int): Its port.
        tls_connection_options (Optional[TlsConnectionOptions]): TLS for the way to the proxy, None for none. The way to
            the server has its own.
        auth_type (HttpProxyAuthenticationType): How to say who one is.
        auth_username (Optional[str]): User name for `Basic`.
        auth_password (Optional[str]): Password for `Basic`.
        connection_type (HttpProxyConnectionType): How to use the proxy.
    """

    def __init__(
        self,
        host_name: str,
        port: int,
        tls_connection_options: Optional[TlsConnectionOptions] = None,
        auth_type: HttpProxyAuthenticationType = HttpProxyAuthenticationType.Nothing,
        auth_username: Optional[str] = None,
        auth_password: Optional[str] = None,
        connection_type: HttpProxyConnectionType = HttpProxyConnectionType.Legacy,
    ) -> None:
        self.host_name = host_name
        self.port = port
        self.tls_connection_options = tls_connection_options
        self.auth_type = auth_type
        self.auth_username = auth_username
        self.auth_password = auth_password
        self.connection_type = connection_type


# They are part of `awscrt.http`, which is where a pickle, a traceback or a reader looks for them.
for _class in (HttpProxyConnectionType, HttpProxyAuthenticationType, HttpProxyOptions):
    _class.__module__ = "awscrt.http"
