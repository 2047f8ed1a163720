"""From a request's fields to the order they ask for: the rules between fields, which a table of rows cannot say.

Everything that makes an order what it is goes into it, so that the same request again is the same order and a changed
one is a conflict. `nonce_str` does not, and neither does what is only about the caller (`pid`, `version`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from anytill.core.payment import Method, PayOrder
from anytill.core.secret import Secret
from anytill.core.wallet import Wallet, wallet_of
from anytill.dialects.chaoying import codec
from anytill.dialects.chaoying.fields import DEVICE, TIME, URL, details
from anytill.dialects.chaoying.messages import ALIPAY_PREORDER, FACEPAY, PAY, WECHAT_PREORDER
from anytill.dialects.chaoying.words import METHODS_OF_TRADE_TYPE
from anytill.wire.amounts import parse_fen
from anytill.wire.errors import BadField, MissingField
from anytill.wire.fields import Form

#: trade_type -> what it makes required. APP_BANK is APP by another way of paying.
CONDITIONS: Final[Mapping[Wallet, Mapping[str, tuple[str, ...]]]] = {
    Wallet.WECHAT: {
        "NATIVE": ("product_id",),
        "JSPAY": ("sub_appid", "buyer_id"),
        "APP": ("sub_appid",),
        "APP_BANK": ("sub_appid",),
    },
    Wallet.ALIPAY: {"NATIVE": (), "JSPAY": ("product_id",), "APP": (), "APP_BANK": ()},
}
_SHORTEST_MS: Final = 60 * 1_000
_LONGEST_MS: Final = 7 * 24 * 3_600 * 1_000
_UNIONPAY_DEVICE_LENGTH: Final = 8


def barcode_order(fields: Mapping[str, str]) -> PayOrder:
    """The order of a `pay`. Raises WireError, InvalidPayCode."""
    code = Secret(fields["auth_code"])
    _check_device(wallet_of(code), fields)
    return _order(fields, PAY, Method.BARCODE, pay_code=code)


def face_order(fields: Mapping[str, str]) -> PayOrder:
    """The order of a `facepay`. Raises WireError."""
    wallet = Wallet(fields["paytype"])
    _check_device(wallet, fields)
    code = Secret(fields["face_code"])
    return _order(fields, FACEPAY, Method.FACE, pay_code=code, wallet=wallet, payer_id=fields["openid"])


def preorder(fields: Mapping[str, str], wallet: Wallet, expires_in_s: int | None) -> PayOrder:
    """The order of a pre-order whose lifetime is already known. Raises WireError."""
    trade_type = fields["trade_type"]
    for name in CONDITIONS[wallet][trade_type]:
        if name not in fields:
            raise MissingField(name)
    payer_id = fields.get("buyer_id") or fields.get("buyer_logon_id", "")
    if trade_type == "JSPAY" and not payer_id:
        raise MissingField("buyer_id")
    url = fields.get("notify_url", "")
    if "?" in url:
        raise BadField("notify_url", URL.expected)
    form = WECHAT_PREORDER if wallet is Wallet.WECHAT else ALIPAY_PREORDER
    return _order(
        fields,
        form,
        METHODS_OF_TRADE_TYPE[trade_type],
        wallet=wallet,
        payer_id=payer_id,
        notice_url=url,
        expires_in_s=expires_in_s,
    )


def ends_at_ms(fields: Mapping[str, str], wallet: Wallet) -> int | None:
    """When a pre-order shall end by its own words; None when it says nothing, or nothing that takes effect.

    Raises BadField for times that are none, or that do not follow each other.
    """
    start = codec.parse_time(fields["time_start"], "time_start") if "time_start" in fields else None
    expire = codec.parse_time(fields["time_expire"], "time_expire") if "time_expire" in fields else None
    if expire is None or (start is None and wallet is Wallet.ALIPAY):
        return None
    if start is not None and start >= expire:
        raise BadField("time_expire", TIME.expected)
    return expire


def lifetime_s(ends_ms: int, now_ms: int) -> int:
    """Whole seconds until a new order's end. Raises BadField unless that is one minute to seven days."""
    if not _SHORTEST_MS <= ends_ms - now_ms <= _LONGEST_MS:
        raise BadField("time_expire", TIME.expected)
    return (ends_ms - now_ms) // 1_000


def _order(
    fields: Mapping[str, str],
    form: Form,
    method: Method,
    *,
    pay_code: Secret | None = None,
    wallet: Wallet | None = None,
    payer_id: str = "",
    notice_url: str = "",
    expires_in_s: int | None = None,
) -> PayOrder:
    if "goods_detail" in fields:
        codec.check_goods(fields["goods_detail"])
    return PayOrder(
        order_no=fields["out_trade_no"],
        amount_fen=parse_fen(fields["total_fee"], field="total_fee"),
        method=method,
        subject=fields["body"],
        pay_code=pay_code,
        wallet=wallet,
        payer_id=payer_id,
        attach=fields.get("attach", ""),
        notice_url=notice_url,
        expires_in_s=expires_in_s,
        details=details(form, fields),
    )


def _check_device(wallet: Wallet, fields: Mapping[str, str]) -> None:
    """QQ wants to know the terminal; UnionPay takes only a short number of the device."""
    if wallet is Wallet.QQ and "device_info" not in fields:
        raise MissingField("device_info")
    if wallet is Wallet.UNIONPAY and len(fields.get("op_device_id", "")) > _UNIONPAY_DEVICE_LENGTH:
        raise BadField("op_device_id", DEVICE.expected)
