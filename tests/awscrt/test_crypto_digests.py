"""Hashes and HMAC: against Python's own, in pieces, on threads and across a fork."""

from __future__ import annotations

import array
import hashlib
import hmac
import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from awscrt.crypto import HMAC, Hash

HASHES = {"sha1": Hash.sha1_new, "sha256": Hash.sha256_new, "md5": Hash.md5_new}
each_hash = pytest.mark.parametrize("name", HASHES)
# A digest of each class, to be fed.
DIGESTS = {**HASHES, "hmac": lambda: HMAC.sha256_hmac_new(b"key")}
each_digest = pytest.mark.parametrize("name", DIGESTS)


pieces = st.lists(st.binary(max_size=300) | st.binary(min_size=1, max_size=9).map(lambda b: b * 1000), max_size=5)


def reference(name, data):
    return hmac.new(b"key", data, "sha256").digest() if name == "hmac" else hashlib.new(name, data).digest()


@each_digest
@settings(max_examples=60, deadline=None)
@given(pieces=pieces)
def test_agrees_with_the_standard_library(name, pieces):
    digest = DIGESTS[name]()
    for piece in pieces:
        assert digest.update(piece) is None
    assert digest.digest() == reference(name, b"".join(pieces))


@settings(max_examples=60, deadline=None)
@given(key=st.binary(max_size=300), data=st.binary(max_size=300))
def test_hmac_with_keys_of_any_length(key, data):
    ours = HMAC.sha256_hmac_new(key)
    ours.update(data)
    assert ours.digest() == hmac.new(key, data, "sha256").digest()


@each_digest
@pytest.mark.parametrize("length", [4095, 4096, 4097, 100_000])
def test_where_the_gil_begins_to_be_released(name, length):
    data = bytes(length // 256 + 1) + bytes(range(256)) * (length // 256)
    digest = DIGESTS[name]()
    digest.update(memoryview(data)[:length])
    assert digest.digest() == reference(name, data[:length])


@each_digest
def test_any_contiguous_buffer_and_text(name):
    for piece in (
        "é",
        "é".encode(),
        bytearray("é".encode()),
        array.array("B", "é".encode()),
        memoryview(b"x\xc3\xa9")[1:],
    ):
        digest = DIGESTS[name]()
        digest.update(piece)
        assert digest.digest() == reference(name, "é".encode())
    assert HMAC.sha256_hmac_new("é").digest() == hmac.new("é".encode(), b"", "sha256").digest()
    assert HMAC.sha256_hmac_new(bytearray(b"k")).digest() == hmac.new(b"k", b"", "sha256").digest()


@each_digest
def test_truncated(name):
    whole = reference(name, b"")
    for length in (1, 10, len(whole) - 1, len(whole)):
        assert DIGESTS[name]().digest(truncate_to=length) == whole[:length]
    for everything in (0, len(whole) + 1, 10**6):
        assert DIGESTS[name]().digest(everything) == whole


@pytest.mark.fault("R11")
@each_digest
def test_after_the_digest_is_taken(name):
    digest = DIGESTS[name]()
    digest.digest()
    for use in (digest.digest, lambda: digest.update(b"more")):
        with pytest.raises(RuntimeError, match="AWS_ERROR_INVALID_STATE"):
            use()


@each_digest
def test_wrong_arguments(name):
    digest = DIGESTS[name]()
    for wrong in (None, 3, [1]):
        with pytest.raises(TypeError):
            digest.update(wrong)
        with pytest.raises(TypeError):
            HMAC.sha256_hmac_new(wrong)
    with pytest.raises(UnicodeEncodeError):
        digest.update("\ud800")
    with pytest.raises(BufferError):
        digest.update(memoryview(b"abcd")[::2])
    for wrong in (None, 1.0, "1"):
        with pytest.raises(TypeError):
            digest.digest(wrong)
    for wrong in (-1, 2**64):
        with pytest.raises(OverflowError):
            digest.digest(wrong)
    digest.update(b"unharmed")
    assert digest.digest() == reference(name, b"unharmed")


@pytest.mark.parametrize("wrong", [None, 3, object()])
def test_without_a_native_object(wrong):
    for kind in (Hash, HMAC):
        with pytest.raises(TypeError, match=kind.__name__):
            kind(wrong).update(b"")
        with pytest.raises(TypeError, match=kind.__name__):
            kind(wrong).digest()
    with pytest.raises(TypeError, match="HMAC"):
        HMAC(Hash.md5_new()._hash).digest()


def test_no_key_in_what_is_shown():
    secret = b"0123456789abcdef-secret"
    shown = repr(HMAC.sha256_hmac_new(secret)) + repr(vars(HMAC.sha256_hmac_new(secret)))
    assert "secret" not in shown
    assert secret.hex() not in shown


@pytest.mark.fault("R12")
@each_digest
def test_one_thread_at_a_time(zeros_in_no_memory, name):
    with zeros_in_no_memory(1 << 27) as zeros:
        digest = DIGESTS[name]()
        thread = threading.Thread(target=digest.update, args=(zeros,))
        thread.start()
        refused = 0
        while thread.is_alive():
            try:
                digest.update(b"")
            except RuntimeError as error:
                refused += "another thread" in str(error)
            time.sleep(0.001)
        thread.join()
        assert refused >= 5  # so the GIL was free meanwhile
        assert digest.digest() == reference(name, zeros[:])


@pytest.mark.fault("R12")
def test_many_threads_with_digests_of_their_own():
    data = bytes(range(256)) * 256
    wrong = []

    def work():
        for _ in range(50):
            for name, new in DIGESTS.items():
                digest = new()
                digest.update(data)
                if digest.digest() != reference(name, data):
                    wrong.append(name)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@pytest.mark.fault("R08")
def test_a_forked_child_goes_on_where_the_parent_was(run_python):
    run_python(
        """
        import hashlib, hmac, os
        from awscrt.checksums import XXHash
        from awscrt.crypto import HMAC, Hash
        digests = [Hash.sha256_new(), HMAC.sha256_hmac_new("key")]
        streaming = XXHash.new_xxhash64()
        for digest in [*digests, streaming]:
            digest.update(b"before ")
        child = os.fork()
        for digest in [*digests, streaming]:
            digest.update(b"after")
        data = b"before after"
        assert digests[0].digest() == hashlib.sha256(data).digest()
        assert digests[1].digest() == hmac.new(b"key", data, "sha256").digest()
        assert streaming.finalize() == XXHash.compute_xxhash64(data)
        if child:
            assert os.waitpid(child, 0)[1] == 0
        """
    )


@pytest.mark.fault("R08")
def test_a_child_forked_in_the_middle_of_an_update_gets_an_error_and_no_hang(run_python):
    run_python(
        """
        import mmap, os, signal, threading, time, warnings
        warnings.simplefilter("ignore", DeprecationWarning)
        from awscrt.crypto import Hash
        digest = Hash.md5_new()
        thread = threading.Thread(target=digest.update, args=(mmap.mmap(-1, 1 << 28, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS),))
        thread.start()
        while True:
            try:
                digest.update(b"")
            except RuntimeError:
                break
        child = os.fork()
        if child == 0:
            signal.alarm(10)
            for use in (lambda: digest.update(b""), digest.digest):
                try:
                    use()
                except RuntimeError as error:
                    assert "another thread" in str(error)
                else:
                    os._exit(1)
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        thread.join()
        assert len(digest.digest()) == 16
        """
    )


@pytest.mark.fault("R17")
def test_failed_allocation_is_a_memory_error(run_python):
    run_python(
        """
        import hashlib, resource
        from awscrt.crypto import HMAC, Hash, RSA
        text = "\\u00e9" * (100 << 20)  # twice as long in UTF-8
        pem = b"\\n" * (8 << 20)
        digest = Hash.sha256_new()
        with open("/proc/self/statm") as statm:
            used = int(statm.read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + (64 << 20), resource.RLIM_INFINITY))
        for use in (digest.update, HMAC.sha256_hmac_new, RSA.new_private_key_from_pem_data):
            try:
                use(text)
            except MemoryError:
                pass
            else:
                raise SystemExit("there was memory")
        try:
            RSA.new_private_key_from_pem_data(pem)
        except MemoryError:
            pass
        else:
            raise SystemExit("there was memory")
        assert digest.digest() == hashlib.sha256().digest()
        """
    )
