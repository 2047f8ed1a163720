"""Codes and texts: complete, different, within the vendor's lengths, and never more than is known."""

from __future__ import annotations

import re
from collections import Counter

from anytill.core.errors import refusal_classes
from anytill.core.lifecycle import UNPAID_STATES, PaymentState, RefundState
from anytill.core.payment import Method, Payment, Verdict
from anytill.core.receipt import Receipt
from anytill.core.wallet import Wallet
from anytill.dialects.yst import answers, messages, receipts, words
from anytill.dialects.yst.words import Status, Word


def test_every_state_and_refusal_has_a_word_of_its_own() -> None:
    assert set(words.PAYMENT_WORDS) == set(words.REVOKE_WORDS) == set(PaymentState)
    assert set(words.REFUND_WORDS) == set(RefundState)
    assert set(words.REFUSALS) == refusal_classes()
    texts = Counter(told.msg for told in words.TOLD)
    assert texts.most_common(1)[0][1] == 1
    codes = [refused.code for refused in words.REFUSALS.values()]
    assert len(set(codes)) == len(codes)
    assert all(re.fullmatch("E[0-9]{5}", told.code) and len(told.msg) <= words.MAX_MSG for told in words.TOLD)


def test_a_code_says_one_thing() -> None:
    """A refund and a revocation that are done share E13000 in the samples; nothing else shares."""
    by_code: dict[str, list[str]] = {}
    for told in words.TOLD:
        by_code.setdefault(told.code, []).append(told.msg)
    shared = {code for code, texts in by_code.items() if len(texts) > 1}
    assert shared == {"E13000", "E10003"}


def test_only_an_end_is_told_as_one() -> None:
    for state, word in words.PAYMENT_WORDS.items():
        verdict = Payment("", "", "", Method.BARCODE, Wallet.WECHAT, state, 1).verdict
        expected = {Verdict.PAID: Status.DONE, Verdict.OPEN: Status.WAITING, Verdict.NOT_PAID: Status.FAILED}[verdict]
        assert word.status is expected, state
    assert {state for state, word in words.REFUND_WORDS.items() if word.status is Status.DONE} == {RefundState.DONE}
    done = {state for state, word in words.REVOKE_WORDS.items() if word.status is Status.DONE}
    assert done == UNPAID_STATES
    # A till that looks at `result` alone is told no "no" that is none.
    every: list[Word] = [*words.PAYMENT_WORDS.values(), *words.REFUND_WORDS.values(), *words.REVOKE_WORDS.values()]
    assert all((word.result == "N") == (word.status is Status.FAILED) for word in every)


def test_every_wallet_has_a_letter() -> None:
    assert set(messages.CHANNELS) == set(Wallet)
    assert len(messages.WALLETS) == len(Wallet)
    assert all(len(letter) == 1 and len(name) <= 10 for letter, name in messages.CHANNELS.values())


def _payment(**changes: object) -> Payment:
    known: dict[str, object] = {
        "merchant_id": "m", "payment_id": "12611181234560000000", "order_no": "1" * 32, "method": Method.BARCODE,
        "wallet": Wallet.WECHAT, "state": PaymentState.PAID, "amount_fen": 9_999_999_999, "paid_fen": 9_999_999_998,
        "coupon_fen": 1, "paid_at_ms": 1, "created_at_ms": 1,
    }  # fmt: skip
    return Payment(**{**known, **changes})  # type: ignore[arg-type]


def test_the_longest_receipt_is_within_the_vendors_length() -> None:
    payment = _payment(refunded_fen=3_333_333_333, returned_fen=1_111_111_111, reserved_fen=9_999_999_998)
    lines = receipts.of_payment(payment, shop="店" * 300, operator="x" * 20)
    assert sum(map(len, lines)) <= receipts.MAX_CHARACTERS
    assert any(line.startswith("退款处理中：") for line in lines)
    assert "优惠：0.01元" in lines


def test_a_receipt_holds_nothing_that_commands_a_printer() -> None:
    lines = receipts.of_payment(_payment(), shop="shop\x1b@\n二", operator="op\x07")
    assert "交易门店：shop@ 二" in lines
    assert all(line.isprintable() for line in lines)
    assert receipts._lines(Receipt(())) == [
        "----------", "      【商户联】", " ", " ", "----------", "      【用户联】",
    ]  # fmt: skip


def test_an_unpaid_order_is_told_without_anything_that_looks_like_money_received() -> None:
    printer = answers.Printer("店", "op")
    money = {"cash_fee", "coupon_fee", "pay_time"}
    for state in PaymentState:
        for told in (answers.payment(_payment(state=state), printer), answers.query(_payment(state=state), printer)):
            assert money <= set(told.fields) if state is PaymentState.PAID else not money & set(told.fields), state
            assert bool(told.receipts) is (state is PaymentState.PAID)
    invited = _payment(state=PaymentState.WAITING, method=Method.QR, invitation={"code_url": "x"}, paid_fen=0)
    told = answers.preorder(invited, printer)
    assert (told.fields["cash_fee"], told.fields["coupon_fee"], told.receipts) == ("0", "0", ())


def test_a_channels_words_follow_a_no_and_are_cut() -> None:
    printer = answers.Printer("店", "op")
    told = answers.payment(_payment(state=PaymentState.FAILED, reason="钱" * 200), printer)
    assert told.fields["msg"].startswith("支付失败，未收款")
    assert len(told.fields["msg"]) == 100
    waiting = answers.payment(_payment(state=PaymentState.UNKNOWN, reason="x"), printer)
    assert waiting.fields["msg"] == words.PAYMENT_WORDS[PaymentState.UNKNOWN].msg
