"""Owns the signing that is usual with S3."""

from __future__ import annotations

from .exceptions import AwsCrtError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Optional

    from .auth import AwsCredentialsProvider, AwsSigningConfig


class CredentialsListener:
    """Remembers what a Python function that was asked for credentials raised last, until there are some again.

    The native library does not tell the requests that wanted to be signed with them.
    """

    __slots__ = ("_credentials_exception",)

    def __init__(self) -> None:
        self._credentials_exception: Optional[BaseException] = None

    def _on_credentials(self, exception: Optional[BaseException]) -> None:
        self._credentials_exception = None if isinstance(exception, AwsCrtError) else exception


def create_default_s3_signing_config(
    *, region: str, credential_provider: AwsCredentialsProvider, **kwargs: Any
) -> AwsSigningConfig:
    """How requests to S3 are usually signed: by their headers, and without their bodies.

    Args:
        region: The region.
        credential_provider: Whose credentials to sign with.
        kwargs: Ignored: what later releases may add.

    Raises:
        TypeError: An argument is of another type.
        ValueError: The region contains CR, LF or NUL.
    """
    del kwargs
    from .auth import (  # noqa: PLC0415 - only who signs pays for it
        AwsSignedBodyHeaderType,
        AwsSignedBodyValue,
        AwsSigningConfig,
    )

    return AwsSigningConfig(
        credentials_provider=credential_provider,
        region=region,
        service="s3",
        use_double_uri_encode=False,
        should_normalize_uri_path=False,
        signed_body_value=AwsSignedBodyValue.UNSIGNED_PAYLOAD,
        signed_body_header_type=AwsSignedBodyHeaderType.X_AMZ_CONTENT_SHA_256,
    )


create_default_s3_signing_config.__module__ = "awscrt.s3"


def choose_signing_config(
    region: str, provider: Optional[AwsCredentialsProvider], signing_config: Optional[AwsSigningConfig]
) -> Optional[AwsSigningConfig]:
    if provider is None:
        return signing_config
    if signing_config is not None:
        raise ValueError("credential_provider and signing_config exclude one another")
    return create_default_s3_signing_config(region=region, credential_provider=provider)
