"""`code`, `msg`, `result` and `status`: how each state and each refusal is told.

The document gives three codes (E11000, E13000, E11101) and no table; what is not in its samples was decided here. Three
rules made the tables: `status` F is told only of an end that is certain; E11000 and E13000 stand for nothing but money
that moved and is where it belongs; every text says what the cashier has to do next. All texts differ, and so do the
codes of refusals, so that a client can tell them apart.

    E10…  who asks, and what the request looks like     E11…  payments     E13…  refunds     E14…  revoking

`result` answers whether the request was carried out (请求成功/请求失败), as in the samples of pre-orders, which say Y
while `status` is W. It is N for every refusal and for every certain "no", because many a till looks at nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from anytill.core import errors
from anytill.core.lifecycle import PaymentState, RefundState


class Status(StrEnum):
    """`status`: how the transaction stands."""

    DONE = "S"
    WAITING = "W"
    FAILED = "F"


@dataclass(frozen=True, slots=True)
class Word:
    """What is said of a state of things."""

    code: str
    status: Status
    msg: str

    @property
    def result(self) -> str:
        """Y unless the answer is a certain "no"."""
        return "N" if self.status is Status.FAILED else "Y"


@dataclass(frozen=True, slots=True)
class Refused:
    """A request that is not carried out: `result` N with this code and text, and nothing was changed."""

    code: str
    msg: str


class CallRefused(Exception):
    """A refusal that is this protocol's own, met while a request is carried out."""

    def __init__(self, refused: Refused) -> None:
        super().__init__(refused.msg)
        self.refused = refused


#: The longest `msg`.
MAX_MSG: Final = 100
_PS, _RS = PaymentState, RefundState
_S, _W, _F = Status.DONE, Status.WAITING, Status.FAILED
_ASK: Final = "请稍后查询，查明之前请勿重复收款"

#: A payment's state as every kind of paying and of asking about it tells it.
PAYMENT_WORDS: Final[Mapping[PaymentState, Word]] = {
    _PS.PAID: Word("E11000", _S, "支付成功"),
    _PS.WAITING: Word("E11100", _W, f"支付中，等待顾客确认，{_ASK}"),
    _PS.SUBMITTED: Word("E11102", _W, f"支付请求已受理，结果未定，{_ASK}"),
    _PS.UNKNOWN: Word("E11103", _W, f"支付结果未知，{_ASK}"),
    _PS.PARKED: Word("E11104", _W, "支付金额与订单不符，待人工核实，请勿交付商品，请联系服务商"),
    _PS.CANCELLING: Word("E11105", _W, "订单撤销处理中，请稍后查询"),
    _PS.REVERSING: Word("E11106", _W, "订单撤销处理中，款项正在退回顾客，请稍后查询"),
    _PS.FAILED: Word("E11001", _F, "支付失败，未收款，请换新的流水号重新收款"),
    _PS.CLOSED: Word("E11201", _F, "订单已关闭，顾客未付款，请重新下单"),
    _PS.CANCELLED: Word("E11202", _F, "订单已撤销，未收款"),
}
#: An order that its payer can now be shown how to pay.
PREORDER_MADE: Final = Word("E11101", _W, "预支付订单请求成功")
#: The same when it is asked about.
NOT_PAID_YET: Final = Word("E11107", _W, "顾客尚未付款，请稍后查询")

REFUND_WORDS: Final[Mapping[RefundState, Word]] = {
    _RS.DONE: Word("E13000", _S, "退款申请成功"),
    _RS.PROCESSING: Word("E13100", _W, "退款处理中，请稍后查询退款结果"),
    _RS.SUBMITTED: Word("E13101", _W, "退款请求已受理，请稍后查询退款结果"),
    _RS.UNKNOWN: Word("E13102", _W, "退款结果未知，请用原退款流水号查询，请勿另付现金"),
    _RS.FAILED: Word("E13001", _F, "退款失败，款项未退，可换新的流水号再退"),
    _RS.RETURNED_TO_CASH: Word("E13008", _F, "退款未能到达顾客账户，款项已回商户现金账户，请线下退还顾客，勿再次退款"),
}
#: What a revoked order has come to. Nothing stays with the merchant in the first three.
REVOKE_WORDS: Final[Mapping[PaymentState, Word]] = {
    _PS.CANCELLED: Word("E13000", _S, "撤单成功"),
    _PS.FAILED: Word("E14000", _S, "该订单支付失败，未收款，无需撤单"),
    _PS.CLOSED: Word("E14002", _S, "该订单已关闭，未收款，无需撤单"),
    _PS.CANCELLING: Word("E14100", _W, "撤单处理中，请稍后查询订单"),
    _PS.REVERSING: Word("E14101", _W, "撤单处理中，款项正在退回顾客，请稍后查询订单"),
    _PS.PARKED: Word("E14102", _W, "撤单结果待人工核实，请联系服务商"),
    _PS.SUBMITTED: Word("E14103", _W, "撤单结果未定，请再次撤单"),
    _PS.WAITING: Word("E14104", _W, "撤单结果未定，顾客仍可能付款，请再次撤单"),
    _PS.UNKNOWN: Word("E14105", _W, "撤单结果未知，请再次撤单"),
    _PS.PAID: Word("E14003", _F, "撤单未成功，订单仍为已支付，请改用退款"),
}

#: Something of ours broke, maybe after the money moved: no "no", whatever was asked.
SYSTEM_ERROR: Final = Word("E10008", _W, "系统错误：结果未知，请用原流水号查询后再处理")

#: One answer for whatever has to do with keys: unknown account, wrong dsn, wrong signature, unreadable data.
UNREADABLE: Final = Refused("E10001", "验签或解密失败：请核对account、密码、私钥和签名，data须为UTF-8编码的XML")
BAD_ACCOUNT: Final = Refused("E10002", "账号错误：account须为4到20个字符")
TOO_LONG: Final = Refused("E10003", "参数错误：请求过长")
NOT_SERVED: Final = Refused("E10003", "参数错误：request_type不是本平台的接口名称")
CODE_AS_NUMBER: Final = Refused("E10003", "参数错误：req_seq不能含有顾客的付款码，请填写收银系统自己的流水号")
MALFORMED: Final = Refused("E10003", "参数错误：请以POST提交UTF-8编码的XML报文，根节点为request，各节点只出现一次")
OLD_REVOCATION: Final = Refused("E14004", "此撤单请求早于该订单，未撤单；确需撤单请换新的req_seq再次撤单")
OTHER_PAYMENT: Final = Refused("E13007", "退款查询失败：trans_seq与该退款的原交易不符，请核对")


def bad_parameter(what: str) -> Refused:
    """E10003 with the sentence that says which field, and what it must be."""
    return Refused("E10003", f"参数错误：{what}"[:MAX_MSG])


REFUSALS: Final[Mapping[type[errors.Refusal], Refused]] = {
    errors.UnknownCredential: UNREADABLE,
    errors.ForeignMerchant: Refused("E10004", "商户错误：该账号未绑定商户，请联系服务商"),
    errors.MerchantInactive: Refused("E10005", "商户错误：商户待审核或已停用，请联系服务商"),
    errors.NotSupported: Refused("E10006", "该商户未开通此支付渠道，请换一种支付方式"),
    errors.Overloaded: Refused("E10007", "系统繁忙，本次请求未受理，请稍后重试"),
    errors.NoticeAddressRefused: Refused("E10009", "参数错误：notify_url须为可访问的公网地址"),
    errors.PaymentNotFound: Refused("E11002", "订单不存在，请核对流水号"),
    errors.InvalidPayCode: Refused("E11003", "付款码无效，请让顾客刷新付款码后重新扫码"),
    errors.PayCodeInUse: Refused("E11004", "此付款码已有一笔订单，请先查询原订单，或让顾客刷新付款码后重新扫码"),
    errors.AmountNotAllowed: Refused("E11005", "金额超出该商户允许的范围，请核对金额"),
    errors.OrderConflict: Refused("E11006", "req_seq已有一笔内容不同的订单，请先查询其结果，查明之前请勿再次收款"),
    errors.NotCancellable: Refused("E14001", "该订单已不能撤单，请改用退款"),
    errors.NotRefundable: Refused("E13002", "订单未支付或正在撤销，不能退款，请先查询订单"),
    errors.RefundExceedsPaid: Refused("E13003", "累计退款超过实付金额，请核对退款金额"),
    errors.RefundConflict: Refused("E13004", "req_seq已用于另一笔退款，请先查询该退款的结果，确认后再换新流水号"),
    errors.RefundNotFound: Refused("E13005", "退款单不存在，请核对退款流水号"),
    errors.TooManyRefunds: Refused(
        "E13006", "该订单今天以相同金额退款次数过多，请先核对已有退款，确需再退请联系服务商"
    ),
}
REFUSALS_OF_CODE: Final[Mapping[str, type[errors.Refusal]]] = {
    refused.code: refusal for refusal, refused in REFUSALS.items()
}
#: For the client: what a code says of a payment, of a refund and of a revoked order.
PAYMENT_STATES: Final[Mapping[str, PaymentState]] = {
    **{word.code: state for state, word in PAYMENT_WORDS.items()},
    PREORDER_MADE.code: _PS.WAITING,
    NOT_PAID_YET.code: _PS.WAITING,
}
REFUND_STATES: Final[Mapping[str, RefundState]] = {word.code: state for state, word in REFUND_WORDS.items()}
REVOKE_STATES: Final[Mapping[str, PaymentState]] = {word.code: state for state, word in REVOKE_WORDS.items()}
#: Every code and text there is, for the documentation and its test.
TOLD: Final[tuple[Word | Refused, ...]] = (
    *PAYMENT_WORDS.values(),
    PREORDER_MADE,
    NOT_PAID_YET,
    *REFUND_WORDS.values(),
    *REVOKE_WORDS.values(),
    SYSTEM_ERROR,
    *(BAD_ACCOUNT, TOO_LONG, NOT_SERVED, CODE_AS_NUMBER, MALFORMED, OLD_REVOCATION, OTHER_PAYMENT),
    *REFUSALS.values(),
)
