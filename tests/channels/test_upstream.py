"""Another gateway as the wallet: a till's wish crosses two gateways and both books agree with the payer's."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from anytill.channels.sandbox import SandboxChannel
from anytill.channels.upstream import UpstreamChannel
from anytill.core.errors import InvalidPayCode, NotSupported, OrderConflict, Overloaded, Refusal
from anytill.core.lifecycle import PaymentEvent, PaymentState, RefundEvent, RefundState
from anytill.core.payment import Payment, PaymentRef, PayOrder, Refund, RefundOrder, RefundRef
from anytill.core.secret import Secret
from anytill.ports import Channel, Till, Unreachable
from anytill.wire.errors import Malformed
from tests.world import World, opened_world

pytestmark = pytest.mark.anyio
S = PaymentState


@dataclass
class Cable:
    """The line between the two gateways; it can be cut."""

    till: Till
    cut_before: bool = False
    cut_after: bool = False

    async def _carry(self, call: Callable[[], Awaitable[object]]) -> object:
        if self.cut_before:
            raise Unreachable("cut")
        answer = await call()
        if self.cut_after:
            raise Unreachable("cut")
        return answer

    def __getattr__(self, name: str) -> Callable[[object], Awaitable[object]]:
        return lambda wish: self._carry(lambda: getattr(self.till, name)(wish))


@dataclass
class Chain:
    """Two gateways; the first has the second as its channel."""

    shop: World
    upstream: World
    cable: Cable

    async def pass_s(self, seconds: int) -> None:
        for _ in range(seconds):
            await self.shop.pass_s(1)
            await self.upstream.pass_s(1)

    async def check(self, order_no: str, net_fen: int) -> None:
        """All three books say the same of what we hold of the payer's money."""
        payment = await self.shop.stored(order_no)
        held = payment.paid_fen - payment.reversed_fen - payment.refunded_fen
        rows = await self.upstream.wallet.statement(merchant_order=payment.payment_id)
        there = sum(int(str(row["net_fen"])) for row in rows if isinstance(row, dict))
        assert (held, there) == (net_fen, net_fen)
        assert list(await self.shop.store.audit()) == list(await self.upstream.store.audit()) == []


@pytest.fixture
async def chain(tmp_path: Path) -> AsyncIterator[Chain]:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    async with opened_world(f"sqlite:///{tmp_path}/b/b.db", tmp_path / "b") as upstream:
        shop = World(f"sqlite:///{tmp_path}/a/a.db", tmp_path / "a")
        cable = Cable(upstream.client("chaoying"))

        def over_the_cable(_sandbox: SandboxChannel) -> Channel:
            return UpstreamChannel("sandbox", cable)  # type: ignore[arg-type]

        await shop.start(over_the_cable)
        yield Chain(shop, upstream, cable)
        await shop.stop()


@pytest.mark.parametrize(
    ("ending", "end", "net_fen"),
    [("00", S.PAID, 100), ("01", S.PAID, 100), ("02", S.FAILED, 0), ("03", S.CANCELLED, 0), ("04", S.FAILED, 0),
     ("06", S.PAID, 100), ("07", S.CANCELLED, 0), ("09", S.PAID, 100), ("10", S.PAID, 90)],
)  # fmt: skip
async def test_outcomes_cross_two_gateways(chain: Chain, ending: str, end: S, net_fen: int) -> None:
    order = chain.shop.order(ending)
    await (await chain.shop.till()).pay(order)
    await chain.pass_s(100)
    assert (await chain.shop.stored(order.order_no)).state is end
    await chain.check(order.order_no, net_fen)


async def test_refunds_and_cancels_cross_two_gateways(chain: Chain) -> None:
    till = await chain.shop.till()
    order, cancelled = chain.shop.order(), chain.shop.order()
    await till.pay(order)
    refund = await till.refund(RefundOrder(PaymentRef(order.order_no), "R1000", 40))
    assert refund.state is RefundState.DONE
    assert (await till.query_refund(RefundRef("R1000"))).state is RefundState.DONE
    await chain.check(order.order_no, 60)
    await till.pay(cancelled)
    assert (await till.cancel(PaymentRef(cancelled.order_no))).state is S.CANCELLED
    await chain.check(cancelled.order_no, 0)


async def test_a_lost_answer_is_asked_about_and_never_paid_twice(chain: Chain) -> None:
    order = chain.shop.order()
    chain.cable.cut_after = True
    told = await (await chain.shop.till()).pay(order)
    assert told.state is S.UNKNOWN
    chain.cable.cut_after = False
    await chain.pass_s(6)
    assert (await chain.shop.stored(order.order_no)).state is S.PAID
    await chain.check(order.order_no, 100)


async def test_an_order_that_never_arrived_is_taken_back(chain: Chain) -> None:
    order = chain.shop.order()
    chain.cable.cut_before = True
    assert (await (await chain.shop.till()).pay(order)).state is S.UNKNOWN
    chain.cable.cut_before = False
    await chain.pass_s(70)
    assert (await chain.shop.stored(order.order_no)).state is S.CANCELLED
    await chain.check(order.order_no, 0)


class Saying:
    """A till that raises what it is told to."""

    def __init__(self, fault: Exception) -> None:
        self._fault = fault

    async def pay(self, order: PayOrder) -> Payment:
        raise self._fault

    query = cancel = refund = query_refund = pay


@pytest.mark.parametrize(
    ("fault", "pay", "refund"),
    [
        (Unreachable("x"), PaymentEvent.SILENT, RefundEvent.SILENT),
        (Malformed("x"), PaymentEvent.SILENT, RefundEvent.SILENT),
        (Refusal("words nobody knows"), PaymentEvent.SILENT, RefundEvent.SILENT),
        (OrderConflict(), PaymentEvent.SILENT, RefundEvent.SILENT),
        (Overloaded(), PaymentEvent.SILENT, RefundEvent.SILENT),
        (InvalidPayCode(), PaymentEvent.REFUSED, RefundEvent.REFUSED),
    ],
)
async def test_only_a_clear_no_is_a_no(chain: Chain, fault: Exception, pay: PaymentEvent, refund: RefundEvent) -> None:
    channel = UpstreamChannel("up", Saying(fault))  # type: ignore[arg-type]
    payment = await (await chain.shop.till()).pay(chain.shop.order())
    assert (await channel.pay(payment, Secret("13"))).event is pay
    assert (await channel.query(payment)).event is PaymentEvent.SILENT
    assert (await channel.cancel(payment)).event is PaymentEvent.SILENT
    asked = Refund("m", "r", "R", payment.payment_id, "A", RefundState.SUBMITTED, 1)
    assert (await channel.refund(payment, asked)).event is refund
    assert (await channel.query_refund(payment, asked)).event is RefundEvent.SILENT
    for call in (channel.identify("m", Secret("13")), channel.face_ticket("m", "d", "r")):
        with pytest.raises(NotSupported):
            await call
