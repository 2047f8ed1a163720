"""Whatever the bytes, a decoder gives a message or a WireError; what is written is read back."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anytill.core.secret import Secret
from anytill.dialects.semoor import codec
from anytill.dialects.semoor.messages import FORMS, KNOWN_NAMES
from anytill.wire.errors import BadField, BadSignature, Malformed, TooLarge, WireError
from anytill.wire.flatxml import Element, fit
from anytill.wire.http import FORM, HttpRequest
from anytill.wire.times import format_time, parse_time
from tests.dialects.semoor.desk import KEY, VECTORS, tree

SECRET = Secret(KEY)
NAMES = st.text("abcdefghijklmnopqrstuvwxyz_.019", min_size=1, max_size=20).filter(lambda name: name != "sign")
VALUES = st.text(st.characters(exclude_categories=("Cc", "Cs")), max_size=40)
FIELDS = st.dictionaries(NAMES, VALUES, max_size=12)


def query(body: bytes) -> object:
    return codec.decode_request(HttpRequest("GET", "/", body.decode("utf-8", "surrogateescape"), {}, b"", ""))


def posted(body: bytes) -> object:
    return codec.decode_request(HttpRequest("POST", "/", "", {"content-type": FORM}, body, ""))


DECODERS: list[Callable[[bytes], object]] = [codec.decode_fields, query, posted, codec.decode_answer]


@pytest.mark.parametrize("decode", DECODERS, ids=lambda each: each.__name__)
@given(body=st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_bytes_give_a_message_or_a_wire_error(decode: Callable[[bytes], object], body: bytes) -> None:
    with suppress(WireError):
        decode(body)


@given(place=st.integers(0, 10_000), byte=st.integers(0, 255))
def test_a_changed_byte_gives_a_message_or_a_wire_error(place: int, byte: int) -> None:
    for vector in VECTORS["requests"]:
        body = bytearray(vector["body"].encode())
        body[place % len(body)] = byte
        with suppress(WireError):
            fields = codec.decode_fields(bytes(body))
            for form in FORMS.values():
                with suppress(WireError):
                    form.read(fields)
            codec.refuse_second_meaning(codec.verify(fields, (SECRET,)))
    for vector in VECTORS["source_answers"]:
        xml = bytearray(vector["xml"].encode())
        xml[place % len(xml)] = byte
        with suppress(WireError):
            codec.decode_answer(bytes(xml))


@given(FIELDS)
def test_a_signed_form_is_read_back_and_verified(fields: dict[str, str]) -> None:
    read = codec.decode_fields(codec.encode_signed(fields, SECRET))
    kept = {name: value for name, value in fields.items() if value}
    assert codec.verify(read, (SECRET,)) == codec.Signed(SECRET, read)
    assert {name: value for name, value in read.items() if name != "sign"} == kept
    with pytest.raises(BadSignature):
        codec.verify({**read, "more.more": "x"}, (SECRET,))


@given(FIELDS, st.sets(NAMES, max_size=3))
def test_fields_without_a_value_may_be_signed_or_not(fields: dict[str, str], empty: set[str]) -> None:
    both = {**fields, **dict.fromkeys(empty, "")}
    for keep_empty in (True, False):
        sign = codec.signature(both, SECRET, keep_empty=keep_empty)
        codec.verify({**both, "sign": sign}, (SECRET,))


@given(st.text(max_size=60), st.text(max_size=60))
def test_what_is_written_as_xml_is_read_as_it_was_meant(text: str, attribute: str) -> None:
    answer = codec.dm({"info": attribute}, codec.element("t", {"a": text}, codec.escaped(text)))
    root = tree(codec.encode_answer(answer))
    meant, attribute_meant = map(fit, (text, attribute))
    assert root.attrib == {"info": attribute_meant}
    (inside,) = root
    assert (inside.text or "", inside.attrib) == (meant, {"a": meant})
    assert codec.decode_answer(codec.encode_answer(codec.dm({"info": attribute}))) == Element(
        "dm", {"info": attribute_meant}
    )


@pytest.mark.parametrize("sign", ["", "0" * 40, "０" * 40, "K" * 40])
def test_wrong_signatures(sign: str) -> None:
    with pytest.raises(BadSignature):
        codec.verify({"a": "1", "sign": sign}, (SECRET,))
    with pytest.raises(BadSignature):
        codec.verify({"a": "1"}, (SECRET,))


@pytest.mark.parametrize(
    "body", [b"a=1&a=2", b"a=%ff", b"a=\xd6\xd0", b"a=%", b"a=%00", b"a=%7f", b"%61b&c=d", b"sign=1&sign=1"]
)
def test_what_can_be_read_in_two_ways_is_not_read(body: bytes) -> None:
    for decode in (codec.decode_fields, posted):
        with pytest.raises(Malformed):
            decode(body)


def test_too_much() -> None:
    with pytest.raises(TooLarge):
        codec.decode_fields(b"a=" + b"1" * codec.MAX_BODY)
    with pytest.raises(TooLarge):
        query(b"&".join(b"a%d=1" % number for number in range(300)))


@pytest.mark.parametrize(
    ("method", "address", "content_type", "body"),
    [
        ("HEAD", "a=1", "", b""),
        ("PUT", "", FORM, b"a=1"),
        ("GET", "", FORM, b"a=1"),
        ("GET", "a=1", FORM, b"b=1"),
        ("POST", "a=1", FORM, b"b=1"),
        ("POST", "", "application/json", b"a=1"),
        ("POST", "", "text/xml", b"a=1"),
    ],
)
def test_fields_are_in_the_address_or_in_a_form(method: str, address: str, content_type: str, body: bytes) -> None:
    headers = {"content-type": content_type}
    with pytest.raises(Malformed):
        codec.decode_request(HttpRequest(method, "/", address, headers, body, ""))


def test_a_post_may_have_its_fields_in_the_address() -> None:
    assert codec.decode_request(HttpRequest("POST", "/", "a=1&b", {}, b"", "")) == {"a": "1", "b": ""}


@pytest.mark.parametrize(
    "xml",
    [
        "",
        "<dm",
        "<DM ok='1'/>",
        "<!DOCTYPE dm [<!ENTITY a 'b'>]><dm ok='1'>&a;</dm>",
        "<dm xmlns='urn:other' ok='1'/>",
        "<dm ok='1' ok='0'/>",
        "<dm ok='1'/><dm ok='0'/>",
        "<dm ok='1'><!-- --></dm>",
    ],
)
def test_answers_that_are_none(xml: str) -> None:
    with pytest.raises(WireError):
        codec.decode_answer(xml.encode())


@pytest.mark.parametrize("name", ["key", "KEY", "Key", "Sign", "SIGN"])
def test_names_that_would_blur_the_signature(name: str) -> None:
    fields = {"device_id": "1", name: "x"}
    signed = codec.verify({**fields, "sign": codec.signature(fields, SECRET)}, (SECRET,))
    with pytest.raises(BadField):
        codec.refuse_second_meaning(signed)
    assert name not in KNOWN_NAMES


@pytest.mark.parametrize(
    "text", ["2026-02-30 00:00:00", "20261118190640", "2026-11-18T19:06:40", "２０26-11-18 19:06:40"]
)
def test_times_that_are_none(text: str) -> None:
    with pytest.raises(BadField):
        parse_time(text, "t")


def test_times_are_beijing_times() -> None:
    assert format_time(1_795_000_000_000) == "2026-11-18 19:06:40"
    assert parse_time("2026-11-18 19:06:40", "t") == 1_795_000_000_000
