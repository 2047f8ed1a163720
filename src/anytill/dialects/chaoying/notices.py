"""The two notices (微信预下单结果通知, 支付宝预下单结果通知): a signed form that says a pre-order was paid.

    POST notify_url
    mch_id=…&nonce_str=…&out_trade_no=…&pay_result=0&result_code=SUCCESS&state=SUCCESS&…&sign=<32 HEX>
    -> 200, body `success`

Only a paid order is told. What the notice says is frozen when the order is paid; nonce and signature are of each try.
`total_fee` is here what the order was for, as the document tells merchants to compare it with their own order.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from anytill.core.lifecycle import PaymentState
from anytill.core.merchant import Credential
from anytill.core.notice import Notice
from anytill.core.payment import Payment
from anytill.core.wallet import Wallet
from anytill.dialects.chaoying import answers, codec
from anytill.dialects.chaoying.rows import ALIPAY_NOTICE, WECHAT_NOTICE
from anytill.dialects.chaoying.sandbox import options_of
from anytill.dialects.chaoying.words import METHODS_OF_KIND
from anytill.ports import Letter
from anytill.wire.amounts import parse_fen
from anytill.wire.errors import BadField, MissingField
from anytill.wire.http import FORM, HttpResponse

_S: Final = 1_000
_M: Final = 60 * _S
_WALLETS: Final = {"weixin": Wallet.WECHAT, "wechat": Wallet.WECHAT, "alipay": Wallet.ALIPAY}


class PreorderNotices:
    """Implements `ports.NoticeForm`."""

    delays_ms = (0, 15 * _S, 15 * _S, 15 * _S, 30 * _S, 3 * _M, 3 * _M, 30 * _M, 30 * _M, 30 * _M, 30 * _M, 60 * _M)
    timeout_ms = 3 * _S
    refund_facts = None  # the document's two notices are of pre-orders that were paid

    def facts(self, payment: Payment) -> Mapping[str, str]:
        """See `ports.NoticeForm`."""
        wechat = payment.wallet is Wallet.WECHAT
        details = payment.details
        values = {
            "state": "SUCCESS",
            "result_code": "SUCCESS",
            "mch_id": details.get("mch_id", ""),
            "device_info": details.get("device_info", ""),
            "pay_result": "0",
            "out_trade_no": payment.order_no,
            "out_transaction_id": payment.channel_trade_no,
            "transaction_id": payment.payment_id,
            "fee_type": payment.currency,
            "total_fee": str(payment.amount_fen),
            "coupon_fee": str(payment.coupon_fen) if payment.coupon_fen else "",
            # Our addition to the tables, so it must not open a second reading of what they do say.
            "attach": "" if "&" in payment.attach else payment.attach,
            "time_end": codec.format_time(payment.paid_at_ms or payment.created_at_ms),
            "gmt_create": codec.format_time(payment.created_at_ms),
            "trade_type": answers.notice_trade_type(payment),
            "sub_appid": details.get("sub_appid", ""),
            "sub_openid": payment.payer_id if details.get("sub_appid") else "",
            "buyer_user_id": payment.payer_id,
            "buyer_logon_id": details.get("buyer_logon_id", ""),
            "promotion_detail": answers.promotion_detail(payment),
        }
        names = WECHAT_NOTICE if wechat else ALIPAY_NOTICE
        return {name: values[name] for name in names if values.get(name)}

    def encode(self, notice: Notice, credential: Credential, now_ms: int, nonce: str) -> Letter:
        """See `ports.NoticeForm`."""
        fields = {**notice.facts, "nonce_str": nonce}
        if "mch_id" not in fields:
            # An order that did not come in by this protocol does not know what the agent calls its merchant.
            numbers = (number for number, merchant in credential.merchants.items() if merchant == notice.merchant_id)
            fields["mch_id"] = next(numbers, "")
        if fields["trade_type"].startswith("pay.weixin."):
            fields |= answers.wx_ids(Wallet.WECHAT, options_of(credential))
        return Letter(codec.encode_signed_form(fields, credential.secret), FORM)

    def acknowledged(self, response: HttpResponse) -> bool:
        """See `ports.NoticeForm`."""
        return response.status == 200 and response.body.strip() == codec.NOTICE_HEARD.encode()


def read(fields: Mapping[str, str]) -> Payment:
    """The payment that an authentic notice tells of. Raises WireError."""
    for name in ("mch_id", "out_trade_no", "transaction_id", "total_fee", "time_end", "trade_type"):
        if name not in fields:
            raise MissingField(name)
    amount_fen = parse_fen(fields["total_fee"], field="total_fee")
    coupon_fen = parse_fen(fields["coupon_fee"], field="coupon_fee") if "coupon_fee" in fields else 0
    if coupon_fen >= amount_fen:
        raise BadField("coupon_fee", "less than total_fee")
    parts = fields["trade_type"].lower().split(".")
    if len(parts) != 3 or parts[1] not in _WALLETS or parts[2] not in METHODS_OF_KIND:
        raise BadField("trade_type", "pay, the wallet and the way of paying")
    paid = (fields.get("state"), fields.get("result_code"), fields.get("pay_result")) == ("SUCCESS", "SUCCESS", "0")
    paid_at_ms = codec.parse_time(fields["time_end"], "time_end")
    return Payment(
        merchant_id=fields["mch_id"],
        payment_id=fields["transaction_id"],
        order_no=fields["out_trade_no"],
        method=METHODS_OF_KIND[parts[2]],
        wallet=_WALLETS[parts[1]],
        # Anything but a clear yes is for the merchant to ask about.
        state=PaymentState.PAID if paid else PaymentState.UNKNOWN,
        amount_fen=amount_fen,
        paid_fen=amount_fen - coupon_fen if paid else 0,
        coupon_fen=coupon_fen if paid else 0,
        currency=fields.get("fee_type", "CNY"),
        attach=fields.get("attach", ""),
        payer_id=fields.get("sub_openid") or fields.get("buyer_user_id", ""),
        channel_trade_no=fields.get("out_transaction_id", ""),
        paid_at_ms=paid_at_ms if paid else None,
    )
