"""From payments and refunds to an answer's element: attributes and children in the order of the samples.

The samples show two forms of a paid answer. The long one has the bill's line with the slip to print, and the popup for
the till's screen, written in the vendor's own XAML; it is given for what is done. The short one has the attributes
alone; it is given for what is not done, and always to devices whose option `receipt` is off. What is not paid is told
without anything that looks like money received; `total` is what was asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from anytill.core.lifecycle import OPEN_REFUND_STATES, PaymentState, RefundState
from anytill.core.payment import Payment, Refund, Verdict
from anytill.core.receipt import printable
from anytill.core.wallet import Wallet
from anytill.dialects.semoor import codec, printinfo, words
from anytill.dialects.semoor.codec import Answer, element, escaped
from anytill.dialects.semoor.messages import DM, DONE, NOT_DONE, PAY_TYPES, REFUND_TYPE, XAML
from anytill.wire.amounts import format_yuan
from anytill.wire.times import format_time

_NAME: Final = "semoor"
#: As much of a text of the till's as fits the popup.
_POPUP_CHARACTERS: Final = 20


@dataclass(frozen=True, slots=True)
class View:
    """What an answer says beside the payment: the merchant's name, and whether slip and popup are wanted."""

    company: str
    device: str = ""  # as refunds' slips name it
    with_slip: bool = True


def dm_id(payment_id: str) -> str:
    """Our number as this protocol writes it."""
    return f"{DM}{payment_id}"


def own_no(payment: Payment) -> str:
    """The till's own number, if it gave one."""
    return payment.order_no if payment.order_no != payment.payment_id else ""


def refused(info: str) -> Answer:
    """An answer to a call that was not carried out."""
    return codec.dm({"ok": NOT_DONE, "info": info})


def payment(payment: Payment, view: View) -> Answer:
    """The answer of micropay, querytimeout and query."""
    if payment.state is not PaymentState.PAID:
        return codec.dm(_unpaid(payment))
    pay_type = PAY_TYPES[payment.wallet]
    total = format_yuan(payment.amount_fen)
    attributes = {
        "ok": DONE,
        "total": total,
        "pay_type": pay_type.number,
        "pay_time": _paid_at(payment),
        "info": words.paid_info(total, payment.currency),
        "dm_id": dm_id(payment.payment_id),
        "remark": payment.channel_trade_no,
        "openid": payment.payer_id,
        "pay_id": payment.channel_trade_no,
        "no": own_no(payment),
    }
    if payment.coupon_fen:
        attributes["coupon"] = format_yuan(payment.coupon_fen)
    if not view.with_slip:
        return codec.dm(attributes)
    lines = (("商品: ", printable(payment.subject, max_characters=_POPUP_CHARACTERS)), ("单号: ", own_no(payment)))
    popup = _payment_popup(payment.wallet, (*lines, ("时间: ", _paid_at(payment)), ("支付金额: ", total)))
    slip = slip_of(payment, view.company)
    return codec.dm(attributes, _done(_bill_line(payment, view.company, "", slip), popup))


def refund(payment: Payment, refund: Refund, no: str, view: View) -> Answer:
    """The answer of refund; `no` is what the request said."""
    word = words.REFUND_WORDS[refund.state]
    attributes = {
        "ok": word.ok,
        "info": word.info,
        "dm_id": dm_id(payment.payment_id),
        "pay_type": PAY_TYPES[payment.wallet].number,
    }
    last = {"pay_id": payment.channel_trade_no, "no": no, "type_id": REFUND_TYPE}
    if refund.state is not RefundState.DONE:
        return codec.dm({**attributes, **last})
    back, back_at = format_yuan(-refund.refunded_fen), format_time(refund.ended_at_ms or refund.created_at_ms)
    attributes |= {"pay_time": back_at, "total": back, **last}
    if not view.with_slip:
        return codec.dm(attributes)
    operator = refund.details.get("operator_id", "")
    slip = printinfo.refund_slip(payment, refund, shop=view.company, device=view.device, operator=operator)
    line = _bill_line(payment, view.company, format_time(payment.created_at_ms), slip)
    told = (
        ("账单号: ", payment.payment_id),
        ("付款时间: ", _paid_at(payment)),
        ("付款金额: ", format_yuan(payment.amount_fen)),
        ("退款时间: ", back_at),
        ("退款金额: ", back),
    )
    return codec.dm(attributes, _done(line, _refund_popup(payment.wallet, told)))


def bill(payment: Payment, refunds: Sequence[Refund]) -> Answer:
    """The answer of read: one line for each movement of money. A refund that is not done is no movement."""
    if payment.verdict is not Verdict.PAID:
        return codec.dm(_unpaid(payment))
    pay_type = PAY_TYPES[payment.wallet]
    number, total = dm_id(payment.payment_id), format_yuan(payment.amount_fen)
    attributes = {
        "ok": DONE,
        "dm_id": number,
        "pay_type": pay_type.name,
        "pay_total": total,
        "pay_time": _paid_at(payment),
        "no": own_no(payment),
    }
    done = [each for each in refunds if each.state is RefundState.DONE]
    still_open = sum(each.amount_fen for each in refunds if each.state in OPEN_REFUND_STATES)
    notes = []
    if done:
        attributes["refund_total"] = format_yuan(-sum(each.refunded_fen for each in done))
    if still_open:
        attributes["refund_open"] = format_yuan(-still_open)
        notes.append(words.BILL_REFUND_OPEN)
    if any(each.state is RefundState.RETURNED_TO_CASH for each in refunds):
        notes.append(words.BILL_REFUND_RETURNED)
    if notes:
        attributes["info"] = "；".join(notes)
    lines = [_movement(payment.wallet, total, _paid_at(payment), payment.channel_trade_no)]
    for each in done:
        # In both samples this number holds the second before the one that is told: when the refund was asked for.
        own_number = f"{number}{each.created_at_ms // 1_000}"
        when = format_time(each.ended_at_ms or each.created_at_ms)
        lines.append(_movement(payment.wallet, format_yuan(-each.refunded_fen), when, own_number))
    return codec.dm(attributes, "".join(lines))


def config(server: str, company: str, wallets: Sequence[Wallet]) -> Answer:
    """The answer of config.php."""
    kinds = [
        element("pay", {"pay_type": each.number, "paytype": each.word, "pay_name": each.name})
        for each in map(PAY_TYPES.__getitem__, wallets)
    ]
    return codec.dm({"ok": DONE, "server": server, "company": company, "info": ""}, "".join(kinds))


def time(now_ms: int) -> Answer:
    """The answer of time.php."""
    return codec.dm({"ok": DONE, "time": format_time(now_ms), "timestamp": str(now_ms // 1_000)})


def activated(device_id: str, secret: str, server: str) -> Answer:
    """The answer of active.php."""
    named = {"ok": DONE, "device_id": device_id, "secretkey": secret, "server": server, "info": words.ACTIVATED}
    return codec.dm(named)


def slip_of(payment: Payment, company: str, *, reprint: bool = False) -> str:
    """The payment's slip, with the texts of the till that took it if that was one of this protocol."""
    details = payment.details if payment.dialect == _NAME else {}
    operator, more = details.get("operator_id", ""), details.get("infoaddo", "")
    return printinfo.payment_slip(payment, shop=company, operator=operator, more=more, reprint=reprint)


def _unpaid(payment: Payment) -> dict[str, str]:
    word = words.PAYMENT_WORDS[payment.state]
    reason = printable(payment.reason) if payment.state is PaymentState.FAILED else ""
    return {
        "ok": word.ok,
        "total": format_yuan(payment.amount_fen),
        "pay_type": PAY_TYPES[payment.wallet].number,
        "info": f"{word.info}：{reason}" if reason else word.info,
        "dm_id": dm_id(payment.payment_id),
        "no": own_no(payment),
    }


def _paid_at(payment: Payment) -> str:
    return format_time(payment.paid_at_ms or payment.created_at_ms)


def _movement(wallet: Wallet, total: str, when: str, pay_id: str) -> str:
    pay_type = PAY_TYPES[wallet]
    told = {"pay_type": pay_type.number, "pay_name": pay_type.name, "pay_total": total, "pay_time": when}
    return element("pay", {**told, "pay_id": pay_id})


# The long form is the answer to nearly every payment and most of it never changes, so it is filled into text.


def _bill_line(payment: Payment, company: str, opened: str, slip: str) -> str:
    own = payment.dialect == _NAME
    device = payment.login if own else ""
    user = payment.details.get("operator_id", "") if own else ""
    return (
        f"<id>{payment.payment_id}</id><device_id>{escaped(device)}</device_id><no>{escaped(own_no(payment))}</no>"
        f"<tabno></tabno><company>{escaped(company)}</company><opentime>{opened}</opentime>"
        f"<paymode>{PAY_TYPES[payment.wallet].name}</paymode><user>{escaped(user)}</user>"
        f"<total_fee>{payment.amount_fen}</total_fee><time>{_paid_at(payment)}</time>"
        f"<printinfo>{escaped(slip)}</printinfo>"
    )


def _done(line: str, popup: str) -> str:
    return f"<ok>{DONE}</ok><paylist><pay>{line}</pay></paylist>{popup}"


def _payment_popup(wallet: Wallet, lines: Sequence[tuple[str, str]]) -> str:
    return _PAYMENT_POPUPS[wallet] % tuple([escaped(f"{label}{value}") for label, value in lines])


def _refund_popup(wallet: Wallet, lines: Sequence[tuple[str, str]]) -> str:
    return _REFUND_POPUPS[wallet] % tuple([escaped(f"{label}{value}") for label, value in lines])


_GREY: Final = "#FF6D6D6D"
_RED: Final = "#FFC90202"


def _popup(wallet: Wallet, height: int, title: str, texts: Iterable[str]) -> str:
    frame = {"Height": str(height), "Width": "246", "Margin": "10,16,10,64", "VerticalAlignment": "Top", "xmlns": XAML}
    head = _text(left=83, top=23, size=21, text=title)
    return element("Canvas", frame, "".join([_picture(wallet), head, *texts]))


def _text(*, left: int, top: int, size: int, colour: str = _GREY, text: str = "%s") -> str:
    attributes = {
        "Canvas.Left": str(left),
        "TextWrapping": "Wrap",
        "Foreground": colour,
        "FontSize": str(size),
        "Canvas.Top": str(top),
        "Text": text,
    }
    return element("TextBlock", attributes)


def _picture(wallet: Wallet) -> str:
    attributes = {
        "HorizontalAlignment": "Left",
        "Height": "48",
        "VerticalAlignment": "Top",
        "Width": "48",
        "Source": f"Resources/popup_{PAY_TYPES[wallet].word}.png",
        "Canvas.Left": "28",
        "Canvas.Top": "6",
        "Stretch": "None",
    }
    return element("Image", attributes)


#: A place for each line's text; the last one is the sum, in red.
_PAYMENT_TEXTS: Final = (
    *(_text(left=36, top=top, size=16) for top in (59, 79, 99)),
    _text(left=36, top=125, size=22, colour=_RED),
)
_REFUND_TEXTS: Final = (
    *(_text(left=28, top=top, size=15) for top in (65, 90, 115, 140)),
    _text(left=28, top=165, size=22, colour=_RED),
)
_PAYMENT_POPUPS: Final[Mapping[Wallet, str]] = {
    wallet: _popup(wallet, 170, "支付成功", _PAYMENT_TEXTS) for wallet in Wallet
}
_REFUND_POPUPS: Final[Mapping[Wallet, str]] = {
    wallet: _popup(wallet, 215, "退款成功", _REFUND_TEXTS) for wallet in Wallet
}
