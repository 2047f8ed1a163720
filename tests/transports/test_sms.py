"""Short messages as the operator's hook hears them, checked with hashlib and json alone."""

from __future__ import annotations

import hashlib
import hmac
import json

import pytest

from anytill.core.secret import Secret
from anytill.ports import Sms, Unreachable
from anytill.transports import sms as hooks
from anytill.transports.sms import HookSms, open_hook
from anytill.wire.http import HttpRequest, HttpResponse
from tests.transports.test_http_client import MINUTE_MS, Canary

KEY = Secret("a key of the tests")
TEXT = '验证码123456，20分钟内有效。"\\'


@pytest.mark.anyio
async def test_a_message_is_json_and_signed_byte_for_byte(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hooks, "_TIMEOUT_MS", MINUTE_MS)
    canary = Canary(b"HTTP/1.1 204 No Content\r\n\r\n")
    async with canary.listening() as port:
        opened, send = open_hook(f"http://127.0.0.1:{port}/sms/out?way=1", KEY)
        sms: Sms = opened
        try:
            await sms("13800000000", TEXT)
        finally:
            await send.aclose()
    (heard,) = canary.heard
    head, _, body = heard.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}
    assert lines[0] == "POST /sms/out?way=1 HTTP/1.1"
    assert headers["content-type"] == "application/json; charset=utf-8"
    assert headers["x-anytill-signature"] == hmac.new(KEY.reveal().encode(), body, hashlib.sha256).hexdigest()
    assert json.loads(body) == {"mobile": "13800000000", "text": TEXT}
    assert body.startswith('{"mobile":"13800000000","text":"验证码'.encode())


@pytest.mark.anyio
@pytest.mark.parametrize("status", [100, 199, 300, 301, 400, 403, 500, 503])
async def test_an_answer_that_is_no_yes_is_no_message(status: int) -> None:
    async def send(request: HttpRequest) -> HttpResponse:
        assert request.path == "/"
        return HttpResponse(status, b"", "")

    with pytest.raises(Unreachable, match=f"answered {status}"):
        await HookSms("/", KEY, send)("13800000000", TEXT)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hook",
        "ftp://host/",
        "//host/",
        "http://",
        "http://user@host/",
        "http://host:port/",
        "http://host/a#b",
        "http://host/a b",
        "http://host/\u4e2d",
        "http://host/\r\nx: y",
    ],
)
def test_what_is_no_address_is_refused_at_the_start(url: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        open_hook(url, KEY)
