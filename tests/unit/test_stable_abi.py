"""Owns the tests of what is known of the stable ABI."""

from __future__ import annotations

import pytest

from build_config import stable_abi


def test_functions_and_data_of_the_oldest_python() -> None:
    names = stable_abi.names("cp38", ())
    assert names["PyLong_FromLong"] is False
    assert names["PyExc_OSError"] is True
    assert "PyObject_GetBuffer" not in names
    assert "PyObject_GetBuffer" in stable_abi.names("cp311", ())


def test_what_only_some_pythons_have_must_be_asked_for() -> None:
    assert "PyOS_AfterFork" not in stable_abi.names("cp38", ())
    assert "PyOS_AfterFork" in stable_abi.names("cp38", ("HAVE_FORK",))


@pytest.mark.parametrize(
    ("abi", "library"),
    [("abi3", "python3.dll"), ("cp313t", "python313t.dll"), ("cp314t", "python314t.dll"), ("cp311", "python311.dll")],
)
def test_the_library_that_has_it_on_windows(abi: str, library: str) -> None:
    assert stable_abi.windows_library(abi) == library
