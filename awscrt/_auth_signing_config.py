"""Owns signing configurations: how to sign (AWS Signature Version 4)."""

from __future__ import annotations

import datetime as dt
import operator
from enum import IntEnum
from functools import partial

from . import NativeResource, _awscrt
from ._auth_arguments import checked, milliseconds
from ._auth_provider import AwsCredentialsProviderBase

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, ClassVar, List, Optional, Tuple

_MAX_SECONDS = 0xFFFF_FFFF_FFFF_FFFF


class AwsSigningAlgorithm(IntEnum):
    """The version of the signing process (values of `aws_signing_algorithm`)."""

    V4 = 0
    """Signature Version 4: HMAC with SHA-256."""

    V4_ASYMMETRIC = 1
    """Signature Version 4A: ECDSA on P-256, with a key derived from the credentials; for more than one region."""

    V4_S3EXPRESS = 2
    """Version 4 as S3 Express One Zone has it, with the session token in a header of its own."""


class AwsSignatureType(IntEnum):
    """Where the signature goes (values of `aws_signature_type`)."""

    HTTP_REQUEST_HEADERS = 0
    """Into headers of the request."""

    HTTP_REQUEST_QUERY_PARAMS = 1
    """Into parameters of its query: a presigned URL."""


class AwsSignedBodyValue:
    """Values of `AwsSigningConfig.signed_body_value` with a meaning of their own."""

    EMPTY_SHA256: ClassVar[str] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    """The SHA-256 of an empty body."""

    UNSIGNED_PAYLOAD: ClassVar[str] = "UNSIGNED-PAYLOAD"
    """The body is not signed."""

    STREAMING_AWS4_HMAC_SHA256_PAYLOAD: ClassVar[str] = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
    """The body follows in chunks, each with a signature of its own; see `aws_sign_chunk`."""

    STREAMING_AWS4_HMAC_SHA256_EVENTS: ClassVar[str] = "STREAMING-AWS4-HMAC-SHA256-EVENTS"
    """The body follows in events, each with a signature of its own; see `aws_sign_event`."""


class AwsSignedBodyHeaderType(IntEnum):
    """The header in which signing says what was signed of the body (values of `aws_signed_body_header_type`)."""

    NONE = 0
    """None."""

    X_AMZ_CONTENT_SHA_256 = 1
    """`x-amz-content-sha256`."""


class AwsSigningConfig(NativeResource):
    """How to sign. It never changes: use `replace` for another one.

    Args:
        algorithm: The version of the signing process.
        signature_type: Where the signature goes.
        credentials_provider: Whose credentials to sign with. Asked each time something is signed.
        region: The region; with `AwsSigningAlgorithm.V4_ASYMMETRIC` the set of them (`X-Amz-Region-Set`).
        service: The name of the service in signatures, such as `s3`.
        date: The time of signing. A naive datetime is in local time. `None` takes the time of now, once.
        should_sign_header: Called as `should_sign_header(name=name)` for each header of a request, and says whether to
            sign it. Headers that signing adds are always signed, and some that proxies change never. It runs in
            `aws_sign_request`, on its thread; what it raises is what the future raises. `None` signs all.
        use_double_uri_encode: Whether to encode the path once more for the signature. Most services want it; S3 does
            not.
        should_normalize_uri_path: Whether to remove `.`, `..` and double slashes from the path for the signature. Most
            services want it; S3 does not.
        signed_body_value: What to sign in place of the body: its SHA-256 in lower-case hexadecimal digits, or one of
            `AwsSignedBodyValue`. `None` reads the body for it.
        signed_body_header_type: The header that says it.
        expiration_in_seconds: For how many seconds a presigned URL is good. `None` leaves it out.
        omit_session_token: Whether to add the session token after signing, unsigned, as some services want it.

    Raises:
        TypeError: An argument is of another type.
        ValueError: A text has a CR, LF or NUL; the date is before 1970; the expiration is less than 1.
    """

    __slots__ = (
        "_algorithm",
        "_credentials_provider",
        "_date",
        "_expiration_in_seconds",
        "_omit_session_token",
        "_pick",
        "_region",
        "_service",
        "_should_normalize_uri_path",
        "_should_sign_header",
        "_signature_type",
        "_signed_body_header_type",
        "_signed_body_value",
        "_use_double_uri_encode",
    )

    _attributes: ClassVar[Tuple[str, ...]] = (
        "algorithm",
        "signature_type",
        "credentials_provider",
        "region",
        "service",
        "date",
        "should_sign_header",
        "use_double_uri_encode",
        "should_normalize_uri_path",
        "signed_body_value",
        "signed_body_header_type",
        "expiration_in_seconds",
        "omit_session_token",
    )

    def __init__(  # noqa: PLR0913, PLR0917 - the API's
        self,
        algorithm: AwsSigningAlgorithm = AwsSigningAlgorithm.V4,
        signature_type: AwsSignatureType = AwsSignatureType.HTTP_REQUEST_HEADERS,
        credentials_provider: Optional[AwsCredentialsProviderBase] = None,
        region: str = "",
        service: str = "",
        date: Optional[dt.datetime] = None,
        should_sign_header: Optional[Callable[[str], bool]] = None,
        use_double_uri_encode: bool = True,
        should_normalize_uri_path: bool = True,
        signed_body_value: Optional[str] = None,
        signed_body_header_type: AwsSignedBodyHeaderType = AwsSignedBodyHeaderType.NONE,
        expiration_in_seconds: Optional[int] = None,
        omit_session_token: bool = False,
    ) -> None:
        super().__init__()
        if algorithm.__class__ is not AwsSigningAlgorithm:
            checked("algorithm", algorithm, AwsSigningAlgorithm)
        if signature_type.__class__ is not AwsSignatureType:
            checked("signature_type", signature_type, AwsSignatureType)
        if signed_body_header_type.__class__ is not AwsSignedBodyHeaderType:
            checked("signed_body_header_type", signed_body_header_type, AwsSignedBodyHeaderType)
        if credentials_provider is not None:
            checked("credentials_provider", credentials_provider, AwsCredentialsProviderBase)
        if date is None:
            date = dt.datetime.now(dt.timezone.utc)
        self._algorithm = algorithm
        self._signature_type = signature_type
        self._credentials_provider = credentials_provider
        self._region = region
        self._service = service
        self._date = date
        self._should_sign_header = should_sign_header
        self._pick = None if should_sign_header is None else _picker(should_sign_header)
        self._use_double_uri_encode = bool(use_double_uri_encode)
        self._should_normalize_uri_path = bool(should_normalize_uri_path)
        self._signed_body_value = signed_body_value
        self._signed_body_header_type = signed_body_header_type
        self._expiration_in_seconds = expiration_in_seconds
        self._omit_session_token = bool(omit_session_token)
        self._binding = self._new_binding()

    def _new_binding(self) -> object:
        expiration = self._expiration_in_seconds
        return _awscrt.signing_config_new(
            self._algorithm,
            self._signature_type,
            self._credentials_provider,
            self._region,
            self._service,
            milliseconds("date", self._date),
            self._pick,
            self._use_double_uri_encode,
            self._should_normalize_uri_path,
            self._signed_body_value,
            self._signed_body_header_type,
            0 if expiration is None else _seconds(expiration),
            self._omit_session_token,
        )

    def replace(self, **kwargs: Any) -> AwsSigningConfig:
        """A copy with other values for some of the constructor's arguments.

        Raises:
            TypeError: An argument is unknown or of another type.
            ValueError: As the constructor does.
        """
        values = {name: getattr(self, name) for name in AwsSigningConfig._attributes}
        values.update(kwargs)
        return type(self)(**values)

    @property
    def algorithm(self) -> AwsSigningAlgorithm:
        """The version of the signing process."""
        return self._algorithm

    @property
    def signature_type(self) -> AwsSignatureType:
        """Where the signature goes."""
        return self._signature_type

    @property
    def credentials_provider(self) -> Optional[AwsCredentialsProviderBase]:
        """Whose credentials to sign with."""
        return self._credentials_provider

    @property
    def region(self) -> str:
        """The region, or the set of them."""
        return self._region

    @property
    def service(self) -> str:
        """The name of the service in signatures."""
        return self._service

    @property
    def date(self) -> dt.datetime:
        """The time of signing: as it was given, else in UTC."""
        return self._date

    @property
    def should_sign_header(self) -> Optional[Callable[[str], bool]]:
        """The function that says which headers to sign; `None` for all."""
        return self._should_sign_header

    @property
    def use_double_uri_encode(self) -> bool:
        """Whether to encode the path once more for the signature."""
        return self._use_double_uri_encode

    @property
    def should_normalize_uri_path(self) -> bool:
        """Whether to normalize the path for the signature."""
        return self._should_normalize_uri_path

    @property
    def signed_body_value(self) -> Optional[str]:
        """What to sign in place of the body; `None` reads it."""
        return self._signed_body_value

    @property
    def signed_body_header_type(self) -> AwsSignedBodyHeaderType:
        """The header that says what was signed of the body."""
        return self._signed_body_header_type

    @property
    def expiration_in_seconds(self) -> Optional[int]:
        """For how many seconds a presigned URL is good; `None` if nothing says so."""
        return self._expiration_in_seconds

    @property
    def omit_session_token(self) -> bool:
        """Whether the session token is added unsigned."""
        return self._omit_session_token


def _picker(should_sign_header: Callable[..., bool]) -> Callable[[List[str]], List[bool]]:
    if not callable(should_sign_header):
        raise TypeError(f"should_sign_header must be callable, not {type(should_sign_header).__name__}")
    return partial(_pick, should_sign_header)


def _pick(should_sign_header: Callable[..., bool], names: List[str]) -> List[bool]:
    """Whether to sign each of the headers. In Python, where a call by keyword costs least."""
    return [should_sign_header(name=name) for name in names]


def _seconds(expiration: int) -> int:
    seconds = operator.index(expiration)
    if not 1 <= seconds <= _MAX_SECONDS:
        raise ValueError(f"expiration_in_seconds must be greater than 0 and below 2**64, not {seconds}")
    return seconds


for _class in (AwsSigningAlgorithm, AwsSignatureType, AwsSignedBodyValue, AwsSignedBodyHeaderType, AwsSigningConfig):
    _class.__module__ = "awscrt.auth"
