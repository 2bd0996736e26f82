"""Owns what tests against real servers share: certificates, nginx, S3, a bootstrap, and the check that nothing is left.

They run where the package is installed. `--programs` is the folder in which servers that the machine lacks are kept.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

# Read when the extension is loaded.
os.environ.setdefault("AWS_CRT_MEMORY_TRACING", "1")
# The folder above `tests`: at its end, so that it hides nothing that is installed.
sys.path.append(str(Path(__file__).resolve().parents[2]))

import botocore.session
import pytest
import trustme
from botocore.config import Config

import awscrt
from awscrt import _test
from awscrt.io import ClientBootstrap, DefaultHostResolver, EventLoopGroup
from tests.integration.client import Certificates, TlsMaker
from tests.support.debian import NoPackagesError
from tests.support.nginx import Nginx

LEAK_SECONDS = 30.0
TEST_SECONDS = 120
STARTING_SECONDS = 30.0
MOTO = Path(__file__).with_name("moto_server.py")


def pytest_addoption(parser: pytest.Parser) -> None:
    default = Path(__file__).resolve().parents[2] / "build" / "programs"
    parser.addoption("--programs", type=Path, default=default, help="where servers from packages are kept")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "fault(*ids): covers rows of tests/faults.toml")
    config.addinivalue_line("markers", "slow: takes more than ten seconds")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(TEST_SECONDS))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup() -> Generator[None, object, object]:
    """Where apt could bring a server, a test without it fails; elsewhere it is skipped."""
    try:
        return (yield)
    except NoPackagesError as cause:
        pytest.skip(str(cause))


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    authority = trustme.CA()
    path = tmp_path_factory.mktemp("authority") / "authority.pem"
    authority.cert_pem.write_to_path(path)
    issued = authority.issue_cert("localhost", "127.0.0.1")
    chain = b"".join(blob.bytes() for blob in issued.cert_chain_pems)
    return Certificates(path, chain, issued.private_key_pem.bytes())


@pytest.fixture(scope="session")
def programs(request: pytest.FixtureRequest) -> Path:
    folder: Path = request.config.getoption("--programs")
    return folder


@pytest.fixture(scope="session")
def nginx(certificates: Certificates, programs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    folder = tmp_path_factory.mktemp("nginx") / "server"
    with Nginx(folder, certificates.chain, certificates.key, programs=programs) as server:
        yield server


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of moto's S3: a process of its own, so that it and the package do not share one GIL."""
    log = (tmp_path_factory.mktemp("moto") / "moto.log").open("wb")
    with (
        log,
        subprocess.Popen([sys.executable, MOTO], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log) as server,
    ):
        assert server.stdin
        assert server.stdout
        try:
            # It ends when its stdin does, however this process ends.
            yield server.stdout.readline().decode().strip()
        finally:
            server.stdin.close()


@pytest.fixture(scope="session")
def session() -> Any:
    made = botocore.session.Session()
    made.set_credentials("name", "secret")
    return made


@pytest.fixture(scope="session")
def plain(session: Any, s3: str) -> Any:
    """botocore's own client, to see what became of things; there is a bucket, `bucket`."""
    client = session.create_client(
        "s3", region_name="us-east-1", endpoint_url=s3, config=Config(s3={"addressing_style": "path"})
    )
    client.create_bucket(Bucket="bucket")
    return client


@pytest.fixture(autouse=True)
def nothing_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """Native memory, objects and threads are gone after a test."""
    awscrt.NativeResource._track_lifetime = True
    yield
    request.node.funcargs.clear()  # or they would live until after this
    # What a failed test still holds, pytest keeps to the end.
    if not request.session.testsfailed:
        _test.check_for_leaks(timeout_sec=LEAK_SECONDS)


@pytest.fixture
def bootstrap() -> ClientBootstrap:
    group = EventLoopGroup(2)
    return ClientBootstrap(group, DefaultHostResolver(group))


@pytest.fixture
def tls(certificates: Certificates) -> TlsMaker:
    return TlsMaker(certificates.authority)
