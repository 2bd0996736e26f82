"""Owns the tests of the policy's data."""

from __future__ import annotations

from pathlib import Path

import pytest

from build_config.errors import UsageError
from build_config.model import Target
from build_config.verify import policy
from tests.support.wheels import TARGET

ROOT = Path(__file__).parents[3]
UNIVERSAL = Target("macos", "universal2", "", "10.15", ("macosx_10_15_universal2",), ("host",))
MACOS = Target("macos", "aarch64", "", "11.0", ("macosx_11_0_arm64",), ("host",))


@pytest.mark.parametrize(("arch", "loader"), [("x86_64", "ld-linux-x86-64.so.2"), ("aarch64", "ld-linux-aarch64.so.1")])
def test_the_policy_of_a_target(arch: str, loader: str) -> None:
    found = policy(ROOT, Target("linux", arch, "gnu", "2.17", (), ()))
    assert found.max_bytes == 2_300_000
    assert found.exports == ("PyInit_{module}",)
    assert "libc.so.6" in found.libraries
    assert [name for name in found.libraries if name.startswith("ld-linux")] == [loader]
    assert found.stack_protector
    assert found.fortify


@pytest.mark.parametrize("arch", ["x86_64", "aarch64"])
def test_musl_has_one_library_and_no_versions(arch: str) -> None:
    found = policy(ROOT, Target("linux", arch, "musl", "1.1", (), ()))
    assert found.libraries == (f"libc.musl-{arch}.so.1",)
    assert found.version_prefix == ""
    assert not found.fortify
    assert {"malloc", "epoll_wait", "__stack_chk_fail"} <= set(found.symbols)
    # These came with musl 1.2.
    assert not {"reallocarray", "gettid", "qsort_r", "_Fork", "statx"} & set(found.symbols)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("max_bytes = 2_300_000", "max_byte = 2_300_000", "unknown field 'max_byte'; did you mean 'max_bytes'"),
        ("max_bytes = 2_300_000", 'max_bytes = "2 MB"', "max_bytes is a string"),
        ("fortify = true", "fortify = 1", "fortify is a number"),
        ("x86_64 = ", "x64 = ", "loaders names none for x86_64"),
        ("[libc.gnu]", "[libc.gnu2]", "no table [libc.gnu]"),
    ],
)
def test_a_mistake_is_told(tmp_path: Path, old: str, new: str, said: str) -> None:
    told = planted("manylinux/policy.toml", tmp_path, old, new, TARGET)
    assert said in told


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("signed = [", "sign = [", "unknown field 'sign'; did you mean 'signed'"),
        ("bind_now = false", 'bind_now = "no"', "bind_now is a string"),
        ('x86_64 = "10.15"', "x86_64 = 10.15", "universal2 is a table, not a table of strings"),
        ("[system]", "[systems]", "system: libraries is missing"),
    ],
)
def test_a_mistake_in_the_policy_of_macos_is_told(tmp_path: Path, old: str, new: str, said: str) -> None:
    told = planted("macos/policy.toml", tmp_path, old, new, UNIVERSAL)
    assert said in told


def planted(name: str, folder: Path, old: str, new: str, target: Target) -> str:
    """What is told of a policy file with a mistake."""
    text = (ROOT / name).read_text(encoding="utf-8")
    assert old in text
    (folder / name).parent.mkdir()
    (folder / name).write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        policy(folder, target)
    return caught.value.what


def test_the_parts_of_a_macos_binary() -> None:
    assert policy(ROOT, MACOS).parts == (("aarch64", "11.0"),)
    assert policy(ROOT, UNIVERSAL).parts == (("aarch64", "11.0"), ("x86_64", "10.15"))


@pytest.mark.parametrize("arch", ["x86_64", "aarch64"])
def test_the_policy_of_windows(arch: str) -> None:
    found = policy(ROOT, Target("windows", arch, "", "10.0", (), ()))
    assert "kernel32.dll" in found.libraries
    assert [name for name in found.libraries if name != name.lower() or name.startswith("vcruntime")] == []
    assert found.flags == ("DYNAMIC_BASE", "HIGH_ENTROPY_VA", "NX_COMPAT")


def test_a_system_without_a_policy_is_told() -> None:
    with pytest.raises(UsageError, match="no policy for plan9; there is one for linux, macos, windows"):
        policy(ROOT, Target("plan9", "x86_64", "", "4", (), ()))
