"""Owns S3 clients."""

from __future__ import annotations

import threading

from . import NativeResource, _awscrt
from ._event_loop import ClientBootstrap
from ._s3_options import (
    MAX_U32,
    S3RequestTlsMode,
    check_later_type,
    check_type,
    file_io_arguments,
    gbps,
    member,
    number,
    retry_arguments,
    text,
)
from ._s3_request import S3Request
from ._s3_signing import CredentialsListener, choose_signing_config

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os
    from collections.abc import Callable
    from typing import ClassVar, List, Optional, Sequence, Type, Union

    from ._s3_options import S3ChecksumConfig, S3FileIoOptions, S3RequestType, S3RetryConfig
    from ._tls import TlsConnectionOptions
    from .auth import AwsCredentialsProvider, AwsSigningConfig
    from .http import HttpRequest


class _Ending(CredentialsListener):
    """What a native client holds until it has ended; called then, on a native thread."""

    __slots__ = ("_event", "_kept")

    def __init__(self, event: threading.Event, kept: object) -> None:
        super().__init__()
        self._event = event
        self._kept = kept

    def __call__(self) -> None:
        self._event.set()


class S3Client(NativeResource):
    """Makes S3 requests: many connections to many hosts, and the threads and buffers that they share.

    A client is meant to be made once and to be used by all threads of a process.

    Args:
        bootstrap: What to make connections with. The shared default if it is None.
        region: The region that requests are signed for where their signing configuration names none.
        tls_mode: Whether to use TLS. `S3RequestTlsMode.ENABLED` if it is None.
        signing_config: How to sign. None, with no `credential_provider`, leaves requests unsigned.
        credential_provider: The same as `signing_config` with what `create_default_s3_signing_config` makes of it. Kept
            for older callers; give only one of the two.
        tls_connection_options: How to use TLS. Default options if it is None.
        part_size: Bytes of each part that an object is transferred in. None and 0 leave it to the library, which
            decides by the size of the object. Uploads have parts of 5 MiB at least, and 10,000 at most.
        multipart_upload_threshold: Bytes from which on uploads are multipart. The larger of `part_size` and 5 MiB if
            it is None or 0.
        throughput_target_gbps: Gigabits a second to aim at: it sets the number of connections, and how much memory may
            be used. 10 if it is None or 0.
        enable_s3express: Whether to sign requests to S3 Express One Zone, with sessions that the client opens.
        memory_limit: Bytes of memory for parts, 256 MiB at least. None and 0 leave it to the library, which decides by
            `throughput_target_gbps`.
        network_interface_names: Names of network interfaces to spread the connections over. On Linux it may need
            privileges (SO_BINDTODEVICE).
        fio_options: How files are read and written.
        max_active_connections_override: How many connections there are at most. None and 0 leave it to the library.
        retry_config: How requests are tried again. Defaults if it is None.
        connect_timeout_ms: Milliseconds for a connection to come about. 3000 if it is None or 0.

    Attributes:
        shutdown_event (threading.Event): Set on a native thread after the client is released, its last request has
            ended and its threads have.

    Raises:
        TypeError: An argument is of another type.
        ValueError: An argument is out of range; or both `signing_config` and `credential_provider` are given.
        RuntimeError: (an `AwsCrtError`) There is no such network interface; `signing_config` has no credentials
            provider; `memory_limit` is too low, or too low for `part_size`; the system refuses a thread.
    """

    __slots__ = ("_ending", "_region", "shutdown_event")

    shutdown_event: threading.Event

    _event_type: ClassVar[Type[threading.Event]] = threading.Event

    def __init__(  # noqa: PLR0913 - the API's
        self,
        *,
        bootstrap: Optional[ClientBootstrap] = None,
        region: str,
        tls_mode: Optional[S3RequestTlsMode] = None,
        signing_config: Optional[AwsSigningConfig] = None,
        credential_provider: Optional[AwsCredentialsProvider] = None,
        tls_connection_options: Optional[TlsConnectionOptions] = None,
        part_size: Optional[int] = None,
        multipart_upload_threshold: Optional[int] = None,
        throughput_target_gbps: Optional[float] = None,
        enable_s3express: bool = False,
        memory_limit: Optional[int] = None,
        network_interface_names: Optional[Sequence[str]] = None,
        fio_options: Optional[S3FileIoOptions] = None,
        max_active_connections_override: Optional[int] = None,
        retry_config: Optional[S3RetryConfig] = None,
        connect_timeout_ms: Optional[int] = None,
    ) -> None:
        super().__init__()
        check_type("bootstrap", bootstrap, ClientBootstrap, optional=True)
        check_later_type("signing_config", signing_config, "awscrt.auth", "AwsSigningConfig")
        check_later_type("tls_connection_options", tls_connection_options, "awscrt.io", "TlsConnectionOptions")
        signing_config = choose_signing_config(text("region", region), credential_provider, signing_config)
        self._region = region
        self.shutdown_event = self._event_type()
        self._ending = _Ending(self.shutdown_event, signing_config)
        self._binding = _awscrt.s3_client_new(
            ClientBootstrap.get_or_create_static_default() if bootstrap is None else bootstrap,
            signing_config,
            tls_connection_options,
            region,
            member("tls_mode", tls_mode, S3RequestTlsMode),
            number("part_size", part_size),
            number("multipart_upload_threshold", multipart_upload_threshold),
            gbps("throughput_target_gbps", throughput_target_gbps),
            enable_s3express,
            number("memory_limit", memory_limit),
            _interface_names(network_interface_names),
            file_io_arguments(fio_options),
            number("max_active_connections_override", max_active_connections_override, MAX_U32),
            retry_arguments(retry_config),
            number("connect_timeout_ms", connect_timeout_ms, MAX_U32),
            self._read_window(),
            self._ending,
        )

    def _read_window(self) -> int:
        """How many bytes of a body may come before they are asked for; 0 for no limit.

        See `S3Request._increment_read_window`.
        """
        return 0

    def make_request(  # noqa: PLR0913 - the API's
        self,
        *,
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
    ) -> S3Request:
        """Start a transfer.

        The callbacks run on native threads, one at a time. An exception in one, but for `on_done`, ends the transfer
        and is what its `finished_future` raises. Each should take `**kwargs` for what later releases may add.

        Args:
            type: How the request is carried out.
            request: The request to S3. It has a header `Host`, with the port if it is not that of HTTP(S). An upload
                has a header `Content-Length` too, or is a multipart upload. It must not be changed meanwhile.
            operation_name: The name of the operation in the S3 API, such as `"ListObjectsV2"`. Needed with
                `S3RequestType.DEFAULT`; else the library knows it.
            recv_filepath: A file to write the body of the answer to, in place of `on_body`. It is created or
                overwritten; after a failure there may be gaps in it.
            send_filepath: A file to read the body of the request from, in place of the request's `body_stream`.
            signing_config: How to sign, in place of the client's. Credentials may be left to the client.
            credential_provider: The same with what `create_default_s3_signing_config` makes of it. Kept for older
                callers; give only one of the two.
            checksum_config: What to do about checksums.
            part_size: As the client's, in its place.
            multipart_upload_threshold: As the client's, in its place.
            fio_options: As the client's, in its place.
            max_active_connections_override: How many of the client's connections the transfer has at most.
            on_headers: Called as `on_headers(status_code=int, headers=List[Tuple[str, str]], **kwargs)`, once, before
                any other.
            on_body: Called as `on_body(chunk=bytes, offset=int, **kwargs)` for the body of the answer, in its order;
                `offset` is where the chunk stands in the object. There is none for an answer that says that it failed.
            on_done: Called as `on_done(error=Optional[Exception], error_headers=Optional[List[Tuple[str, str]]],
                error_body=Optional[bytes], error_operation_name=Optional[str], status_code=Optional[int],
                did_validate_checksum=bool, checksum_validation_algorithm=Optional[S3ChecksumAlgorithm], **kwargs)`
                once, last, after `finished_future` is done: `error` is what that raises. `sys.unraisablehook` gets what
                it raises.
            on_progress: Called as `on_progress(int)` with the number of bytes transferred since the last call.

        Raises:
            TypeError: An argument is of another type.
            ValueError: An argument is out of range; `operation_name` is missing; both `signing_config` and
                `credential_provider` are given.
            RuntimeError: (an `AwsCrtError`) A file cannot be opened; the request has no header `Host`; the
                `checksum_config` contradicts itself.
        """
        return S3Request(
            client=self,
            type=type,
            request=request,
            operation_name=operation_name,
            recv_filepath=recv_filepath,
            send_filepath=send_filepath,
            signing_config=signing_config,
            credential_provider=credential_provider,
            checksum_config=checksum_config,
            part_size=part_size,
            multipart_upload_threshold=multipart_upload_threshold,
            fio_options=fio_options,
            max_active_connections_override=max_active_connections_override,
            on_headers=on_headers,
            on_body=on_body,
            on_done=on_done,
            on_progress=on_progress,
            region=self._region,
        )


S3Client.__module__ = "awscrt.s3"


def _interface_names(names: Optional[Sequence[str]]) -> Optional[List[bytes]]:
    if names is None:
        return None
    if isinstance(names, (str, bytes)):
        raise TypeError(f"network_interface_names must be a sequence of str, not {type(names).__name__}")
    return [text("network_interface_names", name).encode() for name in names]
