"""Read back, the book is the book that was written, wherever the file ends; and its sums are always right."""

from __future__ import annotations

import re
from contextlib import suppress
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anytill.channels.sandbox.book import Book
from anytill.channels.sandbox.channel import NoSuchOrder
from anytill.channels.sandbox.diary import replay
from anytill.channels.sandbox.records import OrderState, WalletRefundState
from anytill.channels.sandbox.wallet import NotWaiting
from anytill.core.errors import InvalidPayCode
from anytill.core.lifecycle import PaymentEvent
from anytill.core.payment import Method
from anytill.core.wallet import Wallet
from tests.channels.fakes import Stage, code, finish, payment, refund

Step = tuple[str, int, int, str]

STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                *["pay"] * 3,
                *["refund"] * 2,
                *["invite", "query", "cancel", "look", "identify", "payer pays", "payer declines", "wait", "clock"],
            ]
        ),
        st.integers(1, 4),
        st.sampled_from([1, 50, 91, 92, 93, 94, 100, 191, 500, 1_000]),
        st.sampled_from(["00", "01", "02", "03", "04", "06", "07", "08", "09", "10"]),
    ),
    min_size=8,
    max_size=40,
)


def do(stage: Stage, step: Step) -> None:
    """One thing that a merchant, a payer or the time does. Refusals are part of the game."""
    what, number, amount_fen, ending = step
    asked = payment(number, merchant_id=f"m{number % 2}")
    channel = stage.channel
    calls: dict[str, Any] = {
        "pay": lambda: channel.pay(asked, code(ending)),
        "invite": lambda: channel.pay(payment(number, merchant_id=asked.merchant_id, method=Method.QR), None),
        "query": lambda: channel.query(asked),
        "cancel": lambda: channel.cancel(asked),
        "refund": lambda: channel.refund(asked, refund(asked, amount_fen, number=amount_fen % 7)),
        "look": lambda: channel.query_refund(asked, refund(asked, amount_fen, number=amount_fen % 7)),
        "identify": lambda: channel.identify(asked.merchant_id, code(ending)),
        "payer pays": lambda: channel.payer_pays(merchant_order=asked.order_no),
        "payer declines": lambda: channel.payer_declines(channel_order=asked.payment_id),
        "wait": lambda: stage.clock.sleep_ms(amount_fen * 100),
        "clock": lambda: channel.move_clock(amount_fen),
    }
    with suppress(InvalidPayCode, NoSuchOrder, NotWaiting):
        finish(calls[what]())


def check(book: Book) -> None:
    """What must hold of any book at any time."""
    for order in book.orders.values():
        sums = book.amounts(order)
        assert min(sums.values()) >= 0, sums
        assert sums["net_fen"] >= sums["processing_fen"], "more is on its way back than is there"
        assert order.charged_fen == 0 or order.state in {OrderState.PAID, OrderState.REVERSED}
        assert order.reversed_fen in {0, order.charged_fen}
        assert not order.reversed_fen or not book.given_back(order).held_fen
    numbers = [order.channel_trade_no for order in book.orders.values() if order.channel_trade_no]
    numbers += [back.channel_refund_no for back in book.refunds.values()]
    assert len(numbers) == len(set(numbers))
    assert all(len(number) == 28 and number.isdigit() for number in numbers)
    codes = [order.code for order in book.orders.values() if order.charged_fen and order.code]
    assert len(codes) == len(set(codes)), "a code paid twice"


@given(STEPS, st.data())
def test_the_book_is_the_same_after_a_cut_anywhere(steps: list[Step], data: st.DataObject) -> None:
    stage = Stage()
    history = [(0, Book())]
    for step in steps:
        do(stage, step)
        check(stage.channel._book)
        assert replay(stage.journal.lines())[0] == stage.channel._book, "told before it was on disk"
        history.append((len(stage.journal.data), deepcopy(stage.channel._book)))
    cut = data.draw(st.integers(0, len(stage.journal.data)))
    found, _ = replay(stage.journal.data[:cut].split(b"\n")[:-1])
    check(found)
    # A call writes one line at most, so every line's end is the end of a call.
    assert found == next(book for end, book in reversed(history) if end <= cut)


@given(STEPS, STEPS)
def test_a_restart_changes_nothing(before: list[Step], after: list[Step]) -> None:
    stage = Stage()
    for step in before:
        do(stage, step)
    restarted = stage.restarted()
    for step in after:
        do(stage, step)
        do(restarted, step)
    # Nonces start anew with the process; money does not know them.
    assert stage.channel._book.totals() == restarted.channel._book.totals()
    assert {key: order.state for key, order in stage.channel._book.orders.items()} == {
        key: order.state for key, order in restarted.channel._book.orders.items()
    }


@given(STEPS)
def test_one_refund_number_has_one_amount_for_ever(steps: list[Step]) -> None:
    stage = Stage()
    amounts: dict[tuple[str, str], int] = {}
    ended: dict[tuple[str, str], WalletRefundState] = {}
    for step in steps:
        do(stage, step)
        for key, back in stage.channel._book.refunds.items():
            assert amounts.setdefault(key, back.amount_fen) == back.amount_fen
            if back.state is not WalletRefundState.PROCESSING:
                assert ended.setdefault(key, back.state) is back.state


def test_totals_add_up_all_orders() -> None:
    stage = Stage()
    finish(stage.channel.pay(payment(1), code("10", serial=1)))
    finish(stage.channel.pay(payment(2), code("00", serial=2)))
    finish(stage.channel.pay(payment(3), code("04", serial=3)))
    finish(stage.channel.refund(payment(1), refund(payment(1), 93)))
    finish(stage.channel.cancel(payment(2)))
    assert finish(stage.channel.totals()) == {
        "orders": 3,
        "refunds": 1,
        "states": {"PAID": 1, "REVERSED": 1, "REFUSED": 1},
        "amount_fen": 3_000,
        "charged_fen": 1_900,
        "coupon_fen": 100,
        "refunded_fen": 0,
        "returned_fen": 93,
        "processing_fen": 0,
        "reversed_fen": 1_000,
        "net_fen": 807,
    }


def test_a_cancel_after_a_slow_refund_was_settled_is_still_refused() -> None:
    stage = Stage()
    finish(stage.channel.pay(payment(), code()))
    finish(stage.channel.refund(payment(), refund(payment(), 191)))
    stage.clock.advance(10_000)
    assert finish(stage.channel.cancel(payment())).event is PaymentEvent.CANCEL_REFUSED


def test_totals_are_as_of_now() -> None:
    stage = Stage()
    finish(stage.channel.pay(payment(), code("01")))
    stage.clock.advance(10_000)
    assert finish(stage.channel.totals())["charged_fen"] == 1_000


@pytest.mark.parametrize(
    ("wallet", "prefix", "pattern", "own"),
    [
        (Wallet.WECHAT, "13", r"o[A-Za-z0-9_-]{27}", True),
        (Wallet.ALIPAY, "28", r"2088[0-9]{12}", False),
        (Wallet.UNIONPAY, "62", r"[0-9]{16}", False),
        (Wallet.QQ, "91", r"[0-9A-F]{32}", False),
        (Wallet.JDPAY, "18", r"[0-9]{16}", False),
        (Wallet.BESTPAY, "51", r"[0-9]{16}", False),
    ],
)
def test_a_payer_is_named_as_his_wallet_does(wallet: Wallet, prefix: str, pattern: str, own: bool) -> None:
    first = finish(Stage().channel.identify("m1", code(prefix=prefix)))
    again = finish(Stage().channel.identify("m1", code(prefix=prefix)))
    elsewhere = finish(Stage().channel.identify("m2", code(prefix=prefix)))
    assert first == again
    assert first.wallet is wallet
    assert re.fullmatch(pattern, first.payer_id)
    assert (first.payer_id != elsewhere.payer_id) is own
