"""HTTP: six paths, the right method, leave for browsers; and what each fault of a request is told as."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from anytill.dialects.qfpay import DIALECT
from anytill.wire.http import HttpRequest, HttpResponse
from tests.dialects.qfpay.desk import KEY, PATHS, Desk, message, said

pytestmark = pytest.mark.anyio

INQUIRY = {"func_type": 4001, "orderId": "NOSUCH"}
NOT_FOUND = ("6002", "1136")
KEY_MISMATCH = ("4003", "1108")


def aes(key: str) -> Cipher[modes.CBC]:
    return Cipher(algorithms.AES(key.encode()), modes.CBC(b"qfpay202306_hjsh"))


def sealed(plain: bytes, key: str = KEY) -> bytes:
    filled = plain + bytes([16 - len(plain) % 16]) * (16 - len(plain) % 16)
    cipher = aes(key).encryptor()
    return base64.b64encode(cipher.update(filled) + cipher.finalize())


def opened(body: bytes, key: str = KEY) -> bytes:
    cipher = aes(key).decryptor()
    plain = cipher.update(base64.b64decode(body, validate=True)) + cipher.finalize()
    return plain[: -plain[-1]]


async def post(desk: Desk, body: bytes, path: str = PATHS[4001], method: str = "POST") -> HttpResponse:
    response = await desk.terminal.handle(
        HttpRequest(method, path, "", {"content-type": "application/json"}, body, "10.0.0.7")
    )
    assert dict(response.headers)["access-control-allow-origin"] == "*"
    return response


@pytest.mark.parametrize(("func_type", "path"), sorted(PATHS.items()))
async def test_path_and_function_must_agree(desk: Desk, func_type: int, path: str) -> None:
    contents: dict[int, Mapping[str, Any]] = {
        1001: {"amt": 1, "channel": "wx"},
        1002: {"orderId": "N"},
        3001: {"orderId": "N"},
        4001: {"orderId": "N"},
    }
    for other in PATHS:
        told = said((await post(desk, message({"func_type": other, **contents.get(other, {})}), path)).body)
        if other != func_type:
            assert told.codes == ("4006", "1104")
            assert "func_type" in told.resperr
        else:
            assert told.codes != ("4006", "1104")
    assert await desk.orders() == 0


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
async def test_only_post(desk: Desk, method: str) -> None:
    response = await post(desk, message(INQUIRY), method=method)
    assert response.status == 200
    assert said(response.body).respcd == "4004"


async def test_a_browser_asks_first(desk: Desk) -> None:
    response = await post(desk, b"", method="OPTIONS")
    assert (response.status, response.body) == (204, b"")
    headers = dict(response.headers)
    assert "POST" in headers["access-control-allow-methods"]
    assert headers["access-control-allow-headers"] == "content-type"
    assert headers["access-control-allow-private-network"] == "true"


async def test_another_path(desk: Desk) -> None:
    response = await post(desk, message(INQUIRY), "/api/pos/other")
    assert (response.status, said(response.body).respcd) == (200, "4006")


async def test_the_three_forms_and_their_answers(desk: Desk) -> None:
    raw = await post(desk, sealed(message(INQUIRY)))
    assert raw.content_type.startswith("text/plain")
    assert said(opened(raw.body)).codes == NOT_FOUND
    quoted = await post(desk, b'"' + sealed(message(INQUIRY)) + b'"')
    assert quoted.content_type.startswith("application/json")
    assert said(quoted.body).codes == NOT_FOUND
    assert said((await post(desk, message(INQUIRY))).body).codes == NOT_FOUND


@pytest.mark.parametrize("response", ["aes", "plain", "auto"])
async def test_the_terminal_may_be_told_how_to_answer(desk: Desk, response: str) -> None:
    await desk.opened(response=response)
    bodies = [await post(desk, body) for body in (sealed(message(INQUIRY)), message(INQUIRY))]
    is_aes = [not answer.body.startswith(b"{") for answer in bodies]
    assert is_aes == {"aes": [True, True], "plain": [False, False], "auto": [True, False]}[response]
    for answer, is_sealed in zip(bodies, is_aes, strict=True):
        assert said(opened(answer.body) if is_sealed else answer.body).codes == NOT_FOUND


async def test_unencrypted_requests_are_not_taken_unless_the_terminal_says_so(desk: Desk) -> None:
    await desk.opened(plain="off")
    assert said((await post(desk, message(INQUIRY))).body).codes == KEY_MISMATCH
    assert said(opened((await post(desk, sealed(message(INQUIRY)))).body)).codes == NOT_FOUND


OTHER_KEY = KEY[::-1]


@pytest.mark.parametrize(
    "body",
    [
        message(INQUIRY, OTHER_KEY),
        sealed(message(INQUIRY), OTHER_KEY),
        sealed(message(INQUIRY, OTHER_KEY)),
        sealed(b"not an object"),
        sealed(b"\xff\xfe\xfd"),
        sealed(b'{"digest":"00"}'),
        sealed(message(INQUIRY))[:64],
        base64.b64encode(b"\0" * 32),
        b'{"content":{"func_type":3002}}',
        b'{"content":"{func_type: 3002}","digest":"79fd145311d54d03e4e685d50f15dd7f"}',
    ],
)
async def test_whatever_has_to_do_with_keys_is_one_answer(desk: Desk, body: bytes) -> None:
    response = await post(desk, body)
    told = said(response.body)
    assert told.codes == KEY_MISMATCH
    assert told.resperr == "Refused: check the POS-KEY and the digest"


@pytest.mark.parametrize("body", [b"", b"hello", b"QUJD", b'"', b"{", b"\xff", b"=" * 16, b"[]"])
async def test_what_no_key_opens(desk: Desk, body: bytes) -> None:
    assert said((await post(desk, body)).body).codes == ("5001", "1103")


async def test_what_is_too_long(desk: Desk) -> None:
    assert said((await post(desk, b"A" * 70_000)).body).respcd == "4006"


@pytest.mark.parametrize(
    ("content", "named"),
    [({}, "func_type"), ({"func_type": 1003}, "func_type"), ({"func_type": 4001, "orderId": "A'B"}, "orderId")],
)
async def test_who_has_the_key_is_told_which_field_is_wrong(desk: Desk, content: Mapping[str, Any], named: str) -> None:
    told = said((await post(desk, message(content))).body)
    assert told.respcd == "4006"
    assert named in told.resperr


async def test_a_terminal_that_is_switched_off_or_unknown(desk: Desk) -> None:
    stranger = Desk(desk.world)
    stranger.number = "80000099"
    stranger.start()
    assert said((await post(stranger, message(INQUIRY))).body).codes == ("4007", "1106")


async def test_our_own_fault_has_words(desk: Desk) -> None:
    request = HttpRequest("POST", PATHS[1001], "", {}, b"", "10.0.0.7")
    told = said(DIALECT.system_error(request).body)
    assert told.codes == ("4005", "1145")
    assert "inquire" in told.resperr


async def test_over_a_line_no_path_says_what_is_asked(desk: Desk) -> None:
    assert said(await desk.terminal.answer(message(INQUIRY))).codes == NOT_FOUND
    assert said(opened(await desk.terminal.answer(sealed(message(INQUIRY))))).codes == NOT_FOUND
    desk.code()
    trade = desk.trade()
    assert said(await desk.terminal.answer(message(trade))).codes == ("6000", "0000")


async def test_a_whole_message_is_told_from_a_part_once_the_key_is_known(desk: Desk) -> None:
    body = sealed(message(INQUIRY))
    assert not desk.terminal.is_whole(body)
    await desk.terminal.answer(message(INQUIRY))
    assert desk.terminal.is_whole(body)
    assert not desk.terminal.is_whole(body[:64])


async def test_the_published_key_as_raw_bytes(desk: Desk) -> None:
    """Key of 16 raw bytes: the USB chapter's reading of the 32 hex digits."""
    await desk.opened(key_bytes="hex")
    cipher = Cipher(algorithms.AES(bytes.fromhex(KEY)), modes.CBC(b"qfpay202306_hjsh")).encryptor()
    plain = message(INQUIRY)
    filled = plain + bytes([16 - len(plain) % 16]) * (16 - len(plain) % 16)
    body = base64.b64encode(cipher.update(filled) + cipher.finalize())
    assert said((await post(desk, b'"' + body + b'"')).body).codes == NOT_FOUND
    assert said((await post(desk, sealed(message(INQUIRY)))).body).codes == KEY_MISMATCH


async def test_the_text_of_a_register_in_shops(desk: Desk) -> None:
    """Names without quotes, `=` for `:`, single quotes; base64 in a JSON text; a plain answer."""
    content = "{channel='wx',amt=12.5,func_type=1001,out_trade_no='S--1--2'}"
    text = "{amt=12.5,channel='wx',func_type=1001,out_trade_no='S--1--2'}" + KEY
    digest = hashlib.md5(text.encode(), usedforsecurity=False).hexdigest().upper()
    desk.code()
    body = json.dumps(sealed(f"{{content={content},digest='{digest}'}}".encode()).decode()).encode()
    response = await post(desk, body, PATHS[1001])
    told = said(response.body)
    assert told.codes == ("6000", "0000")
    assert (told.data["out_trade_no"], told.data["txamt"]) == ("S--1--2", "1250")


@pytest.mark.parametrize(
    "options", [{"response": "sometimes"}, {"key_bytes": "octal"}, {"refund_notify_type": "payment"}]
)
async def test_an_option_that_means_nothing_is_noticed_before_anything_is_done(
    desk: Desk, options: dict[str, str]
) -> None:
    await desk.opened(**options)
    assert (await desk.pay()).codes == ("4005", "1145")
    assert desk.panel.asked == []
    ((event, fields),) = desk.world.watch.alarms
    assert (event, fields["fault"]) == ("bug", "ValueError")
