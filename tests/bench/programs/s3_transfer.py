"""Measures the megabytes a second of one large object: get|put|get-file|put-file PORT SIZE FILE.

`get` counts what its callback is given, `put` reads from memory through a stream; the others leave FILE to the client.
"""

from __future__ import annotations

import io
import sys
from typing import Any

import rig

from awscrt.auth import AwsCredentialsProvider
from awscrt.http import HttpHeaders, HttpRequest
from awscrt.s3 import S3Client, S3RequestTlsMode, S3RequestType

PART = 8 * 1024 * 1024
TIMES = 3


def main(kind: str, port: int, size: int, path: str) -> None:
    client = S3Client(
        bootstrap=rig.bootstrap(),
        region="us-east-1",
        tls_mode=S3RequestTlsMode.DISABLED,
        credential_provider=AwsCredentialsProvider.new_static("name", "secret"),
        part_size=PART,
    )
    host = ("Host", f"{rig.HOST}:{port}")
    data = bytes(size) if kind == "put" else b""
    got = 0

    def on_body(chunk: bytes, offset: int, **_: Any) -> None:
        nonlocal got
        got += len(chunk)

    def transfer(name: str, length: int) -> None:
        if kind.startswith("get"):
            request = HttpRequest("GET", f"/bucket/{name}", HttpHeaders([host]))
            way: dict[str, Any] = {"recv_filepath": path} if kind == "get-file" else {"on_body": on_body}
            made = client.make_request(type=S3RequestType.GET_OBJECT, request=request, **way)
        else:
            headers = HttpHeaders([host, ("Content-Length", str(length))])
            body = None if kind == "put-file" else io.BytesIO(data[:length])
            request = HttpRequest("PUT", f"/bucket/{name}", headers, body)
            way = {"send_filepath": path} if kind == "put-file" else {}
            made = client.make_request(type=S3RequestType.PUT_OBJECT, request=request, **way)
        made.finished_future.result(rig.SECONDS)

    # The first one opens connections.
    transfer("first", PART) if kind != "put-file" else transfer("large", size)
    got = 0
    seconds = rig.clocked(lambda: transfer("large", size), TIMES)
    if kind == "get" and got != size * TIMES:
        raise RuntimeError(f"{got} bytes instead of {size} x {TIMES}")
    rig.answer(size / seconds / 1e6)


main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
