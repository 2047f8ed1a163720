"""Many at once against one row, on both stores, without a network between."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

import anyio
import pytest

from anytill.core.errors import NotCancellable, NotRefundable, PayCodeInUse, RefundExceedsPaid, Refusal
from anytill.core.lifecycle import PaymentState, RefundState
from anytill.core.payment import Payment, PaymentRef, Refund, RefundOrder, Verdict
from tests.world import World

pytestmark = pytest.mark.anyio

AT_ONCE = 100


async def together(call: Callable[[int], Awaitable[Payment | Refund]]) -> Sequence[Payment | Refund | Refusal]:
    """All calls begun before any is answered, and what came of each."""
    results: dict[int, Payment | Refund | Refusal] = {}

    async def one(number: int) -> None:
        try:
            results[number] = await call(number)
        except Refusal as refusal:
            results[number] = refusal

    async with anyio.create_task_group() as group:
        for number in range(AT_ONCE):
            group.start_soon(one, number)
    return [results[number] for number in range(AT_ONCE)]


async def test_a_hundred_refunds_of_a_fen_on_fifty(world: World) -> None:
    till = await world.till()
    payment = await till.pay(world.order(amount_fen=50))
    told = await together(lambda number: till.refund(RefundOrder(payment.ref, f"R{number:03d}", 1)))
    done = [each for each in told if isinstance(each, Refund) and each.state is RefundState.DONE]
    assert len(done) == 50
    assert Counter(type(each) for each in told) == {Refund: 50, RefundExceedsPaid: 50}
    stored = await world.stored(payment.order_no)
    assert (stored.reserved_fen, stored.refunded_fen) == (50, 50)
    await world.check_books(payment.order_no)


async def test_a_hundred_copies_of_one_refund(world: World) -> None:
    till = await world.till()
    payment = await till.pay(world.order(amount_fen=50))
    told = await together(lambda _: till.refund(RefundOrder(payment.ref, "R1", 20)))
    refunds = [each for each in told if isinstance(each, Refund)]
    assert len(refunds) == AT_ONCE
    assert len({each.refund_id for each in refunds}) == 1
    assert (await world.stored(payment.order_no)).refunded_fen == 20
    await world.check_books(payment.order_no)


@pytest.mark.parametrize("ending", ["00", "01", "06", "09", "10"])
async def test_a_hundred_copies_of_one_payment(world: World, ending: str) -> None:
    till = await world.till()
    order = world.order(ending)
    told = await together(lambda _: till.pay(order))
    payments = [each for each in told if isinstance(each, Payment)]
    assert len(payments) == AT_ONCE
    assert len({each.payment_id for each in payments}) == 1
    assert Verdict.NOT_PAID not in {each.verdict for each in payments}
    await world.pass_s(20)
    assert (await world.stored(order.order_no)).verdict is Verdict.PAID
    assert (await world.book(order.order_no))["charged_fen"] == (90 if ending == "10" else 100)
    await world.check_books(order.order_no)


async def test_a_hundred_orders_for_one_code(world: World) -> None:
    till = await world.till()
    order = world.order()
    orders = [replace(order, order_no=f"{order.order_no}N{number}") for number in range(AT_ONCE)]
    told = await together(lambda number: till.pay(orders[number]))
    assert Counter(type(each) for each in told) == {Payment: 1, PayCodeInUse: 99}
    (paid,) = [each for each in told if isinstance(each, Payment)]
    await world.check_books(paid.order_no)


async def test_refunds_against_cancels(world: World) -> None:
    till = await world.till()
    payment = await till.pay(world.order(amount_fen=1_000))

    async def one(number: int) -> Payment | Refund:
        if number % 2:
            return await till.cancel(PaymentRef(payment.order_no))
        return await till.refund(RefundOrder(payment.ref, f"R{number:03d}", 10))

    told = await together(one)
    refunds = [each for each in told if isinstance(each, Refund)]
    allowed = (NotCancellable,) if refunds else (NotRefundable, RefundExceedsPaid)
    assert all(isinstance(each, (Payment, Refund, *allowed)) for each in told)
    await world.pass_s(60)
    stored = await world.stored(payment.order_no)
    assert stored.state is (PaymentState.PAID if refunds else PaymentState.CANCELLED)
    assert stored.refunded_fen == 10 * len(refunds)
    await world.check_books(payment.order_no)
