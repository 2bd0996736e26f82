"""Owns TLS contexts and the options of single TLS connections."""

from __future__ import annotations

from . import NativeResource, _awscrt
from ._tls_options import TlsCipherPref, TlsContextOptions, TlsVersion

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Union

# Limits of aws-c-io's parser of ALPN lists (four names, each in a buffer of 128 bytes with its terminator).
_MAX_PROTOCOLS = 4
_MAX_PROTOCOL_BYTES = 127
# RFC 1035, 2.3.4: the longest name; it is also s2n's limit for the server name of a connection.
_MAX_SERVER_NAME_BYTES = 255


class ClientTlsContext(NativeResource):
    """What the TLS connections of a client have in common. It is slow to make: use one for many connections.

    Args:
        options: What to make it from.

    Raises:
        TypeError: `options`, or one of its attributes, is of another type.
        ValueError: An attribute has a value that TLS or aws-c-io does not know.
        OSError: The file of a PKCS#11 certificate cannot be read.
        RuntimeError: (an `AwsCrtError`) The certificate, its private key or the certificates to trust are not PEM of
            that kind, or the key is not that of the certificate (the message says which); the platform does not have
            what is asked for.
    """

    __slots__ = ("_certificate_source", "_cipher_pref", "_min_tls_ver")

    def __init__(self, options: TlsContextOptions) -> None:
        super().__init__()
        if not isinstance(options, TlsContextOptions):
            raise TypeError(f"options must be TlsContextOptions, not {type(options).__name__}")
        _check_certificate(options)
        self._min_tls_ver = TlsVersion(options.min_tls_ver)
        self._cipher_pref = TlsCipherPref(options.cipher_pref)
        self._certificate_source = options._certificate_source
        protocols = _joined_protocols(options.alpn_list) if options.alpn_list else None
        self._binding = _awscrt.client_tls_ctx_new(options, protocols)

    def new_connection_options(self) -> TlsConnectionOptions:
        """Options for one connection with this context."""
        return TlsConnectionOptions(self)


class TlsConnectionOptions(NativeResource):
    """What is particular to one TLS connection. A connection copies it when it is asked for.

    Args:
        tls_ctx: The context; it is kept alive.

    Attributes:
        tls_ctx (ClientTlsContext): The context.

    Raises:
        TypeError: `tls_ctx` is not a `ClientTlsContext`.
    """

    __slots__ = ("tls_ctx",)

    def __init__(self, tls_ctx: ClientTlsContext) -> None:
        super().__init__()
        if not isinstance(tls_ctx, ClientTlsContext):
            raise TypeError(f"tls_ctx must be ClientTlsContext, not {type(tls_ctx).__name__}")
        self.tls_ctx = tls_ctx
        self._binding = _awscrt.tls_connection_options_new(tls_ctx)

    def set_alpn_list(self, alpn_list: Sequence[str]) -> None:
        """Offer these application protocols in place of the context's; see `TlsContextOptions.alpn_list`.

        Raises:
            TypeError: `alpn_list` is not a sequence of str.
            ValueError: It is empty or longer than four, or a name breaks the rule.
        """
        _awscrt.tls_connection_options_set_alpn_list(self, _joined_protocols(alpn_list))

    def set_server_name(self, server_name: Union[str, bytes]) -> None:
        """Tell the server this name (SNI, RFC 6066), and accept only a certificate for it.

        Args:
            server_name: 1 to 255 ASCII characters; an international name in its `xn--` form.

        Raises:
            TypeError: It is neither str nor bytes.
            ValueError: It breaks the rule.
        """
        if not isinstance(server_name, (str, bytes)):
            raise TypeError(f"server_name must be str, not {type(server_name).__name__}")
        name = server_name.encode("ascii") if isinstance(server_name, str) else bytes(server_name)
        if not 1 <= len(name) <= _MAX_SERVER_NAME_BYTES or b"\0" in name:
            raise ValueError(f"server_name must be 1 to {_MAX_SERVER_NAME_BYTES} characters without NUL")
        _awscrt.tls_connection_options_set_server_name(self, name)


def is_alpn_available() -> bool:
    """Whether this platform's TLS library can agree on an application protocol (ALPN, RFC 7301)."""
    return _awscrt.is_alpn_available()


def _check_certificate(options: TlsContextOptions) -> None:
    if (options.certificate_buffer is None) != (options.private_key_buffer is None):
        raise ValueError("certificate_buffer and private_key_buffer go together")
    sources = (
        options.certificate_buffer,
        options.pkcs12_filepath,
        options._pkcs11_lib,
        options._windows_cert_store_path,
    )
    if sum(source is not None for source in sources) > 1:
        raise ValueError("options give more than one certificate")
    if options.pkcs12_filepath is not None and options.pkcs12_password is None:
        raise ValueError("pkcs12_filepath wants a pkcs12_password")


def _joined_protocols(protocols: Sequence[str]) -> str:
    # A str is a sequence of str too: "h2" would offer "h" and "2".
    if isinstance(protocols, (str, bytes)):
        raise TypeError(f"alpn_list must be a list of str, not {type(protocols).__name__}")
    if not 1 <= len(protocols) <= _MAX_PROTOCOLS:
        raise ValueError(f"alpn_list must hold 1 to {_MAX_PROTOCOLS} protocols, not {len(protocols)}")
    for protocol in protocols:
        if not isinstance(protocol, str):
            raise TypeError(f"alpn_list must be a list of str, not of {type(protocol).__name__}")
        if not 1 <= len(protocol.encode()) <= _MAX_PROTOCOL_BYTES or ";" in protocol or "\0" in protocol:
            raise ValueError(f"protocol {protocol!r} must be 1 to {_MAX_PROTOCOL_BYTES} bytes without ';' and NUL")
    return ";".join(protocols)


# They are part of `awscrt.io`, which is where a pickle, a traceback or a reader looks for them.
for _public in (ClientTlsContext, TlsConnectionOptions, is_alpn_available):
    _public.__module__ = "awscrt.io"
