"""Owns a stand-in for S3: objects in memory behind HTTP/1.1, as much of the service's API as transfers use."""

from __future__ import annotations

import base64
import hashlib
import threading
import zlib
from dataclasses import dataclass, field
from typing import Any, Callable, Dict, List, Optional, Tuple
from urllib.parse import parse_qsl, urlsplit

from .http1 import Headers, Http1Server, Request, Response

ALGORITHMS = ("crc32", "crc32c", "crc64nvme", "sha1", "sha256")


@dataclass
class Stored:
    data: bytes
    checksums: Dict[str, str] = field(default_factory=dict)

    @property
    def etag(self) -> str:
        return f'"{zlib.crc32(self.data):x}"'


@dataclass
class Upload:
    path: str
    parts: Dict[int, Stored] = field(default_factory=dict)


class S3Server(Http1Server):
    """Serves every bucket and key by its path.

    Attributes:
        objects: What is stored, by path.
        uploads: Multipart uploads under way, by id.
        aborted: Ids of those given up.
        interfere: Called first with each request; a Response of its is the answer.
    """

    def __init__(self, interfere: Optional[Callable[[Request], Optional[Response]]] = None, **options: Any) -> None:
        super().__init__(self._answer, **options)
        self.objects: Dict[str, Stored] = {}
        self.uploads: Dict[str, Upload] = {}
        self.aborted: List[str] = []
        self.interfere = interfere
        self._store_lock = threading.Lock()

    @property
    def authority(self) -> str:
        return f"{self.host}:{self.port}"

    def put(self, path: str, data: bytes, algorithm: Optional[str] = None) -> None:
        """Store an object, with its checksum if one is named."""
        self.objects[path] = Stored(data, {algorithm: checksum(algorithm, data)} if algorithm else {})

    def counted(self, method: str) -> int:
        """How many requests of this method came."""
        return sum(request.method == method for request in self.requests)

    def _answer(self, request: Request) -> Response:
        response = self.interfere(request) if self.interfere is not None else None
        if response is not None:
            return response
        url = urlsplit(request.path)
        query = dict(parse_qsl(url.query, keep_blank_values=True))
        with self._store_lock:
            if "uploads" in query or "uploadId" in query:
                return self._multipart(request, url.path, query)
            if request.method in ("GET", "HEAD"):
                return self._read(request, url.path)
            if request.method == "PUT":
                return self._write(request, url.path)
            if request.method == "DELETE":
                self.objects.pop(url.path, None)
                return _no_content()
        return failure(405, "MethodNotAllowed")

    def _read(self, request: Request, path: str) -> Response:
        stored = self.objects.get(path)
        if stored is None:
            return failure(404, "NoSuchKey")
        headers: Headers = [("ETag", stored.etag), ("Content-Type", "binary/octet-stream")]
        wanted = request.header("range")
        if wanted is None:
            headers += _told(request, stored)
            return Response(headers=[*headers, ("Content-Length", str(len(stored.data)))], body=stored.data)
        first, last = _range(wanted, len(stored.data))
        if first >= len(stored.data):
            return failure(416, "InvalidRange", more=f"<ActualObjectSize>{len(stored.data)}</ActualObjectSize>")
        body = stored.data[first : last + 1]
        headers += _told(request, stored) if len(body) == len(stored.data) else []
        headers += [
            ("Content-Range", f"bytes {first}-{last}/{len(stored.data)}"),
            ("Content-Length", str(len(body))),
        ]
        return Response(206, headers, body, reason="Partial Content")

    def _write(self, request: Request, path: str) -> Response:
        stored = received(request)
        if stored is None:
            return failure(400, "BadDigest")
        self.objects[path] = stored
        return Response(headers=[("ETag", stored.etag)])

    def _multipart(self, request: Request, path: str, query: Dict[str, str]) -> Response:
        if "uploads" in query:
            upload_id = f"upload-{len(self.uploads) + len(self.aborted)}"
            self.uploads[upload_id] = Upload(path)
            return _xml(
                f"<InitiateMultipartUploadResult><UploadId>{upload_id}</UploadId></InitiateMultipartUploadResult>"
            )
        upload = self.uploads.get(query["uploadId"])
        if upload is None:
            return failure(404, "NoSuchUpload")
        if request.method == "PUT":
            return self._write_part(request, upload, int(query["partNumber"]))
        if request.method == "DELETE":
            self.aborted.append(query["uploadId"])
            del self.uploads[query["uploadId"]]
            return _no_content()
        if request.method == "GET":
            return _xml(_listed(upload))
        return self._complete(query["uploadId"], upload)

    def _write_part(self, request: Request, upload: Upload, number: int) -> Response:
        stored = received(request)
        if stored is None:
            return failure(400, "BadDigest")
        upload.parts[number] = stored
        return Response(headers=[("ETag", stored.etag)])

    def _complete(self, upload_id: str, upload: Upload) -> Response:
        data = b"".join(upload.parts[number].data for number in sorted(upload.parts))
        self.objects[upload.path] = Stored(data)
        del self.uploads[upload_id]
        return _xml(
            f'<CompleteMultipartUploadResult><ETag>"x-{len(upload.parts)}"</ETag></CompleteMultipartUploadResult>'
        )


def failure(status: int, code: str, *, more: str = "") -> Response:
    """How S3 says that something failed."""
    body = f'<?xml version="1.0" encoding="UTF-8"?><Error><Code>{code}</Code>{more}</Error>'
    fields = [("Content-Type", "application/xml"), ("x-amz-request-id", "7")]
    return Response(status, fields, body.encode(), reason=code)


def first(count: int, method: str, make: Callable[[], Response]) -> Callable[[Request], Optional[Response]]:
    """An interference with the first requests of a method."""
    lock = threading.Lock()
    left = [count]

    def interfere(request: Request) -> Optional[Response]:
        with lock:
            if request.method != method or not left[0]:
                return None
            left[0] -= 1
        return make()

    return interfere


def received(request: Request) -> Optional[Stored]:
    """What an upload holds; None if a checksum that came with it is another's."""
    body, trailers = request.body, request.trailers
    if "aws-chunked" in (request.header("content-encoding") or ""):
        body, trailers = _decoded(body)
    stored = Stored(body)
    for name, value in [*request.headers, *trailers]:
        prefix, _, algorithm = name.lower().rpartition("-")
        if prefix == "x-amz-checksum" and algorithm in ALGORITHMS:
            if checksum(algorithm, body) != value:
                return None
            stored.checksums[algorithm] = value
    return stored


def checksum(algorithm: str, data: bytes) -> str:
    """In base64, as S3 has it."""
    return base64.b64encode(_digest(algorithm, data)).decode()


def _digest(algorithm: str, data: bytes) -> bytes:
    if algorithm == "crc32":
        return zlib.crc32(data).to_bytes(4, "big")
    if algorithm in ("sha1", "sha256"):
        return hashlib.new(algorithm, data).digest()
    from awscrt import checksums

    number: int = getattr(checksums, algorithm)(data)
    return number.to_bytes(8 if algorithm == "crc64nvme" else 4, "big")


def _decoded(body: bytes) -> Tuple[bytes, Headers]:
    """The content encoding `aws-chunked`: chunks, then trailers."""
    pieces = []
    while True:
        line, _, body = body.partition(b"\r\n")
        size = int(line.partition(b";")[0], 16)
        if size == 0:
            break
        pieces.append(body[:size])
        body = body[size + 2 :]
    fields = [line.decode().partition(":") for line in body.split(b"\r\n") if line]
    return b"".join(pieces), [(name, value.strip()) for name, _, value in fields]


def _told(request: Request, stored: Stored) -> Headers:
    """The checksums of a whole object, if they are asked for."""
    if (request.header("x-amz-checksum-mode") or "").lower() != "enabled":
        return []
    checksums = [(f"x-amz-checksum-{name}", value) for name, value in stored.checksums.items()]
    return [*checksums, ("x-amz-checksum-type", "FULL_OBJECT")]


def _range(text: str, size: int) -> Tuple[int, int]:
    first_text, _, last_text = text.replace("bytes=", "").partition("-")
    return int(first_text), min(int(last_text or size - 1), size - 1)


def _listed(upload: Upload) -> str:
    parts = "".join(
        f"<Part><PartNumber>{number}</PartNumber><ETag>{part.etag}</ETag><Size>{len(part.data)}</Size></Part>"
        for number, part in sorted(upload.parts.items())
    )
    return f"<ListPartsResult><IsTruncated>false</IsTruncated>{parts}</ListPartsResult>"


def _no_content() -> Response:
    # The client takes an answer without any header for none.
    return Response(204, [("x-amz-request-id", "7")], reason="No Content")


def _xml(text: str) -> Response:
    return Response(headers=[("Content-Type", "application/xml")], body=text.encode())
