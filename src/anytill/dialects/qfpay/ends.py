"""When a register believes an end: what it was told, what inquiries say, and for how long; no effects.

An answer is not signed, so a word alone is little. The end that an answer told counts when an inquiry says the same.
Where they differ, or an inquiry differs from the one before, the next one decides. After a lost answer the first clear
inquiry counts, with one exception. "There is none" may be said of a trade that is still on its way; so it counts only
when whatever waited at the terminal has been taken back, and when it is still said a while after that.

An answer that said "paid" counts when the terminal cannot be asked any more; one that said "not paid" does not: the
register then tells that the end is open.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from anytill.core.lifecycle import OPEN_REFUND_STATES, PaymentState, RefundState
from anytill.core.payment import Payment, PayOrder, Refund, Verdict
from anytill.core.wallet import Wallet
from anytill.dialects.qfpay.steps import GivingBack

NOT_THERE: Final = "The terminal never had it: nothing was charged"
NEVER_ASKED: Final = "The terminal never had it: nothing was given back"
#: So many inquiries in a row without an answer are no coincidence.
_MOST_SILENCES: Final = 3


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a register waits."""

    again_ms: int = 2_000  # between two inquiries
    settled_ms: int = 10_000  # how long "there is none" must last before it is believed
    most_ms: int = 300_000  # then the end stays open
    late_ms: int = 2_000  # how long answers may still come that a register asked for who was killed; on a serial line


class NoPayment(StrEnum):
    """An inquiry that found no payment."""

    NONE = "NONE"  # the terminal says that there is none
    SILENCE = "SILENCE"  # nothing was heard, or nothing that can be believed


class PaymentSearch:
    """The search for the end of one trade."""

    def __init__(self, order: PayOrder, told: Payment | None, patience: Patience) -> None:
        """`told` is what the trade's own answer said; None when it was lost."""
        self.contradicted = False  # another amount than was asked: a person must look
        self._order = order
        self._told = told if told and told.verdict is not Verdict.OPEN else None
        self._word = self._told  # the last clear word, until the next one says the same
        self._latest = told or _blank(order)
        self._patience = patience
        self._absence = _Absence(patience)
        self._silences = 0

    @property
    def was_lost(self) -> bool:
        """The trade's own answer told no end."""
        return self._told is None

    @property
    def wants_withdrawal(self) -> bool:
        """Whatever waits at the terminal has to be taken back before "there is none" means anything."""
        return self.was_lost and self._absence.wants_withdrawal

    @property
    def open(self) -> Payment:
        """What is told when patience is at its end."""
        return replace(self._latest, state=PaymentState.UNKNOWN, paid_fen=0, paid_at_ms=None, reason="")

    def withdrawn(self, now_ms: int) -> None:
        """What waited at the terminal was taken back."""
        self._absence.withdrawn(now_ms)

    def heard(self, word: Payment | NoPayment, now_ms: int) -> Payment | None:
        """An inquiry's word: the end, if it is known now."""
        if isinstance(word, Payment):
            self._silences = 0
            self._absence.ended()
            return self._seen(word)
        if word is NoPayment.SILENCE:
            self._silences += 1
            paid = self._told is not None and self._told.verdict is Verdict.PAID and self._word is self._told
            return self._told if paid and self._silences >= _MOST_SILENCES else None
        self._silences = 0
        if self._word is not None:
            # Of a trade that ended before anything was presented nobody has a record.
            return self._word if self._word.verdict is Verdict.NOT_PAID else None
        return not_charged(self._order, NOT_THERE) if self._absence.is_settled(now_ms) else None

    def _seen(self, payment: Payment) -> Payment | None:
        # A terminal that does not know the end need not know the amount.
        untold = not payment.amount_fen and payment.verdict is not Verdict.PAID
        payment = replace(payment, amount_fen=self._order.amount_fen) if untold else payment
        self._latest = payment
        if payment.amount_fen != self._order.amount_fen:
            self.contradicted = True
            return None
        if payment.verdict is Verdict.OPEN:
            return None
        before, self._word = self._word, payment
        return payment if before is None or before.verdict is payment.verdict else None


class RefundSearch:
    """The search for the end of one refund, by what can still be given back of its payment."""

    def __init__(self, task: GivingBack, told: Refund | None, patience: Patience) -> None:
        """`told` is what the refund's own answer said; None when it was lost."""
        self.contradicted = False  # more or less went back than was asked, or the payment is not paid
        self._task = task
        self._latest = told or _blank_refund(task)
        self._told = told if told and told.state not in OPEN_REFUND_STATES else None
        self._patience = patience
        self._absence = _Absence(patience)
        self._in_doubt = False  # the last look contradicted
        self._taken_since_ms: int | None = None  # since when the payment shows that the terminal has it
        self._silences = 0

    @property
    def is_taken(self) -> bool:
        """The terminal has it, whatever comes of it: the register need not wait, only never make it again."""
        return self._taken_since_ms is not None and not self.contradicted

    @property
    def was_lost(self) -> bool:
        """The refund's own answer told no end."""
        return self._told is None

    @property
    def refund_id(self) -> str:
        """The terminal's number of the refund, if it told one."""
        return self._latest.refund_id

    @property
    def wants_withdrawal(self) -> bool:
        """As for a payment."""
        return self.was_lost and self._absence.wants_withdrawal

    @property
    def open(self) -> Refund:
        """What is told when patience is at its end. PROCESSING: the terminal has it, and it must not be made again."""
        unclear = self._latest.state not in OPEN_REFUND_STATES
        return replace(self._latest, state=RefundState.UNKNOWN, refunded_fen=0) if unclear else self._latest

    def withdrawn(self, now_ms: int) -> None:
        """What waited at the terminal was taken back."""
        self._absence.withdrawn(now_ms)

    def heard(self, refund: Refund) -> Refund | None:
        """The refund's own word."""
        return refund if refund.state not in OPEN_REFUND_STATES else None

    def seen(self, word: Payment | NoPayment, now_ms: int) -> Refund | None:
        """An inquiry's word about the payment: the refund's end, if it is known now."""
        if not isinstance(word, Payment):
            self._silences += 1
            done = self._told is not None and self._told.state is RefundState.DONE
            return self._told if done and self._silences >= _MOST_SILENCES else None
        self._silences = 0
        if word.verdict is Verdict.OPEN:
            return None  # it was paid: this is no word about it
        gone_fen = word.reserved_fen - self._task.before_fen
        if word.verdict is not Verdict.PAID or gone_fen not in (0, self._task.order.amount_fen):
            # One look may be the late answer to an earlier question; the next one is not.
            self.contradicted, self._in_doubt = self._in_doubt, True
            return None
        self._in_doubt = False
        if self._told is not None:
            fits = self._told.state is RefundState.RETURNED_TO_CASH or (
                bool(gone_fen) is (self._told.state is RefundState.DONE)
            )
            return self._told if fits else None
        return self._gone(word, now_ms) if gone_fen else self._nothing_gone(now_ms)

    def _nothing_gone(self, now_ms: int) -> Refund | None:
        failed = replace(self._latest, state=RefundState.FAILED, reason=NEVER_ASKED)
        return failed if self._absence.is_settled(now_ms) else None

    def _gone(self, payment: Payment, now_ms: int) -> Refund | None:
        self._absence.ended()
        is_back = payment.refunded_fen == payment.reserved_fen
        # The inquiry tells what is back of all refunds together: only of the first, and of all, it says which.
        can_be_told = not self._task.before_fen or payment.reserved_fen == payment.paid_fen
        if is_back and can_be_told:
            return replace(self._latest, state=RefundState.DONE, refunded_fen=self._task.order.amount_fen)
        self._latest = replace(self._latest, state=RefundState.PROCESSING)
        self._taken_since_ms = now_ms if self._taken_since_ms is None else self._taken_since_ms
        settled = now_ms - self._taken_since_ms >= self._patience.settled_ms
        return self._latest if settled and not can_be_told else None


class _Absence:
    """For how long the terminal has said that there is none."""

    def __init__(self, patience: Patience) -> None:
        self._settled_ms = patience.settled_ms
        self._withdrawn = False
        self._since_ms: int | None = None
        self.wants_withdrawal = False

    def is_settled(self, now_ms: int) -> bool:
        """It says so once more."""
        self.wants_withdrawal = not self._withdrawn
        self._since_ms = now_ms if self._since_ms is None else self._since_ms
        return self._withdrawn and now_ms - self._since_ms >= self._settled_ms

    def withdrawn(self, now_ms: int) -> None:
        """From now on nothing waits there."""
        self._withdrawn, self.wants_withdrawal, self._since_ms = True, False, now_ms

    def ended(self) -> None:
        """It does not say so any more."""
        self._since_ms, self.wants_withdrawal = None, False


def not_given_back(task: GivingBack, why: str) -> Refund:
    """The end of a refund that surely came to nothing."""
    return replace(_blank_refund(task), state=RefundState.FAILED, reason=why)


def _blank_refund(task: GivingBack) -> Refund:
    return Refund(
        merchant_id="",
        refund_id="",
        refund_no=task.number,
        payment_id=task.order.payment.payment_id,
        order_no=task.order.payment.order_no,
        state=RefundState.UNKNOWN,
        amount_fen=task.order.amount_fen,
        currency=task.currency,
    )


def not_charged(order: PayOrder, why: str) -> Payment:
    """The end of a trade that surely came to nothing."""
    return replace(_blank(order), state=PaymentState.FAILED, reason=why)


def _blank(order: PayOrder) -> Payment:
    return Payment(
        merchant_id="",
        payment_id="",
        order_no=order.order_no,
        method=order.method,
        # What nobody has paid with yet has to be something: no reader looks at it.
        wallet=order.wallet or Wallet.CARD,
        state=PaymentState.UNKNOWN,
        amount_fen=order.amount_fen,
        currency=order.currency,
        subject=order.subject,
    )
