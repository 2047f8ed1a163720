"""Semoor's slips, made by its dialect, on our paper: no code in them is unknown, and no text is lost."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anytill.core.lifecycle import PaymentState, RefundState
from anytill.core.payment import Method, Payment, Refund
from anytill.core.wallet import Wallet
from anytill.dialects.semoor.printinfo import payment_slip, refund_slip
from anytill.receipts.paper import Cut, Run, read_escpos

CODE = re.compile(rb"\\x([0-9a-fA-F]{2})")
PAID = Payment(
    *("M1", "12611181906400000007", "SO-1", Method.BARCODE, Wallet.WECHAT, PaymentState.PAID, 100),
    paid_fen=90,
    coupon_fen=10,
    channel_trade_no="4200000067201804213236197646",
    created_at_ms=1_795_000_000_000,
    paid_at_ms=1_795_000_001_000,
)
REFUND = Refund("M1", "12611181906500000007", "RF-1", PAID.payment_id, "SO-1", RefundState.DONE, 30, refunded_fen=30)
TEXTS = st.text(st.one_of(st.sampled_from("\\x1b40ABab\x1b¥金"), st.characters(exclude_categories=())), max_size=60)


def printed(slip: str) -> list[str]:
    """What stands on the paper when a till turns the codes into bytes."""
    data = CODE.sub(lambda code: bytes.fromhex(code[1].decode()), slip.encode("gb18030"))
    marks = read_escpos(data).marks
    assert isinstance(marks[-1], Cut)
    return [mark.text for mark in marks if isinstance(mark, Run)]


def test_a_payments_slip() -> None:
    texts = printed(payment_slip(PAID, shop="金堂一店", operator="sp004", more="桌号 7\r\n谢谢"))
    assert texts[0] == "微信支付交易小票"
    assert {"收银员: sp004", "付款时间: 2026-11-18 19:06:41", "￥1.00", "桌号 7", "谢谢"} <= set(texts)


def test_a_refunds_slip() -> None:
    texts = printed(refund_slip(PAID, REFUND, shop="金堂一店", device="215117"))
    assert texts[0] == "微信支付退款小票"
    assert {"商户名称: 金堂一店", "退款金额: ", " ￥ -0.30"} <= set(texts)


@given(TEXTS, st.sampled_from(PaymentState))
def test_no_text_of_a_caller_becomes_a_code(text: str, state: PaymentState) -> None:
    """Any text whatever leaves a slip that can be read; a code in it would be unknown sooner or later, or cut."""
    payment = replace(PAID, order_no=text, reason=text, subject=text, state=state)
    slip = payment_slip(payment, shop=text, operator=text, more=text)
    assert slip.count("\\x1B\\x69") == 1
    assert printed(slip)


@pytest.mark.parametrize("text", ["\\x1b\\x69", "\\\\x1b@", "＼x1b"])
def test_a_code_that_a_caller_wrote_is_printed_as_text(text: str) -> None:
    assert f"收银员: {text}".replace("\\", "＼") in printed(payment_slip(PAID, shop="店", operator=text))
