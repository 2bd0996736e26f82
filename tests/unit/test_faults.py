"""Owns the rule that every fault of `tests/faults.toml` has a test that names it."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

TESTS = Path(__file__).parents[1]
CLASSES = {"usage", "environment", "integrity", "build", "verify", "test", "publish", "python", "-"}
COUNTS = {"F": 49, "R": 18}


def rows() -> dict[str, dict[str, str]]:
    return tomllib.loads((TESTS / "faults.toml").read_text(encoding="utf-8"))


def marks(tree: ast.AST) -> Iterator[str]:
    """The ids in every `pytest.mark.fault(...)`, wherever it stands: decorator, `pytestmark` or `pytest.param`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.fault":
            for argument in node.args:
                yield str(argument.value) if isinstance(argument, ast.Constant) else ast.unparse(argument)


def marked(folder: Path) -> dict[str, list[str]]:
    """The test files that name each id."""
    found: dict[str, list[str]] = {}
    for path in sorted(folder.rglob("test_*.py")):
        for fault in marks(ast.parse(path.read_text(encoding="utf-8"), path.name)):
            found.setdefault(fault, []).append(path.relative_to(folder).as_posix())
    return found


def untested(faults: dict[str, dict[str, Any]], found: dict[str, list[str]]) -> list[str]:
    return [fault for fault, row in faults.items() if "later" not in row and fault not in found]


def unknown(faults: dict[str, dict[str, Any]], found: dict[str, list[str]]) -> dict[str, list[str]]:
    return {fault: files for fault, files in found.items() if fault not in faults}


def test_every_row_is_complete() -> None:
    for fault, row in rows().items():
        assert row.keys() - {"later"} == {"title", "class"}, fault
        assert row["class"] in CLASSES, fault
        assert all(value.strip() for value in row.values()), fault


def test_no_id_is_left_out() -> None:
    expected = [f"{letter}{number:02}" for letter, count in COUNTS.items() for number in range(1, count + 1)]
    assert list(rows()) == expected


def test_every_fault_that_is_due_has_a_test() -> None:
    assert untested(rows(), marked(TESTS)) == []


def test_no_test_names_an_unknown_fault() -> None:
    assert unknown(rows(), marked(TESTS)) == {}


@pytest.mark.parametrize(
    "text",
    [
        '@pytest.mark.fault("F01")\ndef test_it(): ...',
        '@pytest.mark.fault("F02", "F01")\nclass TestIt: ...',
        'pytestmark = [pytest.mark.fault("F01")]',
        'x = pytest.param(1, marks=pytest.mark.fault("F01"))',
    ],
)
def test_a_mark_is_seen_wherever_it_stands(text: str) -> None:
    assert "F01" in set(marks(ast.parse(text)))


def test_a_fault_without_a_test_and_a_mark_without_a_fault_are_seen(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text('# pytest.mark.fault("F01")\n@pytest.mark.fault("F99")\ndef test_it(): ...\n')
    faults = {"F01": {"title": "planted", "class": "-"}, "F02": {"title": "waits", "class": "-", "later": "planted"}}
    found = marked(tmp_path)
    assert untested(faults, found) == ["F01"]
    assert unknown(faults, found) == {"F99": ["test_it.py"]}


def test_exit_classes_are_those_of_the_toolchain() -> None:
    text = (TESTS.parent / "build_config" / "errors.py").read_text(encoding="utf-8")
    kinds = set(re.findall(r'kind = "(\w+)"', text))
    assert CLASSES - {"python", "-"} <= kinds
