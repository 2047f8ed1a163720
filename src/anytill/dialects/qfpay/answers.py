"""From payments and refunds to what an answer says (section 5 of the source).

`data` has every name that the document or real terminals have, null where nobody knows the value: a wallet's payer has
no card, and what a card's channel does not tell is not made up. What is not paid is told without a time of payment,
and nothing looks like money received but what was. Sums are whole cents as text, times are Hong Kong's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from anytill.core.lifecycle import PaymentState
from anytill.core.payment import Method, Payment, Refund, Verdict
from anytill.dialects.qfpay import words
from anytill.dialects.qfpay.codec import Told
from anytill.dialects.qfpay.messages import INQUIRY_DATA, REFUND_DATA, TRADE_DATA
from anytill.dialects.qfpay.words import CHANNELS, CURRENCY_NUMBERS, Channel, Code, Word
from anytill.wire.jsontext import Json
from anytill.wire.times import format_time

#: What an order keeps of its trade; a refund keeps its terminal too.
DETAIL_CHANNEL: Final = "channel"
DETAIL_TERMINAL: Final = "terminal"
#: Between a number that two registers use and the terminal whose it is.
NUMBER_MARK: Final = "@"
#: `cancel`, as the vendor's public table numbers it.
_STANDS, _REVERSED, _CLOSED, _REFUNDED, _REFUNDED_IN_PART = "0", "1", "2", "3", "5"


@dataclass(frozen=True, slots=True)
class Shop:
    """Where the terminal stands."""

    merchant_id: str
    name: str
    terminal: str


def told(word: Word, data: Mapping[str, Json] | None = None) -> Told:
    """An answer of this word; its inner code and text stand in `data` too."""
    inside: dict[str, Json] = {"respcd": word.inner, "resmsg": word.text, "reserr": _error(word)}
    return Told(word.code, {**(data or {}), **inside}, word.text, _error(word))


def trade(payment: Payment, shop: Shop, word: Word | None = None) -> Told:
    """How a trade ended, or stands; `word` where the trade has more to say than its state."""
    return _told(word or _word(payment), TRADE_DATA, _trade_facts(payment, shop))


def unknown(out_trade_no: str) -> Told:
    """A trade of which nothing is known."""
    return told(words.PAYMENT_WORDS[PaymentState.UNKNOWN], {"out_trade_no": out_trade_no, "cancel": _STANDS})


def inquiry(payment: Payment, shop: Shop, now_ms: int) -> Told:
    """How a payment stands. It was found, so the request as such is done."""
    facts = {
        **_inquiry_facts(payment, shop, now_ms),
        "prepay_amt": str(payment.paid_fen),
        "origssn": "",
        "allow_refund_amt": str(left_to_refund(payment)),
        "desc": payment.subject,
    }
    return _told(_found(_word(payment)), INQUIRY_DATA, facts)


def refund_inquiry(payment: Payment, refund: Refund, shop: Shop, now_ms: int) -> Told:
    """How a refund of this payment stands; likewise."""
    facts = {
        **_inquiry_facts(payment, shop, now_ms),
        "prepay_amt": "0",
        "origssn": payment.payment_id,
        "allow_refund_amt": "0",
        "desc": refund.reason,
        **_refund_facts(payment, refund, shop),
        "cancel": _STANDS,
    }
    return _told(_found(words.REFUND_WORDS[refund.state]), INQUIRY_DATA, facts)


def refund(payment: Payment, refund: Refund, shop: Shop) -> Told:
    """How a refund ended, or stands; `payment` is the one that it belongs to."""
    return _told(words.REFUND_WORDS[refund.state], REFUND_DATA, _refund_facts(payment, refund, shop))


def channel_of(payment: Payment) -> Channel | None:
    """By which channel a payment was made; None when no terminal of this protocol made it, and nothing fits."""
    try:
        return Channel(payment.details[DETAIL_CHANNEL])
    except (KeyError, ValueError):
        return next(
            (
                channel
                for channel, kind in CHANNELS.items()
                if payment.method is not Method.CARD and kind.wallet is payment.wallet
            ),
            None,
        )


def out_trade_no(payment: Payment) -> str:
    """The register's number. An order without one has ours in its place, which is told as `syssn` only."""
    number = payment.order_no.removesuffix(f"{NUMBER_MARK}{payment.login}")
    return "" if number == payment.payment_id else number


def left_to_refund(payment: Payment) -> int:
    """Cents that could be given back."""
    return payment.paid_fen - payment.reserved_fen if payment.verdict is Verdict.PAID else 0


def cancel_state(payment: Payment) -> str:
    """`cancel`: whether and how the payment was undone."""
    if payment.state in (PaymentState.CANCELLED, PaymentState.CLOSED):
        return _CLOSED if payment.method is Method.QR else _REVERSED
    back_fen = payment.refunded_fen + payment.returned_fen
    if not back_fen:
        return _STANDS
    return _REFUNDED if back_fen >= payment.paid_fen else _REFUNDED_IN_PART


_TRADE_TYPES: Final[Mapping[Method, str]] = {Method.CARD: "CARD", Method.BARCODE: "CPM", Method.QR: "MPM"}


def _trade_facts(payment: Payment, shop: Shop) -> dict[str, Json]:
    paid_at_ms = payment.paid_at_ms if payment.verdict is Verdict.PAID else None
    pay_type = busicd(payment)
    channel = channel_of(payment)
    return {
        "mchntnm": shop.name,
        "sysdtm": format_time(payment.created_at_ms),
        "userid": shop.merchant_id,
        "busicd": pay_type,
        "txamt": str(payment.amount_fen),
        "txcurrcd": CURRENCY_NUMBERS.get(payment.currency, payment.currency),
        "chnlsn": payment.channel_trade_no,
        "paydtm": format_time(paid_at_ms) if paid_at_ms else None,
        "udid": shop.terminal,
        "syssn": payment.payment_id,
        "clisn": payment.slip.get("trace_no") or payment.payment_id[-9:-3],
        "out_trade_no": out_trade_no(payment),
        "cardscheme": _slip(payment, "scheme"),
        "cardNo": card_no(payment),
        "cardType": _slip(payment, "card_type"),
        "batchNo": _slip(payment, "batch_no"),
        "traceNo": _slip(payment, "trace_no"),
        "refNo": _ref_no(payment),
        "terminalId": payment.login or shop.terminal,
        "storeId": None,
        "paymentMethod": str(channel) if channel else None,
        "paymentType": pay_type or None,
        "accountId": payment.payer_id or None,
        "address": None,
        "cancel": cancel_state(payment),
    }


def _inquiry_facts(payment: Payment, shop: Shop, now_ms: int) -> dict[str, Json]:
    return {
        **_trade_facts(payment, shop),
        "server_time": format_time(now_ms),
        "opuid": "",
        "tradetp": _TRADE_TYPES.get(payment.method, ""),
        "customer_source": str(payment.wallet),
        "opuser": "",
        "nickname": shop.name,
        "origbusicd": busicd(payment),
        "cardno": card_no(payment),
        "cardtype": _slip(payment, "card_type"),
        "batchno": _slip(payment, "batch_no"),
        "refno": _ref_no(payment),
    }


def _refund_facts(payment: Payment, refund: Refund, shop: Shop) -> dict[str, Json]:
    ended_at_ms = refund.ended_at_ms
    return {
        "sysdtm": format_time(refund.created_at_ms),
        "paydtm": format_time(ended_at_ms) if ended_at_ms else None,
        "txcurrcd": CURRENCY_NUMBERS.get(refund.currency, refund.currency),
        "txdtm": format_time(refund.created_at_ms),
        "orig_syssn": payment.payment_id,
        "out_trade_no": out_trade_no(payment),
        "syssn": refund.refund_id,
        "chnlsn": refund.channel_refund_no,
        "txamt": str(refund.amount_fen),
        "originTxamt": str(payment.amount_fen),
        "terminalId": shop.terminal,
    }


def _word(payment: Payment) -> Word:
    """The word for its state; nobody shall hand over goods for what was paid and is back with the payer."""
    is_back = payment.verdict is Verdict.PAID and cancel_state(payment) == _REFUNDED
    return words.GIVEN_BACK if is_back else words.PAYMENT_WORDS[payment.state]


def _found(word: Word) -> Word:
    """What is told of something that was found and looked at, whatever it is."""
    return Word(Code.DONE, word.inner, word.text)


def _told(word: Word, names: Sequence[str], facts: Mapping[str, Json]) -> Told:
    known: dict[str, Json] = {**facts, "respcd": word.inner, "resmsg": word.text, "reserr": _error(word)}
    return Told(word.code, {name: known.get(name) for name in names}, word.text, _error(word))


def _error(word: Word) -> str:
    return "" if word.code is Code.DONE else word.text


def busicd(payment: Payment) -> str:
    """The pay type of its channel and method; empty when no channel fits."""
    channel = channel_of(payment)
    return CHANNELS[channel].pay_types.get(payment.method, "") if channel else ""


def card_no(payment: Payment) -> str | None:
    """The masked number of the card that paid."""
    return payment.code_hint if payment.method is Method.CARD else None


def _slip(payment: Payment, name: str) -> str | None:
    return payment.slip.get(name)


def _ref_no(payment: Payment) -> str | None:
    return payment.channel_trade_no or None if payment.method is Method.CARD else None
