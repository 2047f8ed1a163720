"""What each request comes to: states, sums, notices, numbers that are used again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from anytill.core.merchant import Merchant, MerchantState
from anytill.dialects.yst import codec
from anytill.gateway.directory import REMEMBERED_MS
from anytill.wire.http import HttpResponse
from tests.dialects.yst import desk as till
from tests.dialects.yst.desk import KEY, Desk
from tests.world import NOTICE_URL

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("ending", "first", "later"),
    [
        ("00", ("E11000", "Y", "S"), ("E11000", "Y", "S")),
        ("01", ("E11100", "Y", "W"), ("E11000", "Y", "S")),
        ("02", ("E11100", "Y", "W"), ("E11001", "N", "F")),
        ("03", ("E11100", "Y", "W"), ("E11202", "N", "F")),
        ("04", ("E11001", "N", "F"), ("E11001", "N", "F")),
        ("07", ("E11103", "Y", "W"), ("E11202", "N", "F")),
        ("08", ("E11104", "Y", "W"), ("E11202", "N", "F")),
        ("10", ("E11000", "Y", "S"), ("E11000", "Y", "S")),
    ],
)
async def test_how_a_payment_is_told(desk: Desk, ending: str, first: tuple[str, ...], later: tuple[str, ...]) -> None:
    fields = desk.barcode(ending)
    for expected, seconds in ((first, 120), (later, 0)):
        told = await desk.call("unitive_pay_request", fields)
        asked = await desk.call("unitive_query_pay_request", desk.asking(fields["req_seq"]))
        for answer in (told, asked):
            assert (answer["code"], answer["result"], answer["status"]) == expected
            assert bool(answer.lines) is (expected[2] == "S")
            assert ("pay_time" in answer.fields) is (expected[2] == "S")
        await desk.world.pass_s(seconds)
    await desk.world.check_books(fields["req_seq"])


async def test_a_silent_channel_is_neither_a_yes_nor_a_no(desk: Desk) -> None:
    """It was paid, as the first question shows; until then nobody knows."""
    fields = desk.barcode("06")
    told = await desk.call("unitive_pay_request", fields)
    assert (told["code"], told["result"], told["status"], told.lines) == ("E11103", "Y", "W", [])
    assert (await desk.call("unitive_query_pay_request", desk.asking(fields["req_seq"])))["code"] == "E11000"


async def test_a_coupon_is_told_apart(desk: Desk) -> None:
    answer = await desk.pay("10", total_fee="1234")
    assert (answer["total_fee"], answer["cash_fee"], answer["coupon_fee"]) == ("1234", "1111", "123")
    assert "优惠：1.23元" in answer.lines


@pytest.mark.parametrize(
    ("prefix", "letter", "name"),
    [
        ("13", "W", "微支付"), ("28", "A", "支付宝"), ("91", "Q", "手Q支付"), ("51", "Y", "翼支付"),
        ("62", "U", "银联支付"), ("18", "J", "京东支付"),
    ],
)  # fmt: skip
async def test_the_code_names_the_channel(desk: Desk, prefix: str, letter: str, name: str) -> None:
    answer = await desk.call("unitive_pay_request", desk.barcode(prefix=prefix))
    assert (answer["channel"], answer["channel_name"]) == (letter, name)


async def test_a_named_channel_must_be_the_codes_own(desk: Desk) -> None:
    assert (await desk.call("unitive_pay_request", desk.barcode(channel="W")))["code"] == "E11000"
    assert (await desk.call("unitive_pay_request", desk.barcode(channel="A")))["code"] == "E11003"


async def test_a_number_is_used_once(desk: Desk) -> None:
    fields = desk.barcode()
    first = await desk.call("unitive_pay_request", fields)
    assert (await desk.call("unitive_pay_request", fields))["trans_seq"] == first["trans_seq"]
    for change in ({"total_fee": "101"}, {"auth_code": "130000000000999900"}, {"channel": "W"}):
        assert (await desk.call("unitive_pay_request", {**fields, **change}))["code"] == "E11006"
    native = desk.preorder(req_seq=fields["req_seq"])
    assert (await desk.call("unitive_native_pay_request", native))["code"] == "E11006"
    refund = desk.refund(first["trans_seq"], 10)
    assert (await desk.call("unitive_refund_request", refund))["code"] == "E13000"
    changed = {**refund, "refund_fee": "11"}
    assert (await desk.call("unitive_refund_request", changed))["code"] == "E13004"
    # An order's number is free to be a refund's.
    again = desk.refund(first["trans_seq"], 10, req_seq=fields["req_seq"])
    assert (await desk.call("unitive_refund_request", again))["code"] == "E13000"


@pytest.mark.parametrize(
    ("fen", "first", "later"),
    [
        (10, ("E13000", "Y", "S"), ("E13000", "Y", "S")),
        (91, ("E13100", "Y", "W"), ("E13000", "Y", "S")),
        (92, ("E13001", "N", "F"), ("E13001", "N", "F")),
        (93, ("E13008", "N", "F"), ("E13008", "N", "F")),
        (94, ("E13102", "Y", "W"), ("E13000", "Y", "S")),
    ],
)
async def test_how_a_refund_is_told(desk: Desk, fen: int, first: tuple[str, ...], later: tuple[str, ...]) -> None:
    order = desk.barcode(total_fee="500")
    paid = await desk.call("unitive_pay_request", order)
    refund = desk.refund(paid["trans_seq"], fen)
    told = await desk.call("unitive_refund_request", refund)
    await desk.world.pass_s(60)
    asked = await desk.call("unitive_query_refund_request", desk.asking(refund["req_seq"], trans_seq=paid["trans_seq"]))
    for answer, expected in ((told, first), (asked, later)):
        assert (answer["code"], answer["result"], answer["status"]) == expected
        assert (answer["total_fee"], answer["trans_seq"]) == ("500", paid["trans_seq"])
        done = expected[2] == "S"
        assert answer["refund_fee"] == (str(fen) if done else "0")
        assert answer.fields.get("cash_fee") == (str(fen) if done else None)
        assert bool(answer.lines) is done
    await desk.world.check_books(order["req_seq"])


async def test_refund_fee_is_what_was_given_back_so_far(desk: Desk) -> None:
    paid = await desk.pay(total_fee="500")
    first, second = desk.refund(paid["trans_seq"], 300), desk.refund(paid["trans_seq"], 200)
    assert (await desk.call("unitive_refund_request", first))["refund_fee"] == "300"
    told = await desk.call("unitive_refund_request", second)
    assert (told["refund_fee"], told["cash_fee"]) == ("500", "200")
    assert "已退款：5.00元" not in told.lines
    assert "退款金额：2.00元" in told.lines
    assert (await desk.call("unitive_refund_request", desk.refund(paid["trans_seq"], 1)))["code"] == "E13003"


async def test_a_refund_is_asked_about_with_its_own_payment(desk: Desk) -> None:
    one, other = await desk.pay(), await desk.pay()
    refund = desk.refund(one["trans_seq"])
    await desk.call("unitive_refund_request", refund)
    for trans_seq in (other["trans_seq"], "0"):
        asked = desk.asking(refund["req_seq"], trans_seq=trans_seq)
        answer = await desk.call("unitive_query_refund_request", asked)
        assert (answer["code"], answer["result"]) == ("E13007", "N")


@pytest.mark.parametrize(
    ("ending", "code", "status"), [("00", "E13000", "E11202"), ("03", "E13000", "E11202"), ("04", "E14000", "E11001")]
)
async def test_an_order_is_revoked(desk: Desk, ending: str, code: str, status: str) -> None:
    fields = desk.barcode(ending)
    await desk.call("unitive_pay_request", fields)
    for named in ({}, {"channel": "W"}, {"auth_code": fields["auth_code"]}, {"channel": "Y", "auth_code": "x"}):
        answer = await desk.call("unitive_revoke_request", desk.asking(fields["req_seq"], **named))
        assert (answer["code"], answer["result"]) == (code, "Y")
        assert "status" not in answer.fields
        assert "total_fee" not in answer.fields
    asked = await desk.call("unitive_query_pay_request", desk.asking(fields["req_seq"]))
    assert asked["code"] == status
    await desk.world.check_books(fields["req_seq"])


async def test_an_order_whose_channel_is_silent_is_not_told_as_revoked(desk: Desk) -> None:
    fields = desk.barcode("07")
    await desk.call("unitive_pay_request", fields)
    answer = await desk.call("unitive_revoke_request", desk.asking(fields["req_seq"]))
    assert (answer["code"], answer["result"]) == ("E14100", "Y")
    assert (await desk.call("unitive_query_pay_request", desk.asking(fields["req_seq"])))["status"] == "W"
    await desk.world.pass_s(60)
    assert (await desk.call("unitive_revoke_request", desk.asking(fields["req_seq"])))["code"] == "E13000"


# Orders that their payer pays later


@pytest.mark.parametrize("kind", ["native", "js", "h5"])
@pytest.mark.parametrize("query", ["unitive_native_query_pay_request", "unitive_query_pay_request"])
async def test_an_order_waits_is_paid_and_told(desk: Desk, kind: str, query: str) -> None:
    fields = desk.preorder(kind)
    name = f"unitive_{kind}_pay_request"
    told = await desk.call(name, fields)
    assert (told["code"], told["status"], told["result"]) == ("E11101", "W", "Y")
    asked = await desk.call(query, desk.asking(fields["req_seq"]))
    assert (asked["code"], asked["status"]) == ("E11107", "W")
    assert asked.fields.get("pay_url") == (told["pay_url"] if kind == "native" else None)
    await desk.world.wallet.payer_pays(merchant_order=fields["req_seq"])
    await desk.world.pass_s(10)
    for answer in (await desk.call(query, desk.asking(fields["req_seq"])), await desk.call(name, fields)):
        assert (answer["code"], answer["status"], answer["cash_fee"]) == ("E11000", "S", "100")
        assert answer.lines
    left = desk.preorder(kind)
    await desk.call(name, left)
    await desk.world.pass_s(3_600)
    assert (await desk.call(query, desk.asking(left["req_seq"])))["status"] == "F"


async def test_a_native_order_lives_as_long_as_it_says(desk: Desk) -> None:
    fields = desk.preorder(expire_time="300")
    await desk.call("unitive_native_pay_request", fields)
    stored = await desk.world.stored(fields["req_seq"])
    assert stored.deadline_at_ms - stored.created_at_ms == 300_000


async def test_where_h5_payers_come_back_to(desk: Desk) -> None:
    back = "redirect_url=http%3A%2F%2Fxxx.com%2Fcall.html%3Fxxx%3Dxxxx"
    wechat = await desk.call("unitive_h5_pay_request", desk.preorder("h5"))
    assert wechat["pay_info"].endswith(back)
    # Alipay's payers need no address of their own, and the wallet is told where to by the channel.
    fields = desk.preorder("h5", channel="A")
    del fields["ip"]
    alipay = await desk.call("unitive_h5_pay_request", fields)
    assert alipay["code"] == "E11101"
    assert "redirect_url" not in alipay["pay_info"]


async def paid_order(desk: Desk, **fields: str) -> dict[str, str]:
    order = desk.preorder(**fields)
    answer = await desk.call("unitive_native_pay_request", order)
    assert answer["code"] == "E11101", answer["msg"]
    await desk.world.wallet.payer_pays(merchant_order=order["req_seq"])
    return order


async def test_the_result_notice(desk: Desk) -> None:
    """Read by the tests' own few lines: plain XML, signed over all of its elements."""
    world = desk.world
    order = await paid_order(desk, notify_url=NOTICE_URL, attach="桌号 7")
    await world.pass_s(24 * 3_600)
    posted = world.receiver.posted
    first_ms = posted[0].at_ms
    assert [(each.at_ms - first_ms) // 1_000 for each in posted] == [0, 30, 60, 120, 420, 1_320]
    assert {(each.url, each.content_type) for each in posted} == {(NOTICE_URL, "text/xml; charset=utf-8")}
    for each in posted:
        told = till.notice_of(each.body)
        text = "&".join(f"{name}={told[name]}" for name in sorted(told) if name != "sign")
        assert told["sign"] == till.md5(f"{text}&key={KEY}")
        assert (told["request_type"], told["req_seq"], told["status"]) == ("native_order_notice", order["req_seq"], "S")
        assert (told["total_fee"], told["channel"], told["attach"]) == ("100", "W", "桌号 7")
        assert told["ext_trans_id"] == told["chan_trans_id"]
        assert told["server_time"] == codec.server_time(each.at_ms)


async def test_a_notice_that_is_heard_comes_once(desk: Desk) -> None:
    body = b"<data><result>Y</result><message>OK</message></data>"
    desk.world.receiver.answer = lambda _nth: HttpResponse(200, body, "text/xml")
    await paid_order(desk, notify_url=NOTICE_URL)
    await desk.world.pass_s(24 * 3_600)
    assert len(desk.world.receiver.posted) == 1


async def test_a_merchants_registered_address(desk: Desk) -> None:
    world = desk.world
    credential = await world.credential("yst")
    own, registered = "http://127.0.0.1:9999/own", "http://127.0.0.1:9999/registered"
    await world.store.put_credential(replace(credential, options={"notify_url": registered}))
    await world.pass_s(REMEMBERED_MS // 1_000)
    for fields, url in (({}, registered), ({"notify_url": own}, own)):
        order = await paid_order(desk, **fields)
        assert (await world.stored(order["req_seq"])).notice_url == url
    # Barcode payments are told to whoever waits for them.
    order = desk.barcode()
    await desk.call("unitive_pay_request", order)
    assert (await world.stored(order["req_seq"])).notice_url == ""


async def test_no_notice_goes_inside(desk: Desk) -> None:
    for url in ("http://10.0.0.1/n", "http://169.254.169.254/latest", "http://[fe80::1]/"):
        order = desk.preorder(notify_url=url)
        assert (await desk.call("unitive_native_pay_request", order))["code"] == "E10009"


# Who asks


async def test_a_merchant_that_is_off_takes_no_money_but_may_ask(desk: Desk) -> None:
    world = desk.world
    fields = desk.barcode()
    await desk.call("unitive_pay_request", fields)
    merchant = await world.store.merchant("demo")
    assert isinstance(merchant, Merchant)
    await world.store.put_merchant(replace(merchant, state=MerchantState.OFF))
    await world.pass_s(REMEMBERED_MS // 1_000)
    assert (await desk.pay())["code"] == "E10005"
    answer = await desk.call("unitive_query_pay_request", desk.asking(fields["req_seq"]))
    assert answer["code"] == "E11000"
    assert not [line for line in answer.lines if line.startswith("交易门店")]


async def test_a_terminal_without_a_merchant(desk: Desk) -> None:
    credential = await desk.world.credential("yst")
    await desk.world.store.put_credential(replace(credential, login="lonely01", merchants={"7": "demo"}))
    dsn = till.dsn_of("lonely01", KEY, till.PASSWORD)
    plain = till.inner("unitive_pay_request", desk.barcode(), dsn)
    assert (await desk.post(till.outer(plain, account="lonely01", signed_dsn=dsn), dsn))["code"] == "E10004"


async def test_answers_have_numbers_of_their_own(desk: Desk) -> None:
    told = [await desk.pay() for _ in range(20)]
    assert len({answer["res_seq"] for answer in told}) == 20
    assert all(answer["res_seq"].startswith("0") and len(answer["res_seq"]) == 20 for answer in told)
