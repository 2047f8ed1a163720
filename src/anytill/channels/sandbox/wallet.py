"""The wallet: what it decides when a merchant, a payer or the time asks something of it.

A machine without input and output: time is an argument, a decision is an entry that is applied to the book and given
to `note` at once. What changes by itself (a prompt that is answered, an order that runs out, a slow refund) is
written into the book when somebody next looks, with the time at which it happened.

Two rules as in life. A payer's code serves one order: while that order waits, and for ever once it was paid; so does
one presentation of a card. A cancel of an order that never arrived succeeds, and the order is dead should it arrive
later.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from anytill.channels.sandbox import cards, numbers
from anytill.channels.sandbox.book import Book
from anytill.channels.sandbox.outcomes import (
    PROMPT_MS,
    SLOW_REFUND_MS,
    PayOutcome,
    Voice,
    card_outcome,
    pay_outcome,
    refund_outcome,
)
from anytill.channels.sandbox.records import (
    Bound,
    ClockMoved,
    Entry,
    Order,
    OrderState,
    WalletRefund,
    WalletRefundState,
)
from anytill.core.errors import InvalidPayCode
from anytill.core.money import coupon_of_a_tenth
from anytill.core.payment import AT_THE_TILL, Method, Payment, Refund
from anytill.core.records import changed
from anytill.core.secret import Secret
from anytill.core.wallet import wallet_of
from anytill.ports import Payer

#: A paid order can be cancelled this long; later it must be refunded.
REVERSIBLE_MS = 7 * 24 * 60 * 60 * 1_000


class NotWaiting(Exception):
    """The payer can do nothing about an order that does not wait for him."""


class SandboxWallet:
    """The book and the rules that change it."""

    __slots__ = ("_book", "_note")

    def __init__(self, book: Book, note: Callable[[Entry], None]) -> None:
        self._book = book
        self._note = note

    def pay(self, payment: Payment, pay_code: Secret | None, nonce: str, now_ms: int) -> tuple[Order | None, Voice]:
        """The order as it stands after the call, None if the call never arrived; and how the wallet answers.

        A number that is known already gives its order as it is: nothing is charged twice.
        """
        known = self.order(payment, now_ms)
        if known is not None:
            return known, Voice.SPEAKS
        serial = self._book.serial + 1
        if payment.method not in AT_THE_TILL:
            return self._put(_invited(_blank(payment, serial, now_ms), payment, nonce, now_ms)), Voice.SPEAKS
        if pay_code is None:
            raise ValueError(f"a {payment.method} payment needs the payer's code")
        if payment.method is Method.CARD:
            return self._pay_by_card(payment, pay_code, serial, now_ms)
        outcome = pay_outcome(pay_code.reveal())
        if not outcome.arrives:
            return None, outcome.voice
        code = numbers.code_digest(pay_code)
        order = _blank(payment, serial, now_ms, numbers.payer_id(payment.wallet, payment.merchant_id, code))
        objection = self._objection(payment, pay_code, code, now_ms)
        if objection:
            return self._put(_ended(order, OrderState.REFUSED, objection)), outcome.voice
        return self._put(_played(order, outcome, code, now_ms)), outcome.voice

    def _pay_by_card(self, payment: Payment, pay_code: Secret, serial: int, now_ms: int) -> tuple[Order | None, Voice]:
        """As `pay`, where the amount tells the story and the card may have something against it first."""
        outcome = card_outcome(payment.amount_fen)
        if not outcome.arrives:
            return None, outcome.voice
        order = changed(_blank(payment, serial, now_ms), channel_trade_no=numbers.reference_no(now_ms, serial))
        card = cards.presented(payment, pay_code)
        if card is None:
            return self._put(_ended(order, OrderState.REFUSED, "not a card")), outcome.voice
        code = numbers.code_digest(Secret(card.presentation))
        used = "the card must be presented again" if self._code_user(code, now_ms) else ""
        objection = used or cards.objection(card, payment.amount_fen)
        order = _ended(order, OrderState.REFUSED, objection) if objection else _played(order, outcome, code, now_ms)
        approved = order.state is OrderState.PAID
        slip = cards.slip(card, payment.payment_id, serial, now_ms, approved=approved)
        return self._put(changed(order, payer_id=numbers.holder_id(card.pan), slip=slip)), outcome.voice

    def order(self, payment: Payment, now_ms: int) -> Order | None:
        """The payment's order as it stands; None if there is none."""
        order = self._book.orders.get((payment.merchant_id, payment.payment_id))
        return order and self._now(order, now_ms)

    def cancel(self, payment: Payment, now_ms: int) -> tuple[Order, bool]:
        """Take an order back. False when it is too late for that, or part of it was given back already."""
        order = self.order(payment, now_ms)
        if order is None:
            return self._put(changed(_blank(payment, 0, now_ms), state=OrderState.DEAD, channel_trade_no="")), True
        if order.state is OrderState.WAITING:
            return self._put(_ended(order, OrderState.CANCELLED, "the merchant took the order back")), True
        if order.state is not OrderState.PAID:
            return order, True
        assert order.paid_at_ms is not None
        if self._book.given_back(order).held_fen or now_ms - order.paid_at_ms > REVERSIBLE_MS:
            return order, False
        return self._put(changed(order, state=OrderState.REVERSED, reversed_fen=order.charged_fen)), True

    def refund(self, payment: Payment, refund: Refund, now_ms: int) -> tuple[WalletRefund, Voice]:
        """The refund as it stands after the call, and how the wallet answers. One number moves money once."""
        known = self.known_refund(refund, now_ms)
        if known is not None:
            same = (known.channel_order, known.amount_fen) == (payment.payment_id, refund.amount_fen)
            return known if same else _refused_refund(known, "the refund number has been used"), Voice.SPEAKS
        outcome = refund_outcome(refund.amount_fen)
        number_of = numbers.reference_no if payment.method is Method.CARD else numbers.refund_trade_no
        entry = WalletRefund(
            merchant_id=refund.merchant_id,
            channel_refund=refund.refund_id,
            merchant_refund=refund.refund_no,
            channel_order=payment.payment_id,
            channel_refund_no=number_of(now_ms, self._book.serial + 1),
            amount_fen=refund.amount_fen,
            state=outcome.state,
            created_at_ms=now_ms,
            due_at_ms=now_ms + SLOW_REFUND_MS if outcome.then else None,
            due_state=outcome.then,
            reason=outcome.reason,
        )
        objection = self._refund_objection(payment, refund, now_ms)
        if objection:
            entry = _refused_refund(entry, objection)
        self._write(entry)
        return entry, outcome.voice

    def known_refund(self, refund: Refund, now_ms: int) -> WalletRefund | None:
        """The refund as it stands; None if there is none."""
        known = self._book.refunds.get((refund.merchant_id, refund.refund_id))
        return known and self._refund_now(known, now_ms)

    def identify(self, merchant_id: str, pay_code: Secret, now_ms: int) -> Payer:
        """Whose code this is; from now on only this merchant can charge it. Raises InvalidPayCode."""
        wallet = wallet_of(pay_code)
        code = numbers.code_digest(pay_code)
        user = self._code_user(code, now_ms)
        if self._book.bound.get(code, merchant_id) != merchant_id or (user and user.merchant_id != merchant_id):
            raise InvalidPayCode
        if code not in self._book.bound:
            self._write(Bound(code, merchant_id))
        return Payer(wallet, numbers.payer_id(wallet, merchant_id, code))

    def payer_pays(self, order: Order, now_ms: int) -> Order:
        """The payer confirms a waiting order. Raises NotWaiting."""
        order = self._waiting(order, now_ms)
        return self._put(_paid(order, now_ms))

    def payer_declines(self, order: Order, now_ms: int) -> Order:
        """The payer turns away: a prompt is refused, an order he was invited to is closed. Raises NotWaiting."""
        order = self._waiting(order, now_ms)
        state = OrderState.REFUSED if order.method in AT_THE_TILL else OrderState.CLOSED
        return self._put(_ended(order, state, "the payer cancelled"))

    def bring_up_to_date(self, orders: Sequence[Order], now_ms: int) -> Sequence[Order]:
        """These orders and their refunds as they stand now."""
        for order in orders:
            for refund in self._book.refunds_of(order):
                self._refund_now(refund, now_ms)
        return [self._now(order, now_ms) for order in orders]

    def move_clock(self, by_ms: int) -> None:
        """Remember that the clock was moved on."""
        self._write(ClockMoved(by_ms))

    def _objection(self, payment: Payment, pay_code: Secret, code: str, now_ms: int) -> str:
        """Why this code cannot pay this order; empty when it can."""
        if payment.method is Method.BARCODE:
            try:
                wallet = wallet_of(pay_code)
            except InvalidPayCode:
                return "not a payer's code"
            if wallet is not payment.wallet:
                return "the code is of another wallet"
        if self._book.bound.get(code, payment.merchant_id) != payment.merchant_id:
            return "the code was shown to another merchant"
        if self._code_user(code, now_ms):
            return "the code has been used"
        return ""

    def _refund_objection(self, payment: Payment, refund: Refund, now_ms: int) -> str:
        """Why this refund cannot be made; empty when it can."""
        order = self.order(payment, now_ms)
        if order is None or order.state is not OrderState.PAID:
            return "the order is not paid"
        if refund.currency != order.currency:
            return "the order is in another currency"
        if refund.amount_fen < 1 or self._book.given_back(order).held_fen + refund.amount_fen > order.charged_fen:
            return "more than is left of what was charged"
        return ""

    def _code_user(self, code: str, now_ms: int) -> Order | None:
        user = self._book.code_user(code)
        if user is not None:
            self._now(user, now_ms)
        return self._book.code_user(code)

    def _waiting(self, order: Order, now_ms: int) -> Order:
        order = self._now(order, now_ms)
        if order.state is not OrderState.WAITING:
            raise NotWaiting(f"the order is {order.state} and waits for nobody")
        return order

    def _now(self, order: Order, now_ms: int) -> Order:
        """The order after what is due has happened to it."""
        if order.due_state is None or order.due_at_ms is None or now_ms < order.due_at_ms:
            return order
        if order.due_state is OrderState.PAID:
            return self._put(_paid(order, order.due_at_ms))
        return self._put(_ended(order, order.due_state, order.reason))

    def _refund_now(self, refund: WalletRefund, now_ms: int) -> WalletRefund:
        if refund.due_state is None or refund.due_at_ms is None or now_ms < refund.due_at_ms:
            return refund
        settled = changed(refund, state=refund.due_state, due_at_ms=None, due_state=None)
        self._write(settled)
        return settled

    def _put(self, order: Order) -> Order:
        self._write(order)
        return order

    def _write(self, entry: Entry) -> None:
        self._book.apply(entry)
        self._note(entry)


def _blank(payment: Payment, serial: int, now_ms: int, payer_id: str = "") -> Order:
    """An order for this payment that has not been decided on."""
    return Order(
        merchant_id=payment.merchant_id,
        channel_order=payment.payment_id,
        merchant_order=payment.order_no,
        channel_trade_no=numbers.trade_no(now_ms, serial),
        wallet=payment.wallet,
        method=payment.method,
        amount_fen=payment.amount_fen,
        currency=payment.currency,
        state=OrderState.WAITING,
        created_at_ms=now_ms,
        payer_id=payer_id,
    )


def _invited(order: Order, payment: Payment, nonce: str, now_ms: int) -> Order:
    """An order that the payer is invited to pay until its deadline."""
    payer = payment.payer_id or numbers.payer_id(payment.wallet, payment.merchant_id, payment.payment_id)
    return changed(
        order,
        payer_id=payer,
        invitation=numbers.invitation(payment, nonce, now_ms),
        due_at_ms=payment.deadline_at_ms or None,
        due_state=OrderState.CLOSED if payment.deadline_at_ms else None,
        reason="not paid in time" if payment.deadline_at_ms else "",
    )


def _played(order: Order, outcome: PayOutcome, code: str, now_ms: int) -> Order:
    """The order at the beginning of its story."""
    if outcome.state is OrderState.REFUSED:
        return changed(order, state=OrderState.REFUSED, reason=outcome.reason)
    if outcome.state is OrderState.WAITING:
        due = now_ms + PROMPT_MS if outcome.then else None
        return changed(order, code=code, due_at_ms=due, due_state=outcome.then, reason=outcome.reason)
    coupon_fen = coupon_of_a_tenth(order.amount_fen) if outcome.coupon else 0
    return changed(
        order,
        code=code,
        state=OrderState.PAID,
        charged_fen=order.amount_fen - coupon_fen + outcome.surplus_fen,
        coupon_fen=coupon_fen,
        paid_at_ms=now_ms,
    )


def _paid(order: Order, at_ms: int) -> Order:
    return changed(
        order,
        state=OrderState.PAID,
        charged_fen=order.amount_fen,
        paid_at_ms=at_ms,
        due_at_ms=None,
        due_state=None,
        reason="",
    )


def _ended(order: Order, state: OrderState, reason: str) -> Order:
    return changed(order, state=state, reason=reason, due_at_ms=None, due_state=None)


def _refused_refund(refund: WalletRefund, reason: str) -> WalletRefund:
    return changed(refund, state=WalletRefundState.REFUSED, reason=reason, due_at_ms=None, due_state=None)
