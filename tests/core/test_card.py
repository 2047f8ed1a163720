"""A card is one presentation of a right number, and what is shown of it is not the card."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anytill.core.card import Card, CardScheme, mask_pan, parse_card, scheme_of
from anytill.core.errors import InvalidPayCode
from anytill.core.secret import Secret


@pytest.mark.parametrize(
    ("pan", "scheme", "shown"),
    [
        ("4242424242424242", CardScheme.VISA, "424242******4242"),
        ("4222222222222", CardScheme.VISA, "422222***2222"),
        ("5200000000001096", CardScheme.MASTERCARD, "520000******1096"),
        ("2223003122003222", CardScheme.MASTERCARD, "222300******3222"),
        ("6200000000000005", CardScheme.UNIONPAY, "620000******0005"),
        ("6205500000000000004", CardScheme.UNIONPAY, "620550*********0004"),
        ("8171999927660000", CardScheme.UNIONPAY, "817199******0000"),
        ("378282246310005", CardScheme.AMEX, "378282*****0005"),
        ("12345678", CardScheme.OCTOPUS, "****5678"),
        ("123456789", CardScheme.OCTOPUS, "*****6789"),
    ],
)
def test_a_number_names_its_scheme_and_is_shown_in_part(pan: str, scheme: CardScheme, shown: str) -> None:
    card = parse_card(Secret(f"{pan}=12"))
    assert card == Card(pan, "12")
    assert scheme_of(pan) is card.scheme is scheme
    assert mask_pan(pan) == shown
    assert card.presentation == f"{pan}=12"
    assert pan not in repr(card)


def test_the_pin_is_part_of_the_card_and_not_of_the_presentation() -> None:
    card = parse_card(Secret("4242424242424242=7=123456"))
    assert card.pin == "123456"
    assert card.presentation == "4242424242424242=7"
    assert "123456" not in repr(card)


@pytest.mark.parametrize(
    "presented",
    [
        "",
        "4242424242424242",  # no sequence
        "4242424242424242=",
        "4242424242424241=1",  # check digit
        "424242424242424=1",  # no length of this scheme
        "3530111333300000=1",  # a scheme that is not known here
        "4242424242424242=1=123",
        "4242424242424242=1=1234567",
        "4242424242424242=1=1234=5",
        "4242424242424242=1\n",
        "4242424242424242=１",
        "4242 4242 4242 4242=1",
        "12345678=1=1234",  # an Octopus has no PIN
        "1234567=1",
        "130258282169498444",  # a payer's code
    ],
)
def test_anything_else_is_no_card(presented: str) -> None:
    with pytest.raises(InvalidPayCode):
        parse_card(Secret(presented))


@given(st.text() | st.from_regex(r"\A[0-9]{6,20}=[0-9]{0,13}(=[0-9]{0,7})?\Z"))
def test_any_text_is_a_card_or_none(presented: str) -> None:
    try:
        card = parse_card(Secret(presented))
    except InvalidPayCode:
        return
    assert presented.startswith(card.presentation)


@given(st.from_regex(r"\A4[0-9]{15}\Z"), st.integers(0, 14))
def test_one_wrong_digit_is_seen(pan: str, place: int) -> None:
    right = next(each for each in (f"{pan[:15]}{digit}" for digit in "0123456789") if _fits(each))
    wrong = f"{right[:place]}{(int(right[place]) + 1) % 10}{right[place + 1 :]}"
    assert not _fits(wrong)


@given(st.from_regex(r"\A[0-9]{0,20}\Z"))
def test_a_shown_number_hides_some_of_it(pan: str) -> None:
    shown = mask_pan(pan)
    assert len(shown) == len(pan)
    assert not pan or "*" in shown


def _fits(pan: str) -> bool:
    try:
        return parse_card(Secret(f"{pan}=1")).pan == pan
    except InvalidPayCode:
        return False
