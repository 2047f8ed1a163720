"""Giving money back.

The amount is reserved on the payment in the transaction that writes the refund, so however many refunds run side by
side they never exceed what was paid. The reservation is let go only when the channel says a definite no; while the
answer is unknown the same number is asked about and, if the channel never heard of it, sent again. That it is done is
written together with the notice that tells so.
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence

from anytill.core import retry
from anytill.core.answer import REFUND_SILENCE, RefundAnswer
from anytill.core.errors import (
    AmountNotAllowed,
    NotRefundable,
    RefundConflict,
    RefundExceedsPaid,
    RefundNotFound,
    TooManyRefunds,
)
from anytill.core.lifecycle import FAINT_REFUND_WORDS, OPEN_REFUND_STATES, PaymentState, RefundEvent, RefundState
from anytill.core.money import is_amount
from anytill.core.payment import Payment, PaymentRef, Refund, RefundOrder, RefundRef, fingerprint
from anytill.core.records import changed
from anytill.core.settle import hear_refund
from anytill.gateway.notices import refund_notice
from anytill.gateway.parts import Parts
from anytill.gateway.payments import Payments
from anytill.ports import DueKind, RefundPlaced

_ROUNDS = 50


class Refunds:
    """All refunds of all merchants; each call names the merchant it is for."""

    def __init__(self, parts: Parts, payments: Payments) -> None:
        self._parts = parts
        self._payments = payments
        self._store = parts.store
        self._clock = parts.clock

    async def refund(self, merchant_id: str, order: RefundOrder) -> Refund:
        """Give money back, or return what became of this very refund before."""
        payment = await self._payments.find(merchant_id, order.payment)
        if not is_amount(order.amount_fen):
            raise AmountNotAllowed
        if not order.refund_no:
            order = await self._numbered(payment, order)
        refund = self._new(payment, order)
        placed = await self._store.add_refund(refund)
        if placed is RefundPlaced.NUMBER_TAKEN:
            return await self._same(refund)
        if placed is RefundPlaced.NO_ROOM:
            now = await self._payments.find(merchant_id, payment.ref)
            raise RefundExceedsPaid if now.state is PaymentState.PAID else NotRefundable
        channel = self._parts.channels[payment.channel]
        answer = await self._heard(refund, channel.refund(payment, refund))
        return await self.settle(payment, refund, answer)

    async def query(self, merchant_id: str, ref: RefundRef) -> Refund:
        """The refund as it stands, asked of the channel if its end is not known."""
        return await self._fresh(await self.find(merchant_id, ref))

    async def find(self, merchant_id: str, ref: RefundRef) -> Refund:
        """The refund as it is stored, without asking the channel."""
        refund = await self._store.refund(merchant_id, ref)
        if refund is None:
            raise RefundNotFound
        return refund

    async def refunds_of(self, merchant_id: str, payment: Payment) -> Sequence[Refund]:
        """All refunds of a payment, oldest first."""
        return await self._store.refunds_of(merchant_id, payment.payment_id)

    async def attend(self, refund: Refund, *, by_till: bool = False) -> Refund:
        """Ask the channel what became of it; send it again, under its own number, if the channel never had it."""
        payment = await self._payments.find(refund.merchant_id, PaymentRef(payment_id=refund.payment_id))
        channel = self._parts.channels[refund.channel]
        answer = await self._heard(refund, channel.query_refund(payment, refund))
        if answer.event is RefundEvent.NOT_FOUND:
            answer = await self._heard(refund, channel.refund(payment, refund))
        return await self.settle(payment, refund, answer, by_till=by_till)

    async def settle(self, payment: Payment, refund: Refund, answer: RefundAnswer, *, by_till: bool = False) -> Refund:
        """Commit what the channel's word makes of the refund; returns the record as it then stands. `by_till` as in
        Payments.settle."""
        for _ in range(_ROUNDS):
            now_ms = self._clock.now_ms()
            change = hear_refund(payment, refund, answer, now_ms)
            if not change.news and (by_till or refund.due_at_ms is None):
                self._alarm(refund, change.alarm)
                return refund
            notice = refund_notice(self._parts.forms, payment, change.after, now_ms) if change.done else None
            if await self._store.move_refund(refund, change, notice):
                self._alarm(refund, change.alarm)
                self._parts.watch.note(f"refund_{change.after.state.lower()}", refund_id=refund.refund_id)
                if notice is not None:
                    self._parts.wake(DueKind.NOTICE)
                return change.after
            again = await self._store.refund(refund.merchant_id, RefundRef(refund_id=refund.refund_id))
            if again is None:
                raise RuntimeError(f"refund {refund.refund_id} is gone")
            if again.version == refund.version:
                # Nobody moved it: the payment has no room for it. Only a person can say whose loss this is.
                self._alarm(refund, "a refund was done after the channel had refused it, and its share was given since")
                return again
            refund = again
            if answer.event in FAINT_REFUND_WORDS:
                return refund
        raise RuntimeError(f"refund {refund.refund_id} keeps moving under our hands")

    def _alarm(self, refund: Refund, text: str) -> None:
        if text:
            self._parts.watch.alarm("refund", refund_id=refund.refund_id, what=text)

    async def _numbered(self, payment: Payment, order: RefundOrder) -> RefundOrder:
        """A refund of a vendor whose refunds have no number, under one of ours.

        What looks like a retry is one: the same amount of the same payment, asked for by the same again while the
        first is not done, or within a minute of its end. Later it may be meant, so it is a new refund, but a person is
        told, and not without end. One that surely failed is tried again at once, since it moved nothing. Two at the
        same moment are given the same number, which only one of them gets.
        """
        if not order.repeat_key:
            raise ValueError("a refund without a number needs a repeat_key")
        series = fingerprint(payment.payment_id, str(order.amount_fen), order.repeat_key)[:24]
        now = self._clock.now_ms()
        refunds = await self.refunds_of(payment.merchant_id, payment)
        earlier = [refund for refund in refunds if refund.refund_no.startswith(f"{series}.")]
        counting = [refund for refund in earlier if refund.state is not RefundState.FAILED]
        if counting:
            last = counting[-1]
            if retry.is_same_refund(last, now):
                return changed(order, refund_no=last.refund_no)
            if sum(now - each.created_at_ms < retry.DAY for each in counting) >= retry.EQUAL_REFUNDS_A_DAY:
                raise TooManyRefunds
            self._alarm(last, "the same refund was asked for once more, as a new one")
        return changed(order, refund_no=f"{series}.{len(earlier)}")

    def _new(self, payment: Payment, order: RefundOrder) -> Refund:
        now = self._clock.now_ms()
        return Refund(
            merchant_id=payment.merchant_id,
            refund_id=self._parts.new_id(),
            refund_no=order.refund_no,
            payment_id=payment.payment_id,
            order_no=payment.order_no,
            state=RefundState.SUBMITTED,
            amount_fen=order.amount_fen,
            currency=payment.currency,
            channel=payment.channel,
            reason=order.reason,
            details=order.details,
            created_at_ms=now,
            order_digest=fingerprint(payment.payment_id, str(order.amount_fen)),
            due_at_ms=now + retry.CALL_UNDER_WAY_MS,
        )

    async def _same(self, refund: Refund) -> Refund:
        """The earlier refund of this number, if it asked for the same; its answer is today's."""
        earlier = await self._store.refund(refund.merchant_id, RefundRef(refund_no=refund.refund_no))
        if earlier is None or earlier.order_digest != refund.order_digest:
            raise RefundConflict
        return await self._fresh(earlier)

    async def _fresh(self, refund: Refund) -> Refund:
        if refund.state not in OPEN_REFUND_STATES:
            return refund
        young = self._clock.now_ms() - refund.created_at_ms < retry.CALL_UNDER_WAY_MS
        if young and refund.state is RefundState.SUBMITTED:
            return refund
        return await self.attend(refund, by_till=True)

    async def _heard(self, refund: Refund, word: Awaitable[RefundAnswer]) -> RefundAnswer:
        return await self._parts.heard(word, REFUND_SILENCE, refund_id=refund.refund_id)
