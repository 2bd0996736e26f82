"""Owns what the tests of HTTP with asyncio share: servers with clients that fit them, and a loop that complains aloud."""

from __future__ import annotations

import asyncio
import gc
import logging

from awscrt.aio.http import (
    AIOHttp2ClientConnection,
    AIOHttp2ClientStream,
    AIOHttpClientConnection,
    AIOHttpClientStream,
)
from awscrt.exceptions import AwsCrtError
from awscrt.http import HttpHeaders, HttpRequest
from awscrt.io import ClientTlsContext, TlsContextOptions

from .http1 import Http1Server
from .http2 import Http2Server

WAIT_SEC = 20.0


def run_quietly(coroutine, unraisable):
    """Run a coroutine, and fail if asyncio, concurrent.futures or Python itself have anything to complain about."""

    async def supervised():
        asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
        return await asyncio.wait_for(coroutine, WAIT_SEC)

    complaints = []
    handler = logging.Handler()
    handler.emit = complaints.append
    loggers = [logging.getLogger("asyncio"), logging.getLogger("concurrent.futures")]
    for logger in loggers:
        logger.addHandler(handler)
    try:
        with unraisable() as caught:
            result = asyncio.run(supervised())
            gc.collect()
            assert caught == []
    finally:
        for logger in loggers:
            logger.removeHandler(handler)
    assert complaints == []
    return result


def lend(thing):
    """Fixtures are still held while leaks are looked for; so they are emptied before."""
    yield thing
    thing.__dict__.clear()


class Either:
    """A server and its clients, of either version of HTTP."""

    def __init__(self, authority, version):
        self.version = version
        self._authority = authority
        self._kind, self.stream_kind, alpn = {
            1: (AIOHttpClientConnection, AIOHttpClientStream, "http/1.1"),
            2: (AIOHttp2ClientConnection, AIOHttp2ClientStream, "h2"),
        }[version]
        self._server_tls = authority.issue().server_context([alpn])
        options = TlsContextOptions()
        options.override_default_trust_store(authority.ca_pem)
        options.alpn_list = [alpn]
        self._tls = ClientTlsContext(options)

    def server(self, *arguments, **options):
        kind = Http1Server if self.version == 1 else Http2Server
        return kind(*arguments, tls=self._server_tls, **options)

    async def connect(self, server, kind=None, **options):
        tls_options = self._tls.new_connection_options()
        tls_options.set_server_name("localhost")
        return await (kind or self._kind).new("localhost", server.port, tls_connection_options=tls_options, **options)


def a_request(method="GET", path="/", body_stream=None, **headers):
    fields = HttpHeaders([("host", "localhost"), *((k.replace("_", "-"), v) for k, v in headers.items())])
    return HttpRequest(method, path, fields, body_stream)


async def generate(*pieces):
    for piece in pieces:
        yield piece


async def body_of(stream):
    return b"".join([chunk async for chunk in stream])


async def until(predicate):
    while not predicate():  # noqa: ASYNC110 - any thread may make it true
        await asyncio.sleep(0.001)


async def raised_by(awaitable):
    try:
        await awaitable
    except Exception as error:
        return error
    raise AssertionError("nothing is raised")


async def name_of_error(awaitable):
    error = await raised_by(awaitable)
    assert isinstance(error, AwsCrtError), error
    return error.name


def on_another_thread(coroutine):
    """A coroutine run to its end on another thread and loop, as a future of this loop."""
    return asyncio.get_running_loop().run_in_executor(None, asyncio.run, coroutine)
