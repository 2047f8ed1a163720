"""A card as it is presented at a terminal's reader, and what may be kept of it.

    PAN=SEQUENCE          5200000000001096=1           a card, tapped or put in
    PAN=SEQUENCE=PIN      5200000000001096=2=1234      … and its holder's number of four to six digits
    NUMBER=SEQUENCE       12345678=1                   an Octopus, whose numbers have eight or nine digits

A chip counts how often it is used; that count is the sequence, so one presentation is not the next one of the same
card. It stands for the cryptogram of a real reader, which an acquirer accepts once. The whole text is a secret: neither
a PAN nor a PIN is ever stored, logged or told; `mask_pan` says what may be.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from anytill.core.errors import InvalidPayCode
from anytill.core.secret import Secret


class CardScheme(StrEnum):
    """Whose card it is."""

    VISA = "VISA"
    MASTERCARD = "MASTERCARD"
    UNIONPAY = "UNIONPAY"
    AMEX = "AMEX"
    OCTOPUS = "OCTOPUS"


#: ISO/IEC 7812 ranges as the schemes publish them, with the lengths their numbers have.
_SCHEMES: Final = (
    (CardScheme.VISA, re.compile(r"4(?:[0-9]{12}|[0-9]{15}|[0-9]{18})")),
    (CardScheme.MASTERCARD, re.compile(r"5[1-5][0-9]{14}")),
    (CardScheme.MASTERCARD, re.compile(r"(?:222[1-9]|22[3-9][0-9]|2[3-6][0-9]{2}|27[01][0-9]|2720)[0-9]{12}")),
    (CardScheme.AMEX, re.compile(r"3[47][0-9]{13}")),
    (CardScheme.UNIONPAY, re.compile(r"(?:62|81)[0-9]{14,17}")),
    (CardScheme.OCTOPUS, re.compile(r"[0-9]{8,9}")),
)
_PRESENTED: Final = re.compile(r"([0-9]{8,19})=([0-9]{1,12})(?:=([0-9]{4,6}))?")
_SHOWN_FIRST: Final = 6
_SHOWN_LAST: Final = 4
_SHORTEST_PAN: Final = 13


@dataclass(frozen=True, slots=True)
class Card:
    """One presentation of a card."""

    pan: str = field(repr=False)
    sequence: str
    pin: str = field(default="", repr=False)  # empty: none was entered

    @property
    def scheme(self) -> CardScheme:
        """Whose card it is."""
        return scheme_of(self.pan)

    @property
    def presentation(self) -> str:
        """What makes it this presentation and no other: with it one order is paid. As secret as the PAN."""
        return f"{self.pan}={self.sequence}"


def parse_card(presented: Secret) -> Card:
    """The card that was presented. Raises InvalidPayCode for any other text, for a PAN whose check digit is wrong, and
    for one of no scheme that is known here."""
    match = _PRESENTED.fullmatch(presented.reveal())
    if match is None:
        raise InvalidPayCode
    card = Card(match[1], match[2], match[3] or "")
    octopus = card.scheme is CardScheme.OCTOPUS
    if card.pin if octopus else not _luhn_is_right(card.pan):
        raise InvalidPayCode
    return card


def scheme_of(pan: str) -> CardScheme:
    """Whose card has this number. Raises InvalidPayCode for one of no scheme that is known here."""
    for scheme, numbers in _SCHEMES:
        if numbers.fullmatch(pan):
            return scheme
    raise InvalidPayCode


def mask_pan(pan: str) -> str:
    """The first six digits and the last four, as receipts show a card: `520000******1096`. Of a shorter number, as an
    Octopus has, the last four alone."""
    first = _SHOWN_FIRST if len(pan) >= _SHORTEST_PAN else 0
    hidden = len(pan) - first - _SHOWN_LAST
    return "*" * len(pan) if hidden <= 0 else f"{pan[:first]}{'*' * hidden}{pan[-_SHOWN_LAST:]}"


def _luhn_is_right(pan: str) -> bool:
    """ISO/IEC 7812-1, annex B."""
    doubled = [sum(divmod(2 * int(digit), 10)) for digit in pan[-2::-2]]
    return (sum(doubled) + sum(map(int, pan[-1::-2]))) % 10 == 0
