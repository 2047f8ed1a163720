"""The sandbox's card scheme: what an issuer says to a card, and what stands on the slip.

Amounts tell the story here, not the card (`outcomes.card_outcome`), so that one test card does for all of them. Beside
that a card is asked for its PIN above 1,000.00, and `0000` is the wrong one. What is kept of a card is its masked
number and a digest of its presentation; the digest has no key, so the sandbox is a place for made-up cards alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from anytill.channels.sandbox import numbers
from anytill.core.card import Card, CardScheme, mask_pan, parse_card
from anytill.core.errors import InvalidPayCode
from anytill.core.payment import Method, Payment
from anytill.core.secret import Secret

#: The largest sum, in fen or cents, that a card pays without its PIN.
WITHOUT_PIN_FEN: Final = 100_000
WRONG_PIN: Final = "0000"
#: Cards of these are paid from an account at once; an Octopus is neither sort.
_TYPES: Final = {
    CardScheme.VISA: "CREDIT",
    CardScheme.MASTERCARD: "CREDIT",
    CardScheme.AMEX: "CREDIT",
    CardScheme.UNIONPAY: "DEBIT",
}


def presented(payment: Payment, pay_code: Secret) -> Card | None:
    """The card that is to pay, if this is a card payment and the text is a card."""
    if payment.method is not Method.CARD:
        return None
    try:
        return parse_card(pay_code)
    except InvalidPayCode:
        return None


def objection(card: Card, amount_fen: int) -> str:
    """Why this card does not pay this sum; empty when it does."""
    if card.pin == WRONG_PIN:
        return "the PIN is wrong"
    if not card.pin and amount_fen > WITHOUT_PIN_FEN and card.scheme is not CardScheme.OCTOPUS:
        return "the PIN is needed for this amount"
    return ""


def slip(card: Card, channel_order: str, serial: int, now_ms: int, *, approved: bool) -> Mapping[str, str]:
    """What stands on the slip; an approval has its code beside what every try has."""
    facts = {
        "scheme": card.scheme.value,
        "card_no": mask_pan(card.pan),
        "card_type": _TYPES.get(card.scheme, ""),
        "batch_no": numbers.batch_no(now_ms),
        "trace_no": numbers.trace_no(serial),
        "auth_code": numbers.auth_code(channel_order) if approved else "",
    }
    return {name: value for name, value in facts.items() if value}
