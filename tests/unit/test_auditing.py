"""What a tag that auditwheel grants is worth to a target."""

from __future__ import annotations

import pytest

from build_config.auditing import reaches
from build_config.model import Target

GNU = Target("linux", "x86_64", "gnu", "2.17", (), ())
MUSL = Target("linux", "aarch64", "musl", "1.1", (), ())


@pytest.mark.parametrize(
    ("target", "tag", "good"),
    [
        (GNU, "manylinux_2_17_x86_64", True),
        (GNU, "manylinux_2_5_x86_64", True),
        (GNU, "manylinux_2_18_x86_64", False),
        (GNU, "manylinux_2_17_aarch64", False),
        (GNU, "musllinux_1_2_x86_64", False),
        (GNU, "linux_x86_64", False),
        (GNU, "", False),
        (MUSL, "musllinux_1_2_aarch64", True),
        (MUSL, "musllinux_1_2_x86_64", False),
        (MUSL, "manylinux_2_17_aarch64", False),
        (MUSL, "linux_aarch64", False),
    ],
)
def test_a_tag_is_for_the_platform_and_no_newer_than_the_floor(target: Target, tag: str, *, good: bool) -> None:
    assert reaches(tag, target) is good
