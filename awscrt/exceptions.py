"""Owns the exceptions that stand for error codes of the C libraries."""

from __future__ import annotations

from . import _awscrt

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Final

__all__ = ["AwsCrtError", "AwsCrtRuntimeError", "from_code"]

# By their names in aws/common/error.h and aws/io/io.h.
_BUILTIN: Final[Mapping[int, type[Exception]]] = {
    1: MemoryError,  # AWS_ERROR_OOM
    5: OverflowError,  # AWS_ERROR_OVERFLOW_DETECTED
    10: IndexError,  # AWS_ERROR_INVALID_INDEX
    34: ValueError,  # AWS_ERROR_INVALID_ARGUMENT
    37: NotImplementedError,  # AWS_ERROR_UNIMPLEMENTED
    44: FileNotFoundError,  # AWS_ERROR_FILE_INVALID_PATH
    1043: BlockingIOError,  # AWS_IO_READ_WOULD_BLOCK
    1044: BrokenPipeError,  # AWS_IO_BROKEN_PIPE
}

CALLBACK_EXCEPTION: Final = 10240
"""AWS_ERROR_CRT_CALLBACK_EXCEPTION, the package's own code (source/errors.c). Private to the package."""


class AwsCrtError(Exception):
    """An error of the AWS Common Runtime.

    Attributes:
        code: the number of the error, the same in every release.
        name: its symbol in the C headers, such as `"AWS_IO_SOCKET_TIMEOUT"`.
        message: what it means, in English.
    """

    def __init__(self, code: int, name: str, message: str) -> None:
        super().__init__(code, name, message)
        self.code = code
        self.name = name
        self.message = message

    def __repr__(self) -> str:
        return f"{type(self).__name__}(name={self.name!r}, message={self.message!r}, code={self.code!r})"

    def __str__(self) -> str:
        return f"{self.name}: {self.message}"


class AwsCrtRuntimeError(AwsCrtError, RuntimeError):
    """An AwsCrtError that a call raises itself, instead of handing it to a future or a callback.

    It is a RuntimeError too, because that is what code written for earlier releases catches there.
    """


def from_code(code: int) -> Exception:
    """The exception for an error code of the C libraries, not raised.

    A built-in one where Python has one of the same meaning (1, AWS_ERROR_OOM, gives MemoryError), else an
    `AwsCrtError`. An unknown code gives an AwsCrtError that says so.

    Raises:
        TypeError: `code` is not an integer.
        OverflowError: `code` does not fit a C int.
    """
    builtin = _BUILTIN.get(code)
    if builtin is not None:
        return builtin(_awscrt.get_error_message(code))
    return AwsCrtError(code, _awscrt.get_error_name(code), _awscrt.get_error_message(code))


def runtime_error_from_code(code: int) -> AwsCrtRuntimeError:
    """The exception for an error code that the native half raises from a call. Private to the package."""
    return AwsCrtRuntimeError(code, _awscrt.get_error_name(code), _awscrt.get_error_message(code))
