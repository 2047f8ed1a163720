"""The vendor's vocabulary: names, paths and tables of the Semoor 微收银 terminal interface V4.0.

The source document is damaged: activation, configuration, time and both queries are lost but for their titles, and with
them most request tables. `NAMES` is the one table of every path, action, field and word on the wire. Each entry says
whether it stands in the document or is our decision, so that a name that turns up can be put right here alone.

One `Form` for each request. No length survived: all of them are ours, wide enough for the samples.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from anytill.core.wallet import SHOWING_CODES, Wallet
from anytill.wire.fields import Form, Kind, may, need, pattern


class Origin(StrEnum):
    """Who says so."""

    SOURCE = "source"
    OURS = "ours"


@dataclass(frozen=True, slots=True)
class Name:
    """Something that is called so on the wire."""

    what: str
    text: str
    origin: Origin


def _named(kind: str, source: str, ours: str) -> Iterable[Name]:
    """Names that are looked up by themselves: a field is called what it is called."""
    for origin, texts in ((Origin.SOURCE, source), (Origin.OURS, ours)):
        for text in texts.split():
            yield Name(f"{kind} {text}", text, origin)


_S, _O = Origin.SOURCE, Origin.OURS
NAMES: Final[tuple[Name, ...]] = (
    # Paths. The document gives op.php, time.php and pay_printinfo.php; the other two were lost with their pages.
    Name("path of activation", "/o2o_dmprinter/active.php", _O),
    Name("path of the configuration", "/o2o_dmprinter/config.php", _O),
    Name("path of the time", "/o2o_dmprinter/time.php", _S),
    Name("path of payments", "/o2o-dm/op.php", _S),
    Name("path of reprints", "/o2o-dm/pay_printinfo.php", _S),
    # Actions of op.php. Of the two queries only the titles are left (3.2.1 and 3.2.2).
    Name("action that charges a code", "micropay", _S),
    Name("action that asks after a lost answer", "querytimeout", _O),
    Name("action that asks after ok=-1", "query", _O),
    Name("action that refunds", "refund", _S),
    Name("action that reads a bill", "read", _S),
    # Fields of requests. `no` stands in every answer of the document, always empty; that a till may send it is ours.
    *_named(
        "request field",
        "action authcode custom_series device_id dic_amount dm_id info infoaddo operator_id paytype refund reprint sign"
        " total",
        "code no",
    ),
    # Attributes and elements of answers.
    *_named(
        "answer attribute",
        "ok total pay_type pay_time info dm_id remark openid pay_id no type_id pay_total pay_name refund_total",
        "device_id secretkey server company paytype time timestamp coupon refund_open",
    ),
    *_named(
        "answer element",
        "dm ok paylist pay id device_id no tabno company opentime paymode user total_fee time printinfo Canvas Image"
        " TextBlock",
        "",
    ),
    # What `pay_type`, `paytype`, `pay_name` and the popup's picture call a wallet.
    Name("number of WECHAT", "4", _S),
    Name("number of ALIPAY", "5", _O),
    Name("number of UNIONPAY", "6", _O),
    Name("number of QQ", "7", _O),
    Name("number of JDPAY", "8", _O),
    Name("number of BESTPAY", "9", _O),
    Name("number of PAYME", "10", _O),
    Name("number of FPS", "11", _O),
    Name("number of OCTOPUS", "12", _O),
    Name("number of CARD", "13", _O),
    Name("paytype of WECHAT", "wxpay", _S),  # from the name of the picture popup_wxpay.png
    Name("paytype of ALIPAY", "alipay", _S),
    Name("paytype of UNIONPAY", "unionpay", _O),
    Name("paytype of QQ", "qqpay", _O),
    Name("paytype of JDPAY", "jdpay", _O),
    Name("paytype of BESTPAY", "bestpay", _O),
    Name("paytype of PAYME", "payme", _O),
    Name("paytype of FPS", "fps", _O),
    Name("paytype of OCTOPUS", "octopus", _O),
    Name("paytype of CARD", "card", _O),
    Name("name of WECHAT", "微信", _S),
    Name("name of ALIPAY", "支付宝", _O),
    Name("name of UNIONPAY", "云闪付", _O),
    Name("name of QQ", "QQ钱包", _O),
    Name("name of JDPAY", "京东", _O),
    Name("name of BESTPAY", "翼支付", _O),
    Name("name of PAYME", "PayMe", _O),
    Name("name of FPS", "转数快", _O),
    Name("name of OCTOPUS", "八达通", _O),
    Name("name of CARD", "银行卡", _O),
    # Values of `ok`; the document explains -1, and its samples are all 1.
    Name("ok when it is done", "1", _S),
    Name("ok when it is open", "-1", _S),
    Name("ok when it is not done", "0", _O),
    Name("type_id of a refund", "2", _S),
    Name("before a number in dm_id", "dm", _S),
)
_TEXTS: Final[Mapping[str, str]] = {name.what: name.text for name in NAMES}

ACTIVE_PATH: Final = _TEXTS["path of activation"]
CONFIG_PATH: Final = _TEXTS["path of the configuration"]
TIME_PATH: Final = _TEXTS["path of the time"]
OP_PATH: Final = _TEXTS["path of payments"]
REPRINT_PATH: Final = _TEXTS["path of reprints"]
MICROPAY: Final = _TEXTS["action that charges a code"]
QUERYTIMEOUT: Final = _TEXTS["action that asks after a lost answer"]
QUERY: Final = _TEXTS["action that asks after ok=-1"]
REFUND: Final = _TEXTS["action that refunds"]
READ: Final = _TEXTS["action that reads a bill"]
ACTIONS: Final = (MICROPAY, QUERYTIMEOUT, QUERY, REFUND, READ)
DONE: Final = _TEXTS["ok when it is done"]
OPEN: Final = _TEXTS["ok when it is open"]
NOT_DONE: Final = _TEXTS["ok when it is not done"]
REFUND_TYPE: Final = _TEXTS["type_id of a refund"]
DM: Final = _TEXTS["before a number in dm_id"]
#: The namespace of the popup, as the samples declare it.
XAML: Final = "http://schemas.microsoft.com/winfx/2006/xaml/presentation"


@dataclass(frozen=True, slots=True)
class PayType:
    """What the vendor calls a wallet: the number in answers, the word in requests, the name for people."""

    number: str
    word: str
    name: str


PAY_TYPES: Final[Mapping[Wallet, PayType]] = {
    wallet: PayType(_TEXTS[f"number of {wallet}"], _TEXTS[f"paytype of {wallet}"], _TEXTS[f"name of {wallet}"])
    for wallet in Wallet
}
#: `paytype` of a micropay: of what shows no code a till only reads.
WALLETS_OF_WORD: Final[Mapping[str, Wallet]] = {
    each.word: wallet for wallet, each in PAY_TYPES.items() if wallet in SHOWING_CODES
}
WALLETS_OF_NUMBER: Final[Mapping[str, Wallet]] = {each.number: wallet for wallet, each in PAY_TYPES.items()}


DEVICE_ID: Final = pattern("1到32位的设备编号", r"[0-9A-Za-z_-]{1,32}")
CODE: Final = pattern("8到32位数字的激活码", r"[0-9]{8,32}")
AUTHCODE: Final = pattern("顾客付款码", r"[^&\r\n]+", 64)
PAYTYPE: Final = pattern("、".join(WALLETS_OF_WORD) + "之一", "|".join(WALLETS_OF_WORD))
YUAN: Final = pattern("大于0、最多两位小数的金额（元）", r"(?:0|[1-9][0-9]{0,7})(?:\.[0-9]{1,2})?")
OPERATOR: Final = pattern("不超过32个字符的操作员，不含&和换行", r"[^&\r\n]+", 32)
INFO: Final = Kind("不超过128个字符的一行文字", 128, re.compile(r"[^\r\n]+"), free=True)
INFOADDO: Final = Kind("不超过1024个字符的文字", 1024, re.compile(r"[^\0]+"), free=True)
NO: Final = pattern("1到32位字母、数字、下划线或中划线", r"[0-9A-Za-z_-]{1,32}")
DM_ID: Final = pattern("dm加数字的账单编号", r"dm[0-9]{1,20}")
BARE_DM_ID: Final = pattern("账单编号，dm可写可不写", r"(?:dm)?[0-9]{1,20}")
SERIES: Final = pattern("数字", r"[0-9]{1,8}")
ACTION: Final = pattern("、".join(ACTIONS) + "之一", "|".join(ACTIONS))
FLAG: Final = pattern("标记，无需赋值", r"[0-9A-Za-z]{1,8}")


_DEVICE: Final = need("device_id", DEVICE_ID)
_SIGNED_OP: Final = (need("action", ACTION), _DEVICE)
#: 1. 设备激活
ACTIVE_FORM: Final = Form((need("code", CODE),))
#: 2. 读取支付配置
CONFIG_FORM: Final = Form((_DEVICE,))
#: 3. 获取时间
TIME_FORM: Final = Form((_DEVICE,))
#: 3.1 刷卡支付: the names of the signing sample, and `no`
MICROPAY_FORM: Final = Form(
    (
        *_SIGNED_OP,
        need("authcode", AUTHCODE),
        need("paytype", PAYTYPE),
        need("total", YUAN),
        may("dic_amount", YUAN),
        may("info", INFO),
        may("infoaddo", INFOADDO),
        may("operator_id", OPERATOR),
        may("no", NO),
    )
)
#: 3.2.1 超时订单查询: one of the two
QUERYTIMEOUT_FORM: Final = Form((*_SIGNED_OP, may("authcode", AUTHCODE), may("no", NO)))
#: 3.2.2 查询
QUERY_FORM: Final = Form((*_SIGNED_OP, need("dm_id", DM_ID)))
#: 3.3 申请退款: `no` and `operator_id` are ours
REFUND_FORM: Final = Form(
    (*_SIGNED_OP, need("dm_id", DM_ID), need("refund", YUAN), may("no", NO), may("operator_id", OPERATOR))
)
#: 3.4 读取账单
READ_FORM: Final = Form((*_SIGNED_OP, need("dm_id", DM_ID)))
#: 3.5 补打小票: the flag has no value and may be left out; device_id only where it is signed
REPRINT_FORM: Final = Form(
    (may("reprint", FLAG), may("custom_series", SERIES), need("dm_id", BARE_DM_ID), may("device_id", DEVICE_ID))
)
FORMS: Final[Mapping[str, Form]] = {
    "active": ACTIVE_FORM,
    "config": CONFIG_FORM,
    "time": TIME_FORM,
    MICROPAY: MICROPAY_FORM,
    QUERYTIMEOUT: QUERYTIMEOUT_FORM,
    QUERY: QUERY_FORM,
    REFUND: REFUND_FORM,
    READ: READ_FORM,
    "reprint": REPRINT_FORM,
}
#: Every name that any request gives a meaning. The guard against a second reading looks at all of them, because a
#: signature does not say to which address its request was sent.
KNOWN_NAMES: Final = frozenset[str]().union(*(form.names for form in FORMS.values()))
FREE_TEXT: Final = frozenset(row.name for form in FORMS.values() for row in form.rows if row.kind.free)
ALWAYS_REQUIRED: Final = ("device_id",)
