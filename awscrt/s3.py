"""Owns the public face of S3: transfers at high throughput, by many connections at the same time."""

from __future__ import annotations

from . import _awscrt
from ._s3_client import S3Client
from ._s3_lock import CrossProcessLock
from ._s3_options import (
    S3ChecksumAlgorithm,
    S3ChecksumConfig,
    S3ChecksumLocation,
    S3ChecksumValidationMode,
    S3FileIoOptions,
    S3RequestTlsMode,
    S3RequestType,
    S3RetryConfig,
)
from ._s3_request import S3Request, S3ResponseError
from ._s3_signing import create_default_s3_signing_config

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import List, Optional

__all__ = [
    "CrossProcessLock",
    "S3ChecksumAlgorithm",
    "S3ChecksumConfig",
    "S3ChecksumLocation",
    "S3ChecksumValidationMode",
    "S3Client",
    "S3FileIoOptions",
    "S3Request",
    "S3RequestTlsMode",
    "S3RequestType",
    "S3ResponseError",
    "S3RetryConfig",
    "create_default_s3_signing_config",
    "get_ec2_instance_type",
    "get_optimized_platforms",
    "get_recommended_throughput_target_gbps",
    "is_optimized_for_system",
]


def get_ec2_instance_type() -> Optional[str]:
    """The EC2 instance type of this machine, such as `"p4d.24xlarge"`. None if it is another machine, or not known.

    The first call may wait a second for the EC2 instance metadata service.
    """
    return _awscrt.s3_get_ec2_instance_type()


def is_optimized_for_system() -> bool:
    """Whether the native library is tuned for this machine: it is an instance of `get_optimized_platforms()`."""
    return _awscrt.s3_is_optimized_for_system()


def get_optimized_platforms() -> List[str]:
    """The EC2 instance types that the native library is tuned for."""
    return _awscrt.s3_get_optimized_platforms()


def get_recommended_throughput_target_gbps() -> Optional[float]:
    """What this machine's network can do, in gigabits a second, as `S3Client` takes it. None if it is not known."""
    return _awscrt.s3_get_recommended_throughput_target_gbps()
