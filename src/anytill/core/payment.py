"""Payments and refunds as values: what a till asks for, and the record that the gateway keeps.

A record is frozen; a change makes a new one (`core.settle`) and the store replaces the old by the new only if nobody
else did so first (`version`). The vendors' own extras travel as a named mapping that is stored and echoed, and never
interpreted here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from operator import attrgetter
from typing import Final

from anytill.core.lifecycle import OPEN_STATES, UNDOING_STATES, UNPAID_STATES, PaymentState, RefundState
from anytill.core.money import CNY
from anytill.core.secret import Secret
from anytill.core.wallet import Wallet


class Method(StrEnum):
    """How the payer meets the order."""

    BARCODE = "BARCODE"  # the till scans the payer's code
    FACE = "FACE"  # the payer's face, vouched for by the wallet's own device
    QR = "QR"  # the payer scans a code made for this order
    JSAPI = "JSAPI"  # a page or mini-program inside the wallet
    APP = "APP"
    H5 = "H5"
    CARD = "CARD"  # a card, or an Octopus, at the terminal's reader


#: Methods whose payer stands at the till: the answer must come within a minute.
AT_THE_TILL = frozenset({Method.BARCODE, Method.FACE, Method.CARD})


class Verdict(StrEnum):
    """What a cashier may do: hand over the goods, wait, or ask for the money again."""

    PAID = "PAID"
    OPEN = "OPEN"
    NOT_PAID = "NOT_PAID"


@dataclass(frozen=True, slots=True)
class PayOrder:
    """What a till asks for when it wants to be paid."""

    order_no: str  # the merchant's own number, unique for ever; "" from vendors that have none: the code stands for it
    amount_fen: int
    method: Method = Method.BARCODE
    subject: str = ""
    currency: str = CNY
    pay_code: Secret | None = None  # the payer's code (BARCODE), face ticket (FACE) or card (CARD)
    wallet: Wallet | None = None  # needed unless the code names it
    payer_id: str = ""
    attach: str = ""  # the merchant's own text, echoed
    notice_url: str = ""
    expires_in_s: int | None = None  # None: as long as the method allows
    details: Mapping[str, str] = field(default_factory=dict)  # the dialect's extras: stored, echoed, not read

    def digest(self, dialect: str) -> str:
        """A fingerprint of the whole wish: two orders with one number are "the same" only if this is equal."""
        code = self.pay_code.reveal() if self.pay_code else ""
        plain = map(str, _plain_values(self))
        return fingerprint(dialect, code, *plain, *[f"{k}={v}" for k, v in sorted(self.details.items())])


#: Every value of an order but the code, which must be revealed, and the details, which are many.
_plain_values: Final = attrgetter(*(f.name for f in fields(PayOrder) if f.name not in {"pay_code", "details"}))


@dataclass(frozen=True, slots=True)
class PaymentRef:
    """A payment by the merchant's number or by ours; the merchant's wins when both are given."""

    order_no: str = ""
    payment_id: str = ""


@dataclass(frozen=True, slots=True)
class Payment:
    """One order and all that is known of it."""

    merchant_id: str
    payment_id: str  # ours: 20 digits, rising with time; also our number at the channel
    order_no: str
    method: Method
    wallet: Wallet
    state: PaymentState
    amount_fen: int
    currency: str = CNY
    paid_fen: int = 0  # what the payer really gave: the amount less the coupon
    coupon_fen: int = 0
    reserved_fen: int = 0  # asked back and not definitely failed; never more than paid_fen
    refunded_fen: int = 0  # back with the payer by refund
    returned_fen: int = 0  # refunds that came back to the merchant's cash account
    reversed_fen: int = 0  # back with the payer by cancellation: all that was taken, paid or parked
    parked_fen: int = 0  # taken by the channel in contradiction to the order; then paid_fen stays 0
    subject: str = ""
    attach: str = ""
    payer_id: str = ""
    channel: str = ""
    channel_trade_no: str = ""  # the wallet's number
    invitation: Mapping[str, str] = field(default_factory=dict)  # how the payer can pay: code_url, pay_info …
    slip: Mapping[str, str] = field(default_factory=dict)  # of a card: `core.answer` names what may stand there
    reason: str = ""  # the channel's words when it said no
    created_at_ms: int = 0
    paid_at_ms: int | None = None
    ended_at_ms: int | None = None
    deadline_at_ms: int = 0  # unpaid by then: the gateway takes the order back
    dialect: str = ""
    login: str = ""  # the credential that asked; notices are signed with its key
    notice_url: str = ""
    details: Mapping[str, str] = field(default_factory=dict)
    order_digest: str = ""
    code_digest: str | None = None  # holds the payer's code while it must not be used for another order
    code_hint: str = ""  # the code with its middle masked
    asked: int = 0  # how often the channel was asked in vain since the state last changed
    due_at_ms: int | None = None  # when the gateway itself must act next; None: nothing to do
    version: int = 0

    @property
    def ref(self) -> PaymentRef:
        """Both numbers."""
        return PaymentRef(self.order_no, self.payment_id)

    @property
    def verdict(self) -> Verdict:
        """What the cashier may be told. Never NOT_PAID while the payer's money could still be with us."""
        if self.state is PaymentState.PAID:
            return Verdict.PAID
        return Verdict.NOT_PAID if self.state in UNPAID_STATES else Verdict.OPEN

    @property
    def is_open(self) -> bool:
        """The channel has not told an end."""
        return self.state in OPEN_STATES

    @property
    def is_undoing(self) -> bool:
        """On its way to CANCELLED."""
        return self.state in UNDOING_STATES


@dataclass(frozen=True, slots=True)
class RefundOrder:
    """What a till asks for when it gives money back."""

    payment: PaymentRef
    refund_no: str  # the merchant's own number for this refund, unique for ever; "" from vendors that have none
    amount_fen: int
    reason: str = ""
    details: Mapping[str, str] = field(default_factory=dict)
    repeat_key: str = ""  # needed without a number: equal for who asks for the same amount of the same payment again


@dataclass(frozen=True, slots=True)
class RefundRef:
    """A refund by the merchant's number or by ours; the merchant's wins when both are given."""

    refund_no: str = ""
    refund_id: str = ""
    payment_id: str = ""  # of the payment, for vendors that want to be told it too


@dataclass(frozen=True, slots=True)
class Refund:
    """One wish to give money back, and what became of it."""

    merchant_id: str
    refund_id: str  # ours; also our number at the channel, kept through every retry
    refund_no: str
    payment_id: str
    order_no: str
    state: RefundState
    amount_fen: int
    currency: str = CNY
    refunded_fen: int = 0  # what really went back to the payer
    channel: str = ""
    channel_refund_no: str = ""
    reason: str = ""
    details: Mapping[str, str] = field(default_factory=dict)
    created_at_ms: int = 0
    ended_at_ms: int | None = None
    order_digest: str = ""
    asked: int = 0
    due_at_ms: int | None = None
    version: int = 0

    @property
    def ref(self) -> RefundRef:
        """Both numbers."""
        return RefundRef(self.refund_no, self.refund_id)


def fingerprint(*parts: str) -> str:
    """SHA-256 over the parts, each with its length, so that no two lists of parts run together."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode()
        digest.update(b"%d:" % len(data))
        digest.update(data)
    return digest.hexdigest()
