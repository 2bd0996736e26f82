"""Owns the tests of S3 transfers that go wrong: by the user's code, by the server, by the network."""

from __future__ import annotations

import gc
import io
import socket
import threading
import weakref
from concurrent.futures import TimeoutError as FutureTimeoutError

import pytest
from peers import tls
from peers.http1 import CLOSE, HANG, READ, RESET, Response, scripted
from peers.s3 import S3Server, failure, first
from peers.s3_transfers import (
    GET,
    KEY,
    MB,
    PUT,
    TIMEOUT_SEC,
    Seen,
    get_request,
    new_client,
    put_request,
    settled,
    transfer,
)
from peers.tcp import Server

from awscrt.auth import AwsCredentials, AwsCredentialsProvider
from awscrt.exceptions import AwsCrtError
from awscrt.io import ClientTlsContext, TlsContextOptions
from awscrt.s3 import S3RequestTlsMode, S3ResponseError, S3RetryConfig

DATA = bytes(range(256)) * 4096  # 1 MiB


class MineError(Exception):
    pass


def explode(*arguments, **keywords):
    raise MineError


@pytest.fixture
def server():
    with S3Server() as running:
        running.put(KEY, DATA)
        yield running
        assert not running.errors


def impatient_client(**options):
    return new_client(retry_config=S3RetryConfig(max_retries=1, backoff_scale_factor_ms=1), **options)


@pytest.mark.fault("R10")
@pytest.mark.parametrize("callback", ["on_headers", "on_body", "on_progress"])
def test_exception_of_a_callback_is_the_outcome(server, callback):
    seen, error = transfer(new_client(part_size=100_000), GET, get_request(server), **{callback: explode})
    assert type(error) is MineError
    assert seen.done["status_code"] in (None, 200)


@pytest.mark.fault("R10")
@pytest.mark.parametrize("callback", ["on_headers", "on_body", "on_progress"])
def test_exception_of_a_callback_is_the_last_call(server, callback):
    server.put(KEY, DATA * 4)
    calls = []

    def record(name):
        def call(*arguments, **keywords):
            calls.append(name)
            if name == callback:
                raise MineError

        return call

    callbacks = {name: record(name) for name in ("on_headers", "on_body", "on_progress")}
    transfer(new_client(part_size=50_000), GET, get_request(server), **callbacks)
    assert calls.index(callback) == len(calls) - 1


@pytest.mark.fault("R10")
def test_exception_of_on_done_has_nobody_to_go_to(server, unraisable):
    with unraisable() as caught:
        request = new_client().make_request(type=GET, request=get_request(server), on_done=explode)
        assert request.finished_future.result(TIMEOUT_SEC) is None
        ended = request.shutdown_event
        del request
        assert settled(ended)
        assert [type(error) for error in caught] == [MineError]


@pytest.mark.fault("R10")
@pytest.mark.parametrize("method", ["read", "readinto"])
@pytest.mark.parametrize("size", [100, 6 * MB])
def test_exception_of_a_stream_is_the_outcome(server, method, size):
    stream = type("Stream", (), {method: explode})()
    _, error = transfer(new_client(part_size=5 * MB), PUT, put_request(server, stream, length=size))
    assert type(error) is MineError
    assert not server.uploads


@pytest.mark.fault("R10")
def test_exception_of_an_earlier_transfer_is_not_the_outcome_of_another(server):
    class Stream(io.BytesIO):
        broken = True

        def readinto(self, view):
            if self.broken:
                raise MineError
            return super().readinto(view)

    stream = Stream(b"1234")
    request = put_request(server, stream, length=4)
    client = impatient_client()
    assert type(transfer(client, PUT, request)[1]) is MineError
    stream.broken = False
    server.interfere = lambda _: failure(403, "AccessDenied")
    assert type(transfer(client, PUT, request)[1]) is S3ResponseError


@pytest.mark.parametrize("given", [3, 7])
def test_stream_that_is_shorter_or_longer_than_said(server, given):
    _, error = transfer(new_client(), PUT, put_request(server, io.BytesIO(b"x" * given), length=5))
    assert (error is None) == (given > 5)
    if error is not None:
        assert isinstance(error, AwsCrtError)
    else:
        assert server.objects[KEY].data == b"xxxxx"


@pytest.mark.fault("R10")
@pytest.mark.parametrize("of", ["client", "request"])
@pytest.mark.parametrize("kind", [GET, PUT])
def test_exception_of_credentials_is_the_outcome(server, of, kind, unraisable):
    able = False

    def find():
        if not able:
            raise MineError
        return AwsCredentials("name", "secret")

    options = {"credential_provider": AwsCredentialsProvider.new_delegate(find)}
    client = impatient_client(**(options if of == "client" else {}))
    if of == "client":
        options.clear()

    def ask():
        return transfer(client, kind, get_request(server) if kind is GET else put_request(server, b"x"), **options)[1]

    with unraisable() as caught:
        assert type(ask()) is MineError
        assert not server.requests
        able = True
        assert ask() is None
        server.interfere = lambda request: failure(403, "AccessDenied")
        assert type(ask()) is S3ResponseError
        assert caught == []


@pytest.mark.fault("R18")
def test_cancelled_future_is_left_alone(server, unraisable):
    held = threading.Event()
    seen = Seen()

    def on_body(**kwargs):
        held.wait(TIMEOUT_SEC)

    with unraisable() as caught:
        request = new_client().make_request(
            type=GET, request=get_request(server), **{**seen.callbacks(), "on_body": on_body}
        )
        future, ended = request.finished_future, request.shutdown_event
        del request
        assert future.cancel()
        held.set()
        assert settled(ended)
        assert future.cancelled()
        assert seen.done["error"] is None
        assert caught == []


def test_cancel_at_once(server):
    request = new_client().make_request(type=GET, request=get_request(server))
    request.cancel()
    request.cancel()
    error = request.finished_future.exception(TIMEOUT_SEC)
    assert error is None or error.name == "AWS_ERROR_S3_CANCELED"


@pytest.mark.parametrize("callback", ["on_headers", "on_body", "on_progress"])
def test_cancel_from_a_callback(server, callback, tmp_path):
    made = threading.Event()
    requests = []

    def cancel(*arguments, **keywords):
        assert made.wait(TIMEOUT_SEC)
        requests[0].cancel()

    request = new_client(part_size=100_000).make_request(type=GET, request=get_request(server), **{callback: cancel})
    requests.append(request)
    made.set()
    error = request.finished_future.exception(TIMEOUT_SEC)
    assert error.name == "AWS_ERROR_S3_CANCELED"
    ended = request.shutdown_event
    requests.clear()
    del request
    assert settled(ended)


def test_cancel_of_an_upload_gives_its_parts_up(server):
    started = threading.Event()

    class Endless:
        def read(self, size):
            started.set()
            return b"x" * size

    client = new_client(part_size=5 * MB)
    request = client.make_request(type=PUT, request=put_request(server, Endless(), length=1000 * MB))
    assert started.wait(TIMEOUT_SEC)
    request.cancel()
    assert request.finished_future.exception(TIMEOUT_SEC).name == "AWS_ERROR_S3_CANCELED"
    assert not server.uploads


@pytest.mark.fault("R11")
def test_cancel_after_the_end(server):
    request = new_client().make_request(type=GET, request=get_request(server))
    request.finished_future.result(TIMEOUT_SEC)
    request.cancel()
    assert request.finished_future.result() is None


@pytest.mark.fault("R13")
def test_cycle_through_a_callback_ends_with_the_transfer(server):
    class Owner:
        def on_done(self, **kwargs):
            pass

    owner = Owner()
    owner.request = new_client().make_request(type=GET, request=get_request(server), on_done=owner.on_done)
    owner.request.finished_future.result(TIMEOUT_SEC)
    ended, gone = owner.request.shutdown_event, weakref.ref(owner)
    del owner
    gc.collect()
    assert settled(ended)
    gc.collect()
    assert gone() is None


@pytest.mark.fault("R13")
def test_last_reference_dropped_by_a_callback(server):
    holder = {}
    made = threading.Event()

    def on_done(**kwargs):
        assert made.wait(TIMEOUT_SEC)
        holder.clear()

    client = new_client()
    holder["request"] = client.make_request(type=GET, request=get_request(server), on_done=on_done)
    holder["client"] = client
    ended, over = holder["request"].shutdown_event, client.shutdown_event
    del client
    made.set()
    assert settled(ended)
    assert settled(over)


@pytest.mark.parametrize("answer", [(500, "InternalError"), (503, "SlowDown")])
@pytest.mark.parametrize("method", ["GET", "PUT", "POST"])
def test_server_that_fails_at_first(server, answer, method):
    server.interfere = first(2, method, lambda: failure(*answer))
    client = new_client(part_size=5 * MB)
    if method == "GET":
        seen, error = transfer(client, GET, get_request(server))
        assert seen.body == DATA
        assert seen.status == 200
    else:
        _, error = transfer(client, PUT, put_request(server, DATA * 6))
        assert server.objects[KEY].data == DATA * 6
    assert error is None


@pytest.mark.parametrize("status", [500, 503])
def test_server_that_keeps_failing(server, status):
    server.interfere = lambda request: failure(status, "InternalError")
    seen, error = transfer(impatient_client(), GET, get_request(server))
    assert isinstance(error, AwsCrtError)
    assert len(server.requests) == 2
    assert seen.chunks == []


CUT = b"HTTP/1.1 206 Partial\r\nContent-Length: 100\r\nContent-Range: bytes 0-99/100\r\nETag: x\r\n\r\n"


@pytest.mark.fault("R03", "R04")
@pytest.mark.parametrize(
    "steps",
    [
        (READ, CLOSE),
        (READ, RESET),
        (READ, b"HTTP/1.1 2", CLOSE),
        (READ, CUT + b"x" * 99, CLOSE),
        (READ, CUT + b"x" * 99, RESET),
        (READ, b"HTTP/1.1 206 OK\r\nContent-Length: -1\r\n\r\n"),
        (READ, b"HTTP/1.1 206 OK\r\nContent-Length: 99999999999999999999999\r\n\r\n"),
        (READ, b"HTTP/1.1 206 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n"),
        (READ, b"nonsense\r\n\r\n"),
    ],
    ids=repr,
)
def test_answer_that_is_cut_or_wrong(steps, tmp_path):
    with Server(scripted(*steps)) as peer:
        client = impatient_client()
        seen, error = transfer(client, GET, get_request(peer))
        assert isinstance(error, (AwsCrtError, BrokenPipeError))
        assert seen.chunks == []
        _, error = transfer(client, GET, get_request(peer), recv_filepath=str(tmp_path / "file"))
        assert isinstance(error, (AwsCrtError, BrokenPipeError))


@pytest.mark.fault("R04")
def test_answer_that_is_cut_once(server):
    server.interfere = first(
        2,
        "GET",
        lambda: Response(206, [("Content-Length", "900"), ("Content-Range", "bytes 0-899/900")], b"", close=True),
    )
    seen, error = transfer(new_client(part_size=100_000), GET, get_request(server))
    assert error is None
    assert seen.body == DATA


@pytest.mark.fault("R03")
def test_size_that_is_a_lie(server):
    lie = [("Content-Range", "bytes 0-9/99999999999999"), ("Content-Length", "10"), ("ETag", "x")]
    server.interfere = lambda request: Response(206, lie, b"0123456789")
    _, error = transfer(impatient_client(part_size=100_000), GET, get_request(server))
    assert isinstance(error, AwsCrtError)


@pytest.mark.fault("R05")
@pytest.mark.parametrize("steps", [(READ, HANG), (READ, CUT + b"x", HANG)], ids=["silent", "half"])
def test_server_that_never_answers(steps):
    with Server(scripted(*steps)) as peer:
        request = new_client().make_request(type=GET, request=get_request(peer))
        with pytest.raises(FutureTimeoutError):
            request.finished_future.result(0.3)
        request.cancel()
        assert request.finished_future.exception(5).name == "AWS_ERROR_S3_CANCELED"


@pytest.mark.fault("R05")
def test_connection_that_does_not_come_about():
    # A listener whose queue is full drops what asks to connect.
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        waiting = [socket.socket() for _ in range(3)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(address)
        client = impatient_client(connect_timeout_ms=100)
        peer = type("Peer", (), {"host": address[0], "port": address[1]})
        _, error = transfer(client, GET, get_request(peer))
        assert "TIMEOUT" in error.name
        for each in waiting:
            each.close()


@pytest.mark.fault("R12")
def test_host_that_does_not_exist():
    peer = type("Peer", (), {"host": "does-not-exist.invalid", "port": 80})
    _, error = transfer(impatient_client(), GET, get_request(peer))
    assert isinstance(error, AwsCrtError)


def test_nobody_listens():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        peer = type("Peer", (), {"host": "127.0.0.1", "port": unused.getsockname()[1]})
        _, error = transfer(impatient_client(), GET, get_request(peer))
        assert error.name == "AWS_IO_SOCKET_CONNECTION_REFUSED"


@pytest.fixture(scope="module")
def authority():
    return tls.Authority()


def tls_options(ca_pem):
    options = TlsContextOptions()
    if ca_pem is not None:
        options.override_default_trust_store(ca_pem)
    return ClientTlsContext(options).new_connection_options()


@pytest.mark.parametrize("mode", [None, S3RequestTlsMode.ENABLED])
def test_tls(authority, mode):
    with S3Server(tls=authority.issue("localhost").server_context()) as peer:
        peer.host = "localhost"
        peer.put(KEY, DATA)
        client = impatient_client(tls_mode=mode, tls_connection_options=tls_options(authority.ca_pem))
        seen, error = transfer(client, GET, get_request(peer))
        assert error is None
        assert seen.body == DATA


@pytest.mark.fault("R06", "R09")
@pytest.mark.parametrize("wrong", ["expired", "of another host", "of nobody known"])
def test_tls_of_a_server_not_to_trust(authority, wrong, run_python):
    certificate = authority.issue("localhost", expired=wrong == "expired")
    with S3Server(tls=certificate.server_context()) as peer:
        host = "127.0.0.1" if wrong == "of another host" else "localhost"
        ca_pem = None if wrong == "of nobody known" else authority.ca_pem
        # In a process of its own, which ends without waiting: s2n takes up to half a minute to say what it has found, so
        # that nobody learns anything from the time that it takes.
        run_python(
            f"""
            from awscrt.http import HttpHeaders, HttpRequest
            from awscrt.io import ClientTlsContext, TlsContextOptions
            from awscrt.s3 import S3Client, S3RequestType
            options = TlsContextOptions()
            if {ca_pem!r}:
                options.override_default_trust_store({ca_pem!r})
            client = S3Client(region="r", tls_connection_options=ClientTlsContext(options).new_connection_options())
            headers = HttpHeaders([("Host", "{host}:{peer.port}")])
            request = client.make_request(type=S3RequestType.GET_OBJECT, request=HttpRequest("GET", "/", headers))
            try:
                request.finished_future.result(1)
            except BaseException as error:
                assert "Timeout" in type(error).__name__, error
            else:
                raise SystemExit(1)
            """
        )
        assert peer.connections
        assert not peer.requests


def test_files_that_are_not_there(server, tmp_path):
    client = new_client()
    for options in [{"send_filepath": tmp_path / "none"}, {"recv_filepath": tmp_path / "none" / "file"}]:
        kind = PUT if "send_filepath" in options else GET
        request = put_request(server, None, length=1) if kind is PUT else get_request(server)
        with pytest.raises(AwsCrtError, match="AWS_ERROR_FILE_INVALID_PATH"):
            client.make_request(type=kind, request=request, **options)
    assert not server.requests


def test_file_that_is_cut_while_it_is_sent(server, tmp_path):
    file = tmp_path / "file"
    file.write_bytes(b"x" * 100)
    _, error = transfer(new_client(), PUT, put_request(server, None, length=200), send_filepath=str(file))
    assert isinstance(error, AwsCrtError)
    assert server.objects[KEY].data == DATA


def test_file_and_stream_exclude_one_another(server, tmp_path):
    (tmp_path / "file").write_bytes(b"x")
    with pytest.raises(AwsCrtError, match="AWS_ERROR_INVALID_ARGUMENT"):
        new_client().make_request(type=PUT, request=put_request(server, b"x"), send_filepath=str(tmp_path / "file"))
