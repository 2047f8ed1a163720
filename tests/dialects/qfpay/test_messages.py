"""Requests as values, both ways; and no content whatever that is read as something it is not."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anytill.dialects.qfpay import messages
from anytill.dialects.qfpay.messages import (
    CancelRequest,
    Inquiry,
    PrintReceipt,
    PrintSummary,
    RefundRequest,
    Request,
    Trade,
)
from anytill.dialects.qfpay.words import Channel, FuncType, ScanType
from anytill.wire.errors import BadField, MissingField, WireError
from anytill.wire.jsontext import Number


def content_of(request: Request) -> dict[str, str]:
    """What a register sends for this, as a codec reads it."""
    return {
        name: value if isinstance(value, str) else Number(str(value)) for name, value in messages.write(request).items()
    }


NUMBERS = st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True)
SECONDS = st.none() | st.integers(1, messages.MAX_TIMEOUT_S)
REQUESTS = st.one_of(
    st.builds(
        Trade,
        amount_fen=st.integers(1, 9_999_999_999),
        channel=st.sampled_from(Channel),
        out_trade_no=NUMBERS | st.just(""),
        front_camera=st.booleans(),
        wait_card_timeout_s=SECONDS,
        payment_timeout_s=SECONDS,
        scan_type=st.none() | st.sampled_from(ScanType),
        move_to_back=st.booleans(),
    ),
    st.builds(
        RefundRequest,
        order_id=NUMBERS,
        amount_fen=st.none() | st.integers(1, 9_999_999_999),
        allow_modify=st.booleans(),
        move_to_back=st.booleans(),
    ),
    st.builds(PrintReceipt, NUMBERS),
    st.just(PrintSummary()),
    st.builds(Inquiry, NUMBERS, NUMBERS | st.just("")),
    st.just(CancelRequest()),
)


@given(REQUESTS)
def test_what_is_written_is_read(request: Request) -> None:
    assert messages.read(content_of(request)) == request


@given(
    st.dictionaries(
        st.sampled_from(
            [
                *("amt", "channel", "func_type", "out_trade_no", "camera_id", "scan_type", "orderId", "refund_amount"),
                *("wait_card_timeout", "payment_timeout", "moveToBack", "allow_modify_flag", "x"),
            ]
        ),
        st.text(max_size=70) | st.sampled_from([*FuncType, *Channel, *ScanType, "0", "1", "0.01", "100"]),
    )
)
def test_any_content_is_a_request_or_an_error_of_the_wire(content: dict[str, str]) -> None:
    with suppress(WireError):
        request = messages.read(content)
        assert messages.read(content_of(request)) == request


def test_the_documents_samples() -> None:
    trade = {"amt": Number("100"), "camera_id": Number("0"), "channel": "card_payment", "func_type": Number("1001")}
    trade |= {"moveToBack": Number("1"), "out_trade_no": "456799999999", "wait_card_timeout": Number("120")}
    assert messages.read({**trade, "scan_type": "SCAN_PAY"}) == Trade(
        10_000,
        Channel.CARD_PAYMENT,
        "456799999999",
        wait_card_timeout_s=120,
        scan_type=ScanType.SCAN_PAY,
        move_to_back=True,
    )
    refund = {"allow_modify_flag": "1", "func_type": "1002", "moveToBack": "1", "orderId": "order_id"}
    assert messages.read({**refund, "refund_amount": "0.05"}) == RefundRequest("order_id", 5, True, True)
    assert messages.read({"orderId": "12345678", "func_type": "3001"}) == PrintReceipt("12345678")
    assert messages.read({"func_type": "3002"}) == PrintSummary()
    assert messages.read({"orderId": "12345678", "func_type": "4001"}) == Inquiry("12345678")
    assert messages.read({"func_type": "5001"}) == CancelRequest()


@pytest.mark.parametrize(
    ("content", "fault", "field"),
    [
        ({}, MissingField, "func_type"),
        ({"func_type": "9"}, BadField, "func_type"),
        ({"func_type": "1001", "channel": "wx"}, MissingField, "amt"),
        ({"func_type": "1001", "amt": "1"}, MissingField, "channel"),
        ({"func_type": "1001", "amt": "1", "channel": "WX"}, BadField, "channel"),
        ({"func_type": "1001", "amt": "1.001", "channel": "wx"}, BadField, "amt"),
        ({"func_type": "1002"}, MissingField, "orderId"),
        ({"func_type": "3001", "orderId": ""}, MissingField, "orderId"),
        ({"func_type": "4001"}, MissingField, "orderId"),
    ],
)
def test_what_is_wrong_is_named(content: dict[str, Any], fault: type[WireError], field: str) -> None:
    with pytest.raises(fault) as caught:
        messages.read(content)
    assert caught.value.field == field
