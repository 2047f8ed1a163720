"""What each payment call does: from checked fields to the till, and from what the till says to the answer's fields.

`CALLS` is the whole list, by path and `method`, both without regard to case; `management` and `boxes` add theirs. A
call gets fields that its form has read, from a caller whose signature was verified; it raises what the tables have
words for and changes nothing before it has looked at everything. A further call is a function here, or in a module
beside this one, and a row in such a table.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from anytill.core.errors import PaymentNotFound
from anytill.core.payment import Payment, PaymentRef, RefundOrder, RefundRef
from anytill.core.secret import Secret
from anytill.core.wallet import Wallet
from anytill.dialects.chaoying import answers, boxes, management, messages, orders, rows, words
from anytill.dialects.chaoying.caller import Call, Caller, Fields
from anytill.dialects.chaoying.words import CallRefused, Code, Refused
from anytill.gateway import GatewayTill
from anytill.wire.amounts import parse_fen

#: An order older than this is not taken back any more (交易撤销: 5分钟的订单才可以撤销).
CANCEL_WITHIN_MS: Final = 5 * 60 * 1_000
_NO_NUMBER: Final = {
    "orderquery": Refused(Code.QUERY_ERROR, "交易查询错误：out_trade_no和transaction_id至少填写一个"),
    "refund": Refused(Code.REFUND_ERROR, "退款错误：out_trade_no和transaction_id至少填写一个"),
    "refundquery": Refused(Code.REFUND_QUERY_ERROR, "退款查询错误：out_refund_no和refund_id至少填写一个"),
}


async def _pay(caller: Caller, fields: Fields) -> dict[str, str]:
    payment = await caller.till(fields).pay(orders.barcode_order(fields))
    return answers.payment(payment, rows.PAY_ANSWER, fields["mch_id"], caller.options, caller.nonce())


async def _facepay(caller: Caller, fields: Fields) -> dict[str, str]:
    payment = await caller.till(fields).pay(orders.face_order(fields))
    return answers.payment(payment, rows.FACEPAY_ANSWER, fields["mch_id"], caller.options, caller.nonce())


async def _orderquery(caller: Caller, fields: Fields) -> dict[str, str]:
    payment = await caller.till(fields).query(_order(fields, "orderquery"))
    _check_paytype(payment, fields)
    return answers.query(payment, fields["mch_id"], caller.options, caller.nonce())


async def _refund(caller: Caller, fields: Fields) -> dict[str, str]:
    till = caller.till(fields)
    payment = await till.find(_order(fields, "refund"))
    _check_paytype(payment, fields)
    if parse_fen(fields["total_fee"], field="total_fee") != payment.amount_fen:
        raise CallRefused(words.TOTAL_FEE_DIFFERS)
    order = RefundOrder(
        payment=PaymentRef(payment_id=payment.payment_id),
        refund_no=fields["out_refund_no"],
        amount_fen=parse_fen(fields["refund_fee"], field="refund_fee"),
        details={"op_user_id": fields["op_user_id"]},
    )
    refund = await till.refund(order)
    return answers.refund(refund, payment, fields["mch_id"], caller.nonce())


async def _refundquery(caller: Caller, fields: Fields) -> dict[str, str]:
    till = caller.till(fields)
    ref = RefundRef(fields.get("out_refund_no", ""), fields.get("refund_id", ""))
    if not (ref.refund_no or ref.refund_id):
        raise CallRefused(_NO_NUMBER["refundquery"])
    refund = await till.query_refund(ref)
    payment = await till.find(PaymentRef(payment_id=refund.payment_id))
    _check_paytype(payment, fields)
    return answers.refund_query(refund, payment, fields["mch_id"], caller.options, caller.nonce())


async def _cancel(caller: Caller, fields: Fields) -> dict[str, str]:
    till = caller.till(fields)
    payment = await till.find(PaymentRef(fields["out_trade_no"]))
    _check_paytype(payment, fields)
    payment = await till.cancel(payment.ref, within_ms=CANCEL_WITHIN_MS)
    return answers.cancel(payment, fields["mch_id"], caller.options, caller.nonce())


async def _authcodetoopenid(caller: Caller, fields: Fields) -> dict[str, str]:
    payer = await caller.till(fields).identify(Secret(fields["auth_code"]))
    values = {
        "mch_id": fields["mch_id"],
        "paytype": payer.wallet.value,
        # The one place where the document wants the payer's whole code back.
        "auth_code": fields["auth_code"],
        "sub_appid": fields.get("sub_appid", ""),
        "sub_openid": payer.payer_id,
        "nonce_str": caller.nonce(),
        **answers.wx_ids(payer.wallet, caller.options),
    }
    return answers.told(words.SUCCESS_WORD, "", rows.AUTHCODETOOPENID_ANSWER, values)


async def _getfaceauth(caller: Caller, fields: Fields) -> dict[str, str]:
    wallet = Wallet(fields["paytype"])
    ticket = await caller.till(fields).face_ticket(wallet, fields["device_id"], fields["rawdata"])
    values = {
        "mch_id": fields["mch_id"],
        "appid": caller.options.get("appid", ""),
        "sub_appid": fields.get("sub_appid", ""),
        "channel_mch_id": caller.options.get("channel_mch_id", ""),
        "sub_mch_id": caller.options.get("sub_mch_id", ""),
        "authinfo": ticket.ticket,
        "expires_in": str(ticket.expires_in_s),
        "nonce_str": caller.nonce(),
        **answers.wx_ids(wallet, caller.options),
    }
    return answers.told(words.SUCCESS_WORD, "", rows.GETFACEAUTH_ANSWER, values)


async def _wechat_preorder(caller: Caller, fields: Fields) -> dict[str, str]:
    return await _preorder(caller, fields, Wallet.WECHAT)


async def _alipay_preorder(caller: Caller, fields: Fields) -> dict[str, str]:
    return await _preorder(caller, fields, Wallet.ALIPAY)


async def _preorder(caller: Caller, fields: Fields, wallet: Wallet) -> dict[str, str]:
    till = caller.till(fields)
    ends_ms = orders.ends_at_ms(fields, wallet)
    expires_in_s = None if ends_ms is None else await _lifetime_s(caller, till, fields["out_trade_no"], ends_ms)
    payment = await till.pay(orders.preorder(fields, wallet, expires_in_s))
    return answers.preorder(payment, fields["mch_id"], caller.options, caller.nonce())


async def _lifetime_s(caller: Caller, till: GatewayTill, order_no: str, ends_ms: int) -> int:
    """How long the order lives. An order that is sent again keeps the lifetime it got at first, or it would be
    another order each time: the vendor's end is a moment, ours is counted from the beginning."""
    try:
        earlier = await till.find(PaymentRef(order_no))
    except PaymentNotFound:
        return orders.lifetime_s(ends_ms, caller.gateway.now_ms())
    return (earlier.deadline_at_ms - earlier.created_at_ms) // 1_000


def _order(fields: Fields, method: str) -> PaymentRef:
    ref = PaymentRef(fields.get("out_trade_no", ""), fields.get("transaction_id", ""))
    if not (ref.order_no or ref.payment_id):
        raise CallRefused(_NO_NUMBER[method])
    return ref


def _check_paytype(payment: Payment, fields: Fields) -> None:
    if fields["paytype"] != payment.wallet:
        raise CallRefused(words.PAYTYPE_DIFFERS)


_GATEWAY: Final = messages.GATEWAY_PATH.lower()
CALLS: Final[Mapping[tuple[str, str], Call]] = {
    (_GATEWAY, "getfaceauth"): Call(messages.GETFACEAUTH, _getfaceauth),
    (_GATEWAY, "facepay"): Call(messages.FACEPAY, _facepay),
    (_GATEWAY, "pay"): Call(messages.PAY, _pay),
    (_GATEWAY, "orderquery"): Call(messages.ORDERQUERY, _orderquery),
    (_GATEWAY, "refund"): Call(messages.REFUND, _refund),
    (_GATEWAY, "refundquery"): Call(messages.REFUNDQUERY, _refundquery),
    (_GATEWAY, "cancel"): Call(messages.CANCEL, _cancel),
    (_GATEWAY, "authcodetoopenid"): Call(messages.AUTHCODETOOPENID, _authcodetoopenid),
    (messages.WECHAT_PREORDER_PATH.lower(), ""): Call(messages.WECHAT_PREORDER, _wechat_preorder, signed=False),
    (messages.ALIPAY_PREORDER_PATH.lower(), ""): Call(messages.ALIPAY_PREORDER, _alipay_preorder, signed=False),
    **management.CALLS,
    **boxes.CALLS,
}
#: The paths whose calls are told apart by `method`.
SHARED_PATHS: Final = frozenset({_GATEWAY})
