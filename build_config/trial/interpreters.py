"""Owns finding the CPythons of this machine that a wheel can be tried on."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from packaging.tags import cpython_tags

from ..errors import BuildError, MachineError, ToolchainError
from ..process import Output
from .place import HERE, Place

OLDEST = (3, 8)
"""What `requires-python` of the package says."""

_NAME = re.compile(r"python3(\.\d+)?t?(\.exe)?")
_VERSION = re.compile(r"\d+\.\d+\.")
_LINUX = re.compile(r"(?P<family>manylinux|musllinux)_?(?P<version>\d+(_\d+)?)_")
_FAMILIES = {"glibc": "manylinux", "musl": "musllinux"}
_ALIASES = {"1": (2, 5), "2010": (2, 12), "2014": (2, 17)}
"""The glibc that the first three platforms of PEP 600's table mean."""

_PROBE = """\
import json, platform, sys, sysconfig
threads = "t" if sysconfig.get_config_var("Py_GIL_DISABLED") else ""
print(json.dumps({
    "implementation": sys.implementation.name,
    "version": platform.python_version(),
    "abi": "cp%d%d%s" % (sys.version_info[0], sys.version_info[1], getattr(sys, "abiflags", threads).replace("m", "")),
    "platform": sysconfig.get_platform(),
    "prefix": sys.base_prefix,
    "virtual": sys.prefix != sys.base_prefix,
    "libc": " ".join(platform.libc_ver()).strip(),
}))
"""
"""Windows' Python has no sys.abiflags."""

_PROBE_SECONDS = 60.0
_PROBES_AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A Python that was found by running it; `abi` is its own ABI tag, such as `cp313t`.

    `libc` is its name and version, as far as the standard library's `platform` knows them: it tells musl since 3.14.
    `path` and `prefix` are as in its place.
    """

    path: Path
    version: str
    abi: str
    platform: str
    implementation: str
    prefix: Path
    virtual: bool
    libc: str = "glibc 2.17"
    place: Place = HERE

    @property
    def release(self) -> tuple[int, int]:
        """Major and minor version."""
        major, minor = self.version.split(".")[:2]
        return int(major), int(minor)

    @property
    def supported(self) -> bool:
        return self.implementation == "cpython" and self.release >= OLDEST and not self.virtual

    def accepts(self, tags: Iterable[str]) -> bool:
        """True when one of a wheel's tags is for this Python, its ABI, its processor and its C library (PEP 425)."""
        wanted = set(tags)
        platforms = sorted(filter(self._is_on, {tag.rsplit("-", 1)[1] for tag in wanted}))
        own = cpython_tags(self.release, abis=[self.abi], platforms=platforms) if platforms else ()
        return not wanted.isdisjoint(map(str, own))

    def _is_on(self, platform: str) -> bool:
        """Whether a wheel's platform is this one, judged as in PEP 600 and PEP 656; an unknown version is new enough."""
        wanted = _LINUX.match(platform)
        system = "linux" if wanted else platform.partition("_")[0]
        own, _, rest = self.platform.partition("-")
        if system != own or not platform.endswith(rest.rpartition("-")[2]):
            return False
        if wanted is None:
            return True
        version = self.libc.partition(" ")[2]
        oldest = _ALIASES.get(wanted["version"]) or _numbers(wanted["version"])
        return wanted["family"] == _FAMILIES[self._library] and (not version or oldest <= _numbers(version))

    @property
    def _library(self) -> str:
        """The family of its C library on Linux, where there are two."""
        return "glibc" if self.libc.startswith("glibc") else "musl"

    @property
    def traits(self) -> frozenset[str]:
        """What tells this Python from others where tests differ.

        Its ABI, system, processor and, on Linux, C library, its place's name, and `emulated` where that is slower.
        """
        system, _, machine = self.platform.partition("-")
        library = self._library if system == "linux" else ""
        emulated = "emulated" if self.place.slowness > 1 else ""
        words = {self.abi, system, machine, library, self.place.name, emulated}
        return frozenset(filter(None, words))

    @property
    def markers(self) -> dict[str, str]:
        """What a requirement's environment marker may ask of it (PEP 508), as far as that is known."""
        system = self.platform.partition("-")[0]
        return {
            "implementation_name": self.implementation,
            "platform_python_implementation": {"cpython": "CPython"}.get(self.implementation, self.implementation),
            "python_full_version": self.version,
            "python_version": ".".join(map(str, self.release)),
            "sys_platform": {"win": "win32", "macosx": "darwin"}.get(system, system),
        }


def interpreters(environment: Mapping[str, str]) -> tuple[Interpreter, ...]:
    """Every CPython from 3.8 on: pyenv's, uv's, on PATH; oldest first, each installation once."""
    candidates = sorted({path.resolve() for path in _candidates(environment)})
    with ThreadPoolExecutor(_PROBES_AT_ONCE) as pool:
        probed = pool.map(lambda path: _found(path, environment), candidates)
        known = {_identity(each): each for each in probed if each is not None and each.supported}
    return tuple(sorted(known.values(), key=lambda each: (_numbers(each.version), each.abi, each.path)))


def probe(path: Path, environment: Mapping[str, str], place: Place = HERE) -> Interpreter:
    """The interpreter at a path of a place, whatever it is.

    Raises:
        MachineError: it does not run, or is not a Python 3.
    """
    hint = "give the path of a CPython of version 3.8 or later"
    clean = {name: value for name, value in environment.items() if not name.startswith("PYTHON")}
    try:
        done = place.run(
            [path, "-I", "-c", _PROBE],
            cwd=Path(path.anchor or "."),
            env=clean,
            timeout=_PROBE_SECONDS,
            output=Output.APART,
        )
        answer = json.loads(done.output)
        prefix = Path(answer["prefix"]).resolve() if place is HERE else Path(answer["prefix"])
        found = Interpreter(path, **{**answer, "prefix": prefix}, place=place)
    except (BuildError, MachineError, ValueError, TypeError) as cause:
        raise MachineError("is not a Python that works", subject=path, hint=hint) from cause
    if not _VERSION.match(found.version):
        raise MachineError(f"says that its version is {found.version!r}", subject=path, hint=hint)
    return found


def require(path: Path, environment: Mapping[str, str]) -> Interpreter:
    """The interpreter that somebody asked for by its path.

    Raises:
        MachineError: it does not run, or wheels of this project cannot serve it.
    """
    found = probe(path, environment)
    if not found.supported:
        what = "a virtual environment of " if found.virtual else ""
        oldest = ".".join(map(str, OLDEST))
        raise MachineError(
            f"is {what}{found.implementation} {found.version}; wanted is an installed CPython of version {oldest} or later",
            subject=path,
            hint="`pyenv install` or `uv python install` brings one",
        )
    return found


def _candidates(environment: Mapping[str, str]) -> Iterator[Path]:
    home = Path(environment.get("HOME") or os.path.expanduser("~"))
    data = Path(environment.get("XDG_DATA_HOME") or home / ".local" / "share")
    pyenv = Path(environment.get("PYENV_ROOT") or home / ".pyenv")
    uv = Path(environment.get("UV_PYTHON_INSTALL_DIR") or data / "uv" / "python")
    folders = [Path(name) for name in environment.get("PATH", "").split(os.pathsep) if name]
    folders += sorted(pyenv.glob("versions/*/bin")) + sorted(uv.glob("*/bin"))
    folders += [Path("/usr/local/bin"), Path("/usr/bin")]
    for folder in folders:
        # A shim of pyenv runs one of the versions that are listed above, or nothing.
        if folder == pyenv / "shims":
            continue
        try:
            names = sorted(path for path in folder.iterdir() if _NAME.fullmatch(path.name))
        except OSError:
            continue
        yield from (path for path in names if os.access(path, os.X_OK))


def _found(path: Path, environment: Mapping[str, str]) -> Interpreter | None:
    try:
        return probe(path, environment)
    except ToolchainError:
        return None


def _identity(found: Interpreter) -> tuple[str, str, str, Path]:
    return found.implementation, found.version, found.abi, found.prefix


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", version)))
