"""What ports.Store promises, on both databases, with writes grouped and one by one."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from anytill.core import ledger
from anytill.core.ledger import PostingKind
from anytill.core.lifecycle import PaymentState, RefundState
from anytill.core.merchant import Credential, Merchant, MerchantState
from anytill.core.notice import NoticeState
from anytill.core.payment import Method, PaymentRef, RefundRef
from anytill.core.secret import Secret
from anytill.core.settle import RefundChange
from anytill.core.takings import Takings
from anytill.core.wallet import Wallet
from anytill.ports import DueKind, RefundPlaced, Store, StoreUnavailable
from anytill.storage import SqlStore
from anytill.storage.writes import Rejected
from tests.storage.conftest import Database
from tests.storage.samples import (
    NOW,
    SHOP,
    Story,
    a_notice,
    a_payment,
    a_refund,
    add_paid,
    bounced,
    by_id,
    done,
    failed,
    fetched,
    paid,
    stories,
)

pytestmark = pytest.mark.anyio

LEASE = 30_000
_numbers = itertools.count(1_000)


async def test_the_store_has_the_shape_of_the_port(store: SqlStore) -> None:
    port: Store = store
    assert port is store


# Payments


async def test_a_payment_is_found_by_either_number_and_the_merchants_own_wins(store: SqlStore) -> None:
    first, second = a_payment(1), a_payment(2)
    assert await store.add_payment(first)
    assert await store.add_payment(second)
    assert await store.payment(SHOP, PaymentRef(order_no="T1")) == first
    assert await store.payment(SHOP, by_id(second)) == second
    assert await store.payment(SHOP, PaymentRef("T1", second.payment_id)) == first
    assert await store.payment(SHOP, PaymentRef(order_no="T3")) is None
    assert await store.payment(SHOP, PaymentRef(payment_id="T1")) is None


async def test_a_merchant_sees_only_its_own(store: SqlStore) -> None:
    assert await store.add_payment(a_payment(1))
    assert await store.payment("another", PaymentRef(order_no="T1")) is None
    assert await store.payment_of_code("another", "code 1") is None
    # The same numbers and the same code mean nothing to another merchant.
    assert await store.add_payment(a_payment(1, merchant_id="another"))


async def test_an_order_number_is_taken_once(store: SqlStore) -> None:
    first = a_payment(1)
    assert await store.add_payment(first)
    assert not await store.add_payment(a_payment(2, order_no="T1", amount_fen=5))
    assert not await store.add_payment(first)
    assert await fetched(store, first) == first


async def test_a_payers_code_is_held_by_one_payment(store: SqlStore) -> None:
    first = a_payment(1)
    assert await store.add_payment(first)
    assert not await store.add_payment(a_payment(2, code_digest="code 1"))
    assert await store.payment_of_code(SHOP, "code 1") == first
    assert await store.payment_of_code(SHOP, "code 2") is None
    ended = replace(first, state=PaymentState.FAILED, code_digest=None, due_at_ms=None)
    assert await store.move_payment(first, ended)
    assert await store.payment_of_code(SHOP, "code 1") is None
    assert await store.add_payment(a_payment(2, code_digest="code 1"))


async def test_payments_without_a_code_do_not_collide(store: SqlStore) -> None:
    assert await store.add_payment(a_payment(1, code_digest=None))
    assert await store.add_payment(a_payment(2, code_digest=None))


async def test_a_new_payment_has_no_history(store: SqlStore) -> None:
    for changes in ({"version": 1}, {"paid_fen": 1}, {"reserved_fen": 1}, {"parked_fen": 1}):
        with pytest.raises(ValueError, match="not new"):
            await store.add_payment(a_payment(1, **changes))


async def test_a_move_writes_record_postings_and_notice_together(store: SqlStore) -> None:
    payment = a_payment(1)
    assert await store.add_payment(payment)
    after, sale = paid(payment)
    notice = a_notice(payment)
    assert await store.move_payment(payment, after, [sale], notice)
    assert await fetched(store, payment) == replace(after, version=1)
    assert await store.postings_of(SHOP, payment.payment_id) == [sale]
    assert await store.notices_of(SHOP, payment.payment_id) == [notice]


async def test_a_stale_move_writes_nothing_at_all(store: SqlStore) -> None:
    payment = a_payment(1)
    assert await store.add_payment(payment)
    assert await store.move_payment(payment, replace(payment, state=PaymentState.WAITING))
    after, sale = paid(payment)
    assert not await store.move_payment(payment, after, [sale], a_notice(payment))
    assert (await fetched(store, payment)).state is PaymentState.WAITING
    assert await store.postings_of(SHOP, payment.payment_id) == []
    assert await store.notices_of(SHOP, payment.payment_id) == []


async def test_a_move_with_two_postings(store: SqlStore) -> None:
    payment = a_payment(1)
    assert await store.add_payment(payment)
    after = replace(
        payment, state=PaymentState.CANCELLED, paid_fen=1_000, reversed_fen=1_000, code_digest=None, due_at_ms=None
    )
    postings = [ledger.sale(after, NOW), ledger.reversal(after, NOW)]
    assert await store.move_payment(payment, after, postings)
    assert await store.postings_of(SHOP, payment.payment_id) == postings


async def test_postings_come_oldest_first(store: SqlStore) -> None:
    payment = await add_paid(store)
    gone = replace(payment, state=PaymentState.CANCELLED, reversed_fen=1_000, due_at_ms=None)
    assert await store.move_payment(payment, gone, [ledger.reversal(gone, NOW)])
    kinds = [posting.kind for posting in await store.postings_of(SHOP, payment.payment_id)]
    assert kinds == [PostingKind.SALE, PostingKind.REVERSAL]


async def test_a_movement_is_booked_once(store: SqlStore) -> None:
    payment = await add_paid(store)
    with pytest.raises(Rejected):
        await store.move_payment(payment, replace(payment, attach="again"), [ledger.sale(payment, NOW)])
    assert await fetched(store, payment) == payment
    assert len(await store.postings_of(SHOP, payment.payment_id)) == 1


async def test_a_move_cannot_make_another_payment_of_it(store: SqlStore) -> None:
    payment = await add_paid(store)
    for changes in ({"amount_fen": 1}, {"order_no": "X"}, {"channel": "x"}, {"reserved_fen": 1}):
        with pytest.raises(ValueError, match="cannot change"):
            await store.move_payment(payment, replace(payment, **changes))
    other = a_payment(2)
    with pytest.raises(ValueError, match="belongs to another"):
        await store.move_payment(payment, payment, [paid(other)[1]])
    with pytest.raises(ValueError, match="belongs to another"):
        await store.move_payment(payment, payment, notice=a_notice(other))


@pytest.mark.parametrize(
    "changes",
    [
        {"state": PaymentState.PAID},
        {"state": PaymentState.PAID, "paid_fen": 999},
        {"state": PaymentState.PAID, "paid_fen": 1_001, "coupon_fen": -1},
        {"state": PaymentState.WAITING, "paid_fen": 1_000},
        {"state": PaymentState.REVERSING, "paid_fen": 1_000, "reversed_fen": 1},
        {"state": PaymentState.CANCELLED, "paid_fen": 1_000},
        {"state": PaymentState.CANCELLED, "parked_fen": 1},
        {"parked_fen": -1},
    ],
)
async def test_the_tables_rules_refuse_what_the_books_forbid(store: SqlStore, changes: dict[str, Any]) -> None:
    payment = a_payment(1)
    assert await store.add_payment(payment)
    with pytest.raises(Rejected):
        await store.move_payment(payment, replace(payment, **changes))
    assert await fetched(store, payment) == payment


async def test_an_amount_is_more_than_nothing(store: SqlStore) -> None:
    with pytest.raises(Rejected):
        await store.add_payment(a_payment(1, amount_fen=0))


async def test_a_text_that_is_no_text_is_rejected(store: SqlStore) -> None:
    for changes in ({"order_no": "\ud800"}, {"subject": "\ud800"}):
        with pytest.raises(Rejected):
            await store.add_payment(a_payment(1, **changes))
    assert await store.add_payment(a_payment(1))


# Refunds


async def test_a_refund_reserves_its_amount(store: SqlStore) -> None:
    payment = await add_paid(store)
    refund = a_refund(payment)
    assert await store.add_refund(refund) is RefundPlaced.STORED
    assert await store.refund(SHOP, RefundRef(refund_no="R1")) == refund
    assert await store.refund(SHOP, RefundRef(refund_id=refund.refund_id)) == refund
    assert await store.refund(SHOP, RefundRef(refund_no="R2")) is None
    assert await store.refund("another", RefundRef(refund_no="R1")) is None
    now = await fetched(store, payment)
    assert (now.reserved_fen, now.version) == (100, payment.version + 1)


async def test_a_refund_number_is_taken_once_even_when_nothing_is_left(store: SqlStore) -> None:
    payment = await add_paid(store)
    assert await store.add_refund(a_refund(payment, 1, 1_000)) is RefundPlaced.STORED
    assert await store.add_refund(a_refund(payment, 2, 1_000, refund_no="R1")) is RefundPlaced.NUMBER_TAKEN
    assert (await fetched(store, payment)).reserved_fen == 1_000
    assert len(await store.refunds_of(SHOP, payment.payment_id)) == 1


async def test_no_more_is_refunded_than_was_paid(store: SqlStore) -> None:
    payment = await add_paid(store)
    assert await store.add_refund(a_refund(payment, 1, 900)) is RefundPlaced.STORED
    assert await store.add_refund(a_refund(payment, 2, 101)) is RefundPlaced.NO_ROOM
    assert await store.refund(SHOP, RefundRef(refund_no="R2")) is None
    assert await store.add_refund(a_refund(payment, 2, 100)) is RefundPlaced.STORED


async def test_only_a_paid_payment_is_refunded(store: SqlStore) -> None:
    payment = a_payment(1)
    assert await store.add_payment(payment)
    assert await store.add_refund(a_refund(payment, 1, 1)) is RefundPlaced.NO_ROOM
    paid_one = await add_paid(store, 2)
    undoing = replace(paid_one, state=PaymentState.REVERSING, due_at_ms=NOW)
    assert await store.move_payment(paid_one, undoing)
    assert await store.add_refund(a_refund(paid_one, 1, 1)) is RefundPlaced.NO_ROOM


async def test_a_refund_overtakes_a_cancel_that_was_decided_before_it(store: SqlStore) -> None:
    payment = await add_paid(store)
    assert await store.add_refund(a_refund(payment)) is RefundPlaced.STORED
    assert not await store.move_payment(payment, replace(payment, state=PaymentState.REVERSING))


@pytest.mark.parametrize(
    ("end", "sums"),
    [("done", (100, 100, 0)), ("bounced", (100, 0, 100)), ("failed", (0, 0, 0))],
)
async def test_the_end_of_a_refund_settles_the_payments_sums(
    store: SqlStore, end: str, sums: tuple[int, int, int]
) -> None:
    payment = await add_paid(store)
    refund = a_refund(payment)
    assert await store.add_refund(refund) is RefundPlaced.STORED
    change = {"done": done(payment, refund), "bounced": bounced(payment, refund), "failed": failed(refund)}[end]
    assert await store.move_refund(refund, change)
    assert await store.refund(SHOP, refund.ref) == replace(change.after, version=1)
    now = await fetched(store, payment)
    assert (now.reserved_fen, now.refunded_fen, now.returned_fen) == sums
    assert tuple(await store.postings_of(SHOP, payment.payment_id))[1:] == change.postings
    # The same word once more is stale: nothing moves twice.
    assert not await store.move_refund(refund, change)
    assert await fetched(store, payment) == now


async def test_the_end_of_a_refund_and_its_notice_are_written_together(store: SqlStore) -> None:
    payment = await add_paid(store)
    refund = a_refund(payment)
    assert await store.add_refund(refund) is RefundPlaced.STORED
    notice = a_notice(payment, refund_id=refund.refund_id)
    assert await store.move_refund(refund, done(payment, refund), notice)
    assert (await store.refunds_of(SHOP, payment.payment_id))[0].state is RefundState.DONE
    assert await store.notices_of(SHOP, payment.payment_id) == [notice]
    assert await store.claim_notices(NOW, LEASE, 10) == [replace(notice, due_at_ms=NOW + LEASE, version=1)]


async def test_a_stale_end_of_a_refund_tells_nobody(store: SqlStore) -> None:
    payment = await add_paid(store)
    refund = a_refund(payment)
    assert await store.add_refund(refund) is RefundPlaced.STORED
    assert await store.move_refund(refund, failed(refund))
    assert not await store.move_refund(refund, done(payment, refund), a_notice(payment))
    assert await store.notices_of(SHOP, payment.payment_id) == []


async def test_a_notice_that_cannot_be_written_leaves_its_refund_as_it_was(store: SqlStore) -> None:
    payment = await add_paid(store)
    refund, notice = a_refund(payment), a_notice(payment)
    assert await store.move_payment(payment, payment, notice=notice)
    assert await store.add_refund(refund) is RefundPlaced.STORED
    before = await fetched(store, payment)
    with pytest.raises(Rejected):
        await store.move_refund(refund, done(payment, refund), replace(notice, refund_id=refund.refund_id))
    assert await store.refunds_of(SHOP, payment.payment_id) == [refund]
    assert await store.notices_of(SHOP, payment.payment_id) == [notice]
    assert len(await store.postings_of(SHOP, payment.payment_id)) == 1
    assert await fetched(store, payment) == before


async def test_a_refund_that_only_goes_on_leaves_the_payment_alone(store: SqlStore) -> None:
    payment = await add_paid(store)
    refund = a_refund(payment)
    assert await store.add_refund(refund) is RefundPlaced.STORED
    before = await fetched(store, payment)
    assert await store.move_refund(refund, RefundChange(replace(refund, state=RefundState.PROCESSING)))
    assert await fetched(store, payment) == before


async def test_more_cannot_be_released_than_was_reserved(store: SqlStore) -> None:
    payment = await add_paid(store)
    refund = a_refund(payment)
    assert await store.add_refund(refund) is RefundPlaced.STORED
    with pytest.raises(Rejected):
        await store.move_refund(refund, replace(failed(refund), released_fen=101))
    assert await store.refund(SHOP, refund.ref) == refund


async def test_a_refund_has_a_payment(store: SqlStore) -> None:
    with pytest.raises(Rejected):
        await store.add_refund(a_refund(a_payment(9)))


async def test_a_move_cannot_make_another_refund_of_it(store: SqlStore) -> None:
    payment = await add_paid(store)
    refund = a_refund(payment)
    assert await store.add_refund(refund) is RefundPlaced.STORED
    with pytest.raises(ValueError, match="cannot change amount_fen"):
        await store.move_refund(refund, RefundChange(replace(refund, amount_fen=1)))
    with pytest.raises(ValueError, match="belongs to another"):
        await store.move_refund(refund, replace(done(payment, refund), postings=(paid(a_payment(7))[1],)))
    with pytest.raises(ValueError, match="belongs to another"):
        await store.move_refund(refund, done(payment, refund), a_notice(a_payment(7)))
    with pytest.raises(ValueError, match="not new"):
        await store.add_refund(a_refund(payment, 2, version=1))


async def test_refunds_come_oldest_first(store: SqlStore) -> None:
    payment = await add_paid(store)
    placed = [a_refund(payment, number, created_at_ms=NOW - number) for number in (1, 2, 3)]
    for refund in placed:
        assert await store.add_refund(refund) is RefundPlaced.STORED
    assert await store.refunds_of(SHOP, payment.payment_id) == placed[::-1]
    assert await store.refunds_of("another", payment.payment_id) == []


# Notices


async def test_a_notice_moves_once_from_each_version(store: SqlStore) -> None:
    payment = a_payment(1)
    assert await store.add_payment(payment)
    first, second = a_notice(payment, 1), a_notice(payment, 2, created_at_ms=NOW - 1)
    assert await store.move_payment(payment, payment, notice=first)
    assert await store.move_payment(await fetched(store, payment), payment, notice=second)
    assert await store.notices_of(SHOP, payment.payment_id) == [second, first]
    tried = replace(first, state=NoticeState.DELIVERED, tries=1, last_result="HTTP 200", due_at_ms=None)
    assert await store.move_notice(first, tried)
    assert not await store.move_notice(first, replace(first, tries=2))
    assert await store.notices_of(SHOP, payment.payment_id) == [second, replace(tried, version=1)]
    for name, another in (("facts", replace(second, facts={})), ("refund_id", replace(second, refund_id="1"))):
        with pytest.raises(ValueError, match=f"cannot change {name}"):
            await store.move_notice(second, another)


async def test_notices_that_move_at_one_moment_each_hear_their_own_fate(store: SqlStore) -> None:
    notices = []
    for number in range(12):
        payment = a_payment(number)
        assert await store.add_payment(payment)
        notices.append(a_notice(payment, number))
        assert await store.move_payment(payment, payment, notice=notices[-1])
    await store.move_notice(notices[3], replace(notices[3], last_result="somebody was faster"))
    told = [replace(notice, state=NoticeState.DELIVERED, tries=1, due_at_ms=None) for notice in notices]
    moves = [store.move_notice(before, after) for before, after in zip(notices, told, strict=True)]
    assert await asyncio.gather(*moves) == [number != 3 for number in range(12)]
    for number, after in enumerate(told):
        [kept] = await store.notices_of(SHOP, after.payment_id)
        assert kept.version == 1
        assert (kept.state is NoticeState.DELIVERED) is (number != 3)


# Due work


async def test_what_is_due_is_claimed_once_and_again_after_the_lease(store: SqlStore) -> None:
    payment = a_payment(1)
    assert await store.add_payment(payment)
    assert await store.claim_payments(NOW + 4_999, LEASE, 10) == []
    claimed = replace(payment, due_at_ms=NOW + 5_000 + LEASE, version=1)
    assert await store.claim_payments(NOW + 5_000, LEASE, 10) == [claimed]
    assert await store.claim_payments(NOW + 5_000 + LEASE - 1, LEASE, 10) == []
    # The first claimer has slept through its lease: the second has the row, and the first can write nothing.
    [again] = await store.claim_payments(NOW + 5_000 + LEASE, LEASE, 10)
    assert again.version == 2
    assert not await store.move_payment(claimed, replace(claimed, state=PaymentState.FAILED, code_digest=None))
    assert await store.move_payment(again, replace(again, due_at_ms=None))
    assert await store.claim_payments(NOW + 10 * LEASE, LEASE, 10) == []


async def test_refunds_and_notices_are_claimed_alike(store: SqlStore) -> None:
    payment = await add_paid(store)
    refund, notice = a_refund(payment), a_notice(payment)
    assert await store.move_payment(payment, payment, notice=notice)
    assert await store.add_refund(refund) is RefundPlaced.STORED
    late = NOW + 6_000
    assert await store.claim_refunds(late, LEASE, 10) == [replace(refund, due_at_ms=late + LEASE, version=1)]
    assert await store.claim_refunds(late, LEASE, 10) == []
    assert len(await store.claim_refunds(late + LEASE, LEASE, 10)) == 1
    assert not await store.move_refund(refund, failed(refund))
    assert await store.claim_notices(late, LEASE, 10) == [replace(notice, due_at_ms=late + LEASE, version=1)]
    assert await store.claim_notices(late, LEASE, 10) == []
    assert len(await store.claim_notices(late + LEASE, LEASE, 10)) == 1
    assert not await store.move_notice(notice, notice)


async def test_the_longest_due_are_claimed_first_and_no_more_than_asked_for(store: SqlStore) -> None:
    for number in range(10):
        assert await store.add_payment(a_payment(number, due_at_ms=NOW - number))
    first = await store.claim_payments(NOW, LEASE, 4)
    assert sorted(payment.order_no for payment in first) == ["T6", "T7", "T8", "T9"]
    rest = await store.claim_payments(NOW, LEASE, 100)
    assert sorted(payment.order_no for payment in rest) == ["T0", "T1", "T2", "T3", "T4", "T5"]
    with pytest.raises(ValueError, match="lease"):
        await store.claim_payments(NOW, 0, 1)


async def test_the_earliest_due_time_of_each_kind(store: SqlStore) -> None:
    payment = await add_paid(store)
    assert [await store.next_due_ms(kind) for kind in DueKind] == [None, None, None]
    for number, due_at_ms in ((2, NOW + 2), (3, NOW + 3), (4, None)):
        assert await store.add_payment(a_payment(number, due_at_ms=due_at_ms))
        assert await store.add_refund(a_refund(payment, number, due_at_ms=due_at_ms)) is RefundPlaced.STORED
    now = await fetched(store, payment)
    assert await store.move_payment(now, now, notice=a_notice(payment, due_at_ms=NOW + 1))
    assert await store.next_due_ms(DueKind.PAYMENT) == NOW + 2
    assert await store.next_due_ms(DueKind.REFUND) == NOW + 2
    assert await store.next_due_ms(DueKind.NOTICE) == NOW + 1
    await store.claim_payments(NOW + 2, LEASE, 1)
    assert await store.next_due_ms(DueKind.PAYMENT) == NOW + 3


# Merchants and credentials


async def test_merchants_are_written_and_replaced(store: SqlStore) -> None:
    merchant = Merchant("1001", "咖啡店", "咖", MerchantState.WAITING, 5_000, {"": "sandbox", Wallet.ALIPAY: "other"})
    assert await store.merchant("1001") is None
    await store.put_merchant(merchant)
    assert await store.merchant("1001") == merchant
    changed = replace(merchant, state=MerchantState.ON, channels={})
    await store.put_merchant(changed)
    assert await store.merchant("1001") == replace(changed, version=1)


async def test_credentials_are_written_and_replaced_with_their_merchants(store: SqlStore) -> None:
    agent = Credential("chaoying", "agent", Secret("s1"), {"7": "1001", "8": "1002"}, Secret("s0"), True, {"a": "b"})
    assert await store.credential("chaoying", "agent") is None
    await store.put_credential(agent)
    assert await store.credential("chaoying", "agent") == agent
    assert await store.credential("teegon", "agent") is None
    changed = Credential("chaoying", "agent", Secret("s2"), {"8": "1003"}, active=False)
    await store.put_credential(changed)
    assert await store.credential("chaoying", "agent") == replace(changed, merchants={"7": "1001", "8": "1003"})
    nobody = Credential("teegon", "x", Secret(""), {})
    await store.put_credential(nobody)
    assert await store.credential("teegon", "x") == nobody
    numberless = Credential("teegon", "y", Secret("s"), {"": "1001"})
    await store.put_credential(numberless)
    assert await store.credential("teegon", "y") == numberless


# The store's own life


async def test_what_was_written_is_there_after_a_restart(database: Database) -> None:
    store = await database.open()
    payment = await add_paid(store)
    assert await store.add_refund(a_refund(payment)) is RefundPlaced.STORED
    payment = await fetched(store, payment)
    await store.put_merchant(Merchant(SHOP, "shop"))
    await store.put_credential(Credential("teegon", "x", Secret("s"), {"": SHOP}))
    await store.close()

    store = await database.open()
    assert await fetched(store, payment) == payment
    assert await store.refunds_of(SHOP, payment.payment_id) == [a_refund(payment)]
    assert await store.merchant(SHOP) == Merchant(SHOP, "shop")
    assert (await store.credential("teegon", "x")) == Credential("teegon", "x", Secret("s"), {"": SHOP})
    await store.close()


async def test_a_closed_store_says_so(database: Database) -> None:
    store = await database.open()
    await store.close()
    await store.close()
    with pytest.raises(StoreUnavailable):
        await store.add_payment(a_payment(1))
    with pytest.raises(StoreUnavailable):
        await store.payment(SHOP, PaymentRef("T1"))


# Hypothesis gives the same store one story after another; a made-up merchant keeps them apart.
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(story=stories())
async def test_every_record_comes_back_as_it_went_in(store: SqlStore, story: Story) -> None:
    shop = f"shop {next(_numbers)}"
    payment = replace(story.payment, merchant_id=shop)
    assert await store.add_payment(payment)
    assert await fetched(store, payment) == payment

    after = replace(story.after, merchant_id=shop)
    postings = [replace(posting, merchant_id=shop) for posting in story.postings]
    notice = story.notice and replace(story.notice, merchant_id=shop)
    assert await store.move_payment(payment, after, postings, notice)
    assert await fetched(store, payment) == replace(after, version=1)
    assert await store.postings_of(shop, payment.payment_id) == postings
    assert await store.notices_of(shop, payment.payment_id) == ([notice] if notice else [])

    if story.refund:
        refund = replace(story.refund, merchant_id=shop)
        assert await store.add_refund(refund) is RefundPlaced.STORED
        assert await store.refund(shop, refund.ref) == refund


# Takings


async def test_a_till_is_told_what_it_took_and_gave_back_in_a_time(store: SqlStore) -> None:
    of_till: dict[str, Any] = {"dialect": "qfpay", "login": "10000001"}
    card: dict[str, Any] = {"method": Method.CARD, "wallet": Wallet.CARD}
    sales: list[dict[str, Any]] = [
        {},
        {"created_at_ms": NOW + 999},
        {**card, "details": {"channel": "amex_card"}},
        {**card, "details": {"channel": "card_payment"}},
        {"created_at_ms": NOW - 1},
        {"created_at_ms": NOW + 1_000},
        {"login": "10000002"},
        {"dialect": "qfpay/10000001", "login": ""},
        {"merchant_id": "another"},
    ]
    for number, changes in enumerate(sales, start=1):
        await add_paid(store, number, **{**of_till, **changes})
    assert await store.add_payment(a_payment(20, **of_till)), "not paid"
    cancelled = await add_paid(store, 21, **of_till)
    back = replace(cancelled, state=PaymentState.CANCELLED, reversed_fen=1_000, version=cancelled.version + 1)
    assert await store.move_payment(cancelled, back, [ledger.reversal(back, NOW)])
    # One today, of a payment of yesterday; one of today that is not done; one of tomorrow; one of another till.
    refunds: list[tuple[int, dict[str, Any]]] = [
        (5, {}),
        (1, {}),
        (1, {"created_at_ms": NOW + 1_000}),
        (7, {}),
        (3, {}),
        (3, {"amount_fen": 250}),
    ]
    for number, (of, changes) in enumerate(refunds, start=1):
        payment = await store.payment(SHOP, a_payment(of).ref)
        assert payment is not None
        refund = a_refund(payment, number, **changes)
        assert await store.add_refund(refund) is RefundPlaced.STORED
        if number != 2:
            assert await store.move_refund(refund, done(payment, refund))

    async def told(**changes: Any) -> list[Takings]:
        asked: dict[str, Any] = {"since_ms": NOW, "until_ms": NOW + 1_000, **of_till, **changes}
        return list(await store.takings(SHOP, **asked))

    barcode = Takings(Method.BARCODE, Wallet.WECHAT, "", 2, 2_000, 2_000, 1, 100)
    assert await told() == [barcode, Takings(Method.CARD, Wallet.CARD, "", 2, 2_000, 2_000, 2, 350)]
    assert await told(detail="channel") == [
        barcode,
        Takings(Method.CARD, Wallet.CARD, "amex_card", 1, 1_000, 1_000, 2, 350),
        Takings(Method.CARD, Wallet.CARD, "card_payment", 1, 1_000, 1_000),
    ]
    assert await told(until_ms=NOW) == []
    assert [each.payments for each in await told(login="10000002")] == [1]
    assert await told(login="10000003") == []


async def test_a_coupon_is_no_money_of_the_payer(store: SqlStore) -> None:
    payment = a_payment(dialect="qfpay", login="1")
    assert await store.add_payment(payment)
    after = replace(payment, state=PaymentState.PAID, paid_fen=900, coupon_fen=100, due_at_ms=None)
    assert await store.move_payment(payment, after, [ledger.sale(after, NOW)])
    (line,) = await store.takings(SHOP, "qfpay", "1", NOW, NOW + 1)
    assert (line.amount_fen, line.paid_fen) == (1_000, 900)
