"""Owns the tests of reading pip's configuration, with pip itself as the judge of where it is and what outranks what."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from build_config.errors import UsageError
from build_config.fetch import settings

PREFIX = Path(sys.prefix)
OPTIONS = ("index-url", "extra-index-url", "find-links", "trusted-host", "cert", "client-cert", "proxy", "timeout")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with configuration in every place that a person may use."""
    files = {
        "home/.pip/pip.conf": "[global]\nindex-url = https://legacy/i\nproxy = http://legacy:1\n",
        "home/.config/pip/pip.conf": "[global]\nindex_url = https://user/i\nTimeout = 3\nfind-links =\n    /one\n    /two\n"
        "[download]\nextra-index-url = https://u:secret@e/1 https://e/2\ntrusted_host = H\n[install]\ntimeout = 99\n",
        "xdg/pip/pip.conf": "[global]\nindex-url = https://xdg/i\ncert = /xdg%20/cert\nclient-cert = /xdg/client\n",
        "other/pip/pip.conf": "[global]\ncert = /other/cert\nclient-cert = ~/client\n",
        "moved/pip/pip.conf": "[global]\nindex-url = https://moved/i\n",
        "chosen.conf": "[global]\ntimeout = 7\n",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


_ASK_PIP = """\
import json, sys
from pip._internal.configuration import Configuration
from pip._internal.exceptions import ConfigurationError
pip = Configuration(isolated=False)
pip.load()
found = {}
for section in ("global", "download", ":env:"):
    for option in sys.argv[1:]:
        try:
            value = pip.get_value(f"{section}.{option}")
        except ConfigurationError:
            continue
        if value:
            found[option] = value
print(json.dumps(found))
"""
"""`pip config list` shows every file's values and not which of them holds, `pip config get` only one at a time."""


def said_by_pip(environment: dict[str, str]) -> dict[str, str]:
    """What `pip download` would go by: its configuration merged as its documentation says."""
    argv = [sys.executable, "-c", _ASK_PIP, *OPTIONS]
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=True)
    merged: dict[str, str] = json.loads(done.stdout)
    return merged


def default_of_pip() -> str:
    index = importlib.import_module("pip._internal.models.index")
    return str(index.PyPI.simple_url).rstrip("/")


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"XDG_CONFIG_DIRS": "{0}/xdg:{0}/other"},
        {"XDG_CONFIG_HOME": "{0}/moved"},
        {"XDG_CONFIG_HOME": "{0}/none"},
        {"PIP_CONFIG_FILE": "{0}/chosen.conf"},
        {"PIP_CONFIG_FILE": "{0}/none.conf"},
        {"PIP_CONFIG_FILE": "/dev/null"},
        {"PIP_INDEX_URL": "https://env/i", "PIP_TIMEOUT": "9", "PIP_TRUSTED_HOST": "a b"},
        {"PIP_EXTRA_INDEX_URL": "", "PIP_FIND_LINKS": " "},
        {"PIP_CERT": "/env/cert", "PIP_CLIENT_CERT": "/env/client", "PIP_PROXY": "http://env:2"},
    ],
    ids=str,
)
def test_it_is_what_pip_says(home: Path, variables: dict[str, str]) -> None:
    environment = {"HOME": str(home / "home"), "PATH": "/usr/bin:/bin"}
    environment |= {name: value.format(home) for name, value in variables.items()}
    expected = said_by_pip(environment)
    found = settings.load(environment, prefix=PREFIX)
    index, extra = expected.get("index-url", default_of_pip()), expected.get("extra-index-url", "")
    assert found.indexes == (index, *extra.split())
    assert found.find_links == tuple(expected.get("find-links", "").split())
    assert found.trusted_hosts == tuple(expected.get("trusted-host", "").lower().split())
    assert found.cert == expected.get("cert", "")
    assert found.client_cert == expected.get("client-cert", "").replace("~", str(home / "home"))
    assert found.proxy == expected.get("proxy", "")
    assert found.timeout == float(expected.get("timeout", 15))


def test_without_any_configuration_it_is_the_public_index(environment: dict[str, str], tmp_path: Path) -> None:
    del environment["PIP_TIMEOUT"]
    found = settings.load(environment, prefix=tmp_path)
    assert found == settings.Settings(
        indexes=(default_of_pip(),),
        find_links=(),
        trusted_hosts=(),
        cert="",
        client_cert="",
        proxy="",
        proxies=(),
        netrc=None,
        timeout=15.0,
    )


def test_no_index_leaves_only_the_links(environment: dict[str, str], tmp_path: Path) -> None:
    environment |= {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "~/here", "PIP_EXTRA_INDEX_URL": "https://e"}
    found = settings.load(environment, prefix=tmp_path)
    assert found.indexes == ()
    assert found.find_links == (f"{environment['HOME']}/here",)


def test_variables_of_other_tools_stand_in_for_what_pip_is_not_told(
    environment: dict[str, str], tmp_path: Path
) -> None:
    environment |= {"SSL_CERT_FILE": "/s", "HTTPS_PROXY": "http://upper:1", "https_proxy": "http://lower:1"}
    found = settings.load(environment, prefix=tmp_path)
    assert found.cert == "/s"
    assert dict(found.proxies) == {"https_proxy": "http://lower:1"}
    assert settings.load({**environment, "REQUESTS_CA_BUNDLE": "/r"}, prefix=tmp_path).cert == "/r"
    assert settings.load({**environment, "PIP_CERT": "/p", "REQUESTS_CA_BUNDLE": "/r"}, prefix=tmp_path).cert == "/p"


def test_netrc_is_where_it_is_said_to_be_or_at_home(environment: dict[str, str], tmp_path: Path) -> None:
    (Path(environment["HOME"]) / ".netrc").touch()
    assert settings.load(environment, prefix=tmp_path).netrc == Path(environment["HOME"], ".netrc")
    assert settings.load({**environment, "NETRC": "/n"}, prefix=tmp_path).netrc == Path("/n")


@pytest.mark.parametrize(
    ("platform", "expected"),
    [
        ("win32", ["ProgramData/pip/pip.ini", "home/pip/pip.ini", "roaming/pip/pip.ini", "prefix/pip.ini"]),
        ("darwin", ["/Library/Application Support/pip/pip.conf", "home/.pip/pip.conf", "home/.config/pip/pip.conf"]),
        ("linux", ["/etc/xdg/pip/pip.conf", "/etc/pip.conf", "home/.pip/pip.conf", "home/.config/pip/pip.conf"]),
    ],
)
def test_each_system_has_its_places(platform: str, expected: list[str]) -> None:
    environment = {"HOME": "home", "APPDATA": "roaming", "PROGRAMDATA": "ProgramData"}
    found = [path.as_posix() for path in settings.files(environment, prefix=Path("prefix"), platform=platform)]
    assert found[: len(expected)] == expected
    assert found[-1].startswith("prefix/pip.")


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("index-url = https://u:hunter2@h\n", "no configuration file of pip"),
        ("[global]\nhunter2\n", "no configuration file of pip"),
        ("[global]\na = 1\n[global]\na = hunter2\n", "no configuration file of pip"),
        ("[global]\ntimeout = hunter2\n", "timeout is not a number"),
        ("[global]\ntimeout = -1\n", "timeout is not a number"),
        ("[global]\ntimeout = nan\n", "timeout is not a number"),
        ("[global]\nno-index = hunter2\n", "no-index is neither"),
        (b"[global]\nx = \xff", "not UTF-8"),
    ],
)
def test_a_bad_file_is_named_and_its_secrets_are_not(
    environment: dict[str, str], tmp_path: Path, text: str | bytes, what: str
) -> None:
    del environment["PIP_TIMEOUT"]
    path = tmp_path / "pip.conf"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(UsageError, match=what) as fault:
        settings.load({**environment, "PIP_CONFIG_FILE": str(path)}, prefix=tmp_path)
    assert "hunter2" not in str(fault.value)
    assert fault.value.__cause__ is None
    assert "next:" in str(fault.value)


def test_its_repr_shows_no_address(environment: dict[str, str], tmp_path: Path) -> None:
    url = "https://u:hunter2@h"
    environment |= {"PIP_INDEX_URL": url, "PIP_FIND_LINKS": url, "PIP_PROXY": url, "HTTPS_PROXY": url}
    assert "hunter2" not in repr(settings.load(environment, prefix=tmp_path))
