"""Every story of a payer's code and of a refund's amount, told by pay, query and cancel while the clock stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from anytill.channels import sandbox
from anytill.channels.sandbox.outcomes import PAY_OUTCOMES, REFUND_OUTCOMES, PayOutcome, pay_outcome
from anytill.channels.sandbox.wallet import REVERSIBLE_MS
from anytill.core.answer import SILENCE
from anytill.core.errors import InvalidPayCode
from anytill.core.lifecycle import PaymentEvent, RefundEvent
from anytill.core.payment import Method
from anytill.core.secret import Secret
from anytill.core.wallet import Wallet
from tests.channels.fakes import NOON_MS, Stage, code, payment, refund

pytestmark = pytest.mark.anyio


@pytest.fixture
def stage() -> Stage:
    return Stage()


async def row(stage: Stage, merchant_order: str = "A-1") -> dict[str, object]:
    (only,) = await stage.channel.statement(merchant_order=merchant_order)
    assert isinstance(only, dict)
    return dict(only)


async def test_01_waits_for_the_password_and_is_paid_after_ten_seconds(stage: Stage) -> None:
    first = await stage.channel.pay(payment(), code("01"))
    assert (first.event, first.reason) == (PaymentEvent.WAITING, "")
    stage.clock.advance(9_999)
    assert (await stage.channel.query(payment())).event is PaymentEvent.WAITING
    due_ms = stage.clock.now_ms() + 1
    stage.clock.advance(50_000)
    later = await stage.channel.query(payment())
    assert (later.event, later.amount_fen, later.paid_at_ms) == (PaymentEvent.PAID, 1_000, due_ms)
    assert later.channel_trade_no == first.channel_trade_no


async def test_01_cancelled_in_time_is_never_paid(stage: Stage) -> None:
    await stage.channel.pay(payment(), code("01"))
    assert (await stage.channel.cancel(payment())).event is PaymentEvent.CANCELLED
    stage.clock.advance(60_000)
    assert (await stage.channel.query(payment())).event is PaymentEvent.CANCELLED
    assert (await row(stage))["charged_fen"] == 0


async def test_01_cancelled_when_it_is_paid_already_is_reversed(stage: Stage) -> None:
    await stage.channel.pay(payment(), code("01"))
    stage.clock.advance(10_000)
    assert (await stage.channel.cancel(payment())).event is PaymentEvent.CANCELLED
    assert (await row(stage))["reversed_fen"] == 1_000


async def test_02_is_an_explicit_no_of_the_payer(stage: Stage) -> None:
    waiting = await stage.channel.pay(payment(), code("02"))
    assert (waiting.event, waiting.reason) == (PaymentEvent.WAITING, "")
    assert (await row(stage))["reason"] == ""
    stage.clock.advance(10_000)
    answer = await stage.channel.query(payment())
    assert (answer.event, answer.reason) == (PaymentEvent.REFUSED, "the payer cancelled")


async def test_03_is_never_answered_until_it_is_taken_back(stage: Stage) -> None:
    await stage.channel.pay(payment(), code("03"))
    stage.clock.advance(24 * 3_600_000)
    assert (await stage.channel.query(payment())).event is PaymentEvent.WAITING
    assert (await stage.channel.cancel(payment())).event is PaymentEvent.CANCELLED
    assert (await stage.channel.query(payment())).event is PaymentEvent.CANCELLED


@pytest.mark.parametrize(("ending", "reason"), [("04", "not enough money"), ("05", "the code has expired")])
async def test_04_and_05_are_refused_and_stay_so(stage: Stage, ending: str, reason: str) -> None:
    answer = await stage.channel.pay(payment(), code(ending))
    assert (answer.event, answer.reason) == (PaymentEvent.REFUSED, reason)
    assert await stage.channel.query(payment()) == answer
    await stage.channel.cancel(payment())
    assert await stage.channel.query(payment()) == answer


async def test_06_never_answers_but_was_paid(stage: Stage) -> None:
    paid_at_ms = stage.clock.now_ms()
    assert await stage.channel.pay(payment(), code("06")) == SILENCE
    assert stage.clock.now_ms() == NOON_MS + 3_000
    answer = await stage.channel.query(payment())
    assert (answer.event, answer.amount_fen, answer.paid_at_ms) == (PaymentEvent.PAID, 1_000, paid_at_ms)


async def test_07_never_answers_and_never_arrived(stage: Stage) -> None:
    assert await stage.channel.pay(payment(), code("07")) == SILENCE
    assert stage.clock.now_ms() == NOON_MS + 3_000
    assert (await stage.channel.query(payment())).event is PaymentEvent.NOT_FOUND
    assert (await stage.channel.cancel(payment())).event is PaymentEvent.CANCELLED
    assert (await stage.channel.pay(payment(), code("00"))).event is PaymentEvent.REFUSED
    assert (await stage.channel.query(payment())).event is PaymentEvent.CANCELLED


async def test_08_charges_one_fen_more_and_says_so_every_time(stage: Stage) -> None:
    answer = await stage.channel.pay(payment(), code("08"))
    assert (answer.event, answer.amount_fen, answer.coupon_fen) == (PaymentEvent.PAID, 1_001, 0)
    assert await stage.channel.query(payment()) == answer
    assert (await row(stage))["charged_fen"] == 1_001
    await stage.channel.cancel(payment())
    assert (await row(stage))["net_fen"] == 0


async def test_09_is_a_system_error_at_once_and_paid_when_asked(stage: Stage) -> None:
    assert await stage.channel.pay(payment(), code("09")) == SILENCE
    assert stage.clock.now_ms() == NOON_MS
    assert (await stage.channel.query(payment())).event is PaymentEvent.PAID


@pytest.mark.parametrize(("amount_fen", "coupon_fen"), [(1_000, 100), (1_009, 100), (10, 1), (9, 0), (1, 0)])
async def test_10_takes_one_tenth_off_rounded_down(stage: Stage, amount_fen: int, coupon_fen: int) -> None:
    asked = payment(amount_fen=amount_fen)
    answer = await stage.channel.pay(asked, code("10"))
    assert (answer.event, answer.amount_fen, answer.coupon_fen) == (PaymentEvent.PAID, amount_fen, coupon_fen)
    assert await stage.channel.query(asked) == answer
    too_much = await stage.channel.refund(asked, refund(asked, amount_fen - coupon_fen + 1))
    assert too_much.event is RefundEvent.REFUSED


@pytest.mark.parametrize("ending", ["00", "11", "42", "99"])
async def test_any_other_ending_is_paid_at_once(stage: Stage, ending: str) -> None:
    answer = await stage.channel.pay(payment(), code(ending))
    assert (answer.event, answer.amount_fen, answer.paid_at_ms) == (PaymentEvent.PAID, 1_000, stage.clock.now_ms())


@pytest.mark.parametrize("ending", ["0x", "x1", "", "1", "０１"])
def test_only_two_ascii_digits_tell_a_story(ending: str) -> None:
    assert pay_outcome(ending) == PayOutcome()


@pytest.mark.parametrize(
    ("ending", "event"),
    [("01", PaymentEvent.WAITING), ("04", PaymentEvent.REFUSED), ("face", PaymentEvent.PAID)],
)
async def test_a_face_ticket_has_the_same_endings(stage: Stage, ending: str, event: PaymentEvent) -> None:
    answer = await stage.channel.pay(payment(method=Method.FACE), Secret(f"ticket-{ending}"))
    assert answer.event is event


async def test_the_tickets_we_give_out_are_paid(stage: Stage) -> None:
    ticket = await stage.channel.face_ticket("m1", "device-7", "raw")
    answer = await stage.channel.pay(payment(method=Method.FACE), Secret(ticket.ticket))
    assert (answer.event, ticket.expires_in_s) == (PaymentEvent.PAID, 7_200)


async def test_a_payment_at_the_till_without_a_code_is_a_bug_of_ours(stage: Stage) -> None:
    with pytest.raises(ValueError, match="needs the payer's code"):
        await stage.channel.pay(payment(), None)


# Codes


async def test_a_code_that_paid_pays_nothing_else(stage: Stage) -> None:
    await stage.channel.pay(payment(1), code())
    again = await stage.channel.pay(payment(2), code())
    assert (again.event, again.reason) == (PaymentEvent.REFUSED, "the code has been used")
    assert await stage.channel.query(payment(2)) == again
    await stage.channel.cancel(payment(1))
    assert (await stage.channel.pay(payment(3), code())).event is PaymentEvent.REFUSED


@pytest.mark.parametrize("ending", ["02", "03"])
async def test_a_code_that_paid_nothing_can_be_shown_again(stage: Stage, ending: str) -> None:
    await stage.channel.pay(payment(1), code(ending))
    assert (await stage.channel.pay(payment(2), code(ending))).event is PaymentEvent.REFUSED, "it is being used"
    stage.clock.advance(10_000)
    await stage.channel.cancel(payment(1))
    assert (await stage.channel.pay(payment(3), code(ending))).event is PaymentEvent.WAITING


async def test_a_code_of_another_wallet_is_refused(stage: Stage) -> None:
    answer = await stage.channel.pay(payment(wallet=Wallet.ALIPAY), code())
    assert (answer.event, answer.reason) == (PaymentEvent.REFUSED, "the code is of another wallet")


async def test_what_is_no_code_is_refused(stage: Stage) -> None:
    answer = await stage.channel.pay(payment(), Secret("9900000000000000"))
    assert (answer.event, answer.reason) == (PaymentEvent.REFUSED, "not a payer's code")


async def test_an_identified_code_can_be_charged_by_that_merchant_alone(stage: Stage) -> None:
    payer = await stage.channel.identify("m1", code())
    assert payer.wallet is Wallet.WECHAT
    with pytest.raises(InvalidPayCode):
        await stage.channel.identify("m2", code())
    theirs = await stage.channel.pay(payment(merchant_id="m2"), code())
    assert (theirs.event, theirs.reason) == (PaymentEvent.REFUSED, "the code was shown to another merchant")
    ours = await stage.channel.pay(payment(), code())
    assert (ours.event, ours.payer_id) == (PaymentEvent.PAID, payer.payer_id)
    assert (await stage.channel.pay(payment(2, merchant_id="m2"), code(serial=1))).event is PaymentEvent.PAID


async def test_a_code_in_use_is_not_identified_to_another_merchant(stage: Stage) -> None:
    await stage.channel.pay(payment(), code())
    with pytest.raises(InvalidPayCode):
        await stage.channel.identify("m2", code())
    with pytest.raises(InvalidPayCode):
        await stage.channel.identify("m1", Secret("no code"))


# Orders that are paid elsewhere


async def test_an_unpaid_order_closes_at_its_deadline(stage: Stage) -> None:
    asked = payment(method=Method.QR)
    await stage.channel.pay(asked, None)
    stage.clock.advance(59_999)
    assert (await stage.channel.query(asked)).event is PaymentEvent.WAITING
    stage.clock.advance(1)
    answer = await stage.channel.query(asked)
    assert (answer.event, answer.reason) == (PaymentEvent.CLOSED, "not paid in time")


async def test_an_order_without_a_deadline_waits_for_ever(stage: Stage) -> None:
    asked = payment(method=Method.QR, deadline_at_ms=0)
    await stage.channel.pay(asked, None)
    stage.clock.advance(10**10)
    assert (await stage.channel.query(asked)).event is PaymentEvent.WAITING


# Cancelling and giving back


async def test_after_seven_days_a_paid_order_is_no_longer_reversed(stage: Stage) -> None:
    await stage.channel.pay(payment(), code())
    stage.clock.advance(REVERSIBLE_MS)
    in_time = stage.restarted()
    stage.clock.advance(1)
    late = await stage.channel.cancel(payment())
    assert late.event is PaymentEvent.CANCEL_REFUSED
    assert late.channel_trade_no
    assert (await stage.channel.query(payment())).event is PaymentEvent.PAID
    assert (await in_time.channel.cancel(payment())).event is PaymentEvent.CANCELLED


@pytest.mark.parametrize(
    ("amount_fen", "event"),
    [
        (100, PaymentEvent.CANCEL_REFUSED),
        (191, PaymentEvent.CANCEL_REFUSED),
        (193, PaymentEvent.CANCEL_REFUSED),
        (192, PaymentEvent.CANCELLED),
    ],
)
async def test_what_is_partly_given_back_is_not_reversed(stage: Stage, amount_fen: int, event: PaymentEvent) -> None:
    await stage.channel.pay(payment(), code())
    await stage.channel.refund(payment(), refund(payment(), amount_fen))
    assert (await stage.channel.cancel(payment())).event is event


async def test_91_is_done_after_ten_seconds(stage: Stage) -> None:
    asked, back = payment(), refund(payment(), 191)
    await stage.channel.pay(asked, code())
    first = await stage.channel.refund(asked, back)
    assert (first.event, first.refunded_fen) == (RefundEvent.PROCESSING, 0)
    assert (await stage.channel.refund(asked, refund(asked, 810, 2))).event is RefundEvent.REFUSED, "191 are spoken for"
    stage.clock.advance(9_999)
    assert await stage.channel.query_refund(asked, back) == first
    stage.clock.advance(1)
    done = await stage.channel.query_refund(asked, back)
    assert (done.event, done.refunded_fen) == (RefundEvent.DONE, 191)
    assert done.channel_refund_no == first.channel_refund_no
    assert await stage.channel.refund(asked, back) == done


async def test_92_is_refused_and_moves_nothing(stage: Stage) -> None:
    asked, back = payment(), refund(payment(), 92)
    await stage.channel.pay(asked, code())
    answer = await stage.channel.refund(asked, back)
    assert answer.event is RefundEvent.REFUSED
    assert await stage.channel.query_refund(asked, back) == answer
    assert (await row(stage))["net_fen"] == 1_000


async def test_93_goes_to_the_cash_account(stage: Stage) -> None:
    asked, back = payment(), refund(payment(), 93)
    await stage.channel.pay(asked, code())
    answer = await stage.channel.refund(asked, back)
    assert (answer.event, answer.refunded_fen) == (RefundEvent.RETURNED, 0)
    told = await row(stage)
    assert (told["refunded_fen"], told["returned_fen"], told["net_fen"]) == (0, 93, 907)


async def test_94_is_not_answered_but_done_once(stage: Stage) -> None:
    asked, back = payment(), refund(payment(), 94)
    await stage.channel.pay(asked, code())
    assert (await stage.channel.refund(asked, back)).event is RefundEvent.SILENT
    assert stage.clock.now_ms() == NOON_MS + 3_000
    done = await stage.channel.query_refund(asked, back)
    assert (done.event, done.refunded_fen) == (RefundEvent.DONE, 94)
    assert await stage.channel.refund(asked, back) == done
    assert (await row(stage))["net_fen"] == 906


async def test_a_refund_number_is_not_taken_for_another_wish(stage: Stage) -> None:
    await stage.channel.pay(payment(1), code(serial=1))
    await stage.channel.pay(payment(2), code(serial=2))
    await stage.channel.refund(payment(1), refund(payment(1), 100))
    assert (await stage.channel.refund(payment(1), refund(payment(1), 200))).event is RefundEvent.REFUSED
    assert (await stage.channel.refund(payment(2), refund(payment(2), 100))).event is RefundEvent.REFUSED
    elsewhere = await stage.channel.query_refund(payment(2), refund(payment(2), 100))
    assert elsewhere.event is RefundEvent.NOT_FOUND
    assert (await row(stage, "A-1"))["refunded_fen"] == 100
    assert (await row(stage, "A-2"))["refunded_fen"] == 0


@pytest.mark.parametrize("amount_fen", [0, -1, -100])
async def test_nothing_and_less_is_not_given_back(stage: Stage, amount_fen: int) -> None:
    await stage.channel.pay(payment(), code())
    assert (await stage.channel.refund(payment(), refund(payment(), amount_fen))).event is RefundEvent.REFUSED
    assert (await row(stage))["net_fen"] == 1_000


# What is printed about it


def test_the_readme_has_a_row_for_every_story() -> None:
    readme = Path(str(sandbox.__file__)).with_name("README.md").read_text(encoding="utf-8")
    missing = [ending for ending in [*PAY_OUTCOMES, *map(str, REFUND_OUTCOMES)] if f"| {ending} |" not in readme]
    assert missing == []
