"""The server half: decode, find the device, check the signature and its single meaning, read the form, do the call.

Nothing of a request is used before its signature is verified, but for `device_id`, which says with which key. An
unknown device and a wrong signature get the same answer after the same work. Two calls come without a signature:
activation, where the code is the proof, and the reprint of a slip, as the document's sample has none; the latter is
answered so only if the operator allows it, and only to the address of one of the merchant's own devices. All answers
have HTTP status 200 but those to faults of ours, and nothing on the way may keep them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from anytill.core import retry
from anytill.core.errors import PaymentNotFound, Refusal, UnknownCredential
from anytill.core.merchant import Credential
from anytill.core.secret import Secret
from anytill.dialects.semoor import answers, calls, codec, messages, words
from anytill.dialects.semoor.calls import NAME, Call, Caller
from anytill.dialects.semoor.codec import Answer, Signed
from anytill.dialects.semoor.messages import DEVICE_ID
from anytill.dialects.semoor.sandbox import OPTION_UNSIGNED_REPRINT
from anytill.dialects.semoor.words import CallRefused
from anytill.gateway import Gateway
from anytill.wire.errors import Ambiguous, BadField, BadSignature, MissingField, TooLarge, WireError
from anytill.wire.fields import Form
from anytill.wire.http import TEXT_UTF8, HttpRequest, HttpResponse

#: Signs nothing: it stands for the key that an unknown device does not have, so that checking takes its time.
_NOBODYS_KEY: Final = Secret("0" * 40)
_XML: Final = "text/xml; charset=utf-8"
#: Requests travel in addresses, and answers hold keys: nothing between may keep them.
_UNKEPT: Final = (("cache-control", "no-store"),)
#: How long an address counts as a device's own, and how many devices of one address are looked at.
_SEEN_WITHIN_MS: Final = retry.DAY
_MOST_DEVICES: Final = 20


async def handle(request: HttpRequest, gateway: Gateway) -> HttpResponse:
    """Answer one request. Exceptions that are not the request's fault propagate."""
    if request.path == messages.REPRINT_PATH:
        return _text(await _reprint(request, gateway))
    form: Form | None = None
    try:
        fields = codec.decode_request(request)
        if request.path == messages.ACTIVE_PATH:
            form = messages.ACTIVE_FORM
            return _xml(await calls.activate(gateway, request, form.read(fields)))
        credential, signed = await _authenticated(fields, gateway)
        gateway.seen(credential, request.peer)
        codec.refuse_second_meaning(signed)
        call = _call(request.path, fields)
        form = call.form
        caller = Caller(gateway, credential, request, signed)
        answer = await call.perform(caller, form.read(fields))
    except BadSignature:
        answer = answers.refused(words.DEVICE_ERROR)
    except CallRefused as refusal:
        answer = answers.refused(refusal.info)
    except Refusal as refusal:
        answer = answers.refused(words.REFUSALS[type(refusal)])
    except WireError as fault:
        answer = answers.refused(_explained(fault, form))
    return _xml(answer)


def system_error(request: HttpRequest) -> HttpResponse:
    """What is answered when the fault is ours. It may have happened after the order was placed, so it is no "no"."""
    if request.path == messages.REPRINT_PATH:
        return _text(words.NO_SLIP, status=500)
    return _xml(codec.dm({"ok": messages.OPEN, "info": words.SYSTEM_ERROR}), status=500)


async def _authenticated(fields: Mapping[str, str], gateway: Gateway) -> tuple[Credential, Signed]:
    login = fields.get("device_id")
    if not login:
        raise MissingField("device_id")
    if not DEVICE_ID.takes(login):
        raise BadField("device_id", DEVICE_ID.expected)
    try:
        credential = await gateway.credential(NAME, login)
    except UnknownCredential:
        codec.verify(fields, (_NOBODYS_KEY,))
        raise BadSignature from None
    keys = (credential.secret, credential.previous) if credential.previous else (credential.secret,)
    return credential, codec.verify(fields, keys)


def _call(path: str, fields: Mapping[str, str]) -> Call:
    if path != messages.OP_PATH:
        return calls.CALLS[path]
    action = fields.get("action")
    if not action:
        raise MissingField("action")
    call = calls.ACTIONS.get(action)
    if call is None:
        raise BadField("action", messages.ACTION.expected)
    return call


async def _reprint(request: HttpRequest, gateway: Gateway) -> str:
    """The slip, or a short text. Who has not signed learns nothing but that there is no slip for him."""
    signed_by: Credential | None = None
    try:
        fields = codec.decode_request(request)
        if "device_id" in fields or "sign" in fields:
            signed_by, signed = await _authenticated(fields, gateway)
            gateway.seen(signed_by, request.peer)
            codec.refuse_second_meaning(signed)
        number = messages.REPRINT_FORM.read(fields)["dm_id"]
        if signed_by is not None:
            return await calls.slip(gateway, signed_by, number)
        return await _slip_for_address(request.peer, gateway, number)
    except WireError as fault:
        return _explained(fault, messages.REPRINT_FORM) if signed_by is not None else words.NO_SLIP
    except Refusal:
        return words.NO_SLIP


async def _slip_for_address(peer: str, gateway: Gateway, number: str) -> str:
    """The slip of a payment of a merchant whose device is at this address. Raises PaymentNotFound, also when numbers
    were tried there too often."""
    merchants: set[str] = set()
    for device in await gateway.devices.logins_seen_at(NAME, peer, _SEEN_WITHIN_MS, _MOST_DEVICES):
        merchant_id = device.merchants.get("", "")
        if device.options.get(OPTION_UNSIGNED_REPRINT) != "on" or merchant_id in merchants:
            continue
        merchants.add(merchant_id)
        try:
            found = await calls.slip(gateway, device, number)
        except Refusal:
            continue
        gateway.devices.found_at(NAME, peer)
        return found
    raise PaymentNotFound


def _explained(fault: WireError, form: Form | None) -> str:
    """The fault in words: which field, and what it must be, but never what it was."""
    if isinstance(fault, MissingField):
        return words.missing(str(fault.field))
    if isinstance(fault, BadField):
        own = {"device_id": DEVICE_ID.expected, "action": messages.ACTION.expected}
        return words.unfit(fault.field, (form.expected if form else own).get(fault.field))
    if isinstance(fault, Ambiguous):
        return words.SECOND_MEANING
    if isinstance(fault, TooLarge):
        return words.TOO_LONG
    return words.unfit(fault.field, None) if fault.field else words.MALFORMED


def _xml(answer: Answer, status: int = 200) -> HttpResponse:
    return HttpResponse(status, codec.encode_answer(answer), _XML, _UNKEPT)


def _text(text: str, status: int = 200) -> HttpResponse:
    return HttpResponse(status, text.encode(), TEXT_UTF8, _UNKEPT)
