"""Owns the identities of the peers: an authority made for the test, and certificates that are good or wrong on purpose.

An `Authority` is made once a module (`@pytest.fixture(scope="module")`); its `ca_pem` is what a client trusts.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import os
import ssl
import tempfile
import warnings
from dataclasses import dataclass
from typing import Any, List, Optional

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

ONE_DAY = dt.timedelta(days=1)


@dataclass(frozen=True)
class Certificate:
    """A certificate and its key, as PEM."""

    cert_pem: bytes
    key_pem: bytes

    def server_context(
        self,
        alpn: Optional[List[str]] = None,
        minimum: Optional[ssl.TLSVersion] = None,
        maximum: Optional[ssl.TLSVersion] = None,
        client_ca_pem: Optional[bytes] = None,
    ) -> ssl.SSLContext:
        """A server with this certificate; one that wants a certificate of its clients too if `client_ca_pem` is given."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # old versions are wanted
            context.minimum_version = minimum or ssl.TLSVersion.MINIMUM_SUPPORTED
            context.maximum_version = maximum or ssl.TLSVersion.MAXIMUM_SUPPORTED
        if maximum is not None and maximum < ssl.TLSVersion.TLSv1_2:
            context.set_ciphers("DEFAULT@SECLEVEL=0")
        if alpn:
            context.set_alpn_protocols(alpn)
        if client_ca_pem is not None:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(cadata=client_ca_pem.decode())
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "identity.pem")  # ssl loads it from files only
            with open(path, "wb") as file:
                file.write(self.key_pem + self.cert_pem)
            context.load_cert_chain(path)
        return context


class Authority:
    """Issues certificates; each object is another one, which knows nothing of the rest."""

    def __init__(self, name: str = "authority of a test") -> None:
        self._key = _new_key("ec")
        self._certificate = _sign(_Subject(name, self._key, authority=True), issuer=None)

    @property
    def ca_pem(self) -> bytes:
        return self._certificate.public_bytes(serialization.Encoding.PEM)

    def issue(
        self, host: str = "localhost", *, expired: bool = False, not_yet: bool = False, key: str = "ec"
    ) -> Certificate:
        """A certificate for a host name or an address, whose key is "ec" (P-256) or "rsa" (2048 bits)."""
        subject = _Subject(host, _new_key(key), expired=expired, not_yet=not_yet)
        return _pair(_sign(subject, issuer=(self._certificate, self._key)), subject.key)


def self_signed(host: str = "localhost", *, key: str = "ec") -> Certificate:
    subject = _Subject(host, _new_key(key))
    return _pair(_sign(subject, issuer=None), subject.key)


@dataclass(frozen=True)
class _Subject:
    name: str
    key: Any
    authority: bool = False
    expired: bool = False
    not_yet: bool = False

    @property
    def distinguished(self) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, self.name)])

    @property
    def alternative(self) -> x509.GeneralName:
        try:
            return x509.IPAddress(ipaddress.ip_address(self.name))
        except ValueError:
            return x509.DNSName(self.name)


def _new_key(kind: str) -> Any:
    if kind == "rsa":
        return rsa.generate_private_key(65537, 2048)
    return ec.generate_private_key(ec.SECP256R1())


def _sign(subject: _Subject, issuer: Any) -> x509.Certificate:
    now = dt.datetime.now(dt.timezone.utc)
    start = now + ONE_DAY if subject.not_yet else now - 10 * ONE_DAY
    end = now - ONE_DAY if subject.expired else now + 10 * ONE_DAY
    issuer_name, issuer_key = (issuer[0].subject, issuer[1]) if issuer else (subject.distinguished, subject.key)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject.distinguished)
        .issuer_name(issuer_name)
        .public_key(subject.key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
        .add_extension(x509.BasicConstraints(ca=subject.authority, path_length=None), critical=True)
        .add_extension(_usage(subject), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(subject.key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
    )
    if not subject.authority:
        purposes = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        builder = builder.add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
        builder = builder.add_extension(x509.SubjectAlternativeName([subject.alternative]), critical=False)
    return builder.sign(issuer_key, hashes.SHA256())


def _usage(subject: _Subject) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=isinstance(subject.key, rsa.RSAPrivateKey),
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=subject.authority,
        crl_sign=subject.authority,
        encipher_only=False,
        decipher_only=False,
    )


def _pair(certificate: x509.Certificate, key: Any) -> Certificate:
    return Certificate(
        certificate.public_bytes(serialization.Encoding.PEM),
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
    )
