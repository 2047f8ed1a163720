"""Finishing what is due: payments to ask about or take back, refunds to ask about, notices to send.

There is one mechanism. What must be done later is a due time on the row it concerns, committed with the state that
needs it. Claiming a row moves its version up and its due time to the end of a lease; whoever claimed it works on
exactly that version, so a worker that was paused past its lease finds its writes refused. After a crash nothing
special happens: intents without a result are simply due.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar

from anytill.core.notice import Notice
from anytill.core.payment import Payment, Refund
from anytill.gateway.notices import Notices
from anytill.gateway.parts import Parts
from anytill.gateway.payments import Payments
from anytill.gateway.refunds import Refunds
from anytill.ports import DueKind

Row = TypeVar("Row", Payment, Refund)

LEASE_MS: Final = 60_000
_AT_ONCE: Final = 64


class Recovery:
    """Works off what is due; each kind apart, so that slow receivers of notices hold up no payment."""

    def __init__(self, parts: Parts, payments: Payments, refunds: Refunds, notices: Notices) -> None:
        self._parts = parts
        self._payments = payments
        self._refunds = refunds
        self._notices = notices

    async def payments(self) -> int | None:
        """Attend to all payments that are due now; returns when the next one is due."""
        return await self._work(DueKind.PAYMENT, self._parts.store.claim_payments, self._payments.attend)

    async def refunds(self) -> int | None:
        """Attend to all refunds that are due now; returns when the next one is due."""
        return await self._work(DueKind.REFUND, self._parts.store.claim_refunds, self._refunds.attend)

    async def notices(self) -> int | None:
        """Begin to send all notices that are due now, as far as there is room; returns when the next one is due."""
        store, notices = self._parts.store, self._notices
        while room := min(notices.room, _AT_ONCE):
            rows = await store.claim_notices(self._parts.clock.now_ms(), LEASE_MS, room, notices.busy)
            for row in rows:
                self._parts.start(self._guarded(notices.begin(row), row))
            if len(rows) < room:
                return await store.next_due_ms(DueKind.NOTICE, notices.busy)
        return None

    async def _work(
        self,
        kind: DueKind,
        claim: Callable[[int, int, int], Awaitable[Sequence[Row]]],
        attend: Callable[[Row], Awaitable[object]],
    ) -> int | None:
        while True:
            rows = await claim(self._parts.clock.now_ms(), LEASE_MS, _AT_ONCE)
            await self._parts.side_by_side([self._guarded(attend(row), row) for row in rows])
            if len(rows) < _AT_ONCE:
                return await self._parts.store.next_due_ms(kind)

    async def _guarded(self, work: Awaitable[object], row: Payment | Refund | Notice) -> None:
        """One row's fault stays its own: it is due again when its lease is over."""
        try:
            await work
        except Exception as fault:  # noqa: BLE001 - whatever it is, the other rows must go on
            self._parts.watch.alarm("bug", where=type(row).__name__, payment_id=row.payment_id, fault=repr(fault))
