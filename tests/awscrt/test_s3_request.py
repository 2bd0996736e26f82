"""Owns the tests of S3 transfers that go well, and of those that S3 refuses."""

from __future__ import annotations

import io
import os

import pytest
from peers.s3 import S3Server, checksum, failure
from peers.s3_transfers import (
    GET,
    KEY,
    MB,
    PUT,
    TIMEOUT_SEC,
    Seen,
    get_request,
    new_client,
    put_request,
    settled,
    transfer,
)

from awscrt.auth import AwsCredentialsProvider, AwsSignatureType, AwsSigningConfig
from awscrt.exceptions import AwsCrtError
from awscrt.s3 import (
    S3ChecksumAlgorithm,
    S3ChecksumConfig,
    S3ChecksumLocation,
    S3ChecksumValidationMode,
    S3FileIoOptions,
    S3Request,
    S3RequestType,
    S3ResponseError,
    create_default_s3_signing_config,
)

DATA = bytes(range(256)) * 4096  # 1 MiB
SIZES = [0, 1, 300_000, len(DATA)]


@pytest.fixture
def server():
    with S3Server() as running:
        yield running
        assert not running.errors


@pytest.mark.parametrize("size", SIZES)
def test_get_into_callbacks(server, size):
    server.put(KEY, DATA[:size])
    seen, error = transfer(new_client(part_size=100_000), GET, get_request(server))
    assert error is None
    assert (seen.status, seen.body) == (200, DATA[:size])
    assert dict(seen.headers)["Content-Length"] == str(size)
    assert sum(seen.progress) == size
    assert seen.done == {
        "error": None,
        "error_headers": None,
        "error_body": None,
        "error_operation_name": None,
        "status_code": 200,
        "did_validate_checksum": False,
        "checksum_validation_algorithm": None,
    }


def test_get_is_split_into_parts(server):
    server.put(KEY, DATA)
    seen, _ = transfer(new_client(), GET, get_request(server), part_size=len(DATA) // 4)
    assert server.counted("GET") == 4
    assert seen.chunks[0][0] == 0
    assert seen.body == DATA


def test_get_of_a_range(server):
    server.put(KEY, DATA)
    seen, error = transfer(
        new_client(part_size=100_000), GET, get_request(server, headers=[("Range", "bytes=1000-250999")])
    )
    assert error is None
    assert seen.status == 206
    assert seen.chunks[0][0] == 1000
    assert seen.body == DATA[1000:251_000]


def test_get_without_callbacks(server):
    server.put(KEY, DATA)
    request = new_client(part_size=100_000).make_request(type=GET, request=get_request(server))
    assert request.finished_future.result(TIMEOUT_SEC) is None


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", [str, os.fsencode, os.PathLike])
def test_get_into_a_file(server, tmp_path, size, kind):
    server.put(KEY, DATA[:size])
    file = tmp_path / "öffnen\u20ac"
    file.write_bytes(b"what was there before")
    path = file if kind is os.PathLike else kind(str(file))
    seen, error = transfer(new_client(part_size=100_000), GET, get_request(server), recv_filepath=path)
    assert error is None
    assert seen.chunks == []
    assert sum(seen.progress) == size
    assert file.read_bytes() == DATA[:size]


def test_get_of_many_empty_objects_into_files(server, tmp_path):
    # The library's write of nothing comes after its end, if it is let.
    server.put(KEY, b"")
    for number in range(100):
        file = tmp_path / str(number)
        seen, error = transfer(new_client(), GET, get_request(server), recv_filepath=file)
        assert error is None
        assert (seen.status, seen.done["status_code"]) == (200, 200)
        assert file.read_bytes() == b""


@pytest.mark.parametrize("size", SIZES)
def test_put_of_a_stream(server, size):
    seen, error = transfer(new_client(), PUT, put_request(server, DATA[:size]))
    assert error is None
    assert (seen.status, sum(seen.progress)) == (200, size)
    assert seen.body == b""
    assert server.objects[KEY].data == DATA[:size]


@pytest.mark.parametrize("size", SIZES)
def test_put_of_a_file(server, tmp_path, size):
    (tmp_path / "ä").write_bytes(DATA[:size])
    request = put_request(server, None, length=False)
    seen, error = transfer(new_client(), PUT, request, send_filepath=str(tmp_path / "ä"))
    assert error is None
    assert sum(seen.progress) == size
    assert server.objects[KEY].data == DATA[:size]


@pytest.mark.parametrize("source", ["stream", "stream of unknown length", "file", "file while it is read"])
def test_put_in_parts(server, tmp_path, source):
    data = DATA * 11 + b"the rest"
    options = {}
    request = put_request(server, data, length="unknown" not in source)
    if source.startswith("file"):
        (tmp_path / "file").write_bytes(data)
        request = put_request(server, None, length=len(data))
        options["send_filepath"] = str(tmp_path / "file")
        options["fio_options"] = S3FileIoOptions(should_stream="while" in source)
    seen, error = transfer(new_client(part_size=5 * MB), PUT, request, **options)
    assert error is None
    assert sum(seen.progress) == len(data)
    assert dict(seen.headers)["ETag"] == '"x-3"'
    assert server.objects[KEY].data == data
    assert not server.uploads


def test_threshold_of_multipart_uploads(server):
    client = new_client(part_size=5 * MB)
    data = DATA * 6
    transfer(client, PUT, put_request(server, data), multipart_upload_threshold=10 * MB)
    assert server.counted("POST") == 0
    transfer(client, PUT, put_request(server, data))
    assert server.counted("POST") == 2


def test_stream_that_only_reads(server):
    class Stream:
        def __init__(self):
            self.left = 3 * MB

        def read(self, size):
            size = min(size, self.left, 70_001)
            self.left -= size
            return b"x" * size

    _, error = transfer(new_client(), PUT, put_request(server, Stream(), length=3 * MB))
    assert error is None
    assert server.objects[KEY].data == b"x" * 3 * MB


def test_other_operations(server):
    server.put(KEY, DATA)
    request = get_request(server)
    request.method = "DELETE"
    seen, error = transfer(new_client(), S3RequestType.DEFAULT, request, operation_name="DeleteObject")
    assert error is None
    assert (seen.status, seen.done["status_code"]) == (204, 204)
    assert not server.objects


@pytest.mark.parametrize("location", S3ChecksumLocation)
@pytest.mark.parametrize("algorithm", ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"])
@pytest.mark.parametrize("size", [1000, 6 * MB])
def test_put_with_checksum_then_get_with_validation(server, location, algorithm, size):
    data = (DATA * 6)[:size]
    client = new_client(part_size=5 * MB)
    config = S3ChecksumConfig(algorithm=S3ChecksumAlgorithm[algorithm], location=location)
    _, error = transfer(client, PUT, put_request(server, data), checksum_config=config)
    assert error is None
    assert server.objects[KEY].data == data
    if size < 5 * MB:
        assert server.objects[KEY].checksums == {algorithm.lower(): checksum(algorithm.lower(), data)}
    server.put(KEY, data, algorithm.lower())
    seen, error = transfer(client, GET, get_request(server), checksum_config=S3ChecksumConfig(validate_response=True))
    assert error is None
    assert seen.body == data
    assert seen.done["did_validate_checksum"] is True
    assert seen.done["checksum_validation_algorithm"] is S3ChecksumAlgorithm[algorithm]


@pytest.mark.parametrize("mode", [None, *S3ChecksumValidationMode])
def test_get_with_a_wrong_checksum(server, mode):
    server.put(KEY, DATA, "crc32")
    server.objects[KEY].checksums["crc32"] = checksum("crc32", b"other")
    config = S3ChecksumConfig(validate_response=True, response_validation_mode=mode)
    _, error = transfer(new_client(), GET, get_request(server), checksum_config=config)
    assert error.name == "AWS_ERROR_S3_RESPONSE_CHECKSUM_MISMATCH"


def test_get_with_an_expected_checksum(server):
    server.put(KEY, DATA)
    client = new_client(part_size=300_000)
    for value, name in [(DATA, None), (b"other", "AWS_ERROR_S3_RESPONSE_CHECKSUM_MISMATCH")]:
        config = S3ChecksumConfig(
            expected_checksum=checksum("sha256", value), expected_checksum_algorithm=S3ChecksumAlgorithm.SHA256
        )
        seen, error = transfer(client, GET, get_request(server), checksum_config=config)
        assert getattr(error, "name", None) == name
        assert seen.done["checksum_validation_algorithm"] in (S3ChecksumAlgorithm.SHA256, None)


def test_validation_of_nothing(server):
    server.put(KEY, b"")
    seen, error = transfer(
        new_client(), GET, get_request(server), checksum_config=S3ChecksumConfig(validate_response=True)
    )
    assert error is None
    assert seen.done["checksum_validation_algorithm"] is None


def test_refusal_by_s3(server):
    seen, error = transfer(new_client(), GET, get_request(server))
    assert type(error) is S3ResponseError
    assert isinstance(error, AwsCrtError)
    assert (error.name, error.status_code, error.operation_name) == (
        "AWS_ERROR_S3_INVALID_RESPONSE_STATUS",
        404,
        "GetObject",
    )
    assert b"NoSuchKey" in error.body
    assert ("x-amz-request-id", "7") in error.headers
    assert seen.status == 404
    assert seen.done["error_headers"] == error.headers
    assert seen.done["error_body"] == error.body
    assert seen.done["error_operation_name"] == "GetObject"
    assert seen.done["status_code"] == 404


def test_refusal_of_another_operation(server):
    server.interfere = lambda request: failure(403, "AccessDenied")
    _, error = transfer(new_client(), S3RequestType.DEFAULT, get_request(server), operation_name="MineAlone")
    assert (error.status_code, error.operation_name) == (403, "MineAlone")


def test_refusal_of_one_part(server):
    server.interfere = lambda request: failure(400, "BadPart") if "partNumber=2" in request.path else None
    _, error = transfer(new_client(part_size=5 * MB), PUT, put_request(server, DATA * 11))
    assert (error.status_code, error.operation_name) == (400, "UploadPart")
    assert len(server.aborted) == 1
    assert not server.uploads


def test_requests_are_not_signed_by_default(server):
    server.put(KEY, DATA)
    transfer(new_client(), GET, get_request(server))
    assert server.requests[0].header("authorization") is None


def credentials(name):
    return AwsCredentialsProvider.new_static(name, "secret", "token")


def signature(server):
    return server.requests[-1].header("authorization")


def test_signing_by_the_client(server):
    server.put(KEY, b"x")
    signing_config = create_default_s3_signing_config(region="here", credential_provider=credentials("AKID1"))
    transfer(new_client(signing_config=signing_config), GET, get_request(server))
    assert "AKID1/" in signature(server)
    assert "/here/s3/aws4_request" in signature(server)
    assert server.requests[-1].header("x-amz-content-sha256") == "UNSIGNED-PAYLOAD"
    assert server.requests[-1].header("x-amz-security-token") == "token"
    transfer(new_client(region="there", credential_provider=credentials("AKID2")), GET, get_request(server))
    assert "AKID2/" in signature(server)
    assert "/there/s3/aws4_request" in signature(server)


def test_signing_of_one_request(server):
    server.put(KEY, b"x")
    client = new_client(region="there", credential_provider=credentials("AKID1"))
    transfer(client, GET, get_request(server), credential_provider=credentials("AKID2"))
    assert "AKID2/" in signature(server)
    assert "/there/" in signature(server)
    request = S3Request(
        client=client, type=GET, request=get_request(server), credential_provider=credentials("AKID3"), region="here"
    )
    request.finished_future.result(TIMEOUT_SEC)
    assert "AKID3/" in signature(server)
    assert "/here/" in signature(server)
    transfer(client, GET, get_request(server), signing_config=AwsSigningConfig(region="far"))
    assert "AKID1/" in signature(server)
    assert "/far/" in signature(server)


def test_what_signing_uses_lives_as_long_as_the_transfer(server):
    server.put(KEY, b"x")
    client = new_client(
        signing_config=AwsSigningConfig(
            signature_type=AwsSignatureType.HTTP_REQUEST_HEADERS,
            credentials_provider=AwsCredentialsProvider.new_delegate(lambda: credentials_of("AKID4")),
            service="s3",
            region="r",
            should_sign_header=lambda name: name.lower() != "x-not-me",
            use_double_uri_encode=False,
            should_normalize_uri_path=False,
        )
    )
    _, error = transfer(client, GET, get_request(server, headers=[("x-not-me", "1"), ("x-me", "2")]))
    assert error is None
    assert "AKID4/" in signature(server)
    signed = signature(server).partition("SignedHeaders=")[2].partition(",")[0].split(";")
    assert "x-me" in signed
    assert "x-not-me" not in signed


def credentials_of(name):
    from awscrt.auth import AwsCredentials

    return AwsCredentials(name, "secret")


def test_request_goes_on_when_nobody_holds_it(server, tmp_path):
    server.put(KEY, DATA)
    client = new_client(part_size=100_000)
    request = client.make_request(type=GET, request=get_request(server), recv_filepath=str(tmp_path / "file"))
    future, ended = request.finished_future, request.shutdown_event
    over = client.shutdown_event
    assert not ended.is_set()
    del request, client
    assert future.result(TIMEOUT_SEC) is None
    assert (tmp_path / "file").read_bytes() == DATA
    assert settled(ended)
    assert settled(over)


def test_shutdown_event_waits_for_the_last_reference(server):
    server.put(KEY, DATA)
    request = new_client().make_request(type=GET, request=get_request(server))
    request.finished_future.result(TIMEOUT_SEC)
    ended = request.shutdown_event
    assert not ended.wait(0.2)
    del request
    assert settled(ended)


def test_one_request_for_many_transfers(server):
    client = new_client()
    request = put_request(server, b"again")
    for _ in range(2):
        request.body_stream = io.BytesIO(b"again")
        assert transfer(client, PUT, request)[1] is None
    assert [r.body for r in server.requests] == [b"again"] * 2


def test_many_transfers_at_once(server):
    client = new_client(part_size=100_000)
    everything = [Seen() for _ in range(20)]
    requests = []
    for number, seen in enumerate(everything):
        server.put(f"{KEY}{number}", DATA[number:])
        request = get_request(server, f"{KEY}{number}")
        requests.append(client.make_request(type=GET, request=request, **seen.callbacks()))
    for request in requests:
        request.finished_future.result(TIMEOUT_SEC)
    assert [seen.body for seen in everything] == [DATA[number:] for number in range(20)]
