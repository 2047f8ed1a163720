"""No text of anybody's becomes a command of the printer's."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anytill.core.lifecycle import PaymentState, RefundState
from anytill.core.payment import Method, Payment, Refund
from anytill.core.wallet import Wallet
from anytill.dialects.semoor.printinfo import MOST_LINES, payment_slip, refund_slip

PAID = Payment(
    "demo",
    "12611181906400000001",
    "12611181906400000001",
    Method.BARCODE,
    Wallet.WECHAT,
    PaymentState.PAID,
    100,
    paid_fen=100,
    channel_trade_no="4200202611181906400000000001",
    created_at_ms=1_795_000_000_000,
    paid_at_ms=1_795_000_001_000,
)
BACK = Refund(
    "demo",
    "12611181906400000011",
    "R1",
    PAID.payment_id,
    PAID.order_no,
    RefundState.DONE,
    30,
    refunded_fen=30,
    created_at_ms=1_795_000_060_000,
    ended_at_ms=1_795_000_061_000,
)
#: All that our own lines consist of beside texts.
OURS = re.compile(r"\\x(?:1[bB]|1[cCdD]|40|21|11|10|00|01|02|4d|26|74|61|69|0d|0a)")
TEXTS = st.text(max_size=60) | st.sampled_from(
    ["\\x1b\\x70\\x00", "\\\\x1b", "\x1bp", "a\u202eb", "¥", "\r\n\\x1B\\x69"]
)


def codes(slip: str) -> list[str]:
    assert "\\" not in OURS.sub("", slip)
    return OURS.findall(slip)


@given(TEXTS, TEXTS, TEXTS, TEXTS)
def test_texts_add_no_codes_to_a_payments_slip(shop: str, operator: str, more: str, reason: str) -> None:
    payment = replace(PAID, order_no=f"N{reason}", reason=reason, subject=more)
    slip = payment_slip(payment, shop=shop, operator=operator, more=more)
    fixed = codes(payment_slip(replace(PAID, order_no="N1"), shop="", operator=""))
    extra = codes(slip)
    # Each further line has the same five codes in front; the last line of all cuts the paper.
    assert (len(extra) - len(fixed)) % 5 == 0
    assert extra[-2:] == ["\\x1B", "\\x69"]
    assert extra.count("\\x69") == 1
    assert "\u00a5" not in slip
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", slip)


@given(TEXTS, TEXTS, TEXTS)
def test_texts_add_no_codes_to_a_refunds_slip(shop: str, device: str, operator: str) -> None:
    slip = refund_slip(PAID, BACK, shop=shop, device=device, operator=operator)
    assert codes(slip) == codes(refund_slip(PAID, BACK, shop="a"))
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", slip)


def test_the_tills_own_lines_are_printed_and_bounded() -> None:
    slip = payment_slip(PAID, shop="x", more="a\r\nb\nc\rd\r\n\r\n")
    assert [line[-1] for line in slip.splitlines() if re.search(r"x02[a-d]$", line)] == ["a", "b", "c", "d"]
    long = payment_slip(PAID, shop="x", more="line\n" * 500)
    assert long.count("line") == MOST_LINES


@pytest.mark.parametrize("state", [state for state in PaymentState if state is not PaymentState.PAID])
def test_a_slip_of_what_is_not_paid_says_so(state: PaymentState) -> None:
    slip = payment_slip(replace(PAID, state=state, paid_fen=0), shop="x", reprint=True)
    assert "支付金额" not in slip
    assert "订单金额: \\x1D\\x21\\x11￥1.00" in slip


def test_a_refund_that_is_not_done_names_no_sum_as_given_back() -> None:
    slip = refund_slip(PAID, replace(BACK, state=RefundState.PROCESSING, refunded_fen=0, ended_at_ms=None), shop="x")
    assert "退款金额: \\x1D" not in slip.replace("申请退款金额", "申请")
    assert "尚未确认退款" in slip
