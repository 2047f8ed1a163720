"""What each request does: from checked fields to the till, and from what the till says to the answer.

`CALLS` is the whole list, by `request_type`. A call gets fields that its form has read, from a terminal whose signature
was verified; it raises what the tables have words for, and changes nothing before it has looked at everything.

Orders and refunds go by the till's own numbers: `req_seq` is the order's number in the four requests to pay and the
refund's in a refund, each of them used once for ever; `ori_seq` asks about such a number; `trans_seq` is ours.
`channel` and `auth_code` of a query and of a revocation are checked for their form and say nothing that the number does
not say: a till that must take an order back is not sent away because of them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from anytill.core.errors import MerchantInactive
from anytill.core.merchant import Credential
from anytill.core.payment import Method, PaymentRef, RefundOrder, RefundRef
from anytill.dialects.yst import answers, messages, words
from anytill.dialects.yst.answers import Printer, Told
from anytill.dialects.yst.messages import Form
from anytill.dialects.yst.orders import order_of
from anytill.dialects.yst.words import CallRefused
from anytill.gateway import Gateway, GatewayTill
from anytill.wire.amounts import parse_fen

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
    payment = await caller.till.pay(order_of(fields, Method.BARCODE, caller.credential.login))
    return answers.payment(payment, await caller.printer())


def _preorder(method: Method) -> Callable[[Caller, Fields], Awaitable[Told]]:
    async def perform(caller: Caller, fields: Fields) -> Told:
        registered_url = caller.credential.options.get(OPTION_NOTIFY_URL, "")
        payment = await caller.till.pay(order_of(fields, method, caller.credential.login, registered_url))
        return answers.preorder(payment, await caller.printer())

    return perform


async def _query(caller: Caller, fields: Fields) -> Told:
    payment = await caller.till.query(PaymentRef(fields["ori_seq"]))
    return answers.query(payment, await caller.printer())


async def _revoke(caller: Caller, fields: Fields) -> Told:
    return answers.revoked(await caller.till.cancel(PaymentRef(fields["ori_seq"])))


async def _refund(caller: Caller, fields: Fields) -> Told:
    till = caller.till
    order = RefundOrder(
        payment=PaymentRef(payment_id=fields["trans_seq"]),
        refund_no=fields["req_seq"],
        amount_fen=parse_fen(fields["refund_fee"], field="refund_fee"),
        reason=fields["reason"],
    )
    refund = await till.refund(order)
    payment = await till.find(PaymentRef(payment_id=refund.payment_id))
    return answers.refund(refund, payment, await caller.printer())


async def _query_refund(caller: Caller, fields: Fields) -> Told:
    till = caller.till
    refund = await till.query_refund(RefundRef(fields["ori_seq"]))
    if refund.payment_id != fields["trans_seq"]:
        raise CallRefused(words.OTHER_PAYMENT)
    payment = await till.find(PaymentRef(payment_id=refund.payment_id))
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
