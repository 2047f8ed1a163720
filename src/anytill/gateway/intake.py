"""Taking an order in: is it one that may be tried, and is it ours to try?

Nothing here asks a channel. An order is checked, becomes a record, and the record is committed under the merchant's
number and the payer's code, both of which admit one live payment. Who finds the number taken by the very same order is
given that payment; a retry after a lost answer therefore never charges twice. Where a vendor's orders have no number,
ours stands in its place, and the payer's code says which order is meant, as long as it is held.
"""

from __future__ import annotations

import hmac

from anytill.core import retry
from anytill.core.card import CardScheme, mask_pan, parse_card
from anytill.core.errors import (
    AmountNotAllowed,
    InvalidPayCode,
    NoticeAddressRefused,
    NotSupported,
    OrderConflict,
    PayCodeInUse,
)
from anytill.core.lifecycle import PaymentState
from anytill.core.merchant import Credential, Merchant
from anytill.core.money import is_amount
from anytill.core.payment import Method, Payment, PaymentRef, PayOrder, fingerprint
from anytill.core.records import changed
from anytill.core.secret import Secret
from anytill.core.wallet import TAPPED, Wallet, wallet_of
from anytill.gateway.parts import Parts
from anytill.wire.addresses import check_url
from anytill.wire.errors import WireError
from anytill.wire.redact import mask_code

#: Whoever holds a number or a code lets go of it at most once, so a few rounds are enough; but for many equal orders at
#: one moment whose code the channel refuses, and of those some may be told that it is in use.
_ROUNDS = 5


class Intake:
    """Makes records of orders and commits them."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._store = parts.store
        self._clock = parts.clock

    def new_payment(self, merchant: Merchant, credential: Credential, order: PayOrder) -> Payment:
        """The record of an order that may be tried; raises the refusal otherwise."""
        if not is_amount(order.amount_fen) or order.amount_fen > merchant.max_amount_fen:
            raise AmountNotAllowed
        if order.currency != merchant.currency:
            raise AmountNotAllowed(f"The merchant takes {merchant.currency}, not {order.currency}: ask the operator.")
        wallet = _wallet(order)
        channel = self._parts.channel_for(merchant, wallet)
        if order.notice_url:
            self._check_address(order.notice_url)
        now = self._clock.now_ms()
        lifetime_ms = (
            retry.deadline_ms(order.method) if order.expires_in_s is None else order.expires_in_s * retry.SECOND
        )
        code, hint = _shown(order)
        deadline_at_ms = now + lifetime_ms
        payment_id = self._parts.new_id()
        return Payment(
            merchant_id=merchant.merchant_id,
            payment_id=payment_id,
            order_no=order.order_no or payment_id,
            method=order.method,
            wallet=wallet,
            state=PaymentState.SUBMITTED,
            amount_fen=order.amount_fen,
            currency=order.currency,
            subject=order.subject,
            attach=order.attach,
            payer_id=order.payer_id,
            channel=channel.name,
            created_at_ms=now,
            deadline_at_ms=deadline_at_ms,
            due_at_ms=min(now + retry.CALL_UNDER_WAY_MS, deadline_at_ms),
            dialect=credential.dialect,
            login=credential.login,
            notice_url=order.notice_url,
            details=order.details,
            order_digest=self._digest(credential, order),
            code_digest=self.code_digest(merchant.merchant_id, code) if code else None,
            code_hint=hint,
        )

    async def taken_before(self, merchant_id: str, credential: Credential, order: PayOrder) -> Payment | None:
        """The payment that this very order started before, if it did."""
        if order.order_no:
            earlier = await self._store.payment(merchant_id, PaymentRef(order_no=order.order_no))
        elif order.pay_code:
            code_digest = self.code_digest(merchant_id, _shown(order)[0])
            earlier = await self._store.payment_of_code(merchant_id, code_digest)
        else:
            return None
        same = earlier is not None and earlier.order_digest == self._digest(credential, order)
        return earlier if earlier and same and (order.order_no or self._holds_code(earlier)) else None

    def code_digest(self, merchant_id: str, code: str) -> str:
        """What is kept of a payer's code, or of one presentation of a card."""
        return self._keyed(fingerprint(merchant_id, code))

    async def place(self, payment: Payment) -> Payment | None:
        """Commit the intent. None when it is ours to carry out; the earlier payment when it is the same order."""
        for _ in range(_ROUNDS):
            if await self._store.add_payment(payment):
                return None
            holder = await self._store.payment(payment.merchant_id, PaymentRef(order_no=payment.order_no))
            if holder is not None:
                # Our own row: its commit had been lost sight of, and the insert was tried again.
                if holder.payment_id == payment.payment_id:
                    return None
                if holder.order_digest != payment.order_digest:
                    raise OrderConflict
                return holder
            if payment.code_digest is not None:
                holder = await self._store.payment_of_code(payment.merchant_id, payment.code_digest)
                if holder is not None and self._holds_code(holder):
                    if payment.order_no == payment.payment_id and holder.order_digest == payment.order_digest:
                        return holder
                    raise PayCodeInUse
                if holder is not None:
                    await self._store.move_payment(holder, changed(holder, code_digest=None))
        raise PayCodeInUse

    def _holds_code(self, holder: Payment) -> bool:
        """Whether no other order may have the code yet: its payment is not long done."""
        held_until = (holder.paid_at_ms or 0) + retry.CODE_HELD_MS
        return holder.state is not PaymentState.PAID or self._clock.now_ms() < held_until

    def _digest(self, credential: Credential, order: PayOrder) -> str:
        return self._keyed(order.digest(credential.dialect))

    def _keyed(self, digest: str) -> str:
        """The digest as it may be stored. Codes are short: without a key, trying them all would find the code."""
        return hmac.digest(self._parts.code_key, digest.encode(), "sha256").hex()

    def _check_address(self, url: str) -> None:
        try:
            check_url(url, allow_loopback=self._parts.loopback_notices)
        except WireError:
            raise NoticeAddressRefused from None


def _shown(order: PayOrder) -> tuple[str, str]:
    """What the payer showed, as far as it must serve no other order, and how it may be told. A card may be used again
    at once, but each of its presentations once. Raises InvalidPayCode."""
    if order.pay_code is None:
        return "", ""
    if order.method is Method.CARD:
        card = parse_card(order.pay_code)
        return card.presentation, mask_pan(card.pan)
    code = order.pay_code.reveal()
    return code, mask_code(code)


def _wallet(order: PayOrder) -> Wallet:
    """The order's wallet: the code's own when one was scanned. Raises InvalidPayCode when they differ or none is, and
    NotSupported for a card that was not tapped."""
    if order.method is Method.BARCODE:
        if order.pay_code is None:
            raise InvalidPayCode
        wallet = wallet_of(order.pay_code)
        if order.wallet not in (None, wallet):
            raise InvalidPayCode
        return wallet
    if order.method is Method.CARD:
        octopus = parse_card(order.pay_code or Secret("")).scheme is CardScheme.OCTOPUS
        wallet = Wallet.OCTOPUS if octopus else Wallet.CARD
        if order.wallet is not wallet:
            raise InvalidPayCode
        return wallet
    if order.wallet in TAPPED:
        raise NotSupported
    if order.wallet is None or (order.method is Method.FACE and not order.pay_code):
        raise InvalidPayCode
    return order.wallet
