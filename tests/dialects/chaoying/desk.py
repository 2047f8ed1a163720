"""A till that signs by its own few lines of hashlib, so that a mistake in the dialect's signing is not shared."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import anytill.dialects.chaoying
from anytill.dialects.chaoying.sandbox import SANDBOX
from anytill.dialects.chaoying.server import handle
from anytill.wire.http import FORM, HttpRequest
from tests.world import World

VECTORS: Mapping[str, Any] = json.loads(
    (Path(anytill.dialects.chaoying.__file__).parent / "vectors.json").read_text(encoding="utf-8")
)
GATEWAY = "/UnifiedPay/Gateway"
COMMON = {"agent_id": SANDBOX.login, "pid": "yunpos", "version": "1.0", "mch_id": SANDBOX.number}
AGENT = {name: value for name, value in COMMON.items() if name != "mch_id"}


def signed_text(fields: Mapping[str, str]) -> str:
    return "&".join(f"{name}={fields[name]}" for name in sorted(fields) if name != "sign" and fields[name])


def signed(fields: Mapping[str, str], key: str = SANDBOX.secret) -> dict[str, str]:
    text = f"{signed_text(fields)}&key={key}"
    return {**fields, "sign": hashlib.md5(text.encode(), usedforsecurity=False).hexdigest().upper()}


class Desk:
    """Sends forms to the server and reads its JSON."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._numbers = iter(range(1, 1000))

    def order(self, ending: str = "00", **changes: str) -> dict[str, str]:
        """The fields of a new `pay`."""
        number = next(self._numbers)
        return {
            "out_trade_no": f"A{number:05d}",
            "auth_code": f"13{number:014d}{ending}",
            "body": "超赢支付",
            "total_fee": "100",
            **changes,
        }

    def native(self, **changes: str) -> dict[str, str]:
        """The fields of a new WeChat pre-order to scan."""
        number = next(self._numbers)
        return {
            "out_trade_no": f"N{number:05d}",
            "body": "超赢支付",
            "total_fee": "100",
            "trade_type": "NATIVE",
            "product_id": "1",
            **changes,
        }

    async def call(self, method: str, fields: Mapping[str, str], **changes: str) -> dict[str, Any]:
        """A call to the gateway's path; its answer must be signed."""
        answer = await self.send(GATEWAY, signed({**COMMON, "method": method, **fields, **changes}))
        assert answer == signed({name: value for name, value in answer.items() if name != "sign"})
        return answer

    async def preorder(self, wallet: str, fields: Mapping[str, str]) -> dict[str, Any]:
        answer = await self.send(f"/Open/{wallet}_PreOrder", signed({**COMMON, **fields}))
        assert "sign" not in answer
        return answer

    async def manage(self, path: str, fields: Mapping[str, str], key: str = SANDBOX.secret) -> dict[str, Any]:
        """A management call; its answer must be signed."""
        answer = await self.send(path, signed({**AGENT, **fields}, key))
        assert answer == signed({name: value for name, value in answer.items() if name != "sign"}, key)
        return answer

    async def link(
        self, path: str, fields: Mapping[str, str], key: str = SANDBOX.secret, agent: str = "CySoftPayBox"
    ) -> dict[str, Any]:
        """A pay box's call; its answer must be signed."""
        query = urlencode(signed({**AGENT, **fields}, key))
        answer = await self.post(path, b"", http_method="GET", query=query, user_agent=agent)
        assert answer == signed({name: value for name, value in answer.items() if name != "sign"}, key)
        return answer

    async def send(self, path: str, fields: Mapping[str, str]) -> dict[str, Any]:
        return await self.post(path, urlencode(fields).encode())

    async def post(self, path: str, body: bytes, **changes: Any) -> dict[str, Any]:
        request = HttpRequest(
            changes.get("http_method", "POST"),
            path,
            changes.get("query", ""),
            {"content-type": changes.get("content_type", FORM), "user-agent": changes.get("user_agent", "till")},
            body,
            "127.0.0.1",
        )
        response = await handle(request, self.world.gateway)
        assert response.status == 200
        answer: dict[str, Any] = json.loads(response.body)
        numbers = {name for name, value in answer.items() if not (isinstance(value, str) and value)}
        assert numbers <= {"expires_in"}
        return answer
