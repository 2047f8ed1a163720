"""What the receipts of a payment, of a refund and of a till's takings say: which lines, in which order, in whose words.

A receipt tells only what is known. Its title names the state, and "paid" or "given back" is said of nothing else than
PAID and DONE; what the payer gave and what a coupon gave stand apart.

Its texts are Chinese, as on the vendors' own slips (Semoor V4.0 `printinfo`, YST 1.3.1 section 2.6 `receipts`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from functools import lru_cache
from typing import Final

from anytill.core.ids import beijing
from anytill.core.lifecycle import OPEN_REFUND_STATES, PaymentState, RefundState
from anytill.core.payment import Method, Payment, Refund, Verdict
from anytill.core.receipt import Amount, Element, Receipt, Row, Rule, Space, Text, Title
from anytill.core.takings import Takings
from anytill.core.wallet import Wallet


class Copy(StrEnum):
    """For whom the receipt is."""

    MERCHANT = "merchant"
    PAYER = "payer"


WALLET_NAMES: Final[Mapping[Wallet, str]] = {
    Wallet.WECHAT: "微信支付",
    Wallet.ALIPAY: "支付宝",
    Wallet.UNIONPAY: "银联支付",
    Wallet.QQ: "QQ钱包",
    Wallet.JDPAY: "京东支付",
    Wallet.BESTPAY: "翼支付",
    Wallet.PAYME: "PayMe",
    Wallet.FPS: "转数快",
    Wallet.OCTOPUS: "八达通",
    Wallet.CARD: "银行卡",
}
COPY_NAMES: Final[Mapping[Copy, str]] = {Copy.MERCHANT: "【商户联】", Copy.PAYER: "【用户联】"}

#: That of PAID stands after the wallet's name. Every other says that the merchant does not have the money for good.
PAYMENT_TITLES: Final[Mapping[PaymentState, str]] = {
    PaymentState.SUBMITTED: "支付中（未确认）",
    PaymentState.WAITING: "等待付款（未支付）",
    PaymentState.UNKNOWN: "支付结果待确认",
    PaymentState.PAID: "交易小票",
    PaymentState.FAILED: "支付失败（未支付）",
    PaymentState.CLOSED: "订单已关闭（未支付）",
    PaymentState.CANCELLING: "订单撤销中",
    PaymentState.REVERSING: "订单撤销中（退回中）",
    PaymentState.CANCELLED: "订单已撤销（未成交）",
    PaymentState.PARKED: "金额不符（待核对）",
}
REFUND_TITLES: Final[Mapping[RefundState, str]] = {
    RefundState.SUBMITTED: "退款处理中",
    RefundState.PROCESSING: "退款处理中",
    RefundState.UNKNOWN: "退款处理中",
    RefundState.DONE: "退款小票",
    RefundState.FAILED: "退款失败（未退款）",
    RefundState.RETURNED_TO_CASH: "退款未到账（须线下退还）",
}
#: What else stands on the receipt of a card (`core.answer`).
_SLIP_LABELS: Final[Mapping[str, str]] = {
    "scheme": "卡组织",
    "batch_no": "批次号",
    "trace_no": "凭证号",
    "auth_code": "授权码",
}
SUMMARY_TITLE: Final = "交易汇总"
SUMMARY_TOTAL: Final = "合计"
NOTHING_TAKEN: Final = "无交易"
OPEN_WARNING: Final = "尚未确认收款，请勿凭此单交付商品"
OPEN_REFUND_WARNING: Final = "尚未确认退款，请勿凭此单另付现金"


def beijing_time(at_ms: int) -> str:
    """`2026-11-21 09:05:30`, Beijing time."""
    return _second(at_ms // 1_000)


@lru_cache(maxsize=1_024)
def _second(at_s: int) -> str:
    return beijing(at_s * 1_000).strftime("%Y-%m-%d %H:%M:%S")


def payment_receipt(
    payment: Payment,
    *,
    shop: str,
    device: str = "",
    operator: str = "",
    copy: Copy | None = None,
    reprint: bool = False,
) -> Receipt:
    """The receipt of a payment as it stands: what is not paid says so in its title. `shop` is the shop's name."""
    return Receipt(
        (
            *_head(
                _title(payment, PAYMENT_TITLES[payment.state], done=payment.verdict is Verdict.PAID),
                copy,
                reprint=reprint,
            ),
            *_rows(
                ("交易门店", shop),
                ("设备编号", device),
                ("操作员", operator),
                ("支付方式", WALLET_NAMES[payment.wallet]),
                *_card(payment),
                ("商户单号", payment.order_no),
                ("交易流水", payment.payment_id),
                ("渠道单号", payment.channel_trade_no),
                _moment(payment),
                ("商品", payment.subject),
                ("原因", payment.reason if payment.verdict is Verdict.NOT_PAID else ""),
            ),
            Rule(),
            *_sums(payment),
            *_warning(OPEN_WARNING, needed=payment.verdict is Verdict.OPEN),
        )
    )


def refund_receipt(
    payment: Payment,
    refund: Refund,
    *,
    shop: str,
    device: str = "",
    operator: str = "",
    copy: Copy | None = None,
    reprint: bool = False,
) -> Receipt:
    """The receipt of a refund of this payment as it stands: only one that is DONE names a sum as given back.

    Raises ValueError for a refund of another payment.
    """
    if refund.payment_id != payment.payment_id:
        raise ValueError("a refund's receipt needs the payment that it belongs to")
    done = refund.state is RefundState.DONE
    ended_at_ms = refund.ended_at_ms if done else None
    asked = Amount("申请退款金额", refund.amount_fen, refund.currency, big=not done)
    back = Amount("退款金额", refund.refunded_fen, refund.currency, big=True)
    return Receipt(
        (
            *_head(_title(payment, REFUND_TITLES[refund.state], done=done), copy, reprint=reprint),
            *_rows(
                ("交易门店", shop),
                ("设备编号", device),
                ("操作员", operator),
                ("支付方式", WALLET_NAMES[payment.wallet]),
                *_card(payment),
                ("商户单号", refund.order_no),
                ("交易流水", refund.payment_id),
                ("渠道单号", payment.channel_trade_no),
                ("退款单号", refund.refund_no),
                ("退款流水", refund.refund_id),
                ("交易时间", _time(payment.paid_at_ms)),
                ("退款时间", _time(ended_at_ms)),
                ("申请时间", "" if done else _time(refund.created_at_ms)),
                ("原因", "" if done else refund.reason),
            ),
            Rule(),
            Amount("交易金额", payment.amount_fen, payment.currency),
            *([back] if done else [asked]),
            *_warning(OPEN_REFUND_WARNING, needed=refund.state in OPEN_REFUND_STATES),
        )
    )


def summary_receipt(
    lines: Sequence[tuple[str, Takings]],
    *,
    shop: str,
    currency: str,
    since_ms: int,
    until_ms: int,
    device: str = "",
) -> Receipt:
    """What a till took and gave back in some time: a block for each line, under its name, and the sums of them all."""
    body = [element for name, takings in lines for element in _takings(name, takings, currency)]
    total = Takings(
        Method.BARCODE,
        Wallet.WECHAT,
        payments=sum(each.payments for _, each in lines),
        amount_fen=sum(each.amount_fen for _, each in lines),
        paid_fen=sum(each.paid_fen for _, each in lines),
        refunds=sum(each.refunds for _, each in lines),
        refunded_fen=sum(each.refunded_fen for _, each in lines),
    )
    return Receipt(
        (
            *_head(SUMMARY_TITLE, None, reprint=False),
            *_rows(
                ("交易门店", shop),
                ("设备编号", device),
                ("起始时间", beijing_time(since_ms)),
                ("截止时间", beijing_time(until_ms)),
            ),
            *(body or (Rule(), Text(NOTHING_TAKEN, centred=True))),
            *_takings(SUMMARY_TOTAL, total, currency),
            Amount("净额", total.amount_fen - total.refunded_fen, currency, big=True),
        )
    )


def _takings(name: str, takings: Takings, currency: str) -> Iterator[Element]:
    yield Rule()
    yield Text(name)
    yield Row("收款笔数", str(takings.payments))
    yield Amount("收款金额", takings.amount_fen, currency)
    if takings.amount_fen != takings.paid_fen:
        yield Amount("其中优惠", takings.amount_fen - takings.paid_fen, currency)
    yield Row("退款笔数", str(takings.refunds))
    yield Amount("退款金额", takings.refunded_fen, currency)


def _title(payment: Payment, words: str, *, done: bool) -> str:
    return f"{WALLET_NAMES[payment.wallet]}{words}" if done else words


def _card(payment: Payment) -> Iterator[tuple[str, str]]:
    if payment.method is not Method.CARD:
        return
    yield "卡号", payment.code_hint
    for name, label in _SLIP_LABELS.items():
        yield label, payment.slip.get(name, "")


def _head(title: str, copy: Copy | None, *, reprint: bool) -> Iterator[Element]:
    yield Title(title)
    if copy is not None:
        yield Text(COPY_NAMES[copy], centred=True)
    if reprint:
        yield Text("（重打印）", centred=True)
    yield Rule()


def _rows(*rows: tuple[str, str]) -> Iterator[Row]:
    """Those that have a value when it is cleaned."""
    return (row for row in (Row(label, value) for label, value in rows if value) if row.value)


def _time(at_ms: int | None) -> str:
    return beijing_time(at_ms) if at_ms else ""


def _moment(payment: Payment) -> tuple[str, str]:
    """When it was paid, if the merchant has the money; else when it was asked for."""
    if payment.verdict is Verdict.PAID:
        return "交易时间", _time(payment.paid_at_ms or payment.created_at_ms)
    return "下单时间", _time(payment.created_at_ms)


def _sums(payment: Payment) -> Iterator[Amount]:
    """What was asked for, and where each part of it is now. The only sums that are told are those that moved."""
    paid = payment.verdict is Verdict.PAID
    yield Amount("交易金额" if paid else "订单金额", payment.amount_fen, payment.currency, big=True)
    moved = {
        "优惠": payment.coupon_fen if paid else 0,
        "实付金额": payment.paid_fen if paid and payment.coupon_fen else 0,
        "渠道已收": payment.paid_fen + payment.parked_fen if payment.verdict is Verdict.OPEN else 0,
        "已退款": payment.refunded_fen,
        "退款处理中": payment.reserved_fen - payment.refunded_fen - payment.returned_fen,
        "待线下退还": payment.returned_fen,
        "已退回付款人": payment.reversed_fen,
    }
    for label, amount_fen in moved.items():
        if amount_fen > 0:
            yield Amount(label, amount_fen, payment.currency)


def _warning(sentence: str, *, needed: bool) -> Iterator[Element]:
    if needed:
        yield Space()
        yield Text(sentence, centred=True)
