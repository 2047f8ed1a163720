"""Pay boxes: speakers at a shop's counter that learn by themselves whose they are.

    a box scans the merchant's QR sign:  GET /qrpay/<mch_id>?<the sign's own fields>&<its own>&sign=…   binds it
    a box asks every five seconds:       GET /Mch/PayBoxConfGet?<its own fields>&sign=…

Both are answered with the merchant. A box that nobody has bound is answered SUCCESS with nothing of a merchant, which
tells it to go on asking; FAIL tells it to stop. Boxes have no keys of their own: the agent's key speaks for them, so a
box is the agent's whose merchant it was bound to first, and can be bound anew by that agent alone.

The path is not signed, so that what a box once asked, under whatever address, could be sent to any merchant's. What a
sign may do therefore rests on its own signed fields. Later versions have one for this, `code_number`: the number at the
end of the path. A sign that holds it binds to that number alone. One without it, as v2.9.0 shows them, binds a box that
nobody has bound and moves none; where the agent's option `box_sign` is NUMBERED it binds nothing.

Nor does a request have a time or a nonce, and addresses are kept by whatever lies on the way. So a box remembers the
signs it was bound with, and none of them brings it back to a merchant that it has left: for that a sign must say
something else, be it another `op_user_id`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from anytill.core.device import Device
from anytill.core.errors import ForeignMerchant, Overloaded
from anytill.core.merchant import Merchant
from anytill.core.payment import fingerprint
from anytill.core.records import changed
from anytill.dialects.chaoying import answers, rows, words
from anytill.dialects.chaoying import merchant_messages as messages
from anytill.dialects.chaoying.caller import Call, Caller, Fields
from anytill.dialects.chaoying.fields import MCH_ID
from anytill.dialects.chaoying.words import CallRefused, Management
from anytill.gateway.changes import NotThere

_NUMBERED: Final = "NUMBERED"
#: The box's detail that holds the digests of all signs that could move it, with which it was bound so far.
_SIGNS: Final = "signs"
_DIGEST_LENGTH: Final = 16
#: Whoever loses a round lost it to another scan of the same box.
_ROUNDS: Final = 20
_UNBOUND: Final = "支付终端尚未绑定商户，请继续轮询"


async def _payboxconfget(caller: Caller, fields: Fields) -> dict[str, str]:
    _check_agent(caller)
    device = await _box(caller, fields["op_device_id"])
    number = caller.number_of(device.merchant_id) if device else None
    if device is None or number is None:
        # Another agent's box is told apart from none only when somebody tries to bind it.
        return {"state": words.State.SUCCESS.value, "msg": _UNBOUND}
    if not device.active:
        raise CallRefused(Management.BOX_OFF.refused)
    return await _told(caller, await caller.merchant(number), number, fields)


async def _qrpay(caller: Caller, fields: Fields) -> dict[str, str]:
    _check_agent(caller)
    number = caller.request.path.rpartition("/")[2]
    if not MCH_ID.takes(number):
        raise ForeignMerchant
    if fields.get("code_number", number) != number:
        raise CallRefused(Management.SIGN_OF_ANOTHER.refused)
    merchant = await caller.merchant(number)
    for _ in range(_ROUNDS):
        known = await _box(caller, fields["op_device_id"])
        bound = _bound(known, merchant, caller, fields)
        if bound == known or await caller.gateway.devices.put_device(bound, caller.actor, "device.bind", number=number):
            return await _told(caller, merchant, number, fields)
    raise Overloaded


def _bound(known: Device | None, merchant: Merchant, caller: Caller, fields: Fields) -> Device:
    """The box as this sign has it. What the sign does not say stays, if the box stays with its merchant. Raises
    CallRefused when the sign may not bind it."""
    if known is not None and caller.number_of(known.merchant_id) is None:
        raise CallRefused(Management.BOX_ELSEWHERE.refused)
    if known is not None and not known.active:
        raise CallRefused(Management.BOX_OFF.refused)
    stays = known is not None and known.merchant_id == merchant.merchant_id
    may_bind = known is None and caller.options.get("box_sign") != _NUMBERED
    if "code_number" not in fields and not (stays or may_bind):
        raise CallRefused(Management.SIGN_WITHOUT_NUMBER.refused)
    device = known or Device(
        caller.credential.dialect, fields["op_device_id"], "", enrolled_at_ms=caller.gateway.now_ms()
    )
    signs, sign = device.details.get(_SIGNS, "").split(), _sign_of(fields)
    if sign in signs and not stays:
        raise CallRefused(Management.SIGN_USED.refused)
    if not stays:
        device = changed(device, merchant_id=merchant.merchant_id, shop_id="", details={})
    details = {name: fields[name] for name in ("device_info", "op_user_id") if name in fields}
    if sign and sign not in signs:
        signs.append(sign)
    remembered = {_SIGNS: " ".join(signs)} if signs else {}
    shop_id = fields.get("op_shop_id", device.shop_id)
    return changed(device, shop_id=shop_id, details={**device.details, **details, **remembered})


def _sign_of(fields: Fields) -> str:
    """What tells one sign's words from another's; "" for those that move no box."""
    if "code_number" not in fields:
        return ""
    return fingerprint(*(part for pair in sorted(fields.items()) for part in pair))[:_DIGEST_LENGTH]


async def _box(caller: Caller, device_id: str) -> Device | None:
    try:
        return await caller.gateway.devices.device(caller.credential.dialect, device_id)
    except NotThere:
        return None


def _check_agent(caller: Caller) -> None:
    """The document asks for it. It is no proof of anything, and nothing rests on it."""
    if caller.request.headers.get("user-agent", "").strip() != messages.BOX_AGENT:
        raise CallRefused(Management.NOT_A_BOX.refused)


async def _told(caller: Caller, merchant: Merchant, number: str, fields: Fields) -> dict[str, str]:
    merchant = await caller.with_trade_code(merchant)
    own = {name: fields[name] for name in ("device_info", "op_device_id")}
    return answers.carried_out(rows.BOX_ANSWER, answers.merchant(merchant, number) | own)


CALLS: Final[Mapping[tuple[str, str], Call]] = {
    (messages.BOX_PATH.lower(), ""): Call(messages.PAYBOXCONFGET, _payboxconfget, by_link=True),
    (messages.QR_PATH.lower(), ""): Call(messages.QRPAY, _qrpay, by_link=True),
}
