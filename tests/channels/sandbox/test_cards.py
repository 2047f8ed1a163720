"""The card scheme: the amount tells the story, the card may have something against it, and nobody keeps its number."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from anytill.channels.sandbox.outcomes import CARD_OUTCOMES, PAY_OUTCOMES
from anytill.core.answer import SILENCE, Answer
from anytill.core.lifecycle import PaymentEvent, RefundEvent
from anytill.core.payment import Method, Payment
from anytill.core.secret import Secret
from anytill.core.wallet import Wallet
from tests.channels.fakes import NOON_MS, Stage, finish, payment, refund

PAN = "5200000000001096"
UNIONPAY = "6200000000000005"


def by_card(number: int = 1, amount_fen: int = 1_000, **changes: Any) -> Payment:
    return payment(number, amount_fen, **{"method": Method.CARD, "wallet": Wallet.CARD, **changes})


def pay(stage: Stage, asked: Payment, presented: str = f"{PAN}=1") -> Answer:
    return finish(stage.channel.pay(asked, Secret(presented)))


def test_an_approval_has_all_that_a_slip_shows() -> None:
    stage = Stage()
    answer = pay(stage, by_card())
    assert (answer.event, answer.amount_fen, answer.paid_at_ms) == (PaymentEvent.PAID, 1_000, NOON_MS)
    auth_code = answer.slip["auth_code"]
    assert answer.slip == {
        "scheme": "MASTERCARD",
        "card_no": "520000******1096",
        "card_type": "CREDIT",
        "batch_no": "260101",
        "trace_no": "000001",
        "auth_code": auth_code,
    }
    assert len(auth_code) == 6
    assert auth_code.isdigit()
    assert answer.channel_trade_no == "600108000001"
    assert finish(stage.channel.query(by_card())) == answer
    assert finish(stage.restarted().channel.query(by_card())) == answer
    assert pay(stage, by_card(2), f"{UNIONPAY}=1").slip["card_type"] == "DEBIT"


@pytest.mark.parametrize("ending", [0, 1, 2, 3, 10, 11, 42, 91, 99])
def test_any_other_amount_is_approved_whole(ending: int) -> None:
    asked = by_card(amount_fen=500 + ending)
    answer = pay(Stage(), asked)
    assert (answer.event, answer.amount_fen, answer.coupon_fen) == (PaymentEvent.PAID, asked.amount_fen, 0)


@pytest.mark.parametrize(
    ("ending", "reason"), [(4, "declined: not enough money"), (5, "declined: the card has expired")]
)
def test_04_and_05_are_declined_and_stay_so(ending: int, reason: str) -> None:
    stage = Stage()
    asked = by_card(amount_fen=500 + ending)
    answer = pay(stage, asked)
    assert (answer.event, answer.reason) == (PaymentEvent.REFUSED, reason)
    assert answer.slip["card_no"] == "520000******1096"
    assert "auth_code" not in answer.slip
    assert finish(stage.channel.query(asked)) == answer
    assert pay(stage, by_card(2)).event is PaymentEvent.PAID, "a declined presentation was used for nothing"


@pytest.mark.parametrize(
    ("ending", "then", "amount_fen"),
    [(6, PaymentEvent.PAID, 506), (7, PaymentEvent.NOT_FOUND, 0), (9, PaymentEvent.PAID, 509)],
)
def test_06_07_and_09_are_silence_first(ending: int, then: PaymentEvent, amount_fen: int) -> None:
    stage = Stage()
    asked = by_card(amount_fen=500 + ending)
    assert pay(stage, asked) == SILENCE
    answer = finish(stage.channel.query(asked))
    assert (answer.event, answer.amount_fen) == (then, amount_fen)
    assert bool(answer.slip.get("auth_code")) is (then is PaymentEvent.PAID)


def test_08_charges_a_cent_more() -> None:
    answer = pay(Stage(), by_card(amount_fen=508))
    assert (answer.event, answer.amount_fen) == (PaymentEvent.PAID, 509)


def test_the_stories_of_codes_and_cards_have_the_same_numbers() -> None:
    assert {f"{ending:02d}" for ending in CARD_OUTCOMES} == PAY_OUTCOMES.keys() - {"01", "02", "03", "10"}


@pytest.mark.parametrize(
    ("presented", "amount_fen", "reason"),
    [
        (f"{PAN}=1=0000", 1_000, "the PIN is wrong"),
        (f"{PAN}=1=0000", 200_000, "the PIN is wrong"),
        (f"{PAN}=1", 100_001, "the PIN is needed for this amount"),
        ("no card", 1_000, "not a card"),
    ],
)
def test_what_the_card_has_against_it(presented: str, amount_fen: int, reason: str) -> None:
    answer = pay(Stage(), by_card(amount_fen=amount_fen), presented)
    assert (answer.event, answer.reason) == (PaymentEvent.REFUSED, reason)


@pytest.mark.parametrize(
    ("presented", "amount_fen", "wallet"),
    [
        (f"{PAN}=1=1234", 100_001, Wallet.CARD),
        (f"{PAN}=1", 100_000, Wallet.CARD),
        ("12345678=1", 100_001, Wallet.OCTOPUS),
    ],
)
def test_with_its_pin_or_below_the_limit_it_is_approved(presented: str, amount_fen: int, wallet: Wallet) -> None:
    assert pay(Stage(), by_card(amount_fen=amount_fen, wallet=wallet), presented).event is PaymentEvent.PAID


def test_a_presentation_pays_once_and_the_next_one_again() -> None:
    stage = Stage()
    first = pay(stage, by_card())
    assert pay(stage, by_card()) == first
    again = pay(stage, by_card(2))
    assert (again.event, again.reason) == (PaymentEvent.REFUSED, "the card must be presented again")
    assert pay(stage, by_card(3), f"{PAN}=1=1234").event is PaymentEvent.REFUSED
    other = pay(stage, by_card(4), f"{PAN}=2")
    assert (other.event, other.payer_id) == (PaymentEvent.PAID, first.payer_id)
    assert other.channel_trade_no != first.channel_trade_no


def test_neither_the_book_nor_an_answer_has_the_number_or_the_pin() -> None:
    stage = Stage()
    answers = [pay(stage, by_card(1), f"{PAN}=1=9876"), pay(stage, by_card(2, 100_001), f"{PAN}=2=9876")]
    told = finish(stage.channel.statement(merchant_order="A-1"))
    for shown in (repr(answers), repr(told), stage.journal.data.decode()):
        assert PAN not in shown
        assert "=9876" not in shown
    assert b"520000******1096" in stage.journal.data


def test_a_card_is_given_money_back_and_taken_back_like_any_payer() -> None:
    stage = Stage()
    pay(stage, by_card())
    part = finish(stage.channel.refund(by_card(), refund(by_card(), 400)))
    assert (part.event, part.refunded_fen, len(part.channel_refund_no)) == (RefundEvent.DONE, 400, 12)
    too_much = finish(stage.channel.refund(by_card(), refund(by_card(), 601, 2)))
    assert too_much.event is RefundEvent.REFUSED
    slow = finish(stage.channel.refund(by_card(), refund(by_card(), 191, 3)))
    assert slow.event is RefundEvent.PROCESSING
    pay(stage, by_card(2), f"{PAN}=2")
    assert finish(stage.channel.cancel(by_card(2))).event is PaymentEvent.CANCELLED
    assert finish(stage.channel.totals())["net_fen"] == 1_000 - 400


def test_a_refund_in_another_currency_is_refused() -> None:
    stage = Stage()
    asked = by_card(currency="HKD")
    assert pay(stage, asked).currency == "HKD"
    other = replace(refund(asked, 100), currency="CNY")
    told = finish(stage.channel.refund(asked, other))
    assert (told.event, told.reason) == (RefundEvent.REFUSED, "the order is in another currency")
    assert finish(stage.restarted().channel.query(asked)).currency == "HKD"
