"""The vendor's vocabulary: every table of the Chaoying aggregated payment API v2.9.0 (2022-03-01) that payments need.

One `Form` for each request, its rows in the vendor's order and spelling. A new call is a new form here and a new entry
among the calls of the server; nothing else knows how many there are. What answers hold is in `rows`, the codes and
states are in `words`.

A row says whether the field is required and what it looks like (`Kind`). The document gives few lengths; those it
leaves open are ours, wide enough for every sample, and written in the folder's README.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from anytill.core.wallet import Wallet
from anytill.wire.errors import BadField, MissingField

GATEWAY_PATH: Final = "/UnifiedPay/Gateway"
WECHAT_PREORDER_PATH: Final = "/Open/WECHAT_PreOrder"
ALIPAY_PREORDER_PATH: Final = "/Open/ALIPAY_PreOrder"


@dataclass(frozen=True, slots=True)
class Kind:
    """What a value looks like: at most so many characters, all of it matching `grammar`; `expected` is for people."""

    expected: str
    max_length: int
    grammar: re.Pattern[str] | None = None
    free: bool = False  # may hold an ampersand

    @property
    def matches(self) -> Callable[[str], object] | None:
        """Asks the grammar about a whole value; None when there is none to ask."""
        return self.grammar.fullmatch if self.grammar else None


def _pattern(expected: str, pattern: str, max_length: int = 64) -> Kind:
    return Kind(expected, max_length, re.compile(pattern))


def _token(max_length: int) -> Kind:
    """A number or name of the till's own: any text on one line, without an ampersand."""
    return Kind(f"不超过{max_length}个字符，不含&", max_length, re.compile(r"[^&\r\n]+"))


def _text(max_length: int) -> Kind:
    return Kind(f"不超过{max_length}个字符的文本", max_length, free=True)


TOKEN: Final = _token(64)
AGENT_ID: Final = _pattern("代理商编号", r"[0-9]{1,32}")
VERSION: Final = _pattern("点分数字的版本号，如1.0", r"[0-9]+(?:\.[0-9]+)*", 32)
MCH_ID: Final = _pattern("超赢商户号", r"[0-9A-Za-z]{1,32}")
ORDER_NO: Final = _pattern("5到32个字母、数字或下划线", r"[0-9A-Za-z_]{5,32}")
PREORDER_NO: Final = _pattern("5到32个字母或数字", r"[0-9A-Za-z]{5,32}")
REFUND_NO: Final = _pattern("不超过32个字母、数字、下划线或中划线", r"[0-9A-Za-z_-]{1,32}")
PLATFORM_NO: Final = _pattern("平台给出的单号", r"[0-9A-Za-z]{1,32}")
FEN: Final = _pattern("1到9999999999的整数，单位为分", r"[1-9][0-9]{0,9}")
PAY_CODE: Final = _token(64)
TICKET: Final = _token(512)
DEVICE: Final = Kind("不超过64个字符的设备编号，不含&（云闪付限长8个字符）", 64, TOKEN.grammar)
BODY: Final = _text(128)
ATTACH: Final = _text(512)
SHORT_TEXT: Final = _text(64)
GOODS: Final = Kind("JSON数组，每项含goods_id、quantity、price（分）", 6000, free=True)
RECEIVERS: Final = _text(2048)
IP: Final = _pattern("IP地址", r"[0-9A-Fa-f.:]{2,45}")
TIME: Final = _pattern("yyyyMMddHHmmss格式的北京时间，结束时间须在1分钟之后、7天之内", r"[0-9]{14}")
URL: Final = _pattern("可直接访问的http或https公网地址，不能携带参数", r"[!-%'-~]+", 256)
YES_NO: Final = _pattern("Y或N", r"[YN]")
ZERO_ONE: Final = _pattern("0或1", r"[01]")
PAYTYPE: Final = _pattern("本订单的支付方式：WECHAT、ALIPAY、JDPAY、QQ、UNIONPAY、BESTPAY之一", "|".join(Wallet))
TRADE_TYPE: Final = _pattern("JSPAY、NATIVE、APP、APP_BANK之一", "JSPAY|NATIVE|APP|APP_BANK")
LIMIT_PAY: Final = _pattern("NO_CREDIT", "NO_CREDIT|no_credit")


@dataclass(frozen=True, slots=True)
class Row:
    """One field of a request."""

    name: str
    kind: Kind
    required: bool = False


@dataclass(frozen=True, slots=True)
class Form:
    """A request's table. `read` is the only way from what was sent to what is used: other names stay behind."""

    rows: tuple[Row, ...]
    names: frozenset[str] = field(init=False)
    kept: tuple[str, ...] = field(init=False)  # stored with the payment as its details
    expected: Mapping[str, str] = field(init=False)  # what each field must be, for people
    checks: tuple[tuple[str, bool, int, Callable[[str], object] | None, str], ...] = field(init=False)  # rows, unpacked

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", frozenset(row.name for row in self.rows))
        checks = tuple(
            (row.name, row.required, row.kind.max_length, row.kind.matches, row.kind.expected) for row in self.rows
        )
        object.__setattr__(self, "checks", checks)
        object.__setattr__(self, "expected", {row.name: row.kind.expected for row in self.rows})
        object.__setattr__(self, "kept", tuple(row.name for row in self.rows if row.name not in _NOT_DETAILS))

    def read(self, sent: Mapping[str, str]) -> dict[str, str]:
        """The known fields, each as its row wants it. Raises MissingField or BadField."""
        found: dict[str, str] = {}
        for name, required, max_length, matches, expected in self.checks:
            value = sent.get(name)
            if not value:
                if required:
                    raise MissingField(name)
                continue
            if len(value) > max_length or (matches is not None and matches(value) is None):
                raise BadField(name, expected)
            found[name] = value
        return found


#: What becomes a value of its own in an order, or differs from one try to the next.
_ASIDE = ("agent_id", "pid", "version", "nonce_str", "paytype")
_VALUES = "out_trade_no", "body", "attach", "total_fee", "auth_code", "face_code", "openid", "notify_url", "buyer_id"
_NOT_DETAILS = frozenset(_ASIDE + _VALUES)


def _need(name: str, kind: Kind) -> Row:
    return Row(name, kind, required=True)


def _may(name: str, kind: Kind) -> Row:
    return Row(name, kind)


#: 公共请求参数. `method` and `sign` belong to the envelope and are read by the codec.
COMMON: Final = (_need("agent_id", AGENT_ID), _need("pid", TOKEN), _need("version", VERSION))
_GOODS_AND_SHARING = (
    _may("goods_tag", SHORT_TEXT),
    _may("goods_detail", GOODS),
    _may("profit_sharing", YES_NO),
    _may("profit_sharing_receiver", RECEIVERS),
)
_OPERATOR = (_may("op_user_id", TOKEN), _may("op_shop_id", TOKEN))

GETFACEAUTH: Final = Form(
    (
        *COMMON,
        _need("paytype", PAYTYPE),
        _may("sub_appid", TOKEN),
        _need("mch_id", MCH_ID),
        _need("store_id", TOKEN),
        _need("store_name", SHORT_TEXT),
        _need("device_id", TOKEN),
        _need("rawdata", Kind("刷脸SDK给出的初始化数据", 8192, re.compile(r"[!-%'-~]+"))),
    )
)
FACEPAY: Final = Form(
    (
        *COMMON,
        _need("paytype", PAYTYPE),
        _may("sub_appid", TOKEN),
        _need("mch_id", MCH_ID),
        _need("openid", TOKEN),
        _need("out_trade_no", ORDER_NO),
        _may("device_info", TOKEN),
        _need("body", BODY),
        _may("attach", ATTACH),
        _need("total_fee", FEN),
        _may("mch_create_ip", IP),
        _need("face_code", TICKET),
        *_OPERATOR,
        _may("op_device_id", DEVICE),
        *_GOODS_AND_SHARING,
    )
)
PAY: Final = Form(
    (
        *COMMON,
        _may("sub_appid", TOKEN),
        _need("mch_id", MCH_ID),
        _need("out_trade_no", ORDER_NO),
        _may("device_info", TOKEN),
        _need("body", BODY),
        _may("attach", ATTACH),
        _need("total_fee", FEN),
        _may("mch_create_ip", IP),
        _need("auth_code", PAY_CODE),
        *_OPERATOR,
        _may("op_device_id", DEVICE),
        *_GOODS_AND_SHARING,
    )
)
ORDERQUERY: Final = Form(
    (
        *COMMON,
        _need("paytype", PAYTYPE),
        _need("mch_id", MCH_ID),
        _may("out_trade_no", ORDER_NO),
        _may("transaction_id", PLATFORM_NO),
    )
)
REFUND: Final = Form(
    (
        *COMMON,
        _need("paytype", PAYTYPE),
        _need("mch_id", MCH_ID),
        _may("out_trade_no", ORDER_NO),
        _may("transaction_id", PLATFORM_NO),
        _need("out_refund_no", REFUND_NO),
        _need("total_fee", FEN),
        _need("refund_fee", FEN),
        _need("op_user_id", TOKEN),
    )
)
REFUNDQUERY: Final = Form(
    (
        *COMMON,
        _need("paytype", PAYTYPE),
        _need("mch_id", MCH_ID),
        _may("out_refund_no", REFUND_NO),
        _may("refund_id", PLATFORM_NO),
    )
)
CANCEL: Final = Form(
    (
        *COMMON,
        _need("paytype", PAYTYPE),
        _need("mch_id", MCH_ID),
        _need("out_trade_no", ORDER_NO),
        _need("op_user_id", TOKEN),
    )
)
AUTHCODETOOPENID: Final = Form(
    (*COMMON, _need("mch_id", MCH_ID), _may("sub_appid", TOKEN), _need("auth_code", PAY_CODE))
)
#: sub_appid, buyer_id and product_id are required for some trade types only: `orders.CONDITIONS`.
WECHAT_PREORDER: Final = Form(
    (
        *COMMON,
        _may("nonce_str", TOKEN),
        _need("mch_id", MCH_ID),
        _may("sub_appid", TOKEN),
        _may("is_minipg", ZERO_ONE),
        _may("buyer_id", TOKEN),
        _may("device_info", TOKEN),
        _need("body", BODY),
        _may("attach", ATTACH),
        _need("out_trade_no", PREORDER_NO),
        _need("total_fee", FEN),
        _may("mch_create_ip", IP),
        _may("time_start", TIME),
        _may("time_expire", TIME),
        _may("notify_url", URL),
        *_OPERATOR,
        _may("limit_pay", LIMIT_PAY),
        _need("trade_type", TRADE_TYPE),
        _may("product_id", TOKEN),
        *_GOODS_AND_SHARING,
    )
)
ALIPAY_PREORDER: Final = Form(
    (
        *COMMON,
        _may("nonce_str", TOKEN),
        _need("mch_id", MCH_ID),
        _may("device_info", TOKEN),
        _need("body", BODY),
        _may("attach", ATTACH),
        _need("out_trade_no", PREORDER_NO),
        _need("total_fee", FEN),
        _may("mch_create_ip", IP),
        _may("time_start", TIME),
        _may("time_expire", TIME),
        _may("goods_tag", SHORT_TEXT),
        _may("notify_url", URL),
        *_OPERATOR,
        _may("limit_pay", LIMIT_PAY),
        _need("trade_type", TRADE_TYPE),
        _may("product_id", TOKEN),
        _may("buyer_logon_id", TOKEN),
        _may("buyer_id", TOKEN),
    )
)

FORMS: Final = (
    GETFACEAUTH,
    FACEPAY,
    PAY,
    ORDERQUERY,
    REFUND,
    REFUNDQUERY,
    CANCEL,
    AUTHCODETOOPENID,
    WECHAT_PREORDER,
    ALIPAY_PREORDER,
)
#: Every name that any request gives a meaning. The guard against a second reading looks at all of them, because a
#: signature does not say to which address its request was sent.
KNOWN_NAMES: Final = frozenset({"method"}.union(*(form.names for form in FORMS)))
FREE_TEXT: Final = frozenset(row.name for form in FORMS for row in form.rows if row.kind.free)
ALWAYS_REQUIRED: Final = tuple(row.name for row in COMMON)
