"""Owns the tests of credentials providers that ask nobody over a network: files, processes, variables, functions."""

from __future__ import annotations

import gc
import os
import shlex
import sys
import threading
import time
import weakref

import pytest

from awscrt.auth import (
    AwsCredentials,
    AwsCredentialsProvider,
    AwsCredentialsProviderBase,
    AwsSigningConfig,
    aws_sign_request,
)
from awscrt.exceptions import AwsCrtError
from awscrt.http import HttpHeaders, HttpRequest
from awscrt.io import ClientBootstrap, DefaultHostResolver, EventLoopGroup

WAIT_SEC = 30.0


@pytest.fixture(autouse=True)
def no_settings(monkeypatch, tmp_path):
    """What the machine has of AWS's variables and files is not to be found."""
    for name in list(os.environ):
        if name.startswith("AWS_") and not name.startswith("AWS_CRT_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "no config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "no credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


def texts(credentials):
    return (credentials.access_key_id, credentials.secret_access_key, credentials.session_token)


def ask(provider):
    return texts(provider.get_credentials().result(WAIT_SEC))


def why_not(provider):
    return provider.get_credentials().exception(WAIT_SEC)


def sign(provider):
    config = AwsSigningConfig(credentials_provider=provider, region="r", service="s")
    return aws_sign_request(HttpRequest("GET", "/", HttpHeaders([("Host", "h")])), config)


# ---------------------------------------------------------------------------------------- static, environment, chain


def test_static():
    provider = AwsCredentialsProvider.new_static("a", "b", "c")
    assert isinstance(provider, AwsCredentialsProviderBase)
    assert ask(provider) == ("a", "b", "c")
    assert ask(AwsCredentialsProvider.new_static("a", "b")) == ("a", "b", None)
    assert provider.get_credentials().result(WAIT_SEC).expiration is None


def test_future_is_done_at_once_where_nobody_is_waited_for():
    assert AwsCredentialsProvider.new_static("a", "b").get_credentials().done()


def test_environment(monkeypatch):
    provider = AwsCredentialsProvider.new_environment()
    error = why_not(provider)
    assert isinstance(error, AwsCrtError)
    assert error.name == "AWS_AUTH_CREDENTIALS_PROVIDER_INVALID_ENVIRONMENT"
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    assert why_not(provider) is not None
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    assert ask(provider) == ("a", "b", None)
    monkeypatch.setenv("AWS_SESSION_TOKEN", "c")
    assert ask(provider) == ("a", "b", "c")


def test_chain_asks_until_one_answers(monkeypatch):
    asked = []

    def second():
        asked.append("second")
        return AwsCredentials("second", "b")

    def third():
        raise AssertionError("there was an answer already")

    chain = AwsCredentialsProvider.new_chain(
        [
            AwsCredentialsProvider.new_environment(),
            AwsCredentialsProvider.new_delegate(second),
            AwsCredentialsProvider.new_delegate(third),
        ]
    )
    gc.collect()  # it keeps its members
    assert ask(chain) == ("second", "b", None)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "first")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    assert ask(chain) == ("first", "b", None)
    assert asked == ["second"]


def test_chain_of_any_sequence():
    static = AwsCredentialsProvider.new_static("a", "b")
    for members in ([static], (static, static), iter([static])):
        assert ask(AwsCredentialsProvider.new_chain(members)) == ("a", "b", None)


def test_chain_without_an_answer_says_what_the_last_one_said(tmp_path):
    chain = AwsCredentialsProvider.new_chain([AwsCredentialsProvider.new_environment()] * 2)
    assert why_not(chain).name == "AWS_AUTH_CREDENTIALS_PROVIDER_INVALID_ENVIRONMENT"


@pytest.mark.parametrize(
    ("members", "error"),
    [
        (None, TypeError),
        ([], ValueError),
        (["static"], TypeError),
        ([AwsSigningConfig()], TypeError),
        (5, TypeError),
    ],
)
def test_chain_refuses(members, error):
    with pytest.raises(error):
        AwsCredentialsProvider.new_chain(members)


# ------------------------------------------------------------------------------------------------ files and processes


def bootstrap():
    group = EventLoopGroup(1)
    return ClientBootstrap(group, DefaultHostResolver(group))


CREDENTIALS_FILE = """
[default]
aws_access_key_id = default
aws_secret_access_key = b

[other]
aws_access_key_id = other
aws_secret_access_key = b
aws_session_token = c
"""


def test_profile(tmp_path, monkeypatch):
    path = tmp_path / "credentials \u00fc"
    path.write_text(CREDENTIALS_FILE, encoding="utf-8")
    new = AwsCredentialsProvider.new_profile
    assert ask(new(credentials_filepath=path)) == ("default", "b", None)
    assert ask(new(bootstrap(), "other", None, str(path))) == ("other", "b", "c")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(path))
    assert ask(new(profile_name="other")) == ("other", "b", "c")
    monkeypatch.setenv("AWS_PROFILE", "other")
    assert ask(new()) == ("other", "b", "c")


def test_profile_of_the_config_file(tmp_path):
    config = tmp_path / "config"
    config.write_text("[profile mine]\naws_access_key_id=a\naws_secret_access_key=b\n")
    assert ask(AwsCredentialsProvider.new_profile(None, "mine", config, os.devnull)) == ("a", "b", None)


def test_profile_is_read_each_time(tmp_path):
    path = tmp_path / "credentials"
    path.write_text(CREDENTIALS_FILE)
    provider = AwsCredentialsProvider.new_profile(credentials_filepath=path)
    assert ask(provider) == ("default", "b", None)
    path.write_text(CREDENTIALS_FILE.replace("default\n", "changed\n"))
    assert ask(provider) == ("changed", "b", None)


@pytest.mark.parametrize("profile", ["absent", None])
def test_profile_that_does_not_exist(tmp_path, profile):
    path = tmp_path / "credentials"
    path.write_text("[other]\naws_access_key_id=a\n")
    try:
        error = why_not(AwsCredentialsProvider.new_profile(profile_name=profile, credentials_filepath=path))
    except RuntimeError as raised:
        error = raised
    assert isinstance(error, AwsCrtError)


def test_profile_that_is_its_own_source(tmp_path):
    path = tmp_path / "config"
    path.write_text(
        "[profile a]\nrole_arn=arn:aws:iam::1:role/r\nsource_profile=b\n"
        "[profile b]\nrole_arn=arn:aws:iam::1:role/r\nsource_profile=a\n"
    )
    with pytest.raises(RuntimeError) as caught:
        AwsCredentialsProvider.new_profile(profile_name="a", config_filepath=path)
    assert isinstance(caught.value, AwsCrtError)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("bootstrap",), TypeError),
        ((None, b"x"), TypeError),
        ((None, "a\nb"), ValueError),
        ((None, None, 5), TypeError),
        ((None, None, "a\0b"), ValueError),
        ((None, None, None, "a\0b"), ValueError),
    ],
)
def test_profile_refuses(arguments, error):
    with pytest.raises(error):
        AwsCredentialsProvider.new_profile(*arguments)


def process_config(tmp_path, monkeypatch, code):
    """A profile whose command runs the code."""
    script = tmp_path / "process.py"
    script.write_text(code)
    path = tmp_path / "config"
    path.write_text(f"[profile mine]\ncredential_process = {shlex.quote(sys.executable)} {shlex.quote(str(script))}\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(path))


ANSWER = """import json, sys
sys.stderr.write("not to be seen")
print(json.dumps({"Version": 1, "AccessKeyId": "a", "SecretAccessKey": "b", "SessionToken": "c",
                  "Expiration": "2040-01-02T03:04:05Z"}))
"""


def test_process(tmp_path, monkeypatch, capfd):
    process_config(tmp_path, monkeypatch, ANSWER)
    provider = AwsCredentialsProvider.new_process("mine")
    credentials = provider.get_credentials().result(WAIT_SEC)
    assert texts(credentials) == ("a", "b", "c")
    assert credentials.expiration.isoformat() == "2040-01-02T03:04:05+00:00"
    monkeypatch.setenv("AWS_PROFILE", "mine")
    assert ask(AwsCredentialsProvider.new_process()) == ("a", "b", "c")
    assert ask(AwsCredentialsProvider.new_profile(None, "mine", os.environ["AWS_CONFIG_FILE"])) == ("a", "b", "c")
    assert capfd.readouterr() == ("", "")


def test_other_threads_go_on_while_a_process_runs(tmp_path, monkeypatch):
    process_config(tmp_path, monkeypatch, "import time\ntime.sleep(0.5)\n" + ANSWER)
    provider = AwsCredentialsProvider.new_process("mine")
    futures = []
    thread = threading.Thread(target=lambda: futures.append(provider.get_credentials()))
    thread.start()
    beats = 0
    while thread.is_alive():
        time.sleep(0.005)
        beats += 1
    assert beats > 10
    assert texts(futures[0].result(WAIT_SEC)) == ("a", "b", "c")


@pytest.mark.parametrize(
    "code",
    [
        "raise SystemExit(3)",
        "print('no JSON')",
        "print('{}')",
        "pass",
        "import os; os.kill(os.getpid(), 9)",
        'print(\'{"Version": 1, "AccessKeyId": "AKIDsecret1"}\')',
    ],
)
def test_process_that_fails(tmp_path, monkeypatch, code):
    process_config(tmp_path, monkeypatch, code)
    error = why_not(AwsCredentialsProvider.new_process("mine"))
    assert isinstance(error, Exception)
    assert "AKIDsecret1" not in repr(error)


def test_process_that_nobody_names(tmp_path, monkeypatch):
    with pytest.raises(RuntimeError) as caught:
        AwsCredentialsProvider.new_process()
    assert caught.value.name == "AWS_ERROR_FILE_INVALID_PATH"
    process_config(tmp_path, monkeypatch, ANSWER)
    with pytest.raises(RuntimeError) as caught:
        AwsCredentialsProvider.new_process("absent")
    assert caught.value.name == "AWS_AUTH_CREDENTIALS_PROVIDER_PROCESS_SOURCE_FAILURE"


@pytest.mark.parametrize(("profile", "error"), [(5, TypeError), ("a\0b", ValueError)])
def test_process_refuses(profile, error):
    with pytest.raises(error, match="profile_to_use"):
        AwsCredentialsProvider.new_process(profile)


def test_default_chain(monkeypatch, tmp_path):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "variable")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    assert ask(AwsCredentialsProvider.new_default_chain()) == ("variable", "b", None)
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    path = tmp_path / "credentials"
    path.write_text(CREDENTIALS_FILE)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(path))
    assert ask(AwsCredentialsProvider.new_default_chain(bootstrap())) == ("default", "b", None)


def test_default_chain_that_finds_nothing():
    provider = AwsCredentialsProvider.new_default_chain()
    error = why_not(provider)
    assert isinstance(error, AwsCrtError)
    assert why_not(provider) is not None


def test_default_chain_keeps_what_it_found(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "variable")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    provider = AwsCredentialsProvider.new_default_chain()
    assert ask(provider) == ("variable", "b", None)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "changed")
    assert ask(provider) == ("variable", "b", None)


def test_default_chain_refuses():
    with pytest.raises(TypeError, match="client_bootstrap must be ClientBootstrap, not EventLoopGroup"):
        AwsCredentialsProvider.new_default_chain(EventLoopGroup(1))


# ---------------------------------------------------------------------------------------------------------- delegate


class MineError(Exception):
    """Raised on purpose."""


def fail():
    raise MineError


def delegate(function):
    return AwsCredentialsProvider.new_delegate(function)


def test_delegate():
    given = AwsCredentials("a", "b", "c")
    threads = []

    def function():
        threads.append(threading.get_ident())
        return given

    provider = delegate(function)
    assert ask(provider) == ("a", "b", "c")
    assert threads == [threading.get_ident()]


@pytest.mark.fault("R10")
@pytest.mark.parametrize("error", [MineError("x"), KeyError("x"), MemoryError("x"), KeyboardInterrupt()])
def test_delegate_that_raises(error, unraisable):
    def function():
        raise error

    provider = delegate(function)
    with unraisable() as reported:
        assert why_not(provider) is error
        assert sign(provider).exception(WAIT_SEC) is error
        chain = AwsCredentialsProvider.new_chain([AwsCredentialsProvider.new_environment(), provider])
        assert why_not(chain) is error
        assert sign(chain).exception(WAIT_SEC) is error
        assert not reported
    error.__traceback__ = None


@pytest.mark.fault("R10")
def test_delegates_that_raise_in_a_chain(unraisable):
    """Each is asked, nothing waits forever, and the last word is the waiter's."""
    first, second = MineError("first"), MineError("second")

    def raise_first():
        raise first

    def raise_second():
        raise second

    static = AwsCredentialsProvider.new_static("a", "b")
    with unraisable() as reported:
        chain = AwsCredentialsProvider.new_chain([delegate(raise_first), delegate(raise_second)])
        assert why_not(chain) is second
        assert ask(AwsCredentialsProvider.new_chain([delegate(raise_first), static])) == ("a", "b", None)
        assert why_not(AwsCredentialsProvider.new_environment()).name.endswith("INVALID_ENVIRONMENT"), "nothing is left"
        assert not reported
    first.__traceback__ = second.__traceback__ = None


@pytest.mark.fault("R10")
def test_delegate_that_waits_for_another_provider():
    error = MineError("outer")

    def raise_outer():
        raise error

    def function():
        assert why_not(AwsCredentialsProvider.new_environment()).name.endswith("INVALID_ENVIRONMENT")
        assert why_not(delegate(fail)) is not error
        raise ValueError("inner")

    chain = AwsCredentialsProvider.new_chain([delegate(raise_outer), delegate(function)])
    assert str(why_not(chain)) == "inner"
    error.__traceback__ = None


@pytest.mark.parametrize("wrong", [None, "AKIDsecret1", 5, ("a", "b"), AwsSigningConfig()])
def test_delegate_that_returns_another_thing(wrong):
    error = why_not(delegate(lambda: wrong))
    assert isinstance(error, TypeError)
    assert "AwsCredentials" in str(error)
    assert "AKIDsecret1" not in repr(error)


@pytest.mark.parametrize("wrong", [None, "x", AwsCredentials("a", "b")])
def test_delegate_refuses_what_cannot_be_called(wrong):
    with pytest.raises(TypeError, match="get_credentials must be callable"):
        delegate(wrong)


def test_delegate_of_any_callable():
    class Callable:
        __slots__ = ()

        def __call__(self):
            return AwsCredentials("a", "b")

        def method(self):
            return AwsCredentials("a", "b")

    import functools

    for function in (Callable(), Callable().method, functools.partial(AwsCredentials, "a", "b")):
        provider = delegate(function)
        del function
        gc.collect()
        assert ask(provider) == ("a", "b", None)


@pytest.mark.fault("R13")
def test_delegate_of_its_own_provider_is_freed():
    class Owner:
        def __init__(self):
            self.provider = delegate(self.credentials)
            self.chain = AwsCredentialsProvider.new_chain([self.provider])

        def credentials(self):
            return AwsCredentials("a", "b")

    owner = Owner()
    assert ask(owner.chain) == ("a", "b", None)
    gone = weakref.ref(owner)
    del owner
    gc.collect()
    assert gone() is None


@pytest.mark.fault("R13")
def test_last_reference_dropped_while_the_delegate_runs():
    holder = []

    def function():
        holder.clear()
        gc.collect()
        return AwsCredentials("a", "b")

    holder.append(delegate(function))
    future = holder[0].get_credentials()
    assert texts(future.result(WAIT_SEC)) == ("a", "b", None)
    assert not holder


@pytest.mark.fault("R18")
def test_future_cancelled_while_the_delegate_runs(unraisable):
    import awscrt._auth_provider as inner

    futures = []
    original = inner.new_future

    def remembered():
        futures.append(original())
        return futures[-1]

    def give():
        assert futures[-1].cancel()
        return AwsCredentials("a", "b")

    def give_up():
        assert futures[-1].cancel()
        raise MineError

    inner.new_future = remembered
    try:
        with unraisable() as reported:
            for function in (give, give_up):
                assert delegate(function).get_credentials().cancelled()
            assert not reported
    finally:
        inner.new_future = original
        futures.clear()


@pytest.mark.fault("R10")
def test_callback_of_a_future_that_raises_is_harmless(caplog):
    future = AwsCredentialsProvider.new_static("a", "b").get_credentials()
    future.add_done_callback(lambda done: fail())
    assert texts(future.result(WAIT_SEC)) == ("a", "b", None)
    assert "exception calling callback" in caplog.text
    caplog.clear()


@pytest.mark.fault("R12")
def test_many_threads_ask_one_provider():
    provider = AwsCredentialsProvider.new_chain(
        [
            delegate(fail),
            delegate(lambda: AwsCredentials("a", "b")),
        ]
    )
    found = []

    def work():
        found.extend(ask(provider) for _ in range(100))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [("a", "b", None)] * 800


@pytest.mark.fault("R09")
@pytest.mark.parametrize(
    "script",
    [
        "kept = new_static('a', 'b'); future = kept.get_credentials()",
        "kept = new_delegate(lambda: None); kept.own = kept; kept.get_credentials()",
        "kept = new_default_chain(); kept.get_credentials()",
        """import threading; kept = new_delegate(lambda: time.sleep(60))
threading.Thread(target=kept.get_credentials, daemon=True).start(); time.sleep(0.2)""",
    ],
)
def test_interpreter_exits_with_live_providers(run_python, script):
    done = run_python(
        "import time\nfrom awscrt.auth import AwsCredentialsProvider\nglobals().update({n: getattr("
        "AwsCredentialsProvider, n) for n in dir(AwsCredentialsProvider) if n.startswith('new_')})\n" + script,
        env={"AWS_EC2_METADATA_DISABLED": "true"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
