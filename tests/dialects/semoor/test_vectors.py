"""The document's samples and our golden vectors, run both ways."""

from __future__ import annotations

import hashlib
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from anytill.core.secret import Secret
from anytill.dialects.semoor import codec, messages
from anytill.dialects.semoor.messages import FORMS, NAMES, Origin
from anytill.wire.errors import BadSignature, WireError
from anytill.wire.flatxml import encode_element
from anytill.wire.http import HttpRequest
from anytill.wire.times import format_time, parse_time
from tests.dialects.semoor.desk import DEVICE, KEY, OP, REPRINT, VECTORS, Desk, sha1, signed, signed_text, tree

BEIJING = timezone(timedelta(hours=8))


def named(kind: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("vector", VECTORS[kind], ids=lambda each: each.get("why") or each.get("name"))


@named("signatures")
def test_a_signature_is_made_and_found(vector: Mapping[str, Any]) -> None:
    fields, key, keep = vector["fields"], Secret(vector["key"]), vector["keep_empty"]
    by_hand = hashlib.sha1(f"{vector['signed_text']}&key={vector['key']}".encode(), usedforsecurity=False)
    assert by_hand.hexdigest().upper() == vector["sign"]
    assert codec.signed_text(fields, keep_empty=keep) == vector["signed_text"]
    assert codec.signature(fields, key, keep_empty=keep) == vector["sign"]
    for sign in (vector["sign"], vector["sign"].lower()):
        assert codec.verify({**fields, "sign": sign}, (Secret("another"), key)).key == key
    with pytest.raises(BadSignature):
        codec.verify({**fields, "sign": vector["sign"], "more": "x"}, (key,))


@named("requests")
def test_a_request_is_written_and_read(vector: Mapping[str, Any]) -> None:
    key = Secret(vector["key"])
    assert codec.encode_signed(vector["fields"], key) == vector["body"].encode()
    fields = codec.decode_fields(vector["body"].encode())
    assert fields == {**vector["fields"], "sign": vector["sign"]}
    codec.refuse_second_meaning(codec.verify(fields, (key,)))
    assert FORMS[vector["name"]].read(fields) == vector["fields"]


def test_every_call_has_a_vector() -> None:
    assert {vector["name"] for vector in VECTORS["requests"]} == set(FORMS) - {"active"}


@named("source_requests")
def test_the_documents_requests_are_read(vector: Mapping[str, Any]) -> None:
    path = REPRINT if vector["name"] == "reprint" else OP
    fields = codec.decode_request(HttpRequest("GET", path, vector["query"], {}, b"", ""))
    assert fields == vector["fields"]
    known = FORMS[vector["name"]].read(fields)
    assert known == {name: value for name, value in fields.items() if value and name != "sign"}
    if "sign" in fields:
        # Two of the three signatures belong to a key that the document does not print.
        assert (sha1(f"{signed_text(fields)}&key={KEY}") == fields["sign"]) is vector["verifies"]
        if vector["verifies"]:
            codec.refuse_second_meaning(codec.verify(fields, (Secret(KEY),)))


@named("source_answers")
def test_the_documents_answers_are_read_and_written_back(vector: Mapping[str, Any]) -> None:
    answer = codec.decode_answer(vector["xml"].encode())
    sample = tree(vector["xml"])
    assert dict(answer.attributes) == sample.attrib
    assert [child.name for child in answer.children] == [child.tag.rpartition("}")[2] for child in sample]
    again = encode_element(answer)
    assert ET.canonicalize(again) == ET.canonicalize(vector["xml"])


@named("refund_numbers")
def test_a_refunds_number_is_the_second_before_the_one_beside_it(vector: Mapping[str, Any]) -> None:
    told = datetime.strptime(vector["pay_time"], "%Y-%m-%d %H:%M:%S").replace(tzinfo=BEIJING)
    seconds = int(vector["pay_id"].removeprefix(vector["dm_id"]))
    assert seconds == int(told.timestamp()) - vector["seconds_early"]
    assert parse_time(vector["pay_time"], "pay_time") == int(told.timestamp()) * 1_000
    assert format_time((seconds + vector["seconds_early"]) * 1_000) == vector["pay_time"]


@named("attacks")
def test_a_signature_has_one_meaning(vector: Mapping[str, Any]) -> None:
    honest = signed(vector["honest"])
    if vector["forged"] is not None:
        # The attack is real: both have the same signature.
        assert signed(vector["forged"])["sign"] == honest["sign"]
        codec.verify({**vector["forged"], "sign": honest["sign"]}, (Secret(KEY),))
    with pytest.raises(WireError):
        codec.refuse_second_meaning(codec.verify(honest, (Secret(KEY),)))


def test_an_ampersand_is_allowed_where_it_does_no_harm() -> None:
    order = {**VECTORS["attacks"][0]["honest"], "info": "tea & cake, a=b&c=d", "infoaddo": "x&y=1\r\n&"}
    codec.refuse_second_meaning(codec.verify(signed(order), (Secret(KEY),)))


@pytest.mark.anyio
async def test_the_signing_sample_is_served_as_it_is_printed(desk: Desk) -> None:
    query = VECTORS["source_requests"][0]["query"]
    answer = await desk.get(query)
    assert [answer.get(name) for name in ("ok", "total", "pay_type")] == ["1", "0.01", "5"]
    again = await desk.get(query)
    assert again.get("dm_id") == answer.get("dm_id")
    assert (await desk.book())[:2] == (1, 1)


def test_the_one_table_says_whose_each_name_is() -> None:
    whats = [name.what for name in NAMES]
    assert len(set(whats)) == len(whats)
    ours = {name.text for name in NAMES if name.origin is Origin.OURS}
    assert ours >= {"/o2o_dmprinter/active.php", "/o2o_dmprinter/config.php", "querytimeout", "query", "code", "no"}
    source = {name.text for name in NAMES if name.origin is Origin.SOURCE}
    assert source >= {OP, REPRINT, "/o2o_dmprinter/time.php", "micropay", "refund", "read", "4", "微信", "-1"}
    requested = {name.what.removeprefix("request field ") for name in NAMES if name.what.startswith("request field ")}
    assert requested == messages.KNOWN_NAMES | {"sign"}
    fields = {name for vector in VECTORS["source_requests"] for name in vector["fields"]}
    of_source = {
        n.what.removeprefix("request field ")
        for n in NAMES
        if n.what.startswith("request field ") and n.origin is Origin.SOURCE
    }
    assert fields == of_source
    assert DEVICE == "57206"


def test_the_answers_names_of_the_source_are_those_of_its_samples() -> None:
    attributes, elements = set[str](), set[str]()
    for vector in VECTORS["source_answers"]:
        for element in tree(vector["xml"]).iter():
            elements.add(element.tag.rpartition("}")[2])
            if element.tag in ("dm", "pay"):
                attributes |= set(element.attrib)

    def of(kind: str) -> set[str]:
        return {n.what.removeprefix(kind) for n in NAMES if n.what.startswith(kind) and n.origin is Origin.SOURCE}

    assert attributes == of("answer attribute ")
    assert elements == of("answer element ")
