"""What the cashier is told: how each state of a payment and a refund, and each refusal, is put into `ok` and `info`.

The document says 1 for done and -1 for a payer who is still paying; 0 for "no" is ours. Three rules made the tables: 0
is told only of an end that is certain, an end is never told while money may still move, and every text says what the
cashier has to do next. All texts differ, so that a client can tell them apart.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from anytill.core import errors
from anytill.core.lifecycle import PaymentState, RefundState
from anytill.core.money import CNY
from anytill.dialects.semoor.messages import DONE, NOT_DONE, OPEN


@dataclass(frozen=True, slots=True)
class Word:
    """`ok` and `info`."""

    ok: str
    info: str


_PS, _RS = PaymentState, RefundState
#: A payment's state as micropay, querytimeout and query tell it. `info` of a paid one names the sum: see `paid_info`.
PAYMENT_WORDS: Final[Mapping[PaymentState, Word]] = {
    _PS.SUBMITTED: Word(OPEN, "支付处理中，请稍后查询，查明之前请勿重复收款"),
    _PS.WAITING: Word(OPEN, "用户支付中，等待顾客确认"),
    _PS.UNKNOWN: Word(OPEN, "网络异常，支付结果未知，请稍后查询，查明之前请勿重复收款"),
    _PS.PAID: Word(DONE, "支付成功"),
    _PS.FAILED: Word(NOT_DONE, "支付失败，可重新收款"),
    _PS.CLOSED: Word(NOT_DONE, "订单已关闭，顾客未付款"),
    _PS.CANCELLING: Word(OPEN, "订单撤销中，请稍后查询"),
    _PS.REVERSING: Word(OPEN, "订单撤销中，款项正在退回，请稍后查询"),
    _PS.CANCELLED: Word(NOT_DONE, "订单已撤销，如顾客已付款则款项已退回"),
    _PS.PARKED: Word(OPEN, "支付结果待人工核实，请勿交付商品，请联系服务商"),
}
REFUND_WORDS: Final[Mapping[RefundState, Word]] = {
    _RS.SUBMITTED: Word(OPEN, "退款已受理，请稍后读取账单，查明之前请勿重复退款"),
    _RS.PROCESSING: Word(OPEN, "退款处理中，请稍后读取账单，查明之前请勿重复退款"),
    _RS.UNKNOWN: Word(OPEN, "退款结果未知，请稍后读取账单，查明之前请勿重复退款"),
    _RS.DONE: Word(DONE, "退款成功"),
    _RS.FAILED: Word(NOT_DONE, "退款失败，款项未退，可重新退款"),
    _RS.RETURNED_TO_CASH: Word(NOT_DONE, "原路退款失败，款项已回到商户账户，请勿再次发起，请线下退给顾客"),
}
#: In `info` of a bill whose refunds are not all done.
BILL_REFUND_OPEN: Final = "有退款处理中，尚未退给顾客，请稍后再读取账单"
BILL_REFUND_RETURNED: Final = "有退款未能原路退回，款项在商户账户，请线下退给顾客"
ACTIVATED: Final = "激活成功"

#: Answered to an unknown device and to a wrong signature alike, so that nobody learns which devices exist.
DEVICE_ERROR: Final = "设备错误：设备编号或签名不正确，请重新激活设备"
BAD_CODE: Final = "激活失败：激活码无效、已使用或已过期，请向服务商索取新的激活码"
PAYTYPE_DIFFERS: Final = "支付方式错误：paytype与付款码不符，请核对后重新扫码"
NO_NUMBER: Final = "参数错误：authcode和no至少填写一个"
CODE_AS_NUMBER: Final = "参数错误：no不能含有顾客付款码，请填写收银机自己的单号"
TOO_LONG: Final = "参数错误：请求或参数值过长"
MALFORMED: Final = "参数错误：请以GET或POST提交UTF-8编码的参数，参数在地址或正文之一，每个只出现一次"
SECOND_MEANING: Final = "参数错误：文字中不能夹带“&参数名=”，请修改文字后重试"
SYSTEM_ERROR: Final = "系统错误：结果未知，请稍后查询，查明之前请勿重复收款或退款"
#: The whole answer to a reprint that is not given, whatever the reason: it says nothing of what exists.
NO_SLIP: Final = "未找到小票"
OWN_REFUSALS: Final = (
    BAD_CODE,
    PAYTYPE_DIFFERS,
    NO_NUMBER,
    CODE_AS_NUMBER,
    TOO_LONG,
    MALFORMED,
    SECOND_MEANING,
    SYSTEM_ERROR,
    NO_SLIP,
)

REFUSALS: Final[Mapping[type[errors.Refusal], str]] = {
    errors.UnknownCredential: DEVICE_ERROR,
    errors.ForeignMerchant: "商户错误：本设备未绑定商户，请联系服务商",
    errors.MerchantInactive: "商户错误：商户待审核或已停用，请联系服务商",
    errors.NotSupported: "商户未开通此支付方式，请换一种支付方式",
    errors.InvalidPayCode: "付款码无效，请让顾客刷新付款码后重新扫码",
    errors.PayCodeInUse: "此付款码已有一笔内容不同的收款，请先查询该笔结果，或让顾客刷新付款码后重新扫码",
    errors.AmountNotAllowed: "金额超出该商户允许的范围，请核对金额",
    errors.OrderConflict: "no已有一笔内容不同的收款，请先查询其结果，查明之前请勿再次收款",
    errors.PaymentNotFound: "账单不存在或未发起收款，请核对编号；确认顾客未付款后可重新收款",
    errors.NotCancellable: "账单不能撤销，请改用退款",
    errors.NotRefundable: "账单未支付或正在撤销，不能退款，请先查询",
    errors.RefundExceedsPaid: "累计退款超过实付金额，请核对退款金额",
    errors.RefundConflict: "no已用于另一笔退款，请先读取账单查明其结果，再换新的编号",
    errors.TooManyRefunds: "该账单今天以相同金额退款次数过多，请先读取账单核对，确需再退请联系服务商",
    errors.RefundNotFound: "退款不存在，请核对编号",
    errors.NoticeAddressRefused: "通知地址不可用，请联系服务商",
    errors.Overloaded: "系统繁忙，本次请求未受理，请稍后重试",
}


_NAMED_CURRENCY: Final = re.compile(r"\[支付金额:[0-9.]+ ([A-Z]{3})\]")


class CallRefused(Exception):
    """A refusal that is this protocol's own, met while a call is carried out."""

    def __init__(self, info: str) -> None:
        super().__init__(info)
        self.info = info


def missing(name: str) -> str:
    """`info` for a field that must be there."""
    return f"参数错误：缺少{name}"


def unfit(name: str, expected: str | None) -> str:
    """`info` for a field whose value is not allowed; never the value itself."""
    return f"参数错误：{name}须为{expected}" if expected else f"参数错误：{name}重复、不能使用或格式不正确"


def paid_info(sum_text: str, currency: str = CNY) -> str:
    """`info` of a paid payment, as in the samples; another currency than theirs is named."""
    unit = "元" if currency == CNY else f" {currency}"
    return f"{PAYMENT_WORDS[_PS.PAID].info} [支付金额:{sum_text}{unit}]"


def currency_of(info: str) -> str:
    """The currency that `info` of a paid payment names; yuan where it names none."""
    named = _NAMED_CURRENCY.search(info)
    return named[1] if named else CNY


def _states_of(words: Mapping[PaymentState, Word]) -> Mapping[str, PaymentState]:
    return {word.info: state for state, word in words.items()}


#: How a client understands what it is told; what is not here is unknown, never failed, unless `ok` is 0.
PAYMENT_STATES: Final[Mapping[str, PaymentState]] = _states_of(PAYMENT_WORDS)
RETURNED: Final = REFUND_WORDS[_RS.RETURNED_TO_CASH].info
