"""One bad row, or one dead channel, holds up nobody else's due work."""

from __future__ import annotations

from collections.abc import Coroutine
from dataclasses import replace
from typing import Any

import anyio
import pytest

from anytill.channels.sandbox import SandboxChannel
from anytill.core.answer import SILENCE, Answer
from anytill.core.lifecycle import PaymentState
from anytill.core.merchant import Merchant
from anytill.core.payment import Payment, PaymentRef
from anytill.gateway.recovery import PER_CHANNEL
from anytill.ports import Channel
from anytill.transports.journal import MemoryJournal
from tests.gateway.meddler import Meddler
from tests.storage.conftest import Database
from tests.world import CountingChance, World

pytestmark = pytest.mark.anyio
S = PaymentState


@pytest.mark.parametrize("about", ["{}", "no JSON", '{"method":"BARCODE","wallet":"SHELLS"}'])
async def test_a_row_that_cannot_be_read_stops_no_other(world: World, store_url: str, about: str) -> None:
    till = await world.till()
    broken, sound = await till.pay(world.order("03")), await till.pay(world.order("01"))
    assert broken.due_at_ms == sound.due_at_ms
    spoil = f"UPDATE payment SET about = '{about}' WHERE order_no = '{broken.order_no}'"  # noqa: S608 - no stranger's
    await Database(store_url, group_commit=True).meddle(spoil)
    await world.pass_s(600)
    assert (await world.stored(sound.order_no)).state is S.PAID
    told = [fields for event, fields in world.watch.alarms if event == "bug"]
    assert {fields["row_id"] for fields in told} == {broken.payment_id}
    assert len(told) == 10, "it is looked at again whenever its lease is over, and told each time"


async def test_a_row_of_a_newer_version_is_worked_at_like_any_other(world: World, store_url: str) -> None:
    payment = await (await world.till()).pay(world.order("01"))
    sql = """UPDATE payment SET about = replace(about, '"asked":0', '"asked":0,"unheard_of":1')"""
    await Database(store_url, group_commit=True).meddle(sql)
    await world.pass_s(20)
    assert (await world.stored(payment.order_no)).state is S.PAID
    assert world.watch.alarms == []


async def test_a_fault_in_one_piece_of_work_stops_no_other(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    till = await world.till()
    lost, sound = await till.pay(world.order("03")), await till.pay(world.order("01"))
    real = world.store.move_payment

    async def stumbles(before: Payment, *rest: Any) -> bool:
        if before.payment_id == lost.payment_id:
            raise ZeroDivisionError
        return await real(before, *rest)

    monkeypatch.setattr(world.store, "move_payment", stumbles)
    await world.pass_s(15)
    assert (await world.stored(sound.order_no)).state is S.PAID
    assert ("bug", "ZeroDivisionError") in {(event, fields.get("fault")) for event, fields in world.watch.alarms}


class Dead(Meddler):
    """A channel whose calls hang until they are released, and then bring nothing."""

    def __init__(self, sandbox: SandboxChannel) -> None:
        super().__init__(sandbox)
        self.released = anyio.Event()
        self.hanging = 0
        self.most_hanging = 0

    async def query(self, payment: Payment) -> Answer:
        self.hanging += 1
        self.most_hanging = max(self.hanging, self.most_hanging)
        await self.released.wait()
        self.hanging -= 1
        return SILENCE


async def test_a_dead_channel_holds_up_no_order_of_another(world: World) -> None:
    """More orders are due at a channel whose calls hang than may be under way there; an order at a healthy channel is
    taken back at its own deadline."""
    await world.stop()
    dead: list[Dead] = []

    def put_before(sandbox: SandboxChannel) -> Channel:
        dead.append(Dead(sandbox))
        return dead[0]

    await world.start(put_before)
    journal = MemoryJournal()
    healthy = SandboxChannel("healthy", journal, world.clock, CountingChance())
    world.parts.channels["healthy"] = healthy  # type: ignore[index]
    await world.store.put_merchant(Merchant("m2", "m2", channels={"": "healthy"}))
    till, other = await world.till(), world.gateway.till(replace(await world.credential(), merchants={"": "m2"}))
    for _ in range(2 * PER_CHANNEL):
        await till.pay(world.order("03"))
    payment = await other.pay(world.order("03"))
    running = 0

    async def carried_out(work: Coroutine[Any, Any, None]) -> None:
        nonlocal running
        await work
        running -= 1

    async with anyio.create_task_group() as group:
        for _ in range(60):
            world.clock.advance(1_000)
            await world.gateway.recovery.payments()
            works, world.started[:] = list(world.started), []
            running += len(works)
            for work in works:
                group.start_soon(carried_out, work)
            with anyio.fail_after(60):
                while running > dead[0].hanging:  # whatever can come to an end does
                    await anyio.sleep(0.001)
        end = await world.store.payment("m2", PaymentRef(payment.order_no))
        assert end is not None
        assert (end.state, end.ended_at_ms) == (S.CANCELLED, payment.deadline_at_ms)
        assert dead[0].most_hanging == PER_CHANNEL
        dead[0].released.set()
