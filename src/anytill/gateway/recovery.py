"""Finishing what is due: payments to ask about or take back, refunds to ask about, notices to send.

There is one mechanism. What must be done later is a due time on the row it concerns, committed with the state that
needs it. Claiming a row moves its version up and its due time to the end of a lease; whoever claimed it works on
exactly that version, so a worker that was paused past its lease finds its writes refused. After a crash nothing
special happens: intents without a result are simply due.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Final, TypeVar

from anytill.core.notice import Notice
from anytill.core.payment import Payment, Refund
from anytill.gateway.notices import Notices
from anytill.gateway.parts import Parts
from anytill.gateway.payments import Payments
from anytill.gateway.refunds import Refunds
from anytill.gateway.under_way import UnderWay
from anytill.ports import DueKind

Row = TypeVar("Row", Payment, Refund, Notice)

LEASE_MS: Final = 60_000
_AT_ONCE: Final = 64
#: Under way at most, in all and at one channel or receiver.
_MOST: Final = 512
PER_CHANNEL: Final = 128
PER_RECEIVER: Final = 8


class Recovery:
    """Works off what is due; each kind apart, and each piece of work in its own time."""

    def __init__(self, parts: Parts, payments: Payments, refunds: Refunds, notices: Notices) -> None:
        self._parts = parts
        self._store = parts.store
        self._payments = payments
        self._refunds = refunds
        self._notices = notices
        limits = {DueKind.PAYMENT: PER_CHANNEL, DueKind.REFUND: PER_CHANNEL, DueKind.NOTICE: PER_RECEIVER}
        self._under_way = {kind: UnderWay(_MOST, most_at_one) for kind, most_at_one in limits.items()}

    async def payments(self) -> int | None:
        """Begin what all payments need that are due now, as far as there is room; returns when the next one is due."""
        return await self._work(
            DueKind.PAYMENT,
            self._store.claim_payments,
            lambda payment: payment.channel,
            lambda payment, _: self._payments.attend(payment),
        )

    async def refunds(self) -> int | None:
        """Likewise for refunds."""
        return await self._work(
            DueKind.REFUND,
            self._store.claim_refunds,
            lambda refund: refund.channel,
            lambda refund, _: self._refunds.attend(refund),
        )

    async def notices(self) -> int | None:
        """Likewise for notices; of one claim, what is too much for a receiver is put back untried."""
        return await self._work(
            DueKind.NOTICE,
            self._store.claim_notices,
            lambda notice: notice.receiver,
            lambda notice, has_room: (self._notices.attend if has_room else self._notices.put_back)(notice),
        )

    async def _work(
        self,
        kind: DueKind,
        claim: Callable[[int, int, int, Collection[str]], Awaitable[Sequence[Row]]],
        place_of: Callable[[Row], str],
        begun: Callable[[Row, bool], Awaitable[object]],
    ) -> int | None:
        """`begun` is told whether the row's place had room for it beside the others of its claim."""
        under_way = self._under_way[kind]
        while room := min(under_way.room, _AT_ONCE):
            rows = await claim(self._parts.clock.now_ms(), LEASE_MS, room, under_way.busy)
            for row in rows:
                place = place_of(row)
                work = begun(row, under_way.begin(place))
                self._parts.start(self._carried_out(kind, place, work, row))
            if len(rows) < room:
                return await self._store.next_due_ms(kind, under_way.busy)
        return None

    async def _carried_out(self, kind: DueKind, place: str, work: Awaitable[object], row: Row) -> None:
        """One row's fault stays its own: it is due again when its lease is over."""
        try:
            await work
        except Exception as fault:  # noqa: BLE001 - whatever it is, the other rows must go on
            self._parts.watch.fault(f"due {kind}", fault, payment_id=row.payment_id)
        finally:
            if self._under_way[kind].end(place):
                self._parts.wake(kind)
