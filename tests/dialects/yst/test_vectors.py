"""The document's samples and our golden vectors, run both ways."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import pytest

from anytill.core.secret import Secret
from anytill.dialects.yst import codec, messages
from anytill.dialects.yst.messages import NOTICE
from anytill.wire.ciphers import decode_base64
from anytill.wire.errors import WireError
from tests.dialects.yst import desk as till
from tests.dialects.yst.desk import VECTORS, Answer, Desk

pytestmark = pytest.mark.anyio

KEY, ACCOUNT, PASSWORD = VECTORS["key"], VECTORS["account"], VECTORS["password"]
DSN = till.dsn_of(ACCOUNT, KEY, PASSWORD)
FORMS = {form.request_type: form for form in messages.FORMS}


def named(kind: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("vector", VECTORS[kind], ids=lambda each: each.get("section") or each.get("why"))


@named("dsns")
def test_a_dsn_is_made(vector: Mapping[str, str]) -> None:
    account, key, password = vector["account"], vector["key"], vector["password"]
    assert codec.dsn_of(account, key, password) == vector["dsn"] == till.dsn_of(account, key, password)
    assert codec.dsn_of(account.upper(), key, password) == vector["dsn"]


@named("requests")
def test_a_request_is_written_and_read(vector: Mapping[str, Any]) -> None:
    sent = {name: value for name, value in vector["fields"].items() if name != "dsn"}
    body = codec.encode_request(sent, account=ACCOUNT, key=KEY, dsn=DSN)
    assert body == vector["body"].encode()
    envelope = codec.envelope_of(codec.decode_outer(body))
    assert (envelope.data, envelope.signature) == (vector["data"], vector["signature"])
    assert codec.is_signed_by(envelope, KEY, PASSWORD)
    assert codec.decrypt_request(envelope, KEY) == vector["fields"]
    assert till.decrypted(vector["data"], KEY) == vector["plain"].encode()


@named("answers")
def test_an_answer_is_written_and_read(vector: Mapping[str, Any]) -> None:
    body = codec.encode_answer(vector["fields"], vector["lines"], dsn=DSN, now_ms=vector["timestamp"])
    assert body == vector["body"].encode()
    assert codec.decode_answer(body, DSN) == codec.Answer(vector["fields"], vector["lines"])


@named("notices")
def test_a_notice_is_written_and_read(vector: Mapping[str, Any]) -> None:
    assert till.md5(f"{vector['signed_text']}&key={KEY}") == vector["sign"]
    body = codec.encode_notice(vector["fields"], KEY)
    assert body == vector["body"].encode()
    assert codec.decode_notice(body, KEY, NOTICE, signed=True) == {**vector["fields"], "sign": vector["sign"]}


def test_a_key_is_taken_as_it_is_or_as_the_sdk_is_given_it() -> None:
    assert codec.private_key(Secret(KEY)) == KEY
    wrapped = "NTE1MDAwMGE3S3EyWnQ5WGM0TXc2UGQ="  # 5150000 and the key
    assert codec.private_key(Secret(wrapped)) == KEY
    for bad in ("", "short", "x" * 17, "é" * 16, "A" * 24 + "\n"):
        with pytest.raises(ValueError, match="16 printable"):
            codec.private_key(Secret(bad))


# The document's samples


def test_what_the_document_prints_without_its_inputs_has_our_shape() -> None:
    printed = VECTORS["not_recomputable"]
    for name in ("dsn_7_1", "dsn_6_1", "dsn_2_5"):
        assert codec.usable_dsn({"dsn": printed[name]}) == printed[name]
    # With its misprint mended it is ten blocks; as printed it is refused.
    mended = decode_base64(printed["data_2_5"].replace("$", "A"))
    assert len(mended) == 160
    with pytest.raises(WireError):
        decode_base64(printed["data_2_5"])


@named("source_requests")
async def test_the_documents_requests_are_accepted(vector: Mapping[str, Any], desk: Desk) -> None:
    """Really signed, with nothing changed but the dsn. Numbers that no order here has are said to be unknown."""
    fields = {name: value for name, value in vector["fields"].items() if name not in ("request_type", "dsn")}
    FORMS[vector["request_type"]].read(fields)
    answer = await desk.call(vector["fields"]["request_type"], fields)
    expected = {
        "4.1": ("E11000", "S"),
        "5.1": ("E11101", "W"),
        "6.1": ("E11101", "W"),
        "7.1": ("E11101", "W"),
        "4.4": ("E13005", None),
    }.get(vector["section"], ("E11002", None))
    assert (answer["code"], answer.fields.get("status")) == expected


async def test_a_refund_goes_by_both_of_its_names(desk: Desk) -> None:
    paid = await desk.pay()
    for number, name in enumerate(("refund_fee_request", "unitive_refund_request")):
        fields = desk.refund(paid["trans_seq"], 10 + number)
        assert (await desk.call(name, fields))["code"] == "E13000"
    # The outer and the inner name may be one of each.
    plain = till.inner("refund_fee_request", desk.refund(paid["trans_seq"], 12))
    assert (await desk.post(till.outer(plain, "unitive_refund_request")))["code"] == "E13000"


async def test_the_documents_goods_list_is_read_with_its_trailing_commas(desk: Desk) -> None:
    fields = desk.barcode(prod_details=VECTORS["source_goods"])
    assert (await desk.call("unitive_pay_request", fields))["code"] == "E11000"
    assert (await desk.world.stored(fields["req_seq"])).subject == "奶油曲奇等2项"


#: What a value looks like, by the field's name; the samples' own values must fit too, or the pattern is wrong.
SHAPES = {
    "code": r"E[0-9]{5}",
    "msg": r".{1,100}",
    "result": r"[YN]",
    "status": r"[SWF]",
    "channel": r"[A-Z]",
    "channel_name": r".{1,10}",
    "response_type": r"[a-z0-9_]+_response",
    "server_time": r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d:\d{3}",
    "pay_time": r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d",
    "dsn": r"[0-9A-F]{32}",
    "res_seq": r"0[0-9]{19}",
    "trans_seq": r"[0-9]{20}",
    "refund_seq": r"[0-9]{20}",
    "req_seq": r"[0-9A-Za-z]{1,32}",
    **dict.fromkeys(("total_fee", "refund_fee", "cash_fee", "coupon_fee"), r"0|[1-9][0-9]{0,9}"),
    "pay_url": r"[a-z-]+://\S+|wx[0-9a-z]+",
    "pay_info": r"[a-z-]+://\S+redirect_url=http%3A%2F%2Fxxx\.com%2F\S+",
    "signature_info": r"\{.*\}",
}


async def _answers(desk: Desk) -> dict[str, Answer]:
    """A real answer of each kind, as the samples tell it: paid, done, or waiting to be paid."""
    world = desk.world
    paid_fields, native_fields = desk.barcode(total_fee="1"), desk.preorder(total_fee="1")
    told = {"unitive_pay_request": await desk.call("unitive_pay_request", paid_fields)}
    told["unitive_query_pay_request"] = await desk.call(
        "unitive_query_pay_request", desk.asking(paid_fields["req_seq"])
    )
    refund = desk.refund(told["unitive_pay_request"]["trans_seq"], 1)
    told["unitive_refund_request"] = await desk.call("unitive_refund_request", refund)
    ask = desk.asking(refund["req_seq"], trans_seq=refund["trans_seq"])
    told["unitive_query_refund_request"] = await desk.call("unitive_query_refund_request", ask)
    other = desk.barcode()
    await desk.call("unitive_pay_request", other)
    told["unitive_revoke_request"] = await desk.call("unitive_revoke_request", desk.asking(other["req_seq"]))
    told["unitive_native_pay_request"] = await desk.call("unitive_native_pay_request", native_fields)
    await world.wallet.payer_pays(merchant_order=native_fields["req_seq"])
    await world.pass_s(10)
    told["unitive_native_query_pay_request"] = await desk.call(
        "unitive_native_query_pay_request", desk.asking(native_fields["req_seq"])
    )
    for kind in ("js", "h5"):
        name = f"unitive_{kind}_pay_request"
        told[name] = await desk.call(name, desk.preorder(kind))
    return told


async def test_every_sample_answer_is_given_by_a_real_request(desk: Desk) -> None:
    told = await _answers(desk)
    for sample in VECTORS["source_answers"]:
        real = told[sample["request_type"]]
        older = sample["section"] == "2.6.1"
        for name, value in sample["fields"].items():
            assert name in real.fields, f"{sample['section']} {name}"
            assert re.fullmatch(SHAPES[name], real[name]), f"{sample['section']} {name}: {real[name]}"
            # The first sample is of the protocol's first version: other lengths, other words.
            assert older or re.fullmatch(SHAPES[name], value), f"the pattern of {name} is wrong"
            same = {"total_fee", "refund_fee", "cash_fee", "channel", "channel_name", "result", "status"}
            waiting = name == "cash_fee" and sample["fields"]["status"] == "W"
            if name in same and not older and not waiting and sample["request_type"] != "unitive_revoke_request":
                assert real[name] == value, f"{sample['section']} {name}"
    signature_info = json.loads(told["unitive_js_pay_request"]["signature_info"])
    (sample,) = [each for each in VECTORS["source_answers"] if each["section"] == "6.1"]
    assert set(signature_info) == set(json.loads(sample["fields"]["signature_info"]))


async def test_the_sample_receipt_is_printed_line_by_line(desk: Desk) -> None:
    answer = await desk.pay(total_fee="1")
    (sample,) = [each for each in VECTORS["source_answers"] if "lines" in each]
    wanted = [re.split("[：:]", line)[0].strip("-").strip() for line in sample["lines"]]
    printed = [re.split("：", line)[0].strip("-").strip() for line in answer.lines]
    assert [line for line in printed if "小票" not in line] == [line for line in wanted if "小票" not in line]
    assert len(answer.lines) == len(sample["lines"])
    assert answer.lines[0].strip("-").endswith("交易小票")
    assert answer.lines[4] == "交易金额：0.01元"
    assert answer.lines[6] == f"操作员：{till.ACCOUNT}"
    assert answer.lines[3] == f"交易流水：{answer['trans_seq']}"
    assert answer.lines[2] == f"交易时间：{answer['pay_time']}"


def test_the_sample_notice_is_ours_but_for_its_slip() -> None:
    assert (set(VECTORS["source_notice"]) - {"req"}) | {"req_seq"} <= set(NOTICE)
