"""Owns the roots: file systems of other platforms, made without root rights, in which wheels are tried."""

from __future__ import annotations

from .catalog import Catalog, Root, load
from .locking import lock
from .provision import Provider, State, parts

__all__ = ["Catalog", "Provider", "Root", "State", "load", "lock", "parts"]
