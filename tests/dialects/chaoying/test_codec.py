"""Whatever the bytes, a decoder gives a message or a WireError; what is written is read back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anytill.core.secret import Secret
from anytill.dialects.chaoying import codec, notices
from anytill.dialects.chaoying.calls import CALLS
from anytill.wire.errors import BadField, BadSignature, Malformed, TooLarge, WireError
from anytill.wire.http import HttpRequest
from tests.dialects.chaoying.desk import VECTORS

KEY = Secret("5c1f0a94e2d84b37a6e93d7b08c2f416")
NAMES = st.text("abcdefghijklmnopqrstuvwxyzABC_.019", min_size=1, max_size=20).filter(lambda name: name != "sign")
VALUES = st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1, max_size=40)
FIELDS = st.dictionaries(NAMES, VALUES, max_size=12)


def decode_list(body: bytes) -> object:
    return codec.decode_list(body.decode("utf-8", "replace"), "refund_list")


def check_goods(body: bytes) -> object:
    codec.check_goods(body.decode("utf-8", "replace"))
    return None


def read_notice(body: bytes) -> object:
    return notices.read(codec.decode_fields(body))


DECODERS: list[Callable[[bytes], object]] = [
    codec.decode_fields,
    codec.decode_answer,
    decode_list,
    check_goods,
    read_notice,
]


@pytest.mark.parametrize("decode", DECODERS, ids=lambda each: each.__name__)
@given(body=st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_bytes_give_a_message_or_a_wire_error(decode: Callable[[bytes], object], body: bytes) -> None:
    with suppress(WireError):
        decode(body)


@given(place=st.integers(0, 10_000), byte=st.integers(0, 255), name=st.sampled_from(["requests", "source_notices"]))
def test_a_changed_byte_gives_a_message_or_a_wire_error(place: int, byte: int, name: str) -> None:
    for vector in VECTORS[name]:
        body = bytearray(vector["body"].encode())
        body[place % len(body)] = byte
        try:
            fields = codec.decode_fields(bytes(body))
            for call in CALLS.values():
                call.form.read(fields)
            notices.read(fields)
        except WireError:
            continue


@given(FIELDS)
def test_a_signed_form_is_read_back_and_verified(fields: dict[str, str]) -> None:
    read = codec.decode_fields(codec.encode_signed_form(fields, KEY))
    assert codec.verify(read, (KEY,)).key == KEY
    assert {name: value for name, value in read.items() if name != "sign"} == fields
    with pytest.raises(BadSignature):
        codec.verify({**read, "more": "x"} if "more" not in read else {}, (KEY,))


def blunted(fields: Mapping[str, str]) -> dict[str, str]:
    """Without what tells an ampersand from the full-width one that may stand for it (`codec.encode_answer`)."""
    return {name: value.replace("&", "＆") for name, value in fields.items()}


@given(FIELDS)
def test_an_answer_is_read_back_and_verified(fields: dict[str, str]) -> None:
    answer = codec.decode_answer(codec.encode_answer(fields, KEY))
    assert codec.verify(answer, (KEY,)).key == KEY
    assert blunted({name: value for name, value in answer.items() if name != "sign"}) == blunted(fields)


def test_empty_and_absent_are_the_same() -> None:
    assert codec.decode_fields(b"a=&b=1&c") == {"b": "1"}
    assert codec.signature({"a": "", "b": "1"}, KEY) == codec.signature({"b": "1"}, KEY)


@pytest.mark.parametrize("sign", ["", "0" * 32, "０" * 32, "K" * 32])
def test_wrong_signatures(sign: str) -> None:
    with pytest.raises(BadSignature):
        codec.verify({"a": "1", "sign": sign}, (KEY,))


@pytest.mark.parametrize(
    "body", [b"a=1&a=2", b"a=%ff", b"a=\xd6\xd0", b"a=%", b"a=%00", b"%61b&c=d", b"a b=1", b"sign=1&sign=1"]
)
def test_what_can_be_read_in_two_ways_is_not_read(body: bytes) -> None:
    with pytest.raises(Malformed):
        codec.decode_fields(body)


def test_too_much() -> None:
    with pytest.raises(TooLarge):
        codec.decode_fields(b"a=" + b"1" * codec.MAX_BODY)
    with pytest.raises(TooLarge):
        codec.decode_fields(b"&".join(b"a%d=1" % number for number in range(300)))


@pytest.mark.parametrize(
    ("method", "query", "content_type"),
    [("GET", "", ""), ("POST", "a=1", ""), ("POST", "", "application/json"), ("POST", "", "text/plain")],
)
def test_only_a_posted_form_is_a_request(method: str, query: str, content_type: str) -> None:
    with pytest.raises(Malformed):
        codec.decode_request(HttpRequest(method, "/", query, {"content-type": content_type}, b"a=1", ""))


@pytest.mark.parametrize(
    "body",
    [b"[]", b'{"a":[1]}', b'{"a":{}}', b'{"a":true}', b'{"a":"1","a":"2"}', b'{"a":NaN}', b"", b'{"a":"1"'],
)
def test_answers_that_are_none(body: bytes) -> None:
    with pytest.raises(WireError):
        codec.decode_answer(body)


def test_numbers_and_nulls_in_answers() -> None:
    assert codec.decode_answer(b'{"expires_in":7200,"a":null,"b":""}') == {"expires_in": "7200"}


@pytest.mark.parametrize(
    ("version", "old"), [("1.0", False), ("1", False), ("2.9.0", False), ("01.0", False), ("0.9", True), ("0", True)]
)
def test_versions(version: str, old: bool) -> None:
    assert codec.too_old(version) is old


def test_times_are_beijing_times_in_both_forms() -> None:
    at_ms = 1_795_000_000_000
    assert codec.format_time(at_ms) == "20261118190640"
    assert codec.parse_time("20261118190640", "t") == at_ms
    assert codec.parse_time("2026-11-18 19:06:40", "t") == at_ms


@pytest.mark.parametrize(
    "text", ["20260230000000", "2026111818464", "２０２６1118184640", "20261118 24:00:00", "0" * 14]
)
def test_times_that_are_none(text: str) -> None:
    with pytest.raises(BadField):
        codec.parse_time(text, "t")


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "[",
        "[1]",
        '[{"goods_id":"a","quantity":1}]',
        '[{"goods_id":"a","quantity":0,"price":1}]',
        '[{"goods_id":"a","quantity":1,"price":1.5}]',
        '[{"goods_id":"a","quantity":1,"price":-1}]',
        '[{"goods_id":"茶","quantity":1,"price":1}]',
        '[{"goods_id":"a","quantity":1,"price":1}],"x":[]',
        '[{"goods_id":"a","quantity":1,"price":1}]]',
    ],
)
def test_goods_that_are_none(text: str) -> None:
    with pytest.raises(WireError):
        codec.check_goods(text)
