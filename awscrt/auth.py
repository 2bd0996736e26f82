"""Owns the public face of auth: AWS credentials, where they come from, and signing with them.

No `repr` and no error of this module shows credentials.
"""

from __future__ import annotations

from ._auth_credentials import AwsCredentials
from ._auth_provider import AwsCredentialsProvider, AwsCredentialsProviderBase
from ._auth_signing import aws_sign_chunk, aws_sign_event, aws_sign_request, aws_sign_trailing_headers
from ._auth_signing_config import (
    AwsSignatureType,
    AwsSignedBodyHeaderType,
    AwsSignedBodyValue,
    AwsSigningAlgorithm,
    AwsSigningConfig,
)

__all__ = [
    "AwsCredentials",
    "AwsCredentialsProvider",
    "AwsCredentialsProviderBase",
    "AwsSignatureType",
    "AwsSignedBodyHeaderType",
    "AwsSignedBodyValue",
    "AwsSigningAlgorithm",
    "AwsSigningConfig",
    "aws_sign_chunk",
    "aws_sign_event",
    "aws_sign_request",
    "aws_sign_trailing_headers",
]
