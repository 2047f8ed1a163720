"""The audit finds every disagreement that is planted, and words it so that a person finds the row."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from anytill.core.lifecycle import PaymentState
from anytill.ports import RefundPlaced
from anytill.storage import SqlStore
from tests.storage.conftest import Database
from tests.storage.samples import a_payment, a_refund, add_paid, bounced, done, fetched

pytestmark = pytest.mark.anyio

_LINE = "INSERT INTO ledger (merchant_id, payment_id, subject_id, kind, account, amount_fen, currency, at_ms) VALUES "
_PAYMENT = a_payment(1).payment_id
_REFUND = a_refund(a_payment(1), 1).refund_id


@pytest.fixture
async def books(database: Database) -> AsyncIterator[SqlStore]:
    """A shop with one payment of 10 yuan, of which 1 went back and 2 bounced, and one that is still waiting."""
    store = await database.open()
    payment = await add_paid(store, 1)
    for number, amount_fen, end in ((1, 100, done), (2, 200, bounced), (3, 300, None)):
        refund = a_refund(payment, number, amount_fen)
        assert await store.add_refund(refund) is RefundPlaced.STORED
        if end:
            assert await store.move_refund(refund, end(payment, refund))
    assert await store.add_payment(a_payment(2, state=PaymentState.WAITING))
    try:
        yield store
    finally:
        await store.close()


async def test_books_that_are_right_raise_nothing(books: SqlStore) -> None:
    assert await books.audit() == []
    now = await fetched(books, a_payment(1))
    assert (now.reserved_fen, now.refunded_fen, now.returned_fen) == (600, 100, 200)


@pytest.mark.parametrize(
    ("statement", "sentences"),
    [
        (
            f"{_LINE} ('1001', '{_PAYMENT}', '{_PAYMENT}', 'PARK', 'suspense', -5, 'CNY', 1)",
            [
                f"posting PARK of 1001/{_PAYMENT} has 1 lines that sum to -5 CNY",
                f"payment 1001/{_PAYMENT} should have suspense at 0, its ledger has -5",
            ],
        ),
        (
            (
                f"{_LINE} ('1001', 'gone', 'gone', 'SALE', 'merchant', -5, 'CNY', 1), "
                "('1001', 'gone', 'gone', 'SALE', 'channel:sandbox', 5, 'CNY', 1)"
            ),
            [
                "ledger line SALE/channel:sandbox of 1001/gone has no payment",
                "ledger line SALE/merchant of 1001/gone has no payment",
            ],
        ),
        (
            (
                f"{_LINE} ('1001', '{_PAYMENT}', 'x', 'PARK', 'channel:other', 5, 'CNY', 1), "
                f"('1001', '{_PAYMENT}', 'x', 'PARK', 'channel:another', -5, 'CNY', 1)"
            ),
            [
                "ledger line PARK/channel:another of 1001/x is on an account that does not concern its payment",
                "ledger line PARK/channel:other of 1001/x is on an account that does not concern its payment",
            ],
        ),
        (
            "UPDATE payment SET currency = 'HKD' WHERE order_no = 'T2'",
            [],  # nothing has moved yet, so nothing disagrees
        ),
        (
            "UPDATE refund SET currency = 'HKD' WHERE refund_no = 'R3'",
            [f"refund 1001/{a_refund(a_payment(1), 3).refund_id} is in another currency than its payment"],
        ),
        (
            "UPDATE payment SET state = 'PAID', paid_fen = 1000 WHERE order_no = 'T2'",
            [
                f"payment 1001/{a_payment(2).payment_id} should have channel:sandbox at 1000, its ledger has 0",
                f"payment 1001/{a_payment(2).payment_id} should have merchant at -1000, its ledger has 0",
            ],
        ),
        (
            "UPDATE payment SET reserved_fen = 700 WHERE order_no = 'T1'",
            [
                (
                    f"payment 1001/{_PAYMENT} has reserved, refunded, returned at 700, 100, 200; "
                    "its refunds say 600, 100, 200"
                )
            ],
        ),
        (
            "UPDATE refund SET state = 'UNKNOWN', refunded_fen = 0 WHERE refund_no = 'R1'",
            [
                (
                    f"payment 1001/{_PAYMENT} has reserved, refunded, returned at 600, 100, 200; "
                    "its refunds say 600, 0, 200"
                ),
                f"refund 1001/{_REFUND} is UNKNOWN but its ledger lines sum to 100",
            ],
        ),
    ],
)
async def test_a_planted_disagreement_is_found(
    books: SqlStore, database: Database, statement: str, sentences: list[str]
) -> None:
    await database.meddle(statement)
    assert await books.audit() == sentences


async def test_a_state_that_contradicts_its_sums_is_found(books: SqlStore, database: Database) -> None:
    if database.engine == "postgres":
        await database.meddle(
            "ALTER TABLE payment DROP CONSTRAINT payment_paid_by_state, DROP CONSTRAINT payment_refunds_if_paid"
        )
    await database.meddle("UPDATE payment SET state = 'WAITING' WHERE order_no = 'T1'")
    assert await books.audit() == [
        f"payment 1001/{_PAYMENT} is WAITING with paid, reserved, reversed, parked at 1000, 600, 0, 0"
    ]


@pytest.mark.parametrize(
    "statement", ["UPDATE ledger SET amount_fen = amount_fen * 2", "DELETE FROM ledger WHERE kind = 'SALE'"]
)
async def test_the_ledger_cannot_be_changed_by_anybody(books: SqlStore, database: Database, statement: str) -> None:
    with pytest.raises(Exception, match="the ledger is append-only"):
        await database.meddle(statement)
    assert await books.audit() == []
