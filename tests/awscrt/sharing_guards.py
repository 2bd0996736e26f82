"""Owns scenarios in which a call that is not guarded shows, since it lasts or is met by its like; see sharing.py."""

from __future__ import annotations

import contextlib
import io
import itertools
import threading

from http_exchange import bootstrap, connect, connect_http2, request
from peers.http1 import Http1Server
from peers.http2 import Http2Server
from sharing import WAIT_SEC, together

from awscrt import _awscrt, auth, cbor, websocket
from awscrt.exceptions import AwsCrtError
from awscrt.http import HttpHeaders
from awscrt.io import ClientTlsContext, InputStream, TlsContextOptions

FILLER = [("filler", "x" * 100)] * 100
LONG = 300_000  # bytes, so that what is freed goes back to the system: reading it ends the process


def _begin_together(*works):
    """Call two functions, each on a thread: none begins before both are running."""
    running = []

    def run(work):
        running.append(work)
        while len(running) < len(works):
            pass
        work()

    together(*(lambda _, work=work: run(work) for work in works), rounds=1, threads=1)


def race(first, second, rounds):
    """Call a function so many times, and beside it another one until that is done."""
    over = threading.Event()

    def count():
        try:
            for number in range(rounds):
                first(number)
        finally:
            over.set()

    def accompany():
        for number in itertools.count():
            if over.is_set():
                return
            second(number)

    _begin_together(count, accompany)


def follow(work, objects):
    """Call a function for each object, on two threads: the second has less to do there, so it catches up."""

    def work_all():
        for each in objects:
            work(each)

    _begin_together(work_all, work_all)


# --------------------------------------------------------------------------------------------- requests and headers


def headers():
    shared = HttpHeaders()

    def change(_):
        shared.add_pairs(FILLER)
        shared.clear()

    def read(_):
        assert set(shared) <= set(FILLER)
        assert set(shared.get_values("filler")) <= {FILLER[0][1]}

    race(change, read, 2000)
    race(change, change, 2000)


def _grow_and_shrink(shared):
    shared.add_pairs(FILLER)
    with contextlib.suppress(KeyError):  # another thread was first
        shared.remove("filler")


def _begin_in_vain(handshake_request, loops, tls_connection_options=None):
    """Make native code take a copy of what a connection needs, and find then that the proxy is none."""
    with contextlib.suppress(AttributeError):
        websocket.connect(
            host="localhost",
            handshake_request=handshake_request,
            bootstrap=loops,
            tls_connection_options=tls_connection_options,
            proxy_options=object(),
            on_connection_setup=print,
        )
        raise AssertionError("it was begun")


def requests():
    shared = websocket.create_handshake_request(host="localhost")
    loops = bootstrap()

    def change(number):
        shared.path = "/" + "ab"[number % 2] * LONG
        _grow_and_shrink(shared.headers)

    race(lambda _: _begin_in_vain(shared, loops), change, 3000)
    race(change, change, 3000)


def bodies():
    shared = request()
    streams = [InputStream(io.BytesIO(b"body")) for _ in range(3)]

    def change(number):
        shared.body_stream = streams[number % 3]

    race(change, change, 300_000)


def signing():
    shared = request()
    known = dict.fromkeys(["Host", "X-Amz-Date", "Authorization", "filler"], False)
    config = auth.AwsSigningConfig(
        credentials_provider=auth.AwsCredentialsProvider.new_static("key", "secret"),
        region="us-east-1",
        service="test",
        should_sign_header=lambda name: known[name],  # of a header that was freed, another one is there
    )

    def sign(number):
        if number % 2:
            auth.aws_sign_trailing_headers(shared.headers, "0" * 64, config).result(WAIT_SEC)
            return
        auth.aws_sign_request(shared, config).result(WAIT_SEC)
        shared.headers.remove("Authorization")
        shared.headers.remove("X-Amz-Date")

    race(sign, lambda _: _grow_and_shrink(shared.headers), 10_000)


def new_streams():
    message = request()
    with Http1Server() as server, connect(server) as connection:
        race(lambda _: connection.request(message), lambda _: _grow_and_shrink(message.headers), 20_000)
    connection.shutdown_future.exception(WAIT_SEC)


def cancelled_streams():
    with Http2Server() as server, connect_http2(server) as connection:
        for _ in range(40):
            streams = [connection.request(request("PUT"), manual_write=True) for _ in range(50)]
            for stream in streams:
                stream.activate()
            follow(lambda stream: stream.cancel(), streams)
            for stream in streams:
                assert isinstance(stream.completion_future.exception(WAIT_SEC), AwsCrtError)
    connection.shutdown_future.exception(WAIT_SEC)


# ----------------------------------------------------------------------------------------------- handles and TLS


def releases():
    for _ in range(30):
        follow(_awscrt.handle_release, [_awscrt.http_headers_new(None) for _ in range(10_000)])


def tls_options():
    options = ClientTlsContext(TlsContextOptions()).new_connection_options()
    handshake = websocket.create_handshake_request(host="localhost")
    loops = bootstrap()

    def change(number):
        letter = "ab"[number % 2]
        options.set_server_name(letter * 255)
        options.set_alpn_list([letter * 127] * 4)

    race(change, change, 20_000)
    race(lambda _: _begin_in_vain(handshake, loops, options), change, 30_000)


# ------------------------------------------------------------------------------------------------------------ CBOR


def encoders():
    shared = cbor.AwsCborEncoder()
    values = [["text"] * 1000, list(range(1000)), b"x" * LONG]
    written = itertools.count()

    def write(number):
        shared.write_data_item(values[number % 3])
        shared.write_bytes(values[2])
        next(written)

    race(write, write, 200)
    decoder = cbor.AwsCborDecoder(shared.get_encoded_data())
    for _ in range(2 * next(written)):
        assert decoder.pop_next_data_item() in values
    assert decoder.get_remaining_bytes_len() == 0


def encoders_read():
    shared = cbor.AwsCborEncoder()
    value = b"x" * LONG

    def write_and_read(_):
        shared.write_bytes(value)
        assert len(shared.get_encoded_data()) % (len(value) + 5) == 0

    def write_and_reset(number):
        shared.write_bytes(value)
        if number % 2:
            shared.reset()

    race(write_and_read, write_and_reset, 3000)


def decoders():
    texts = [letter * 50_000 for letter in "ab"]
    sources = []
    for text in texts:
        encoder = cbor.AwsCborEncoder()
        for _ in range(4):
            encoder.write_text(text)
        sources.append(encoder.get_encoded_data())
    shared = cbor.AwsCborDecoder(sources[0])

    def replace(number):
        shared.reset_src(bytearray(sources[number % 2]))

    def pop(_):
        with contextlib.suppress(AwsCrtError):  # the end
            for take in (shared.pop_next_text, shared.pop_next_data_item):
                assert take() in texts
        assert len(shared.get_remaining_bytes()) % (len(texts[0]) + 3) == 0

    race(pop, replace, 100_000)
