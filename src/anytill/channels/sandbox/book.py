"""The wallet's book in memory: what is, by number, and what follows from it.

`apply` is the only way in, for an entry that has just been decided and for one that is read back; so a book that is
read back is the book that was written.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from anytill.channels.sandbox.records import (
    Bound,
    ClockMoved,
    Entry,
    Key,
    Order,
    OrderState,
    WalletRefund,
    WalletRefundState,
)
from anytill.core.money import CNY
from anytill.wire.jsontext import Json

#: States in which an order keeps the payer's code it was made with.
_USES_ITS_CODE = frozenset({OrderState.WAITING, OrderState.PAID, OrderState.REVERSED})


@dataclass(frozen=True, slots=True)
class GivenBack:
    """What became of an order's refunds, in fen."""

    refunded_fen: int = 0
    returned_fen: int = 0
    processing_fen: int = 0

    @property
    def held_fen(self) -> int:
        """What cannot be given back once more."""
        return self.refunded_fen + self.returned_fen + self.processing_fen


@dataclass(slots=True)
class Book:
    """Orders, refunds and bound codes. Two books are equal when they hold the same entries."""

    orders: dict[Key, Order] = field(default_factory=dict)
    refunds: dict[Key, WalletRefund] = field(default_factory=dict)
    bound: dict[str, str] = field(default_factory=dict)  # digest of a code -> merchant
    offset_ms: int = 0
    serial: int = 0  # orders and refunds ever made: the source of the wallet's own numbers
    _code_user: dict[str, Key] = field(default_factory=dict)
    _of_merchant_order: dict[str, list[Key]] = field(default_factory=lambda: defaultdict(list))
    _of_channel_order: dict[str, list[Key]] = field(default_factory=lambda: defaultdict(list))
    _refunds_of: dict[Key, list[Key]] = field(default_factory=lambda: defaultdict(list))

    def apply(self, entry: Entry) -> None:
        """Make the entry so."""
        match entry:
            case Order():
                self._apply_order(entry)
            case WalletRefund():
                if entry.key not in self.refunds:
                    self.serial += 1
                    self._refunds_of[entry.merchant_id, entry.channel_order].append(entry.key)
                self.refunds[entry.key] = entry
            case Bound():
                self.bound[entry.code] = entry.merchant_id
            case ClockMoved():
                self.offset_ms += entry.by_ms

    def _apply_order(self, order: Order) -> None:
        if order.key not in self.orders:
            self.serial += 1
            self._of_merchant_order[order.merchant_order].append(order.key)
            self._of_channel_order[order.channel_order].append(order.key)
        self.orders[order.key] = order
        if order.code:
            self._code_user[order.code] = order.key

    def code_user(self, code: str) -> Order | None:
        """The order that uses the payer's code of this digest, if any does."""
        key = self._code_user.get(code)
        order = self.orders[key] if key else None
        return order if order and order.state in _USES_ITS_CODE else None

    def orders_called(self, *, merchant_order: str = "", channel_order: str = "") -> Sequence[Order]:
        """All merchants' orders of one number, by the merchant's number if given, else by the channel's."""
        index, number = self._of_merchant_order, merchant_order
        if not merchant_order:
            index, number = self._of_channel_order, channel_order
        return [self.orders[key] for key in index.get(number, ())]

    def refunds_of(self, order: Order) -> Sequence[WalletRefund]:
        """An order's refunds, oldest first."""
        return [self.refunds[key] for key in self._refunds_of.get(order.key, ())]

    def given_back(self, order: Order) -> GivenBack:
        """The sums of an order's refunds."""
        sums = dict.fromkeys(WalletRefundState, 0)
        for refund in self.refunds_of(order):
            sums[refund.state] += refund.amount_fen
        return GivenBack(
            sums[WalletRefundState.DONE], sums[WalletRefundState.RETURNED], sums[WalletRefundState.PROCESSING]
        )

    def amounts(self, order: Order) -> dict[str, int]:
        """Every sum of an order, in fen. net_fen is what the wallet still holds of it for the merchant."""
        back = self.given_back(order)
        return {
            "amount_fen": order.amount_fen,
            "charged_fen": order.charged_fen,
            "coupon_fen": order.coupon_fen,
            "refunded_fen": back.refunded_fen,
            "returned_fen": back.returned_fen,
            "processing_fen": back.processing_fen,
            "reversed_fen": order.reversed_fen,
            "net_fen": order.charged_fen - back.refunded_fen - back.returned_fen - order.reversed_fen,
        }

    def row(self, order: Order) -> dict[str, Json]:
        """An order with its sums and refunds as JSON."""
        return {
            "merchant_id": order.merchant_id,
            "merchant_order": order.merchant_order,
            "channel_order": order.channel_order,
            "channel_trade_no": order.channel_trade_no,
            "wallet": order.wallet.value,
            "method": order.method.value,
            "state": order.state.value,
            "reason": order.told_reason,
            "payer_id": order.payer_id,
            "currency": order.currency,
            **({"slip": {**order.slip}} if order.slip else {}),
            **self.amounts(order),
            "created_at_ms": order.created_at_ms,
            "paid_at_ms": order.paid_at_ms,
            "refunds": [_refund_row(refund) for refund in self.refunds_of(order)],
        }

    def totals(self) -> dict[str, Json]:
        """The whole book in a few numbers: how many orders stand where, and each sum of `amounts` over all orders in
        yuan; those in another currency under its name, for sums of two currencies mean nothing."""
        states: Counter[str] = Counter()
        sums: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for order in self.orders.values():
            states[order.state.value] += 1
            sums[order.currency].update(self.amounts(order))
        in_yuan = sums.pop(CNY, Counter())
        others: dict[str, Json] = {currency: {**each} for currency, each in sums.items()}
        return {"orders": len(self.orders), "refunds": len(self.refunds), "states": {**states}, **in_yuan, **others}


def _refund_row(refund: WalletRefund) -> Json:
    return {
        "merchant_refund": refund.merchant_refund,
        "channel_refund": refund.channel_refund,
        "channel_refund_no": refund.channel_refund_no,
        "amount_fen": refund.amount_fen,
        "state": refund.state.value,
        "reason": refund.reason,
    }
