"""Owns what is known of Python's stable ABI: which names it has, and which library has them on Windows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from abi3info import DATAS, FUNCTIONS
from abi3info.models import PyVersion

ABI3 = "abi3"


def names(oldest: str, features: Iterable[str]) -> Mapping[str, bool]:
    """The stable ABI of the Python with tag `oldest` ("cp38"); True marks data, all else are functions.

    `features` are the macros that every Python of the platform is built with (`HAVE_FORK`): names that only some have
    are no part of it.
    """
    floor, sure = PyVersion.parse_python_tag(oldest), frozenset(features)
    return {
        symbol.name: table is DATAS
        for table in (FUNCTIONS, DATAS)
        for symbol, entry in table.items()
        if entry.added <= floor and (entry.ifdef is None or entry.ifdef.name in sure)
    }


def windows_library(abi: str) -> str:
    """The DLL that an extension with this ABI tag imports Python from; all but `abi3` are bound to one version's own."""
    return "python3.dll" if abi == ABI3 else f"python{abi.removeprefix('cp')}.dll"
