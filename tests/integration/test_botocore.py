"""Signatures that botocore takes from the package: compared with those it makes itself, verified, and used against S3."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import itertools
import re
from collections.abc import Iterator
from typing import Any
from unittest import mock

import botocore.auth
import botocore.crt.auth
import pytest
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

NOW = dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)
STAMP = "20260102T030405Z"
SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
CREDENTIALS = Credentials("AKIDEXAMPLE", SECRET, "session-token")
URLS = [
    "https://bucket.s3.us-east-1.amazonaws.com/key",
    "https://bucket.s3.us-east-1.amazonaws.com/a%20b/c//d?list-type=2&prefix=x%2Fy&empty=",
    "https://service.us-east-1.amazonaws.com:8443/%E1%88%B4?b=2&a=1&a=0",
]
ALGORITHM = "AWS4-ECDSA-P256-SHA256"
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # of the curve P-256


def now(remove_tzinfo: bool = True) -> dt.datetime:  # noqa: FBT001, FBT002 - botocore's own signature
    return NOW.replace(tzinfo=None) if remove_tzinfo else NOW


@pytest.fixture(autouse=True)
def clock() -> Iterator[None]:
    with (
        mock.patch.object(botocore.auth, "get_current_datetime", now),
        mock.patch.object(botocore.crt.auth, "get_current_datetime", now),
    ):
        yield


def request(url: str) -> AWSRequest:
    headers = {"Content-Type": "text/plain", "X-Amz-Meta-Spaced": "  a   b  "}
    made = AWSRequest(method="PUT", url=url, data=b"body", headers=headers)
    made.context["payload_signing_enabled"] = True
    return made


def query(signed: AWSRequest) -> set[str]:
    return set(signed.url.partition("?")[2].split("&"))


@pytest.mark.parametrize("url", URLS)
@pytest.mark.parametrize("kind", ["SigV4Auth", "S3SigV4Auth"])
def test_headers_are_signed_as_botocore_signs_them(kind: str, url: str) -> None:
    own, ours = request(url), request(url)
    getattr(botocore.auth, kind)(CREDENTIALS, "s3", "us-east-1").add_auth(own)
    getattr(botocore.crt.auth, f"Crt{kind}")(CREDENTIALS, "s3", "us-east-1").add_auth(ours)
    assert ours.headers["Authorization"].replace(", ", ",") == own.headers["Authorization"].replace(", ", ",")
    assert ours.headers["X-Amz-Security-Token"] == "session-token"


@pytest.mark.parametrize("url", URLS)
@pytest.mark.parametrize("kind", ["SigV4QueryAuth", "S3SigV4QueryAuth"])
def test_addresses_are_signed_as_botocore_signs_them(kind: str, url: str) -> None:
    own, ours = AWSRequest(method="GET", url=url), AWSRequest(method="GET", url=url)
    getattr(botocore.auth, kind)(CREDENTIALS, "s3", "us-east-1", expires=60).add_auth(own)
    getattr(botocore.crt.auth, f"Crt{kind}")(CREDENTIALS, "s3", "us-east-1", expires=60).add_auth(ours)
    assert query(ours) == query(own)


def public_key() -> ec.EllipticCurvePublicKey:
    """The key that a secret stands for: NIST SP 800-108 in counter mode, as the documents on SigV4A say."""
    for counter in itertools.count(1):
        fixed = ALGORITHM.encode() + b"\0" + CREDENTIALS.access_key.encode() + bytes([counter])
        derived = hmac.digest(b"AWS4A" + SECRET.encode(), b"\0\0\0\1" + fixed + b"\0\0\1\0", "sha256")
        number = int.from_bytes(derived, "big")
        if number <= ORDER - 2:
            return ec.derive_private_key(number + 1, ec.SECP256R1()).public_key()
    raise AssertionError


def verify(signed: AWSRequest, signer: botocore.auth.SigV4Auth) -> None:
    """Raises InvalidSignature unless the signature is that of the request as botocore canonicalises it."""
    found = re.fullmatch(
        rf"{ALGORITHM} Credential=AKIDEXAMPLE/20260102/s3/aws4_request, "
        r"SignedHeaders=(?P<names>[a-z0-9;-]+), Signature=(?P<signature>[0-9a-f]+)",
        signed.headers["Authorization"],
    )
    assert found
    unsigned = AWSRequest(method=signed.method, url=signed.url, data=signed.data)
    for name in found["names"].split(";"):
        if name in signed.headers:
            unsigned.headers[name] = signed.headers[name]
    unsigned.context.update(signed.context, timestamp=STAMP)
    canonical = hashlib.sha256(signer.canonical_request(unsigned).encode()).hexdigest()
    text = f"{ALGORITHM}\n{STAMP}\n20260102/s3/aws4_request\n{canonical}"
    public_key().verify(bytes.fromhex(found["signature"]), text.encode(), ec.ECDSA(hashes.SHA256()))


@pytest.mark.parametrize("url", URLS)
@pytest.mark.parametrize("kind", ["SigV4", "S3SigV4"])
def test_an_asymmetric_signature_holds(kind: str, url: str) -> None:
    signed = request(url)
    getattr(botocore.crt.auth, f"Crt{kind}AsymAuth")(CREDENTIALS, "s3", "*").add_auth(signed)
    assert signed.headers["X-Amz-Region-Set"] == "*"
    signer = getattr(botocore.auth, f"{kind}Auth")(CREDENTIALS, "s3", "*")
    verify(signed, signer)
    signed.headers.replace_header("X-Amz-Region-Set", "us-east-1")
    with pytest.raises(InvalidSignature):
        verify(signed, signer)


def test_s3_takes_requests_with_asymmetric_signatures(s3: str, session: Any, plain: Any) -> None:
    config = Config(signature_version="s3v4a", s3={"addressing_style": "path"})
    client = session.create_client("s3", region_name="us-east-1", endpoint_url=s3, config=config)
    sent: list[str] = []

    def note(request: Any, **_: Any) -> None:
        sent.append(request.headers["Authorization"].decode().partition(" ")[0])

    client.meta.events.register("before-send.s3", note)
    client.put_object(Bucket="bucket", Key="key with spaces", Body=b"value")
    assert client.get_object(Bucket="bucket", Key="key with spaces")["Body"].read() == b"value"
    assert sent == [ALGORITHM] * 2
    assert plain.get_object(Bucket="bucket", Key="key with spaces")["Body"].read() == b"value"
