"""Owns the tests of S3 clients: what they are told, how they end, and what becomes of them at exit and after a fork."""

from __future__ import annotations

import copy
import dataclasses
import pickle
import sys

import pytest
from peers.s3 import S3Server
from peers.s3_transfers import GET, KEY, PUT, get_request, new_client, put_request, settled, transfer

import awscrt.s3
from awscrt.auth import AwsCredentialsProvider, AwsSigningConfig
from awscrt.exceptions import AwsCrtError
from awscrt.http import HttpRequest
from awscrt.io import ClientBootstrap, DefaultHostResolver, EventLoopGroup
from awscrt.s3 import (
    S3ChecksumAlgorithm,
    S3ChecksumConfig,
    S3ChecksumLocation,
    S3ChecksumValidationMode,
    S3Client,
    S3FileIoOptions,
    S3Request,
    S3RequestType,
    S3ResponseError,
    S3RetryConfig,
    create_default_s3_signing_config,
    get_ec2_instance_type,
    get_optimized_platforms,
    get_recommended_throughput_target_gbps,
    is_optimized_for_system,
)

MB = 1024 * 1024


def test_client_with_everything():
    group = EventLoopGroup(1)
    bootstrap = ClientBootstrap(group, DefaultHostResolver(group))
    client = new_client(
        bootstrap=bootstrap,
        part_size=16 * MB,
        multipart_upload_threshold=32 * MB,
        throughput_target_gbps=5,
        enable_s3express=True,
        memory_limit=512 * MB,
        network_interface_names=["lo"],
        fio_options=S3FileIoOptions(should_stream=True, disk_throughput_gbps=None, direct_io=True),
        max_active_connections_override=4,
        retry_config=S3RetryConfig(1, 2, 3, 1, 5),
        connect_timeout_ms=1000,
    )
    ended = client.shutdown_event
    assert not ended.is_set()
    del client
    assert settled(ended)


@pytest.mark.parametrize("names", [[], ()])
def test_no_network_interfaces(names):
    new_client(network_interface_names=names)


@pytest.mark.parametrize("value", [None, 0])
def test_nothing_means_the_default(value):
    numbers = ("part_size", "multipart_upload_threshold", "throughput_target_gbps", "memory_limit")
    more = ("max_active_connections_override", "connect_timeout_ms")
    new_client(**dict.fromkeys(numbers + more, value))


@pytest.mark.parametrize(
    ("options", "error", "name"),
    [
        ({"region": None}, TypeError, "region"),
        ({"region": b"us-east-1"}, TypeError, "region"),
        ({"region": "us\r\nx: y"}, ValueError, "region"),
        ({"bootstrap": 1}, TypeError, "bootstrap"),
        ({"tls_mode": "DISABLED"}, TypeError, "tls_mode"),
        ({"tls_mode": 2}, ValueError, "S3RequestTlsMode"),
        ({"tls_connection_options": 1}, TypeError, "tls_connection_options"),
        ({"signing_config": 1}, TypeError, "signing_config"),
        ({"credential_provider": 1}, TypeError, "credentials_provider"),
        ({"part_size": "8"}, TypeError, "part_size"),
        ({"part_size": -1}, ValueError, "part_size"),
        ({"part_size": 2**64}, ValueError, "part_size"),
        ({"multipart_upload_threshold": 1.5}, TypeError, "multipart_upload_threshold"),
        ({"throughput_target_gbps": -1}, ValueError, "throughput_target_gbps"),
        ({"throughput_target_gbps": float("nan")}, ValueError, "throughput_target_gbps"),
        ({"throughput_target_gbps": float("inf")}, ValueError, "throughput_target_gbps"),
        ({"throughput_target_gbps": "1"}, TypeError, "throughput_target_gbps"),
        ({"memory_limit": []}, TypeError, "memory_limit"),
        ({"network_interface_names": "lo"}, TypeError, "network_interface_names"),
        ({"network_interface_names": [1]}, TypeError, "network_interface_names"),
        ({"network_interface_names": ["lo\0"]}, ValueError, "network_interface_names"),
        ({"fio_options": (True, 0.0, False)}, TypeError, "fio_options"),
        ({"fio_options": S3FileIoOptions(disk_throughput_gbps=-1.0)}, ValueError, "disk_throughput_gbps"),
        ({"max_active_connections_override": 2**32}, ValueError, "max_active_connections_override"),
        ({"retry_config": {}}, TypeError, "retry_config"),
        ({"retry_config": S3RetryConfig(max_retries=64)}, ValueError, "max_retries"),
        ({"retry_config": S3RetryConfig(jitter_mode=4)}, ValueError, "jitter_mode"),
        ({"retry_config": S3RetryConfig(backoff_scale_factor_ms=2**32)}, ValueError, "backoff_scale_factor_ms"),
        ({"retry_config": S3RetryConfig(max_backoff_secs=None)}, None, None),  # type: ignore[arg-type]
        ({"connect_timeout_ms": 2**32}, ValueError, "connect_timeout_ms"),
    ],
    ids=str,
)
def test_wrong_arguments_are_named(options, error, name):
    if error is None:
        new_client(**options)
        return
    with pytest.raises(error, match=name):
        new_client(**options)


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"network_interface_names": ["lo", "none-such"]}, "AWS_ERROR_INVALID_ARGUMENT"),
        ({"signing_config": AwsSigningConfig()}, "AWS_ERROR_INVALID_ARGUMENT"),
        ({"memory_limit": 1}, "AWS_ERROR_S3_INVALID_MEMORY_LIMIT_CONFIG"),
        ({"memory_limit": 256 * MB, "part_size": 2**40}, "AWS_ERROR_S3_PART_SIZE_EXCEEDS_MEMORY_LIMIT"),
    ],
)
def test_what_the_library_refuses(options, name):
    with pytest.raises(RuntimeError, match=name) as caught:
        new_client(**options)
    assert isinstance(caught.value, AwsCrtError)


def test_provider_and_signing_config_exclude_one_another():
    provider = AwsCredentialsProvider.new_static("name", "secret")
    config = create_default_s3_signing_config(region="r", credential_provider=provider)
    with pytest.raises(ValueError, match="credential_provider"):
        new_client(credential_provider=provider, signing_config=config)
    client = new_client()
    request = HttpRequest("GET", "/")
    with pytest.raises(ValueError, match="credential_provider"):
        client.make_request(type=GET, request=request, credential_provider=provider, signing_config=config)


@pytest.mark.parametrize(
    ("options", "error", "name"),
    [
        ({"type": 7}, ValueError, "S3RequestType"),
        ({"type": "GET_OBJECT"}, TypeError, "type"),
        ({"type": None}, TypeError, "type"),
        ({"signing_config": 1}, TypeError, "signing_config"),
        ({"request": None}, TypeError, "request"),
        ({"request": "GET /"}, TypeError, "request"),
        ({"type": S3RequestType.DEFAULT}, ValueError, "operation_name"),
        ({"operation_name": "a\nb"}, ValueError, "operation_name"),
        ({"recv_filepath": ""}, ValueError, "recv_filepath"),
        ({"recv_filepath": 3}, TypeError, "recv_filepath"),
        ({"send_filepath": "a\0b"}, ValueError, "null byte"),
        ({"part_size": "8"}, TypeError, "part_size"),
        ({"fio_options": 1}, TypeError, "fio_options"),
        ({"checksum_config": 1}, TypeError, "checksum_config"),
        ({"checksum_config": S3ChecksumConfig(algorithm=77)}, ValueError, "S3ChecksumAlgorithm"),  # type: ignore[arg-type]
        ({"checksum_config": S3ChecksumConfig(location="HEADER")}, TypeError, "location"),  # type: ignore[arg-type]
        ({"checksum_config": S3ChecksumConfig(expected_checksum=b"x")}, TypeError, "expected_checksum"),  # type: ignore[arg-type]
        ({"max_active_connections_override": -1}, ValueError, "max_active_connections_override"),
        ({"client": None}, TypeError, "client"),
    ],
    ids=str,
)
def test_wrong_arguments_of_a_request_are_named(options, error, name):
    with S3Server() as server:
        defaults = {"client": new_client(), "type": GET, "request": get_request(server)}
        with pytest.raises(error, match=name):
            S3Request(**{**defaults, **options})
        assert not server.requests


@pytest.mark.parametrize(
    "config",
    [
        S3ChecksumConfig(location=S3ChecksumLocation.HEADER),
        S3ChecksumConfig(expected_checksum="AAAAAA=="),
        S3ChecksumConfig(expected_checksum_algorithm=S3ChecksumAlgorithm.CRC32),
        S3ChecksumConfig(expected_checksum="AAAAAA==", expected_checksum_algorithm=S3ChecksumAlgorithm.SHA256),
        S3ChecksumConfig(expected_checksum="AAAAAA==", expected_checksum_algorithm=S3ChecksumAlgorithm.CRC32),
    ],
    ids=repr,
)
def test_checksums_that_contradict_themselves(config):
    with S3Server() as server, pytest.raises(RuntimeError, match="AWS_ERROR_INVALID_ARGUMENT"):
        new_client().make_request(type=PUT, request=put_request(server, b"x"), checksum_config=config)


def test_request_without_host():
    with pytest.raises(RuntimeError, match="AWS_ERROR_INVALID_ARGUMENT"):
        new_client().make_request(type=GET, request=HttpRequest("GET", "/"))


@pytest.mark.parametrize("size", [1, 2**33])
def test_parts_of_absurd_size(size):
    with S3Server() as server:
        server.put(KEY, b"0123456789")
        seen, error = transfer(new_client(), GET, get_request(server), part_size=size)
        if size == 1:
            assert error is None
            assert seen.body == b"0123456789"
        else:
            assert error is None or isinstance(error, AwsCrtError)


def test_default_signing_config():
    provider = AwsCredentialsProvider.new_static("name", "secret")
    config = create_default_s3_signing_config(region="r", credential_provider=provider, later="ignored")
    assert (config.region, config.service, config.credentials_provider) == ("r", "s3", provider)
    assert config.signed_body_value == "UNSIGNED-PAYLOAD"
    assert config.signed_body_header_type == 1
    assert not config.use_double_uri_encode
    assert not config.should_normalize_uri_path


def test_no_secret_in_any_text():
    provider = AwsCredentialsProvider.new_static("AKID", "the-secret", "the-token")
    client = new_client(credential_provider=provider)
    config = create_default_s3_signing_config(region="r", credential_provider=provider)
    with S3Server() as server:
        request = client.make_request(type=GET, request=get_request(server), signing_config=config)
        error = request.finished_future.exception(10)
        texts = [repr(thing) for thing in (provider, client, config, request, error)]
    assert not any("the-secret" in text or "the-token" in text for text in texts)


def test_platforms():
    assert "p4d.24xlarge" in get_optimized_platforms()
    assert is_optimized_for_system() == (get_ec2_instance_type() in get_optimized_platforms())
    assert get_recommended_throughput_target_gbps() is None or get_recommended_throughput_target_gbps() > 0


@pytest.mark.parametrize("kind", [S3ChecksumConfig, S3FileIoOptions, S3RetryConfig])
def test_records_behave_as_dataclasses(kind):
    names = [field.name for field in dataclasses.fields(kind)]
    assert dataclasses.is_dataclass(kind)
    assert all(field.default == getattr(kind, field.name) for field in dataclasses.fields(kind))
    one = kind(*range(1, len(names) + 1))
    assert dataclasses.asdict(one) == dict(zip(names, range(1, len(names) + 1)))
    assert repr(one) == f"{kind.__name__}({', '.join(f'{name}={n}' for n, name in enumerate(names, 1))})"
    assert one == copy.copy(one) == pickle.loads(pickle.dumps(one))  # noqa: S301 - our own
    assert one != kind()
    assert one != names
    assert dataclasses.replace(one, **{names[0]: 9}) == kind(9, *range(2, len(names) + 1))
    with pytest.raises(TypeError):
        hash(one)

    @dataclasses.dataclass
    class More(kind):
        more: int = 5

    assert repr(More(7)).endswith(
        f".More({names[0]}=7, " + repr(kind(7))[len(kind.__name__) + len(names[0]) + 5 : -1] + ", more=5)"
    )
    assert More(7) != kind(7)


def test_values_of_enums():
    assert [each.value for each in S3RequestType] == [0, 1, 2]
    assert {each.name: each.value for each in S3ChecksumAlgorithm} == {
        "CRC32C": 1,
        "CRC32": 2,
        "SHA1": 3,
        "SHA256": 4,
        "CRC64NVME": 5,
        "SHA512": 6,
        "XXHASH64": 7,
        "XXHASH3": 8,
        "XXHASH128": 9,
    }
    assert [each.value for each in S3ChecksumLocation] == [1, 2]
    assert [each.value for each in S3ChecksumValidationMode] == [0, 1, 2]


def test_response_error_survives_pickling():
    error = S3ResponseError(
        code=1, name="N", message="m", status_code=404, headers=[("a", "b")], body=b"x", operation_name="GetObject"
    )
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own
    assert type(again) is S3ResponseError
    assert vars(again) == vars(error)
    assert (str(again), repr(again)) == (str(error), repr(error))


def test_everything_says_where_it_is_found():
    for name in awscrt.s3.__all__:
        assert getattr(awscrt.s3, name).__module__ == "awscrt.s3"


def test_import_brings_nothing_heavy(run_python):
    run_python(
        """
        import sys
        before = set(sys.modules)
        import awscrt.s3
        heavy = {"asyncio", "concurrent.futures", "dataclasses", "inspect", "logging", "tempfile", "typing"}
        assert not (heavy - before) & set(sys.modules)
        """,
        options=("-S", "-E") if sys.flags.no_site else (),
    )


LIVE = """
    import os, sys, threading
    from awscrt.http import HttpHeaders, HttpRequest
    from awscrt.s3 import S3Client, S3RequestTlsMode, S3RequestType
    def start(**options):
        client = S3Client(region="r", tls_mode=S3RequestTlsMode.DISABLED)
        headers = HttpHeaders([("Host", "{host}:{port}")])
        request = HttpRequest("GET", "{path}", headers)
        return client, client.make_request(type=S3RequestType.GET_OBJECT, request=request, **options)
"""


def live(server, code):
    import textwrap

    return textwrap.dedent(LIVE).format(host=server.host, port=server.port, path=KEY) + textwrap.dedent(code)


@pytest.mark.fault("R09")
@pytest.mark.parametrize("stage", ["at once", "in on_headers", "in on_body", "in on_done", "when all is over"])
def test_exit_with_a_live_transfer(run_python, stage):
    with S3Server() as server:
        server.put(KEY, bytes(MB))
        run_python(
            live(
                server,
                f"""
                stage = {stage!r}
                reached = threading.Event()
                def hold(**kwargs):
                    reached.set()
                    threading.Event().wait(0.2)
                options = {{stage[3:]: hold}} if stage.startswith("in ") else {{}}
                client, request = start(part_size=100_000, **options)
                if options:
                    assert reached.wait(10)
                elif stage == "when all is over":
                    request.finished_future.result(10)
                """,
            )
        )


@pytest.mark.fault("R08")
def test_use_after_fork(run_python):
    with S3Server() as server:
        server.put(KEY, bytes(MB))
        run_python(
            live(
                server,
                """
                client, request = start()
                request.finished_future.result(10)
                child = os.fork()
                if child == 0:
                    status = 0
                    for use in (request.cancel, lambda: start.__globals__["client"].make_request(
                            type=1, request=HttpRequest("GET", "/", HttpHeaders([("Host", "h")])))):
                        try:
                            use()
                        except RuntimeError as error:
                            status += "fork" in str(error)
                    del client, request
                    again = start()[1].finished_future.result(10)
                    os._exit(0 if status == 2 else 1)
                _, status = os.waitpid(child, 0)
                assert status == 0, status
                """,
            ),
            options=("-W", "ignore"),
        )


@pytest.mark.fault("R12")
def test_out_of_descriptors(run_python):
    run_python(
        """
        import os, resource
        from awscrt.io import ClientBootstrap, DefaultHostResolver, EventLoopGroup
        from awscrt.s3 import S3Client, S3RequestTlsMode
        group = EventLoopGroup(1)
        bootstrap = ClientBootstrap(group, DefaultHostResolver(group))
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
        made = 0
        for spare in range(12):
            held = []
            try:
                while True:
                    held.append(os.dup(1))
            except OSError:
                for _ in range(spare):
                    os.close(held.pop())
            try:
                client = S3Client(region="r", bootstrap=bootstrap, tls_mode=S3RequestTlsMode.DISABLED)
            except RuntimeError as error:
                assert error.name == "AWS_ERROR_MAX_FDS_EXCEEDED", error
            else:
                made += 1
                ended = client.shutdown_event
                del client
                assert ended.wait(10)
            for each in held:
                os.close(each)
        assert made
        """
    )


def test_half_made_objects_are_no_crash():
    for kind in (S3Client, S3Request):
        made = kind.__new__(kind)
        with pytest.raises((AttributeError, TypeError)):
            (made.cancel if kind is S3Request else lambda made=made: made.make_request(type=GET, request=None))()
