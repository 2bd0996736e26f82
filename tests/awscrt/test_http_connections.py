"""HTTP connections: how they come about, end, and what they refuse."""

from __future__ import annotations

import gc
import socket
import threading
import weakref

import pytest
from http_exchange import WAIT_SEC, Exchange, bootstrap, connect, connect_http2, request, tls_options
from peers import http1, http2, tls
from peers.tcp import Server

from awscrt.exceptions import AwsCrtError
from awscrt.http import (
    Http2ClientConnection,
    HttpClientConnection,
    HttpClientConnectionBase,
    HttpConnectionBase,
    HttpMonitoringOptions,
    HttpProxyOptions,
    HttpVersion,
)
from awscrt.io import SocketDomain, SocketOptions


@pytest.fixture(scope="module")
def authority():
    return tls.Authority()


def unused_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


# Beginning.


def test_connection_knows_its_server():
    with http1.Http1Server() as server:
        connection = connect(server)
        assert type(connection) is HttpClientConnection
        assert isinstance(connection, HttpClientConnectionBase)
        assert isinstance(connection, HttpConnectionBase)
        assert (connection.host_name, connection.port) == (server.host, server.port)
        assert connection.version is HttpVersion.Http1_1
        assert connection.is_open()
        assert not connection.shutdown_future.done()


def test_tls(authority):
    with http1.Http1Server(tls=authority.issue("localhost").server_context()) as server:
        options = tls_options(authority)
        future = HttpClientConnection.new("localhost", server.port, bootstrap(), tls_connection_options=options)
        with future.result(WAIT_SEC) as connection:
            assert Exchange(connection, request("GET", "/")).done().status == 200


def test_shared_bootstrap_serves_if_none_is_given():
    with http1.Http1Server() as server, connect(server, bootstrap=None) as connection:
        Exchange(connection).done()


def test_local_socket(tmp_path):
    path = str(tmp_path / "socket")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        options = SocketOptions()
        options.domain = SocketDomain.Local
        connection = HttpClientConnection.new(path, 0, bootstrap(), options).result(WAIT_SEC)
        sock, _ = listener.accept()
        with sock:
            exchange = Exchange(connection)
            assert sock.recv(1000).startswith(b"GET / HTTP/1.1\r\n")
            sock.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
            assert exchange.done().status == 204
            assert connection.close().result(WAIT_SEC) is None


def test_subclass_makes_connections_of_its_own():
    class Mine(HttpClientConnection):
        pass

    with http1.Http1Server() as server:
        connection = Mine.new(server.host, server.port, bootstrap()).result(WAIT_SEC)
        assert type(connection) is Mine


def test_nobody_listens():
    for new in (HttpClientConnection.new, Http2ClientConnection.new):
        error = new("127.0.0.1", unused_port(), bootstrap()).exception(WAIT_SEC)
        assert isinstance(error, AwsCrtError)
        assert error.name == "AWS_IO_SOCKET_CONNECTION_REFUSED"


def test_no_such_host():
    error = HttpClientConnection.new("nobody.invalid", 80, bootstrap()).exception(WAIT_SEC)
    assert isinstance(error, AwsCrtError)
    assert "DNS" in error.name


# Ending.


def test_closing():
    with http1.Http1Server() as server:
        connection = connect(server)
        future = connection.close()
        assert future is connection.shutdown_future
        assert future.result(WAIT_SEC) is None
        assert not connection.is_open()


@pytest.mark.fault("R11")
def test_closing_again_and_use_after_that():
    with http1.Http1Server() as server:
        connection = connect(server)
        assert connection.close() is connection.close()
        connection.close().result(WAIT_SEC)
        assert connection.close().result(WAIT_SEC) is None
        with connection:
            pass
        assert (connection.version, connection.host_name) == (HttpVersion.Http1_1, server.host)
        with pytest.raises(RuntimeError) as caught:
            connection.request(request())
        assert caught.value.name == "AWS_ERROR_HTTP_CONNECTION_CLOSED"


@pytest.mark.fault("R11")
def test_closing_http2_again_and_use_after_that():
    with http2.Http2Server() as server:
        connection = connect_http2(server)
        with connection:
            assert connection.is_open()
        assert connection.close().result(WAIT_SEC) is None
        connection.update_window(1)
        connection.send_goaway()
        with pytest.raises(RuntimeError):
            connection.request(request())


def test_with_block_closes():
    with http1.Http1Server() as server:
        with pytest.raises(ZeroDivisionError), connect(server) as connection:
            raise ZeroDivisionError
        assert connection.shutdown_future.result(WAIT_SEC) is None


def test_closing_fails_what_is_under_way():
    with Server(http1.scripted(http1.READ, http1.HANG)) as server:
        connection = connect(server)
        exchange = Exchange(connection)
        assert server.wait_for(lambda: server.connections)
        connection.close()
        assert exchange.error().name == "AWS_ERROR_HTTP_CONNECTION_CLOSED"
        assert connection.shutdown_future.result(WAIT_SEC) is None


def test_dropping_the_last_reference_closes():
    with http1.Http1Server() as server:
        connection = connect(server)
        shutdown = connection.shutdown_future
        alive = weakref.ref(connection)
        del connection
        assert alive() is None
        assert shutdown.result(WAIT_SEC) is None


@pytest.mark.fault("R13")
def test_connection_dropped_by_its_own_callback():
    with http1.Http1Server() as server:
        holder = [connect(server)]
        shutdown = holder[0].shutdown_future
        stream = holder[0].request(request(), lambda **_: holder.clear())
        stream.activate()
        future = stream.completion_future
        del stream
        assert future.result(WAIT_SEC) == 200
        assert shutdown.result(WAIT_SEC) is None


@pytest.mark.fault("R13")
def test_connection_dropped_when_its_future_is():
    # The future is done on a native thread, and with its callback goes the last reference.
    with http1.Http1Server() as server:
        shutdowns = []
        done = threading.Event()

        def on_connected(future):
            shutdowns.append(future.result().shutdown_future)
            done.set()

        HttpClientConnection.new(server.host, server.port, bootstrap()).add_done_callback(on_connected)
        assert done.wait(WAIT_SEC)
        assert shutdowns[0].result(WAIT_SEC) is None


@pytest.mark.fault("R18")
def test_connection_whose_future_was_cancelled_closes(unraisable):
    with unraisable() as stray, http1.Http1Server() as server:
        future = HttpClientConnection.new(server.host, server.port, bootstrap())
        cancelled = future.cancel()
        assert server.wait_for(lambda: server.connections == 1)
        if not cancelled:  # it was faster
            future.result(WAIT_SEC).close()
        del future
        assert not stray


@pytest.mark.fault("R18")
def test_failure_after_the_future_was_cancelled(unraisable):
    with unraisable() as stray:
        shared = bootstrap()
        future = HttpClientConnection.new("127.0.0.1", unused_port(), shared)
        future.cancel()
        event = shared.shutdown_event
        del shared
        assert event.wait(WAIT_SEC)
        assert not stray


@pytest.mark.fault("R04")
def test_server_that_closes_an_idle_connection():
    with Server(http1.scripted(http1.CLOSE)) as server:
        connection = connect(server)
        assert connection.shutdown_future.exception(WAIT_SEC).name == "AWS_IO_SOCKET_CLOSED"
        assert not connection.is_open()


@pytest.mark.fault("R12")
def test_storm_of_connections():
    with http1.Http1Server() as server:
        shared = bootstrap()
        failures = []

        def work():
            try:
                for _ in range(10):
                    connection = connect(server, bootstrap=shared)
                    Exchange(connection).done()
                    if _ % 2:
                        connection.close()
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(WAIT_SEC)
        assert not failures


def attempts():
    gc.collect()
    return sum(type(thing).__name__ == "_Attempt" for thing in gc.get_objects())


def test_what_native_code_held_goes_with_the_connection():
    before = attempts()
    with http1.Http1Server() as server:
        connect(server).close().result(WAIT_SEC)
        with pytest.raises(AwsCrtError):
            HttpClientConnection.new("127.0.0.1", unused_port(), bootstrap()).result(WAIT_SEC)
        HttpClientConnection.new("", 1, bootstrap()).exception(WAIT_SEC)
        assert server.wait_for(lambda: attempts() == before)


@pytest.mark.fault("R13")
def test_native_thread_keeps_its_locals_until_it_ends():
    class Local:
        pass

    local = threading.local()
    seen = []

    def on_response(**_):
        if not hasattr(local, "value"):
            local.value = Local()
            seen.append(weakref.ref(local.value))

    with http1.Http1Server() as server:
        shared = bootstrap()
        connection = connect(server, bootstrap=shared)
        for _ in range(20):
            connection.request(request(), on_response).activate()
        Exchange(connection).done()
        # The first call on a thread may not know yet whether there will be more.
        assert len(seen) <= 2
        assert seen[-1]() is not None
        del connection, shared
        assert server.wait_for(lambda: seen[-1]() is None)


# What callers do wrong.


def test_wrong_types():
    for new in (HttpClientConnection.new, Http2ClientConnection.new):
        for options in (
            {"host_name": 5},
            {"host_name": b"localhost"},
            {"port": "80"},
            {"port": None},
            {"bootstrap": 5},
            {"socket_options": 5},
            {"tls_connection_options": 5},
            {"proxy_options": 5},
            {"monitoring_options": 5},
            {"initial_window_size": "5"},
        ):
            with pytest.raises(TypeError):
                new(**{"host_name": "localhost", "port": 1, **options})
    with pytest.raises(TypeError):
        Http2ClientConnection.new("localhost", 1, on_remote_settings_changed=5)


@pytest.mark.parametrize(
    "options",
    [
        {"port": -1},
        {"port": 2**32},
        {"host_name": "local\nhost"},
        {"host_name": "localhost\0"},
        {"manual_window_management": True},
        {"initial_window_size": -1},
        {"read_buffer_capacity": -1},
        {"response_first_byte_timeout_ms": -1},
        {"response_first_byte_timeout_ms": 2**32},
    ],
)
def test_values_out_of_range(options):
    with pytest.raises(ValueError):
        HttpClientConnection.new(**{"host_name": "localhost", "port": 1, "bootstrap": bootstrap(), **options})


def test_values_that_native_code_refuses():
    for options in ({"host_name": ""}, {"port": 70_000}):
        future = HttpClientConnection.new(**{"host_name": "localhost", "port": 1, "bootstrap": bootstrap(), **options})
        assert isinstance(future.exception(WAIT_SEC), AwsCrtError)


def test_monitoring_options():
    options = HttpMonitoringOptions(10, 2)
    assert options.minimum_throughput_bytes_per_second == 10
    assert options.allowable_throughput_failure_interval_seconds == 2
    for numbers in ((0, 1), (1, 0), (-1, 1), (1, 2**32)):
        with pytest.raises(ValueError, match=r"minimum_throughput|allowable_throughput"):
            HttpMonitoringOptions(*numbers)
    with pytest.raises(TypeError):
        HttpMonitoringOptions("1", 1)
    options.minimum_throughput_bytes_per_second = 0
    with pytest.raises(ValueError, match="minimum_throughput"):
        HttpClientConnection.new("localhost", 1, monitoring_options=options)


def test_objects_without_a_connection():
    for attempt in (
        lambda: HttpClientConnection().is_open(),
        lambda: HttpClientConnection().close(),
        lambda: HttpClientConnection().request(request()),
        lambda: Http2ClientConnection().ping(),
    ):
        with pytest.raises((AttributeError, TypeError)):
            attempt()


def test_classes_are_public():
    for public in (HttpClientConnection, Http2ClientConnection, HttpConnectionBase, HttpProxyOptions, HttpVersion):
        assert public.__module__ == "awscrt.http"


# Fork, and the end of the interpreter.

PRELUDE = """
import os, signal, socket, sys, threading, time, io as pyio
from awscrt import http, io

def serve(answer):
    listener = socket.create_server(("127.0.0.1", 0))
    def run():
        while True:
            sock, _ = listener.accept()
            kept.append(sock)
            try:
                sock.recv(65536)
                sock.sendall(answer)
            except OSError:
                pass
    threading.Thread(target=run, daemon=True).start()
    return listener.getsockname()[1]

kept = []
answer = b"HTTP/1.1 200 OK\\r\\nContent-Length: 100000000\\r\\n\\r\\n" + b"x" * 1000000
port = serve(answer)
connection = http.HttpClientConnection.new("127.0.0.1", port).result(20)
began = threading.Event()
"""

STAGES = {
    "idle": "",
    "connecting": "future = http.HttpClientConnection.new('127.0.0.1', port)",
    "closing": "connection.close()",
    "never activated": "stream = connection.request(http.HttpRequest())",
    "in the middle of a body": """
stream = connection.request(http.HttpRequest(), on_body=lambda **_: began.set())
stream.activate()
assert began.wait(20)
""",
    "in a callback": """
def on_body(**_):
    began.set()
    time.sleep(0.3)
stream = connection.request(http.HttpRequest(), on_body=on_body)
stream.activate()
assert began.wait(20)
""",
    "in a callback that raises": """
def on_response(**_):
    began.set()
    time.sleep(0.1)
    raise ValueError
stream = connection.request(http.HttpRequest(), on_response)
stream.activate()
assert began.wait(20)
""",
    "sending a body": """
class Endless(pyio.RawIOBase):
    def readable(self):
        return True
    def readinto(self, buffer):
        began.set()
        return len(buffer)
headers = http.HttpHeaders([("Content-Length", str(10**12))])
stream = connection.request(http.HttpRequest("PUT", "/", headers, Endless()))
stream.activate()
assert began.wait(20)
""",
    "kept by the interpreter": """
stream = connection.request(http.HttpRequest())
stream.activate()
sys.keep = [connection, stream]
""",
    "in a circle": """
stream = connection.request(http.HttpRequest())
class Circle:
    pass
circle = Circle()
circle.itself = circle, connection, stream
""",
}


@pytest.mark.fault("R09")
@pytest.mark.parametrize("stage", STAGES)
def test_end_of_the_interpreter(run_python, stage):
    run_python(PRELUDE + STAGES[stage])


@pytest.mark.fault("R08")
def test_after_a_fork(run_python):
    run_python(
        PRELUDE
        + """
import warnings
warnings.simplefilter("ignore", DeprecationWarning)
message = http.HttpRequest("PUT", "/", None, pyio.BytesIO(b"x"))
stream = connection.request(message)
pid = os.fork()
if pid == 0:
    signal.alarm(20)
    for attempt in (connection.is_open, connection.close, stream.activate, stream.cancel,
                    lambda: connection.request(message), lambda: stream.update_window(1)):
        try:
            attempt()
        except RuntimeError as error:
            assert "forked" in str(error), error
        else:
            raise AssertionError(attempt)
    message.headers.add("a", "b")
    message.body_stream = None
    assert (message.method, list(message.headers)) == ("PUT", [("a", "b")])
    del connection, stream, message
    again = http.HttpClientConnection.new("127.0.0.1", port).result(20)
    again.close().result(20)
    os._exit(0)
assert os.waitpid(pid, 0)[1] == 0
assert connection.is_open()
""",
    )
