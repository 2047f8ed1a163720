"""`receipts`: what the till prints, line by line, as in the sample of section 2.6.1.

    -----微信支付交易小票-----
          【商户联】
    交易时间：2015-04-17 11:10:51
    交易流水：15041711103000029582
    交易金额：0.01元
    交易门店：金堂一店
    操作员：sp004

    -----微信支付交易小票-----
          【用户联】
    …

The merchant's copy comes first, then two empty lines, then the payer's. Which facts a receipt may tell is
`core.receipt_text`'s affair; this picks the sample's, in the sample's order. The table gives `receipts` 500 characters.
"""

from __future__ import annotations

from typing import Final

from anytill.core.money import CNY
from anytill.core.payment import Payment, Refund
from anytill.core.receipt import Amount, Receipt, Row, Title, printable
from anytill.core.receipt_text import COPY_NAMES, Copy, payment_receipt, refund_receipt
from anytill.wire.amounts import format_yuan

MAX_CHARACTERS: Final = 500
_MAX_SHOP: Final = 30
_INDENT: Final = " " * 6
_BETWEEN: Final = (" ", " ")
#: The sample's labels, and beside them those of refunds and coupons.
_LABELS: Final = (
    *("交易时间", "退款时间", "交易流水", "退款流水"),
    *("交易金额", "优惠", "实付金额", "已退款", "退款处理中", "待线下退还", "退款金额"),
    *("交易门店", "操作员"),
)


def of_payment(payment: Payment, *, shop: str, operator: str) -> list[str]:
    """Both copies of a paid order's receipt."""
    return _lines(payment_receipt(payment, shop=_shop(shop), operator=operator))


def of_refund(payment: Payment, refund: Refund, *, shop: str, operator: str) -> list[str]:
    """Both copies of the receipt of a refund that was done."""
    return _lines(refund_receipt(payment, refund, shop=_shop(shop), operator=operator))


def _shop(shop: str) -> str:
    return printable(shop, max_characters=_MAX_SHOP)


def _lines(receipt: Receipt) -> list[str]:
    title = ""
    told: dict[str, str] = {}
    for element in receipt.elements:
        if isinstance(element, Title):
            title = element.text
        elif isinstance(element, Row):
            told[element.label] = element.value
        elif isinstance(element, Amount):
            unit = "元" if element.currency == CNY else f" {element.currency}"
            told[element.label] = f"{format_yuan(element.amount_fen)}{unit}"
    body = [f"{label}：{told[label]}" for label in _LABELS if label in told]
    return [*_copy(title, Copy.MERCHANT, body), *_BETWEEN, *_copy(title, Copy.PAYER, body)]


def _copy(title: str, copy: Copy, body: list[str]) -> list[str]:
    return [f"-----{title}-----", f"{_INDENT}{COPY_NAMES[copy]}", *body]
