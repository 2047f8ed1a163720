"""The vendor's vocabulary: every table of the Chaoying aggregated payment API v2.9.0 (2022-03-01).

One `Form` for each request, its rows in the vendor's order and spelling; those of the management calls (运维管理) stand
in `merchant_messages`. A new call is a new form and a new entry among the calls of the server; nothing else knows how
many there are. What answers hold is in `rows`, the codes and states are in `words`.
"""

from __future__ import annotations

from typing import Final

from anytill.dialects.chaoying import merchant_messages
from anytill.dialects.chaoying.fields import (
    ATTACH,
    BODY,
    COMMON,
    DEVICE,
    FEN,
    GOODS,
    IP,
    LIMIT_PAY,
    MCH_ID,
    ORDER_NO,
    PAY_CODE,
    PAYTYPE,
    PLATFORM_NO,
    PREORDER_NO,
    RAWDATA,
    RECEIVERS,
    REFUND_NO,
    SHORT_TEXT,
    TICKET,
    TIME,
    TOKEN,
    TRADE_TYPE,
    URL,
    YES_NO,
    ZERO_ONE,
)
from anytill.wire.fields import Form, may, need

GATEWAY_PATH: Final = "/UnifiedPay/Gateway"
WECHAT_PREORDER_PATH: Final = "/Open/WECHAT_PreOrder"
ALIPAY_PREORDER_PATH: Final = "/Open/ALIPAY_PreOrder"
POST_PATHS: Final = (GATEWAY_PATH, WECHAT_PREORDER_PATH, ALIPAY_PREORDER_PATH, *merchant_messages.POST_PATHS)

_GOODS_AND_SHARING = (
    may("goods_tag", SHORT_TEXT),
    may("goods_detail", GOODS),
    may("profit_sharing", YES_NO),
    may("profit_sharing_receiver", RECEIVERS),
)
_OPERATOR = (may("op_user_id", TOKEN), may("op_shop_id", TOKEN))

GETFACEAUTH: Final = Form(
    (
        *COMMON,
        need("paytype", PAYTYPE),
        may("sub_appid", TOKEN),
        need("mch_id", MCH_ID),
        need("store_id", TOKEN),
        need("store_name", SHORT_TEXT),
        need("device_id", TOKEN),
        need("rawdata", RAWDATA),
    )
)
FACEPAY: Final = Form(
    (
        *COMMON,
        need("paytype", PAYTYPE),
        may("sub_appid", TOKEN),
        need("mch_id", MCH_ID),
        need("openid", TOKEN),
        need("out_trade_no", ORDER_NO),
        may("device_info", TOKEN),
        need("body", BODY),
        may("attach", ATTACH),
        need("total_fee", FEN),
        may("mch_create_ip", IP),
        need("face_code", TICKET),
        *_OPERATOR,
        may("op_device_id", DEVICE),
        *_GOODS_AND_SHARING,
    )
)
PAY: Final = Form(
    (
        *COMMON,
        may("sub_appid", TOKEN),
        need("mch_id", MCH_ID),
        need("out_trade_no", ORDER_NO),
        may("device_info", TOKEN),
        need("body", BODY),
        may("attach", ATTACH),
        need("total_fee", FEN),
        may("mch_create_ip", IP),
        need("auth_code", PAY_CODE),
        *_OPERATOR,
        may("op_device_id", DEVICE),
        *_GOODS_AND_SHARING,
    )
)
ORDERQUERY: Final = Form(
    (
        *COMMON,
        need("paytype", PAYTYPE),
        need("mch_id", MCH_ID),
        may("out_trade_no", ORDER_NO),
        may("transaction_id", PLATFORM_NO),
    )
)
REFUND: Final = Form(
    (
        *COMMON,
        need("paytype", PAYTYPE),
        need("mch_id", MCH_ID),
        may("out_trade_no", ORDER_NO),
        may("transaction_id", PLATFORM_NO),
        need("out_refund_no", REFUND_NO),
        need("total_fee", FEN),
        need("refund_fee", FEN),
        need("op_user_id", TOKEN),
    )
)
REFUNDQUERY: Final = Form(
    (
        *COMMON,
        need("paytype", PAYTYPE),
        need("mch_id", MCH_ID),
        may("out_refund_no", REFUND_NO),
        may("refund_id", PLATFORM_NO),
    )
)
CANCEL: Final = Form(
    (
        *COMMON,
        need("paytype", PAYTYPE),
        need("mch_id", MCH_ID),
        need("out_trade_no", ORDER_NO),
        need("op_user_id", TOKEN),
    )
)
AUTHCODETOOPENID: Final = Form((*COMMON, need("mch_id", MCH_ID), may("sub_appid", TOKEN), need("auth_code", PAY_CODE)))
#: sub_appid, buyer_id and product_id are required for some trade types only: `orders.CONDITIONS`.
WECHAT_PREORDER: Final = Form(
    (
        *COMMON,
        may("nonce_str", TOKEN),
        need("mch_id", MCH_ID),
        may("sub_appid", TOKEN),
        may("is_minipg", ZERO_ONE),
        may("buyer_id", TOKEN),
        may("device_info", TOKEN),
        need("body", BODY),
        may("attach", ATTACH),
        need("out_trade_no", PREORDER_NO),
        need("total_fee", FEN),
        may("mch_create_ip", IP),
        may("time_start", TIME),
        may("time_expire", TIME),
        may("notify_url", URL),
        *_OPERATOR,
        may("limit_pay", LIMIT_PAY),
        need("trade_type", TRADE_TYPE),
        may("product_id", TOKEN),
        *_GOODS_AND_SHARING,
    )
)
ALIPAY_PREORDER: Final = Form(
    (
        *COMMON,
        may("nonce_str", TOKEN),
        need("mch_id", MCH_ID),
        may("device_info", TOKEN),
        need("body", BODY),
        may("attach", ATTACH),
        need("out_trade_no", PREORDER_NO),
        need("total_fee", FEN),
        may("mch_create_ip", IP),
        may("time_start", TIME),
        may("time_expire", TIME),
        may("goods_tag", SHORT_TEXT),
        may("notify_url", URL),
        *_OPERATOR,
        may("limit_pay", LIMIT_PAY),
        need("trade_type", TRADE_TYPE),
        may("product_id", TOKEN),
        may("buyer_logon_id", TOKEN),
        may("buyer_id", TOKEN),
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
    *merchant_messages.FORMS,
)
#: Every name that any request gives a meaning. The guard against a second reading looks at all of them, because a
#: signature does not say to which address its request was sent.
KNOWN_NAMES: Final = frozenset({"method"}.union(*(form.names for form in FORMS)))
FREE_TEXT: Final = frozenset(row.name for form in FORMS for row in form.rows if row.kind.free)
ALWAYS_REQUIRED: Final = tuple(row.name for row in COMMON)
