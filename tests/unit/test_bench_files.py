"""Owns the tests of the comparison of files with upstream's release, and of what its data file says."""

from __future__ import annotations

from pathlib import Path

import pytest

from build_config.errors import UsageError
from tests.bench import files
from tests.bench.files import Row, Side

DATA = Path(__file__).parents[1] / "bench" / "files.toml"
UPSTREAM = {
    "thing-1.0-cp39-cp39-manylinux2014_x86_64.manylinux_2_17_x86_64.whl": 4_000_000,
    "thing-1.0-cp39-cp39-manylinux_2_5_x86_64.manylinux1_x86_64.whl": 3_000_000,
    "thing-1.0-cp311-abi3-win32.whl": 1_500_000,
}
OURS = {
    "thing-1.0-cp38-abi3-manylinux_2_28_x86_64.whl": 2_004_000,
    "thing-1.0-cp38-abi3-win_arm64.whl": 1_000_000,
}


@pytest.mark.parametrize(
    ("tags", "name"),
    [
        ("manylinux2014_aarch64.manylinux_2_17_aarch64", "Linux, glibc, aarch64"),
        ("manylinux_2_5_i686.manylinux1_i686", "Linux, glibc, i686"),
        ("musllinux_1_2_x86_64", "Linux, musl, x86_64"),
        ("macosx_10_15_universal2", "macOS, universal2"),
        ("macosx_11_0_arm64", "macOS, arm64"),
        ("win32", "Windows, 32"),
        ("win_amd64", "Windows, amd64"),
    ],
)
def test_the_platform_of_a_wheel(tags: str, name: str) -> None:
    assert files.platform(f"thing-1.0-cp38-abi3-{tags}.whl") == name


@pytest.mark.parametrize("filename", ["thing-1.0-py3-none-any.whl", "thing-1.0-cp38-abi3-win32.win_amd64.whl", "x.whl"])
def test_a_wheel_for_no_single_platform_is_refused(filename: str) -> None:
    with pytest.raises(UsageError):
        files.platform(filename)


def test_files_and_bytes_are_summed_by_platform() -> None:
    assert files.compare(UPSTREAM, OURS) == [
        Row("Linux, glibc, x86_64", Side(2, 7_000_000), Side(1, 2_004_000)),
        Row("Windows, 32", Side(1, 1_500_000), Side()),
        Row("Windows, arm64", Side(), Side(1, 1_000_000)),
    ]


def test_the_table_in_markdown() -> None:
    assert files.markdown(files.compare(UPSTREAM, OURS)).splitlines() == [
        "| platform | upstream: files | MB | ours: files | MB |",
        "| --- | --- | --- | --- | --- |",
        "| Linux, glibc, x86_64 | 2 | 7.00 | 1 | 2.00 |",
        "| Windows, 32 | 1 | 1.50 | – | – |",
        "| Windows, arm64 | – | – | 1 | 1.00 |",
        "| all | 3 | 8.50 | 2 | 3.00 |",
        "| all that both serve | 2 | 7.00 | 1 | 2.00 |",
    ]


def test_our_wheels_are_those_that_were_built(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no wheel in"):
        files.built(tmp_path)
    (tmp_path / "thing-1.0-cp38-abi3-win32.whl").write_bytes(b"12345")
    (tmp_path / "thing.debug.tar.xz").write_bytes(b"123")
    assert files.built(tmp_path) == {"thing-1.0-cp38-abi3-win32.whl": 5}


def test_the_data_file_lists_a_whole_release() -> None:
    version, wheels = files.load(DATA)
    assert version == "0.38.0"
    assert sum(row.upstream.files for row in files.compare(wheels, {})) == len(wheels) == 47
    assert all(1_000_000 < size < 10_000_000 for size in wheels.values())


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ('{ name = "thing-1.1-cp38-abi3-win32.whl", size = 1 }', "is no wheel of 1.0"),
        ('{ name = "thing-1.0-cp38-abi3-win32.whl", size = "1" }', "size is a string"),
        ('{ name = "thing-1.0-cp38-abi3-win32.whl", size = 1, sizes = 2 }', "unknown field 'sizes'"),
    ],
)
def test_a_wrong_row_is_refused(tmp_path: Path, row: str, told: str) -> None:
    path = tmp_path / "files.toml"
    path.write_text(f'version = "1.0"\nwheel = [\n{row}\n]\n')
    with pytest.raises(UsageError, match=told):
        files.load(path)
