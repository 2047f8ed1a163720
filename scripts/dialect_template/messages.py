"""The vendor's tables: which messages there are, their fields in the vendor's order and spelling, and its words.

Source: the vendor's document, section by section. This one is an example vendor that does not exist; replace its tables
by those of yours. What the document leaves open is decided in README.md.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from anytill.core import errors
from anytill.core.lifecycle import PaymentState, RefundState
from anytill.core.secret import Secret

DIALECT: Final = "dialect_template"

PAY: Final = "pay"
QUERY: Final = "query"
CANCEL: Final = "cancel"
REFUND: Final = "refund"
QUERY_REFUND: Final = "query_refund"
#: What a notice is signed as; it has no path of its own, since the merchant chooses the address.
NOTICE: Final = "notice"

PREFIX: Final = "/dialect_template/v1/"
#: Path -> call.
PATHS: Final = {f"{PREFIX}{call}": call for call in (PAY, QUERY, CANCEL, REFUND, QUERY_REFUND)}


@dataclass(frozen=True, slots=True)
class Field:
    """A row of a table. `pattern` must match the value whole; a number's value is its literal text."""

    name: str
    required: bool
    pattern: re.Pattern[str]
    number: bool = False


def _row(name: str, pattern: str, *, required: bool = True, number: bool = False) -> Field:
    return Field(name, required, re.compile(pattern), number)


_NUMBER = r"[0-9A-Za-z_-]{1,64}"
_FEN = r"[1-9][0-9]{0,9}"
_FEN_OR_NOTHING = r"0|[1-9][0-9]{0,9}"
_TEXT = r"(?s:.{0,128})"

ORDER_NO: Final = _row("order_no", _NUMBER)
REFUND_NO: Final = _row("refund_no", _NUMBER)
AMOUNT: Final = _row("amount", _FEN, number=True)

#: The fields of each request, by its call.
REQUESTS: Final[Mapping[str, tuple[Field, ...]]] = {
    PAY: (
        ORDER_NO,
        AMOUNT,
        _row("subject", _TEXT),
        _row("auth_code", r"[0-9]{1,32}"),
        _row("notify_url", r"[!-~]{1,256}", required=False),
        _row("attach", _TEXT, required=False),
    ),
    QUERY: (ORDER_NO,),
    CANCEL: (ORDER_NO,),
    REFUND: (ORDER_NO, REFUND_NO, AMOUNT),
    QUERY_REFUND: (REFUND_NO,),
}
#: `content` of an answer about a payment, and of a notice.
PAYMENT_FIELDS: Final = (
    _row("payment_id", _NUMBER),
    ORDER_NO,
    _row("state", r"[A-Z_]{1,32}"),
    AMOUNT,
    _row("paid", _FEN_OR_NOTHING, number=True),
    _row("wallet", r"[A-Z]{1,16}"),
    _row("reason", _TEXT, required=False),
)
#: `content` of an answer about a refund.
REFUND_FIELDS: Final = (
    _row("refund_id", _NUMBER),
    REFUND_NO,
    ORDER_NO,
    _row("state", r"[A-Z_]{1,32}"),
    AMOUNT,
    _row("refunded", _FEN_OR_NOTHING, number=True),
    _row("reason", _TEXT, required=False),
)


@dataclass(frozen=True, slots=True)
class Pay:
    """A request to pay."""

    order_no: str
    amount_fen: int
    subject: str
    auth_code: Secret
    notify_url: str
    attach: str


@dataclass(frozen=True, slots=True)
class GiveBack:
    """A request to refund."""

    order_no: str
    refund_no: str
    amount_fen: int


@dataclass(frozen=True, slots=True)
class PaymentTold:
    """What an answer or a notice says of a payment."""

    payment_id: str
    order_no: str
    state: str
    amount_fen: int
    paid_fen: int
    wallet: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class RefundTold:
    """What an answer says of a refund."""

    refund_id: str
    refund_no: str
    order_no: str
    state: str
    amount_fen: int
    refunded_fen: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Failure:
    """The answer's failure form: nothing was done."""

    error: str
    text: str


_PS, _RS = PaymentState, RefundState

#: What the vendor calls each state. A payment whose end is open, or that is on its way back, is neither success nor
#: failure: the till must go on asking.
PAYMENT_WORDS: Final[Mapping[PaymentState, str]] = {
    _PS.SUBMITTED: "WAITING",
    _PS.WAITING: "WAITING",
    _PS.UNKNOWN: "WAITING",
    _PS.CANCELLING: "WAITING",
    _PS.REVERSING: "WAITING",
    _PS.PARKED: "WAITING",
    _PS.PAID: "PAID",
    _PS.FAILED: "FAILED",
    _PS.CLOSED: "CLOSED",
    _PS.CANCELLED: "CANCELLED",
}
PAYMENT_STATES: Final[Mapping[str, PaymentState]] = {
    "WAITING": _PS.WAITING,
    "PAID": _PS.PAID,
    "FAILED": _PS.FAILED,
    "CLOSED": _PS.CLOSED,
    "CANCELLED": _PS.CANCELLED,
}
REFUND_WORDS: Final[Mapping[RefundState, str]] = {
    _RS.SUBMITTED: "PROCESSING",
    _RS.PROCESSING: "PROCESSING",
    _RS.UNKNOWN: "PROCESSING",
    _RS.DONE: "DONE",
    _RS.FAILED: "FAILED",
    _RS.RETURNED_TO_CASH: "RETURNED",
}
REFUND_STATES: Final[Mapping[str, RefundState]] = {
    "PROCESSING": _RS.PROCESSING,
    "DONE": _RS.DONE,
    "FAILED": _RS.FAILED,
    "RETURNED": _RS.RETURNED_TO_CASH,
}

#: `error` for each refusal; the text beside it is the refusal's own. A wrong signature and an unknown `app` are told
#: alike, so that nobody learns which ones exist.
REFUSALS: Final[Mapping[type[errors.Refusal], str]] = {
    errors.UnknownCredential: "UNKNOWN_CREDENTIAL",
    errors.ForeignMerchant: "FOREIGN_MERCHANT",
    errors.MerchantInactive: "MERCHANT_INACTIVE",
    errors.NotSupported: "NOT_SUPPORTED",
    errors.InvalidPayCode: "INVALID_PAY_CODE",
    errors.PayCodeInUse: "PAY_CODE_IN_USE",
    errors.AmountNotAllowed: "AMOUNT_NOT_ALLOWED",
    errors.OrderConflict: "ORDER_CONFLICT",
    errors.PaymentNotFound: "PAYMENT_NOT_FOUND",
    errors.NotCancellable: "NOT_CANCELLABLE",
    errors.NotRefundable: "NOT_REFUNDABLE",
    errors.RefundExceedsPaid: "REFUND_EXCEEDS_PAID",
    errors.RefundConflict: "REFUND_CONFLICT",
    errors.TooManyRefunds: "TOO_MANY_REFUNDS",
    errors.RefundNotFound: "REFUND_NOT_FOUND",
    errors.NoticeAddressRefused: "NOTICE_ADDRESS_REFUSED",
    errors.Overloaded: "OVERLOADED",
}
#: `error` for bytes that cannot be accepted, and when the fault is ours.
BAD_MESSAGE: Final = "BAD_MESSAGE"
SYSTEM_ERROR: Final = "SYSTEM_ERROR"
