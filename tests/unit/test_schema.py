"""TOML tables are read field by field, and every problem is told at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from build_config.errors import UsageError
from build_config.schema import SHA256, Table, read


def test_all_problems_are_collected() -> None:
    problems: list[str] = []
    table = Table({"naem": "x", "size": "12", "on": "true", "list": "a", "hash": "zz"}, "pins.toml", problems)
    table.text("name")
    table.number("size")
    table.flag("on", default=False)
    table.texts("list")
    table.text("hash", pattern=SHA256)
    table.finish()
    assert problems == [
        "pins.toml: name is missing",
        "pins.toml: size is a string, not a whole number",
        "pins.toml: on is a string, not true or false",
        "pins.toml: list is a string, not a list of strings",
        "pins.toml: hash 'zz' does not match [0-9a-f]{64}",
        "pins.toml: unknown field 'naem'; did you mean 'name'?",
    ]


def test_a_good_table_has_no_problems() -> None:
    problems: list[str] = []
    table = Table({"name": "x", "size": 3, "sub": {"a": "1"}, "rows": [{"k": "v"}]}, "f", problems)
    assert (table.text("name"), table.number("size"), table.pairs("sub")) == ("x", 3, (("a", "1"),))
    assert [row.text("k") for row in table.tables("rows")] == ["v"]
    assert table.optional_table("git") is None
    table.finish()
    assert problems == []


def test_true_is_no_number() -> None:
    problems: list[str] = []
    Table({"size": True}, "f", problems).number("size")
    assert problems == ["f: size is a truth value, not a whole number"]


@pytest.mark.parametrize("text", ["a = ", "\xff\xfe"])
def test_broken_toml_is_a_usage_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "bad.toml"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(UsageError, match="not valid TOML"):
        read(path)


def test_a_missing_file_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        read(tmp_path / "absent.toml")
