"""Owns the tests of the policy's data."""

from __future__ import annotations

from pathlib import Path

import pytest

from build_config.errors import UsageError
from build_config.model import Target
from build_config.verify import policy
from tests.support.wheels import TARGET

REAL = Path(__file__).parents[3] / "manylinux" / "policy.toml"


@pytest.mark.parametrize(("arch", "loader"), [("x86_64", "ld-linux-x86-64.so.2"), ("aarch64", "ld-linux-aarch64.so.1")])
def test_the_policy_of_a_target(arch: str, loader: str) -> None:
    found = policy(REAL, Target("linux", arch, "gnu", "2.17", (), ()))
    assert found.max_bytes == 2_300_000
    assert found.exports == ("PyInit_{module}",)
    assert "libc.so.6" in found.libraries
    assert [name for name in found.libraries if name.startswith("ld-linux")] == [loader]
    assert found.stack_protector
    assert found.fortify


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("max_bytes = 2_300_000", "max_byte = 2_300_000", "unknown field 'max_byte'; did you mean 'max_bytes'"),
        ("max_bytes = 2_300_000", 'max_bytes = "2 MB"', "max_bytes is a string"),
        ("fortify = true", "fortify = 1", "fortify is a number"),
        ("x86_64 = ", "x64 = ", "loaders names none for x86_64"),
        ("[libc.gnu]", "[libc.musl]", "no table [libc.gnu]"),
    ],
)
def test_a_mistake_is_told(tmp_path: Path, old: str, new: str, said: str) -> None:
    text = REAL.read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "policy.toml"
    path.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        policy(path, TARGET)
    assert said in caught.value.what
