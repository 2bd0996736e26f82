"""HTTP/2: exchanges, settings, windows, manual writes, and the frames of a connection's life."""

from __future__ import annotations

import contextlib
import gc
import io
import os
import threading
import time

import pytest
from http_exchange import WAIT_SEC, Exchange, bootstrap, connect, connect_http2, request, tls_options
from peers import http1, http2, tls
from peers.tcp import Server

from awscrt.exceptions import AwsCrtError
from awscrt.http import (
    Http2ClientConnection,
    Http2ClientStream,
    Http2Setting,
    Http2SettingID,
    HttpClientConnection,
    HttpMonitoringOptions,
    HttpVersion,
)
from awscrt.io import InputStream


@pytest.fixture(scope="module")
def authority():
    return tls.Authority()


def silent(received):
    """No answer at all."""


# Exchanges.


def test_request_and_response():
    respond = http1.Response(201, [("x", "1")], b"body", trailers=[("t", "2")])
    with http2.Http2Server(lambda _: respond) as server, connect_http2(server) as connection:
        assert type(connection) is Http2ClientConnection
        assert connection.version is HttpVersion.Http2
        message = request("PUT", "/a?b=c", ("X-Upper", "1"), ("Connection", "close"), body=io.BytesIO(b"data"))
        exchange = Exchange(connection, message)
        assert type(exchange.stream) is Http2ClientStream
        assert exchange.stream.version is HttpVersion.Http2
        exchange.done()
        assert exchange.headers == [(":status", "201"), ("x", "1")]
        assert (exchange.status, exchange.body, exchange.trailers) == (201, b"body", [("t", "2")])
        assert exchange.stream.response_status_code == 201
        (received,) = server.requests
        assert (received.method, received.path, received.body) == ("PUT", "/a?b=c", b"data")
        assert (":authority", "test") in received.headers
        assert ("x-upper", "1") in received.headers
        assert received.header("connection") is None


def test_exchanges_at_the_same_time():
    barrier = threading.Barrier(10)

    def respond(received):
        barrier.wait(WAIT_SEC)
        return http1.Response(body=received.path.encode())

    with http2.Http2Server(respond) as server, connect_http2(server) as connection:
        exchanges = [Exchange(connection, request("GET", f"/{number}")) for number in range(10)]
        assert [e.done().body for e in exchanges] == [f"/{number}".encode() for number in range(10)]
        assert server.connections == 1


def test_large_bodies_both_ways():
    body = os.urandom(1 << 20)
    with http2.Http2Server() as server, connect_http2(server) as connection:
        assert Exchange(connection, request("PUT", body=io.BytesIO(body))).done().body == body


def test_version_is_agreed_on_by_tls(authority):
    context = authority.issue("localhost").server_context(alpn=["h2", "http/1.1"])
    with http2.Http2Server(tls=context) as server:
        both = tls_options(authority, "h2", "http/1.1")
        future = Http2ClientConnection.new("localhost", server.port, bootstrap(), tls_connection_options=both)
        with future.result(WAIT_SEC) as connection:
            Exchange(connection).done()
        future = HttpClientConnection.new("localhost", server.port, bootstrap(), tls_connection_options=both)
        with future.result(WAIT_SEC) as connection:
            assert type(connection) is Http2ClientConnection
            Exchange(connection).done()


def test_server_that_does_not_speak_it(authority):
    with http1.Http1Server(tls=authority.issue("localhost").server_context(alpn=["http/1.1"])) as server:
        for offer in (("h2",), ("h2", "http/1.1"), ()):
            options = tls_options(authority, *offer)
            future = Http2ClientConnection.new("localhost", server.port, bootstrap(), tls_connection_options=options)
            assert future.exception(WAIT_SEC).name == "AWS_ERROR_HTTP_UNSUPPORTED_PROTOCOL"
    with http1.Http1Server() as server:
        future = Http2ClientConnection.new(server.host, server.port, bootstrap())
        assert future.exception(WAIT_SEC).name == "AWS_ERROR_HTTP_UNSUPPORTED_PROTOCOL"


def test_request_without_host():
    with http2.Http2Server() as server, connect_http2(server) as connection:
        with pytest.raises(RuntimeError) as caught:
            connection.request(request("", "/"))
        assert caught.value.name == "AWS_ERROR_HTTP_INVALID_METHOD"
        Exchange(connection).done()


# What goes wrong.


@pytest.mark.fault("R10")
@pytest.mark.parametrize("callback", ["on_response", "on_body", "on_trailers"])
def test_exception_of_a_callback_reaches_its_future_only(callback, unraisable):
    raised = KeyError("mine")

    def fail(**_):
        raise raised

    respond = http1.Response(body=b"body", trailers=[("t", "1")])
    with unraisable() as stray, http2.Http2Server(lambda _: respond) as server:
        with connect_http2(server) as connection:
            assert Exchange(connection, **{callback: fail}).error() is raised
            assert connection.is_open()
            assert Exchange(connection).done().body == b"body"
        assert not stray


@pytest.mark.fault("R10")
def test_exception_of_the_body_stream_reaches_the_future():
    class Broken:
        def read(self, size):
            raise ZeroDivisionError

    with http2.Http2Server() as server, connect_http2(server) as connection:
        exchange = Exchange(connection, request("PUT", body=Broken()))
        assert isinstance(exchange.error(), ZeroDivisionError)
        assert connection.is_open()


@pytest.mark.fault("R04")
def test_reset_by_the_server():
    with http2.Http2Server(lambda _: http2.Reset(2)) as server, connect_http2(server) as connection:
        assert Exchange(connection).error().name == "AWS_ERROR_HTTP_RST_STREAM_RECEIVED"
        assert connection.is_open()


@pytest.mark.fault("R04")
def test_server_that_leaves():
    with http2.Http2Server(silent) as server:
        connection = connect_http2(server)
        exchange = Exchange(connection)
        assert server.wait_for(lambda: server.requests)
        server.disconnect()
        assert exchange.error().name in {"AWS_IO_SOCKET_CLOSED", "AWS_ERROR_HTTP_CONNECTION_CLOSED"}
        assert isinstance(connection.shutdown_future.exception(WAIT_SEC), AwsCrtError)


@pytest.mark.fault("R04")
def test_goaway_by_the_server():
    with http2.Http2Server(silent) as server:
        connection = connect_http2(server)
        exchange = Exchange(connection)
        assert server.wait_for(lambda: server.requests)
        server.live[0].goaway(last_stream_id=0)
        assert exchange.error().name == "AWS_ERROR_HTTP_GOAWAY_RECEIVED"
        with pytest.raises(RuntimeError) as caught:
            connection.request(request())
        assert caught.value.name == "AWS_ERROR_HTTP_GOAWAY_RECEIVED"


@pytest.mark.fault("R03")
@pytest.mark.parametrize(
    "frame",
    [
        b"\xff\xff\xff\x00\x00\x00\x00\x00\x01",  # DATA longer than any that was allowed
        b"\x00\x00\x01\x00\x08\x00\x00\x00\x01\xff",  # DATA padded by more than it has
        b"\x00\x00\x04\x08\x00\x00\x00\x00\x00\x00\x00\x00\x00",  # WINDOW_UPDATE by 0
        b"\x00\x00\x05\x04\x00\x00\x00\x00\x00abcde",  # SETTINGS of no whole number of settings
        b"\x00\x00\x01\x01\x04\x00\x00\x00\x01\x80",  # HEADERS with an index that is none
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
    ],
)
def test_frames_that_lie_end_the_connection(frame):
    with http2.Http2Server(silent) as server:
        connection = connect_http2(server)
        exchange = Exchange(connection)
        assert server.wait_for(lambda: server.requests)
        server.live[0].send_raw(frame)
        assert isinstance(exchange.error(), AwsCrtError)
        assert isinstance(connection.shutdown_future.exception(WAIT_SEC), AwsCrtError)


@pytest.mark.fault("R03")
@pytest.mark.parametrize("declared", ["3", "10"])
def test_body_of_another_length_than_declared(declared):
    def answer(received):
        # python-h2 would not send it.
        head = received.connection._h2.encoder.encode([(":status", "200"), ("content-length", declared)])
        received.connection.send_raw(len(head).to_bytes(3, "big") + b"\x01\x04\x00\x00\x00\x01" + head)
        received.connection.send_raw(b"\x00\x00\x05\x00\x01\x00\x00\x00\x01" + b"12345")

    with http2.Http2Server(answer) as server, connect_http2(server) as connection:
        assert isinstance(Exchange(connection).error(), AwsCrtError)


@pytest.mark.fault("R05")
def test_monitoring_gives_up_a_silent_server():
    with http2.Http2Server(silent) as server:
        connection = connect_http2(server, monitoring_options=HttpMonitoringOptions(1000, 1))
        started = time.monotonic()
        assert isinstance(Exchange(connection).error(), AwsCrtError)
        assert time.monotonic() - started < 10
        assert connection.shutdown_future.exception(WAIT_SEC).name == "AWS_ERROR_HTTP_CHANNEL_THROUGHPUT_FAILURE"


@pytest.mark.fault("R05")
def test_cancel_resets_one_stream():
    def respond(received):
        return None if received.path == "/never" else http1.Response(body=b"x")

    with http2.Http2Server(respond) as server, connect_http2(server) as connection:
        never = Exchange(connection, request("GET", "/never"))
        writing = Exchange(connection, request("PUT"), manual_write=True)
        for exchange in (never, writing):
            exchange.stream.cancel()
            exchange.stream.update_window(1)
            exchange.stream.cancel()
        with pytest.raises(RuntimeError, match="HAS_COMPLETED"):
            writing.stream.write_data(io.BytesIO(b"x"))
        for exchange in (never, writing):
            assert exchange.error().name == "AWS_ERROR_HTTP_STREAM_CANCELLED"
        assert server.wait_for(lambda: len(server.resets) == 2)
        assert {code for _, code in server.resets} == {8}
        Exchange(connection).done()


@pytest.mark.fault("R12")
def test_storm_of_cancels():
    def write_and_cancel(http_stream, **_):
        with contextlib.suppress(RuntimeError):
            http_stream.write_data(io.BytesIO(b"x"))
        http_stream.cancel()

    def work(connection, seed):
        for number in range(60):
            message = request("PUT", "/early" if number % 2 else "/")
            exchange = Exchange(connection, message, manual_write=True, on_response=write_and_cancel)
            exchange.stream.write_data(io.BytesIO(bytes(100 * seed * number % 5000)))
            if number % 3 != 1:
                exchange.stream.cancel()
            exchange.stream.update_window(10)
            with contextlib.suppress(RuntimeError):
                exchange.stream.write_data(None, end_stream=True)
            exchange.stream.completion_future.exception(WAIT_SEC)

    def early(received):
        return http1.Response(body=bytes(3000)) if received.path == "/early" else None

    with http2.Http2Server(lambda _: http1.Response(body=bytes(3000)), early=early) as server:
        options = {"manual_window_management": True, "initial_window_size": 5000}
        with connect_http2(server, **options) as connection:
            threads = [threading.Thread(target=work, args=(connection, seed)) for seed in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(WAIT_SEC)
            assert connection.is_open()


# Manual writes.


def test_manual_write():
    with http2.Http2Server() as server, connect_http2(server) as connection:
        exchange = Exchange(connection, request("PUT"), manual_write=True, activate=False)
        with pytest.raises(RuntimeError) as caught:
            exchange.stream.write_data(io.BytesIO(b"x"))
        assert caught.value.name == "AWS_ERROR_HTTP_STREAM_NOT_ACTIVATED"
        exchange.stream.activate()
        futures = [exchange.stream.write_data(io.BytesIO(b"%d," % number)) for number in range(100)]
        futures.append(exchange.stream.write_data(None))
        futures.append(exchange.stream.write_data(InputStream(io.BytesIO(b"end")), end_stream=True))
        assert [future.result(WAIT_SEC) for future in futures] == [None] * 102
        with pytest.raises(RuntimeError):
            exchange.stream.write_data(None, True)
        exchange.done()
        assert exchange.body == b"".join(b"%d," % number for number in range(100)) + b"end"
        with pytest.raises(RuntimeError):
            exchange.stream.write_data(io.BytesIO(b"x"))


def test_manual_write_must_be_asked_for_and_wants_streams():
    with http2.Http2Server() as server, connect_http2(server) as connection:
        exchange = Exchange(connection)
        with pytest.raises(RuntimeError) as caught:
            exchange.stream.write_data(io.BytesIO(b"x"))
        assert caught.value.name == "AWS_ERROR_HTTP_MANUAL_WRITE_NOT_ENABLED"
        for wrong in ("text", b"bytes", 5):
            with pytest.raises(TypeError):
                exchange.stream.write_data(wrong)


@pytest.mark.fault("R10")
def test_exception_of_a_written_stream_reaches_both_futures():
    class Broken:
        def read(self, size):
            raise ZeroDivisionError

    with http2.Http2Server() as server, connect_http2(server) as connection:
        exchange = Exchange(connection, request("PUT"), manual_write=True)
        exchange.stream.write_data(io.BytesIO(b"good")).result(WAIT_SEC)
        future = exchange.stream.write_data(Broken())
        later = exchange.stream.write_data(io.BytesIO(b"never"), end_stream=True)
        error = future.exception(WAIT_SEC)
        assert isinstance(error, ZeroDivisionError)
        assert exchange.error() is error
        assert later.exception(WAIT_SEC).name == "AWS_ERROR_HTTP_STREAM_HAS_COMPLETED"


@pytest.mark.fault("R18")
def test_cancelled_futures(unraisable):
    with unraisable() as stray, http2.Http2Server() as server, connect_http2(server) as connection:
        exchange = Exchange(connection, request("PUT"), manual_write=True)
        assert exchange.stream.completion_future.cancel()
        assert exchange.stream.remote_end_stream_future.cancel()
        exchange.stream.write_data(io.BytesIO(b"x" * 100_000)).cancel()
        exchange.stream.write_data(None, end_stream=True).result(WAIT_SEC)
        connection.ping().cancel()
        connection.change_settings([]).cancel()
        connection.ping().result(WAIT_SEC)
        assert server.wait_for(lambda: len(exchange.body) == 100_000)
        assert not stray


def test_remote_end_before_completion():
    early = http1.Response(404, body=b"no")
    with http2.Http2Server(early=lambda _: early) as server, connect_http2(server) as connection:
        exchange = Exchange(connection, request("PUT"), manual_write=True)
        exchange.stream.write_data(io.BytesIO(b"part")).result(WAIT_SEC)
        future = exchange.stream.remote_end_stream_future
        assert future.result(WAIT_SEC) is None
        assert exchange.stream.remote_end_stream_future is future
        assert not exchange.stream.completion_future.done()
        exchange.stream.write_data(None, end_stream=True).result(WAIT_SEC)
        assert exchange.done().status == 404


def test_remote_end_asked_for_later_or_never_come():
    with http2.Http2Server() as server, connect_http2(server) as connection:
        assert Exchange(connection).done().stream.remote_end_stream_future.result(WAIT_SEC) is None
        server.respond = lambda _: http2.Reset(2)
        asked = Exchange(connection, activate=False)
        future = asked.stream.remote_end_stream_future
        asked.stream.activate()
        asked.error()
        assert isinstance(future.exception(WAIT_SEC), RuntimeError)
        later = Exchange(connection)
        later.error()
        assert isinstance(later.stream.remote_end_stream_future.exception(WAIT_SEC), RuntimeError)


# Settings.


def test_settings_are_told_at_the_start():
    settings = [Http2Setting(Http2SettingID.ENABLE_PUSH, 0), Http2Setting(Http2SettingID.MAX_FRAME_SIZE, 20_000)]
    told = []
    with http2.Http2Server(settings={3: 7, 6: 1000}) as server:
        options = {"initial_settings": settings, "on_remote_settings_changed": told.append}
        with connect_http2(server, **options) as connection:
            Exchange(connection).done()
            assert server.settings_received[0] == {2: 0, 5: 20_000}
            assert {(s.id, s.value) for s in told[0]} >= {
                (Http2SettingID.MAX_CONCURRENT_STREAMS, 7),
                (Http2SettingID.MAX_HEADER_LIST_SIZE, 1000),
            }
            server.live[0].update_settings({3: 9})
            assert server.wait_for(lambda: len(told) > 1)
            assert [(s.id, s.value) for s in told[1]] == [(Http2SettingID.MAX_CONCURRENT_STREAMS, 9)]


@pytest.mark.fault("R10")
def test_exception_of_the_settings_callback_has_nobody_waiting(unraisable):
    def fail(settings):
        raise ZeroDivisionError

    with unraisable() as stray, http2.Http2Server() as server:
        connection = connect_http2(server, on_remote_settings_changed=fail)
        Exchange(connection).done()
        assert server.wait_for(lambda: stray)
        assert isinstance(stray[0], ZeroDivisionError)


def test_settings_callback_does_not_keep_the_connection():
    class Client:
        def on_settings(self, settings):
            pass

    with http2.Http2Server() as server:
        client = Client()
        client.connection = connect_http2(server, on_remote_settings_changed=client.on_settings)
        shutdown = client.connection.shutdown_future
        del client
        gc.collect()
        assert shutdown.result(WAIT_SEC) is None


def test_changing_settings():
    with http2.Http2Server() as server, connect_http2(server) as connection:
        setting = Http2Setting(Http2SettingID.MAX_FRAME_SIZE, 30_000)
        assert connection.change_settings([setting]).result(WAIT_SEC) is None
        assert server.settings_received[-1] == {5: 30_000}
        with pytest.raises(TypeError, match="settings"):
            connection.change_settings([5])
        connection.close().result(WAIT_SEC)
        with pytest.raises(RuntimeError):
            connection.change_settings([setting])


def test_setting_values():
    assert str(Http2Setting(Http2SettingID.ENABLE_PUSH, 0)) == "Http2Setting(ENABLE_PUSH=0)"
    for id_, (low, high) in Http2Setting.VALID_RANGES.items():
        assert Http2Setting(id_, low).value == low
        assert Http2Setting(id_, high).value == high
        for value in (low - 1, high + 1):
            with pytest.raises(ValueError, match=id_.name):
                Http2Setting(id_, value)
    with pytest.raises(TypeError, match="id"):
        Http2Setting(2, 0)
    with pytest.raises(TypeError, match="value"):
        Http2Setting(Http2SettingID.ENABLE_PUSH, "0")


@pytest.mark.parametrize("settings", [[100], [None], [Http2Setting(Http2SettingID.ENABLE_PUSH, 0)] * 65])
def test_wrong_initial_settings(settings):
    with pytest.raises((TypeError, ValueError)):
        Http2ClientConnection.new("localhost", 1, initial_settings=settings)


# Ping, farewell, windows.


def test_ping():
    with http2.Http2Server() as server, connect_http2(server) as connection:
        assert 0 < connection.ping().result(WAIT_SEC) < WAIT_SEC * 1e9
        assert connection.ping(b"12345678").result(WAIT_SEC) > 0
        assert server.pings == [bytes(8), b"12345678"]
        with pytest.raises(ValueError, match="8 bytes"):
            connection.ping(b"123")
        connection.close().result(WAIT_SEC)
        with pytest.raises(RuntimeError):
            connection.ping()


def test_ping_that_is_never_answered():
    def swallow(sock):
        while sock.recv(65536):
            pass

    with Server(swallow) as server:
        connection = connect_http2(server)
        future = connection.ping()
        connection.close()
        assert isinstance(future.exception(WAIT_SEC), AwsCrtError)


@pytest.mark.parametrize(
    "arguments", [{}, {"http2_error": 11}, {"allow_more_streams": True, "debug_data": b"why"}], ids=str
)
def test_goaway(arguments):
    with http2.Http2Server() as server, connect_http2(server) as connection:
        connection.ping().result(WAIT_SEC)  # aws-c-http may send GOAWAY before its first SETTINGS otherwise
        connection.send_goaway(**arguments)
        assert server.wait_for(lambda: server.goaways)
        error, last_stream, data = server.goaways[0]
        assert (error, data) == (arguments.get("http2_error", 0), arguments.get("debug_data", b""))
        assert last_stream == (2**31 - 1 if arguments.get("allow_more_streams") else 0)


def test_wrong_goaway():
    with http2.Http2Server() as server, connect_http2(server) as connection:
        with pytest.raises(ValueError, match="debug_data"):
            connection.send_goaway(debug_data=bytes(20_000))
        with pytest.raises(ValueError, match="http2_error"):
            connection.send_goaway(-1)
        Exchange(connection).done()


def test_manual_window_of_a_stream():
    body = os.urandom(1000)
    with http2.Http2Server(lambda _: http1.Response(body=body)) as server:
        options = {"manual_window_management": True, "initial_window_size": 10}
        with connect_http2(server, **options) as connection:
            connection.ping().result(WAIT_SEC)  # the setting binds the server once it has come
            exchange = Exchange(connection)
            assert server.wait_for(lambda: len(exchange.body) == 10)
            time.sleep(0.1)
            assert len(exchange.body) == 10
            exchange.stream.update_window(90)
            assert server.wait_for(lambda: len(exchange.body) == 100)
            exchange.stream.update_window(2**40)
            assert exchange.done().body == body


def test_manual_window_of_a_connection():
    body = bytes(100_000)
    with http2.Http2Server(lambda _: http1.Response(body=body)) as server:
        connection = connect_http2(server, conn_manual_window_management=True)
        exchange = Exchange(connection)
        assert server.wait_for(lambda: len(exchange.body) == 65535)
        time.sleep(0.1)
        assert len(exchange.body) == 65535
        connection.update_window(0)
        connection.update_window(2**31 - 1)
        assert exchange.done().body == body
        for wrong in (-1, 2**31):
            with pytest.raises(ValueError, match="increment_size"):
                connection.update_window(wrong)


def test_functions_of_http2_refuse_http1():
    from awscrt import _awscrt

    with http1.Http1Server() as server, connect(server) as connection:
        for attempt in (
            lambda: _awscrt.http2_connection_update_window(connection, 1),
            lambda: _awscrt.http2_connection_ping(connection, bytes(8), print),
            lambda: _awscrt.http2_connection_change_settings(connection, [], print),
            lambda: _awscrt.http2_connection_send_goaway(connection, 0, False, b""),
        ):
            with pytest.raises(TypeError, match="HTTP/2"):
                attempt()


@pytest.mark.parametrize(
    "options",
    [
        {"manual_window_management": True},
        {"manual_window_management": True, "initial_window_size": 2**31},
        {"conn_window_size_threshold": -1},
        {"stream_window_size_threshold": 2**31},
        {"prior_knowledge": True, "tls_connection_options": "later"},
    ],
)
def test_options_out_of_range(options, authority):
    if "tls_connection_options" in options:
        options = {**options, "tls_connection_options": tls_options(authority, "h2")}
    with pytest.raises(ValueError):
        Http2ClientConnection.new("localhost", 1, **options)
