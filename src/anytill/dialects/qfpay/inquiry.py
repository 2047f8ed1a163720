"""4001: how a payment stands (section 3.5 of the source).

Who lost an answer asks this before charging again, so it must never say "there is none" of a trade that could still
become one: the errand is looked at before the store, and a trade that was on its way then is told as open even if the
store had nothing yet.
"""

from __future__ import annotations

from anytill.core.errors import PaymentNotFound
from anytill.core.payment import Payment
from anytill.dialects.qfpay import answers, words
from anytill.dialects.qfpay.codec import Told
from anytill.dialects.qfpay.counter import Caller
from anytill.dialects.qfpay.messages import Inquiry


async def inquire(caller: Caller, inquiry: Inquiry) -> Told:
    """Carry a 4001 out. Raises PaymentNotFound, and OrderConflict for a number that means two payments."""
    errand = caller.counter.errand
    try:
        payment = await _found(caller, inquiry)
    except PaymentNotFound:
        if errand is None or not errand.out_trade_no or errand.out_trade_no != _number(inquiry):
            raise
        data = {
            "out_trade_no": errand.out_trade_no,
            "txamt": str(errand.amount_fen),
            "cancel": "0",
            "server_time": answers.local_time(caller.gateway.now_ms()),
        }
        return answers.told(words.AWAITED, data)
    payment = await caller.till.query(payment.ref)
    return answers.inquiry(payment, await caller.shop(), caller.gateway.now_ms())


async def _found(caller: Caller, inquiry: Inquiry) -> Payment:
    if inquiry.out_trade_no:
        return await caller.numbered(inquiry.out_trade_no)
    return await caller.find(inquiry.order_id)


def _number(inquiry: Inquiry) -> str:
    return inquiry.out_trade_no or inquiry.order_id
