"""Owns the tests of input streams, read as native code reads them: through the functions of `aws_input_stream`."""

from __future__ import annotations

import ctypes
import gc
import io
import tempfile
import threading
import weakref
from typing import TYPE_CHECKING, Any

import pytest

from awscrt.io import InputStream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

CHUNK = 4
BEGIN, END = 0, 2


class ByteBuf(ctypes.Structure):
    """`struct aws_byte_buf` of aws/common/byte_buf.h."""

    _fields_ = (
        ("len", ctypes.c_size_t),
        ("buffer", ctypes.c_void_p),
        ("capacity", ctypes.c_size_t),
        ("allocator", ctypes.c_void_p),
    )


class Status(ctypes.Structure):
    """`struct aws_stream_status` of aws/io/stream.h."""

    _fields_ = (("is_end_of_stream", ctypes.c_bool), ("is_valid", ctypes.c_bool))


class Vtable(ctypes.Structure):
    """`struct aws_input_stream_vtable` of aws/io/stream.h."""

    _fields_ = (
        ("seek", ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int)),
        ("read", ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.POINTER(ByteBuf))),
        ("get_status", ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.POINTER(Status))),
        ("get_length", ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.POINTER(ctypes.c_int64))),
        ("acquire", ctypes.CFUNCTYPE(None, ctypes.c_void_p)),
        ("release", ctypes.CFUNCTYPE(None, ctypes.c_void_p)),
    )


class NativeStream(ctypes.Structure):
    """The beginning of `struct aws_input_stream` of aws/io/stream.h."""

    _fields_ = (("impl", ctypes.c_void_p), ("vtable", ctypes.POINTER(Vtable)))


class Reader:
    """What a native user does: acquires the stream, calls its functions without the GIL, releases it."""

    def __init__(self, stream: InputStream) -> None:
        get = ctypes.pythonapi.PyCapsule_GetPointer
        get.restype, get.argtypes = ctypes.c_void_p, (ctypes.py_object, ctypes.c_char_p)
        self.address = get(stream._binding, b"InputStream")
        self.vtable = NativeStream.from_address(self.address).vtable.contents
        self.vtable.acquire(self.address)

    def release(self) -> None:
        self.vtable.release(self.address)

    def read(self, size: int) -> bytes | None:
        """The bytes of one read; None for a failure."""
        memory = ctypes.create_string_buffer(size)
        buffer = ByteBuf(0, ctypes.addressof(memory), size, None)
        failed = self.vtable.read(self.address, ctypes.byref(buffer))
        assert buffer.len <= size
        return None if failed else memory.raw[: buffer.len]

    def read_all(self, size: int = CHUNK) -> bytes:
        parts = []
        for _ in range(100_000):
            part = self.read(size)
            assert part is not None
            parts.append(part)
            if self.at_end():
                return b"".join(parts)
        raise AssertionError("endless")

    def seek(self, offset: int, basis: int = BEGIN) -> bool:
        return not self.vtable.seek(self.address, offset, basis)

    def length(self) -> int | None:
        length = ctypes.c_int64(-1)
        failed = self.vtable.get_length(self.address, ctypes.byref(length))
        return None if failed else length.value

    def at_end(self) -> bool:
        status = Status()
        assert self.vtable.get_status(self.address, ctypes.byref(status)) == 0
        assert status.is_valid
        return bool(status.is_end_of_stream)


@pytest.fixture
def reader_of() -> Iterator[Callable[[Any], Reader]]:
    readers = []

    def make(source: Any) -> Reader:
        readers.append(Reader(InputStream(source)))
        return readers[-1]

    yield make
    for reader in readers:
        reader.release()


class ReadOnly:
    """Knows nothing but read(size)."""

    def __init__(self, data: bytes) -> None:
        self._inner = io.BytesIO(data)

    def read(self, size: int) -> bytes:
        return self._inner.read(size)


class OneArgumentSeek(ReadOnly):
    def seek(self, offset: int) -> None:
        self._inner.seek(offset)


DATA = bytes(range(256)) * 5


@pytest.mark.parametrize("size", [1, CHUNK, 999, 5000])
@pytest.mark.parametrize("kind", [io.BytesIO, ReadOnly, lambda data: io.BufferedReader(io.BytesIO(data))])
def test_reads_all_in_order(reader_of: Callable[[Any], Reader], kind: Callable[[bytes], Any], size: int) -> None:
    assert reader_of(kind(DATA)).read_all(size) == DATA


def test_reads_a_file_and_an_unbuffered_one(reader_of: Callable[[Any], Reader], tmp_path: Path) -> None:
    path = tmp_path / "data"
    path.write_bytes(DATA)
    for buffering in (-1, 0):
        with path.open("rb", buffering=buffering) as file:
            assert reader_of(file).read_all() == DATA
    with tempfile.SpooledTemporaryFile() as spooled:
        spooled.write(DATA)
        spooled.seek(0)
        assert reader_of(spooled).read_all() == DATA


def test_readinto_gets_native_memory_itself(reader_of: Callable[[Any], Reader]) -> None:
    seen: list[tuple[int, bool]] = []

    class Stream:
        def readinto(self, view: memoryview) -> int:
            seen.append((len(view), view.readonly))
            address = ctypes.addressof(ctypes.c_char.from_buffer(view))
            ctypes.memset(address, ord("x"), 3)
            return 3

        def read(self, size: int) -> bytes:
            raise AssertionError("readinto is the way without a copy")

    assert reader_of(Stream()).read(8) == b"xxx"
    assert seen == [(8, False)]


def test_native_memory_is_out_of_reach_after_the_read(reader_of: Callable[[Any], Reader]) -> None:
    kept: list[memoryview] = []

    class Hoarder:
        def readinto(self, view: memoryview) -> int:
            kept.append(view)
            view[:2] = b"ab"
            return 2

    assert reader_of(Hoarder()).read(4) == b"ab"
    with pytest.raises(ValueError, match="released"):
        kept[0][0] = 0


def test_nothing_at_the_moment_is_not_the_end(reader_of: Callable[[Any], Reader]) -> None:
    answers = [None, b"ab", None, b""]

    class Slow:
        def read(self, size: int) -> bytes | None:
            return answers.pop(0)

    reader = reader_of(Slow())
    seen = [(reader.read(CHUNK), reader.at_end()) for _ in range(4)]
    assert seen == [(b"", False), (b"ab", False), (b"", False), (b"", True)]


@pytest.mark.parametrize("kind", [io.BytesIO, OneArgumentSeek])
def test_seek_to_the_beginning(reader_of: Callable[[Any], Reader], kind: Callable[[bytes], Any]) -> None:
    reader = reader_of(kind(DATA))
    assert reader.read_all() == DATA
    assert reader.seek(0)
    assert not reader.at_end()
    assert reader.read_all() == DATA
    assert reader.seek(1000)
    assert reader.read_all() == DATA[1000:]


def test_seek_from_the_end_and_length(reader_of: Callable[[Any], Reader]) -> None:
    reader = reader_of(io.BytesIO(DATA))
    assert reader.read(10) == DATA[:10]
    assert reader.length() == len(DATA)
    assert reader.read(10) == DATA[10:20]
    assert reader.seek(-3, END)
    assert reader.read(10) == DATA[-3:]


class BrokenError(Exception):
    """Not one of Python's own."""


class Failing:
    def read(self, size: int) -> bytes:
        raise BrokenError("read")

    def seek(self, offset: int, whence: int = 0) -> int:
        raise BrokenError("seek")

    def tell(self) -> int:
        raise BrokenError("tell")


@pytest.mark.fault("R10")
@pytest.mark.parametrize(
    ("act", "said"),
    [
        (lambda reader: reader.read(CHUNK), "read"),
        (lambda reader: reader.seek(0) or None, "seek"),
        (lambda reader: reader.length(), "tell"),
    ],
)
def test_exception_waits_for_the_operation_as_itself(act: Callable[[Reader], object], said: str) -> None:
    stream = InputStream(Failing())
    reader = Reader(stream)
    assert act(reader) is None
    failure = stream._exception
    assert isinstance(failure, BrokenError)
    assert failure.args == (said,)
    assert failure.__traceback__ is not None
    reader.release()


@pytest.mark.fault("R10")
def test_the_end_of_the_program_asked_for_in_a_stream_is_kept_too() -> None:
    class Interrupted:
        def read(self, size: int) -> bytes:
            raise KeyboardInterrupt

    stream = InputStream(Interrupted())
    reader = Reader(stream)
    assert reader.read(CHUNK) is None
    assert isinstance(stream._exception, KeyboardInterrupt)
    reader.release()


@pytest.mark.parametrize(
    ("source", "error", "said"),
    [
        (type("Text", (), {"read": lambda self, size: "text"})(), TypeError, "bytes-like"),
        (
            type("TooMuch", (), {"read": lambda self, size: b"x" * (size + 1)})(),
            ValueError,
            "read(4) of TooMuch returned 5",
        ),
        (type("Liar", (), {"readinto": lambda self, view: len(view) + 1})(), ValueError, "returned 5 for 4 bytes"),
        (type("Negative", (), {"readinto": lambda self, view: -1})(), ValueError, "returned -1"),
        (type("Word", (), {"readinto": lambda self, view: "1"})(), TypeError, "int"),
        (type("Huge", (), {"readinto": lambda self, view: 2**70})(), OverflowError, ""),
    ],
)
def test_a_stream_that_breaks_the_rules_is_an_error(source: object, error: type[Exception], said: str) -> None:
    stream = InputStream(source)
    reader = Reader(stream)
    assert reader.read(CHUNK) is None
    assert isinstance(stream._exception, error)
    assert said in str(stream._exception)
    reader.release()


def test_a_stream_that_cannot_seek() -> None:
    stream = InputStream(ReadOnly(DATA))
    reader = Reader(stream)
    assert reader.read(3) == DATA[:3]
    assert not reader.seek(0)
    assert isinstance(stream._exception, AttributeError)
    assert reader.length() is None
    assert reader.read(3) == DATA[3:6], "asking in vain moves nothing"
    reader.release()


@pytest.mark.fault("R11")
def test_closed_stream_is_an_error() -> None:
    source = io.BytesIO(DATA)
    stream = InputStream(source)
    source.close()
    reader = Reader(stream)
    assert reader.read(CHUNK) is None
    assert isinstance(stream._exception, ValueError)
    reader.release()


def test_native_user_keeps_the_python_stream_alive() -> None:
    source = io.BufferedReader(io.BytesIO(DATA))
    alive = weakref.ref(source)
    reader = Reader(InputStream(source))
    del source
    gc.collect()
    assert alive() is not None
    assert reader.read_all() == DATA
    reader.release()
    gc.collect()
    assert alive() is None


@pytest.mark.fault("R13")
def test_cycle_through_a_stream_is_freed() -> None:
    """Also one through an exception, whose traceback holds the frame that holds the stream."""

    class Source(Failing):
        wrapped: InputStream

    source = Source()
    source.wrapped = InputStream(source)
    reader = Reader(source.wrapped)
    assert reader.read(CHUNK) is None
    gone = weakref.ref(source)
    del source
    gc.collect()
    assert gone() is not None, "a native user still has it"
    reader.release()
    gc.collect()
    assert gone() is None


@pytest.mark.fault("R13")
def test_last_reference_dropped_on_a_native_thread(make_elsewhere: Callable[[Callable[[], Reader]], Reader]) -> None:
    freed_on: list[int] = []

    def make() -> Reader:
        source = io.BufferedReader(io.BytesIO(DATA))
        weakref.finalize(source, lambda: freed_on.append(threading.get_native_id()))
        return Reader(InputStream(source))

    reader = make_elsewhere(make)
    gc.collect()
    assert not freed_on
    libc = ctypes.CDLL(None)
    thread = ctypes.c_ulong()
    release = ctypes.cast(reader.vtable.release, ctypes.c_void_p)
    assert libc.pthread_create(ctypes.byref(thread), None, release, ctypes.c_void_p(reader.address)) == 0
    assert libc.pthread_join(thread, None) == 0
    assert len(freed_on) == 1
    assert freed_on[0] != threading.get_native_id()


@pytest.mark.fault("R12")
def test_many_streams_on_many_threads() -> None:
    failures: list[BaseException] = []

    def work() -> None:
        try:
            for _ in range(50):
                stream = InputStream(ReadOnly(DATA))
                reader = Reader(stream)
                assert reader.read_all(64) == DATA
                del stream
                reader.release()
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


@pytest.mark.parametrize("source", [None, 5, object(), "text", b"bytes", io.StringIO("text")])
def test_refuses_what_is_no_binary_stream(source: object) -> None:
    with pytest.raises(TypeError, match=type(source).__name__):
        InputStream(source)


def test_wrap() -> None:
    source = io.BytesIO(DATA)
    stream = InputStream.wrap(source)
    assert isinstance(stream, InputStream)
    assert InputStream.wrap(stream) is stream
    assert InputStream.wrap(None, allow_none=True) is None
    with pytest.raises(TypeError):
        InputStream.wrap(None)
