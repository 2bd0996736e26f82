"""Owns a program of a user who computes: checksums, digests, signatures, CBOR. It is type-checked and never run.

What it calls stands in the public interface of awscrt 0.38.0.
"""

from __future__ import annotations

from awscrt import checksums, crypto
from awscrt.cbor import AwsCborDecoder, AwsCborEncoder, AwsCborType


def fingerprint(data: bytes) -> dict[str, int]:
    first: int = checksums.crc32c(data)
    whole: int = checksums.combine_crc32c(first, checksums.crc32c(data), len(data))
    hasher: checksums.XXHash = checksums.XXHash.new_xxhash3_64(seed=1)
    hasher.update(data)
    digest: bytes = hasher.finalize()
    return {"crc32": checksums.crc32(data), "crc32c": whole, "xxhash": int.from_bytes(digest, "big")}


def make_keys(data: bytes) -> tuple[bytes, bytes, bool]:
    sha: crypto.Hash = crypto.Hash.sha256_new()
    sha.update(data)
    digest: bytes = sha.digest()
    mac = crypto.HMAC.sha256_hmac_new("secret")
    mac.update(data)
    key: crypto.EC = crypto.EC.new_generate(crypto.ECType.P_256)
    signature: bytes = key.sign(digest)
    pair: crypto.ECRawSignature = crypto.EC.decode_der_signature(signature)
    exported: bytes = key.export_key(crypto.ECExportFormat.PKCS8)
    assert pair.r != pair.s
    return exported, mac.digest(16), key.verify(digest, signature)


def round_trip(value: dict[str, int]) -> dict[str, int]:
    encoder = AwsCborEncoder()
    encoder.write_map_start(len(value))
    for key, number in value.items():
        encoder.write_text(key)
        encoder.write_int(number)
    encoded: bytes = encoder.get_encoded_data()
    decoder = AwsCborDecoder(encoded)
    kind: AwsCborType = decoder.peek_next_type()
    assert kind is AwsCborType.MapStart
    decoded: dict[str, int] = {}
    for _ in range(decoder.pop_next_map_start()):
        name: str = decoder.pop_next_text()
        decoded[name] = decoder.pop_next_unsigned_int()
    return decoded
