"""The server half: decode, find the agent, check the signature and its single meaning, read the form, do the call.

Nothing of a request is used before its signature is verified, but for `agent_id`, which says with which key. An unknown
agent and a wrong signature get the same answer after the same work. The answer to an unverified request is unsigned:
there is no key that both sides are known to share. All answers have HTTP status 200.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from anytill.core.errors import Refusal, UnknownCredential
from anytill.core.merchant import Credential
from anytill.core.secret import Secret
from anytill.dialects.chaoying import answers, codec, registration, words
from anytill.dialects.chaoying.caller import Call, Caller
from anytill.dialects.chaoying.calls import CALLS, SHARED_PATHS
from anytill.dialects.chaoying.codec import Signed
from anytill.dialects.chaoying.fields import AGENT_ID
from anytill.dialects.chaoying.notices import PreorderNotices
from anytill.dialects.chaoying.words import CallRefused, Code, Refused
from anytill.gateway import Gateway
from anytill.wire import http
from anytill.wire.errors import Ambiguous, BadField, BadSignature, MissingField, TooLarge, WireError
from anytill.wire.http import HttpRequest, HttpResponse

NAME: Final = "chaoying"
FORM: Final = PreorderNotices()
#: Signs nothing: it stands for the key that an unknown agent does not have, so that checking takes its time.
_NOBODYS_KEY: Final = Secret("0" * 32)
_BAD_AGENT: Final = Refused(Code.AGENT, f"代理商错误：agent_id须为数字的{AGENT_ID.expected}")
_TOO_LONG: Final = Refused(Code.PARAMETER, "参数错误：请求或参数值过长")
_MALFORMED: Final = Refused(Code.PARAMETER, "参数错误：请以POST提交UTF-8编码的表单，每个参数只出现一次")
_MALFORMED_LINK: Final = Refused(Code.PARAMETER, "参数错误：请以GET提交，参数以UTF-8编码放在网址中，每个参数只出现一次")
_SECOND_MEANING: Final = Refused(Code.PARAMETER, "参数错误：参数值中不能夹带“&参数名=”，请修改文字后重试")


async def handle(request: HttpRequest, gateway: Gateway) -> HttpResponse:
    """Answer one request. Exceptions that are not the request's fault propagate."""
    path = _known_path(request.path)
    by_link = (path, "") in CALLS and CALLS[path, ""].by_link
    try:
        fields = codec.decode_link(request) if by_link else codec.decode_request(request)
        credential, signed = await _authenticated(fields, gateway)
    except BadSignature:
        return _answer(answers.refused(words.BAD_SIGNATURE))
    except CallRefused as refusal:
        return _answer(answers.refused(refusal.refused))
    except WireError as fault:
        return _answer(answers.refused(_explained(fault, by_link=by_link)))
    gateway.seen(credential, request.peer)
    call: Call | None = None
    try:
        codec.refuse_second_meaning(fields, signed)
        call = _call(path, fields)
        known = call.form.read(fields)
        if codec.too_old(known["version"]):
            raise CallRefused(words.OLD_VERSION)
        answer = await call.perform(Caller.of(gateway, credential, request), fields if call.whole else known)
    except CallRefused as refusal:
        answer = answers.refused(refusal.refused)
    except Refusal as refusal:
        answer = answers.refused(words.REFUSALS[type(refusal)])
    except WireError as fault:
        answer = answers.refused(_explained(fault, call))
    return _answer(answer, signed.key if call is None or call.signed else None)


def system_error(_request: HttpRequest) -> HttpResponse:
    """What is answered when the fault is ours. It may have happened after the order was placed, so it is no "no"."""
    answer = answers.refused(words.SYSTEM_ERROR)
    answer["trade_state"] = words.TradeState.NEED_QUERY.value
    return _answer(answer)


async def _authenticated(fields: Mapping[str, str], gateway: Gateway) -> tuple[Credential, Signed]:
    login = fields.get("agent_id")
    if login is None:
        raise MissingField("agent_id")
    if not AGENT_ID.takes(login):
        raise CallRefused(_BAD_AGENT)
    try:
        credential = await gateway.credential(NAME, login)
    except UnknownCredential:
        codec.verify(fields, (_NOBODYS_KEY,))
        raise BadSignature from None
    keys = (credential.secret, credential.previous) if credential.previous else (credential.secret,)
    return credential, codec.verify(fields, keys)


def _known_path(path: str) -> str:
    """The path as `CALLS` has it: without regard to case, and without the name that a QR sign adds."""
    path = path.lower()
    return path if (path, "") in CALLS or path in SHARED_PATHS else path[: path.rfind("/") + 1]


def _call(path: str, fields: Mapping[str, str]) -> Call:
    if path not in SHARED_PATHS:
        return CALLS[path, ""]
    if "method" not in fields:
        raise MissingField("method")
    call = CALLS.get((path, fields["method"].lower()))
    if call is None:
        raise CallRefused(Refused(Code.PARAMETER, "参数错误：method不是本网关支持的接口名称"))
    return call


def _explained(fault: WireError, call: Call | None = None, *, by_link: bool = False) -> Refused:
    """The vendor's words for a fault: which field, and what it must be, but never what it was."""
    if isinstance(fault, MissingField):
        return Refused(Code.PARAMETER, f"参数错误：{fault.field}不能为空")
    if isinstance(fault, BadField):
        expected = _expected(call, fault.field)
        msg = f"{fault.field}须为{expected}" if expected else f"参数{fault.field}不能使用或格式不正确"
        return Refused(Code.PARAMETER, f"参数错误：{msg}")
    if isinstance(fault, Ambiguous):
        return _SECOND_MEANING
    if isinstance(fault, TooLarge):
        return _TOO_LONG
    if fault.field:
        return Refused(Code.PARAMETER, f"参数错误：{fault.field}重复或含有不能识别的内容")
    return _MALFORMED_LINK if by_link else _MALFORMED


def _expected(call: Call | None, name: str) -> str | None:
    """What a field of the call must be, for people."""
    if call is None:
        return None
    return call.form.expected.get(name) or (registration.expected_of(name) if call.whole else None)


def _answer(fields: Mapping[str, str], key: Secret | None = None) -> HttpResponse:
    return http.json(codec.encode_answer(fields, key))
