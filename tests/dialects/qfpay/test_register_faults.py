"""The careful register against the real terminal, with everything breaking between them, and in the register itself."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from anytill.core.lifecycle import PaymentState, RefundState
from anytill.core.panel import Left, Way
from anytill.core.payment import Payment, PaymentRef, PayOrder, Refund, RefundOrder, Verdict
from anytill.core.wallet import Wallet
from anytill.dialects.qfpay.client import Client, Withdrawn
from anytill.dialects.qfpay.register import Register
from anytill.ports import Send, Unreachable
from anytill.transports.journal import MemoryJournal
from anytill.wire.http import HttpRequest, HttpResponse
from tests.dialects.qfpay import desk as till
from tests.dialects.qfpay.desk import Desk

pytestmark = pytest.mark.anyio


class Crash(BaseException):
    """The register loses its power."""


@dataclass
class Lossy:
    """A line to the terminal that loses what it is told to: requests, answers, or the register's power.

    Each exchange takes the next fault: "" none, "request" lost on the way, "answer" lost on the way back, "dead before"
    and "dead after" the register. When there are no more, all goes well.
    """

    send: Send
    faults: list[str]
    functions: list[str] = field(default_factory=list)

    async def __call__(self, request: HttpRequest) -> HttpResponse:
        fault = self.faults.pop(0) if self.faults else ""
        if fault == "request":
            raise Unreachable("lost")
        if fault == "dead before":
            raise Crash
        self.functions.append(request.path)
        response = await self.send(request)
        if fault == "answer":
            raise Unreachable("lost")
        if fault == "dead after":
            raise Crash
        return response


class FailingJournal(MemoryJournal):
    """A journal whose register dies at one of its lines, before or after it is written."""

    def __init__(self, lines: Sequence[bytes] = (), dies_at: int = -1, *, written: bool = False) -> None:
        super().__init__(lines)
        self._dies_in = dies_at
        self._written = written

    async def append(self, line: bytes) -> None:
        dies, self._dies_in = self._dies_in == 0, self._dies_in - 1
        if dies and not self._written:
            raise Crash
        await super().append(line)
        if dies:
            raise Crash


@dataclass
class DeskClock:
    """Time at the desk: what is due meanwhile is done."""

    desk: Desk

    def now_ms(self) -> int:
        return self.desk.world.clock.now_ms()

    async def sleep_ms(self, ms: int) -> None:
        await self.desk.world.pass_ms(ms)


class Till:
    """A register at the desk's own terminal, over a lossy line, that is started again whenever it dies."""

    def __init__(self, desk: Desk, faults: Sequence[str] = (), journal: FailingJournal | None = None) -> None:
        self.desk = desk
        self.journal = journal or FailingJournal()
        self.line = Lossy(self._arrived, list(faults))
        self.deaths = 0

    async def _arrived(self, request: HttpRequest) -> HttpResponse:
        # Whichever terminal stands there now.
        return await self.desk.terminal.handle(request)

    def register(self) -> Register:
        client = Client({"pos_key": till.KEY}, self.line)
        return Register(client, self.journal, DeskClock(self.desk), lambda _news, _number, _detail: None)

    async def pay(self, order: PayOrder) -> Payment:
        """The end, over as many lives as it takes."""
        try:
            return await self.register().pay(order)
        except Crash:
            self.deaths += 1
        payment = await self._resumed(lambda register: register.pay(order))
        assert isinstance(payment, Payment)
        return payment

    async def refund(self, order: RefundOrder) -> Refund:
        """As `pay`. When its first look at the payment fails, nothing was done, and it is asked for again."""
        try:
            return await self.register().refund(order)
        except (Crash, Unreachable):
            self.deaths += 1
        refund = await self._resumed(lambda register: register.refund(order))
        assert isinstance(refund, Refund)
        return refund

    async def _resumed(self, again: Callable[[Register], Awaitable[Payment | Refund]]) -> Payment | Refund:
        """What a register finds when it has started again; where nothing was written, nothing was sent either."""
        while True:
            self.journal = FailingJournal(self.journal.lines())
            try:
                register = self.register()
                await register.resume()
                return await again(register)
            except (Crash, Unreachable):
                self.deaths += 1

    @property
    def trades(self) -> int:
        """How many 1001 arrived."""
        return self.line.functions.count("/api/pos/trade")

    @property
    def refunds(self) -> int:
        """How many 1002 arrived."""
        return self.line.functions.count("/api/pos/cancel")


def order(desk: Desk, ending: str, amount_fen: int = 100) -> PayOrder:
    """A new order whose payer holds out a code of this ending."""
    desk.code(ending)
    number = str(desk.trade()["out_trade_no"])
    return PayOrder(number, amount_fen, currency="HKD", wallet=Wallet.WECHAT)


async def agree(shop: Till, wanted: PayOrder, payment: Payment) -> None:
    """Register, gateway and wallet have the same truth, and at most one 1001 arrived."""
    await shop.desk.world.pass_s(900)
    net_fen = await shop.desk.net_fen(wanted.order_no)
    assert payment.verdict is not Verdict.OPEN
    assert net_fen == (wanted.amount_fen if payment.verdict is Verdict.PAID else 0)
    assert payment.paid_fen == net_fen
    assert shop.trades <= 1
    assert await shop.desk.orders() <= 1
    assert shop.register().without_end == []
    assert list(await shop.desk.world.store.audit()) == []


ENDINGS = ["00", "01", "02", "03", "04", "05", "06", "07", "09"]
FAULTS = ["request", "answer", "dead before", "dead after"]
#: What breaks here is no store's affair; the first tests run on both kinds.
one_store = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("fault", ["", *FAULTS])
async def test_a_lost_trade_ends_as_the_wallets_book_says(desk: Desk, ending: str, fault: str) -> None:
    shop = Till(desk, [fault])
    wanted = order(desk, ending)
    await agree(shop, wanted, await shop.pay(wanted))
    assert shop.deaths == ("dead" in fault)


@one_store
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("nth", [1, 2, 3, 4])
@pytest.mark.parametrize("ending", ["00", "06"])
async def test_a_fault_at_any_later_exchange(desk: Desk, ending: str, nth: int, fault: str) -> None:
    shop = Till(desk, ["request" if nth > 2 else "answer", *[""] * (nth - 1), fault])
    wanted = order(desk, ending)
    await agree(shop, wanted, await shop.pay(wanted))


@one_store
@pytest.mark.parametrize("written", [False, True])
@pytest.mark.parametrize("line", range(4))
@pytest.mark.parametrize("first", ["", "request", "answer"])
async def test_a_register_that_dies_at_any_line_of_its_journal(
    desk: Desk, first: str, line: int, written: bool
) -> None:
    shop = Till(desk, [first], FailingJournal(dies_at=line, written=written))
    wanted = order(desk, "00")
    await agree(shop, wanted, await shop.pay(wanted))


async def test_the_terminal_loses_its_power_after_the_charge(desk: Desk) -> None:
    async def cut(request: HttpRequest) -> HttpResponse:
        response = await desk.terminal.handle(request)
        if request.path == "/api/pos/trade":
            await desk.restart()
            raise Unreachable("the power is gone")
        return response

    shop = Till(desk)
    shop.line.send = cut
    wanted = order(desk, "06")
    await agree(shop, wanted, await shop.pay(wanted))


async def test_a_trade_that_waits_for_its_payer_is_waited_for(desk: Desk) -> None:
    """The line breaks while nobody has presented anything yet: the terminal still waits, and then the payer comes."""
    seen: list[str] = []

    async def asked_meanwhile() -> Any:
        register = shop.register()
        seen.append((await register._client.query(PaymentRef(wanted.order_no))).state)
        return desk.code()

    desk.panel.will(Way.SCAN, asked_meanwhile)
    shop = Till(desk, ["answer"])
    wanted = order(desk, "00")
    payment = await shop.pay(wanted)
    assert seen == [PaymentState.UNKNOWN]
    await agree(shop, wanted, payment)
    assert payment.verdict is Verdict.PAID


async def test_the_cashier_changes_his_mind(desk: Desk) -> None:
    shop = Till(desk)
    register = shop.register()
    seen: list[Withdrawn] = []

    async def taken_back() -> Left | None:
        seen.append(await register.withdraw())
        return None

    desk.panel.will(Way.SCAN, taken_back)
    wanted = order(desk, "00")
    payment = await register.pay(wanted)
    assert (payment.state, seen) == (PaymentState.CANCELLED, [Withdrawn.DONE])
    await agree(shop, wanted, payment)
    assert await register.withdraw() is Withdrawn.NOTHING


@one_store
@pytest.mark.parametrize("seed", range(25))
async def test_whatever_breaks(desk: Desk, seed: int) -> None:
    rng = random.Random(seed)
    faults = [rng.choice(["", *FAULTS]) for _ in range(rng.randrange(1, 8))]
    shop = Till(desk, faults, FailingJournal(dies_at=rng.randrange(-1, 6), written=rng.random() < 0.5))
    wanted = order(desk, rng.choice(ENDINGS), amount_fen=500)
    payment = await shop.pay(wanted)
    await agree(shop, wanted, payment)
    if payment.verdict is not Verdict.PAID:
        return
    shop.line.faults = [rng.choice(["", *FAULTS]) for _ in range(rng.randrange(0, 6))]
    refund = await shop.refund(RefundOrder(payment.ref, "R1", 200))
    assert refund.state in (RefundState.DONE, RefundState.FAILED)
    assert await desk.net_fen(wanted.order_no) == (300 if refund.state is RefundState.DONE else 500)
    assert shop.refunds <= 1


# Refunds at the real terminal


@pytest.mark.parametrize("fault", ["", *FAULTS])
@pytest.mark.parametrize(("amount_fen", "back_fen"), [(40, 40), (91, 91), (92, 0), (94, 94), (0, 500)])
async def test_a_lost_refund_ends_as_the_wallets_book_says(
    desk: Desk, amount_fen: int, back_fen: int, fault: str
) -> None:
    shop = Till(desk)
    wanted = order(desk, "00", 500)
    payment = await shop.pay(wanted)
    # The register looks first what was given back before.
    shop.line.faults = ["", fault]
    refund = await shop.refund(RefundOrder(payment.ref, "R1", amount_fen))
    await desk.world.pass_s(900)
    arrived = fault not in ("request", "dead before")
    gone_fen = back_fen if arrived else 0
    assert await desk.net_fen(wanted.order_no) == 500 - gone_fen
    assert refund.state is (RefundState.DONE if gone_fen else RefundState.FAILED)
    assert refund.refunded_fen == gone_fen
    assert shop.refunds == arrived
    assert shop.register().without_end == []


async def test_two_equal_refunds_are_two(desk: Desk) -> None:
    shop = Till(desk)
    wanted = order(desk, "00", 500)
    payment = await shop.pay(wanted)
    for number in ("R1", "R2"):
        assert (await shop.refund(RefundOrder(payment.ref, number, 40))).state is RefundState.DONE
        await desk.world.pass_s(61)
    assert await desk.net_fen(wanted.order_no) == 420
    # Within a minute the terminal takes the second for the first asked again: the register sees that nothing more went.
    again = await shop.refund(RefundOrder(payment.ref, "R3", 50))
    hasty = await shop.refund(RefundOrder(payment.ref, "R4", 50))
    assert (again.state, hasty.state) == (RefundState.DONE, RefundState.FAILED)
    assert await desk.net_fen(wanted.order_no) == 370
    assert shop.register().without_end == []
