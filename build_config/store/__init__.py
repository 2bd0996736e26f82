"""Owns the store: results of builds kept under the keys that decided them, verified whenever they are read.

Below the root lie `entries/ORIGIN/KIND/DIGEST` (with `files`, `manifest` and `record` each), `quarantine`, `locks`, and
`tmp` where entries are made.
"""

from .core import Entry, Store
from .upkeep import EntryInfo, Explanation, State

__all__ = ["Entry", "EntryInfo", "Explanation", "State", "Store"]
