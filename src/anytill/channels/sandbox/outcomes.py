"""What happens, as data: the last two digits of a payer's code choose the payment's story, those of the amount in fen
choose a card payment's and a refund's. Whatever is not in a table succeeds at once.

The stories are the ones that hurt in real life: prompts nobody answers, success that was never heard of, a "no" that
is one, another amount than was asked. The README of this folder has the same tables in words.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Final

from anytill.channels.sandbox.records import OrderState, WalletRefundState

PROMPT_MS: Final = 10_000
SLOW_REFUND_MS: Final = 10_000


class Voice(Enum):
    """How the wallet answers the call itself; what it did is another matter."""

    SPEAKS = "speaks"
    NEVER_ANSWERS = "never answers"  # the caller waits until its patience ends
    SYSTEM_ERROR = "system error"  # at once, and worth as little as silence


@dataclass(frozen=True, slots=True)
class PayOutcome:
    """The story of one payment."""

    state: OrderState = OrderState.PAID
    then: OrderState | None = None  # what becomes of it by itself after PROMPT_MS
    reason: str = ""
    voice: Voice = Voice.SPEAKS
    arrives: bool = True  # False: the call was lost on its way, the wallet knows nothing
    surplus_fen: int = 0  # charged beyond what was asked
    coupon: bool = False


@dataclass(frozen=True, slots=True)
class RefundOutcome:
    """The story of one refund."""

    state: WalletRefundState = WalletRefundState.DONE
    then: WalletRefundState | None = None  # after SLOW_REFUND_MS
    reason: str = ""
    voice: Voice = Voice.SPEAKS


PAY_OUTCOMES: Mapping[str, PayOutcome] = MappingProxyType(
    {
        "01": PayOutcome(OrderState.WAITING, then=OrderState.PAID),
        "02": PayOutcome(OrderState.WAITING, then=OrderState.REFUSED, reason="the payer cancelled"),
        "03": PayOutcome(OrderState.WAITING),
        "04": PayOutcome(OrderState.REFUSED, reason="not enough money"),
        "05": PayOutcome(OrderState.REFUSED, reason="the code has expired"),
        "06": PayOutcome(voice=Voice.NEVER_ANSWERS),
        "07": PayOutcome(voice=Voice.NEVER_ANSWERS, arrives=False),
        "08": PayOutcome(surplus_fen=1),
        "09": PayOutcome(voice=Voice.SYSTEM_ERROR),
        "10": PayOutcome(coupon=True),
    }
)

#: A card is never waited for and has no coupons, so 01, 02, 03 and 10 are approved like any other sum.
CARD_OUTCOMES: Mapping[int, PayOutcome] = MappingProxyType(
    {
        4: PayOutcome(OrderState.REFUSED, reason="declined: not enough money"),
        5: PayOutcome(OrderState.REFUSED, reason="declined: the card has expired"),
        6: PAY_OUTCOMES["06"],
        7: PAY_OUTCOMES["07"],
        8: PAY_OUTCOMES["08"],
        9: PAY_OUTCOMES["09"],
    }
)

REFUND_OUTCOMES: Mapping[int, RefundOutcome] = MappingProxyType(
    {
        91: RefundOutcome(WalletRefundState.PROCESSING, then=WalletRefundState.DONE),
        92: RefundOutcome(WalletRefundState.REFUSED, reason="the wallet refuses this refund"),
        93: RefundOutcome(
            WalletRefundState.RETURNED, reason="the payer's account is closed: returned to the cash account"
        ),
        94: RefundOutcome(voice=Voice.NEVER_ANSWERS),
    }
)

_PAID_AT_ONCE: Final = PayOutcome()
_DONE_AT_ONCE: Final = RefundOutcome()
_TWO_DIGITS: Final = re.compile(r"[0-9]{2}")


def pay_outcome(pay_code: str) -> PayOutcome:
    """What a payer's code, or a face ticket, leads to."""
    ending = pay_code[-2:]
    return PAY_OUTCOMES.get(ending, _PAID_AT_ONCE) if _TWO_DIGITS.fullmatch(ending) else _PAID_AT_ONCE


def card_outcome(amount_fen: int) -> PayOutcome:
    """What a card payment of this amount leads to, if the card itself has nothing against it."""
    return CARD_OUTCOMES.get(amount_fen % 100, _PAID_AT_ONCE)


def refund_outcome(amount_fen: int) -> RefundOutcome:
    """What a refund of this amount leads to."""
    return REFUND_OUTCOMES.get(amount_fen % 100, _DONE_AT_ONCE)
