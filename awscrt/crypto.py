"""Owns cryptography: hashes, HMAC, and keys of elliptic curves, Ed25519 and RSA.

Failures of the cryptographic library are `awscrt.exceptions.AwsCrtRuntimeError`, which is a RuntimeError. What is called
bytes-like may be bytes, bytearray, memoryview or any other contiguous buffer. No object here has a thread of its own, and
all of them go on working in a forked child. No `repr` shows a key.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from . import NativeResource, _awscrt

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Union

    _Buffer = Union[bytes, bytearray, memoryview]
    _Text = Union[str, bytes, bytearray, memoryview]

__all__ = [
    "EC",
    "ED25519",
    "HMAC",
    "RSA",
    "ECExportFormat",
    "ECPublicCoords",
    "ECRawSignature",
    "ECType",
    "ED25519ExportFormat",
    "Hash",
    "RSAEncryptionAlgorithm",
    "RSASignatureAlgorithm",
]


class Hash:
    """A cryptographic hash, fed piece by piece. Made by one of the `…_new` functions.

    Feeding one object on two threads at a time is a RuntimeError.
    """

    def __init__(self, native_handle: object) -> None:
        self._hash = native_handle

    @staticmethod
    def sha1_new() -> Hash:
        """A new SHA-1 (FIPS 180-4): 20 bytes."""
        return Hash(_awscrt.sha1_new())

    @staticmethod
    def sha256_new() -> Hash:
        """A new SHA-256 (FIPS 180-4): 32 bytes."""
        return Hash(_awscrt.sha256_new())

    @staticmethod
    def md5_new() -> Hash:
        """A new MD5 (RFC 1321): 16 bytes."""
        return Hash(_awscrt.md5_new())

    def update(self, to_hash: _Text) -> None:
        """Feed a piece: bytes-like, or `str`, which is encoded as UTF-8. The GIL is released for a long one.

        Raises:
            TypeError: `to_hash` is neither.
            RuntimeError: the digest has been taken already, or another thread is feeding this object.
        """
        _awscrt.hash_update(self._hash, to_hash)

    def digest(self, truncate_to: int = 0) -> bytes:
        """The hash of all pieces. Can be taken once.

        `truncate_to` says how many of its first bytes to return; 0, or more than it has, means all.

        Raises:
            OverflowError: `truncate_to` is negative.
            RuntimeError: the digest has been taken already.
        """
        return _awscrt.hash_digest(self._hash, truncate_to)


class HMAC:
    """A keyed hash (RFC 2104), fed piece by piece. Made by `sha256_hmac_new`.

    Feeding one object on two threads at a time is a RuntimeError.
    """

    def __init__(self, native_handle: object) -> None:
        self._hmac = native_handle

    @staticmethod
    def sha256_hmac_new(secret_key: _Text) -> HMAC:
        """A new HMAC with SHA-256: 32 bytes. The key is bytes-like, or `str`, which is encoded as UTF-8; of any length.

        Raises:
            TypeError: `secret_key` is neither.
        """
        return HMAC(_awscrt.sha256_hmac_new(secret_key))

    def update(self, to_hmac: _Text) -> None:
        """Feed a piece: bytes-like, or `str`, which is encoded as UTF-8. The GIL is released for a long one.

        Raises:
            TypeError: `to_hmac` is neither.
            RuntimeError: the digest has been taken already, or another thread is feeding this object.
        """
        _awscrt.hmac_update(self._hmac, to_hmac)

    def digest(self, truncate_to: int = 0) -> bytes:
        """The code of all pieces. Can be taken once. Compare it by `hmac.compare_digest`.

        `truncate_to` says how many of its first bytes to return; 0, or more than it has, means all.

        Raises:
            OverflowError: `truncate_to` is negative.
            RuntimeError: the digest has been taken already.
        """
        return _awscrt.hmac_digest(self._hmac, truncate_to)


class RSAEncryptionAlgorithm(IntEnum):
    """How RSA encrypts (RFC 8017)."""

    PKCS1_5 = 0
    """RSAES-PKCS1-v1_5: only for what already uses it."""

    OAEP_SHA256 = 1
    """RSAES-OAEP with SHA-256, for the mask as well."""

    OAEP_SHA512 = 2
    """RSAES-OAEP with SHA-512, for the mask as well."""


class RSASignatureAlgorithm(IntEnum):
    """How RSA signs (RFC 8017), and the hash whose digest it takes."""

    PKCS1_5_SHA256 = 0
    """RSASSA-PKCS1-v1_5 with SHA-256."""

    PKCS1_5_SHA1 = 1
    """RSASSA-PKCS1-v1_5 with SHA-1: only for what already uses it."""

    PSS_SHA256 = 2
    """RSASSA-PSS with SHA-256, for the mask as well, and a salt of 32 bytes."""


class RSA(NativeResource):
    """An RSA key: a public one, or a private one, which can do what a public one can. Made by the `new_…` functions."""

    def __init__(self, binding: object) -> None:
        super().__init__()
        self._binding = binding

    @staticmethod
    def new_private_key_from_pem_data(pem_data: _Text) -> RSA:
        """The first private key in PEM: `RSA PRIVATE KEY` (PKCS#1) or `PRIVATE KEY` (PKCS#8), not encrypted.

        Raises:
            ValueError: there is no such key in it; says what there is.
            RuntimeError: it is not PEM (AWS_ERROR_PEM_MALFORMED), or not an RSA key.
            TypeError: it is neither `str` nor bytes-like.
        """
        return RSA(_awscrt.rsa_private_key_from_pem_data(pem_data))

    @staticmethod
    def new_public_key_from_pem_data(pem_data: _Text) -> RSA:
        """The first public key in PEM: `RSA PUBLIC KEY` (PKCS#1).

        Raises:
            ValueError: there is no such key in it; says what there is.
            RuntimeError: it is not PEM (AWS_ERROR_PEM_MALFORMED), or not an RSA key.
            TypeError: it is neither `str` nor bytes-like.
        """
        return RSA(_awscrt.rsa_public_key_from_pem_data(pem_data))

    @staticmethod
    def new_private_key_from_der_data(der_data: _Buffer) -> RSA:
        """A private key in DER: `RSAPrivateKey` of PKCS#1 (RFC 8017, A.1.2).

        Raises:
            RuntimeError: it is not such a key.
            TypeError: it is not bytes-like.
        """
        return RSA(_awscrt.rsa_private_key_from_der_data(der_data))

    @staticmethod
    def new_public_key_from_der_data(der_data: _Buffer) -> RSA:
        """A public key in DER: `RSAPublicKey` of PKCS#1 (RFC 8017, A.1.1).

        Raises:
            RuntimeError: it is not such a key.
            TypeError: it is not bytes-like.
        """
        return RSA(_awscrt.rsa_public_key_from_der_data(der_data))

    def encrypt(self, encryption_algorithm: RSAEncryptionAlgorithm, plaintext: _Buffer) -> bytes:
        """Encrypt for the holder of the private key; the result is as long as the modulus.

        Raises:
            RuntimeError: `plaintext` is too long for key and algorithm, or there is no such algorithm.
            TypeError: `plaintext` is not bytes-like.
        """
        return _awscrt.rsa_encrypt(self._binding, encryption_algorithm, plaintext)

    def decrypt(self, encryption_algorithm: RSAEncryptionAlgorithm, ciphertext: _Buffer) -> bytes:
        """Decrypt with the private key.

        Raises:
            RuntimeError: the key is public, `ciphertext` was not made for it in this way, or there is no such algorithm.
            TypeError: `ciphertext` is not bytes-like.
        """
        return _awscrt.rsa_decrypt(self._binding, encryption_algorithm, ciphertext)

    def sign(self, signature_algorithm: RSASignatureAlgorithm, digest: _Buffer) -> bytes:
        """Sign a digest, made with the hash of the algorithm, by the private key; the result is as long as the modulus.

        Raises:
            RuntimeError: the key is public, the digest has the wrong length, or there is no such algorithm.
            TypeError: `digest` is not bytes-like.
        """
        return _awscrt.rsa_sign(self._binding, signature_algorithm, digest)

    def verify(self, signature_algorithm: RSASignatureAlgorithm, digest: _Buffer, signature: _Buffer) -> bool:
        """Whether the signature was made for this digest, in this way, by the private key.

        Raises:
            RuntimeError: there is no such algorithm.
            TypeError: an argument is not bytes-like.
        """
        return _awscrt.rsa_verify(self._binding, signature_algorithm, digest, signature)


class ED25519ExportFormat(IntEnum):
    """How an Ed25519 key is written."""

    RAW = 0
    """32 bytes (RFC 8032)."""

    OPENSSH_B64 = 1
    """What stands between the lines of an OpenSSH file, in base64, not encrypted."""


class ED25519(NativeResource):
    """A pair of Ed25519 keys (RFC 8032). Made by `new_generate`."""

    def __init__(self, binding: object) -> None:
        super().__init__()
        self._binding = binding

    @staticmethod
    def new_generate() -> ED25519:
        """A new pair, at random.

        Raises:
            RuntimeError: the cryptographic library has no Ed25519.
        """
        return ED25519(_awscrt.ed25519_new_generate())

    def export_public_key(self, export_format: ED25519ExportFormat) -> bytes:
        """The public key. RuntimeError: there is no such format."""
        return _awscrt.ed25519_export_public_key(self._binding, export_format)

    def export_private_key(self, export_format: ED25519ExportFormat) -> bytes:
        """The private key. RuntimeError: there is no such format."""
        return _awscrt.ed25519_export_private_key(self._binding, export_format)


class ECType(IntEnum):
    """Curves (SEC 2, FIPS 186-4)."""

    P_256 = 0
    P_384 = 1


class ECRawSignature(NamedTuple):
    """A signature as its two numbers, each big-endian and unsigned."""

    r: bytes
    s: bytes


class ECPublicCoords(NamedTuple):
    """A public key as the two coordinates of a point, each big-endian and of the full length of the curve."""

    x: bytes
    y: bytes


class ECExportFormat(IntEnum):
    """How a key is written, in DER."""

    SEC1 = 0
    """Private: `ECPrivateKey` (RFC 5915)."""

    PKCS8 = 1
    """Private: `PrivateKeyInfo` (RFC 5208)."""

    SPKI = 2
    """Public: `SubjectPublicKeyInfo` (RFC 5480)."""


class EC(NativeResource):
    """A key of an elliptic curve: a public one, or a pair. Made by the `new_…` functions."""

    def __init__(self, binding: object) -> None:
        super().__init__()
        self._binding = binding

    @staticmethod
    def new_generate(type: ECType) -> EC:
        """A new pair, at random.

        Raises:
            RuntimeError: there is no such curve.
        """
        return EC(_awscrt.ec_new_generate(type))

    @staticmethod
    def new_key_from_der_data(der_data: _Buffer) -> EC:
        """A key in DER, in any of the formats of `ECExportFormat`.

        Raises:
            RuntimeError: it is not a key, or of another curve.
            ValueError: it holds a private key and the public key of another one.
            TypeError: it is not bytes-like.
        """
        return EC(_awscrt.ec_new_key_from_der_data(der_data))

    @staticmethod
    def decode_der_signature(signature: _Buffer) -> ECRawSignature:
        """The two numbers of a signature in DER (`ECDSA-Sig-Value`, RFC 3279), without leading zeros.

        Raises:
            RuntimeError: it is not such a signature.
            TypeError: it is not bytes-like.
        """
        return ECRawSignature(*_awscrt.ec_decode_der_signature(signature))

    @staticmethod
    def decode_der_signature_to_padded_pair(signature: _Buffer, pad_to: int) -> bytes:
        """The two numbers of a signature in DER, one after the other, as JOSE has them (RFC 7518, 3.4).

        `pad_to` is the length of each number in bytes: 32 for P-256, 48 for P-384; at most 256.

        Raises:
            RuntimeError: it is not such a signature, or a number is longer than `pad_to`.
            OverflowError: `pad_to` is negative.
            TypeError: an argument has the wrong type.
        """
        return _awscrt.ec_decode_der_signature_to_padded_pair(signature, pad_to)

    @staticmethod
    def encode_raw_signature(signature: ECRawSignature) -> bytes:
        """A signature in DER from its two numbers; leading zeros do not matter.

        Raises:
            ValueError: a number is 0.
            RuntimeError: the numbers are longer than those of any curve.
            TypeError: `r` or `s` is not bytes-like.
        """
        return _awscrt.ec_encode_raw_signature(signature.r, signature.s)

    def export_key(self, export_format: ECExportFormat) -> bytes:
        """The key in DER.

        Raises:
            RuntimeError: the format is a private one but the key public, or there is no such format.
        """
        return _awscrt.ec_export_key(self._binding, export_format)

    def get_public_coords(self) -> ECPublicCoords:
        """The public key as coordinates."""
        return ECPublicCoords(*_awscrt.ec_get_public_coords(self._binding))

    def sign(self, digest: _Buffer) -> bytes:
        """Sign a digest, such as one of SHA-256, by the private key (ECDSA). The signature is in DER.

        Of a digest longer than the curve's numbers, the first bits count.

        Raises:
            RuntimeError: the key is public.
            TypeError: `digest` is not bytes-like.
        """
        return _awscrt.ec_sign(self._binding, digest)

    def verify(self, digest: _Buffer, signature: _Buffer) -> bool:
        """Whether the signature, in DER, was made for this digest by the private key.

        Raises:
            TypeError: an argument is not bytes-like.
        """
        return _awscrt.ec_verify(self._binding, digest, signature)
