"""Receipts tell the truth about every state, and hold nothing that could command a printer."""

from __future__ import annotations

from dataclasses import replace
from unicodedata import category

import pytest
from hypothesis import given

from anytill.core.lifecycle import OPEN_REFUND_STATES, PaymentState, RefundState
from anytill.core.payment import Method, Payment, Refund, Verdict
from anytill.core.receipt import Amount, Receipt, Row, Rule, Space, Text, Title, printable
from anytill.core.receipt_text import (
    COPY_NAMES,
    OPEN_REFUND_WARNING,
    OPEN_WARNING,
    PAYMENT_TITLES,
    REFUND_TITLES,
    WALLET_NAMES,
    Copy,
    payment_receipt,
    refund_receipt,
    summary_receipt,
)
from anytill.core.takings import Takings
from anytill.core.wallet import Wallet
from tests.core.test_receipt import ANY_TEXT

AT_MS = 1_795_000_000_000  # 2026-11-18 19:06:40 in Beijing
PAID = Payment(
    "M1",
    "12611181906400000007",
    "SO-1",
    Method.BARCODE,
    Wallet.WECHAT,
    PaymentState.PAID,
    100,
    paid_fen=90,
    coupon_fen=10,
    subject="拿铁",
    channel_trade_no="4200000067201804213236197646",
    created_at_ms=AT_MS - 2_000,
    paid_at_ms=AT_MS,
)
WAITING = replace(PAID, state=PaymentState.WAITING, paid_fen=0, coupon_fen=0, paid_at_ms=None)
DONE = Refund(
    "M1",
    "12611181906500000007",
    "RF-1",
    PAID.payment_id,
    "SO-1",
    RefundState.DONE,
    30,
    refunded_fen=30,
    reason="退货",
    created_at_ms=AT_MS + 10_000,
    ended_at_ms=AT_MS + 20_000,
)


def rows(receipt: Receipt) -> dict[str, str]:
    return {element.label: element.value for element in receipt.elements if isinstance(element, Row)}


def amounts(receipt: Receipt) -> dict[str, int]:
    return {element.label: element.amount_fen for element in receipt.elements if isinstance(element, Amount)}


def texts(receipt: Receipt) -> list[str]:
    return [element.text for element in receipt.elements if isinstance(element, Text)]


def title(receipt: Receipt) -> str:
    first = receipt.elements[0]
    assert isinstance(first, Title)
    return first.text


def test_a_paid_receipt_says_who_when_and_how_much() -> None:
    receipt = payment_receipt(PAID, shop="金堂一店", device="215117", operator="sp004", copy=Copy.MERCHANT)
    assert title(receipt) == "微信支付交易小票"
    assert texts(receipt) == ["【商户联】"]
    assert rows(receipt) == {
        "交易门店": "金堂一店",
        "设备编号": "215117",
        "操作员": "sp004",
        "支付方式": "微信支付",
        "商户单号": "SO-1",
        "交易流水": PAID.payment_id,
        "渠道单号": "4200000067201804213236197646",
        "交易时间": "2026-11-18 19:06:40",
        "商品": "拿铁",
    }
    assert amounts(receipt) == {"交易金额": 100, "优惠": 10, "实付金额": 90}


def test_what_is_empty_is_left_out() -> None:
    plain = replace(PAID, coupon_fen=0, paid_fen=100, subject="", channel_trade_no="")
    receipt = payment_receipt(plain, shop="\u200b")
    assert list(rows(receipt)) == ["支付方式", "商户单号", "交易流水", "交易时间"]
    assert amounts(receipt) == {"交易金额": 100}
    assert texts(receipt) == []


@pytest.mark.parametrize("copy", Copy)
def test_copies_and_reprints_are_marked(copy: Copy) -> None:
    assert texts(payment_receipt(PAID, shop="店", copy=copy, reprint=True)) == [COPY_NAMES[copy], "（重打印）"]
    assert texts(refund_receipt(PAID, DONE, shop="店", copy=copy, reprint=True)) == [COPY_NAMES[copy], "（重打印）"]


@pytest.mark.parametrize("wallet", Wallet)
def test_every_wallet_has_its_name(wallet: Wallet) -> None:
    assert title(payment_receipt(replace(PAID, wallet=wallet), shop="店")) == f"{WALLET_NAMES[wallet]}交易小票"


@pytest.mark.parametrize("state", PaymentState)
def test_only_a_paid_payment_looks_like_one(state: PaymentState) -> None:
    payment = replace(WAITING, state=state, reason="余额不足") if state is not PaymentState.PAID else PAID
    receipt = payment_receipt(payment, shop="店")
    paid = state is PaymentState.PAID
    assert title(receipt) == ("微信支付交易小票" if paid else PAYMENT_TITLES[state])
    assert "成功" not in title(receipt)
    assert ("交易小票" in title(receipt)) is paid
    assert ("交易金额" in amounts(receipt)) is paid
    assert ("订单金额" in amounts(receipt)) is not paid
    assert ("交易时间" in rows(receipt)) is paid
    assert (OPEN_WARNING in texts(receipt)) is (payment.verdict is Verdict.OPEN)
    assert ("原因" in rows(receipt)) is (payment.verdict is Verdict.NOT_PAID)


def test_an_unpaid_ending_says_unpaid() -> None:
    assert "未支付" in PAYMENT_TITLES[PaymentState.FAILED]
    assert "未支付" in PAYMENT_TITLES[PaymentState.CLOSED]
    assert "未支付" in PAYMENT_TITLES[PaymentState.WAITING]
    # The payer may have paid a cancelled order, and have it back.
    assert "未支付" not in PAYMENT_TITLES[PaymentState.CANCELLED]


def test_money_that_is_where_it_should_not_be_is_told() -> None:
    parked = replace(WAITING, state=PaymentState.PARKED, parked_fen=250)
    assert amounts(payment_receipt(parked, shop="店")) == {"订单金额": 100, "渠道已收": 250}
    reversing = replace(PAID, state=PaymentState.REVERSING)
    assert amounts(payment_receipt(reversing, shop="店")) == {"订单金额": 100, "渠道已收": 90}
    cancelled = replace(PAID, state=PaymentState.CANCELLED, reversed_fen=90)
    assert amounts(payment_receipt(cancelled, shop="店")) == {"订单金额": 100, "已退回付款人": 90}


def test_what_went_back_of_a_paid_payment_is_told_in_three_kinds() -> None:
    payment = replace(PAID, reserved_fen=60, refunded_fen=30, returned_fen=10)
    told = amounts(payment_receipt(payment, shop="店"))
    assert (told["已退款"], told["退款处理中"], told["待线下退还"]) == (30, 20, 10)


def test_a_refund_that_is_done_names_what_went_back() -> None:
    receipt = refund_receipt(PAID, DONE, shop="金堂一店", device="215117", operator="sp004")
    assert title(receipt) == "微信支付退款小票"
    assert rows(receipt) == {
        "交易门店": "金堂一店",
        "设备编号": "215117",
        "操作员": "sp004",
        "支付方式": "微信支付",
        "商户单号": "SO-1",
        "交易流水": PAID.payment_id,
        "渠道单号": "4200000067201804213236197646",
        "退款单号": "RF-1",
        "退款流水": DONE.refund_id,
        "交易时间": "2026-11-18 19:06:40",
        "退款时间": "2026-11-18 19:07:00",
    }
    assert amounts(receipt) == {"交易金额": 100, "退款金额": 30}


@pytest.mark.parametrize("state", [state for state in RefundState if state is not RefundState.DONE])
def test_a_refund_that_is_not_done_names_only_what_was_asked(state: RefundState) -> None:
    refund = replace(DONE, state=state, refunded_fen=0)
    receipt = refund_receipt(PAID, refund, shop="店")
    assert title(receipt) == REFUND_TITLES[state]
    assert "小票" not in title(receipt)
    assert amounts(receipt) == {"交易金额": 100, "申请退款金额": 30}
    assert "退款时间" not in rows(receipt)
    assert rows(receipt)["申请时间"] == "2026-11-18 19:06:50"
    open_still = state in OPEN_REFUND_STATES
    assert (OPEN_REFUND_WARNING in texts(receipt)) is open_still
    assert (title(receipt) == "退款处理中") is open_still


def test_a_refund_of_another_payment_has_no_receipt() -> None:
    with pytest.raises(ValueError, match="belongs"):
        refund_receipt(PAID, replace(DONE, payment_id="12611181906400000008"), shop="店")


@given(ANY_TEXT)
def test_no_field_of_a_payment_or_refund_gets_through_unclean(text: str) -> None:
    payment = replace(WAITING, state=PaymentState.FAILED, order_no=text, channel_trade_no=text, subject=text)
    payment = replace(payment, payment_id=text, reason=text, attach=text)
    refund = replace(DONE, state=RefundState.FAILED, refund_no=text, refund_id=text, payment_id=text, reason=text)
    for receipt in (
        payment_receipt(payment, shop=text, device=text, operator=text),
        refund_receipt(payment, refund, shop=text, device=text, operator=text),
    ):
        for element in receipt.elements:
            assert isinstance(element, Title | Row | Amount | Text | Rule | Space)
            if isinstance(element, Row):
                assert element.value == printable(element.value)
                assert not {"Cc", "Cf", "Cs"} & set(map(category, element.value))


TAKEN = Takings(Method.BARCODE, Wallet.WECHAT, "", 2, 300, 290, 1, 100)


def test_a_summary_adds_up_and_says_from_when_to_when() -> None:
    tapped = Takings(Method.CARD, Wallet.CARD, "amex_card", 1, 5_000, 5_000, 0, 0)
    receipt = summary_receipt(
        [("微信", TAKEN), ("卡", tapped)],
        shop="店",
        device="T1",
        currency="HKD",
        since_ms=AT_MS,
        until_ms=AT_MS + 1_000,
    )
    sums = [(each.label, each.amount_fen) for each in receipt.elements if isinstance(each, Amount)]
    assert sums == [
        *(("收款金额", 300), ("其中优惠", 10), ("退款金额", 100)),
        *(("收款金额", 5_000), ("退款金额", 0)),
        *(("收款金额", 5_300), ("其中优惠", 10), ("退款金额", 100), ("净额", 5_200)),
    ]
    assert {each.currency for each in receipt.elements if isinstance(each, Amount)} == {"HKD"}
    rows = {each.label: each.value for each in receipt.elements if isinstance(each, Row)}
    assert (rows["交易门店"], rows["设备编号"]) == ("店", "T1")
    assert (rows["起始时间"], rows["截止时间"]) == ("2026-11-18 19:06:40", "2026-11-18 19:06:41")


def test_more_may_go_back_on_a_day_than_came_in() -> None:
    given = replace(TAKEN, payments=0, amount_fen=0, paid_fen=0)
    receipt = summary_receipt([("微信", given)], shop="", currency="CNY", since_ms=AT_MS, until_ms=AT_MS)
    assert receipt.elements[-1] == Amount("净额", -100, big=True)
