"""A cash register that speaks YST, written from the vendor's document: an XML document, padded with zero bytes, under
AES, in base64, inside another XML document. It knows hashlib, ElementTree and a cipher, and nothing of the gateway.

Every answer's signature and encryption are checked with the `dsn` of the request, as the document says.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import urlsplit
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from tests.acceptance.tills import Line, Told, Word, md5

XML = "text/xml; charset=UTF-8"
WORDS = {"S": Word.YES, "W": Word.OPEN, "F": Word.NO}
BLOCK = 16


def device_number(account: str, password: str, key: str) -> str:
    """`dsn`: what stands for account and password on the way."""
    return md5(account.lower() + key + md5(password))


def yst_sign(key: str, dsn: str, data: str) -> str:
    """The signature of a request, over what is sent."""
    return md5(key + dsn + data)


def encrypted(text: str, key: str) -> str:
    """AES-CBC with the key for an IV too, filled with zero bytes, in base64."""
    plain = text.encode()
    plain += bytes(-len(plain) % BLOCK)
    encryptor = Cipher(algorithms.AES(key.encode()), modes.CBC(key.encode())).encryptor()
    return base64.b64encode(encryptor.update(plain) + encryptor.finalize()).decode()


def decrypted(data: str, key: str) -> str:
    """The other way."""
    decryptor = Cipher(algorithms.AES(key.encode()), modes.CBC(key.encode())).decryptor()
    plain = decryptor.update(base64.b64decode(data, validate=True)) + decryptor.finalize()
    return plain.rstrip(b"\0").decode()


def document(root: str, fields: Mapping[str, str]) -> str:
    """A flat XML document."""
    return f"<{root}>" + "".join(f"<{name}>{escape(text)}</{name}>" for name, text in fields.items()) + f"</{root}>"


def children(text: str | bytes, root: str) -> dict[str, str]:
    """What a flat document holds; of an element with lines in it, the lines."""
    parsed = ElementTree.fromstring(text)  # noqa: S314 - from a gateway that the test itself started
    assert parsed.tag == root, text
    names = [child.tag for child in parsed]
    assert len(names) == len(set(names)), names
    return {child.tag: "\n".join(each.text or "" for each in child) or child.text or "" for child in parsed}


def notice_sign(fields: Mapping[str, str], key: str) -> str:
    """The signature of a result notice, over all of it but `sign`."""
    return md5("&".join([*(f"{name}={fields[name]}" for name in sorted(fields) if name != "sign"), f"key={key}"]))


@dataclass(frozen=True, slots=True)
class YstTill:
    """A till that speaks YST."""

    line: Line
    url: str
    account: str
    password: str
    private_key: str

    @property
    def dsn(self) -> str:
        return device_number(self.account, self.password, self.private_key)

    def pay_fields(self, order_no: str, total_fee: str, code: str) -> dict[str, str]:
        """A barcode payment."""
        return {
            "request_type": "unitive_pay_request",
            "req_seq": order_no,
            "total_fee": total_fee,
            "auth_code": code,
        }

    def pay(self, order_no: str, amount_fen: int, code: str) -> Told:
        """Charge the payer."""
        return self.call(self.pay_fields(order_no, str(amount_fen), code))

    def query(self, order_no: str) -> Told:
        """Ask how an order stands, whichever till it was made at."""
        return self.call(asked("unitive_query_pay_request", ori_seq=order_no))

    def query_native(self, order_no: str) -> Told:
        """The same, for an order that the payer scans."""
        return self.call(asked("unitive_native_query_pay_request", ori_seq=order_no))

    def revoke(self, order_no: str, channel: str = "W", code: str = "") -> Told:
        """Take an order back: YES means that nothing of it stays with the merchant. Of another protocol's order the
        payer's code must be named."""
        named = {"channel": channel, "auth_code": code} if code else {"channel": channel}
        told = self.call(asked("unitive_revoke_request", ori_seq=order_no, **named))
        # Not taken back: that says nothing of the payment.
        return replace(told, word=Word.REFUSED) if told.word is Word.NO else told

    def refund(self, trans_seq: str, refund_no: str, refund_fen: int) -> Told:
        """Give part of an order back."""
        fields = {"request_type": "unitive_refund_request", "req_seq": refund_no, "trans_seq": trans_seq}
        return self.call(fields | {"refund_fee": str(refund_fen), "reason": "用户对商品不满意"})

    def query_refund(self, trans_seq: str, refund_no: str) -> Told:
        """Ask how a refund stands."""
        return self.call(asked("unitive_query_refund_request", trans_seq=trans_seq, ori_seq=refund_no))

    def native(self, order_no: str, amount_fen: int, notify_url: str = "", attach: str = "") -> Told:
        """An order that the payer scans."""
        fields = {"request_type": "unitive_native_pay_request", "req_seq": order_no, "total_fee": str(amount_fen)}
        fields |= {"channel": "W", "notify_url": notify_url, "attach": attach}
        return self.call({name: text for name, text in fields.items() if text})

    def call(self, fields: Mapping[str, str]) -> Told:
        """Encrypt these fields, sign what came out, and send it."""
        inner = {"request_type": fields["request_type"], "dsn": self.dsn} | dict(fields)
        return self.send_data(fields["request_type"], encrypted(document("data", inner), self.private_key))

    def send_data(self, request_type: str, data: str, **changed: str) -> Told:
        """Send this as the encrypted part, with whatever was `changed` in the envelope afterwards."""
        envelope = {"request_type": request_type, "account": self.account, "dsn": self.dsn, "data": data}
        envelope["signature"] = yst_sign(self.private_key, self.dsn, data)
        return self.send(document("request", envelope | changed).encode())

    def send(self, body: bytes) -> Told:
        """Send these bytes; the answer must be signed and encrypted under this till's `dsn`."""
        self.line.secret(self.private_key)
        answer = self.line.exchange("POST", urlsplit(self.url).path, body, XML)
        if answer is None or answer[0] != 200:
            return Told(Word.LOST, status=answer[0] if answer else 0)
        envelope = children(answer[1], "response")
        assert set(envelope) == {"timestamp", "data", "signature"}, envelope
        assert envelope["signature"] == md5(self.dsn + envelope["timestamp"] + envelope["data"]), envelope
        fields = children(decrypted(envelope["data"], self.dsn[:BLOCK]), "data")
        return Told(_word(fields), fields["msg"], fields["code"], fields, answer[0])


def asked(request_type: str, **fields: str) -> dict[str, str]:
    """A request that makes nothing; its number is used once all the same."""
    return {"request_type": request_type, "req_seq": f"{secrets.randbelow(10**20):020d}", **fields}


def _word(fields: Mapping[str, str]) -> Word:
    """`status` speaks of the order; without one `result` speaks of the call."""
    if "status" in fields:
        return WORDS[fields["status"]]
    assert fields["result"] in ("Y", "N"), fields
    return Word.YES if fields["result"] == "Y" else Word.REFUSED
