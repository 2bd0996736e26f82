"""Owns the tests of AWS credentials: what they hold, what they refuse, and that nothing shows them."""

from __future__ import annotations

import copy
import datetime as dt
import os
import pickle

import pytest

from awscrt import _awscrt
from awscrt.auth import AwsCredentials, AwsCredentialsProvider

UTC = dt.timezone.utc
SECRETS = ("AKIDsecret1", "KEYsecret2", "TOKENsecret3")


def test_what_is_given_is_what_is_held():
    expiration = dt.datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
    credentials = AwsCredentials(*SECRETS, expiration)
    assert (credentials.access_key_id, credentials.secret_access_key, credentials.session_token) == SECRETS
    assert credentials.expiration == expiration
    assert credentials.expiration.tzinfo is UTC


@pytest.mark.parametrize("token", [None, ""])
def test_what_is_not_given(token):
    credentials = AwsCredentials("a", "b", token)
    assert credentials.session_token is None
    assert credentials.expiration is None


def test_texts_of_any_alphabet_and_length():
    credentials = AwsCredentials("kl\u00e9", "\U0001f511" * 100_000, " ")
    assert credentials.access_key_id == "kl\u00e9"
    assert credentials.secret_access_key == "\U0001f511" * 100_000
    assert credentials.session_token == " "


@pytest.mark.parametrize(
    ("given", "held"),
    [
        (dt.datetime(2030, 1, 1, 0, 0, 0, 999999, tzinfo=UTC), dt.datetime(2030, 1, 1, tzinfo=UTC)),
        (
            dt.datetime(2030, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=-5))),
            dt.datetime(2030, 1, 1, 5, tzinfo=UTC),
        ),
        (dt.datetime(1970, 1, 1, tzinfo=UTC), dt.datetime(1970, 1, 1, tzinfo=UTC)),
        (dt.datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC), dt.datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)),
    ],
)
def test_expiration_to_the_second_in_utc(given, held):
    assert AwsCredentials("a", "b", None, given).expiration == held


def test_naive_expiration_is_local_time():
    naive = dt.datetime(2030, 1, 1)  # noqa: DTZ001 - on purpose
    assert AwsCredentials("a", "b", None, naive).expiration == naive.astimezone(UTC)


def test_expiration_beyond_what_python_can_say():
    credentials = AwsCredentials("a", "b")
    credentials._binding = _awscrt.credentials_new("a", "b", None, 2**63)
    assert credentials.expiration == dt.datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)


@pytest.mark.parametrize("expiration", [dt.datetime(1969, 12, 31, tzinfo=UTC), dt.datetime.min.replace(tzinfo=UTC)])
def test_expiration_out_of_range(expiration):
    with pytest.raises(ValueError, match="expiration"):
        AwsCredentials("a", "b", None, expiration)


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ((None, "b"), "access_key_id"),
        ((b"a", "b"), "access_key_id"),
        (("a", None), "secret_access_key"),
        (("a", 5), "secret_access_key"),
        (("a", "b", b"c"), "session_token"),
        (("a", "b", None, 5), "expiration"),
        (("a", "b", None, "2030"), "expiration"),
    ],
)
def test_wrong_types_are_named(arguments, name):
    with pytest.raises(TypeError, match=name):
        AwsCredentials(*arguments)


@pytest.mark.parametrize("make", [AwsCredentials, AwsCredentialsProvider.new_static])
@pytest.mark.parametrize(("arguments", "name"), [(("", "b"), "access_key_id"), (("a", ""), "secret_access_key")])
def test_empty_keys_are_named(make, arguments, name):
    with pytest.raises(ValueError, match=name):
        make(*arguments)


@pytest.mark.fault("R02")
@pytest.mark.parametrize("make", [AwsCredentials, AwsCredentialsProvider.new_static])
@pytest.mark.parametrize("position", [0, 1, 2])
@pytest.mark.parametrize("bad", ["\r", "\n", "\0", "\r\nX-Evil: 1", "\udc80"])
def test_texts_that_would_break_a_header(make, position, bad):
    arguments = [*SECRETS]
    arguments[position] += bad
    with pytest.raises(ValueError) as caught:
        make(*arguments)
    assert type(caught.value) is ValueError
    assert caught.value.__context__ is None, "Python's own error has the text"
    assert_shows_nothing(caught.value)


def assert_shows_nothing(thing):
    for text in (repr(thing), str(thing), f"{thing}"):
        assert not any(secret in text for secret in SECRETS)


def test_nothing_shows_them():
    credentials = AwsCredentials(*SECRETS)
    assert_shows_nothing(credentials)
    assert_shows_nothing(credentials._binding)
    assert_shows_nothing([credentials])
    provider = AwsCredentialsProvider.new_static(*SECRETS)
    assert_shows_nothing(provider)
    assert_shows_nothing(vars(provider))
    assert_shows_nothing(provider.get_credentials())
    with pytest.raises(TypeError) as caught:
        pickle.dumps(credentials)
    assert_shows_nothing(caught.value)


def test_deepcopy():
    credentials = AwsCredentials(*SECRETS)
    assert copy.deepcopy({"a": [credentials]})["a"][0].session_token == SECRETS[2]


def test_it_never_changes():
    credentials = AwsCredentials(*SECRETS)
    for name in ("access_key_id", "secret_access_key", "session_token", "expiration"):
        with pytest.raises(AttributeError):
            setattr(credentials, name, "x")


def test_a_half_made_object_is_no_crash():
    raw = AwsCredentials.__new__(AwsCredentials)
    with pytest.raises(AttributeError):
        raw.access_key_id  # noqa: B018 - the property runs
    raw._binding = AwsCredentialsProvider.new_environment()._binding
    with pytest.raises(TypeError, match="AwsCredentials"):
        raw.access_key_id  # noqa: B018 - the property runs


def test_what_is_no_utf8_is_not_shown_either(tmp_path):
    """A file may hold any bytes; Python's own error would have them."""
    path = tmp_path / "credentials"
    path.write_bytes(b"[default]\naws_access_key_id = AKIDsecret1\naws_secret_access_key = KEYsecret2\xff\n")
    found = AwsCredentialsProvider.new_profile(config_filepath=os.devnull, credentials_filepath=path).get_credentials()
    credentials = found.result(30)
    assert credentials.access_key_id == SECRETS[0]
    with pytest.raises(ValueError, match="secret_access_key is not UTF-8") as caught:
        credentials.secret_access_key  # noqa: B018 - the property runs
    assert type(caught.value) is ValueError
    assert caught.value.__context__ is None


@pytest.mark.fault("R08")
def test_credentials_go_on_in_a_forked_child_and_providers_do_not(run_python):
    done = run_python(
        """
import os, warnings
warnings.simplefilter("ignore")
from awscrt.auth import AwsCredentials, AwsCredentialsProvider, AwsSigningConfig, aws_sign_request
from awscrt.http import HttpHeaders, HttpRequest
credentials = AwsCredentials("a", "b", "c")
provider = AwsCredentialsProvider.new_static("a", "b")
config = AwsSigningConfig(credentials_provider=provider, region="r", service="s")
request = HttpRequest("GET", "/", HttpHeaders([("Host", "h")]))
aws_sign_request(HttpRequest("GET", "/", HttpHeaders([("Host", "h")])), config).result(30)
child = os.fork()
if child == 0:
    status = 1
    try:
        assert credentials.session_token == "c"
        for use in (provider.get_credentials, lambda: aws_sign_request(request, config)):
            try:
                use()
            except RuntimeError as error:
                assert "fork" in str(error), error
            else:
                raise AssertionError("not refused")
        new = AwsCredentialsProvider.new_static("a", "b")
        config = AwsSigningConfig(credentials_provider=new, region="r", service="s")
        aws_sign_request(request, config).result(30)
        del provider
        status = 0
    except BaseException as error:
        print("child:", repr(error), flush=True)
    os._exit(status)
print("status", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) if hasattr(os, "waitstatus_to_exitcode")
      else os.waitpid(child, 0)[1])
"""
    )
    assert done.stdout == "status 0\n"
