"""Owns a real HTTP proxy on loopback, which forwards and opens tunnels, for whoever knows its password if it has one."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType

from . import debian

_CONFIGURATION = """\
Port {port}
Listen 127.0.0.1
Timeout 60
LogFile "{log}"
LogLevel Connect
PidFile "{folder}/tinyproxy.pid"
MaxClients 100
DisableViaHeader Yes
"""
_STARTING_SECONDS = 20.0
_ENDING_SECONDS = 5.0
_TRIES = 5


class TinyProxy:
    """A proxy while its `with` lasts, in a folder of its own; `login` is a name and a password.

    Raises:
        debian.UnavailableError: there is no tinyproxy to be had.
    """

    def __init__(self, folder: Path, *, login: tuple[str, str] | None = None, programs: Path) -> None:
        self.folder = folder.absolute()
        self.folder.mkdir(parents=True)
        self._program = debian.obtain("tinyproxy", "tinyproxy-bin", programs)
        self.login = login

    def __enter__(self) -> TinyProxy:  # noqa: PYI034 - Self is newer than the oldest Python
        for _ in range(_TRIES):
            if self._start():
                return self
        raise RuntimeError(f"tinyproxy did not start:\n{self.log}")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(_ENDING_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    @property
    def log(self) -> str:
        """What it was asked for, among other things."""
        path = self.folder / "tinyproxy.log"
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    def _start(self) -> bool:
        """Whether it listens; somebody may have taken the port that was free a moment ago."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        text = _CONFIGURATION.format(port=self.port, log=self.folder / "tinyproxy.log", folder=self.folder)
        text += "BasicAuth {} {}\n".format(*self.login) if self.login else ""
        configuration = self.folder / "tinyproxy.conf"
        configuration.write_text(text, encoding="utf-8")
        self._process = subprocess.Popen(
            [self._program.path, "-d", "-c", configuration],
            env={**os.environ, **self._program.variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        end = time.monotonic() + _STARTING_SECONDS
        while self._process.poll() is None and time.monotonic() < end:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1.0).close()
            except OSError:
                time.sleep(0.02)
            else:
                return True
        self.__exit__(None, None, None)
        return False
