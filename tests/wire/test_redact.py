"""Masks show what is allowed and not a digit more."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anytill.wire.redact import mask_code, mask_secret


@pytest.mark.parametrize(
    ("code", "masked"),
    [
        ("130258282169498444", "130258**********44"),
        ("1302582821694984", "130258********84"),
        ("130258282169498", "***************"),
        ("", ""),
    ],
)
def test_a_code_shows_six_and_two(code: str, masked: str) -> None:
    assert mask_code(code) == masked


@given(st.text())
def test_a_mask_keeps_the_length_and_never_shows_more_than_eight(code: str) -> None:
    masked = mask_code(code)
    assert len(masked) == len(code)
    assert masked.count("*") >= min(len(code), len(code) - 8)


def test_a_secret_shows_not_even_its_length() -> None:
    assert mask_secret("a") == mask_secret("a much longer secret") == "********"
    assert mask_secret("") == ""
