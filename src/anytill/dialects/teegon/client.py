"""Teegon's client: a till over any `Send`, and the merchant's ear for notices.

The vendor has two calls, so this till can pay by barcode and ask by charge number; everything else is NotSupported.
Whatever is not a readable answer is `Unreachable`: the payment's end is then unknown, and the same order may be sent
again under its own number, which never charges twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NoReturn

from anytill.core.errors import InvalidPayCode, NotSupported, Refusal
from anytill.core.lifecycle import PaymentState
from anytill.core.money import CNY
from anytill.core.payment import Method, Payment, PaymentRef, PayOrder, Refund, RefundOrder, RefundRef
from anytill.core.retry import SECOND
from anytill.core.secret import Secret
from anytill.core.wallet import Wallet, wallet_of
from anytill.dialects.teegon import codec
from anytill.dialects.teegon.messages import (
    CHARGE_PATHS,
    DIALECT,
    ECHOED,
    STATUS_PATHS,
    Charge,
    ChargeResult,
    Failure,
    StatusQuery,
)
from anytill.dialects.teegon.words import CHANNEL_PREFIXES, REFUSALS, STATUS_WORDS, UNPAID_TEXTS
from anytill.ports import Send, Unreachable
from anytill.wire.amounts import fen_from_number_text, parse_yuan
from anytill.wire.errors import BadField
from anytill.wire.http import FORM, HttpRequest, HttpResponse, text
from anytill.wire.jsontext import Json
from anytill.wire.redact import mask_code

#: Charges whose amounts a client keeps in mind; the oldest go first.
_MOST_REMEMBERED: Final = 10_000
_REFUSED: Final = {words: refusal for refusal, words in REFUSALS.items()}


class Client:
    """A `dialects.Client` for one client_id. Payments it returns say what the vendor told and no more."""

    def __init__(self, settings: Mapping[str, str], send: Send) -> None:
        """`settings` as listed in the dialect's `client_settings`."""
        self._client_id = settings["client_id"]
        self._secret = Secret(settings["client_secret"])
        self._send = send
        self._amounts_fen: dict[str, int] = {}

    async def pay(self, order: PayOrder) -> Payment:
        """收银支付接口. Needs a notice address, as the vendor does. Raises Unreachable when the end is unknown."""
        charge, wallet = self._charge(order)
        answer = await self._ask(CHARGE_PATHS[0], codec.charge_fields(charge))
        if isinstance(answer, Failure):
            return self._not_paid(order, wallet, answer)
        payment = self._payment(codec.read_charge_result(answer), order)
        self._remember(payment)
        return payment

    async def query(self, ref: PaymentRef) -> Payment:
        """支付状态查询接口, by charge number only. The vendor tells no amount here: it is the one that this client
        charged, or 0 for a charge of somebody else's."""
        if not ref.payment_id:
            raise NotSupported("Teegon asks by the charge's own number only")
        query = StatusQuery(self._client_id, ref.payment_id)
        answer = await self._ask(STATUS_PATHS[0], codec.status_fields(query))
        if isinstance(answer, Failure):
            raise _refusal(answer)
        status = codec.read_status_result(answer)
        state = STATUS_WORDS.get(status.trade_status)
        if state is None:
            raise BadField("trade_status", "one of the vendor's words")
        return Payment(
            merchant_id="",
            payment_id=status.charge_id,
            order_no=status.order_no,
            method=Method.BARCODE,
            wallet=_wallet(status.pay_channel, "pay_channel"),
            state=state,
            amount_fen=self._amounts_fen.get(status.charge_id, 0),
            dialect=DIALECT,
            login=self._client_id,
        )

    async def cancel(self, ref: PaymentRef) -> Payment:
        """The vendor has no such call: an unpaid charge is taken back after a minute."""
        _not_offered()

    async def refund(self, order: RefundOrder) -> Refund:
        """The vendor has no such call here: refunds are given in its console."""
        _not_offered()

    async def query_refund(self, ref: RefundRef) -> Refund:
        """The vendor has no such call."""
        _not_offered()

    def hear(self, request: HttpRequest) -> tuple[Payment, HttpResponse]:
        """A notice and its acknowledgement. Raises WireError when it is not authentic or not readable."""
        fields = codec.decode_notice(request, self._secret)
        success = fields["is_success"] == "true"
        amount_fen = parse_yuan(fields["amount"])
        real_fen = fen_from_number_text(fields["real_amount"], field="real_amount")
        _check_real(real_fen, amount_fen)
        payment = Payment(
            merchant_id="",
            payment_id=fields["charge_id"],
            order_no=fields["order_no"],
            method=Method.BARCODE,
            wallet=_wallet(fields["channel"], "channel"),
            state=PaymentState.PAID if success else PaymentState.UNKNOWN,
            amount_fen=amount_fen,
            paid_fen=real_fen if success else 0,
            coupon_fen=amount_fen - real_fen if success else 0,
            attach=fields.get("metadata", ""),
            payer_id=fields["buyer"],
            paid_at_ms=int(fields["pay_time"]) * SECOND if success else None,
            dialect=DIALECT,
            login=self._client_id,
        )
        return payment, text("success")

    def _charge(self, order: PayOrder) -> tuple[Charge, Wallet]:
        """The order in the vendor's words. Raises NotSupported for what they cannot say."""
        if order.method is not Method.BARCODE or order.currency != CNY or order.expires_in_s is not None:
            raise NotSupported("Teegon takes barcode payments in yuan that last a minute")
        if not order.notice_url:
            raise NotSupported("Teegon takes no payment without a notice address")
        if order.pay_code is None:
            raise InvalidPayCode
        wallet = wallet_of(order.pay_code)
        if order.wallet not in (None, wallet):
            raise InvalidPayCode
        charge = Charge(
            client_id=self._client_id,
            notify_url=order.notice_url,
            order_no=order.order_no,
            amount_fen=order.amount_fen,
            subject=order.subject or order.order_no,
            metadata=order.attach,
            auth_code=order.pay_code,
            echoed={name: order.details[name] for name in ECHOED if order.details.get(name)},
        )
        return charge, wallet

    async def _ask(self, path: str, fields: Mapping[str, str]) -> dict[str, Json] | Failure:
        body = codec.encode_request(fields, self._secret)
        response = await self._send(HttpRequest("POST", path, "", {"content-type": FORM}, body, ""))
        if response.status != 200:
            raise Unreachable(f"HTTP {response.status}")
        return codec.decode_answer(response)

    def _payment(self, told: ChargeResult, order: PayOrder) -> Payment:
        if told.order_no != order.order_no or told.amount_fen != order.amount_fen:
            raise BadField("result", "about the order that was sent")
        _check_real(told.real_amount_fen, told.amount_fen)
        return Payment(
            merchant_id="",
            payment_id=told.charge_id,
            order_no=told.order_no,
            method=Method.BARCODE,
            wallet=_wallet(told.channel, "channel"),
            state=PaymentState.PAID if told.paid else PaymentState.WAITING,
            amount_fen=told.amount_fen,
            paid_fen=told.real_amount_fen if told.paid else 0,
            coupon_fen=told.amount_fen - told.real_amount_fen if told.paid else 0,
            reserved_fen=told.amount_refunded_fen,
            refunded_fen=told.amount_refunded_fen,
            subject=told.subject,
            attach=told.metadata,
            payer_id=told.buyer_account,
            channel_trade_no=told.transaction_no,
            created_at_ms=told.created_s * SECOND,
            paid_at_ms=told.time_paid_s * SECOND if told.paid else None,
            deadline_at_ms=told.time_expire_s * SECOND,
            dialect=DIALECT,
            login=self._client_id,
            notice_url=told.notify_url,
            details=told.echoed,
            code_hint=_hint(order),
        )

    def _remember(self, payment: Payment) -> None:
        if len(self._amounts_fen) >= _MOST_REMEMBERED:
            del self._amounts_fen[next(iter(self._amounts_fen))]
        self._amounts_fen[payment.payment_id] = payment.amount_fen

    def _not_paid(self, order: PayOrder, wallet: Wallet, failure: Failure) -> Payment:
        """The payment that the failure form says was not paid. Raises the refusal when it says something else."""
        for state, prefix in UNPAID_TEXTS.items():
            if failure.error.startswith(prefix):
                return Payment(
                    merchant_id="",
                    payment_id="",
                    order_no=order.order_no,
                    method=Method.BARCODE,
                    wallet=wallet,
                    state=state,
                    amount_fen=order.amount_fen,
                    subject=order.subject,
                    attach=order.attach,
                    reason=failure.error.removeprefix(prefix),
                    dialect=DIALECT,
                    login=self._client_id,
                    notice_url=order.notice_url,
                    code_hint=_hint(order),
                )
        raise _refusal(failure)


def _refusal(failure: Failure) -> Refusal:
    refusal = _REFUSED.get(failure.error)
    return refusal() if refusal else Refusal(failure.error)


def _wallet(channel: str, field: str) -> Wallet:
    """The wallet that a channel's name begins with, whatever bank comes after it."""
    for prefix, wallet in CHANNEL_PREFIXES.items():
        if channel.startswith(prefix):
            return wallet
    raise BadField(field, "a wallet's channel")


def _check_real(real_fen: int, amount_fen: int) -> None:
    if real_fen > amount_fen:
        raise BadField("real_amount", "no more than amount")


def _hint(order: PayOrder) -> str:
    return mask_code(order.pay_code.reveal()) if order.pay_code else ""


def _not_offered() -> NoReturn:
    raise NotSupported("Teegon has no such call")
