"""JSON: strict reading, and numbers that stay text."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anytill.wire.errors import Malformed, TooLarge, WireError
from anytill.wire.jsontext import Json, Number, decode, encode

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=6)
NUMBER = st.from_regex(r"-?(0|[1-9][0-9]{0,30})(\.[0-9]{1,30})?([eE][+-]?[0-9]{1,4})?", fullmatch=True).map(Number)
JSON = st.recursive(
    st.none() | st.booleans() | TEXT | NUMBER,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
SNIPPETS = st.lists(
    st.sampled_from([*'{}[]":,\\ 01-.eE', "null", "NaN", '"a":', "\\ud800", "\\u0000", "茶", "\x00", "\ufeff"]),
    max_size=20,
).map(lambda snippets: "".join(snippets).encode())


def test_numbers_stay_as_they_were_written() -> None:
    body = b'{"a":0.10,"b":1e400,"c":-0,"d":12345678901234567890,"e":[1.0],"f":"1"}'
    value = decode(body)
    assert value == {"a": "0.10", "b": "1e400", "c": "-0", "d": "12345678901234567890", "e": ["1.0"], "f": "1"}
    assert isinstance(value["a"], Number)
    assert not isinstance(value["f"], Number)
    assert encode(value) == body


def test_other_values_and_the_order() -> None:
    value = decode('{"z":null,"a":true,"茶":"\\u8336\\ud83c\\udf75","n":{"o":{}}}'.encode())
    assert value == {"z": None, "a": True, "茶": "茶🍵", "n": {"o": {}}}
    assert list(value) == ["z", "a", "茶", "n"]


@pytest.mark.parametrize(
    "body",
    [
        b"", b" ", b"null", b"[]", b'"a"', b"1", b"{", b"{}{}", b"{'a':1}", b'{"a":1,}', b'{"a":01}', b'{"a":.5}',
        b'{"a":+1}', b'{"a":NaN}', b'{"a":Infinity}', b'{"a":-Infinity}', b'{"a":1_0}', b'{"a":1,"a":1}',
        b'{"x":{"a":1,"\\u0061":2}}', b'{"a":"\xff"}', b"\xef\xbb\xbf{}", b'{"a":"\n"}', b'{"a":"\x00"}',
        b'{"a":"\\ud800"}', b'{"\\udfff":1}', b'{"a":["\\udc00\\ud800"]}', b'{"a":"x\\u0000"}', b'{"a":"\\x"}',
        "{\"a\":１}".encode(), '{"a":1}'.encode("utf-16"), b'{"a":"\xed\xa0\x80"}', b"<xml/>",
    ],
)  # fmt: skip
def test_what_is_refused(body: bytes) -> None:
    with pytest.raises(Malformed):
        decode(body)


def nested(depth: int) -> bytes:
    return b'{"a":' * (depth - 1) + b"{}" + b"}" * (depth - 1)


def test_the_depth_is_limited() -> None:
    decode(nested(16))
    decode(b'{"a":[' + b",".join([b"{}"] * 50) + b'],"b":"' + b"[{" * 50 + b'\\"[["}')
    for body in (nested(17), b'{"a":' + b"[" * 16 + b"]" * 16 + b"}", b"[" * 100_000, b'{"a":' * 100_000):
        with pytest.raises(TooLarge):
            decode(body)


@pytest.mark.parametrize("literal", ["", "01", "1.", ".1", "NaN", "1e", "+1", "1 ", "1\n", "１", "0x1", "1,2"])
def test_a_number_is_a_json_number(literal: str) -> None:
    with pytest.raises(ValueError, match="not a JSON number"):
        Number(literal)


def test_what_has_no_json_form_is_a_mistake_of_ours() -> None:
    with pytest.raises(TypeError):
        encode({"a": b"bytes"})  # type: ignore[dict-item]


@given(st.dictionaries(TEXT, JSON, max_size=4))
def test_what_is_written_is_read_again(value: dict[str, Json]) -> None:
    assert decode(encode(value)) == value
    assert encode(decode(encode(value))) == encode(value)


@given(SNIPPETS | st.binary(max_size=40))
def test_any_bytes_give_an_object_or_a_wire_error(body: bytes) -> None:
    try:
        value = decode(body)
    except WireError:
        return
    assert json.loads(body) == json.loads(encode(value))
