"""ports.Store, once, over whatever database an engine speaks to.

Each method says what must happen as a `Write` of named statements, and the engine makes it durable. Nothing here
knows a driver; safety is in the statements' guards (versions and sums in the WHERE, unique keys) and in the tables'
own rules, so that it holds however writes are grouped and however many processes write.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TypeVar

from anytill.core.ledger import Posting
from anytill.core.notice import Notice
from anytill.core.payment import Payment, PaymentRef, Refund, RefundRef
from anytill.core.settle import RefundChange
from anytill.core.takings import Takings
from anytill.ports import DueKind, RefundPlaced, StoreUnavailable, Watch
from anytill.storage import rows
from anytill.storage.register import SqlRegister
from anytill.storage.vault import Vault
from anytill.storage.writes import Engine, Lane, Row, Step, Write

T = TypeVar("T")
#: Processes that start at one moment may take a number from under each other, once each.
_MOST_ROUNDS = 1_000

_AUDITS = (
    "audit_postings",
    "audit_subjects",
    "audit_currencies",
    "audit_accounts",
    "audit_refund_sums",
    "audit_refunds",
    "audit_states",
)


class SqlStore(SqlRegister):
    """The store. Made by `open_store`; its methods are described in ports.Store.

    Every write may raise StoreUnavailable, and Rejected (a ValueError) when the database's rules forbid it.
    """

    def __init__(self, engine: Engine, vault: Vault, watch: Watch | None = None) -> None:
        super().__init__(engine, vault)
        self._watch = watch

    # Payments

    async def add_payment(self, payment: Payment) -> bool:
        step = Step("add_payment", rows.new_payment(payment), must_touch=1)
        key = (payment.merchant_id, payment.order_no)
        witness = Step("payment_by_id", {"merchant_id": payment.merchant_id, "payment_id": payment.payment_id})
        return await self._done(Write(Lane.ADD_PAYMENT, key, (step,), witness))

    async def move_payment(
        self, before: Payment, after: Payment, postings: Sequence[Posting] = (), notice: Notice | None = None
    ) -> bool:
        _check_owner(f"payment {before.payment_id}", before, (*postings, *((notice,) if notice else ())))
        steps = [Step("move_payment", rows.moved_payment(before, after), must_touch=1)]
        steps += [Step("post", rows.posting_values(posting)) for posting in postings]
        if notice:
            steps.append(Step("add_notice", rows.new_notice(notice)))
        return await self._done(Write(Lane.MOVE_PAYMENT, (before.merchant_id, before.payment_id), tuple(steps)))

    async def payment(self, merchant_id: str, ref: PaymentRef) -> Payment | None:
        if ref.order_no:
            values = {"merchant_id": merchant_id, "order_no": ref.order_no}
            return await self._one("payment_by_order_no", values, rows.payment_of)
        values = {"merchant_id": merchant_id, "payment_id": ref.payment_id}
        return await self._one("payment_by_id", values, rows.payment_of)

    async def payment_of_code(self, merchant_id: str, code_digest: str) -> Payment | None:
        values = {"merchant_id": merchant_id, "code_digest": code_digest}
        return await self._one("payment_of_code", values, rows.payment_of)

    async def has_payments(self, merchant_id: str) -> bool:
        return bool(await self._engine.read("has_payments", {"merchant_id": merchant_id}))

    async def takings(
        self, merchant_id: str, dialect: str, login: str, since_ms: int, until_ms: int, detail: str = ""
    ) -> Sequence[Takings]:
        values: rows.Values = {
            "merchant_id": merchant_id,
            "taker": rows.taker(dialect, login),
            "since_ms": since_ms,
            "until_ms": until_ms,
        }
        paid = await self._engine.read("payments_taken", values)
        return rows.takings_of(paid, await self._engine.read("refunds_given", values), detail)

    async def parked_payments(self, limit: int) -> Sequence[Payment]:
        return [rows.payment_of(row) for row in await self._engine.read("parked_payments", {"most": limit})]

    async def claim_payments(
        self, now_ms: int, lease_ms: int, limit: int, busy: Collection[str] = ()
    ) -> Sequence[Payment]:
        return await self._claim("claim_payments", now_ms, lease_ms, limit, busy, rows.payment_of)

    # Refunds

    async def add_refund(self, refund: Refund) -> RefundPlaced:
        owner = {"merchant_id": refund.merchant_id, "payment_id": refund.payment_id, "amount_fen": refund.amount_fen}
        steps = (
            Step("add_refund", rows.new_refund(refund), must_touch=1),
            Step("reserve", owner, must_touch=1),
        )
        witness = Step("refund_by_id", {"merchant_id": refund.merchant_id, "refund_id": refund.refund_id})
        outcome = await self._engine.write(Write(Lane.OTHER, (refund.merchant_id, refund.payment_id), steps, witness))
        if outcome.missed is None:
            return RefundPlaced.STORED
        return RefundPlaced.NO_ROOM if outcome.missed else RefundPlaced.NUMBER_TAKEN

    async def move_refund(self, before: Refund, change: RefundChange, notice: Notice | None = None) -> bool:
        _check_owner(f"refund {before.refund_id}", before, (*change.postings, *((notice,) if notice else ())))
        owner: rows.Values = {"merchant_id": before.merchant_id, "payment_id": before.payment_id}
        steps = [Step("move_refund", rows.moved_refund(before, change.after), must_touch=1)]
        if change.released_fen or change.refunded_fen or change.returned_fen:
            sums = {
                "released_fen": change.released_fen,
                "refunded_fen": change.refunded_fen,
                "returned_fen": change.returned_fen,
            }
            steps.append(Step("settle_reserved", owner | sums, must_touch=1))
        steps += [Step("post", rows.posting_values(posting)) for posting in change.postings]
        if notice:
            steps.append(Step("add_notice", rows.new_notice(notice)))
        write = Write(Lane.OTHER, (before.merchant_id, before.payment_id), tuple(steps))
        return (await self._engine.write(write)).missed is None

    async def refund(self, merchant_id: str, ref: RefundRef) -> Refund | None:
        if ref.refund_no:
            values = {"merchant_id": merchant_id, "refund_no": ref.refund_no}
            return await self._one("refund_by_no", values, rows.refund_of)
        values = {"merchant_id": merchant_id, "refund_id": ref.refund_id}
        return await self._one("refund_by_id", values, rows.refund_of)

    async def refunds_of(self, merchant_id: str, payment_id: str) -> Sequence[Refund]:
        found = await self._engine.read("refunds_of", {"merchant_id": merchant_id, "payment_id": payment_id})
        return [rows.refund_of(row) for row in found]

    async def claim_refunds(
        self, now_ms: int, lease_ms: int, limit: int, busy: Collection[str] = ()
    ) -> Sequence[Refund]:
        return await self._claim("claim_refunds", now_ms, lease_ms, limit, busy, rows.refund_of)

    # Notices

    async def notices_of(self, merchant_id: str, payment_id: str) -> Sequence[Notice]:
        found = await self._engine.read("notices_of", {"merchant_id": merchant_id, "payment_id": payment_id})
        return [rows.notice_of(row) for row in found]

    async def exhausted_notices(self, limit: int) -> Sequence[Notice]:
        return [rows.notice_of(row) for row in await self._engine.read("exhausted_notices", {"most": limit})]

    async def move_notice(self, before: Notice, after: Notice) -> bool:
        step = Step("move_notice", rows.moved_notice(before, after), must_touch=1)
        key = (before.merchant_id, before.payment_id, before.notice_id)
        return await self._done(Write(Lane.MOVE_NOTICE, key, (step,)))

    async def claim_notices(
        self, now_ms: int, lease_ms: int, limit: int, busy: Collection[str] = ()
    ) -> Sequence[Notice]:
        return await self._claim("claim_notices", now_ms, lease_ms, limit, busy, rows.notice_of)

    async def next_due_ms(self, kind: DueKind, busy: Collection[str] = ()) -> int | None:
        found = await self._engine.read(f"next_{kind}_due", _busy(busy))
        return int(found[0][0]) if found else None

    # Nodes

    async def take_node(self, now_ms: int, until_ms: int) -> int:
        for _ in range(_MOST_ROUNDS):
            for step in (
                Step("take_free_node", {"now_ms": now_ms, "until_ms": until_ms}),
                Step("add_node", {"until_ms": until_ms}),
            ):
                outcome = await self._engine.write(Write(Lane.OTHER, (), (step,)))
                if outcome.rows:
                    return int(outcome.rows[0][0])
        raise StoreUnavailable("no node number can be had")

    async def keep_node(self, node: int, held_until_ms: int, until_ms: int) -> bool:
        values = {"node": node, "held_until_ms": held_until_ms, "until_ms": until_ms}
        return await self._done(Write(Lane.OTHER, (), (Step("keep_node", values, must_touch=1),)))

    # The books

    async def postings_of(self, merchant_id: str, payment_id: str) -> Sequence[Posting]:
        found = await self._engine.read("postings_of", {"merchant_id": merchant_id, "payment_id": payment_id})
        return rows.postings_of(found)

    async def audit(self) -> Sequence[str]:
        # Each check is one statement, so it sees one moment; writes that go on beside it cannot make it lie.
        return [str(row[0]) for name in _AUDITS for row in await self._engine.study(name)]

    async def close(self) -> None:
        await self._engine.close()

    async def _done(self, write: Write) -> bool:
        """True if the write was made, False if the guard of its first step said no."""
        outcome = await self._engine.write(write)
        assert not outcome.missed, f"{write.steps[outcome.missed].name} of {write.key} found no row"
        return outcome.missed is None

    async def _claim(
        self,
        name: str,
        now_ms: int,
        lease_ms: int,
        most: int,
        busy: Collection[str],
        decode: Callable[[Row], T],
    ) -> list[T]:
        if lease_ms <= 0:
            raise ValueError("a lease must last")
        values = {"now_ms": now_ms, "due_again_at_ms": now_ms + lease_ms, "most": most, **_busy(busy)}
        outcome = await self._engine.write(Write(Lane.OTHER, (), (Step(name, values),)))
        return [record for row in outcome.rows if (record := self._readable(name, row, decode)) is not None]

    def _readable(self, name: str, row: Row, decode: Callable[[Row], T]) -> T | None:
        """The record of a claimed row. One that cannot be read must not keep the others from being worked at."""
        try:
            return decode(row)
        except Exception as fault:  # noqa: BLE001 - whatever stands in it
            if self._watch is not None:
                self._watch.fault(name, fault, merchant_id=str(row[0]), row_id=str(row[1]))
            return None


def _check_owner(what: str, owner: Payment | Refund, parts: Sequence[Posting | Notice]) -> None:
    for part in parts:
        if (part.merchant_id, part.payment_id) != (owner.merchant_id, owner.payment_id):
            raise ValueError(f"{what} cannot be moved with what belongs to another")


def _busy(receivers: Collection[str]) -> Mapping[str, object]:
    return {"busy": rows.json_text(sorted(receivers))}
