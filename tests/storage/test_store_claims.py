"""Claiming what is due: past places that are busy, past rows that cannot be read, and across versions."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from anytill.core.lifecycle import PaymentState, RefundState
from anytill.core.merchant import Merchant
from anytill.core.notice import Notice, NoticeState
from anytill.core.payment import Payment, Refund
from anytill.core.settle import RefundChange
from anytill.ports import DueKind, RefundPlaced, Store
from anytill.storage import SqlStore, open_store
from tests.storage.conftest import VAULT, Database
from tests.storage.samples import NOW, SHOP, a_notice, a_payment, a_refund, add_paid, done, failed, fetched
from tests.world import RecordingWatch

pytestmark = pytest.mark.anyio

LEASE = 30_000
LATE = NOW + 10_000


@pytest.fixture
def watch() -> RecordingWatch:
    return RecordingWatch()


@pytest.fixture
async def watched(database: Database, watch: RecordingWatch) -> AsyncIterator[SqlStore]:
    """A store that tells `watch` of what it cannot read."""
    opened = await open_store(database.url, vault=VAULT, group_commit=database.group_commit, watch=watch)
    watch.alarms.clear()  # the tests' server runs without fsync, and says so
    try:
        yield opened
    finally:
        await opened.close()


async def two_places(store: SqlStore) -> None:
    """A payment, a refund and a notice each at `slow`, and each at `quick`, which were due earlier at `slow`."""
    for number, place in enumerate(("slow", "quick"), 1):
        assert await store.add_payment(a_payment(number, channel=place, due_at_ms=NOW + number))
        paid = await add_paid(store, 10 + number, channel=place)
        assert await store.add_refund(a_refund(paid, number, due_at_ms=NOW + number)) is RefundPlaced.STORED
        paid = await fetched(store, paid)
        assert await store.move_payment(paid, paid, notice=a_notice(paid, receiver=place, due_at_ms=NOW + number))


async def claim(store: Store, kind: DueKind, busy: tuple[str, ...], limit: int = 10) -> list[str]:
    """Where what was claimed is at."""
    if kind is DueKind.NOTICE:
        return [notice.receiver for notice in await store.claim_notices(LATE, LEASE, limit, busy)]
    claimed = store.claim_payments if kind is DueKind.PAYMENT else store.claim_refunds
    return [each.channel for each in await claimed(LATE, LEASE, limit, busy)]


@pytest.mark.parametrize("kind", DueKind)
async def test_what_is_due_at_a_busy_place_is_left_for_later(store: SqlStore, kind: DueKind) -> None:
    await two_places(store)
    assert await store.next_due_ms(kind) == NOW + 1
    assert await store.next_due_ms(kind, ["slow"]) == NOW + 2
    assert await store.next_due_ms(kind, ["quick", "slow"]) is None
    assert await claim(store, kind, ("quick", "slow")) == []
    assert await claim(store, kind, ("slow", "elsewhere", 'a "quoted" place'), limit=1) == ["quick"]
    assert await claim(store, kind, ("slow",)) == []
    assert await claim(store, kind, ()) == ["slow"]


@pytest.mark.parametrize("about", ["{}", "no JSON", "[]"])
async def test_a_row_that_cannot_be_read_leaves_the_others_of_its_claim(
    database: Database, watched: SqlStore, watch: RecordingWatch, about: str
) -> None:
    payments = [a_payment(number) for number in range(5)]
    for payment in payments:
        assert await watched.add_payment(payment)
    spoilt = payments[2]
    await database.meddle(
        f"UPDATE payment SET about = '{about}' WHERE payment_id = '{spoilt.payment_id}'"  # noqa: S608 - no stranger's
    )
    claimed = await watched.claim_payments(LATE, LEASE, 10)
    assert sorted(payment.order_no for payment in claimed) == ["T0", "T1", "T3", "T4"]
    ((event, told),) = watch.alarms
    assert (event, told["where"]) == ("bug", "claim_payments")
    assert (told["merchant_id"], told["row_id"]) == (SHOP, spoilt.payment_id)
    # It was claimed too: it does not come up again before its lease is over.
    assert await watched.next_due_ms(DueKind.PAYMENT) == LATE + LEASE
    assert await watched.claim_payments(LATE, LEASE, 10) == []


async def test_refunds_and_notices_that_cannot_be_read_leave_the_others_too(
    database: Database, watched: SqlStore, watch: RecordingWatch
) -> None:
    payment = await add_paid(watched)
    for number in (1, 2):
        assert await watched.add_refund(a_refund(payment, number)) is RefundPlaced.STORED
        now = await fetched(watched, payment)
        assert await watched.move_payment(now, now, notice=a_notice(payment, number))
    await database.meddle(
        "UPDATE refund SET about = '{}' WHERE refund_no = 'R1'",
        "UPDATE notice SET about = '{}' WHERE notice_id LIKE '%1'",
    )
    (refund,) = await watched.claim_refunds(LATE, LEASE, 10)
    (notice,) = await watched.claim_notices(LATE, LEASE, 10)
    assert (refund.refund_no, notice.notice_id[-1]) == ("R2", "2")
    assert [fields["where"] for _, fields in watch.alarms] == ["claim_refunds", "claim_notices"]


async def test_what_a_newer_version_wrote_into_a_row_is_passed_over(database: Database, store: SqlStore) -> None:
    payment = await add_paid(store)
    refund, notice = a_refund(payment), a_notice(payment)
    assert await store.move_payment(payment, payment, notice=notice)
    assert await store.add_refund(refund) is RefundPlaced.STORED
    await store.put_merchant(Merchant(SHOP, "shop"))
    for table in ("payment", "refund", "notice", "merchant"):
        # Every record's JSON is an object with something in it.
        await database.meddle(f"""UPDATE {table} SET about = '{{"unheard_of":{{"a":1}},' || substr(about, 2)""")  # noqa: S608
    read = await fetched(store, payment)
    assert read == replace(payment, version=read.version, reserved_fen=refund.amount_fen)
    assert await store.refunds_of(SHOP, payment.payment_id) == [refund]
    assert await store.notices_of(SHOP, payment.payment_id) == [notice]
    assert await store.merchant(SHOP) == Merchant(SHOP, "shop")


# A refund that was done after it had been given up


def revived(payment: Payment, refund: Refund) -> RefundChange:
    """It was refused, its share let go, and it is done all the same."""
    return replace(done(payment, refund), released_fen=-refund.amount_fen)


async def a_failed_refund(store: SqlStore, amount_fen: int) -> tuple[Payment, Refund]:
    payment = await add_paid(store)
    refund = a_refund(payment, 1, amount_fen)
    assert await store.add_refund(refund) is RefundPlaced.STORED
    assert await store.move_refund(refund, failed(refund))
    stored = (await store.refunds_of(SHOP, payment.payment_id))[0]
    assert stored.state is RefundState.FAILED
    return payment, stored


@pytest.mark.parametrize("meanwhile_fen", [0, 400])
async def test_a_refund_that_was_done_after_all_takes_its_share_again(store: SqlStore, meanwhile_fen: int) -> None:
    payment, refund = await a_failed_refund(store, 600)
    if meanwhile_fen:
        assert await store.add_refund(a_refund(payment, 2, meanwhile_fen)) is RefundPlaced.STORED
    assert await store.move_refund(refund, revived(payment, refund))
    now = await fetched(store, payment)
    assert (now.reserved_fen, now.refunded_fen) == (600 + meanwhile_fen, 600)
    assert len(await store.postings_of(SHOP, payment.payment_id)) == 2


async def test_a_refund_whose_share_was_given_to_another_is_not_booked(store: SqlStore) -> None:
    payment, refund = await a_failed_refund(store, 600)
    assert await store.add_refund(a_refund(payment, 2, 401)) is RefundPlaced.STORED
    assert not await store.move_refund(refund, revived(payment, refund))
    assert (await store.refunds_of(SHOP, payment.payment_id))[0] == refund, "neither the refund nor the sums moved"
    assert (await fetched(store, payment)).reserved_fen == 401
    assert len(await store.postings_of(SHOP, payment.payment_id)) == 1


async def test_a_refund_of_a_payment_that_is_being_taken_back_is_not_booked(store: SqlStore) -> None:
    payment, refund = await a_failed_refund(store, 600)
    now = await fetched(store, payment)
    assert await store.move_payment(now, replace(now, state=PaymentState.REVERSING, due_at_ms=NOW))
    assert not await store.move_refund(refund, revived(payment, refund))
    assert (await store.refunds_of(SHOP, payment.payment_id))[0] == refund


# What waits for a person


async def test_parked_payments_of_all_merchants_come_oldest_first(store: SqlStore) -> None:
    parked = []
    for number, shop in ((1, "another"), (2, SHOP), (3, SHOP)):
        payment = a_payment(number, merchant_id=shop, created_at_ms=NOW - number)
        assert await store.add_payment(payment)
        after = replace(payment, state=PaymentState.PARKED, due_at_ms=None)
        assert await store.move_payment(payment, after)
        parked.append(replace(after, version=1))
    assert await store.add_payment(a_payment(4))
    await add_paid(store, 5)
    assert await store.parked_payments(10) == parked[::-1]
    assert await store.parked_payments(2) == parked[:0:-1]


async def test_notices_that_nobody_heard_come_oldest_first(store: SqlStore) -> None:
    exhausted: list[Notice] = []
    for number, shop in ((1, "another"), (2, SHOP), (3, SHOP)):
        payment = a_payment(number, merchant_id=shop)
        assert await store.add_payment(payment)
        notice = a_notice(payment, number, created_at_ms=NOW - number)
        assert await store.move_payment(payment, payment, notice=notice)
        after = replace(notice, state=NoticeState.EXHAUSTED, tries=6, due_at_ms=None)
        assert await store.move_notice(notice, after)
        exhausted.append(replace(after, version=1))
    for number, state in ((4, NoticeState.DELIVERED), (5, NoticeState.WITHDRAWN), (6, NoticeState.PENDING)):
        payment = a_payment(number)
        assert await store.add_payment(payment)
        notice = a_notice(payment, number)
        assert await store.move_payment(payment, payment, notice=notice)
        assert await store.move_notice(notice, replace(notice, state=state))
    assert await store.exhausted_notices(10) == exhausted[::-1]
    assert await store.exhausted_notices(2) == exhausted[:0:-1]
