"""Owns locks between processes."""

from __future__ import annotations

from . import NativeResource, _awscrt

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Optional, Type


class CrossProcessLock(NativeResource):
    """A lock that one holder on the machine can have at a time, among all processes and users.

    It is given back when it is released, when this object is dropped, and when the process ends. A forked child shares
    the parent's lock: it is free when both have released it.

    Args:
        lock_scope_name: What the lock is for: locks of another name have nothing to do with it. It has no `/` and no NUL,
            for it becomes the name of a file.

    Raises:
        TypeError: `lock_scope_name` is not a str.
    """

    def __init__(self, lock_scope_name: str) -> None:
        super().__init__()
        if not isinstance(lock_scope_name, (str, bytes)):
            raise TypeError(f"lock_scope_name must be str, not {type(lock_scope_name).__name__}")
        self._name = lock_scope_name
        self._binding = None

    def acquire(self) -> None:
        """Take the lock, without waiting. Without effect if this object has it.

        Raises:
            RuntimeError: (an `AwsCrtError`) Another holder has it: `AWS_ERROR_MUTEX_CALLER_NOT_OWNER`; or there cannot
                be a lock of this name.
        """
        if self._binding is None:
            self._binding = _awscrt.cross_process_lock_acquire(self._name)

    def release(self) -> None:
        """Give the lock back. Without effect if this object does not have it."""
        self._release_binding()

    def __enter__(self) -> CrossProcessLock:  # noqa: PYI034 - 3.8 has no Self
        self.acquire()
        return self

    def __exit__(
        self,
        exc_type: Optional[Type[BaseException]],
        exc_value: Optional[BaseException],
        exc_tb: Optional[TracebackType],
    ) -> None:
        self.release()


CrossProcessLock.__module__ = "awscrt.s3"
