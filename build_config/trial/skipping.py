"""Owns the pytest plugin that skips, in a trial, what data says cannot pass there."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

PLUGIN = "skips_what_differs"
"""The plugin's name."""

_TEXT = """\
import sys
import pytest

MODULES = {modules!r}
TESTS = {tests!r}


class Finder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name in MODULES:
            pytest.skip(MODULES[name], allow_module_level=True)


sys.meta_path.insert(0, Finder)


def pytest_collection_modifyitems(items):
    for item in items:
        for name in (item.nodeid, item.nodeid.partition("[")[0], item.nodeid.partition("::")[0]):
            if name in TESTS:
                item.add_marker(pytest.mark.skip(reason=TESTS[name]))
"""


def write_plugin(folder: Path, packages: Mapping[str, str], tests: Mapping[str, str]) -> None:
    """Write the plugin into a folder, for packages that a test may import and for names of tests, with a reason each."""
    modules = {package.replace("-", "_"): reason for package, reason in packages.items()}
    (folder / f"{PLUGIN}.py").write_text(_TEXT.format(modules=modules, tests=dict(tests)), encoding="utf-8")
