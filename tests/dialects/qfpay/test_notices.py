"""The notice of a payment: its words, its signature, its schedule."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import pytest

from anytill.dialects.qfpay import DIALECT
from anytill.wire.http import HttpResponse, text
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
