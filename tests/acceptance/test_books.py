"""The judge itself: shown books that do not agree, it must say so. Else all that it passes would prove nothing."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
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
HALF_A_POSTING = """
    INSERT INTO ledger SELECT merchant_id, payment_id, 'x', kind, account, amount_fen, currency, at_ms FROM ledger
    WHERE account = 'merchant'
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A demo's data after three orders, one refund and one cancel."""
    demo = Demo(tmp_path_factory.mktemp("books"))
    with running(demo):
        teegon, chaoying = demo.teegon(), demo.chaoying()
        assert teegon.pay(PAID.order_no, 500, PAID.code).word is Word.YES
        assert chaoying.refund(PAID.order_no, "BOOK0001R", 500, 200).word is Word.YES
        assert chaoying.pay(DECLINED.order_no, 500, DECLINED.code).word is Word.NO
        assert chaoying.pay(CANCELLED.order_no, 500, CANCELLED.code).word is Word.YES
        assert chaoying.cancel(CANCELLED.order_no).word is Word.YES
    return demo.folder / "data"


def judged(folder: Path, *sales: Sale) -> list[str]:
    return verdict(
        f"sqlite:///{folder / 'anytill.db'}", folder / "wallet.journal", sales or (PAID, DECLINED, CANCELLED)
    )


def test_books_that_agree(folder: Path) -> None:
    assert judged(folder) == []


@pytest.mark.parametrize(
    ("told", "fault"),
    [
        ((Sale(PAID.order_no, 500, PAID.code, "teegon", [Word.NO]), DECLINED, CANCELLED), "not paid; it is PAID"),
        ((Sale(PAID.order_no, 501, PAID.code, "teegon", [Word.YES]), DECLINED, CANCELLED), "asked 501, stored 500"),
        ((PAID, Sale(DECLINED.order_no, 500, DECLINED.code, "teegon", [Word.YES]), CANCELLED), "nobody cancelled it"),
        ((PAID, DECLINED, Sale(CANCELLED.order_no, 500, CANCELLED.code, "teegon", [Word.YES])), "nobody cancelled it"),
        ((PAID, CANCELLED), "nobody asked for it"),
        ((PAID, DECLINED, CANCELLED, Sale("GONE", 1, "136666660000000400", "teegon", [Word.OPEN])), "no such payment"),
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
