"""From a request's fields to the order they ask for: the rules between fields, which a table of rows cannot say.

Everything that makes an order what it is goes into it, so that the same request again is the same order and a changed
one is a conflict. Goods are told in yuan while all else is in fen; they are shown, and never used in sums.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from anytill.core.payment import Method, PayOrder
from anytill.core.secret import Secret
from anytill.dialects.yst import words
from anytill.dialects.yst.messages import GOODS, WALLETS
from anytill.dialects.yst.words import CallRefused
from anytill.wire import jsontext
from anytill.wire.amounts import parse_fen
from anytill.wire.errors import BadField, MissingField, WireError

MAX_SUBJECT: Final = 128
_KEPT: Final = ("channel", "prod_details", "ip", "redirect_url")
_LENGTHS: Final = {"goodsId": 50, "goodsName": 200, "price": 10, "quantity": 10}
#: The document's own list has them, so tills that copy it do.
_TRAILING_COMMA: Final = re.compile(r",(?=\s*[}\]])")


def order_of(fields: Mapping[str, str], method: Method, registered_url: str = "") -> PayOrder:
    """The order of a terminal's request to pay. `registered_url` is where the merchant hears of orders that name no
    address themselves. Raises WireError, and CallRefused when its number would keep the payer's code."""
    if method is Method.H5 and fields["channel"] == "W" and "ip" not in fields:
        raise MissingField("ip")
    goods = fields.get("prod_details", "")
    code = fields.get("auth_code")
    if code and code in fields["req_seq"]:
        raise CallRefused(words.CODE_AS_NUMBER)
    at_the_till = method is Method.BARCODE
    return PayOrder(
        order_no=fields["req_seq"],
        amount_fen=parse_fen(fields["total_fee"], field="total_fee"),
        method=method,
        subject=_subject(goods) if goods else "",
        pay_code=Secret(code) if code else None,
        wallet=WALLETS[fields["channel"]] if "channel" in fields else None,
        payer_id=fields.get("subopen_id", ""),
        attach=fields.get("attach", ""),
        notice_url="" if at_the_till else fields.get("notify_url") or registered_url,
        expires_in_s=int(fields["expire_time"]) if "expire_time" in fields else None,
        details={name: fields[name] for name in _KEPT if name in fields},
    )


def prod_details(subject: str, price: str) -> str:
    """A goods list of one article, for a till that knows no more."""
    name = subject[: _LENGTHS["goodsName"]]
    article: dict[str, jsontext.Json] = {"goodsId": "1", "goodsName": name, "price": price, "quantity": "1"}
    return f"[{jsontext.encode({**article, 'goodsFee': price}).decode()}]"


def _subject(goods: str) -> str:
    """What the order is for: the first article, and how many there are. Raises BadField."""
    names = [_checked(article) for article in _articles(goods)]
    if not names:
        return ""
    more = f"等{len(names)}项" if len(names) > 1 else ""
    return names[0].strip()[: MAX_SUBJECT - len(more)] + more


def _articles(goods: str) -> list[jsontext.Json]:
    for text in (goods, _TRAILING_COMMA.sub("", goods)):
        try:
            wrapped = jsontext.decode(f'{{"":{text}}}'.encode())
        except WireError:
            continue
        value = wrapped[""]
        # A second member would have closed the array and written on.
        if isinstance(value, list) and len(wrapped) == 1:
            return value
    raise _bad_goods()


def _checked(article: jsontext.Json) -> str:
    """The article's name. Raises BadField."""
    if not isinstance(article, dict):
        raise _bad_goods()
    for name, longest in _LENGTHS.items():
        value = article.get(name)
        if not isinstance(value, str) or not 0 < len(value) <= longest:
            raise _bad_goods()
    return str(article["goodsName"])


def _bad_goods() -> BadField:
    return BadField("prod_details", GOODS.expected)
