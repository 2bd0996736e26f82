"""Keys: what one side makes the other reads, in both directions, with `cryptography` as the other side."""

from __future__ import annotations

import base64
import hashlib
import threading

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils

from awscrt.crypto import (
    EC,
    ED25519,
    RSA,
    ECExportFormat,
    ECPublicCoords,
    ECRawSignature,
    ECType,
    ED25519ExportFormat,
    RSAEncryptionAlgorithm,
    RSASignatureAlgorithm,
)

MESSAGE = b"what is signed"
DIGESTS = {"sha1": hashlib.sha1(MESSAGE).digest(), "sha256": hashlib.sha256(MESSAGE).digest()}  # noqa: S324 - RSA takes it

DER, PEM = serialization.Encoding.DER, serialization.Encoding.PEM
PKCS1, PKCS8 = serialization.PrivateFormat.TraditionalOpenSSL, serialization.PrivateFormat.PKCS8
PLAIN = serialization.NoEncryption()


def name_of(value):
    return getattr(value, "name", None)


# ---------------------------------------------------------------------------------------------------------------- RSA


@pytest.fixture(scope="module")
def their_rsa():
    return rsa.generate_private_key(65537, 2048)


@pytest.fixture(scope="module")
def rsa_bytes(their_rsa):
    """The key in all forms."""
    public = their_rsa.public_key()
    return {
        "pkcs1 pem": their_rsa.private_bytes(PEM, PKCS1, PLAIN),
        "pkcs8 pem": their_rsa.private_bytes(PEM, PKCS8, PLAIN),
        "pkcs1 der": their_rsa.private_bytes(DER, PKCS1, PLAIN),
        "pkcs8 der": their_rsa.private_bytes(DER, PKCS8, PLAIN),
        "encrypted pem": their_rsa.private_bytes(PEM, PKCS8, serialization.BestAvailableEncryption(b"password")),
        "public pem": public.public_bytes(PEM, serialization.PublicFormat.PKCS1),
        "public der": public.public_bytes(DER, serialization.PublicFormat.PKCS1),
        "spki pem": public.public_bytes(PEM, serialization.PublicFormat.SubjectPublicKeyInfo),
        "spki der": public.public_bytes(DER, serialization.PublicFormat.SubjectPublicKeyInfo),
    }


# Not fixtures: those live longer than the test, and the check for leaks would find them.
def private_rsa(rsa_bytes):
    return RSA.new_private_key_from_pem_data(rsa_bytes["pkcs1 pem"])


def public_rsa(rsa_bytes):
    return RSA.new_public_key_from_pem_data(rsa_bytes["public pem"])


def oaep(kind):
    return padding.OAEP(padding.MGF1(kind()), kind(), None)


ENCRYPTION = {
    RSAEncryptionAlgorithm.PKCS1_5: (padding.PKCS1v15(), 11),
    RSAEncryptionAlgorithm.OAEP_SHA256: (oaep(hashes.SHA256), 66),
    RSAEncryptionAlgorithm.OAEP_SHA512: (oaep(hashes.SHA512), 130),
}
SIGNATURE = {
    RSASignatureAlgorithm.PKCS1_5_SHA256: (padding.PKCS1v15(), hashes.SHA256(), "sha256"),
    RSASignatureAlgorithm.PKCS1_5_SHA1: (padding.PKCS1v15(), hashes.SHA1(), "sha1"),  # noqa: S303 - it is offered
    RSASignatureAlgorithm.PSS_SHA256: (padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256(), "sha256"),
}


@pytest.mark.parametrize("algorithm", ENCRYPTION, ids=name_of)
def test_rsa_encryption_both_ways(their_rsa, algorithm, rsa_bytes):
    private = private_rsa(rsa_bytes)
    public = public_rsa(rsa_bytes)
    scheme, overhead = ENCRYPTION[algorithm]
    for plaintext in (b"", b"secret", bytes(range(256))[: 256 - overhead]):
        for key in (public, private):
            assert their_rsa.decrypt(key.encrypt(algorithm, plaintext), scheme) == plaintext
        assert private.decrypt(algorithm, their_rsa.public_key().encrypt(plaintext, scheme)) == plaintext
    with pytest.raises(RuntimeError, match="AWS_ERROR_CAL_BUFFER_TOO_LARGE_FOR_ALGORITHM"):
        public.encrypt(algorithm, bytes(256 - overhead + 1))


@pytest.mark.parametrize("algorithm", SIGNATURE, ids=name_of)
def test_rsa_signatures_both_ways(their_rsa, algorithm, rsa_bytes):
    private = private_rsa(rsa_bytes)
    public = public_rsa(rsa_bytes)
    scheme, kind, name = SIGNATURE[algorithm]
    digest = DIGESTS[name]
    their_rsa.public_key().verify(private.sign(algorithm, digest), MESSAGE, scheme, kind)
    theirs = their_rsa.sign(MESSAGE, scheme, kind)
    for key in (public, private):
        assert key.verify(algorithm, digest, theirs) is True
        assert key.verify(algorithm, bytearray(digest), memoryview(theirs)) is True
        for wrong in (b"", b"bad", theirs[:-1], theirs + b"x", bytes([theirs[0] ^ 1]) + theirs[1:], bytes(256)):
            assert key.verify(algorithm, digest, wrong) is False
        assert key.verify(algorithm, digest[:-1] + bytes([digest[-1] ^ 1]), theirs) is False
    for other in SIGNATURE:
        if other is not algorithm:
            assert public.verify(other, DIGESTS[SIGNATURE[other][2]], theirs) is False


@pytest.mark.parametrize("bits", [1024, 1536, 3072, 4096])
def test_rsa_of_other_sizes(bits):
    theirs = rsa.generate_private_key(65537, bits)
    key = RSA.new_private_key_from_der_data(theirs.private_bytes(DER, PKCS1, PLAIN))
    scheme, kind, name = SIGNATURE[RSASignatureAlgorithm.PSS_SHA256]
    signature = key.sign(RSASignatureAlgorithm.PSS_SHA256, DIGESTS[name])
    assert len(signature) == bits // 8
    theirs.public_key().verify(signature, MESSAGE, scheme, kind)
    secret = key.encrypt(RSAEncryptionAlgorithm.PKCS1_5, b"secret")
    assert theirs.decrypt(secret, padding.PKCS1v15()) == b"secret"


def test_rsa_key_from_every_form(rsa_bytes):
    public = public_rsa(rsa_bytes)
    algorithm = RSASignatureAlgorithm.PKCS1_5_SHA256
    for form, read in (
        ("pkcs1 pem", RSA.new_private_key_from_pem_data),
        ("pkcs8 pem", RSA.new_private_key_from_pem_data),
        ("pkcs1 der", RSA.new_private_key_from_der_data),
    ):
        data = rsa_bytes[form]
        for same in (data, bytearray(data), memoryview(data), *([data.decode()] if "pem" in form else [])):
            assert public.verify(algorithm, DIGESTS["sha256"], read(same).sign(algorithm, DIGESTS["sha256"]))
    signature = RSA.new_private_key_from_pem_data(rsa_bytes["pkcs8 pem"]).sign(algorithm, DIGESTS["sha256"])
    assert RSA.new_public_key_from_der_data(rsa_bytes["public der"]).verify(algorithm, DIGESTS["sha256"], signature)


def test_rsa_key_among_other_things_in_pem(rsa_bytes):
    mixed = b"a comment\r\n" + (rsa_bytes["pkcs8 pem"] + rsa_bytes["public pem"]).replace(b"\n", b"\r\n")
    signature = RSA.new_private_key_from_pem_data(mixed).sign(0, DIGESTS["sha256"])
    assert RSA.new_public_key_from_pem_data(mixed).verify(0, DIGESTS["sha256"], signature)


@pytest.mark.fault("R01")
@pytest.mark.parametrize(
    ("read", "form", "found"),
    [
        (RSA.new_private_key_from_pem_data, "public pem", "RSA PUBLIC KEY"),
        (RSA.new_private_key_from_pem_data, "encrypted pem", "ENCRYPTED PRIVATE KEY"),
        (RSA.new_public_key_from_pem_data, "pkcs1 pem", "RSA PRIVATE KEY"),
        (RSA.new_public_key_from_pem_data, "pkcs8 pem", "PRIVATE KEY"),
        (RSA.new_public_key_from_pem_data, "spki pem", "PUBLIC KEY"),
    ],
)
def test_rsa_pem_of_another_kind_says_what_is_wanted_and_found(rsa_bytes, read, form, found):
    wanted = "RSA PRIVATE KEY" if "private" in read.__name__ else "RSA PUBLIC KEY"
    with pytest.raises(ValueError, match=f"expected '{wanted}'.*found '{found}'"):
        read(rsa_bytes[form])


@pytest.mark.fault("R01")
@pytest.mark.parametrize("read", [RSA.new_private_key_from_pem_data, RSA.new_public_key_from_pem_data])
def test_rsa_bad_pem(rsa_bytes, read):
    whole = rsa_bytes["pkcs1 pem"]
    damaged = whole.replace(b"\n", b"\n!", 5)
    for wrong in ("", b"", "no PEM", whole[:200], whole.replace(b"END", b"EMD"), damaged, rsa_bytes["pkcs1 der"]):
        with pytest.raises(RuntimeError, match="AWS_ERROR_PEM_MALFORMED"):
            read(wrong)
    for wrong in (None, 3, ["-----BEGIN"]):
        with pytest.raises(TypeError):
            read(wrong)
    with pytest.raises(UnicodeEncodeError):
        read("\ud800")


@pytest.mark.fault("R01")
def test_rsa_pem_that_holds_something_else(rsa_bytes):
    curve = ec.generate_private_key(ec.SECP256R1()).private_bytes(PEM, PKCS8, PLAIN)
    swapped = rsa_bytes["pkcs1 pem"].replace(b"RSA PRIVATE", b"PRIVATE")
    for wrong in (curve, swapped):
        with pytest.raises(RuntimeError, match="AWS_ERROR_CAL"):
            RSA.new_private_key_from_pem_data(wrong)


@pytest.mark.fault("R01")
def test_rsa_bad_der(rsa_bytes):
    for read, right in (
        (RSA.new_private_key_from_der_data, "pkcs1 der"),
        (RSA.new_public_key_from_der_data, "public der"),
    ):
        for form in ("pkcs1 pem", "pkcs8 der", "public der", "pkcs1 der", "spki der"):
            if form != right:
                with pytest.raises(RuntimeError, match="AWS_ERROR_CAL"):
                    read(rsa_bytes[form])
        for wrong in (b"", b"0", rsa_bytes[right][:-5], bytes(300)):
            with pytest.raises(RuntimeError, match="AWS_ERROR_CAL"):
                read(wrong)
        for wrong in (None, "text", 3):
            with pytest.raises(TypeError):
                read(wrong)


def test_rsa_private_operations_need_a_private_key(rsa_bytes):
    public = public_rsa(rsa_bytes)
    with pytest.raises(RuntimeError, match="AWS_ERROR_CAL"):
        public.sign(RSASignatureAlgorithm.PSS_SHA256, DIGESTS["sha256"])
    with pytest.raises(RuntimeError, match="AWS_ERROR_CAL"):
        public.decrypt(RSAEncryptionAlgorithm.PKCS1_5, bytes(256))


def test_rsa_wrong_arguments(rsa_bytes):
    private = private_rsa(rsa_bytes)
    for algorithm in (-1, 3, 2**31 - 1):
        for use in (private.sign, private.encrypt, private.decrypt):
            with pytest.raises(RuntimeError, match="AWS_ERROR_CAL_UNSUPPORTED_ALGORITHM"):
                use(algorithm, DIGESTS["sha256"])
        with pytest.raises(RuntimeError, match="AWS_ERROR_CAL_UNSUPPORTED_ALGORITHM"):
            private.verify(algorithm, DIGESTS["sha256"], bytes(256))
    for wrong in (None, "text", 3):
        for use in (private.sign, private.encrypt, private.decrypt):
            with pytest.raises(TypeError):
                use(0, wrong)
        with pytest.raises(TypeError):
            private.verify(0, wrong, b"")
        with pytest.raises(TypeError):
            private.verify(0, b"", wrong)
    for wrong in (None, "PKCS1_5", 1.0):
        with pytest.raises(TypeError):
            private.sign(wrong, DIGESTS["sha256"])
    for digest in (b"", DIGESTS["sha1"], bytes(64)):
        with pytest.raises(RuntimeError, match="AWS_ERROR"):
            private.sign(RSASignatureAlgorithm.PKCS1_5_SHA256, digest)
    for ciphertext in (b"", bytes(255), bytes(256), bytes(257)):
        with pytest.raises(RuntimeError, match="AWS_ERROR"):
            private.decrypt(RSAEncryptionAlgorithm.OAEP_SHA256, ciphertext)


# ----------------------------------------------------------------------------------------------------------------- EC

CURVES = {ECType.P_256: (ec.SECP256R1(), 32), ECType.P_384: (ec.SECP384R1(), 48)}
each_curve = pytest.mark.parametrize("kind", CURVES, ids=name_of)
PREHASHED = ec.ECDSA(utils.Prehashed(hashes.SHA256()))


def their_public_key(key):
    return serialization.load_der_public_key(key.export_key(ECExportFormat.SPKI))


def element(tag, contents):
    assert len(contents) < 256
    return bytes([tag, *([len(contents)] if len(contents) < 128 else [0x81, len(contents)])]) + contents


def pkcs8(kind, number, public=b""):
    """A PrivateKeyInfo with the number and the point that are given (RFC 5208, RFC 5915); the point is optional."""
    curve = {ECType.P_256: "06082a8648ce3d030107", ECType.P_384: "06052b81040022"}[kind]
    point = element(0xA1, element(0x03, b"\0\x04" + public)) if public else b""
    key = element(0x30, b"\x02\x01\x01" + element(0x04, number) + point)
    algorithm = element(0x30, bytes.fromhex("06072a8648ce3d0201" + curve))
    return element(0x30, b"\x02\x01\0" + algorithm + element(0x04, key))


def coordinates(public_key, size):
    numbers = public_key.public_numbers()
    return ECPublicCoords(numbers.x.to_bytes(size, "big"), numbers.y.to_bytes(size, "big"))


@each_curve
def test_ec_signatures_both_ways(kind):
    curve, size = CURVES[kind]
    key = EC.new_generate(kind)
    their_public_key(key).verify(key.sign(DIGESTS["sha256"]), DIGESTS["sha256"], PREHASHED)
    theirs = ec.generate_private_key(curve)
    signature = theirs.sign(DIGESTS["sha256"], PREHASHED)
    for export in (
        theirs.private_bytes(DER, PKCS1, PLAIN),
        theirs.private_bytes(DER, PKCS8, PLAIN),
        theirs.public_key().public_bytes(DER, serialization.PublicFormat.SubjectPublicKeyInfo),
    ):
        for same in (export, bytearray(export), memoryview(export)):
            read = EC.new_key_from_der_data(same)
            assert read.get_public_coords() == coordinates(theirs.public_key(), size)
            assert read.verify(DIGESTS["sha256"], signature) is True
            assert read.verify(bytearray(DIGESTS["sha256"]), memoryview(signature)) is True
            assert read.verify(DIGESTS["sha256"][:-1] + b"x", signature) is False
            for wrong in (b"", b"bad", signature[:-1], signature + b"x", key.sign(DIGESTS["sha256"])):
                assert read.verify(DIGESTS["sha256"], wrong) is False


@each_curve
def test_ec_export_both_ways(kind):
    curve, size = CURVES[kind]
    key = EC.new_generate(kind)
    numbers = set()
    for form in (ECExportFormat.SEC1, ECExportFormat.PKCS8):
        exported = key.export_key(form)
        theirs = serialization.load_der_private_key(exported, None)
        assert isinstance(theirs.curve, type(curve))
        assert coordinates(theirs.public_key(), size) == key.get_public_coords()
        numbers.add(theirs.private_numbers().private_value)
        again = EC.new_key_from_der_data(exported)
        assert again.export_key(form) == exported
        their_public_key(key).verify(again.sign(DIGESTS["sha256"]), DIGESTS["sha256"], PREHASHED)
    assert len(numbers) == 1
    assert key.export_key(ECExportFormat.SEC1) == theirs.private_bytes(DER, PKCS1, PLAIN)
    assert key.export_key(ECExportFormat.SPKI) == theirs.public_key().public_bytes(
        DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


@each_curve
def test_every_generated_key_has_numbers_of_full_length(kind):
    size = CURVES[kind][1]
    seen = set()
    for _ in range(1000):
        key = EC.new_generate(kind)
        assert [len(number) for number in key.get_public_coords()] == [size, size]
        exported = key.export_key(ECExportFormat.SEC1)
        header = exported.index(b"\x02\x01\x01\x04") + 4
        assert exported[header] == size
        seen.add(exported)
    assert len(seen) == 1000


@each_curve
def test_ec_numbers_with_leading_zeros(kind):
    curve, size = CURVES[kind]
    with_short_x = next(
        number
        for number in range(2, 5000)
        if ec.derive_private_key(number, curve).public_key().public_numbers().x < 256 ** (size - 1)
    )
    for number in (1, 5, with_short_x):
        theirs = ec.derive_private_key(number, curve)
        for form in (PKCS1, PKCS8):
            key = EC.new_key_from_der_data(theirs.private_bytes(DER, form, PLAIN))
            assert key.export_key(ECExportFormat.SEC1) == theirs.private_bytes(DER, PKCS1, PLAIN)
            assert key.get_public_coords() == coordinates(theirs.public_key(), size)
    assert with_short_x > 5


@each_curve
def test_ec_private_key_without_its_public_point(kind):
    curve, size = CURVES[kind]
    theirs = ec.generate_private_key(curve)
    number = theirs.private_numbers().private_value.to_bytes(size, "big")
    key = EC.new_key_from_der_data(pkcs8(kind, number))
    assert key.get_public_coords() == coordinates(theirs.public_key(), size)
    theirs.public_key().verify(key.sign(DIGESTS["sha256"]), DIGESTS["sha256"], PREHASHED)
    assert key.export_key(ECExportFormat.SEC1) == theirs.private_bytes(DER, PKCS1, PLAIN)


@pytest.mark.fault("R01")
@each_curve
def test_ec_private_key_with_the_public_point_of_another(kind):
    curve, size = CURVES[kind]
    one, other = ec.generate_private_key(curve), ec.generate_private_key(curve)
    number = one.private_numbers().private_value.to_bytes(size, "big")
    assert EC.new_key_from_der_data(pkcs8(kind, number, b"".join(coordinates(one.public_key(), size))))
    with pytest.raises(ValueError, match="public key of another"):
        EC.new_key_from_der_data(pkcs8(kind, number, b"".join(coordinates(other.public_key(), size))))


@pytest.mark.fault("R01")
def test_ec_bad_der():
    good = EC.new_generate(ECType.P_256).export_key(ECExportFormat.SEC1)
    off_curve = pkcs8(ECType.P_256, b"\1" * 32, b"\1" * 64)
    for wrong in (b"", b"0", b"no DER", good[:-1], good + b"x", bytes(120), off_curve, pkcs8(ECType.P_256, bytes(32))):
        with pytest.raises(RuntimeError, match="AWS_ERROR"):
            EC.new_key_from_der_data(wrong)
    for curve in (ec.SECP521R1(), ec.SECP256K1()):
        theirs = ec.generate_private_key(curve)
        for form in (PKCS1, PKCS8):
            with pytest.raises(RuntimeError, match="AWS_ERROR_CAL_UNSUPPORTED_KEY_FORMAT"):
                EC.new_key_from_der_data(theirs.private_bytes(DER, form, PLAIN))
    for wrong in (None, "text", 3):
        with pytest.raises(TypeError):
            EC.new_key_from_der_data(wrong)


@each_curve
def test_ec_private_operations_need_a_private_key(kind):
    public = EC.new_key_from_der_data(EC.new_generate(kind).export_key(ECExportFormat.SPKI))
    with pytest.raises(RuntimeError, match="AWS_ERROR"):
        public.sign(DIGESTS["sha256"])
    for form in (ECExportFormat.SEC1, ECExportFormat.PKCS8):
        with pytest.raises(RuntimeError, match="AWS_ERROR_CAL_MISSING_REQUIRED_KEY_COMPONENT"):
            public.export_key(form)


def test_ec_wrong_arguments():
    for wrong in (2, -1, 2**31 - 1):
        with pytest.raises(RuntimeError, match="AWS_ERROR_CAL_UNSUPPORTED_ALGORITHM"):
            EC.new_generate(wrong)
    key = EC.new_generate(ECType.P_256)
    for wrong in (3, -1):
        with pytest.raises(RuntimeError, match="AWS_ERROR_UNSUPPORTED_OPERATION"):
            key.export_key(wrong)
    for wrong in (None, "text", 1.0):
        with pytest.raises(TypeError):
            EC.new_generate(wrong)
        with pytest.raises(TypeError):
            key.export_key(wrong)
        with pytest.raises(TypeError):
            key.sign(wrong)
        with pytest.raises(TypeError):
            key.verify(wrong, b"")
        with pytest.raises(TypeError):
            key.verify(b"", wrong)
        with pytest.raises(TypeError):
            EC.decode_der_signature(wrong)


@each_curve
def test_ec_encodings_of_a_signature(kind):
    size = CURVES[kind][1]
    key = EC.new_generate(kind)
    for _ in range(200):
        signature = key.sign(DIGESTS["sha256"])
        r, s = utils.decode_dss_signature(signature)
        raw = EC.decode_der_signature(signature)
        assert isinstance(raw, ECRawSignature)
        assert raw == (r.to_bytes((r.bit_length() + 7) // 8, "big"), s.to_bytes((s.bit_length() + 7) // 8, "big"))
        assert EC.encode_raw_signature(raw) == signature
        assert EC.encode_raw_signature(ECRawSignature(bytes(5) + raw.r, bytearray(raw.s))) == signature
        padded = EC.decode_der_signature_to_padded_pair(signature, size)
        assert padded == r.to_bytes(size, "big") + s.to_bytes(size, "big")


@pytest.mark.parametrize(("r", "s"), [(1, 1), (127, 128), (255, 256), (2**255, 2**256 - 1), (2**528 - 1, 1)])
def test_ec_signature_of_given_numbers(r, s):
    raw = ECRawSignature(*(number.to_bytes((number.bit_length() + 7) // 8, "big") for number in (r, s)))
    signature = EC.encode_raw_signature(raw)
    assert signature == utils.encode_dss_signature(r, s)
    assert EC.decode_der_signature(bytearray(signature)) == raw
    assert EC.decode_der_signature_to_padded_pair(memoryview(signature), 66) == r.to_bytes(66, "big") + s.to_bytes(
        66, "big"
    )


def test_ec_signature_that_is_none():
    good = utils.encode_dss_signature(300, 5)
    negative = bytes.fromhex("3006020180020180")
    for wrong in (b"", b"\x30\0", b"bad", good[:-1], good + b"x", negative, b"\x04" + good[1:]):
        with pytest.raises(RuntimeError, match="AWS_ERROR_CAL_MALFORMED_ASN1_ENCOUNTERED"):
            EC.decode_der_signature(wrong)
        with pytest.raises(RuntimeError, match="AWS_ERROR_CAL_MALFORMED_ASN1_ENCOUNTERED"):
            EC.decode_der_signature_to_padded_pair(wrong, 32)
    for pad_to in (0, 1, 257, 2**63):
        with pytest.raises(RuntimeError, match="AWS_ERROR_INVALID_ARGUMENT"):
            EC.decode_der_signature_to_padded_pair(good, pad_to)
    assert EC.decode_der_signature_to_padded_pair(good, 2).hex() == "012c0005"
    assert len(EC.decode_der_signature_to_padded_pair(good, 256)) == 512
    for pad_to in (-1, 2**64):
        with pytest.raises(OverflowError):
            EC.decode_der_signature_to_padded_pair(good, pad_to)
    for pad_to in (None, "32", 32.0):
        with pytest.raises(TypeError):
            EC.decode_der_signature_to_padded_pair(good, pad_to)


def test_ec_numbers_that_make_no_signature():
    for r, s in ((b"", b"\1"), (b"\1", b""), (b"\0\0", b"\1"), (b"\1", b"\0")):
        with pytest.raises(ValueError, match="greater than 0"):
            EC.encode_raw_signature(ECRawSignature(r, s))
    for r, s in ((b"\1" * 257, b"\1"), (b"\1" * 129, b"\1" * 128)):
        with pytest.raises(RuntimeError, match="AWS_ERROR_INVALID_ARGUMENT"):
            EC.encode_raw_signature(ECRawSignature(r, s))
    assert EC.encode_raw_signature(ECRawSignature(b"\xff" * 128, b"\xff" * 128)) == utils.encode_dss_signature(
        *[256**128 - 1] * 2
    )
    for r, s in (("a", b"\1"), (b"\1", None), (1, 2)):
        with pytest.raises(TypeError):
            EC.encode_raw_signature(ECRawSignature(r, s))


# ------------------------------------------------------------------------------------------------------------ Ed25519


def test_ed25519_raw():
    key = ED25519.new_generate()
    private = key.export_private_key(ED25519ExportFormat.RAW)
    public = key.export_public_key(ED25519ExportFormat.RAW)
    theirs = ed25519.Ed25519PrivateKey.from_private_bytes(private)
    assert theirs.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw) == public
    assert private != ED25519.new_generate().export_private_key(ED25519ExportFormat.RAW)


def test_ed25519_openssh():
    key = ED25519.new_generate()
    private = key.export_private_key(ED25519ExportFormat.OPENSSH_B64)
    public = key.export_public_key(ED25519ExportFormat.OPENSSH_B64)
    lines = b"\n".join(private[i : i + 70] for i in range(0, len(private), 70))
    theirs = serialization.load_ssh_private_key(
        b"-----BEGIN OPENSSH PRIVATE KEY-----\n" + lines + b"\n-----END OPENSSH PRIVATE KEY-----\n", None
    )
    raw = theirs.private_bytes(serialization.Encoding.Raw, serialization.PrivateFormat.Raw, PLAIN)
    assert raw == key.export_private_key(ED25519ExportFormat.RAW)
    read = serialization.load_ssh_public_key(b"ssh-ed25519 " + public)
    assert read.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw) == key.export_public_key(
        ED25519ExportFormat.RAW
    )
    assert base64.b64encode(base64.b64decode(private)) == private


def test_ed25519_wrong_arguments():
    key = ED25519.new_generate()
    for export in (key.export_public_key, key.export_private_key):
        for wrong in (2, -1):
            with pytest.raises(RuntimeError, match="AWS_ERROR_CAL_UNSUPPORTED_KEY_FORMAT"):
                export(wrong)
        for wrong in (None, "RAW", 1.0):
            with pytest.raises(TypeError):
                export(wrong)


# ---------------------------------------------------------------------------------------------------------- all of them


@pytest.mark.parametrize("wrong", [None, 3, object()])
def test_keys_without_a_native_object(wrong):
    for use in (
        lambda: RSA(wrong).sign(0, b""),
        lambda: RSA(wrong).verify(0, b"", b""),
        lambda: EC(wrong).sign(b""),
        lambda: EC(wrong).verify(b"", b""),
        lambda: EC(wrong).export_key(0),
        lambda: EC(wrong).get_public_coords(),
        lambda: ED25519(wrong).export_public_key(0),
    ):
        with pytest.raises(TypeError, match=r"RSA|EC|ED25519"):
            use()


def test_no_key_in_what_is_shown(rsa_bytes):
    private = private_rsa(rsa_bytes)
    key = ED25519.new_generate()
    secret = key.export_private_key(ED25519ExportFormat.RAW)
    shown = "".join(repr(k) + repr(vars(k)) for k in (key, private, EC.new_generate(ECType.P_256)))
    assert secret.hex() not in shown
    assert str(secret)[2:-1] not in shown
    assert "BEGIN" not in shown


@pytest.mark.fault("R12")
def test_keys_on_many_threads(rsa_bytes):
    private = private_rsa(rsa_bytes)
    public = public_rsa(rsa_bytes)
    key = EC.new_generate(ECType.P_256)
    wrong = []

    def work():
        for _ in range(20):
            signature = private.sign(RSASignatureAlgorithm.PSS_SHA256, DIGESTS["sha256"])
            if not public.verify(RSASignatureAlgorithm.PSS_SHA256, DIGESTS["sha256"], signature):
                wrong.append(signature)
            if not key.verify(DIGESTS["sha256"], key.sign(DIGESTS["sha256"])):
                wrong.append(key)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@pytest.mark.fault("R08")
def test_keys_work_in_a_forked_child(run_python, rsa_bytes):
    run_python(
        f"""
        import os, signal, threading, warnings
        warnings.simplefilter("ignore", DeprecationWarning)
        from awscrt.crypto import EC, ED25519, RSA
        rsa = RSA.new_private_key_from_pem_data({rsa_bytes["pkcs1 pem"]!r})
        key, other = EC.new_generate(0), ED25519.new_generate()
        def use():
            assert rsa.verify(2, bytes(32), rsa.sign(2, bytes(32)))
            assert rsa.decrypt(1, rsa.encrypt(1, b"secret")) == b"secret"
            assert key.verify(bytes(32), key.sign(bytes(32)))
            assert len(other.export_private_key(0)) == 32
            EC.new_generate(1), ED25519.new_generate()
        stop = False
        def keep_busy():
            while not stop:
                use()
        threads = [threading.Thread(target=keep_busy, daemon=True) for _ in range(3)]
        for thread in threads:
            thread.start()
        for _ in range(20):
            child = os.fork()
            if child == 0:
                signal.alarm(20)  # a hang ends the child
                failed = True
                try:
                    use()
                    failed = False
                finally:
                    os._exit(failed)
            assert os.waitpid(child, 0)[1] == 0
        stop = True
        for thread in threads:
            thread.join()
        """
    )


def test_signatures_are_refused_by_the_other_side_too():
    """So that the checks above can fail."""
    key = EC.new_generate(ECType.P_256)
    with pytest.raises(InvalidSignature):
        their_public_key(key).verify(key.sign(bytes(32)), DIGESTS["sha256"], PREHASHED)
