"""What one till took and gave back in some time, for the slip that is compared with the drawer at the day's end."""

from __future__ import annotations

from dataclasses import dataclass

from anytill.core.payment import Method
from anytill.core.wallet import Wallet


@dataclass(frozen=True, slots=True)
class Takings:
    """One line of it: payments of one kind that are paid, and refunds of such payments that are done. Each counts where
    it was asked for in that time; what was taken back by a cancel counts nowhere."""

    method: Method
    wallet: Wallet
    kind: str = ""  # a finer difference that the dialect makes, from a detail of the order
    payments: int = 0
    amount_fen: int = 0  # what was asked for
    paid_fen: int = 0  # what the payers gave: the amounts less the coupons
    refunds: int = 0
    refunded_fen: int = 0
