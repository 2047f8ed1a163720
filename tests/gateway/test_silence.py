"""What a channel never tells reaches a person, and goes on reaching one until it is told."""

from __future__ import annotations

from collections.abc import Awaitable

import pytest

from anytill.core.answer import Answer
from anytill.core.lifecycle import PaymentEvent, PaymentState, RefundState
from anytill.core.payment import RefundOrder, RefundRef
from anytill.core.retry import DAY
from tests.gateway.meddler import Meddler, meddled
from tests.world import World

pytestmark = pytest.mark.anyio
LONG_SILENCE = "the channel has not told the end for a long time"
DAY_S = DAY // 1_000


async def alarms_of_a_day(world: World, channel: Meddler, calls: tuple[str, ...]) -> tuple[int, int]:
    """How many alarms the next day brings, and how often the channel is asked in it."""
    alarms, asked = len(world.watch.alarms), sum(map(channel.calls.count, calls))
    await world.pass_s(DAY_S)
    return len(world.watch.alarms) - alarms, sum(map(channel.calls.count, calls)) - asked


async def test_a_payment_that_cannot_be_taken_back_for_silence_alarms_at_every_try(world: World) -> None:
    channel = await meddled(world)
    till = await world.till()
    payment = await till.pay(world.order("06"))
    channel.is_silent = True
    await world.pass_s(300)
    assert world.watch.alarms == [], "a short silence concerns nobody"
    await world.pass_s(DAY_S)
    assert {fields["what"] for _, fields in world.watch.alarms} == {LONG_SILENCE}
    alarms, asked = await alarms_of_a_day(world, channel, ("cancel",))
    assert alarms == asked == 24
    channel.is_silent = False
    await world.pass_s(2 * 3_600)
    assert (await world.stored(payment.order_no)).state is PaymentState.CANCELLED
    assert (await world.book(payment.order_no))["net_fen"] == 0
    await world.check_books(payment.order_no)


async def test_a_refund_whose_end_is_never_told_alarms_at_every_try(world: World) -> None:
    channel = await meddled(world)
    till = await world.till()
    payment = await till.pay(world.order(amount_fen=94))
    refund = await till.refund(RefundOrder(payment.ref, "R1", 94))
    assert refund.state is RefundState.UNKNOWN
    channel.is_silent = True
    await world.pass_s(300)
    assert world.watch.alarms == []
    await world.pass_s(DAY_S)
    assert {fields["what"] for _, fields in world.watch.alarms} == {LONG_SILENCE}
    alarms, asked = await alarms_of_a_day(world, channel, ("query_refund",))
    assert alarms == asked == 24
    channel.is_silent = False
    await world.pass_s(2 * 3_600)
    assert (await till.query_refund(RefundRef("R1"))).state is RefundState.DONE
    await world.check_books(payment.order_no)


async def test_a_last_look_that_is_never_answered_is_repeated_daily_and_alarms(world: World) -> None:
    channel = await meddled(world)
    channel.pay_says = takes_and_says_no
    payment = await (await world.till()).pay(world.order())
    channel.is_silent = True
    await world.pass_s(3 * DAY_S)
    assert {fields["what"] for _, fields in world.watch.alarms} == {LONG_SILENCE}
    assert (await world.stored(payment.order_no)).due_at_ms is not None
    alarms, asked = await alarms_of_a_day(world, channel, ("query",))
    assert alarms == asked == 1
    channel.is_silent = False
    await world.pass_s(2 * DAY_S)
    end = await world.stored(payment.order_no)
    assert (end.state, end.due_at_ms) == (PaymentState.CANCELLED, None)
    assert (await world.book(payment.order_no))["net_fen"] == 0
    await world.check_books(payment.order_no)


async def takes_and_says_no(real: Awaitable[Answer]) -> Answer:
    await real
    return Answer(PaymentEvent.REFUSED)
