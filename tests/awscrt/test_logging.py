"""awscrt.logging, and the native log to a file or stream."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import subprocess
import sys
import threading
import time

import pytest

import awscrt.logging
from awscrt import io
from awscrt.common import join_all_native_threads
from awscrt.io import EventLoopGroup, LogLevel
from awscrt.logging import CRT_LOG_FORMAT, LogSubject, init_logging, log, set_log_level

LEVELS = [logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL]


class Records(logging.Handler):
    def __init__(self):
        super().__init__()
        self.records = []

    def emit(self, record):
        self.records.append(record)

    def wait_for(self, text):
        end = time.monotonic() + 60
        seen = 0
        while time.monotonic() < end:
            fresh = self.records[seen:]
            seen += len(fresh)
            for record in fresh:
                if text in record.getMessage():
                    return record
            time.sleep(0.01)
        raise AssertionError([r.getMessage() for r in self.records])


@pytest.fixture
def records():
    handler = Records()
    logger = logging.getLogger("awscrt")
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    init_logging(logging.DEBUG)
    yield handler
    join_all_native_threads(timeout_sec=10)
    set_log_level(logging.NOTSET)
    awscrt.logging._reader.deliver(wait=True)  # or the next test gets what is still queued
    logger.setLevel(level)
    logger.removeHandler(handler)


@pytest.mark.parametrize("level", LEVELS)
def test_message_reaches_its_logger_at_once(records, level):
    log(level, LogSubject.IO_EVENT_LOOP, "100 % of it")
    (record,) = records.records
    assert record.name == "awscrt.io.event-loop"
    assert record.levelno == level
    assert record.getMessage() == "100 % of it"
    assert record.threadName == threading.current_thread().name
    assert record.getMessage() in logging.Formatter(CRT_LOG_FORMAT).format(record)


@pytest.mark.parametrize(
    ("subject", "library"),
    [
        (LogSubject.COMMON_GENERAL, "common"),
        (LogSubject.IO_GENERAL, "io"),
        (LogSubject.HTTP_CONNECTION, "http"),
        (LogSubject.EVENT_STREAM_GENERAL, "event-stream"),
        (LogSubject.MQTT_CLIENT, "mqtt"),
        (LogSubject.AUTH_SIGNING, "auth"),
        (LogSubject.CAL_HMAC, "cal"),
        (LogSubject.S3_CLIENT, "s3"),
        (LogSubject.SDKUTILS_PROFILE, "sdkutils"),
    ],
)
def test_logger_of_each_library(records, subject, library):
    log(logging.INFO, subject, "here")
    assert re.fullmatch(rf"awscrt\.{library}\.[A-Za-z0-9-]+", records.records[0].name)
    assert "Unknown" not in records.records[0].name


def test_unknown_subject(records):
    log(logging.INFO, 999_999, "here")
    assert records.records[0].name.startswith("awscrt.")


@pytest.mark.parametrize("threshold", [*LEVELS, logging.NOTSET])
def test_level(records, threshold):
    set_log_level(threshold)
    for level in LEVELS:
        log(level, LogSubject.IO_GENERAL, "message")
    assert [r.levelno for r in records.records] == [n for n in LEVELS if threshold and n >= threshold]


def test_level_of_a_logger(records):
    logging.getLogger("awscrt.io").setLevel(logging.ERROR)
    try:
        log(logging.WARNING, LogSubject.IO_GENERAL, "not this")
        log(logging.WARNING, LogSubject.HTTP_GENERAL, "but this")
    finally:
        logging.getLogger("awscrt.io").setLevel(logging.NOTSET)
    assert [r.getMessage() for r in records.records] == ["but this"]


def test_line_of_a_native_thread(records):
    before = time.time()
    group = EventLoopGroup(1)
    record = records.wait_for("main loop started")
    assert record.name == "awscrt.io.event-loop"
    assert record.levelno == logging.INFO
    assert record.thread not in (0, threading.get_ident())
    assert record.threadName.startswith("AwsEventLoop")
    assert before - 0.1 <= record.created <= time.time()
    assert 0 <= record.msecs < 1000
    assert abs(record.created % 1 - record.msecs / 1000) < 0.002
    del group
    assert join_all_native_threads(timeout_sec=10)


def test_line_of_this_thread_has_its_name(records):
    group = EventLoopGroup(1)
    assert records.wait_for("Starting event-loop thread").threadName == threading.current_thread().name
    del group


def test_order_is_kept(records):
    for number in range(2000):
        log(logging.INFO, LogSubject.IO_GENERAL, str(number))
    assert [r.getMessage() for r in records.records] == [str(n) for n in range(2000)]


@contextlib.contextmanager
def logger_with(handler):
    logger = logging.getLogger("not awscrt")
    logger.addHandler(handler)
    try:
        yield logger
    finally:
        logger.removeHandler(handler)


def hands_on_what_a_handler_logs():
    """Whether logging does: since 3.13.4 it takes no notice of it."""

    class Again(Records):
        def emit(self, record):
            super().emit(record)
            if len(self.records) == 1:
                logger.error("again")

    handler = Again()
    with logger_with(handler) as logger:
        logger.error("first")
    return len(handler.records) == 2


def test_handler_that_logs(records):
    class Again(logging.Handler):
        depth = 0

        def emit(self, record):
            if self.depth < 3:
                self.depth += 1
                log(logging.INFO, LogSubject.IO_GENERAL, f"depth {self.depth}")

    handler = Again()
    logging.getLogger("awscrt").addHandler(handler)
    try:
        group = EventLoopGroup(1)
        del group
        records.wait_for("exiting main loop")
    finally:
        logging.getLogger("awscrt").removeHandler(handler)
    assert handler.depth == 3
    depths = [r.getMessage() for r in records.records if r.name == "awscrt.io.aws-c-io"]
    assert depths == (["depth 1", "depth 2", "depth 3"] if hands_on_what_a_handler_logs() else [])


def test_line_that_is_waiting_while_a_handler_logs(records):
    """What logging would take no notice of, on the handler's thread, is left to the reader."""
    times = 50

    class Handler(logging.Handler):
        def emit(self, record):
            group = EventLoopGroup(1)
            log(logging.INFO, LogSubject.IO_GENERAL, "mine")
            del group

    with logger_with(Handler()) as logger:
        for _ in range(times):
            logger.error("theirs")
    end = time.monotonic() + 20
    while (seen := ["Starting event-loop thread" in r.getMessage() for r in records.records].count(True)) < times:
        assert time.monotonic() < end, seen
        time.sleep(0.01)


def test_handler_that_waits_for_native_threads(records):
    """A handler may hold things up for as long as it likes: no native thread waits for it."""
    go_on = threading.Event()

    class Slow(logging.Handler):
        def emit(self, record):
            go_on.wait(10)

    handler = Slow()
    logging.getLogger("awscrt.io").addHandler(handler)
    try:
        for _ in range(5):
            group = EventLoopGroup(1)
            del group
        assert join_all_native_threads(timeout_sec=5)
    finally:
        go_on.set()
        logging.getLogger("awscrt.io").removeHandler(handler)
    records.wait_for("exiting main loop")


@pytest.mark.fault("R10")
def test_filter_that_raises_loses_one_line_only(records, unraisable):
    class Bad(logging.Filter):
        def filter(self, record):
            if "main loop started" in record.getMessage():
                raise ZeroDivisionError
            return True

    bad = Bad()
    logger = logging.getLogger("awscrt.io.event-loop")
    logger.addFilter(bad)
    try:
        with unraisable() as caught:
            group = EventLoopGroup(1)
            records.wait_for("default timeout")
            del group
            records.wait_for("exiting main loop")
            assert [type(error) for error in caught] == [ZeroDivisionError]
    finally:
        logger.removeFilter(bad)


@pytest.mark.fault("R16")
def test_initialised_again(records):
    for level in (logging.ERROR, logging.INFO, logging.DEBUG) * 5:
        init_logging(level)
    log(logging.DEBUG, LogSubject.IO_GENERAL, "once")
    assert len(records.records) == 1
    assert [t.name for t in threading.enumerate()].count("awscrt-logging") == 1


@pytest.mark.fault("R16")
@pytest.mark.parametrize("level", [1, 15, 60, -1, 2**70, "INFO", None, 1.5, []])
def test_bad_level(level):
    for function in (init_logging, set_log_level, lambda n: log(n, LogSubject.IO_GENERAL, "message")):
        with pytest.raises(ValueError, match=r"not a log level.*logging\.DEBUG"):
            function(level)


@pytest.mark.fault("R16")
def test_bad_message(records):
    with pytest.raises(ValueError, match="level"):
        log(logging.NOTSET, LogSubject.IO_GENERAL, "message")
    for wrong in (None, 3, b"bytes"):
        with pytest.raises(TypeError, match="str"):
            log(logging.INFO, LogSubject.IO_GENERAL, wrong)
    for subject in (-1, 2**32):
        with pytest.raises(OverflowError):
            log(logging.INFO, subject, "message")
    with pytest.raises(UnicodeEncodeError):
        log(logging.INFO, LogSubject.IO_GENERAL, "\ud800")
    assert not records.records


def test_dropped_lines_are_counted(records):
    busy, go_on = threading.Event(), threading.Event()

    class Slow(logging.Handler):
        def emit(self, record):
            busy.set()
            go_on.wait(60)

    handler = Slow()
    logger = logging.getLogger("awscrt.common")
    logger.addHandler(handler)
    limit = 8 << 20
    name = "/nowhere/" + "x" * 3000  # failing to open it is logged, with the name
    try:
        for _ in range(limit // len(name) + 100):
            with pytest.raises(OSError, match="nowhere"):
                io.init_logging(LogLevel.Trace, name)
            assert busy.wait(30)  # until then the reader takes away what is to pile up
    finally:
        go_on.set()
        logger.removeHandler(handler)
    warning = records.wait_for("lines of the native log were dropped")
    assert warning.levelno == logging.WARNING
    assert 1 <= int(warning.getMessage().split()[0]) <= 500


# ------------------------------------------------------------------------------------------- files and streams


def lines_of(path):
    return path.read_text(errors="replace").splitlines()


def native_line(level, subject, message):
    return rf"\[{level}\] \[\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\dZ\] \[[0-9a-f]+\] \[{subject}\] - {message}"


@pytest.fixture
def silent():
    yield
    io.set_log_level(LogLevel.NoLogs)
    init_logging(logging.NOTSET)  # closes the file


def test_file(tmp_path, silent):
    path = tmp_path / "native.log"
    io.init_logging(LogLevel.Trace, str(path))
    group = EventLoopGroup(1)
    log(logging.ERROR, LogSubject.IO_DNS, "mine: %s %d ü")
    del group
    assert join_all_native_threads(timeout_sec=10)
    lines = lines_of(path)
    assert any(re.fullmatch(native_line("ERROR", "dns", "mine: %s %d .+"), line) for line in lines), lines
    assert any("main loop started" in line for line in lines)


@pytest.mark.fault("R16")
def test_another_file(tmp_path, silent):
    first, second = tmp_path / "1", tmp_path / "2"
    io.init_logging(LogLevel.Info, str(first))
    log(logging.INFO, LogSubject.IO_GENERAL, "one")
    io.init_logging(LogLevel.Error, str(second))
    log(logging.INFO, LogSubject.IO_GENERAL, "below the level")
    log(logging.ERROR, LogSubject.IO_GENERAL, "two")
    assert [line.split(" - ")[1] for line in lines_of(first)] == ["one"]
    assert [line.split(" - ")[1] for line in lines_of(second)] == ["two"]


@pytest.mark.fault("R16")
def test_files_are_closed(tmp_path, silent):
    io.init_logging(LogLevel.Info, str(tmp_path / "first"))
    before = len(os.listdir("/proc/self/fd"))
    for number in range(20):
        io.init_logging(LogLevel.Info, str(tmp_path / str(number)))
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.fault("R16")
def test_file_that_cannot_be_opened(tmp_path, silent):
    good = tmp_path / "good"
    io.init_logging(LogLevel.Info, str(good))
    with pytest.raises(FileNotFoundError) as caught:
        io.init_logging(LogLevel.Info, str(tmp_path / "no" / "such"))
    assert caught.value.filename == str(tmp_path / "no" / "such")
    log(logging.INFO, LogSubject.IO_GENERAL, "the old one goes on")
    assert lines_of(good)[-1].endswith("the old one goes on")


@pytest.mark.fault("R16")
def test_file_and_python_take_turns(tmp_path, records):
    path = tmp_path / "native.log"
    io.init_logging(LogLevel.Info, str(path))
    log(logging.INFO, LogSubject.IO_GENERAL, "to the file")
    init_logging(logging.INFO)
    log(logging.INFO, LogSubject.IO_GENERAL, "to Python")
    assert [r.getMessage() for r in records.records] == ["to Python"]
    assert len(lines_of(path)) == 1


def test_long_line_is_cut_in_a_file(tmp_path, silent):
    path = tmp_path / "native.log"
    io.init_logging(LogLevel.Info, str(path))
    log(logging.INFO, LogSubject.IO_GENERAL, "x" * 100_000)
    log(logging.INFO, LogSubject.IO_GENERAL, "next")
    first, second = lines_of(path)
    assert 1000 < len(first) <= 8192
    assert second.endswith("next")


def test_long_line_is_whole_in_python(records):
    log(logging.INFO, LogSubject.IO_GENERAL, "x" * 100_000)
    assert len(records.records[0].getMessage()) == 100_000


@pytest.mark.parametrize("name", ["stdout", "stderr"])
def test_stream(run_python, name):
    done = run_python(
        f"""
        import awscrt.io
        awscrt.io.init_logging(awscrt.io.LogLevel.Trace, {name!r})
        awscrt.io.EventLoopGroup(1)
        """,
        check=False,
    )
    assert done.returncode == 0
    assert re.search(
        native_line("INFO", "event-loop", "id=0x[0-9a-f]+: Starting event-loop thread."), getattr(done, name)
    )
    assert not (done.stderr if name == "stdout" else done.stdout)


@pytest.mark.fault("R16")
def test_stream_that_is_closed():
    code = """
        import os
        os.close(2)
        import awscrt.io
        awscrt.io.init_logging(awscrt.io.LogLevel.Trace, "stderr")
        awscrt.io.EventLoopGroup(1)
        """
    done = subprocess.run([sys.executable, "-c", code.replace("\n        ", "\n")], timeout=60, check=False)
    assert done.returncode == 0


@pytest.mark.fault("R16", "R12")
def test_switched_while_threads_log(tmp_path, records):
    stop = threading.Event()

    def work():
        while not stop.is_set():
            log(logging.INFO, LogSubject.IO_GENERAL, "busy")
            EventLoopGroup(1)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for number in range(100):
        io.init_logging(LogLevel.Trace, str(tmp_path / str(number % 3)))
        init_logging(logging.DEBUG)
    stop.set()
    for thread in threads:
        thread.join()
    assert join_all_native_threads(timeout_sec=30)
    log(logging.INFO, LogSubject.IO_GENERAL, "the end")
    records.wait_for("the end")


@pytest.mark.fault("R09")
def test_queued_lines_are_delivered_at_exit(run_python):
    done = run_python(
        """
        import logging, sys
        import awscrt.io, awscrt.logging
        logging.basicConfig(stream=sys.stdout, format=awscrt.logging.CRT_LOG_FORMAT, level=logging.DEBUG)
        awscrt.logging.init_logging()
        awscrt.io.EventLoopGroup(1)
        """,
    )
    assert "[MainThread] INFO awscrt.io.event-loop - " in done.stdout


@pytest.mark.fault("R08")
def test_child_has_its_own_reader(run_python):
    done = run_python(
        """
        import logging, os, sys, time, warnings
        warnings.simplefilter("ignore")  # of forking with threads
        import awscrt.io, awscrt.logging
        lines = []
        handler = logging.Handler()
        handler.emit = lambda record: lines.append(record.getMessage())
        logging.getLogger("awscrt").addHandler(handler)
        logging.getLogger("awscrt").setLevel(10)
        awscrt.logging.init_logging()
        group = awscrt.io.EventLoopGroup(1)
        def wait(count):
            end = time.monotonic() + 10
            while sum("main loop started" in line for line in lines) < count and time.monotonic() < end:
                time.sleep(0.01)
            return sum("main loop started" in line for line in lines)
        assert wait(1) == 1
        pid = os.fork()
        if pid == 0:
            child = awscrt.io.EventLoopGroup(1)
            os._exit(0 if wait(2) == 2 else 1)
        assert os.waitpid(pid, 0)[1] == 0
        """,
    )
    assert done.stdout == ""
