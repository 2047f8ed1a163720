"""What the vendor calls things: the tables of "参数规定", and how each state and each refusal is told in them.

`state` says whether a call was understood and carried out, `trade_state` how the transaction stands, `code` why. The
document lists the codes without saying when each is used; the tables below are that decision. Three rules made them:
FAIL is told only of an end that is certain, an end is never told while money may still move, and every text says what
the cashier has to do next. All texts differ, so that a client can tell the refusals apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Final

from anytill.core import errors
from anytill.core.lifecycle import PaymentState, RefundState
from anytill.core.merchant import MerchantState
from anytill.core.payment import Method


class State(StrEnum):
    """`state`: whether the call was understood and carried out."""

    SUCCESS = "SUCCESS"
    FAIL = "FAIL"
    VER = "VER"


class TradeState(StrEnum):
    """`trade_state`: how the transaction stands."""

    SUCCESS = "SUCCESS"
    FAIL = "FAIL"
    PROCESSING = "PROCESSING"
    NEED_QUERY = "NEED_QUERY"
    REFUND = "REFUND"


class Code(StrEnum):
    """`code`, the whole table."""

    OK = "10000"
    PAYING = "10001"
    REFUNDED = "10002"
    NOT_PAID = "10003"
    CLOSED = "10004"
    REVOKED = "10005"
    PAY_ERROR = "10006"
    SIGNATURE = "20002"
    ANSWER_SIGNATURE = "20003"  # said by a client about an answer, never by a server
    PARAMETER = "20004"
    MERCHANT = "20005"
    SYSTEM = "20006"
    NO_SUCH_ORDER = "20007"
    REFUND_ERROR = "20008"
    QUERY_ERROR = "20009"
    REFUND_QUERY_ERROR = "20010"
    CANCEL_ERROR = "20011"
    AGENT = "20012"
    CHANNEL_SETUP = "20013"
    NETWORK = "30001"


@dataclass(frozen=True, slots=True)
class Word:
    """What the vendor's tables call a state of things."""

    code: Code
    trade_state: TradeState
    msg: str


_PS, _RS, _T = PaymentState, RefundState, TradeState
SUCCESS_WORD: Final = Word(Code.OK, _T.SUCCESS, "SUCCESS")
REFUNDED_WORD: Final = Word(Code.REFUNDED, _T.REFUND, "转入退款")
#: A pre-order that nobody has paid yet, when it is asked about.
NOT_PAID_WORD: Final = Word(Code.NOT_PAID, _T.PROCESSING, "未支付")
_ASK: Final = "请稍后查询订单，查明结果前请勿重复收款"
#: `mch_state`.
MERCHANT_STATES: Final[Mapping[MerchantState, str]] = {
    MerchantState.WAITING: "0",
    MerchantState.ON: "20",
    MerchantState.OFF: "30",
}
#: A payment's state as `pay`, `facepay` and `orderquery` tell it.
PAYMENT_WORDS: Final[Mapping[PaymentState, Word]] = {
    _PS.SUBMITTED: Word(Code.PAYING, _T.NEED_QUERY, f"支付中，{_ASK}"),
    _PS.WAITING: Word(Code.PAYING, _T.PROCESSING, "支付中，等待顾客确认"),
    _PS.UNKNOWN: Word(Code.NETWORK, _T.NEED_QUERY, f"网络异常，支付结果未知，{_ASK}"),
    _PS.PAID: SUCCESS_WORD,
    _PS.FAILED: Word(Code.PAY_ERROR, _T.FAIL, "支付失败，可更换商户单号重新收款"),
    _PS.CLOSED: Word(Code.CLOSED, _T.FAIL, "订单已关闭，顾客未付款"),
    _PS.CANCELLING: Word(Code.PAYING, _T.PROCESSING, "撤销处理中，请稍后查询订单"),
    _PS.REVERSING: Word(Code.PAYING, _T.PROCESSING, "撤销处理中，款项正在退回，请稍后查询订单"),
    _PS.CANCELLED: Word(Code.REVOKED, _T.FAIL, "订单已撤销"),
    _PS.PARKED: Word(Code.PAYING, _T.NEED_QUERY, "支付结果待人工核实，请勿交付商品，请联系服务商"),
}
#: The same for a pre-order's own answer, where SUCCESS means that the payer may now be shown how to pay. An order
#: that was paid meanwhile must not be offered again, but has not failed either.
PREORDER_WORDS: Final[Mapping[PaymentState, Word]] = {
    **PAYMENT_WORDS,
    _PS.WAITING: SUCCESS_WORD,
    _PS.PAID: Word(Code.OK, _T.NEED_QUERY, "该订单已付款，请勿重复收款，请查询订单"),
}
#: And for `cancel`, where SUCCESS means that nothing of it will stay with the merchant.
CANCEL_WORDS: Final[Mapping[PaymentState, Word]] = {
    **PAYMENT_WORDS,
    _PS.FAILED: SUCCESS_WORD,
    _PS.CLOSED: SUCCESS_WORD,
    _PS.CANCELLED: SUCCESS_WORD,
    _PS.PAID: Word(Code.CANCEL_ERROR, _T.FAIL, "撤销未成功，订单仍为已支付，请改用退款"),
}
REFUND_WORDS: Final[Mapping[RefundState, Word]] = {
    _RS.SUBMITTED: Word(Code.PAYING, _T.PROCESSING, "退款处理中，请稍后查询退款"),
    _RS.PROCESSING: Word(Code.PAYING, _T.PROCESSING, "退款处理中，请稍后查询退款"),
    _RS.UNKNOWN: Word(Code.PAYING, _T.PROCESSING, "退款结果未知，请稍后查询退款，勿更换退款单号"),
    _RS.DONE: SUCCESS_WORD,
    _RS.FAILED: Word(Code.REFUND_ERROR, _T.FAIL, "退款失败，可更换退款单号重新发起"),
    _RS.RETURNED_TO_CASH: Word(
        Code.REFUND_ERROR, _T.FAIL, "原路退款失败，款项已回到商户现金账户，请勿再次发起，请线下退给顾客"
    ),
}
#: How a client understands a payment's answer. What is not here is unknown, never failed.
PAYMENT_STATES: Final[Mapping[tuple[str, str], PaymentState]] = {
    (Code.OK, _T.SUCCESS): _PS.PAID,
    (Code.REFUNDED, _T.REFUND): _PS.PAID,
    (Code.PAYING, _T.PROCESSING): _PS.WAITING,
    (Code.NOT_PAID, _T.PROCESSING): _PS.WAITING,
    (Code.CLOSED, _T.FAIL): _PS.CLOSED,
    (Code.REVOKED, _T.FAIL): _PS.CANCELLED,
    (Code.PAY_ERROR, _T.FAIL): _PS.FAILED,
}
#: `refund_status` in a refund_list, both ways.
REFUND_STATUS: Final[Mapping[RefundState, str]] = {
    _RS.SUBMITTED: "PROCESSING",
    _RS.PROCESSING: "PROCESSING",
    _RS.UNKNOWN: "NOTSURE",
    _RS.DONE: "SUCCESS",
    _RS.FAILED: "FAIL",
    _RS.RETURNED_TO_CASH: "CHANGE",
}
REFUND_STATES: Final[Mapping[str, RefundState]] = {
    "SUCCESS": _RS.DONE,
    "FAIL": _RS.FAILED,
    "PROCESSING": _RS.PROCESSING,
    "NOTSURE": _RS.UNKNOWN,
    "CHANGE": _RS.RETURNED_TO_CASH,
}
#: The last part of `pay.wechat.micropay`.
TRADE_KINDS: Final[Mapping[Method, str]] = {
    Method.BARCODE: "micropay",
    Method.FACE: "facepay",
    Method.QR: "native",
    Method.JSAPI: "jspay",
    Method.APP: "app",
}
METHODS_OF_KIND: Final = {kind: method for method, kind in TRADE_KINDS.items()}
METHODS_OF_TRADE_TYPE: Final = {
    "NATIVE": Method.QR,
    "JSPAY": Method.JSAPI,
    "APP": Method.APP,
    "APP_BANK": Method.APP,
}
TRADE_TYPES: Final = {Method.QR: "NATIVE", Method.JSAPI: "JSPAY", Method.APP: "APP"}


@dataclass(frozen=True, slots=True)
class Refused:
    """A call that is not carried out: `state` FAIL (or VER) with this code and text."""

    code: Code
    msg: str
    state: State = State.FAIL


class CallRefused(Exception):
    """A refusal that is this protocol's own, met while a call is carried out."""

    def __init__(self, refused: Refused) -> None:
        super().__init__(refused.msg)
        self.refused = refused


#: Answered to an unknown agent and to a wrong signature alike, so that nobody learns which agents exist.
BAD_SIGNATURE: Final = Refused(Code.SIGNATURE, "签名错误：请核对代理商编号agent_id、密钥和签名")
OLD_VERSION: Final = Refused(Code.PARAMETER, "版本过低：version须为1.0或以上，请升级收银软件", State.VER)
PAYTYPE_DIFFERS: Final = Refused(Code.PARAMETER, "参数错误：paytype与订单的支付方式不一致，请按下单时返回的paytype填写")
TOTAL_FEE_DIFFERS: Final = Refused(Code.REFUND_ERROR, "退款错误：total_fee与订单应付金额不一致，请核对")
SYSTEM_ERROR: Final = Refused(Code.SYSTEM, "系统错误：结果未知，请用原单号查询后再处理")


class Management(Enum):
    """What only the management calls have to say, and what a client takes it for."""

    NOTHING_TO_REGISTER = Code.PARAMETER, "参数错误：没有商户资料，请提交商户全称等注册参数"
    PERSON_TAKEN = Code.MERCHANT, "商户错误：此手机号或用户名已注册过商户，请用GetMchId查询商户号，或更换后重新注册"
    NOBODY = (
        Code.MERCHANT,
        "商户错误：手机号与验证码、或用户名与密码不正确，或尝试次数过多，请核对后重试，或10分钟后再试",
    )
    NO_PAIR = Code.PARAMETER, "参数错误：手机号mobile与验证码valid、或用户名username与密码password须成对填写"
    NO_SMS = (
        Code.CHANNEL_SETUP,
        "商户交易配置错误：未开通短信服务，请改用用户名和密码，或联系服务商",
        errors.NotSupported,
    )
    SMS_LATER = Code.SYSTEM, "系统错误：短信未发送，同一手机号须间隔1分钟，请稍后重试"
    BAD_JS_CODE = Code.PARAMETER, "参数错误：js_code无效或已过期，请让顾客重新打开小程序登录", errors.InvalidPayCode
    NO_SESSIONS = Code.CHANNEL_SETUP, "商户交易配置错误：未开通小程序登录，请联系服务商", errors.NotSupported
    WX_NOTHING = Code.PARAMETER, "参数错误：appid、jsapi_path、subscribe_appid、receipt_appid至少填写一个"
    WX_BOTH = Code.PARAMETER, "参数错误：subscribe_appid和receipt_appid只能二选一"
    WX_PATHS_FULL = Code.CHANNEL_SETUP, "商户交易配置错误：每个商户最多配置2个支付目录，如需修改请联系服务商"
    WX_APPIDS_FULL = (
        Code.CHANNEL_SETUP,
        "商户交易配置错误：每个商户最多配置2个支付公众号和推荐关注，如需修改请联系服务商",
    )
    WX_FOLLOWS = Code.CHANNEL_SETUP, "商户交易配置错误：此appid已推荐另一个公众号或小程序，配置后隔30天才能修改"
    NOT_A_BOX = Code.PARAMETER, "参数错误：请求头User-Agent须为CySoftPayBox"
    BOX_OFF = Code.MERCHANT, "商户错误：支付终端已停用，请停止轮询并联系服务商"
    BOX_ELSEWHERE = Code.MERCHANT, "商户错误：支付终端已绑定其他商户，请联系服务商"
    SIGN_OF_ANOTHER = Code.MERCHANT, "商户错误：code_number与链接中的商户号不一致，请重新扫描商户二维码"
    SIGN_WITHOUT_NUMBER = (
        Code.MERCHANT,
        "商户错误：绑定或换绑须扫描带code_number的商户二维码，请向服务商索取，或联系服务商处理",
    )
    SIGN_USED = Code.MERCHANT, "商户错误：支付终端曾用此二维码绑定，换绑后不能再用，请向服务商索取新的二维码"

    def __init__(self, code: Code, msg: str, meaning: type[errors.Refusal] = errors.Refusal) -> None:
        self.refused = Refused(code, msg)
        self.meaning = meaning


REFUSALS: Final[Mapping[type[errors.Refusal], Refused]] = {
    errors.UnknownCredential: BAD_SIGNATURE,
    errors.ForeignMerchant: Refused(Code.MERCHANT, "商户错误：该代理商名下没有此商户号，请核对mch_id"),
    errors.MerchantInactive: Refused(Code.MERCHANT, "商户错误：商户待审核或已停用，请联系服务商"),
    errors.NotSupported: Refused(Code.CHANNEL_SETUP, "商户交易配置错误：该商户未开通此功能，请换一种支付方式"),
    errors.InvalidPayCode: Refused(Code.PARAMETER, "参数错误：付款码无效，请让顾客刷新付款码后重新扫码"),
    errors.PayCodeInUse: Refused(
        Code.PARAMETER, "参数错误：此付款码已有一笔订单，请先查询原订单，或让顾客刷新付款码后重新扫码"
    ),
    errors.AmountNotAllowed: Refused(Code.PARAMETER, "参数错误：金额超出该商户允许的范围，请核对金额"),
    errors.OrderConflict: Refused(
        Code.PARAMETER, "参数错误：out_trade_no已有一笔内容不同的订单，请先查询其结果，查明之前请勿再次收款"
    ),
    errors.PaymentNotFound: Refused(Code.NO_SUCH_ORDER, "订单不存在：请核对单号和商户号"),
    errors.NotCancellable: Refused(Code.CANCEL_ERROR, "交易撤销错误：超过5分钟或已退款的订单不能撤销，请改用退款"),
    errors.NotRefundable: Refused(Code.REFUND_ERROR, "退款错误：订单未支付或正在撤销，请先查询订单"),
    errors.RefundExceedsPaid: Refused(Code.REFUND_ERROR, "退款错误：累计退款超过实付金额，请核对退款金额"),
    errors.RefundConflict: Refused(
        Code.REFUND_ERROR, "退款错误：out_refund_no已用于另一笔退款，请先查询该退款的结果，确认后再换新单号"
    ),
    errors.TooManyRefunds: Refused(
        Code.REFUND_ERROR, "退款错误：该订单今天以相同金额退款次数过多，请先核对已有退款，确需再退请联系服务商"
    ),
    errors.RefundNotFound: Refused(Code.REFUND_QUERY_ERROR, "退款查询错误：退款单不存在，请核对退款单号"),
    errors.NoticeAddressRefused: Refused(Code.PARAMETER, "参数错误：notify_url须为可直接访问的公网地址"),
    errors.Overloaded: Refused(Code.SYSTEM, "系统错误：系统繁忙，本次请求未受理，请稍后重试"),
}
#: For a client that meets another server's texts: what the code alone tells.
REFUSALS_OF_CODE: Final[Mapping[str, type[errors.Refusal]]] = {
    Code.SIGNATURE: errors.UnknownCredential,
    Code.AGENT: errors.UnknownCredential,
    Code.MERCHANT: errors.ForeignMerchant,
    Code.NO_SUCH_ORDER: errors.PaymentNotFound,
    Code.CANCEL_ERROR: errors.NotCancellable,
    Code.CHANNEL_SETUP: errors.NotSupported,
}
