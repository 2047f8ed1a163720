"""One payment request for each dialect, of which a load is made: the next one has another order number and code.

Names and values are what a till in a shop sends. A form's `Template` keeps the text that is signed and the body with
marks in the places of what changes, so that the next request is one format and one digest. What is encrypted has no
such places: a `Sealed` request is made by the dialect's own codec each time, and its answer has to be opened.

QFPay is asked at its terminal, of which one till is in front: see `server`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final, Protocol

from anytill.core.secret import Secret
from anytill.dialects import Dialect, load_dialects
from anytill.dialects.qfpay import codec as qfpay
from anytill.dialects.qfpay import messages as qfpay_messages
from anytill.dialects.qfpay.words import PATHS, Channel, FuncType, ScanType
from anytill.dialects.yst import codec as yst
from anytill.wire.errors import WireError
from anytill.wire.form import encode_form
from anytill.wire.http import FORM, JSON_UTF8, HttpRequest
from anytill.wire.signing import concatenated, joined

#: What is asked of a server that sends back what it gets.
ECHO: Final = "echo"
NOTICE_URL: Final = "https://shop.example/pay/notify"
MOST_ORDERS: Final = 10**10
AMOUNT_FEN: Final = 1234
_YUAN: Final = f"{AMOUNT_FEN // 100}.{AMOUNT_FEN % 100:02d}"
#: What stands for the order's number and for the payer's code. Of their length, and plain in any encoding.
_ORDER_NO: Final = "B0123456789"
_PAY_CODE: Final = "130123456789012300"
_SIGN: Final = "SIGN0123456789"


class Order(Protocol):
    """A dialect's payment request, as often as wanted."""

    @property
    def path(self) -> str:
        """Where it goes."""

    @property
    def media_type(self) -> str:
        """What its body is."""

    @property
    def sealed(self) -> bool:
        """Whether an answer must be opened to see what it says."""

    def fill(self, number: int) -> bytes:
        """The body of the request with this number, below MOST_ORDERS. The payer's code leads to "paid at once"."""

    def is_paid(self, answer: bytes) -> bool:
        """Whether this body says "paid"."""


@dataclass(frozen=True, slots=True)
class Template:
    """A signed form with three places left open, and how to tell that it was paid."""

    path: str
    signed: str  # the text that is signed, with {order_no} and {pay_code}
    body: str  # the body, with {order_no}, {pay_code} and {sign}
    paid: bytes  # stands in an answer that says "paid", and in no other
    digest: str = "md5"
    media_type: str = FORM
    sealed: bool = False

    def fill(self, number: int) -> bytes:
        """See `Order`."""
        order_no, pay_code = _changing(number)
        signed = self.signed.format(order_no=order_no, pay_code=pay_code).encode()
        sign = hashlib.new(self.digest, signed, usedforsecurity=False).hexdigest().upper()
        return self.body.format(order_no=order_no, pay_code=pay_code, sign=sign).encode()

    def is_paid(self, answer: bytes) -> bool:
        """See `Order`."""
        return self.paid in answer


@dataclass(frozen=True, slots=True)
class Sealed:
    """A request in an envelope, and how to tell from an opened answer that it was paid."""

    path: str
    seal: Callable[[str, str], bytes]  # order number and payer's code -> body
    paid: Callable[[bytes], bool]
    media_type: str
    sealed: bool = True

    def fill(self, number: int) -> bytes:
        """See `Order`."""
        return self.seal(*_changing(number))

    def is_paid(self, answer: bytes) -> bool:
        """See `Order`."""
        try:
            return self.paid(answer)
        except WireError:
            return False


def order(name: str, notice_url: str = NOTICE_URL) -> Order:
    """The request of this dialect, or of `ECHO`. Not every dialect says where notices go."""
    if name == ECHO:
        return replace(_teegon(load_dialects()["teegon"], notice_url), paid=b"&sign=")
    return _RECIPES[name](load_dialects()[name], notice_url)


def request(form: Order, number: int) -> HttpRequest:
    """A request as the server's codec sees it."""
    return HttpRequest("POST", form.path, "", {"content-type": form.media_type}, form.fill(number), "127.0.0.1")


def dialects() -> list[str]:
    """The dialects that the gateway answers."""
    return [name for name, dialect in load_dialects().items() if name in _RECIPES and dialect.handle is not None]


def terminals() -> list[str]:
    """The dialects that a terminal answers, one trade after the other."""
    return [name for name, dialect in load_dialects().items() if name in _RECIPES and dialect.handle is None]


def _changing(number: int) -> tuple[str, str]:
    return f"B{number:010d}", f"13{number:014d}00"


def _teegon(dialect: Dialect, notice_url: str) -> Template:
    fields = {
        "client_id": dialect.sandbox.login,
        "notify_url": notice_url,
        "order_no": _ORDER_NO,
        "channel": "barcode_pay",
        "amount": _YUAN,
        "subject": "拿铁咖啡 大杯 x2",
        "metadata": "counter=3;shift=morning",
        "client_ip": "203.0.113.7",
        "auth_code": _PAY_CODE,
        "device_id": "till-7",
    }
    key = dialect.sandbox.secret
    return _template("/v1/charge/", fields, f"{key}{concatenated(fields, keep_empty=True)}{key}", '"paid":true')


def _chaoying(dialect: Dialect, _notice_url: str) -> Order:
    fields = {
        "method": "pay",
        "agent_id": dialect.sandbox.login,
        "pid": "POS0007",
        "version": "1.0",
        "mch_id": dialect.sandbox.number,
        "out_trade_no": _ORDER_NO,
        "device_info": "till-7",
        "body": "拿铁咖啡 大杯 x2",
        "attach": "counter=3;shift=morning",
        "total_fee": str(AMOUNT_FEN),
        "mch_create_ip": "203.0.113.7",
        "auth_code": _PAY_CODE,
        "op_user_id": "cashier12",
        "op_shop_id": "shop4",
        "op_device_id": "till7",
    }
    key = dialect.sandbox.secret
    return _template(
        "/UnifiedPay/Gateway", fields, f"{joined(fields, keep_empty=False)}&key={key}", '"trade_state":"SUCCESS"'
    )


def _semoor(dialect: Dialect, _notice_url: str) -> Order:
    fields = {
        "action": "micropay",
        "device_id": dialect.sandbox.login,
        "authcode": _PAY_CODE,
        "paytype": "wxpay",
        "total": _YUAN,
        "info": "拿铁咖啡 大杯 x2",
        "operator_id": "cashier12",
        "no": _ORDER_NO,
    }
    signed = f"{joined(fields, keep_empty=False)}&key={dialect.sandbox.secret}"
    return _template("/o2o-dm/op.php", fields, signed, '<dm ok="1"', digest="sha1")


def _yst(dialect: Dialect, _notice_url: str) -> Order:
    access = dialect.sandbox
    dsn = yst.dsn_of(access.login, access.secret, access.password)

    def seal(order_no: str, pay_code: str) -> bytes:
        fields = {
            "request_type": "unitive_pay_request",
            "req_seq": order_no,
            "total_fee": str(AMOUNT_FEN),
            "auth_code": pay_code,
            "channel": "W",
        }
        return yst.encode_request(fields, account=access.login, key=access.secret, dsn=dsn)

    def paid(answer: bytes) -> bool:
        return yst.decode_answer(answer, dsn).fields.get("status") == "S"

    return Sealed(dialect.routes[0].path, seal, paid, yst.XML_UTF8)


def _qfpay(dialect: Dialect, _notice_url: str) -> Order:
    key = qfpay.PosKey(Secret(dialect.sandbox.secret))

    def seal(order_no: str, _pay_code: str) -> bytes:
        # The payer's code is asked for at the terminal.
        trade = qfpay_messages.Trade(AMOUNT_FEN, Channel.WX, order_no, scan_type=ScanType.SCAN_PAY)
        return qfpay.seal_request(qfpay_messages.write(trade), key, form=qfpay.RequestForm.RAW)

    def paid(answer: bytes) -> bool:
        told = qfpay.open_answer(answer, key)
        return told.respcd == "6000" and (told.data or {}).get("respcd") == "0000"

    path = next(path for path, func_type in PATHS.items() if func_type is FuncType.TRADE)
    return Sealed(path, seal, paid, JSON_UTF8)


_RECIPES: Mapping[str, Callable[[Dialect, str], Order]] = {
    "teegon": _teegon,
    "chaoying": _chaoying,
    "semoor": _semoor,
    "yst": _yst,
    "qfpay": _qfpay,
}


def _template(path: str, fields: Mapping[str, str], signed: str, paid: str, digest: str = "md5") -> Template:
    body = encode_form({**fields, "sign": _SIGN}).decode()
    return Template(path, _opened(signed), _opened(body).replace(_SIGN, "{sign}"), paid.encode(), digest)


def _opened(text: str) -> str:
    assert "{" not in text, "a brace would be taken for a place to fill in"
    return text.replace(_ORDER_NO, "{order_no}").replace(_PAY_CODE, "{pay_code}")
