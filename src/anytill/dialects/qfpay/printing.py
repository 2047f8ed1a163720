"""3001 and 3002: put a payment's receipt, or the day's takings, on the terminal's paper (sections 3.3 and 3.4).

A receipt says how the payment stands now, so one that is not paid says that. What is printed again is marked by nobody:
the register asks for each copy itself.
"""

from __future__ import annotations

from anytill.core.receipt import Receipt, payment_receipt
from anytill.dialects.qfpay import answers, words
from anytill.dialects.qfpay.codec import Told
from anytill.dialects.qfpay.counter import Caller
from anytill.dialects.qfpay.messages import PrintReceipt
from anytill.dialects.qfpay.words import CallRefused


async def print_receipt(caller: Caller, asked: PrintReceipt) -> Told:
    """Carry a 3001 out. Raises PaymentNotFound, OrderConflict; CallRefused when there is no paper."""
    payment = await caller.find(asked.order_id)
    payment = await caller.till.query(payment.ref)
    shop = await caller.shop()
    return await _printed(caller, payment_receipt(payment, shop=shop.name, device=shop.terminal))


async def print_summary(caller: Caller) -> Told:
    """Carry a 3002 out. Raises CallRefused when there is no paper."""
    raise CallRefused(words.NO_PAPER)


async def _printed(caller: Caller, receipt: Receipt) -> Told:
    try:
        await caller.counter.panel.print(receipt)
    except OSError:
        raise CallRefused(words.NO_PAPER) from None
    return answers.told(words.PRINTED)
