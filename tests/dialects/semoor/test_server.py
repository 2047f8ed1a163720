"""What each call answers, how each state is told, and what becomes of attempts to get more out of it."""

from __future__ import annotations

import asyncio
import xml.etree.ElementTree as ET
from dataclasses import replace
from urllib.parse import urlencode

import pytest

from anytill.core.device import Device
from anytill.core.lifecycle import PaymentState, RefundState
from anytill.core.merchant import KeyShape, Merchant, MerchantState
from anytill.core.secret import Secret
from anytill.dialects.semoor import words
from anytill.dialects.semoor.server import system_error
from anytill.gateway.directory import REMEMBERED_MS
from anytill.wire.http import HttpRequest
from tests.dialects.semoor.desk import (
    ACTIVE,
    CONFIG,
    DEVICE,
    DEVICE_ERROR,
    KEY,
    OP,
    OTHER_DEVICE,
    OTHER_KEY,
    PEER,
    REPRINT,
    TIME,
    VECTORS,
    Desk,
    signed,
    told,
)

pytestmark = pytest.mark.anyio

CODE = "24901320180424"


# Activation, configuration, time


async def test_a_device_is_activated_once(desk: Desk) -> None:
    answer = await desk.get(f"code={CODE}", ACTIVE)
    assert dict(answer.attrib) == {
        "ok": "1",
        "device_id": DEVICE,
        "secretkey": KEY,
        "server": "http://pay.example.com:8000",
        "info": "激活成功",
    }
    again = await desk.post(f"code={CODE}".encode(), ACTIVE)
    assert dict(again.attrib) == {"ok": "0", "info": words.BAD_CODE}


async def test_a_new_device_fetches_a_key_and_uses_it_at_once(desk: Desk) -> None:
    devices = desk.world.gateway.devices
    issued = await devices.add_device(Device("semoor", "70001", "demo", "二号机"), KeyShape(40), "test")
    assert issued is not None
    code = await devices.new_code(issued.device, KeyShape(40), "test")
    answer = await desk.get(f"code={code}", ACTIVE)
    key = str(answer.get("secretkey"))
    assert (answer.get("device_id"), len(key)) == ("70001", 40)
    config = await desk.send({"device_id": "70001"}, CONFIG, key)
    assert config.get("ok") == "1"
    assert (await devices.device("semoor", "70001")).activated_at_ms == desk.world.clock.now_ms()


async def test_codes_cannot_be_guessed_at(desk: Desk) -> None:
    for guess in range(5):
        assert (await desk.get(f"code=2490132018042{guess if guess != 4 else 9}", ACTIVE)).get("ok") == "0"
    # The sixth from this address is not even looked at, although it is right.
    assert told(await desk.get(f"code={CODE}", ACTIVE)) == ("0", words.BAD_CODE)
    assert (await desk.get(f"code={CODE}", ACTIVE, peer="192.0.2.99")).get("ok") == "1"


async def test_an_old_code_is_no_code(desk: Desk) -> None:
    devices = desk.world.gateway.devices
    device = await devices.device("semoor", DEVICE)
    code = await devices.new_code(device, KeyShape(40), "test", life_ms=900_000)
    desk.world.clock.advance(900_000)
    assert told(await desk.get(f"code={code}", ACTIVE)) == ("0", words.BAD_CODE)


async def test_the_configuration(desk: Desk) -> None:
    answer = await desk.send({"device_id": DEVICE}, CONFIG)
    assert dict(answer.attrib) == {
        "ok": "1",
        "server": "http://pay.example.com:8000",
        "company": "演示商户 Demo Shop",
        "info": "",
    }
    kinds = [(pay.get("pay_type"), pay.get("paytype"), pay.get("pay_name")) for pay in answer]
    assert kinds[:2] == [("4", "wxpay", "微信"), ("5", "alipay", "支付宝")]
    assert len(kinds) == 6
    await desk.world.store.put_merchant(Merchant("demo", "只收微信", channels={"": "none", "WECHAT": "sandbox"}))
    await desk.options(server="https://pay.example.com")
    answer = await desk.send({"device_id": DEVICE}, CONFIG)
    assert (answer.get("server"), answer.get("company")) == ("https://pay.example.com", "只收微信")
    assert [pay.get("paytype") for pay in answer] == ["wxpay"]


@pytest.mark.parametrize(
    ("host", "server"),
    [
        ("127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("[::1]:8000", "http://[::1]:8000"),
        ("evil.example/?", ""),
        ('a"b', ""),
        ("user@pay.example.com", ""),
        ("", ""),
    ],
)
async def test_only_a_plain_host_is_told_as_the_server(desk: Desk, host: str, server: str) -> None:
    body = urlencode(signed({"device_id": DEVICE})).encode()
    assert (await desk.post(body, CONFIG, host=host)).get("server") == server


async def test_the_time(desk: Desk) -> None:
    answer = await desk.send({"device_id": DEVICE}, TIME)
    assert dict(answer.attrib) == {"ok": "1", "time": "2026-11-18 19:06:40", "timestamp": "1795000000"}


async def test_a_merchant_that_is_off(desk: Desk) -> None:
    dm_id = await desk.paid()
    await desk.world.store.put_merchant(Merchant("demo", "停用的商户", state=MerchantState.OFF))
    desk.world.clock.advance(REMEMBERED_MS)
    off = ("0", "商户错误：商户待审核或已停用，请联系服务商")
    assert told(await desk.send({"device_id": DEVICE}, CONFIG)) == off
    assert told(await desk.call(desk.order())) == off
    # What was sold before can be asked about and given back all the same.
    assert (await desk.call({"action": "query", "dm_id": dm_id})).findtext("paylist/pay/company") == "停用的商户"
    assert (await desk.call({"action": "refund", "dm_id": dm_id, "refund": "1"})).get("ok") == "1"


# Payments


@pytest.mark.parametrize(
    ("ending", "at_once", "later"),
    [
        ("01", PaymentState.WAITING, PaymentState.PAID),
        ("02", PaymentState.WAITING, None),
        ("03", PaymentState.WAITING, PaymentState.CANCELLED),
        ("04", PaymentState.FAILED, PaymentState.FAILED),
        ("05", PaymentState.FAILED, PaymentState.FAILED),
        ("06", PaymentState.UNKNOWN, PaymentState.PAID),
        ("07", PaymentState.UNKNOWN, PaymentState.CANCELLED),
        ("08", PaymentState.PARKED, PaymentState.CANCELLED),
        ("09", PaymentState.UNKNOWN, PaymentState.PAID),
    ],
)
async def test_every_outcome_has_its_words(
    desk: Desk, ending: str, at_once: PaymentState, later: PaymentState | None
) -> None:
    answer = await desk.call(desk.order(ending, no=f"N{ending}"))
    word = words.PAYMENT_WORDS[at_once]
    assert answer.get("ok") == word.ok
    assert str(answer.get("info")).startswith(word.info)
    assert (answer.get("total"), answer.get("no")) == ("1.00", f"N{ending}")
    assert not {"pay_time", "pay_id", "remark", "openid"} & set(answer.attrib)
    assert list(answer) == []
    await desk.world.pass_s(100)
    ends = set[str | None]()
    for asked in (
        {"action": "query", "dm_id": str(answer.get("dm_id"))},
        {"action": "querytimeout", "no": f"N{ending}"},
    ):
        end = await desk.call(asked)
        assert end.get("dm_id") == answer.get("dm_id")
        ends.add(end.get("ok"))
        if later is None:
            assert end.get("ok") == "0"
        else:
            assert end.get("ok") == words.PAYMENT_WORDS[later].ok
            assert str(end.get("info")).startswith(words.PAYMENT_WORDS[later].info)
    bill = await desk.call({"action": "read", "dm_id": str(answer.get("dm_id"))})
    assert ends == {bill.get("ok")}
    assert len(bill) == (1 if later is PaymentState.PAID else 0)


async def test_why_it_failed_is_told(desk: Desk) -> None:
    failed = str((await desk.call(desk.order("04"))).get("info"))
    assert failed.startswith("支付失败，可重新收款：")


async def test_a_coupon_is_told(desk: Desk) -> None:
    answer = await desk.call(desk.order("10"))
    assert (answer.get("total"), answer.get("coupon")) == ("1.00", "0.10")
    printed = answer.findtext("paylist/pay/printinfo") or ""
    assert "优惠: ￥0.10" in printed
    assert "实付金额: ￥0.90" in printed


async def test_the_same_request_again_is_the_same_payment(desk: Desk) -> None:
    for no in ({}, {"no": "T1"}):
        order = desk.order(**no)
        answers = await asyncio.gather(*(desk.call(order) for _ in range(5)))
        assert len({answer.get("dm_id") for answer in answers}) == 1
    assert (await desk.book())[:2] == (2, 200)


@pytest.mark.parametrize("change", [{"total": "2.00"}, {"info": "tea"}, {"operator_id": "x"}, {"infoaddo": "x"}])
async def test_other_contents_under_a_code_are_refused(desk: Desk, change: dict[str, str]) -> None:
    order = desk.order()
    await desk.call(order)
    refused = ("0", "此付款码已有一笔内容不同的收款，请先查询该笔结果，或让顾客刷新付款码后重新扫码")
    assert told(await desk.call({**order, **change})) == refused
    assert (await desk.book())[:2] == (1, 100)


async def test_a_number_of_the_tills_own(desk: Desk) -> None:
    order = desk.order(no="T-1_a")
    paid = await desk.call(order)
    assert paid.get("no") == paid.findtext("paylist/pay/no") == "T-1_a"
    assert "商户单号: T-1_a" in (paid.findtext("paylist/pay/printinfo") or "")
    other = await desk.call({**order, "authcode": desk.code()})
    assert told(other) == ("0", "no已有一笔内容不同的收款，请先查询其结果，查明之前请勿再次收款")
    asked = await desk.call({"action": "querytimeout", "no": "T-1_a", "authcode": desk.code()})
    assert asked.get("dm_id") == paid.get("dm_id")


async def test_a_code_that_pays_nothing_any_more_names_nothing(desk: Desk) -> None:
    order = desk.order("04")
    await desk.call(order)
    answer = await desk.call({"action": "querytimeout", "authcode": order["authcode"]})
    assert told(answer) == ("0", "账单不存在或未发起收款，请核对编号；确认顾客未付款后可重新收款")
    nothing = await desk.call({"action": "querytimeout"})
    assert told(nothing) == ("0", words.NO_NUMBER)


async def test_the_payers_code_is_kept_nowhere(desk: Desk) -> None:
    code = desk.code(prefix="28")
    texts = {"info": f"code {code}", "infoaddo": f"授权码:{code}\r\n", "operator_id": code}
    answer = await desk.call(desk.order(authcode=code, paytype="alipay", **texts))
    assert answer.get("ok") == "1"
    assert code not in ET.tostring(answer, encoding="unicode")
    assert code not in repr(await desk.world.stored(str(answer.get("dm_id"))[2:]))


async def test_wallets_have_their_numbers(desk: Desk) -> None:
    for prefix, word, number, name in [("28", "alipay", "5", "支付宝"), ("62", "unionpay", "6", "云闪付")]:
        answer = await desk.call(desk.order(authcode=desk.code(prefix=prefix), paytype=word))
        assert (answer.get("pay_type"), answer.findtext("paylist/pay/paymode")) == (number, name)
    differs = await desk.call(desk.order(paytype="alipay"))
    assert told(differs) == ("0", words.PAYTYPE_DIFFERS)


# Refunds


async def test_a_refund_without_a_number_at_0_59_and_61_seconds(desk: Desk) -> None:
    dm_id = await desk.paid("1.00")
    captured = urlencode(signed({"device_id": DEVICE, "action": "refund", "dm_id": dm_id, "refund": "0.10"}))
    answer = first = await desk.get(captured)
    for seconds, back_fen in ((0, 10), (59, 10), (2, 20)):
        desk.world.clock.advance(seconds * 1_000)
        answer = await desk.get(captured, peer="198.51.100.7")
        assert (answer.get("ok"), answer.get("total")) == ("1", "-0.10")
        assert (await desk.book())[2] == back_fen
    assert first.get("pay_time") != answer.get("pay_time")
    # Added empty fields do not make it another request.
    assert (await desk.get(f"{captured}&no=&info=")).get("pay_time") == answer.get("pay_time")
    assert (await desk.book())[2] == 20


async def test_equal_refunds_are_counted(desk: Desk) -> None:
    dm_id = await desk.paid("1.00")
    again = {"action": "refund", "dm_id": dm_id, "refund": "0.01"}
    for _ in range(5):
        assert (await desk.call(again)).get("ok") == "1"
        desk.world.clock.advance(61_000)
    much = ("0", "该账单今天以相同金额退款次数过多，请先读取账单核对，确需再退请联系服务商")
    assert told(await desk.call(again)) == much
    assert (await desk.book())[2] == 5


async def test_a_refund_with_a_number(desk: Desk) -> None:
    dm_id = await desk.paid("1.00")
    refund = {"action": "refund", "dm_id": dm_id, "refund": "0.60", "no": "R1"}
    for _ in range(2):
        answer = await desk.call(refund)
        assert [answer.get(name) for name in ("ok", "total", "no", "type_id")] == ["1", "-0.60", "R1", "2"]
        desk.world.clock.advance(3_600_000)
    assert (await desk.book())[2] == 60
    conflict = ("0", "no已用于另一笔退款，请先读取账单查明其结果，再换新的编号")
    assert told(await desk.call({**refund, "refund": "0.10"})) == conflict
    too_much = ("0", "累计退款超过实付金额，请核对退款金额")
    assert told(await desk.call({**refund, "no": "R2"})) == too_much


@pytest.mark.parametrize(
    ("amount", "at_once", "later"),
    [
        ("0.91", RefundState.PROCESSING, RefundState.DONE),
        ("0.92", RefundState.FAILED, RefundState.FAILED),
        ("0.93", RefundState.RETURNED_TO_CASH, RefundState.RETURNED_TO_CASH),
        ("0.94", RefundState.UNKNOWN, RefundState.DONE),
    ],
)
async def test_a_refund_that_is_not_done_is_no_money_back(
    desk: Desk, amount: str, at_once: RefundState, later: RefundState
) -> None:
    dm_id = await desk.paid("5.00")
    answer = await desk.call({"action": "refund", "dm_id": dm_id, "refund": amount})
    word = words.REFUND_WORDS[at_once]
    assert told(answer) == (word.ok, word.info)
    assert answer.get("dm_id") == dm_id
    assert not {"total", "pay_time"} & set(answer.attrib)
    assert list(answer) == []
    bill = await desk.call({"action": "read", "dm_id": dm_id})
    done_at_once = at_once is RefundState.UNKNOWN  # reading asks, and this one had been done unheard
    assert len(bill) == (2 if done_at_once else 1)
    assert (bill.get("refund_total") is not None) is done_at_once
    assert bill.get("refund_open") == (f"-{amount}" if at_once is RefundState.PROCESSING else None)
    await desk.world.pass_s(20)
    bill = await desk.call({"action": "read", "dm_id": dm_id})
    assert bill.get("refund_open") is None
    assert bill.get("refund_total") == (f"-{amount}" if later is RefundState.DONE else None)
    assert bill.get("info") == (words.BILL_REFUND_RETURNED if later is RefundState.RETURNED_TO_CASH else None)


# Reprints


async def test_a_signed_reprint(desk: Desk) -> None:
    await desk.options()
    dm_id = await desk.paid(info="茶", infoaddo="桌 5\r\n\\x1b\\x70 open the drawer")
    for number in (dm_id, dm_id[2:]):
        printed = await desk.slip(urlencode(signed({"reprint": "", "dm_id": number, "device_id": DEVICE})))
        assert "支付金额: \\x1D\\x21\\x11￥1.00" in printed
        assert "桌 5" in printed
        assert "＼x1b＼x70 open the drawer" in printed
    # The flag may be signed with its name, too.
    sent = signed({"reprint": "", "dm_id": dm_id, "device_id": DEVICE}, keep_empty=True)
    assert "支付金额" in await desk.slip(urlencode(sent))
    wrong = urlencode({**sent, "sign": "0" * 40})
    assert await desk.slip(wrong) == "未找到小票"
    assert await desk.slip(f"reprint&dm_id={dm_id}") == "未找到小票"


async def test_an_unsigned_reprint_is_for_the_merchants_own_address(desk: Desk) -> None:
    dm_id = await desk.paid()
    await desk.world.work()
    query = f"reprint&dm_id={dm_id[2:]}&custom_series"
    assert "支付金额" in await desk.slip(query)
    for peer in ("198.51.100.7", ""):
        assert await desk.slip(query, peer=peer) == "未找到小票"
    # Another merchant's device at another address, and a payment that is not there.
    await desk.other_merchant()
    assert (await desk.send({"device_id": OTHER_DEVICE}, TIME, OTHER_KEY)).get("ok") == "1"
    for bad in ("reprint&dm_id=12611181906409999001", "reprint", "dm_id=x", "reprint&dm_id=1&dm_id=2", "%"):
        assert await desk.slip(bad) == "未找到小票"
    desk.world.clock.advance(24 * 3_600_000 + 1)
    assert await desk.slip(query) == "未找到小票"


async def test_slips_cannot_be_guessed_at(desk: Desk) -> None:
    dm_id = await desk.paid()
    await desk.world.work()
    query = f"reprint&dm_id={dm_id}"
    for _ in range(50):
        assert "支付金额" in await desk.slip(query)
    for number in range(20):
        assert await desk.slip(f"reprint&dm_id=2{number:019d}") == "未找到小票"
    # From now on numbers are not even looked at there; a signature is believed as ever.
    assert await desk.slip(query) == "未找到小票"
    assert "支付金额" in await desk.slip(urlencode(signed({"dm_id": dm_id, "device_id": DEVICE})))
    desk.world.clock.advance(600_000)
    assert "支付金额" in await desk.slip(query)


async def test_a_foreign_merchants_slip_is_not_there(desk: Desk) -> None:
    dm_id = await desk.paid()
    await desk.other_merchant()
    sent = signed({"device_id": OTHER_DEVICE}, OTHER_KEY)
    await desk.post(urlencode(sent).encode(), TIME, peer="198.51.100.7")
    await desk.world.work()
    assert await desk.slip(f"reprint&dm_id={dm_id}", peer="198.51.100.7") == "未找到小票"
    signed_one = urlencode(signed({"dm_id": dm_id, "device_id": OTHER_DEVICE}, OTHER_KEY))
    assert await desk.slip(signed_one) == "未找到小票"


async def test_a_reprint_tells_no_lie(desk: Desk) -> None:
    answer = await desk.call(desk.order("01"))
    await desk.world.work()
    printed = await desk.slip(f"reprint&dm_id={str(answer.get('dm_id'))[2:]}")
    assert "等待付款（未支付）" in printed
    assert "尚未确认收款，请勿凭此单交付商品" in printed
    dm_id = await desk.paid("5.00")
    await desk.call({"action": "refund", "dm_id": dm_id, "refund": "1.00"})
    assert "已退款: ￥1.00" in await desk.slip(f"reprint&dm_id={dm_id}")


# Who may ask


async def test_the_previous_key_is_accepted(desk: Desk) -> None:
    credential = await desk.world.credential("semoor")
    await desk.world.store.put_credential(replace(credential, secret=Secret("9" * 40), previous=credential.secret))
    desk.world.clock.advance(REMEMBERED_MS)
    for key in (KEY, "9" * 40):
        assert (await desk.send({"device_id": DEVICE}, TIME, key)).get("ok") == "1"


async def test_a_verified_request_is_seen_once(desk: Desk) -> None:
    await desk.send({"device_id": DEVICE}, TIME, "9" * 40)
    assert desk.world.started == []
    await desk.send({"device_id": DEVICE}, TIME)
    await desk.world.work()
    (sighting,) = await desk.world.store.sightings()
    assert (sighting.login, sighting.peer) == (DEVICE, PEER)


@pytest.mark.parametrize("vector", VECTORS["attacks"], ids=lambda each: str(each["why"]))
async def test_a_hidden_field_does_nothing(desk: Desk, vector: dict[str, dict[str, str]]) -> None:
    answer = await desk.send(vector["honest"])
    assert answer.get("ok") == "0"
    assert "参数错误" in str(answer.get("info"))
    assert await desk.book() == (0, 0, 0)


async def test_texts_that_would_be_markup_are_texts(desk: Desk) -> None:
    nasty = '"><Button Click="x"/>&lt;<![CDATA['
    answer = await desk.call(desk.order(info=nasty, operator_id='<a b="c">', infoaddo="]]></printinfo>\r\n&#0;"))
    assert answer.findtext("paylist/pay/user") == '<a b="c">'
    assert "]]></printinfo>" in (answer.findtext("paylist/pay/printinfo") or "")
    assert [child.tag.rpartition("}")[2] for child in answer] == ["ok", "paylist", "Canvas"]
    assert len(list(answer[-1])) == 6


def test_our_fault_is_told_as_open() -> None:
    for path in (OP, REPRINT):
        answer = system_error(HttpRequest("POST", path, "", {}, b"", ""))
        assert answer.status == 500
    assert b'ok="-1"' in system_error(HttpRequest("POST", OP, "", {}, b"", "")).body
    assert DEVICE_ERROR == words.DEVICE_ERROR


def test_all_texts_differ() -> None:
    states = [word.info for word in (*words.PAYMENT_WORDS.values(), *words.REFUND_WORDS.values())]
    texts = [*states, *words.REFUSALS.values(), *words.OWN_REFUSALS, words.BILL_REFUND_OPEN, words.BILL_REFUND_RETURNED]
    assert len(set(texts)) == len(texts)
