"""Two gateways on one store, tills that ask for everything at once, and a truthful wallet whose answers get lost or
come late: whatever the order of things, in the end every book says the same and nobody was told a lie.

Strategy: random campaigns. A seed fixes what is asked; when a database answers is its own affair, so a seed that fails
once may take a few runs to fail again. At the end the line is mended and three days pass, so that whatever is still due
comes to its end.
"""

from __future__ import annotations

import contextlib
import random
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, TypeVar

import anyio
import pytest

from anytill.channels.sandbox import SandboxChannel
from anytill.core.answer import REFUND_SILENCE, SILENCE, Answer, RefundAnswer
from anytill.core.errors import Refusal
from anytill.core.ids import IdMaker
from anytill.core.lifecycle import OPEN_REFUND_STATES, PaymentState
from anytill.core.payment import Payment, PaymentRef, PayOrder, Refund, RefundOrder, RefundRef, Verdict
from anytill.core.secret import Secret
from anytill.gateway import Gateway, GatewayTill
from anytill.ports import Channel
from tests.world import START_MS, World

pytestmark = pytest.mark.anyio
Word = TypeVar("Word")

SEEDS = range(12)
ROUNDS, AT_ONCE, ORDERS = 6, 8, 6
ENDINGS = ["00", "00", "01", "02", "03", "06", "07", "08", "09", "10"]
REFUNDS_FEN = [30, 60, 91, 92, 93, 94, 100]
ENDS = {PaymentState.PAID, PaymentState.FAILED, PaymentState.CLOSED, PaymentState.CANCELLED}


class BadLine:
    """A line to the sandbox that loses questions and answers and keeps them back, until it is mended."""

    def __init__(self, sandbox: SandboxChannel, chance: random.Random) -> None:
        self._sandbox = sandbox
        self._chance = chance
        self.is_mended = False
        self.name = sandbox.name

    async def _carry(self, call: Callable[[], Awaitable[Word]], silence: Word) -> Word:
        if self.is_mended:
            return await call()
        if self._chance.random() < 0.1:
            return silence
        await self._dawdle()
        answer = await call()
        await self._dawdle()
        return silence if self._chance.random() < 0.15 else answer

    async def _dawdle(self) -> None:
        for _ in range(self._chance.randrange(40)):
            await anyio.lowlevel.checkpoint()

    async def pay(self, payment: Payment, pay_code: Secret | None) -> Answer:
        return await self._carry(lambda: self._sandbox.pay(payment, pay_code), SILENCE)

    async def query(self, payment: Payment) -> Answer:
        return await self._carry(lambda: self._sandbox.query(payment), SILENCE)

    async def cancel(self, payment: Payment) -> Answer:
        return await self._carry(lambda: self._sandbox.cancel(payment), SILENCE)

    async def refund(self, payment: Payment, refund: Refund) -> RefundAnswer:
        return await self._carry(lambda: self._sandbox.refund(payment, refund), REFUND_SILENCE)

    async def query_refund(self, payment: Payment, refund: Refund) -> RefundAnswer:
        return await self._carry(lambda: self._sandbox.query_refund(payment, refund), REFUND_SILENCE)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sandbox, name)


class Campaign:
    """What the tills do, and what they were told."""

    def __init__(self, world: World, gateways: list[Gateway], tills: list[GatewayTill], chance: random.Random) -> None:
        self._world = world
        self._gateways = gateways
        self._tills = tills
        self._chance = chance
        codes = [Secret(f"13{number:014d}{chance.choice(ENDINGS)}") for number in range(4)]
        self.orders = [world.order(pay_code=chance.choice(codes)) for _ in range(ORDERS)]
        self.told: dict[str, set[Verdict]] = defaultdict(set)

    async def run(self) -> None:
        for _ in range(ROUNDS):
            async with anyio.create_task_group() as group:
                for _ in range(AT_ONCE):
                    group.start_soon(self._act)

    async def _act(self) -> None:
        order, till = self._chance.choice(self.orders), self._chance.choice(self._tills)
        ref = PaymentRef(order.order_no)
        refund_no = f"{order.order_no}R{self._chance.randrange(6)}"
        acts: list[tuple[int, Callable[[], Awaitable[object]]]] = [
            (7, lambda: self._heard(till.pay(order), order)),
            (3, lambda: self._heard(till.query(ref), order)),
            (3, lambda: self._heard(till.cancel(ref), order)),
            (4, lambda: till.refund(RefundOrder(ref, refund_no, self._chance.choice(REFUNDS_FEN)))),
            (1, lambda: till.query_refund(RefundRef(refund_no))),
            (1, self._time_passes),
            (1, self._due_work),
        ]
        (act,) = self._chance.choices([act for _, act in acts], [weight for weight, _ in acts])
        with contextlib.suppress(Refusal):
            await act()

    async def _heard(self, call: Awaitable[Payment], order: PayOrder) -> None:
        self.told[order.order_no].add((await call).verdict)

    async def _time_passes(self) -> None:
        self._world.clock.advance(self._chance.choice([100, 5_000, 10_000, 16_000, 61_000]))

    async def _due_work(self) -> None:
        recovery = self._chance.choice(self._gateways).recovery
        await recovery.payments()
        await recovery.refunds()
        works, self._world.started[:] = list(self._world.started), []
        for work in works:
            await work


@pytest.mark.parametrize("seed", SEEDS)
async def test_whatever_the_order_of_things_the_books_agree_and_nobody_was_lied_to(world: World, seed: int) -> None:
    chance = random.Random(seed)
    lines: list[BadLine] = []

    def put_between(sandbox: SandboxChannel) -> Channel:
        lines.append(BadLine(sandbox, chance))
        return lines[0]

    await world.stop()
    await world.start(put_between)
    ids = IdMaker()
    ids.grant(2, 10 * START_MS)
    gateways = [world.gateway, Gateway(replace(world.parts, ids=ids))]
    credential = await world.credential()
    campaign = Campaign(world, gateways, [gateway.till(credential) for gateway in gateways], chance)
    await campaign.run()
    lines[0].is_mended = True
    await world.pass_s(3 * 86_400)
    assert [fields for event, fields in world.watch.alarms if event == "bug"] == []
    taken = [order.order_no for order in campaign.orders if await world.wallet.statement(merchant_order=order.order_no)]
    await world.check_books(*taken)
    for order in campaign.orders:
        payment = await world.store.payment("demo", PaymentRef(order.order_no))
        if payment is not None:
            await check(world, payment, campaign.told[order.order_no])


async def check(world: World, payment: Payment, told: set[Verdict]) -> None:
    assert payment.state in ENDS
    if payment.state is PaymentState.PAID:
        assert Verdict.NOT_PAID not in told, "a cashier would have charged again"
    else:
        rows = await world.wallet.statement(merchant_order=payment.order_no)
        assert sum(int(str(row["net_fen"])) for row in rows if isinstance(row, dict)) == 0
    for refund in await world.store.refunds_of(payment.merchant_id, payment.payment_id):
        assert refund.state not in OPEN_REFUND_STATES
