"""Pre-orders and their notices: the conditional rules, the life of an order that waits, what the merchant is told."""

from __future__ import annotations

from itertools import pairwise
from urllib.parse import parse_qsl

import pytest

from anytill.core.payment import PaymentRef
from anytill.dialects.chaoying.notices import PreorderNotices
from anytill.dialects.chaoying.sandbox import SANDBOX
from anytill.wire.http import HttpResponse
from tests.dialects.chaoying.desk import VECTORS, Desk, signed
from tests.world import NOTICE_URL

pytestmark = pytest.mark.anyio

NOW = "20261118190640"


@pytest.mark.parametrize(
    ("wallet", "fields", "missing"),
    [
        ("WECHAT", {"product_id": ""}, "product_id"),
        ("WECHAT", {"trade_type": "JSPAY", "sub_appid": "wx1"}, "buyer_id"),
        ("WECHAT", {"trade_type": "JSPAY", "buyer_id": "o1"}, "sub_appid"),
        ("WECHAT", {"trade_type": "APP"}, "sub_appid"),
        ("WECHAT", {"trade_type": "APP_BANK"}, "sub_appid"),
        ("WECHAT", {"trade_type": ""}, "trade_type"),
        ("ALIPAY", {"trade_type": "JSPAY", "product_id": "", "buyer_id": "2088"}, "product_id"),
        ("ALIPAY", {"trade_type": "JSPAY"}, "buyer_id"),
    ],
)
async def test_what_a_trade_type_requires(desk: Desk, wallet: str, fields: dict[str, str], missing: str) -> None:
    answer = await desk.preorder(wallet, desk.native(**fields))
    assert (answer["state"], answer["code"]) == ("FAIL", "20004")
    assert answer["msg"] == f"参数错误：{missing}不能为空"


@pytest.mark.parametrize(
    ("wallet", "fields", "told"),
    [
        ("WECHAT", {}, "code_url"),
        ("WECHAT", {"trade_type": "JSPAY", "sub_appid": "wx1", "buyer_id": "o1", "is_minipg": "1"}, "pay_info"),
        ("WECHAT", {"trade_type": "APP", "sub_appid": "wx1"}, "pay_info"),
        ("WECHAT", {"trade_type": "APP_BANK", "sub_appid": "wx1"}, "pay_info"),
        ("ALIPAY", {"product_id": ""}, "code_url"),
        ("ALIPAY", {"trade_type": "JSPAY", "buyer_id": "2088"}, "pay_info"),
        ("ALIPAY", {"trade_type": "JSPAY", "buyer_logon_id": "13800000000"}, "pay_info"),
        ("ALIPAY", {"trade_type": "APP", "nonce_str": "n1"}, "pay_info"),
        ("ALIPAY", {"trade_type": "APP_BANK"}, "pay_info"),
    ],
)
async def test_each_trade_type(desk: Desk, wallet: str, fields: dict[str, str], told: str) -> None:
    order = desk.native(**fields)
    answer = await desk.preorder(wallet, order)
    assert [answer[name] for name in ("state", "code", "trade_state")] == ["SUCCESS", "10000", "SUCCESS"]
    assert answer[told]
    asked = await desk.call("orderquery", {"paytype": wallet, "out_trade_no": order["out_trade_no"]})
    assert [asked[name] for name in ("state", "code", "trade_state")] == ["SUCCESS", "10003", "PROCESSING"]
    await desk.world.wallet.payer_pays(merchant_order=order["out_trade_no"])
    desk.world.clock.advance(1_000)
    paid = await desk.call("orderquery", {"paytype": wallet, "out_trade_no": order["out_trade_no"]})
    assert paid["code"] == "10000"
    # The same pre-order again: it must not be offered once more, and has not failed.
    again = await desk.preorder(wallet, order)
    assert [again[name] for name in ("state", "code", "trade_state")] == ["SUCCESS", "10000", "NEED_QUERY"]
    assert told not in again


async def test_the_same_preorder_again_is_offered_again(desk: Desk) -> None:
    order = desk.native(time_expire="20261118200000", nonce_str="n1")
    first = await desk.preorder("WECHAT", order)
    desk.world.clock.advance(70_000)
    again = await desk.preorder("WECHAT", {**order, "nonce_str": "n2"})
    assert again["code_url"] == first["code_url"]
    for change in ({"total_fee": "101"}, {"product_id": "2"}, {"time_expire": "20261118200001"}):
        assert (await desk.preorder("WECHAT", {**order, **change}))["code"] == "20004"
    assert (await desk.preorder("ALIPAY", order))["code"] == "20004"


@pytest.mark.parametrize(
    ("wallet", "times", "life_s"),
    [
        ("WECHAT", {"time_expire": "20261118191140"}, 300),
        ("WECHAT", {"time_start": NOW, "time_expire": "20261118191140"}, 300),
        ("WECHAT", {"time_start": NOW}, 1_800),
        ("ALIPAY", {"time_start": NOW, "time_expire": "20261118191140"}, 300),
        ("ALIPAY", {"time_expire": "20261118191140"}, 1_800),
        ("ALIPAY", {"time_expire": "20261125190640", "time_start": NOW}, 7 * 86_400),
    ],
)
async def test_the_end_of_an_order(desk: Desk, wallet: str, times: dict[str, str], life_s: int) -> None:
    order = desk.native(**times)
    assert (await desk.preorder(wallet, order))["code"] == "10000"
    stored = await desk.world.stored(order["out_trade_no"])
    assert stored.deadline_at_ms - stored.created_at_ms == life_s * 1_000
    desk.world.clock.advance(life_s * 1_000)
    ended = await desk.call("orderquery", {"paytype": wallet, "out_trade_no": order["out_trade_no"]})
    assert ended["trade_state"] == "FAIL"
    # What is over is told by its own word, also to who sends the pre-order again.
    again = await desk.preorder(wallet, order)
    assert (again["state"], again["trade_state"], again["code"]) == ("SUCCESS", "FAIL", ended["code"])


@pytest.mark.parametrize(
    "times",
    [
        {"time_expire": "20261118190640"},
        {"time_expire": "20261118190739"},
        {"time_expire": "20261125190641"},
        {"time_expire": "20251118190640"},
        {"time_expire": "2026-11-18 19:30:00"},
        {"time_expire": "20261318190640"},
        {"time_start": "20261118193000", "time_expire": "20261118192000"},
        {"time_start": "20261399000000"},
    ],
)
async def test_ends_that_are_refused(desk: Desk, times: dict[str, str]) -> None:
    answer = await desk.preorder("WECHAT", desk.native(**times))
    assert answer["code"] == "20004"
    assert "time_" in answer["msg"]


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:9/notify?a=1", "ftp://shop.example/", "http://10.0.0.1/", "shop.example", "http://shop/"]
)
async def test_notice_addresses_that_are_refused(desk: Desk, url: str) -> None:
    order = desk.native(notify_url=url)
    answer = await desk.preorder("WECHAT", order)
    assert (answer["state"], answer["code"]) == ("FAIL", "20004")
    assert "notify_url" in answer["msg"]
    assert await desk.world.wallet.statement(merchant_order=order["out_trade_no"]) == []


async def test_preorders_take_letters_and_digits_only(desk: Desk) -> None:
    assert "out_trade_no" in (await desk.preorder("WECHAT", desk.native(out_trade_no="A_10001")))["msg"]


@pytest.mark.parametrize("wallet", ["WECHAT", "ALIPAY"])
async def test_a_notice_says_what_the_sample_says(desk: Desk, wallet: str) -> None:
    order = desk.native(notify_url=NOTICE_URL, attach="桌 5", device_info="d1")
    await desk.preorder(wallet, order)
    await desk.world.wallet.payer_pays(merchant_order=order["out_trade_no"])
    await desk.world.pass_s(10)
    (posted,) = desk.world.receiver.posted
    told = dict(parse_qsl(posted.body.decode(), strict_parsing=True))
    assert told == signed({name: value for name, value in told.items() if name != "sign"})
    (vector,) = [each for each in VECTORS["source_notices"] if each["name"] == wallet]
    assert set(dict(parse_qsl(vector["body"]))) - set(told) == set(vector["left_out"])
    assert [told[name] for name in ("state", "result_code", "pay_result")] == ["SUCCESS", "SUCCESS", "0"]
    assert [told[name] for name in ("total_fee", "mch_id", "attach")] == ["100", SANDBOX.number, "桌 5"]
    assert told["trade_type"] == ("pay.weixin.native" if wallet == "WECHAT" else "pay.alipay.native")
    assert ("gmt_create" in told, "wx_mch_id" in told) == (wallet == "ALIPAY", wallet == "WECHAT")


async def test_a_note_that_could_be_read_as_fields_is_not_told(desk: Desk) -> None:
    order = desk.native(notify_url=NOTICE_URL, attach="x&coupon_fee=50")
    assert (await desk.preorder("WECHAT", order))["code"] == "10000"
    await desk.world.wallet.payer_pays(merchant_order=order["out_trade_no"])
    await desk.world.pass_s(10)
    (posted,) = desk.world.receiver.posted
    told = dict(parse_qsl(posted.body.decode()))
    assert not {"attach", "coupon_fee"} & set(told)


async def test_twelve_tries_on_the_published_schedule(desk: Desk) -> None:
    order = desk.native(notify_url=NOTICE_URL)
    await desk.preorder("WECHAT", order)
    await desk.world.wallet.payer_pays(merchant_order=order["out_trade_no"])
    desk.world.clock.advance(1_000)
    desk.world.receiver.answer = lambda _nth: HttpResponse(200, b"fail", "text/plain")
    await (await desk.world.till("chaoying")).query(PaymentRef(order["out_trade_no"]))
    await desk.world.pass_s(24 * 3_600)
    at_ms = [posted.at_ms for posted in desk.world.receiver.posted]
    waits = [later - earlier for earlier, later in pairwise(at_ms)]
    assert waits == [1_000 * s for s in (15, 15, 15, 30, 180, 180, 1_800, 1_800, 1_800, 1_800, 3_600)]
    nonces = {dict(parse_qsl(posted.body.decode()))["nonce_str"] for posted in desk.world.receiver.posted}
    assert len(nonces) == 12


@pytest.mark.parametrize(
    ("status", "body", "heard"),
    [
        (200, b"success", True),
        (200, b" success\r\n", True),
        (200, b"SUCCESS", False),
        (200, b"success!", False),
        (200, b"", False),
        (200, b"fail", False),
        (500, b"success", False),
        (302, b"success", False),
    ],
)
def test_only_the_plain_word_is_an_acknowledgement(status: int, body: bytes, heard: bool) -> None:
    assert PreorderNotices().acknowledged(HttpResponse(status, body, "text/plain")) is heard
