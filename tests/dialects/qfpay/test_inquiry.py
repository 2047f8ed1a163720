"""4001: how a payment or a refund stands, and what the inquiry's data hold."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from anytill.core.panel import Way
from anytill.core.payment import Payment, PaymentRef
from anytill.core.secret import Secret
from tests.dialects.qfpay.desk import MASKED, Desk, Said, card

pytestmark = pytest.mark.anyio


async def test_all_that_the_document_names_is_told(desk: Desk) -> None:
    desk.panel.holds_out(card())
    paid = await desk.call(desk.trade("card_payment", 100))
    told = await desk.inquire(paid.data["syssn"])
    assert told.codes == ("6000", "0000")
    assert " ".join(told.data).startswith(
        "server_time cancel clisn opuid prepay_amt syssn tradetp sysdtm txcurrcd origssn customer_source opuser"
        " nickname allow_refund_amt desc txamt busicd respcd origbusicd chnlsn cardscheme cardno cardtype batchno"
        " refno "
    )
    payment = await desk.stored(paid.data["out_trade_no"])
    assert (told.data["cardno"], told.data["cardscheme"], told.data["cardtype"]) == (MASKED, "MASTERCARD", "CREDIT")
    assert (told.data["batchno"], told.data["refno"]) == ("261118", payment.channel_trade_no)
    assert (told.data["allow_refund_amt"], told.data["prepay_amt"], told.data["txamt"]) == ("10000", "10000", "10000")
    assert (told.data["cancel"], told.data["busicd"], told.data["out_trade_no"]) == ("0", "802808", payment.order_no)


@pytest.mark.parametrize("names", [("orderId",), ("out_trade_no",), ("out_trade_no", "orderId")])
async def test_by_either_number(desk: Desk, names: tuple[str, ...]) -> None:
    paid = await desk.pay(amt=3)
    number = paid.data["out_trade_no"]
    told = await desk.call({"func_type": 4001, **dict.fromkeys(names, number)})
    assert (told.codes, told.data["syssn"]) == (("6000", "0000"), paid.data["syssn"])


async def test_the_register_may_write_its_number_as_a_number(desk: Desk) -> None:
    desk.code()
    await desk.call(desk.trade(out_trade_no=456799999999))
    told = await desk.call({"func_type": "4001", "orderId": 456799999999})
    assert (told.codes, told.data["out_trade_no"]) == (("6000", "0000"), "456799999999")


@pytest.mark.parametrize("content", [{}, {"orderId": ""}, {"orderId": "a b"}, {"orderId": "N" * 65}])
async def test_a_number_is_needed(desk: Desk, content: dict[str, Any]) -> None:
    told = await desk.call({"func_type": 4001, **content})
    assert told.respcd == "4006"
    assert "orderId" in told.resperr


async def test_what_was_given_back_is_told(desk: Desk) -> None:
    paid = await desk.pay(amt=5)
    number = paid.data["out_trade_no"]
    seen, numbers = [], []
    # All that is left is another wish than the same sum was before.
    for amount in ("1", "2", ""):
        refund = await desk.refund(number, refund_amount=amount)
        assert refund.codes == ("6000", "0000")
        numbers.append(refund.data["syssn"])
        told = await desk.inquire(number)
        assert told.inner == "0000"
        seen.append((told.data["cancel"], told.data["allow_refund_amt"]))
    assert seen == [("5", "400"), ("5", "200"), ("3", "0")]
    told = await desk.inquire(numbers[-1])
    assert (told.data["syssn"], told.data["origssn"]) == (numbers[-1], paid.data["syssn"])
    assert (told.data["txamt"], told.inner) == ("200", "0000")


async def test_nothing_looks_like_money_that_was_not_received(desk: Desk) -> None:
    for ending in ("04", "03"):
        unpaid = await desk.pay(ending)
        told = await desk.inquire(unpaid.data["out_trade_no"])
        assert (told.data["paydtm"], told.data["prepay_amt"], told.data["allow_refund_amt"]) == (None, "0", "0")
        assert told.inner != "0000"


async def test_a_trade_that_ends_while_it_is_looked_for_is_not_told_as_none(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store is asked while the trade waits; when its "there is none" arrives the trade has long been paid."""
    trade = desk.trade()
    looking, paid = anyio.Event(), anyio.Event()
    payment_of = desk.world.store.payment
    heard: list[Said] = []

    async def late(merchant_id: str, ref: PaymentRef) -> Payment | None:
        found = await payment_of(merchant_id, ref)
        if ref.order_no == trade["out_trade_no"] and desk.panel.asked and not looking.is_set():
            looking.set()
            await paid.wait()
        return found

    async def inquires() -> None:
        heard.append(await desk.inquire(trade["out_trade_no"]))

    monkeypatch.setattr(desk.world.store, "payment", late)
    async with anyio.create_task_group() as group:

        async def payer() -> Secret:
            group.start_soon(inquires)
            await looking.wait()
            return Secret("130000000000770000")

        desk.panel.will(Way.SCAN, payer)
        assert (await desk.call(trade)).codes == ("6000", "0000")
        paid.set()
    assert heard[0].codes == ("6000", "1145")
    assert (await desk.inquire(trade["out_trade_no"])).codes == ("6000", "0000")


async def test_another_merchants_payment_is_not_there(desk: Desk) -> None:
    till = await desk.world.till("teegon")
    order = desk.world.order()
    payment = await till.pay(order)
    assert (await desk.inquire(order.order_no)).codes == ("6002", "1136")
    assert (await desk.inquire(payment.payment_id)).codes == ("6002", "1136")
