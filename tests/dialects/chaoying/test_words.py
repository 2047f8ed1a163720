"""The tables of words: complete, truthful about what is still open, and the same both ways."""

from __future__ import annotations

import json

import pytest

from anytill.core.lifecycle import OPEN_REFUND_STATES, UNPAID_STATES, PaymentState, RefundState
from anytill.core.payment import Method, Payment, Refund, Verdict
from anytill.core.wallet import Wallet
from anytill.dialects.chaoying import answers, rows, words
from anytill.dialects.chaoying.words import TradeState


def payment_in(state: PaymentState, method: Method = Method.BARCODE) -> Payment:
    return Payment("m", "12611181906400000001", "A10001", method, Wallet.WECHAT, state, 100, reason="余额不足")


@pytest.mark.parametrize("state", list(PaymentState))
@pytest.mark.parametrize("table", [words.PAYMENT_WORDS, words.PREORDER_WORDS, words.CANCEL_WORDS])
def test_an_open_payment_has_neither_succeeded_nor_failed(
    table: dict[PaymentState, words.Word], state: PaymentState
) -> None:
    word = table[state]
    if state not in UNPAID_STATES | {PaymentState.PAID, PaymentState.WAITING}:
        assert word.trade_state in (TradeState.PROCESSING, TradeState.NEED_QUERY)
    if word.trade_state is TradeState.FAIL and table is not words.CANCEL_WORDS:
        assert state in UNPAID_STATES


@pytest.mark.parametrize("state", list(PaymentState))
@pytest.mark.parametrize("method", [Method.BARCODE, Method.QR])
def test_a_client_understands_the_verdict(state: PaymentState, method: Method) -> None:
    payment = payment_in(state, method)
    for answer in (
        answers.query(payment, "1", {}, "n"),
        answers.payment(payment, rows.PAY_ANSWER, "1", {}, "n"),
    ):
        told = words.PAYMENT_STATES.get((answer["code"], answer["trade_state"]), PaymentState.UNKNOWN)
        understood = payment_in(told).verdict
        assert understood is payment.verdict
        assert ("total_fee" in answer) is (understood is Verdict.PAID)


@pytest.mark.parametrize("state", list(RefundState))
def test_a_refund_is_told_as_it_is(state: RefundState) -> None:
    payment = payment_in(PaymentState.PAID)
    refunded_fen = 40 if state is RefundState.DONE else 0
    refund = Refund("m", "1", "R1", payment.payment_id, "A10001", state, 40, refunded_fen=refunded_fen)
    answer = answers.refund(refund, payment, "1", "n")
    expected = TradeState.PROCESSING if state in OPEN_REFUND_STATES else TradeState.FAIL
    assert answer["trade_state"] == (TradeState.SUCCESS if state is RefundState.DONE else expected)
    assert ("refund_fee" in answer) is (state is RefundState.DONE)
    (row,) = json.loads(answers.refund_query(refund, payment, "1", {}, "n")["refund_list"])
    understood = words.REFUND_STATES[row["refund_status"]]
    assert understood is (RefundState.PROCESSING if state is RefundState.SUBMITTED else state)
    assert row["refund_fee"] == str(refunded_fen)


def test_the_channels_reason_is_passed_on_with_a_no_only() -> None:
    assert answers.query(payment_in(PaymentState.FAILED), "1", {}, "n")["msg"].endswith("：余额不足")
    assert "余额不足" not in answers.query(payment_in(PaymentState.UNKNOWN), "1", {}, "n")["msg"]


def test_money_given_back_is_told() -> None:
    paid = Payment(
        "m", "1", "A10001", Method.BARCODE, Wallet.WECHAT, PaymentState.PAID, 100, paid_fen=100, refunded_fen=1
    )
    answer = answers.query(paid, "1", {}, "n")
    assert (answer["code"], answer["trade_state"], answer["total_fee"]) == ("10002", "REFUND", "100")


def test_a_picture_of_the_code_has_an_address_only_if_somebody_draws_it() -> None:
    waiting = Payment(
        "m",
        "1",
        "N10001",
        Method.QR,
        Wallet.ALIPAY,
        PaymentState.WAITING,
        100,
        invitation={"code_url": "https://qr.example/a?b=c"},
    )
    assert "code_img_url" not in answers.preorder(waiting, "1", {}, "n")
    drawn = answers.preorder(waiting, "1", {"code_img_base": "https://img.example/?text="}, "n")
    assert drawn["code_img_url"] == "https://img.example/?text=https%3A%2F%2Fqr.example%2Fa%3Fb%3Dc"


def test_every_code_of_the_vendor_has_a_use() -> None:
    used = {
        word.code for table in (words.PAYMENT_WORDS, words.CANCEL_WORDS, words.REFUND_WORDS) for word in table.values()
    }
    used |= {refused.code for refused in words.REFUSALS.values()}
    used |= {words.REFUNDED_WORD.code, words.NOT_PAID_WORD.code, words.SYSTEM_ERROR.code}
    # Said by a client; of a query that names nothing; of an agent number that is none.
    elsewhere = {words.Code.ANSWER_SIGNATURE, words.Code.QUERY_ERROR, words.Code.AGENT}
    assert used | elsewhere == set(words.Code)
