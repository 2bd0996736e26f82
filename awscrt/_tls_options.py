"""Owns what TLS contexts are made from: their options, and the PKCS#11 libraries that keep private keys."""

from __future__ import annotations

import os
from enum import IntEnum

from . import NativeResource, _awscrt

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Optional, Union

    StrPath = Union[str, os.PathLike[str]]


class TlsVersion(IntEnum):
    """A version of the TLS protocol (values of `aws_tls_versions`).

    `DEFAULT` stands for TLS 1.2: RFC 8996 forbids the versions before it, which are agreed to only if asked for.
    """

    SSLv3 = 0
    TLSv1 = 1
    TLSv1_1 = 2
    TLSv1_2 = 3
    TLSv1_3 = 4
    DEFAULT = 128


class TlsCipherPref(IntEnum):
    """A named list of cipher suites and key exchanges (values of `aws_tls_cipher_pref`)."""

    DEFAULT = 0
    """The platform's list, in keeping with the lowest TLS version asked for."""

    PQ_TLSv1_0_2021_05 = 6
    """Withdrawn with the draft key exchange it was made of: supported on no platform any more."""

    PQ_DEFAULT = 8
    """The recommended list with post-quantum hybrid key exchange, TLS 1.2 and later; it may change with time."""

    TLSv1_2_2025_07 = 9
    """A narrow list for TLS 1.2 and later that FIPS 140 allows."""

    def is_supported(self) -> bool:
        """Whether this platform's TLS library has the list."""
        return _awscrt.is_tls_cipher_supported(self.value)


class _CertificateSource(IntEnum):
    """Where a client's certificate comes from; 3 is not in use."""

    CERTIFICATE_FILES = 0
    PKCS11 = 1
    WINDOWS_CERT_STORE = 2
    PKCS12_FILE = 4


class Pkcs11Lib(NativeResource):
    """A loaded PKCS#11 library: the driver of a token that keeps private keys to itself (Unix only).

    Args:
        file: Path of the shared library.
        behavior: When to call the library's `C_Initialize()` and `C_Finalize()`; `None` means
            `InitializeFinalizeBehavior.DEFAULT`.

    Raises:
        TypeError: `file` is not a path.
        RuntimeError: (an `AwsCrtError`) The library cannot be loaded, is not PKCS#11, or refuses to be initialized.
    """

    __slots__ = ()

    class InitializeFinalizeBehavior(IntEnum):
        """When `C_Initialize()` and `C_Finalize()` are called (values of `aws_pkcs11_lib_behavior`)."""

        DEFAULT = 0
        """Initialize, and take it well if it has been done already; never finalize: others may be using the library."""

        OMIT = 1
        """Neither; the application does both."""

        STRICT = 2
        """Initialize, and fail if it has been done already; finalize when the last user is gone."""

    def __init__(self, *, file: StrPath, behavior: Optional[Pkcs11Lib.InitializeFinalizeBehavior] = None) -> None:
        super().__init__()
        kind = self.InitializeFinalizeBehavior
        chosen = kind.DEFAULT if behavior is None else kind(behavior)
        self._binding = _awscrt.pkcs11_lib_new(chosen.value, file)


class TlsContextOptions:
    """What a `ClientTlsContext` is made from. Changing it later does not change contexts made from it.

    Make one with the constructor for a client without a certificate of its own, else with a `create_…` function.

    Attributes:
        min_tls_ver (TlsVersion): Lowest version to agree to. `TlsVersion.DEFAULT` by default.
        cipher_pref (TlsCipherPref): Which ciphers to agree to. `TlsCipherPref.DEFAULT` by default.
        verify_peer (bool): Whether to check the peer's certificate: True for clients, False for servers by default. A
            client that turns it off can be lied to by anybody on the network.
        no_certificate_revocation (bool): True leaves out the check whether the peer's certificate has been revoked
            (stapled OCSP answers on Linux; on Windows also requests to the issuer, which can block for minutes without
            a way out to it). False by default.
        alpn_list (Optional[Sequence[str]]): Application protocols to offer, the preferred one first, such as
            `["h2", "http/1.1"]`; at most four of 1 to 127 bytes, without `;`. `None` by default.
        ca_dirpath (Optional[str]): See `override_default_trust_store_from_path()`.
        ca_buffer (Optional[bytes]): PEM of the certificates to trust in place of the system's.
        certificate_buffer (Optional[bytes]): PEM of the own certificate and those between it and its root.
        private_key_buffer (Optional[bytes]): PEM of its private key.
        pkcs12_filepath (Optional[str]): Path of a PKCS#12 file that holds both.
        pkcs12_password (Optional[str]): Password of that file.
    """

    __slots__ = (
        "_certificate_source",
        "_pkcs11_cert_file_contents",
        "_pkcs11_cert_file_path",
        "_pkcs11_lib",
        "_pkcs11_private_key_label",
        "_pkcs11_slot_id",
        "_pkcs11_token_label",
        "_pkcs11_user_pin",
        "_windows_cert_store_path",
        "alpn_list",
        "ca_buffer",
        "ca_dirpath",
        "certificate_buffer",
        "cipher_pref",
        "min_tls_ver",
        "no_certificate_revocation",
        "pkcs12_filepath",
        "pkcs12_password",
        "private_key_buffer",
        "verify_peer",
    )

    def __init__(self) -> None:
        self.min_tls_ver = TlsVersion.DEFAULT
        self.cipher_pref = TlsCipherPref.DEFAULT
        self.verify_peer = True
        self.no_certificate_revocation = False
        self.alpn_list: Optional[Sequence[str]] = None
        self.ca_dirpath: Optional[StrPath] = None
        self.ca_buffer: Optional[bytes] = None
        self.certificate_buffer: Optional[bytes] = None
        self.private_key_buffer: Optional[bytes] = None
        self.pkcs12_filepath: Optional[StrPath] = None
        self.pkcs12_password: Optional[str] = None
        self._pkcs11_lib: Optional[Pkcs11Lib] = None
        self._pkcs11_user_pin: Optional[str] = None
        self._pkcs11_slot_id: Optional[int] = None
        self._pkcs11_token_label: Optional[str] = None
        self._pkcs11_private_key_label: Optional[str] = None
        self._pkcs11_cert_file_path: Optional[StrPath] = None
        self._pkcs11_cert_file_contents: Optional[Union[bytes, str]] = None
        self._windows_cert_store_path: Optional[str] = None
        self._certificate_source: Optional[_CertificateSource] = None

    @staticmethod
    def create_client_with_mtls_from_path(cert_filepath: StrPath, pk_filepath: StrPath) -> TlsContextOptions:
        """Options of a client with a certificate, from two PEM files, which are read now.

        Raises:
            OSError: A file cannot be read; the error names it.
        """
        return TlsContextOptions.create_client_with_mtls(_read(cert_filepath), _read(pk_filepath))

    @staticmethod
    def create_client_with_mtls(cert_buffer: bytes, key_buffer: bytes) -> TlsContextOptions:
        """Options of a client with a certificate.

        Args:
            cert_buffer: PEM of the certificate, then of those between it and its root.
            key_buffer: PEM of its private key, not encrypted.

        Raises:
            TypeError: An argument is not bytes.
        """
        options = TlsContextOptions()
        options.certificate_buffer = _checked_bytes("cert_buffer", cert_buffer)
        options.private_key_buffer = _checked_bytes("key_buffer", key_buffer)
        options._certificate_source = _CertificateSource.CERTIFICATE_FILES
        return options

    @staticmethod
    def create_client_with_mtls_pkcs11(
        *,
        pkcs11_lib: Pkcs11Lib,
        user_pin: Optional[str],
        slot_id: Optional[int] = None,
        token_label: Optional[str] = None,
        private_key_label: Optional[str] = None,
        cert_file_path: Optional[StrPath] = None,
        cert_file_contents: Optional[Union[bytes, str]] = None,
    ) -> TlsContextOptions:
        """Options of a client whose private key stays in a PKCS#11 token (Unix only, TLS 1.2 at most).

        Args:
            pkcs11_lib: The library that drives the token.
            user_pin: The user's PIN; `None` for a token with a way of its own to log in, such as a keypad.
            slot_id: Slot of the token; needed only where there are several and no label tells them apart.
            token_label: Label of the token; needed only where there are several.
            private_key_label: Label of the key in the token; needed only where it holds several.
            cert_file_path: Path of a PEM file of the certificate; it is read when a context is made.
            cert_file_contents: PEM of the certificate. Give either this or `cert_file_path`.

        Raises:
            TypeError: An argument is of another type.
            ValueError: Both ways to give the certificate are used, or neither.
        """
        if not isinstance(pkcs11_lib, Pkcs11Lib):
            raise TypeError(f"pkcs11_lib must be Pkcs11Lib, not {type(pkcs11_lib).__name__}")
        if (cert_file_path is None) == (cert_file_contents is None):
            raise ValueError("give one of cert_file_path and cert_file_contents")
        if slot_id is not None and not isinstance(slot_id, int):
            raise TypeError(f"slot_id must be int or None, not {type(slot_id).__name__}")
        for name, value in (
            ("user_pin", user_pin),
            ("token_label", token_label),
            ("private_key_label", private_key_label),
        ):
            if value is not None and not isinstance(value, str):
                raise TypeError(f"{name} must be str or None, not {type(value).__name__}")
        options = TlsContextOptions()
        options._pkcs11_lib = pkcs11_lib
        options._pkcs11_user_pin = user_pin
        options._pkcs11_slot_id = slot_id
        options._pkcs11_token_label = token_label
        options._pkcs11_private_key_label = private_key_label
        options._pkcs11_cert_file_path = cert_file_path
        options._pkcs11_cert_file_contents = cert_file_contents
        options._certificate_source = _CertificateSource.PKCS11
        return options

    @staticmethod
    def create_client_with_mtls_pkcs12(pkcs12_filepath: StrPath, pkcs12_password: str) -> TlsContextOptions:
        """Options of a client with a certificate from a PKCS#12 file (Apple's platforms only).

        Elsewhere `ClientTlsContext` raises RuntimeError (`AWS_ERROR_PLATFORM_NOT_SUPPORTED`).

        Raises:
            TypeError: An argument is of another type.
        """
        options = TlsContextOptions()
        options.pkcs12_filepath = os.fspath(pkcs12_filepath)
        options.pkcs12_password = _checked_str("pkcs12_password", pkcs12_password)
        options._certificate_source = _CertificateSource.PKCS12_FILE
        return options

    @staticmethod
    def create_client_with_mtls_windows_cert_store_path(cert_path: str) -> TlsContextOptions:
        r"""Options of a client with a certificate from a store of Windows (Windows only).

        Elsewhere `ClientTlsContext` raises RuntimeError (`AWS_ERROR_PLATFORM_NOT_SUPPORTED`).

        Args:
            cert_path: Store and thumbprint: `CurrentUser\MY\A11F8A9B5DF5B98BA3508FBCA575D09570E0D2C6`.

        Raises:
            TypeError: `cert_path` is not a str.
        """
        options = TlsContextOptions()
        options._windows_cert_store_path = _checked_str("cert_path", cert_path)
        options._certificate_source = _CertificateSource.WINDOWS_CERT_STORE
        return options

    @staticmethod
    def create_server_from_path(cert_filepath: StrPath, pk_filepath: StrPath) -> TlsContextOptions:
        """Options of a server, from two PEM files, which are read now.

        Raises:
            OSError: A file cannot be read; the error names it.
        """
        return TlsContextOptions.create_server(_read(cert_filepath), _read(pk_filepath))

    @staticmethod
    def create_server(cert_buffer: bytes, key_buffer: bytes) -> TlsContextOptions:
        """Options of a server, from PEM as `create_client_with_mtls()` takes it. `verify_peer` is False.

        Raises:
            TypeError: An argument is not bytes.
        """
        options = TlsContextOptions()
        options.certificate_buffer = _checked_bytes("cert_buffer", cert_buffer)
        options.private_key_buffer = _checked_bytes("key_buffer", key_buffer)
        options.verify_peer = False
        return options

    @staticmethod
    def create_server_pkcs12(pkcs12_filepath: StrPath, pkcs12_password: str) -> TlsContextOptions:
        """Options of a server with a certificate from a PKCS#12 file (Apple's platforms only). `verify_peer` is False.

        Raises:
            TypeError: An argument is of another type.
        """
        options = TlsContextOptions()
        options.pkcs12_filepath = os.fspath(pkcs12_filepath)
        options.pkcs12_password = _checked_str("pkcs12_password", pkcs12_password)
        options.verify_peer = False
        return options

    def override_default_trust_store_from_path(
        self, ca_dirpath: Optional[StrPath] = None, ca_filepath: Optional[StrPath] = None
    ) -> None:
        """Trust certificates from a directory, a file or both, in place of the system's.

        Args:
            ca_dirpath: Directory with one certificate a file, named by hash as OpenSSL wants it (Unix only, ignored
                elsewhere). It is read while connections are made.
            ca_filepath: PEM file with any number of certificates. It is read now.

        Raises:
            OSError: `ca_filepath` cannot be read.
        """
        if ca_filepath is not None:
            self.override_default_trust_store(_read(ca_filepath))
        if ca_dirpath is not None:
            self.ca_dirpath = os.fspath(ca_dirpath)

    def override_default_trust_store(self, rootca_buffer: bytes) -> None:
        """Trust the certificates of a PEM text in place of the system's.

        Raises:
            TypeError: `rootca_buffer` is not bytes.
        """
        self.ca_buffer = _checked_bytes("rootca_buffer", rootca_buffer)


def _checked_bytes(name: str, value: bytes) -> bytes:
    if not isinstance(value, bytes):
        raise TypeError(f"{name} must be bytes, not {type(value).__name__}")
    return value


def _checked_str(name: str, value: str) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{name} must be str, not {type(value).__name__}")
    return value


def _read(path: StrPath) -> bytes:
    with open(path, "rb") as file:
        return file.read()


# They are part of `awscrt.io`, which is where a pickle, a traceback or a reader looks for them.
for _class in (TlsVersion, TlsCipherPref, _CertificateSource, Pkcs11Lib, TlsContextOptions):
    _class.__module__ = "awscrt.io"
Pkcs11Lib.InitializeFinalizeBehavior.__module__ = "awscrt.io"
