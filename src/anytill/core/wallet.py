"""The payers' wallets, and how a payer's code names its wallet.

A code shown on a phone starts with digits that belong to one wallet; that is how a till needs to know only the code.
"""

from __future__ import annotations

import re
from enum import StrEnum

from anytill.core.errors import InvalidPayCode
from anytill.core.secret import Secret


class Wallet(StrEnum):
    """Who holds the payer's money."""

    WECHAT = "WECHAT"
    ALIPAY = "ALIPAY"
    UNIONPAY = "UNIONPAY"
    QQ = "QQ"
    JDPAY = "JDPAY"
    BESTPAY = "BESTPAY"


_PREFIXES = {
    **{str(prefix): Wallet.WECHAT for prefix in range(10, 16)},
    **{str(prefix): Wallet.ALIPAY for prefix in range(25, 31)},
    "62": Wallet.UNIONPAY,
    "91": Wallet.QQ,
    "18": Wallet.JDPAY,
    "51": Wallet.BESTPAY,
}
_CODE = re.compile(r"[0-9]{16,24}")


def wallet_of(code: Secret) -> Wallet:
    """The wallet that issued a payer's code of 16 to 24 digits. Raises InvalidPayCode for anything else."""
    text = code.reveal()
    wallet = _PREFIXES.get(text[:2])
    if wallet is None or _CODE.fullmatch(text) is None:
        raise InvalidPayCode
    return wallet
