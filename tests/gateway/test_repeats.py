"""An order that was taken is answered with what became of it, whatever changed since; only new ones are refused."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import anyio
import pytest

from anytill.core.errors import AmountNotAllowed, MerchantInactive, OrderConflict, Overloaded, PaymentNotFound, Refusal
from anytill.core.lifecycle import PaymentState, RefundState
from anytill.core.merchant import MerchantState
from anytill.core.payment import Payment, PaymentRef, RefundOrder, RefundRef
from anytill.core.retry import CALL_UNDER_WAY_MS
from anytill.core.secret import Secret
from anytill.gateway import Gateway
from anytill.ports import Store
from tests.gateway.meddler import meddled
from tests.world import NOTICE_URL, World

pytestmark = pytest.mark.anyio
S = PaymentState
Word = TypeVar("Word")


async def lower_the_limit(world: World) -> None:
    await change_merchant(world, max_amount_fen=50)


async def switch_off(world: World) -> None:
    await change_merchant(world, state=MerchantState.OFF)


async def fill_up(world: World) -> None:
    world.gateway._payments._at_channel = world.parts.most_at_channel


async def change_merchant(world: World, **changes: object) -> None:
    merchant = await world.store.merchant("demo")
    assert merchant is not None
    await world.store.put_merchant(replace(merchant, **changes))  # type: ignore[arg-type]
    world.clock.advance(60_000)  # a merchant is remembered for some seconds


@pytest.mark.parametrize(("dialect", "notice_url"), [("teegon", NOTICE_URL), ("chaoying", "")])
@pytest.mark.parametrize(
    ("change", "refusal"),
    [(lower_the_limit, AmountNotAllowed), (switch_off, MerchantInactive), (fill_up, Overloaded)],
)
async def test_a_paid_order_sent_again_is_paid_whatever_changed_since(
    world: World, dialect: str, notice_url: str, change: Callable[[World], Awaitable[None]], refusal: type[Refusal]
) -> None:
    client = world.client(dialect)
    order = world.order(notice_url=notice_url)
    assert (await client.pay(order)).state is S.PAID
    await change(world)
    assert (await client.pay(order)).state is S.PAID
    with pytest.raises(refusal):
        await (await world.till(dialect)).pay(world.order())
    assert (await world.wallet.totals())["charged_fen"] == 100


async def test_another_order_under_a_paid_number_is_a_conflict_and_charges_nobody(world: World) -> None:
    till = await world.till()
    order = world.order()
    await till.pay(order)
    with pytest.raises(OrderConflict):
        await till.pay(replace(order, pay_code=Secret("130000000000009900")))
    assert (await world.wallet.totals())["charged_fen"] == 100


# Calls that are under way


async def test_no_more_pay_calls_are_under_way_than_allowed(world: World) -> None:
    channel = await meddled(world)
    channel.pay_says = held = Held(2)
    till = Gateway(replace(world.parts, most_at_channel=2)).till(await world.credential())
    order = world.order()

    async def one_more() -> None:
        with pytest.raises(Overloaded):
            await till.pay(order)
        with pytest.raises(PaymentNotFound):
            await till.find(PaymentRef(order.order_no))

    told = await meanwhile(held, [till.pay(world.order()), till.pay(world.order())], one_more)
    assert [payment.state for payment in told] == [S.PAID, S.PAID]
    assert (await till.pay(order)).state is S.PAID, "there is room again"


async def test_who_asks_while_the_pay_call_is_under_way_is_told_what_is_stored(world: World) -> None:
    channel = await meddled(world)
    channel.pay_says = held = Held(1)
    till = await world.till()
    order = world.order()

    async def ask() -> None:
        for asked in (await till.query(PaymentRef(order.order_no)), await till.pay(order)):
            assert asked.state is S.SUBMITTED
        world.clock.advance(CALL_UNDER_WAY_MS - 1)
        await till.query(PaymentRef(order.order_no))
        assert channel.calls == ["pay"], "the channel may not know the order yet: its answer would mean nothing"
        world.clock.advance(1)
        assert (await till.query(PaymentRef(order.order_no))).state is S.PAID
        assert channel.calls == ["pay", "query"], "now the call is given up for lost"

    told = await meanwhile(held, [till.pay(order)], ask)
    assert [payment.state for payment in told] == [S.PAID]
    await world.check_books(order.order_no)


async def test_who_asks_while_the_refund_call_is_under_way_is_told_what_is_stored(world: World) -> None:
    channel = await meddled(world)
    channel.refund_says_of = held = Held(1)
    till = await world.till()
    payment = await till.pay(world.order())
    order = RefundOrder(payment.ref, "R1", 30)

    async def ask() -> None:
        for asked in (await till.query_refund(RefundRef("R1")), await till.refund(order)):
            assert asked.state is RefundState.SUBMITTED
        world.clock.advance(CALL_UNDER_WAY_MS - 1)
        await till.query_refund(RefundRef("R1"))
        assert "query_refund" not in channel.calls
        world.clock.advance(1)
        assert (await till.query_refund(RefundRef("R1"))).state is RefundState.DONE
        assert channel.calls.count("refund") == 1

    told = await meanwhile(held, [till.refund(order)], ask)
    assert [refund.state for refund in told] == [RefundState.DONE]
    await world.check_books(payment.order_no)


class Held:
    """Lets the channel act and keeps its answers until they are released."""

    def __init__(self, number: int) -> None:
        self._missing = number
        self.all_there = anyio.Event()
        self.released = anyio.Event()

    async def __call__(self, real: Awaitable[Word]) -> Word:
        answer = await real
        self._missing -= 1
        if not self._missing:
            self.all_there.set()
        await self.released.wait()
        return answer


async def meanwhile(held: Held, calls: Sequence[Awaitable[Word]], act: Callable[[], Awaitable[None]]) -> list[Word]:
    """What the calls return, when `act` is done while all of them are at the channel."""
    told: list[Word] = []

    async def one(call: Awaitable[Word]) -> None:
        told.append(await call)

    async with anyio.create_task_group() as group:
        for call in calls:
            group.start_soon(one, call)
        with anyio.fail_after(60):
            await held.all_there.wait()
        try:
            await act()
        finally:
            held.released.set()
    return told


# A commit whose confirmation was lost


class Forgetful:
    """A store that writes a new payment and does not know that it did."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def add_payment(self, payment: Payment) -> bool:
        assert await self._store.add_payment(payment)
        return False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


async def test_a_row_whose_commit_was_lost_sight_of_is_known_as_ones_own(world: World) -> None:
    channel = await meddled(world)
    forgetful: Any = Forgetful(world.store)
    till = Gateway(replace(world.parts, store=forgetful)).till(await world.credential())
    payment = await till.pay(world.order())
    assert payment.state is S.PAID
    assert channel.calls == ["pay"]
    await world.check_books(payment.order_no)
