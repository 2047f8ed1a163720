"""The server half: open the envelope, find the terminal, check the signature, decrypt, read the form, do the call.

Nothing inside `data` is looked at before dsn and signature are verified; of the outer document only `account`, which
says with which key, and `dsn`, under which every answer is encrypted, even that to a stranger: so the vendor's software
can read what is wrong. An unknown account and whatever else has to do with keys get one answer after the same work. A
request without a usable dsn is answered in the open. All answers have HTTP status 200.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from anytill.core.errors import Refusal, UnknownCredential
from anytill.core.ids import beijing_text
from anytill.core.merchant import Credential
from anytill.core.secret import Secret
from anytill.dialects.yst import answers, codec, words
from anytill.dialects.yst.answers import Told
from anytill.dialects.yst.calls import CALLS, Call, Caller
from anytill.dialects.yst.codec import Envelope
from anytill.dialects.yst.messages import REQ_SEQ
from anytill.dialects.yst.notices import ResultNotices
from anytill.dialects.yst.words import CallRefused, Refused
from anytill.gateway import Gateway
from anytill.wire.errors import BadField, BadSignature, MissingField, TooLarge, WireError
from anytill.wire.http import HttpRequest, HttpResponse

NAME: Final = "yst"
FORM: Final = ResultNotices()
#: Opens nothing: it stands for the key that an unknown account does not have, so that checking takes its time.
_NOBODYS_KEY: Final = "0" * codec.KEY_LENGTH
ACCOUNT_LENGTHS: Final = range(4, 21)
_OUTER: Final = {"dsn": "32位大写十六进制数字"}
_INNER: Final = {"dsn": "与外层报文相同的设备序列号", "request_type": "与外层报文相同的请求类型"}


async def handle(request: HttpRequest, gateway: Gateway) -> HttpResponse:
    """Answer one request. Exceptions that are not the request's fault propagate."""
    try:
        if request.method != "POST":
            raise CallRefused(words.MALFORMED)
        outer = codec.decode_outer(request.body)
    except CallRefused as refusal:
        return _answered(answers.refused(refusal.refused), {}, "", gateway)
    except WireError as fault:
        return _answered(answers.refused(_explained(fault, words.MALFORMED)), {}, "", gateway)
    envelope_fields: dict[str, str] = {}
    try:
        envelope = codec.envelope_of(outer)
        credential, key = await _authenticated(envelope, gateway)
        gateway.seen(credential, request.peer)
        told = await _carried_out(envelope, key, Caller(gateway, credential), envelope_fields)
    except CallRefused as refusal:
        told = answers.refused(refusal.refused)
    except WireError as fault:
        told = answers.refused(_explained(fault, words.UNREADABLE, _OUTER))
    return _answered(told, envelope_fields, codec.usable_dsn(outer), gateway)


def system_error(request: HttpRequest) -> HttpResponse:
    """What is answered when the fault is ours, without a look at a clock or into `data`. The money may have moved
    before, so it is no "no"."""
    try:
        outer = codec.decode_outer(request.body)
    except WireError:
        outer = {}
    dsn, call = codec.usable_dsn(outer), CALLS.get(codec.request_name(outer.get("request_type", "")))
    fields = answers.our_fault()
    if not dsn:
        return HttpResponse(200, codec.encode_open_answer(fields, 0), codec.XML_UTF8)
    said = {"response_type": call.form.response_type if call else "", **fields, "dsn": dsn}
    return HttpResponse(200, codec.encode_answer(said, (), dsn=dsn, now_ms=0), codec.XML_UTF8)


async def _authenticated(envelope: Envelope, gateway: Gateway) -> tuple[Credential, str]:
    """The terminal behind the envelope, and which of its keys it used. Raises BadSignature, CallRefused."""
    if len(envelope.account) not in ACCOUNT_LENGTHS:
        raise CallRefused(words.BAD_ACCOUNT)
    try:
        credential = await gateway.credential(NAME, envelope.account.lower())
    except UnknownCredential:
        codec.is_signed_by(envelope, _NOBODYS_KEY, "")
        raise BadSignature from None
    password = (credential.password or Secret("")).reveal()
    for secret in (credential.secret, credential.previous):
        if secret is not None:
            key = codec.private_key(secret)
            if codec.is_signed_by(envelope, key, password):
                return credential, key
    raise BadSignature


async def _carried_out(envelope: Envelope, key: str, caller: Caller, said: dict[str, str]) -> Told:
    """Do what the request asks; `said` is given what its answer repeats. Raises CallRefused, and BadSignature or
    Malformed for what cannot be decrypted."""
    call: Call | None = None
    try:
        sent = codec.decrypt_request(envelope, key)
        req_seq = sent.get("req_seq", "")[: REQ_SEQ.max_length]
        if REQ_SEQ.takes(req_seq):
            said["req_seq"] = req_seq
        call = CALLS.get(codec.request_name(sent["request_type"]))
        if call is None:
            raise CallRefused(words.NOT_SERVED)
        said["response_type"] = call.form.response_type
        return await call.perform(caller, call.form.read(sent))
    except Refusal as refusal:
        return answers.refused(words.REFUSALS[type(refusal)])
    except WireError as fault:
        expected = {**_INNER, **(call.form.expected if call else {})}
        return answers.refused(_explained(fault, words.UNREADABLE, expected))


def _explained(fault: WireError, otherwise: Refused, expected: Mapping[str, str] | None = None) -> Refused:
    """The words for a fault: which field, and what it must be, but never what it was."""
    if isinstance(fault, MissingField):
        return words.bad_parameter(f"{fault.field}不能为空")
    if isinstance(fault, BadField):
        what = (expected or {}).get(fault.field)
        return words.bad_parameter(f"{fault.field}须为{what}" if what else f"{fault.field}不能使用或格式不正确")
    if isinstance(fault, TooLarge):
        return words.TOO_LONG
    if fault.field:
        return words.bad_parameter(f"节点{fault.field[:32]}重复")
    return otherwise


def _answered(told: Told, said: Mapping[str, str], dsn: str, gateway: Gateway) -> HttpResponse:
    now_ms = gateway.now_ms()
    values = {
        **told.fields,
        **said,
        "res_seq": _res_seq(now_ms, gateway.nonce(6)),
        "server_time": codec.server_time(now_ms),
        "dsn": dsn,
    }
    fields = {name: values[name] for name in told.names if name in values}
    if dsn:
        body = codec.encode_answer(fields, told.receipts, dsn=dsn, now_ms=now_ms)
    else:
        body = codec.encode_open_answer(fields, now_ms)
    return HttpResponse(200, body, codec.XML_UTF8)


def _res_seq(now_ms: int, nonce: str) -> str:
    """`01703281332040246642`: 0, yyMMddHHmmss, and seven digits that make it another each time."""
    return f"0{beijing_text(now_ms)[2:]}{int(nonce, 36) % 10**7:07d}"
