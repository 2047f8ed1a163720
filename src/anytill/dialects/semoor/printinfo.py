"""Slips of paper: a receipt's elements as the lines of `printinfo`, the printer's codes written out as text.

    \\x1b\\x40\\x1D\\x21\\x11\\x1b\\x4d\\x02 title          \\x1b\\x40\\x1c\\x26\\x1b\\x74\\x00
    \\x1D\\x21\\x00                                         \\x1b\\x61\\x01\\x1D\\x21\\x10 title
    \\x1b\\x40\\x1b\\x4d\\x02 -----                         \\x1b\\x40 label: value
    \\x1b\\x40\\x1b\\x4d\\x02 label: value                  label: value
    …                                                       …

The left one is a payment's slip, also when it is printed again, the right one a refund's; both follow the document's
samples line by line as far as they can be read (3.1, 3.3, 3.5). The till turns `\\x1b` into the byte and sends the
lines to its printer, so a text of the caller's must never form such a code: its backslashes become full-width ones,
and control characters were dropped by the receipt. What a receipt says is `core.receipt_text`'s; which of its rows the
slip has, and what it calls them, is the two tables here.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Final

from anytill.core import columns
from anytill.core.money import CNY
from anytill.core.payment import Payment, Refund
from anytill.core.receipt import Amount, Receipt, Row, Rule, Space, Text, Title, printable
from anytill.core.receipt_text import payment_receipt, refund_receipt
from anytill.dialects.semoor.messages import DM
from anytill.wire.amounts import format_yuan

COLUMNS: Final = 32
_LINE: Final = r"\x1b\x40\x1b\x4d\x02"
_BLANK: Final = r"\x1b\x40"
_CUT: Final = r"\x1B\x69"
_RULE: Final = columns.rule(COLUMNS)
_SIGN_HERE: Final = "客户签名: "
_FULL_WIDTH_BACKSLASH: Final = "\uff3c"
#: More than fit a slip; the document's own sample has four.
MOST_LINES: Final = 60
_LINE_ENDS: Final = re.compile(r"\r\n|\r|\n")

#: The receipt's name for a row -> the slip's; rows that are not here are left out, as in the samples.
_PAYMENT_ROWS: Final[Mapping[str, str]] = {
    "操作员": "收银员",
    "交易流水": "交易单号",
    "商户单号": "商户单号",
    "交易时间": "付款时间",
    "下单时间": "下单时间",
    "原因": "原因",
}
_REFUND_ROWS: Final[Mapping[str, str]] = {
    "交易门店": "商户名称",
    "交易流水": "订单编号",
    "操作员": "收银员",
    "设备编号": "设备编号",
    "渠道单号": "付款单号",
    "交易时间": "付款时间",
    "退款时间": "退款时间",
    "申请时间": "申请时间",
}
_AFTER_THE_SUM: Final = ("退款时间", "申请时间")
_AMOUNTS: Final[Mapping[str, str]] = {"交易金额": "支付金额"}
_REFUND_AMOUNTS: Final[Mapping[str, str]] = {"交易金额": "付款金额"}


def payment_slip(payment: Payment, *, shop: str, operator: str = "", more: str = "", reprint: bool = False) -> str:
    """A payment's slip as it stands; `more` is the till's own text, printed line by line."""
    receipt = payment_receipt(payment, shop=shop, operator=operator, reprint=reprint)
    left_out = {"商户单号"} if payment.order_no == payment.payment_id else set()
    lines = [*_payment_lines(receipt, left_out), *(f"{_LINE}{_plain(line)}" for line in _more(more))]
    return "\n".join([*lines, f"{_LINE}{_RULE}", rf"\x1b\x4d\x02{_SIGN_HERE}", "", _CUT])


def refund_slip(payment: Payment, refund: Refund, *, shop: str, device: str = "", operator: str = "") -> str:
    """A refund's slip."""
    receipt = refund_receipt(payment, refund, shop=shop, device=device, operator=operator)
    lines = [r"\x1b\x40\x1c\x26\x1b\x74\x00", *_refund_lines(receipt)]
    return "\n".join([*lines, rf"\x1b\x40{_RULE}", _SIGN_HERE, r"\x0d\x0a", r"\x0d\x0a", _CUT])


def _payment_lines(receipt: Receipt, left_out: Collection[str]) -> Iterator[str]:
    rules = 0
    for element in receipt.elements:
        match element:
            case Row():
                if (name := _PAYMENT_ROWS.get(element.label)) and element.label not in left_out:
                    yield f"{_LINE}{name}: {_plain(element.value)}"
                    if element.label == "交易流水":
                        yield _BLANK
            case Amount():
                name, size = _AMOUNTS.get(element.label, element.label), r"\x1D\x21\x11" if element.big else ""
                yield f"{_LINE}{name}: {size}{_sum(element.amount_fen, element.currency)}"
            case Rule():
                # The samples rule off the title, and leave two lines free before the sums.
                yield from (_BLANK, _BLANK) if rules else (f"{_LINE}{_RULE}",)
                rules += 1
            case Title():
                yield rf"\x1b\x40\x1D\x21\x11\x1b\x4d\x02{_plain(element.text)}"
                yield r"\x1D\x21\x00"
            case Text():
                yield f"{_LINE}{_plain(element.text)}"
            case Space():
                yield _BLANK


def _refund_lines(receipt: Receipt) -> Iterator[str]:
    """The rows in the sample's order: what was paid, then when and how much went back."""
    known = {each.label: each for each in receipt.elements if isinstance(each, Row)}
    rows = [known[label] for label in _REFUND_ROWS if label in known]
    late = [row for row in rows if row.label in _AFTER_THE_SUM]
    paid, *back = (each for each in receipt.elements if isinstance(each, Amount))
    (title,) = (each.text for each in receipt.elements if isinstance(each, Title))
    yield rf"\x1b\x61\x01\x1D\x21\x10{_plain(title)}"
    yield from _refund_rows([row for row in rows if row not in late], r"\x1b\x40")
    yield f"{_REFUND_AMOUNTS[paid.label]}: {format_yuan(paid.amount_fen)}"
    yield from _refund_rows(late, "")
    for amount in back:
        yield rf"{amount.label}: \x1D\x21\x01 {_sum(amount.amount_fen, amount.currency, minus=True)}"
    yield from (rf"\x1b\x40{_plain(each.text)}" for each in receipt.elements if isinstance(each, Text))


def _refund_rows(rows: Iterable[Row], first: str) -> Iterator[str]:
    for row in rows:
        prefix = DM if row.label == "交易流水" else ""
        yield f"{first}{_REFUND_ROWS[row.label]}: {prefix}{_plain(row.value)}"
        first = ""


def _more(text: str) -> list[str]:
    """The till's own lines, cleaned; what is too many is left out."""
    lines = [printable(line) for line in _LINE_ENDS.split(text)]
    while lines and not lines[-1]:
        lines.pop()
    return lines[:MOST_LINES]


def _plain(text: str) -> str:
    return text.replace("\\", _FULL_WIDTH_BACKSLASH)


def _sum(amount_fen: int, currency: str, *, minus: bool = False) -> str:
    sign = "\uffe5" if currency == CNY else f"{_plain(currency)} "
    gap = " " if minus else ""
    return f"{sign}{gap}{format_yuan(-amount_fen if minus else amount_fen)}"
