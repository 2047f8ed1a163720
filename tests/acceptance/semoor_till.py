"""A cash register that speaks Semoor, written from the vendor's paper: it knows hashlib, urllib and ElementTree.

What a scanner left of that paper does not say how `ok` tells a refusal from a payment that failed. This till reads it
so: a `0` that names an order (`dm_id`) is about that order, a `0` without one is about the call.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode
from xml.etree import ElementTree

from tests.acceptance.tills import FORM, Line, Told, Word

OP = "/o2o-dm/op.php"
REPRINT = "/o2o-dm/pay_printinfo.php"
ACTIVATION = "/o2o_dmprinter/active.php"
CONFIG = "/o2o_dmprinter/config.php"
TIME = "/o2o_dmprinter/time.php"
#: The first two digits of a payer's code, for the field that says whose it is.
ALIPAY = {str(number) for number in range(25, 31)}
WORDS = {"1": Word.YES, "-1": Word.OPEN}


def semoor_sign(fields: Mapping[str, str], key: str) -> str:
    """The paper's signature: SHA-1 of name=value in order, joined, and the key; upper case."""
    pairs = [f"{name}={fields[name]}" for name in sorted(fields) if name != "sign"]
    return hashlib.sha1("&".join([*pairs, f"key={key}"]).encode(), usedforsecurity=False).hexdigest().upper()


def yuan(amount_fen: int) -> str:
    return f"{amount_fen // 100}.{amount_fen % 100:02d}"


@dataclass(frozen=True, slots=True)
class SemoorTill:
    """A till that speaks Semoor; over GET where `method` says so."""

    line: Line
    device_id: str
    key: str
    method: str = "POST"

    def pay_fields(self, total: str, code: str, order_no: str = "", info: str = "测试商品 tea") -> dict[str, str]:
        """A barcode payment, unsigned; with a number of the till's own only where one is given."""
        fields = {"action": "micropay", "authcode": code, "total": total, "device_id": self.device_id}
        fields |= {"paytype": "alipay" if code[:2] in ALIPAY else "wxpay", "info": info, "operator_id": "xiaow"}
        return fields | ({"no": order_no} if order_no else {})

    def pay(self, order_no: str, amount_fen: int, code: str, info: str = "测试商品 tea") -> Told:
        """Charge the payer, under a number or (with an empty one) without."""
        return self.call(self.pay_fields(yuan(amount_fen), code, order_no, info))

    def query(self, dm_id: str) -> Told:
        """Ask how a payment stands whose number was told."""
        return self.call({"action": "query", "device_id": self.device_id, "dm_id": dm_id})

    def query_lost(self, *, code: str = "", order_no: str = "") -> Told:
        """Ask by the payer's code, or by the till's own number, for a payment whose answer never came."""
        asked = {"authcode": code} if code else {"no": order_no}
        return self.call({"action": "querytimeout", "device_id": self.device_id} | asked)

    def refund(self, dm_id: str, amount_fen: int, refund_no: str = "") -> Told:
        """Give part of a payment back."""
        fields = {"action": "refund", "device_id": self.device_id, "dm_id": dm_id, "refund": yuan(amount_fen)}
        return self.call(fields | ({"no": refund_no} if refund_no else {}))

    def read(self, dm_id: str) -> Told:
        """The bill of a payment: what came in and what went back."""
        return self.call({"action": "read", "device_id": self.device_id, "dm_id": dm_id})

    def config(self) -> Told:
        """What a device asks at each start."""
        return self.call({"device_id": self.device_id}, CONFIG)

    def time(self) -> Told:
        """The server's clock."""
        return self.call({"device_id": self.device_id}, TIME)

    def reprint(self, dm_id: str) -> tuple[int, bytes] | None:
        """The print text of a slip, asked for as in the paper's sample: without a signature."""
        return self.line.exchange("GET", f"{REPRINT}?reprint&dm_id={dm_id.removeprefix('dm')}&custom_series")

    def call(self, fields: Mapping[str, str], path: str = OP) -> Told:
        """Sign these fields and send them."""
        return self.send({**fields, "sign": semoor_sign(fields, self.key)}, path)

    def send(self, fields: Mapping[str, str], path: str = OP) -> Told:
        """Send these fields as they are."""
        self.line.secret(fields.get("authcode", self.key))
        form = urlencode(fields)
        if self.method == "GET":
            return told(self.line.exchange("GET", f"{path}?{form}"))
        return told(self.line.exchange("POST", path, form.encode(), FORM))


def told(answer: tuple[int, bytes] | None) -> Told:
    """What a `dm` document says."""
    if answer is None:
        return Told(Word.LOST)
    status, body = answer
    if status != 200:
        return Told(Word.LOST, body.decode(errors="replace"), status=status)
    root = ElementTree.fromstring(body)  # noqa: S314 - the answer of a gateway that the test itself started
    assert root.tag == "dm", body
    fields = dict(root.attrib)
    fields |= {f"pay{number}": " ".join(_said(pay)) for number, pay in enumerate(root.findall("pay"), 1)}
    slip = root.findtext("paylist/pay/printinfo")
    if slip is not None:
        fields["printinfo"] = slip
    text = fields.get("info", "")
    named = bool(fields.get("dm_id"))
    word = WORDS[fields["ok"]] if fields["ok"] != "0" else Word.NO if named else Word.REFUSED
    return Told(word, text, fields["ok"], fields, status)


def _said(pay: ElementTree.Element) -> list[str]:
    """A movement of a bill as words: `pay_total=1.00`."""
    return [f"{name}={value}" for name, value in pay.attrib.items()]


def activate(line: Line, code: str) -> dict[str, str]:
    """What a new device does with the code that its shop was given: number and key come back, once."""
    answer = told(line.exchange("GET", f"{ACTIVATION}?{urlencode({'code': code})}"))
    return dict(answer.fields)
