"""Uploads and downloads by s3transfer's CRT transfer manager, which boto3 and the AWS CLI use, against moto's S3."""

from __future__ import annotations

import base64
import hashlib
import io
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from s3transfer.crt import BotocoreCRTRequestSerializer, CRTTransferManager, create_s3_crt_client
from s3transfer.subscribers import BaseSubscriber

from awscrt import checksums
from awscrt.auth import AwsCredentialsProvider

MIB = 1024 * 1024
PART = 5 * MIB
SIZES = pytest.mark.parametrize("size", [0, 1, 5 * MIB, 64 * MIB], ids=["0", "1", "5MiB", "64MiB"])
BUCKET = "bucket"
SECONDS = 100.0
Transfers = Callable[[], CRTTransferManager]


def content(size: int) -> bytes:
    return random.Random(size).randbytes(size)  # noqa: S311 - only to be unlike itself anywhere


@pytest.fixture
def transfers(session: Any, s3: str, plain: Any) -> Callable[[], CRTTransferManager]:
    """Makes a manager, whose `with` ends when everything that belongs to its transfers is done."""

    def make() -> CRTTransferManager:
        client = create_s3_crt_client(
            region="us-east-1",
            crt_credentials_provider=AwsCredentialsProvider.new_static("name", "secret"),
            part_size=PART,
            use_ssl=False,
        )
        settings = {"endpoint_url": s3, "region_name": "us-east-1", "config": Config(s3={"addressing_style": "path"})}
        return CRTTransferManager(client, BotocoreCRTRequestSerializer(session, settings))

    return make


def body(plain: Any, key: str) -> bytes:
    found: bytes = plain.get_object(Bucket=BUCKET, Key=key)["Body"].read()
    return found


def parts(plain: Any, key: str) -> int:
    """How many parts an object was uploaded in; 0 for one that came whole."""
    etag: str = plain.head_object(Bucket=BUCKET, Key=key)["ETag"].strip('"')
    return int(etag.partition("-")[2] or 0)


class Progress(BaseSubscriber):  # type: ignore[misc]
    """Counts what a transfer tells."""

    def __init__(self) -> None:
        self.moved = self.ended = 0

    def on_progress(self, future: Any, bytes_transferred: int, **_: Any) -> None:
        self.moved += bytes_transferred

    def on_done(self, future: Any, **_: Any) -> None:
        self.ended += 1


@SIZES
def test_a_file_goes_up_and_comes_down(transfers: Transfers, plain: Any, tmp_path: Path, size: int) -> None:
    source, target, key = tmp_path / "source", tmp_path / "target", f"file-{size}"
    source.write_bytes(content(size))
    progress = Progress()
    with transfers() as manager:
        manager.upload(str(source), BUCKET, key, subscribers=[progress]).result(SECONDS)
    assert body(plain, key) == content(size)
    assert parts(plain, key) == (0 if size <= PART else -(-size // PART))
    assert (progress.moved, progress.ended) == (size, 1)
    with transfers() as manager:
        manager.download(BUCKET, key, str(target)).result(SECONDS)
    assert target.read_bytes() == content(size)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["source", "target"]


class Forward(io.RawIOBase):
    """Reads as a pipe does: forward only, a little at a time."""

    def __init__(self, data: bytes) -> None:
        self._rest = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._rest.readinto(memoryview(buffer)[:65_536])


@SIZES
def test_a_stream_goes_up_and_comes_down(transfers: Transfers, plain: Any, size: int) -> None:
    key, received, progress = f"stream-{size}", io.BytesIO(), Progress()
    with transfers() as manager:
        manager.upload(io.BytesIO(content(size)), BUCKET, key).result(SECONDS)
    assert body(plain, key) == content(size)
    with transfers() as manager:
        manager.download(BUCKET, key, received, subscribers=[progress]).result(SECONDS)
    assert received.getvalue() == content(size)
    assert (progress.moved, progress.ended) == (size, 1)


def test_a_stream_of_unknown_length_goes_up_in_parts(transfers: Transfers, plain: Any) -> None:
    data = content(12 * MIB + 1)
    with transfers() as manager:
        manager.upload(Forward(data), BUCKET, "forward").result(SECONDS)
    assert body(plain, "forward") == data
    assert parts(plain, "forward") == 3


def by_part(algorithm: str, data: bytes) -> str:
    """A checksum of the checksums of the parts, as S3 writes it."""
    pieces = [hashlib.new(algorithm, data[at : at + PART]).digest() for at in range(0, len(data), PART)]
    return f"{base64.b64encode(hashlib.new(algorithm, b''.join(pieces)).digest()).decode()}-{len(pieces)}"


# moto itself computes no CRC32C and leaves trailers of whole objects aside: tests/awscrt looks at the bytes sent.
CHECKSUMS: dict[str, Callable[[bytes], str | None]] = {
    "CRC32": lambda data: None,
    "CRC32C": lambda data: None,
    "CRC64NVME": lambda data: base64.b64encode(checksums.crc64nvme(data).to_bytes(8, "big")).decode(),
    "SHA1": lambda data: by_part("sha1", data),
    "SHA256": lambda data: by_part("sha256", data),
}


@pytest.mark.parametrize("algorithm", CHECKSUMS)
def test_a_checksum_goes_along_with_parts(transfers: Transfers, plain: Any, algorithm: str) -> None:
    key, data, received = f"checksum-{algorithm}", content(12 * MIB), io.BytesIO()
    with transfers() as manager:
        arguments = {"ChecksumAlgorithm": algorithm}
        manager.upload(io.BytesIO(data), BUCKET, key, extra_args=arguments).result(SECONDS)
    found = plain.get_object(Bucket=BUCKET, Key=key, ChecksumMode="ENABLED")
    assert found["Body"].read() == data
    assert found[f"Checksum{algorithm}"]
    assert CHECKSUMS[algorithm](data) in (None, found[f"Checksum{algorithm}"])
    with transfers() as manager:
        manager.download(BUCKET, key, received, extra_args={"ChecksumMode": "ENABLED"}).result(SECONDS)
    assert received.getvalue() == data


@pytest.mark.parametrize("algorithm", CHECKSUMS)
def test_a_checksum_goes_along_with_a_whole_object(transfers: Transfers, plain: Any, algorithm: str) -> None:
    with transfers() as manager:
        arguments = {"ChecksumAlgorithm": algorithm}
        manager.upload(io.BytesIO(b"whole"), BUCKET, f"whole-{algorithm}", extra_args=arguments).result(SECONDS)
    assert body(plain, f"whole-{algorithm}") == b"whole"


def test_many_transfers_at_once(transfers: Transfers, plain: Any) -> None:
    received = [io.BytesIO() for _ in range(50)]
    with transfers() as manager:
        ups = [manager.upload(io.BytesIO(content(1000 + i)), BUCKET, f"many-{i}") for i in range(50)]
        for up in ups:
            up.result(SECONDS)
        downs = [manager.download(BUCKET, f"many-{i}", received[i]) for i in range(50)]
        for down in downs:
            down.result(SECONDS)
    assert [each.getvalue() for each in received] == [content(1000 + i) for i in range(50)]


def test_an_object_that_is_not_there_is_told_as_botocore_tells_it(transfers: Transfers, plain: Any) -> None:
    with transfers() as manager, pytest.raises(ClientError, match=r"404|NoSuchKey"):
        manager.download(BUCKET, "absent", io.BytesIO()).result(SECONDS)


def test_an_object_is_deleted(transfers: Transfers, plain: Any) -> None:
    plain.put_object(Bucket=BUCKET, Key="gone", Body=b"")
    with transfers() as manager:
        manager.delete(BUCKET, "gone").result(SECONDS)
    with pytest.raises(ClientError, match="404"):
        plain.head_object(Bucket=BUCKET, Key="gone")


class Broken(Forward):
    def readinto(self, buffer: Any) -> int:
        raise OSError("planted")


@pytest.mark.fault("R10")
def test_what_a_stream_raises_ends_its_upload(transfers: Transfers, plain: Any) -> None:
    with transfers() as manager, pytest.raises(OSError, match="planted"):
        manager.upload(Broken(b""), BUCKET, "broken").result(SECONDS)
    with pytest.raises(ClientError, match="404"):
        plain.head_object(Bucket=BUCKET, Key="broken")
