"""The nine requests by a till that shares no code with the dialect: each once as it should be, and each with every kind
of fault. A fault names the field and never its value, and nothing is changed by it."""

from __future__ import annotations

import pytest

from tests.dialects.yst import desk as till
from tests.dialects.yst.desk import DSN, KEY, Answer, Desk
from tests.world import World

pytestmark = pytest.mark.anyio

REQUESTS = (
    "unitive_pay_request",
    "unitive_query_pay_request",
    "unitive_refund_request",
    "unitive_query_refund_request",
    "unitive_revoke_request",
    "unitive_native_pay_request",
    "unitive_native_query_pay_request",
    "unitive_js_pay_request",
    "unitive_h5_pay_request",
)
every_request = pytest.mark.parametrize("name", REQUESTS)
#: What each must have, and what else it may have, with a value of the wrong kind for each.
REQUIRED = {
    "unitive_pay_request": ("req_seq", "total_fee", "auth_code"),
    "unitive_query_pay_request": ("req_seq", "ori_seq"),
    "unitive_refund_request": ("req_seq", "trans_seq", "refund_fee", "reason"),
    "unitive_query_refund_request": ("req_seq", "trans_seq", "ori_seq"),
    "unitive_revoke_request": ("req_seq", "ori_seq"),
    "unitive_native_pay_request": ("req_seq", "total_fee", "channel"),
    "unitive_native_query_pay_request": ("req_seq", "ori_seq"),
    "unitive_js_pay_request": ("req_seq", "total_fee", "channel", "subopen_id"),
    "unitive_h5_pay_request": ("req_seq", "total_fee", "channel", "ip", "redirect_url"),
}
OPTIONAL = {
    "unitive_pay_request": ("channel", "prod_details"),
    "unitive_query_pay_request": ("auth_code",),
    "unitive_revoke_request": ("channel", "auth_code"),
    "unitive_native_pay_request": ("expire_time", "notify_url", "attach", "prod_details"),
    "unitive_native_query_pay_request": ("channel",),
    "unitive_js_pay_request": ("notify_url", "attach"),
    "unitive_h5_pay_request": ("notify_url", "attach"),
}
AMOUNTS = ("0", "-1", "+1", "1e3", "0.001", "1.00", "01", " 1", "１００", "1_000", "10000000000", "NaN", "一百")
WRONG = {
    "req_seq": ("a b", "单号1", "a/b", "a&b"),
    "ori_seq": ("a b", "单号1", "A'--"),
    "trans_seq": ("a-b", "1 2", "１２"),
    "total_fee": AMOUNTS,
    "refund_fee": AMOUNTS,
    "auth_code": ("13 0", "付款", "１３１", "13\t1"),
    "channel": ("X", "w", "WW", "微"),
    "subopen_id": ("a b", "用户"),
    "ip": ("1.2.3", "256.1.1.1", "1.2.3.4.", "::1", "1.2.3.4:80", "localhost", "１.2.3.4"),
    "redirect_url": ("ftp://a.b/", "javascript:1", "http://", "http://a b", "http://甲.cn"),
    "expire_time": ("299", "1801", "0300", "3e2", "-300"),
    "notify_url": ("ftp://a.b/", "a.b/c", "http://a b/"),
    "attach": ("a&b",),
    "prod_details": (
        "x", "{}", "[1]", "[{}]", '[{"goodsId":"1","goodsName":"a","price":"1"}]', '[{"goodsId":"1"}],"a":[1]',
        '[{"goodsId":"","goodsName":"a","price":"1","quantity":"1"}]', "[" * 40,
    ),
}  # fmt: skip
TOO_LONG = {
    "req_seq": 33, "ori_seq": 33, "trans_seq": 33, "auth_code": 33, "reason": 256, "subopen_id": 33, "attach": 129,
    "total_fee": 11, "refund_fee": 11, "channel": 2,
}  # fmt: skip


async def fields_of(desk: Desk, name: str) -> dict[str, str]:
    """A request that is all right, with what must have happened before it."""
    match name:
        case "unitive_pay_request":
            return desk.barcode()
        case "unitive_native_pay_request" | "unitive_js_pay_request" | "unitive_h5_pay_request":
            return desk.preorder(name.split("_")[1])
        case "unitive_native_query_pay_request":
            order = desk.preorder()
            await desk.call("unitive_native_pay_request", order)
            return desk.asking(order["req_seq"], channel="W")
    order = desk.barcode()
    paid = await desk.call("unitive_pay_request", order)
    match name:
        case "unitive_refund_request":
            return desk.refund(paid["trans_seq"])
        case "unitive_query_refund_request":
            refund = desk.refund(paid["trans_seq"])
            await desk.call("unitive_refund_request", refund)
            return desk.asking(refund["req_seq"], trans_seq=paid["trans_seq"])
    return desk.asking(order["req_seq"], auth_code=order["auth_code"])


async def snapshot(world: World) -> object:
    return await world.wallet.totals()


async def refused(desk: Desk, body: bytes) -> Answer:
    """The answer to a request that must change nothing."""
    before = await snapshot(desk.world)
    notes = len(desk.world.watch.notes)
    answer = await desk.post(body)
    assert answer["result"] == "N"
    assert "status" not in answer.fields
    assert "trans_seq" not in answer.fields
    assert len(answer["msg"]) <= 100
    assert await snapshot(desk.world) == before
    assert len(desk.world.watch.notes) == notes
    return answer


EXPECTED = {
    "unitive_pay_request": ("unitive_pay_response", "E11000", "S"),
    "unitive_query_pay_request": ("unitive_query_pay_response", "E11000", "S"),
    "unitive_refund_request": ("unitive_refund_response", "E13000", "S"),
    "unitive_query_refund_request": ("unitive_query_refund_response", "E13000", "S"),
    "unitive_revoke_request": ("unitive_revoke_response", "E13000", None),
    "unitive_native_pay_request": ("unitive_native_pay_response", "E11101", "W"),
    "unitive_native_query_pay_request": ("unitive_native_query_pay_response", "E11107", "W"),
    "unitive_js_pay_request": ("jspay_response", "E11101", "W"),
    "unitive_h5_pay_request": ("h5pay_response", "E11101", "W"),
}


@every_request
async def test_a_good_request_is_carried_out(desk: Desk, name: str) -> None:
    answer = await desk.call(name, await fields_of(desk, name))
    assert answer["result"] == "Y"
    assert (answer["response_type"], answer["code"], answer.fields.get("status")) == EXPECTED[name]
    assert answer["channel"] == "W"
    assert answer["channel_name"] == "微支付"


@every_request
@pytest.mark.parametrize("how", ["signature", "dsn", "key", "account", "data"])
async def test_a_wrong_signature(desk: Desk, name: str, how: str) -> None:
    """Whatever does not belong together is one error, told under the dsn that was sent."""
    plain = till.inner(name, await fields_of(desk, name))
    good = {"signature": "0" * 32, "account": "nobody01", "data": till.encrypted(plain + b" " * 32, KEY)}
    if how == "key":
        body = till.outer(plain, name, key="0123456789abcdef")
    elif how == "dsn":
        # Well signed with the key, but the password is another.
        other = till.dsn_of(till.ACCOUNT, KEY, "wrong")
        answer = await desk.post(till.outer(till.inner(name, {}, other), name, signed_dsn=other), other)
        assert answer["code"] == "E10001"
        return
    else:
        body = till.outer(plain, name, **{how: good[how]})
    answer = await refused(desk, body)
    assert (answer["code"], answer["dsn"]) == ("E10001", DSN)
    assert "req_seq" not in answer.fields


@pytest.mark.parametrize(("name", "field"), [(name, field) for name in REQUESTS for field in REQUIRED[name]])
@pytest.mark.parametrize("how", ["left out", "empty"])
async def test_a_missing_field(desk: Desk, name: str, field: str, how: str) -> None:
    fields = await fields_of(desk, name)
    if how == "empty":
        fields[field] = ""
    else:
        del fields[field]
    answer = await refused(desk, till.request(name, fields))
    assert (answer["code"], answer["msg"]) == ("E10003", f"参数错误：{field}不能为空")


@pytest.mark.parametrize(
    ("name", "field"), [(name, field) for name in REQUESTS for field in (*REQUIRED[name], "request_type", "dsn")]
)
async def test_a_doubled_field(desk: Desk, name: str, field: str) -> None:
    fields = {"request_type": name, "dsn": DSN, **await fields_of(desk, name)}
    plain = f"<data>{till.elements(fields)}{till.elements({field: fields[field]})}</data>".encode()
    answer = await refused(desk, till.outer(plain, name))
    assert (answer["code"], answer["msg"]) == ("E10003", f"参数错误：节点{field}重复")


@pytest.mark.parametrize(
    ("name", "field"),
    [(name, field) for name in REQUESTS for field in (*REQUIRED[name], *OPTIONAL.get(name, ())) if field in WRONG],
)
async def test_a_field_of_the_wrong_type(desk: Desk, name: str, field: str) -> None:
    fields = await fields_of(desk, name)
    for value in WRONG[field]:
        answer = await refused(desk, till.request(name, {**fields, field: value}))
        assert answer["code"] == "E10003", value
        assert answer["msg"].startswith(f"参数错误：{field}须为"), value
        assert value not in answer["msg"] or len(value) < 3, value


@pytest.mark.parametrize(
    ("name", "field"), [(name, field) for name in REQUESTS for field in REQUIRED[name] if field in TOO_LONG]
)
async def test_a_field_that_is_too_long(desk: Desk, name: str, field: str) -> None:
    fields = await fields_of(desk, name)
    value = ("W" if field == "channel" else "1") * TOO_LONG[field]
    answer = await refused(desk, till.request(name, {**fields, field: value}))
    assert (answer["code"], field in answer["msg"]) == ("E10003", True)


@every_request
async def test_another_charset(desk: Desk, name: str) -> None:
    fields = {"request_type": name, "dsn": DSN, **await fields_of(desk, name), "note": "中文"}
    for charset in ("gbk", "utf-16"):
        plain = f"<data>{till.elements(fields)}</data>".encode(charset)
        answer = await refused(desk, till.outer(plain, name))
        assert answer["code"] == "E10001"
    told_so = b'<?xml version="1.0" encoding="GBK"?>' + f"<data>{till.elements(fields)}</data>".encode("gbk")
    assert (await refused(desk, till.outer(told_so, name)))["code"] == "E10001"


async def test_what_is_another_merchants_is_not_there(desk: Desk) -> None:
    foreign = desk.barcode()
    told = await desk.foreign(foreign)
    assert told["code"] == "E11000"
    number, trans_seq = foreign["req_seq"], told["trans_seq"]
    for name in ("unitive_query_pay_request", "unitive_native_query_pay_request", "unitive_revoke_request"):
        assert (await refused(desk, till.request(name, desk.asking(number))))["code"] == "E11002"
    assert (await refused(desk, till.request("unitive_refund_request", desk.refund(trans_seq))))["code"] == "E11002"
    ask = desk.asking("R1", trans_seq=trans_seq)
    assert (await refused(desk, till.request("unitive_query_refund_request", ask)))["code"] == "E13005"


async def test_unknown_requests_and_fields(desk: Desk) -> None:
    answer = await refused(desk, till.request("device_auth_request", {"req_seq": "1426497738440", "consume": "2500"}))
    assert (answer["code"], answer["req_seq"]) == ("E10003", "1426497738440")
    # Names that no table has are carried and not read.
    fields = desk.barcode(attach="x", notify_url="http://10.0.0.1/", anything="<&>")
    assert (await desk.call("unitive_pay_request", fields))["code"] == "E11000"
    stored = await desk.world.stored(fields["req_seq"])
    assert (stored.attach, stored.notice_url) == ("", "")
