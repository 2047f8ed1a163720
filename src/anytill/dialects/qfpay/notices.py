"""The notices of payments and of refunds (not in the source; the vendor's public interface and Odoo's module agree on
them).

    POST notify_url                                                             200  SUCCESS
    Content-Type: application/json
    X-QF-SIGN: MD5(body + notification key), upper-case hex
    {"status":"1","pay_type":"800208","sysdtm":"…",…,"notify_type":"payment","chnlsn":"…"}
    {"status":"1","pay_type":"800208","sysdtm":"…",…,"orig_syssn":"…","syssn":"…",…,"notify_type":"cancel"}

Only what succeeded is notified. The address is an option of the terminal's credential (`notify_url`), the notification
key its password; a terminal that has none signs with its POS-KEY. What it says is frozen when the payment is made, or
the refund done, and so are its bytes: the signature is over them as they are.

A refund's notice has two pairs of numbers: `syssn` and `out_trade_no` are the refund's own, those that begin with
`orig_` its payment's; receivers go by `orig_out_trade_no` where it is there, so a payment's notice has none. `txamt` is
what went back. The vendor's pages call its kind `refund`, while terminals were recorded with `cancel`: an option of the
credential says which.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Final

from anytill.core.merchant import Credential
from anytill.core.notice import Notice
from anytill.core.payment import Payment, Refund
from anytill.core.retry import HOUR, MINUTE, SECOND
from anytill.dialects.qfpay import answers, words
from anytill.ports import Letter
from anytill.wire import jsontext
from anytill.wire.http import HttpResponse
from anytill.wire.jsontext import Json
from anytill.wire.times import format_time

SIGN_HEADER: Final = "X-QF-SIGN"
CONTENT_TYPE: Final = "application/json"
ACKNOWLEDGEMENT: Final = b"SUCCESS"
#: The credential's option: what a refund's notice is called.
OPTION_REFUND_NOTIFY_TYPE: Final = "refund_notify_type"
_PAYMENT_NAMES: Final = (
    *("status", "pay_type", "sysdtm", "paydtm", "goods_name", "txcurrcd", "txdtm", "mchid", "txamt", "exchange_rate"),
    *("chnlsn2", "out_trade_no", "syssn", "cash_fee_type", "cancel", "respcd", "goods_info", "cash_fee", "notify_type"),
    *("chnlsn", "cardcd"),
)
_REFUND_NAMES: Final = (
    *("status", "pay_type", "sysdtm", "paydtm", "txcurrcd", "orig_out_trade_no", "mchid", "txdtm", "txamt"),
    *("orig_syssn", "out_trade_no", "syssn", "respcd", "notify_type", "chnlsn"),
)


def refund_notify_type(options: Mapping[str, str]) -> words.RefundNotifyType:
    """What a credential's notices of refunds are called. Raises ValueError for an option that means nothing."""
    return words.RefundNotifyType(options.get(OPTION_REFUND_NOTIFY_TYPE) or words.RefundNotifyType.CANCEL)


class TerminalNotices:
    """Implements `ports.NoticeForm`."""

    delays_ms = (0, 2 * MINUTE, 10 * MINUTE, 10 * MINUTE, 60 * MINUTE, 2 * HOUR, 6 * HOUR, 15 * HOUR)
    timeout_ms = 10 * SECOND

    def facts(self, payment: Payment) -> Mapping[str, str]:
        """See `ports.NoticeForm`."""
        ordered_at = format_time(payment.created_at_ms)
        known = {
            "status": "1",
            "pay_type": answers.busicd(payment),
            "sysdtm": ordered_at,
            "paydtm": format_time(payment.paid_at_ms or payment.created_at_ms),
            "txcurrcd": payment.currency,
            "txdtm": ordered_at,
            "mchid": payment.merchant_id,
            "txamt": str(payment.amount_fen),
            "out_trade_no": answers.out_trade_no(payment),
            "syssn": payment.payment_id,
            "cancel": "0",
            "respcd": words.SUCCESS,
            "cash_fee": "0",
            "notify_type": words.PAYMENT_NOTIFY_TYPE,
            "chnlsn": payment.channel_trade_no,
            "cardcd": answers.card_no(payment) or "",
        }
        return {name: known.get(name, "") for name in _PAYMENT_NAMES}

    def refund_facts(self, payment: Payment, refund: Refund) -> Mapping[str, str]:
        """See `ports.NoticeForm`. What it is called is not among them: that is as the credential says at each try."""
        asked_at = format_time(refund.created_at_ms)
        return {
            "status": "1",
            "pay_type": answers.busicd(payment),
            "sysdtm": asked_at,
            "paydtm": format_time(refund.ended_at_ms or refund.created_at_ms),
            "txcurrcd": refund.currency,
            "orig_out_trade_no": answers.out_trade_no(payment),
            "mchid": payment.merchant_id,
            "txdtm": asked_at,
            "txamt": str(refund.refunded_fen),
            "orig_syssn": payment.payment_id,
            "out_trade_no": refund.refund_no,
            "syssn": refund.refund_id,
            "respcd": words.SUCCESS,
            "chnlsn": refund.channel_refund_no,
        }

    def encode(self, notice: Notice, credential: Credential, now_ms: int, nonce: str) -> Letter:
        """See `ports.NoticeForm`."""
        # By what it says: a former version that tried it has not kept what it is about.
        names = _REFUND_NAMES if "orig_syssn" in notice.facts else _PAYMENT_NAMES
        facts = {"notify_type": refund_notify_type(credential.options).value, **notice.facts}
        fields: dict[str, Json] = {name: facts[name] for name in names if name in facts}
        body = jsontext.encode(fields)
        key = credential.password or credential.secret
        return Letter(body, CONTENT_TYPE, {SIGN_HEADER: sign(body, key.reveal())})

    def acknowledged(self, response: HttpResponse) -> bool:
        """See `ports.NoticeForm`."""
        return response.status == 200 and response.body.strip() == ACKNOWLEDGEMENT


def sign(body: bytes, key: str) -> str:
    """What stands in X-QF-SIGN."""
    return hashlib.md5(body + key.encode(), usedforsecurity=False).hexdigest().upper()
