"""Owns what pip is configured with: which indexes, how they are reached and whom they trust.

Read from pip's own files and variables as its documentation has them ("Configuration"), as `pip download` would: pip
itself is absent from many of the environments in which a package is built.
"""

from __future__ import annotations

import configparser
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from build_config import process
from build_config.errors import UsageError

_DEFAULT_INDEX = re.compile(r"Base URL of the Python Package Index \(default\s+(https?://[^\s)]+)\)")
_DEFAULT_TIMEOUT = 15.0
_SECTIONS = ("global", "download")
_CERT_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR")
_TRUE = ("y", "yes", "t", "true", "on", "1")
_FALSE = ("n", "no", "f", "false", "off", "0")


@dataclass(frozen=True, slots=True)
class Settings:
    """How to reach package files; addresses as a person wrote them, with whatever passwords are in them.

    Such an address is kept out of the repr, which a traceback or a log would show. `timeout` is in seconds, for one
    read or connect. `proxy` is pip's own option; `proxies` the `*_PROXY` variables, their names in lower case.
    """

    indexes: tuple[str, ...] = field(repr=False)
    find_links: tuple[str, ...] = field(repr=False)
    trusted_hosts: tuple[str, ...]
    cert: str
    client_cert: str
    proxy: str = field(repr=False)
    proxies: tuple[tuple[str, str], ...] = field(repr=False)
    netrc: Path | None
    timeout: float


def load(environment: Mapping[str, str], *, prefix: Path = Path(sys.prefix), platform: str = sys.platform) -> Settings:
    """The settings that hold in an environment, for an interpreter installed below `prefix`.

    Raises:
        UsageError: a configuration file cannot be parsed, or a value is of the wrong kind. Values are not shown.
    """
    said = _said(environment, prefix, platform)
    home = _home(environment)
    no_index = _flag(said, "no-index")
    main = said.get("index-url") or said.get("pypi-url") or _default_index(environment)
    certs = (said.get("cert"), *map(environment.get, _CERT_VARIABLES))
    return Settings(
        indexes=() if no_index or not main else (main, *said.get("extra-index-url", "").split()),
        find_links=tuple(_expanded(item, home) for item in said.get("find-links", "").split()),
        trusted_hosts=tuple(said.get("trusted-host", "").lower().split()),
        cert=_expanded(next(filter(None, certs), ""), home),
        client_cert=_expanded(said.get("client-cert", ""), home),
        proxy=said.get("proxy", ""),
        proxies=tuple(
            # Lower case wins where both are set, as everywhere.
            {name.lower(): environment[name] for name in sorted(environment) if name.lower().endswith("_proxy")}.items()
        ),
        netrc=_netrc(environment, home, platform),
        timeout=_timeout(said),
    )


def _default_index(environment: Mapping[str, str]) -> str:
    """The index that pip uses where none is configured, as its own help says; empty where there is no pip."""
    argv = [sys.executable, "-m", "pip", "help", "install"]
    said = process.run(argv, cwd=Path(sys.prefix), env={**environment, "COLUMNS": "1000"}, error=None).output
    found = _DEFAULT_INDEX.search(said)
    return found[1] if found else ""


def files(environment: Mapping[str, str], *, prefix: Path, platform: str) -> tuple[Path, ...]:
    """pip's configuration files, existing or not, a later one outranking those before it."""
    chosen = environment.get("PIP_CONFIG_FILE", "")
    if chosen == os.devnull:
        return ()
    home = _home(environment)
    name = "pip.ini" if platform == "win32" else "pip.conf"
    personal = [] if chosen and Path(chosen).exists() else _personal(environment, home, platform, name)
    return (*_shared(environment, platform, name), *personal, prefix / name, *([Path(chosen)] if chosen else []))


def _shared(environment: Mapping[str, str], platform: str, name: str) -> list[Path]:
    if platform == "win32":
        return [Path(environment.get("PROGRAMDATA", "C:\\ProgramData"), "pip", name)]
    if platform == "darwin":
        return [Path("/Library/Application Support/pip", name)]
    folders = environment.get("XDG_CONFIG_DIRS", "") or "/etc/xdg"
    # To pip the last folder outranks the others, unlike what the XDG Base Directory Specification says.
    return [*(Path(folder, "pip", name) for folder in folders.split(os.pathsep) if folder), Path("/etc", name)]


def _personal(environment: Mapping[str, str], home: Path, platform: str, name: str) -> list[Path]:
    xdg = Path(environment.get("XDG_CONFIG_HOME", "") or home / ".config", "pip", name)
    if platform == "win32":
        return [home / "pip" / name, Path(environment.get("APPDATA", "") or home, "pip", name)]
    if platform == "darwin":
        own = home / "Library/Application Support/pip"
        return [home / ".pip" / name, own / name if own.is_dir() else xdg]
    return [home / ".pip" / name, xdg]


def _said(environment: Mapping[str, str], prefix: Path, platform: str) -> dict[str, str]:
    """Every option that is set to something, by its long name."""
    sections: dict[str, dict[str, str]] = {name: {} for name in _SECTIONS}
    for path in files(environment, prefix=prefix, platform=platform):
        for section, options in _parsed(path).items():
            if section in sections:
                sections[section] |= options
    variables = {
        _normal(name.removeprefix("PIP_")): value for name, value in environment.items() if name.startswith("PIP_")
    }
    merged: dict[str, str] = {}
    for options in (*sections.values(), variables):
        # An empty value is as good as none, to pip too; a blank one is a value.
        merged |= {name: value.strip() for name, value in options.items() if value}
    return merged


def _parsed(path: Path) -> dict[str, dict[str, str]]:
    parser = configparser.RawConfigParser()
    try:
        text = path.read_text(encoding="utf-8")
    except OSError:
        # Absent, or not ours to read: pip goes on without it too.
        return {}
    except UnicodeDecodeError:
        raise UsageError("is not UTF-8", subject=path, hint="correct the file") from None
    try:
        parser.read_string(text)
    except configparser.Error as cause:
        # The error quotes lines, which may hold a password: it is neither shown nor chained.
        raise UsageError(
            f"is no configuration file of pip ({type(cause).__name__})", subject=path, hint="correct the file"
        ) from None
    return {section: {_normal(name): value for name, value in parser.items(section)} for section in parser.sections()}


def _normal(name: str) -> str:
    return name.lower().replace("_", "-").removeprefix("--")


def _flag(said: Mapping[str, str], option: str) -> bool:
    value = said.get(option, "no").lower()
    if value not in _TRUE + _FALSE:
        raise UsageError(f"pip's option {option} is neither true nor false", hint="see `pip config list`")
    return value in _TRUE


def _timeout(said: Mapping[str, str]) -> float:
    value = said.get("timeout") or said.get("default-timeout")
    try:
        seconds = float(value) if value else _DEFAULT_TIMEOUT
    except ValueError:
        seconds = -1.0
    if not 0 < seconds < float("inf"):
        raise UsageError("pip's option timeout is not a number of seconds", hint="see `pip config list`")
    return seconds


def _home(environment: Mapping[str, str]) -> Path:
    return Path(environment.get("HOME") or environment.get("USERPROFILE") or Path("~").expanduser())


def _expanded(value: str, home: Path) -> str:
    return str(home / value[2:]) if value.startswith("~/") else value


def _netrc(environment: Mapping[str, str], home: Path, platform: str) -> Path | None:
    if environment.get("NETRC"):
        return Path(environment["NETRC"])
    names = ("_netrc", ".netrc") if platform == "win32" else (".netrc",)
    return next((home / name for name in names if (home / name).is_file()), None)
