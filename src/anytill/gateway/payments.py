"""Taking payments: pay, query, cancel, and finishing alone what a till began.

Every effect stands between two durable steps. Before the channel is called the intent is committed, under the number
the channel will know it by; after the call the result is committed together with its ledger lines and its notice; only
then is anybody told. What happens between the two is safe to lose: whoever finds the intent asks the channel.

A result is written only over the record it was worked out from. When somebody else was faster (a second poller, the
till's cancel, a worker that took over) the record is read again and the same word is applied to what it has become.
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence

from anytill.core import retry
from anytill.core.answer import REFUND_SILENCE, SILENCE, Answer
from anytill.core.errors import (
    NotCancellable,
    Overloaded,
    PaymentNotFound,
    Refusal,
)
from anytill.core.lifecycle import FAINT_WORDS, UNPAID_STATES, PaymentEvent, PaymentState, RefundEvent, RefundState
from anytill.core.merchant import Credential
from anytill.core.payment import Payment, PaymentRef, PayOrder, Refund
from anytill.core.secret import Secret
from anytill.core.settle import ask_cancel, hear
from anytill.core.takings import Takings
from anytill.core.wallet import Wallet, wallet_of
from anytill.gateway.directory import Directory
from anytill.gateway.in_vain import InVain
from anytill.gateway.intake import Intake
from anytill.gateway.notices import payment_notice
from anytill.gateway.parts import Parts
from anytill.ports import Channel, DueKind, FaceTicket, Payer

#: Every lost round means that somebody else's write won, so rounds end; this many mean a fault in the store.
_ROUNDS = 50


class Payments:
    """All payments of all merchants; each call names the merchant it is for."""

    def __init__(self, parts: Parts, directory: Directory) -> None:
        self._parts = parts
        self._directory = directory
        self._store = parts.store
        self._clock = parts.clock
        self._intake = Intake(parts)
        self.in_vain = InVain(parts.store, parts.clock)
        self._at_channel = 0  # pay calls under way: a channel that hangs must not pile them up without end

    async def pay(self, merchant_id: str, credential: Credential, order: PayOrder) -> Payment:
        """Take a payment, or return the one that this very order started before."""
        try:
            merchant = await self._directory.merchant(merchant_id)
            payment = self._intake.new_payment(merchant, credential, order)
            if self._at_channel >= self._parts.most_at_channel:
                raise Overloaded
        except Refusal:
            # Whatever changed since: an order that was taken before is answered, or a till would charge it again.
            before = await self._intake.taken_before(merchant_id, credential, order)
            if before is None:
                raise
            return await self._fresh(before)
        self._at_channel += 1
        try:
            before = await self._intake.place(payment)
            if before is not None:
                return await self._fresh(before)
            answer = await self._heard(payment, self._channel(payment).pay(payment, order.pay_code))
            return await self.settle(payment, answer)
        finally:
            self._at_channel -= 1

    async def query(self, merchant_id: str, ref: PaymentRef) -> Payment:
        """The payment as it stands now."""
        return await self._fresh(await self.find(merchant_id, ref))

    async def cancel(self, merchant_id: str, ref: PaymentRef, within_ms: int | None) -> Payment:
        """Take an order back. An unpaid end is returned as it is: there is nothing left to take back."""
        payment = await self.find(merchant_id, ref)
        old = within_ms is not None and self._clock.now_ms() - payment.created_at_ms > within_ms
        if old and (payment.is_open or payment.state in (PaymentState.PAID, PaymentState.PARKED)):
            raise NotCancellable
        payment = await self._decide_cancel(payment)
        return await self._undo(payment) if payment.is_undoing else payment

    async def find(self, merchant_id: str, ref: PaymentRef) -> Payment:
        """The stored record. Raises PaymentNotFound."""
        payment = await self._store.payment(merchant_id, ref)
        if payment is None:
            raise PaymentNotFound
        return payment

    async def find_by_code(self, merchant_id: str, pay_code: Secret) -> Payment:
        """The stored record of the payment that holds a payer's code. Raises PaymentNotFound: none was started, or it
        ended unpaid, or it was paid and the code serves another order since."""
        payment = await self._store.payment_of_code(
            merchant_id, self._intake.code_digest(merchant_id, pay_code.reveal())
        )
        if payment is None:
            raise PaymentNotFound
        return payment

    async def takings(
        self, merchant_id: str, credential: Credential, since_ms: int, until_ms: int, detail: str
    ) -> Sequence[Takings]:
        """What a credential took for this merchant."""
        return await self._store.takings(merchant_id, credential.dialect, credential.login, since_ms, until_ms, detail)

    async def identify(self, merchant_id: str, pay_code: Secret) -> Payer:
        """Who shows this code."""
        merchant = await self._directory.merchant(merchant_id)
        return await self._parts.channel_for(merchant, wallet_of(pay_code)).identify(merchant_id, pay_code)

    async def face_ticket(self, merchant_id: str, wallet: Wallet, device: str, raw: str) -> FaceTicket:
        """What the wallet's face device needs to start."""
        merchant = await self._directory.merchant(merchant_id)
        return await self._parts.channel_for(merchant, wallet).face_ticket(merchant_id, device, raw)

    async def attend(self, payment: Payment, *, by_till: bool = False) -> Payment:
        """Do what this payment needs now: ask, take back at the deadline, go on taking back, or look a last time."""
        if payment.is_undoing:
            return await self._undo(payment)
        if payment.state is not PaymentState.PARKED:
            payment = await self._ask(payment, by_till=by_till)
        overdue = self._clock.now_ms() >= payment.deadline_at_ms
        if overdue and (payment.is_open or payment.state is PaymentState.PARKED):
            payment = await self._decide_cancel(payment)
            if payment.is_undoing:
                return await self._undo(payment)
        return payment

    async def settle(self, payment: Payment, answer: Answer, *, by_till: bool = False) -> Payment:
        """Commit what the channel's word makes of the payment; returns the record as it then stands.

        A till that asks `by_till` and hears nothing new leaves no trace: when the gateway asks next is not its affair.
        A silence that comes after somebody else heard more is forgotten.
        """
        for _ in range(_ROUNDS):
            change = hear(payment, answer, self._clock.now_ms())
            if not change.news and (by_till or payment.due_at_ms is None):
                self._alarm(payment, change.alarm)
                return payment
            notice = payment_notice(self._parts.forms, change.after, self._clock.now_ms()) if change.paid else None
            if await self._store.move_payment(payment, change.after, change.postings, notice):
                self._alarm(change.after, change.alarm)
                self._parts.watch.note(f"payment_{change.after.state.lower()}", payment_id=payment.payment_id)
                if notice is not None:
                    self._parts.wake(DueKind.NOTICE)
                return change.after
            payment = await self._again(payment)
            if answer.event in FAINT_WORDS:
                return payment
        raise RuntimeError(f"payment {payment.payment_id} keeps moving under our hands")

    async def _fresh(self, payment: Payment) -> Payment:
        """The payment after asking the channel, unless its end is known or its own pay call is under way."""
        if not (payment.is_open or payment.is_undoing):
            return payment
        young = self._clock.now_ms() - payment.created_at_ms < retry.CALL_UNDER_WAY_MS
        if young and payment.state is PaymentState.SUBMITTED:
            return payment
        return await self.attend(payment, by_till=True)

    async def _ask(self, payment: Payment, *, by_till: bool) -> Payment:
        answer = await self._heard(payment, self._channel(payment).query(payment))
        return await self.settle(payment, answer, by_till=by_till)

    async def _decide_cancel(self, payment: Payment) -> Payment:
        """Commit the wish to take it back, unless it has ended unpaid or is being taken back already."""
        for _ in range(_ROUNDS):
            if payment.state in UNPAID_STATES or payment.is_undoing:
                return payment
            change = ask_cancel(payment, self._clock.now_ms())
            if await self._store.move_payment(payment, change.after):
                return change.after
            payment = await self._again(payment)
        raise RuntimeError(f"payment {payment.payment_id} keeps moving under our hands")

    async def _undo(self, payment: Payment) -> Payment:
        """Ask the channel to take it back, once; what stays open is tried again when it is due."""
        if payment.state is PaymentState.CANCELLING and self._clock.now_ms() < retry.cancel_from_ms(payment):
            return payment
        channel = self._channel(payment)
        answer = await self._heard(payment, channel.cancel(payment))
        if answer.event is PaymentEvent.CANCEL_REFUSED:
            if payment.state is PaymentState.REVERSING:
                answer = await self._refund_whole(payment, channel)
            else:
                answer = await self._heard(payment, channel.query(payment))
        after = await self.settle(payment, answer)
        if payment.state is PaymentState.CANCELLING and after.state is PaymentState.REVERSING:
            return await self._undo(after)
        return after

    async def _refund_whole(self, payment: Payment, channel: Channel) -> Answer:
        """The way back when the channel cancels no more: a refund of everything, under a number of its own."""
        refund = Refund(
            merchant_id=payment.merchant_id,
            refund_id=f"{payment.payment_id}R",
            refund_no="",
            payment_id=payment.payment_id,
            order_no=payment.order_no,
            state=RefundState.SUBMITTED,
            amount_fen=payment.paid_fen or payment.parked_fen,
            currency=payment.currency,
            channel=payment.channel,
        )
        word = channel.refund(payment, refund)
        answer = await self._parts.heard(word, REFUND_SILENCE, "refund_whole", payment_id=payment.payment_id)
        if answer.event is RefundEvent.DONE and answer.refunded_fen == refund.amount_fen:
            return Answer(PaymentEvent.CANCELLED, by_refund=True)
        if answer.event is RefundEvent.DONE:
            self._alarm(payment, "the channel says that another amount went back than was asked")
            return SILENCE
        if answer.event in (RefundEvent.REFUSED, RefundEvent.RETURNED):
            return Answer(PaymentEvent.REFUSED, reason=answer.reason)
        return SILENCE

    async def _heard(self, payment: Payment, word: Awaitable[Answer]) -> Answer:
        return await self._parts.heard(word, SILENCE, payment_id=payment.payment_id)

    def _channel(self, payment: Payment) -> Channel:
        return self._parts.channels[payment.channel]

    async def _again(self, payment: Payment) -> Payment:
        return await self.find(payment.merchant_id, PaymentRef(payment_id=payment.payment_id))

    def _alarm(self, payment: Payment, text: str) -> None:
        if text:
            self._parts.watch.alarm("payment", payment_id=payment.payment_id, state=payment.state, what=text)
