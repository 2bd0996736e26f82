"""Owns the archive of debug information that comes beside a wheel."""

from __future__ import annotations

import io
import lzma
import os
import tarfile
from collections.abc import Mapping
from pathlib import Path

_XZ_PRESET = 1
"""Level 6 takes five times as long for a tenth less."""


def archive(path: Path, files: Mapping[str, bytes], *, epoch: int) -> Path:
    """A tar of debug files at the paths where debuggers look them up."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, data in sorted(files.items()):
            info = tarfile.TarInfo(name)
            info.size, info.mtime, info.mode = len(data), epoch, 0o644
            archive.addfile(info, io.BytesIO(data))
    partial = path.with_name(f".{path.name}.partial")
    partial.write_bytes(lzma.compress(raw.getvalue(), preset=_XZ_PRESET))
    os.replace(partial, path)
    return path
