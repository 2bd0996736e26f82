"""Owns the tests of a process that has another libcrypto: the interpreter's own, before or after ours, its symbols global."""

from __future__ import annotations

import hashlib

import pytest
from peers import tls
from peers.http1 import Http1Server

GLOBAL = """
import os, sys
sys.setdlopenflags(os.RTLD_NOW | os.RTLD_GLOBAL)
"""

OTHER = """
import hashlib, ssl
def other(port, ca):
    import socket
    context = ssl.create_default_context(cadata=ca)
    with socket.create_connection(("localhost", port)) as sock:
        with context.wrap_socket(sock, server_hostname="localhost") as secured:
            assert secured.version() in ("TLSv1.2", "TLSv1.3")
    return hashlib.new("sha256", b"abc").hexdigest()
"""

OURS = """
from awscrt.crypto import Hash
from awscrt.http import HttpClientConnection, HttpRequest
from awscrt.io import ClientBootstrap, ClientTlsContext, TlsContextOptions
def ours(port, ca):
    options = TlsContextOptions()
    options.override_default_trust_store(ca.encode())
    tls_options = ClientTlsContext(options).new_connection_options()
    tls_options.set_server_name("localhost")
    bootstrap = ClientBootstrap.get_or_create_static_default()
    connection = HttpClientConnection.new("localhost", port, bootstrap, tls_connection_options=tls_options).result(20)
    stream = connection.request(HttpRequest("GET", "/"))
    stream.activate()
    assert stream.completion_future.result(20) == 200
    connection.close().result(20)
    hashed = Hash.sha256_new()
    hashed.update(b"abc")
    return hashed.digest().hex()
"""

USE = """
port, ca = int(sys.argv[1]), sys.argv[2]
for use in ({uses}):
    assert use(port, ca) == {digest!r}, use
"""


@pytest.mark.fault("R15")
@pytest.mark.parametrize(
    ("parts", "uses"),
    [
        ((GLOBAL, OTHER, OURS), "other, ours, other"),
        ((GLOBAL, OURS, OTHER), "ours, other, ours"),
        (("import sys", OTHER, OURS), "ours, other, ours"),
    ],
    ids=["first and global", "later and global", "first"],
)
def test_two_libcryptos_serve_side_by_side(run_python, parts, uses):
    authority = tls.Authority()
    digest = hashlib.sha256(b"abc").hexdigest()
    with Http1Server(tls=authority.issue("localhost").server_context()) as server:
        given = f"import sys; sys.argv[1:] = [{str(server.port)!r}, {authority.ca_pem.decode()!r}]\n"
        run_python(given + "".join(parts) + USE.format(uses=uses, digest=digest))
