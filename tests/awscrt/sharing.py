"""Owns scenarios of many threads at one object; `run` carries one out in an interpreter of its own."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import sys
import threading
import time
import warnings
from collections import Counter
from io import BytesIO

from awscrt import NativeResource, _test, auth, cbor, checksums, crypto, io
from awscrt.exceptions import AwsCrtError
from awscrt.http import HttpHeaders, HttpRequest

SECONDS = 1.0  # less, and one thread has ended before the next has begun
THREADS = 3
WAIT_SEC = 30.0


def together(*works, rounds=None, threads=THREADS):
    """Call each function over and over, with the number of the round, on each of so many threads, all at once.

    That lasts `rounds` rounds, or else SECONDS.
    """
    start = threading.Barrier(threads * len(works))
    failures = []

    def run(work):
        start.wait(WAIT_SEC)
        try:
            end = time.monotonic() + SECONDS
            for number in itertools.count() if rounds is None else range(rounds):
                if failures or (rounds is None and time.monotonic() > end):
                    return
                work(number)
        except BaseException as failure:
            failures.append(failure)

    crowd = [threading.Thread(target=run, args=[work], daemon=True) for work in works for _ in range(threads)]
    for thread in crowd:
        thread.start()
    for thread in crowd:
        thread.join(WAIT_SEC)
        assert not thread.is_alive(), "a thread hangs"
    for failure in failures:
        raise failure


def own_name(prefix="own"):
    return f"{prefix}-{threading.get_ident()}"


# --------------------------------------------------------------------------------------------- requests and headers


def headers():
    shared = HttpHeaders([("base", "0")])

    def mine(number):
        name = own_name()
        values = [str(number), str(number + 1)]
        shared.add_pairs([(name, value) for value in values])
        assert list(shared.get_values(name)) == values
        shared.remove_value(name, values[0])
        shared.set(name, "last")
        assert shared.get(name) == "last"
        shared.remove(name)
        assert shared.get(name) is None

    def all_of_them(number):
        for more in range(number, number + 5):
            shared.add("common", str(more))
        for name, value in shared:
            assert name.startswith(("own-", "base", "common")), name
            assert value.isdigit() or value == "last", value
        for more in range(number, number + 5):
            shared.remove_value("common", str(more))  # one of them, whoever added it

    together(mine, all_of_them)
    assert list(shared) == [("base", "0")]


def requests():
    fields = HttpHeaders([("Host", "localhost")])
    shared = HttpRequest("GET", "/a", fields)
    provider = auth.AwsCredentialsProvider.new_static("key", "secret")
    config = auth.AwsSigningConfig(credentials_provider=provider, region="us-east-1", service="test")
    bodies = [None, b"body", b"another body"]

    def change(number):
        shared.path = "/" + "ab"[number % 2] * (number % 100 + 1)
        shared.method = ["GET", "PROPFIND"][number % 2]
        body = bodies[number % 3]
        shared.body_stream = None if body is None else BytesIO(body)

    def read(number):
        assert shared.method in {"GET", "PROPFIND"}
        assert len(set(shared.path.partition("?")[0])) <= 2, shared.path
        fields.set("number", str(number))

    def sign(number):
        auth.aws_sign_request(shared, config).exception(WAIT_SEC)
        assert fields.get("Authorization", "AWS4").startswith("AWS4")
        if number % 4 == 0:
            fields.clear()
            fields.set("Host", "localhost")

    together(change, read, sign)


# ------------------------------------------------------------------------------------------------- digests and keys


def digests():
    digest, code, sum_of_all = (
        crypto.Hash.sha256_new(),
        crypto.HMAC.sha256_hmac_new(b"secret"),
        checksums.XXHash.new_xxhash64(),
    )
    fed = Counter()

    def feed(number):
        piece = b"x" * (1 + number % 7) if number % 5 else b"x" * 10_000
        for name, update in (("digest", digest.update), ("code", code.update), ("sum", sum_of_all.update)):
            try:
                update(piece)
            except RuntimeError as refused:
                if "another thread" not in str(refused):
                    raise
            else:
                with lock:
                    fed[name] += len(piece)

    lock = threading.Lock()
    together(feed, threads=2 * THREADS)
    for name, got, fresh in (
        ("digest", digest.digest(), crypto.Hash.sha256_new()),
        ("code", code.digest(), crypto.HMAC.sha256_hmac_new(b"secret")),
        ("sum", sum_of_all.finalize(), checksums.XXHash.new_xxhash64()),
    ):
        fresh.update(b"x" * fed[name])
        assert got == (fresh.finalize() if name == "sum" else fresh.digest()), name


def keys():
    shared = crypto.EC.new_generate(crypto.ECType.P_256)
    exported = shared.export_key(crypto.ECExportFormat.PKCS8)
    changing = bytearray(100_000)

    def use(number):
        digest = crypto.Hash.sha256_new()
        digest.update(str(number))
        value = digest.digest()
        assert shared.verify(value, shared.sign(value))
        assert shared.export_key(crypto.ECExportFormat.PKCS8) == exported

    def sums(number):
        changing[number % len(changing)] ^= 1
        checksums.crc32(changing)
        checksums.XXHash.compute_xxhash64(changing)

    together(use, sums, threads=2)


# ------------------------------------------------------------------------------------------------------------ CBOR


def _items():
    return [number if number % 3 else [number, "text " * 5, {"key": [b"bytes", None, 1.5]}] for number in range(2000)]


def encoders():
    shared = cbor.AwsCborEncoder()
    values = [["a"] * 20, {str(number): [number, "b" * number] for number in range(30)}, -1, "text" * 50, b"x" * 300]
    changing_list, changing_dict = [1, 2], {"a": 1}
    written = 0
    lock = threading.Lock()

    def write(number):
        nonlocal written
        shared.write_data_item(values[number % len(values)])
        shared.write_int(number)
        with lock:
            written += 2

    def change(number):
        texts = [str(number + more) for more in range(50 + number % 50)]
        changing_list[:] = texts
        changing_dict.clear()
        changing_dict.update(zip(texts, map(str, texts)))

    def write_what_changes(number):
        for value in (changing_list, changing_dict):
            own = cbor.AwsCborEncoder()
            own.write_data_item(value)
            decoder = cbor.AwsCborDecoder(own.get_encoded_data())
            assert type(decoder.pop_next_data_item()) is type(value)
            assert decoder.get_remaining_bytes_len() == 0
        len(shared.get_encoded_data())

    together(write, change, write_what_changes, rounds=500)
    decoder = cbor.AwsCborDecoder(shared.get_encoded_data())
    for _ in range(written):
        item = decoder.pop_next_data_item()
        assert item in values or type(item) is int, item
    assert decoder.get_remaining_bytes_len() == 0


def decoders():
    encoder = cbor.AwsCborEncoder()
    for item in _items():
        encoder.write_data_item(item)
    encoded = encoder.get_encoded_data()
    times = cbor.AwsCborEncoder()
    for number in range(50):
        times.write_epoch_time(number)
    shared = cbor.AwsCborDecoder(b"")
    called_back = cbor.AwsCborDecoder(b"", lambda seconds: (called_back.get_remaining_bytes_len(), seconds))

    def popped(_):
        taken = []
        while True:
            try:
                taken.append(shared.pop_next_data_item())
            except AwsCrtError:  # the end
                assert shared.get_remaining_bytes_len() == 0
                with lock:
                    everything.extend(taken)
                return

    def replace(number):
        called_back.reset_src(bytes(bytearray(times.get_encoded_data()[9 * (number % 2) :])))

    def call_back(_):
        # Where one item ends and the next begins is nobody's business here.
        with contextlib.suppress(AwsCrtError, ValueError):
            called_back.pop_next_data_item()
        assert len(called_back.get_remaining_bytes()) <= len(times.get_encoded_data())

    lock = threading.Lock()
    for _ in range(30):
        everything = []
        shared.reset_src(encoded)
        together(popped, rounds=1, threads=2 * THREADS)
        assert sorted(map(repr, everything)) == sorted(map(repr, _items()))
    together(replace, call_back)


# ------------------------------------------------------------------------------------------- what connections share


def defaults():
    owners = (io.EventLoopGroup, io.DefaultHostResolver, io.ClientBootstrap)

    def ask(_):
        for owner in owners:
            assert isinstance(owner.get_or_create_static_default(), owner)

    def release(number):
        owners[number % 3].release_static_default()

    for owner in owners:
        found = []
        together(lambda _, owner=owner, found=found: found.append(owner.get_or_create_static_default()), rounds=20)
        assert len(set(map(id, found))) == 1
    together(ask, release, rounds=20)


def credentials():
    made = []

    def get_credentials():
        made.append(auth.AwsCredentials("key", "secret", f"token-{len(made)}"))
        if len(made) % 7 == 0:
            raise ValueError("the delegate's")
        return made[-1]

    delegate = auth.AwsCredentialsProvider.new_delegate(get_credentials)
    chain = auth.AwsCredentialsProvider.new_chain([delegate])
    context = io.ClientTlsContext(io.TlsContextOptions())

    def ask(number):
        provider = (delegate, chain)[number % 2]
        future = provider.get_credentials()
        error = future.exception(WAIT_SEC)
        assert error is None or isinstance(error, ValueError), error
        if error is None:
            assert future.result().session_token.startswith("token-")

    def build(_):
        auth.AwsCredentialsProvider.new_sts(
            source=delegate, role_arn="arn:aws:iam::1:role/r", session_name="session", tls_ctx=context
        )

    together(ask, threads=2 * THREADS)
    together(ask, build, rounds=5)


def drops():
    """Objects that one thread makes and any other drops."""
    makers = (
        HttpHeaders,
        cbor.AwsCborEncoder,
        HttpRequest,
        crypto.Hash.sha256_new,
        lambda: io.InputStream(BytesIO(b"body")),
    )
    places = [None] * 4

    def swap(number):
        places[number % 4] = makers[number % len(makers)]()
        kept = places[(number + 1) % 4]
        if isinstance(kept, HttpRequest):
            kept.body_stream = BytesIO(b"body")

    together(swap)


def forks():
    """A child of a process whose other threads are at work, and its objects."""
    warnings.filterwarnings("ignore", message=".*fork", category=DeprecationWarning)
    shared = HttpHeaders([("base", "0")])
    encoder, decoder = cbor.AwsCborEncoder(), cbor.AwsCborDecoder(b"")
    key = crypto.EC.new_generate(crypto.ECType.P_256)
    over = threading.Event()

    def busy(_):
        while not over.is_set():
            shared.set("busy", "x" * 100)
            shared.get("busy")
            encoder.reset()
            encoder.write_data_item([1, "two", {"three": 4}])
            decoder.reset_src(encoder.get_encoded_data())
            key.sign(b"x" * 32)

    def fork(_):
        try:
            for _ in range(30):
                pid = os.fork()
                if pid == 0:
                    signal.alarm(20)  # a hang ends the child by SIGALRM
                    shared.set("child", "here")
                    encoder.reset()
                    encoder.write_data_item([1, "two"])
                    decoder.reset_src(encoder.get_encoded_data())
                    good = decoder.pop_next_data_item() == [1, "two"] and shared.get("base") == "0"
                    os._exit(0 if good and key.verify(b"x" * 32, key.sign(b"x" * 32)) else 1)
                assert os.waitpid(pid, 0)[1] == 0
        finally:
            over.set()

    threading.Thread(target=fork, args=[0], daemon=True).start()
    together(busy, rounds=1)


def run(scenario):
    sys.setswitchinterval(1e-5)
    NativeResource._track_lifetime = True
    scenario()
    _test.check_for_leaks()
    if hasattr(sys, "_is_gil_enabled") and "PYTHON_GIL" in os.environ:
        assert not sys._is_gil_enabled()
