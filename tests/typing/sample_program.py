"""Owns a program of a user who moves data by HTTP and S3, every result annotated. It is type-checked and never run.

What it calls stands in the public interface of awscrt 0.38.0, except where a comment says that it is an addition.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import sys
from concurrent.futures import Future
from io import BytesIO
from threading import Event
from typing import Any, AsyncIterator, Iterator, List, Sequence, Tuple

import awscrt.logging
from awscrt import NativeResource, common, exceptions
from awscrt.aio.http import AIOHttp2ClientConnection, AIOHttp2ClientStream, AIOHttpClientConnection
from awscrt.auth import (
    AwsCredentials,
    AwsCredentialsProvider,
    AwsSignatureType,
    AwsSignedBodyHeaderType,
    AwsSignedBodyValue,
    AwsSigningAlgorithm,
    AwsSigningConfig,
    aws_sign_request,
)
from awscrt.http import (
    Http2ClientConnection,
    Http2ClientStream,
    Http2Setting,
    Http2SettingID,
    HttpClientConnection,
    HttpClientStream,
    HttpHeaders,
    HttpProxyAuthenticationType,
    HttpProxyOptions,
    HttpRequest,
    HttpStreamBase,
    HttpVersion,
)
from awscrt.io import (
    ClientBootstrap,
    ClientTlsContext,
    DefaultHostResolver,
    EventLoopGroup,
    InputStream,
    LogLevel,
    SocketDomain,
    SocketOptions,
    TlsConnectionOptions,
    TlsContextOptions,
    TlsVersion,
    init_logging,
    is_alpn_available,
)
from awscrt.s3 import (
    CrossProcessLock,
    S3ChecksumAlgorithm,
    S3ChecksumConfig,
    S3ChecksumLocation,
    S3Client,
    S3FileIoOptions,
    S3Request,
    S3RequestTlsMode,
    S3RequestType,
    S3ResponseError,
    create_default_s3_signing_config,
    get_optimized_platforms,
    get_recommended_throughput_target_gbps,
)

TIMEOUT = 30.0
HeaderList = List[Tuple[str, str]]


# ------------------------------------------------------------------------------------------------------- io and tls


def make_bootstrap(threads: int | None = None) -> ClientBootstrap:
    group: EventLoopGroup = EventLoopGroup(threads)
    resolver: DefaultHostResolver = DefaultHostResolver(group, max_hosts=64)
    bootstrap = ClientBootstrap(group, resolver)
    shutdown: Event = bootstrap.shutdown_event
    assert not shutdown.is_set()
    return bootstrap


def make_socket_options() -> SocketOptions:
    options = SocketOptions()
    options.domain = SocketDomain.IPv4
    options.connect_timeout_ms = 3000
    options.keep_alive = True
    options.tcp_nodelay = True  # an addition
    return options


def make_tls(host: str, certificate: bytes, key: bytes, protocols: Sequence[str]) -> TlsConnectionOptions:
    options: TlsContextOptions = TlsContextOptions.create_client_with_mtls(certificate, key)
    options.min_tls_ver = TlsVersion.TLSv1_2
    options.override_default_trust_store_from_path(None, "ca.pem")
    context: ClientTlsContext = ClientTlsContext(options)
    connection_options: TlsConnectionOptions = context.new_connection_options()
    connection_options.set_server_name(host)
    if is_alpn_available():
        connection_options.set_alpn_list(list(protocols))
    return connection_options


# ------------------------------------------------------------------------------------------------------------- http


class Response:
    def __init__(self) -> None:
        self.status: int = 0
        self.headers: HeaderList = []
        self.body = bytearray()

    def on_response(self, http_stream: HttpStreamBase, status_code: int, headers: HeaderList, **kwargs: Any) -> None:
        self.status = status_code
        self.headers.extend(headers)

    def on_body(self, http_stream: HttpStreamBase, chunk: bytes, **kwargs: Any) -> None:
        self.body += chunk


def make_request(host: str, body: bytes) -> HttpRequest:
    headers = HttpHeaders([("Host", host)])
    headers.add("Content-Length", str(len(body)))
    headers.set("Accept", "*/*")
    length: str | None = headers.get("content-length")
    anything: str = headers.get("x-missing", "") or "none"
    values: Iterator[str] = headers.get_values("accept")
    pairs: HeaderList = list(headers)
    assert length is not None
    assert anything
    assert next(values)
    assert pairs
    request: HttpRequest = HttpRequest("PUT", "/thing", headers, BytesIO(body))
    request.path = "/other"
    method: str = request.method
    stream: InputStream | None = request.body_stream
    assert method
    assert stream is not None
    return request


def connect(bootstrap: ClientBootstrap, host: str, tls: TlsConnectionOptions | None) -> HttpClientConnection:
    proxy = HttpProxyOptions(
        host_name="proxy.example",
        port=3128,
        auth_type=HttpProxyAuthenticationType.Basic,
        auth_username="user",
        auth_password="password",
    )
    future = HttpClientConnection.new(
        host_name=host,
        port=443,
        bootstrap=bootstrap,
        socket_options=make_socket_options(),
        tls_connection_options=tls,
        proxy_options=proxy,
    )
    return future.result(TIMEOUT)


def fetch(connection: HttpClientConnection, request: HttpRequest) -> Response:
    response = Response()
    stream: HttpClientStream = connection.request(request, response.on_response, response.on_body)
    stream.activate()
    status: int = stream.completion_future.result(TIMEOUT)
    version: HttpVersion = stream.version
    code: int | None = stream.response_status_code
    assert status == code
    assert version is connection.version
    assert response.status == status
    return response


def post_in_pieces(bootstrap: ClientBootstrap, host: str, tls: TlsConnectionOptions, parts: Sequence[bytes]) -> int:
    changed: list[Http2Setting] = []
    settings = [Http2Setting(Http2SettingID.ENABLE_PUSH, 0)]
    connection: Http2ClientConnection = Http2ClientConnection.new(
        host,
        443,
        bootstrap,
        tls_connection_options=tls,
        initial_settings=settings,
        on_remote_settings_changed=changed.extend,
    ).result(TIMEOUT)
    stream: Http2ClientStream = connection.request(HttpRequest("POST", "/"), manual_write=True)
    stream.activate()
    for number, part in enumerate(parts, start=1):
        stream.write_data(BytesIO(part), end_stream=number == len(parts)).result(TIMEOUT)
    status = stream.completion_future.result(TIMEOUT)
    closed: Future[None] = connection.close()
    closed.result(TIMEOUT)
    return status


async def fetch_async(host: str, tls: TlsConnectionOptions) -> bytes:
    connection: AIOHttpClientConnection = await AIOHttpClientConnection.new(host, 443, tls_connection_options=tls)
    stream = connection.request(HttpRequest("GET", "/"))
    status: int = await stream.get_response_status_code()
    headers: HeaderList = await stream.get_response_headers()
    body = b""
    while True:
        chunk: bytes = await stream.get_next_response_chunk()
        if not chunk:
            break
        body += chunk
    assert await stream.wait_for_completion() == status
    assert headers
    await connection.close()
    return body


async def post_async(host: str, tls: TlsConnectionOptions, parts: AsyncIterator[bytes]) -> int:
    connection: AIOHttp2ClientConnection = await AIOHttp2ClientConnection.new(host, 443, tls_connection_options=tls)
    stream: AIOHttp2ClientStream = connection.request(HttpRequest("POST", "/"), request_body_generator=parts)
    return await stream.wait_for_completion()


# ------------------------------------------------------------------------------------------------------------- auth


def own_credentials() -> AwsCredentials:
    expiration = dt.datetime.now(dt.timezone.utc) + dt.timedelta(hours=1)
    return AwsCredentials("access", "secret", session_token=None, expiration=expiration)


def make_provider(bootstrap: ClientBootstrap) -> AwsCredentialsProvider:
    return AwsCredentialsProvider.new_chain(
        [
            AwsCredentialsProvider.new_environment(),
            AwsCredentialsProvider.new_profile(bootstrap, profile_name="work"),
            AwsCredentialsProvider.new_delegate(own_credentials),
            AwsCredentialsProvider.new_static("access", "secret"),
        ]
    )


def sign(request: HttpRequest, provider: AwsCredentialsProvider) -> HttpRequest:
    credentials: AwsCredentials = provider.get_credentials().result(TIMEOUT)
    expiration: dt.datetime | None = credentials.expiration
    token: str | None = credentials.session_token
    key: str = credentials.access_key_id
    config = AwsSigningConfig(
        algorithm=AwsSigningAlgorithm.V4,
        signature_type=AwsSignatureType.HTTP_REQUEST_HEADERS,
        credentials_provider=provider,
        region="eu-central-1",
        service="execute-api",
        date=dt.datetime.now(dt.timezone.utc),
        should_sign_header=lambda name: name.lower() != "user-agent",
        signed_body_value=AwsSignedBodyValue.UNSIGNED_PAYLOAD,
        signed_body_header_type=AwsSignedBodyHeaderType.X_AMZ_CONTENT_SHA_256,
    )
    later: AwsSigningConfig = config.replace(region="eu-west-1")
    region: str = later.region
    assert key
    assert region
    assert token is None or expiration is not None
    return aws_sign_request(request, later).result(TIMEOUT)


# --------------------------------------------------------------------------------------------------------------- s3


class Transfer:
    def __init__(self) -> None:
        self.parts: dict[int, bytes] = {}
        self.error: BaseException | None = None

    def on_headers(self, status_code: int, headers: HeaderList, **kwargs: Any) -> None:
        assert status_code < 300
        assert headers

    def on_body(self, chunk: bytes, offset: int, **kwargs: Any) -> None:
        self.parts[offset] = chunk

    def on_done(self, error: BaseException | None = None, **kwargs: Any) -> None:
        self.error = error

    def on_progress(self, progress: int) -> None:
        assert progress >= 0


def make_s3_client(bootstrap: ClientBootstrap, provider: AwsCredentialsProvider) -> S3Client:
    gbps: float | None = get_recommended_throughput_target_gbps()
    platforms: list[str] = get_optimized_platforms()
    assert platforms
    return S3Client(
        bootstrap=bootstrap,
        region="eu-central-1",
        tls_mode=S3RequestTlsMode.ENABLED,
        signing_config=create_default_s3_signing_config(region="eu-central-1", credential_provider=provider),
        part_size=8 << 20,
        throughput_target_gbps=gbps,
        fio_options=S3FileIoOptions(should_stream=True),
    )


def download(client: S3Client, request: HttpRequest, path: str) -> bytes:
    transfer = Transfer()
    with CrossProcessLock("downloads"):
        s3_request: S3Request = client.make_request(
            type=S3RequestType.GET_OBJECT,
            request=request,
            recv_filepath=path,
            checksum_config=S3ChecksumConfig(validate_response=True),
            on_headers=transfer.on_headers,
            on_body=transfer.on_body,
            on_done=transfer.on_done,
            on_progress=transfer.on_progress,
        )
        try:
            s3_request.finished_future.result(TIMEOUT)
        except S3ResponseError as error:
            body: bytes | None = error.body
            operation: str | None = error.operation_name
            return body or (operation or "").encode()
    return b"".join(transfer.parts[offset] for offset in sorted(transfer.parts))


def upload(client: S3Client, request: HttpRequest, path: str) -> None:
    checksum = S3ChecksumConfig(algorithm=S3ChecksumAlgorithm.CRC32C, location=S3ChecksumLocation.TRAILER)
    s3_request = client.make_request(
        type=S3RequestType.PUT_OBJECT, request=request, send_filepath=path, checksum_config=checksum
    )
    finished: Future[None] = s3_request.finished_future
    if finished.exception(TIMEOUT) is not None:
        s3_request.cancel()
    ended: Event = s3_request.shutdown_event
    ended.wait(TIMEOUT)


# ------------------------------------------------------------------------------------------------------------- main


def explain(error: Exception) -> str:
    if isinstance(error, exceptions.AwsCrtError):
        code: int = error.code
        name: str = error.name
        message: str = error.message
        return f"{code} {name}: {message}"
    return str(error)


def main(arguments: Sequence[str]) -> int:
    awscrt.logging.init_logging(logging.INFO)
    init_logging(LogLevel.Warn, "stderr")
    host, certificate, key = arguments
    with open(certificate, "rb") as certificate_file, open(key, "rb") as key_file:
        tls = make_tls(host, certificate_file.read(), key_file.read(), ["h2", "http/1.1"])
    bootstrap: ClientBootstrap = make_bootstrap()
    resources: list[NativeResource] = [bootstrap, tls]
    provider = make_provider(bootstrap)
    try:
        connection = connect(bootstrap, host, tls)
        response = fetch(connection, sign(make_request(host, b"body"), provider))
        client = make_s3_client(bootstrap, provider)
        upload(client, HttpRequest("PUT", "/key"), "from")
        data = download(client, HttpRequest("GET", "/key"), "to")
        answer: bytes = asyncio.run(fetch_async(host, tls))
    except Exception as error:
        sys.stderr.write(explain(error))
        return 1
    assert len(answer) + len(data) + len(response.body)
    del resources, bootstrap, provider, client, connection
    joined: bool = common.join_all_native_threads(timeout_sec=TIMEOUT)
    return 0 if joined else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
