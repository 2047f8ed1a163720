"""What each call answers, and how each fault is told: the right code, the field's name, and nothing done."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from urllib.parse import urlencode

import pytest

from anytill.core.merchant import Credential
from anytill.core.secret import Secret
from anytill.dialects.chaoying import words
from anytill.dialects.chaoying.sandbox import SANDBOX
from anytill.dialects.chaoying.server import system_error
from anytill.gateway.directory import REMEMBERED_MS
from anytill.wire.http import HttpRequest
from tests.dialects.chaoying.desk import COMMON, GATEWAY, Desk, signed

pytestmark = pytest.mark.anyio


def word(answer: dict[str, str]) -> tuple[str, str, str]:
    return answer["state"], answer["code"], answer.get("trade_state", "")


async def nothing_happened(desk: Desk, order_no: str) -> None:
    assert await desk.world.wallet.statement(merchant_order=order_no) == []


async def test_a_payment_and_its_query(desk: Desk) -> None:
    order = desk.order(attach="桌 5", device_info="d1", sub_appid="wx4da448cd29920000")
    answer = await desk.call("pay", order)
    assert word(answer) == ("SUCCESS", "10000", "SUCCESS")
    assert answer["msg"] == "SUCCESS"
    told = ("out_trade_no", "base_fee", "total_fee", "fee_type", "attach", "paytype", "mch_id", "sub_appid")
    expected = [order["out_trade_no"], "100", "100", "CNY", "桌 5", "WECHAT", SANDBOX.number, "wx4da448cd29920000"]
    assert [answer[name] for name in told] == expected
    assert answer["time_end"] == "20261118190640"
    assert answer["openid"] == answer["sub_openid"] == answer["buyer_user_id"]
    assert not {"coupon_fee", "promotion_detail"} & set(answer)
    by_no = await desk.call("orderquery", {"paytype": "WECHAT", "out_trade_no": order["out_trade_no"]})
    by_id = await desk.call("orderquery", {"paytype": "WECHAT", "transaction_id": answer["transaction_id"]})
    for asked in (by_no, by_id):
        assert asked["trade_type"] == "pay.wechat.micropay"
        same = set(answer) - {"nonce_str", "sign"}
        assert {name: asked[name] for name in same} == {name: answer[name] for name in same}
    # The merchant's number wins over the platform's.
    both = {"out_trade_no": order["out_trade_no"], "transaction_id": "1"}
    assert (await desk.call("orderquery", {"paytype": "WECHAT", **both}))["code"] == "10000"


async def test_the_same_request_again_is_answered_again_and_charged_once(desk: Desk) -> None:
    order = desk.order()
    answers = [await desk.call("PAY", order) for _ in range(3)]
    assert len({answer["transaction_id"] for answer in answers}) == 1
    assert len(await desk.world.wallet.statement(merchant_order=order["out_trade_no"])) == 1


async def test_a_coupon_is_told_exactly(desk: Desk) -> None:
    answer = await desk.call("pay", desk.order("10", total_fee="109"))
    assert [answer[name] for name in ("base_fee", "total_fee", "coupon_fee")] == ["109", "99", "10"]
    assert list(json.loads(answer["promotion_detail"])) == ["promotion_detail"]


@pytest.mark.parametrize(
    ("ending", "at_once", "later"),
    [
        ("01", ("10001", "PROCESSING"), ("10000", "SUCCESS")),
        ("02", ("10001", "PROCESSING"), ("10004", "FAIL")),
        ("03", ("10001", "PROCESSING"), ("10005", "FAIL")),
        ("04", ("10006", "FAIL"), ("10006", "FAIL")),
        ("05", ("10006", "FAIL"), ("10006", "FAIL")),
        ("06", ("30001", "NEED_QUERY"), ("10000", "SUCCESS")),
        ("07", ("30001", "NEED_QUERY"), ("10005", "FAIL")),
        ("08", ("10001", "NEED_QUERY"), ("10005", "FAIL")),
        ("09", ("30001", "NEED_QUERY"), ("10000", "SUCCESS")),
    ],
)
async def test_every_outcome_has_its_words(
    desk: Desk, ending: str, at_once: tuple[str, str], later: tuple[str, str]
) -> None:
    order = desk.order(ending)
    answer = await desk.call("pay", order)
    assert word(answer) == ("SUCCESS", *at_once)
    assert not {"total_fee", "time_end", "out_transaction_id"} & set(answer)
    assert answer["base_fee"] == "100"
    await desk.world.pass_s(100)
    asked = await desk.call("orderquery", {"paytype": "WECHAT", "out_trade_no": order["out_trade_no"]})
    if ending == "02":
        # The payer's own no, by whichever of the words for an unpaid end the wallet has.
        assert asked["trade_state"] == "FAIL"
        assert asked["code"] in ("10004", "10006")
    else:
        assert word(asked) == ("SUCCESS", *later)


@pytest.mark.parametrize("name", ["agent_id", "pid", "version", "mch_id", "out_trade_no", "body", "total_fee"])
async def test_a_field_that_is_missing_or_empty_is_named(desk: Desk, name: str) -> None:
    order = desk.order()
    sent = {**COMMON, "method": "pay", **order}
    for broken in ({**sent, name: ""}, {key: value for key, value in sent.items() if key != name}):
        answer = await desk.send(GATEWAY, signed(broken))
        assert (answer["state"], answer["code"]) == ("FAIL", "20004")
        assert answer["msg"] == f"参数错误：{name}不能为空"
    await nothing_happened(desk, order["out_trade_no"])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("total_fee", each) for each in ("0", "-1", "1e3", "1.00", "0.001", "01", "１００", " 1", "1_0", "9" * 11)),
        ("out_trade_no", "A100"),
        ("out_trade_no", "A" * 33),
        ("out_trade_no", "订单10001"),
        ("out_trade_no", "A1000&body=x"),
        ("body", "茶" * 129),
        ("attach", "x" * 513),
        ("auth_code", "1" * 65),
        ("mch_create_ip", "localhost"),
        ("goods_detail", '{"goods_id":"1"}'),
        ("goods_detail", "[1]"),
        ("profit_sharing", "yes"),
        ("version", "2.x"),
        ("pid", "a&b"),
    ],
)
async def test_a_bad_value_is_refused_by_its_fields_name(desk: Desk, name: str, value: str) -> None:
    order = desk.order()
    answer = await desk.call("pay", {**order, name: value})
    assert (answer["state"], answer["code"]) == ("FAIL", "20004")
    assert name in answer["msg"]
    assert len(value) == 1 or value not in answer["msg"]
    await nothing_happened(desk, order["out_trade_no"])


@pytest.mark.parametrize("code", ["160000000000000000", "13", "１３0000000000000000", "13000000000000000a"])
async def test_a_code_of_no_wallet(desk: Desk, code: str) -> None:
    order = desk.order(auth_code=code)
    answer = await desk.call("pay", order)
    assert answer["code"] == "20004"
    assert "付款码" in answer["msg"] or "auth_code" in answer["msg"]
    await nothing_happened(desk, order["out_trade_no"])


async def test_wallets_that_want_more(desk: Desk) -> None:
    qq = desk.order(auth_code="910000000000000000")
    assert "device_info" in (await desk.call("pay", qq))["msg"]
    assert (await desk.call("pay", {**qq, "device_info": "d1"}))["code"] == "10000"
    union = desk.order(auth_code="620000000000000000", op_device_id="device_01")
    assert "op_device_id" in (await desk.call("pay", union))["msg"]
    paid = await desk.call("pay", {**union, "op_device_id": "device01"})
    assert (paid["code"], paid["paytype"]) == ("10000", "UNIONPAY")
    assert not {"wx_mch_id", "appid", "openid"} & set(paid)


async def test_an_unknown_agent_and_a_wrong_signature_are_answered_alike(desk: Desk) -> None:
    order = {**COMMON, "method": "pay", **desk.order()}
    right = signed(order)
    wrong = [
        {**right, "sign": "0" * 32},
        {**right, "sign": ""},
        {**right, "total_fee": "1"},
        {**right, "limit_pay": "NO_CREDIT"},
        signed(order, "0" * 32),
        signed({**order, "agent_id": "16850000000000018"}),
        signed({**order, "agent_id": "16850000000000018"}, "0" * 32),
    ]
    answers = [await desk.send(GATEWAY, fields) for fields in wrong]
    assert answers == [{"state": "FAIL", "code": "20002", "msg": words.BAD_SIGNATURE.msg}] * len(wrong)
    await nothing_happened(desk, order["out_trade_no"])
    # An agent number of another shape is told by itself: that shape is no secret.
    assert (await desk.send(GATEWAY, signed({**order, "agent_id": "me"})))["code"] == "20012"


async def test_signatures_are_accepted_in_both_cases_and_both_orders(desk: Desk) -> None:
    low = signed({**COMMON, "method": "pay", **desk.order()})
    assert (await desk.send(GATEWAY, {**low, "sign": low["sign"].lower()}))["code"] == "10000"
    # An unknown field with a capital sorts first by ASCII and in the middle without regard to case.
    assert (await desk.call("pay", desk.order(), NewField="x"))["code"] == "10000"
    other = {**COMMON, "method": "pay", **desk.order(), "NewField": "x"}
    text = "&".join(f"{name}={other[name]}" for name in sorted(other, key=str.lower))
    sign = hashlib.md5(f"{text}&key={SANDBOX.secret}".encode(), usedforsecurity=False).hexdigest()
    assert (await desk.send(GATEWAY, {**other, "sign": sign}))["code"] == "10000"


async def test_the_previous_key_is_accepted_and_answered_with(desk: Desk) -> None:
    old, new = SANDBOX.secret, "9" * 31 + "a"
    demo = await desk.world.credential("chaoying")
    changed = Credential("chaoying", SANDBOX.login, Secret(new), demo.merchants, previous=Secret(old))
    await desk.world.store.put_credential(changed)
    desk.world.clock.advance(REMEMBERED_MS)
    for key in (old, new):
        sent = signed({**COMMON, "method": "pay", **desk.order()}, key)
        answer = await desk.send(GATEWAY, sent)
        assert answer["code"] == "10000"
        assert answer == signed({name: answer[name] for name in answer if name != "sign"}, key)
    await desk.world.store.put_credential(replace(changed, previous=None))
    desk.world.clock.advance(REMEMBERED_MS)
    assert (await desk.send(GATEWAY, signed({**COMMON, "method": "pay", **desk.order()}, old)))["code"] == "20002"


async def test_another_agents_merchant_and_its_orders(desk: Desk) -> None:
    order = desk.order()
    answer = await desk.call("pay", order, mch_id="68500018")
    assert (answer["state"], answer["code"]) == ("FAIL", "20005")
    paid = await desk.call("pay", desk.order())
    demo = await desk.world.credential("chaoying")
    stranger = replace(demo, login="16850000000000099", secret=Secret("8" * 31 + "b"), merchants={"1": "other"})
    await desk.world.store.put_credential(stranger)
    for number in ({"out_trade_no": paid["out_trade_no"]}, {"transaction_id": paid["transaction_id"]}):
        for mch_id, code in ((SANDBOX.number, "20005"), ("1", "20007")):
            sent = {**COMMON, "agent_id": stranger.login, "mch_id": mch_id, "method": "orderquery", **number}
            told = await desk.send(GATEWAY, signed({**sent, "paytype": "WECHAT"}, "8" * 31 + "b"))
            assert told["code"] == code


@pytest.mark.parametrize("name", ["key", "Key", "Sign", "SIGN"])
async def test_names_that_would_blur_the_signature(desk: Desk, name: str) -> None:
    answer = await desk.call("pay", {**desk.order(), name: "x"})
    assert (answer["state"], answer["code"]) == ("FAIL", "20004")
    assert name in answer["msg"]


async def test_a_hidden_field_is_refused(desk: Desk) -> None:
    order = desk.order(body="tea&device_info=evil")
    answer = await desk.call("pay", order)
    assert (answer["state"], answer["code"]) == ("FAIL", "20004")
    await nothing_happened(desk, order["out_trade_no"])
    assert (await desk.call("pay", desk.order(body="tea & cake")))["code"] == "10000"


async def test_a_stripped_or_added_empty_field_changes_nothing(desk: Desk) -> None:
    fields = signed({**COMMON, "method": "pay", **desk.order()})
    first = await desk.send(GATEWAY, fields)
    again = await desk.send(GATEWAY, {**fields, "attach": "", "sub_appid": "", "unknown": ""})
    assert again["transaction_id"] == first["transaction_id"]


async def test_operators_and_shops_may_have_chinese_names(desk: Desk) -> None:
    assert (await desk.call("pay", desk.order(op_user_id="张三", op_shop_id="一 号店")))["code"] == "10000"


async def test_unknown_fields_are_carried_and_not_read(desk: Desk) -> None:
    answer = await desk.call("pay", desk.order(), transaction_id="x" * 99, paytype="NO SUCH", trade_type="?")
    assert answer["code"] == "10000"


@pytest.mark.parametrize(
    "body", [b"", b"a=1&a=2", b"agent_id=%ff", b"agent_id=%", b"{}", b"\x00", b"agent_id=1\xd6\xd0", b"a" * 300_000]
)
async def test_bodies_that_are_no_form(desk: Desk, body: bytes) -> None:
    answer = await desk.post(GATEWAY, body)
    assert (answer["state"], answer["code"]) == ("FAIL", "20004")
    assert "sign" not in answer


async def test_a_doubled_field_is_named(desk: Desk) -> None:
    body = urlencode(signed({**COMMON, "method": "pay", **desk.order()})) + "&total_fee=1"
    answer = await desk.post(GATEWAY, body.encode())
    assert answer["code"] == "20004"
    assert "total_fee" in answer["msg"]


async def test_only_a_posted_form_is_a_request(desk: Desk) -> None:
    body = urlencode(signed({**COMMON, "method": "pay", **desk.order()})).encode()
    for changes in ({"http_method": "GET"}, {"query": "mch_id=1"}, {"content_type": "application/json"}):
        assert (await desk.post(GATEWAY, body, **changes))["code"] == "20004"
    assert (await desk.post("/UNIFIEDPAY/gateway", body, content_type=""))["code"] == "10000"


async def test_methods_and_versions(desk: Desk) -> None:
    missing = await desk.send(GATEWAY, signed({**COMMON, **desk.order()}))
    assert "method" in missing["msg"]
    assert (await desk.call("payment", desk.order()))["code"] == "20004"
    old = await desk.call("pay", desk.order(), version="0.9.9")
    assert (old["state"], old["code"]) == ("VER", "20004")


async def test_queries_that_name_no_order_or_a_wrong_wallet(desk: Desk) -> None:
    order = desk.order()
    await desk.call("pay", order)
    number = {"out_trade_no": order["out_trade_no"]}
    refund = {"out_refund_no": "R1", "total_fee": "100", "refund_fee": "1", "op_user_id": "1"}
    calls = [("orderquery", {}, "20009"), ("refund", refund, "20008"), ("cancel", {"op_user_id": "1"}, "20004")]
    for method, more, code in calls:
        assert (await desk.call(method, {"paytype": "WECHAT", **more}))["code"] == code
        unknown = await desk.call(method, {"paytype": "WECHAT", **more, "out_trade_no": "NOSUCH"})
        assert (unknown["state"], unknown["code"]) == ("FAIL", "20007")
        other = await desk.call(method, {"paytype": "ALIPAY", **more, **number})
        assert (other["code"], other["msg"]) == ("20004", words.PAYTYPE_DIFFERS.msg)
        assert "paytype" in (await desk.call(method, {"paytype": "wechat", **more, **number}))["msg"]
    assert (await desk.call("refundquery", {"paytype": "WECHAT"}))["code"] == "20010"
    assert (await desk.call("refundquery", {"paytype": "WECHAT", "out_refund_no": "R1"}))["code"] == "20010"
    assert (await desk.world.stored(order["out_trade_no"])).reserved_fen == 0


async def test_refunds(desk: Desk) -> None:
    order = desk.order("10", total_fee="1000")
    paid = await desk.call("pay", order)
    assert paid["total_fee"] == "900"
    common = {"paytype": "WECHAT", "out_trade_no": order["out_trade_no"], "op_user_id": "1", "total_fee": "1000"}
    first = await desk.call("refund", {**common, "out_refund_no": "R1", "refund_fee": "300"})
    assert word(first) == ("SUCCESS", "10000", "SUCCESS")
    fees = ("base_fee", "total_fee", "base_refund_fee", "refund_fee", "coupon_refund_fee", "refund_channel")
    assert [first[name] for name in fees] == ["1000", "900", "300", "300", "0", "ORIGINAL"]
    again = await desk.call("refund", {**common, "out_refund_no": "R1", "refund_fee": "300"})
    assert again["refund_id"] == first["refund_id"]
    for number, fee, total, code in (
        ("R1", "200", "1000", "20008"),  # another amount under the same number
        ("R2", "300", "900", "20008"),  # what was paid instead of what was due
        ("R2", "601", "1000", "20008"),  # the coupon is not given back
        ("R2", "0", "1000", "20004"),
        ("R" * 33, "1", "1000", "20004"),
    ):
        told = await desk.call("refund", {**common, "out_refund_no": number, "refund_fee": fee, "total_fee": total})
        assert (told["state"], told["code"]) == ("FAIL", code)
    asked = await desk.call("orderquery", {"paytype": "WECHAT", "out_trade_no": order["out_trade_no"]})
    assert word(asked) == ("SUCCESS", "10002", "REFUND")
    assert asked["total_fee"] == "900"
    rest = await desk.call("refund", {**common, "out_refund_no": "R2", "refund_fee": "600"})
    assert rest["code"] == "10000"
    query = await desk.call("refundquery", {"paytype": "WECHAT", "refund_id": first["refund_id"]})
    assert [query[name] for name in ("refund_count", "base_refund_fee_summary", "refund_fee_summary")] == [
        "1",
        "300",
        "300",
    ]
    (row,) = json.loads(query["refund_list"])
    assert (row["serial_no"], row["out_refund_no"], row["refund_status"]) == ("0", "R1", "SUCCESS")
    assert row["refund_time"] == "20261118190640"
    await desk.world.check_books(order["out_trade_no"])


@pytest.mark.parametrize(
    ("fee", "told", "status", "status_later"),
    [
        ("91", ("10001", "PROCESSING"), "PROCESSING", "SUCCESS"),
        ("92", ("20008", "FAIL"), "FAIL", "FAIL"),
        ("93", ("20008", "FAIL"), "CHANGE", "CHANGE"),
        ("94", ("10001", "PROCESSING"), "SUCCESS", "SUCCESS"),  # by then the wallet can be asked again
    ],
)
async def test_refunds_that_do_not_simply_succeed(
    desk: Desk, fee: str, told: tuple[str, str], status: str, status_later: str
) -> None:
    order = desk.order(total_fee="1000")
    await desk.call("pay", order)
    common = {"paytype": "WECHAT", "out_trade_no": order["out_trade_no"], "op_user_id": "1", "total_fee": "1000"}
    answer = await desk.call("refund", {**common, "out_refund_no": "R1", "refund_fee": fee})
    assert word(answer) == ("SUCCESS", *told)
    assert "refund_fee" not in answer
    for expected in (status, status_later):
        query = await desk.call("refundquery", {"paytype": "WECHAT", "out_refund_no": "R1"})
        assert word(query) == ("SUCCESS", "10000", "SUCCESS")
        (row,) = json.loads(query["refund_list"])
        assert row["refund_status"] == expected
        assert row["refund_fee"] == (fee if expected == "SUCCESS" else "0")
        await desk.world.pass_s(30)


async def test_cancels(desk: Desk) -> None:
    for ending in ("00", "03", "04"):
        order = desk.order(ending)
        await desk.call("pay", order)
        wish = {"paytype": "WECHAT", "out_trade_no": order["out_trade_no"], "op_user_id": "1"}
        for _ in range(2):
            assert word(await desk.call("cancel", wish)) == ("SUCCESS", "10000", "SUCCESS")
        asked = await desk.call("orderquery", {"paytype": "WECHAT", "out_trade_no": order["out_trade_no"]})
        assert word(asked) == ("SUCCESS", "10006" if ending == "04" else "10005", "FAIL")
    silent = desk.order("07")
    await desk.call("pay", silent)
    wish = {"paytype": "WECHAT", "out_trade_no": silent["out_trade_no"], "op_user_id": "1"}
    assert word(await desk.call("cancel", wish)) == ("SUCCESS", "10001", "PROCESSING")


async def test_a_cancel_comes_too_late_after_five_minutes_or_a_refund(desk: Desk) -> None:
    old, refunded = desk.order(), desk.order()
    await desk.call("pay", old)
    desk.world.clock.advance(5 * 60 * 1_000 + 1)
    await desk.call("pay", refunded)
    refund = {"out_refund_no": "R1", "total_fee": "100", "refund_fee": "1", "op_user_id": "1"}
    await desk.call("refund", {"paytype": "WECHAT", "out_trade_no": refunded["out_trade_no"], **refund})
    for order in (old, refunded):
        wish = {"paytype": "WECHAT", "out_trade_no": order["out_trade_no"], "op_user_id": "1"}
        told = await desk.call("cancel", wish)
        assert (told["state"], told["code"]) == ("FAIL", "20011")
        assert (await desk.world.stored(order["out_trade_no"])).state == "PAID"


async def test_the_payer_of_a_code(desk: Desk) -> None:
    code = {"auth_code": "280000000000000000"}
    answer = await desk.call("authcodetoopenid", code)
    assert [answer["paytype"], answer["auth_code"]] == ["ALIPAY", code["auth_code"]]
    assert "wx_mch_id" not in answer
    assert (await desk.call("authcodetoopenid", {"auth_code": "160000000000000000"}))["code"] == "20004"


@pytest.mark.parametrize("kind", list(words.REFUSALS))
def test_refusals_differ_in_their_texts(kind: type[Exception]) -> None:
    texts = [refused.msg for refused in words.REFUSALS.values()]
    assert texts.count(words.REFUSALS[kind].msg) == 1  # type: ignore[index]


def test_our_own_fault_is_no_answer_about_the_money() -> None:
    answer = json.loads(system_error(HttpRequest("POST", GATEWAY, "", {}, b"", "")).body)
    assert [answer[name] for name in ("state", "code", "trade_state")] == ["FAIL", "20006", "NEED_QUERY"]
