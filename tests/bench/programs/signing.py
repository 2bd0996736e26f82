"""Measures signatures a second of a typical request, one after the other: V4|V4_ASYMMETRIC COUNT."""

from __future__ import annotations

import datetime as dt
import sys

import rig

from awscrt.auth import AwsCredentialsProvider, AwsSigningAlgorithm, AwsSigningConfig, aws_sign_request
from awscrt.http import HttpHeaders, HttpRequest

PIECES = 5
HEADERS = [
    ("Host", "bucket.s3.us-east-1.amazonaws.com"),
    ("Content-Type", "application/octet-stream"),
    ("Content-Length", "0"),
    ("x-amz-meta-name", "a value of ordinary length"),
    ("User-Agent", "bench"),
]


def main(algorithm: str, count: int) -> None:
    config = AwsSigningConfig(
        algorithm=AwsSigningAlgorithm[algorithm],
        credentials_provider=AwsCredentialsProvider.new_static("AKIDEXAMPLE", "secret" * 6),
        region="us-east-1",
        service="s3",
        date=dt.datetime(2026, 1, 1, tzinfo=dt.timezone.utc),
        use_double_uri_encode=False,
        should_normalize_uri_path=False,
    )

    def sign() -> None:
        request = HttpRequest("GET", "/folder/object?versionId=1", HttpHeaders(HEADERS))
        aws_sign_request(request, config).result(rig.SECONDS)

    sign()
    rig.answer(rig.rate(sign, count, PIECES))


main(sys.argv[1], int(sys.argv[2]))
