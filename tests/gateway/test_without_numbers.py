"""Vendors whose orders and refunds have no number: the payer's code, and the request itself, stand for them."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from anytill.core import retry
from anytill.core.answer import RefundAnswer
from anytill.core.errors import PayCodeInUse, PaymentNotFound, RefundExceedsPaid, TooManyRefunds
from anytill.core.lifecycle import PaymentState, RefundEvent, RefundState
from anytill.core.payment import Payment, PaymentRef, PayOrder, RefundOrder
from anytill.core.secret import Secret
from tests.world import World

pytestmark = pytest.mark.anyio


def numberless(world: World, ending: str = "00", **changes: object) -> PayOrder:
    return replace(world.order(ending), order_no="", **changes)  # type: ignore[arg-type]


async def charged(world: World, order: PayOrder) -> int:
    """How many payments of the demo's merchant the wallet has charged for this code."""
    till = await world.till()
    assert order.pay_code is not None
    try:
        holder = await till.find_by_code(order.pay_code)
    except PaymentNotFound:
        return 0
    rows = await world.wallet.statement(merchant_order=holder.order_no)
    return len(rows)


async def test_the_gateways_number_stands_for_the_orders(world: World) -> None:
    till = await world.till()
    payment = await till.pay(numberless(world))
    assert payment.order_no == payment.payment_id
    assert await till.query(PaymentRef(payment_id=payment.payment_id)) == payment
    await world.check_books(payment.order_no)


@pytest.mark.parametrize("ending", ["00", "03", "06", "09"])
async def test_the_same_order_again_while_the_code_is_held_is_the_same_payment(world: World, ending: str) -> None:
    till = await world.till()
    order = numberless(world, ending)
    first = await till.pay(order)
    for _ in range(3):
        assert (await till.pay(order)).payment_id == first.payment_id
    assert order.pay_code is not None
    assert (await till.find_by_code(order.pay_code)).payment_id == first.payment_id
    assert await charged(world, order) == 1


async def test_a_hundred_at_once_are_one_payment(world: World) -> None:
    till = await world.till()
    order = numberless(world)
    payments = await asyncio.gather(*(till.pay(order) for _ in range(100)))
    assert len({payment.payment_id for payment in payments}) == 1
    assert await charged(world, order) == 1


@pytest.mark.parametrize("change", [{"amount_fen": 101}, {"subject": "other"}, {"details": {"device": "2"}}])
async def test_another_order_cannot_have_the_code(world: World, change: dict[str, object]) -> None:
    till = await world.till()
    order = numberless(world)
    first = await till.pay(order)
    for _ in range(2):
        with pytest.raises(PayCodeInUse):
            await till.pay(replace(order, **change))  # type: ignore[arg-type]
    # An order with a number of its own cannot either.
    with pytest.raises(PayCodeInUse):
        await till.pay(replace(order, order_no="A1"))
    assert await world.stored(first.order_no) == first


async def test_a_code_is_held_for_some_minutes_and_serves_another_order_afterwards(world: World) -> None:
    till = await world.till()
    order = numberless(world)
    first = await till.pay(order)
    await world.pass_s(retry.CODE_HELD_MS // 1_000 - 1)
    assert (await till.pay(order)).payment_id == first.payment_id
    await world.pass_s(1)
    again = await till.pay(order)
    assert again.payment_id != first.payment_id
    # The wallet takes a code once, whatever we ask of it.
    assert again.state is PaymentState.FAILED
    await world.check_books(first.order_no, again.order_no)


async def test_after_an_unpaid_end_the_code_is_free_and_holds_no_order(world: World) -> None:
    till = await world.till()
    order = numberless(world, "04")
    first = await till.pay(order)
    assert first.state is PaymentState.FAILED
    assert order.pay_code is not None
    with pytest.raises(PaymentNotFound):
        await till.find_by_code(order.pay_code)
    assert (await till.pay(order)).payment_id != first.payment_id


async def test_an_order_without_number_and_code_is_no_order(world: World) -> None:
    till = await world.till()
    with pytest.raises(PaymentNotFound):
        await till.find_by_code(Secret("130000000000000000"))


async def paid(world: World, amount_fen: int = 1_000) -> Payment:
    return await (await world.till()).pay(numberless(world, amount_fen=amount_fen))


def give_back(payment: Payment, fen: int = 100, key: str = "k") -> RefundOrder:
    return RefundOrder(payment.ref, "", fen, repeat_key=key)


async def test_equal_refunds_within_a_minute_are_one(world: World) -> None:
    till = await world.till()
    payment = await paid(world)
    first = await till.refund(give_back(payment))
    await world.pass_s(59)
    assert await till.refund(give_back(payment)) == first
    assert not world.watch.alarms
    await world.pass_s(1)
    second = await till.refund(give_back(payment))
    assert second.refund_id != first.refund_id
    assert [event for event, _ in world.watch.alarms] == ["refund"]
    # The minute counts from the last one.
    await world.pass_s(59)
    assert await till.refund(give_back(payment)) == second
    assert (await world.stored(payment.order_no)).refunded_fen == 200
    await world.check_books(payment.order_no)


async def test_equal_refunds_at_one_moment_are_one(world: World) -> None:
    till = await world.till()
    payment = await paid(world)
    for at in range(3):
        refunds = await asyncio.gather(*(till.refund(give_back(payment)) for _ in range(20)))
        assert len({refund.refund_id for refund in refunds}) == 1
        assert (await world.stored(payment.order_no)).refunded_fen == 100 * (at + 1)
        await world.pass_s(60)
    await world.check_books(payment.order_no)


async def test_other_requests_are_other_refunds(world: World) -> None:
    till = await world.till()
    payment, other = await paid(world), await paid(world)
    refunds = [
        await till.refund(give_back(payment)),
        await till.refund(give_back(payment, key="l")),
        await till.refund(give_back(payment, 101)),
        await till.refund(give_back(other)),
    ]
    assert len({refund.refund_id for refund in refunds}) == 4
    await world.check_books(payment.order_no, other.order_no)


async def test_while_a_refund_is_open_the_same_again_asks_about_it(world: World) -> None:
    till = await world.till()
    payment = await paid(world)
    first = await till.refund(give_back(payment, 191))
    assert first.state is RefundState.PROCESSING
    # Nobody works at it: it stays open past the minute.
    world.clock.advance(retry.SAME_REFUND_MS + 1)
    again = await till.refund(give_back(payment, 191))
    assert again.refund_id == first.refund_id
    assert again.state is RefundState.DONE
    assert (await world.stored(payment.order_no)).refunded_fen == 191


async def test_the_minute_counts_from_the_end(world: World) -> None:
    """Who hears of the end late, and loses that answer, asks again at once."""
    till = await world.till()
    payment = await paid(world)
    first = await till.refund(give_back(payment, 191))
    world.clock.advance(retry.SAME_REFUND_MS + 1)
    done = await till.refund(give_back(payment, 191))
    assert (done.refund_id, done.state) == (first.refund_id, RefundState.DONE)
    await world.pass_s(59)
    assert await till.refund(give_back(payment, 191)) == done
    await world.pass_s(1)
    assert (await till.refund(give_back(payment, 191))).refund_id != done.refund_id
    await world.check_books(payment.order_no)


async def test_the_sixth_equal_refund_of_a_day_is_refused(world: World) -> None:
    till = await world.till()
    payment = await paid(world)
    for _ in range(5):
        await till.refund(give_back(payment))
        await world.pass_s(61)
    with pytest.raises(TooManyRefunds):
        await till.refund(give_back(payment))
    assert (await till.refund(give_back(payment, key="another amount"))).state is RefundState.DONE
    await world.pass_s(24 * 3600)
    assert (await till.refund(give_back(payment))).state is RefundState.DONE
    await world.check_books(payment.order_no)


async def test_refused_ones_do_not_count(world: World) -> None:
    till = await world.till()
    payment = await paid(world, 10_000)
    for _ in range(8):
        assert (await till.refund(give_back(payment, 192))).state is RefundState.FAILED
        await world.pass_s(61)
    assert (await world.stored(payment.order_no)).refunded_fen == 0


async def test_a_refund_that_surely_failed_is_tried_again_at_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    till = await world.till()
    payment = await paid(world)

    async def refused(*_: object) -> RefundAnswer:
        return RefundAnswer(RefundEvent.REFUSED, reason="余额不足")

    monkeypatch.setattr(world.wallet, "refund", refused)
    assert (await till.refund(give_back(payment))).state is RefundState.FAILED
    monkeypatch.undo()
    await world.pass_s(20)
    again = await asyncio.gather(*(till.refund(give_back(payment)) for _ in range(5)))
    assert {refund.state for refund in again} <= {RefundState.DONE, RefundState.SUBMITTED}
    assert (await till.refund(give_back(payment))).state is RefundState.DONE
    assert (await world.stored(payment.order_no)).refunded_fen == 100
    assert not world.watch.alarms, "nothing was given back twice"
    await world.check_books(payment.order_no)


async def test_never_more_than_was_paid(world: World) -> None:
    till = await world.till()
    payment = await paid(world, 250)
    for _ in range(2):
        await till.refund(give_back(payment))
        await world.pass_s(61)
    with pytest.raises(RefundExceedsPaid):
        await till.refund(give_back(payment))
    await world.check_books(payment.order_no)


async def test_a_refund_that_nothing_tells_apart_is_a_bug(world: World) -> None:
    payment = await paid(world)
    with pytest.raises(ValueError, match="repeat_key"):
        await (await world.till()).refund(RefundOrder(payment.ref, "", 100))
