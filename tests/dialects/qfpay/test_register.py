"""The careful register: what it sends and writes in which order, and when it believes what it is told."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anytill.core.errors import (
    NotRefundable,
    NotSupported,
    OrderConflict,
    Overloaded,
    RefundConflict,
    RefundExceedsPaid,
    Refusal,
    UnknownCredential,
)
from anytill.core.lifecycle import PaymentState, RefundState
from anytill.core.payment import Method, Payment, PaymentRef, PayOrder, RefundOrder, Verdict
from anytill.core.wallet import Wallet
from anytill.dialects.qfpay.client import Client, Withdrawn
from anytill.dialects.qfpay.codec import Told
from anytill.dialects.qfpay.ends import NEVER_ASKED, NOT_THERE, Patience
from anytill.dialects.qfpay.register import News, Register
from anytill.dialects.qfpay.steps import DamagedJournal
from anytill.ports import NeverSent, Unreachable
from anytill.transports.clock import StandingClock
from anytill.transports.journal import MemoryJournal
from anytill.wire.http import HttpRequest, HttpResponse
from anytill.wire.jsontext import Json
from tests.dialects.qfpay import desk as till
from tests.dialects.qfpay.scripted import POS_KEY, SYSSN, Answers, Scripted, no_such, paid

pytestmark = pytest.mark.anyio

ORDER = PayOrder("N1", 100, currency="HKD", wallet=Wallet.WECHAT)
AWAITED = Told("6000", {"respcd": "1145", "out_trade_no": "N1", "txamt": "100", "cancel": "0"})
UNKNOWN = Told("4005", {"respcd": "1145", "out_trade_no": "N1"})
RED_KEY = Told("6001", {"respcd": "1142"}, "", "Cancelled")
DECLINED = Told("6002", {"respcd": "1205"}, "", "Declined")
SEEN_DECLINED = Told("6000", {"respcd": "1205", "syssn": SYSSN, "out_trade_no": "N1", "txamt": "100"})
NOTHING_WAITS = Told("6002", {"respcd": "9011"})
WITHDRAWN = Told("6000", {"respcd": "0000"})


@dataclass
class Shop:
    """A register at a scripted terminal."""

    terminal: Scripted
    journal: MemoryJournal = field(default_factory=MemoryJournal)
    clock: StandingClock = field(default_factory=lambda: StandingClock(jump=True))
    news: list[tuple[News, str]] = field(default_factory=list)

    @property
    def register(self) -> Register:
        """A register that has just been started."""
        client = Client({"pos_key": POS_KEY}, self.terminal)
        return Register(client, self.journal, self.clock, self.tell)

    def tell(self, news: News, number: str, _detail: str) -> None:
        """See `register.Tell`."""
        self.news.append((news, number))

    @property
    def steps(self) -> list[str]:
        """What stands in the journal."""
        return [json.loads(line)["step"] for line in self.journal.lines()]


def at(*script: Answers) -> Shop:
    return Shop(Scripted(*script))


# One trade


async def test_an_end_is_asked_for_once_more_and_written_before_it_is_told() -> None:
    shop = at(paid(out_trade_no="N1"))
    payment = await shop.register.pay(ORDER)
    assert (payment.verdict, payment.payment_id) == (Verdict.PAID, SYSSN)
    assert shop.terminal.functions == ["1001", "4001"]
    assert shop.steps == ["trade", "end"]
    assert shop.clock.now_ms() == StandingClock().now_ms()


async def test_a_number_is_sent_once() -> None:
    shop = at(paid(out_trade_no="N1"))
    payment = await shop.register.pay(ORDER)
    # Not by the same register, nor by one that has just started.
    register = shop.register
    for _ in range(2):
        told = await register.pay(ORDER)
        assert (told.state, told.payment_id, told.paid_fen) == (payment.state, payment.payment_id, payment.paid_fen)
    with pytest.raises(OrderConflict):
        await register.pay(replace(ORDER, amount_fen=101))
    with pytest.raises(NotSupported):
        await register.pay(replace(ORDER, order_no=""))
    assert shop.terminal.functions == ["1001", "4001"]


@pytest.mark.parametrize(
    ("script", "functions", "state"),
    [
        # Nothing was presented: there is no record, and the answer said so.
        ([RED_KEY, no_such()], ["1001", "4001"], PaymentState.CANCELLED),
        ([DECLINED, SEEN_DECLINED], ["1001", "4001"], PaymentState.FAILED),
        # The answer was lost.
        ([None, paid()], ["1001", "4001"], PaymentState.PAID),
        ([None, SEEN_DECLINED], ["1001", "4001"], PaymentState.FAILED),
        ([None, None, b"rubbish", UNKNOWN, paid()], ["1001", "4001", "4001", "4001", "4001"], PaymentState.PAID),
        ([UNKNOWN, AWAITED, AWAITED, paid()], ["1001", "4001", "4001", "4001"], PaymentState.PAID),
        ([b"rubbish", paid()], ["1001", "4001"], PaymentState.PAID),
        # It never arrived: what waits is taken back, and "there is none" must last.
        ([None, no_such(), NOTHING_WAITS, no_such()], ["1001", "4001", "5001", *["4001"] * 5], PaymentState.FAILED),
        ([None, no_such(), WITHDRAWN, no_such()], ["1001", "4001", "5001", *["4001"] * 5], PaymentState.FAILED),
        # It arrived late.
        ([None, no_such(), NOTHING_WAITS, AWAITED, paid()], ["1001", "4001", "5001", "4001", "4001"],
         PaymentState.PAID),
        # Taking back was lost as well, and is done again.
        ([None, no_such(), None, no_such(), UNKNOWN, no_such()],
         ["1001", "4001", "5001", "4001", "5001", *["4001"] * 5], PaymentState.FAILED),
        # Answer and inquiry differ: the next inquiry decides.
        ([RED_KEY, paid(), paid()], ["1001", "4001", "4001"], PaymentState.PAID),
        ([paid(), SEEN_DECLINED, SEEN_DECLINED], ["1001", "4001", "4001"], PaymentState.FAILED),
        ([paid(), SEEN_DECLINED, paid(), paid()], ["1001", "4001", "4001", "4001"], PaymentState.PAID),
        # "Paid" stands when nobody can be asked any more.
        ([paid(), None], ["1001", "4001", "4001", "4001"], PaymentState.PAID),
    ],
)  # fmt: skip
async def test_how_an_end_is_found(script: list[Answers], functions: list[str], state: PaymentState) -> None:
    shop = at(*script)
    payment = await shop.register.pay(ORDER)
    assert payment.state is state
    assert shop.terminal.functions == functions
    assert shop.steps[0] == "trade"
    assert shop.steps[-1] == "end"
    assert shop.steps.count("withdrawal") == functions.count("5001")
    assert shop.register.without_end == []
    if state is PaymentState.FAILED and functions.count("5001"):
        assert payment.reason == NOT_THERE


@pytest.mark.parametrize(
    "script",
    [
        [None],
        [None, AWAITED],
        [UNKNOWN],
        [RED_KEY, None],
        [DECLINED, UNKNOWN],
        [paid(), no_such()],
        [paid(), UNKNOWN],
        [None, Told("4003")],
        [None, no_such(), None],
        [None, no_such(), WITHDRAWN, None],
    ],
)
async def test_what_nobody_knows_is_told_as_open_and_stays_to_be_resumed(script: list[Answers]) -> None:
    shop = at(*script)
    before_ms = shop.clock.now_ms()
    payment = await shop.register.pay(ORDER)
    assert (payment.verdict, payment.order_no, payment.amount_fen, payment.paid_fen) == (Verdict.OPEN, "N1", 100, 0)
    assert 300_000 <= shop.clock.now_ms() - before_ms <= 310_000
    assert "end" not in shop.steps
    assert [task.number for task in shop.register.without_end] == ["N1"]
    assert (News.OPEN, "N1") in shop.news
    assert shop.terminal.functions.count("1001") == 1
    shop.terminal = Scripted(paid())
    (resumed,) = await shop.register.resume()
    assert isinstance(resumed, Payment)
    assert resumed.verdict is Verdict.PAID
    assert shop.terminal.functions == ["4001"]
    assert await shop.register.resume() == []


@pytest.mark.parametrize("late", [WITHDRAWN, Told("6000", {"respcd": "0000"}, "Printed"), Told("6000")])
async def test_another_questions_answer_is_never_paid(late: Told) -> None:
    """It comes late, in the trade's place, and then nothing more is heard."""
    shop = at(late, None)
    payment = await shop.register.pay(ORDER)
    assert (payment.verdict, payment.paid_fen) == (Verdict.OPEN, 0)
    assert shop.steps == ["trade", "inquiry"]


@pytest.mark.parametrize("script", [[paid(txamt="90")], [None, paid(txamt="90")], [paid(), paid(txamt="90")]])
async def test_another_amount_is_for_a_person(script: list[Answers]) -> None:
    shop = at(*script)
    payment = await shop.register.pay(ORDER)
    assert (payment.verdict, payment.paid_fen) == (Verdict.OPEN, 0)
    assert shop.news[-1] == (News.CONTRADICTION, "N1")
    assert "end" not in shop.steps


@pytest.mark.parametrize(
    ("told", "refusal"),
    [(Told("4005", {"respcd": "9010"}), Overloaded), (Told("4006", {"respcd": "1104"}), Refusal)],
)
async def test_a_refusal_is_an_end(told: Told, refusal: type[Refusal]) -> None:
    shop = at(told)
    with pytest.raises(refusal):
        await shop.register.pay(ORDER)
    assert shop.steps == ["trade", "end"]
    # The number is used up: it is told what became of it.
    assert (await shop.register.pay(ORDER)).verdict is Verdict.NOT_PAID
    assert shop.terminal.functions == ["1001", "4001"]


@pytest.mark.parametrize("code", ["4003", "4006", "4007", "5001"])
@pytest.mark.parametrize(
    ("later", "verdict"),
    [
        ([paid()], Verdict.PAID),
        ([AWAITED, paid()], Verdict.PAID),
        ([None, paid()], Verdict.PAID),
        ([None], Verdict.OPEN),
        ([SEEN_DECLINED], Verdict.NOT_PAID),
    ],
)
async def test_a_refusal_that_nobody_signed_is_asked_about(code: str, later: list[Answers], verdict: Verdict) -> None:
    shop = at(Told(code, None, "", "forged"), *later)
    assert (await shop.register.pay(ORDER)).verdict is verdict
    assert shop.terminal.functions[:2] == ["1001", "4001"]
    assert (shop.steps[-1] == "end") is (verdict is not Verdict.OPEN)


async def test_a_number_that_another_trade_has_is_refused() -> None:
    conflict = Told("4006", {"respcd": "1102"})
    for other in (paid(txamt="90"), paid(busicd="800108"), no_such()):
        with pytest.raises(OrderConflict):
            await at(conflict, other).register.pay(ORDER)
    assert (await at(conflict, paid()).register.pay(ORDER)).verdict is Verdict.PAID


async def test_what_surely_never_went_out_is_an_end() -> None:
    def nobody(_content: object) -> None:
        raise NeverSent("nobody there")

    shop = at(nobody)
    with pytest.raises(NeverSent):
        await shop.register.pay(ORDER)
    with pytest.raises(NeverSent):
        await shop.register.refund(RefundOrder(PaymentRef("N1"), "R1", 10))
    assert shop.steps == ["trade", "end"]
    assert (await shop.register.pay(ORDER)).reason == "nothing was sent"
    shop.terminal = Scripted(left(100), nobody)
    with pytest.raises(NeverSent):
        await shop.register.refund(WANTED)
    assert shop.steps == ["trade", "end", "refund", "end"]
    assert (await shop.register.refund(WANTED)).reason == "nothing was sent"


async def test_nothing_is_sent_that_could_not_be_written() -> None:
    class Full(MemoryJournal):
        async def append(self, line: bytes) -> None:
            raise OSError("no space")

    shop = at(paid())
    shop.journal = Full()
    for call in (shop.register.pay(ORDER), shop.register.refund(RefundOrder(PaymentRef("N1"), "R1", 10))):
        with pytest.raises(OSError, match="no space"):
            await call
    # The refund looked first what had been given back; nothing that moves money went out.
    assert shop.terminal.functions == ["4001"]


async def test_a_person_takes_a_trade_back() -> None:
    shop = at(RED_KEY)
    register = shop.register
    seen: list[Withdrawn] = []

    async def impatient(_request: HttpRequest) -> None:
        seen.append(await register.withdraw())

    send = Meanwhile(Scripted(RED_KEY, WITHDRAWN, no_such()), impatient)
    register = Register(Client({"pos_key": POS_KEY}, send), shop.journal, shop.clock, shop.tell)
    payment = await register.pay(ORDER)
    assert (payment.state, seen) == (PaymentState.CANCELLED, [Withdrawn.DONE])
    assert shop.steps == ["trade", "withdrawal", "end"]


async def test_the_same_twice_at_once_is_done_once() -> None:
    class Slow(MemoryJournal):
        """Before a line is on its disk, somebody asks again."""

        async def append(self, line: bytes) -> None:
            if b'"refund"' in line or b'"trade"' in line:
                with pytest.raises(Overloaded):
                    await (register.pay(ORDER) if b'"trade"' in line else register.refund(WANTED))
            await super().append(line)

    terminal = Scripted(paid(), paid(), left(100), Told("6000", REFUNDED), left(60))
    register = Register(Client({"pos_key": POS_KEY}, terminal), Slow(), at(None).clock, at(None).tell)
    assert (await register.pay(ORDER)).verdict is Verdict.PAID
    assert (await register.refund(WANTED)).state is RefundState.DONE
    assert terminal.functions == ["1001", "4001", "4001", "1002", "4001"]
    assert (await register.pay(ORDER)).verdict is Verdict.PAID


class Meanwhile:
    """A line on which something happens while the first request waits for its answer."""

    def __init__(self, send: Scripted, what: Callable[[HttpRequest], Awaitable[None]]) -> None:
        self._send = send
        self._what: Callable[[HttpRequest], Awaitable[None]] | None = what

    async def __call__(self, request: HttpRequest) -> HttpResponse:
        response = await self._send(request)
        what, self._what = self._what, None
        if what is not None:
            await what(request)
        return response


# The journal


@pytest.mark.parametrize(
    "line",
    [b"", b"[]", b"{}", b"1", b'{"step":"end","number":"N1"}', b'{"step":"other","number":"N1"}',
     b'{"step":"inquiry","number":"N1"}', b'{"step":"trade","number":"N1","wallet":"X"}', b"\xff"],
)  # fmt: skip
def test_a_line_of_somebody_elses_is_told(line: bytes) -> None:
    shop = at(None)
    shop.journal = MemoryJournal([line])
    with pytest.raises(DamagedJournal, match="line 1"):
        _ = shop.register


@given(st.binary(max_size=80))
def test_any_line_is_a_step_or_damage(line: bytes) -> None:
    shop = at(None)
    shop.journal = MemoryJournal([line.replace(b"\n", b"")])
    with pytest.raises(DamagedJournal):
        _ = shop.register


async def test_no_card_no_code_and_no_key_is_written() -> None:
    shop = at(paid(cardno="520000******1096"))
    order = replace(ORDER, method=Method.CARD, wallet=Wallet.CARD, pay_code=till.card())
    await shop.register.pay(order)
    written = b"".join(shop.journal.lines()).decode()
    assert "520000******1096" in written
    assert "5200000000001096" not in written
    assert POS_KEY not in written


# Refunds at a scripted terminal


def left(cents: int, cancel: str = "0") -> Told:
    return paid(out_trade_no="N1", allow_refund_amt=str(cents), cancel=cancel)


REFUNDED: dict[str, Json] = {"respcd": "0000", "syssn": "R9", "orig_syssn": SYSSN, "txamt": "40"}
DENIED = Told("6002", {"respcd": "1155"}, "", "denied")
WANTED = RefundOrder(PaymentRef("N1"), "R1", 40)


@pytest.mark.parametrize(
    ("script", "functions", "state"),
    [
        ([left(100), Told("6000", REFUNDED), left(60, "5")], ["4001", "1002", "4001"], RefundState.DONE),
        ([left(60, "5"), Told("6000", REFUNDED), left(20, "5")], ["4001", "1002", "4001"], RefundState.DONE),
        ([left(100), DENIED, left(100)], ["4001", "1002", "4001"], RefundState.FAILED),
        ([left(100), Told("6000", REFUNDED), None], ["4001", "1002", *["4001"] * 3], RefundState.DONE),
        ([left(100), Told("6002", {"respcd": "9020"}), left(60)], ["4001", "1002", "4001"],
         RefundState.RETURNED_TO_CASH),
        # The answer was lost.
        ([left(100), None, left(60, "5")], ["4001", "1002", "4001"], RefundState.DONE),
        ([left(100), None, left(60), left(60, "5")], ["4001", "1002", "4001", "4001"], RefundState.DONE),
        ([left(40, "5"), None, left(0, "3")], ["4001", "1002", "4001"], RefundState.DONE),
        ([left(100), None, left(60), left(100), NOTHING_WAITS, left(100)],
         ["4001", "1002", "4001", "4001", "5001", *["4001"] * 5], RefundState.FAILED),
        ([left(100), None, left(100), NOTHING_WAITS, left(100)],
         ["4001", "1002", "4001", "5001", *["4001"] * 5], RefundState.FAILED),
        # The terminal told its number, and knows its refunds.
        ([left(100), Told("4005", {**REFUNDED, "respcd": "1145"}), Told("6000", {**REFUNDED, "origssn": SYSSN})],
         ["4001", "1002", "4001"], RefundState.DONE),
        ([left(100), Told("4005", {**REFUNDED, "respcd": "1145"}), no_such(), left(60, "5")],
         ["4001", "1002", "4001", "4001"], RefundState.DONE),
    ],
)  # fmt: skip
async def test_how_a_refunds_end_is_found(script: list[Answers], functions: list[str], state: RefundState) -> None:
    shop = at(*script)
    refund = await shop.register.refund(WANTED)
    assert (refund.state, refund.refund_no, refund.amount_fen) == (state, "R1", 40)
    assert refund.refunded_fen == (40 if state is RefundState.DONE else 0)
    assert shop.terminal.functions == functions
    assert (shop.steps[0], shop.steps[-1]) == ("refund", "end")
    # Asked for again it is told, and not made.
    again = await shop.register.refund(WANTED)
    assert (again.state, again.refunded_fen) == (refund.state, refund.refunded_fen)
    assert shop.terminal.functions == functions
    if functions.count("5001"):
        assert refund.reason == NEVER_ASKED


@pytest.mark.parametrize(
    ("script", "state"),
    [
        ([left(100), None], RefundState.UNKNOWN),
        ([left(100), Told("6000", REFUNDED), left(100)], RefundState.UNKNOWN),
        ([left(100), DENIED, left(60)], RefundState.UNKNOWN),
        ([left(100), None, left(50)], RefundState.UNKNOWN),
        ([left(100), None, SEEN_DECLINED], RefundState.UNKNOWN),
    ],
)
async def test_a_refund_that_nobody_knows_the_end_of_is_not_made_again(
    script: list[Answers], state: RefundState
) -> None:
    shop = at(*script)
    refund = await shop.register.refund(WANTED)
    assert (refund.state, refund.refunded_fen) == (state, 0)
    assert "end" not in shop.steps
    assert [task.number for task in shop.register.without_end] == ["R1"]
    shop.terminal = Scripted(left(100))
    for number in ("R1", "R2"):
        if number == "R2":
            with pytest.raises(RefundConflict):
                await shop.register.refund(replace(WANTED, refund_no=number))
    assert "1002" not in shop.terminal.functions


@pytest.mark.parametrize(
    ("script", "waited_ms"),
    [
        # It may still be told as back; so long as patience lasts it is waited for.
        ([left(100), None, left(60)], Patience().most_ms),
        # Of a second part no inquiry ever says that it is back.
        ([left(60, "5"), None, left(20, "5")], Patience().settled_ms),
    ],
)
async def test_a_refund_that_the_terminal_has_holds_nothing_up(script: list[Answers], waited_ms: int) -> None:
    shop = at(*script)
    began_ms = shop.clock.now_ms()
    refund = await shop.register.refund(WANTED)
    assert (refund.state, refund.refunded_fen) == (RefundState.PROCESSING, 0)
    assert waited_ms <= shop.clock.now_ms() - began_ms <= waited_ms + 2 * Patience().again_ms
    assert shop.register.without_end == []
    assert shop.steps[-1] == "end"
    functions = list(shop.terminal.functions)
    again = await shop.register.refund(WANTED)
    assert (again.state, again.refunded_fen) == (RefundState.PROCESSING, 0)
    assert shop.terminal.functions == functions, "it is never made again"


async def test_what_cannot_be_given_back_is_not_asked_for() -> None:
    shop = at(left(30, "5"))
    for amount_fen in (40, -1):
        with pytest.raises(RefundExceedsPaid):
            await shop.register.refund(replace(WANTED, amount_fen=amount_fen))
    with pytest.raises(NotSupported):
        await shop.register.refund(replace(WANTED, refund_no=""))
    with pytest.raises(NotRefundable):
        await at(SEEN_DECLINED).register.refund(WANTED)
    with pytest.raises(Unreachable):
        await at(None).register.refund(WANTED)
    assert shop.steps == []
    assert set(shop.terminal.functions) == {"4001"}


async def test_all_that_is_left_goes_back() -> None:
    shop = at(left(60, "5"), Told("6000", {**REFUNDED, "txamt": "60"}), left(0, "3"))
    refund = await shop.register.refund(replace(WANTED, amount_fen=0))
    assert (refund.state, refund.amount_fen) == (RefundState.DONE, 60)
    assert shop.terminal.asked[1]["refund_amount"] == "0.60"
    with pytest.raises(RefundConflict):
        await shop.register.refund(replace(WANTED, amount_fen=10))
    with pytest.raises(RefundConflict):
        await shop.register.refund(RefundOrder(PaymentRef("N2"), "R1", 60))


async def test_a_refused_refund_is_an_end() -> None:
    shop = at(left(100), Told("4006", {"respcd": "9014"}, "", "whole only"))
    with pytest.raises(Refusal):
        await shop.register.refund(WANTED)
    assert shop.steps == ["refund", "end"]
    assert (await shop.register.refund(WANTED)).reason == "4006 whole only"


async def test_a_refused_refund_is_asked_about() -> None:
    refused = Told("4003")
    assert (await at(left(100), refused, left(60, "5")).register.refund(WANTED)).state is RefundState.DONE
    assert (await at(left(100), refused, None).register.refund(WANTED)).state is RefundState.UNKNOWN
    for later in (left(100), refused):
        shop = at(left(100), refused, later)
        with pytest.raises(UnknownCredential):
            await shop.register.refund(WANTED)
        assert shop.terminal.functions == ["4001", "1002", "4001"]
