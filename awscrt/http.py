"""Owns the public face of HTTP: messages, the connections of a client, streams, settings and proxies."""

from __future__ import annotations

from ._http2_connection import Http2ClientConnection
from ._http_base import HttpConnectionBase, HttpStreamBase, HttpVersion
from ._http_connect import HttpClientConnectionBase, HttpMonitoringOptions
from ._http_connection import HttpClientConnection
from ._http_message import HttpHeaders, HttpMessageBase, HttpRequest
from ._http_proxy import HttpProxyAuthenticationType, HttpProxyConnectionType, HttpProxyOptions
from ._http_settings import Http2Setting, Http2SettingID
from ._http_stream import Http2ClientStream, HttpClientStream, HttpClientStreamBase

__all__ = [
    "Http2ClientConnection",
    "Http2ClientStream",
    "Http2Setting",
    "Http2SettingID",
    "HttpClientConnection",
    "HttpClientConnectionBase",
    "HttpClientStream",
    "HttpClientStreamBase",
    "HttpConnectionBase",
    "HttpHeaders",
    "HttpMessageBase",
    "HttpMonitoringOptions",
    "HttpProxyAuthenticationType",
    "HttpProxyConnectionType",
    "HttpProxyOptions",
    "HttpRequest",
    "HttpStreamBase",
    "HttpVersion",
]
