"""4001: how a payment stands, or a refund by our number of it (section 3.5 of the source).

Who lost an answer asks this before charging again, so it must never say "there is none" of a trade that could still
become one: the errand is looked at before the store, and a trade that was on its way then is told as open even if the
store had nothing yet.
"""

from __future__ import annotations

from anytill.core.errors import PaymentNotFound, RefundNotFound
from anytill.core.payment import Payment, PaymentRef, RefundRef
from anytill.dialects.qfpay import answers, words
from anytill.dialects.qfpay.codec import Told
from anytill.dialects.qfpay.counter import Caller, Errand
from anytill.dialects.qfpay.messages import Inquiry
from anytill.wire.times import format_time


async def inquire(caller: Caller, inquiry: Inquiry) -> Told:
    """Carry a 4001 out. Raises PaymentNotFound, and OrderConflict for a number that means two payments."""
    errand = caller.counter.errand
    try:
        payment = await _found(caller, inquiry)
    except PaymentNotFound:
        number = inquiry.out_trade_no or inquiry.order_id
        if errand is not None and errand.out_trade_no == number:
            return _awaited(caller, errand)
        caller.counter.spent.not_found(number)
        if inquiry.out_trade_no:
            raise
        return await _refund(caller, inquiry.order_id)
    payment = await caller.till.query(payment.ref)
    return answers.inquiry(payment, await caller.shop(), caller.gateway.now_ms())


def _awaited(caller: Caller, errand: Errand) -> Told:
    data = {
        "out_trade_no": errand.out_trade_no,
        "txamt": str(errand.amount_fen),
        "cancel": "0",
        "server_time": format_time(caller.gateway.now_ms()),
    }
    return answers.told(words.AWAITED, data)


async def _refund(caller: Caller, refund_id: str) -> Told:
    try:
        refund = await caller.till.query_refund(RefundRef(refund_id=refund_id))
    except RefundNotFound:
        raise PaymentNotFound from None
    payment = await caller.till.find(PaymentRef(payment_id=refund.payment_id))
    return answers.refund_inquiry(payment, refund, await caller.shop(), caller.gateway.now_ms())


async def _found(caller: Caller, inquiry: Inquiry) -> Payment:
    if inquiry.out_trade_no:
        return await caller.numbered(inquiry.out_trade_no)
    return await caller.find(inquiry.order_id)
