"""A till as a channel: what we ask of a gateway that speaks one of the dialects.

Because every dialect's client is a `ports.Till`, this needs to know none of them; `bootstrap` makes the client. Our
payment's number is the order number over there, so asking again is always asking about the same order.

What the other gateway refuses was not done, and is a "no", with two exceptions: a number conflict and a refusal this
side has no name for. Those say nothing about the money and are silence, which is asked about again.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Final, TypeVar

from anytill.core.answer import REFUND_SILENCE, SILENCE, Answer, RefundAnswer
from anytill.core.errors import (
    NotCancellable,
    NotRefundable,
    NotSupported,
    OrderConflict,
    Overloaded,
    PaymentNotFound,
    RefundConflict,
    RefundNotFound,
    Refusal,
)
from anytill.core.lifecycle import PaymentEvent, PaymentState, RefundEvent, RefundState
from anytill.core.payment import Payment, PaymentRef, PayOrder, Refund, RefundOrder, RefundRef, fingerprint
from anytill.core.secret import Secret
from anytill.ports import FaceTicket, Payer, Till, Unreachable, WalletSession
from anytill.wire.errors import WireError

_WORDS: Final = {
    PaymentState.PAID: PaymentEvent.PAID,
    PaymentState.WAITING: PaymentEvent.WAITING,
    PaymentState.FAILED: PaymentEvent.REFUSED,
    PaymentState.CLOSED: PaymentEvent.CLOSED,
    PaymentState.CANCELLED: PaymentEvent.CANCELLED,
}
_REFUND_WORDS: Final = {
    RefundState.DONE: RefundEvent.DONE,
    RefundState.PROCESSING: RefundEvent.PROCESSING,
    RefundState.FAILED: RefundEvent.REFUSED,
    RefundState.RETURNED_TO_CASH: RefundEvent.RETURNED,
}
#: Refusals that leave open whether an order of that number exists over there.
_SAY_NOTHING: Final = (OrderConflict, RefundConflict, Overloaded, NotRefundable)

T = TypeVar("T")


class UpstreamChannel:
    """Implements `ports.Channel` over another gateway's till."""

    def __init__(self, name: str, till: Till, notice_url: str = "") -> None:
        self._name = name
        self._till = till
        self._notice_url = notice_url

    @property
    def name(self) -> str:
        """See `ports.Channel`."""
        return self._name

    @property
    def takes_cards(self) -> bool:
        """See `ports.Channel`. No dialect carries a card to another gateway."""
        return False

    async def pay(self, payment: Payment, pay_code: Secret | None) -> Answer:
        """See `ports.Channel`."""
        order = PayOrder(
            order_no=payment.payment_id,
            amount_fen=payment.amount_fen,
            method=payment.method,
            subject=payment.subject,
            currency=payment.currency,
            pay_code=pay_code,
            wallet=payment.wallet,
            payer_id=payment.payer_id,
            attach=_mark(payment),
            notice_url=self._notice_url,
        )
        return await self._word(payment, self._till.pay(order), Answer(PaymentEvent.REFUSED))

    async def query(self, payment: Payment) -> Answer:
        """See `ports.Channel`."""
        return await self._word(payment, self._till.query(_ref(payment)), SILENCE)

    async def cancel(self, payment: Payment) -> Answer:
        """See `ports.Channel`. An order the other side never had is as good as cancelled."""
        answer = await self._word(payment, self._till.cancel(_ref(payment)), SILENCE)
        return Answer(PaymentEvent.CANCELLED) if answer.event is PaymentEvent.NOT_FOUND else answer

    async def refund(self, payment: Payment, refund: Refund) -> RefundAnswer:
        """See `ports.Channel`."""
        order = RefundOrder(_ref(payment), refund.refund_id, refund.amount_fen, refund.reason)
        return await self._refund_word(self._till.refund(order), RefundAnswer(RefundEvent.REFUSED))

    async def query_refund(self, payment: Payment, refund: Refund) -> RefundAnswer:
        """See `ports.Channel`."""
        ref = RefundRef(refund.refund_id, refund.channel_refund_no, payment.channel_trade_no)
        return await self._refund_word(self._till.query_refund(ref), REFUND_SILENCE)

    async def identify(self, merchant_id: str, pay_code: Secret) -> Payer:
        """A till cannot ask who shows a code."""
        raise NotSupported

    async def face_ticket(self, merchant_id: str, device: str, raw: str) -> FaceTicket:
        """A till has no face device."""
        raise NotSupported

    async def session(self, app_id: str, code: Secret) -> WalletSession:
        """A till knows nothing of mini-programs."""
        raise NotSupported

    async def _word(self, payment: Payment, asked: Awaitable[Payment], refused: Answer) -> Answer:
        try:
            told = await asked
            # An order of our number that bears another's mark is another's: nothing is known of ours.
            return SILENCE if told.attach and told.attach != _mark(payment) else _answer(told)
        except (Unreachable, WireError):
            return SILENCE
        except PaymentNotFound:
            return Answer(PaymentEvent.NOT_FOUND)
        except NotCancellable:
            return Answer(PaymentEvent.CANCEL_REFUSED)
        except Refusal as refusal:
            if type(refusal) is Refusal or isinstance(refusal, _SAY_NOTHING):
                return SILENCE
            return Answer(refused.event, reason=str(refusal))

    async def _refund_word(self, told: Awaitable[Refund], refused: RefundAnswer) -> RefundAnswer:
        try:
            return _refund_answer(await told)
        except (Unreachable, WireError):
            return REFUND_SILENCE
        except (RefundNotFound, PaymentNotFound):
            return RefundAnswer(RefundEvent.NOT_FOUND)
        except Refusal as refusal:
            if type(refusal) is Refusal or isinstance(refusal, _SAY_NOTHING):
                return REFUND_SILENCE
            return RefundAnswer(refused.event, reason=str(refusal))


def _mark(payment: Payment) -> str:
    """What ties an order over there to this payment, where the other side echoes it."""
    return fingerprint("anytill", payment.merchant_id, payment.payment_id, payment.order_digest)[:32]


def _ref(payment: Payment) -> PaymentRef:
    return PaymentRef(payment.payment_id, payment.channel_trade_no)


def _answer(told: Payment) -> Answer:
    return Answer(
        event=_WORDS.get(told.state, PaymentEvent.SILENT),
        amount_fen=told.amount_fen,
        coupon_fen=told.coupon_fen,
        currency=told.currency,
        channel_trade_no=told.payment_id,
        payer_id=told.payer_id,
        paid_at_ms=told.paid_at_ms,
        invitation=told.invitation,
        reason=told.reason,
    )


def _refund_answer(told: Refund) -> RefundAnswer:
    return RefundAnswer(
        event=_REFUND_WORDS.get(told.state, RefundEvent.SILENT),
        refunded_fen=told.refunded_fen,
        channel_refund_no=told.refund_id,
        reason=told.reason,
    )
