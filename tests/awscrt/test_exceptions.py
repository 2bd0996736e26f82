"""awscrt.exceptions: error codes and the exceptions that stand for them."""

from __future__ import annotations

import pickle

import pytest

from awscrt import _awscrt
from awscrt.exceptions import AwsCrtError, AwsCrtRuntimeError, from_code

BUILTIN = {
    1: MemoryError,
    5: OverflowError,
    10: IndexError,
    34: ValueError,
    37: NotImplementedError,
    44: FileNotFoundError,
    1043: BlockingIOError,
    1044: BrokenPipeError,
}


@pytest.mark.parametrize(("code", "expected"), sorted(BUILTIN.items()))
def test_builtin(code, expected):
    error = from_code(code)
    assert type(error) is expected
    assert str(error) == _awscrt.get_error_message(code) != ""


# One of each library that brings codes of its own.
@pytest.mark.parametrize(
    ("code", "name"),
    [
        (0, "AWS_ERROR_SUCCESS"),
        (2, "AWS_ERROR_NO_SPACE"),
        (1029, "AWS_IO_TLS_ERROR_NEGOTIATION_FAILURE"),
        (2048, "AWS_ERROR_HTTP_UNKNOWN"),
        (4096, "AWS_ERROR_EVENT_STREAM_BUFFER_LENGTH_MISMATCH"),
        (5120, "AWS_ERROR_MQTT_INVALID_RESERVED_BITS"),
        (6144, "AWS_AUTH_SIGNING_UNSUPPORTED_ALGORITHM"),
        (7168, "AWS_ERROR_CAL_SIGNATURE_VALIDATION_FAILED"),
        (14336, "AWS_ERROR_S3_MISSING_CONTENT_RANGE_HEADER"),
        (15360, "AWS_ERROR_SDKUTILS_GENERAL"),
    ],
)
def test_code_of_each_library(run_python, code, name):
    error = from_code(code)
    assert type(error) is AwsCrtError
    assert (error.code, error.name) == (code, name)
    assert str(error) == f"{name}: {error.message}"
    assert repr(error) == f"AwsCrtError(name={name!r}, message={error.message!r}, code={code})"


def test_code_is_known_before_its_library_is_used(run_python):
    done = run_python("from awscrt.exceptions import from_code; print(from_code(14336).name)")
    assert done.stdout == "AWS_ERROR_S3_MISSING_CONTENT_RANGE_HEADER\n"


@pytest.mark.parametrize("code", [-1, -(2**31), 2**31 - 1, 999_999_999, 300, 1023])
def test_unknown_code(code):
    error = from_code(code)
    assert type(error) is AwsCrtError
    assert error.code == code
    assert "Unknown" in error.name


@pytest.mark.parametrize(("code", "expected"), [(2**31, OverflowError), (-(2**40), OverflowError), ("1", TypeError)])
def test_no_code_at_all(code, expected):
    with pytest.raises(expected):
        from_code(code)


def test_error_can_be_pickled():
    error = pickle.loads(pickle.dumps(AwsCrtError(7, "NAME", "words")))  # noqa: S301 - made here
    assert (type(error), error.code, error.name, error.message) == (AwsCrtError, 7, "NAME", "words")


def test_error_of_a_call_is_both():
    error = AwsCrtRuntimeError(7, "NAME", "words")
    assert isinstance(error, AwsCrtError)
    assert isinstance(error, RuntimeError)
    assert str(error) == "NAME: words"
