"""What each call does: from checked fields to the till, and from what the till says to the answer.

A call gets fields that its form has read, from a caller whose signature was verified; it raises what the tables have
words for and changes nothing before it has looked at everything. Activation is the exception: who activates has no key
yet, and its code is what it proves itself with.

What one device may do with another's orders: with a bill's number, which only an answer or a slip tells, all that it
may do with its own, since goods come back to another counter than they left from. By a payer's code or a till's own
number it hears of its own orders alone: two devices may have scanned one code, or count from 1 both, and none of them
may hand over goods for the other's money.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from anytill.core.errors import MerchantInactive, PaymentNotFound, RefundConflict, RefundNotFound
from anytill.core.lifecycle import OPEN_REFUND_STATES, RefundState
from anytill.core.merchant import Credential
from anytill.core.payment import Method, Payment, PaymentRef, PayOrder, Refund, RefundOrder, RefundRef
from anytill.core.records import changed
from anytill.core.secret import Secret
from anytill.core.wallet import SHOWING_CODES, wallet_of
from anytill.dialects.semoor import answers, codec, messages, words
from anytill.dialects.semoor.answers import View
from anytill.dialects.semoor.codec import Answer, Signed
from anytill.dialects.semoor.messages import DM, WALLETS_OF_WORD
from anytill.dialects.semoor.sandbox import OPTION_RECEIPT, OPTION_SERVER
from anytill.dialects.semoor.words import CallRefused
from anytill.gateway import Gateway, GatewayTill
from anytill.gateway.changes import NotThere
from anytill.wire.amounts import fen_from_number_text, parse_yuan
from anytill.wire.fields import Form
from anytill.wire.http import HttpRequest
from anytill.wire.redact import mask_code

Fields: TypeAlias = Mapping[str, str]

NAME: Final = "semoor"
#: Open refunds that one reading of a bill asks the channel about; the gateway asks about all of them in its own time.
_MOST_ASKED: Final = 5
#: Among a refund's details: the device that asked for it.
_ASKED_BY: Final = "semoor_device"
_DETAILS: Final = ("dic_amount", "infoaddo", "operator_id")


@dataclass(frozen=True, slots=True)
class Caller:
    """A device whose signature was verified."""

    gateway: Gateway
    credential: Credential
    request: HttpRequest
    signed: Signed

    @property
    def till(self) -> GatewayTill:
        """The till of the device's merchant. Raises ForeignMerchant when it has none."""
        return self.gateway.till(self.credential)

    @property
    def server(self) -> str:
        """The address that the device is told."""
        return server_for(self.credential, self.request)

    async def view(self) -> View:
        """How the caller sees payments."""
        company = await company_of(self.gateway, self.credential)
        return View(company, with_slip=self.credential.options.get(OPTION_RECEIPT) != "off")


@dataclass(frozen=True, slots=True)
class Call:
    """One call: its request's table and what it does."""

    form: Form
    perform: Callable[[Caller, Fields], Awaitable[Answer]]


async def activate(gateway: Gateway, request: HttpRequest, fields: Fields) -> Answer:
    """1. A device fetches its number and key."""
    issued = await gateway.devices.activate(NAME, fields["code"], request.peer)
    if issued is None:
        raise CallRefused(words.BAD_CODE)
    credential = issued.credential
    return answers.activated(credential.login, credential.secret.reveal(), server_for(credential, request))


def server_for(credential: Credential, request: HttpRequest) -> str:
    """What the operator says, or the name by which the device called us; empty when neither is an address."""
    return credential.options.get(OPTION_SERVER) or codec.server_of(request)


async def company_of(gateway: Gateway, credential: Credential) -> str:
    """The name of the credential's merchant, also when it may not take money now."""
    try:
        return (await gateway.merchant(credential)).name
    except MerchantInactive:
        return (await gateway.office.merchant(credential.merchant_id())).name


async def _config(caller: Caller, _fields: Fields) -> Answer:
    merchant = await caller.gateway.merchant(caller.credential)
    wallets = [each for each in caller.gateway.wallets(merchant) if each in SHOWING_CODES]
    return answers.config(caller.server, merchant.name, wallets)


async def _time(caller: Caller, _fields: Fields) -> Answer:
    return answers.time(caller.gateway.now_ms())


async def _micropay(caller: Caller, fields: Fields) -> Answer:
    code = Secret(fields["authcode"])
    if code.reveal() in fields.get("no", ""):
        raise CallRefused(words.CODE_AS_NUMBER)
    if wallet_of(code) is not WALLETS_OF_WORD[fields["paytype"]]:
        raise CallRefused(words.PAYTYPE_DIFFERS)
    amount_fen = parse_yuan(fields["total"], field="total")
    if "dic_amount" in fields:
        fen_from_number_text(fields["dic_amount"], field="dic_amount")
    # The document's own sample writes the payer's code into the till's text, which is kept and printed.
    known = {name: _masked(fields[name], code) for name in _DETAILS if name in fields}
    # A code that another device of the merchant shows again is not this device's retry.
    known["device_id"] = caller.credential.login
    order = PayOrder(
        order_no=fields.get("no", ""),
        amount_fen=amount_fen,
        subject=_masked(fields.get("info", ""), code),
        pay_code=code,
        details=known,
    )
    return answers.payment(await caller.till.pay(order), await caller.view())


async def _querytimeout(caller: Caller, fields: Fields) -> Answer:
    """What became of the order whose answer this very device has lost."""
    till = caller.till
    if "no" in fields:
        payment = await till.find(PaymentRef(order_no=fields["no"]))
    elif "authcode" in fields:
        payment = await till.find_by_code(Secret(fields["authcode"]))
    else:
        raise CallRefused(words.NO_NUMBER)
    if (payment.dialect, payment.login) != (NAME, caller.credential.login):
        raise PaymentNotFound
    return answers.payment(await till.query(payment.ref), await caller.view())


async def _query(caller: Caller, fields: Fields) -> Answer:
    return answers.payment(await caller.till.query(_bill(fields)), await caller.view())


async def _refund(caller: Caller, fields: Fields) -> Answer:
    till, no, operator = caller.till, fields.get("no", ""), fields.get("operator_id", "")
    amount_fen = parse_yuan(fields["refund"], field="refund")
    payment = await till.find(_bill(fields))
    if payment.method is Method.BARCODE and mask_code(no) == payment.code_hint:
        raise CallRefused(words.CODE_AS_NUMBER)
    asked_by = {_ASKED_BY: caller.credential.login}
    order = RefundOrder(
        payment=payment.ref,
        refund_no=no,
        amount_fen=amount_fen,
        details={**asked_by, "operator_id": operator} if operator else asked_by,
        repeat_key=caller.credential.login,
    )
    refund = await (_given_back(caller, order) if no else till.refund(order))
    view = await caller.view()
    if refund.state is RefundState.DONE and view.with_slip:
        view = View(view.company, await _device_name(caller))
    return answers.refund(payment, refund, no, view)


async def _given_back(caller: Caller, order: RefundOrder) -> Refund:
    """The device's refund of this number: as sent while nobody else has it, else with the device behind `@`, which
    no `no` contains. Raises as the till does."""
    for number in (order.refund_no, f"{order.refund_no}@{caller.credential.login}"):
        if await _is_anothers(caller, number):
            continue
        refund = await caller.till.refund(changed(order, refund_no=number))
        # Somebody else may have taken the number at this moment.
        if _is_own(caller, refund):
            return refund
    raise RefundConflict


async def _is_anothers(caller: Caller, number: str) -> bool:
    try:
        return not _is_own(caller, await caller.till.find_refund(RefundRef(number)))
    except RefundNotFound:
        return False


def _is_own(caller: Caller, refund: Refund) -> bool:
    return refund.details.get(_ASKED_BY) == caller.credential.login


async def _read(caller: Caller, fields: Fields) -> Answer:
    till = caller.till
    payment = await till.query(_bill(fields))
    refunds = await till.refunds_of(payment)
    still_open = [refund for refund in refunds if refund.state in OPEN_REFUND_STATES][-_MOST_ASKED:]
    for refund in still_open:
        await till.query_refund(RefundRef(refund_id=refund.refund_id))
    return answers.bill(payment, await till.refunds_of(payment) if still_open else refunds)


async def slip(gateway: Gateway, credential: Credential, number: str) -> str:
    """3.5: a payment's slip once more. Raises PaymentNotFound."""
    payment: Payment = await gateway.till(credential).find(PaymentRef(payment_id=number.removeprefix(DM)))
    return answers.slip_of(payment, await company_of(gateway, credential), reprint=True)


async def _device_name(caller: Caller) -> str:
    """The device as the sample's slip names it: its name, and its number in brackets."""
    login = caller.credential.login
    try:
        name = (await caller.gateway.devices.device(NAME, login)).name
    except NotThere:
        name = ""
    return f"{name}({login})" if name else login


def _bill(fields: Fields) -> PaymentRef:
    return PaymentRef(payment_id=fields["dm_id"].removeprefix(DM))


def _masked(text: str, code: Secret) -> str:
    shown = code.reveal()
    return text.replace(shown, mask_code(shown)) if shown in text else text


#: By path; the actions of op.php by their names.
CALLS: Final[Mapping[str, Call]] = {
    messages.CONFIG_PATH: Call(messages.CONFIG_FORM, _config),
    messages.TIME_PATH: Call(messages.TIME_FORM, _time),
}
ACTIONS: Final[Mapping[str, Call]] = {
    messages.MICROPAY: Call(messages.MICROPAY_FORM, _micropay),
    messages.QUERYTIMEOUT: Call(messages.QUERYTIMEOUT_FORM, _querytimeout),
    messages.QUERY: Call(messages.QUERY_FORM, _query),
    messages.REFUND: Call(messages.REFUND_FORM, _refund),
    messages.READ: Call(messages.READ_FORM, _read),
}
