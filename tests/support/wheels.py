"""Owns small wheels: one that is fit to ship, and the means to change anything in it."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

from build_config.model import Target
from build_config.verify import Policy
from build_config.wheel import Member, digest, write
from tests.support.elves import Elf, build

DIST_INFO = "thing-1.0.dist-info"
EXTENSION = "thing/_thing.abi3.so"
PLATFORMS = ("manylinux_2_17_x86_64", "manylinux2014_x86_64")
NAME = "thing-1.0-cp38-abi3-manylinux2014_x86_64.manylinux_2_17_x86_64.whl"
RAW_NAME = "thing-1.0-cp38-abi3-linux_x86_64.whl"
TARGET = Target("linux", "x86_64", "gnu", "2.17", PLATFORMS, ("zig",))
POLICY = Policy(
    max_bytes=100_000,
    exports=("PyInit_{module}",),
    private_paths=("/home/",),
    python_features=("HAVE_FORK",),
    libraries=("libc.so.6",),
    version_prefix="GLIBC_",
    stack_protector=True,
    fortify=True,
    weak=("__gmon_start__",),
    parts=(("x86_64", "2.17"),),
)
METADATA = """\
Metadata-Version: 2.4
Name: thing
Version: 1.0
Summary: A thing
License-Expression: Apache-2.0
License-File: LICENSE
Requires-Python: >=3.8
Description-Content-Type: text/markdown

# Thing
"""


def wheel_file(*platforms: str, abi: str = "cp38-abi3") -> str:
    tags = "".join(f"Tag: {abi}-{platform}\n" for platform in platforms)
    return f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: false\n{tags}"


def contents(
    elf: Elf | None = None, platforms: tuple[str, ...] = PLATFORMS, changes: Mapping[str, bytes | None] | None = None
) -> dict[str, bytes]:
    """The files of a sound wheel by name, without RECORD; `changes` replaces, adds or (None) removes some."""
    files: dict[str, bytes] = {
        "thing/__init__.py": b"VALUE = 1\n",
        "thing/py.typed": b"",
        EXTENSION: build(elf or Elf()),
        f"{DIST_INFO}/METADATA": METADATA.encode(),
        f"{DIST_INFO}/WHEEL": wheel_file(*platforms).encode(),
        f"{DIST_INFO}/licenses/LICENSE": b"do as you like\n",
    }
    for name, data in (changes or {}).items():
        if data is None:
            files.pop(name)
        else:
            files[name] = data
    return files


def members(files: Mapping[str, bytes]) -> list[Member]:
    return [Member(name, data, name.endswith(".so")) for name, data in files.items()]


def sound(folder: Path, files: Mapping[str, bytes] | None = None, name: str = NAME) -> Path:
    """A wheel as `wheel.write` makes it, with a true RECORD."""
    return write(folder, name, members(contents() if files is None else files), epoch=1_700_000_000)


def record(files: Mapping[str, bytes]) -> list[list[str]]:
    rows = [[name, digest(data), str(len(data))] for name, data in files.items()]
    return [*rows, [f"{DIST_INFO}/RECORD", "", ""]]


def with_record(folder: Path, rows: list[list[str]], files: Mapping[str, bytes] | None = None) -> Path:
    """A wheel whose RECORD says what a test wants it to say."""
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows(rows)
    return plain(
        folder, {**(contents() if files is None else files), f"{DIST_INFO}/RECORD": stream.getvalue().encode()}
    )


def plain(folder: Path, files: Mapping[str, bytes]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(folder / NAME, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return folder / NAME
