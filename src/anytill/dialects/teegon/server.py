"""Teegon's two calls over the gateway, and how its merchants are told.

Source: 收银支付接口, 支付状态查询接口, 服务器异步通知; what the vendor left open is decided in README.md.

A charge is answered at once: `paid` true, or `paid` false while the till must ask for the status, or the failure form
when it certainly was not paid. The source lets a till take a minute without success for a failure; the gateway makes
that true by taking the order back at that moment (core.retry.TILL_DEADLINE_MS).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Final

from anytill.core.errors import Refusal, UnknownCredential
from anytill.core.lifecycle import PaymentState
from anytill.core.merchant import Credential
from anytill.core.notice import Notice
from anytill.core.payment import Payment, PaymentRef, PayOrder, Verdict, fingerprint
from anytill.core.retry import HOUR, MINUTE, SECOND
from anytill.core.secret import Secret
from anytill.core.wallet import Wallet
from anytill.dialects.teegon import codec
from anytill.dialects.teegon.messages import (
    CHARGE_PATHS,
    DIALECT,
    NOTICE_STATUS,
    ON,
    OPTION_ECHO_AUTH_CODE,
    Charge,
    ChargeResult,
    StatusResult,
)
from anytill.dialects.teegon.words import (
    ALIPAY_REFUNDED,
    ALIPAY_STATUS,
    ANSWER_CHANNELS,
    NO_REASON,
    NOTICE_CHANNELS,
    OTHER_STATUS,
    REFUSALS,
    SYSTEM_ERROR,
    UNPAID_TEXTS,
    WECHAT_REFUNDED,
)
from anytill.gateway import Gateway
from anytill.ports import Letter
from anytill.wire.amounts import format_yuan
from anytill.wire.errors import BadSignature, WireError
from anytill.wire.http import FORM, HttpRequest, HttpResponse
from anytill.wire.redact import mask_code

#: Unknown client_ids are checked against this, so that they take as long as a wrong signature.
_NOBODY: Final = (Secret("0" * 32), Secret("1" * 32))


async def handle(request: HttpRequest, gateway: Gateway) -> HttpResponse:
    """Answers a request to one of the dialect's paths."""
    try:
        if request.path in CHARGE_PATHS:
            return await _charge(request, gateway)
        return await _status(request, gateway)
    except WireError as fault:
        return codec.failure_answer(codec.fault_text(fault))
    except Refusal as refusal:
        return codec.failure_answer(REFUSALS[type(refusal)])


def system_error(_request: HttpRequest) -> HttpResponse:
    """Our fault, and the payment's end unknown. Not HTTP 200: tills read a failure form there as "not paid"."""
    return codec.failure_answer(SYSTEM_ERROR, status=500)


async def _charge(request: HttpRequest, gateway: Gateway) -> HttpResponse:
    credential, fields = await _authentic(request, gateway)
    charge = codec.read_charge(fields)
    payment = await gateway.till(credential).pay(_order(charge))
    if payment.verdict is Verdict.NOT_PAID:
        return codec.failure_answer(UNPAID_TEXTS[payment.state] + (payment.reason or NO_REASON))
    code = charge.auth_code.reveal()
    shown = code if credential.options.get(OPTION_ECHO_AUTH_CODE) == ON else mask_code(code)
    return codec.charge_answer(charge_result(payment, shown))


async def _status(request: HttpRequest, gateway: Gateway) -> HttpResponse:
    credential, fields = await _authentic(request, gateway)
    query = codec.read_status_query(fields)
    payment = await gateway.till(credential).query(PaymentRef(payment_id=query.charge_id))
    return codec.status_answer(status_result(payment))


async def _authentic(request: HttpRequest, gateway: Gateway) -> tuple[Credential, Mapping[str, str]]:
    """The credential that signed the request, and the fields it signed."""
    fields = codec.decode_request(request)
    try:
        credential = await gateway.credential(DIALECT, fields["client_id"])
    except UnknownCredential:
        with suppress(BadSignature):
            codec.authenticate(fields, _NOBODY, {})
        raise
    secrets = (credential.secret, credential.previous or credential.secret)
    signed = codec.authenticate(fields, secrets, credential.options)
    gateway.seen(credential, request.peer)
    return credential, signed


def _order(charge: Charge) -> PayOrder:
    return PayOrder(
        order_no=charge.order_no,
        amount_fen=charge.amount_fen,
        subject=charge.subject,
        pay_code=charge.auth_code,
        attach=charge.metadata,
        notice_url=charge.notify_url,
        details=charge.echoed,
    )


def charge_result(payment: Payment, auth_code: str) -> ChargeResult:
    """What a charge's answer says of a payment that is paid or open."""
    return ChargeResult(
        charge_id=payment.payment_id,
        domain_id=fingerprint("domain_id", payment.login)[:8],
        order_no=payment.order_no,
        channel=ANSWER_CHANNELS[payment.wallet],
        amount_fen=payment.amount_fen,
        real_amount_fen=payment.paid_fen,
        subject=payment.subject,
        notify_url=payment.notice_url,
        auth_code=auth_code,
        metadata=payment.attach,
        created_s=payment.created_at_ms // SECOND,
        time_expire_s=payment.deadline_at_ms // SECOND,
        time_paid_s=(payment.paid_at_ms or 0) // SECOND,
        paid=payment.state is PaymentState.PAID,
        amount_refunded_fen=payment.refunded_fen,
        transaction_no=payment.channel_trade_no,
        buyer_account=payment.payer_id,
        buyer_openid=_openid(payment),
        echoed=payment.details,
    )


def status_result(payment: Payment) -> StatusResult:
    """What a status answer says of a payment."""
    refunded = payment.refunded_fen if payment.state is PaymentState.PAID else 0
    if payment.wallet is Wallet.ALIPAY:
        word = ALIPAY_REFUNDED if refunded and refunded == payment.paid_fen else ALIPAY_STATUS[payment.state]
    else:
        word = WECHAT_REFUNDED if refunded else OTHER_STATUS[payment.state]
    return StatusResult(payment.payment_id, payment.order_no, ANSWER_CHANNELS[payment.wallet], word)


def _openid(payment: Payment) -> str:
    return payment.payer_id if payment.wallet is Wallet.WECHAT else ""


class ChargeNotice:
    """The vendor's notice of a paid charge (服务器异步通知), as a `ports.NoticeForm`."""

    delays_ms: Sequence[int] = (
        0,
        15 * SECOND,
        15 * SECOND,
        30 * SECOND,
        3 * MINUTE,
        10 * MINUTE,
        30 * MINUTE,
        HOUR,
    )
    timeout_ms: int = 10 * SECOND
    refund_facts: None = None  # the document's one notice is of a payment, and it has no refunds

    def facts(self, payment: Payment) -> Mapping[str, str]:
        """Every field but `timestamp` and `sign`, which are of the moment of sending."""
        return {
            "amount": format_yuan(payment.amount_fen),
            "bank": "",
            "buyer": payment.payer_id,
            "channel": NOTICE_CHANNELS[payment.wallet],
            "charge_id": payment.payment_id,
            "device_info": payment.details.get("device_id", ""),
            "is_success": "true",
            "metadata": payment.attach,
            "order_no": payment.order_no,
            "pay_time": str((payment.paid_at_ms or 0) // SECOND),
            "real_amount": format_yuan(payment.paid_fen),
            "status": NOTICE_STATUS,
            "buyer_openid": _openid(payment),
        }

    def encode(self, notice: Notice, credential: Credential, now_ms: int, nonce: str) -> Letter:
        """The form, signed; the vendor has no place for a nonce."""
        return Letter(codec.encode_notice(notice.facts, now_ms // SECOND, credential.secret), FORM)

    def acknowledged(self, response: HttpResponse) -> bool:
        """The vendor's sample receiver answers `success`; known clients answer nothing, with HTTP 200."""
        body = response.body.strip().lower()
        return response.status == 200 and (not body or body.startswith(b"success"))
