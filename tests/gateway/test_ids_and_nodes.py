"""No two payments bear one id, whoever makes them; and if two did, none would be told paid for the other's money."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import replace

import pytest

from anytill.bootstrap.nodes import LEASE_MS, RENEW_MS, NodeHolder
from anytill.channels.upstream import UpstreamChannel
from anytill.core.answer import Answer
from anytill.core.errors import Overloaded, PaymentNotFound
from anytill.core.ids import IdMaker
from anytill.core.lifecycle import PaymentState
from anytill.core.merchant import Merchant
from anytill.core.payment import Payment, PaymentRef, Verdict
from anytill.gateway import Gateway, GatewayTill
from tests.gateway.meddler import meddled
from tests.world import World

pytestmark = pytest.mark.anyio


async def a_process(world: World) -> tuple[NodeHolder, IdMaker]:
    """What a process that starts now makes its ids with."""
    ids = IdMaker()
    holder = NodeHolder(world.store, world.clock, ids)
    await holder.take()
    return holder, ids


async def test_processes_on_one_store_make_no_id_twice(world: World) -> None:
    makers = [(await a_process(world))[1] for _ in range(5)]
    now_ms = world.clock.now_ms()
    made = [maker.make(now_ms) for maker in makers for _ in range(50)]
    assert len(set(made)) == len(made)


@pytest.mark.parametrize("back_ms", [0, 1, 1_000, 30_000])
async def test_a_process_that_starts_after_the_clock_went_back_repeats_no_id(world: World, back_ms: int) -> None:
    started_ms = world.clock.now_ms()
    _, before = await a_process(world)
    made = {before.make(started_ms + ms) for ms in range(1_000)}
    world.clock._now_ms += 1_000 - back_ms
    _, after = await a_process(world)
    now_ms = world.clock.now_ms()
    assert made.isdisjoint(after.make(max(now_ms, started_ms) + ms) for ms in range(1_000))


async def test_a_node_that_is_kept_is_nobody_elses(world: World) -> None:
    holder, ids = await a_process(world)
    node = ids.make(world.clock.now_ms())[-3:]
    for _ in range(20):
        world.clock.advance(RENEW_MS)
        assert await holder.keep() == world.clock.now_ms() + RENEW_MS
        assert ids.make(world.clock.now_ms())[-3:] == node
        _, other = await a_process(world)
        assert other.make(world.clock.now_ms())[-3:] != node


async def test_a_process_that_slept_past_its_lease_takes_no_order_until_it_holds_a_node_again(world: World) -> None:
    holder, ids = await a_process(world)
    till = Gateway(replace(world.parts, ids=ids)).till(await world.credential())
    await till.pay(world.order())
    node = ids.make(world.clock.now_ms())[-3:]
    world.clock.advance(LEASE_MS + 1)
    _, others = await a_process(world)
    assert others.make(world.clock.now_ms())[-3:] == node, "what nobody holds any more is taken by the next"
    order = world.order()
    with pytest.raises(Overloaded):
        await till.pay(order)
    with pytest.raises(PaymentNotFound):
        await till.find(PaymentRef(order.order_no))
    await holder.keep()
    paid = await till.pay(order)
    assert paid.state is PaymentState.PAID
    assert paid.payment_id[-3:] != node


async def test_a_lease_that_ends_during_the_pay_call_keeps_nothing_from_being_written(world: World) -> None:
    channel = await meddled(world)

    async def outlives_the_lease(real: Awaitable[Answer]) -> Answer:
        world.parts.ids.grant(1, 0)
        return await real

    channel.pay_says = outlives_the_lease
    payment = await (await world.till()).pay(world.order())
    assert payment.state is PaymentState.PAID
    assert len(await world.store.notices_of(payment.merchant_id, payment.payment_id)) == 1


async def test_an_order_of_our_number_that_is_anothers_is_not_taken_for_ours(world: World) -> None:
    """Two merchants' payments of one id at one upstream: it must not happen, and must not cost anybody anything."""
    channels = {**world.parts.channels, "upstream": UpstreamChannel("upstream", world.client("chaoying"))}
    for name in ("m1", "m2"):
        await world.store.put_merchant(Merchant(name, name, channels={"": "upstream"}))

    async def till_of(merchant_id: str) -> GatewayTill:
        ids = IdMaker()
        ids.grant(7, world.clock.now_ms() + LEASE_MS)  # the very same node
        gateway = Gateway(replace(world.parts, ids=ids, channels=channels))
        return gateway.till(replace(await world.credential(), merchants={"": merchant_id}))

    async def pay(till: GatewayTill) -> Payment:
        return await till.pay(world.order())

    first, second = await till_of("m1"), await till_of("m2")
    mine, others = await pay(first), await pay(second)
    assert mine.payment_id == others.payment_id
    assert mine.state is PaymentState.PAID
    assert others.verdict is Verdict.OPEN
    world.clock.advance(6_000)
    asked = await second.query(others.ref)
    assert (asked.verdict, asked.paid_fen) == (Verdict.OPEN, 0)
    assert (await world.wallet.totals())["charged_fen"] == 100
    assert await world.store.audit() == []
