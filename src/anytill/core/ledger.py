"""Double entry: every movement of money is a posting whose lines sum to zero in its currency.

Accounts, per merchant:
    channel:<name>  what the channel holds for us (plus) — it took money from payers
    merchant        what we owe the merchant (minus)
    cash            refunds that bounced into the merchant's cash account (plus: the merchant has it)
    suspense        money that was taken in contradiction to the order (minus: it is not the merchant's yet)

The store keeps lines for ever and adds each (payment or refund, kind) once, so booking a movement twice is not a bug
that loses money but an error the database refuses.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from anytill.core.payment import Payment, Refund


class PostingKind(StrEnum):
    """Which movement a posting records."""

    SALE = "SALE"
    REVERSAL = "REVERSAL"
    REFUND = "REFUND"
    REFUND_TO_CASH = "REFUND_TO_CASH"
    PARK = "PARK"
    UNPARK = "UNPARK"


@dataclass(frozen=True, slots=True)
class Line:
    """One account's side of a posting, in signed fen."""

    account: str
    amount_fen: int


@dataclass(frozen=True, slots=True)
class Posting:
    """One movement: its lines sum to zero."""

    merchant_id: str
    payment_id: str
    subject_id: str  # the payment or the refund that moved the money
    kind: PostingKind
    currency: str
    at_ms: int
    lines: tuple[Line, Line]

    def __post_init__(self) -> None:
        if sum(line.amount_fen for line in self.lines) != 0:
            raise ValueError(f"posting {self.kind} of {self.subject_id} does not sum to zero")


def _posting(
    payment: Payment, subject_id: str, kind: PostingKind, at_ms: int, plus: str, minus: str, fen: int
) -> Posting:
    if fen <= 0:
        raise ValueError(f"posting {kind} of {subject_id} moves {fen}")
    lines = (Line(plus, fen), Line(minus, -fen))
    return Posting(payment.merchant_id, payment.payment_id, subject_id, kind, payment.currency, at_ms, lines)


def channel_account(payment: Payment) -> str:
    """The account of the channel that took this payment."""
    return f"channel:{payment.channel}"


def sale(payment: Payment, at_ms: int) -> Posting:
    """The payer paid: the channel holds paid_fen, which we owe the merchant."""
    account = channel_account(payment)
    return _posting(payment, payment.payment_id, PostingKind.SALE, at_ms, account, "merchant", payment.paid_fen)


def reversal(payment: Payment, at_ms: int) -> Posting:
    """A paid payment was cancelled: the payer has everything back."""
    account = channel_account(payment)
    return _posting(payment, payment.payment_id, PostingKind.REVERSAL, at_ms, "merchant", account, payment.paid_fen)


def refund(payment: Payment, done: Refund, at_ms: int) -> Posting:
    """A refund reached the payer."""
    account = channel_account(payment)
    return _posting(payment, done.refund_id, PostingKind.REFUND, at_ms, "merchant", account, done.refunded_fen)


def refund_to_cash(payment: Payment, bounced: Refund, at_ms: int) -> Posting:
    """A refund could not reach the payer and lies in the merchant's cash account."""
    account = channel_account(payment)
    return _posting(payment, bounced.refund_id, PostingKind.REFUND_TO_CASH, at_ms, "cash", account, bounced.amount_fen)


def park(payment: Payment, at_ms: int) -> Posting:
    """The channel took money that contradicts the order: it is nobody's until a person decides."""
    account = channel_account(payment)
    return _posting(payment, payment.payment_id, PostingKind.PARK, at_ms, account, "suspense", payment.parked_fen)


def unpark(payment: Payment, at_ms: int) -> Posting:
    """Parked money went back to the payer."""
    account = channel_account(payment)
    return _posting(payment, payment.payment_id, PostingKind.UNPARK, at_ms, "suspense", account, payment.parked_fen)
