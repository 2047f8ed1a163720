"""3001 and 3002: put a payment's receipt, or the day's takings, on the terminal's paper (sections 3.3 and 3.4).

A receipt says how the payment stands now, so one that is not paid says that. What is printed again is marked by nobody:
the register asks for each copy itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from anytill.core.ids import beijing, beijing_ms
from anytill.core.receipt import Receipt
from anytill.core.receipt_text import WALLET_NAMES, payment_receipt, summary_receipt
from anytill.core.records import changed
from anytill.core.takings import Takings
from anytill.dialects.qfpay import answers, words
from anytill.dialects.qfpay.codec import Told
from anytill.dialects.qfpay.counter import Caller
from anytill.dialects.qfpay.messages import PrintReceipt
from anytill.dialects.qfpay.words import CHANNELS, CallRefused, Channel
from anytill.wire.jsontext import Json

_TITLES: Final = {str(channel): CHANNELS[channel].title for channel in Channel}


async def print_receipt(caller: Caller, asked: PrintReceipt) -> Told:
    """Carry a 3001 out. Raises PaymentNotFound, OrderConflict; CallRefused when there is no paper."""
    payment = await caller.find(asked.order_id)
    payment = await caller.till.query(payment.ref)
    shop = await caller.shop()
    payment = changed(payment, order_no=answers.out_trade_no(payment))
    slip = payment_receipt(payment, shop=shop.name, device=shop.terminal)
    # Named, or on a line "printed" could be taken for "taken back".
    return await _printed(caller, slip, {"syssn": payment.payment_id})


async def print_summary(caller: Caller) -> Told:
    """Carry a 3002 out: what this terminal took and gave back since midnight in Hong Kong. Raises MerchantInactive, and
    CallRefused when there is no paper."""
    merchant = await caller.gateway.merchant(caller.credential)
    now_ms = caller.gateway.now_ms()
    since_ms = _midnight_ms(now_ms)
    takings = await caller.till.takings(since_ms, now_ms + 1, answers.DETAIL_CHANNEL)
    receipt = summary_receipt(
        _by_title(takings),
        shop=merchant.name,
        currency=merchant.currency,
        since_ms=since_ms,
        until_ms=now_ms,
        device=caller.counter.number,
    )
    return await _printed(caller, receipt)


async def _printed(caller: Caller, receipt: Receipt, about: Mapping[str, Json] | None = None) -> Told:
    try:
        await caller.counter.panel.print(receipt)
    except OSError:
        raise CallRefused(words.NO_PAPER) from None
    return answers.told(words.PRINTED, about)


def _by_title(takings: Sequence[Takings]) -> list[tuple[str, Takings]]:
    """A line for each channel, in whichever ways it was paid: a cashier looks for one sum of each."""
    lines: dict[str, Takings] = {}
    for each in takings:
        title = _title(each)
        so_far = lines.get(title)
        lines[title] = (
            each
            if so_far is None
            else changed(
                so_far,
                payments=so_far.payments + each.payments,
                amount_fen=so_far.amount_fen + each.amount_fen,
                paid_fen=so_far.paid_fen + each.paid_fen,
                refunds=so_far.refunds + each.refunds,
                refunded_fen=so_far.refunded_fen + each.refunded_fen,
            )
        )
    return list(lines.items())


def _title(takings: Takings) -> str:
    return _TITLES.get(takings.kind) or WALLET_NAMES[takings.wallet]


def _midnight_ms(now_ms: int) -> int:
    """When the day began in Hong Kong, whose time is Beijing's."""
    return beijing_ms(beijing(now_ms).replace(hour=0, minute=0, second=0, microsecond=0))
