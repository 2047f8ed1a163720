"""The protocol's vocabulary: functions, channels, codes, and what each state and each refusal is told as (sections 3 to
5 of the source).

An answer has two codes. The outer one (`respcd` beside `data`) is one of the document's nine and says what became of
the request; the inner one (`respcd` in `data`) says what became of the payment or refund, and tells every refusal from
every other. The inner ones are those of the vendor's public table where that has one, else ours, which begin with 9.

Three rules made the tables. 6000 is told of nothing but what is done and certain. 6001 and 6002 are told only when
surely nothing was charged, or nothing given back. What is not known yet is 4005 with 1145 inside, and its text says
what has to be asked before any money moves again. Texts are English, as registers in Hong Kong show them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from anytill.core import errors
from anytill.core.card import CardScheme
from anytill.core.lifecycle import PaymentState, RefundState
from anytill.core.payment import Method
from anytill.core.wallet import Wallet

NAME: Final = "qfpay"


class FuncType(StrEnum):
    """`func_type`: what a request wants."""

    TRADE = "1001"
    REFUND = "1002"
    PRINT_RECEIPT = "3001"
    PRINT_SUMMARY = "3002"
    INQUIRY = "4001"
    CANCEL_REQUEST = "5001"


#: Over HTTP each function has a path of its own.
PATHS: Final[Mapping[str, FuncType]] = {
    "/api/pos/trade": FuncType.TRADE,
    "/api/pos/cancel": FuncType.REFUND,
    "/api/pos/print_receipt": FuncType.PRINT_RECEIPT,
    "/api/pos/transaction_info": FuncType.PRINT_SUMMARY,
    "/api/pos/query_transaction": FuncType.INQUIRY,
    "/api/pos/cancel_request": FuncType.CANCEL_REQUEST,
}


class Channel(StrEnum):
    """`channel`: what the payer pays with."""

    CARD_PAYMENT = "card_payment"
    WX = "wx"
    ALIPAY = "alipay"
    PAYME = "payme"
    UNION = "union"
    FPS = "fps"
    OCTOPUS = "octopus"
    UNIONPAY_CARD = "unionpay_card"
    AMEX_CARD = "amex_card"


class ScanType(StrEnum):
    """`scan_type`: who scans whom."""

    QRCODE_PAY = "QRCODE_PAY"  # the terminal shows a code
    SCAN_PAY = "SCAN_PAY"  # the terminal scans the payer's


#: `notify_type` of a notice of a payment.
PAYMENT_NOTIFY_TYPE: Final = "payment"


class RefundNotifyType(StrEnum):
    """`notify_type` of a refund's notice."""

    CANCEL = "cancel"  # as terminals were recorded
    REFUND = "refund"  # as the vendor's pages have it


@dataclass(frozen=True, slots=True)
class ChannelKind:
    """How a channel is paid: its pay type (`busicd`) by method, so that it has the methods that are there."""

    title: str
    wallet: Wallet
    pay_types: Mapping[Method, str]
    schemes: tuple[CardScheme, ...] = ()  # that may be tapped


_CARD, _SCAN, _QR = Method.CARD, Method.BARCODE, Method.QR

CHANNELS: Final[Mapping[Channel, ChannelKind]] = {
    Channel.CARD_PAYMENT: ChannelKind(
        "Visa / Mastercard", Wallet.CARD, {_CARD: "802808"}, (CardScheme.VISA, CardScheme.MASTERCARD)
    ),
    Channel.WX: ChannelKind("WeChat Pay", Wallet.WECHAT, {_SCAN: "800208", _QR: "800201"}),
    Channel.ALIPAY: ChannelKind("Alipay", Wallet.ALIPAY, {_SCAN: "800108", _QR: "800101"}),
    Channel.PAYME: ChannelKind("PayMe", Wallet.PAYME, {_SCAN: "805808", _QR: "805801"}),
    Channel.UNION: ChannelKind("UnionPay QR", Wallet.UNIONPAY, {_SCAN: "800708", _QR: "800701"}),
    Channel.FPS: ChannelKind("FPS", Wallet.FPS, {_QR: "802001"}),
    Channel.OCTOPUS: ChannelKind("Octopus", Wallet.OCTOPUS, {_CARD: "803708"}, (CardScheme.OCTOPUS,)),
    Channel.UNIONPAY_CARD: ChannelKind("UnionPay card", Wallet.CARD, {_CARD: "806708"}, (CardScheme.UNIONPAY,)),
    Channel.AMEX_CARD: ChannelKind("American Express", Wallet.CARD, {_CARD: "806808"}, (CardScheme.AMEX,)),
}
PAY_TYPES: Final[Mapping[str, tuple[Channel, Method]]] = {
    pay_type: (channel, method) for channel, kind in CHANNELS.items() for method, pay_type in kind.pay_types.items()
}
#: `txcurrcd`: terminals tell it by its number (ISO 4217), notices by its letters.
CURRENCY_NUMBERS: Final[Mapping[str, str]] = {"HKD": "344", "CNY": "156"}


class Code(StrEnum):
    """The outer `respcd`."""

    KEY_MISMATCH = "4003"
    WRONG_METHOD = "4004"
    OTHER = "4005"
    BAD_PARAMETER = "4006"
    NOT_LOGGED_IN = "4007"
    NOT_DECRYPTED = "5001"
    DONE = "6000"
    USER_CANCELLED = "6001"
    FAILED = "6002"


#: The inner codes that say how a payment or a refund stands.
SUCCESS: Final = "0000"
OPEN: Final = "1145"


@dataclass(frozen=True, slots=True)
class Word:
    """What is said of a state, or for a refusal: outer code, inner code, and a text that says what to do."""

    code: Code
    inner: str
    text: str


class CallRefused(Exception):
    """A refusal that is this protocol's own."""

    def __init__(self, word: Word) -> None:
        super().__init__(word.text)
        self.word = word


_PS, _RS = PaymentState, RefundState
_ASK: Final = "Result unknown: inquire by out_trade_no before charging again"
_ASK_REFUND: Final = "Refund result unknown: inquire about the payment before refunding again, and give no cash"

#: A payment's state, as a trade and an inquiry tell it.
PAYMENT_WORDS: Final[Mapping[PaymentState, Word]] = {
    _PS.PAID: Word(Code.DONE, SUCCESS, "Transaction successful"),
    _PS.SUBMITTED: Word(Code.OTHER, OPEN, _ASK),
    _PS.WAITING: Word(Code.OTHER, OPEN, f"Waiting for the payer. {_ASK}"),
    _PS.UNKNOWN: Word(Code.OTHER, OPEN, _ASK),
    _PS.PARKED: Word(Code.OTHER, OPEN, f"The channel took another amount than was asked. {_ASK}"),
    _PS.CANCELLING: Word(Code.OTHER, OPEN, f"The payment is being cancelled. {_ASK}"),
    _PS.REVERSING: Word(Code.OTHER, OPEN, f"The money is on its way back to the payer. {_ASK}"),
    _PS.FAILED: Word(Code.FAILED, "1205", "Payment declined, nothing was charged: charge again under a new number"),
    _PS.CLOSED: Word(Code.FAILED, "1181", "Order closed unpaid, nothing was charged: charge again under a new number"),
    _PS.CANCELLED: Word(Code.FAILED, "1142", "Payment cancelled, nothing was charged or all of it was given back"),
}
GIVEN_BACK: Final = Word(
    Code.DONE, SUCCESS, "Transaction successful, but all of it was given back since: charge again under a new number"
)
#: For the client: what an inner code says of a payment.
PAYMENT_STATES: Final[Mapping[str, PaymentState]] = {
    SUCCESS: _PS.PAID,
    OPEN: _PS.UNKNOWN,
    **{PAYMENT_WORDS[state].inner: state for state in (_PS.FAILED, _PS.CLOSED, _PS.CANCELLED)},
}
REFUND_WORDS: Final[Mapping[RefundState, Word]] = {
    _RS.DONE: Word(Code.DONE, SUCCESS, "Refund successful"),
    _RS.SUBMITTED: Word(Code.OTHER, OPEN, _ASK_REFUND),
    _RS.PROCESSING: Word(Code.OTHER, OPEN, f"The refund is being processed. {_ASK_REFUND}"),
    _RS.UNKNOWN: Word(Code.OTHER, OPEN, _ASK_REFUND),
    _RS.FAILED: Word(Code.FAILED, "1155", "Refund denied, nothing was given back"),
    _RS.RETURNED_TO_CASH: Word(
        Code.FAILED, "9020", "The refund did not reach the payer and is with the merchant: pay it by hand, not again"
    ),
}
REFUND_STATES: Final[Mapping[str, RefundState]] = {
    SUCCESS: _RS.DONE,
    OPEN: _RS.UNKNOWN,
    **{REFUND_WORDS[state].inner: state for state in (_RS.FAILED, _RS.RETURNED_TO_CASH)},
}

# A trade that ended before anything was presented, or sent.
CANCELLED: Final = Word(Code.USER_CANCELLED, "1142", "Cancelled, nothing was charged")
TIMED_OUT: Final = Word(Code.FAILED, "1181", "Nothing was presented in time, nothing was charged")
NOT_ACCEPTED: Final = Word(
    Code.FAILED, "1181", "Only what this channel does not take was presented, nothing was charged"
)
NUMBER_SPENT: Final = Word(
    Code.FAILED, "1181", "Nothing was charged under this number, nor will be: charge again under a new number"
)
REFUND_CANCELLED: Final = Word(Code.USER_CANCELLED, "1155", "Cancelled, nothing was given back")
REFUND_TIMED_OUT: Final = Word(Code.FAILED, "1155", "The amount was not confirmed in time, nothing was given back")
#: A trade that still waits at the terminal.
AWAITED: Final = Word(Code.DONE, OPEN, "The terminal waits for the payer")

# What has to do with the request as such.
KEY_MISMATCH: Final = Word(Code.KEY_MISMATCH, "1108", "Refused: check the POS-KEY and the digest")
NOT_DECRYPTED: Final = Word(Code.NOT_DECRYPTED, "1103", "Not a request: send base64 of what AES encrypted")
TOO_LONG: Final = Word(Code.BAD_PARAMETER, "1103", "The request is too long")
WRONG_METHOD: Final = Word(Code.WRONG_METHOD, "1103", "Use POST")
NO_SUCH_PATH: Final = Word(Code.BAD_PARAMETER, "1103", "There is no such path")
OTHER_PATH: Final = Word(Code.BAD_PARAMETER, "1104", "func_type belongs to another path")
BUSY: Final = Word(Code.OTHER, "9010", "The terminal is busy with another request, nothing was done: try again later")
SAME_UNDER_WAY: Final = Word(Code.OTHER, OPEN, "This trade is under way at the terminal: inquire by out_trade_no")
NOTHING_TO_CANCEL: Final = Word(Code.FAILED, "9011", "Nothing waits at the terminal: nothing to cancel")
CANCEL_UNSURE: Final = Word(
    Code.OTHER,
    OPEN,
    "Too late to be sure: the trade's own answer says what became of it; inquire before charging again",
)
REFUND_UNDER_WAY: Final = Word(
    Code.OTHER, OPEN, "The refund is under way and cannot be stopped: its own answer says what became of it"
)
SAME_REFUND_UNDER_WAY: Final = Word(
    Code.OTHER, OPEN, "This refund is under way at the terminal: inquire about the payment before refunding again"
)
TOO_LATE: Final = Word(Code.FAILED, "9012", "The payment is done: refund it instead")
CANCEL_DONE: Final = Word(Code.DONE, SUCCESS, "Cancelled: nothing was charged, and nothing given back")
PRINTED: Final = Word(Code.DONE, SUCCESS, "Printed")
NO_PAPER: Final = Word(Code.FAILED, "9013", "Not printed: check the printer and its paper")
WHOLE_ONLY: Final = Word(
    Code.BAD_PARAMETER, "9014", "A card payment of today can only be refunded whole, nothing was given back"
)
SYSTEM_ERROR: Final = Word(Code.OTHER, OPEN, f"Fault at the terminal. {_ASK}")


def bad_parameter(what: str) -> Word:
    """4006 with the sentence that says which field, and what it must be."""
    return Word(Code.BAD_PARAMETER, "1104", what)


REFUSALS: Final[Mapping[type[errors.Refusal], Word]] = {
    errors.UnknownCredential: Word(Code.NOT_LOGGED_IN, "1106", "This terminal is not known or switched off"),
    errors.ForeignMerchant: Word(Code.NOT_LOGGED_IN, "1107", "This terminal has no merchant: ask the operator"),
    errors.MerchantInactive: Word(Code.FAILED, "1203", "The merchant is switched off: ask the operator"),
    errors.NotSupported: Word(Code.FAILED, "9001", "The merchant does not take this way of paying: use another one"),
    errors.InvalidPayCode: Word(Code.FAILED, "1202", "Not a valid code or card, nothing was charged: present it again"),
    errors.PayCodeInUse: Word(
        Code.FAILED, "9002", "What was presented already has a payment: inquire about it, or let the payer refresh it"
    ),
    errors.AmountNotAllowed: Word(Code.BAD_PARAMETER, "9003", "The amount is outside what the merchant may take"),
    errors.OrderConflict: Word(
        Code.BAD_PARAMETER,
        "1102",
        "out_trade_no has a trade with other contents: inquire about it before charging again",
    ),
    errors.PaymentNotFound: Word(Code.FAILED, "1136", "There is no such transaction: check the number"),
    errors.NotCancellable: Word(Code.FAILED, "1101", "The payment can no longer be cancelled: refund it instead"),
    errors.NotRefundable: Word(Code.FAILED, "9004", "The payment is not paid, or is being cancelled: inquire about it"),
    errors.RefundExceedsPaid: Word(Code.FAILED, "1125", "With earlier refunds this is more than was paid"),
    errors.RefundConflict: Word(
        Code.BAD_PARAMETER, "9005", "Another refund has this number: inquire about the payment"
    ),
    errors.TooManyRefunds: Word(
        Code.FAILED, "9006", "The same amount was refunded too often today: look at the refunds, then ask the operator"
    ),
    errors.RefundNotFound: Word(Code.FAILED, "9007", "There is no such refund: check the number"),
    errors.NoticeAddressRefused: Word(Code.FAILED, "9008", "The terminal's notify_url is not public: ask the operator"),
    errors.Overloaded: Word(Code.FAILED, "1100", "The gateway is busy, nothing was accepted: try again in a moment"),
}
#: For the client: refusals by inner code. 4003 is UnknownCredential too.
REFUSALS_OF_CODE: Final[Mapping[str, type[errors.Refusal]]] = {
    **{word.inner: refusal for refusal, word in REFUSALS.items()},
    KEY_MISMATCH.inner: errors.UnknownCredential,
}
#: Every code and text there is, for the documentation and its test.
TOLD: Final[tuple[Word, ...]] = (
    *PAYMENT_WORDS.values(),
    *REFUND_WORDS.values(),
    *(GIVEN_BACK, CANCELLED, TIMED_OUT, NOT_ACCEPTED, NUMBER_SPENT, REFUND_CANCELLED, REFUND_TIMED_OUT, AWAITED),
    *(KEY_MISMATCH, NOT_DECRYPTED, TOO_LONG, WRONG_METHOD, NO_SUCH_PATH, OTHER_PATH, BUSY, SAME_UNDER_WAY),
    *(NOTHING_TO_CANCEL, CANCEL_UNSURE, REFUND_UNDER_WAY, SAME_REFUND_UNDER_WAY, TOO_LATE, CANCEL_DONE),
    *(PRINTED, NO_PAPER, WHOLE_ONLY, SYSTEM_ERROR),
    *REFUSALS.values(),
)
