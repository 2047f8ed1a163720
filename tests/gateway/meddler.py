"""A channel that lies, stumbles or falls silent where a test says so, and is the sandbox everywhere else."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from anytill.channels.sandbox import SandboxChannel
from anytill.core.answer import REFUND_SILENCE, SILENCE, Answer, RefundAnswer
from anytill.core.payment import Payment, Refund
from anytill.core.secret import Secret
from anytill.ports import Channel
from tests.world import World


class Meddler:
    """Stands before the sandbox. `…_says` lists what is said instead of asking it, one answer a call; `pay_says` and
    `refund_says_of` are given the sandbox's own answer to come and say what they like."""

    def __init__(self, sandbox: SandboxChannel) -> None:
        self._sandbox = sandbox
        self.pay_says: Callable[[Awaitable[Answer]], Awaitable[Answer]] | None = None
        self.query_says: list[Answer] = []
        self.cancel_says: list[Answer] = []
        self.refund_says: list[RefundAnswer] = []
        self.refund_says_of: Callable[[Awaitable[RefundAnswer]], Awaitable[RefundAnswer]] | None = None
        self.query_refund_says: list[RefundAnswer] = []
        self.is_silent = False  # nothing reaches it, and nothing comes from it
        self.calls: list[str] = []
        self.refund_ids: list[str] = []
        self.name = sandbox.name
        self.takes_cards = sandbox.takes_cards

    async def pay(self, payment: Payment, pay_code: Secret | None) -> Answer:
        self.calls.append("pay")
        real = self._sandbox.pay(payment, pay_code)
        return await (self.pay_says(real) if self.pay_says else real)

    async def query(self, payment: Payment) -> Answer:
        self.calls.append("query")
        if self.is_silent:
            return SILENCE
        return self.query_says.pop(0) if self.query_says else await self._sandbox.query(payment)

    async def cancel(self, payment: Payment) -> Answer:
        self.calls.append("cancel")
        if self.is_silent:
            return SILENCE
        return self.cancel_says.pop(0) if self.cancel_says else await self._sandbox.cancel(payment)

    async def refund(self, payment: Payment, refund: Refund) -> RefundAnswer:
        self.calls.append("refund")
        self.refund_ids.append(refund.refund_id)
        if self.is_silent:
            return REFUND_SILENCE
        if self.refund_says:
            return self.refund_says.pop(0)
        real = self._sandbox.refund(payment, refund)
        return await (self.refund_says_of(real) if self.refund_says_of else real)

    async def query_refund(self, payment: Payment, refund: Refund) -> RefundAnswer:
        self.calls.append("query_refund")
        if self.is_silent:
            return REFUND_SILENCE
        if self.query_refund_says:
            return self.query_refund_says.pop(0)
        return await self._sandbox.query_refund(payment, refund)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sandbox, name)


async def meddled(world: World) -> Meddler:
    """The world started anew with a meddler before its wallet."""
    made: list[Meddler] = []

    def put_before(sandbox: SandboxChannel) -> Channel:
        made.append(Meddler(sandbox))
        return made[0]

    await world.stop()
    await world.start(put_before)
    return made[0]
