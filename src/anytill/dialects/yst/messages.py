"""The vendor's vocabulary: every request of the YST HTTP API 1.3.1 (2018-02-02), one `Form` for each, rows in the
vendor's order and spelling; what answers and the notice hold, and the names of the payment channels.

A row says whether the field is required and what it looks like. Where the tables and their own samples disagree the
samples count: a `req_seq` of 20 characters has 21 to 32 in most samples, so 32 are read. `_request` and `_response` end
the names of requests and of their answers (section 2.2).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from anytill.core.payment import Method
from anytill.core.wallet import Wallet
from anytill.wire import fields
from anytill.wire.fields import Kind, Row, may, need, pattern

PATH: Final = "/ystpay/service/unitive.api"


def _text(max_length: int) -> Kind:
    return Kind(f"不超过{max_length}个字符", max_length)


REQ_SEQ: Final = pattern("不超过32位的字母、数字、下划线或中划线", r"[0-9A-Za-z_-]+", 32)
SEQ: Final = pattern("平台给出的流水号", r"[0-9A-Za-z]+", 32)
FEN: Final = pattern("1到9999999999的整数，单位为分", r"[1-9][0-9]{0,9}", 10)
AUTH_CODE: Final = pattern("顾客的付款码，不超过32个字符", r"[!-~]+", 32)
CHANNEL: Final = pattern("W（微支付）、A（支付宝）或Q（手Q支付）", r"[WAQ]", 1)
ANY_CHANNEL: Final = pattern("W、A、Q、Y之一", r"[WAQYUJPFOC]", 1)
ORDER_CHANNEL: Final = pattern("W（微支付）或A（支付宝）", r"[WA]", 1)
EXPIRE_TIME: Final = pattern("300到1800的整数，单位为秒", r"[3-9][0-9]{2}|1[0-7][0-9]{2}|1800", 4)
OPEN_ID: Final = pattern("不超过32个字符的用户ID", r"[!-~]+", 32)
IP: Final = pattern(
    "用户公网IP地址，如125.71.132.197", r"(?:(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])(?:\.(?!$)|$)){4}", 15
)
URL: Final = pattern("http或https地址，不超过256个字符", r"https?://[!-~]+", 256)
REASON: Final = _text(255)
#: In the notice nothing is escaped, so an ampersand would begin a field there.
ATTACH: Final = pattern("不超过128个字符，不含&", r"[^&]+", 128)
GOODS: Final = Kind("商品列表的JSON数组，每项含goodsId、goodsName、price（元）、quantity，共不超过8192个字符", 8192)


@dataclass(frozen=True, slots=True)
class Form(fields.Form):
    """A request's table, and what the request and its answer are called."""

    request_type: str
    response_type: str


def _form(request_type: str, response_type: str, *rows: Row) -> Form:
    return Form(rows, request_type, response_type)


#: The vendor's SDK sends these with orders that the payer pays later; no table has them.
_EXTRAS: Final = (may("notify_url", URL), may("attach", ATTACH), may("prod_details", GOODS))

PAY: Final = _form(
    "unitive_pay_request",
    "unitive_pay_response",
    need("req_seq", REQ_SEQ),
    need("total_fee", FEN),
    need("auth_code", AUTH_CODE),
    may("channel", CHANNEL),
    may("prod_details", GOODS),
)
QUERY_PAY: Final = _form(
    "unitive_query_pay_request",
    "unitive_query_pay_response",
    need("req_seq", REQ_SEQ),
    may("auth_code", AUTH_CODE),
    need("ori_seq", REQ_SEQ),
)
REFUND: Final = _form(
    "unitive_refund_request",
    "unitive_refund_response",
    need("req_seq", REQ_SEQ),
    need("trans_seq", SEQ),
    need("refund_fee", FEN),
    need("reason", REASON),
)
QUERY_REFUND: Final = _form(
    "unitive_query_refund_request",
    "unitive_query_refund_response",
    need("req_seq", REQ_SEQ),
    need("trans_seq", SEQ),
    need("ori_seq", REQ_SEQ),
)
#: "channel 和 auth_code 必须 2 选 1", says the table; the sample has neither.
REVOKE: Final = _form(
    "unitive_revoke_request",
    "unitive_revoke_response",
    need("req_seq", REQ_SEQ),
    need("ori_seq", REQ_SEQ),
    may("channel", ANY_CHANNEL),
    may("auth_code", AUTH_CODE),
)
NATIVE_PAY: Final = _form(
    "unitive_native_pay_request",
    "unitive_native_pay_response",
    need("req_seq", REQ_SEQ),
    need("total_fee", FEN),
    may("expire_time", EXPIRE_TIME),
    need("channel", ORDER_CHANNEL),
    *_EXTRAS,
)
NATIVE_QUERY_PAY: Final = _form(
    "unitive_native_query_pay_request",
    "unitive_native_query_pay_response",
    need("req_seq", REQ_SEQ),
    may("channel", ANY_CHANNEL),
    need("ori_seq", REQ_SEQ),
)
JS_PAY: Final = _form(
    "unitive_js_pay_request",
    "jspay_response",
    need("req_seq", REQ_SEQ),
    need("total_fee", FEN),
    need("channel", ORDER_CHANNEL),
    need("subopen_id", OPEN_ID),
    *_EXTRAS,
)
#: `ip` is required for W: `orders.order_of`.
H5_PAY: Final = _form(
    "unitive_h5_pay_request",
    "h5pay_response",
    need("req_seq", REQ_SEQ),
    need("total_fee", FEN),
    need("channel", ORDER_CHANNEL),
    may("ip", IP),
    need("redirect_url", URL),
    *_EXTRAS,
)
FORMS: Final = (PAY, QUERY_PAY, REFUND, QUERY_REFUND, REVOKE, NATIVE_PAY, NATIVE_QUERY_PAY, JS_PAY, H5_PAY)
#: The sample of section 4.3 calls the refund by an older name.
OLDER_NAMES: Final[Mapping[str, str]] = {"refund_fee_request": REFUND.request_type}
#: Which request places an order of which kind.
ORDER_FORMS: Final[Mapping[Method, Form]] = {
    Method.BARCODE: PAY,
    Method.QR: NATIVE_PAY,
    Method.JSAPI: JS_PAY,
    Method.H5: H5_PAY,
}


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split())


#: What answers hold, in the order of the samples; each has the first and the last line.
_BEGIN: Final = "response_type req_seq res_seq result code msg server_time dsn channel channel_name "
PAYMENT_ANSWER: Final = _names(
    _BEGIN + "trans_seq total_fee cash_fee coupon_fee pay_time status pay_url signature_info pay_info receipts"
)
REFUND_ANSWER: Final = _names(_BEGIN + "trans_seq refund_seq total_fee refund_fee cash_fee coupon_fee status receipts")
REVOKE_ANSWER: Final = _names(_BEGIN)
NOTICE_TYPE: Final = "native_order_notice"
#: In the order of the sample, with what real ones have beside it; `server_time` and `sign` are of each try.
NOTICE: Final = _names(
    "request_type req_seq server_time channel trans_seq ext_trans_id chan_trans_id total_fee status pay_time"
    " attach sign"
)

#: `channel` and `channel_name` of answers. All but the first four are ours: the document knows no such wallet.
CHANNELS: Final[Mapping[Wallet, tuple[str, str]]] = {
    Wallet.WECHAT: ("W", "微支付"),
    Wallet.ALIPAY: ("A", "支付宝"),
    Wallet.QQ: ("Q", "手Q支付"),
    Wallet.BESTPAY: ("Y", "翼支付"),
    Wallet.UNIONPAY: ("U", "银联支付"),
    Wallet.JDPAY: ("J", "京东支付"),
    Wallet.PAYME: ("P", "PayMe"),
    Wallet.FPS: ("F", "转数快"),
    Wallet.OCTOPUS: ("O", "八达通"),
    Wallet.CARD: ("C", "银行卡"),
}
WALLETS: Final[Mapping[str, Wallet]] = {letter: wallet for wallet, (letter, _) in CHANNELS.items()}
