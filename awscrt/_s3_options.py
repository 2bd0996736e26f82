"""Owns what S3 transfers are told: kinds of requests, checksums, files, retries; and how it goes to the native half."""

from __future__ import annotations

import operator
from enum import IntEnum
from importlib import import_module

from ._records import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional, Tuple, Type

MAX_U32 = 0xFFFF_FFFF
MAX_U64 = 0xFFFF_FFFF_FFFF_FFFF
MAX_GBPS = 1_000_000.0
"""More than this would overflow the number of connections that the native library derives from it."""

# Limits of aws-c-io's exponential backoff.
_MAX_RETRIES = 63
_MAX_JITTER_MODE = 3


class S3RequestType(IntEnum):
    """How a request is carried out (values of `aws_s3_meta_request_type`)."""

    DEFAULT = 0
    """As it is, by one request of HTTP: any operation of S3."""

    GET_OBJECT = 1
    """GetObject, in parts that are fetched at the same time."""

    PUT_OBJECT = 2
    """PutObject, as a multipart upload if the object is large enough."""


class S3RequestTlsMode(IntEnum):
    """Whether the connections of a client use TLS (values of `aws_s3_meta_request_tls_mode`)."""

    ENABLED = 0
    """They do, with the client's `tls_connection_options`, or default ones."""

    DISABLED = 1
    """They do not, whatever the client's `tls_connection_options`."""


class S3ChecksumAlgorithm(IntEnum):
    """Checksums that S3 knows (values of `aws_s3_checksum_algorithm`)."""

    CRC32C = 1
    CRC32 = 2
    SHA1 = 3
    SHA256 = 4
    CRC64NVME = 5
    SHA512 = 6
    XXHASH64 = 7
    XXHASH3 = 8
    XXHASH128 = 9


class S3ChecksumLocation(IntEnum):
    """Where the checksum of an upload goes (values of `aws_s3_checksum_location`)."""

    HEADER = 1
    """Into a header: the data is read once more, before it is sent."""

    TRAILER = 2
    """Into a trailer, after the data, which is sent in the encoding `aws-chunked`."""


class S3ChecksumValidationMode(IntEnum):
    """What the data of a download is compared with (values of `aws_s3_checksum_validation_mode`)."""

    DEFAULT = 0
    """The native library's choice, which is `FULL_OBJECT`."""

    REQUEST_ONLY = 1
    """Each response with the checksum that came with it; nothing that covers more than one of them."""

    FULL_OBJECT = 2
    """That, and all of the data with one checksum: the one expected, or the object's if S3 has one."""


@record
class S3ChecksumConfig:
    """What to do about checksums.

    Attributes:
        algorithm: The checksum of an upload. It goes with `location`.
        location: Where that checksum goes. None for no checksum.
        validate_response: Whether a download is compared with the checksums that S3 has; the request fails with
            `AWS_ERROR_S3_RESPONSE_CHECKSUM_MISMATCH` if they differ. What S3 has no checksum of is not compared:
            `on_done` is told by `did_validate_checksum`.
        expected_checksum: The checksum that the downloaded data must have, in base64. By itself it asks for validation.
        expected_checksum_algorithm: The algorithm of `expected_checksum`; they go together.
        response_validation_mode: What is compared; it does not by itself ask for validation.
    """

    algorithm: Optional[S3ChecksumAlgorithm] = None
    location: Optional[S3ChecksumLocation] = None
    validate_response: bool = False
    expected_checksum: Optional[str] = None
    expected_checksum_algorithm: Optional[S3ChecksumAlgorithm] = None
    response_validation_mode: Optional[S3ChecksumValidationMode] = None

    def __init__(
        self,
        algorithm: Optional[S3ChecksumAlgorithm] = None,
        location: Optional[S3ChecksumLocation] = None,
        validate_response: bool = False,
        expected_checksum: Optional[str] = None,
        expected_checksum_algorithm: Optional[S3ChecksumAlgorithm] = None,
        response_validation_mode: Optional[S3ChecksumValidationMode] = None,
    ) -> None:
        self.algorithm = algorithm
        self.location = location
        self.validate_response = validate_response
        self.expected_checksum = expected_checksum
        self.expected_checksum_algorithm = expected_checksum_algorithm
        self.response_validation_mode = response_validation_mode


@record
class S3FileIoOptions:
    """How files are read and written, where a path is given. For a client, or for one request in place of the client's.

    Attributes:
        should_stream: Whether to read a file while it is sent, instead of a part at a time into memory.
        disk_throughput_gbps: What the disk is expected to give with `should_stream`, in gigabits a second. 0 or None
            for the client's target throughput.
        direct_io: Whether to read and write past the cache of the system, on Linux, where sizes and offsets allow it.
    """

    should_stream: bool = False
    disk_throughput_gbps: Optional[float] = 0.0
    direct_io: bool = False

    def __init__(
        self, should_stream: bool = False, disk_throughput_gbps: Optional[float] = 0.0, direct_io: bool = False
    ) -> None:
        self.should_stream = should_stream
        self.disk_throughput_gbps = disk_throughput_gbps
        self.direct_io = direct_io


@record
class S3RetryConfig:
    """How requests of HTTP that fail for a passing reason are tried again. 0 always means the default.

    Attributes:
        max_retries: How many times after the first, up to 63. 5 by default.
        backoff_scale_factor_ms: Milliseconds to wait before the first retry; each further wait is twice as long. 500 by
            default.
        max_backoff_secs: Seconds that no wait exceeds. 20 by default.
        jitter_mode: How chance enters the wait: an `awscrt.io.ExponentialBackoffJitterMode`. Full jitter by default.
        initial_bucket_capacity: Retries to begin with for each host; failures use them up and successes earn them. 500
            by default.
    """

    max_retries: int = 0
    backoff_scale_factor_ms: int = 0
    max_backoff_secs: int = 0
    jitter_mode: int = 0
    initial_bucket_capacity: int = 0

    def __init__(
        self,
        max_retries: int = 0,
        backoff_scale_factor_ms: int = 0,
        max_backoff_secs: int = 0,
        jitter_mode: int = 0,
        initial_bucket_capacity: int = 0,
    ) -> None:
        self.max_retries = max_retries
        self.backoff_scale_factor_ms = backoff_scale_factor_ms
        self.max_backoff_secs = max_backoff_secs
        self.jitter_mode = jitter_mode
        self.initial_bucket_capacity = initial_bucket_capacity


# They are part of `awscrt.s3`, which is where a pickle, a traceback or a reader looks for them.
for _class in (
    S3ChecksumAlgorithm,
    S3ChecksumConfig,
    S3ChecksumLocation,
    S3ChecksumValidationMode,
    S3FileIoOptions,
    S3RequestTlsMode,
    S3RequestType,
    S3RetryConfig,
):
    _class.__module__ = "awscrt.s3"


def check_type(name: str, value: object, wanted: type, *, optional: bool = False) -> None:
    """TypeError that names the argument, unless it is one of these, or None where that is allowed."""
    if not isinstance(value, wanted) and not (optional and value is None):
        raise TypeError(f"{name} must be {wanted.__name__}, not {type(value).__name__}")


def check_later_type(name: str, value: object, module: str, wanted: str) -> None:
    """The same of a class that only those who have one of it have imported; None is allowed."""
    if value is not None:
        check_type(name, value, getattr(import_module(module), wanted))


def text(name: str, value: str) -> str:
    """A str that may stand in a header."""
    check_type(name, value, str)
    if any(mark in value for mark in "\r\n\0"):
        raise ValueError(f"{name} must not contain CR, LF or NUL")
    return value


def number(name: str, value: Optional[int], highest: int = MAX_U64) -> int:
    """An integer from 0 up; None counts as 0."""
    if value is None:
        return 0
    try:
        result = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be int, not {type(value).__name__}") from None
    if not 0 <= result <= highest:
        raise ValueError(f"{name} must be from 0 to {highest}, not {result}")
    return result


def gbps(name: str, value: Optional[float]) -> float:
    """Gigabits a second; None counts as 0."""
    if value is None:
        return 0.0
    if not isinstance(value, (int, float)):
        raise TypeError(f"{name} must be float, not {type(value).__name__}")
    if not 0 <= value <= MAX_GBPS:
        raise ValueError(f"{name} must be from 0 to {MAX_GBPS:g}, not {value}")
    return float(value)


def member(name: str, value: Optional[int], kind: Type[IntEnum]) -> int:
    """The number of an enum's member; None counts as 0."""
    if value is None:
        return 0
    check_type(name, value, int)
    return kind(value).value


def file_io_arguments(options: Optional[S3FileIoOptions]) -> Optional[Tuple[bool, float, bool]]:
    if options is None:
        return None
    check_type("fio_options", options, S3FileIoOptions)
    return options.should_stream, gbps("disk_throughput_gbps", options.disk_throughput_gbps), options.direct_io


def retry_arguments(config: Optional[S3RetryConfig]) -> Tuple[int, int, int, int, int]:
    if config is None:
        config = S3RetryConfig()
    check_type("retry_config", config, S3RetryConfig)
    # The native client takes no harm from wrong numbers, but it loses memory while it refuses them.
    return (
        number("max_retries", config.max_retries, _MAX_RETRIES),
        number("backoff_scale_factor_ms", config.backoff_scale_factor_ms, MAX_U32),
        number("max_backoff_secs", config.max_backoff_secs, MAX_U32),
        number("jitter_mode", config.jitter_mode, _MAX_JITTER_MODE),
        number("initial_bucket_capacity", config.initial_bucket_capacity),
    )


def checksum_arguments(
    config: Optional[S3ChecksumConfig],
) -> Optional[Tuple[int, int, bool, Optional[str], int, int]]:
    if config is None:
        return None
    check_type("checksum_config", config, S3ChecksumConfig)
    if config.expected_checksum is not None:
        check_type("expected_checksum", config.expected_checksum, str)
    return (
        member("location", config.location, S3ChecksumLocation),
        member("algorithm", config.algorithm, S3ChecksumAlgorithm),
        config.validate_response,
        config.expected_checksum,
        member("expected_checksum_algorithm", config.expected_checksum_algorithm, S3ChecksumAlgorithm),
        member("response_validation_mode", config.response_validation_mode, S3ChecksumValidationMode),
    )
