"""The result notice (section 5.5): plain XML that says an order was paid, with a `sign` the document does not mention.

    POST notify_url                                       <data><result>Y</result><message>成功</message></data>
    <?xml …?><data><request_type>native_order_notice</request_type><req_seq>…</req_seq>…<sign>32 HEX</sign></data>

For orders that the payer pays later (native, JS, H5). What it says is frozen when the order is paid; `server_time` and
`sign` are of each try. Real notices have `req_seq` where the sample has `req`, and `chan_trans_id` beside the sample's
`ext_trans_id`: the wallet's number stands under both names.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from anytill.core.lifecycle import PaymentState
from anytill.core.merchant import Credential
from anytill.core.notice import Notice
from anytill.core.payment import Method, Payment
from anytill.dialects.yst import codec
from anytill.dialects.yst.messages import CHANNELS, NOTICE, NOTICE_TYPE, WALLETS
from anytill.dialects.yst.terminal import sent_number
from anytill.dialects.yst.words import Status
from anytill.ports import Letter
from anytill.wire.amounts import parse_fen
from anytill.wire.errors import BadField, MissingField
from anytill.wire.http import HttpResponse
from anytill.wire.times import format_time, parse_time

_S: Final = 1_000


class ResultNotices:
    """Implements `ports.NoticeForm`."""

    delays_ms = (0, 30 * _S, 30 * _S, 60 * _S, 300 * _S, 900 * _S)
    timeout_ms = 10 * _S
    refund_facts = None  # the document's one notice is of an order that was paid

    def facts(self, payment: Payment) -> Mapping[str, str]:
        """See `ports.NoticeForm`."""
        values = {
            "request_type": NOTICE_TYPE,
            "req_seq": sent_number(payment),
            "channel": CHANNELS[payment.wallet][0],
            "trans_seq": payment.payment_id,
            "ext_trans_id": payment.channel_trade_no,
            "chan_trans_id": payment.channel_trade_no,
            "total_fee": str(payment.amount_fen),
            "status": Status.DONE.value,
            "pay_time": format_time(payment.paid_at_ms or payment.created_at_ms),
            "attach": payment.attach,
        }
        return {name: values[name] for name in NOTICE if values.get(name)}

    def encode(self, notice: Notice, credential: Credential, now_ms: int, nonce: str) -> Letter:
        """See `ports.NoticeForm`."""
        fields = {**notice.facts, "server_time": codec.server_time(now_ms)}
        ordered = {name: fields[name] for name in NOTICE if name in fields}
        return Letter(codec.encode_notice(ordered, codec.private_key(credential.secret)), codec.XML_UTF8)

    def acknowledged(self, response: HttpResponse) -> bool:
        """See `ports.NoticeForm`."""
        return codec.is_heard(response)


def read(fields: Mapping[str, str], account: str) -> Payment:
    """The payment that a notice tells of, as far as it says. Raises WireError."""
    for name in ("req_seq", "channel", "trans_seq", "total_fee", "pay_time"):
        if not fields.get(name):
            raise MissingField(name)
    if fields.get("request_type") != NOTICE_TYPE:
        raise BadField("request_type", NOTICE_TYPE)
    if fields["channel"] not in WALLETS:
        raise BadField("channel", "one of the payment channels")
    amount_fen = parse_fen(fields["total_fee"], field="total_fee")
    paid_at_ms = parse_time(fields["pay_time"], "pay_time")
    # Anything but a clear yes is for the merchant to ask about.
    paid = fields.get("status") == Status.DONE
    return Payment(
        merchant_id=account,
        payment_id=fields["trans_seq"],
        order_no=fields["req_seq"],
        method=Method.QR,
        wallet=WALLETS[fields["channel"]],
        state=PaymentState.PAID if paid else PaymentState.UNKNOWN,
        amount_fen=amount_fen,
        paid_fen=amount_fen if paid else 0,
        attach=fields.get("attach", ""),
        channel_trade_no=fields.get("chan_trans_id") or fields.get("ext_trans_id", ""),
        paid_at_ms=paid_at_ms if paid else None,
    )
