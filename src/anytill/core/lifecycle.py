"""The life of a payment and of a refund, each in one table. Nothing else in anytill moves the state of either; a
notice has a life of its own, in `gateway/notices.py`.

How to read it: `PAYMENT_MOVES[state][event]` is the next state. An event that is missing for a state may not happen
there, and asking for it raises `IllegalMove`: then a person is alarmed and the record stays as it is. A repeat that
changes nothing is written out as a move to itself, so that every silence in the table is deliberate.

An event is something somebody said: mostly the channel's word (asked by pay, query or cancel), sometimes our own
decision (`CANCEL_ASKED`). Three rules shaped the table:

* Silence is not a no. A channel that does not answer leads to UNKNOWN, which is asked about again; only an explicit
  REFUSED or CLOSED ends a payment unpaid. NOT_FOUND is no ending either: the pay call may still be on its way.
* An ended payment stays ended, unless the order turns up again. Money that comes after we told the till otherwise, or
  after the till's deadline (PAID_LATE), moves the payment to REVERSING: it goes back, and the till was not lied to. An
  order that turns out to be waiting for its payer moves to CANCELLING, so that nobody pays it.
* Contradictions are for people. A channel that confirms another amount than was asked parks the payment (PARKED):
  it is neither success nor failure until someone, or the order's deadline, takes the money back.

The drawings in docs/en/lifecycle.md and docs/zh/lifecycle.md are made from these tables, and
tests/core/test_lifecycle.py walks every pair.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class IllegalMove(ValueError):
    """The table has no such move; whoever asked has a stale or a wrong idea of the payment."""


class PaymentState(StrEnum):
    """Where a payment stands."""

    SUBMITTED = "SUBMITTED"  # accepted and durable; the channel has not been heard yet
    WAITING = "WAITING"  # the channel has it and waits for the payer
    UNKNOWN = "UNKNOWN"  # the channel did not answer, or does not know it (yet)
    PAID = "PAID"  # the channel confirmed exactly the amount that was asked
    FAILED = "FAILED"  # the channel said no
    CLOSED = "CLOSED"  # ended unpaid at the channel: expired, or closed there
    CANCELLING = "CANCELLING"  # we want it undone and do not know that money moved
    REVERSING = "REVERSING"  # money moved and is on its way back to the payer
    CANCELLED = "CANCELLED"  # undone by the till or at its deadline; money, if any moved, is back
    PARKED = "PARKED"  # the channel contradicts what was asked: a person must look


class PaymentEvent(StrEnum):
    """What was said about a payment."""

    PAID = "PAID"
    PAID_LATE = "PAID_LATE"  # the payer paid at the till's deadline or after it: too late to be believed
    WAITING = "WAITING"
    REFUSED = "REFUSED"
    CLOSED = "CLOSED"
    CANCELLED = "CANCELLED"  # answer to a cancel, or learnt by query
    CANCEL_REFUSED = "CANCEL_REFUSED"
    NOT_FOUND = "NOT_FOUND"
    SILENT = "SILENT"
    MISMATCHED = "MISMATCHED"  # success, but with another amount or currency than was asked
    CANCEL_ASKED = "CANCEL_ASKED"  # our own decision: the till's wish, or the deadline


class RefundState(StrEnum):
    """Where a refund stands."""

    SUBMITTED = "SUBMITTED"
    PROCESSING = "PROCESSING"
    UNKNOWN = "UNKNOWN"
    DONE = "DONE"
    FAILED = "FAILED"
    RETURNED_TO_CASH = "RETURNED_TO_CASH"  # it could not reach the payer; the merchant holds it and must pay by hand


class RefundEvent(StrEnum):
    """What was said about a refund."""

    DONE = "DONE"
    PROCESSING = "PROCESSING"
    REFUSED = "REFUSED"
    RETURNED = "RETURNED"
    NOT_FOUND = "NOT_FOUND"
    SILENT = "SILENT"


_S, _E = PaymentState, PaymentEvent

#: What may happen to a payment whose end the channel has not told yet.
_OPEN = {
    _E.PAID: _S.PAID,
    _E.PAID_LATE: _S.REVERSING,
    _E.WAITING: _S.WAITING,
    _E.REFUSED: _S.FAILED,
    _E.CLOSED: _S.CLOSED,
    _E.CANCELLED: _S.CANCELLED,
    _E.NOT_FOUND: _S.UNKNOWN,
    _E.SILENT: _S.UNKNOWN,
    _E.MISMATCHED: _S.PARKED,
    _E.CANCEL_ASKED: _S.CANCELLING,
}


def _ended(state: PaymentState) -> dict[PaymentEvent, PaymentState]:
    """An unpaid ending: every kind of "nothing there" confirms it. Money that turns up goes back, and an order that
    turns out to be waiting for its payer is taken back before he pays."""
    confirms = (_E.REFUSED, _E.CLOSED, _E.CANCELLED, _E.NOT_FOUND, _E.SILENT)
    money = (_E.PAID, _E.PAID_LATE, _E.MISMATCHED)
    return {**dict.fromkeys(confirms, state), **dict.fromkeys(money, _S.REVERSING), _E.WAITING: _S.CANCELLING}


PAYMENT_MOVES: Mapping[PaymentState, Mapping[PaymentEvent, PaymentState]] = MappingProxyType(
    {
        _S.SUBMITTED: _OPEN,
        # A waiting order is known to exist at the channel: silence does not make it less so.
        _S.WAITING: {**_OPEN, _E.SILENT: _S.WAITING},
        _S.UNKNOWN: _OPEN,
        _S.PAID: {_E.PAID: _S.PAID, _E.PAID_LATE: _S.PAID, _E.CANCEL_ASKED: _S.REVERSING},
        _S.FAILED: _ended(_S.FAILED),
        _S.CLOSED: _ended(_S.CLOSED),
        _S.CANCELLED: _ended(_S.CANCELLED),
        _S.CANCELLING: {
            _E.CANCELLED: _S.CANCELLED,
            _E.CLOSED: _S.CANCELLED,
            _E.REFUSED: _S.CANCELLED,
            # Paid between our last look and the cancel: the till is told "cancelled", so the money goes back.
            _E.PAID: _S.REVERSING,
            _E.PAID_LATE: _S.REVERSING,
            _E.MISMATCHED: _S.REVERSING,
            _E.WAITING: _S.CANCELLING,
            _E.NOT_FOUND: _S.CANCELLING,
            _E.SILENT: _S.CANCELLING,
            _E.CANCEL_REFUSED: _S.CANCELLING,
            _E.CANCEL_ASKED: _S.CANCELLING,
        },
        _S.REVERSING: {
            _E.CANCELLED: _S.CANCELLED,
            # Some channels say so of an order whose money is all back.
            _E.CLOSED: _S.CANCELLED,
            # Cancel too late at the channel: the whole amount is refunded instead, so the state stays.
            _E.CANCEL_REFUSED: _S.REVERSING,
            _E.PAID: _S.REVERSING,
            _E.PAID_LATE: _S.REVERSING,
            _E.MISMATCHED: _S.REVERSING,
            _E.WAITING: _S.REVERSING,
            _E.SILENT: _S.REVERSING,
            _E.NOT_FOUND: _S.REVERSING,
            _E.CANCEL_ASKED: _S.REVERSING,
            # Neither cancel nor refund: nobody but a person can give this money back.
            _E.REFUSED: _S.PARKED,
        },
        _S.PARKED: {_E.MISMATCHED: _S.PARKED, _E.CANCEL_ASKED: _S.REVERSING},
    }
)

_R, _F = RefundState, RefundEvent

_REFUND_OPEN = {
    _F.DONE: _R.DONE,
    _F.PROCESSING: _R.PROCESSING,
    _F.REFUSED: _R.FAILED,
    _F.RETURNED: _R.RETURNED_TO_CASH,
    _F.NOT_FOUND: _R.UNKNOWN,
    _F.SILENT: _R.UNKNOWN,
}

REFUND_MOVES: Mapping[RefundState, Mapping[RefundEvent, RefundState]] = MappingProxyType(
    {
        _R.SUBMITTED: _REFUND_OPEN,
        _R.PROCESSING: {**_REFUND_OPEN, _F.SILENT: _R.PROCESSING},
        # Asked again, and sent again under the same number if the channel never heard of it.
        _R.UNKNOWN: _REFUND_OPEN,
        _R.DONE: {_F.DONE: _R.DONE},
        # A refund that happened although the channel had said no: what moved is booked, if the payment has it.
        _R.FAILED: {_F.REFUSED: _R.FAILED, _F.NOT_FOUND: _R.FAILED, _F.DONE: _R.DONE},
        _R.RETURNED_TO_CASH: {_F.RETURNED: _R.RETURNED_TO_CASH},
    }
)

#: Words that say what was not heard or not seen: to a record that others have moved since they are no news.
FAINT_WORDS = frozenset({_E.SILENT, _E.WAITING, _E.NOT_FOUND})
FAINT_REFUND_WORDS = frozenset({_F.SILENT, _F.PROCESSING, _F.NOT_FOUND})

#: The payer may still pay, or may have paid: the till must not be told an end.
OPEN_STATES = frozenset({_S.SUBMITTED, _S.WAITING, _S.UNKNOWN})
#: On the way back; the till asked for it (or the deadline did) and is not told "done" before it is.
UNDOING_STATES = frozenset({_S.CANCELLING, _S.REVERSING})
#: Ended, and not paid.
UNPAID_STATES = frozenset({_S.FAILED, _S.CLOSED, _S.CANCELLED})
#: A refund that holds its share of the payment but is not done.
OPEN_REFUND_STATES = frozenset({_R.SUBMITTED, _R.PROCESSING, _R.UNKNOWN})


def next_state(state: PaymentState, event: PaymentEvent) -> PaymentState:
    """Where `event` takes a payment that stands at `state`. Raises IllegalMove when the table has no such move."""
    try:
        return PAYMENT_MOVES[state][event]
    except KeyError:
        raise IllegalMove(f"a {state} payment cannot see {event}") from None


def next_refund_state(state: RefundState, event: RefundEvent) -> RefundState:
    """Where `event` takes a refund that stands at `state`. Raises IllegalMove when the table has no such move."""
    try:
        return REFUND_MOVES[state][event]
    except KeyError:
        raise IllegalMove(f"a {state} refund cannot see {event}") from None
