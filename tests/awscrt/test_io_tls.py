"""Owns the tests of TLS contexts, their options, and the options of connections."""

from __future__ import annotations

import datetime as dt
import sys
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from awscrt.exceptions import AwsCrtError
from awscrt.io import (
    ClientTlsContext,
    TlsCipherPref,
    TlsConnectionOptions,
    TlsContextOptions,
    TlsVersion,
    is_alpn_available,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PEM = serialization.Encoding.PEM
ONE_DAY = dt.timedelta(days=1)


@dataclass(frozen=True)
class Identity:
    """A certificate and its key; `key` is the PEM that OpenSSL calls traditional, the others say what they are."""

    certificate: bytes
    key: bytes
    pkcs8: bytes
    encrypted_key: bytes


def self_signed(key: Any) -> Identity:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - ONE_DAY)
        .not_valid_after(now + ONE_DAY)
        .sign(key, hashes.SHA256())
    )

    def text(form: serialization.PrivateFormat, encryption: Any) -> bytes:
        pem: bytes = key.private_bytes(PEM, form, encryption)
        return pem

    plain = serialization.NoEncryption()
    return Identity(
        certificate.public_bytes(PEM),
        text(serialization.PrivateFormat.TraditionalOpenSSL, plain),
        text(serialization.PrivateFormat.PKCS8, plain),
        text(serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"secret")),
    )


@pytest.fixture(scope="module")
def rsa_identity() -> Identity:
    return self_signed(rsa.generate_private_key(65537, 2048))


@pytest.fixture(scope="module")
def other_rsa_identity() -> Identity:
    return self_signed(rsa.generate_private_key(65537, 2048))


@pytest.fixture(scope="module")
def ec_identity() -> Identity:
    return self_signed(ec.generate_private_key(ec.SECP256R1()))


@pytest.fixture(scope="module")
def other_ec_identity() -> Identity:
    return self_signed(ec.generate_private_key(ec.SECP256R1()))


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def client(certificate: bytes, key: bytes) -> ClientTlsContext:
    return ClientTlsContext(TlsContextOptions.create_client_with_mtls(certificate, key))


@pytest.mark.parametrize("kind", ["rsa", "ec"])
@pytest.mark.parametrize("form", ["key", "pkcs8"])
def test_context_with_a_certificate(request: pytest.FixtureRequest, kind: str, form: str) -> None:
    identity: Identity = request.getfixturevalue(f"{kind}_identity")
    client(identity.certificate, getattr(identity, form))
    ClientTlsContext(TlsContextOptions.create_server(identity.certificate, getattr(identity, form)))


def test_context_with_a_chain_and_with_words_around_the_pem(authority: trustme.CA) -> None:
    issued = authority.create_child_ca().issue_cert("localhost")
    chain = b"".join(b"Comment: \xe2\x82\xac\n" + pem.bytes() for pem in issued.cert_chain_pems)
    client(chain, b"my key\n" + issued.private_key_pem.bytes() + b"\n\n")


def test_context_from_files(rsa_identity: Identity, tmp_path: Path) -> None:
    certificate, key = tmp_path / "cert ü.pem", tmp_path / "key.pem"
    certificate.write_bytes(rsa_identity.certificate)
    key.write_bytes(rsa_identity.key)
    for create in (TlsContextOptions.create_client_with_mtls_from_path, TlsContextOptions.create_server_from_path):
        options = create(str(certificate), key)
        assert options.certificate_buffer == rsa_identity.certificate
        assert options.private_key_buffer == rsa_identity.key
        ClientTlsContext(options)
        with pytest.raises(FileNotFoundError) as caught:
            create(str(certificate), str(tmp_path / "no key"))
        assert caught.value.filename == str(tmp_path / "no key")


CUT = slice(0, -60)

CERTIFICATE, KEY, MISMATCH = "the certificate is not", "the private key is not", "the private key does not match"


@pytest.mark.fault("R01")
@pytest.mark.parametrize(
    ("certificate", "key", "blamed"),
    [
        (lambda own, _: b"", lambda own, _: own.key, CERTIFICATE),
        (lambda own, _: b"garbage", lambda own, _: own.key, CERTIFICATE),
        (lambda own, _: own.certificate[CUT], lambda own, _: own.key, CERTIFICATE),
        (lambda own, _: own.certificate.replace(b"MII", b"AII", 1), lambda own, _: own.key, CERTIFICATE),
        (lambda own, _: own.key, lambda own, _: own.key, CERTIFICATE),
        (lambda own, _: b"\xff\xfe" * 50, lambda own, _: own.key, CERTIFICATE),
        (lambda own, _: b"garbage", lambda own, _: b"garbage", CERTIFICATE),
        (lambda own, _: own.certificate, lambda own, _: b"", KEY),
        (lambda own, _: own.certificate, lambda own, _: b"garbage", KEY),
        (lambda own, _: own.certificate, lambda own, _: own.key[CUT], KEY),
        (lambda own, _: own.certificate, lambda own, _: own.certificate, KEY),
        (lambda own, _: own.certificate, lambda own, _: own.encrypted_key, "the private key is encrypted"),
        (lambda own, _: own.certificate, lambda _, other: other.key, MISMATCH),
    ],
    ids=[
        "no certificate",
        "garbage for a certificate",
        "certificate cut short",
        "certificate with broken DER",
        "key for a certificate",
        "UTF-16 for a certificate",
        "garbage for both",
        "no key",
        "garbage for a key",
        "key cut short",
        "certificate for a key",
        "encrypted key",
        "key of another certificate",
    ],
)
@pytest.mark.parametrize("create", ["create_client_with_mtls", "create_server"])
@pytest.mark.parametrize("kind", ["rsa", "ec"])
def test_bad_identity_is_named(
    request: pytest.FixtureRequest,
    kind: str,
    create: str,
    certificate: Callable[[Identity, Identity], bytes],
    key: Callable[[Identity, Identity], bytes],
    blamed: str,
) -> None:
    own: Identity = request.getfixturevalue(f"{kind}_identity")
    other: Identity = request.getfixturevalue(f"other_{kind}_identity")
    options = getattr(TlsContextOptions, create)(certificate(own, other), key(own, other))
    with pytest.raises(RuntimeError, match=blamed) as caught:
        ClientTlsContext(options)
    assert isinstance(caught.value, AwsCrtError)
    assert blamed in caught.value.message
    assert caught.value.name in ("AWS_IO_TLS_CTX_ERROR", "AWS_ERROR_INVALID_ARGUMENT", "AWS_IO_FILE_VALIDATION_FAILURE")


@pytest.mark.fault("R01")
def test_key_of_another_kind_than_the_certificate(rsa_identity: Identity, ec_identity: Identity) -> None:
    for certificate, key in (
        (rsa_identity.certificate, ec_identity.key),
        (ec_identity.certificate, rsa_identity.key),
    ):
        with pytest.raises(RuntimeError, match=MISMATCH):
            client(certificate, key)


@pytest.mark.fault("R01")
def test_broken_certificate_in_the_middle_of_a_chain(authority: trustme.CA) -> None:
    issued = authority.issue_cert("localhost")
    own = issued.cert_chain_pems[0].bytes()
    with pytest.raises(RuntimeError, match=CERTIFICATE):
        client(own + own.replace(b"MII", b"AII", 1), issued.private_key_pem.bytes())


@pytest.mark.fault("R01")
@pytest.mark.parametrize("text", [b"", b"garbage", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_bad_trust_is_named_and_not_taken_for_the_identity(rsa_identity: Identity, text: bytes) -> None:
    options = TlsContextOptions.create_client_with_mtls(rsa_identity.certificate, rsa_identity.key)
    options.override_default_trust_store(text)
    with pytest.raises(RuntimeError, match="certificates to trust"):
        ClientTlsContext(options)


def test_no_secret_in_what_is_shown(rsa_identity: Identity) -> None:
    options = TlsContextOptions.create_client_with_mtls(rsa_identity.certificate, rsa_identity.key[CUT])
    with pytest.raises(RuntimeError) as caught:
        ClientTlsContext(options)
    secret = rsa_identity.key.splitlines()[3].decode()
    for shown in (str(caught.value), repr(caught.value), repr(options)):
        assert secret not in shown


def test_trust_store(authority: trustme.CA, tmp_path: Path) -> None:
    pem = authority.cert_pem.bytes()
    path = tmp_path / "ca.pem"
    path.write_bytes(pem * 3)
    options = TlsContextOptions()
    options.override_default_trust_store(pem)
    assert options.ca_buffer == pem
    ClientTlsContext(options)
    options.override_default_trust_store_from_path(ca_filepath=path)
    assert options.ca_buffer == pem * 3
    ClientTlsContext(options)
    options = TlsContextOptions()
    options.override_default_trust_store_from_path(str(tmp_path))
    assert (options.ca_dirpath, options.ca_buffer) == (str(tmp_path), None)
    ClientTlsContext(options)
    with pytest.raises(FileNotFoundError):
        options.override_default_trust_store_from_path(None, str(tmp_path / "none"))


def test_trust_directory_with_a_nul_is_refused() -> None:
    options = TlsContextOptions()
    options.ca_dirpath = "/etc\0/evil"
    with pytest.raises(ValueError, match="null"):
        ClientTlsContext(options)


def test_defaults() -> None:
    options = TlsContextOptions()
    assert options.min_tls_ver is TlsVersion.DEFAULT
    assert options.cipher_pref is TlsCipherPref.DEFAULT
    assert options.verify_peer is True
    assert options.no_certificate_revocation is False
    for name in ("alpn_list", "ca_buffer", "ca_dirpath", "certificate_buffer", "private_key_buffer"):
        assert getattr(options, name) is None
    assert TlsContextOptions.create_server(b"", b"").verify_peer is False
    assert TlsContextOptions.create_server_pkcs12("file", "password").verify_peer is False
    assert TlsContextOptions.create_client_with_mtls(b"", b"").verify_peer is True
    with pytest.raises(AttributeError):
        options.alpn = ["h2"]  # type: ignore[attr-defined]


@pytest.mark.parametrize("version", list(TlsVersion))
def test_every_version_is_taken(version: TlsVersion) -> None:
    options = TlsContextOptions()
    options.min_tls_ver = version
    ClientTlsContext(options)


@pytest.mark.parametrize("preference", list(TlsCipherPref))
def test_cipher_preference_is_taken_or_refused_as_it_says(preference: TlsCipherPref) -> None:
    options = TlsContextOptions()
    options.cipher_pref = preference
    if preference.is_supported():
        ClientTlsContext(options)
    else:
        with pytest.raises(RuntimeError, match="AWS_IO_TLS_CIPHER_PREF_UNSUPPORTED"):
            ClientTlsContext(options)


def test_what_is_supported_here() -> None:
    assert TlsCipherPref.DEFAULT.is_supported()
    assert not TlsCipherPref.PQ_TLSv1_0_2021_05.is_supported()
    if sys.platform.startswith("linux"):
        assert TlsCipherPref.PQ_DEFAULT.is_supported()
        assert TlsCipherPref.TLSv1_2_2025_07.is_supported()
        assert is_alpn_available() is True


def test_buffers_are_let_go_whatever_comes(rsa_identity: Identity, authority: trustme.CA) -> None:
    options = TlsContextOptions.create_client_with_mtls(rsa_identity.certificate, rsa_identity.key)
    options.ca_buffer = authority.cert_pem.bytes()
    held = (options.certificate_buffer, options.private_key_buffer, options.ca_buffer)
    before = [sys.getrefcount(buffer) for buffer in held]
    for minimum in (TlsVersion.DEFAULT, TlsVersion.TLSv1_2):
        options.min_tls_ver = minimum
        ClientTlsContext(options)
    options.cipher_pref = TlsCipherPref.PQ_TLSv1_0_2021_05
    with pytest.raises(RuntimeError, match="AWS_IO_TLS_CIPHER_PREF_UNSUPPORTED"):
        ClientTlsContext(options)
    options.ca_dirpath = "a\0b"
    with pytest.raises(ValueError, match="null"):
        ClientTlsContext(options)
    assert [sys.getrefcount(buffer) for buffer in held] == before


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("min_tls_ver", 77, ValueError),
        ("min_tls_ver", None, ValueError),
        ("cipher_pref", 9999, ValueError),
        ("ca_buffer", 5, TypeError),
        ("ca_dirpath", 5, TypeError),
        ("pkcs12_filepath", 5, (TypeError, ValueError)),
        ("certificate_buffer", b"alone", ValueError),
        ("private_key_buffer", b"alone", ValueError),
        ("pkcs12_filepath", "without password", ValueError),
        ("alpn_list", "h2", TypeError),
        ("alpn_list", [1], TypeError),
    ],
)
def test_bad_attribute_is_refused(name: str, value: object, error: type[Exception]) -> None:
    options = TlsContextOptions()
    setattr(options, name, value)
    with pytest.raises(error):
        ClientTlsContext(options)


def test_a_bad_attribute_is_named(rsa_identity: Identity) -> None:
    options = TlsContextOptions.create_client_with_mtls(rsa_identity.certificate, rsa_identity.key)
    options.private_key_buffer = 5  # type: ignore[assignment]
    with pytest.raises(TypeError, match="private_key_buffer"):
        ClientTlsContext(options)


def test_two_certificates_at_once_are_refused(rsa_identity: Identity) -> None:
    options = TlsContextOptions.create_client_with_mtls(rsa_identity.certificate, rsa_identity.key)
    options.pkcs12_filepath, options.pkcs12_password = "file", "password"
    with pytest.raises(ValueError, match="more than one certificate"):
        ClientTlsContext(options)


@pytest.mark.parametrize("value", ["text", bytearray(b"x"), None, 5])
def test_creators_want_bytes(value: Any) -> None:
    with pytest.raises(TypeError, match="cert_buffer"):
        TlsContextOptions.create_client_with_mtls(value, b"")
    with pytest.raises(TypeError, match="key_buffer"):
        TlsContextOptions.create_server(b"", value)
    with pytest.raises(TypeError, match="rootca_buffer"):
        TlsContextOptions().override_default_trust_store(value)


def test_pkcs12_elsewhere() -> None:
    for create in (TlsContextOptions.create_client_with_mtls_pkcs12, TlsContextOptions.create_server_pkcs12):
        options = create("file.p12", "1234")
        assert (options.pkcs12_filepath, options.pkcs12_password) == ("file.p12", "1234")
        with pytest.raises(RuntimeError, match="AWS_ERROR_PLATFORM_NOT_SUPPORTED"):
            ClientTlsContext(options)


def test_windows_certificate_store_elsewhere() -> None:
    options = TlsContextOptions.create_client_with_mtls_windows_cert_store_path("CurrentUser\\MY\\00")
    with pytest.raises(RuntimeError, match="AWS_ERROR_PLATFORM_NOT_SUPPORTED"):
        ClientTlsContext(options)


GOOD_PROTOCOLS = [["h2"], ("h2", "http/1.1"), ["a", "b", "c", "d"], ["x" * 127]]
BAD_PROTOCOLS: list[Any] = [
    ["a", "b", "c", "d", "e"],
    ["x" * 128],
    ["é" * 64],
    ["x" * 100_000],
    [""],
    ["h2", ""],
    ["a;b"],
    ["a\0b"],
]


@pytest.mark.parametrize("protocols", GOOD_PROTOCOLS)
def test_protocols(protocols: list[str]) -> None:
    options = TlsContextOptions()
    options.alpn_list = protocols
    context = ClientTlsContext(options)
    context.new_connection_options().set_alpn_list(protocols)


@pytest.mark.parametrize("protocols", BAD_PROTOCOLS, ids=range(len(BAD_PROTOCOLS)))
def test_protocols_that_native_code_would_choke_on(protocols: list[str]) -> None:
    options = TlsContextOptions()
    connection = ClientTlsContext(options).new_connection_options()
    with pytest.raises(ValueError, match="protocol"):
        connection.set_alpn_list(protocols)
    options.alpn_list = protocols
    with pytest.raises(ValueError, match="protocol"):
        ClientTlsContext(options)


def test_no_protocols() -> None:
    options = TlsContextOptions()
    options.alpn_list = []
    connection = ClientTlsContext(options).new_connection_options()
    with pytest.raises(ValueError, match="1 to 4"):
        connection.set_alpn_list([])
    with pytest.raises(TypeError):
        connection.set_alpn_list("h2")


def test_connection_options_keep_their_context() -> None:
    context = ClientTlsContext(TlsContextOptions())
    connection = context.new_connection_options()
    assert isinstance(connection, TlsConnectionOptions)
    assert connection.tls_ctx is context
    with pytest.raises(TypeError, match="tls_ctx must be ClientTlsContext, not NoneType"):
        TlsConnectionOptions(None)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="options must be TlsContextOptions, not NoneType"):
        ClientTlsContext(None)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["localhost", "a", "x" * 255, b"localhost", "127.0.0.1", "xn--bcher-kva.example"])
def test_server_name(name: str) -> None:
    connection = ClientTlsContext(TlsContextOptions()).new_connection_options()
    connection.set_server_name(name)
    connection.set_server_name(name)


@pytest.mark.parametrize("name", ["", "x" * 256, "good.example\0.evil.example", b"\0", "bücher.example"])
def test_bad_server_name(name: str) -> None:
    connection = ClientTlsContext(TlsContextOptions()).new_connection_options()
    with pytest.raises(ValueError, match=r"server_name|ascii"):
        connection.set_server_name(name)


@pytest.mark.parametrize("name", [None, 5, ["localhost"]])
def test_server_name_of_another_type(name: Any) -> None:
    connection = ClientTlsContext(TlsContextOptions()).new_connection_options()
    with pytest.raises(TypeError):
        connection.set_server_name(name)


@pytest.mark.fault("R12")
def test_contexts_on_many_threads(rsa_identity: Identity) -> None:
    failures: list[BaseException] = []

    def work() -> None:
        try:
            for _ in range(10):
                client(rsa_identity.certificate, rsa_identity.key).new_connection_options().set_server_name("a")
                with pytest.raises(RuntimeError, match=KEY):
                    client(rsa_identity.certificate, b"garbage")
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
