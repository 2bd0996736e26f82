"""Owns how the tests of S3 make clients and requests, and how they see what comes of them."""

from __future__ import annotations

import io
import threading

from awscrt.http import HttpHeaders, HttpRequest
from awscrt.s3 import S3Client, S3RequestTlsMode, S3RequestType, S3RetryConfig

MB = 1024 * 1024
KEY = "/bucket/key"
TIMEOUT_SEC = 20
GET = S3RequestType.GET_OBJECT
PUT = S3RequestType.PUT_OBJECT


def new_client(**options):
    """A client without TLS, whose retries do not wait."""
    options.setdefault("region", "us-east-1")
    options.setdefault("tls_mode", S3RequestTlsMode.DISABLED)
    options.setdefault("retry_config", S3RetryConfig(max_retries=3, backoff_scale_factor_ms=1, max_backoff_secs=1))
    return S3Client(**options)


def get_request(server, path=KEY, headers=()):
    pairs = [("Host", f"{server.host}:{server.port}"), *headers]
    return HttpRequest("GET", path, HttpHeaders(pairs))


def put_request(server, body, path=KEY, headers=(), *, length=True):
    """`body` is bytes, or a stream with the number of its bytes as `length`; `length=False` leaves it unknown."""
    stream = io.BytesIO(body) if isinstance(body, bytes) else body
    pairs = [("Host", f"{server.host}:{server.port}"), *headers]
    if length is not False:
        pairs.append(("Content-Length", str(len(body) if length is True else length)))
    return HttpRequest("PUT", path, HttpHeaders(pairs), stream)


class Seen:
    """What the callbacks of one request were told."""

    def __init__(self):
        self.status = None
        self.headers = None
        self.chunks = []
        self.progress = []
        self.done = None
        self.ended = threading.Event()

    def on_headers(self, status_code, headers, **kwargs):
        assert self.status is None
        self.status, self.headers = status_code, headers

    def on_body(self, chunk, offset, **kwargs):
        assert type(chunk) is bytes
        self.chunks.append((offset, chunk))

    def on_progress(self, progress):
        self.progress.append(progress)

    def on_done(self, **kwargs):
        assert self.done is None
        self.done = kwargs
        self.ended.set()

    def callbacks(self, *, body=True):
        callbacks = {"on_headers": self.on_headers, "on_progress": self.on_progress, "on_done": self.on_done}
        return {**callbacks, "on_body": self.on_body} if body else callbacks

    @property
    def body(self):
        """The chunks as one, which must follow each other without gaps."""
        position = self.chunks[0][0] if self.chunks else 0
        for offset, chunk in self.chunks:
            assert offset == position
            position += len(chunk)
        return b"".join(chunk for _, chunk in self.chunks)


def transfer(client, kind, request, **options):
    """Runs a request to its end: what was seen, and its error or None."""
    seen = Seen()
    s3_request = client.make_request(type=kind, request=request, **{**seen.callbacks(), **options})
    error = s3_request.finished_future.exception(TIMEOUT_SEC)
    if "on_done" not in options:
        assert seen.ended.wait(TIMEOUT_SEC)
        assert seen.done["error"] is error
    return seen, error


def settled(event):
    """Whether an event of shutdown comes in time."""
    return event.wait(TIMEOUT_SEC)
