"""What fields look like, and which of them are kept with an order.

The document gives few lengths; those it leaves open are ours, wide enough for every sample, and written in the folder's
README.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from anytill.core.wallet import Wallet
from anytill.wire.fields import Form, Kind, need, pattern


def _token(max_length: int) -> Kind:
    """A number or name of the till's own: any text on one line, without an ampersand."""
    return pattern(f"不超过{max_length}个字符，不含&", r"[^&\r\n]+", max_length)


def _text(max_length: int) -> Kind:
    return Kind(f"不超过{max_length}个字符的文本", max_length, free=True)


TOKEN: Final = _token(64)
AGENT_ID: Final = pattern("代理商编号", r"[0-9]{1,32}")
VERSION: Final = pattern("点分数字的版本号，如1.0", r"[0-9]+(?:\.[0-9]+)*", 32)
MCH_ID: Final = pattern("超赢商户号", r"[0-9A-Za-z]{1,32}")
ORDER_NO: Final = pattern("5到32个字母、数字或下划线", r"[0-9A-Za-z_]{5,32}")
PREORDER_NO: Final = pattern("5到32个字母或数字", r"[0-9A-Za-z]{5,32}")
REFUND_NO: Final = pattern("不超过32个字母、数字、下划线或中划线", r"[0-9A-Za-z_-]{1,32}")
PLATFORM_NO: Final = pattern("平台给出的单号", r"[0-9A-Za-z]{1,32}")
FEN: Final = pattern("1到9999999999的整数，单位为分", r"[1-9][0-9]{0,9}")
PAY_CODE: Final = _token(64)
TICKET: Final = _token(512)
RAWDATA: Final = pattern("刷脸SDK给出的初始化数据", r"[!-%'-~]+", 8192)
DEVICE: Final = Kind("不超过64个字符的设备编号，不含&（云闪付限长8个字符）", 64, TOKEN.grammar)
BODY: Final = _text(128)
ATTACH: Final = _text(512)
SHORT_TEXT: Final = _text(64)
GOODS: Final = Kind("JSON数组，每项含goods_id、quantity、price（分）", 6000, free=True)
RECEIVERS: Final = _text(2048)
IP: Final = pattern("IP地址", r"[0-9A-Fa-f.:]{2,45}")
TIME: Final = pattern("yyyyMMddHHmmss格式的北京时间，结束时间须在1分钟之后、7天之内", r"[0-9]{14}")
URL: Final = pattern("可直接访问的http或https公网地址，不能携带参数", r"[!-%'-~]+", 256)
YES_NO: Final = pattern("Y或N", r"[YN]")
ZERO_ONE: Final = pattern("0或1", r"[01]")
PAYTYPE: Final = pattern("本订单的支付方式：WECHAT、ALIPAY、JDPAY、QQ、UNIONPAY、BESTPAY之一", "|".join(Wallet))
TRADE_TYPE: Final = pattern("JSPAY、NATIVE、APP、APP_BANK之一", "JSPAY|NATIVE|APP|APP_BANK")
LIMIT_PAY: Final = pattern("NO_CREDIT", "NO_CREDIT|no_credit")
MOBILE: Final = pattern("11位手机号", r"1[0-9]{10}")
PASSCODE: Final = pattern("4到8位数字的短信验证码", r"[0-9]{4,8}")
USERNAME: Final = _token(64)
PASSWORD: Final = Kind("不超过64个字符的密码", 64, re.compile(r"[^\r\n\t]+"), free=True)
APPID: Final = pattern("不超过32个字母、数字、下划线或中划线的APPID，每次一个", r"[0-9A-Za-z_-]{1,32}")
JS_CODE: Final = pattern("小程序登录时获取的code", r"[!-%'-~]{1,128}", 128)
JSAPI_PATH: Final = pattern("符合URI格式的http或https目录，不带参数，多个目录以英文分号分隔", r"[!-%'-~]+", 1024)
BOX_ID: Final = pattern("不超过64个字母、数字、下划线或中划线的设备唯一编号", r"[0-9A-Za-z_-]{1,64}")


#: What becomes a value of its own in an order, or differs from one try to the next.
_ASIDE = ("agent_id", "pid", "version", "nonce_str", "paytype")
_VALUES = "out_trade_no", "body", "attach", "total_fee", "auth_code", "face_code", "openid", "notify_url", "buyer_id"
_NOT_DETAILS = frozenset(_ASIDE + _VALUES)


def details(form: Form, values: Mapping[str, str]) -> dict[str, str]:
    """What is kept of a request beside the order itself: the fields of its table that are no values of their own."""
    return {name: value for name, value in values.items() if name in form.names and name not in _NOT_DETAILS}


#: 公共请求参数. `method` and `sign` belong to the envelope and are read by the codec.
COMMON: Final = (need("agent_id", AGENT_ID), need("pid", TOKEN), need("version", VERSION))
