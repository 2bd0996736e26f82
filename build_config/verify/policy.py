"""Owns what wheels of a platform are held to, read from data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..errors import UsageError
from ..model import Target
from ..schema import Table, read


@dataclass(frozen=True, slots=True)
class Policy:
    """The limits for one target; the meaning of each field is told in `manylinux/policy.toml`."""

    max_bytes: int
    exports: tuple[str, ...]
    private_paths: tuple[str, ...]
    python_features: tuple[str, ...]
    libraries: tuple[str, ...]
    version_prefix: str
    stack_protector: bool
    fortify: bool
    weak: tuple[str, ...]


def policy(path: Path, target: Target) -> Policy:
    """The policy for a target, from a file.

    Raises:
        UsageError: naming every problem of the file, or that it does not know the target.
    """
    problems: list[str] = []
    whole = Table(read(path), path.name, problems)
    wheel, binary, python = whole.table("wheel"), whole.table("binary"), whole.table("python")
    libcs = dict(whole.named_tables("libc"))
    libc = libcs.get(target.libc)
    if libc is None:
        raise UsageError(f"no table [libc.{target.libc}]", subject=path, hint=f"add it for target {target.id}")
    loader = dict(libc.pairs("loaders")).get(target.arch)
    if loader is None:
        libc.wrong(f"loaders names none for {target.arch}")
    found = Policy(
        max_bytes=wheel.number("max_bytes"),
        exports=binary.texts("exports", required=True),
        private_paths=binary.texts("private_paths"),
        python_features=python.texts("features"),
        libraries=(*libc.texts("libraries", required=True), loader or ""),
        version_prefix=libc.text("version_prefix"),
        stack_protector=libc.flag("stack_protector", default=True),
        fortify=libc.flag("fortify", default=True),
        weak=libc.texts("weak"),
    )
    for table in (whole, wheel, binary, python, libc):
        table.finish()
    if problems:
        raise UsageError.many(problems, subject=path, hint="correct the fields named above")
    return found
