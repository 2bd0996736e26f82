"""Owns input streams: Python streams that native code reads while it sends them."""

from __future__ import annotations

import io

from . import NativeResource, _awscrt

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Optional, Union


class InputStream(NativeResource):
    """A Python stream that native code can read.

    The stream is read on native threads, one read at a time, with the GIL held for its duration. Data goes straight into
    native memory where the stream has `readinto(buffer)`; else `read(size)` is called and its bytes are copied. A stream
    that cannot give anything at the moment returns `None`; at its end it gives nothing (0, or `b""`).

    An exception that the stream raises ends the operation that was reading it, and reaches whoever waits for that
    operation as itself.

    Args:
        stream: A binary stream: an object with `readinto` or `read`; `seek` and `tell` too where an operation needs
            the length, or starts again from the beginning.

    Raises:
        TypeError: `stream` is not such an object, or is a text stream.
    """

    __slots__ = ("_exception", "_stream")

    def __init__(self, stream: Any) -> None:
        super().__init__()
        reads = callable(getattr(stream, "readinto", None)) or callable(getattr(stream, "read", None))
        if not reads or isinstance(stream, io.TextIOBase):
            raise TypeError(f"a binary stream is wanted, not {type(stream).__name__}")
        self._stream = stream
        self._exception: Optional[BaseException] = None
        self._binding = _awscrt.input_stream_new(self)

    @classmethod
    def wrap(cls, stream: Any, allow_none: bool = False) -> Optional[InputStream]:
        """The stream itself if it is an `InputStream`, else a new one around it.

        Args:
            stream: As the constructor takes it, or an `InputStream`.
            allow_none: Whether `None` is taken too, and returned as it is.

        Raises:
            TypeError: As the constructor does.
        """
        if isinstance(stream, InputStream) or (stream is None and allow_none):
            return stream
        return cls(stream)

    def _read_into_memoryview(self, view: memoryview) -> Optional[int]:
        """Fill `view` from its start; the number of bytes, or None if there is nothing at the moment."""
        readinto = getattr(self._stream, "readinto", None)
        if readinto is not None:
            count: Optional[int] = readinto(view)
            return count
        data: Optional[Union[bytes, bytearray, memoryview]] = self._stream.read(len(view))
        if data is None:
            return None
        size = memoryview(data).nbytes
        if size > len(view):
            raise ValueError(f"read({len(view)}) of {type(self._stream).__name__} returned {size} bytes")
        view[:size] = data
        return size

    def _seek(self, offset: int, whence: int) -> None:
        # Streams that only know seek(offset) serve for going back to the beginning.
        if whence == io.SEEK_SET:
            self._stream.seek(offset)
        else:
            self._stream.seek(offset, whence)

    def _length(self) -> int:
        """Bytes from beginning to end, wherever the stream stands now."""
        position = self._stream.tell()
        self._stream.seek(0, io.SEEK_END)
        try:
            return int(self._stream.tell())
        finally:
            self._stream.seek(position)


InputStream.__module__ = "awscrt.io"
