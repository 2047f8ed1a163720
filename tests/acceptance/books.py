"""The judge: what the store's tables say, what the wallet's journal says, and what the tills were told must agree.

The tables are read with plain SQL, the journal with the wallet's own reader; neither needs the gateway, which may run
or be dead meanwhile. `verdict` returns every disagreement in words, so that a failing run shows all of them at once.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg

from anytill.channels.sandbox.book import Book
from anytill.channels.sandbox.diary import replay
from anytill.channels.sandbox.numbers import code_digest
from anytill.channels.sandbox.records import Order, WalletRefundState
from anytill.core.secret import Secret
from tests.acceptance.tills import Word

Row = Mapping[str, Any]

UNPAID = {"FAILED", "CLOSED", "CANCELLED"}
ENDED = UNPAID | {"PAID"}
REFUND_ENDED = {"DONE", "FAILED", "RETURNED_TO_CASH"}
#: Whether an order of this ending may ever be told as paid.
NEVER_PAID = {"04", "07", "08"}
MOVED = {WalletRefundState.DONE, WalletRefundState.RETURNED, WalletRefundState.PROCESSING}


@dataclass
class GivenBack:
    """A refund that a till asked for, and what it was told."""

    refund_no: str  # "" from a till that gives its refunds no numbers: then no other of this sale has its amount
    amount_fen: int
    told: list[Word] = field(default_factory=list)
    dialect: str = "chaoying"
    first_asked_s: float = 0.0


@dataclass
class Sale:
    """An order that a till tried to be paid for, and what it was told."""

    order_no: str  # where the order is not `numbered`, what the till wrote into its text instead
    amount_fen: int
    code: str
    dialect: str
    told: list[Word] = field(default_factory=list)
    payment_id: str = ""
    cancel_asked: bool = False
    cancel_told: list[Word] = field(default_factory=list)
    refunds: list[GivenBack] = field(default_factory=list)
    numbered: bool = True

    @property
    def number(self) -> str:
        """Under which number other tills can ask for it; empty while nobody was told one."""
        return self.order_no if self.numbered else self.payment_id

    @property
    def ending(self) -> str:
        """What the payer's code makes of it."""
        return self.code[-2:]

    @property
    def charge_fen(self) -> int:
        """What the payer gives if he pays."""
        return self.amount_fen - (self.amount_fen // 10 if self.ending == "10" else 0)


def select(store_url: str, query: str) -> list[Row]:
    """Rows of a query, from SQLite or PostgreSQL, whoever else has it open."""
    if store_url.startswith("sqlite:///"):
        path = Path(urlsplit(store_url).path[1:])
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)) as connection:
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute(query)]

    async def fetch() -> list[Row]:
        connection = await asyncpg.connect(store_url)
        try:
            return [dict(row) for row in await connection.fetch(query)]
        finally:
            await connection.close()

    # In a thread with an event loop of its own, since the caller may stand in another loop.
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, fetch()).result()


def wallet_book(journal: Path) -> Book:
    """The wallet's book as its journal has it now; a line that is being written is left out."""
    return replay(journal.read_bytes().split(b"\n")[:-1])[0]


def unfinished(store_url: str) -> int:
    """How many payments and refunds have not ended, and how many notices are still to be heard."""
    counts = select(
        store_url,
        f"""
        SELECT (SELECT COUNT(*) FROM payment WHERE state NOT IN {_listed(ENDED)})
            + (SELECT COUNT(*) FROM refund WHERE state NOT IN {_listed(REFUND_ENDED)})
            + (SELECT COUNT(*) FROM notice WHERE state = 'PENDING') AS unfinished
        """,  # noqa: S608 - the lists are constants above
    )
    return int(counts[0]["unfinished"])


def verdict(store_url: str, journal: Path, sales: Sequence[Sale]) -> list[str]:
    """Every disagreement between store, wallet and tills, once all has ended."""
    book = wallet_book(journal)
    payments = payments_of_sales(store_url)
    refunds = list(select(store_url, "SELECT * FROM refund"))
    ghosts = sorted(set(payments) - {sale.order_no for sale in sales})
    faults = [f"{ghost}: nobody asked for it" for ghost in ghosts]
    for sale in sales:
        rows = payments.get(sale.order_no, [])
        row = _the_one(rows)
        faults += [f"{sale.order_no} ({sale.dialect} …{sale.ending}): {fault}" for fault in _of_sale(sale, row)]
        orders = _wallet_orders(sale, book)
        faults += [f"{sale.order_no}: {fault}" for fault in _of_wallet(rows, orders, book)]
        if len(rows) > 1 and (sale.numbered or any(each["state"] not in UNPAID for each in rows if each is not row)):
            faults.append(f"{sale.order_no}: there are {len(rows)} payments of it")
        if row is not None and row["state"] != "PAID" and _should_be_paid(sale, orders):
            faults.append(f"{sale.order_no}: the payer paid and nobody cancelled; it is {row['state']}")
        for refund in sale.refunds:
            made = [each for each in refunds if row is not None and _is_of(each, refund, row)]
            faults += [f"{sale.order_no}/{refund.refund_no}: {fault}" for fault in _of_refund(refund, made, row, book)]
    known = {row["payment_id"] for rows in payments.values() for row in rows}
    faults += [f"{order.merchant_order}: only the wallet knows it" for order in _charged(book, known)]
    return faults + _doubled_lines(store_url)


def payments_of_sales(store_url: str) -> Mapping[str, Sequence[Row]]:
    """All payments, oldest first, by the number of their sale: a payment whose order has no number bears ours, and in
    its text what the till wrote there."""
    found: dict[str, list[Row]] = {}
    for row in select(store_url, "SELECT * FROM payment ORDER BY payment_id"):
        numbered = row["order_no"] != row["payment_id"]
        found.setdefault(row["order_no"] if numbered else json.loads(row["about"])["subject"], []).append(row)
    return found


def _the_one(rows: Sequence[Row]) -> Row | None:
    """The payment that a sale came to. Without a number an order that ended unpaid may be sent anew and is another."""
    alive = [row for row in rows if row["state"] not in UNPAID]
    return (alive or rows)[-1] if rows else None


def _wallet_orders(sale: Sale, book: Book) -> Sequence[Order]:
    """What the wallet has of a sale, found without asking our tables: by the merchant's number, or the payer's code."""
    if sale.numbered:
        return book.orders_called(merchant_order=sale.order_no)
    digest = code_digest(Secret(sale.code))
    return [order for order in book.orders.values() if order.code == digest]


def _of_sale(sale: Sale, row: Row | None) -> Iterator[str]:
    """What the till was told against what is so in the end."""
    heard = {*sale.told, *sale.cancel_told} & {Word.YES, Word.OPEN, Word.NO}
    if row is None:
        if heard:
            yield f"the till was told {heard}, but there is no such payment"
        return
    state = row["state"]
    if state not in ENDED:
        yield f"it never ended: {state}"
    if row["amount_fen"] != sale.amount_fen:
        yield f"asked {sale.amount_fen}, stored {row['amount_fen']}"
    if Word.YES in sale.told and state != "PAID" and not sale.cancel_asked:
        yield f"the till was told that it was paid; it is {state}, and nobody cancelled it"
    if Word.NO in sale.told and state not in UNPAID:
        yield f"the till was told that it was not paid; it is {state}"
    if Word.YES in sale.cancel_told and state not in UNPAID:
        yield f"the till was told that it is taken back; it is {state}"
    if Word.NO in sale.told and Word.YES in sale.told[sale.told.index(Word.NO) :]:
        yield f"the till was told no, then yes: {sale.told}"
    if not sale.cancel_asked and _taken_back(sale.told):
        yield f"the till was told yes, then to wait: {sale.told}"
    if state == "PAID" and (sale.ending in NEVER_PAID or row["paid_fen"] != sale.charge_fen):
        yield f"it is paid with {row['paid_fen']}"


def _taken_back(told: Sequence[Word]) -> bool:
    """A yes that was followed by anything less: the fact was told before it was durable."""
    return Word.YES in told and any(word in (Word.OPEN, Word.NO) for word in told[told.index(Word.YES) :])


def _of_wallet(rows: Sequence[Row], orders: Sequence[Order], book: Book) -> Iterator[str]:
    """Our sums of one sale against the wallet's."""
    if sum(1 for order in orders if order.charged_fen) > 1:
        yield f"charged {len(orders)} times"
    net_fen = sum(int(book.amounts(order)["net_fen"]) for order in orders)
    held_fen = 0
    for row in rows:
        back_fen = row["reversed_fen"] + row["refunded_fen"] + row["returned_fen"]
        held_fen += row["paid_fen"] - back_fen + row["parked_fen"]
    if any(order.channel_order not in {row["payment_id"] for row in rows} for order in orders if rows):
        yield "the wallet has it under another number than ours"
    if any(order.amount_fen != row["amount_fen"] for order in orders for row in rows):
        yield "the wallet was asked for another amount"
    if net_fen != held_fen:
        yield f"the wallet holds {net_fen}, we say {held_fen} ({[row['state'] for row in rows]})"


def _should_be_paid(sale: Sale, orders: Sequence[Order]) -> bool:
    """The payer paid what was asked, and no till wanted it back: whatever got lost, the merchant keeps it."""
    return not sale.cancel_asked and sale.ending not in NEVER_PAID and any(order.charged_fen for order in orders)


def _is_of(row: Row, refund: GivenBack, payment: Row) -> bool:
    """Whether this is the row of that refund; one that the till gave no number is known by its amount."""
    if refund.refund_no:
        return bool(row["refund_no"] == refund.refund_no)
    return bool((row["payment_id"], row["amount_fen"]) == (payment["payment_id"], refund.amount_fen))


def _of_refund(refund: GivenBack, made: Sequence[Row], payment: Row | None, book: Book) -> Iterator[str]:
    """What the till was told of a refund against what is so, here and at the wallet."""
    if len(made) > 1:
        yield f"there are {len(made)} of it"
    row = made[0] if made else None
    moved = [each for each in book.refunds.values() if each.state in MOVED]
    if refund.refund_no:
        moved = [each for each in moved if each.merchant_refund == refund.refund_no]
    else:
        of_payment = (payment["payment_id"] if payment else "", refund.amount_fen)
        moved = [each for each in moved if (each.channel_order, each.amount_fen) == of_payment]
    if len(moved) > 1:
        yield f"given back {len(moved)} times"
    state = row["state"] if row is not None else "never made"
    done = {"DONE": WalletRefundState.DONE, "RETURNED_TO_CASH": WalletRefundState.RETURNED}.get(state)
    if [each.state for each in moved] != ([done] if done else []):
        yield f"we say {state}, the wallet says {[each.state.value for each in moved]}"
    if row is not None and (row["amount_fen"] != refund.amount_fen or state not in REFUND_ENDED):
        yield f"it is {state} over {row['amount_fen']}, asked were {refund.amount_fen}"
    if Word.YES in refund.told and state != "DONE":
        yield f"the till was told that it was done; it is {state}"
    if Word.NO in refund.told and state not in {"FAILED", "RETURNED_TO_CASH"}:
        yield f"the till was told that it was not done; it is {state}"
    if _taken_back(refund.told):
        yield f"the till was told yes, then to wait: {refund.told}"
    if Word.OPEN in refund.told and row is None:
        yield "the till was told that it is on its way, but there is no such refund"


def notice_faults(store_url: str, sales: Sequence[Sale], heard: Collection[str]) -> list[str]:
    """Every disagreement about notices: an order that was paid at a Teegon till is told and heard, no other is.

    The notice of one that was taken back may have been withdrawn; there is none if nobody knew that it was paid.
    """
    notices: dict[str, list[str]] = {}
    for row in select(store_url, "SELECT payment_id, state FROM notice"):
        notices.setdefault(row["payment_id"], []).append(row["state"])
    payments = payments_of_sales(store_url)
    faults = []
    for sale in sales:
        row = _the_one(payments.get(sale.order_no, [])) or {"payment_id": "", "state": "never made"}
        states = notices.get(row["payment_id"], [])
        allowed = [["DELIVERED"]] if row["state"] == "PAID" else [[]]
        if sale.cancel_asked and row["state"] == "CANCELLED":
            allowed = [["DELIVERED"], ["WITHDRAWN"]] + [[]] * (Word.YES not in sale.told)
        if sale.dialect != "teegon":
            allowed = [[]]
        if states not in allowed:
            faults.append(
                f"{sale.order_no}: it is {row['state']}, its notices are {states}, the till heard {sale.told}"
            )
        if states != ["WITHDRAWN"] and (sale.order_no in heard) is not bool(states):
            faults.append(f"{sale.order_no}: notices are {states}, the merchant heard is {sale.order_no in heard}")
    return faults


def _charged(book: Book, known: set[str]) -> list[Order]:
    return [order for order in book.orders.values() if order.charged_fen and order.channel_order not in known]


def _doubled_lines(store_url: str) -> list[str]:
    """The ledger sums to zero, and no movement stands in it twice."""
    lines = select(store_url, "SELECT subject_id, kind, amount_fen FROM ledger")
    total_fen = sum(line["amount_fen"] for line in lines)
    twice = [key for key, count in Counter((line["subject_id"], line["kind"]) for line in lines).items() if count != 2]
    return [f"the ledger sums to {total_fen}"] * bool(total_fen) + [f"booked oddly: {key}" for key in twice]


def _listed(names: set[str]) -> str:
    return "(" + ", ".join(f"'{name}'" for name in sorted(names)) + ")"
