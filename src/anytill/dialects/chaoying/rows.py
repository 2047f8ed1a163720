"""The fields of every answer and notice, in the vendor's order and spelling (响应结果, 通知参数).

One tuple of names each. The first four and the last field of an answer are the envelope's: `state`, `code`,
`trade_state`, `msg` and `sign`.
"""

from __future__ import annotations

from typing import Final


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split())


GETFACEAUTH_ANSWER: Final = _names(
    "mch_id appid sub_appid channel_mch_id sub_mch_id authinfo expires_in nonce_str wx_mch_id wx_sub_mch_id"
)
FACEPAY_ANSWER: Final = _names(
    "mch_id appid is_subscribe openid sub_appid sub_is_subscribe sub_openid transaction_id out_transaction_id"
    " out_trade_no base_fee total_fee coupon_fee attach time_end nonce_str promotion_detail wx_mch_id wx_sub_mch_id"
)
PAY_ANSWER: Final = _names(
    "mch_id appid openid sub_appid sub_openid buyer_user_id transaction_id out_transaction_id out_trade_no base_fee"
    " total_fee coupon_fee fee_type attach time_end paytype nonce_str promotion_detail wx_mch_id wx_sub_mch_id"
)
ORDERQUERY_ANSWER: Final = _names(
    "mch_id appid openid sub_appid sub_openid buyer_user_id out_trade_no transaction_id out_transaction_id base_fee"
    " total_fee coupon_fee fee_type attach time_end nonce_str trade_type paytype promotion_detail"
    " wx_mch_id wx_sub_mch_id"
)
#: What is told of a payment that is not paid, by any call: who it is and how much was asked, nothing that looks paid.
UNPAID_ANSWER: Final = _names("mch_id out_trade_no transaction_id base_fee trade_type paytype nonce_str")
REFUND_ANSWER: Final = _names(
    "mch_id out_trade_no transaction_id out_transaction_id out_refund_no refund_id refund_channel base_fee total_fee"
    " base_refund_fee refund_fee coupon_refund_fee paytype nonce_str"
)
#: Of a refund that is not done: nothing that looks like money given back.
OPEN_REFUND_ANSWER: Final = _names(
    "mch_id out_trade_no transaction_id out_refund_no refund_id base_refund_fee paytype nonce_str"
)
REFUNDQUERY_ANSWER: Final = _names(
    "mch_id out_trade_no transaction_id out_transaction_id refund_count base_refund_fee_summary refund_fee_summary"
    " refund_list paytype nonce_str wx_mch_id wx_sub_mch_id"
)
#: Of one refund in a `refund_list`.
REFUND_LIST_ROW: Final = _names(
    "serial_no refund_id out_refund_id out_refund_no refund_channel base_refund_fee refund_fee coupon_refund_fee"
    " refund_status refund_time"
)
CANCEL_ANSWER: Final = _names("mch_id out_trade_no paytype nonce_str wx_mch_id wx_sub_mch_id")
AUTHCODETOOPENID_ANSWER: Final = _names(
    "mch_id paytype auth_code sub_appid sub_openid nonce_str wx_mch_id wx_sub_mch_id"
)
WECHAT_PREORDER_ANSWER: Final = _names(
    "mch_id appid sub_openid out_trade_no token_id pay_info code_img_url code_url services nonce_str"
    " wx_mch_id wx_sub_mch_id"
)
ALIPAY_PREORDER_ANSWER: Final = _names("mch_id out_trade_no pay_info pay_url code_img_url code_url nonce_str")
MCH_REG_ANSWER: Final = _names("mch_id nonce_str")
GETMCHID_ANSWER: Final = _names("mch_id mch_trade_code mch_full_name mch_short_name mch_state")
GETPARTNERID_ANSWER: Final = _names("mch_id partner_list")
PARTNER_LIST_ROW: Final = _names("pay_channel partner_id appid")
GETMCHINFO_ANSWER: Final = _names("mch_id FullName ShortName")
CODE2SESSION_ANSWER: Final = _names("openid session_key expires_in unionid")
#: Of a pay box that is bound to a merchant; one that is not is told none of it.
BOX_ANSWER: Final = _names("mch_id mch_trade_code mch_full_name mch_short_name mch_state device_info op_device_id")
#: Every name of an answer, those of them whose values may hold an ampersand, and what no answer lacks.
ANSWER_NAMES: Final = frozenset(
    (
        *_names("state code trade_state msg"),
        *GETFACEAUTH_ANSWER,
        *FACEPAY_ANSWER,
        *PAY_ANSWER,
        *ORDERQUERY_ANSWER,
        *UNPAID_ANSWER,
        *REFUND_ANSWER,
        *OPEN_REFUND_ANSWER,
        *REFUNDQUERY_ANSWER,
        *CANCEL_ANSWER,
        *AUTHCODETOOPENID_ANSWER,
        *WECHAT_PREORDER_ANSWER,
        *ALIPAY_PREORDER_ANSWER,
        *MCH_REG_ANSWER,
        *GETMCHID_ANSWER,
        *GETPARTNERID_ANSWER,
        *GETMCHINFO_ANSWER,
        *CODE2SESSION_ANSWER,
        *BOX_ANSWER,
    )
)
ANSWER_TEXT: Final = frozenset(
    _names(
        "msg attach promotion_detail refund_list partner_list authinfo pay_info pay_url code_img_url code_url"
        " mch_full_name mch_short_name FullName ShortName"
    )
)
ANSWERS_ALWAYS: Final = ("state",)
#: The notices, without `nonce_str`, the WeChat numbers and `sign`, which are added at each try. `attach` stands in
#: neither table, although the pre-orders take one; `gmt_create` stands in the sample alone.
WECHAT_NOTICE: Final = _names(
    "state result_code mch_id device_info pay_result out_trade_no out_transaction_id transaction_id fee_type total_fee"
    " coupon_fee attach time_end trade_type sub_appid sub_openid promotion_detail"
)
ALIPAY_NOTICE: Final = _names(
    "state result_code mch_id device_info pay_result out_trade_no out_transaction_id transaction_id fee_type total_fee"
    " coupon_fee attach time_end gmt_create trade_type buyer_user_id buyer_logon_id"
)
NOTICE_NAMES: Final = frozenset({*WECHAT_NOTICE, *ALIPAY_NOTICE, "nonce_str", "wx_mch_id", "wx_sub_mch_id"})
