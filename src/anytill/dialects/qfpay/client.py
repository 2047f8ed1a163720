"""The client half: what drives a terminal, over HTTP, TCP or a serial line (`ports.Send`), and the ear for notices.

A payment is not sent to a gateway but shown to the terminal's payer: the terminal is told the amount and the channel,
and what is scanned or tapped there never passes through here. So `pay` waits as long as a person may need, and the
connection must have the patience for it.

A trade is sent once, whatever comes of it: what an answer leaves open is an UNKNOWN payment, and the caller asks about
it (`register` shows how). A refund has no number in this protocol, so one that has a number of the caller's is not
sent: it could not be told from a second one. Taking a request back has no number either; that is `withdraw`, which
only ends what waits at the terminal, and no `cancel`.

What an answer does not say is taken from what is remembered of the payment; nothing signs an answer.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from contextlib import suppress
from enum import StrEnum
from typing import Final

from anytill.core.card import parse_card
from anytill.core.errors import NotSupported, Refusal
from anytill.core.lifecycle import PaymentState, RefundState
from anytill.core.money import HKD
from anytill.core.payment import Method, Payment, PaymentRef, PayOrder, Refund, RefundOrder, RefundRef
from anytill.core.secret import Secret
from anytill.core.wallet import Wallet, wallet_of
from anytill.dialects.qfpay import codec, messages, readings, words
from anytill.dialects.qfpay.codec import KeyBytes, PosKey, RequestForm, Told
from anytill.dialects.qfpay.messages import CancelRequest, Inquiry, PrintReceipt, PrintSummary, RefundRequest, Trade
from anytill.dialects.qfpay.words import Channel, Code, FuncType, ScanType
from anytill.ports import Send, Unreachable
from anytill.wire import jsontext
from anytill.wire.errors import BadField, BadSignature, WireError
from anytill.wire.http import HttpRequest, HttpResponse, text
from anytill.wire.signing import same_digest

REMEMBERED: Final = 10_000
SIGN_HEADER: Final = "x-qf-sign"
_PATHS: Final[Mapping[FuncType, str]] = {function: path for path, function in words.PATHS.items()}
_SCANNED: Final = {
    kind.wallet: channel for channel, kind in words.CHANNELS.items() if Method.CARD not in kind.pay_types
}
_TAPPED: Final = {scheme: channel for channel, kind in words.CHANNELS.items() for scheme in kind.schemes}
#: What a trade's or refund's answer says as an end, and by which numbers it is known. A withdrawal's has none.
_ENDS: Final = frozenset({Code.DONE, Code.FAILED, Code.USER_CANCELLED})
_NUMBERS: Final = ("syssn", "out_trade_no", "orig_syssn")
_SCAN_TYPES: Final = {Method.BARCODE: ScanType.SCAN_PAY, Method.QR: ScanType.QRCODE_PAY}


class Withdrawn(StrEnum):
    """What came of taking a request back."""

    DONE = "DONE"  # it waited, and nothing was charged
    NOTHING = "NOTHING"  # nothing waited
    TOO_LATE = "TOO_LATE"  # the payment is done: it can only be given back
    UNSURE = "UNSURE"  # the channel was being asked: the payment's own end tells


class Client:
    """Implements `dialects.Client`. Settings: pos_key; and, if they are not as usual, `key_bytes` ascii or hex, `form`
    raw, quoted or plain (how requests travel), `currency` (HKD), `notify_key` for notices, which are
    signed with the POS-KEY where there is none."""

    def __init__(self, settings: Mapping[str, str], send: Send) -> None:
        """Raises ValueError for settings that cannot be."""
        key_bytes = KeyBytes(settings.get("key_bytes") or KeyBytes.ASCII)
        self._key = PosKey(Secret(settings["pos_key"]), key_bytes)
        self._form = RequestForm(settings.get("form") or RequestForm.RAW)
        self._currency = settings.get("currency") or HKD
        self._notify_key = Secret(settings.get("notify_key") or self._key.text)
        self._send = send
        self._payments: OrderedDict[str, Payment] = OrderedDict()

    async def pay(self, order: PayOrder) -> Payment:
        """See `ports.Till`. Waits for the person at the terminal. Of the order's extras `channel` chooses among the
        cards, `front_camera` and `move_to_back` are passed on; a lifetime becomes both timeouts."""
        trade, asked = self._trade(order)
        told = await self._ask(trade)
        payment = self._remember(readings.payment(told, asked))
        if told.respcd == Code.DONE and payment.state is not PaymentState.PAID and order.order_no:
            # Success without a word about what: the inquiry may have one, and if not, the end is open.
            with suppress(Refusal, Unreachable, WireError):
                return await self.query(PaymentRef(order.order_no))
        return payment

    async def query(self, ref: PaymentRef) -> Payment:
        """See `ports.Till`."""
        inquiry = Inquiry(out_trade_no=ref.order_no) if ref.order_no else Inquiry(ref.payment_id)
        known = self._recall(ref) or self._blank(ref)
        return self._remember(readings.payment_found(await self._ask(inquiry), known))

    async def cancel(self, ref: PaymentRef) -> Payment:
        """This protocol takes back only what waits at the terminal, and without a number: see `withdraw`."""
        raise NotSupported("QFPay takes no payment back by its number: withdraw what waits, or refund what is paid")

    async def withdraw(self) -> Withdrawn:
        """Take back whatever trade or refund waits at the terminal (5001)."""
        told = await self._ask(CancelRequest())
        data, inner = told.data or {}, readings.text(told.data or {}, "respcd")
        if told.respcd in _ENDS and any(data.get(name) for name in _NUMBERS):
            raise BadField("syssn", "not told: this is another question's answer")
        if told.respcd == Code.DONE:
            return Withdrawn.DONE
        if told.respcd == Code.FAILED and inner == words.TOO_LATE.inner:
            return Withdrawn.TOO_LATE
        if told.respcd == Code.FAILED and inner in ("", words.NOTHING_TO_CANCEL.inner):
            return Withdrawn.NOTHING
        readings.check(told)
        return Withdrawn.UNSURE

    async def refund(self, order: RefundOrder) -> Refund:
        """See `ports.Till`. Raises NotSupported for an order with a number of the caller's."""
        if order.refund_no:
            raise NotSupported("QFPay's refunds have no number of the caller's: it could not be told from a second one")
        known = self._recall(order.payment)
        number = known.payment_id if known and known.payment_id else order.payment.order_no or order.payment.payment_id
        told = await self._ask(RefundRequest(number, order.amount_fen))
        payment_id = known.payment_id if known else "" if order.payment.order_no else order.payment.payment_id
        asked = self._blank_refund("", payment_id, order.payment.order_no, order.amount_fen)
        return readings.refund(told, asked)

    async def query_refund(self, ref: RefundRef) -> Refund:
        """See `ports.Till`. This protocol asks by the terminal's number only."""
        if ref.refund_no or not ref.refund_id:
            raise NotSupported("QFPay asks about a refund by the terminal's number only")
        asked = self._blank_refund(ref.refund_id, ref.payment_id, "", 0)
        return readings.refund_found(await self._ask(Inquiry(ref.refund_id)), asked)

    async def receipt(self, ref: PaymentRef) -> None:
        """Print a payment's receipt (3001). Raises a refusal when it was not printed."""
        readings.check_done(await self._ask(PrintReceipt(ref.order_no or ref.payment_id)))

    async def summary(self) -> None:
        """Print the day's takings (3002). Raises a refusal when they were not printed."""
        readings.check_done(await self._ask(PrintSummary()))

    def hear(self, request: HttpRequest) -> tuple[Payment | Refund, HttpResponse]:
        """See `dialects.Client`."""
        sign = hashlib.md5(request.body + self._notify_key.reveal().encode(), usedforsecurity=False).hexdigest()
        if not same_digest(sign, request.headers.get(SIGN_HEADER, "")):
            raise BadSignature
        return readings.heard(jsontext.decode(request.body), self._currency), text("SUCCESS")

    def _trade(self, order: PayOrder) -> tuple[Trade, Payment]:
        """The order in the vendor's words. Raises NotSupported for what they cannot say."""
        if order.currency != self._currency:
            raise NotSupported(f"this terminal takes {self._currency}")
        channel, wallet = _channel(order)
        trade = Trade(
            amount_fen=order.amount_fen,
            channel=channel,
            out_trade_no=order.order_no,
            front_camera=order.details.get("front_camera") == "1",
            wait_card_timeout_s=order.expires_in_s if order.method is Method.CARD else None,
            payment_timeout_s=order.expires_in_s,
            scan_type=_SCAN_TYPES.get(order.method),
            move_to_back=order.details.get("move_to_back") == "1",
        )
        try:
            messages.read({name: str(value) for name, value in messages.write(trade).items()})
        except BadField as fault:
            raise NotSupported(str(fault)) from None
        asked = Payment(
            "",
            "",
            order.order_no,
            order.method,
            wallet,
            PaymentState.UNKNOWN,
            order.amount_fen,
            currency=self._currency,
            subject=order.subject,
            attach=order.attach,
        )
        return trade, asked

    async def _ask(self, request: messages.Request) -> Told:
        """One request and its answer. Raises WireError, Unreachable."""
        content = messages.write(request)
        path = _PATHS[FuncType(str(content["func_type"]))]
        body = codec.seal_request(content, self._key, form=self._form)
        response = await self._send(HttpRequest("POST", path, "", {"content-type": "application/json"}, body, ""))
        if response.status != 200:
            raise Unreachable(f"HTTP {response.status}")
        return codec.open_answer(response.body, self._key)

    def _blank(self, ref: PaymentRef) -> Payment:
        number = "" if ref.order_no else ref.payment_id
        return Payment(
            "", number, ref.order_no, Method.BARCODE, Wallet.WECHAT, PaymentState.UNKNOWN, 0, currency=self._currency
        )

    def _blank_refund(self, refund_id: str, payment_id: str, order_no: str, amount_fen: int) -> Refund:
        return Refund("", refund_id, "", payment_id, order_no, RefundState.UNKNOWN, amount_fen, currency=self._currency)

    def _recall(self, ref: PaymentRef) -> Payment | None:
        return self._payments.get(f"no {ref.order_no}" if ref.order_no else f"id {ref.payment_id}")

    def _remember(self, payment: Payment) -> Payment:
        for name in (
            f"no {payment.order_no}" if payment.order_no else "",
            f"id {payment.payment_id}" if payment.payment_id else "",
        ):
            if name:
                self._payments[name] = payment
                self._payments.move_to_end(name)
        while len(self._payments) > REMEMBERED:
            self._payments.popitem(last=False)
        return payment


def _channel(order: PayOrder) -> tuple[Channel, Wallet]:
    """Through which channel an order goes. Raises NotSupported, InvalidPayCode."""
    if order.method is Method.CARD:
        if order.wallet is Wallet.OCTOPUS:
            return Channel.OCTOPUS, Wallet.OCTOPUS
        named = order.details.get("channel", "")
        channel = Channel.CARD_PAYMENT
        if order.pay_code is not None:
            channel = _TAPPED[parse_card(order.pay_code).scheme]
        elif named in set(Channel):
            channel = Channel(named)
        kind = words.CHANNELS[channel]
        if Method.CARD in kind.pay_types and order.wallet in (None, kind.wallet):
            return channel, kind.wallet
        raise NotSupported("no card's channel")
    wallet = order.wallet
    if wallet is None and order.method is Method.BARCODE and order.pay_code is not None:
        wallet = wallet_of(order.pay_code)
    scanned = _SCANNED.get(wallet) if wallet else None
    if wallet is None or scanned is None or order.method not in words.CHANNELS[scanned].pay_types:
        raise NotSupported("QFPay's terminals have no channel for this wallet and this way of paying")
    return scanned, wallet
