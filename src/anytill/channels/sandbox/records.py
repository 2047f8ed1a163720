"""What the wallet's book is made of: orders, refunds, codes that are bound to a merchant, moves of the clock.

An entry of the book is one of these records whole, as it stands after the change, so that reading the book again
needs no rule that could since have changed: the last entry wins. In a line of the journal an entry is

    {"n": 7, "order": {...}}    {"n": 8, "refund": {...}}    {"n": 9, "bound": {...}}    {"n": 10, "clock": {...}}

with `n` counting from 1. Amounts are fen, times are milliseconds since 1970.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeAlias

from anytill.core.money import CNY
from anytill.core.payment import Method
from anytill.core.wallet import Wallet

#: A merchant and a number of his: how the wallet knows its orders and its refunds.
Key: TypeAlias = tuple[str, str]


class OrderState(StrEnum):
    """Where an order stands at the wallet."""

    WAITING = "WAITING"
    PAID = "PAID"
    REFUSED = "REFUSED"
    CLOSED = "CLOSED"  # unpaid at its deadline, or the payer turned away
    CANCELLED = "CANCELLED"  # taken back by the merchant before it was paid
    REVERSED = "REVERSED"  # taken back by the merchant after it was paid
    DEAD = "DEAD"  # cancelled though it had never arrived: it must not be paid when it does arrive


class WalletRefundState(StrEnum):
    """Where a refund stands at the wallet."""

    PROCESSING = "PROCESSING"
    DONE = "DONE"
    REFUSED = "REFUSED"
    RETURNED = "RETURNED"  # to the merchant's cash account: the payer does not have it


@dataclass(frozen=True, slots=True)
class Order:
    """One order as the wallet has it."""

    merchant_id: str
    channel_order: str  # the caller's number here
    merchant_order: str
    channel_trade_no: str
    wallet: Wallet
    method: Method
    amount_fen: int
    state: OrderState
    created_at_ms: int
    payer_id: str = ""
    code: str = ""  # digest of the payer's code, or a card's presentation, that this order uses; empty if none
    charged_fen: int = 0  # what the payer really gave
    coupon_fen: int = 0
    reversed_fen: int = 0
    paid_at_ms: int | None = None
    due_at_ms: int | None = None  # when it changes by itself …
    due_state: OrderState | None = None  # … and what to
    reason: str = ""  # why it ended, or is going to at due_at_ms
    invitation: Mapping[str, str] = field(default_factory=dict)
    slip: Mapping[str, str] = field(default_factory=dict)  # of a card: what may be told of it
    currency: str = CNY

    @property
    def key(self) -> Key:
        """Its place in the book."""
        return self.merchant_id, self.channel_order

    @property
    def told_reason(self) -> str:
        """Why it ended; nothing while it waits, since `reason` then says how it will end."""
        return "" if self.state is OrderState.WAITING else self.reason


@dataclass(frozen=True, slots=True)
class WalletRefund:
    """One refund as the wallet has it."""

    merchant_id: str
    channel_refund: str  # the caller's number here
    merchant_refund: str
    channel_order: str
    channel_refund_no: str
    amount_fen: int
    state: WalletRefundState
    created_at_ms: int
    due_at_ms: int | None = None
    due_state: WalletRefundState | None = None
    reason: str = ""

    @property
    def key(self) -> Key:
        """Its place in the book."""
        return self.merchant_id, self.channel_refund


@dataclass(frozen=True, slots=True)
class Bound:
    """A payer's code that only one merchant may charge."""

    code: str  # its digest
    merchant_id: str


@dataclass(frozen=True, slots=True)
class ClockMoved:
    """The wallet's clock was moved on."""

    by_ms: int


Entry: TypeAlias = Order | WalletRefund | Bound | ClockMoved

_NAMES = {Order: "order", WalletRefund: "refund", Bound: "bound", ClockMoved: "clock"}


def entry_name(entry: Entry) -> str:
    """The name under which an entry stands in a line."""
    return _NAMES[type(entry)]


def read_entry(name: str, members: dict[str, Any]) -> Entry:
    """The entry that was written under `name`. Raises ValueError, KeyError or TypeError for what is none."""
    match name:
        case "order":
            due_state = members["due_state"]
            return Order(
                **{
                    **members,
                    "wallet": Wallet(members["wallet"]),
                    "method": Method(members["method"]),
                    "state": OrderState(members["state"]),
                    "due_state": due_state and OrderState(due_state),
                }
            )
        case "refund":
            due = members["due_state"]
            state = WalletRefundState(members["state"])
            return WalletRefund(**{**members, "state": state, "due_state": due and WalletRefundState(due)})
        case "bound":
            return Bound(**members)
        case "clock":
            return ClockMoved(**members)
    raise ValueError(f"no entry of a sandbox book is called {name}")
