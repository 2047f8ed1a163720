"""Short messages, handed to a hook of the operator's own: whoever has a contract with an SMS provider puts a small
program before it, and the provider's words stay out of here.

    POST <sms.url>                                 Content-Type: application/json; charset=utf-8
    X-Anytill-Signature: <hex>                     HMAC-SHA256 of the body, byte for byte, under sms.key
    {"mobile":"13800000000","text":"…"}            keys in this order, UTF-8, nothing escaped that need not be

Any answer of 200 to 299 says that the message was taken; whatever it holds besides is not read. A message is handed
over once: whoever waits for one in vain asks for another.
"""

from __future__ import annotations

import hmac
from typing import Final
from urllib.parse import urlsplit

import orjson

from anytill.core.secret import Secret
from anytill.ports import Send, Unreachable
from anytill.transports.http_client import OriginSend, open_send
from anytill.wire.http import JSON_UTF8, HttpRequest

SIGNATURE: Final = "x-anytill-signature"
_TIMEOUT_MS: Final = 5_000


class HookSms:
    """Implements `ports.Sms` over a hook; `target` is the path, with a query if there is one."""

    def __init__(self, target: str, key: Secret, send: Send) -> None:
        self._path, _, self._query = target.partition("?")
        self._key = key
        self._send = send

    async def __call__(self, mobile: str, text: str) -> None:
        """Hand one message over. Raises Unreachable when it may not have been taken."""
        body = orjson.dumps({"mobile": mobile, "text": text})
        signature = hmac.digest(self._key.reveal().encode(), body, "sha256").hex()
        headers = {"content-type": JSON_UTF8, SIGNATURE: signature}
        response = await self._send(HttpRequest("POST", self._path, self._query, headers, body, ""))
        if not 200 <= response.status < 300:
            raise Unreachable(f"the hook answered {response.status}")


def open_hook(url: str, key: Secret) -> tuple[HookSms, OriginSend]:
    """The way to the hook at `url`, and the connections to close at the end. Raises ValueError for what is no
    address."""
    parts = urlsplit(url)
    send = open_send(f"{parts.scheme}://{parts.netloc}", timeout_ms=_TIMEOUT_MS)
    if parts.fragment or not url.isascii() or not url.isprintable() or " " in url:
        raise ValueError("an address has no fragment, and no spaces or signs beyond ASCII")
    target = parts.path or "/"
    return HookSms(f"{target}?{parts.query}" if parts.query else target, key, send), send
