"""When to act next, as data.

The figures are the channels' and the vendors': a barcode payment is asked about after 5 s and then every 5 s and is
taken back when it is not paid within 60 s (WeChat revokes at 45 s, Alipay closes at 60 s … 3 min, and Teegon tells
its tills to take 60 s for a failure, so the gateway makes that true). All delays are in milliseconds.
"""

from __future__ import annotations

from typing import Final

from anytill.core.lifecycle import OPEN_REFUND_STATES, UNPAID_STATES, PaymentState, RefundState
from anytill.core.payment import AT_THE_TILL, Method, Payment, Refund

SECOND: Final = 1_000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR

#: From acceptance to the moment the gateway takes an unpaid order back.
TILL_DEADLINE_MS: Final = 60 * SECOND
ORDER_DEADLINE_MS: Final = 30 * MINUTE
#: An order whose pay call may still be on its way is not cancelled earlier: the cancel could overtake the pay.
CANCEL_NOT_BEFORE_MS: Final = 15 * SECOND
#: A payer's code that paid an order is not accepted for another one this long: a till that lost our answer and sells
#: again under a new number must not charge twice.
CODE_HELD_MS: Final = 10 * MINUTE
#: Of vendors whose refunds have no number: an equal request within this time of a refund's end is that refund. Less
#: than the 426 s that lie between two refunds of one amount in a vendor's own example.
SAME_REFUND_MS: Final = MINUTE
EQUAL_REFUNDS_A_DAY: Final = 5
#: After an unpaid end the channel is asked once more: a pay call that was overtaken must not be kept.
LAST_LOOK_MS: Final = 30 * SECOND
#: While an order's own pay or refund call is under way nobody knows more than it will tell: a till that asks then is
#: told what is stored. After this the call is given up for lost.
CALL_UNDER_WAY_MS: Final = 5 * SECOND

_PAYMENT_STEPS: Final = (CALL_UNDER_WAY_MS,)
_ORDER_STEPS: Final = (*(5 * SECOND,) * 12, *(10 * SECOND,) * 12, 30 * SECOND)
_UNDO_STEPS: Final = (*(3 * SECOND,) * 5, *(10 * SECOND,) * 6, MINUTE, MINUTE, 5 * MINUTE, 5 * MINUTE, HOUR)
_LAST_LOOK_STEPS: Final = (LAST_LOOK_MS, MINUTE, 10 * MINUTE, HOUR, 6 * HOUR, DAY)
_REFUND_STEPS: Final = (*(5 * SECOND,) * 12, *(30 * SECOND,) * 10, 5 * MINUTE, 5 * MINUTE, HOUR)


def _step(steps: tuple[int, ...], tries: int) -> int:
    return steps[min(tries, len(steps) - 1)]


def deadline_ms(method: Method) -> int:
    """How long an order of this method may stay unpaid when the till does not say otherwise."""
    return TILL_DEADLINE_MS if method in AT_THE_TILL else ORDER_DEADLINE_MS


def payment_due_at(payment: Payment, now_ms: int) -> int | None:
    """When the gateway must act on this payment next, given its state and how often it was asked; None: never."""
    if payment.is_open:
        steps = _PAYMENT_STEPS if payment.method in AT_THE_TILL else _ORDER_STEPS
        due = now_ms + _step(steps, payment.asked)
        return min(due, payment.deadline_at_ms) if now_ms < payment.deadline_at_ms else now_ms
    if payment.state is PaymentState.CANCELLING:
        return max(now_ms + _step(_UNDO_STEPS, payment.asked), cancel_from_ms(payment))
    if payment.state is PaymentState.REVERSING:
        return now_ms + _step(_UNDO_STEPS, payment.asked)
    if payment.state is PaymentState.PARKED:
        return max(payment.deadline_at_ms, now_ms)
    return None


def last_look_at(tries: int, now_ms: int) -> int:
    """When an unpaid end is looked at again, after `tries` silent looks."""
    return now_ms + _step(_LAST_LOOK_STEPS, tries)


def is_overdue(payment: Payment) -> bool:
    """True when the channel has been silent or unwilling for so long that a person should hear of it, at each try."""
    if payment.is_undoing:
        return payment.asked >= len(_UNDO_STEPS)
    return payment.state in UNPAID_STATES and payment.asked >= len(_LAST_LOOK_STEPS)


def is_refund_overdue(refund: Refund) -> bool:
    """Likewise for a refund."""
    return refund.state in OPEN_REFUND_STATES and refund.asked >= len(_REFUND_STEPS)


def cancel_from_ms(payment: Payment) -> int:
    """The first moment at which a cancel cannot overtake this payment's own pay call.

    Once the channel has answered with its own number the pay call has arrived, and there is nothing to overtake.
    """
    return payment.created_at_ms + (0 if payment.channel_trade_no else CANCEL_NOT_BEFORE_MS)


def is_same_refund(earlier: Refund, now_ms: int) -> bool:
    """Whether who asks for an equal refund without a number now means the earlier one: its end may only just have been
    told, and the telling been lost. One that surely failed moved nothing, and may be tried again at once."""
    if earlier.state is RefundState.FAILED:
        return False
    ended_at_ms = earlier.ended_at_ms or earlier.created_at_ms
    return earlier.state in OPEN_REFUND_STATES or now_ms - ended_at_ms < SAME_REFUND_MS


def refund_due_at(refund: Refund, now_ms: int) -> int | None:
    """When the channel must be asked about this refund next; None: never."""
    return now_ms + _step(_REFUND_STEPS, refund.asked) if refund.state in OPEN_REFUND_STATES else None
