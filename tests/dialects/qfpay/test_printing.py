"""3001 and 3002: what comes out of the printer."""

from __future__ import annotations

from dataclasses import replace

import pytest

from anytill.core.merchant import MerchantState
from anytill.core.receipt import Amount, Receipt, Row, Text, Title
from tests.dialects.qfpay.desk import MASKED, MERCHANT, NUMBER, PAID, Desk, card

pytestmark = pytest.mark.anyio

PRINTED = ("6000", "0000")


def rows(receipt: Receipt) -> dict[str, str]:
    return {element.label: element.value for element in receipt.elements if isinstance(element, Row)}


def sums(receipt: Receipt) -> dict[str, int]:
    return {element.label: element.amount_fen for element in receipt.elements if isinstance(element, Amount)}


def title(receipt: Receipt) -> str:
    (text,) = [element.text for element in receipt.elements if isinstance(element, Title)]
    return text


async def test_a_receipt_of_a_card(desk: Desk) -> None:
    desk.panel.holds_out(card())
    paid = await desk.call(desk.trade("card_payment", 100))
    for order_id in (paid.data["syssn"], paid.data["out_trade_no"]):
        assert (await desk.call({"func_type": 3001, "orderId": order_id})).codes == PRINTED
    first, second = desk.panel.printed
    assert first == second
    assert title(first) == "银行卡交易小票"
    told = rows(first)
    assert (told["交易门店"], told["设备编号"], told["卡号"]) == (MERCHANT.name, NUMBER, MASKED)
    assert (told["商户单号"], told["交易流水"]) == (paid.data["out_trade_no"], paid.data["syssn"])
    assert sums(first)["交易金额"] == 10_000
    assert {element.currency for element in first.elements if isinstance(element, Amount)} == {"HKD"}


async def test_a_receipt_says_how_the_payment_stands(desk: Desk) -> None:
    unpaid = await desk.pay("04")
    paid = await desk.pay(amt=5)
    await desk.refund(paid.data["out_trade_no"], refund_amount=2)
    for told in (unpaid, paid):
        await desk.call({"func_type": 3001, "orderId": told.data["out_trade_no"]})
    declined, refunded = desk.panel.printed
    assert "未支付" in title(declined)
    assert sums(refunded)["已退款"] == 200


async def test_a_number_that_two_terminals_use_is_printed_as_it_was_sent(desk: Desk) -> None:
    first = await desk.pay()
    other = await Desk(desk.world).opened("80000078")
    other.code(prefix="14")
    told = await other.call(other.trade(out_trade_no=first.data["out_trade_no"]))
    assert told.codes == PRINTED
    await other.call({"func_type": 3001, "orderId": first.data["out_trade_no"]})
    (receipt,) = other.panel.printed
    assert rows(receipt)["商户单号"] == first.data["out_trade_no"]
    assert rows(receipt)["交易流水"] == told.data["syssn"]


@pytest.mark.parametrize("order_id", ["NOSUCH", "12611181234560000000"])
async def test_there_is_no_receipt_of_nothing(desk: Desk, order_id: str) -> None:
    assert (await desk.call({"func_type": 3001, "orderId": order_id})).codes == ("6002", "1136")
    assert (await desk.call({"func_type": 3001})).respcd == "4006"
    assert desk.panel.printed == []


async def test_there_is_no_paper(desk: Desk) -> None:
    paid = await desk.pay()
    desk.panel.has_paper = False
    for content in ({"func_type": 3001, "orderId": paid.data["syssn"]}, {"func_type": 3002}):
        told = await desk.call(content)
        assert told.codes == ("6002", "9013")
        assert "paper" in told.resperr


async def test_the_days_takings(desk: Desk) -> None:
    """What this terminal took since midnight; neither yesterday's nor another terminal's nor what failed."""
    await desk.pay(amt=1000)
    await desk.world.pass_s(5 * 3600)  # it was 19:06:40
    for amt in (3, 4):
        await desk.pay(amt=amt)
    await desk.pay("04", amt=9)
    desk.panel.holds_out(card())
    paid = await desk.call(desk.trade("card_payment", 100))
    await desk.refund(paid.data["syssn"])
    other = await Desk(desk.world).opened("80000078")
    other.code(prefix="14")
    await other.call(other.trade(out_trade_no="OTHER-1", amt=700))
    assert (await desk.call({"func_type": 3002})).codes == PRINTED
    (receipt,) = desk.panel.printed
    assert title(receipt) == "交易汇总"
    assert rows(receipt)["设备编号"] == NUMBER
    assert (rows(receipt)["起始时间"], rows(receipt)["截止时间"]) == ("2026-11-19 00:00:00", "2026-11-19 00:06:40")
    lines = [
        f"{element.label} {element.amount_fen}"
        if isinstance(element, Amount)
        else f"{element.label} {element.value}"
        if isinstance(element, Row)
        else element.text
        for element in receipt.elements
        if isinstance(element, Amount | Row | Text)
    ]
    assert lines[4:] == [
        *("WeChat Pay", "收款笔数 2", "收款金额 700", "退款笔数 0", "退款金额 0"),
        *("Visa / Mastercard", "收款笔数 1", "收款金额 10000", "退款笔数 1", "退款金额 10000"),
        *("合计", "收款笔数 3", "收款金额 10700", "退款笔数 1", "退款金额 10000"),
        "净额 700",
    ]


async def test_a_channel_is_one_line_however_it_was_paid(desk: Desk) -> None:
    """Its codes were scanned and shown."""

    async def payer_pays() -> None:
        await desk.world.wallet.payer_pays(merchant_order="SHOWN")

    scanned = await desk.pay(amt=3)
    desk.panel.pausing(payer_pays)
    assert (await desk.call(desk.trade(amt=4, out_trade_no="SHOWN", scan_type="QRCODE_PAY"))).codes == PAID
    await desk.refund(scanned.data["syssn"])
    await desk.refund("SHOWN", refund_amount=1)
    assert (await desk.call({"func_type": 3002})).codes == PRINTED
    (receipt,) = desk.panel.printed
    texts = [element.text for element in receipt.elements if isinstance(element, Text)]
    assert texts.count("WeChat Pay") == 1
    amounts = [(each.label, each.amount_fen) for each in receipt.elements if isinstance(each, Amount)]
    assert amounts[:2] == [("收款金额", 700), ("退款金额", 400)]
    assert amounts[-1] == ("净额", 300)


async def test_a_day_without_takings(desk: Desk) -> None:
    assert (await desk.call({"func_type": 3002})).codes == PRINTED
    (receipt,) = desk.panel.printed
    assert "无交易" in [element.text for element in receipt.elements if isinstance(element, Text)]
    assert sums(receipt)["净额"] == 0


async def test_a_merchant_that_is_off_still_has_its_receipts(desk: Desk) -> None:
    paid = await desk.pay()
    await desk.world.store.put_merchant(replace(MERCHANT, state=MerchantState.OFF))
    await desk.world.pass_s(10)
    assert (await desk.call({"func_type": 3001, "orderId": paid.data["syssn"]})).codes == PRINTED
    assert (await desk.inquire(paid.data["syssn"])).codes == PRINTED
    assert (await desk.refund(paid.data["syssn"])).codes == PRINTED
    assert (await desk.call({"func_type": 3002})).codes == ("6002", "1203")
