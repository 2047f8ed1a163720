"""The calls over the gateway, and how merchants are told.

Strategy: every call is the same five steps - open the envelope, find the credential, check the signature, read the
fields, ask the till - and differs only in the last two, which stand in one table.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

from anytill.core.errors import Refusal, UnknownCredential
from anytill.core.merchant import Credential
from anytill.core.notice import Notice
from anytill.core.payment import Payment, PaymentRef, PayOrder, Refund, RefundOrder, RefundRef
from anytill.core.retry import HOUR, MINUTE, SECOND
from anytill.core.secret import Secret
from anytill.dialects.dialect_template import codec
from anytill.dialects.dialect_template.messages import (
    BAD_MESSAGE,
    CANCEL,
    DIALECT,
    NOTICE,
    PATHS,
    PAY,
    PAYMENT_WORDS,
    QUERY,
    QUERY_REFUND,
    REFUND,
    REFUND_WORDS,
    REFUSALS,
    SYSTEM_ERROR,
    Failure,
    PaymentTold,
    RefundTold,
)
from anytill.gateway import Gateway, GatewayTill
from anytill.ports import Letter
from anytill.wire.errors import BadSignature, WireError
from anytill.wire.http import FORM, HttpRequest, HttpResponse, json
from anytill.wire.jsontext import Json

#: An unknown `app` is checked against this, so that it takes as long as a wrong signature.
_NOBODY: Final = (Secret("0" * 32), Secret("1" * 32))

Fields = Mapping[str, str]


async def handle(request: HttpRequest, gateway: Gateway) -> HttpResponse:
    """Answers a request to one of the dialect's paths."""
    call, app = PATHS[request.path], ""
    key: Secret | None = None
    try:
        envelope = codec.open_form(request)
        credential, key = await _authentic(call, envelope, gateway)
        gateway.seen(credential, request.peer)
        app = envelope.app
        fields = codec.read_request(call, envelope.content)
        content = await _CALLS[call](gateway.till(credential), fields)
    except WireError as fault:
        content = codec.failure_content(Failure(BAD_MESSAGE, fault.text))
    except Refusal as refusal:
        content = codec.failure_content(Failure(REFUSALS[type(refusal)], str(refusal)))
    return json(codec.seal_answer(call, app, content, key))


def system_error(request: HttpRequest) -> HttpResponse:
    """Our fault, and the end unknown: not HTTP 200, so that nobody takes it for a "no"."""
    failure = Failure(SYSTEM_ERROR, "the result is unknown: ask again with the same number")
    return json(codec.seal_answer(PATHS[request.path], "", codec.failure_content(failure), None), status=500)


async def _authentic(what: str, envelope: codec.Envelope, gateway: Gateway) -> tuple[Credential, Secret]:
    """The credential, and which of its keys signed. Raises UnknownCredential for whatever was not proved."""
    known = None
    try:
        known = await gateway.credential(DIALECT, envelope.app)
        keys: Sequence[Secret] = (known.secret, known.previous or known.secret)
    except UnknownCredential:
        keys = _NOBODY
    try:
        key = codec.signing_key(what, envelope, keys)
    except BadSignature:
        raise UnknownCredential from None
    if known is None:
        raise UnknownCredential
    return known, key


async def _pay(till: GatewayTill, fields: Fields) -> dict[str, Json]:
    pay = codec.read_pay(fields)
    order = PayOrder(
        order_no=pay.order_no,
        amount_fen=pay.amount_fen,
        subject=pay.subject,
        pay_code=pay.auth_code,
        attach=pay.attach,
        notice_url=pay.notify_url,
    )
    return codec.payment_content(told_of(await till.pay(order)))


async def _query(till: GatewayTill, fields: Fields) -> dict[str, Json]:
    return codec.payment_content(told_of(await till.query(PaymentRef(fields["order_no"]))))


async def _cancel(till: GatewayTill, fields: Fields) -> dict[str, Json]:
    return codec.payment_content(told_of(await till.cancel(PaymentRef(fields["order_no"]))))


async def _refund(till: GatewayTill, fields: Fields) -> dict[str, Json]:
    wish = codec.read_give_back(fields)
    order = RefundOrder(PaymentRef(wish.order_no), wish.refund_no, wish.amount_fen)
    return codec.refund_content(told_of_refund(await till.refund(order)))


async def _query_refund(till: GatewayTill, fields: Fields) -> dict[str, Json]:
    return codec.refund_content(told_of_refund(await till.query_refund(RefundRef(fields["refund_no"]))))


_CALLS: Final[Mapping[str, Callable[[GatewayTill, Fields], Awaitable[dict[str, Json]]]]] = {
    PAY: _pay,
    QUERY: _query,
    CANCEL: _cancel,
    REFUND: _refund,
    QUERY_REFUND: _query_refund,
}


def told_of(payment: Payment) -> PaymentTold:
    """What the vendor's answer says of a payment. Money counts as paid only once the whole end is known."""
    word = PAYMENT_WORDS[payment.state]
    paid_fen = payment.paid_fen if word == "PAID" else 0
    return PaymentTold(
        payment_id=payment.payment_id,
        order_no=payment.order_no,
        state=word,
        amount_fen=payment.amount_fen,
        paid_fen=paid_fen,
        wallet=payment.wallet.name,
        reason=_short(payment.reason),
    )


def told_of_refund(refund: Refund) -> RefundTold:
    """What the vendor's answer says of a refund."""
    return RefundTold(
        refund.refund_id,
        refund.refund_no,
        refund.order_no,
        REFUND_WORDS[refund.state],
        refund.amount_fen,
        refund.refunded_fen,
        _short(refund.reason),
    )


def _short(reason: str) -> str:
    return reason[:128]


class PaidNotice:
    """The vendor's notice of a paid order, as a `ports.NoticeForm`."""

    delays_ms: Sequence[int] = (0, 15 * SECOND, 30 * SECOND, 3 * MINUTE, 10 * MINUTE, 30 * MINUTE, HOUR)
    timeout_ms: int = 5 * SECOND
    refund_facts: None = None  # payments only; a method like `facts` where the vendor tells of refunds too

    def facts(self, payment: Payment) -> Mapping[str, str]:
        """What the notice will say; amounts are kept as digits."""
        return {name: str(value) for name, value in codec.payment_content(told_of(payment)).items()}

    def encode(self, notice: Notice, credential: Credential, now_ms: int, nonce: str) -> Letter:
        """The signed form; the vendor has no place for a time or a nonce."""
        facts = notice.facts
        told = PaymentTold(
            payment_id=facts["payment_id"],
            order_no=facts["order_no"],
            state=facts["state"],
            amount_fen=int(facts["amount"]),
            paid_fen=int(facts["paid"]),
            wallet=facts["wallet"],
        )
        content = codec.payment_content(told)
        return Letter(codec.seal_form(NOTICE, credential.login, content, credential.secret), FORM)

    def acknowledged(self, response: HttpResponse) -> bool:
        """The vendor wants `success`."""
        return response.status == 200 and response.body.strip() == b"success"
