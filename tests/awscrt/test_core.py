"""The base of the package: version, native objects and their lifetime, callbacks, memory, environment variables."""

from __future__ import annotations

import array
import functools
import gc
import mmap
import re
import sys
import threading
import weakref

import pytest

import awscrt
from awscrt import _awscrt, checksums
from awscrt.common import join_all_native_threads
from awscrt.io import ClientBootstrap, ClientTlsContext, DefaultHostResolver, EventLoopGroup, TlsContextOptions


def test_version_is_plain():
    assert re.fullmatch(r"\d+\.\d+\.\d+", awscrt.__version__)


def test_import_is_cheap(run_python):
    done = run_python(
        """
        import sys
        before = set(sys.modules)
        import awscrt, threading
        new = {name.split(".")[0] for name in set(sys.modules) - before}
        assert not new & {"asyncio", "concurrent", "logging", "socket", "ssl", "subprocess", "typing"}, new
        assert threading.active_count() == 1
        from awscrt import _test
        print(len(__import__("os").listdir("/proc/self/task")) if sys.platform == "linux" else 1)
        """,
    )
    assert done.stdout == "1\n"


def test_imported_again(run_python):
    run_python(
        """
        import sys
        import awscrt.io
        group = awscrt.io.EventLoopGroup(1)
        for name in [name for name in sys.modules if name.startswith("awscrt")]:
            del sys.modules[name]
        import awscrt.io
        awscrt.io.DefaultHostResolver(awscrt.io.EventLoopGroup(1))
        del group
        """,
    )


@pytest.mark.fault("R14")
def test_sub_interpreter_is_refused_in_plain_words(run_python):
    done = run_python(
        """
        try:
            import _interpreters as interpreters
        except ImportError:
            import _xxsubinterpreters as interpreters
        code = '''
        try:
            import awscrt
        except ImportError as error:
            assert "sub-interpreter" in str(error), error
        else:
            raise AssertionError("it was imported")
        '''
        import textwrap

        def attempt():
            number = interpreters.create()
            try:
                failure = interpreters.run_string(number, textwrap.dedent(code))
            finally:
                interpreters.destroy(number)
            assert failure is None, failure

        attempt()
        import awscrt.io
        group = awscrt.io.EventLoopGroup(1)
        attempt()
        awscrt.io.DefaultHostResolver(group)
        print("fine")
        """,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "fine\n"), done.stderr


# ------------------------------------------------------------------------------------------------- lifetime


def test_lifetime_is_tracked_when_wanted(monkeypatch):
    monkeypatch.setattr(awscrt.NativeResource, "_track_lifetime", False)
    untracked = EventLoopGroup(1)
    monkeypatch.setattr(awscrt.NativeResource, "_track_lifetime", True)
    tracked = EventLoopGroup(1)
    assert tracked in awscrt.NativeResource._living
    assert untracked not in awscrt.NativeResource._living
    del tracked
    assert not len(awscrt.NativeResource._living)


def test_check_for_leaks_finds_what_is_held(run_python):
    # In a process of its own: other tests' parameters are held here.
    run_python(
        """
        import awscrt
        from awscrt import _test
        from awscrt.io import EventLoopGroup
        awscrt.NativeResource._track_lifetime = True
        group = EventLoopGroup(1)
        try:
            _test.check_for_leaks(timeout_sec=0.1)
        except RuntimeError as error:
            assert "1 NativeResource" in str(error) and "EventLoopGroup" in str(error), error
        else:
            raise AssertionError
        del group
        _test.check_for_leaks()
        """
    )


def test_check_for_leaks_finds_native_memory(run_python):
    done = run_python(
        """
        import awscrt.io
        from awscrt import _awscrt, _test
        from awscrt.io import EventLoopGroup
        handle = EventLoopGroup(1)._binding
        assert _test.native_memory_usage() > 0
        try:
            _test.check_for_leaks(timeout_sec=0.1)
        except RuntimeError as error:
            assert "0 NativeResource" in str(error), error
        else:
            raise AssertionError
        """,
        env={"AWS_CRT_MEMORY_TRACING": "1"},
        check=False,  # the dump is on stderr
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.fault("R13")
def test_cycle_is_collected():
    class Group(EventLoopGroup):
        pass

    group = Group(1)
    group.myself = group
    seen = weakref.ref(group)
    del group
    gc.collect()
    assert seen() is None
    assert join_all_native_threads(timeout_sec=10)


@pytest.mark.fault("R13")
def test_last_reference_dropped_on_a_native_thread(make_elsewhere):
    """The callback that a native thread drops after its last call owns the last reference of another native object."""
    freed_on = []

    def on_shutdown(held):
        del held

    def make():
        other = EventLoopGroup(1)
        weakref.finalize(other, lambda: freed_on.append(threading.get_ident()))
        return _awscrt.event_loop_group_new(1, None, functools.partial(on_shutdown, other))

    handle = make_elsewhere(make)
    gc.collect()
    assert not freed_on
    del handle
    assert join_all_native_threads(timeout_sec=10)
    assert freed_on
    assert freed_on[0] != threading.get_ident()


@pytest.mark.fault("R10")
def test_exception_of_a_callback_with_nobody_waiting_is_unraisable(unraisable):
    error = ValueError("from the callback")

    def on_shutdown():
        raise error

    with unraisable() as caught:
        handle = _awscrt.event_loop_group_new(1, None, on_shutdown)
        del handle
        assert join_all_native_threads(timeout_sec=10)
        assert caught == [error]
        assert error.__traceback__ is not None


@pytest.mark.fault("R11")
@pytest.mark.parametrize("wrong", [None, 1, object(), "handle"])
def test_object_without_its_native_self_is_refused(wrong):
    group = EventLoopGroup(1)
    handle, group._binding = group._binding, wrong
    with pytest.raises(TypeError, match="EventLoopGroup"):
        DefaultHostResolver(group)
    group._binding = handle
    DefaultHostResolver(group)


def test_handle_of_another_type_is_refused():
    group = EventLoopGroup(1)
    context = ClientTlsContext(TlsContextOptions())
    context._binding, group._binding = group._binding, context._binding
    with pytest.raises(TypeError, match="EventLoopGroup"):
        DefaultHostResolver(group)
    with pytest.raises(TypeError, match=r"(?i)tls"):
        context.new_connection_options()


@pytest.mark.fault("R12")
def test_storm_of_threads():
    errors = []

    def work():
        try:
            for _ in range(10):
                group = EventLoopGroup(1)
                resolver = DefaultHostResolver(group)
                ClientBootstrap(group, resolver)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert join_all_native_threads(timeout_sec=30)


# -------------------------------------------------------------------------------------------------- buffers

DATA = bytes(range(256)) * 8


def readable():
    yield DATA
    yield bytearray(DATA)
    yield memoryview(DATA)
    yield memoryview(bytearray(DATA))[:]
    yield memoryview(b"xx" + DATA + b"xx")[2:-2]
    yield array.array("B", DATA)
    yield array.array("I", DATA)
    yield memoryview(DATA).cast("B", (16, 128))
    mapped = mmap.mmap(-1, len(DATA))
    mapped.write(DATA)
    yield mapped

    class Bytes(bytes):
        pass

    yield Bytes(DATA)


@pytest.mark.parametrize("data", list(readable()), ids=lambda data: type(data).__name__)
def test_any_contiguous_buffer_is_read(data):
    counted = sys.getrefcount(data)
    assert checksums.crc32(data) == checksums.crc32(DATA)
    assert sys.getrefcount(data) == counted


@pytest.mark.parametrize("empty", [b"", bytearray(), memoryview(b""), array.array("I")], ids=lambda e: type(e).__name__)
def test_empty_buffer(empty):
    assert checksums.crc32(empty, 7) == 7


def test_strided_buffer_is_refused():
    with pytest.raises(BufferError):
        checksums.crc32(memoryview(DATA)[::2])


@pytest.mark.parametrize("wrong", [None, 3, [1, 2], object()])
def test_what_is_no_buffer_is_refused(wrong):
    with pytest.raises(TypeError, match="bytes-like"):
        checksums.crc32(wrong)


def test_released_view_is_refused():
    view = memoryview(DATA)
    view.release()
    with pytest.raises(ValueError, match="released"):
        checksums.crc32(view)


def test_buffer_is_given_back():
    data = bytearray(DATA)
    checksums.crc32(data)
    data.extend(b"resized")
    with pytest.raises(TypeError):
        _awscrt.xxhash64_compute(data, "a later argument")
    data.extend(b"resized again")


# ---------------------------------------------------------------------------------- variables and memory


@pytest.mark.parametrize("value", ["true", "3", "12", "-1"])
def test_misread_variable_is_told(run_python, value):
    code = """
        import warnings
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            import awscrt
        print(*(f"{w.category.__name__}: {w.message}" for w in caught))
        from awscrt import _test
        assert _test.native_memory_usage() == 0
        """
    done = run_python(code, env={"AWS_CRT_MEMORY_TRACING": value})
    assert re.fullmatch(
        rf"RuntimeWarning: .*AWS_CRT_MEMORY_TRACING.* must be an integer from 0 to 2, not '{value}'.*\n", done.stdout
    )


def test_misread_variable_as_an_error(run_python):
    done = run_python("import awscrt", env={"AWS_CRT_CRASH_HANDLER": "yes"}, options=["-W", "error"], check=False)
    assert done.returncode == 1
    assert "AWS_CRT_CRASH_HANDLER must be an integer from 0 to 1, not 'yes'" in done.stderr


MEMORY = """
    import awscrt.io
    from awscrt import _test
    group = awscrt.io.EventLoopGroup(1)
    print(_test.native_memory_usage())
    _test.dump_native_memory()
    del group
    _test.check_for_leaks()
    print(_test.native_memory_usage())
    """


def test_memory_is_not_traced_by_default(run_python):
    assert run_python(MEMORY).stdout == "0\n0\n"


@pytest.mark.parametrize("level", [1, 2])
def test_memory_is_traced(run_python, level):
    done = run_python(MEMORY, env={"AWS_CRT_MEMORY_TRACING": str(level)}, check=False)
    assert done.returncode == 0, done.stderr
    held, left = map(int, done.stdout.split())
    assert held > 0
    assert left == 0
    assert "bytes still allocated" in done.stderr
    assert ("stacktrace:" in done.stderr) == (level == 2)


@pytest.mark.fault("R17")
def test_failing_allocation_is_a_memory_error(run_python):
    done = run_python(
        """
        import logging, resource
        import awscrt.logging
        from awscrt.logging import LogSubject
        from awscrt import _awscrt, checksums
        logging.getLogger("awscrt").addHandler(logging.NullHandler())
        awscrt.logging.init_logging(10)
        big = "\\u00e9" * (200 << 20)
        with open("/proc/self/statm") as numbers:
            size = int(numbers.read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (size + (100 << 20), resource.RLIM_INFINITY))
        hoard = []  # without a GIL, Python's allocator has set far more addresses aside than it uses
        try:
            while True:
                hoard.append(bytes(64 << 20))
        except MemoryError:
            pass
        try:
            awscrt.logging.log(10, LogSubject.IO_GENERAL, big)
        except MemoryError:
            print("MemoryError")
        del big, hoard
        awscrt.logging.log(10, LogSubject.IO_GENERAL, "and goes on")
        print(checksums.crc32(b"123456789") == 0xCBF43926)
        """,
    )
    assert done.stdout == "MemoryError\nTrue\n"


@pytest.mark.fault("R17")
def test_libraries_that_would_not_fit_are_not_started(run_python):
    done = run_python(
        """
        import mmap, resource
        from awscrt import io
        with open("/proc/self/statm") as numbers:
            size = int(numbers.read().split()[0]) * resource.getpagesize()
        hoard = []
        resource.setrlimit(resource.RLIMIT_AS, (size + (8 << 20), resource.RLIM_INFINITY))
        try:
            while True:
                hoard.append(mmap.mmap(-1, 1 << 20))  # native code has nothing of what Python's allocator set aside
        except OSError:
            pass
        try:
            io.EventLoopGroup(1)
        except MemoryError:
            print("MemoryError")
        del hoard
        resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        io.EventLoopGroup(1)
        print("started")
        """,
    )
    assert done.stdout == "MemoryError\nstarted\n"
