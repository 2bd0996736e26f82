"""Owns signing: of requests, and of the pieces of a body that follow a signed request (AWS Signature Version 4)."""

from __future__ import annotations

from . import _awscrt
from ._auth_arguments import checked
from ._auth_signing_config import AwsSigningConfig
from ._futures import new_future, set_exception, set_result
from .http import HttpHeaders, HttpRequest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future
    from typing import Union

    Buffer = Union[bytes, bytearray, memoryview]


def aws_sign_request(http_request: HttpRequest, signing_config: AwsSigningConfig) -> Future[HttpRequest]:
    """Sign a request.

    It is signed as it is now: what changes in it later, but for the body, is not signed. The body is read from its
    start to its end if it is signed, and left at its start.

    Returns:
        A future of the same request, now with the headers or query parameters of the signature. It may be done already,
        or be completed by the native thread that brings the credentials. If it is cancelled the request may be signed
        all the same. Its exception is an `AwsCrtError`, or what a function of the user's raised: that of
        `should_sign_header`, of a delegate, or of the body's stream.

    Raises:
        TypeError: An argument is of another type.
        RuntimeError: (an `AwsCrtError`) The configuration lacks its region, service or provider.
    """
    if not isinstance(http_request, HttpRequest):
        raise TypeError(f"http_request must be HttpRequest, not {type(http_request).__name__}")
    if not isinstance(signing_config, AwsSigningConfig):
        raise TypeError(f"signing_config must be AwsSigningConfig, not {type(signing_config).__name__}")
    future = new_future()
    _awscrt.sign_request(http_request, signing_config, set_result, set_exception, future)
    return future


def aws_sign_chunk(chunk: Buffer, previous_signature: str, signing_config: AwsSigningConfig) -> Future[str]:
    """Sign a chunk of the body of a request (`aws-chunked`).

    The request has been signed with `AwsSignedBodyValue.STREAMING_AWS4_HMAC_SHA256_PAYLOAD`, or another value that
    announces signed chunks, and with the same credentials, date, region and service: use the same configuration, with
    a provider of fixed credentials. The signature of a chunk covers all before it. The last chunk is empty.

    See "Transferring Payload in Multiple Chunks" in the documentation of Amazon S3.

    Args:
        chunk: The data of the chunk alone, bytes-like; not copied.
        previous_signature: That of the chunk before, or of the request: what follows `Signature=` in its
            `Authorization`.
        signing_config: As that of the request. What it says of the body's value is left out of account.

    Returns:
        A future of the signature in hexadecimal digits; with `AwsSigningAlgorithm.V4_ASYMMETRIC` filled up with `*` to
        144 characters. See `aws_sign_request` for who completes it.

    Raises:
        TypeError: An argument is of another type.
        ValueError: `previous_signature` is empty, or has a CR, LF or NUL.
        RuntimeError: (an `AwsCrtError`) The configuration lacks its provider.
    """
    return _sign_piece(_awscrt.sign_chunk, chunk, previous_signature, signing_config)


def aws_sign_event(event: Buffer, previous_signature: str, signing_config: AwsSigningConfig) -> Future[str]:
    """Sign an event of the body of a request (`AwsSignedBodyValue.STREAMING_AWS4_HMAC_SHA256_EVENTS`).

    Args:
        event: The encoded message of the event, bytes-like; not copied.
        previous_signature: That of the event before, or of the request, in hexadecimal digits.
        signing_config: As that of the request, but for the date, which is the event's `:date`, to the millisecond. Only
            with `AwsSigningAlgorithm.V4`.

    Returns:
        A future of the signature in hexadecimal digits.

    Raises:
        TypeError: An argument is of another type.
        ValueError: `previous_signature` is empty, or has a CR, LF or NUL.
        RuntimeError: (an `AwsCrtError`) The configuration lacks its provider.
    """
    return _sign_piece(_awscrt.sign_event, event, previous_signature, signing_config)


def aws_sign_trailing_headers(
    headers: HttpHeaders, previous_signature: str, signing_config: AwsSigningConfig
) -> Future[str]:
    """Sign the trailing headers of a body in chunks.

    Args:
        headers: The headers, without `x-amz-trailer-signature`, which the signature is for.
        previous_signature: That of the last chunk, the empty one.
        signing_config: As that of the request.

    Returns:
        A future of the signature, as `aws_sign_chunk` has it.

    Raises:
        TypeError: An argument is of another type.
        ValueError: `previous_signature` is empty, or has a CR, LF or NUL.
        RuntimeError: (an `AwsCrtError`) The configuration lacks its provider.
    """
    checked("headers", headers, HttpHeaders)
    return _sign_piece(_awscrt.sign_trailing_headers, headers, previous_signature, signing_config)


def _sign_piece(
    sign: Callable[..., None], piece: object, previous_signature: str, signing_config: AwsSigningConfig
) -> Future[str]:
    checked("signing_config", signing_config, AwsSigningConfig)
    future = new_future()
    sign(piece, previous_signature, signing_config, set_result, set_exception, future)
    return future


for _public in (aws_sign_request, aws_sign_chunk, aws_sign_event, aws_sign_trailing_headers):
    _public.__module__ = "awscrt.auth"
