"""Owns S3 requests, and the error by which S3 refuses one."""

from __future__ import annotations

import os
import threading
from importlib import import_module

from . import NativeResource, _awscrt
from ._futures import new_future, set_exception, set_result
from ._s3_options import (
    MAX_U32,
    S3ChecksumAlgorithm,
    S3RequestType,
    check_later_type,
    check_type,
    checksum_arguments,
    file_io_arguments,
    member,
    number,
    text,
)
from ._s3_signing import CredentialsListener, choose_signing_config
from .exceptions import AwsCrtError, from_code

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future
    from typing import Any, List, Optional, Tuple, Union

    from ._s3_client import S3Client
    from ._s3_options import S3ChecksumConfig, S3FileIoOptions
    from .auth import AwsCredentialsProvider, AwsSigningConfig
    from .http import HttpRequest

    Headers = List[Tuple[str, str]]


_NO_CREDENTIALS = 6146
"""AWS_AUTH_SIGNING_NO_CREDENTIALS of aws/auth/auth.h."""


class S3ResponseError(AwsCrtError):
    """An answer of S3 that says that an operation failed.

    Attributes:
        code: The number of the error, as of any `AwsCrtError`.
        name: Its symbol.
        message: What it means, in English; what S3 has to say is in `body`.
        status_code (int): The status of the answer.
        headers (List[Tuple[str, str]]): Its headers.
        body (Optional[bytes]): Its body, XML as a rule. None if it had none.
        operation_name (Optional[str]): The operation of S3 that failed, such as `"UploadPart"`. None if it is unknown.
    """

    def __init__(
        self,
        *,
        code: int,
        name: str,
        message: str,
        status_code: Optional[int] = None,
        headers: Optional[List[Tuple[str, str]]] = None,
        body: Optional[bytes] = None,
        operation_name: Optional[str] = None,
    ) -> None:
        super().__init__(code, name, message)
        self.status_code = status_code
        self.headers = headers
        self.body = body
        self.operation_name = operation_name

    def __reduce__(self) -> Tuple[Any, ...]:
        # By default an exception is made again from positional arguments, which this one does not take.
        return _remade, (vars(self),)


def _remade(attributes: dict[str, Any]) -> S3ResponseError:
    return S3ResponseError(**attributes)


class _Core(CredentialsListener):
    """What native code holds while a request lasts: the user's callbacks and what must stay alive.

    It does not refer to the S3Request, which holds the native request, so that a request that nobody holds ends. Once the
    request has ended, nothing of the user's hangs on it any more: a callback may well refer to the S3Request.
    """

    __slots__ = (
        "_ended",
        "_exception",
        "_future",
        "_kept",
        "_listeners",
        "_on_body_callback",
        "_on_done_callback",
        "_on_headers_callback",
        "_on_progress_callback",
        "_request",
    )

    def __init__(
        self,
        request: HttpRequest,
        kept: object,
        signer: CredentialsListener,
        future: Future[None],
        ended: threading.Event,
        callbacks: Tuple[Optional[Callable[..., None]], ...],
    ) -> None:
        super().__init__()
        self._request: Optional[HttpRequest] = request
        self._kept = kept
        self._listeners: Tuple[CredentialsListener, ...] = (self, signer)
        self._future: Optional[Future[None]] = future
        self._ended = ended
        self._exception: Optional[BaseException] = None
        self._on_headers_callback, self._on_body_callback, self._on_progress_callback, self._on_done_callback = (
            callbacks
        )
        if request.body_stream is not None:
            request.body_stream._exception = None

    # The native half keeps what these raise in `_exception`, and ends the request. Some calls may be on their way then.

    def _on_headers(self, status: int, headers: Headers) -> None:
        if self._exception is None and self._on_headers_callback is not None:
            self._on_headers_callback(status_code=status, headers=headers)

    def _on_body(self, chunk: bytes, offset: int) -> None:
        if self._exception is None and self._on_body_callback is not None:
            self._on_body_callback(chunk=chunk, offset=offset)

    def _on_progress(self, progress: int) -> None:
        if self._exception is None and self._on_progress_callback is not None:
            self._on_progress_callback(progress)

    def _on_finish(
        self,
        code: int,
        status: int,
        response: Optional[Tuple[Optional[Headers], Optional[bytes], Optional[str]]],
        did_validate: int,
        algorithm: int,
    ) -> None:
        headers, body, operation_name = response or (None, None, None)
        error = self._failure(code, status, headers, body, operation_name)
        future, on_done = self._future, self._on_done_callback
        self._let_go()
        # The future first: callers look there, in their `on_done`, for how it went.
        if future is not None and error is None:
            set_result(future, None)
        elif future is not None and error is not None:
            set_exception(future, error)
        if on_done is not None:
            on_done(
                error=error,
                error_headers=headers,
                error_body=body,
                error_operation_name=operation_name,
                status_code=status or None,
                did_validate_checksum=bool(did_validate),
                checksum_validation_algorithm=_algorithm(algorithm) if did_validate else None,
            )

    def _failure(
        self,
        code: int,
        status: int,
        headers: Optional[Headers],
        body: Optional[bytes],
        operation_name: Optional[str],
    ) -> Optional[BaseException]:
        if self._exception is not None:
            return self._exception
        if code == 0:
            return None
        stream = self._request.body_stream if self._request is not None else None
        if stream is not None and stream._exception is not None:
            return stream._exception
        error = from_code(code)
        if code == _NO_CREDENTIALS:
            raised = [listener._credentials_exception for listener in self._listeners]
            return next((each for each in raised if each is not None), error)
        if headers is None or not isinstance(error, AwsCrtError):
            return error
        return S3ResponseError(
            code=error.code,
            name=error.name,
            message=error.message,
            status_code=status,
            headers=headers,
            body=body,
            operation_name=operation_name,
        )

    def _let_go(self) -> None:
        self._exception = self._future = self._request = self._credentials_exception = None
        self._listeners = ()
        self._on_headers_callback = self._on_body_callback = None
        self._on_done_callback = self._on_progress_callback = None

    def _on_shutdown(self) -> None:
        self._kept = None
        self._ended.set()


class S3Request(NativeResource):
    """A transfer that is under way: made by `S3Client.make_request`, which describes the arguments.

    It goes on whether this object is kept or not.

    Attributes:
        shutdown_event (threading.Event): Set on a native thread after the transfer has ended, this object was dropped
            and the native side has let go of everything that it used.
    """

    __slots__ = ("_finished_future", "shutdown_event")

    shutdown_event: threading.Event

    def __init__(  # noqa: PLR0913 - the API's
        self,
        *,
        client: S3Client,
        type: S3RequestType,
        request: HttpRequest,
        operation_name: Optional[str] = None,
        recv_filepath: Optional[Union[str, os.PathLike[str]]] = None,
        send_filepath: Optional[Union[str, os.PathLike[str]]] = None,
        signing_config: Optional[AwsSigningConfig] = None,
        credential_provider: Optional[AwsCredentialsProvider] = None,
        checksum_config: Optional[S3ChecksumConfig] = None,
        part_size: Optional[int] = None,
        multipart_upload_threshold: Optional[int] = None,
        fio_options: Optional[S3FileIoOptions] = None,
        max_active_connections_override: Optional[int] = None,
        on_headers: Optional[Callable[..., None]] = None,
        on_body: Optional[Callable[..., None]] = None,
        on_done: Optional[Callable[..., None]] = None,
        on_progress: Optional[Callable[[int], None]] = None,
        region: Optional[str] = None,
    ) -> None:
        super().__init__()
        check_type("client", client, import_module("awscrt._s3_client").S3Client)  # which imports this module
        check_type("type", type, int)
        check_type("request", request, import_module("awscrt.http").HttpRequest)
        check_later_type("signing_config", signing_config, "awscrt.auth", "AwsSigningConfig")
        if type == S3RequestType.DEFAULT and not operation_name:
            raise ValueError("operation_name must be given with S3RequestType.DEFAULT")
        if credential_provider is not None:
            signing_config = choose_signing_config(
                client._region if region is None else region, credential_provider, signing_config
            )
        self._finished_future: Future[None] = new_future()
        self.shutdown_event = threading.Event()
        core = _Core(
            request,
            signing_config,
            client._ending,
            self._finished_future,
            self.shutdown_event,
            (on_headers, on_body, on_progress, on_done),
        )
        self._binding = _awscrt.s3_meta_request_new(
            core,
            client,
            member("type", type, S3RequestType),
            text("operation_name", operation_name or ""),
            request,
            signing_config,
            _path("recv_filepath", recv_filepath),
            _path("send_filepath", send_filepath),
            checksum_arguments(checksum_config),
            number("part_size", part_size),
            number("multipart_upload_threshold", multipart_upload_threshold),
            file_io_arguments(fio_options),
            number("max_active_connections_override", max_active_connections_override, MAX_U32),
            (on_headers is not None, on_body is not None, on_progress is not None),
        )

    @property
    def finished_future(self) -> Future[None]:
        """Done when the transfer has ended: with None, or with what went wrong.

        That is the exception of a callback or of the body stream, as itself; an `S3ResponseError` for an answer of S3
        that says so; else an exception of the native library, such as an `AwsCrtError`. Cancelling the future does not
        end the transfer: `cancel()` does.
        """
        return self._finished_future

    def cancel(self) -> None:
        """End the transfer soon, with the error `AWS_ERROR_S3_CANCELED`. Without effect once it has ended."""
        _awscrt.s3_meta_request_cancel(self)

    def _increment_read_window(self, size: int) -> None:
        """Let that many more bytes of the body come, if the client was made with a read window."""
        _awscrt.s3_meta_request_increment_read_window(self, size)


for _class in (S3Request, S3ResponseError):
    _class.__module__ = "awscrt.s3"


def _algorithm(number: int) -> Optional[S3ChecksumAlgorithm]:
    # Of no data at all the library says that it is valid, by no algorithm.
    return S3ChecksumAlgorithm(number) if number in S3ChecksumAlgorithm.__members__.values() else None


def _path(name: str, path: Optional[Union[str, os.PathLike[str]]]) -> Optional[Union[str, bytes]]:
    if path is None:
        return None
    try:
        plain = os.fspath(path)
    except TypeError:
        raise TypeError(f"{name} must be a path, not {type(path).__name__}") from None
    if not plain:
        raise ValueError(f"{name} must not be empty")
    return plain
