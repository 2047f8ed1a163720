"""Two gateways on one store: as two processes on PostgreSQL, each with connections, ids and a memory of its own.

A file is one process's alone, so there both share the store; nothing else is shared on either, but the wallet.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import pytest

from anytill.core.errors import PayCodeInUse
from anytill.core.ids import IdMaker
from anytill.core.lifecycle import PaymentState, RefundState
from anytill.core.payment import Payment, PayOrder, RefundOrder, RefundRef, Verdict
from anytill.dialects import load_dialects
from anytill.gateway import Gateway
from anytill.ports import Till
from anytill.storage import Vault, open_store
from anytill.wire.http import HttpRequest, HttpResponse
from tests.gateway.meddler import Meddler, meddled
from tests.gateway.test_refund_notices import PROCESSED, TERMINAL, of_refunds, paid
from tests.world import BASE_URL, START_MS, World

pytestmark = pytest.mark.anyio

COPIES = 10


@pytest.fixture
async def wallet(world: World) -> Meddler:
    """What both gateways ask; it counts their calls."""
    return await meddled(world)


@pytest.fixture
async def gateways(world: World, wallet: Meddler, store_url: str) -> AsyncIterator[Sequence[Gateway]]:
    ids = IdMaker()
    ids.grant(2, 10 * START_MS)
    shared = store_url.startswith("sqlite")
    store = world.store if shared else await open_store(store_url, vault=Vault(b"k" * 32), watch=world.watch)
    yield world.gateway, Gateway(replace(world.parts, store=store, ids=ids))
    if not shared:
        await store.close()


@pytest.fixture
def tills(gateways: Sequence[Gateway]) -> Sequence[Till]:
    """One and the same Semoor device, as it reaches each of them."""
    record = load_dialects()["semoor"]

    def till(gateway: Gateway) -> Till:
        async def send(request: HttpRequest) -> HttpResponse:
            assert record.handle is not None
            return await record.handle(request, gateway)

        return record.client(record.sandbox_settings(BASE_URL), send)

    return [till(gateway) for gateway in gateways]


async def at_both(tills: Sequence[Till], order: PayOrder) -> Sequence[Payment]:
    """What all copies are told that reach both at one moment."""
    return await asyncio.gather(*(till.pay(order) for _ in range(COPIES) for till in tills))


@pytest.mark.parametrize("ending", ["00", "01", "06", "09"])
async def test_one_order_without_a_number_is_charged_once(
    world: World, wallet: Meddler, tills: Sequence[Till], ending: str
) -> None:
    order = replace(world.order(ending), order_no="")
    told = await at_both(tills, order)
    assert len({payment.payment_id for payment in told}) == 1
    assert Verdict.NOT_PAID not in {payment.verdict for payment in told}
    assert wallet.calls.count("pay") == 1
    await world.pass_s(20)
    assert {payment.verdict for payment in await at_both(tills, order)} == {Verdict.PAID}
    assert wallet.calls.count("pay") == 1
    assert (await world.book(told[0].order_no))["net_fen"] == order.amount_fen
    await world.check_books(told[0].order_no)


async def test_two_orders_for_one_code_are_one_charge(world: World, wallet: Meddler, tills: Sequence[Till]) -> None:
    order = replace(world.order(), order_no="")
    told = await asyncio.gather(
        tills[0].pay(order), tills[1].pay(replace(order, amount_fen=200)), return_exceptions=True
    )
    assert sorted(type(each).__name__ for each in told) == sorted([Payment.__name__, PayCodeInUse.__name__])
    assert wallet.calls.count("pay") == 1


async def test_a_code_is_passed_on_once(world: World, wallet: Meddler, tills: Sequence[Till]) -> None:
    """Ten minutes after it paid, the code serves a new order, of which there is one again."""
    order = replace(world.order(), order_no="")
    (first, *_) = await at_both(tills, order)
    await world.pass_s(601)
    told = await asyncio.gather(*(till.pay(order) for _ in range(COPIES) for till in tills), return_exceptions=True)
    again = [each for each in told if isinstance(each, Payment)]
    assert {payment.payment_id for payment in again}.isdisjoint({first.payment_id})
    # The wallet takes a code once. Its no lets go of the code, so a copy that comes later may be told it anew; and one
    # that others were quicker than again and again is told that the code is in use.
    assert {payment.state for payment in again} <= {PaymentState.FAILED, PaymentState.SUBMITTED}
    assert again
    assert {type(each) for each in told} <= {Payment, PayCodeInUse}
    assert (await world.wallet.totals())["charged_fen"] == order.amount_fen


async def test_one_refund_without_a_number_is_given_once(world: World, wallet: Meddler, tills: Sequence[Till]) -> None:
    payment = await tills[0].pay(replace(world.order(), order_no="", amount_fen=1_000))
    refund = RefundOrder(payment.ref, "", 100)
    for done in (1, 2):
        told = await asyncio.gather(*(till.refund(refund) for _ in range(COPIES) for till in tills))
        assert len(set(wallet.refund_ids)) == len(wallet.refund_ids) == done
        assert {each.refunded_fen for each in told} <= {0, 100}
        assert [(await till.refund(refund)).refunded_fen for till in tills] == [100, 100]
        await world.pass_s(60)
    assert (await world.book(payment.order_no))["net_fen"] == 800
    await world.check_books(payment.order_no)


async def test_one_refund_is_told_once_whichever_hears_its_end(world: World, gateways: Sequence[Gateway]) -> None:
    payment = await paid(world)
    tills = [gateway.till(TERMINAL) for gateway in gateways]
    assert (await tills[0].refund(RefundOrder(payment.ref, "R1", PROCESSED))).state is not RefundState.DONE
    world.clock.advance(60_000)
    await asyncio.gather(*(till.query_refund(RefundRef("R1")) for _ in range(COPIES) for till in tills))
    await asyncio.gather(*(gateway.recovery.notices() for gateway in gateways))
    await world.work()
    await world.pass_s(24 * 3600)
    assert [(await till.query_refund(RefundRef("R1"))).state for till in tills] == [RefundState.DONE] * 2
    assert len(await of_refunds(world, payment)) == len(world.receiver.posted) == 1
