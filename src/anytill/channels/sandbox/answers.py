"""What the wallet says about an order or a refund, in the words every channel uses."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from anytill.channels.sandbox.records import Order, OrderState, WalletRefund, WalletRefundState
from anytill.core.answer import Answer, RefundAnswer
from anytill.core.lifecycle import PaymentEvent, RefundEvent

NOT_FOUND: Final = Answer(PaymentEvent.NOT_FOUND)
REFUND_NOT_FOUND: Final = RefundAnswer(RefundEvent.NOT_FOUND)

_PAYMENT_WORDS: Final = MappingProxyType(
    {
        OrderState.WAITING: PaymentEvent.WAITING,
        OrderState.PAID: PaymentEvent.PAID,
        OrderState.REFUSED: PaymentEvent.REFUSED,
        OrderState.CLOSED: PaymentEvent.CLOSED,
        OrderState.CANCELLED: PaymentEvent.CANCELLED,
        OrderState.REVERSED: PaymentEvent.CANCELLED,
        OrderState.DEAD: PaymentEvent.CANCELLED,
    }
)
_REFUND_WORDS: Final = MappingProxyType(
    {
        WalletRefundState.PROCESSING: RefundEvent.PROCESSING,
        WalletRefundState.DONE: RefundEvent.DONE,
        WalletRefundState.REFUSED: RefundEvent.REFUSED,
        WalletRefundState.RETURNED: RefundEvent.RETURNED,
    }
)


def order_answer(order: Order) -> Answer:
    """How an order stands."""
    waits, paid = order.state is OrderState.WAITING, order.state is OrderState.PAID
    return Answer(
        _PAYMENT_WORDS[order.state],
        amount_fen=order.charged_fen + order.coupon_fen if paid else 0,
        coupon_fen=order.coupon_fen if paid else 0,
        currency=order.currency,
        channel_trade_no=order.channel_trade_no,
        # Who will follow the invitation is not known before it is paid.
        payer_id="" if waits and order.invitation else order.payer_id,
        paid_at_ms=order.paid_at_ms if paid else None,
        invitation=order.invitation if waits else {},
        slip=order.slip,
        reason=order.told_reason,
    )


def pay_answer(order: Order) -> Answer:
    """How an order stands, told to a pay call: one that arrives after its own cancel is refused."""
    if order.state is OrderState.DEAD:
        return Answer(PaymentEvent.REFUSED, reason="the order was cancelled before it arrived")
    return order_answer(order)


def cancel_answer(order: Order, *, granted: bool) -> Answer:
    """What a cancel came to. There is nothing to undo in an order that ended unpaid: that is no refusal."""
    event = PaymentEvent.CANCELLED if granted else PaymentEvent.CANCEL_REFUSED
    reason = "" if granted else "too late, or partly refunded: refund it"
    return Answer(event, channel_trade_no=order.channel_trade_no, payer_id=order.payer_id, reason=reason)


def refund_answer(refund: WalletRefund) -> RefundAnswer:
    """How a refund stands."""
    done = refund.state is WalletRefundState.DONE
    return RefundAnswer(
        _REFUND_WORDS[refund.state],
        refunded_fen=refund.amount_fen if done else 0,
        channel_refund_no=refund.channel_refund_no,
        reason=refund.reason,
    )
