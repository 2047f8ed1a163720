"""What requests hold (sections 3 and 4 of the source), as values: one dataclass and one reader for each function.

A field is read as its row says, whether it came as a number or as a text; an empty one is absent; names that are not
here are signed and stay behind. `amt` and `refund_amount` are dollars with at most two decimals and become cents here.
The source's own sample of a card payment has a `scan_type`, so where that says nothing it is passed over.

What the digest covers is not escaped, so numbers of orders are letters, digits, `-` and `_` only; other software puts
three parts with `--` between them there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias, TypeVar

from anytill.dialects.qfpay.words import Channel, FuncType, ScanType
from anytill.wire.amounts import format_yuan, parse_yuan, yuan_number
from anytill.wire.errors import BadField, MissingField
from anytill.wire.jsontext import Json, Number

MAX_ORDER_NO: Final = 64
DEFAULT_TIMEOUT_S: Final = 120
MAX_TIMEOUT_S: Final = 3_600
#: PayMe lets nobody wait longer.
MAX_PAYME_TIMEOUT_S: Final = 120

_ORDER_NO: Final = re.compile(rf"[A-Za-z0-9_-]{{1,{MAX_ORDER_NO}}}")
_SECONDS: Final = re.compile(r"[1-9][0-9]{0,3}")
_SWITCHES: Final = {"0": False, "1": True}

#: `codec.Content`, which rests on this module.
Content: TypeAlias = "Mapping[str, str | Number]"
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Trade:
    """1001: take a payment."""

    amount_fen: int
    channel: Channel
    out_trade_no: str = ""
    front_camera: bool = False
    wait_card_timeout_s: int | None = None
    payment_timeout_s: int | None = None
    scan_type: ScanType | None = None
    move_to_back: bool = False


@dataclass(frozen=True, slots=True)
class RefundRequest:
    """1002: give money back."""

    order_id: str  # syssn or out_trade_no
    amount_fen: int | None = None  # None: all that is left
    allow_modify: bool = False
    move_to_back: bool = False


@dataclass(frozen=True, slots=True)
class PrintReceipt:
    """3001: print a payment's receipt."""

    order_id: str


@dataclass(frozen=True, slots=True)
class PrintSummary:
    """3002: print the day's takings."""


@dataclass(frozen=True, slots=True)
class Inquiry:
    """4001: how a payment stands."""

    order_id: str = ""
    out_trade_no: str = ""  # wins over order_id


@dataclass(frozen=True, slots=True)
class CancelRequest:
    """5001: take back what waits at the terminal."""


Request: TypeAlias = Trade | RefundRequest | PrintReceipt | PrintSummary | Inquiry | CancelRequest


def func_type_of(content: Content) -> FuncType:
    """Which function is asked for. Raises MissingField or BadField."""
    func_type = _read(content, "func_type", FuncType, "one of the six numbers")
    if func_type is None:
        raise MissingField("func_type")
    return func_type


def read(content: Content) -> Request:
    """The request that a content holds. Raises MissingField or BadField."""
    return _READERS[func_type_of(content)](content)


def _trade(content: Content) -> Trade:
    amount_fen = _amount(content, "amt")
    channel = _read(content, "channel", Channel, "one of the nine channels")
    if amount_fen is None:
        raise MissingField("amt")
    if channel is None:
        raise MissingField("channel")
    return Trade(
        amount_fen=amount_fen,
        channel=channel,
        out_trade_no=_order_no(content, "out_trade_no"),
        front_camera=_switch(content, "camera_id"),
        wait_card_timeout_s=_timeout(content, "wait_card_timeout"),
        payment_timeout_s=_timeout(content, "payment_timeout"),
        scan_type=_read(content, "scan_type", ScanType, "QRCODE_PAY or SCAN_PAY"),
        move_to_back=_switch(content, "moveToBack"),
    )


def _refund(content: Content) -> RefundRequest:
    return RefundRequest(
        order_id=_needed_order_id(content),
        amount_fen=_amount(content, "refund_amount"),
        allow_modify=_switch(content, "allow_modify_flag"),
        move_to_back=_switch(content, "moveToBack"),
    )


def _print_receipt(content: Content) -> PrintReceipt:
    return PrintReceipt(_needed_order_id(content))


def _inquiry(content: Content) -> Inquiry:
    inquiry = Inquiry(_order_no(content, "orderId"), _order_no(content, "out_trade_no"))
    if not (inquiry.order_id or inquiry.out_trade_no):
        raise MissingField("orderId")
    return inquiry


_READERS: Final[Mapping[FuncType, Callable[[Content], Request]]] = {
    FuncType.TRADE: _trade,
    FuncType.REFUND: _refund,
    FuncType.PRINT_RECEIPT: _print_receipt,
    FuncType.PRINT_SUMMARY: lambda _content: PrintSummary(),
    FuncType.INQUIRY: _inquiry,
    FuncType.CANCEL_REQUEST: lambda _content: CancelRequest(),
}


def write(request: Request) -> dict[str, Json]:
    """The content that asks for this: the client's half. Fields that say nothing are left out."""
    fields = _WRITERS[type(request)](request)
    return {name: value for name, value in fields.items() if value not in (None, "")}


def _written_trade(trade: Trade) -> dict[str, Json]:
    return {
        "amt": Number(yuan_number(trade.amount_fen)),
        "camera_id": 1 if trade.front_camera else None,
        "channel": str(trade.channel),
        "func_type": int(FuncType.TRADE),
        "moveToBack": 1 if trade.move_to_back else None,
        "out_trade_no": trade.out_trade_no,
        "payment_timeout": trade.payment_timeout_s,
        "scan_type": str(trade.scan_type) if trade.scan_type else None,
        "wait_card_timeout": trade.wait_card_timeout_s,
    }


def _written_refund(refund: RefundRequest) -> dict[str, Json]:
    return {
        "allow_modify_flag": 1 if refund.allow_modify else None,
        "func_type": int(FuncType.REFUND),
        "moveToBack": 1 if refund.move_to_back else None,
        "orderId": refund.order_id,
        "refund_amount": None if refund.amount_fen is None else format_yuan(refund.amount_fen),
    }


def _written_inquiry(inquiry: Inquiry) -> dict[str, Json]:
    return {
        "func_type": int(FuncType.INQUIRY),
        "orderId": inquiry.order_id,
        "out_trade_no": inquiry.out_trade_no,
    }


_WRITERS: Final[Mapping[type, Callable[..., dict[str, Json]]]] = {
    Trade: _written_trade,
    RefundRequest: _written_refund,
    PrintReceipt: lambda asked: {"func_type": int(FuncType.PRINT_RECEIPT), "orderId": asked.order_id},
    PrintSummary: lambda _asked: {"func_type": int(FuncType.PRINT_SUMMARY)},
    Inquiry: _written_inquiry,
    CancelRequest: lambda _asked: {"func_type": int(FuncType.CANCEL_REQUEST)},
}


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split())


#: What `data` holds: the source's names in the source's order, then those that real terminals send beside them.
TRADE_DATA: Final = _names(
    "respcd resmsg reserr mchntnm sysdtm userid busicd txamt txcurrcd chnlsn paydtm udid syssn clisn out_trade_no"
    " cardscheme"
    " cardNo cardType batchNo traceNo refNo terminalId storeId paymentMethod paymentType accountId address cancel"
)
REFUND_DATA: Final = _names(
    "respcd resmsg reserr sysdtm paydtm txcurrcd txdtm orig_syssn out_trade_no syssn chnlsn txamt originTxamt"
    " terminalId"
)
INQUIRY_DATA: Final = _names(
    "server_time cancel clisn opuid prepay_amt syssn tradetp sysdtm txcurrcd origssn customer_source opuser nickname"
    " allow_refund_amt desc txamt busicd respcd origbusicd chnlsn cardscheme cardno cardtype batchno refno"
    " out_trade_no paydtm resmsg terminalId"
)


def _read(content: Content, name: str, kind: Callable[[str], T], expected: str) -> T | None:
    value = content.get(name, "")
    if not value:
        return None
    try:
        return kind(value)
    except ValueError:
        raise BadField(name, expected) from None


def _amount(content: Content, name: str) -> int | None:
    value = content.get(name, "")
    return parse_yuan(value, field=name) if value else None


def _order_no(content: Content, name: str) -> str:
    value = content.get(name, "")
    if value and not _ORDER_NO.fullmatch(value):
        raise BadField(name, f"up to {MAX_ORDER_NO} letters, digits, - and _")
    # A register may send its number as a JSON number; what is kept is the text.
    return str(value)


def _needed_order_id(content: Content) -> str:
    order_id = _order_no(content, "orderId")
    if not order_id:
        raise MissingField("orderId")
    return order_id


def _timeout(content: Content, name: str) -> int | None:
    value = content.get(name, "")
    if not value:
        return None
    if not _SECONDS.fullmatch(value) or int(value) > MAX_TIMEOUT_S:
        raise BadField(name, f"1 to {MAX_TIMEOUT_S} seconds")
    return int(value)


def _switch(content: Content, name: str) -> bool:
    value = content.get(name, "")
    if value and value not in _SWITCHES:
        raise BadField(name, "0 or 1")
    return _SWITCHES.get(value, False)
