"""What fields look like: the shapes of values, and a request's table of rows, by which alone it is read.

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
RAWDATA: Final = _pattern("刷脸SDK给出的初始化数据", r"[!-%'-~]+", 8192)
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
MOBILE: Final = _pattern("11位手机号", r"1[0-9]{10}")
PASSCODE: Final = _pattern("4到8位数字的短信验证码", r"[0-9]{4,8}")
USERNAME: Final = _token(64)
PASSWORD: Final = Kind("不超过64个字符的密码", 64, re.compile(r"[^\r\n\t]+"), free=True)
APPID: Final = _pattern("不超过32个字母、数字、下划线或中划线的APPID，每次一个", r"[0-9A-Za-z_-]{1,32}")
JS_CODE: Final = _pattern("小程序登录时获取的code", r"[!-%'-~]{1,128}", 128)
JSAPI_PATH: Final = _pattern("符合URI格式的http或https目录，不带参数，多个目录以英文分号分隔", r"[!-%'-~]+", 1024)
BOX_ID: Final = _pattern("不超过64个字母、数字、下划线或中划线的设备唯一编号", r"[0-9A-Za-z_-]{1,64}")


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


def need(name: str, kind: Kind) -> Row:
    """A field that must be there."""
    return Row(name, kind, required=True)


def may(name: str, kind: Kind) -> Row:
    """A field that may be there."""
    return Row(name, kind)


#: 公共请求参数. `method` and `sign` belong to the envelope and are read by the codec.
COMMON: Final = (need("agent_id", AGENT_ID), need("pid", TOKEN), need("version", VERSION))
