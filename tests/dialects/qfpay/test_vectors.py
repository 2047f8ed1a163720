"""The source's samples and our golden vectors, run both ways; each is computed again with nothing of ours."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

from anytill.core.lifecycle import RefundState
from anytill.core.merchant import Credential
from anytill.core.notice import Notice
from anytill.core.payment import Payment, Refund, Verdict
from anytill.core.secret import Secret
from anytill.dialects.qfpay import DIALECT, codec
from anytill.dialects.qfpay.client import Client
from anytill.dialects.qfpay.codec import KeyBytes, PosKey, Reply, RequestForm, Told
from anytill.dialects.qfpay.words import NAME
from anytill.wire import jsontext
from anytill.wire.errors import BadSignature
from anytill.wire.http import HttpRequest
from anytill.wire.jsontext import Json, Number
from anytill.wire.times import format_time
from tests.dialects.qfpay.scripted import Scripted

TEXT = Path(codec.__file__).with_name("vectors.json").read_bytes()
VECTORS: Mapping[str, Any] = json.loads(TEXT)
KEY = PosKey(Secret(VECTORS["key"]))


def named(kind: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("vector", VECTORS[kind], ids=lambda each: each["why"])


def values(content: Mapping[str, Any]) -> dict[str, Json]:
    """A content with its numbers as digits."""
    return jsontext.decode(json.dumps(content).encode())


def md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest().upper()


def decrypted(body: str, key: bytes) -> str:
    decryptor = Cipher(algorithms.AES(key), modes.CBC(b"qfpay202306_hjsh")).decryptor()
    unpadder = PKCS7(128).unpadder()
    filled = decryptor.update(base64.b64decode(body.strip('"'), validate=True)) + decryptor.finalize()
    return (unpadder.update(filled) + unpadder.finalize()).decode()


@named("digests")
def test_a_digest_is_made(vector: Mapping[str, Any]) -> None:
    content = values(vector["content"])
    assert codec.signed_text(content) == vector["signed_text"]
    assert codec.digest(content, KEY) == vector["digest"] == md5(vector["signed_text"] + VECTORS["key"])


def test_the_one_digest_of_the_source_that_verifies() -> None:
    assert codec.digest({"orderId": "12345678", "func_type": Number("4001")}, KEY) == "99CE8BF9C7304AC964522D10F51660B4"
    body = b'{"content": {"orderId": "12345678","func_type": 4001},\n"digest":"99CE8BF9C7304AC964522D10F51660B4"}'
    assert codec.open_request(body, [KEY], plain=True).content == {"orderId": "12345678", "func_type": "4001"}


@pytest.mark.parametrize("vector", VECTORS["samples_that_do_not_verify"], ids=lambda each: each["section"])
def test_the_other_digests_of_the_source_do_not_verify(vector: Mapping[str, Any]) -> None:
    content = values(vector["content"])
    assert codec.digest(content, KEY) != vector["digest"].upper()
    texts = (vector["content"], json.dumps(vector["content"]), codec.signed_text(content))
    for inside in texts:
        body = json.dumps({"content": inside, "digest": vector["digest"]}).encode()
        with pytest.raises(BadSignature):
            codec.open_request(body, [KEY], plain=True)


@named("requests")
def test_a_request_is_written_and_read(vector: Mapping[str, Any]) -> None:
    key = PosKey(Secret(vector["key"]), KeyBytes(vector["key_bytes"]))
    raw = bytes.fromhex(vector["key"]) if vector["key_bytes"] == "hex" else vector["key"].encode()
    content, form = values(vector["content"]), RequestForm(vector["form"])
    if form is not RequestForm.PLAIN:
        assert decrypted(vector["body"], raw) == vector["message"]
    assert codec.seal_request(content, key, form=form) == vector["body"].encode()
    request = codec.open_request(vector["body"].encode(), [key], plain=True)
    assert (request.content, request.form) == (content, form)


@named("lenient")
def test_what_others_write_is_read(vector: Mapping[str, Any]) -> None:
    form = RequestForm(vector["form"])
    if form is not RequestForm.PLAIN:
        assert decrypted(vector["body"], VECTORS["key"].encode()) == vector["message"]
    request = codec.open_request(vector["body"].encode(), [KEY], plain=True)
    assert (request.content, request.form) == (values(vector["content"]), form)


@named("answers")
def test_an_answer_is_written_and_read(vector: Mapping[str, Any]) -> None:
    assert decrypted(vector["body"], VECTORS["key"].encode()) == vector["message"]
    told = Told(**vector["told"])
    assert codec.seal_answer(told, KEY, Reply.AES) == vector["body"].encode()
    assert codec.seal_answer(told, KEY, Reply.PLAIN) == vector["message"].encode()
    for body in (vector["body"], vector["message"], f'"{vector["body"]}"'):
        assert codec.open_answer(body.encode(), KEY) == told


@named("notices")
def test_a_notice_is_written_and_heard(vector: Mapping[str, Any]) -> None:
    body = vector["body"].encode()
    assert vector["sign"] == md5(vector["body"] + vector["key"])
    notice = Notice(
        "m", "n", "p", NAME, "1", "http://shop.example/", refund_id=vector["refund_id"], facts=vector["facts"]
    )
    credential = Credential(
        NAME, "1", Secret(VECTORS["key"]), {"": "m"}, options=vector["options"], password=Secret(vector["key"])
    )
    assert DIALECT.form is not None
    letter = DIALECT.form.encode(notice, credential, 0, "")
    assert (letter.body, letter.content_type, letter.headers) == (
        body, "application/json", {"X-QF-SIGN": vector["sign"]}
    )  # fmt: skip
    client = Client({"pos_key": VECTORS["key"], "notify_key": vector["key"]}, Scripted())
    told, answer = client.hear(HttpRequest("POST", "/", "", {"x-qf-sign": vector["sign"].lower()}, body, ""))
    assert DIALECT.form.acknowledged(answer)
    facts = vector["facts"]
    if isinstance(told, Payment):
        assert (told.payment_id, told.order_no) == (facts["syssn"], facts["out_trade_no"])
        assert (told.verdict, told.paid_fen, told.refunded_fen) == (Verdict.PAID, int(facts["txamt"]), 0)
        assert format_time(told.paid_at_ms or 0) == facts["paydtm"]
    else:
        assert (told.refund_id, told.payment_id) == (facts["syssn"], facts["orig_syssn"])
        assert (told.order_no, told.state) == (facts["orig_out_trade_no"], RefundState.DONE)
        assert told.refunded_fen == told.amount_fen == int(facts["txamt"])
        assert format_time(told.created_at_ms) == facts["sysdtm"]
        assert format_time(told.ended_at_ms or 0) == facts["paydtm"]
    assert isinstance(told, Refund) is bool(vector["refund_id"])
