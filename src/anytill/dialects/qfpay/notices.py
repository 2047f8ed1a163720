"""The notice that a payment was made (not in the source; the vendor's public interface and Odoo's module agree on it).

    POST notify_url                                                             200  SUCCESS
    Content-Type: application/json
    X-QF-SIGN: MD5(body + notification key), upper-case hex
    {"status":"1","pay_type":"800208","sysdtm":"…",…,"notify_type":"payment","chnlsn":"…"}

Only what succeeded is notified. The address is an option of the terminal's credential (`notify_url`), the notification
key its password; a terminal that has none signs with its POS-KEY. What it says is frozen when the payment is made, and
so are its bytes: the signature is over them as they are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Final

from anytill.core.merchant import Credential
from anytill.core.notice import Notice
from anytill.core.payment import Payment
from anytill.core.retry import HOUR, MINUTE, SECOND
from anytill.dialects.qfpay import answers, words
from anytill.ports import Letter
from anytill.wire import jsontext
from anytill.wire.http import HttpResponse
from anytill.wire.jsontext import Json

SIGN_HEADER: Final = "X-QF-SIGN"
CONTENT_TYPE: Final = "application/json"
ACKNOWLEDGEMENT: Final = b"SUCCESS"
_NAMES: Final = (
    *("status", "pay_type", "sysdtm", "paydtm", "goods_name", "txcurrcd", "txdtm", "mchid", "txamt", "exchange_rate"),
    *("chnlsn2", "out_trade_no", "syssn", "cash_fee_type", "cancel", "respcd", "goods_info", "cash_fee", "notify_type"),
    *("chnlsn", "cardcd"),
)


class PaymentNotices:
    """Implements `ports.NoticeForm`."""

    delays_ms = (0, 2 * MINUTE, 10 * MINUTE, 10 * MINUTE, 60 * MINUTE, 2 * HOUR, 6 * HOUR, 15 * HOUR)
    timeout_ms = 10 * SECOND

    def facts(self, payment: Payment) -> Mapping[str, str]:
        """See `ports.NoticeForm`."""
        ordered_at = answers.local_time(payment.created_at_ms)
        known = {
            "status": "1",
            "pay_type": answers.busicd(payment),
            "sysdtm": ordered_at,
            "paydtm": answers.local_time(payment.paid_at_ms or payment.created_at_ms),
            "txcurrcd": payment.currency,
            "txdtm": ordered_at,
            "mchid": payment.merchant_id,
            "txamt": str(payment.amount_fen),
            "out_trade_no": answers.out_trade_no(payment),
            "syssn": payment.payment_id,
            "cancel": "0",
            "respcd": words.SUCCESS,
            "cash_fee": "0",
            "notify_type": "payment",
            "chnlsn": payment.channel_trade_no,
            "cardcd": answers.card_no(payment) or "",
        }
        return {name: known.get(name, "") for name in _NAMES}

    def encode(self, notice: Notice, credential: Credential, now_ms: int, nonce: str) -> Letter:
        """See `ports.NoticeForm`."""
        fields: dict[str, Json] = {name: notice.facts[name] for name in _NAMES if name in notice.facts}
        body = jsontext.encode(fields)
        key = credential.password or credential.secret
        return Letter(body, CONTENT_TYPE, {SIGN_HEADER: sign(body, key.reveal())})

    def acknowledged(self, response: HttpResponse) -> bool:
        """See `ports.NoticeForm`."""
        return response.status == 200 and response.body.strip() == ACKNOWLEDGEMENT


def sign(body: bytes, key: str) -> str:
    """What stands in X-QF-SIGN."""
    return hashlib.md5(body + key.encode(), usedforsecurity=False).hexdigest().upper()
