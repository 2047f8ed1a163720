"""Signed texts and digests."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anytill.wire.signing import concatenated, joined, md5_upper, same_digest, sha1_upper, sorted_pairs

FIELDS = {"b": "2", "sign": "ABC", "a": "", "C": "茶 &="}


def test_names_are_sorted_and_the_signature_is_left_out() -> None:
    assert joined(FIELDS, keep_empty=True) == "C=茶 &=&a=&b=2"
    assert concatenated(FIELDS, keep_empty=True) == "C茶 &=ab2"


def test_empty_values_can_be_dropped() -> None:
    assert joined(FIELDS, keep_empty=False) == "C=茶 &=&b=2"
    assert concatenated(FIELDS, keep_empty=False) == "C茶 &=b2"


def test_the_order_can_ignore_case() -> None:
    assert joined(FIELDS, keep_empty=True, fold_case=True) == "a=&b=2&C=茶 &="
    assert sorted_pairs({"b": "1", "B": "2", "a": "3"}, keep_empty=True, fold_case=True) == [
        ("a", "3"),
        ("B", "2"),
        ("b", "1"),
    ]


def test_what_is_left_out_can_be_chosen() -> None:
    assert joined(FIELDS, keep_empty=False, skip=("b", "C")) == "sign=ABC"


@given(st.dictionaries(st.text(max_size=3), st.text(max_size=3)))
def test_the_order_of_the_fields_does_not_matter(fields: dict[str, str]) -> None:
    backwards = dict(reversed(fields.items()))
    assert joined(fields, keep_empty=True, fold_case=True) == joined(backwards, keep_empty=True, fold_case=True)
    assert concatenated(fields, keep_empty=False) == concatenated(backwards, keep_empty=False)


@pytest.mark.parametrize(
    ("text", "md5", "sha1"),
    [
        ("", "D41D8CD98F00B204E9800998ECF8427E", "DA39A3EE5E6B4B0D3255BFEF95601890AFD80709"),
        ("abc", "900150983CD24FB0D6963F7D28E17F72", "A9993E364706816ABA3E25717850C26C9CD0D89D"),
    ],
)
def test_digests_are_upper_case_hex(text: str, md5: str, sha1: str) -> None:
    """The values are those of RFC 1321 and RFC 3174."""
    assert md5_upper(text) == md5
    assert sha1_upper(text) == sha1


def test_digests_are_of_utf8_bytes() -> None:
    assert md5_upper("茶") == hashlib.md5(b"\xe8\x8c\xb6", usedforsecurity=False).hexdigest().upper()


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("AB12", "ab12", True),
        ("ab12", "ab13", False),
        ("ab12", "ab1", False),
        ("ab12", "", False),
        ("ab12", "ab1２", False),
        ("k", "\u212a", False),  # KELVIN SIGN, whose str.lower() is a plain k
        ("ab12", "\ud800", False),
        ("茶", "茶", True),
    ],
)
def test_comparing(one: str, other: str, same: bool) -> None:
    assert same_digest(one, other) is same
    assert same_digest(other, one) is same


@given(st.text(st.characters()), st.text(st.characters()))
def test_comparing_never_raises(one: str, other: str) -> None:
    assert same_digest(one, one)
    assert same_digest(one, other) is same_digest(other, one)
