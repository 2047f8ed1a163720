"""The client half: a till that asks a Semoor gateway.

It always sends `no`, the order's own number, which this gateway takes and answers with; so a repeated order is the same
payment and a lost answer can be asked after. Answers are not signed in this protocol: what protects them is the
connection, so reach the gateway by https. They are read strictly all the same, and `ok=-1` is an open payment whatever
its text. A `micropay` is sent once: the caller decides whether to send it again. Amounts are yuan unless `info`, where
a gateway names what was paid, names another currency.

The protocol has no notices, no cancel, no query of a refund, and carries neither `attach` nor an order's lifetime.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, NoReturn

from anytill.core.errors import InvalidPayCode, NotSupported, Refusal
from anytill.core.lifecycle import PaymentState, RefundState
from anytill.core.money import CNY
from anytill.core.payment import Method, Payment, PaymentRef, PayOrder, Refund, RefundOrder, RefundRef
from anytill.core.secret import Secret
from anytill.core.wallet import Wallet, wallet_of
from anytill.dialects.semoor import codec, messages, words
from anytill.dialects.semoor.messages import DM, DONE, NOT_DONE, OPEN, PAY_TYPES
from anytill.ports import Send, Unreachable
from anytill.wire.amounts import format_yuan, parse_yuan
from anytill.wire.errors import BadField, MissingField
from anytill.wire.flatxml import Element
from anytill.wire.http import FORM, HttpRequest, HttpResponse
from anytill.wire.times import parse_time

#: What an order's details may hold for this protocol.
_EXTRAS: Final = ("dic_amount", "infoaddo", "operator_id")
_REFUSALS: Final = {info: refusal for refusal, info in words.REFUSALS.items()}


@dataclass(frozen=True, slots=True)
class Activation:
    """What a device is given for its code; both have to be kept, as the code works once."""

    device_id: str
    key: Secret
    server: str


class Client:
    """Implements `dialects.Client`. Settings: base_url, device_id, key; activation_code for `activate` alone."""

    def __init__(self, settings: Mapping[str, str], send: Send) -> None:
        self._device_id = settings["device_id"]
        self._key = Secret(settings["key"])
        self._code = Secret(settings.get("activation_code", ""))
        self._send = send

    async def pay(self, order: PayOrder) -> Payment:
        """See `ports.Till`."""
        if order.method is not Method.BARCODE or order.currency != CNY or order.expires_in_s is not None:
            raise NotSupported
        code = order.pay_code or Secret("")
        wallet = wallet_of(code)
        if order.wallet not in (None, wallet):
            raise InvalidPayCode
        fields = {name: order.details[name] for name in _EXTRAS if name in order.details}
        fields |= {
            "action": messages.MICROPAY,
            "authcode": code.reveal(),
            "paytype": PAY_TYPES[wallet].word,
            "total": format_yuan(order.amount_fen),
            "info": order.subject,
            "no": order.order_no,
        }
        asked = Payment(
            self._device_id,
            "",
            order.order_no,
            Method.BARCODE,
            wallet,
            PaymentState.UNKNOWN,
            order.amount_fen,
            subject=order.subject,
        )
        return _payment(await self._exchange(messages.OP_PATH, fields), asked)

    async def query(self, ref: PaymentRef) -> Payment:
        """See `ports.Till`."""
        if ref.payment_id:  # by which other tills' orders can be asked about, too
            fields = {"action": messages.QUERY, "dm_id": f"{DM}{ref.payment_id}"}
        else:
            fields = {"action": messages.QUERYTIMEOUT, "no": ref.order_no}
        asked = Payment(
            self._device_id,
            ref.payment_id,
            ref.order_no,
            Method.BARCODE,
            Wallet.WECHAT,
            PaymentState.UNKNOWN,
            amount_fen=0,
        )
        return _payment(await self._exchange(messages.OP_PATH, fields), asked)

    async def cancel(self, ref: PaymentRef) -> Payment:
        """The protocol has no cancel: NotSupported."""
        raise NotSupported

    async def refund(self, order: RefundOrder) -> Refund:
        """See `ports.Till`."""
        ref = order.payment
        # Refunds name our payment by its own number, and the merchant's wins when both are given.
        payment = await self.query(ref) if ref.order_no else None
        number = payment.payment_id if payment else ref.payment_id
        fields = {
            "action": messages.REFUND,
            "dm_id": f"{DM}{number}",
            "refund": format_yuan(order.amount_fen),
            "no": order.refund_no,
            "operator_id": order.details.get("operator_id", ""),
        }
        answer = await self._exchange(messages.OP_PATH, fields)
        if _number(answer) != number:
            raise BadField("dm_id", "that of the payment that was asked about")
        told = answer.attributes
        if told.get("no", "") != order.refund_no:
            raise BadField("no", "that of the refund that was asked for")
        refund = Refund(
            merchant_id=self._device_id,
            refund_id="",
            refund_no=order.refund_no,
            payment_id=number,
            order_no=ref.order_no,
            state=RefundState.PROCESSING,
            amount_fen=order.amount_fen,
            currency=payment.currency if payment else CNY,
        )
        if told["ok"] == OPEN:
            return refund
        if told["ok"] == NOT_DONE:
            returned = told.get("info") == words.RETURNED
            state = RefundState.RETURNED_TO_CASH if returned else RefundState.FAILED
            return replace(refund, state=state, reason=told.get("info", ""))
        back_fen = _negative(answer, "total")
        at_ms = parse_time(_required(answer, "pay_time"), "pay_time")
        return replace(refund, state=RefundState.DONE, amount_fen=back_fen, refunded_fen=back_fen, ended_at_ms=at_ms)

    async def query_refund(self, ref: RefundRef) -> Refund:
        """The protocol has no query of a refund: NotSupported."""
        raise NotSupported

    def hear(self, request: HttpRequest) -> tuple[Payment, HttpResponse]:
        """The protocol has no notices: NotSupported."""
        raise NotSupported

    async def activate(self) -> Activation:
        """Fetch a device's number and key with `activation_code`. Raises Refusal when the code does not work."""
        body = codec.encode_fields({"code": self._code.reveal()})
        answer = await self._answered(messages.ACTIVE_PATH, body)
        told = answer.attributes
        if told["ok"] != DONE:
            raise Refusal(told.get("info", ""))
        device_id, key = _required(answer, "device_id"), _required(answer, "secretkey")
        return Activation(device_id, Secret(key), told.get("server", ""))

    async def _exchange(self, path: str, fields: Mapping[str, str]) -> Element:
        """One request and its answer about a payment. Raises the refusal, WireError, Unreachable."""
        answer = await self._answered(path, codec.encode_signed({**fields, "device_id": self._device_id}, self._key))
        if not answer.attributes.get("dm_id"):
            _without_payment(answer.attributes)
        return answer

    async def _answered(self, path: str, body: bytes) -> Element:
        response = await self._send(HttpRequest("POST", path, "", {"content-type": FORM}, body, ""))
        if response.status != 200:
            raise Unreachable(f"HTTP {response.status}")
        answer = codec.decode_answer(response.body)
        if answer.attributes.get("ok") not in (DONE, OPEN, NOT_DONE):
            raise BadField("ok", "1, -1 or 0")
        return answer


def _without_payment(told: Mapping[str, str]) -> NoReturn:
    """What an answer that names no payment says. A 0 is a refusal: nothing was done."""
    info = told.get("info", "")
    if told["ok"] == NOT_DONE:
        raise _REFUSALS.get(info, Refusal)(info)
    if told["ok"] == OPEN:
        raise Unreachable(info)
    raise MissingField("dm_id")


def _payment(answer: Element, known: Payment) -> Payment:
    """What an answer makes of what was asked. Raises WireError."""
    told = answer.attributes
    number = _number(answer)
    if known.payment_id and number != known.payment_id:
        raise BadField("dm_id", "that of the payment that was asked about")
    no = told.get("no", "")
    # A payment without a number of its own can be asked about by ours in its place.
    if known.order_no and no != known.order_no and (no or number != known.order_no):
        raise BadField("no", "that of the order that was asked about")
    amount_fen = parse_yuan(_required(answer, "total"), field="total")
    info = told.get("info", "")
    payment = replace(
        known,
        payment_id=number,
        order_no=no or number,
        wallet=_wallet(answer),
        amount_fen=amount_fen,
        state=_state(told["ok"], info),
    )
    if payment.state is not PaymentState.PAID:
        return replace(payment, reason=info if payment.state is PaymentState.FAILED else "")
    coupon_fen = parse_yuan(told["coupon"], field="coupon") if "coupon" in told else 0
    if coupon_fen > amount_fen:
        raise BadField("coupon", "no more than total")
    return replace(
        payment,
        paid_fen=amount_fen - coupon_fen,
        coupon_fen=coupon_fen,
        currency=words.currency_of(info),
        payer_id=told.get("openid", ""),
        channel_trade_no=told.get("pay_id", ""),
        paid_at_ms=parse_time(_required(answer, "pay_time"), "pay_time"),
    )


def _state(ok: str, info: str) -> PaymentState:
    """The state behind `ok`; the text only tells apart what `ok` calls by one name."""
    if ok == DONE:
        return PaymentState.PAID
    state = words.PAYMENT_STATES.get(info)
    if state is not None and words.PAYMENT_WORDS[state].ok == ok:
        return state
    return PaymentState.UNKNOWN if ok == OPEN else PaymentState.FAILED


def _number(answer: Element) -> str:
    number = _required(answer, "dm_id")
    if not messages.DM_ID.takes(number):
        raise BadField("dm_id", "dm and digits")
    return number.removeprefix(DM)


def _wallet(answer: Element) -> Wallet:
    wallet = messages.WALLETS_OF_NUMBER.get(_required(answer, "pay_type"))
    if wallet is None:
        raise BadField("pay_type", "the number of a wallet")
    return wallet


def _negative(answer: Element, name: str) -> int:
    """What was given back, from an amount that is written with a minus."""
    text = _required(answer, name)
    if not text.startswith("-"):
        raise BadField(name, "a negative amount")
    return parse_yuan(text[1:], field=name)


def _required(answer: Element, name: str) -> str:
    value = answer.attributes.get(name)
    if not value:
        raise MissingField(name)
    return value
