"""What the management calls do: bring merchants in, find them again, tell of them, set up WeChat for them.

A merchant is always one of the agent's own (`Caller.merchant`). What could be guessed at or be a nuisance (passwords,
codes, short messages) is counted by the back office; whatever is wrong there is told in one sentence.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from anytill.core.errors import InvalidPayCode, MerchantInactive, NotSupported, Overloaded
from anytill.core.merchant import Merchant, MerchantState
from anytill.core.records import changed
from anytill.core.retry import MINUTE
from anytill.core.secret import Secret
from anytill.core.wallet import Wallet
from anytill.dialects.chaoying import answers, codec, registration, rows, wxconfig
from anytill.dialects.chaoying import merchant_messages as messages
from anytill.dialects.chaoying.caller import Call, Caller, Fields
from anytill.dialects.chaoying.words import CallRefused, Management
from anytill.gateway.codes import PASSCODE_LIFE_MS
from anytill.wire.errors import WireError
from anytill.wire.jsontext import Number

#: Whoever loses a round lost it to another change, so rounds end; this many mean a crowd.
_ROUNDS: Final = 20


async def _mch_reg(caller: Caller, fields: Fields) -> dict[str, str]:
    merchant, password = registration.read(fields)
    said = registration.words_of(fields)
    number = await _registered(caller, said, password)
    if number is None:
        kept = await caller.office.new_password(caller.agent_id, password) if password else ""
        on = caller.options.get("enrol_state") == MerchantState.ON.value
        state = MerchantState.ON if on else MerchantState.WAITING
        merchant = changed(merchant, state=state, password_hash=kept)
        number = await caller.office.enrol(caller.credential, merchant, caller.actor, said)
        caller.gateway.forget(caller.credential)
    # Whoever was faster may have said the same.
    number = number or await _registered(caller, said, password)
    if number is None:
        raise CallRefused(Management.PERSON_TAKEN.refused)
    return answers.carried_out(rows.MCH_REG_ANSWER, {"mch_id": number, "nonce_str": caller.nonce()})


async def _registered(caller: Caller, said: str, password: str) -> str | None:
    """The number of the merchant that these very words registered: their answer may have been lost. Raises
    MerchantInactive when the operator has taken it from the agent."""
    merchant = await caller.office.enrolled(caller.credential, said)
    if merchant is None:
        return None
    # With another password, or with one where there was none, it is not the same registration.
    if (password or merchant.password_hash) and not await caller.office.has_password(merchant, password):
        return None
    number = await _number_of(caller, merchant)
    if number is None:
        raise MerchantInactive
    return number


async def _getmchsmsvalid(caller: Caller, fields: Fields) -> dict[str, str]:
    if not caller.office.can_send:
        raise CallRefused(Management.NO_SMS.refused)
    if not caller.office.send_passcode(caller.agent_id, fields["mobile"]):
        raise CallRefused(Management.SMS_LATER.refused)
    minutes = str(PASSCODE_LIFE_MS // MINUTE)
    # The one `code` that is no code: how many minutes the passcode is good for.
    return answers.carried_out((), {}) | {"code": minutes, "msg": "短信验证码已发送"}


async def _getmchid(caller: Caller, fields: Fields) -> dict[str, str]:
    if "mobile" in fields and "valid" in fields:
        found = await caller.office.merchant_by_passcode(caller.agent_id, fields["mobile"], fields["valid"])
    elif "username" in fields and "password" in fields:
        found = await caller.office.merchant_by_password(caller.agent_id, fields["username"], fields["password"])
    else:
        raise CallRefused(Management.NO_PAIR.refused)
    number = await _number_of(caller, found) if found else None
    if found is None or number is None:
        raise CallRefused(Management.NOBODY.refused)
    found = await caller.with_trade_code(found)
    return answers.carried_out(rows.GETMCHID_ANSWER, answers.merchant(found, number))


async def _number_of(caller: Caller, merchant: Merchant) -> str | None:
    """What the agent calls the merchant, also when another process brought it in a moment ago."""
    number = caller.number_of(merchant.merchant_id)
    if number is None:
        caller.gateway.forget(caller.credential)
        credential = await caller.gateway.credential(caller.credential.dialect, caller.agent_id)
        number = Caller.of(caller.gateway, credential, caller.request).number_of(merchant.merchant_id)
    return number


async def _getpartnerid(caller: Caller, fields: Fields) -> dict[str, str]:
    merchant = await caller.merchant(fields["mch_id"])
    partners = codec.encode_list(_partners(caller, merchant, fields["mch_id"]))
    return answers.carried_out(rows.GETPARTNERID_ANSWER, {"mch_id": fields["mch_id"], "partner_list": partners})


def _partners(caller: Caller, merchant: Merchant, number: str) -> list[dict[str, str]]:
    """The merchant's numbers at WeChat: as the operator lists them, else as the payments tell them."""
    for told in (caller.options.get(f"partner_list.{number}", ""), merchant.details.get("partner_list", "")):
        try:
            listed = codec.decode_list(told, "partner_list") if told else []
        except WireError:
            # Registered like that, or written so in the settings: it says nothing.
            continue
        if listed and all(row.get("pay_channel") for row in listed):
            return [{name: row[name] for name in rows.PARTNER_LIST_ROW if row.get(name)} for row in listed]
    channel = merchant.channels.get(Wallet.WECHAT) or merchant.channels.get("") or Wallet.WECHAT.value
    row = {"pay_channel": caller.options.get("pay_channel") or channel.upper()}
    # Who waits for approval has no number at WeChat yet.
    approved = merchant.state is not MerchantState.WAITING
    partner_id, appid = caller.options.get("wx_sub_mch_id", ""), caller.options.get("appid", "")
    return [row | ({"partner_id": partner_id} if partner_id and approved else {}) | ({"appid": appid} if appid else {})]


async def _getmchinfo(caller: Caller, fields: Fields) -> dict[str, str]:
    merchant = await caller.merchant(fields["mch_id"])
    return answers.carried_out(rows.GETMCHINFO_ANSWER, answers.merchant(merchant, fields["mch_id"]))


async def _wxa_code2session(caller: Caller, fields: Fields) -> dict[str, str]:
    try:
        session = await caller.gateway.wallet_session(fields["appid"], Secret(fields["js_code"]))
    except InvalidPayCode:
        raise CallRefused(Management.BAD_JS_CODE.refused) from None
    except NotSupported:
        raise CallRefused(Management.NO_SESSIONS.refused) from None
    values = {
        "openid": session.payer_id,
        "session_key": session.session_key.reveal(),
        # The one number among all the texts.
        "expires_in": Number(str(session.expires_in_s)),
        "unionid": session.union_id,
    }
    return answers.carried_out(rows.CODE2SESSION_ANSWER, values)


async def _wx_addsubdevconfig(caller: Caller, fields: Fields) -> dict[str, str]:
    number = fields["mch_id"]
    for _ in range(_ROUNDS):
        merchant = await caller.merchant(number)
        before = wxconfig.decode(merchant.details.get(wxconfig.DETAIL, ""))
        after = wxconfig.added(before, fields, caller.gateway.now_ms())
        if after == before:
            break
        details = {**merchant.details, wxconfig.DETAIL: wxconfig.encode(after)}
        new = changed(merchant, details=details)
        if await caller.office.change_merchant(merchant, new, caller.actor, "merchant.wx_config", number=number):
            break
    else:
        raise Overloaded
    return answers.carried_out((), {})


CALLS: Final[Mapping[tuple[str, str], Call]] = {
    (messages.MCH_REG_PATH.lower(), ""): Call(messages.MCH_REG, _mch_reg, whole=True),
    (messages.SMS_PATH.lower(), ""): Call(messages.GETMCHSMSVALID, _getmchsmsvalid),
    (messages.MCH_ID_PATH.lower(), ""): Call(messages.GETMCHID, _getmchid),
    (messages.PARTNER_PATH.lower(), ""): Call(messages.GETPARTNERID, _getpartnerid),
    (messages.MCH_INFO_PATH.lower(), ""): Call(messages.GETMCHINFO, _getmchinfo),
    (messages.SESSION_PATH.lower(), ""): Call(messages.WXA_CODE2SESSION, _wxa_code2session),
    (messages.WX_CONFIG_PATH.lower(), ""): Call(messages.WX_ADDSUBDEVCONFIG, _wx_addsubdevconfig),
}
