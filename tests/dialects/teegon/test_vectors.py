"""The source's samples and our golden messages, each run both ways."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from anytill.core.lifecycle import PaymentState
from anytill.core.merchant import Credential
from anytill.core.notice import Notice
from anytill.core.payment import Method, Payment
from anytill.core.secret import Secret
from anytill.core.wallet import Wallet
from anytill.dialects.teegon import DIALECT, codec
from anytill.dialects.teegon.client import Client
from anytill.dialects.teegon.messages import Charge, Failure, StatusQuery
from anytill.dialects.teegon.server import ChargeNotice, charge_result, status_result
from anytill.wire import jsontext
from anytill.wire.errors import Ambiguous, BadField, BadSignature, MissingField, WireError
from anytill.wire.form import decode_form
from anytill.wire.http import FORM, HttpRequest, HttpResponse
from anytill.wire.http import json as json_answer
from anytill.wire.redact import mask_code
from anytill.wire.signing import concatenated

VECTORS: dict[str, Any] = json.loads((Path(codec.__file__).parent / "vectors.json").read_text(encoding="utf-8"))
SECRET = Secret(VECTORS["secret"])
CLIENT_ID = DIALECT.sandbox.login


def request(body: bytes, path: str = "/v1/charge/") -> HttpRequest:
    return HttpRequest("POST", path, "", {"content-type": FORM}, body, "127.0.0.1")


def payment_of(vector: dict[str, Any], charge: Charge) -> Payment:
    told = dict(vector["payment"])
    return Payment(
        merchant_id="M1",
        order_no=charge.order_no,
        method=Method.BARCODE,
        wallet=Wallet(told.pop("wallet")),
        state=PaymentState(told.pop("state")),
        amount_fen=charge.amount_fen,
        subject=charge.subject,
        attach=charge.metadata,
        login=charge.client_id,
        notice_url=charge.notify_url,
        details=charge.echoed,
        **told,
    )


def charge_of(vector: dict[str, Any]) -> Charge:
    fields = codec.decode_request(request(vector["request"].encode()))
    return codec.read_charge(codec.authenticate(fields, (SECRET,), {}))


def test_the_sources_order_of_names() -> None:
    assert concatenated(VECTORS["order"]["fields"], keep_empty=True) == VECTORS["order"]["text"]


@pytest.mark.parametrize("vector", VECTORS["signed"], ids=lambda vector: vector["name"])
def test_signatures(vector: dict[str, Any]) -> None:
    fields = vector["fields"]
    assert concatenated(fields, keep_empty=True) == vector["text"]
    assert codec.sign(fields, SECRET) == vector["sign"]
    signed = decode_form(codec.encode_request(fields, SECRET))
    assert signed == {**fields, "sign": vector["sign"]}
    assert codec.authenticate({**signed, "sign": vector["sign"].lower()}, (Secret("other"), SECRET), {})


@pytest.mark.parametrize("vector", VECTORS["signed"], ids=lambda vector: vector["name"])
def test_a_printed_signature_is_not_made_with_our_secret(vector: dict[str, Any]) -> None:
    for sign in VECTORS["samples"]["unverifiable"]["signs"]:
        with pytest.raises(BadSignature):
            codec.authenticate({**vector["fields"], "sign": sign}, (SECRET,), {"drop_empty": "on"})


@pytest.mark.parametrize("vector", VECTORS["charges"], ids=lambda vector: vector["name"])
def test_charges_are_read_and_written(vector: dict[str, Any]) -> None:
    charge = charge_of(vector)
    assert codec.read_charge(codec.charge_fields(charge)) == charge


@pytest.mark.parametrize("vector", VECTORS["charges"], ids=lambda vector: vector["name"])
def test_charge_answers_are_written_and_read(vector: dict[str, Any]) -> None:
    charge = charge_of(vector)
    result = charge_result(payment_of(vector, charge), mask_code(charge.auth_code.reveal()))
    answer = codec.charge_answer(result)
    assert answer.status == 200
    assert answer.body.decode() == vector["answer"]
    told = codec.decode_answer(answer)
    assert isinstance(told, dict)
    assert codec.read_charge_result(told) == result


def shape(value: object) -> object:
    """Keys in their order and JSON types; a number is a number, with decimals or without."""
    if isinstance(value, dict):
        return [(key, shape(member)) for key, member in value.items()]
    return type(value).__name__


@pytest.mark.parametrize("vector", VECTORS["charges"], ids=lambda vector: vector["name"])
def test_a_charge_answer_has_the_samples_keys_order_and_types(vector: dict[str, Any]) -> None:
    charge = charge_of(vector)
    answer = codec.charge_answer(charge_result(payment_of(vector, charge), "1"))
    sample = jsontext.decode(VECTORS["samples"]["charge"].encode())
    assert shape(jsontext.decode(answer.body)) == shape(sample)


def test_the_sample_charge_answer_is_read() -> None:
    told = codec.decode_answer(json_answer(VECTORS["samples"]["charge"].encode()))
    assert isinstance(told, dict)
    result = codec.read_charge_result(told)
    assert (result.charge_id, result.order_no) == ("nojzhqy4qk5qe24jot7fwulg", "5081e8e2bb99878d982a64f6")
    assert (result.amount_fen, result.real_amount_fen, result.amount_refunded_fen) == (1, 1, 0)
    assert (result.paid, result.time_paid_s) == (True, 1478255535)
    assert result.transaction_no == "2016110418321301557421499736"


def test_the_sample_status_answer_is_read_and_written() -> None:
    told = codec.decode_answer(json_answer(VECTORS["samples"]["status"].encode()))
    assert isinstance(told, dict)
    result = codec.read_status_result(told)
    assert codec.status_answer(result).body.decode() == VECTORS["samples"]["status"]


def test_the_sample_failure_is_read_and_written() -> None:
    failure = codec.decode_answer(json_answer(VECTORS["samples"]["failure"].encode()))
    assert failure == Failure("错误信息")
    assert codec.failure_answer("错误信息").body.decode() == VECTORS["samples"]["failure"]


@pytest.mark.parametrize("result", ['""', '"error"', "null", "0", "[]"])
def test_other_failure_forms_are_failures_and_no_success(result: str) -> None:
    body = f'{{"error":"no","result":{result}}}'.encode()
    assert codec.decode_answer(json_answer(body)) == Failure("no")
    with pytest.raises(BadField):
        codec.decode_answer(json_answer(f'{{"error":null,"result":{result}}}'.encode()))


@pytest.mark.parametrize(
    ("wallet", "state", "refunded_fen", "word"),
    [
        (Wallet.WECHAT, PaymentState.PAID, 0, "SUCCESS"),
        (Wallet.WECHAT, PaymentState.PAID, 1, "REFUND"),
        (Wallet.WECHAT, PaymentState.PAID, 100, "REFUND"),
        (Wallet.UNIONPAY, PaymentState.FAILED, 0, "PAYERROR"),
        (Wallet.WECHAT, PaymentState.CLOSED, 0, "CLOSED"),
        (Wallet.WECHAT, PaymentState.CANCELLED, 0, "REVOKED"),
        (Wallet.ALIPAY, PaymentState.PAID, 0, "TRADE_SUCCESS"),
        (Wallet.ALIPAY, PaymentState.PAID, 99, "TRADE_SUCCESS"),
        (Wallet.ALIPAY, PaymentState.PAID, 100, "TRADE_CLOSED"),
        (Wallet.ALIPAY, PaymentState.FAILED, 0, "TRADE_CLOSED"),
        (Wallet.ALIPAY, PaymentState.CLOSED, 0, "TRADE_CLOSED"),
        (Wallet.ALIPAY, PaymentState.CANCELLED, 0, "TRADE_CLOSED"),
        *((Wallet.QQ, state, 0, "USERPAYING") for state in ("SUBMITTED", "WAITING", "UNKNOWN")),
        *((Wallet.ALIPAY, state, 0, "WAIT_BUYER_PAY") for state in ("CANCELLING", "REVERSING", "PARKED")),
    ],
)
def test_status_words(wallet: Wallet, state: str, refunded_fen: int, word: str) -> None:
    paid_fen = 100 if state == PaymentState.PAID else 0
    payment = Payment(
        "M1",
        "P1",
        "O1",
        Method.BARCODE,
        wallet,
        PaymentState(state),
        100,
        paid_fen=paid_fen,
        refunded_fen=refunded_fen,
    )
    assert status_result(payment).trade_status == word


def test_every_state_has_a_word_for_every_wallet() -> None:
    for wallet in Wallet:
        for state in PaymentState:
            assert status_result(Payment("M1", "P1", "O1", Method.BARCODE, wallet, state, 100)).trade_status


async def nowhere(request: HttpRequest) -> HttpResponse:
    raise AssertionError("nothing is sent")


@pytest.mark.parametrize("vector", VECTORS["notices"], ids=lambda vector: vector["name"])
def test_notices_are_written_and_heard(vector: dict[str, Any]) -> None:
    source = VECTORS["charges"][vector["charge"]]
    payment = payment_of(source, charge_of(source))
    form = ChargeNotice()
    url, facts = payment.notice_url, form.facts(payment)
    notice = Notice("M1", "N1", payment.payment_id, "teegon", CLIENT_ID, url, facts=facts)
    letter = form.encode(notice, Credential("teegon", CLIENT_ID, SECRET, {"": "M1"}), vector["now_ms"], "n")
    assert (letter.body.decode(), letter.content_type, letter.headers) == (vector["body"], FORM, {})
    heard, answer = Client(DIALECT.sandbox_settings("http://gateway.example"), nowhere).hear(request(letter.body))
    assert form.acknowledged(answer)
    assert (heard.payment_id, heard.order_no, heard.state) == (payment.payment_id, payment.order_no, PaymentState.PAID)
    assert (heard.amount_fen, heard.paid_fen, heard.coupon_fen) == (1999, 1800, 199)
    assert (heard.attach, heard.payer_id, heard.wallet) == (payment.attach, payment.payer_id, Wallet.ALIPAY)


@pytest.mark.parametrize("pair", VECTORS["same_signed_text"], ids=lambda pair: pair["name"])
def test_two_requests_with_one_signature_are_not_both_accepted(pair: dict[str, Any]) -> None:
    base = codec.charge_fields(charge_of(VECTORS["charges"][0]))
    messages = []
    for changes in (pair["one"], pair["other"]):
        merged = {**base, **changes}
        messages.append({name: value for name, value in merged.items() if value is not None})
    assert codec.sign(messages[0], SECRET) == codec.sign(messages[1], SECRET)
    accepted = 0
    for message in messages:
        try:
            codec.read_charge(message)
        except (Ambiguous, BadField, MissingField):
            continue
        accepted += 1
    assert accepted <= 1


def test_the_notice_address_cannot_be_moved_either_way() -> None:
    pair = VECTORS["same_signed_text"][0]
    base = codec.charge_fields(charge_of(VECTORS["charges"][0]))
    for changes in (pair["one"], pair["other"]):
        with pytest.raises(Ambiguous):
            codec.read_charge({**base, **changes})


def test_a_status_query_is_read_and_written_with_the_samples_blanks() -> None:
    query = StatusQuery(CLIENT_ID, "e64mwlyzioalveqzs7mmpabs")
    fields = codec.status_fields(query)
    assert codec.read_status_query(fields) == query
    assert codec.read_status_query({**fields, "charge_id": f" {query.charge_id} "}) == query


def test_empty_fields_may_be_dropped_only_behind_the_switch() -> None:
    fields = {"a": "1", "b": "", "client_id": "x"}
    dropped = {"a": "1", "client_id": "x"}
    signed = {**fields, "sign": codec.sign(dropped, SECRET)}
    with pytest.raises(BadSignature):
        codec.authenticate(signed, (SECRET,), {})
    assert codec.authenticate(signed, (SECRET,), {"drop_empty": "on"}) == {**dropped, "sign": signed["sign"]}


def test_a_notice_signed_by_another_is_not_heard() -> None:
    vector = VECTORS["notices"][0]
    settings = {**DIALECT.sandbox_settings(""), "client_secret": "another"}
    with pytest.raises(WireError):
        Client(settings, nowhere).hear(request(vector["body"].encode()))


def test_an_unsuccessful_notice_is_no_payment() -> None:
    fields = decode_form(VECTORS["notices"][0]["body"].encode())
    del fields["sign"]
    body = codec.encode_request({**fields, "is_success": "false"}, SECRET)
    heard, _ = Client(DIALECT.sandbox_settings(""), nowhere).hear(request(body))
    assert heard == replace(heard, state=PaymentState.UNKNOWN, paid_fen=0, coupon_fen=0, paid_at_ms=None)


@pytest.mark.parametrize(
    ("status", "body", "heard"),
    [
        (200, b"success", True),
        (200, b" Success\r\n", True),
        (200, b"SUCCESS!", True),
        (200, b"", True),
        (200, b"\n", True),
        (200, b"fail", False),
        (200, b"<html>success", False),
        (201, b"success", False),
        (500, b"success", False),
    ],
)
def test_what_a_merchant_answers(status: int, body: bytes, heard: bool) -> None:
    assert ChargeNotice().acknowledged(HttpResponse(status, body, "text/plain")) is heard
