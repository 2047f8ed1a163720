"""Which request is a repetition of which, and what one device may do with another's orders."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import urlencode

import pytest

from anytill.core.payment import Method, PaymentRef, RefundOrder
from anytill.core.secret import Secret
from anytill.core.wallet import Wallet
from anytill.dialects.semoor import words
from tests.dialects.semoor.desk import Desk, signed, told

pytestmark = pytest.mark.anyio

#: A second device of the demo's merchant.
SECOND, SECOND_KEY = "57207", "abcdef1234567890abcdef1234567890abcdef12"
NOT_THERE = ("0", "账单不存在或未发起收款，请核对编号；确认顾客未付款后可重新收款")
#: Fields that tills add so that nothing on the way answers from its memory, and fields that only other calls read.
UNREAD = ({"_": "1"}, {"_": "2"}, {"t": "1524314334"}, {"paytype": "wxpay"}, {"info": "x"})


@pytest.fixture
async def second(desk: Desk) -> Desk:
    credential = await desk.world.credential("semoor")
    await desk.world.store.put_credential(replace(credential, login=SECOND, secret=Secret(SECOND_KEY)))
    return desk


async def by_second(desk: Desk, fields: Mapping[str, str]) -> tuple[str | None, str | None]:
    return told(await desk.send({**fields, "device_id": SECOND}, key=SECOND_KEY))


# What makes a request the same one


async def test_what_a_refund_does_not_read_makes_no_other_refund_of_it(desk: Desk) -> None:
    dm_id = await desk.paid("5.00")
    refund = {"action": "refund", "dm_id": dm_id, "refund": "1.00"}
    same = [refund, *({**refund, **more} for more in UNREAD), {**refund, "refund": "1"}, {**refund, "operator_id": "y"}]
    for fields in same:
        assert (await desk.call(fields)).get("total") == "-1.00"
    assert (await desk.book())[2] == 100
    desk.world.clock.advance(60_000)
    await asyncio.gather(*(desk.call(fields) for fields in same))
    assert (await desk.book())[2] == 200


async def test_what_a_refund_does_not_read_does_not_reset_the_count(desk: Desk) -> None:
    dm_id = await desk.paid("5.00")
    answers = []
    for number in range(7):
        refund = {"action": "refund", "dm_id": dm_id, "refund": "0.01", "_": str(number)}
        answers.append((await desk.call(refund)).get("ok"))
        desk.world.clock.advance(61_000)
    assert answers == ["1"] * 5 + ["0"] * 2
    assert (await desk.book())[2] == 5


async def test_another_amount_or_bill_is_another_refund(desk: Desk) -> None:
    one, other = await desk.paid("5.00"), await desk.paid("5.00")
    for dm_id, amount in ((one, "1.00"), (one, "1.01"), (other, "1.00")):
        assert (await desk.call({"action": "refund", "dm_id": dm_id, "refund": amount})).get("total") == f"-{amount}"
    assert (await desk.book())[2] == 301


async def test_a_repeated_refund_is_told_as_it_was_done(desk: Desk) -> None:
    """Slip and all: the operator is the one who gave the money back."""
    dm_id = await desk.paid("5.00")
    refund = {"action": "refund", "dm_id": dm_id, "refund": "1.00"}
    first = await desk.call({**refund, "operator_id": "first"})
    again = await desk.call({**refund, "operator_id": "again"})
    slip = first.findtext("paylist/pay/printinfo") or ""
    assert "收银员: first" in slip
    assert again.findtext("paylist/pay/printinfo") == slip


async def test_what_micropay_does_not_read_makes_no_other_order_of_it(desk: Desk) -> None:
    for no in ({}, {"no": "T1"}):
        order = desk.order(**no)
        same = [order, *({**order, **more} for more in UNREAD[:3]), {**order, "dm_id": "dm1"}, {**order, "total": "1"}]
        answers = await asyncio.gather(*(desk.call(fields) for fields in same))
        assert len({answer.get("dm_id") for answer in answers}) == 1
    assert (await desk.book())[:2] == (2, 200)


# Other devices of the merchant


@pytest.mark.parametrize("no", [{}, {"no": "7"}])
async def test_querytimeout_is_about_the_devices_own_orders(second: Desk, no: Mapping[str, str]) -> None:
    """Both devices show one code, or count from 1; the second was refused, lost the answer, and asks what became of
    its order. It must not hear of the first one's money."""
    order = second.order(**no)
    first = await second.call(order)
    assert (await by_second(second, order))[0] == "0"
    for by in ({"authcode": order["authcode"]}, no):
        if by:
            assert await by_second(second, {"action": "querytimeout", **by}) == NOT_THERE
            assert (await second.call({"action": "querytimeout", **by})).get("dm_id") == first.get("dm_id")
    assert (await second.book())[:2] == (1, 100)


async def test_querytimeout_is_not_about_other_protocols_orders(desk: Desk) -> None:
    order = desk.world.order()
    assert order.pay_code is not None
    await (await desk.world.till("teegon")).pay(order)
    for by in ({"no": order.order_no}, {"authcode": order.pay_code.reveal()}):
        assert told(await desk.call({"action": "querytimeout", **by})) == NOT_THERE
    # By our number, which only an answer or a slip tells, it is there.
    payment = await desk.world.stored(order.order_no)
    answer = await desk.call({"action": "query", "dm_id": f"dm{payment.payment_id}"})
    assert (answer.get("ok"), answer.get("no")) == ("1", order.order_no)


async def test_who_has_the_bills_number_may_read_refund_and_print_it_at_any_device(second: Desk) -> None:
    dm_id = await second.paid("5.00")
    for action in ("query", "read"):
        assert (await by_second(second, {"action": action, "dm_id": dm_id}))[0] == "1"
    printed = urlencode(signed({"dm_id": dm_id, "device_id": SECOND}, SECOND_KEY))
    assert "支付金额" in await second.slip(printed)
    assert (await by_second(second, {"action": "refund", "dm_id": dm_id, "refund": "1.00"}))[0] == "1"
    assert (await second.book())[2] == 100


async def test_an_equal_refund_at_another_device_is_another_wish(second: Desk) -> None:
    dm_id = await second.paid("1.50")
    refund = {"action": "refund", "dm_id": dm_id, "refund": "1.00"}
    assert (await second.call(refund)).get("ok") == "1"
    # It is refused here, as it would be more than was paid; it is not told as done.
    assert await by_second(second, refund) == ("0", "累计退款超过实付金额，请核对退款金额")
    refund["refund"] = "0.25"
    assert (await second.call(refund)).get("ok") == (await by_second(second, refund))[0] == "1"
    assert (await second.book())[2] == 150


async def test_devices_count_their_refunds_each_by_itself(second: Desk) -> None:
    """Two counters that count from 1, and another protocol's till: none hears of another's refund as its own."""
    dm_id = await second.paid("5.00")
    refund = {"action": "refund", "dm_id": dm_id, "refund": "1.00", "no": "1"}
    for seconds in (0, 3_600):
        second.world.clock.advance(seconds * 1_000)
        for _ in range(2):
            assert told(await second.call(refund)) == await by_second(second, refund) == ("1", "退款成功")
    assert (await second.book())[2] == 200
    assert (await by_second(second, {**refund, "refund": "2.00"}))[0] == "0", "its own number, used for another wish"
    other = RefundOrder(PaymentRef(payment_id=dm_id[2:]), "RF2", 100)
    await (await second.world.till("chaoying")).refund(other)
    assert (await second.call({**refund, "no": "RF2"})).get("no") == "RF2"
    assert (await second.book())[2] == 400


async def test_counters_that_meet_at_one_moment(second: Desk) -> None:
    dm_id = await second.paid("5.00")
    refund = {"action": "refund", "dm_id": dm_id, "refund": "1.00", "no": "1"}
    for _ in range(2):
        await asyncio.gather(*(each for _ in range(3) for each in (second.call(refund), by_second(second, refund))))
    assert (await second.book())[2] == 200


# The payer's code in the wrong field


async def test_a_payers_code_is_no_number(desk: Desk) -> None:
    code = desk.code()
    for no in (code, f"A{code}", f"{code}-1"):
        answer = await desk.call(desk.order(authcode=code, no=no))
        assert told(answer) == ("0", words.CODE_AS_NUMBER)
    assert await desk.book() == (0, 0, 0)
    dm_id = await desk.paid(authcode=code)
    refund = {"action": "refund", "dm_id": dm_id, "refund": "0.10", "no": code}
    assert told(await desk.call(refund)) == ("0", words.CODE_AS_NUMBER)
    await desk.world.pass_s(700)  # also when the code is let go of
    assert told(await desk.call(refund)) == ("0", words.CODE_AS_NUMBER)
    payment = await desk.world.stored(dm_id[2:])
    kept = [payment, *await desk.world.store.refunds_of(payment.merchant_id, payment.payment_id)]
    assert code not in repr(kept)
    assert code not in repr((desk.world.watch.notes, desk.world.watch.alarms))


async def test_a_number_of_as_many_digits_is_a_number(desk: Desk) -> None:
    """It would be wrong to guess by the digits: `26…` may be this year, and an upstream's numbers have twenty."""
    for no in ("261121090530000001", "12611210905301234001", "130000000000000000"):
        dm_id = await desk.paid(no=no)
        refund = {"action": "refund", "dm_id": dm_id, "refund": "0.10", "no": f"{no[:-1]}9"}
        assert (await desk.call(refund)).get("ok") == "1"


async def test_a_ticket_that_is_hidden_whole_is_no_payers_code(desk: Desk) -> None:
    """What is kept of a short face ticket is its length, which is not enough to know it by."""
    order = desk.world.order(method=Method.FACE, wallet=Wallet.WECHAT, pay_code=Secret("12345678"))
    payment = await (await desk.world.till("chaoying")).pay(order)
    refund = {"action": "refund", "dm_id": f"dm{payment.payment_id}", "refund": "0.10", "no": "87654321"}
    assert (await desk.call(refund)).get("ok") == "1"
