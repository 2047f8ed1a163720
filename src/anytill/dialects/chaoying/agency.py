"""The management calls from the agent's side: what a program asks that brings merchants in and sets up pay boxes.

Each method is one call of 运维管理 and returns what the answer says as a value. Refusals are raised with the vendor's
text; an answer that does not fit what was asked is a WireError.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from anytill.core.merchant import MerchantState
from anytill.core.secret import Secret
from anytill.dialects.chaoying import codec, words
from anytill.dialects.chaoying import merchant_messages as messages
from anytill.dialects.chaoying.line import Line, done, required
from anytill.ports import WalletSession
from anytill.wire.amounts import parse_fen
from anytill.wire.errors import BadField
from anytill.wire.form import decode_query

_STATES = {told: state for state, told in words.MERCHANT_STATES.items()}


@dataclass(frozen=True, slots=True)
class MerchantTold:
    """A merchant as the gateway tells of it."""

    mch_id: str
    trade_code: str
    full_name: str
    short_name: str
    state: MerchantState


@dataclass(frozen=True, slots=True)
class Partner:
    """A merchant's number at WeChat by way of one pay channel; empty while WeChat has not approved."""

    pay_channel: str
    partner_id: str = ""
    appid: str = ""


class Agency:
    """An agent's calls over a line to its gateway. Calls about a merchant are about `mch_id`, if no other is named."""

    def __init__(self, line: Line, mch_id: str) -> None:
        self._line = line
        self._own_mch_id = mch_id

    async def register(self, fields: Mapping[str, str]) -> str:
        """Bring in a new merchant, described by whatever fields were agreed on (Mch_Reg): its number."""
        return required(done(await self._line.post(messages.MCH_REG_PATH, fields)), "mch_id")

    async def send_sms(self, mobile: str) -> int:
        """Have a code sent to a merchant's person (GetMchSMSValid): the minutes it is good for."""
        return _count(done(await self._line.post(messages.SMS_PATH, {"mobile": mobile})), "code")

    async def mch_id_by_code(self, mobile: str, valid: Secret) -> MerchantTold:
        """The merchant of the person who got that code (GetMchId)."""
        return await self._found({"mobile": mobile, "valid": valid.reveal()})

    async def mch_id_by_password(self, username: str, password: Secret) -> MerchantTold:
        """The merchant of the person who has that password (GetMchId)."""
        return await self._found({"username": username, "password": password.reveal()})

    async def partner_list(self, mch_id: str = "") -> Sequence[Partner]:
        """A merchant's numbers at WeChat (GetPartnerId)."""
        answer = await self._about(messages.PARTNER_PATH, mch_id)
        listed = codec.decode_list(required(answer, "partner_list"), "partner_list")
        return [
            Partner(required(row, "pay_channel"), row.get("partner_id", ""), row.get("appid", "")) for row in listed
        ]

    async def mch_info(self, mch_id: str = "") -> tuple[str, str]:
        """A merchant's full and short name (GetMchInfo)."""
        answer = await self._about(messages.MCH_INFO_PATH, mch_id)
        return required(answer, "FullName"), required(answer, "ShortName")

    async def code2session(self, appid: str, js_code: Secret) -> WalletSession:
        """Who opened the mini-program (WXA_Code2Session). Its answer may come unsigned, as in the document."""
        fields = {"appid": appid, "js_code": js_code.reveal()}
        answer = done(await self._line.post(messages.SESSION_PATH, fields, must_be_signed=False))
        return WalletSession(
            payer_id=required(answer, "openid"),
            session_key=Secret(required(answer, "session_key")),
            expires_in_s=_count(answer, "expires_in"),
            union_id=answer.get("unionid", ""),
        )

    async def add_wx_config(
        self,
        mch_id: str = "",
        *,
        appid: str = "",
        jsapi_paths: Sequence[str] = (),
        subscribe_appid: str = "",
        receipt_appid: str = "",
    ) -> None:
        """Add to a merchant's settings at WeChat (wx_addsubdevconfig)."""
        fields = {
            "mch_id": mch_id or self._own_mch_id,
            "appid": appid,
            "jsapi_path": ";".join(jsapi_paths),
            "subscribe_appid": subscribe_appid,
            "receipt_appid": receipt_appid,
        }
        done(await self._line.post(messages.WX_CONFIG_PATH, fields))

    async def paybox_config(self, op_device_id: str, device_info: str = messages.BOX_AGENT) -> MerchantTold | None:
        """Whose a pay box is (PayBoxConfGet); None while it is nobody's, so ask again in five seconds. A refusal means:
        stop asking."""
        return await self._box(messages.BOX_PATH, {}, op_device_id, device_info)

    async def scan_sign(
        self, link: str, op_device_id: str, device_info: str = messages.BOX_AGENT
    ) -> MerchantTold | None:
        """Bind a pay box with the link that a merchant's QR sign holds, whose own fields are kept and signed; with
        them, as later versions do, the number at its end. The link is asked for at our own gateway, whatever host it
        names."""
        _, _, rest = link.partition("://")
        path, _, query = f"/{rest.partition('/')[2]}".partition("?")
        of_the_link = {"code_number": path.rpartition("/")[2], **decode_query(query)}
        return await self._box(path, of_the_link, op_device_id, device_info)

    async def _found(self, fields: Mapping[str, str]) -> MerchantTold:
        return _merchant(done(await self._line.post(messages.MCH_ID_PATH, fields)))

    async def _about(self, path: str, mch_id: str) -> dict[str, str]:
        mch_id = mch_id or self._own_mch_id
        answer = done(await self._line.post(path, {"mch_id": mch_id}))
        if required(answer, "mch_id") != mch_id:
            raise BadField("mch_id", "that of the merchant that was asked about")
        return answer

    async def _box(
        self, path: str, of_the_link: Mapping[str, str], op_device_id: str, device_info: str
    ) -> MerchantTold | None:
        own = {"op_device_id": op_device_id, "device_info": device_info}
        answer = done(await self._line.get(path, {**of_the_link, **own}, messages.BOX_AGENT))
        if answer.get("op_device_id", op_device_id) != op_device_id:
            raise BadField("op_device_id", "that of the box that asked")
        return _merchant(answer) if "mch_id" in answer else None


def _merchant(answer: Mapping[str, str]) -> MerchantTold:
    state = _STATES.get(required(answer, "mch_state"))
    if state is None:
        raise BadField("mch_state", "0, 20 or 30")
    return MerchantTold(
        mch_id=required(answer, "mch_id"),
        trade_code=answer.get("mch_trade_code", ""),
        full_name=required(answer, "mch_full_name"),
        short_name=required(answer, "mch_short_name"),
        state=state,
    )


def _count(answer: Mapping[str, str], name: str) -> int:
    return parse_fen(required(answer, name), field=name)
