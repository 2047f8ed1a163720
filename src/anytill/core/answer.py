"""A channel's word, as a value: what it said when it was asked to pay, query, cancel or refund.

There is no exception among them. A channel adapter turns whatever happened (an answer, a time-out, rubbish) into one
of these, and anything it cannot understand into SILENT: silence is asked about again, a wrong "no" would be a lie.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from anytill.core.lifecycle import PaymentEvent, RefundEvent
from anytill.core.money import CNY


@dataclass(frozen=True, slots=True)
class Answer:
    """What a channel said about a payment."""

    event: PaymentEvent
    amount_fen: int = 0  # PAID: the order's amount as the channel has it, coupon included
    coupon_fen: int = 0  # PAID: the part of amount_fen that the payer did not pay
    currency: str = CNY
    channel_trade_no: str = ""
    payer_id: str = ""
    paid_at_ms: int | None = None
    invitation: Mapping[str, str] = field(default_factory=dict)  # WAITING: how the payer can pay
    #: What a card's slip says beside the channel_trade_no: scheme, card_no (masked), card_type, batch_no, trace_no and,
    #: when it was approved, auth_code; as far as the channel tells.
    slip: Mapping[str, str] = field(default_factory=dict)
    reason: str = ""
    by_refund: bool = False  # CANCELLED: the money went back as a refund of its own, which a query may not show


@dataclass(frozen=True, slots=True)
class RefundAnswer:
    """What a channel said about a refund."""

    event: RefundEvent
    refunded_fen: int = 0  # DONE: what went back to the payer
    channel_refund_no: str = ""
    reason: str = ""


#: Nothing was heard: a time-out, a broken line, an answer nobody can read.
SILENCE = Answer(PaymentEvent.SILENT)
REFUND_SILENCE = RefundAnswer(RefundEvent.SILENT)
