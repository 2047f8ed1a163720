"""The client: a till over any `Send`, and the merchant's ear for notices.

What is not a readable, signed answer is `Unreachable` or a `WireError`: the end is then unknown, and the caller asks
again with the same number.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from anytill.core.errors import (
    InvalidPayCode,
    NotSupported,
    PaymentNotFound,
    RefundNotFound,
    Refusal,
    UnknownCredential,
)
from anytill.core.money import CNY
from anytill.core.payment import Method, Payment, PaymentRef, PayOrder, Refund, RefundOrder, RefundRef
from anytill.core.secret import Secret
from anytill.core.wallet import Wallet, wallet_of
from anytill.dialects.dialect_template import codec
from anytill.dialects.dialect_template.messages import (
    CANCEL,
    DIALECT,
    NOTICE,
    PAY,
    PAYMENT_STATES,
    PREFIX,
    QUERY,
    QUERY_REFUND,
    REFUND,
    REFUND_STATES,
    REFUSALS,
    Failure,
    GiveBack,
    Pay,
)
from anytill.ports import Send, Unreachable
from anytill.wire.errors import BadField, BadSignature
from anytill.wire.http import FORM, HttpRequest, HttpResponse, text
from anytill.wire.jsontext import Json

_REFUSED: Final = {word: refusal for refusal, word in REFUSALS.items()}


class Client:
    """A `dialects.Client` for one `app`. What it returns says what the vendor told and no more."""

    def __init__(self, settings: Mapping[str, str], send: Send) -> None:
        """`settings` as listed in the dialect's `client_settings`."""
        self._app = settings["app"]
        self._key = Secret(settings["key"])
        self._send = send

    async def pay(self, order: PayOrder) -> Payment:
        """Raises NotSupported for what the vendor cannot say."""
        if order.method is not Method.BARCODE or order.currency != CNY or order.expires_in_s is not None:
            raise NotSupported("barcode payments in yuan only")
        if order.pay_code is None:
            raise InvalidPayCode
        wallet = wallet_of(order.pay_code)
        if order.wallet not in (None, wallet):
            raise InvalidPayCode
        pay = Pay(order.order_no, order.amount_fen, order.subject, order.pay_code, order.notice_url, order.attach)
        return self._payment(await self._ask(PAY, codec.pay_content(pay)))

    async def query(self, ref: PaymentRef) -> Payment:
        """By the merchant's number only."""
        return self._payment(await self._ask(QUERY, {"order_no": _order_no(ref)}))

    async def cancel(self, ref: PaymentRef) -> Payment:
        """By the merchant's number only."""
        return self._payment(await self._ask(CANCEL, {"order_no": _order_no(ref)}))

    async def refund(self, order: RefundOrder) -> Refund:
        """By the merchant's numbers only."""
        wish = GiveBack(_order_no(order.payment), order.refund_no, order.amount_fen)
        return self._refund(await self._ask(REFUND, codec.give_back_content(wish)))

    async def query_refund(self, ref: RefundRef) -> Refund:
        """By the merchant's number only."""
        if not ref.refund_no:
            raise RefundNotFound("the vendor asks by refund_no only")
        return self._refund(await self._ask(QUERY_REFUND, {"refund_no": ref.refund_no}))

    def hear(self, request: HttpRequest) -> tuple[Payment, HttpResponse]:
        """A notice and its acknowledgement. Raises WireError when it is not authentic or not readable."""
        envelope = codec.open_form(request)
        codec.signing_key(NOTICE, envelope, (self._key,))
        return self._payment(envelope.content), text("success")

    async def _ask(self, call: str, content: Mapping[str, Json]) -> str:
        """The content of the answer. Raises the refusal that it tells of."""
        body = codec.seal_form(call, self._app, content, self._key)
        response = await self._send(HttpRequest("POST", f"{PREFIX}{call}", "", {"content-type": FORM}, body, ""))
        if response.status != 200:
            raise Unreachable(f"HTTP {response.status}")
        envelope = codec.open_answer(response.body, self._app)
        failure = codec.read_failure(envelope.content)
        # Nobody was proved, so nobody could sign: this one answer is believed as it is, since it moves no money.
        if failure is not None and not envelope.sign and failure.error == REFUSALS[UnknownCredential]:
            raise UnknownCredential
        try:
            codec.signing_key(call, envelope, (self._key,))
        except BadSignature:
            raise BadSignature("the answer is not signed by the gateway") from None
        if failure is not None:
            raise _refusal(failure)
        return envelope.content

    def _payment(self, content: str) -> Payment:
        """Barcode payments are all that this vendor has."""
        told = codec.read_payment(content)
        state = PAYMENT_STATES.get(told.state)
        if state is None:
            raise BadField("state", "one of the vendor's words")
        if told.wallet not in Wallet.__members__:
            raise BadField("wallet", "one of the vendor's words")
        if told.paid_fen > told.amount_fen:
            raise BadField("paid", "no more than amount")
        return Payment(
            merchant_id="",
            payment_id=told.payment_id,
            order_no=told.order_no,
            method=Method.BARCODE,
            wallet=Wallet[told.wallet],
            state=state,
            amount_fen=told.amount_fen,
            paid_fen=told.paid_fen,
            coupon_fen=told.amount_fen - told.paid_fen if told.paid_fen else 0,
            reason=told.reason,
            dialect=DIALECT,
            login=self._app,
        )

    def _refund(self, content: str) -> Refund:
        told = codec.read_refund(content)
        state = REFUND_STATES.get(told.state)
        if state is None:
            raise BadField("state", "one of the vendor's words")
        return Refund(
            merchant_id="",
            refund_id=told.refund_id,
            refund_no=told.refund_no,
            payment_id="",
            order_no=told.order_no,
            state=state,
            amount_fen=told.amount_fen,
            refunded_fen=told.refunded_fen,
            reason=told.reason,
        )


def _order_no(ref: PaymentRef) -> str:
    if not ref.order_no:
        raise PaymentNotFound("the vendor asks by order_no only")
    return ref.order_no


def _refusal(failure: Failure) -> Refusal:
    refusal = _REFUSED.get(failure.error)
    return refusal(failure.text) if refusal else Refusal(failure.text)
