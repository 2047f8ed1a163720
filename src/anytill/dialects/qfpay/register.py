"""The procedure of a careful cash register: what it writes down, sends and asks until an end is known.

    write "trade" ── 1001 ──> an end is told ─────────────────────┐
                         └──> no answer, or an open one           │
                              write "inquiry"                     v
                                    └───────────────────────── 4001 ──> an end ──> write "end", tell it
                                                               ^  └──> open: wait, ask again
                              5001 <── write "withdrawal" <────┼─────> there is none (once)
                                └──────────────────────────────┘

Three rules. A trade's number is sent in one 1001 and never in another, by itself or because somebody asks for it again:
what was sent is asked about. Nothing is sent that is not on disk before, so a register that crashed knows what may have
happened and goes on where it was (`resume`). And no word alone is an end: `ends` says what is believed when, and a
refusal, which can be told without the key, counts when an inquiry does not know better.

Who is not told an end is told that it is open: then nothing may be sold again before `resume` has found it.

A refund has no number on the wire. So what came of a lost one is seen from what can still be given back of its payment,
before and after; therefore one refund of a payment is made at a time, and by one register.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from enum import StrEnum
from typing import Final, TypeAlias

from anytill.core.errors import (
    NotRefundable,
    NotSupported,
    OrderConflict,
    Overloaded,
    PaymentNotFound,
    RefundConflict,
    RefundExceedsPaid,
    Refusal,
)
from anytill.core.payment import Payment, PaymentRef, PayOrder, Refund, RefundOrder, RefundRef, Verdict
from anytill.dialects.qfpay.client import Client, Withdrawn
from anytill.dialects.qfpay.ends import NoPayment, Patience, PaymentSearch, RefundSearch, not_charged, not_given_back
from anytill.dialects.qfpay.steps import GivingBack, Sale, Step, Steps, Task, same_wish
from anytill.ports import Clock, Journal, NeverSent, Unreachable
from anytill.wire.errors import WireError

#: What says nothing about the money: silence, rubbish, or a refusal of the question.
_NO_WORD: Final = (Unreachable, WireError, Refusal)


class News(StrEnum):
    """What happens on the way to an end."""

    LOST = "LOST"  # the answer told no end: it is asked for
    NO_WORD = "NO_WORD"  # an inquiry was not answered
    TAKEN_BACK = "TAKEN_BACK"  # the terminal knows nothing of it, and what waited there was taken back
    OPEN = "OPEN"  # patience is at its end
    CONTRADICTION = "CONTRADICTION"  # the terminal says what cannot be: a person must look


#: Hears the news about a trade's or a refund's number, and what more there is to say.
Tell: TypeAlias = Callable[[News, str, str], None]


class Register:
    """A register at one terminal. Its journal is nobody else's."""

    def __init__(
        self,
        client: Client,
        journal: Journal,
        clock: Clock,
        tell: Tell,
        *,
        patience: Patience | None = None,
    ) -> None:
        """Raises steps.DamagedJournal."""
        self._client = client
        self._steps = Steps(journal, clock)
        self._clock = clock
        self._tell = tell
        self._patience = patience or Patience()
        self._at_work: set[str] = set()

    @property
    def without_end(self) -> list[Task]:
        """Trades and refunds whose end is not known, oldest first: `resume` asks for it."""
        return self._steps.without_end

    async def pay(self, order: PayOrder) -> Payment:
        """Take a payment, or tell what became of it when its number was used before.

        A payment whose verdict is OPEN is one whose end nobody knows yet. Raises a refusal when surely nothing was
        charged; Overloaded, too, while the number's first `pay` is under way and will tell its end; NeverSent when
        nothing went out; OSError when something could not be written down.
        """
        if not order.order_no:
            raise NotSupported("a register's trade needs a number, or nobody could ask what became of it")
        with self._alone(f"trade {order.order_no}"):
            return await self._paid(order)

    async def _paid(self, order: PayOrder) -> Payment:
        sale = self._steps.sale(order.order_no)
        if sale is not None:
            if not same_wish(sale.order, order):
                raise OrderConflict
            return sale.end or await self._found_out(sale, None)
        sale = Sale(order)
        await self._steps.begin(sale)
        try:
            told = await self._client.pay(order)
        except Refusal as refusal:
            if await self._is_confirmed(refusal, sale):
                await self._steps.end(sale, not_charged(order, str(refusal)))
                raise
            told = None
        except NeverSent:
            await self._steps.end(sale, not_charged(order, "nothing was sent"))
            raise
        except (Unreachable, WireError):
            told = None
        return await self._found_out(sale, told)

    async def refund(self, order: RefundOrder) -> Refund:
        """Give money back, under a number of the register's own; an amount of 0 is all that is left.

        Told and raised as for `pay`. A refund that is PROCESSING is with the terminal and must not be made again.
        """
        if not order.refund_no:
            raise NotSupported("a register's refund needs a number of its own, or it could be made twice")
        with self._alone("a refund"):
            return await self._given_back(order)

    async def _given_back(self, order: RefundOrder) -> Refund:
        known = self._steps.giving_back(order.refund_no)
        if known is not None:
            if not _same_refund(known.order, order):
                raise RefundConflict
            return known.end or await self._seen(known, None)
        task = await self._wanted(order)
        await self._steps.begin(task)
        try:
            told = await self._client.refund(replace(task.order, refund_no=""))
        except Refusal as refusal:
            if await self._is_confirmed(refusal, task):
                await self._steps.end(task, not_given_back(task, str(refusal)))
                raise
            told = None
        except NeverSent:
            await self._steps.end(task, not_given_back(task, "nothing was sent"))
            raise
        except (Unreachable, WireError):
            told = None
        return await self._seen(task, told)

    async def resume(self) -> list[Payment | Refund]:
        """Find out what became of everything that has no end: what a register does when it starts."""
        return [
            await (self._found_out(task, None) if isinstance(task, Sale) else self._seen(task, None))
            for task in self.without_end
        ]

    async def withdraw(self) -> Withdrawn:
        """Take back what waits at the terminal, because somebody wants so. What becomes of it, its own call tells."""
        for task in self.without_end:
            await self._steps.mark(Step.WITHDRAWAL, task)
        return await self._client.withdraw()

    @contextmanager
    def _alone(self, work: str) -> Iterator[None]:
        """What two would do at once is done by the first: the journal cannot stop the second before it is written.
        Raises Overloaded for the second."""
        if work in self._at_work:
            raise Overloaded(f"{work} is under way at this register")
        self._at_work.add(work)
        try:
            yield
        finally:
            self._at_work.remove(work)

    async def _found_out(self, sale: Sale, told: Payment | None) -> Payment:
        """Ask until the end is known and written down, or patience is at its end."""
        search = PaymentSearch(sale.order, told, self._patience)
        if search.was_lost:
            await self._steps.mark(Step.INQUIRY, sale)
            self._tell(News.LOST, sale.number, "")
        until_ms = self._clock.now_ms() + self._patience.most_ms
        while True:
            word = await self._looked_up(PaymentRef(sale.number))
            end = search.heard(word, self._clock.now_ms())
            if end is not None:
                await self._steps.end(sale, end)
                return end
            if search.contradicted:
                self._tell(News.CONTRADICTION, sale.number, "another amount")
                return search.open
            if not await self._go_on(sale, search, until_ms):
                return search.open

    async def _seen(self, task: GivingBack, told: Refund | None) -> Refund:
        """As `_found_out`, for a refund."""
        if told is not None:
            # An earlier refund's number: the terminal took this one for that, asked for again.
            told = None if told.refund_id in self._steps.refund_ids else replace(told, refund_no=task.number)
        search = RefundSearch(task, told, self._patience)
        if search.was_lost:
            await self._steps.mark(Step.INQUIRY, task)
            self._tell(News.LOST, task.number, "")
        until_ms = self._clock.now_ms() + self._patience.most_ms
        while True:
            end = await self._refund_end(task, search)
            if end is not None:
                await self._steps.end(task, end)
                return end
            if search.contradicted:
                self._tell(News.CONTRADICTION, task.number, "other sums went back")
                return search.open
            if not await self._go_on(task, search, until_ms):
                if search.is_taken:
                    await self._steps.end(task, search.open)
                return search.open

    async def _refund_end(self, task: GivingBack, search: RefundSearch) -> Refund | None:
        if search.refund_id and search.was_lost:
            try:
                ref = RefundRef(refund_id=search.refund_id, payment_id=task.order.payment.payment_id)
                told = await self._client.query_refund(ref)
                if end := search.heard(replace(told, refund_no=task.number)):
                    return end
            except _NO_WORD:
                pass  # not every terminal knows its refunds
        return search.seen(await self._looked_up(task.order.payment), self._clock.now_ms())

    async def _is_confirmed(self, refusal: Refusal, task: Task) -> bool:
        """Whether one inquiry says too that nothing was done, or is refused likewise. First what is late on the line
        may run out: the refusal may have been an earlier question's, and the next answer too."""
        await self._clock.sleep_ms(self._patience.late_ms)
        try:
            found = await self._client.query(PaymentRef(task.number) if isinstance(task, Sale) else task.order.payment)
        except PaymentNotFound:
            return isinstance(task, Sale)
        except Refusal as again:
            return type(again) is type(refusal)
        except (Unreachable, WireError):
            return False
        if isinstance(task, GivingBack):
            return found.verdict is Verdict.PAID and found.reserved_fen == task.before_fen
        # The number has a trade. With other contents it is not this one, which is what was refused.
        same = found.amount_fen in (0, task.order.amount_fen) and task.order.wallet in (None, found.wallet)
        return isinstance(refusal, OrderConflict) and not same

    async def _looked_up(self, ref: PaymentRef) -> Payment | NoPayment:
        try:
            return await self._client.query(ref)
        except PaymentNotFound:
            return NoPayment.NONE
        except _NO_WORD as fault:
            self._tell(News.NO_WORD, ref.order_no or ref.payment_id, type(fault).__name__)
            return NoPayment.SILENCE

    async def _go_on(self, task: Task, search: PaymentSearch | RefundSearch, until_ms: int) -> bool:
        """Take back what waits, if it is time for that, and wait a moment; False when patience is at its end."""
        if search.wants_withdrawal:
            await self._steps.mark(Step.WITHDRAWAL, task)
            try:
                withdrawn = await self._client.withdraw()
            except _NO_WORD as fault:
                self._tell(News.NO_WORD, task.number, type(fault).__name__)
            else:
                self._tell(News.TAKEN_BACK, task.number, withdrawn)
                search.withdrawn(self._clock.now_ms())
        if self._clock.now_ms() >= until_ms:
            self._tell(News.OPEN, task.number, "")
            return False
        await self._clock.sleep_ms(self._patience.again_ms)
        return True

    async def _wanted(self, order: RefundOrder) -> GivingBack:
        """The refund with what went back of its payment before. Raises a refusal, Unreachable, WireError: then nothing
        was done."""
        payment = await self._client.query(order.payment)
        if payment.verdict is not Verdict.PAID:
            raise NotRefundable
        ref = payment.ref
        for task in self.without_end:
            if isinstance(task, GivingBack) and task.order.payment == ref:
                raise RefundConflict("an earlier refund of this payment has no end yet: resume it first")
        if payment.reserved_fen < self._steps.gone_fen(ref):
            raise Unreachable("an earlier question's answer: more than that has gone back")
        left_fen = payment.paid_fen - payment.reserved_fen
        amount_fen = order.amount_fen or left_fen
        if not 0 < amount_fen <= left_fen:
            raise RefundExceedsPaid
        wanted = replace(order, payment=ref, amount_fen=amount_fen)
        return GivingBack(wanted, payment.reserved_fen, payment.currency)


def _same_refund(known: RefundOrder, order: RefundOrder) -> bool:
    number, payment_id = order.payment.order_no, order.payment.payment_id
    same_payment = number == known.payment.order_no if number else payment_id == known.payment.payment_id
    return same_payment and order.amount_fen in (0, known.amount_fen)
