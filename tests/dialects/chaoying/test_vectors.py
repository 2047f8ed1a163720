"""The document's samples and our golden vectors, run both ways."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import pytest

from anytill.core.secret import Secret
from anytill.dialects.chaoying import codec, messages, notices
from anytill.dialects.chaoying.calls import CALLS, SHARED_PATHS
from anytill.wire.errors import MissingField, WireError
from anytill.wire.jsontext import Number
from tests.dialects.chaoying.desk import COMMON, GATEWAY, VECTORS, Desk, signed

FORMS = {
    name if path in SHARED_PATHS else path.strip("/").rpartition("/")[2]: call.form
    for (path, name), call in CALLS.items()
}

#: Whose samples are lost in the document.
NO_SAMPLE = {"facepay", "getmchid"}
#: Of the envelope; and what registrations bring, whose fields no table names.
NOT_IN_TABLES = {"method", "sign", "key1", "key2", "FullName", "ShortName", "Mobile", "Password", "BankName"}


def named(kind: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("vector", VECTORS[kind], ids=lambda each: each.get("name") or each.get("why"))


@named("signatures")
def test_a_signature_is_made_and_found(vector: Mapping[str, Any]) -> None:
    fields, key = vector["fields"], Secret(vector["key"])
    by_hand = f"{vector['signed_text']}&key={vector['key']}".encode()
    assert hashlib.md5(by_hand, usedforsecurity=False).hexdigest() == vector["sign"].lower()
    assert codec.signature(fields, key, fold_case=vector["fold_case"]) == vector["sign"].upper()
    signed_by = codec.verify({**fields, "sign": vector["sign"]}, (Secret("another"), key))
    assert signed_by == codec.Signed(key, vector["fold_case"])


@named("requests")
def test_a_request_is_written_and_read(vector: Mapping[str, Any]) -> None:
    key = Secret(vector["key"])
    assert codec.encode_signed_form(vector["fields"], key) == vector["body"].encode()
    fields = codec.decode_fields(vector["body"].encode())
    assert fields == {**vector["fields"], "sign": vector["sign"]}
    codec.refuse_second_meaning(fields, codec.verify(fields, (key,)))
    form = FORMS[vector["name"].lower()]
    assert form.read(fields) == {name: value for name, value in vector["fields"].items() if name in form.names}
    assert set(vector["fields"]) - form.names <= NOT_IN_TABLES


@named("source_requests")
def test_the_documents_requests_are_read(vector: Mapping[str, Any]) -> None:
    fields = codec.decode_fields(vector["body"].encode())
    assert fields == vector["fields"]
    form = FORMS[vector["name"].lower()]
    if vector["missing"]:
        # The sample leaves out fields that its own table requires.
        with pytest.raises(MissingField) as fault:
            form.read(fields)
        assert fault.value.field == vector["missing"]
    else:
        assert form.read(fields) == {name: fields[name] for name in fields if name in form.names}
        assert set(fields) - form.names <= NOT_IN_TABLES
    if "goods_detail" in fields:
        codec.check_goods(fields["goods_detail"])


@named("answers")
def test_an_answer_is_written_and_read(vector: Mapping[str, Any]) -> None:
    key = Secret(vector["key"])
    assert codec.encode_answer(vector["fields"], key) == vector["body"].encode()
    answer = codec.decode_answer(vector["body"].encode())
    codec.verify(answer, (key,))
    assert {name: value for name, value in answer.items() if name != "sign"} == vector["fields"]


@named("source_answers")
def test_the_documents_answers_are_read_and_written_back(vector: Mapping[str, Any]) -> None:
    body = json.dumps(vector["answer"]).encode()
    answer = codec.decode_answer(body)
    assert answer == {name: str(value) for name, value in vector["answer"].items()}
    # Numbers go back as numbers.
    members = {
        name: Number(str(value)) if isinstance(value, int) else value for name, value in vector["answer"].items()
    }
    assert json.loads(codec.encode_answer(members, None)) == vector["answer"]


@named("source_notices")
def test_the_documents_notices_are_read(vector: Mapping[str, Any]) -> None:
    told = notices.read(codec.decode_fields(vector["body"].encode()))
    assert (told.order_no, told.amount_fen, told.wallet) == (vector["order_no"], vector["amount_fen"], vector["name"])
    assert told.verdict == "PAID"


@named("attacks")
def test_a_signature_has_one_meaning(vector: Mapping[str, Any]) -> None:
    honest = signed(vector["honest"])
    forged = vector["forged"]
    if forged is not None:
        # The attack is real: both have the same signature.
        assert signed(forged)["sign"] == honest["sign"]
    with pytest.raises(WireError):
        codec.refuse_second_meaning(honest, codec.Signed(Secret("")))


def test_fields_with_an_ampersand_are_allowed_where_they_do_no_harm() -> None:
    fields = {**COMMON, "method": "pay", "body": "tea & cake, a=b&c=d", "attach": "https://shop.example/?a=1&b=2"}
    codec.refuse_second_meaning(fields, codec.Signed(Secret("")))


def answer_of(name: str) -> Mapping[str, Any]:
    (found,) = [vector for vector in VECTORS["source_answers"] if vector["name"] == name]
    answer: Mapping[str, Any] = found
    return answer


@pytest.mark.anyio
async def test_real_answers_have_the_fields_of_the_samples(desk: Desk) -> None:
    paid = desk.order("10")
    real = {"pay": await desk.call("pay", paid)}
    face = {**desk.order(), "paytype": "WECHAT", "openid": "o1", "face_code": "face00000000000000000000010"}
    real["facepay"] = await desk.call("facepay", {name: face[name] for name in face if name != "auth_code"})
    number = {"paytype": "WECHAT", "out_trade_no": paid["out_trade_no"], "op_user_id": "1"}
    refund = {**number, "out_refund_no": "R1", "total_fee": "100", "refund_fee": "10"}
    real["refund"] = await desk.call("refund", refund)
    real["refundquery"] = await desk.call("refundquery", {"paytype": "WECHAT", "out_refund_no": "R1"})
    other = desk.order()
    await desk.call("pay", other)
    real["cancel"] = await desk.call("cancel", {**number, "out_trade_no": other["out_trade_no"]})
    code = {"auth_code": "130000000000000000", "sub_appid": "wx4da448cd29920000"}
    real["authcodetoopenid"] = await desk.call("authcodetoopenid", code)
    device = {"paytype": "WECHAT", "store_id": "1", "store_name": "测试", "device_id": "1", "rawdata": "eNPJ"}
    real["getfaceauth"] = await desk.call("getfaceauth", device)
    jspay = desk.native(trade_type="JSPAY", sub_appid="wx4da448cd29920000", buyer_id="o1")
    real["WECHAT_PreOrder"] = await desk.preorder("WECHAT", jspay)
    real["ALIPAY_PreOrder"] = await desk.preorder("ALIPAY", desk.native())
    for name, answer in real.items():
        vector = answer_of(name)
        assert set(vector["answer"]) - set(answer) == set(vector["left_out"]), name
        assert {name: type(value) for name, value in answer.items()} == dict.fromkeys(answer, str)
    (row,) = json.loads(real["refundquery"]["refund_list"])
    (sample,) = json.loads(answer_of("refundquery")["answer"]["refund_list"])
    assert set(row) == set(sample)
    coupon = json.loads(real["pay"]["promotion_detail"])
    assert coupon["promotion_detail"][0]["amount"] == 10


@pytest.mark.anyio
async def test_the_management_calls_take_the_samples_and_answer_like_them(desk: Desk) -> None:
    samples = {vector["name"]: vector["fields"] for vector in VECTORS["source_requests"]}
    own = {name: COMMON[name] for name in ("agent_id", "mch_id")}
    real: dict[str, Any] = {}

    async def ask(name: str, path: str, **changes: str) -> None:
        sample = {each: value for each, value in samples[name].items() if each != "sign"}
        known = {**sample, **{each: own[each] for each in own if each in sample}, **changes}
        real[name] = await (desk.link if name in ("PayBoxConfGet", "qrpay") else desk.manage)(path, known)

    await ask("Mch_Reg", "/UnifiedPay/Mch_Reg")
    await ask("GetMchSMSValid", "/Mch/GetMchSMSValid")
    await desk.world.work()
    code = desk.world.outbox.to("13800000000")[0].text.removeprefix("验证码")[:6]
    await ask("GetMchId", "/Mch/GetMchId", valid=code)
    await ask("GetPartnerId", "/Open/GetPartnerId")
    await ask("GetMchInfo", "/Open/GetMchInfo")
    await ask("WXA_Code2Session", "/Open/WXA_Code2Session")
    await ask("wx_addsubdevconfig", "/open/wx_addsubdevconfig", mch_id=own["mch_id"])
    await ask("qrpay", f"/qrpay/{own['mch_id']}")
    await ask("PayBoxConfGet", "/Mch/PayBoxConfGet")
    for name, answer in real.items():
        sample = answer_of(name)["answer"]
        assert answer["state"] == "SUCCESS", name
        assert set(sample) <= set(answer), name
        assert {each: type(answer[each]) for each in sample} == {each: type(sample[each]) for each in sample}, name
    (row,) = json.loads(real["GetPartnerId"]["partner_list"])
    assert set(row) == set(json.loads(answer_of("GetPartnerId")["answer"]["partner_list"])[0])


def test_every_call_has_a_vector_and_every_vector_a_call() -> None:
    assert {vector["name"].lower() for vector in VECTORS["requests"]} == set(FORMS)
    assert {vector["name"].lower() for vector in VECTORS["source_requests"]} | NO_SAMPLE == set(FORMS)
    assert GATEWAY.lower() in SHARED_PATHS
    assert messages.KNOWN_NAMES >= messages.FREE_TEXT
