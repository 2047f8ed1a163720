"""Cash registers that share no code with the gateway: urllib's quoting, hashlib and json are all they know.

Here are what all of them share, and those of Teegon and Chaoying; `semoor_till` and `yst_till` hold the other two.

They follow the vendors' documents as a till's developer would, so that what is tested is what travels. Whatever comes
back is read into a `Told`: what the cashier may conclude from it, and the vendor's own fields beside.
"""

from __future__ import annotations

import hashlib
import http.client
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from urllib.parse import urlencode

FORM = "application/x-www-form-urlencoded"
#: How Teegon's failure form begins when the payment certainly was not made; any other text is a refusal of the call.
TEEGON_NOT_PAID = ("支付失败", "订单已关闭", "订单已撤销")
TEEGON_STATUS_PAID = {"SUCCESS", "REFUND", "TRADE_SUCCESS", "TRADE_FINISHED"}
TEEGON_STATUS_NOT_PAID = {"CLOSED", "REVOKED", "PAYERROR", "TRADE_CLOSED"}
CHAOYING_PAID = {("10000", "SUCCESS"), ("10002", "REFUND")}
CHAOYING_NOT_PAID = {("10004", "FAIL"), ("10005", "FAIL"), ("10006", "FAIL")}


class Word(StrEnum):
    """What a cashier may conclude."""

    YES = "YES"  # paid; refunded; cancelled
    OPEN = "OPEN"  # ask again
    NO = "NO"  # certainly not: not paid; not refunded
    REFUSED = "REFUSED"  # the call itself was refused
    LOST = "LOST"  # nobody knows: no answer, or "our fault"


@dataclass(frozen=True, slots=True)
class Told:
    """An answer as a till understands it."""

    word: Word
    text: str = ""  # the vendor's error or message
    code: str = ""  # the vendor's code, where there are codes
    fields: Mapping[str, Any] = field(default_factory=dict)
    status: int = 0


@dataclass(frozen=True, slots=True)
class Line:
    """How a till reaches the gateway. `secret` hears everything that the gateway must not print."""

    port: Callable[[], int]
    secret: Callable[[str], None] = lambda _text: None

    def post(self, path: str, body: bytes) -> tuple[int, dict[str, Any]] | None:
        """The status and JSON of an answer; None when no whole answer came."""
        answer = self.exchange("POST", path, body, FORM)
        try:
            document: dict[str, Any] = json.loads(answer[1]) if answer else {}
        except json.JSONDecodeError:
            return None
        return (answer[0], document) if answer else None

    def exchange(
        self, method: str, path: str, body: bytes | None = None, content_type: str = ""
    ) -> tuple[int, bytes] | None:
        """The status and body of an answer; None when no whole answer came."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port(), timeout=30)
        try:
            connection.request(method, path, body, {"Content-Type": content_type} if content_type else {})
            response = connection.getresponse()
            return response.status, response.read()
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()


def md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest().upper()


def teegon_sign(fields: Mapping[str, str], secret: str) -> str:
    """The document's signature: secret, names and values run together in order, secret."""
    return md5(secret + "".join(f"{name}{fields[name]}" for name in sorted(fields) if name != "sign") + secret)


def chaoying_sign(fields: Mapping[str, str], key: str) -> str:
    """The document's signature: name=value of what is not empty, joined in order, and the key."""
    pairs = [f"{name}={fields[name]}" for name in sorted(fields) if name != "sign" and fields[name]]
    return md5("&".join([*pairs, f"key={key}"]))


@dataclass(frozen=True, slots=True)
class TeegonTill:
    """A till that speaks Teegon."""

    line: Line
    client_id: str
    secret: str
    notify_url: str

    def pay_fields(self, order_no: str, amount: str, code: str) -> dict[str, str]:
        """A charge, unsigned."""
        return {
            "client_id": self.client_id,
            "notify_url": self.notify_url,
            "order_no": order_no,
            "channel": "barcode_pay",
            "amount": amount,
            "subject": "测试商品 tea",
            "metadata": "desk 7",
            "auth_code": code,
        }

    def pay(self, order_no: str, amount_fen: int, code: str) -> Told:
        """Charge the payer."""
        return self.charge(self.pay_fields(order_no, f"{amount_fen // 100}.{amount_fen % 100:02d}", code))

    def charge(self, fields: Mapping[str, str]) -> Told:
        """Sign these fields and send them."""
        return self.send("/v1/charge/", {**fields, "sign": teegon_sign(fields, self.secret)})

    def query(self, charge_id: str) -> Told:
        """Ask how a charge stands."""
        fields = {"client_id": self.client_id, "charge_id": charge_id}
        return self.send("/charge/barcode_pay_status", {**fields, "sign": teegon_sign(fields, self.secret)})

    def send(self, path: str, fields: Mapping[str, str]) -> Told:
        """Send these fields as they are."""
        self.line.secret(fields.get("auth_code", self.secret))
        answer = self.line.post(path, urlencode(fields).encode())
        if answer is None:
            return Told(Word.LOST)
        status, document = answer
        error, result = document.get("error"), document.get("result")
        if status != 200:
            return Told(Word.LOST, str(error), status=status)
        if error is not None:
            assert result == "", document
            not_paid = str(error).startswith(TEEGON_NOT_PAID)
            return Told(Word.NO if not_paid else Word.REFUSED, str(error), status=status)
        assert isinstance(result, dict), document
        return Told(_teegon_word(result), fields=result, status=status)


def _teegon_word(result: Mapping[str, Any]) -> Word:
    if "trade_status" in result:
        if result["trade_status"] in TEEGON_STATUS_PAID:
            return Word.YES
        return Word.NO if result["trade_status"] in TEEGON_STATUS_NOT_PAID else Word.OPEN
    assert isinstance(result["paid"], bool), result
    return Word.YES if result["paid"] else Word.OPEN


@dataclass(frozen=True, slots=True)
class ChaoyingTill:
    """A till that speaks Chaoying."""

    line: Line
    agent_id: str
    key: str
    mch_id: str

    def head(self, method: str) -> dict[str, str]:
        """The fields of every call."""
        return {
            "method": method,
            "agent_id": self.agent_id,
            "pid": "till-1",
            "version": "1.0",
            "mch_id": self.mch_id,
        }

    def pay_fields(self, order_no: str, total_fee: str, code: str) -> dict[str, str]:
        """A barcode payment, unsigned."""
        wish = {"out_trade_no": order_no, "body": "测试商品 tea", "total_fee": total_fee, "auth_code": code}
        return self.head("pay") | wish

    def pay(self, order_no: str, amount_fen: int, code: str) -> Told:
        """Charge the payer."""
        return self.call(self.pay_fields(order_no, str(amount_fen), code))

    def query(self, order_no: str, paytype: str = "WECHAT") -> Told:
        """Ask how an order stands, whichever till it was made at."""
        return self.call(self.head("orderquery") | {"out_trade_no": order_no, "paytype": paytype})

    def cancel(self, order_no: str, paytype: str = "WECHAT") -> Told:
        """Take an order back: YES means that nothing of it stays with the merchant."""
        fields = {"out_trade_no": order_no, "paytype": paytype, "op_user_id": "7"}
        told = self.call(self.head("cancel") | fields)
        return Told(Word.REFUSED, told.text, told.code, told.fields) if told.code == "20011" else told

    def refund(self, order_no: str, refund_no: str, total_fen: int, refund_fen: int, paytype: str = "WECHAT") -> Told:
        """Give part of an order back."""
        fields = {"out_trade_no": order_no, "out_refund_no": refund_no, "paytype": paytype, "op_user_id": "7"}
        fields |= {"total_fee": str(total_fen), "refund_fee": str(refund_fen)}
        told = self.call(self.head("refund") | fields)
        failed = told.fields.get("trade_state") == "FAIL"
        return Told(Word.NO, told.text, told.code, told.fields) if failed else told

    def query_refund(self, refund_no: str, paytype: str = "WECHAT") -> Told:
        """Ask how a refund stands."""
        told = self.call(self.head("refundquery") | {"out_refund_no": refund_no, "paytype": paytype})
        if told.word is not Word.YES:
            return told
        (row,) = json.loads(told.fields["refund_list"])
        words = {"SUCCESS": Word.YES, "FAIL": Word.NO, "CHANGE": Word.NO}
        return Told(words.get(row["refund_status"], Word.OPEN), fields=row, status=told.status)

    def preorder(self, order_no: str, amount_fen: int, notify_url: str) -> Told:
        """A WeChat QR order."""
        fields = {key: value for key, value in self.head("").items() if value}
        fields |= {"body": "tea", "out_trade_no": order_no, "total_fee": str(amount_fen), "notify_url": notify_url}
        return self.call(fields | {"trade_type": "NATIVE", "product_id": "P1"}, "/Open/WECHAT_PreOrder")

    def call(self, fields: Mapping[str, str], path: str = "/UnifiedPay/Gateway") -> Told:
        """Sign these fields and send them."""
        return self.send({**fields, "sign": chaoying_sign(fields, self.key)}, path)

    def send(self, fields: Mapping[str, str], path: str = "/UnifiedPay/Gateway") -> Told:
        """Send these fields as they are; an answer's own signature must be right."""
        self.line.secret(fields.get("auth_code", self.key))
        answer = self.line.post(path, urlencode(fields).encode())
        if answer is None:
            return Told(Word.LOST)
        status, document = answer
        if "sign" in document:
            assert document["sign"] == chaoying_sign(document, self.key), document
        code, text = str(document["code"]), str(document["msg"])
        if status != 200 or code == "20006":
            return Told(Word.LOST, text, code, document, status)
        if document["state"] != "SUCCESS":
            return Told(Word.REFUSED, text, code, document, status)
        return Told(_chaoying_word(code, str(document["trade_state"])), text, code, document, status)


def _chaoying_word(code: str, trade_state: str) -> Word:
    if (code, trade_state) in CHAOYING_PAID:
        return Word.YES
    return Word.NO if (code, trade_state) in CHAOYING_NOT_PAID else Word.OPEN
