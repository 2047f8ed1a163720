"""Notices: as often as the vendor says, until heard, never a lie, and no receiver in another's way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any

import anyio
import pytest

from anytill.core.notice import Notice, NoticeState
from anytill.dialects import load_dialects
from anytill.gateway.recovery import PER_RECEIVER
from anytill.wire.http import HttpResponse, text
from tests.world import World

pytestmark = pytest.mark.anyio
TEEGON_FORM = load_dialects()["teegon"].form
assert TEEGON_FORM is not None
DEAD, HEALTHY = "http://dead.example:8080/n", "http://healthy.example/n"
DELAYS_MS = TEEGON_FORM.delays_ms


async def notices_of(world: World, order_no: str) -> list[Notice]:
    payment = await world.stored(order_no)
    return list(await world.store.notices_of(payment.merchant_id, payment.payment_id))


async def test_a_notice_that_nobody_hears_is_exhausted_and_alarmed(world: World) -> None:
    world.receiver.answer = lambda _nth: HttpResponse(500, b"success", "text/plain")
    order = world.order()
    await (await world.till()).pay(order)
    await world.pass_s(48 * 3600)
    (notice,) = await notices_of(world, order.order_no)
    assert (notice.state, notice.tries, notice.due_at_ms) == (NoticeState.EXHAUSTED, len(DELAYS_MS), None)
    assert notice.last_result == "HTTP 500, not acknowledged"
    assert len(world.receiver.posted) == len(DELAYS_MS)
    assert [event for event, _ in world.watch.alarms] == ["notice_exhausted"]


async def test_who_was_paid_and_taken_back_before_it_was_heard_is_not_told_paid(world: World) -> None:
    world.receiver.answer = lambda _nth: None
    till = await world.till()
    payment = await till.pay(world.order())
    await world.pass_s(1)
    assert len(world.receiver.posted) == 1
    await till.cancel(payment.ref)
    await world.pass_s(48 * 3600)
    (notice,) = await notices_of(world, payment.order_no)
    assert (notice.state, notice.tries) == (NoticeState.WITHDRAWN, 1)
    assert len(world.receiver.posted) == 1


async def test_a_credential_that_is_off_signs_nothing(world: World) -> None:
    credential = await world.credential()
    world.receiver.answer = lambda _nth: None
    order = world.order()
    await (await world.till()).pay(order)
    await world.store.put_credential(replace(credential, active=False))
    await world.pass_s(31)
    (notice,) = await notices_of(world, order.order_no)
    assert (notice.tries, notice.last_result) == (3, "credential switched off")
    await world.store.put_credential(credential)
    world.receiver.answer = lambda _nth: text("success")
    await world.pass_s(3600)
    assert (await notices_of(world, order.order_no))[0].state is NoticeState.DELIVERED


async def test_no_notice_without_an_address_and_none_for_what_was_not_paid(world: World) -> None:
    till = await world.till()
    await till.pay(world.order(notice_url=""))
    await till.pay(world.order("04"))
    await world.pass_s(200)
    assert world.receiver.posted == []


async def test_a_dead_receiver_holds_up_nobody_else(world: World) -> None:
    """More notices wait for a receiver that never answers than there are tries in all; another's goes out at once."""
    till = await world.till()
    waiting = 3 * PER_RECEIVER
    for _ in range(waiting):
        await till.pay(world.order(notice_url=DEAD))
    healthy = world.order(notice_url=HEALTHY)
    await till.pay(healthy)
    released = anyio.Event()

    async def hold(url: str) -> None:
        if "dead" in url:
            await released.wait()

    world.receiver.before_answer = hold
    async with anyio.create_task_group() as group:
        for _ in range(4):
            await world.gateway.recovery.notices()
            while world.started:
                group.start_soon(run, world.started.pop(0))
            await anyio.lowlevel.checkpoint()
            world.clock.advance(1_000)
        with anyio.fail_after(60):
            while (await notices_of(world, healthy.order_no))[0].state is not NoticeState.DELIVERED:
                await anyio.sleep(0.005)
            while urls_tried(world)[DEAD] < PER_RECEIVER:
                await anyio.sleep(0.005)
        assert urls_tried(world) == {DEAD: PER_RECEIVER, HEALTHY: 1}
        released.set()
    await world.pass_s(60)
    assert urls_tried(world) == {DEAD: waiting, HEALTHY: 1}, "one that was put back was counted as tried"


def urls_tried(world: World) -> Counter[str]:
    return Counter(posted.url for posted in world.receiver.posted)


async def run(work: Coroutine[Any, Any, None]) -> None:
    await work
