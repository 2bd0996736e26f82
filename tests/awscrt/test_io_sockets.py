"""Owns the tests of socket options, of the enumerations of `awscrt.io`, and of the log that goes to a file."""

from __future__ import annotations

import copy
import pickle
from typing import TYPE_CHECKING

import pytest

import awscrt.io
from awscrt.io import (
    ExponentialBackoffJitterMode,
    LogLevel,
    Pkcs11Lib,
    SocketDomain,
    SocketOptions,
    SocketType,
    TlsCipherPref,
    TlsVersion,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from enum import IntEnum
    from pathlib import Path
    from subprocess import CompletedProcess

    RunPython = Callable[..., CompletedProcess[str]]

VALUES = {
    LogLevel: {"NoLogs": 0, "Fatal": 1, "Error": 2, "Warn": 3, "Info": 4, "Debug": 5, "Trace": 6},
    SocketDomain: {"IPv4": 0, "IPv6": 1, "Local": 2},
    SocketType: {"Stream": 0, "DGram": 1},
    TlsVersion: {"SSLv3": 0, "TLSv1": 1, "TLSv1_1": 2, "TLSv1_2": 3, "TLSv1_3": 4, "DEFAULT": 128},
    TlsCipherPref: {"DEFAULT": 0, "PQ_TLSv1_0_2021_05": 6, "PQ_DEFAULT": 8, "TLSv1_2_2025_07": 9},
    ExponentialBackoffJitterMode: {"DEFAULT": 0, "NONE": 1, "FULL": 2, "DECORRELATED": 3},
    Pkcs11Lib.InitializeFinalizeBehavior: {"DEFAULT": 0, "OMIT": 1, "STRICT": 2},
    awscrt.io._CertificateSource: {"CERTIFICATE_FILES": 0, "PKCS11": 1, "WINDOWS_CERT_STORE": 2, "PKCS12_FILE": 4},
}


@pytest.mark.parametrize("kind", VALUES, ids=lambda kind: kind.__name__)
def test_values_are_those_of_the_native_headers(kind: type[IntEnum]) -> None:
    assert {name: int(member) for name, member in kind.__members__.items()} == VALUES[kind]
    assert kind.__module__ == "awscrt.io"
    assert all(pickle.loads(pickle.dumps(member)) is member for member in kind)  # noqa: S301 - our own bytes


def test_all_is_in_the_public_module() -> None:
    for name in awscrt.io.__all__:
        assert getattr(awscrt.io, name).__module__ == "awscrt.io"


def test_socket_options() -> None:
    options = SocketOptions()
    values = {name: getattr(options, name) for name in SocketOptions.__slots__}
    assert values == {
        "domain": SocketDomain.IPv6,
        "type": SocketType.Stream,
        "connect_timeout_ms": 5000,
        "keep_alive": False,
        "keep_alive_timeout_secs": 0,
        "keep_alive_interval_secs": 0,
        "keep_alive_max_probes": 0,
        "tcp_nodelay": True,
    }
    options.connect_timeout_ms = 1
    assert copy.copy(options).connect_timeout_ms == 1
    with pytest.raises(AttributeError):
        options.conect_timeout_ms = 1  # type: ignore[attr-defined]


def test_log_goes_to_the_file_and_only_up_to_the_level(run_python: RunPython, tmp_path: Path) -> None:
    path = tmp_path / "log ü.txt"
    path.write_text("before\n", encoding="utf-8")
    run_python(f"""
        import os
        from awscrt.common import join_all_native_threads
        from awscrt.io import EventLoopGroup, LogLevel, init_logging, set_log_level
        init_logging(LogLevel.Info, {str(path)!r})
        EventLoopGroup(1).shutdown_event.wait(30)
        assert join_all_native_threads(timeout_sec=30)
        set_log_level(LogLevel.NoLogs)
        size = os.path.getsize({str(path)!r})
        assert size > 100
        EventLoopGroup(1).shutdown_event.wait(30)
        assert join_all_native_threads(timeout_sec=30)
        assert os.path.getsize({str(path)!r}) == size
    """)
    lines = path.read_text(encoding="utf-8").splitlines()
    assert lines[0] == "before"
    assert any("[INFO]" in line and "[event-loop]" in line for line in lines)
    assert not any("[DEBUG]" in line for line in lines)


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_log_goes_to_a_standard_stream(run_python: RunPython, stream: str) -> None:
    done = run_python(
        f"""
        from awscrt.io import EventLoopGroup, LogLevel, init_logging
        init_logging(LogLevel.Info, {stream!r})
        EventLoopGroup(1).shutdown_event.wait(30)
        """,
        check=False,
    )
    said = {"stdout": done.stdout, "stderr": done.stderr}
    assert done.returncode == 0
    assert "[event-loop]" in said.pop(stream)
    assert list(said.values()) == [""]


@pytest.mark.fault("R16")
def test_log_badly_initialized_and_again(run_python: RunPython, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    run_python(f"""
        from awscrt.common import join_all_native_threads
        from awscrt.io import EventLoopGroup, LogLevel, init_logging, set_log_level

        def refused(error, act, *arguments):
            try:
                act(*arguments)
            except error:
                return
            raise AssertionError(arguments)

        def bad():
            refused(ValueError, init_logging, 99, "stderr")
            refused(ValueError, init_logging, -1, "stderr")
            refused(TypeError, init_logging, LogLevel.Info, None)
            refused(TypeError, init_logging, LogLevel.Info, 5)
            refused(OSError, init_logging, LogLevel.Info, {str(tmp_path / "none" / "log")!r})
            refused(OSError, init_logging, LogLevel.Info, {str(tmp_path)!r})
            refused(ValueError, set_log_level, 99)
            refused(ValueError, set_log_level, -1)

        set_log_level(LogLevel.Trace)
        bad()
        for path in ({str(first)!r}, {str(second)!r}, {str(second)!r}):
            init_logging(4, path)
            bad()
            EventLoopGroup(1).shutdown_event.wait(30)
            assert join_all_native_threads(timeout_sec=30)
    """)
    started = "Starting event-loop thread"
    assert first.read_text(encoding="utf-8").count(started) == 1
    assert second.read_text(encoding="utf-8").count(started) == 2
