"""Owns copies of the project that a test or a benchmark may build in and spoil."""

from __future__ import annotations

import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_FILES = ("CMakeLists.txt", "LICENSE", "NOTICE", "README.md", "pyproject.toml")
_FOLDERS = ("awscrt", "build_config", "crt", "manylinux", "recipes", "requirements", "source", "windows")


def copy(folder: Path) -> Path:
    """What a build reads, in a new folder."""
    folder.mkdir(parents=True)
    for name in _FILES:
        shutil.copy(ROOT / name, folder / name)
    for name in _FOLDERS:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    return folder
