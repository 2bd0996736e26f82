"""Owns the tests of signing configurations: what they hold, what they refuse, and how they are copied."""

from __future__ import annotations

import datetime as dt
import gc
import time
import weakref

import pytest

from awscrt.auth import (
    AwsCredentialsProvider,
    AwsCredentialsProviderBase,
    AwsSignatureType,
    AwsSignedBodyHeaderType,
    AwsSignedBodyValue,
    AwsSigningAlgorithm,
    AwsSigningConfig,
)

UTC = dt.timezone.utc


def test_values_of_the_enumerations():
    assert [*map(int, AwsSigningAlgorithm)] == [0, 1, 2]
    assert [*map(int, AwsSignatureType)] == [0, 1]
    assert [*map(int, AwsSignedBodyHeaderType)] == [0, 1]
    assert AwsSignedBodyValue.EMPTY_SHA256.startswith("e3b0c442")
    for public in (AwsSigningAlgorithm, AwsSignatureType, AwsSignedBodyValue, AwsSigningConfig):
        assert public.__module__ == "awscrt.auth"


def test_defaults():
    before = time.time()
    config = AwsSigningConfig()
    assert config.algorithm is AwsSigningAlgorithm.V4
    assert config.signature_type is AwsSignatureType.HTTP_REQUEST_HEADERS
    assert config.credentials_provider is None
    assert (config.region, config.service) == ("", "")
    assert before - 1 <= config.date.timestamp() <= time.time()
    assert config.date.tzinfo is UTC
    assert config.should_sign_header is None
    assert config.use_double_uri_encode is True
    assert config.should_normalize_uri_path is True
    assert config.signed_body_value is None
    assert config.signed_body_header_type is AwsSignedBodyHeaderType.NONE
    assert config.expiration_in_seconds is None
    assert config.omit_session_token is False


def other_values():
    return {
        "algorithm": AwsSigningAlgorithm.V4_ASYMMETRIC,
        "signature_type": AwsSignatureType.HTTP_REQUEST_QUERY_PARAMS,
        "credentials_provider": AwsCredentialsProvider.new_static("a", "b"),
        "region": "r\u00e9gion",
        "service": "service",
        "date": dt.datetime(2001, 2, 3, 4, 5, 6, 789000),  # noqa: DTZ001 - local time
        "should_sign_header": lambda name: True,
        "use_double_uri_encode": False,
        "should_normalize_uri_path": False,
        "signed_body_value": AwsSignedBodyValue.UNSIGNED_PAYLOAD,
        "signed_body_header_type": AwsSignedBodyHeaderType.X_AMZ_CONTENT_SHA_256,
        "expiration_in_seconds": 2**64 - 1,
        "omit_session_token": True,
    }


def test_what_is_given_is_what_is_held():
    values = other_values()
    config = AwsSigningConfig(**values)
    assert {name: getattr(config, name) for name in values} == values
    assert AwsSigningConfig(*values.values()).omit_session_token is True, "by position too"
    for name in values:
        with pytest.raises(AttributeError):
            setattr(config, name, values[name])


def test_replace_changes_what_it_is_told_and_no_more():
    values = other_values()
    config = AwsSigningConfig(**values)
    for name, default in ((name, getattr(AwsSigningConfig(), name)) for name in values):
        changed = config.replace(**{name: default})
        assert changed is not config
        assert getattr(changed, name) == default
        assert {n: getattr(changed, n) for n in values if n != name} == {n: values[n] for n in values if n != name}
    assert {name: getattr(config, name) for name in values} == values
    assert config.replace().date is config.date


def test_replace_refuses_what_it_does_not_know():
    with pytest.raises(TypeError, match="regiom"):
        AwsSigningConfig().replace(regiom="x")


def test_replace_keeps_the_time_of_now():
    config = AwsSigningConfig()
    assert config.replace(region="x").date is config.date


def test_subclass_stays_one():
    class Mine(AwsSigningConfig):
        pass

    assert type(Mine().replace(region="x")) is Mine


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("algorithm", 0),
        ("algorithm", "V4"),
        ("algorithm", AwsSignatureType.HTTP_REQUEST_HEADERS),
        ("signature_type", 0),
        ("signed_body_header_type", 1),
        ("credentials_provider", "static"),
        ("credentials_provider", AwsSigningConfig()),
        ("region", None),
        ("region", b"us-east-1"),
        ("service", 5),
        ("date", "2001-02-03"),
        ("date", 981173106),
        ("date", dt.date(2001, 2, 3)),
        ("should_sign_header", "Host"),
        ("signed_body_value", b"x"),
        ("expiration_in_seconds", "60"),
        ("expiration_in_seconds", 1.5),
    ],
)
def test_wrong_types_are_named(name, value):
    with pytest.raises(TypeError) as caught:
        AwsSigningConfig(**{name: value})
    assert name in str(caught.value) or "integer" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("signed_body_value", ""),
        ("expiration_in_seconds", 0),
        ("expiration_in_seconds", -1),
        ("expiration_in_seconds", 2**64),
        ("date", dt.datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC)),
        ("date", dt.datetime(1, 1, 1, tzinfo=UTC)),
        ("date", dt.datetime(1, 1, 1)),  # noqa: DTZ001 - local time
    ],
)
def test_values_out_of_range_are_named(name, value):
    with pytest.raises(ValueError, match=name):
        AwsSigningConfig(**{name: value})


@pytest.mark.fault("R02")
@pytest.mark.parametrize("name", ["region", "service", "signed_body_value"])
@pytest.mark.parametrize("bad", ["a\r\nX-Evil: 1", "a\nb", "a\rb", "a\0b", "\udc80"])
def test_texts_that_would_break_a_header(name, bad):
    with pytest.raises(ValueError) as caught:
        AwsSigningConfig(**{name: bad})
    assert "Evil" not in str(caught.value)
    assert type(caught.value) is ValueError
    assert caught.value.__context__ is None


def test_a_provider_that_was_never_made():
    class Mine(AwsCredentialsProviderBase):
        pass

    with pytest.raises(AttributeError):
        AwsSigningConfig(credentials_provider=Mine())
    wrong = Mine()
    wrong._binding = AwsSigningConfig()._binding
    with pytest.raises(TypeError, match="AwsCredentialsProvider"):
        AwsSigningConfig(credentials_provider=wrong)


@pytest.mark.fault("R13")
def test_the_function_lives_as_long_as_the_configuration():
    def pick(name):
        return True

    gone = weakref.ref(pick)
    config = AwsSigningConfig(should_sign_header=pick)
    del pick
    gc.collect()
    assert config.should_sign_header is gone()
    del config
    gc.collect()
    assert gone() is None


def test_dates_in_local_time(monkeypatch):
    monkeypatch.setenv("TZ", "IST-5:30")  # POSIX; names of places need a data base
    time.tzset()
    try:
        epoch = dt.datetime(1970, 1, 1, 5, 30)  # noqa: DTZ001 - there
        AwsSigningConfig(date=epoch)
        with pytest.raises(ValueError, match="date"):
            AwsSigningConfig(date=epoch - dt.timedelta(seconds=1))
    finally:
        monkeypatch.undo()
        time.tzset()
