"""The client's ear: notices of payments and of refunds, as our own terminal tells them and as others do."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anytill.core.lifecycle import PaymentState, RefundState
from anytill.core.payment import Method, Payment, Refund, Verdict
from anytill.dialects.qfpay.client import Client
from anytill.wire.errors import BadSignature, WireError
from anytill.wire.http import HttpRequest
from tests.dialects.qfpay.scripted import POS_KEY, SYSSN, Scripted

NAMES = ("status", "notify_type", "respcd", "syssn", "orig_syssn", "txamt", "txcurrcd", "pay_type", "paydtm")


def client(notify_key: str = "notify-key") -> Client:
    return Client({"pos_key": POS_KEY, "notify_key": notify_key}, Scripted())


def notice(**changes: str) -> HttpRequest:
    fields = {
        "status": "1", "notify_type": "payment", "respcd": "0000", "syssn": SYSSN, "out_trade_no": "N1",
        "txamt": "100", "txcurrcd": "HKD", "pay_type": "800201", "paydtm": "2026-11-21 16:05:30", "cancel": "0",
        **changes,
    }  # fmt: skip
    return signed(json.dumps(fields).encode())


def signed(body: bytes, key: str = "notify-key") -> HttpRequest:
    sign = hashlib.md5(body + key.encode(), usedforsecurity=False).hexdigest().upper()
    return HttpRequest("POST", "/n", "", {"x-qf-sign": sign, "content-type": "application/json"}, body, "127.0.0.1")


def test_a_notice_is_heard() -> None:
    payment, answer = client().hear(notice())
    assert isinstance(payment, Payment)
    assert (payment.order_no, payment.payment_id, payment.verdict) == ("N1", SYSSN, Verdict.PAID)
    assert (payment.amount_fen, payment.paid_fen, payment.method) == (100, 100, Method.QR)
    assert (answer.status, answer.body) == (200, b"SUCCESS")


def refund_notice(**changes: str) -> HttpRequest:
    """As a published receiver's own tests have it, recorded at a terminal: neither pay type nor channel's number."""
    fields = {
        "status": "1", "sysdtm": "2026-11-21 17:51:34", "txcurrcd": "HKD", "orig_out_trade_no": "N1",
        "mchid": "M1", "txdtm": "2026-11-21 17:51:34", "txamt": "40", "orig_syssn": SYSSN,
        "out_trade_no": "2cccf6c02d4835bd", "syssn": "R1", "respcd": "0000", "notify_type": "cancel", **changes,
    }  # fmt: skip
    return signed(json.dumps(fields).encode())


@pytest.mark.parametrize("kind", ["refund", "cancel"])
def test_a_notice_of_a_refund_is_heard_and_is_no_payment(kind: str) -> None:
    refund, answer = client().hear(refund_notice(notify_type=kind))
    asked_at_ms = 1_795_254_694_000  # 2026-11-21 17:51:34 in Hong Kong
    expected = Refund(
        "", "R1", "", SYSSN, "N1", RefundState.DONE, 40,
        currency="HKD", refunded_fen=40, created_at_ms=asked_at_ms, ended_at_ms=asked_at_ms,
    )  # fmt: skip
    assert (refund, answer.body) == (expected, b"SUCCESS")
    told = {"paydtm": "2026-11-21 17:51:40", "chnlsn": "W7", "pay_type": "800208"}
    refund, _ = client().hear(refund_notice(notify_type=kind, **told))
    assert refund == replace(expected, channel_refund_no="W7", ended_at_ms=asked_at_ms + 6_000)


def test_a_refunds_own_number_is_not_taken_for_its_payments() -> None:
    refund, _ = client().hear(refund_notice(orig_out_trade_no=""))
    assert (refund.order_no, refund.payment_id) == ("", SYSSN)


def test_a_notice_must_be_signed() -> None:
    good = notice()
    bad = [
        HttpRequest("POST", "/n", "", {}, good.body, ""),
        HttpRequest("POST", "/n", "", {"x-qf-sign": "0" * 32}, good.body, ""),
        HttpRequest("POST", "/n", "", good.headers, good.body + b" ", ""),
        signed(good.body, "other"),
        signed(good.body, ""),
    ]
    for request in bad:
        with pytest.raises(BadSignature):
            client().hear(request)
    # A terminal without a notification key signs with its own.
    plain = client(notify_key="")
    with pytest.raises(BadSignature):
        plain.hear(signed(good.body, ""))
    assert plain.hear(signed(good.body, POS_KEY))[0].order_no == "N1"


@pytest.mark.parametrize(
    "changes",
    [
        {"status": "0"}, {"respcd": "1145"}, {"txamt": "0"}, {"txamt": ""}, {"txamt": "1.00"}, {"syssn": ""},
        {"pay_type": "1"}, {"notify_type": "other"}, {"txcurrcd": "USD"}, {"notify_type": "refund"},
        {"notify_type": ""},
    ],
)  # fmt: skip
def test_a_notice_that_says_nothing_clear_is_refused(changes: dict[str, str]) -> None:
    with pytest.raises(WireError):
        client().hear(notice(**changes))
    for body in (b"", b"[]", b'{"status":"1","status":"1"}'):
        with pytest.raises(WireError):
            client().hear(signed(body))


@pytest.mark.parametrize(
    "changes",
    [
        {"status": "0"}, {"respcd": "1145"}, {"txamt": "0"}, {"txamt": ""}, {"txamt": "-40"}, {"syssn": ""},
        {"orig_syssn": ""}, {"notify_type": "payment", "pay_type": "800208"}, {"txcurrcd": "USD"},
    ],
)  # fmt: skip
def test_a_notice_of_a_refund_that_says_nothing_clear_is_refused(changes: dict[str, str]) -> None:
    with pytest.raises(WireError):
        client().hear(refund_notice(**changes))


@given(
    st.sampled_from(["payment", "refund", "cancel"]),
    st.dictionaries(st.sampled_from(NAMES), st.text(max_size=8) | st.none() | st.integers() | st.just([])),
)
def test_any_signed_notice_is_read_or_refused(kind: str, fields: dict[str, object]) -> None:
    good = json.loads((notice() if kind == "payment" else refund_notice(notify_type=kind)).body)
    with suppress(WireError):
        told, _ = client().hear(signed(json.dumps(good | fields).encode()))
        assert told.payment_id
        assert isinstance(told, Payment) is (told.state is PaymentState.PAID)
