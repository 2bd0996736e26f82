"""Owns web addresses: their parts, whose password belongs to which, and how they are shown without one."""

from __future__ import annotations

import base64
import ipaddress
import netrc
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

_PORTS = {"http": 80, "https": 443}
_USERINFO = re.compile(r"//[^/?#\s]*@")
# In an address whose scheme was forgotten.
_LOGIN = re.compile(r"\A[^/\s]*@")
_SAFE = "/%:@!$&'()*+,;=~-._?"


@dataclass(frozen=True, slots=True)
class Address:
    """An http or https URL; `target` is what is asked for, `login` is `user:password` decoded."""

    scheme: str
    host: str
    port: int
    target: str = field(repr=False)
    login: str = field(repr=False)

    @classmethod
    def of(cls, url: str) -> Address:
        """The parts of a URL.

        Raises:
            ValueError: it is none, or of another scheme. The message holds no part of the URL but the scheme.
        """
        try:
            parts = urlsplit(url)
            port = parts.port
            host = (parts.hostname or "").encode("idna").decode() if parts.hostname else ""
        except ValueError:
            raise ValueError("is not a URL") from None
        if parts.scheme not in _PORTS:
            raise ValueError(f"has the scheme {parts.scheme!r}, not http or https")
        if not host:
            raise ValueError("names no host")
        target = quote(parts.path or "/", safe=_SAFE) + (f"?{quote(parts.query, safe=_SAFE)}" if parts.query else "")
        login = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}" if "@" in parts.netloc else ""
        return cls(parts.scheme, host.lower(), port or _PORTS[parts.scheme], target, login)

    @property
    def place(self) -> tuple[str, str, int]:
        """What two addresses share when a password for one is meant for the other."""
        return self.scheme, self.host, self.port

    @property
    def netloc(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    def is_local(self) -> bool:
        """Whether it is this machine, to which a connection needs no encryption."""
        if self.host == "localhost" or self.host.endswith(".localhost"):
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    def is_among(self, trusted: Iterable[str]) -> bool:
        """Whether the host, or host and port, is in pip's list of trusted hosts."""
        return bool({self.host, self.netloc} & set(trusted))


def shown(url: str) -> str:
    """A URL for a person: no user, no password, no query (signed links carry a secret there), no fragment."""
    return _LOGIN.sub("", hidden(url.partition("#")[0].partition("?")[0]))


def hidden(text: str) -> str:
    """A text, such as a tool's output, with the user part of every URL in it taken out."""
    return _USERINFO.sub("//", text)


def authorization(login: str) -> str:
    """The value of the header (RFC 7617)."""
    return f"Basic {base64.b64encode(login.encode()).decode()}"


def stored_login(address: Address, known: Iterable[str], file: Path | None) -> str:
    """`user:password` for an address: its own, else of a known URL at the same place, else of a netrc file."""
    if address.login:
        return address.login
    for url in known:
        try:
            other = Address.of(url)
        except ValueError:
            continue
        if other.login and other.place == address.place:
            return other.login
    try:
        found = netrc.netrc(file).authenticators(address.host) if file else None
    except (OSError, netrc.NetrcParseError, UnicodeDecodeError):
        return ""
    return f"{found[0]}:{found[2]}" if found else ""


def bypasses_proxy(address: Address, no_proxy: str) -> bool:
    """Whether a `no_proxy` list (names with their subdomains, `host:port`, networks, or `*`) has an address."""
    for item in no_proxy.lower().replace(",", " ").split():
        name = item.removeprefix("*").removeprefix(".")
        if item == "*" or name in (address.host, address.netloc) or f"{address.host}".endswith(f".{name}"):
            return True
        try:
            if ipaddress.ip_address(address.host) in ipaddress.ip_network(item, strict=False):
                return True
        except ValueError:
            continue
    return False
