"""What a terminal's answer, or a notice, says of a payment or of a refund: the client's half of section 5.

Terminals differ in what they tell, so little is demanded: what is not told stays as it was asked or remembered. But
nothing is believed to be paid, or unpaid for good, without a clear word: outer and inner code must both say so. Fields
that are told must fit what was asked, since nothing signs an answer, and an earlier one can be sent again by anybody.
And a success must name what it speaks of, with its amount: another question's answer says 6000 and 0000 as well.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from anytill.core.card import mask_pan
from anytill.core.errors import Overloaded, PaymentNotFound, RefundNotFound, Refusal, UnknownCredential
from anytill.core.lifecycle import PaymentState, RefundState
from anytill.core.payment import Payment, Refund
from anytill.dialects.qfpay import words
from anytill.dialects.qfpay.codec import Told
from anytill.dialects.qfpay.words import PAYMENT_NOTIFY_TYPE, Code, RefundNotifyType
from anytill.ports import Unreachable
from anytill.wire.amounts import parse_fen
from anytill.wire.errors import BadField
from anytill.wire.jsontext import Json
from anytill.wire.times import parse_time

#: Outer codes that can stand beside an end that is not "paid".
_SAY_NO: Final = frozenset({Code.DONE, Code.USER_CANCELLED, Code.FAILED})
#: What the vendor's public table has beside the codes that our own terminal tells.
_OTHER_PAYMENT_STATES: Final = {
    "1143": PaymentState.UNKNOWN,
    "1201": PaymentState.FAILED,
    "1264": PaymentState.CLOSED,
    "1263": PaymentState.CANCELLED,
}
_OTHER_REFUSALS: Final = {"1268": PaymentNotFound}
#: `cancel` of an inquiry: taken back, from the payer's code or from a shown one.
_TAKEN_BACK: Final = frozenset({"1", "2"})
_GIVEN_BACK: Final = frozenset({"3", "5"})
_OF_OTHERS: Final = frozenset({words.TOO_LATE.inner, words.NOTHING_TO_CANCEL.inner, words.NO_PAPER.inner})
#: Inner codes that say nothing of a payment, and nothing of a refund.
_NO_PAYMENTS: Final = _OF_OTHERS | (frozenset(words.REFUND_STATES) - frozenset(words.PAYMENT_STATES))
_NO_REFUNDS: Final = _OF_OTHERS | (frozenset(words.PAYMENT_STATES) - frozenset(words.REFUND_STATES))
_CURRENCIES: Final = {number: name for name, number in words.CURRENCY_NUMBERS.items()}

_WHOLE_NUMBER: Final = re.compile(r"[0-9]{8,}")
_SPACES: Final = re.compile(r"[ -]")

Data = Mapping[str, Json]


def text(data: Data, name: str) -> str:
    """A value as text, whether it is a text, a number or absent. Raises BadField."""
    value = data.get(name)
    if value is None:
        return ""
    if isinstance(value, str):
        return str(value)
    raise BadField(name, "a text or a number")


def check(told: Told) -> Data:
    """The data of an answer that speaks of a payment or a refund. Raises the refusal when the answer is one, and
    Unreachable when it leaves open what became of the request."""
    data = told.data or {}
    inner, words_told = text(data, "respcd"), told.resperr or told.respmsg
    if told.respcd in (Code.KEY_MISMATCH, Code.NOT_DECRYPTED):
        raise UnknownCredential(words_told)
    refusal = words.REFUSALS_OF_CODE.get(inner) or _OTHER_REFUSALS.get(inner)
    if refusal is not None and (told.respcd != Code.DONE or refusal is PaymentNotFound):
        raise refusal(words_told)
    if inner == words.BUSY.inner:
        raise Overloaded(words_told)
    if told.respcd == Code.NOT_LOGGED_IN:
        raise UnknownCredential(words_told)
    if told.respcd in (Code.BAD_PARAMETER, Code.WRONG_METHOD):
        raise Refusal(f"{told.respcd} {words_told}")
    if told.respcd not in _SAY_NO and inner != words.OPEN:
        raise Unreachable(f"{told.respcd} {words_told}")
    return data


def check_done(told: Told) -> None:
    """Raises a refusal, or Unreachable, unless what was asked for was done."""
    check(told)
    if told.respcd != Code.DONE:
        raise (Unreachable if told.respcd == Code.OTHER else Refusal)(f"{told.respcd} {told.resperr or told.respmsg}")


def payment(told: Told, asked: Payment) -> Payment:
    """What an answer makes of what was asked or known. Raises a refusal, Unreachable, WireError."""
    data = check(told)
    syssn, order_no = text(data, "syssn"), text(data, "out_trade_no")
    if _original(data) not in ("", syssn):
        if syssn and syssn == asked.payment_id:
            raise PaymentNotFound("the number is a refund's")
        # It bears the payment's `out_trade_no` too, so nothing else shows that another question was answered.
        raise BadField("orig_syssn", "not told of a payment: this is a refund's answer")
    _expect(order_no, asked.order_no, "out_trade_no")
    _expect(syssn, asked.payment_id, "syssn")
    channel = words.PAY_TYPES.get(text(data, "busicd"))
    state = _payment_state(told, data)
    told_fen, named = _fen(data, "txamt"), _names(asked, order_no, syssn)
    if told.respcd == Code.DONE and not (named and (told_fen or state is not PaymentState.PAID)):
        state = PaymentState.UNKNOWN
    amount_fen = told_fen or asked.amount_fen
    paid = state is PaymentState.PAID
    # What can still be given back is less than what was paid by all that was given back, or is on its way.
    left_fen = _fen(data, "allow_refund_amt") if "allow_refund_amt" in data else amount_fen
    if left_fen > amount_fen:
        raise BadField("allow_refund_amt", "no more than txamt")
    return replace(
        asked,
        payment_id=syssn if named and syssn else asked.payment_id,
        order_no=order_no or asked.order_no,
        method=channel[1] if channel else asked.method,
        wallet=words.CHANNELS[channel[0]].wallet if channel else asked.wallet,
        state=state,
        amount_fen=amount_fen,
        currency=_currency(data, asked.currency),
        paid_fen=amount_fen if paid else 0,
        reserved_fen=amount_fen - left_fen if paid else 0,
        refunded_fen=amount_fen - left_fen if paid and text(data, "cancel") in _GIVEN_BACK else 0,
        channel_trade_no=text(data, "chnlsn") or asked.channel_trade_no,
        code_hint=_masked(text(data, "cardno") or text(data, "cardNo")) or asked.code_hint,
        paid_at_ms=(_time(data, "paydtm") or asked.paid_at_ms) if paid else None,
        reason=told.resperr or told.respmsg if state in _UNPAID else "",
    )


def payment_found(told: Told, asked: Payment) -> Payment:
    """The same for an inquiry, which always says what it found: an end without a number is another question's."""
    found = payment(told, asked)
    data = told.data or {}
    if found.state in _UNPAID and not _names(asked, text(data, "out_trade_no"), text(data, "syssn")):
        raise BadField("out_trade_no", "told")
    return found


def refund(told: Told, asked: Refund) -> Refund:
    """What an answer to a refund makes of what was asked. Raises a refusal, Unreachable, WireError."""
    data = check(told)
    original, told_fen = _original(data), _fen(data, "txamt")
    if text(data, "respcd") in _NO_REFUNDS:
        raise BadField("respcd", "a refund's: this is another question's answer")
    if text(data, "syssn") and not original and not asked.refund_id:
        return replace(asked, state=RefundState.UNKNOWN)  # a payment's answer: nothing in it is the refund's
    if told_fen and asked.amount_fen and told_fen != asked.amount_fen:
        raise BadField("txamt", "what was asked for")
    _expect(original, asked.payment_id, "orig_syssn")
    _expect(text(data, "syssn"), asked.refund_id, "syssn")
    state = _refund_state(told, data)
    order_no = text(data, "out_trade_no")
    named = _names_refund(asked, text(data, "syssn"), original, order_no)
    if state is RefundState.DONE and not (named and told_fen):
        state = RefundState.UNKNOWN
    amount_fen = told_fen or asked.amount_fen
    return replace(
        asked,
        refund_id=text(data, "syssn") or asked.refund_id,
        payment_id=original or asked.payment_id,
        order_no=order_no or asked.order_no,
        state=state,
        amount_fen=amount_fen,
        currency=_currency(data, asked.currency),
        refunded_fen=amount_fen if state is RefundState.DONE else 0,
        channel_refund_no=text(data, "chnlsn") or asked.channel_refund_no,
        reason=told.resperr or told.respmsg if state in (RefundState.FAILED, RefundState.RETURNED_TO_CASH) else "",
    )


def _names_refund(asked: Refund, refund_id: str, payment_id: str, order_no: str) -> bool:
    """Whether the answer says that it is about what was asked, by the number that it was asked by."""
    if asked.refund_id:
        return refund_id == asked.refund_id
    if asked.payment_id:
        return payment_id == asked.payment_id
    # A payment's answer bears the same number, but no original's.
    return bool(payment_id) and order_no == asked.order_no


def refund_found(told: Told, asked: Refund) -> Refund:
    """The same for an inquiry, which may have found a payment. Raises RefundNotFound too."""
    try:
        found = refund(told, asked)
    except PaymentNotFound as fault:
        raise RefundNotFound(str(fault)) from None
    if not text(told.data or {}, "origssn"):
        raise RefundNotFound("the number is a payment's")
    return found


def heard(fields: Data, currency: str) -> Payment | Refund:
    """What a notice tells of: a payment that was made, or a refund that is done; nothing else is notified. Raises
    WireError."""
    if text(fields, "status") != "1" or text(fields, "respcd") != words.SUCCESS:
        raise BadField("status", "1, with respcd 0000")
    kind = text(fields, "notify_type")
    if kind == PAYMENT_NOTIFY_TYPE:
        return _heard_payment(fields, currency)
    if kind not in set(RefundNotifyType):
        raise BadField("notify_type", "payment, refund or cancel")
    return _heard_refund(fields, currency)


def _heard_payment(fields: Data, currency: str) -> Payment:
    if text(fields, "orig_syssn") or text(fields, "orig_out_trade_no"):
        raise BadField("orig_syssn", "not told of a payment")
    channel = words.PAY_TYPES.get(text(fields, "pay_type"))
    if channel is None:
        raise BadField("pay_type", "one of the channels'")
    amount_fen = _told_fen(fields)
    return Payment(
        "",
        _told(fields, "syssn"),
        text(fields, "out_trade_no"),
        channel[1],
        words.CHANNELS[channel[0]].wallet,
        PaymentState.PAID,
        amount_fen,
        currency=_currency(fields, currency),
        paid_fen=amount_fen,
        channel_trade_no=text(fields, "chnlsn"),
        paid_at_ms=_time(fields, "paydtm"),
    )


def _heard_refund(fields: Data, currency: str) -> Refund:
    """Real terminals tell less than our own: neither pay type nor channel's number, and only when it was asked for. The
    `out_trade_no` of a refund is a number that the terminal made, by which nothing can be asked."""
    amount_fen = _told_fen(fields)
    asked_at_ms = _time(fields, "sysdtm")
    return Refund(
        "",
        _told(fields, "syssn"),
        "",
        _told(fields, "orig_syssn"),
        text(fields, "orig_out_trade_no"),
        RefundState.DONE,
        amount_fen,
        currency=_currency(fields, currency),
        refunded_fen=amount_fen,
        channel_refund_no=text(fields, "chnlsn"),
        created_at_ms=asked_at_ms or 0,
        ended_at_ms=_time(fields, "paydtm") or asked_at_ms,
    )


def _told(fields: Data, name: str) -> str:
    """A value that must be there. Raises BadField."""
    value = text(fields, name)
    if not value:
        raise BadField(name, "told")
    return value


def _told_fen(fields: Data) -> int:
    amount_fen = _fen(fields, "txamt")
    if not amount_fen:
        raise BadField("txamt", "told")
    return amount_fen


_UNPAID: Final = frozenset({PaymentState.FAILED, PaymentState.CLOSED, PaymentState.CANCELLED})


def _payment_state(told: Told, data: Data) -> PaymentState:
    """PAID where outer and inner code say so; an unpaid end where neither speaks against it. Raises BadField."""
    inner = text(data, "respcd")
    if inner in _NO_PAYMENTS:
        raise BadField("respcd", "a payment's: this is another question's answer")
    state = words.PAYMENT_STATES.get(inner) or _OTHER_PAYMENT_STATES.get(inner)
    if state is PaymentState.PAID:
        if told.respcd != Code.DONE:
            return PaymentState.UNKNOWN
        return PaymentState.CANCELLED if text(data, "cancel") in _TAKEN_BACK else state
    if told.respcd == Code.USER_CANCELLED:
        return PaymentState.CANCELLED if state in _UNPAID or not inner else PaymentState.UNKNOWN
    if state in _UNPAID and told.respcd in _SAY_NO:
        return state
    # A code that nobody knows says no only together with the outer one.
    failed = told.respcd == Code.FAILED and state is None
    return PaymentState.FAILED if failed else PaymentState.UNKNOWN


def _names(asked: Payment, order_no: str, syssn: str) -> bool:
    """Whether an answer that contradicts nothing says that it is about this payment."""
    if order_no and asked.order_no:
        return True
    # The terminal's own number names it where that is known, or where there is no other.
    return bool(syssn) and (syssn == asked.payment_id or not asked.order_no)


def _refund_state(told: Told, data: Data) -> RefundState:
    inner = text(data, "respcd")
    state = words.REFUND_STATES.get(inner)
    if state is RefundState.DONE:
        return state if told.respcd == Code.DONE else RefundState.UNKNOWN
    if told.respcd in (Code.USER_CANCELLED, Code.FAILED) and state is not RefundState.UNKNOWN:
        return state or RefundState.FAILED
    return state if state is not None and told.respcd in _SAY_NO else RefundState.UNKNOWN


def _original(data: Data) -> str:
    """The payment that a refund's answer names; trades and inquiries spell it differently."""
    return text(data, "orig_syssn") or text(data, "origssn")


def _expect(told: str, asked: str, name: str) -> None:
    if told and asked and told != asked:
        raise BadField(name, "that of what was asked about")


def _fen(data: Data, name: str) -> int:
    """Cents; 0 where nothing is told."""
    value = text(data, name)
    return 0 if value in ("", "0") else parse_fen(value, field=name)


def _currency(data: Data, asked: str) -> str:
    told = text(data, "txcurrcd")
    currency = _CURRENCIES.get(told, told)
    if currency and currency != asked:
        raise BadField("txcurrcd", f"the merchant's currency {asked}")
    return asked


def _masked(card_no: str) -> str:
    """Terminals mask a card's number; of one that does not, no more is kept than of our own."""
    return _WHOLE_NUMBER.sub(lambda match: mask_pan(match[0]), _SPACES.sub("", card_no))


def _time(data: Data, name: str) -> int | None:
    """A moment in Hong Kong, whose time is Beijing's; None for one that is told in another way."""
    value = text(data, name)
    try:
        return parse_time(value, name)
    except BadField:
        return None
