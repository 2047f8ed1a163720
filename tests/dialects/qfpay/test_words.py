"""The tables: complete, without two meanings for one code, and with texts that say what to do."""

from __future__ import annotations

import pytest

from anytill.core.errors import refusal_classes
from anytill.core.lifecycle import OPEN_REFUND_STATES, UNPAID_STATES, PaymentState, RefundState
from anytill.core.payment import Method
from anytill.core.wallet import Wallet
from anytill.dialects.qfpay import words
from anytill.dialects.qfpay.words import CHANNELS, PAY_TYPES, Channel, Code, FuncType


def test_every_state_and_every_refusal_has_its_word() -> None:
    assert set(words.PAYMENT_WORDS) == set(PaymentState)
    assert set(words.REFUND_WORDS) == set(RefundState)
    assert set(words.REFUSALS) == refusal_classes()
    assert set(words.PATHS.values()) == set(FuncType)
    assert set(CHANNELS) == set(Channel)


def test_success_is_told_of_nothing_else_and_failure_of_nothing_unknown() -> None:
    for state, word in words.PAYMENT_WORDS.items():
        assert (word.code is Code.DONE) is (word.inner == words.SUCCESS) is (state is PaymentState.PAID)
        assert (word.code is Code.FAILED) is (state in UNPAID_STATES)
    for refund_state, word in words.REFUND_WORDS.items():
        assert (word.code is Code.DONE) is (word.inner == words.SUCCESS) is (refund_state is RefundState.DONE)
        assert (word.inner == words.OPEN) is (refund_state in OPEN_REFUND_STATES)
    for word in words.TOLD:
        if word.inner == words.OPEN and word is not words.AWAITED:
            assert word.code is Code.OTHER
            assert "inquire" in word.text or "says what became of it" in word.text


def test_inner_codes_of_refusals_differ_from_each_other_and_from_states() -> None:
    inner = [word.inner for word in words.REFUSALS.values()]
    assert len(set(inner)) == len(inner)
    assert not set(inner) & (set(words.PAYMENT_STATES) | set(words.REFUND_STATES))
    assert not {word.code for word in words.REFUSALS.values()} & {Code.DONE, Code.OTHER}


@pytest.mark.parametrize("word", words.TOLD, ids=lambda word: f"{word.code}-{word.inner}")
def test_texts_are_sentences_for_a_cashier(word: words.Word) -> None:
    first = word.text.split()[0]
    assert first[0].isupper() or "_" in first, "a sentence, or the name of a field at its beginning"
    assert word.text.isascii()
    assert len(word.text) <= 120


def test_every_code_of_the_document_is_told_somewhere() -> None:
    assert {word.code for word in words.TOLD} == set(Code)


def test_the_channels_are_paid_as_the_vendor_says() -> None:
    methods = {channel: set(kind.pay_types) for channel, kind in CHANNELS.items()}
    scanned = [Channel.WX, Channel.ALIPAY, Channel.PAYME, Channel.UNION]
    tapped = [Channel.CARD_PAYMENT, Channel.OCTOPUS, Channel.UNIONPAY_CARD, Channel.AMEX_CARD]
    assert [methods[each] for each in scanned] == [{Method.BARCODE, Method.QR}] * 4
    assert [methods[each] for each in tapped] == [{Method.CARD}] * 4
    assert methods[Channel.FPS] == {Method.QR}
    assert len(PAY_TYPES) == sum(map(len, methods.values()))
    for kind in CHANNELS.values():
        assert bool(kind.schemes) is (kind.wallet in {Wallet.CARD, Wallet.OCTOPUS})
