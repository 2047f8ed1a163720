"""How a client asks: one signed request, one answer whose signature holds for it alone, and what a refusal means."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from anytill.core.errors import Refusal
from anytill.core.secret import Secret
from anytill.dialects.chaoying import codec, words
from anytill.dialects.chaoying.words import Code, State, TradeState
from anytill.ports import Send, Unreachable
from anytill.wire.errors import BadField, BadSignature, MissingField
from anytill.wire.http import FORM, HttpRequest

REFUSALS_OF_TEXT: Final[Mapping[str, type[Refusal]]] = {
    **{refused.msg: refusal for refusal, refused in words.REFUSALS.items()},
    **{each.refused.msg: each.meaning for each in words.Management},
}
#: These say nothing about what became of the call.
_NO_ANSWER: Final = (Code.SYSTEM, Code.NETWORK)
_OWN: Final = {"pid": "anytill", "version": "1.0"}


class Line:
    """To one gateway, as one agent."""

    def __init__(self, agent_id: str, key: Secret, send: Send) -> None:
        self._own = {"agent_id": agent_id, **_OWN}
        self._key = key
        self._send = send

    async def post(self, path: str, fields: Mapping[str, str], *, must_be_signed: bool = True) -> dict[str, str]:
        """The answer to a form. A success that is not signed is believed only where that is said. Raises WireError,
        Unreachable."""
        body = codec.encode_signed_form({**fields, **self._own}, self._key)
        request = HttpRequest("POST", path, "", {"content-type": FORM}, body, "")
        return await self._answer(request, must_be_signed=must_be_signed)

    async def get(self, path: str, fields: Mapping[str, str], agent: str) -> dict[str, str]:
        """The answer to a link, asked for by what calls itself `agent`. Raises WireError, Unreachable."""
        # A device says which product it is.
        query = codec.encode_signed_form({**fields, **self._own, "pid": agent}, self._key).decode()
        return await self._answer(HttpRequest("GET", path, query, {"user-agent": agent}, b"", ""), must_be_signed=True)

    async def _answer(self, request: HttpRequest, *, must_be_signed: bool) -> dict[str, str]:
        response = await self._send(request)
        if response.status != 200:
            raise Unreachable(f"HTTP {response.status}")
        answer = codec.decode_answer(response.body)
        state = answer.get("state")
        if state not in tuple(State):
            raise BadField("state", "one of the three states")
        if "sign" in answer or (state == State.SUCCESS and must_be_signed):
            try:
                signed = codec.verify(answer, (self._key,))
            except BadSignature:
                raise BadSignature(f"{Code.ANSWER_SIGNATURE.value} 响应结果签名错误") from None
            codec.refuse_second_answer(answer, signed)
        return answer


def done(answer: dict[str, str]) -> dict[str, str]:
    """The answer, if the call was carried out. Raises the refusal, or Unreachable when it says nothing either way."""
    if answer["state"] == State.SUCCESS:
        return answer
    code, msg = answer.get("code", ""), answer.get("msg", "")
    refusal = REFUSALS_OF_TEXT.get(msg)
    if refusal is not None:
        raise refusal(msg) if refusal is Refusal else refusal
    if code in _NO_ANSWER or answer.get("trade_state") == TradeState.NEED_QUERY:
        raise Unreachable(f"{code} {msg}")
    raise words.REFUSALS_OF_CODE.get(code, Refusal)(f"{code} {msg}")


def required(answer: Mapping[str, str], name: str) -> str:
    """A member that the answer must have. Raises MissingField."""
    if name not in answer:
        raise MissingField(name)
    return answer[name]
