"""Owns what pytest learns for a sanitized run: which tests are held back, and which failures are tried once more.

A sanitizer makes everything slower, and does not take its own allocator's locks around a fork: a test may fail of that
alone. Whether the package works is not asked here, so such a test gets a second try. What a sanitizer reported does not.
"""

from __future__ import annotations

import os

import pytest
from _pytest.runner import runtestprotocol

UNDEFINED = "runtime error: "
"""In what the other sanitizer says, of a process that a test started."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--held", action="append", default=[], help="the id of a test, or what it begins with")
    parser.addoption("--reports", default="", help="the folder that sanitizers write to")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    held = tuple(config.getoption("held"))
    out = [item for item in items if item.nodeid.startswith(held)]
    unknown = [name for name in held if not any(item.nodeid.startswith(name) for item in out)]
    if unknown:
        raise pytest.UsageError("no test begins with " + ", ".join(unknown))
    config.hook.pytest_deselected(items=out)
    items[:] = [item for item in items if item not in out]


def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool:
    folder = item.config.getoption("--reports")
    before = os.listdir(folder)
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    reports = runtestprotocol(item, nextitem=nextitem, log=False)
    quiet = os.listdir(folder) == before and not any(UNDEFINED in report.longreprtext for report in reports)
    if quiet and any(report.failed for report in reports):
        reports = runtestprotocol(item, nextitem=nextitem, log=False)
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True
