"""One payment request for each dialect, as a template that the load generator fills in and signs.

Names and values are what a till in a shop sends. The text to be signed is made by `wire.signing`, like a till's own
client would make it; the rest is `load.Template`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from anytill.dialects import Dialect, load_dialects
from anytill.wire.form import encode_form
from anytill.wire.http import FORM, HttpRequest
from anytill.wire.signing import concatenated, joined
from bench.load import Template

#: What stands for the order's number and for the payer's code. Of their length, and plain in any encoding.
_ORDER_NO: Final = "B0123456789"
_PAY_CODE: Final = "130123456789012300"
_SIGN: Final = "SIGN0123456789"
AMOUNT_FEN: Final = 1234


def template(dialect: str, notice_url: str = "https://shop.example/pay/notify") -> Template:
    """The template of a dialect that has one; see `dialects`. Not every dialect says where notices go."""
    return _RECIPES[dialect](load_dialects()[dialect], notice_url)


def request(form: Template, number: int) -> HttpRequest:
    """A request as the server's codec sees it."""
    return HttpRequest("POST", form.path, "", {"content-type": FORM}, form.fill(number), "127.0.0.1")


def dialects() -> list[str]:
    """The dialects that are measured."""
    return [name for name in _RECIPES if name in load_dialects()]


def _teegon(dialect: Dialect, notice_url: str) -> Template:
    fields = {
        "client_id": dialect.sandbox.login,
        "notify_url": notice_url,
        "order_no": _ORDER_NO,
        "channel": "barcode_pay",
        "amount": f"{AMOUNT_FEN // 100}.{AMOUNT_FEN % 100:02d}",
        "subject": "拿铁咖啡 大杯 x2",
        "metadata": "counter=3;shift=morning",
        "client_ip": "203.0.113.7",
        "auth_code": _PAY_CODE,
        "device_id": "till-7",
    }
    key = dialect.sandbox.secret
    return _template("/v1/charge/", fields, f"{key}{concatenated(fields, keep_empty=True)}{key}", '"paid":true')


def _chaoying(dialect: Dialect, _notice_url: str) -> Template:
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


_RECIPES: Mapping[str, Callable[[Dialect, str], Template]] = {"teegon": _teegon, "chaoying": _chaoying}


def _template(path: str, fields: Mapping[str, str], signed: str, paid: str) -> Template:
    body = encode_form({**fields, "sign": _SIGN}).decode()
    return Template(path, _opened(signed), _opened(body).replace(_SIGN, "{sign}"), paid)


def _opened(text: str) -> str:
    assert "{" not in text, "a brace would be taken for a place to fill in"
    return text.replace(_ORDER_NO, "{order_no}").replace(_PAY_CODE, "{pay_code}")
