"""What a word does to a payment or a refund: the new record, the postings, and whether somebody must be told.

These functions are the only callers of the lifecycle tables. They are pure: the gateway calls them with what a
channel said, writes the result in one transaction, and if somebody else was faster reads again and calls them again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from anytill.core import ledger, retry
from anytill.core.answer import Answer, RefundAnswer
from anytill.core.errors import NotCancellable
from anytill.core.ledger import Posting
from anytill.core.lifecycle import (
    UNPAID_STATES,
    IllegalMove,
    PaymentEvent,
    PaymentState,
    RefundEvent,
    RefundState,
    next_refund_state,
    next_state,
)
from anytill.core.payment import Payment, Refund


@dataclass(frozen=True, slots=True)
class Change:
    """A payment's next record and what must be written with it."""

    after: Payment
    postings: tuple[Posting, ...] = ()
    news: bool = True  # something is known now that was not; without it only the next due time moved
    paid: bool = False  # it has just become PAID: a notice is due
    alarm: str = ""  # what a person must hear of; empty when all is as it should be


@dataclass(frozen=True, slots=True)
class RefundChange:
    """A refund's next record, and by how much the payment's sums change with it."""

    after: Refund
    postings: tuple[Posting, ...] = ()
    news: bool = True  # as in Change
    released_fen: int = 0  # of the reservation, because it definitely did not happen
    refunded_fen: int = 0
    returned_fen: int = 0
    alarm: str = ""


def hear(payment: Payment, answer: Answer, now_ms: int) -> Change:
    """What the channel's answer makes of the payment. A word that its state cannot take changes nothing but alarms."""
    event = _checked(payment, answer)
    try:
        state = next_state(payment.state, event)
    except IllegalMove as contradiction:
        return Change(payment, news=False, alarm=f"contradiction: {contradiction}")
    moved = state is not payment.state
    after = replace(
        payment,
        state=state,
        channel_trade_no=answer.channel_trade_no or payment.channel_trade_no,
        payer_id=answer.payer_id or payment.payer_id,
        invitation=answer.invitation or payment.invitation,
        reason=answer.reason or payment.reason,
    )
    news = after != payment
    after = replace(after, asked=0 if moved else payment.asked + 1)
    return replace(_booked(payment, after, event, answer, now_ms), news=news)


def ask_cancel(payment: Payment, now_ms: int) -> Change:
    """The decision to take a payment back, by the till or at the deadline. Raises NotCancellable."""
    if payment.reserved_fen:
        raise NotCancellable
    try:
        state = next_state(payment.state, PaymentEvent.CANCEL_ASKED)
    except IllegalMove:
        raise NotCancellable from None
    after = replace(payment, state=state, asked=0)
    return Change(replace(after, due_at_ms=retry.payment_due_at(after, now_ms)))


def _checked(payment: Payment, answer: Answer) -> PaymentEvent:
    """The event, with success downgraded to MISMATCHED unless amount and currency are exactly those asked for."""
    if answer.event is not PaymentEvent.PAID:
        return answer.event
    agrees = answer.amount_fen == payment.amount_fen and answer.currency == payment.currency
    return PaymentEvent.PAID if agrees and _coupon_is_sane(answer) else PaymentEvent.MISMATCHED


def _coupon_is_sane(answer: Answer) -> bool:
    return 0 <= answer.coupon_fen < answer.amount_fen


def _taken_fen(answer: Answer) -> int:
    """What a contradictory success took from the payer, as far as its figures can be believed at all."""
    return max(answer.amount_fen - answer.coupon_fen if _coupon_is_sane(answer) else answer.amount_fen, 0)


def _booked(before: Payment, after: Payment, event: PaymentEvent, answer: Answer, now_ms: int) -> Change:
    """Books the money that `event` moved, and says when the gateway acts next."""
    postings: tuple[Posting, ...] = ()
    alarm = ""
    taken = before.paid_fen or before.parked_fen  # money is booked once; what is said later is about the same money
    if event is PaymentEvent.PAID and not taken:
        after = replace(
            after,
            paid_fen=answer.amount_fen - answer.coupon_fen,
            coupon_fen=answer.coupon_fen,
            paid_at_ms=answer.paid_at_ms or now_ms,
        )
        postings += (ledger.sale(after, now_ms),)
    elif event is PaymentEvent.MISMATCHED and not taken:
        after = replace(after, parked_fen=_taken_fen(answer))
        postings += (ledger.park(after, now_ms),) if after.parked_fen else ()
        alarm = "the channel confirms another amount than was asked"
    if after.state is PaymentState.CANCELLED and before.state is not PaymentState.CANCELLED:
        after, back = _given_back(after, now_ms)
        postings += back
    if before.state in UNPAID_STATES and after.state is not before.state:
        alarm = f"money turned up after the till was told {before.state}"
    elif after.state is PaymentState.PARKED and not alarm and before.state is not after.state:
        alarm = "the money cannot be given back by cancel or refund"
    after = _ended(before, after, event, now_ms)
    paid = after.state is PaymentState.PAID and before.state is not PaymentState.PAID
    return Change(after, postings, paid=paid, alarm=alarm)


def _given_back(payment: Payment, now_ms: int) -> tuple[Payment, tuple[Posting, ...]]:
    """The postings of a cancellation that has succeeded."""
    back = replace(payment, reversed_fen=payment.paid_fen + payment.parked_fen)
    if payment.reversed_fen or not back.reversed_fen:  # it came back before, or none was ever taken
        return back, ()
    return back, (ledger.reversal(back, now_ms) if payment.paid_fen else ledger.unpark(back, now_ms),)


def _ended(before: Payment, after: Payment, event: PaymentEvent, now_ms: int) -> Payment:
    """Sets the due time; at an unpaid end frees the payer's code and asks for a last look."""
    if after.state not in UNPAID_STATES:
        ended = now_ms if after.state is PaymentState.PAID else None
        return replace(after, due_at_ms=retry.payment_due_at(after, now_ms), ended_at_ms=after.ended_at_ms or ended)
    if after.state is not before.state:
        due = None if before.reversed_fen or after.reversed_fen else retry.last_look_at(0, now_ms)
        return replace(after, due_at_ms=due, ended_at_ms=now_ms, code_digest=None)
    still_silent = event is PaymentEvent.SILENT
    return replace(after, due_at_ms=retry.last_look_at(after.asked, now_ms) if still_silent else None)


def hear_refund(payment: Payment, refund: Refund, answer: RefundAnswer, now_ms: int) -> RefundChange:
    """What the channel's answer makes of the refund. A word that its state cannot take changes nothing but alarms."""
    event = _checked_refund(refund, answer)
    try:
        state = next_refund_state(refund.state, event)
    except IllegalMove as contradiction:
        return RefundChange(refund, news=False, alarm=f"contradiction: {contradiction}")
    moved = state is not refund.state
    after = replace(
        refund,
        state=state,
        channel_refund_no=answer.channel_refund_no or refund.channel_refund_no,
        reason=answer.reason or refund.reason,
    )
    news = after != refund
    after = replace(after, asked=0 if moved else refund.asked + 1)
    after = replace(after, due_at_ms=retry.refund_due_at(after, now_ms))
    if not moved or after.due_at_ms is not None:
        return RefundChange(after, news=news)
    return _refund_ended(payment, replace(after, ended_at_ms=now_ms), now_ms)


def _checked_refund(refund: Refund, answer: RefundAnswer) -> RefundEvent:
    """DONE with another amount is not believed: the refund stays open and is asked about again."""
    if answer.event is RefundEvent.DONE and answer.refunded_fen != refund.amount_fen:
        return RefundEvent.PROCESSING
    return answer.event


def _refund_ended(payment: Payment, refund: Refund, now_ms: int) -> RefundChange:
    if refund.state is RefundState.DONE:
        refund = replace(refund, refunded_fen=refund.amount_fen)
        return RefundChange(refund, (ledger.refund(payment, refund, now_ms),), refunded_fen=refund.amount_fen)
    if refund.state is RefundState.RETURNED_TO_CASH:
        return RefundChange(
            refund,
            (ledger.refund_to_cash(payment, refund, now_ms),),
            returned_fen=refund.amount_fen,
            alarm="a refund came back to the merchant's cash account: pay the payer by hand",
        )
    return RefundChange(refund, released_fen=refund.amount_fen)
