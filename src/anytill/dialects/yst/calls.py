"""What each request does: from checked fields to the till, and from what the till says to the answer.

`CALLS` is the whole list, by `request_type`. A call gets fields that its form has read, from a terminal whose signature
was verified; it raises what the tables have words for, and changes nothing before it has looked at everything.

Orders and refunds go by the terminal's own numbers (see `terminal`): `req_seq` is the order's number in the four
requests to pay and the refund's in a refund, each of them used once for ever; `ori_seq` asks about such a number;
`trans_seq` is ours. `channel` and `auth_code` of a query and of a revocation say nothing that an own order's number
does not say: a till that must take an order back is not sent away because of them. An order of another protocol's till
must match them, and only who names its payer's code takes it back. A revocation that found no order is not let loose on
one that is made later, for nothing in it says when it was sent.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from anytill.core.errors import MerchantInactive, PaymentNotFound
from anytill.core.merchant import Credential
from anytill.core.payment import Method, Payment, PaymentRef, RefundOrder
from anytill.dialects.yst import answers, messages, words
from anytill.dialects.yst.answers import Printer, Told
from anytill.dialects.yst.messages import WALLETS, Form
from anytill.dialects.yst.orders import order_of
from anytill.dialects.yst.terminal import Terminal
from anytill.dialects.yst.words import CallRefused
from anytill.gateway import Gateway, GatewayTill
from anytill.wire.amounts import parse_fen
from anytill.wire.redact import mask_code

Fields: TypeAlias = Mapping[str, str]
#: The credential's option: where the merchant hears of orders that name no address.
OPTION_NOTIFY_URL: Final = "notify_url"


@dataclass(frozen=True, slots=True)
class Caller:
    """A terminal whose signature was verified."""

    gateway: Gateway
    credential: Credential

    @property
    def till(self) -> GatewayTill:
        """The till of its merchant. Raises ForeignMerchant when it has none."""
        return self.gateway.till(self.credential)

    @property
    def terminal(self) -> Terminal:
        """The same till under the terminal's own numbers. Raises ForeignMerchant."""
        return Terminal(self.till, self.credential)

    async def printer(self) -> Printer:
        """Where receipts are printed."""
        try:
            merchant = await self.gateway.merchant(self.credential)
        except MerchantInactive:
            # What was paid before can still be asked about.
            return Printer("", self.credential.login)
        return Printer(merchant.name, self.credential.login)


@dataclass(frozen=True, slots=True)
class Call:
    """One request: its table and what it does."""

    form: Form
    perform: Callable[[Caller, Fields], Awaitable[Told]]


async def _pay(caller: Caller, fields: Fields) -> Told:
    payment = await caller.terminal.pay(order_of(fields, Method.BARCODE))
    return answers.payment(payment, await caller.printer())


def _preorder(method: Method) -> Callable[[Caller, Fields], Awaitable[Told]]:
    async def perform(caller: Caller, fields: Fields) -> Told:
        registered_url = caller.credential.options.get(OPTION_NOTIFY_URL, "")
        payment = await caller.terminal.pay(order_of(fields, method, registered_url))
        return answers.preorder(payment, await caller.printer())

    return perform


async def _query(caller: Caller, fields: Fields) -> Told:
    meant = await _meant(caller, fields)
    payment = await caller.till.query(PaymentRef(payment_id=meant.payment_id))
    return answers.query(payment, await caller.printer())


async def _revoke(caller: Caller, fields: Fields) -> Told:
    till, request = caller.till, f"yst revoke {caller.credential.login} {fields['req_seq']} {fields['ori_seq']}"
    try:
        payment = await _meant(caller, fields, by_code=True)
    except PaymentNotFound:
        await till.remember_in_vain(request)
        raise
    if await till.is_over(request, payment):
        raise CallRefused(words.OLD_REVOCATION)
    return answers.revoked(await till.cancel(PaymentRef(payment_id=payment.payment_id)))


async def _meant(caller: Caller, fields: Fields, *, by_code: bool = False) -> Payment:
    """The order that the terminal means by `ori_seq`; `by_code`: another protocol's only if the code that its payer
    showed is named. Raises PaymentNotFound."""
    payment = await caller.terminal.payment(fields["ori_seq"])
    if payment.dialect != caller.credential.dialect and not _matches(payment, fields, by_code=by_code):
        # The till's own order never arrived; this one has its number by chance.
        raise PaymentNotFound
    return payment


def _matches(payment: Payment, fields: Fields, *, by_code: bool) -> bool:
    if "channel" in fields and WALLETS[fields["channel"]] is not payment.wallet:
        return False
    if "auth_code" not in fields:
        return not by_code
    return payment.method is Method.BARCODE and mask_code(fields["auth_code"]) == payment.code_hint


async def _refund(caller: Caller, fields: Fields) -> Told:
    order = RefundOrder(
        payment=PaymentRef(payment_id=fields["trans_seq"]),
        refund_no=fields["req_seq"],
        amount_fen=parse_fen(fields["refund_fee"], field="refund_fee"),
        reason=fields["reason"],
    )
    refund = await caller.terminal.refund(order)
    payment = await caller.till.find(PaymentRef(payment_id=refund.payment_id))
    return answers.refund(refund, payment, await caller.printer())


async def _query_refund(caller: Caller, fields: Fields) -> Told:
    refund = await caller.terminal.query_refund(fields["ori_seq"])
    if refund.payment_id != fields["trans_seq"]:
        raise CallRefused(words.OTHER_PAYMENT)
    payment = await caller.till.find(PaymentRef(payment_id=refund.payment_id))
    return answers.refund(refund, payment, await caller.printer())


CALLS: Final[Mapping[str, Call]] = {
    call.form.request_type: call
    for call in (
        Call(messages.PAY, _pay),
        Call(messages.QUERY_PAY, _query),
        Call(messages.REFUND, _refund),
        Call(messages.QUERY_REFUND, _query_refund),
        Call(messages.REVOKE, _revoke),
        Call(messages.NATIVE_PAY, _preorder(Method.QR)),
        Call(messages.NATIVE_QUERY_PAY, _query),
        Call(messages.JS_PAY, _preorder(Method.JSAPI)),
        Call(messages.H5_PAY, _preorder(Method.H5)),
    )
}
