"""Environment variables: known names, right values, and a suggestion for the rest."""

from __future__ import annotations

import pytest

from build_config import variables
from build_config.errors import UsageError


@pytest.mark.fault("F31")
@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("AWS_CRT_BUILD_STOER", "/x", "unknown variable AWS_CRT_BUILD_STOER; did you mean 'AWS_CRT_BUILD_STORE'?"),
        ("AWS_CRT_BUILD_OFFLINE", "true", "AWS_CRT_BUILD_OFFLINE is 'true'; write 1 or 0"),
        ("AWS_CRT_BUILD_TOOLCHAIN", "zigg", "did you mean 'zig'?"),
        ("AWS_CRT_BUILD_JOBS", "0", "write a whole number from 1 on"),
        ("AWS_CRT_BUILD_JOBS", "²", "write a whole number from 1 on"),
        ("AWS_CRT_BUILD_STORE", "", "AWS_CRT_BUILD_STORE is empty"),
        ("aws_crt_build_store", "/x", "unknown variable aws_crt_build_store"),
    ],
)
def test_a_wrong_variable_is_refused(name: str, value: str, told: str) -> None:
    with pytest.raises(UsageError) as caught:
        variables.checked({name: value})
    assert told in str(caught.value)


@pytest.mark.fault("F31")
def test_all_wrong_variables_are_told_at_once() -> None:
    with pytest.raises(UsageError, match="2 problems") as caught:
        variables.checked({"AWS_CRT_BUILD_OFFLINE": "yes", "AWS_CRT_NONSENSE": "1", "HOME": "/h"})
    assert "AWS_CRT_NONSENSE" in str(caught.value)
    assert caught.value.exit_code == 2


def test_right_variables_come_back_alone() -> None:
    given = {"AWS_CRT_BUILD_OFFLINE": "1", "AWS_CRT_BUILD_JOBS": "4", "HOME": "/h"}
    assert variables.checked(given) == {"AWS_CRT_BUILD_OFFLINE": "1", "AWS_CRT_BUILD_JOBS": "4"}


def test_every_variable_says_what_it_means() -> None:
    assert all(variable.meaning.endswith(".") for variable in variables.known().values())
