"""The judge itself: shown books that do not agree, it must say so. Else all that it passes would prove nothing."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from tests.acceptance.books import GivenBack, Sale, verdict
from tests.acceptance.harness import Demo, running
from tests.acceptance.tills import Word

REFUND = GivenBack("BOOK0001R", 200, [Word.YES])
PAID = Sale("BOOK0001", 500, "136666660000000100", "teegon", [Word.YES], refunds=[REFUND])
DECLINED = Sale("BOOK0002", 500, "136666660000000204", "chaoying", [Word.NO])
CANCELLED = Sale(
    "BOOK0003", 500, "136666660000000300", "chaoying", [Word.YES], cancel_asked=True, cancel_told=[Word.YES]
)
#: From a till without numbers: its text is all that tells the sale, and its amount all that tells the refund.
NAMELESS = Sale(
    "BOOK0004", 500, "136666660000000500", "semoor", [Word.YES], refunds=[GivenBack("", 7, [Word.YES])], numbered=False
)
ALL = (PAID, DECLINED, CANCELLED, NAMELESS)
HALF_A_POSTING = """
    INSERT INTO ledger SELECT merchant_id, payment_id, 'x', kind, account, amount_fen, currency, at_ms FROM ledger
    WHERE account = 'merchant'
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A demo's data after four orders, two refunds and one cancel."""
    demo = Demo(tmp_path_factory.mktemp("books"))
    with running(demo):
        teegon, chaoying = demo.teegon(), demo.chaoying()
        assert teegon.pay(PAID.order_no, 500, PAID.code).word is Word.YES
        assert chaoying.refund(PAID.order_no, "BOOK0001R", 500, 200).word is Word.YES
        assert chaoying.pay(DECLINED.order_no, 500, DECLINED.code).word is Word.NO
        assert chaoying.pay(CANCELLED.order_no, 500, CANCELLED.code).word is Word.YES
        assert chaoying.cancel(CANCELLED.order_no).word is Word.YES
        told = demo.semoor().pay("", 500, NAMELESS.code, NAMELESS.order_no)
        assert told.word is Word.YES
        assert demo.semoor().refund(told.fields["dm_id"], 7).word is Word.YES
    return demo.folder / "data"


def judged(folder: Path, *sales: Sale) -> list[str]:
    return verdict(f"sqlite:///{folder / 'anytill.db'}", folder / "wallet.journal", sales or ALL)


def test_books_that_agree(folder: Path) -> None:
    assert judged(folder) == []


@pytest.mark.parametrize(
    ("told", "fault"),
    [
        ((Sale(PAID.order_no, 500, PAID.code, "teegon", [Word.NO]), DECLINED, CANCELLED), "not paid; it is PAID"),
        ((Sale(PAID.order_no, 501, PAID.code, "teegon", [Word.YES]), DECLINED, CANCELLED), "asked 501, stored 500"),
        ((PAID, Sale(DECLINED.order_no, 500, DECLINED.code, "teegon", [Word.YES]), CANCELLED), "nobody cancelled it"),
        ((PAID, DECLINED, Sale(CANCELLED.order_no, 500, CANCELLED.code, "teegon", [Word.YES])), "nobody cancelled it"),
        ((PAID, CANCELLED, NAMELESS), "BOOK0002: nobody asked for it"),
        ((PAID, DECLINED, CANCELLED), "BOOK0004: nobody asked for it"),
        ((*ALL, Sale("GONE", 1, "136666660000000400", "teegon", [Word.OPEN])), "no such payment"),
        ((replace(NAMELESS, told=[Word.NO]), PAID, DECLINED, CANCELLED), "not paid; it is PAID"),
        ((replace(NAMELESS, refunds=[GivenBack("", 8, [Word.YES])]), PAID), "it was done; it is never made"),
        ((replace(NAMELESS, refunds=[GivenBack("", 7, [Word.NO])]), PAID), "it was not done; it is DONE"),
    ],
)
def test_a_till_that_was_told_something_else(folder: Path, told: tuple[Sale, ...], fault: str) -> None:
    assert any(fault in each for each in judged(folder, *told))


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ("UPDATE payment SET refunded_fen = 0 WHERE order_no = 'BOOK0001'", "the wallet holds 300, we say 500"),
        ("UPDATE payment SET state = 'WAITING', due_at_ms = 1 WHERE order_no = 'BOOK0002'", "it never ended"),
        ("UPDATE refund SET state = 'FAILED', refunded_fen = 0", "we say FAILED, the wallet says ['DONE']"),
        ("UPDATE payment SET payment_id = '1' WHERE order_no = 'BOOK0003'", "only the wallet knows it"),
        (HALF_A_POSTING, "the ledger sums to"),
    ],
)
def test_a_store_that_was_tampered_with(folder: Path, tmp_path: Path, change: str, fault: str) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    with closing(sqlite3.connect(copy / "anytill.db")) as connection, connection:
        connection.execute(change)
    assert any(fault in each for each in judged(copy))


def test_a_sale_without_a_number_that_was_paid_twice(folder: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    with closing(sqlite3.connect(copy / "anytill.db")) as connection, connection:
        connection.row_factory = sqlite3.Row
        (row,) = connection.execute("SELECT * FROM payment WHERE order_no = payment_id").fetchall()
        again = dict(row) | {"payment_id": "9" * 20, "order_no": "9" * 20, "code_digest": None}
        marks = ", ".join("?" * len(again))
        connection.execute(f"INSERT INTO payment ({', '.join(again)}) VALUES ({marks})", list(again.values()))  # noqa: S608
    faults = judged(copy)
    assert any("there are 2 payments of it" in each for each in faults)
    assert any("the wallet holds 493, we say 986" in each for each in faults)


def test_a_wallet_that_charged_twice(folder: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    journal = copy / "wallet.journal"
    lines = journal.read_bytes()
    first = lines.split(b"\n")[0]
    channel_order = first.split(b'"channel_order":"')[1].split(b'"')[0]
    entries = lines.count(b'"n":')
    again = first.replace(b'"n":1', b'"n":%d' % (entries + 1)).replace(channel_order, b"1" * 20)
    journal.write_bytes(lines + again + b"\n")
    faults = judged(copy)
    assert any("charged 2 times" in each for each in faults)
    assert any("only the wallet knows it" in each for each in faults)
