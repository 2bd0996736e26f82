"""Owns what every module of the package shares: its version, its native half, and the base of its native objects.

Python bindings of the AWS Common Runtime. The modules hold the parts: `awscrt.io`, `awscrt.crypto`, `awscrt.checksums`, …
Importing this package starts no thread and opens nothing.

Fork: native objects work through native threads, which a forked child does not have. In the child, using an object of
the parent raises RuntimeError at once; new objects can be made there.
"""

from __future__ import annotations

import atexit
from weakref import WeakSet

from . import _awscrt

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import ClassVar

__all__ = ["NativeResource"]

__version__ = "0.38.0"

atexit.register(_awscrt.shut_down)


class NativeResource:
    """Base of the objects whose real self is native.

    The native object is given up when the last reference to this one is dropped, on whichever thread that happens;
    what it still has to finish (closing a connection, ending a thread) goes on in the background, see
    `awscrt.common.join_all_native_threads`.
    """

    __slots__ = ("__weakref__", "_binding")

    _track_lifetime: ClassVar[bool] = False
    """Set this for objects made from then on to be found in `_living`: for tests that look for leaks."""

    _living: ClassVar[WeakSet[NativeResource]] = WeakSet()

    _binding: object

    def __init__(self) -> None:
        if NativeResource._track_lifetime:
            NativeResource._living.add(self)

    def _release_binding(self) -> None:
        """Give the native object up at once, whichever thread made it; without effect if that was done.

        Only for classes whose native functions ask for a reference of their own (source/handle.c).
        """
        binding, self._binding = getattr(self, "_binding", None), None
        if binding is not None:
            _awscrt.handle_release(binding)
