"""The notices of payments and of refunds: their words, their signature, their schedule."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import pytest

from anytill.core.money import HKD
from anytill.core.payment import PaymentRef, PayOrder, Refund, RefundOrder
from anytill.core.wallet import Wallet
from anytill.dialects.qfpay import DIALECT
from anytill.dialects.qfpay.client import Client
from anytill.wire.http import HttpRequest, HttpResponse, text
from tests.dialects.qfpay.desk import KEY, MERCHANT, NOTIFY_KEY, Desk, card
from tests.world import NOTICE_URL

pytestmark = pytest.mark.anyio


def signature(body: bytes, key: str) -> str:
    return hashlib.md5(body + key.encode(), usedforsecurity=False).hexdigest().upper()


async def notified(desk: Desk) -> Desk:
    desk.world.receiver.answer = lambda _nth: text("SUCCESS")
    return await desk.opened(notify_url=NOTICE_URL)


async def test_a_payment_is_notified_as_the_vendor_writes_it(desk: Desk) -> None:
    await notified(desk)
    paid = await desk.pay(amt=12.5)
    await desk.world.pass_s(1)
    (posted,) = desk.world.receiver.posted
    assert (posted.url, posted.content_type) == (NOTICE_URL, "application/json")
    assert posted.headers == {"x-qf-sign": signature(posted.body, NOTIFY_KEY)}
    fields = json.loads(posted.body)
    assert [name for name, value in fields.items() if not value] == (
        ["goods_name", "exchange_rate", "chnlsn2", "cash_fee_type", "goods_info", "cardcd"]
    )
    assert (fields["status"], fields["notify_type"], fields["respcd"]) == ("1", "payment", "0000")
    assert (fields["pay_type"], fields["txamt"], fields["txcurrcd"]) == ("800208", "1250", "HKD")
    assert (fields["cancel"], fields["cash_fee"], fields["mchid"]) == ("0", "0", MERCHANT.merchant_id)
    assert fields["sysdtm"] == fields["txdtm"] == fields["paydtm"] == "2026-11-18 19:06:40"
    for name in ("syssn", "out_trade_no", "chnlsn"):
        assert fields[name] == paid.data[name]


async def test_a_card_is_told_masked_and_nothing_that_failed_is_told(desk: Desk) -> None:
    await notified(desk)
    for ending in ("04", "03"):
        await desk.pay(ending)
    desk.panel.holds_out(card())
    paid = await desk.call(desk.trade("card_payment", 10, out_trade_no=None))
    await desk.world.pass_s(600)
    (posted,) = desk.world.receiver.posted
    fields = json.loads(posted.body)
    assert (fields["syssn"], fields["out_trade_no"]) == (paid.data["syssn"], "")
    assert (fields["pay_type"], fields["cardcd"]) == ("802808", "520000******1096")


async def test_a_refund_is_notified_under_its_own_numbers_and_its_payments(desk: Desk) -> None:
    await notified(desk)
    paid = await desk.pay(amt=12.5)
    await desk.world.pass_s(60)
    given_back = await desk.refund(paid.data["out_trade_no"], refund_amount="2.50")
    assert given_back.codes == ("6000", "0000")
    await desk.world.pass_s(1)
    payment, refund = desk.world.receiver.posted
    assert (refund.url, refund.content_type) == (NOTICE_URL, "application/json")
    assert refund.headers == {"x-qf-sign": signature(refund.body, NOTIFY_KEY)}
    (stored,) = await desk.world.store.refunds_of(MERCHANT.merchant_id, paid.data["syssn"])
    assert json.loads(refund.body) == {
        "status": "1",
        "pay_type": "800208",
        "sysdtm": "2026-11-18 19:07:40",
        "paydtm": "2026-11-18 19:07:40",
        "txcurrcd": "HKD",
        "orig_out_trade_no": paid.data["out_trade_no"],
        "mchid": MERCHANT.merchant_id,
        "txdtm": "2026-11-18 19:07:40",
        "txamt": "250",
        "orig_syssn": paid.data["syssn"],
        "out_trade_no": stored.refund_no,
        "syssn": given_back.data["syssn"],
        "respcd": "0000",
        "notify_type": "cancel",
        "chnlsn": given_back.data["chnlsn"],
    }
    # Working receivers take a notice with this name for a refund's, whatever else it says.
    assert "orig_out_trade_no" not in json.loads(payment.body)


async def test_a_refund_that_took_its_time_is_told_with_both_times(desk: Desk) -> None:
    await notified(desk)
    paid = await desk.pay(amt=12.5)
    await desk.world.pass_s(60)
    assert (await desk.refund(paid.data["syssn"], refund_amount="0.91")).codes == ("6000", "0000")
    await desk.world.pass_s(1)
    told = json.loads(desk.world.receiver.posted[-1].body)
    assert (told["txamt"], told["sysdtm"], told["paydtm"]) == ("91", "2026-11-18 19:07:40", "2026-11-18 19:07:50")


async def test_a_refund_of_a_payment_without_a_number_is_told_without_one(desk: Desk) -> None:
    await notified(desk)
    desk.code()
    paid = await desk.call(desk.trade(out_trade_no=None))
    await desk.world.pass_s(1)  # the payment's notice is out: of two that are due either may be the first
    await desk.refund(paid.data["syssn"])
    await desk.world.pass_s(1)
    told = json.loads(desk.world.receiver.posted[-1].body)
    assert (told["orig_out_trade_no"], told["orig_syssn"], told["txamt"]) == ("", paid.data["syssn"], "150")


async def test_what_the_notice_of_a_refund_is_called_is_the_credentials_choice_at_each_try(desk: Desk) -> None:
    await notified(desk)
    paid = await desk.pay()
    await desk.world.pass_s(1)
    desk.world.receiver.answer = lambda nth: text("SUCCESS") if nth > 2 else None
    await desk.refund(paid.data["syssn"])
    await desk.world.pass_s(1)
    await desk.opened(notify_url=NOTICE_URL, refund_notify_type="refund")
    await desk.world.pass_s(600)
    _, first, second = (json.loads(posted.body) for posted in desk.world.receiver.posted)
    assert (first.pop("notify_type"), second.pop("notify_type")) == ("cancel", "refund")
    assert first == second
    posted = desk.world.receiver.posted[-1]
    assert posted.headers == {"x-qf-sign": signature(posted.body, NOTIFY_KEY)}


async def test_the_client_hears_of_a_refund_what_the_terminal_answered(desk: Desk) -> None:
    await notified(desk)
    client = Client({"pos_key": KEY, "form": "plain", "notify_key": NOTIFY_KEY}, desk.terminal.handle)
    desk.code()
    payment = await client.pay(PayOrder("N1", 1_250, currency=HKD, wallet=Wallet.WECHAT))
    await desk.world.pass_s(60)
    refund = await client.refund(RefundOrder(PaymentRef("N1"), "", 250))
    await desk.world.pass_s(1)
    posted = desk.world.receiver.posted[-1]
    heard, answer = client.hear(HttpRequest("POST", "/", "", posted.headers, posted.body, ""))
    assert isinstance(heard, Refund)
    assert DIALECT.form is not None
    assert DIALECT.form.acknowledged(answer)
    assert (heard.payment_id, heard.order_no) == (payment.payment_id, "N1")
    assert replace(heard, created_at_ms=0, ended_at_ms=None) == refund
    assert (await client.query_refund(heard.ref)).refunded_fen == heard.refunded_fen == 250


@pytest.mark.parametrize(
    ("answer", "heard"),
    [
        (text("SUCCESS"), True),
        (text("SUCCESS\r\n"), True),
        (text("success"), False),
        (text("SUCCESS", status=201), False),
        (text("SUCCESSFUL"), False),
        (text(""), False),
    ],
)
async def test_what_acknowledges(answer: HttpResponse, heard: bool) -> None:
    assert DIALECT.form is not None
    assert DIALECT.form.acknowledged(answer) is heard


async def test_the_vendors_schedule_and_its_end(desk: Desk) -> None:
    await notified(desk)
    desk.world.receiver.answer = lambda _nth: None
    began_ms = desk.world.clock.now_ms()
    await desk.pay()
    await desk.world.pass_s(3 * 24 * 3600)
    tries = [(posted.at_ms - began_ms) // 1_000 for posted in desk.world.receiver.posted]
    waits = [0, 120, 600, 600, 3600, 2 * 3600, 6 * 3600, 15 * 3600]
    assert tries == [sum(waits[: n + 1]) for n in range(8)]
    assert len({posted.body for posted in desk.world.receiver.posted}) == 1
    assert "notice_exhausted" in [event for event, _ in desk.world.watch.alarms]


async def test_without_an_address_nobody_is_told(desk: Desk) -> None:
    await desk.pay()
    await desk.world.pass_s(60)
    assert desk.world.receiver.posted == []


async def test_a_terminal_without_a_notification_key_signs_with_its_own(desk: Desk) -> None:
    await notified(desk)
    credential = await desk.world.gateway.credential("qfpay", desk.number)
    await desk.world.store.put_credential(replace(credential, password=None))
    desk.world.gateway.forget(credential)
    await desk.pay()
    await desk.world.pass_s(1)
    (posted,) = desk.world.receiver.posted
    assert posted.headers["x-qf-sign"] == signature(posted.body, KEY)


async def test_an_address_that_is_not_public_refuses_payments_in_words(desk: Desk) -> None:
    await desk.opened(notify_url="http://10.0.0.1/notify")
    assert (await desk.pay()).codes == ("6002", "9008")
    assert await desk.orders() == 0
