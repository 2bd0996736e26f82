"""Owns what the tests of HTTP have in common: connecting to a server of a test, and one exchange with it."""

from __future__ import annotations

from awscrt.http import Http2ClientConnection, HttpClientConnection, HttpHeaders, HttpRequest
from awscrt.io import ClientBootstrap, ClientTlsContext, DefaultHostResolver, EventLoopGroup, TlsContextOptions

WAIT_SEC = 20.0


def bootstrap():
    """One whose threads end with the last connection made with it."""
    group = EventLoopGroup(1)
    return ClientBootstrap(group, DefaultHostResolver(group))


def connect(server, **options):
    """An HTTP/1.1 connection."""
    options.setdefault("bootstrap", bootstrap())
    return HttpClientConnection.new(server.host, server.port, **options).result(WAIT_SEC)


def connect_http2(server, **options):
    """An HTTP/2 connection without TLS."""
    options.setdefault("bootstrap", bootstrap())
    options.setdefault("prior_knowledge", True)
    return Http2ClientConnection.new(server.host, server.port, **options).result(WAIT_SEC)


def tls_options(authority, *protocols, host="localhost"):
    options = TlsContextOptions()
    options.override_default_trust_store(authority.ca_pem)
    connection_options = ClientTlsContext(options).new_connection_options()
    connection_options.set_server_name(host)
    if protocols:
        connection_options.set_alpn_list(list(protocols))
    return connection_options


def request(method="GET", path="/", *headers, body=None):
    return HttpRequest(method, path, HttpHeaders([("Host", "test"), *headers]), body)


class Exchange:
    """A request and what comes back."""

    def __init__(self, connection, message=None, *, activate=True, body=True, **options):
        self.status = None
        self.headers = None
        self.trailers = None
        self.chunks = []
        options.setdefault("on_response", self._on_response)
        options.setdefault("on_trailers", self._on_trailers)
        if body:
            options.setdefault("on_body", self._on_body)
        self.stream = connection.request(request() if message is None else message, **options)
        if activate:
            self.stream.activate()

    def _on_response(self, *, http_stream, status_code, headers, **kwargs):
        assert http_stream is self.stream
        assert not kwargs
        self.status = status_code
        self.headers = headers

    def _on_body(self, *, http_stream, chunk, **kwargs):
        assert http_stream is self.stream
        assert type(chunk) is bytes
        assert not kwargs
        self.chunks.append(chunk)

    def _on_trailers(self, *, http_stream, headers, **kwargs):
        assert http_stream is self.stream
        assert not kwargs
        self.trailers = headers

    @property
    def body(self):
        return b"".join(self.chunks)

    def done(self):
        """Itself, once the exchange has gone well."""
        assert self.stream.completion_future.result(WAIT_SEC) == self.status
        return self

    def error(self):
        """Why it failed."""
        error = self.stream.completion_future.exception(WAIT_SEC)
        assert error is not None, "it went well"
        return error
