"""A device that signs by its own few lines of hashlib and reads XML with the standard library, so that a mistake in the
dialect's codec is not shared."""

from __future__ import annotations

import hashlib
import json
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import anytill.dialects.semoor
from anytill.core.merchant import Credential, Merchant
from anytill.core.secret import Secret
from anytill.dialects.semoor.server import handle
from anytill.gateway.directory import REMEMBERED_MS
from anytill.wire.http import FORM, HttpRequest, HttpResponse
from tests.world import World

VECTORS: Final[Mapping[str, Any]] = json.loads(
    (Path(anytill.dialects.semoor.__file__).parent / "vectors.json").read_text(encoding="utf-8")
)
DEVICE: Final = "57206"
KEY: Final = "8df7975ac2c8eca932a0d2802b27945f5757494b"
OP: Final = "/o2o-dm/op.php"
ACTIVE: Final = "/o2o_dmprinter/active.php"
CONFIG: Final = "/o2o_dmprinter/config.php"
TIME: Final = "/o2o_dmprinter/time.php"
REPRINT: Final = "/o2o-dm/pay_printinfo.php"
HOST: Final = "pay.example.com:8000"
PEER: Final = "192.0.2.10"
DEVICE_ERROR: Final = "设备错误：设备编号或签名不正确，请重新激活设备"
CANVAS: Final = "{http://schemas.microsoft.com/winfx/2006/xaml/presentation}Canvas"
#: Another merchant's device.
OTHER_DEVICE: Final = "99001"
OTHER_KEY: Final = "1234567890abcdef1234567890abcdef12345678"


def signed_text(fields: Mapping[str, str], *, keep_empty: bool = False) -> str:
    names = sorted(name for name in fields if name != "sign" and (fields[name] or keep_empty))
    return "&".join(f"{name}={fields[name]}" for name in names)


def sha1(text: str) -> str:
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest().upper()


def signed(fields: Mapping[str, str], key: str = KEY, *, keep_empty: bool = False) -> dict[str, str]:
    return {**fields, "sign": sha1(f"{signed_text(fields, keep_empty=keep_empty)}&key={key}")}


def told(answer: ET.Element) -> tuple[str | None, str | None]:
    """`ok` and `info`."""
    return answer.get("ok"), answer.get("info")


def tree(xml: str | bytes) -> ET.Element:
    """The standard library's reading of an answer."""
    return ET.fromstring(xml)  # noqa: S314 - our own answers and the document's samples


class Desk:
    """Sends queries and forms to the server and reads its XML."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._numbers = iter(range(1, 1000))

    def code(self, ending: str = "00", prefix: str = "13") -> str:
        """A payer's code that nobody used."""
        return f"{prefix}{next(self._numbers):014d}{ending}"

    def order(self, ending: str = "00", **changes: str) -> dict[str, str]:
        """The fields of a new micropay by WeChat."""
        fields = {"action": "micropay", "authcode": self.code(ending), "paytype": "wxpay", "total": "1.00"}
        return {**fields, "device_id": DEVICE, **changes}

    async def call(self, fields: Mapping[str, str], path: str = OP, key: str = KEY) -> ET.Element:
        """A signed call, by POST."""
        return await self.send({"device_id": DEVICE, **fields}, path, key)

    async def send(self, fields: Mapping[str, str], path: str = OP, key: str = KEY) -> ET.Element:
        return await self.post(urlencode(signed(fields, key)).encode(), path)

    async def get(self, query: str, path: str = OP, peer: str = PEER) -> ET.Element:
        return self.read(await self.ask("GET", path, query, peer=peer))

    async def post(self, body: bytes, path: str = OP, **changes: Any) -> ET.Element:
        return self.read(await self.ask("POST", path, body=body, **changes))

    def read(self, response: HttpResponse) -> ET.Element:
        assert response.status == 200
        assert response.content_type == "text/xml; charset=utf-8"
        assert ("cache-control", "no-store") in response.headers
        root = tree(response.body)
        assert root.tag == "dm"
        assert root.get("ok") in {"1", "0", "-1"}
        return root

    async def ask(
        self,
        method: str,
        path: str,
        query: str = "",
        body: bytes = b"",
        peer: str = PEER,
        content_type: str = FORM,
        host: str = HOST,
    ) -> HttpResponse:
        headers = {"content-type": content_type, "host": host} if body else {"host": host}
        return await handle(HttpRequest(method, path, query, headers, body, peer), self.world.gateway)

    async def slip(self, query: str, peer: str = PEER) -> str:
        """The raw answer of a reprint."""
        response = await self.ask("GET", REPRINT, query, peer=peer)
        assert (response.status, response.content_type) == (200, "text/plain; charset=utf-8")
        return response.body.decode()

    async def paid(self, total: str = "1.00", **changes: str) -> str:
        """The dm_id of a new paid order."""
        answer = await self.call(self.order(total=total, **changes))
        assert answer.get("ok") == "1"
        return str(answer.get("dm_id"))

    async def options(self, **options: str) -> None:
        """Give the demo's device other options."""
        credential = await self.world.credential("semoor")
        await self.world.store.put_credential(replace(credential, options=options))
        self.world.clock.advance(REMEMBERED_MS)

    async def other_merchant(self) -> None:
        """A second merchant with a device of its own."""
        await self.world.store.put_merchant(Merchant("second", "另一家商户"))
        await self.world.store.put_credential(
            Credential("semoor", OTHER_DEVICE, Secret(OTHER_KEY), {"": "second"}, options={"unsigned_reprint": "on"})
        )

    async def book(self) -> tuple[int, int, int]:
        """What the wallet's own book says: orders, fen charged, fen given back."""
        totals = await self.world.wallet.totals()
        orders, charged, back = (int(str(totals.get(name, 0))) for name in ("orders", "charged_fen", "refunded_fen"))
        return orders, charged, back
