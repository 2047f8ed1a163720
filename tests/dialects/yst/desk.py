"""A till of its own few lines: hashlib, an AES cipher, ElementTree and joined strings. Nothing of the dialect's codec
is used, so that a mistake there is not shared here."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

import anytill.dialects.yst
from anytill.core.merchant import Credential, Merchant
from anytill.core.secret import Secret
from anytill.dialects.yst.sandbox import SANDBOX
from anytill.dialects.yst.server import handle
from anytill.wire.http import HttpRequest
from tests.world import World

VECTORS: Mapping[str, Any] = json.loads(
    (Path(anytill.dialects.yst.__file__).parent / "vectors.json").read_text(encoding="utf-8")
)
PATH = "/ystpay/service/unitive.api"
ACCOUNT, KEY, PASSWORD = SANDBOX.login, SANDBOX.secret, SANDBOX.password


def md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest().upper()


def dsn_of(account: str, key: str, password: str) -> str:
    return md5(account.lower() + key + md5(password))


DSN = dsn_of(ACCOUNT, KEY, PASSWORD)


def aes(key: str) -> Cipher[modes.CBC]:
    return Cipher(algorithms.AES(key.encode()), modes.CBC(key.encode()))


def encrypted(plain: bytes, key: str) -> str:
    filled = plain + b"\0" * (-len(plain) % 16)
    cipher = aes(key).encryptor()
    return base64.b64encode(cipher.update(filled) + cipher.finalize()).decode()


def decrypted(data: str, key: str) -> bytes:
    cipher = aes(key).decryptor()
    return (cipher.update(base64.b64decode(data)) + cipher.finalize()).rstrip(b"\0")


def elements(fields: Mapping[str, str]) -> str:
    return "".join(f"<{name}>{escape(value)}</{name}>" for name, value in fields.items())


def inner(request_type: str, fields: Mapping[str, str], dsn: str = DSN) -> bytes:
    return f"<data>{elements({'request_type': request_type, 'dsn': dsn, **fields})}</data>".encode()


def outer(plain: bytes, request_type: str = "unitive_pay_request", **changes: str) -> bytes:
    """The envelope round a plain text, each of its elements changed at will after all was signed."""
    key = changes.pop("key", KEY)
    dsn = changes.pop("signed_dsn", DSN)
    data = encrypted(plain, key)
    fields = {
        "request_type": request_type,
        "account": ACCOUNT,
        "dsn": dsn,
        "data": data,
        "signature": md5(key + dsn + data),
        **changes,
    }
    return f"<request>{elements(fields)}</request>".encode()


def request(request_type: str, fields: Mapping[str, str]) -> bytes:
    return outer(inner(request_type, fields), request_type)


@dataclass(frozen=True)
class Answer:
    """What came back: the inner elements in their order, and the lines to print."""

    fields: dict[str, str]
    lines: list[str]
    is_open: bool = False

    def __getitem__(self, name: str) -> str:
        return self.fields[name]


def answer_of(body: bytes, dsn: str = DSN) -> Answer:
    """Check the envelope's signature and decrypt. An open answer must be unsigned."""
    response = ElementTree.fromstring(body)  # noqa: S314 - our own server's answer
    assert response.tag == "response"
    texts = {child.tag: child.text or "" for child in response}
    if len(response.find("data") or ()):
        assert list(texts) == ["timestamp", "data"]
        return _read(response.find("data"), is_open=True)
    assert list(texts) == ["timestamp", "data", "signature"]
    assert texts["signature"] == md5(dsn + texts["timestamp"] + texts["data"])
    return _read(ElementTree.fromstring(decrypted(texts["data"], dsn[:16])), is_open=False)  # noqa: S314 - likewise


def notice_of(body: bytes) -> dict[str, str]:
    """The elements of a notice."""
    return _read(ElementTree.fromstring(body), is_open=True).fields  # noqa: S314 - our own server's


def _read(data: ElementTree.Element | None, *, is_open: bool) -> Answer:
    assert data is not None
    assert data.tag == "data"
    fields = {child.tag: child.text or "" for child in data if not len(child)}
    assert len(fields) == len([child for child in data if not len(child)])
    assert all(fields.values())
    lines = [line.text or "" for line in data.findall("receipts/line")]
    return Answer(fields, lines, is_open)


class Desk:
    """Sends requests to the server and reads its answers."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._numbers = count(1)

    def barcode(self, ending: str = "00", prefix: str = "13", **changes: str) -> dict[str, str]:
        """The fields of a new unitive_pay_request."""
        number = next(self._numbers)
        code = f"{prefix}{number:014d}{ending}"
        return {"req_seq": f"B{number:05d}", "total_fee": "100", "auth_code": code, **changes}

    def preorder(self, kind: str = "native", **changes: str) -> dict[str, str]:
        """The fields of a new native, js or h5 order."""
        own = {
            "native": {},
            "js": {"subopen_id": "0z8tfs4224lgn3535353gdg"},
            "h5": {"ip": "125.71.132.197", "redirect_url": "http://xxx.com/call.html?xxx=xxxx"},
        }[kind]
        return {"req_seq": f"N{next(self._numbers):05d}", "total_fee": "100", "channel": "W", **own, **changes}

    def asking(self, ori_seq: str, **changes: str) -> dict[str, str]:
        """The fields of a query or a revocation."""
        return {"req_seq": f"Q{next(self._numbers):05d}", "ori_seq": ori_seq, **changes}

    def refund(self, trans_seq: str, fen: int = 10, **changes: str) -> dict[str, str]:
        """The fields of a new unitive_refund_request."""
        number = f"R{next(self._numbers):05d}"
        return {"req_seq": number, "trans_seq": trans_seq, "refund_fee": str(fen), "reason": "不满意", **changes}

    async def call(self, request_type: str, fields: Mapping[str, str]) -> Answer:
        """A request that is all right in its envelope; the answer must repeat what it has to."""
        answer = await self.post(request(request_type, fields))
        assert not answer.is_open
        assert answer["dsn"] == DSN
        assert answer["req_seq"] == fields["req_seq"]
        return answer

    async def pay(self, ending: str = "00", **changes: str) -> Answer:
        return await self.call("unitive_pay_request", self.barcode(ending, **changes))

    async def post(self, body: bytes, dsn: str = DSN, method: str = "POST") -> Answer:
        response = await handle(
            HttpRequest(method, PATH, "", {"content-type": "text/xml"}, body, "127.0.0.1"), self.world.gateway
        )
        assert response.status == 200
        assert response.content_type == "text/xml; charset=utf-8"
        return answer_of(response.body, dsn)

    async def orders(self) -> int:
        """How many orders ever reached the wallet."""
        return int(str((await self.world.wallet.totals())["orders"]))

    async def foreign(self, fields: Mapping[str, str]) -> Answer:
        """A barcode payment of another merchant."""
        account, key = "other001", "Zz1Yy2Xx3Ww4Vv5U"
        await self.world.store.put_merchant(Merchant("other", "另一家商户"))
        await self.world.store.put_credential(
            Credential("yst", account, Secret(key), {"": "other"}, password=Secret("secret1"))
        )
        dsn = dsn_of(account, key, "secret1")
        plain = inner("unitive_pay_request", fields, dsn)
        return await self.post(outer(plain, key=key, signed_dsn=dsn, account=account), dsn)
