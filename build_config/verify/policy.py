"""Owns what wheels of a platform are held to, read from data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..errors import UsageError
from ..model import Target
from ..schema import Table, read

_FILES = {"linux": "manylinux/policy.toml", "macos": "macos/policy.toml", "windows": "windows/policy.toml"}


@dataclass(frozen=True, slots=True)
class Policy:
    """The limits for one target; the meaning of each field is told in the system's `policy.toml`.

    `parts` are the processors that each binary is for, each with the oldest system that this part runs on.
    """

    max_bytes: int
    exports: tuple[str, ...]
    private_paths: tuple[str, ...]
    python_features: tuple[str, ...]
    libraries: tuple[str, ...]
    version_prefix: str
    stack_protector: bool
    fortify: bool
    weak: tuple[str, ...]
    parts: tuple[tuple[str, str], ...]
    symbols: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    bind_now: bool = True
    signed: tuple[str, ...] = ()


def policy(root: Path, target: Target) -> Policy:
    """The policy for a target, of the project in folder `root`.

    Raises:
        UsageError: naming every problem of the file, or that there is none that knows the target.
    """
    if target.os not in _FILES:
        raise UsageError(f"no policy for {target.os}; there is one for {', '.join(_FILES)}", subject=target.id)
    path = root / _FILES[target.os]
    problems: list[str] = []
    whole = Table(read(path), path.name, problems)
    wheel, binary, python = whole.table("wheel"), whole.table("binary"), whole.table("python")
    system, loaders = _libc(whole, target, path) if target.libc else (whole.table("system"), ())
    found = Policy(
        max_bytes=wheel.number("max_bytes"),
        exports=binary.texts("exports", required=True),
        private_paths=binary.texts("private_paths"),
        python_features=python.texts("features"),
        libraries=(*system.texts("libraries", required=True), *loaders),
        version_prefix=system.text("version_prefix"),
        stack_protector=system.flag("stack_protector", default=True),
        fortify=system.flag("fortify", default=True),
        weak=system.texts("weak"),
        symbols=system.texts("symbols"),
        flags=system.texts("flags"),
        parts=_parts(system, target),
        bind_now=system.flag("bind_now", default=True),
        signed=system.texts("signed"),
    )
    for table in (whole, wheel, binary, python, system):
        table.finish()
    if problems:
        raise UsageError.many(problems, subject=path, hint="correct the fields named above")
    return found


def _libc(whole: Table, target: Target, path: Path) -> tuple[Table, tuple[str, ...]]:
    """The table of the target's C library, and that library's loader."""
    libc = dict(whole.named_tables("libc")).get(target.libc)
    if libc is None:
        raise UsageError(f"no table [libc.{target.libc}]", subject=path, hint=f"add it for target {target.id}")
    loader = dict(libc.pairs("loaders")).get(target.arch)
    if loader is None:
        libc.wrong(f"loaders names none for {target.arch}")
    return libc, (loader or "",)


def _parts(system: Table, target: Target) -> tuple[tuple[str, str], ...]:
    table = system.optional_table("parts")
    return (table.pairs(target.arch) if table is not None else ()) or ((target.arch, target.floor),)
