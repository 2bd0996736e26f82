"""Tests of cache keys: no two share a text, and what a text says is what the key was."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from build_config.errors import UsageError
from build_config.key import Difference, Key, differences, nearest

ANY_TEXT = st.text(st.characters(codec=None, exclude_categories=()), max_size=20)
FIELD_NAMES = st.text(st.sampled_from("ab.:/-_ "), min_size=1, max_size=6).filter(lambda name: ": " not in name)
FIELDS = st.dictionaries(FIELD_NAMES, ANY_TEXT, max_size=4).map(lambda fields: tuple(fields.items()))


def key(**fields: str) -> Key:
    return Key.of("library", "s2n", fields.items())


@given(ANY_TEXT, FIELDS)
def test_a_text_gives_back_its_key(name: str, fields: tuple[tuple[str, str], ...]) -> None:
    made = Key.of("library", name, fields)
    assert Key.parse(made.text) == made
    assert made.text.isascii()
    assert made.text.count("\n") == 3 + len(fields)


@given(FIELDS, FIELDS)
def test_different_fields_have_different_digests(
    left: tuple[tuple[str, str], ...], right: tuple[tuple[str, str], ...]
) -> None:
    same = dict(left) == dict(right)
    assert (Key.of("library", "s2n", left).digest == Key.of("library", "s2n", right).digest) is same


def test_an_undecodable_byte_is_not_taken_for_the_letter_it_would_be_part_of() -> None:
    escaped = b"\xc3\xa9".decode("ascii", "surrogateescape")
    assert key(path=escaped).digest != key(path="é").digest


def test_the_order_in_which_fields_are_given_is_of_no_account() -> None:
    assert Key("library", "s2n", (("b", "2"), ("a", "1"))) == Key("library", "s2n", (("a", "1"), ("b", "2")))


def test_the_text_is_readable() -> None:
    text = Key.of("library", "s2n", [("toolchain.cc", "zig 0.16.0"), ("option.A B", "1\n2")]).text
    assert text == "format: 1\nkind: library\nname: s2n\noption.A B: 1\\xa;2\ntoolchain.cc: zig 0.16.0\n"


@pytest.mark.parametrize(
    "fields",
    [[("a", "1"), ("a", "2")], [("", "1")], [("a: b", "1")], [("a\nb", "1")], [("a\\b", "1")]],
    ids=["twice", "empty", "separator", "newline", "escape"],
)
def test_ambiguous_fields_are_refused(fields: list[tuple[str, str]]) -> None:
    with pytest.raises(UsageError):
        Key.of("library", "s2n", fields)


@pytest.mark.parametrize("kind", ["", "..", "a/b", "A", "a b", "x" * 33])
def test_a_kind_that_cannot_be_a_folder_is_refused(kind: str) -> None:
    with pytest.raises(UsageError, match="not a kind"):
        Key.of(kind, "s2n", ())


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(UsageError, match="3 problems"):
        Key.of("A", "s2n", [("", "1"), ("a", "1"), ("a", "2")])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        "format: 2\nkind: a\nname: b\n",
        "kind: a\nformat: 1\nname: b\n",
        "format: 1\nkind: a\nname: b",
        "format: 1\nkind: a\nname: b\n\n",
        "format: 1\nkind: a\nname: \\x62;\n",
        "format: 1\nkind: a\nname: \\x110000;\n",
        "format: 1\nkind: a\nname: b\nz: 1\na: 1\n",
        "format: 1\nkind: a\nname: b\na: 1\na: 1\n",
        "format: 1\nkind: a\nname: é\n",
    ],
)
def test_a_text_that_no_key_has_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        Key.parse(text)


def test_differences_name_what_changed_was_added_and_is_gone() -> None:
    ours, theirs = key(cc="gcc 13", opt="-O2", floor="2.17"), key(cc="gcc 12", opt="-O2", libc="musl")
    assert differences(ours, theirs) == (
        Difference("cc", "gcc 13", "gcc 12"),
        Difference("floor", "2.17", None),
        Difference("libc", None, "musl"),
    )


def test_nearest_is_of_the_same_name_and_differs_least() -> None:
    wanted = key(a="1", b="1", c="1")
    near, far = key(a="1", b="1", c="2"), key(a="2", b="2", c="1")
    other = Key.of("library", "aws-lc", wanted.fields)
    assert nearest(wanted, [far, other, near]) == near
    assert nearest(wanted, [other]) is None
