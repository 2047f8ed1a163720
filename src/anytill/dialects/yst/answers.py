"""From payments and refunds to the fields of an answer, each in the order of the samples.

A payment that is not paid is told without anything that looks like money received, a refund that is not done without
anything that looks like money given back; only their own sums are told. The two sums that the sample of a pre-order
has although nobody paid yet (`cash_fee`, `coupon_fee`) are 0 there. What nobody knows is left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from anytill.core.lifecycle import PaymentState, RefundState
from anytill.core.payment import AT_THE_TILL, Method, Payment, Refund
from anytill.core.wallet import Wallet
from anytill.dialects.yst import receipts, words
from anytill.dialects.yst.messages import CHANNELS, PAYMENT_ANSWER, REFUND_ANSWER, REVOKE_ANSWER
from anytill.dialects.yst.words import MAX_MSG, Refused, Status, Word
from anytill.wire.times import format_time


@dataclass(frozen=True, slots=True)
class Told:
    """What an answer says beside what belongs to its envelope."""

    fields: Mapping[str, str]
    names: Sequence[str] = REVOKE_ANSWER
    receipts: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Printer:
    """What a receipt says about where it was printed."""

    shop: str
    operator: str


def refused(refusal: Refused) -> Told:
    """A request that is not carried out."""
    return Told({"result": "N", "code": refusal.code, "msg": refusal.msg})


def our_fault() -> dict[str, str]:
    """What is said when something of ours broke: nobody knows what became of the request."""
    return _said(words.SYSTEM_ERROR)


def payment(payment: Payment, printer: Printer) -> Told:
    """The answer of unitive_pay_request."""
    return _payment(payment, words.PAYMENT_WORDS[payment.state], printer)


def query(payment: Payment, printer: Printer) -> Told:
    """The answer of both queries: an order that still waits to be scanned is told with its code."""
    word = words.PAYMENT_WORDS[payment.state]
    if payment.state is PaymentState.WAITING and payment.method not in AT_THE_TILL:
        word = words.NOT_PAID_YET
    pay_url = payment.invitation.get("code_url", "") if word.status is Status.WAITING else ""
    return _payment(payment, word, printer, {"pay_url": pay_url})


def preorder(payment: Payment, printer: Printer) -> Told:
    """The answer to an order that its payer pays later: how he can pay, as long as that is still to be done."""
    if payment.state is not PaymentState.WAITING:
        return _payment(payment, words.PAYMENT_WORDS[payment.state], printer)
    return _payment(payment, words.PREORDER_MADE, printer, _ways_to_pay(payment))


def revoked(payment: Payment) -> Told:
    """The answer of unitive_revoke_request."""
    word = words.REVOKE_WORDS[payment.state]
    return Told(_said(word) | _channel(payment.wallet), REVOKE_ANSWER)


def refund(refund: Refund, payment: Payment, printer: Printer) -> Told:
    """The answer of unitive_refund_request and of asking about a refund; `payment` as it is after it.

    `refund_fee` is what was given back of the payment so far, `cash_fee` what this refund gave back.
    """
    word = words.REFUND_WORDS[refund.state]
    fields = _said(word, refund.reason) | _channel(payment.wallet)
    fields |= {
        "trans_seq": payment.payment_id,
        "refund_seq": refund.refund_id,
        "total_fee": str(payment.amount_fen),
        "refund_fee": str(payment.refunded_fen),
    }
    if refund.state is not RefundState.DONE:
        return Told(fields, REFUND_ANSWER)
    fields["cash_fee"] = str(refund.refunded_fen)
    fields["coupon_fee"] = str(refund.amount_fen - refund.refunded_fen)
    lines = receipts.of_refund(payment, refund, shop=printer.shop, operator=printer.operator)
    return Told(fields, REFUND_ANSWER, lines)


def _payment(payment: Payment, word: Word, printer: Printer, ways: Mapping[str, str] = {}) -> Told:
    fields = _said(word, payment.reason) | _channel(payment.wallet)
    fields |= {"trans_seq": payment.payment_id, "total_fee": str(payment.amount_fen), **ways}
    if payment.state is not PaymentState.PAID:
        return Told(fields, PAYMENT_ANSWER)
    fields["cash_fee"] = str(payment.paid_fen)
    fields["coupon_fee"] = str(payment.coupon_fen)
    fields["pay_time"] = format_time(payment.paid_at_ms or payment.created_at_ms)
    lines = receipts.of_payment(payment, shop=printer.shop, operator=printer.operator)
    return Told(fields, PAYMENT_ANSWER, lines)


def _ways_to_pay(payment: Payment) -> dict[str, str]:
    invitation = payment.invitation
    if payment.method is Method.QR:
        return {**_NOTHING_YET, "pay_url": invitation.get("code_url", "")}
    if payment.method is Method.H5:
        return {"pay_info": _returning(payment)}
    return {"pay_url": invitation.get("token", ""), "signature_info": invitation.get("pay_info", "")}


def _returning(payment: Payment) -> str:
    """The address that starts the wallet, with the page to come back to as WeChat wants it added."""
    url, back = payment.invitation.get("pay_url", ""), payment.details.get("redirect_url", "")
    if not url or not back or payment.wallet is not Wallet.WECHAT:
        return url
    return f"{url}{'&' if '?' in url else '?'}redirect_url={quote(back, safe='')}"


def _said(word: Word, reason: str = "") -> dict[str, str]:
    msg = f"{word.msg}：{reason}" if reason and word.status is Status.FAILED else word.msg
    return {"result": word.result, "code": word.code, "msg": msg[:MAX_MSG], "status": word.status.value}


def _channel(wallet: Wallet) -> dict[str, str]:
    letter, name = CHANNELS[wallet]
    return {"channel": letter, "channel_name": name}


_NOTHING_YET: Final = {"cash_fee": "0", "coupon_fee": "0"}
