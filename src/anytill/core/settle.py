"""What a word does to a payment or a refund: the new record, the postings, and whether somebody must be told.

These functions are the only callers of the lifecycle tables. They are pure: the gateway calls them with what a
channel said, writes the result in one transaction, and if somebody else was faster reads again and calls them again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

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
from anytill.core.payment import AT_THE_TILL, Payment, Refund
from anytill.core.records import changed

#: What an answer may add to what is known, named alike in both; an empty value adds nothing.
_FACTS: Final = ("channel_trade_no", "payer_id", "invitation", "slip", "reason")
#: States in which the gateway has nothing to do any more, but for a last look.
_ENDS: Final = UNPAID_STATES | {PaymentState.PAID}


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

    @property
    def done(self) -> bool:
        """It has just become DONE: a notice may be due."""
        return self.refunded_fen > 0


def hear(payment: Payment, answer: Answer, now_ms: int) -> Change:
    """What the channel's answer makes of the payment. A word that its state cannot take changes nothing but alarms."""
    event = _checked(payment, answer, now_ms)
    try:
        state = next_state(payment.state, event)
    except IllegalMove as contradiction:
        return Change(payment, news=False, alarm=f"contradiction: {contradiction}")
    moved = state is not payment.state
    facts = {name: value for name in _FACTS if (value := getattr(answer, name))}
    after = changed(
        payment,
        state=state,
        asked=0 if moved else payment.asked + 1,
        version=payment.version + 1,
        **facts,
        **_sums(payment, event, state, answer, now_ms),
        **_ending(payment, event, state, answer, now_ms),
    )
    if state not in _ENDS and not _is_for_a_person(payment.state, state):
        after = changed(after, due_at_ms=retry.payment_due_at(after, now_ms))
    return Change(
        after,
        _postings(payment, after, now_ms),
        news=moved or any(getattr(payment, name) != value for name, value in facts.items()),
        paid=moved and state is PaymentState.PAID,
        alarm=_alarm(payment, after),
    )


def ask_cancel(payment: Payment, now_ms: int) -> Change:
    """The decision to take a payment back, by the till or at the deadline. Raises NotCancellable."""
    if payment.reserved_fen:
        raise NotCancellable
    try:
        state = next_state(payment.state, PaymentEvent.CANCEL_ASKED)
    except IllegalMove:
        raise NotCancellable from None
    after = changed(payment, state=state, asked=0, version=payment.version + 1)
    return Change(changed(after, due_at_ms=retry.payment_due_at(after, now_ms)))


def _checked(payment: Payment, answer: Answer, now_ms: int) -> PaymentEvent:
    """The event. Success is MISMATCHED unless amount and currency are exactly those asked for, and PAID_LATE when the
    payer stood at a till that was to take the order for lost by then."""
    if answer.event is not PaymentEvent.PAID:
        return answer.event
    agrees = answer.amount_fen == payment.amount_fen and answer.currency == payment.currency
    if not (agrees and _coupon_is_sane(answer)):
        return PaymentEvent.MISMATCHED
    late = (answer.paid_at_ms or now_ms) >= payment.deadline_at_ms
    return PaymentEvent.PAID_LATE if late and payment.method in AT_THE_TILL else PaymentEvent.PAID


def _coupon_is_sane(answer: Answer) -> bool:
    return 0 <= answer.coupon_fen < answer.amount_fen


def _taken_fen(answer: Answer) -> int:
    """What a contradictory success took from the payer, as far as its figures can be believed at all."""
    return max(answer.amount_fen - answer.coupon_fen if _coupon_is_sane(answer) else answer.amount_fen, 0)


def _sums(payment: Payment, event: PaymentEvent, state: PaymentState, answer: Answer, now_ms: int) -> Mapping[str, Any]:
    """The sums that change. Money is taken once and given back once: what is said later is about the same money."""
    if state is PaymentState.CANCELLED:
        return {"reversed_fen": payment.paid_fen + payment.parked_fen}
    if payment.paid_fen or payment.parked_fen:
        return {}
    if event in (PaymentEvent.PAID, PaymentEvent.PAID_LATE):
        return {
            "paid_fen": answer.amount_fen - answer.coupon_fen,
            "coupon_fen": answer.coupon_fen,
            "paid_at_ms": answer.paid_at_ms or now_ms,
        }
    return {"parked_fen": _taken_fen(answer)} if event is PaymentEvent.MISMATCHED else {}


def _ending(
    payment: Payment, event: PaymentEvent, state: PaymentState, answer: Answer, now_ms: int
) -> Mapping[str, Any]:
    """At an end: when it came, and what is due after it. An unpaid end frees the payer's code and is looked at once
    more, since a "no" and a "cancelled" may both be wrong; a look that heard nothing is repeated."""
    if _is_for_a_person(payment.state, state):
        return {"due_at_ms": None}
    if state not in _ENDS:
        return {}
    if state is payment.state:
        again = event is PaymentEvent.SILENT
        return {"due_at_ms": retry.last_look_at(payment.asked + 1, now_ms) if again else None}
    if state is PaymentState.PAID:
        return {"due_at_ms": None, "ended_at_ms": now_ms}
    due_at_ms = None if answer.by_refund else retry.last_look_at(0, now_ms)
    return {"due_at_ms": due_at_ms, "ended_at_ms": now_ms, "code_digest": None}


def _is_for_a_person(before: PaymentState, after: PaymentState) -> bool:
    """Neither cancel nor refund gave the money back: there is nothing left that the gateway could do."""
    return before is PaymentState.REVERSING and after is PaymentState.PARKED


def _postings(before: Payment, after: Payment, now_ms: int) -> tuple[Posting, ...]:
    """One posting for each sum that has come to be."""
    postings: tuple[Posting, ...] = ()
    if after.paid_fen != before.paid_fen:
        postings += (ledger.sale(after, now_ms),)
    if after.parked_fen != before.parked_fen:
        postings += (ledger.park(after, now_ms),)
    if after.reversed_fen != before.reversed_fen:
        postings += ((ledger.reversal if after.paid_fen else ledger.unpark)(after, now_ms),)
    return postings


def _alarm(before: Payment, after: Payment) -> str:
    """What a person must hear of, or nothing."""
    if after.state is before.state:
        return "the channel has not told the end for a long time" if retry.is_overdue(after) else ""
    if after.parked_fen != before.parked_fen:
        return "the channel confirms another amount than was asked"
    if before.state in UNPAID_STATES:
        return f"the order turned up {after.state} after the till was told {before.state}"
    if after.state is PaymentState.PARKED:
        return "the money cannot be given back by cancel or refund"
    if before.is_open and after.state is PaymentState.REVERSING:
        return "the payer paid after the deadline"
    return ""


def hear_refund(payment: Payment, refund: Refund, answer: RefundAnswer, now_ms: int) -> RefundChange:
    """What the channel's answer makes of the refund. A word that its state cannot take changes nothing but alarms."""
    # DONE with another amount is not believed: the refund stays open and is asked about again.
    other_amount = answer.event is RefundEvent.DONE and answer.refunded_fen != refund.amount_fen
    event = RefundEvent.PROCESSING if other_amount else answer.event
    try:
        state = next_refund_state(refund.state, event)
    except IllegalMove as contradiction:
        return RefundChange(refund, news=False, alarm=f"contradiction: {contradiction}")
    moved = state is not refund.state
    after = changed(
        refund,
        state=state,
        channel_refund_no=answer.channel_refund_no or refund.channel_refund_no,
        reason=answer.reason or refund.reason,
    )
    news = after != refund
    after = changed(after, asked=0 if moved else refund.asked + 1, version=refund.version + 1)
    after = changed(after, due_at_ms=retry.refund_due_at(after, now_ms))
    if not moved or after.due_at_ms is not None:
        return RefundChange(after, news=news, alarm=_refund_alarm(after, other_amount=other_amount))
    return _refund_ended(payment, refund.state, changed(after, ended_at_ms=now_ms), now_ms)


def _refund_alarm(refund: Refund, *, other_amount: bool) -> str:
    if other_amount:
        return "the channel says that another amount went back than was asked"
    return "the channel has not told the end for a long time" if retry.is_refund_overdue(refund) else ""


def _refund_ended(payment: Payment, before: RefundState, refund: Refund, now_ms: int) -> RefundChange:
    fen = refund.amount_fen
    if refund.state is RefundState.DONE:
        done = changed(refund, refunded_fen=fen)
        # It had been given up, and its share of the payment with it: the share is taken again.
        revived = before is RefundState.FAILED
        return RefundChange(
            done,
            (ledger.refund(payment, done, now_ms),),
            released_fen=-fen if revived else 0,
            refunded_fen=fen,
            alarm="a refund was done after the channel had refused it" if revived else "",
        )
    if refund.state is RefundState.RETURNED_TO_CASH:
        return RefundChange(
            refund,
            (ledger.refund_to_cash(payment, refund, now_ms),),
            returned_fen=fen,
            alarm="a refund came back to the merchant's cash account: pay the payer by hand",
        )
    return RefundChange(refund, released_fen=fen)
