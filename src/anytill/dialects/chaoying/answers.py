"""From payments and refunds to the fields of an answer, each in the order of its table.

A payment that is not paid is told without anything that looks like money received (`UNPAID_ANSWER`), a refund that is
not done without anything that looks like money returned. What nobody knows is left out: an empty field and an absent
one mean the same to this protocol.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import quote

from anytill.core.lifecycle import PaymentState, RefundState
from anytill.core.merchant import Merchant
from anytill.core.payment import AT_THE_TILL, Method, Payment, Refund
from anytill.core.wallet import Wallet
from anytill.dialects.chaoying import codec, rows, words
from anytill.dialects.chaoying.words import Code, Refused, Word
from anytill.wire import jsontext
from anytill.wire.jsontext import Number


def told(word: Word, reason: str, names: Sequence[str], values: Mapping[str, str]) -> dict[str, str]:
    """An answer to a call that was carried out: the word, then those of `names` that have a value."""
    answer = {
        "state": words.State.SUCCESS.value,
        "code": word.code.value,
        "trade_state": word.trade_state.value,
        "msg": f"{word.msg}：{reason}" if reason and word.trade_state is words.TradeState.FAIL else word.msg,
    }
    for name in names:
        if value := values.get(name):
            answer[name] = value
    return answer


def refused(refusal: Refused) -> dict[str, str]:
    """An answer to a call that was not carried out."""
    return {"state": refusal.state.value, "code": refusal.code.value, "msg": refusal.msg}


def carried_out(names: Sequence[str], values: Mapping[str, str]) -> dict[str, str]:
    """An answer of a management call, which has no `trade_state`: those of `names` that have a value."""
    answer = {"state": words.State.SUCCESS.value, "code": Code.OK.value, "msg": words.SUCCESS_WORD.msg}
    for name in names:
        if value := values.get(name):
            answer[name] = value
    return answer


def merchant(merchant: Merchant, number: str) -> dict[str, str]:
    """What is told of a merchant, by whichever of its names. Who has no short name is called by the full one."""
    short_name = merchant.short_name or merchant.name
    return {
        "mch_id": number,
        "mch_trade_code": merchant.trade_code,
        "mch_full_name": merchant.name,
        "mch_short_name": short_name,
        "mch_state": words.MERCHANT_STATES[merchant.state],
        "FullName": merchant.name,
        "ShortName": short_name,
    }


def wx_ids(wallet: Wallet, options: Mapping[str, str]) -> dict[str, str]:
    """The merchant's own numbers at WeChat, where they are known and of use."""
    if wallet is not Wallet.WECHAT:
        return {}
    return {"wx_mch_id": options.get("wx_mch_id", ""), "wx_sub_mch_id": options.get("wx_sub_mch_id", "")}


def payment(
    payment: Payment, names: Sequence[str], mch_id: str, options: Mapping[str, str], nonce: str
) -> dict[str, str]:
    """The answer of `pay` and `facepay`."""
    word = words.PAYMENT_WORDS[payment.state]
    if payment.state is not PaymentState.PAID:
        return told(word, payment.reason, rows.UNPAID_ANSWER, _unpaid(payment, mch_id, nonce))
    return told(word, "", names, _paid(payment, mch_id, options, nonce))


def query(payment: Payment, mch_id: str, options: Mapping[str, str], nonce: str) -> dict[str, str]:
    """The answer of `orderquery`."""
    if payment.state is not PaymentState.PAID:
        word = words.PAYMENT_WORDS[payment.state]
        if payment.state is PaymentState.WAITING and payment.method not in AT_THE_TILL:
            word = words.NOT_PAID_WORD
        return told(word, payment.reason, rows.UNPAID_ANSWER, _unpaid(payment, mch_id, nonce))
    given_back = payment.refunded_fen + payment.returned_fen > 0
    word = words.REFUNDED_WORD if given_back else words.SUCCESS_WORD
    return told(word, "", rows.ORDERQUERY_ANSWER, _paid(payment, mch_id, options, nonce))


def cancel(payment: Payment, mch_id: str, options: Mapping[str, str], nonce: str) -> dict[str, str]:
    """The answer of `cancel`."""
    values = _unpaid(payment, mch_id, nonce) | wx_ids(payment.wallet, options)
    return told(words.CANCEL_WORDS[payment.state], "", rows.CANCEL_ANSWER, values)


def preorder(payment: Payment, mch_id: str, options: Mapping[str, str], nonce: str) -> dict[str, str]:
    """The answer of a pre-order: how the payer can pay, as long as that is still to be done."""
    word = words.PREORDER_WORDS[payment.state]
    if payment.state is not PaymentState.WAITING:
        return told(word, payment.reason, rows.UNPAID_ANSWER, _unpaid(payment, mch_id, nonce))
    invitation = payment.invitation
    code_url = invitation.get("code_url", "")
    image_base = options.get("code_img_base", "")
    wechat = payment.wallet is Wallet.WECHAT
    values = {
        "mch_id": mch_id,
        "appid": options.get("appid", ""),
        "sub_openid": payment.details.get("buyer_id", ""),
        "out_trade_no": payment.order_no,
        "token_id": invitation.get("token", ""),
        "pay_info": invitation.get("pay_info", ""),
        "pay_url": invitation.get("pay_url", ""),
        # A picture has an address of its own, and a gateway does not know by which name tills reach it.
        "code_img_url": f"{image_base}{quote(code_url, safe='')}" if image_base and code_url else "",
        "code_url": code_url,
        "services": notice_trade_type(payment),
        "nonce_str": nonce,
        **wx_ids(payment.wallet, options),
    }
    names = rows.WECHAT_PREORDER_ANSWER if wechat else rows.ALIPAY_PREORDER_ANSWER
    return told(word, "", names, values)


def refund(refund: Refund, payment: Payment, mch_id: str, nonce: str) -> dict[str, str]:
    """The answer of `refund`."""
    done = refund.state is RefundState.DONE
    values = _refund(refund) | {
        "mch_id": mch_id,
        "out_trade_no": payment.order_no,
        "transaction_id": payment.payment_id,
        "out_transaction_id": refund.channel_refund_no,
        "base_fee": str(payment.amount_fen),
        "total_fee": str(payment.paid_fen),
        "paytype": payment.wallet.value,
        "nonce_str": nonce,
    }
    names = rows.REFUND_ANSWER if done else rows.OPEN_REFUND_ANSWER
    return told(words.REFUND_WORDS[refund.state], refund.reason, names, values)


def refund_query(
    refund: Refund, payment: Payment, mch_id: str, options: Mapping[str, str], nonce: str
) -> dict[str, str]:
    """The answer of `refundquery`: a list of the one refund that was asked about; `refund_status` tells how it is."""
    row = {"serial_no": "0", "out_refund_id": refund.channel_refund_no, **_refund(refund)}
    row["refund_status"] = words.REFUND_STATUS[refund.state]
    if refund.ended_at_ms is not None:
        row["refund_time"] = codec.format_time(refund.ended_at_ms)
    values = {
        "mch_id": mch_id,
        "out_trade_no": payment.order_no,
        "transaction_id": payment.payment_id,
        "out_transaction_id": payment.channel_trade_no,
        "refund_count": "1",
        "base_refund_fee_summary": str(refund.amount_fen),
        "refund_fee_summary": str(refund.refunded_fen),
        "refund_list": codec.encode_list([{name: row[name] for name in rows.REFUND_LIST_ROW if name in row}]),
        "paytype": payment.wallet.value,
        "nonce_str": nonce,
        **wx_ids(payment.wallet, options),
    }
    return told(words.SUCCESS_WORD, "", rows.REFUNDQUERY_ANSWER, values)


def promotion_detail(payment: Payment) -> str:
    """The coupon as the vendor's JSON text, with what is known of it: its number is ours, who gave it is not told."""
    if not payment.coupon_fen:
        return ""
    promotion: dict[str, jsontext.Json] = {
        "promotion_id": payment.payment_id,
        "name": "优惠",
        "scope": "GLOBAL",
        "type": "COUPON",
        "amount": Number(str(payment.coupon_fen)),
    }
    return jsontext.encode({"promotion_detail": [promotion]}).decode()


def notice_trade_type(payment: Payment) -> str:
    """`pay.weixin.native`: notices call WeChat by another name than orderquery does."""
    wallet = "weixin" if payment.wallet is Wallet.WECHAT else payment.wallet.lower()
    return f"pay.{wallet}.{_kind(payment)}"


def _kind(payment: Payment) -> str:
    # An order of another dialect of the same merchant can be asked about here too.
    return words.TRADE_KINDS.get(payment.method, payment.method.lower())


def _unpaid(payment: Payment, mch_id: str, nonce: str) -> dict[str, str]:
    return {
        "mch_id": mch_id,
        "out_trade_no": payment.order_no,
        "transaction_id": payment.payment_id,
        "base_fee": str(payment.amount_fen),
        "trade_type": f"pay.{payment.wallet.lower()}.{_kind(payment)}",
        "paytype": payment.wallet.value,
        "nonce_str": nonce,
    }


def _paid(payment: Payment, mch_id: str, options: Mapping[str, str], nonce: str) -> dict[str, str]:
    sub_appid = payment.details.get("sub_appid", "")
    names_openid = payment.wallet is Wallet.WECHAT or payment.method is Method.FACE
    values = _unpaid(payment, mch_id, nonce) | {
        "appid": options.get("appid", "") if payment.wallet is Wallet.WECHAT else "",
        "openid": payment.payer_id if names_openid else "",
        "sub_appid": sub_appid,
        "sub_openid": payment.payer_id if sub_appid else "",
        "buyer_user_id": payment.payer_id,
        "out_transaction_id": payment.channel_trade_no,
        "total_fee": str(payment.paid_fen),
        "fee_type": payment.currency,
        "attach": payment.attach,
        "time_end": codec.format_time(payment.paid_at_ms or payment.created_at_ms),
        **wx_ids(payment.wallet, options),
    }
    if payment.coupon_fen:
        values["coupon_fee"] = str(payment.coupon_fen)
        values["promotion_detail"] = promotion_detail(payment)
    return values


def _refund(refund: Refund) -> dict[str, str]:
    values = {
        "refund_id": refund.refund_id,
        "out_refund_no": refund.refund_no,
        "refund_channel": "ORIGINAL",
        "base_refund_fee": str(refund.amount_fen),
        "refund_fee": str(refund.refunded_fen),
    }
    if refund.state is RefundState.DONE:
        values["coupon_refund_fee"] = str(refund.amount_fen - refund.refunded_fen)
    return values
