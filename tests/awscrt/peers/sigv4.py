"""Owns a service's view of signatures: AWS Signature Version 4 and 4A, computed apart from what is tested.

Written from "Signature Version 4 signing process" in AWS's General Reference, with Python's own hash functions.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from typing import Dict, List, Optional, Tuple
from urllib.parse import quote, unquote, urlsplit

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

Headers = List[Tuple[str, str]]

P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


@dataclass(frozen=True)
class Signer:
    """Whose signatures are expected, and for what."""

    access_key_id: str
    secret_access_key: str
    date: str  # 20130524T000000Z
    region: str
    service: str

    @property
    def scope(self) -> str:
        return f"{self.date[:8]}/{self.region}/{self.service}/aws4_request"

    @property
    def scope_v4a(self) -> str:
        return f"{self.date[:8]}/{self.service}/aws4_request"

    def sign(self, text: str) -> str:
        """The HMAC of a string to sign, in hexadecimal digits."""
        key = f"AWS4{self.secret_access_key}".encode()
        for part in self.scope.split("/"):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()

    def string_to_sign(self, canonical: str, algorithm: str = "AWS4-HMAC-SHA256", scope: Optional[str] = None) -> str:
        return "\n".join([algorithm, self.date, scope or self.scope, sha256(canonical.encode())])

    def request(self, canonical: str) -> str:
        return self.sign(self.string_to_sign(canonical))

    def chunk(self, data: bytes, previous: str) -> str:
        parts = ["AWS4-HMAC-SHA256-PAYLOAD", self.date, self.scope, previous, sha256(b""), sha256(data)]
        return self.sign("\n".join(parts))

    def trailer(self, headers: Headers, previous: str) -> str:
        canonical = "".join(f"{name.lower()}:{value.strip()}\n" for name, value in sorted(headers))
        parts = ["AWS4-HMAC-SHA256-TRAILER", self.date, self.scope, previous, sha256(canonical.encode())]
        return self.sign("\n".join(parts))

    def event(self, message: bytes, milliseconds: int, previous: str) -> str:
        date = b"\x05:date\x08" + milliseconds.to_bytes(8, "big")
        parts = ["AWS4-HMAC-SHA256-PAYLOAD", self.date, self.scope, previous, sha256(date), sha256(message)]
        return self.sign("\n".join(parts))

    def public_key(self) -> ec.EllipticCurvePublicKey:
        """The key of Signature Version 4A: NIST SP 800-108 in counter mode, until it is a number of the curve."""
        for counter in range(1, 255):
            fixed = b"AWS4-ECDSA-P256-SHA256\x00" + self.access_key_id.encode() + bytes([counter])
            message = (1).to_bytes(4, "big") + fixed + (256).to_bytes(4, "big")
            digest = hmac.new(f"AWS4A{self.secret_access_key}".encode(), message, hashlib.sha256).digest()
            candidate = int.from_bytes(digest, "big")
            if candidate <= P256_ORDER - 2:
                return ec.derive_private_key(candidate + 1, ec.SECP256R1()).public_key()
        raise AssertionError("no key in 254 tries")

    def verify_v4a(self, text: str, signature: str) -> None:
        """Raises InvalidSignature unless the signature is that of the string to sign."""
        self.public_key().verify(bytes.fromhex(signature), text.encode(), ec.ECDSA(hashes.SHA256()))

    def verify_request_v4a(self, canonical: str, signature: str) -> None:
        self.verify_v4a(self.string_to_sign(canonical, "AWS4-ECDSA-P256-SHA256", self.scope_v4a), signature)

    def verify_chunk_v4a(self, data: bytes, previous: str, signature: str) -> None:
        parts = ["AWS4-ECDSA-P256-SHA256-PAYLOAD", self.date, self.scope_v4a, previous, sha256(b""), sha256(data)]
        self.verify_v4a("\n".join(parts), signature)


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def canonical_request(
    method: str, target: str, headers: Headers, body_hash: str, *, double_encode: bool = True, without: str = ""
) -> str:
    """The canonical request of what was sent, signatures taken out; `without` leaves out one query parameter."""
    uri = urlsplit(target)
    path = quote(uri.path or "/", safe="/-_.~%" if not double_encode else "/-_.~")
    query = sorted(
        (quote(unquote(name), safe="-_.~"), quote(unquote(value), safe="-_.~"))
        for name, _, value in (part.partition("=") for part in uri.query.split("&") if part)
        if name != without
    )
    block: Dict[str, List[str]] = {}
    for name, value in headers:
        block.setdefault(name.lower(), []).append(" ".join(value.split()))
    lines = [f"{name}:{','.join(values)}" for name, values in sorted(block.items())]
    return "\n".join(
        [
            method,
            path,
            "&".join(f"{name}={value}" for name, value in query),
            *lines,
            "",
            ";".join(sorted(block)),
            body_hash,
        ]
    )


def authorization(value: str) -> Dict[str, str]:
    """The fields of an Authorization header, and "algorithm"."""
    algorithm, _, rest = value.partition(" ")
    return {"algorithm": algorithm, **dict(field.strip().split("=", 1) for field in rest.split(","))}


def signed(headers: Headers) -> Headers:
    """Those of a request's headers which its Authorization says are signed."""
    fields = authorization(next(value for name, value in headers if name.lower() == "authorization"))
    names = fields["SignedHeaders"].split(";")
    return [(name, value) for name, value in headers if name.lower() in names]
