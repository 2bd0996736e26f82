"""Owns the lock file of the roots: which files their packages mean today."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from . import debian
from .catalog import LOCKED, Catalog, Package

_HEADER = """\
# The files of Debian's archive that roots.toml means: written by `roots lock`, not by hand.
"""


def lock(
    catalog: Catalog,
    names: Sequence[str],
    root: Path,
    *,
    environment: Mapping[str, str],
    work: Path,
    progress: Callable[[str], None],
) -> Path:
    """Choose the packages of the named roots, or of everything, anew; the others stay as they are.

    Raises:
        MachineError: apt is not here, or cannot reach the archive.
    """
    pinned = {tree.name: tree.packages for tree in catalog.trees}
    for tree in catalog.trees:
        if not names or tree.name in names:
            progress(f"locking {tree.name}")
            pinned[tree.name] = debian.resolve(tree, environment=environment, work=work)
    for source in catalog.sources.values():
        name = f"source-{source.name}"
        pinned[name] = () if source.file is None else (source.file,)
        if not names or name in names:
            progress(f"locking {name}")
            pinned[name] = (debian.resolve_source(source, environment=environment, work=work),)
    path = root / LOCKED
    fresh = path.with_suffix(".toml.new")
    fresh.write_text(_HEADER + "".join(_table(name, pinned[name]) for name in sorted(pinned)), encoding="utf-8")
    os.replace(fresh, path)
    return path


def _table(name: str, packages: Sequence[Package]) -> str:
    rows = [f'  {{ path = "{each.path}", size = {each.size}, sha256 = "{each.sha256}" }},\n' for each in packages]
    return f"\n[packages.{name}]\nfiles = [\n{''.join(rows)}]\n"
