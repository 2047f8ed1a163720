"""Many at once: what the guards promise when everybody asks at the same moment."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace

import pytest

from anytill.core import ledger
from anytill.core.lifecycle import PaymentState
from anytill.core.payment import PaymentRef
from anytill.ports import RefundPlaced
from anytill.storage import SqlStore
from anytill.storage.writes import Rejected
from tests.storage.conftest import Database
from tests.storage.samples import NOW, SHOP, a_notice, a_payment, a_refund, add_paid, done, fetched, paid

pytestmark = pytest.mark.anyio


async def test_of_a_hundred_identical_orders_one_is_written(store: SqlStore) -> None:
    written = await asyncio.gather(*(store.add_payment(a_payment(1)) for _ in range(100)))
    assert written.count(True) == 1
    written = await asyncio.gather(*(store.add_payment(a_payment(n, order_no="T1")) for n in range(2, 102)))
    assert written.count(True) == 0


async def test_of_a_hundred_orders_with_one_code_one_is_written(store: SqlStore) -> None:
    written = await asyncio.gather(*(store.add_payment(a_payment(n, code_digest="c")) for n in range(100)))
    assert written.count(True) == 1
    holder = await store.payment_of_code(SHOP, "c")
    assert holder is not None
    assert written[int(holder.order_no[1:])]


async def test_of_a_hundred_refunds_those_are_placed_that_fit(store: SqlStore) -> None:
    payment = await add_paid(store, amount_fen=50)
    placed = await asyncio.gather(*(store.add_refund(a_refund(payment, n, 1)) for n in range(100)))
    assert Counter(placed) == {RefundPlaced.STORED: 50, RefundPlaced.NO_ROOM: 50}
    assert (await fetched(store, payment)).reserved_fen == 50
    refunds = await store.refunds_of(SHOP, payment.payment_id)
    assert len(refunds) == 50
    # All of them are told "done" twice at the same moment; each is booked once, and the merchant told of it once.
    ends = [(r, done(payment, r), a_notice(payment, int(r.refund_id), refund_id=r.refund_id)) for r in refunds]
    moved = await asyncio.gather(*(store.move_refund(*end) for end in ends for _ in range(2)))
    assert moved.count(True) == 50
    assert (await fetched(store, payment)).refunded_fen == 50
    notices = await store.notices_of(SHOP, payment.payment_id)
    assert sorted(notice.refund_id for notice in notices) == [refund.refund_id for refund in refunds]


async def test_of_many_moves_from_one_version_one_is_made(store: SqlStore) -> None:
    payment = a_payment(1)
    assert await store.add_payment(payment)
    after, sale = paid(payment)
    failed = replace(payment, state=PaymentState.FAILED, code_digest=None)
    moved = await asyncio.gather(
        *(store.move_payment(payment, after, [sale], a_notice(payment, n)) for n in range(20)),
        *(store.move_payment(payment, failed) for _ in range(20)),
    )
    assert moved.count(True) == 1
    now = await fetched(store, payment)
    won = moved.index(True)
    assert now == replace(after if won < 20 else failed, version=1)
    assert len(await store.notices_of(SHOP, payment.payment_id)) == (1 if won < 20 else 0)


async def test_a_cancel_and_a_refund_exclude_each_other(store: SqlStore) -> None:
    payments = [await add_paid(store, number) for number in range(10)]
    outcomes = await asyncio.gather(
        *(store.move_payment(payment, replace(payment, state=PaymentState.REVERSING)) for payment in payments),
        *(store.add_refund(a_refund(payment, number)) for number, payment in enumerate(payments)),
    )
    for cancelled, refunded in zip(outcomes[:10], outcomes[10:], strict=True):
        assert cancelled is (refunded is not RefundPlaced.STORED)


async def test_a_due_row_goes_to_one_claimer(store: SqlStore) -> None:
    await asyncio.gather(*(store.add_payment(a_payment(number, due_at_ms=NOW)) for number in range(100)))
    claims = await asyncio.gather(*(store.claim_payments(NOW, 1_000, 7) for _ in range(30)))
    taken = [payment.order_no for claim in claims for payment in claim]
    assert max(len(claim) for claim in claims) <= 7
    assert len(taken) == len(set(taken))
    taken += [payment.order_no for payment in await store.claim_payments(NOW, 1_000, 100)]
    assert sorted(taken) == sorted(f"T{number}" for number in range(100))


async def test_a_faulty_write_does_not_harm_its_neighbours(store: SqlStore) -> None:
    payments = [a_payment(number) for number in range(40)]
    faulty = a_payment(50, amount_fen=-1)
    added = await asyncio.gather(*map(store.add_payment, [*payments, faulty]), return_exceptions=True)
    assert added[:40] == [True] * 40
    assert isinstance(added[40], Rejected)

    moves = [store.move_payment(payment, paid(payment)[0], [paid(payment)[1]]) for payment in payments[:39]]
    last = payments[39]
    wrong = store.move_payment(last, replace(paid(last)[0], paid_fen=999), [paid(last)[1]])
    moved = await asyncio.gather(*moves[:20], wrong, *moves[20:], return_exceptions=True)
    assert isinstance(moved.pop(20), Rejected)
    assert moved == [True] * 39
    assert await fetched(store, last) == last
    assert await store.postings_of(SHOP, last.payment_id) == []


async def test_a_movement_is_booked_once_among_many_writes(store: SqlStore) -> None:
    payments = [await add_paid(store, number) for number in range(10)]
    odd = payments[4]
    changed = [replace(payment, attach="x") for payment in payments]
    moved = await asyncio.gather(
        *(
            store.move_payment(before, after, [ledger.sale(before, NOW)] if before is odd else [])
            for before, after in zip(payments, changed, strict=True)
        ),
        return_exceptions=True,
    )
    assert isinstance(moved.pop(4), Rejected)
    assert moved == [True] * 9
    assert await fetched(store, odd) == odd


async def test_more_writes_than_a_batch_holds(store: SqlStore) -> None:
    payments = [a_payment(number, merchant_id=f"m{number % 7}") for number in range(500)]
    assert all(await asyncio.gather(*map(store.add_payment, payments)))
    moves = [store.move_payment(payment, paid(payment)[0], [paid(payment)[1]]) for payment in payments]
    assert all(await asyncio.gather(*moves))


async def test_a_caller_who_leaves_does_not_take_the_write_along(database: Database) -> None:
    store = await database.open()
    asked = [asyncio.create_task(store.add_payment(a_payment(number))) for number in range(10)]
    await asyncio.sleep(0)  # each has handed its write over
    for task in asked[:5]:
        task.cancel()
    assert await asyncio.gather(*asked[5:]) == [True] * 5
    await store.close()
    store = await database.open()
    for number in range(10):
        assert await store.payment(SHOP, PaymentRef(f"T{number}")) is not None
    await store.close()


async def test_closing_finishes_what_is_in_hand(database: Database) -> None:
    store = await database.open()
    asked = [asyncio.create_task(store.add_payment(a_payment(number))) for number in range(200)]
    await asyncio.sleep(0)
    await store.close()
    assert await asyncio.gather(*asked) == [True] * 200
