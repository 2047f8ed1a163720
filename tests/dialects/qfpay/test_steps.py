"""A register's one journal for several terminals: only the one that was sent a trade says what became of it."""

from __future__ import annotations

import pytest

from anytill.core.errors import OrderConflict
from anytill.core.lifecycle import PaymentState
from anytill.core.payment import PaymentRef, PayOrder, RefundOrder, Verdict
from anytill.core.wallet import Wallet
from anytill.dialects.qfpay.client import Client
from anytill.dialects.qfpay.register import Register
from anytill.dialects.qfpay.steps import JournalAt, Steps
from anytill.ports import Journal
from anytill.transports.clock import StandingClock
from anytill.transports.journal import MemoryJournal
from tests.dialects.qfpay.scripted import POS_KEY, Answers, Scripted, no_such, paid

pytestmark = pytest.mark.anyio

ORDER = PayOrder("N1", 100, currency="HKD", wallet=Wallet.WECHAT)
WANTED = RefundOrder(PaymentRef("N1"), "R1", 40)
CLOCK = StandingClock(jump=True)


class At:
    """A register that has just been started at a scripted terminal."""

    def __init__(self, book: Journal, terminal: str, *script: Answers, formerly: str | None = None) -> None:
        self.terminal = Scripted(*script)
        self.journal = JournalAt(book, terminal, formerly=formerly)
        client = Client({"pos_key": POS_KEY}, self.terminal)
        self.register = Register(client, self.journal, CLOCK, lambda _news, _number, _detail: None)

    @property
    def elsewhere(self) -> list[tuple[str, str]]:
        """What may be under way at others."""
        return [(task.number, task.terminal) for task in Steps(self.journal, CLOCK).elsewhere]


async def test_only_the_terminal_that_was_sent_a_trade_is_asked_about_it() -> None:
    book = MemoryJournal()
    assert (await At(book, "tcp://a:9002", None).register.pay(ORDER)).verdict is Verdict.OPEN
    # Another one truly knows nothing of it, which says nothing about the money.
    other = At(book, "tcp://b:9002", no_such())
    assert await other.register.resume() == []
    assert other.elsewhere == [("N1", "tcp://a:9002")]
    with pytest.raises(OrderConflict, match="tcp://a:9002"):
        await other.register.pay(ORDER)
    assert other.terminal.functions == []
    (payment,) = await At(book, "tcp://a:9002", paid(out_trade_no="N1")).register.resume()
    assert payment.state is PaymentState.PAID
    # What ended anywhere is known everywhere.
    again = At(book, "tcp://b:9002", no_such())
    assert (await again.register.pay(ORDER)).verdict is Verdict.PAID
    assert (again.terminal.functions, again.elsewhere) == ([], [])


async def test_the_same_terminal_may_have_had_another_address() -> None:
    book = MemoryJournal()
    await At(book, "tcp://a:9002", None).register.pay(ORDER)
    moved = At(book, "tcp://c:9002", paid(out_trade_no="N1"), formerly="tcp://a:9002")
    (payment,) = await moved.register.resume()
    assert payment.state is PaymentState.PAID


async def test_a_line_without_an_address_is_of_no_known_terminal() -> None:
    book = MemoryJournal()
    await Register(Client({"pos_key": POS_KEY}, Scripted(None)), book, CLOCK, lambda _news, _number, _detail: None).pay(
        ORDER
    )
    assert At(book, "tcp://a:9002", no_such()).elsewhere == [("N1", "")]
    assert At(book, "tcp://a:9002", no_such(), formerly="").elsewhere == []


async def test_a_refund_too_stands_with_its_terminal() -> None:
    book = MemoryJournal()
    at = At(book, "tcp://a:9002", paid(out_trade_no="N1", allow_refund_amt="100", cancel="0"), None)
    await at.register.refund(WANTED)
    assert at.terminal.functions[:2] == ["4001", "1002"]
    other = At(book, "tcp://b:9002", no_such())
    assert other.elsewhere == [("R1", "tcp://a:9002")]
    with pytest.raises(OrderConflict, match="tcp://a:9002"):
        await other.register.refund(WANTED)
