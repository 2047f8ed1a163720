"""The client half: a till that asks a YST gateway, and the merchant's ear for its notices.

A refund and a question about it must name the platform's number of the payment (`trans_seq`), which a `RefundRef` does
not always bring; the client remembers the payments and refunds that it has seen, in bounded number. Asking about a
refund whose payment it does not know it names none: a gateway that has no such refund says so, and one that has it
objects to the payment, which says nothing about the refund.

What an answer does not say is taken from what is remembered; what nobody said stays empty. An answer without a clear
end is an open payment. A `pay` is sent once: the caller decides whether to send it again. Every answer must be signed.

No message names a currency: amounts are in the account's, which only the settings can tell.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace
from typing import Final, TypeVar

from anytill.core.errors import NotSupported, Refusal
from anytill.core.lifecycle import PaymentState, RefundState
from anytill.core.money import CNY
from anytill.core.payment import Method, Payment, PaymentRef, PayOrder, Refund, RefundOrder, RefundRef
from anytill.core.secret import Secret
from anytill.core.wallet import Wallet, wallet_of
from anytill.dialects.yst import codec, messages, notices, words
from anytill.dialects.yst.messages import CHANNELS, NOTICE, ORDER_FORMS, WALLETS
from anytill.dialects.yst.orders import prod_details
from anytill.dialects.yst.words import Status
from anytill.ports import Send, Unreachable
from anytill.wire.amounts import format_yuan, parse_fen
from anytill.wire.errors import BadField, MissingField
from anytill.wire.http import HttpRequest, HttpResponse
from anytill.wire.signing import md5_upper
from anytill.wire.times import parse_time

REMEMBERED: Final = 10_000
_REASON: Final = "退款"
_NO_SEQ: Final = "0"
_LONGEST_SEQ: Final = 32
_CHANNEL_WALLETS: Final = frozenset({Wallet.WECHAT, Wallet.ALIPAY})
_LIFETIMES: Final = range(300, 1801)

Told = TypeVar("Told", Payment, Refund)


class Client:
    """Implements `dialects.Client`. Settings: base_url, account, password, private_key (16 characters, or the text that
    the vendor's SDK takes); `notice_sign` "off" also believes notices that are not signed; `currency` is the account's
    where that is not CNY."""

    def __init__(self, settings: Mapping[str, str], send: Send) -> None:
        self._account = settings["account"]
        self._key = codec.private_key(Secret(settings["private_key"]))
        self._dsn = codec.dsn_of(self._account, self._key, settings["password"])
        self._signed_notices = settings.get("notice_sign", "on") != "off"
        self._currency = settings.get("currency") or CNY
        self._send = send
        self._payments: OrderedDict[str, Payment] = OrderedDict()
        self._refunds: OrderedDict[str, Refund] = OrderedDict()

    async def pay(self, order: PayOrder) -> Payment:
        """See `ports.Till`. Barcode payments have no notices and no `attach` in this protocol, so they send neither."""
        if order.method not in ORDER_FORMS or order.currency != self._currency:
            raise NotSupported
        at_the_till = order.method is Method.BARCODE
        wallet = wallet_of(order.pay_code or Secret("")) if at_the_till else order.wallet
        if wallet is None or not (at_the_till or wallet in _CHANNEL_WALLETS):
            raise NotSupported
        fields = {
            "request_type": ORDER_FORMS[order.method].request_type,
            "req_seq": order.order_no,
            "total_fee": str(order.amount_fen),
            **(self._barcode(order) if at_the_till else _preorder(order, wallet)),
            "prod_details": order.details.get("prod_details") or _goods(order),
        }
        answer = _done(await self._exchange(fields))
        return self._remember(_payment(answer, self._asked(order, wallet)))

    async def query(self, ref: PaymentRef) -> Payment:
        """See `ports.Till`. This protocol asks by the merchant's number only."""
        known = self._recall(ref)
        order_no = ref.order_no or (known.order_no if known else "")
        if not order_no:
            raise NotSupported
        answer = _done(await self._exchange(_about(messages.QUERY_PAY, order_no)))
        return self._remember(_payment(answer, known or self._blank(order_no, _wallet(answer))))

    async def cancel(self, ref: PaymentRef) -> Payment:
        """See `ports.Till`."""
        payment = self._recall(ref) or await self.query(ref)
        request = _about(messages.REVOKE, payment.order_no) | {"channel": CHANNELS[payment.wallet][0]}
        answer = _done(await self._exchange(request))
        state = words.REVOKE_STATES.get(answer.get("code", ""), PaymentState.UNKNOWN)
        reversed_fen = payment.paid_fen if state is PaymentState.CANCELLED else 0
        return self._remember(replace(payment, state=state, reversed_fen=reversed_fen))

    async def refund(self, order: RefundOrder) -> Refund:
        """See `ports.Till`."""
        known = self._recall(order.payment)
        trans_seq = order.payment.payment_id or (known.payment_id if known else "")
        if not trans_seq:
            trans_seq = (await self.query(order.payment)).payment_id
        fields = {
            "request_type": messages.REFUND.request_type,
            "req_seq": order.refund_no,
            "trans_seq": trans_seq,
            "refund_fee": str(order.amount_fen),
            "reason": order.reason or _REASON,
        }
        answer = _done(await self._exchange(fields))
        order_no = order.payment.order_no or (known.order_no if known else "")
        asked = self._blank_refund(order.refund_no, trans_seq, order_no, order.amount_fen)
        return self._remember_refund(_refund(answer, asked))

    async def query_refund(self, ref: RefundRef) -> Refund:
        """See `ports.Till`. This protocol asks by the merchant's number only."""
        known = self._refunds.get(f"no {ref.refund_no}" if ref.refund_no else f"id {ref.refund_id}")
        refund_no = ref.refund_no or (known.refund_no if known else "")
        if not refund_no:
            raise NotSupported
        trans_seq = known.payment_id if known else ref.payment_id
        request = _about(messages.QUERY_REFUND, refund_no) | {"trans_seq": trans_seq or _NO_SEQ}
        answer = _done(await self._exchange(request))
        return self._remember_refund(_refund(answer, known or self._blank_refund(refund_no, trans_seq, "", 0)))

    def hear(self, request: HttpRequest) -> tuple[Payment, HttpResponse]:
        """See `dialects.Client`."""
        fields = codec.decode_notice(request.body, self._key, NOTICE, signed=self._signed_notices)
        payment = replace(notices.read(fields, self._account), currency=self._currency)
        return payment, HttpResponse(200, codec.NOTICE_HEARD, codec.XML_UTF8)

    def _barcode(self, order: PayOrder) -> dict[str, str]:
        if order.expires_in_s is not None:
            raise NotSupported
        channel = CHANNELS[order.wallet][0] if order.wallet else ""
        # The document lets a till name three of the wallets; the code names them all.
        return {
            "auth_code": order.pay_code.reveal() if order.pay_code else "",
            "channel": channel if channel in ("W", "A", "Q") else "",
        }

    async def _exchange(self, fields: Mapping[str, str]) -> Mapping[str, str]:
        """One request and its answer, its signature checked. Raises WireError, Unreachable."""
        body = codec.encode_request(fields, account=self._account, key=self._key, dsn=self._dsn)
        headers = {"content-type": codec.XML_UTF8}
        response = await self._send(HttpRequest("POST", messages.PATH, "", headers, body, ""))
        if response.status != 200:
            raise Unreachable(f"HTTP {response.status}")
        answer = codec.decode_answer(response.body, self._dsn).fields
        if answer.get("req_seq", fields["req_seq"]) != fields["req_seq"]:
            raise BadField("req_seq", "that of the request")
        return answer

    def _asked(self, order: PayOrder, wallet: Wallet) -> Payment:
        """What is known of an order that is being sent."""
        return replace(
            self._blank(order.order_no, wallet),
            method=order.method,
            amount_fen=order.amount_fen,
            subject=order.subject,
            attach=order.attach if order.method is not Method.BARCODE else "",
            payer_id=order.payer_id,
            notice_url=order.notice_url if order.method is not Method.BARCODE else "",
        )

    def _blank(self, order_no: str, wallet: Wallet) -> Payment:
        return Payment(
            self._account, "", order_no, Method.BARCODE, wallet, PaymentState.UNKNOWN, 0, currency=self._currency
        )

    def _blank_refund(self, refund_no: str, payment_id: str, order_no: str, amount_fen: int) -> Refund:
        return Refund(
            self._account, "", refund_no, payment_id, order_no, RefundState.UNKNOWN, amount_fen, currency=self._currency
        )

    def _recall(self, ref: PaymentRef) -> Payment | None:
        return self._payments.get(f"no {ref.order_no}" if ref.order_no else f"id {ref.payment_id}")

    def _remember(self, payment: Payment) -> Payment:
        return _kept(self._payments, payment, payment.order_no, payment.payment_id)

    def _remember_refund(self, refund: Refund) -> Refund:
        return _kept(self._refunds, refund, refund.refund_no, refund.refund_id)


def _kept(memory: OrderedDict[str, Told], told: Told, number: str, platform_number: str) -> Told:
    for name in (f"no {number}", f"id {platform_number}" if platform_number else ""):
        if name:
            memory[name] = told
            memory.move_to_end(name)
    while len(memory) > REMEMBERED:
        memory.popitem(last=False)
    return told


def _about(form: messages.Form, number: str) -> dict[str, str]:
    """A request that asks about a number. Its own number follows from that: asking again is the same request."""
    own = md5_upper(f"{form.request_type} {number}")[:_LONGEST_SEQ]
    return {"request_type": form.request_type, "req_seq": own, "ori_seq": number}


def _preorder(order: PayOrder, wallet: Wallet) -> dict[str, str]:
    """The fields of an order that its payer pays later. Raises NotSupported for what this protocol cannot say."""
    details, method, lifetime_s = order.details, order.method, order.expires_in_s
    ip, redirect_url = details.get("ip", ""), details.get("redirect_url", "")
    if lifetime_s is not None and (method is not Method.QR or lifetime_s not in _LIFETIMES):
        raise NotSupported
    if method is Method.H5 and not (redirect_url and (ip or wallet is not Wallet.WECHAT)):
        raise NotSupported
    return {
        "channel": CHANNELS[wallet][0],
        "expire_time": "" if lifetime_s is None else str(lifetime_s),
        "subopen_id": order.payer_id if method is Method.JSAPI else "",
        "ip": ip if method is Method.H5 else "",
        "redirect_url": redirect_url if method is Method.H5 else "",
        "notify_url": order.notice_url,
        "attach": order.attach,
    }


def _goods(order: PayOrder) -> str:
    return prod_details(order.subject, format_yuan(order.amount_fen)) if order.subject.strip() else ""


def _done(answer: Mapping[str, str]) -> Mapping[str, str]:
    """The answer, if the request was carried out. Raises the refusal, or Unreachable when it says nothing."""
    code, msg = answer.get("code", ""), answer.get("msg", "")
    if code in words.REFUSALS_OF_CODE:
        raise words.REFUSALS_OF_CODE[code](f"{code} {msg}")
    if code == words.SYSTEM_ERROR.code:
        raise Unreachable(f"{code} {msg}")
    known = code in words.PAYMENT_STATES or code in words.REFUND_STATES or code in words.REVOKE_STATES
    if answer.get("result") == "N" and not known and "status" not in answer:
        raise Refusal(f"{code} {msg}")
    return answer


def _payment(answer: Mapping[str, str], known: Payment) -> Payment:
    """What an answer makes of what was known. Raises WireError."""
    state = _payment_state(answer)
    waits = state is PaymentState.WAITING and known.method is not Method.BARCODE
    payment = replace(
        known,
        payment_id=answer.get("trans_seq", known.payment_id),
        wallet=_wallet(answer) if "channel" in answer else known.wallet,
        state=state,
        amount_fen=_fen(answer, "total_fee") if "total_fee" in answer else known.amount_fen,
        invitation=(_invitation(answer, known.method) or known.invitation) if waits else {},
        reason=answer.get("msg", "") if state is PaymentState.FAILED else "",
    )
    if state is not PaymentState.PAID:
        return payment
    amount_fen, coupon_fen = _fen(answer, "total_fee"), _fen_or_none(answer, "coupon_fee")
    paid_fen = _fen(answer, "cash_fee") if "cash_fee" in answer else amount_fen - coupon_fen
    if paid_fen <= 0 or paid_fen + coupon_fen != amount_fen:
        raise BadField("cash_fee", "what coupon_fee leaves of total_fee")
    time = answer.get("pay_time")
    return replace(
        payment,
        paid_fen=paid_fen,
        coupon_fen=coupon_fen,
        paid_at_ms=parse_time(time, "pay_time") if time else None,
    )


def _payment_state(answer: Mapping[str, str]) -> PaymentState:
    """PAID and the unpaid ends only where code and status agree, as far as both are said."""
    status = answer.get("status", "")
    by_status = _STATES_OF_STATUS.get(status, PaymentState.UNKNOWN)
    by_code = words.PAYMENT_STATES.get(answer.get("code", ""))
    if by_code is None:
        return by_status
    word = next((word for word in words.PAYMENT_WORDS.values() if word.code == answer["code"]), words.PREORDER_MADE)
    return by_code if status in ("", word.status) else PaymentState.UNKNOWN


_STATES_OF_STATUS: Final[Mapping[str, PaymentState]] = {
    Status.DONE: PaymentState.PAID,
    Status.WAITING: PaymentState.UNKNOWN,
    Status.FAILED: PaymentState.FAILED,
}


def _invitation(answer: Mapping[str, str], method: Method) -> dict[str, str]:
    pay_url = answer.get("pay_url", "")
    if method is Method.QR:
        told = {"code_url": pay_url}
    elif method is Method.H5:
        told = {"pay_url": answer.get("pay_info", "")}
    else:
        told = {"token": pay_url, "pay_info": answer.get("signature_info", "")}
    return {name: value for name, value in told.items() if value}


def _refund(answer: Mapping[str, str], known: Refund) -> Refund:
    """What an answer makes of what was known. Raises WireError."""
    status = answer.get("status", "")
    state = words.REFUND_STATES.get(answer.get("code", ""))
    if state is None or (status and status != words.REFUND_WORDS[state].status):
        state = RefundState.DONE if state is None and status == Status.DONE else RefundState.UNKNOWN
    refunded_fen = 0
    if state is RefundState.DONE:
        # A gateway that does not say what this refund gave back gave back what was asked.
        refunded_fen = _fen(answer, "cash_fee") if "cash_fee" in answer else known.amount_fen
    coupon_fen = _fen_or_none(answer, "coupon_fee") if refunded_fen else 0
    return replace(
        known,
        refund_id=answer.get("refund_seq", known.refund_id),
        payment_id=answer.get("trans_seq", known.payment_id),
        state=state,
        amount_fen=known.amount_fen or refunded_fen + coupon_fen,
        refunded_fen=refunded_fen,
        reason=answer.get("msg", "") if state is RefundState.FAILED else "",
    )


def _wallet(answer: Mapping[str, str]) -> Wallet:
    channel = answer.get("channel")
    if not channel:
        raise MissingField("channel")
    if channel not in WALLETS:
        raise BadField("channel", "one of the payment channels")
    return WALLETS[channel]


def _fen(answer: Mapping[str, str], name: str) -> int:
    if name not in answer:
        raise MissingField(name)
    return parse_fen(answer[name], field=name)


def _fen_or_none(answer: Mapping[str, str], name: str) -> int:
    """An amount that may be absent or 0."""
    return 0 if answer.get(name, "0") == "0" else _fen(answer, name)
