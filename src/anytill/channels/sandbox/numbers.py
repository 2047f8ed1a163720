"""What a wallet's numbers and invitations look like: made up, but of the length and the letters that tills expect.

A payer has the same number each time the same code is shown to the same merchant; WeChat's differs from merchant to
merchant, the other wallets' does not.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping

from anytill.core.ids import beijing, beijing_text
from anytill.core.payment import Method, Payment, fingerprint
from anytill.core.secret import Secret
from anytill.core.wallet import Wallet
from anytill.wire.jsontext import encode
from anytill.wire.signing import joined, md5_upper

_APP_ID = "wx0000anytillbox00"
_SIGN_KEY = "sandbox"


def code_digest(pay_code: Secret) -> str:
    """What the book keeps of a payer's code."""
    return fingerprint("payer's code", pay_code.reveal())


def trade_no(at_ms: int, serial: int) -> str:
    """A payment's number at the wallet: 28 digits, never the same for two serials."""
    return f"4200{beijing_text(at_ms)}{serial:010d}"


def refund_trade_no(at_ms: int, serial: int) -> str:
    """A refund's number at the wallet: 28 digits."""
    return f"5030{beijing_text(at_ms)}{serial:010d}"


def reference_no(at_ms: int, serial: int) -> str:
    """A card's retrieval reference number, for a sale or a refund: 12 digits, the last of the year, its day, the hour,
    and a serial (ISO 8583 field 37 as acquirers fill it)."""
    return f"{beijing(at_ms):%Y%j%H}{serial % 1_000_000:06d}"[3:]


def trace_no(serial: int) -> str:
    """A card payment's number in its batch: six digits."""
    return f"{serial % 1_000_000:06d}"


def batch_no(at_ms: int) -> str:
    """What is settled together: a day's card payments, six digits."""
    return beijing_text(at_ms)[2:8]


def auth_code(channel_order: str) -> str:
    """An issuer's approval: six digits."""
    return f"{int(fingerprint('approval', channel_order), 16) % 1_000_000:06d}"


def holder_id(pan: str) -> str:
    """Who stands behind a card: the same each time, and no number that could be taken for one."""
    return fingerprint("card holder", pan)[:32]


def payer_id(wallet: Wallet, merchant_id: str, seed: str) -> str:
    """Who stands behind a code (`seed` is its digest), as this wallet writes it."""
    if wallet is Wallet.WECHAT:
        digest = hashlib.sha256(fingerprint(merchant_id, seed).encode()).digest()
        return "o" + base64.urlsafe_b64encode(digest).decode()[:27]
    number = int(fingerprint(wallet, seed), 16)
    if wallet is Wallet.ALIPAY:
        return f"2088{number % 10**12:012d}"
    if wallet is Wallet.QQ:
        return f"{number % 16**32:032X}"
    return f"{number % 10**16:016d}"


def session_key(app_id: str, code: Secret) -> Secret:
    """The key of a mini-program's visit: sixteen bytes in base64, the same for the same code."""
    digest = hashlib.sha256(fingerprint("session", app_id, code.reveal()).encode()).digest()
    return Secret(base64.b64encode(digest[:16]).decode())


def invitation(payment: Payment, nonce: str, now_ms: int) -> Mapping[str, str]:
    """How the payer can pay an order that is not paid at the till: a code to scan, an address that starts his wallet,
    or what a page hands its wallet."""
    if payment.method is Method.QR:
        return {"code_url": f"anytill-sandbox://pay/{payment.payment_id}"}
    if payment.method is Method.H5:
        return {"pay_url": f"anytill-sandbox://h5/{payment.payment_id}"}
    token = f"wx{beijing_text(now_ms)}{nonce[:20]}"
    fields = {
        "appId": _APP_ID,
        "timeStamp": str(now_ms // 1_000),
        "nonceStr": nonce,
        "package": f"prepay_id={token}",
        "signType": "MD5",
    }
    fields["paySign"] = md5_upper(f"{joined(fields, keep_empty=True)}&key={_SIGN_KEY}")
    return {"pay_info": encode({**fields}).decode(), "token": token}
