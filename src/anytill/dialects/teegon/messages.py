"""Teegon's messages as tables: which fields there are, in the vendor's order and spelling, and what its words mean.

Source: 商派天工收银台收银接口文档 V1104, the tables under 收银支付接口, 服务器异步通知 and 支付状态查询接口. Rows after
`# seen in clients` are in no table of the source, but live tills send them.

Each row's pattern does two jobs. It says which values are accepted, and it keeps honest messages readable in one way
only. Teegon signs names and values run together without a delimiter: `amount=10.00` and a field `amount1=0.00` are both
signed as `amount10.00`. So a value that holds the name of an optional field that may follow it could as well be two
fields: such names are kept out of such values. Everything else that has a second meaning is refused by
`wire.one_meaning`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from anytill.core.secret import Secret
from anytill.wire.jsontext import Json, Number

DIALECT: Final = "teegon"

CHARGE_PATHS: Final = ("/v1/charge/", "/v1/charge")
STATUS_PATHS: Final = ("/charge/barcode_pay_status", "/charge/barcode_pay_status/")

#: The only value of `channel` in a charge.
BARCODE_PAY: Final = "barcode_pay"
CURRENCY: Final = "RMB"

#: Switches of a credential; each is off unless its option is ON.
ON: Final = "on"
OPTION_SECRET_INSTEAD_OF_SIGN: Final = "secret_instead_of_sign"  # noqa: S105 - a switch's name
OPTION_DROP_EMPTY: Final = "drop_empty"
OPTION_ECHO_AUTH_CODE: Final = "echo_auth_code"
OPTIONS: Final[Mapping[str, frozenset[str]]] = {
    name: frozenset({ON, "off"}) for name in (OPTION_SECRET_INSTEAD_OF_SIGN, OPTION_DROP_EMPTY, OPTION_ECHO_AUTH_CODE)
}


@dataclass(frozen=True, slots=True)
class Field:
    """A row of a request's or notice's table. `pattern` must match a value whole and says nothing about its length."""

    name: str
    title: str
    length: int  # in characters, as the source counts
    required: bool
    pattern: str


def _text_without(name: str) -> str:
    """Any text in which the name does not occur."""
    return f"(?s:(?!{name}).)*"


def _word_without(*names: str) -> str:
    """Printable ASCII without blanks in which none of the names occurs."""
    return f"(?:(?!{'|'.join(names)})[!-~])*"


_TEXT = "(?s:.*)"
_WORD = "[!-~]*"
_YUAN = r"(?:0|[1-9][0-9]{0,7})(?:\.[0-9]{1,2})?"
_DIGITS = "[0-9]+"
_URL = r"(?i:https?)://[!-~]+"
# Not with an end that makes the next field's name another one.
_NOTIFY_URL = f"{_URL}(?<!out_)"
_IP = "[0-9A-Fa-f.:]*"
# "ip" is too short a name: only a value that looks like an address keeps it from being found inside other values.
_IP_BEGINS = "[0-9A-Fa-f]*[.:]"
_CERTAINLY_IP = f"{_IP_BEGINS}[0-9A-Fa-f.:]+"
_CLIENT_ID = "(?:(?!metadata)[0-9A-Za-z])+"
# Without its own name, so that a notify_url such as http://shop/order_notify does not end before it.
_ORDER_NO = _word_without("order_no", "out_order_no", "pay_channel", "return_url")
# The source's sample forms have a blank on either side of these two values, which is why their rows are longer.
_BARCODE_PAY = f" ?{BARCODE_PAY} ?"
_CHARGE_ID = " ?[0-9A-Za-z_-]+ ?"

_SIGN = Field("sign", "签名", 32, False, _TEXT)
_CLIENT_SECRET = Field(
    "client_secret", "用户密钥", 128, False, _word_without("device_id", f"ip{_IP_BEGINS}", "metadata")
)

CHARGE_FIELDS: Final = (
    Field("client_id", "用户身份 ID", 24, True, _CLIENT_ID),
    Field("notify_url", "接口异步通知地址", 256, True, _NOTIFY_URL),
    _SIGN,
    Field("order_no", "订单编号", 64, True, _ORDER_NO),
    # The source says String(10), for a value of eleven characters and, in its sample form, two blanks.
    Field("channel", "支付渠道", 13, True, _BARCODE_PAY),
    Field("amount", "订单金额", 12, True, _YUAN),
    Field("subject", "商品信息", 128, True, _TEXT),
    Field("metadata", "附加信息", 512, False, _TEXT),
    Field("client_ip", "客户端 ip", 20, False, _IP),
    Field("auth_code", "支付授权码", 20, True, "[0-9A-Za-z]+"),
    # seen in clients
    Field("return_url", "同步跳转地址", 256, False, f"(?:{_URL})?"),
    Field("out_order_no", "外部订单编号", 64, False, _word_without("pay_channel", "return_url")),
    Field("pay_channel", "支付渠道", 64, False, _word_without("return_url")),
    Field("ip", "客户端 ip", 45, False, _CERTAINLY_IP),
    Field("device_id", "设备号", 64, False, _word_without(f"ip{_IP_BEGINS}", "metadata")),
    Field("charge_type", "支付类型", 64, False, _WORD),
    Field("account_id", "账户编号", 64, False, _WORD),
    _CLIENT_SECRET,
)

#: Optional fields that come back in the answer under the same name. None of them is read.
ECHOED: Final = ("client_ip", "return_url", "device_id", "charge_type", "account_id")

STATUS_FIELDS: Final = (
    Field("client_id", "用户身份 ID", 24, True, _CLIENT_ID),
    _SIGN,
    Field("charge_id", "支付单编号", 66, True, _CHARGE_ID),
    # seen in clients
    _CLIENT_SECRET,
)

NOTICE_FIELDS: Final = (
    Field("amount", "订单金额", 12, True, _YUAN),
    Field("bank", "对应银行", 128, False, _text_without("buyer")),
    Field("buyer", "买家", 128, True, _text_without("buyer_openid")),
    Field("channel", "支付渠道", 64, True, "[a-z_]+"),
    Field("charge_id", "支付单号", 64, True, _word_without("device_info", "event_time")),
    Field("device_info", "设备号", 64, False, _word_without("event_time")),
    Field("is_success", "是否成功", 5, True, "true|false"),
    Field("metadata", "附加信息", 512, False, _TEXT),
    Field("order_no", "订单编号", 64, True, _word_without("order_no")),
    Field("pay_time", "支付时间", 20, True, _DIGITS),
    Field("real_amount", "真实金额", 12, True, _YUAN),
    Field("status", "调用状态", 64, True, "[a-z_]+"),
    Field("timestamp", "系统时间戳", 20, True, _DIGITS),
    _SIGN,
    # seen in notices of the vendor; of these we send the first
    Field("buyer_openid", "买家 openid", 128, False, _WORD),
    Field("payment_no", "渠道流水号", 64, False, "[0-9A-Za-z_-]*"),
    Field("event_time", "事件时间", 32, False, "[0-9: -]*"),
    Field("seller_account", "卖家", 128, False, _TEXT),
    Field("data", "数据", 4096, False, r"(?s:[{\[](?:(?!device_info|event_time).)*)?"),
)

#: What people call each field.
TITLES: Final = {row.name: row.title for row in (*CHARGE_FIELDS, *STATUS_FIELDS, *NOTICE_FIELDS)}

#: `status` of every notice.
NOTICE_STATUS: Final = "trade_status_sync"


@dataclass(frozen=True, slots=True)
class Charge:
    """A request of 收银支付接口."""

    client_id: str
    notify_url: str
    order_no: str
    amount_fen: int
    subject: str
    metadata: str
    auth_code: Secret
    echoed: Mapping[str, str]  # those of ECHOED that were sent and are not empty


@dataclass(frozen=True, slots=True)
class StatusQuery:
    """A request of 支付状态查询接口."""

    client_id: str
    charge_id: str


@dataclass(frozen=True, slots=True)
class ChargeResult:
    """`result` of a charge that is paid or may still be. Times are unix seconds, 0 for "not yet"."""

    charge_id: str  # `id`
    domain_id: str
    order_no: str  # `orderno`
    channel: str  # also `description`
    amount_fen: int
    real_amount_fen: int  # what the payer gave: 0 until paid, then the amount less the coupon
    subject: str
    notify_url: str
    auth_code: str  # masked, unless the credential asks for the exact echo
    metadata: str
    created_s: int
    time_expire_s: int
    time_paid_s: int
    paid: bool
    amount_refunded_fen: int
    transaction_no: str
    buyer_account: str
    buyer_openid: str
    echoed: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StatusResult:
    """`result` of a status query."""

    charge_id: str
    order_no: str
    pay_channel: str
    trade_status: str


@dataclass(frozen=True, slots=True)
class Failure:
    """The answer's failure form."""

    error: str


_NOTHING: Final = Number("0")

#: `result` of a charge: every key in the vendor's order, with the value it has when there is nothing to say. Amounts
#: and times are numbers, switches are booleans, all else is text.
CHARGE_RESULT_KEYS: Final[Mapping[str, Json]] = {
    "id": "",
    "domain_id": "",
    "orderno": "",
    "channel": "",
    "amount": _NOTHING,
    "real_amount": _NOTHING,
    "client_ip": "",
    "currency": CURRENCY,
    "subject": "",
    "body": "",
    "time_expire": 0,
    "return_url": "",
    "notify_url": "",
    "device_id": "",
    "charge_type": "",
    "account_id": "",
    "auth_code": "",
    "sale_channel": "",
    "buyer_account": "",
    "seller_account": "",
    "description": "",
    "paid": False,
    "livemode": False,
    "refunded": False,
    "amountsettle": 0,
    "time_paid": 0,
    "time_settle": 0,
    "created": 0,
    "updated": 0,
    "transaction_no": "",
    "amount_refunded": _NOTHING,
    "failure_code": "",
    "failure_msg": "",
    "metadata": "",
    "wx_openid": "",
    "buyer_openid": "",
    "action": {"type": "", "url": "", "params": None},
    "profit_error": "SUCCESS",
    "profit_apply_time": 0,
    "profit_result": "",
    "pay_rate": 0,
    "subsidy_rate": 0,
    "manual_journal": 0,
}
