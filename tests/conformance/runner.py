"""Owns the running of unittest ids in the environment under test: standard library only, Python 3.8 and newer.

    runner.py list REPORT MODULE             one {"test": id} a line
    runner.py run REPORT SECONDS SERVER ID…  {"begin": id}, then {"end": id, "outcome": …, "detail": …}, a line each

SERVER is a file of the folder servers, or empty: a program that prints a line once it serves, and ends when its stdin
does.

A run stops after the first test that is neither passed nor skipped: a suite may stop looking for leaks once a test
failed in the process. Who called starts a new one with the rest. A test that takes longer than SECONDS ends the process
with the stack of every thread on stderr.
"""

from __future__ import annotations

import contextlib
import faulthandler
import io
import json
import os
import subprocess
import sys
import unittest
from typing import Any, Dict, Iterator, List, Optional, Union

GOOD = ("passed", "skipped")
SERVERS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "servers")


class Report(unittest.TestResult):
    """Writes what becomes of each test at once, so that a crash loses nothing."""

    def __init__(self, stream: io.TextIOBase, seconds: float) -> None:
        super().__init__()
        self._report = stream
        self._seconds = seconds
        self._outcome = "passed"
        self._detail = ""

    def startTest(self, test: unittest.TestCase) -> None:
        super().startTest(test)
        self._outcome, self._detail = "passed", ""
        self.write({"begin": test.id()})
        faulthandler.dump_traceback_later(self._seconds, exit=True)

    def stopTest(self, test: unittest.TestCase) -> None:
        faulthandler.cancel_dump_traceback_later()
        super().stopTest(test)
        self.write({"end": test.id(), "outcome": self._outcome, "detail": self._detail})
        if self._outcome not in GOOD:
            self.stop()

    def addSkip(self, test: unittest.TestCase, reason: str) -> None:
        super().addSkip(test, reason)
        self._note("skipped", reason)

    def addFailure(self, test: unittest.TestCase, err: Any) -> None:
        super().addFailure(test, err)
        self._note("failed", self.failures[-1][1])

    def addError(self, test: unittest.TestCase, err: Any) -> None:
        super().addError(test, err)
        self._note("error", self.errors[-1][1])

    def addSubTest(self, test: unittest.TestCase, subtest: unittest.TestCase, err: Optional[Any]) -> None:
        super().addSubTest(test, subtest, err)
        if err is not None:
            self._note("failed", (self.failures + self.errors)[-1][1])

    def addUnexpectedSuccess(self, test: unittest.TestCase) -> None:
        super().addUnexpectedSuccess(test)
        self._note("failed", "passed, though it is marked as an expected failure")

    def write(self, record: Dict[str, str]) -> None:
        self._report.write(json.dumps(record) + "\n")
        self._report.flush()

    def _note(self, outcome: str, detail: str) -> None:
        if self._outcome in GOOD:
            self._outcome = outcome
        self._detail += detail


def ids(suite: Union[unittest.TestSuite, unittest.TestCase]) -> Iterator[str]:
    if isinstance(suite, unittest.TestSuite):
        for member in suite:
            yield from ids(member)
    else:
        yield suite.id()


@contextlib.contextmanager
def serving(name: str, seconds: float) -> Iterator[None]:
    """A server beside the tests; its stdin ends with this process, however that ends, and so does the server."""
    if not name:
        yield
        return
    argv = [sys.executable, os.path.join(SERVERS, name)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        faulthandler.dump_traceback_later(seconds, exit=True)
        if not server.stdout or not server.stdout.readline():
            sys.exit(f"the server {name} does not serve")
        faulthandler.cancel_dump_traceback_later()
        try:
            yield
        finally:
            server.kill()


def run(stream: io.TextIOBase, seconds: float, server: str, names: List[str]) -> None:
    with serving(server, seconds):
        unittest.TestLoader().loadTestsFromNames(names).run(Report(stream, seconds))
    # The interpreter's own exit is part of the test: a hang there must end too.
    faulthandler.dump_traceback_later(seconds, exit=True)


def main(argv: List[str]) -> int:
    verb, path, rest = argv[1], argv[2], argv[3:]
    with open(path, "w", encoding="utf-8") as stream:
        if verb == "list":
            loader = unittest.TestLoader()
            found = loader.loadTestsFromName(rest[0])
            if loader.errors:
                sys.stderr.write("\n".join(map(str, loader.errors)))
                return 1
            stream.writelines(json.dumps({"test": name}) + "\n" for name in ids(found))
            return 0
        run(stream, float(rest[0]), rest[1], rest[2:])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
