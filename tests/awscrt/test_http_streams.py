"""HTTP/1.1 exchanges: what is sent, what comes back, and everything that can go wrong on the way."""

from __future__ import annotations

import io
import os
import sys
import threading
import time

import pytest
from http_exchange import WAIT_SEC, Exchange, connect, request
from peers import http1
from peers.tcp import Server

from awscrt.exceptions import AwsCrtError
from awscrt.http import HttpClientStream, HttpMonitoringOptions, HttpRequest, HttpVersion
from awscrt.io import InputStream

HEAD = b"HTTP/1.1 200 OK\r\n"


def answering(*steps):
    """A server that reads a request and takes these steps, then waits for the client to close."""
    return Server(http1.scripted(http1.READ, *steps, http1.HANG))


# What goes over the wire.


def test_request_and_response():
    respond = http1.Response(201, [("X", "1"), ("x", "2")], b"body")
    with http1.Http1Server(lambda _: respond) as server, connect(server) as connection:
        exchange = Exchange(connection, request("PATCH", "/a?b=c", ("Content-Length", "4"), body=io.BytesIO(b"data")))
        assert exchange.stream.version is HttpVersion.Http1_1
        assert exchange.stream.connection is connection
        exchange.done()
        assert exchange.status == exchange.stream.response_status_code == 201
        assert exchange.headers == [("X", "1"), ("x", "2"), ("Content-Length", "4")]
        assert exchange.body == b"body"
        assert exchange.trailers is None
        (received,) = server.requests
        assert (received.method, received.path, received.body) == ("PATCH", "/a?b=c", b"data")
        assert received.headers == [("Host", "test"), ("Content-Length", "4")]


def test_one_connection_serves_many_exchanges():
    with http1.Http1Server(lambda r: http1.Response(body=r.path.encode())) as server, connect(server) as connection:
        for number in range(20):
            assert Exchange(connection, request("GET", f"/{number}")).done().body == f"/{number}".encode()
        pipelined = [Exchange(connection, request("GET", f"/{number}")) for number in range(20)]
        assert [e.done().body for e in pipelined] == [f"/{number}".encode() for number in range(20)]
        assert server.connections == 1


def test_without_callbacks():
    with http1.Http1Server(lambda _: http1.Response(204)) as server, connect(server) as connection:
        stream = connection.request(request())
        assert stream.response_status_code is None
        stream.activate()
        assert stream.completion_future.result(WAIT_SEC) == stream.response_status_code == 204


def test_chunked_body_and_trailers():
    respond = http1.Response(body=iter([b"one", b"two"]), chunked=True, trailers=[("T", "1"), ("U", "2")])
    with http1.Http1Server(lambda _: respond) as server, connect(server) as connection:
        exchange = Exchange(connection).done()
        assert exchange.body == b"onetwo"
        assert exchange.trailers == [("T", "1"), ("U", "2")]


def test_interim_responses_are_passed_over():
    early = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n"
    with answering(early, HEAD + b"Content-Length: 2\r\n\r\nok") as server, connect(server) as connection:
        exchange = Exchange(connection).done()
        assert (exchange.status, exchange.headers, exchange.body) == (200, [("Content-Length", "2")], b"ok")


def test_header_bytes_that_are_not_utf8_are_latin1():
    raw = HEAD + b"A: caf\xe9\r\nB: caf\xc3\xa9\r\nContent-Length: 0\r\n\r\n"
    with answering(raw) as server, connect(server) as connection:
        assert Exchange(connection).done().headers[:2] == [("A", "café"), ("B", "café")]


def test_large_bodies_both_ways():
    size = 8 << 20
    body = os.urandom(size)
    with http1.Http1Server() as server, connect(server) as connection:
        message = request("PUT", "/", ("Content-Length", str(size)), body=io.BytesIO(body))
        exchange = Exchange(connection, message).done()
        assert exchange.body == server.requests[0].body == body


def test_chunked_request_body():
    with http1.Http1Server() as server, connect(server) as connection:
        message = request("PUT", "/", ("Transfer-Encoding", "chunked"), body=io.BytesIO(b"a" * 100_000))
        assert Exchange(connection, message).done().body == b"a" * 100_000


# Lifetime.


def test_streams_live_until_they_are_complete():
    release = threading.Event()

    def respond(received):
        release.wait(WAIT_SEC)
        return http1.Response(body=received.body)

    with http1.Http1Server(respond) as server:
        chunks = []
        connection = connect(server)
        message = request("PUT", "/", ("Content-Length", "5"), body=io.BytesIO(b"hello"))
        stream = connection.request(message, on_body=lambda http_stream, chunk: chunks.append(chunk))
        stream.activate()
        future = stream.completion_future
        del connection, message, stream
        release.set()
        assert future.result(WAIT_SEC) == 200
        assert chunks == [b"hello"]


def test_stream_that_is_never_activated_goes_with_its_last_reference():
    with http1.Http1Server() as server:
        connection = connect(server)
        shutdown = connection.shutdown_future
        stream = connection.request(request(body=io.BytesIO(b"x")))
        stream.cancel()
        stream.update_window(5)
        del stream, connection
        assert shutdown.result(WAIT_SEC) is None


def test_stream_in_a_circle_with_its_callbacks_is_collected():
    # The fixture that looks for leaks sees it.
    with http1.Http1Server() as server, connect(server) as connection:
        holder = []
        stream = connection.request(request(), on_body=lambda **_: holder)
        holder.append(stream)
        done = []
        used = connection.request(request(), on_body=lambda **_: done)
        done.append(used)
        used.activate()
        used.completion_future.result(WAIT_SEC)


def test_activating_again_does_nothing():
    with http1.Http1Server() as server, connect(server) as connection:
        exchange = Exchange(connection)
        exchange.stream.activate()
        exchange.done()
        exchange.stream.activate()
        assert len(server.requests) == 1


def test_activating_after_the_connection_closed():
    with http1.Http1Server() as server:
        connection = connect(server)
        exchange = Exchange(connection, activate=False)
        connection.close().result(WAIT_SEC)
        for _ in range(2):
            with pytest.raises(RuntimeError) as caught:
                exchange.stream.activate()
            assert caught.value.name == "AWS_ERROR_HTTP_CONNECTION_CLOSED"
        with pytest.raises(RuntimeError):
            connection.request(request())


# What callers do wrong.


def test_wrong_types():
    with http1.Http1Server() as server, connect(server) as connection:
        for attempt in (
            lambda: connection.request(5),
            lambda: connection.request(request(), 5),
            lambda: connection.request(request(), None, 5),
            lambda: connection.request(request(), on_trailers=5),
            lambda: HttpClientStream(5, request()),
            lambda: connection.request(request(), response_first_byte_timeout_ms="1"),
            lambda: connection.request(request()).update_window("1"),
        ):
            with pytest.raises((TypeError, AttributeError)):
                attempt()
        for attempt in (
            lambda: connection.request(request(), response_first_byte_timeout_ms=-1),
            lambda: connection.request(request()).update_window(-1),
            lambda: connection.request(request()).update_window(2**64),
        ):
            with pytest.raises(ValueError, match=r"response_first_byte_timeout_ms|increment_size"):
                attempt()
        assert connection.is_open()
        assert not server.requests


@pytest.mark.fault("R02")
@pytest.mark.parametrize(
    ("message", "name"),
    [
        (lambda: HttpRequest("G T"), "AWS_ERROR_HTTP_INVALID_METHOD"),
        (lambda: HttpRequest(""), "AWS_ERROR_HTTP_INVALID_METHOD"),
        (lambda: HttpRequest("GET", "/ HTTP/1.1 "), "AWS_ERROR_HTTP_INVALID_PATH"),
        (lambda: HttpRequest("GET", ""), "AWS_ERROR_HTTP_INVALID_PATH"),
        (lambda: request("GET", "/", ("a b", "c")), "AWS_ERROR_HTTP_INVALID_HEADER_NAME"),
        (lambda: request("GET", "/", ("a", "\x01")), "AWS_ERROR_HTTP_INVALID_HEADER_VALUE"),
        (lambda: request("PUT", "/", ("Content-Length", "x")), "AWS_ERROR_HTTP_INVALID_HEADER_VALUE"),
    ],
)
def test_what_cannot_be_sent_is_refused_before_a_byte_is(message, name):
    with http1.Http1Server() as server, connect(server) as connection:
        with pytest.raises(RuntimeError) as caught:
            connection.request(message())
        assert caught.value.name == name
        Exchange(connection).done()
        assert len(server.requests) == 1


# Lengths and chunks that lie.


@pytest.mark.fault("R03")
@pytest.mark.parametrize(
    "raw",
    [
        b"Content-Length: -1\r\n\r\n",
        b"Content-Length: 5x\r\n\r\nabcde",
        b"Content-Length: 0x5\r\n\r\nabcde",
        b"Content-Length: 99999999999999999999999999\r\n\r\nabc",
        b"Content-Length: 3\r\nContent-Length: 5\r\n\r\nabcde",
        b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc",
        b"Transfer-Encoding: chunked\r\n\r\nx\r\nabc\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n-1\r\nabc\r\n",
        b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nabc\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n3\r\nabcdef\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n\r\nabc\r\n",
        b"A : 1\r\n\r\n",
        b"no colon\r\n\r\n",
        b": 1\r\n\r\n",
        b"A: 1\r\n folded\r\n\r\n",
        b"A: nul\0\r\n\r\n",
    ],
)
def test_responses_that_lie_end_the_exchange(raw):
    with answering(HEAD + raw) as server:
        error = Exchange(connect(server)).error()
        assert isinstance(error, AwsCrtError)
        assert error.name.startswith("AWS_ERROR_HTTP_")


@pytest.mark.parametrize(
    "raw", [b"\0" * 100 + b"\r\n", b"HTTP/3.0 200 OK\r\n\r\n", b"HTTP/1.1 20 OK\r\n\r\n", b"hello\r\n"]
)
def test_what_is_no_response_ends_the_exchange(raw):
    with answering(raw) as server:
        assert isinstance(Exchange(connect(server)).error(), AwsCrtError)


@pytest.mark.fault("R03")
def test_a_body_over_4_gib_is_counted_right():
    head = HEAD + b"Content-Length: %d\r\n\r\n" % (2**32 + 10)
    with Server(http1.scripted(http1.READ, head, b"x" * 10, http1.CLOSE)) as server:
        exchange = Exchange(connect(server))
        assert exchange.error().name == "AWS_IO_SOCKET_CLOSED"  # 2**32 more were to come
        assert exchange.body == b"x" * 10


def peak_kib():
    resource = pytest.importorskip("resource")
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


@pytest.mark.fault("R03")
def test_memory_is_bounded_by_the_window_not_by_the_body():
    piece = b"x" * (1 << 20)
    sent = [0]

    def send(sock):
        sock.settimeout(2)
        sock.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % 2**40)
        try:
            for _ in range(400):
                sock.sendall(piece)
                sent[0] += len(piece)
        except OSError:
            return

    with Server(http1.scripted(http1.READ, send, http1.HANG)) as server:
        options = {"manual_window_management": True, "initial_window_size": 1000, "read_buffer_capacity": 1 << 16}
        connection = connect(server, **options)
        before = peak_kib()
        exchange = Exchange(connection)
        assert server.wait_for(lambda: len(exchange.body) == 1000, WAIT_SEC)
        time.sleep(0.5)
        assert len(exchange.body) == 1000
        assert sent[0] < 64 << 20, "the socket's buffers take a part"
        assert peak_kib() - before < 32 * 1024
        connection.close()
        exchange.error()


@pytest.mark.fault("R03")
def test_endless_headers_are_cut():
    def send(sock):
        sock.sendall(HEAD)
        line = b"X-%d: " + b"y" * 8000 + b"\r\n"
        for number in range(10_000):
            sock.sendall(line % number)

    with Server(http1.scripted(http1.READ, send)) as server:
        assert Exchange(connect(server)).error().name == "AWS_ERROR_HTTP_PROTOCOL_ERROR"


@pytest.mark.fault("R03")
@pytest.mark.parametrize("declared", [3, 10])
def test_request_body_of_another_length_than_declared(declared):
    with answering() as server:
        message = request("PUT", "/", ("Content-Length", str(declared)), body=io.BytesIO(b"12345"))
        assert Exchange(connect(server), message).error().name == "AWS_ERROR_HTTP_OUTGOING_STREAM_LENGTH_INCORRECT"


# Servers that leave, or say nothing.


@pytest.mark.fault("R04")
@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"HTTP/1.1 2",
        HEAD,
        HEAD + b"Content-Length: 10\r\n\r\nhalf",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nab",
    ],
    ids=["nothing", "status line", "head", "body", "chunk"],
)
@pytest.mark.parametrize("how", [http1.CLOSE, http1.RESET])
def test_server_that_leaves_in_the_middle(raw, how):
    with Server(http1.scripted(http1.READ, raw, 0.05, how)) as server:
        connection = connect(server)
        exchange = Exchange(connection)
        error = exchange.error()
        assert error.name in {"AWS_IO_SOCKET_CLOSED", "AWS_ERROR_HTTP_CONNECTION_CLOSED"}
        assert "closed" in str(error)
        assert connection.shutdown_future.exception(WAIT_SEC).name == "AWS_IO_SOCKET_CLOSED"
        assert not connection.is_open()


@pytest.mark.fault("R05")
def test_first_byte_timeout_of_a_request():
    with answering() as server:
        exchange = Exchange(connect(server), response_first_byte_timeout_ms=100)
        started = time.monotonic()
        assert exchange.error().name == "AWS_ERROR_HTTP_RESPONSE_FIRST_BYTE_TIMEOUT"
        assert time.monotonic() - started < 5


@pytest.mark.fault("R05")
def test_first_byte_timeout_of_a_connection():
    with answering(HEAD + b"Content-Length: 0\r\n\r\n") as server:
        connection = connect(server, response_first_byte_timeout_ms=200)
        Exchange(connection).done()
        exchange = Exchange(connection)
        assert exchange.error().name == "AWS_ERROR_HTTP_RESPONSE_FIRST_BYTE_TIMEOUT"
        assert not connection.is_open()


def drip(sock):
    try:
        while True:
            sock.sendall(b"x")
            time.sleep(0.05)
    except OSError:
        return


@pytest.mark.fault("R05")
@pytest.mark.parametrize("steps", [(), (HEAD + b"Content-Length: 1000\r\n\r\n", drip)], ids=["silent", "drips"])
def test_monitoring_gives_up_a_slow_connection(steps):
    with answering(*steps) as server:
        exchange = Exchange(connect(server, monitoring_options=HttpMonitoringOptions(1000, 1)))
        started = time.monotonic()
        assert exchange.error().name == "AWS_ERROR_HTTP_CHANNEL_THROUGHPUT_FAILURE"
        assert time.monotonic() - started < 10


@pytest.mark.fault("R05")
def test_cancel_ends_what_never_would():
    with answering() as server:
        connection = connect(server)
        exchange = Exchange(connection)
        assert server.wait_for(lambda: server.connections)
        exchange.stream.cancel()
        exchange.stream.cancel()
        assert exchange.error().name == "AWS_ERROR_HTTP_STREAM_CANCELLED"
        exchange.stream.cancel()
        exchange.stream.update_window(1)


# Callbacks and body streams that raise.


class BoomError(Exception):
    pass


def boom(**_):
    raise BoomError


@pytest.mark.fault("R10")
@pytest.mark.parametrize("callback", ["on_response", "on_body", "on_trailers"])
@pytest.mark.parametrize("error", [BoomError, KeyboardInterrupt, MemoryError, OSError])
def test_exception_of_a_callback_reaches_the_future(callback, error, unraisable):
    raised = error("mine")

    def fail(**_):
        raise raised

    respond = http1.Response(body=iter([b"one"]), chunked=True, trailers=[("T", "1")])
    with unraisable() as stray, http1.Http1Server(lambda _: respond) as server:
        connection = connect(server)
        exchange = Exchange(connection, **{callback: fail})
        assert exchange.error() is raised
        if callback != "on_trailers":  # they come last of all
            connection.shutdown_future.exception(WAIT_SEC)
            assert not connection.is_open()
        assert not stray


@pytest.mark.fault("R10")
def test_callback_that_does_not_take_the_arguments():
    with http1.Http1Server() as server:
        assert isinstance(Exchange(connect(server), on_response=lambda: None).error(), TypeError)


@pytest.mark.fault("R10")
def test_exception_of_the_body_stream_reaches_the_future():
    class Broken(io.RawIOBase):
        def readable(self):
            return True

        def readinto(self, buffer):
            raise BoomError

    with answering() as server:
        stream = InputStream(Broken())
        message = request("PUT", "/", ("Content-Length", "5"), body=stream)
        assert isinstance(Exchange(connect(server), message).error(), BoomError)
        assert stream._exception is None


# Futures that their holder gave up.


@pytest.mark.fault("R18")
def test_cancelled_completion_future(unraisable, capfd):
    release = threading.Event()

    def respond(received):
        release.wait(WAIT_SEC)
        return http1.Response(body=b"x")

    with unraisable() as stray, http1.Http1Server(respond) as server:
        connection = connect(server)
        exchange = Exchange(connection)
        assert exchange.stream.completion_future.cancel()
        release.set()
        assert server.wait_for(lambda: exchange.body == b"x", WAIT_SEC)
        assert connection.close().result(WAIT_SEC) is None
        assert exchange.stream.completion_future.cancelled()
        assert not stray
    assert capfd.readouterr() == ("", "")


@pytest.mark.fault("R18")
def test_cancelled_shutdown_future(unraisable):
    with unraisable() as stray, http1.Http1Server() as server:
        connection = connect(server)
        assert connection.shutdown_future.cancel()
        assert connection.close().cancelled()
        assert server.wait_for(lambda: not connection.is_open())
        assert not stray


# Windows.


def test_manual_window_stops_the_body_and_opens_it():
    body = bytes(range(256)) * 4
    with http1.Http1Server(lambda _: http1.Response(body=body)) as server:
        connection = connect(server, manual_window_management=True, initial_window_size=100)
        exchange = Exchange(connection)
        assert server.wait_for(lambda: len(exchange.body) == 100, WAIT_SEC)
        time.sleep(0.1)
        assert len(exchange.body) == 100
        exchange.stream.update_window(0)
        exchange.stream.update_window(24)
        assert server.wait_for(lambda: len(exchange.body) == 124, WAIT_SEC)
        exchange.stream.update_window(sys.maxsize)
        exchange.stream.update_window(sys.maxsize)
        assert exchange.done().body == body


def test_window_updated_by_the_callback():
    body = os.urandom(10_000)
    received = []

    def on_body(http_stream, chunk, **_):
        received.append(chunk)
        http_stream.update_window(len(chunk))

    with http1.Http1Server(lambda _: http1.Response(body=body)) as server:
        connection = connect(server, manual_window_management=True, initial_window_size=1000)
        Exchange(connection, on_body=on_body).done()
        assert b"".join(received) == body
        assert max(map(len, received)) <= 1000
