"""Refusals: what the gateway will not do, one class for each decision a caller can make.

A refusal is always told before anything was changed. The class docstring is the message, so it says what to do.
Every dialect maps every class to its vendor's code and text; a shared test fails when one is missing. Declined,
waiting or unknown payments are not errors: they are payments, and are returned as such.
"""

from __future__ import annotations


class Refusal(Exception):
    """The gateway refuses."""

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail or " ".join((type(self).__doc__ or "").split()))


class UnknownCredential(Refusal):
    """The credential is not known or is switched off: check login and key with the operator."""


class ForeignMerchant(Refusal):
    """The credential does not speak for this merchant: check the merchant number."""


class MerchantInactive(Refusal):
    """The merchant is waiting for approval or switched off: ask the operator."""


class NotSupported(Refusal):
    """This dialect or channel cannot do that: use another way."""


class InvalidPayCode(Refusal):
    """The code is not a payer's code of any wallet: scan it again."""


class PayCodeInUse(Refusal):
    """The payer's code already has a payment: ask about that order, or let the payer show a new code."""


class AmountNotAllowed(Refusal):
    """The amount is outside what this merchant may take: check it, or ask the operator."""


class OrderConflict(Refusal):
    """This order number already has a sale with other contents: ask for its result first; do not charge again before
    it is known."""


class PaymentNotFound(Refusal):
    """The merchant has no such payment: check the number."""


class NotCancellable(Refusal):
    """The payment can no longer be cancelled: refund it instead."""


class NotRefundable(Refusal):
    """The payment is not paid, or is being cancelled: ask about its state."""


class RefundExceedsPaid(Refusal):
    """Together with earlier refunds this is more than was paid: check the amount."""


class RefundConflict(Refusal):
    """The refund number was used with other contents: ask about that refund before anything is given back again."""


class TooManyRefunds(Refusal):
    """The same part of this payment was given back too often today: look at its refunds, then ask the operator."""


class RefundNotFound(Refusal):
    """The merchant has no such refund: check the number."""


class NoticeAddressRefused(Refusal):
    """Notices are not sent to this address: use a public http or https address."""


class Overloaded(Refusal):
    """The gateway is too busy to accept more: nothing was accepted, try again in a moment."""


def refusal_classes() -> frozenset[type[Refusal]]:
    """Every class of refusal; what a dialect's table must cover."""
    return frozenset(Refusal.__subclasses__())
