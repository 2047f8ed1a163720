"""Teegon's words: for wallets, for how a payment stands, and for what is refused.

Source: 商派天工收银台收银接口文档 V1104, 支付状态查询接口 and the samples of answers and notices. There is no table of
errors: `error` is a text, so what it says is ours, for the cashier.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from anytill.core.errors import (
    AmountNotAllowed,
    ForeignMerchant,
    InvalidPayCode,
    MerchantInactive,
    NotCancellable,
    NoticeAddressRefused,
    NotRefundable,
    NotSupported,
    OrderConflict,
    Overloaded,
    PayCodeInUse,
    PaymentNotFound,
    RefundConflict,
    RefundExceedsPaid,
    RefundNotFound,
    Refusal,
    TooManyRefunds,
    UnknownCredential,
)
from anytill.core.lifecycle import PaymentState
from anytill.core.wallet import Wallet

#: How answers name a wallet: the vendor writes wallet and bank in one word, and spells Alipay's with an `i`.
ANSWER_CHANNELS: Final[Mapping[Wallet, str]] = {
    Wallet.WECHAT: "wxbarcodepay_pinganpay",
    Wallet.ALIPAY: "alibarcodipay_pinganpay",
    Wallet.UNIONPAY: "unionbarcodepay_pinganpay",
    Wallet.QQ: "qqbarcodepay_pinganpay",
    Wallet.JDPAY: "jdbarcodepay_pinganpay",
    Wallet.BESTPAY: "bestbarcodepay_pinganpay",
    # Of no bank and no code: tills of this protocol only read of such payments. The plain names are ours.
    Wallet.PAYME: "payme",
    Wallet.FPS: "fps",
    Wallet.OCTOPUS: "octopus",
    Wallet.CARD: "card",
}
#: How notices name it; the source has the first two.
NOTICE_CHANNELS: Final[Mapping[Wallet, str]] = {
    Wallet.WECHAT: "wxpay",
    Wallet.ALIPAY: "alipay",
    Wallet.UNIONPAY: "unionpay",
    Wallet.QQ: "qqpay",
    Wallet.JDPAY: "jdpay",
    Wallet.BESTPAY: "bestpay",
    Wallet.PAYME: "payme",
    Wallet.FPS: "fps",
    Wallet.OCTOPUS: "octopus",
    Wallet.CARD: "card",
}
#: With what either begins, whatever the bank.
CHANNEL_PREFIXES: Final[Mapping[str, Wallet]] = {
    "wx": Wallet.WECHAT,
    "ali": Wallet.ALIPAY,
    "union": Wallet.UNIONPAY,
    "qq": Wallet.QQ,
    "jd": Wallet.JDPAY,
    "best": Wallet.BESTPAY,
    "payme": Wallet.PAYME,
    "fps": Wallet.FPS,
    "octopus": Wallet.OCTOPUS,
    "card": Wallet.CARD,
}

_S = PaymentState
_GO_ON_ASKING = (_S.SUBMITTED, _S.WAITING, _S.UNKNOWN, _S.CANCELLING, _S.REVERSING, _S.PARKED)

#: `trade_status` for every wallet but Alipay: WeChat's words, since the source has none for the others. PAID is the
#: word while nothing went back.
OTHER_STATUS: Final[Mapping[PaymentState, str]] = {
    **dict.fromkeys(_GO_ON_ASKING, "USERPAYING"),
    _S.PAID: "SUCCESS",
    _S.FAILED: "PAYERROR",
    _S.CLOSED: "CLOSED",
    _S.CANCELLED: "REVOKED",
}
#: WeChat's word once any part went back.
WECHAT_REFUNDED: Final = "REFUND"
#: `trade_status` for Alipay, likewise.
ALIPAY_STATUS: Final[Mapping[PaymentState, str]] = {
    **dict.fromkeys(_GO_ON_ASKING, "WAIT_BUYER_PAY"),
    _S.PAID: "TRADE_SUCCESS",
    _S.FAILED: "TRADE_CLOSED",
    _S.CLOSED: "TRADE_CLOSED",
    _S.CANCELLED: "TRADE_CLOSED",
}
#: Alipay's word once everything went back.
ALIPAY_REFUNDED: Final = "TRADE_CLOSED"

#: What each word of either list says to whoever receives it.
STATUS_WORDS: Final[Mapping[str, PaymentState]] = {
    "SUCCESS": _S.PAID,
    "REFUND": _S.PAID,
    "CLOSED": _S.CLOSED,
    "REVOKED": _S.CANCELLED,
    "USERPAYING": _S.WAITING,
    "PAYERROR": _S.FAILED,
    "WAIT_BUYER_PAY": _S.WAITING,
    "TRADE_CLOSED": _S.CLOSED,
    "TRADE_SUCCESS": _S.PAID,
    "TRADE_FINISHED": _S.PAID,
}

#: A charge that ended unpaid is answered in the failure form: this, then the channel's reason. `paid: false` would
#: tell the till to go on asking.
UNPAID_TEXTS: Final[Mapping[PaymentState, str]] = {
    _S.FAILED: "支付失败：",
    _S.CLOSED: "订单已关闭：",
    _S.CANCELLED: "订单已撤销：",
}
NO_REASON: Final = "请让顾客重新出示付款码，用新的订单编号收款"

#: `error` for each refusal: what is wrong and what the cashier can do. A wrong signature reads like an unknown
#: credential, so that nobody learns which client_ids exist.
REFUSALS: Final[Mapping[type[Refusal], str]] = {
    UnknownCredential: "client_id 或签名 sign 不正确，请核对 client_id 和 client_secret",
    ForeignMerchant: "该 client_id 无权操作此商户，请联系管理员",
    MerchantInactive: "商户未开通或已停用，请联系管理员",
    NotSupported: "不支持该支付方式，请换一种方式付款",
    InvalidPayCode: "支付授权码 auth_code 无效，请让顾客刷新付款码后重新扫码",
    PayCodeInUse: "支付授权码 auth_code 已用于其他订单，请先查询原订单，或让顾客刷新付款码",
    AmountNotAllowed: "订单金额 amount 不正确或超出限额，请核对金额",
    OrderConflict: "订单编号 order_no 已有一笔内容不同的订单，请先查询其结果，查明之前请勿再次收款",
    PaymentNotFound: "支付单 charge_id 不存在，请核对支付单编号",
    NotCancellable: "支付单已不能撤销，请改为退款",
    NotRefundable: "支付单当前不能退款，请先查询支付状态",
    RefundExceedsPaid: "退款金额超出可退金额，请核对金额",
    RefundConflict: "退款编号已用于内容不同的退款，请先查询该退款的结果，确认后再更换编号",
    TooManyRefunds: "该支付单今天以相同金额退款次数过多，请先核对已有退款，确需再退请联系服务商",
    RefundNotFound: "退款单不存在，请核对退款编号",
    NoticeAddressRefused: "接口异步通知地址 notify_url 不可用，请使用公网的 http 或 https 地址",
    Overloaded: "系统繁忙，本次请求未受理，请稍后重试",
}

#: Fields whose wrong values have a refusal of their own.
FIELD_REFUSALS: Final[Mapping[str, type[Refusal]]] = {
    "amount": AmountNotAllowed,
    "auth_code": InvalidPayCode,
    "notify_url": NoticeAddressRefused,
}

#: `error` for requests that cannot be read; braces take a field's name and title.
MISSING_TEXT: Final = "缺少参数 {}（{}）"
TOO_LONG_TEXT: Final = "参数 {}（{}）超过长度限制"
BAD_FIELD_TEXT: Final = "参数 {}（{}）不正确"
UNKNOWN_FIELD_TEXT: Final = "参数 {} 不是本接口的参数，请去掉"
AMBIGUOUS_TEXT: Final = "签名原文有歧义，请去掉参数值中与参数名相同的内容"
UNREADABLE_TEXT: Final = "请求无法解析，请以 UTF-8 编码的 POST 表单提交，每个参数只出现一次"

#: `error` when the fault is ours: the till must not take it for a "no".
SYSTEM_ERROR: Final = "系统异常，支付结果未知，请勿重新收款，用原订单编号再次提交即可得到结果"
