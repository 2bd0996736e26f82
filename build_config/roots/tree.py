"""Owns putting packages together to one file system, without root rights and without running anything of theirs."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

from .. import process
from ..errors import IntegrityError, MachineError
from .catalog import Tree

_MERGED = ("bin", "lib", "lib64", "sbin")
"""Folders that are links into usr/ (see Debian's "UsrMerge"), wherever a package puts its files."""

_EMPTY = ("dev", "mnt", "proc", "root", "sys", "tmp")
_UNPACK_SECONDS = 120.0
_CERTIFICATES = ("usr/share/ca-certificates/mozilla", "etc/ssl/certs/ca-certificates.crt")
"""Where the package has each certificate, and the one file that its script would make of them."""


def assemble(tree: Tree, files: Iterable[Path], folder: Path, *, environment: Mapping[str, str], scratch: Path) -> None:
    """Make `folder`, which is empty, the tree that these packages make.

    Raises:
        IntegrityError: a package holds what is neither file, folder nor link, or two disagree on what a path is.
        MachineError: a package cannot be unpacked.
    """
    for name in (*_EMPTY, *(f"usr/{name}" for name in _MERGED)):
        (folder / name).mkdir(parents=True)
    for name in _MERGED:
        (folder / name).symlink_to(f"usr/{name}")
    for file in files:
        # Alone, so that no link of one package leads the files of another out of its folder.
        alone = scratch / file.name
        _unpack(file, alone, environment)
        merge(alone, folder, tree)
        shutil.rmtree(alone)
    for path, text in tree.files:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    source, bundle = (folder / name for name in _CERTIFICATES)
    if source.is_dir():
        bundle.parent.mkdir(parents=True, exist_ok=True)
        bundle.write_bytes(b"".join(path.read_bytes() for path in sorted(source.glob("*.crt"))))


def merge(package: Path, folder: Path, tree: Tree) -> None:
    """Move what one unpacked package holds into the tree.

    Raises:
        IntegrityError: as in `assemble`.
    """
    for place, folders, files in os.walk(package):
        here = Path(place).relative_to(package)
        for name in sorted((*folders, *files)):
            source = Path(place, name)
            relative = _merged(here / name)
            is_folder = source.is_dir() and not source.is_symlink()
            if tree.left_out(f"{relative}/" if is_folder else str(relative)) or _clash(source, folder, relative):
                continue
            final = folder / relative
            if source.is_symlink():
                final.symlink_to(_inside(os.readlink(source), relative))
            elif is_folder:
                final.mkdir(exist_ok=True)
            else:
                # The next walk must be able to go on in any folder, and the owner to read any file.
                source.chmod(stat.S_IMODE(source.stat().st_mode) | stat.S_IRUSR | stat.S_IWUSR)
                source.rename(final)


def _clash(source: Path, folder: Path, relative: PurePosixPath) -> bool:
    """Whether the tree has the same thing already; what may not be there, or differs, is refused."""
    mode, final = source.lstat().st_mode, folder / relative
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISLNK(mode)):
        raise IntegrityError("is neither a file, a folder nor a link", subject=source)
    if not (final.exists() or final.is_symlink()) or (stat.S_ISDIR(mode) and final.is_dir() and not final.is_symlink()):
        return False
    if stat.S_ISLNK(mode) and final.is_symlink() and os.readlink(final) == _inside(os.readlink(source), relative):
        return True
    raise IntegrityError("is in another package too, and not the same", subject=relative)


def _merged(relative: Path) -> PurePosixPath:
    """A path as it is where bin, lib and sbin are links."""
    path = PurePosixPath(relative.as_posix())
    return PurePosixPath("usr", path) if path.parts[0] in _MERGED else path


def _inside(target: str, relative: PurePosixPath) -> str:
    """A link's target, an absolute one made relative: it must mean the same wherever the tree lies."""
    if not target.startswith("/"):
        return target
    up = "../" * (len(relative.parts) - 1)
    return up + target.lstrip("/") if target.strip("/") else up or "."


def _unpack(file: Path, folder: Path, environment: Mapping[str, str]) -> None:
    if shutil.which("dpkg-deb", path=environment.get("PATH")) is None:
        raise MachineError(
            "there is no dpkg-deb", hint="roots are made of Debian's packages, on a Debian or Ubuntu machine"
        )
    process.run(
        ["dpkg-deb", "--extract", file, folder],
        cwd=file.parent,
        env=environment,
        timeout=_UNPACK_SECONDS,
        error=MachineError,
        subject=file.name,
    )
