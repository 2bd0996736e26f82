"""Owns the tests of PKCS#11, against SoftHSM: a token in software, with its own library and tool."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import trustme
from cryptography.hazmat.primitives import serialization

from awscrt.exceptions import AwsCrtError
from awscrt.io import ClientTlsContext, Pkcs11Lib, TlsContextOptions, TlsVersion

if TYPE_CHECKING:
    from collections.abc import Iterator

PIN, TOKEN, KEY_LABEL = "1234", "my token", "my key"
PLACES = (
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib64/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
    "/usr/local/lib/softhsm/libsofthsm2.so",
)
LIBRARY = next((place for place in PLACES if Path(place).exists()), "")
TOOL = shutil.which("softhsm2-util")
Behavior = Pkcs11Lib.InitializeFinalizeBehavior

needs_softhsm = pytest.mark.skipif(not (LIBRARY and TOOL), reason="SoftHSM (Debian's softhsm2) is not installed")


@dataclass(frozen=True)
class Token:
    """An initialized token with one key; `certificate` is the PEM of its certificate."""

    certificate: bytes
    slot: int


@pytest.fixture(scope="module")
def token(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Token]:
    folder = tmp_path_factory.mktemp("softhsm")
    configuration = folder / "softhsm2.conf"
    (folder / "tokens").mkdir()
    configuration.write_text(f"directories.tokendir = {folder / 'tokens'}\nlog.level = ERROR\n", encoding="utf-8")
    issued = trustme.CA(key_type=trustme.KeyType.RSA).issue_cert("localhost", key_type=trustme.KeyType.RSA)
    key = serialization.load_pem_private_key(issued.private_key_pem.bytes(), None)
    path = folder / "key.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    with pytest.MonkeyPatch.context() as patch:
        # The library reads it when it is initialized, in this process.
        patch.setenv("SOFTHSM2_CONF", str(configuration))
        said = run("--init-token", "--free", "--label", TOKEN, "--so-pin", "0000", "--pin", PIN)
        slot = int(said.split()[-1])
        run("--import", str(path), "--token", TOKEN, "--label", KEY_LABEL, "--id", "01", "--pin", PIN)
        yield Token(issued.cert_chain_pems[0].bytes(), slot)


def run(*words: str) -> str:
    assert TOOL is not None
    done = subprocess.run([TOOL, *words], env=os.environ, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def load(behavior: Pkcs11Lib.InitializeFinalizeBehavior | None = Behavior.STRICT) -> Pkcs11Lib:
    return Pkcs11Lib(file=LIBRARY, behavior=behavior)


def options(token: Token, **changes: Any) -> TlsContextOptions:
    arguments: dict[str, Any] = {
        "pkcs11_lib": changes["pkcs11_lib"] if "pkcs11_lib" in changes else load(),
        "user_pin": PIN,
        "token_label": TOKEN,
        "private_key_label": KEY_LABEL,
        "cert_file_contents": token.certificate,
    }
    arguments.update(changes)
    return TlsContextOptions.create_client_with_mtls_pkcs11(**arguments)


@needs_softhsm
def test_context_with_a_key_in_a_token(token: Token) -> None:
    context = ClientTlsContext(options(token))
    assert context.new_connection_options().tls_ctx is context


@needs_softhsm
def test_ways_to_give_the_certificate_and_to_find_the_key(token: Token, tmp_path: Path) -> None:
    path = tmp_path / "cert é.pem"
    path.write_bytes(token.certificate)
    ClientTlsContext(options(token, cert_file_contents=token.certificate.decode()))
    ClientTlsContext(options(token, cert_file_contents=None, cert_file_path=path))
    ClientTlsContext(options(token, slot_id=token.slot, token_label=None, private_key_label=None))


@needs_softhsm
@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"user_pin": "9999"}, "AWS_ERROR_PKCS11_CKR_PIN_INCORRECT"),
        ({"token_label": "another"}, "AWS_ERROR_PKCS11_TOKEN_NOT_FOUND"),
        ({"slot_id": 2**31}, "AWS_ERROR_PKCS11_TOKEN_NOT_FOUND"),
        ({"private_key_label": "another"}, "AWS_ERROR_PKCS11_KEY_NOT_FOUND"),
        ({"cert_file_contents": None, "cert_file_path": "/does/not/exist"}, "AWS_ERROR_FILE_INVALID_PATH"),
        ({"cert_file_contents": b"garbage"}, "AWS_ERROR_INVALID_ARGUMENT"),
    ],
)
def test_what_is_wrong_is_named(token: Token, changes: dict[str, Any], name: str) -> None:
    with pytest.raises(RuntimeError) as caught:
        ClientTlsContext(options(token, **changes))
    assert isinstance(caught.value, AwsCrtError)
    assert caught.value.name == name


@needs_softhsm
def test_tls13_with_a_token_is_refused(token: Token) -> None:
    wanted = options(token)
    wanted.min_tls_ver = TlsVersion.TLSv1_3
    with pytest.raises(RuntimeError, match="AWS_IO_TLS_VERSION_UNSUPPORTED"):
        ClientTlsContext(wanted)


@needs_softhsm
def test_context_keeps_the_library(token: Token) -> None:
    context = ClientTlsContext(options(token))
    with pytest.raises(RuntimeError, match="AWS_ERROR_PKCS11_CKR_CRYPTOKI_ALREADY_INITIALIZED"):
        load()
    del context
    load()


@needs_softhsm
def test_behaviors(token: Token) -> None:
    with pytest.raises(RuntimeError, match="AWS_ERROR_PKCS11_CKR_CRYPTOKI_NOT_INITIALIZED"):
        ClientTlsContext(options(token, pkcs11_lib=load(Behavior.OMIT)))
    strict = load()
    load(Behavior.OMIT)
    load(None)
    load(Behavior.DEFAULT)
    with pytest.raises(RuntimeError, match="AWS_ERROR_PKCS11_CKR_CRYPTOKI_ALREADY_INITIALIZED"):
        load()
    del strict


def test_a_file_that_is_no_library(tmp_path: Path) -> None:
    path = tmp_path / "text.so"
    path.write_text("no library", encoding="utf-8")
    for file in (path, str(path), tmp_path / "none.so"):
        with pytest.raises(RuntimeError, match="AWS_IO_SHARED_LIBRARY_LOAD_FAILURE"):
            Pkcs11Lib(file=file)


@pytest.mark.parametrize("file", [None, 5, ["a.so"]])
def test_file_that_is_no_path(file: Any) -> None:
    with pytest.raises(TypeError):
        Pkcs11Lib(file=file)


def test_path_with_a_nul() -> None:
    with pytest.raises(ValueError, match="null"):
        Pkcs11Lib(file="a\0.so")


def test_unknown_behavior() -> None:
    with pytest.raises(ValueError, match="7"):
        Pkcs11Lib(file="a.so", behavior=7)  # type: ignore[arg-type]


class FakeLib(Pkcs11Lib):
    """Enough for what is checked before the library is used."""

    def __init__(self) -> None:
        """Load nothing."""


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"pkcs11_lib": None}, TypeError),
        ({"user_pin": 1234}, TypeError),
        ({"slot_id": "1"}, TypeError),
        ({"token_label": b"x"}, TypeError),
        ({"private_key_label": 5}, TypeError),
        ({"cert_file_path": "x", "cert_file_contents": b"x"}, ValueError),
        ({"cert_file_path": None, "cert_file_contents": None}, ValueError),
    ],
)
def test_bad_arguments(changes: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        options(Token(b"x", 0), **{"pkcs11_lib": FakeLib(), **changes})
