"""The payers' wallets, and how a payer's code names its wallet.

A code shown on a phone starts with digits that belong to one wallet; that is how a till needs to know only the code.
PayMe publishes no digits that are its own: those below are a choice of the sandbox, free of every other wallet's.
Nobody shows a code for FPS, whose payers scan, nor for what is tapped: an Octopus or any other card (`core.card`).
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final

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
    PAYME = "PAYME"
    FPS = "FPS"
    OCTOPUS = "OCTOPUS"
    CARD = "CARD"  # a bank's card, whatever its scheme


#: Wallets that hold Hong Kong dollars and pay nothing else.
HKD_ONLY: Final = frozenset({Wallet.PAYME, Wallet.FPS, Wallet.OCTOPUS})
#: What is tapped, and only tapped: paid by Method.CARD and by no other.
TAPPED: Final = frozenset({Wallet.OCTOPUS, Wallet.CARD})


_PREFIXES = {
    **{str(prefix): Wallet.WECHAT for prefix in range(10, 16)},
    **{str(prefix): Wallet.ALIPAY for prefix in range(25, 31)},
    "62": Wallet.UNIONPAY,
    "91": Wallet.QQ,
    "18": Wallet.JDPAY,
    "51": Wallet.BESTPAY,
    "95": Wallet.PAYME,
}
#: Whose payers can show a code.
SHOWING_CODES: Final = frozenset(_PREFIXES.values())
_CODE = re.compile(r"[0-9]{16,24}")


def wallet_of(code: Secret) -> Wallet:
    """The wallet that issued a payer's code of 16 to 24 digits. Raises InvalidPayCode for anything else."""
    text = code.reveal()
    wallet = _PREFIXES.get(text[:2])
    if wallet is None or _CODE.fullmatch(text) is None:
        raise InvalidPayCode
    return wallet
