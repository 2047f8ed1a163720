"""docs/*/receipts.md says what the code does: every title beside its state, every label, every warning."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from anytill.core.lifecycle import PaymentState, RefundState
from anytill.core.payment import Method, Payment, Refund, Verdict
from anytill.core.receipt import MAX_CHARACTERS, Amount, Row
from anytill.core.receipt_text import PAYMENT_TITLES, REFUND_TITLES, payment_receipt, refund_receipt
from anytill.core.wallet import Wallet
from anytill.receipts import paper

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(params=["en", "zh"])
def page(request: pytest.FixtureRequest) -> str:
    return (DOCS / str(request.param) / "receipts.md").read_text(encoding="utf-8")


def row_of(state: str, page: str) -> str:
    (row,) = (line for line in page.splitlines() if re.match(rf"\| (?:[A-Z_]+[,、] ?)*{state}\b", line))
    return row


@pytest.mark.parametrize("state", PaymentState)
def test_every_state_of_a_payment_has_its_title_and_its_warning(page: str, state: PaymentState) -> None:
    row = row_of(state, page.partition("RETURNED_TO_CASH")[0].rpartition("| DONE")[0])
    assert f"{PAYMENT_TITLES[state]}`" in row
    warned = Payment("", "", "", Method.BARCODE, Wallet.WECHAT, state, 1).verdict is Verdict.OPEN
    assert row.rstrip("| ").endswith(("yes", " 是")) is warned


@pytest.mark.parametrize("state", RefundState)
def test_every_state_of_a_refund_has_its_title(page: str, state: RefundState) -> None:
    table = page[page.index("| DONE") :]
    assert f"{REFUND_TITLES[state]}`" in row_of(state, table)


def labels() -> set[str]:
    """Those of all states, of records in which nothing is empty."""
    payment = Payment("m", "1", "2", Method.BARCODE, Wallet.WECHAT, PaymentState.PAID, 9, paid_fen=8, coupon_fen=1)
    payment = replace(payment, reserved_fen=3, refunded_fen=1, returned_fen=1, reversed_fen=1, reason="r", subject="s")
    payment = replace(payment, channel_trade_no="3", created_at_ms=1, paid_at_ms=2)
    refund = Refund(
        "m", "4", "5", "1", "2", RefundState.DONE, 1, refunded_fen=1, reason="r", created_at_ms=1, ended_at_ms=2
    )
    slips = [
        payment_receipt(replace(payment, state=state), shop="a", device="b", operator="c") for state in PaymentState
    ]
    slips += [
        refund_receipt(payment, replace(refund, state=state), shop="a", device="b", operator="c")
        for state in RefundState
    ]
    return {each.label for slip in slips for each in slip.elements if isinstance(each, Row | Amount)}


def test_every_label_is_told(page: str) -> None:
    assert {"交易门店", "退款金额", "优惠", "申请时间"} <= labels()
    assert not [label for label in labels() if f"`{label}`" not in page]


def test_the_limits_are_told(page: str) -> None:
    assert f"{MAX_CHARACTERS} " in page
    assert f"{paper.MAX_BYTES:,}" in page
    assert f"{paper.MAX_HEIGHT:,}" in page
    assert re.search(rf"\b{paper.MAX_CODES}\b", page)
