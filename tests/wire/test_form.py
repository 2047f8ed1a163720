"""Forms: one strict reading, the same as a slow parser built on the standard library."""

from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anytill.wire.errors import Malformed, TooLarge, WireError
from anytill.wire.form import decode_form, decode_query, encode_form

NAME = st.from_regex(r"[A-Za-z0-9_.]{1,64}", fullmatch=True)
VALUE = st.text(st.characters(exclude_categories=["Cs", "Cc"], include_characters="\t\r\n"), max_size=20)
# Bytes likely to mean something to a parser.
SNIPPETS = st.lists(
    st.sampled_from(
        [b"a", b"b", b"1", b"&", b"=", b"%", b"%41", b"%e8%8c%b6", b"%E8", b"%8C", b"%ff", b"%00", b"%0A", b"%7f",
         b"%C2%85", b"+", b"%2B", b"%26", b"%3D", b";", "茶".encode(), b"\xff", b"\xe8", b"\x00", b"\r\n", b" ", b"%zz",
         b"%ED%A0%80", b"%C0%80", b"\xf4\x90\x80\x80"]
    ),
    max_size=12,
).map(b"".join)  # fmt: skip


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        (b"", {}),
        (b"a=1&b=2", {"a": "1", "b": "2"}),
        (b"b=2&a=1", {"b": "2", "a": "1"}),
        (b"a=&b", {"a": "", "b": ""}),
        (b"&&a=1&", {"a": "1"}),
        (b"a=1=2", {"a": "1=2"}),
        (b"a=1;b=2", {"a": "1;b=2"}),
        (b"a=b+c%2Bd%20e", {"a": "b c+d e"}),
        (b"a=%26b%3d1", {"a": "&b=1"}),
        (b"a=%E8%8C%B6&b=%e8%8c%b6", {"a": "茶", "b": "茶"}),
        ("a=茶".encode(), {"a": "茶"}),
        (b"a=x%0D%0Ay%09z", {"a": "x\r\ny\tz"}),
        (b"Aa.0_=1&a=2", {"Aa.0_": "1", "a": "2"}),
        (b"n" * 64 + b"=1", {"n" * 64: "1"}),
        (b"a=null&b=true&c=[1]", {"a": "null", "b": "true", "c": "[1]"}),
    ],
)
def test_what_is_read(body: bytes, fields: dict[str, str]) -> None:
    decoded = decode_form(body)
    assert decoded == fields
    assert list(decoded) == list(fields)


@pytest.mark.parametrize(
    "body",
    [
        b"a=1&a=1", b"a=1&a=2", b"a=1&%61=2", b"a&a", b"a=%ff&a=%ff",
        b"a=%", b"a=%4", b"a=%zz", b"a=%%41", b"%=1", b"a=%\xef\xbc\x91\xef\xbc\x91",
        b"a=%ff", b"a=%E8%8C", b"a=%E8&b=%8C%B6", b"a=\xff", b"a=\xe8%8C%B6", b"a=%C0%80", b"a=%ED%A0%80",
        b"%ff=1", b"\xff=1", b"\xff",
        b"a=%00", b"a=\x00", b"a=%1b", b"a=%7F", b"a=%0B", b"a=%C2%85",
        b"=1", b"a%3D=1", b"a%3D1", b"%61=1", b"%61", b"a+b=1", b"a%20=1", b"a-b=1",
        "茶=1".encode(), b"a%0A=1", b"a%00=1", b"n" * 65 + b"=1",
        b"\xef\xbb\xbfa=1", b'{"a":"1"}', b"a[]=1",
    ],
)  # fmt: skip
def test_what_is_refused(body: bytes) -> None:
    with pytest.raises(Malformed):
        decode_form(body)


def test_the_limits() -> None:
    decode_form(b"&".join(b"f%d=" % at for at in range(200)))
    with pytest.raises(TooLarge):
        decode_form(b"&".join(b"f%d=" % at for at in range(201)))
    decode_form(b"a=" + b"x" * 8192)
    with pytest.raises(TooLarge) as caught:
        decode_form(b"a=1&b=" + b"x" * 8193)
    assert caught.value.field == "b"
    decode_form(b"a=%E8%8C%B6", max_value=3)
    with pytest.raises(TooLarge):
        decode_form(b"a=%E8%8C%B6", max_value=2)


@pytest.mark.parametrize(("body", "field"), [(b"a=1&bc=2&bc=3", "bc"), (b"a=1&b=%ff&b=%ff", None)])
def test_a_repeated_name_is_told_only_when_it_is_fit_to_be_shown(body: bytes, field: str | None) -> None:
    with pytest.raises(Malformed) as caught:
        decode_form(body)
    assert caught.value.field == field


def test_a_query_follows_the_same_rules() -> None:
    assert decode_query("a=%E8%8C%B6&b=茶") == {"a": "茶", "b": "茶"}
    for query in ("a=1&a=2", "a=%", "a=\ud800"):
        with pytest.raises(Malformed):
            decode_query(query)


@pytest.mark.parametrize(
    ("fields", "body"),
    [
        ({"b": "2", "a": ""}, b"b=2&a="),
        ({"a": "茶 +&=%~*/"}, b"a=%E8%8C%B6+%2B%26%3D%25~%2A%2F"),
        ({"a.b_c": "x-y_z.~"}, b"a.b_c=x-y_z.~"),
        ({}, b""),
    ],
)
def test_writing(fields: dict[str, str], body: bytes) -> None:
    assert encode_form(fields) == body


@given(st.dictionaries(NAME, VALUE, max_size=8))
def test_what_is_written_is_read_again(fields: dict[str, str]) -> None:
    assert decode_form(encode_form(fields)) == fields
    assert decode_query(encode_form(fields).decode()) == fields


def slow_and_strict(body: bytes) -> dict[str, str] | None:
    """The same rules in the plainest terms; None for a refusal."""
    fields: dict[str, str] = {}
    for segment in body.split(b"&"):
        if not segment:
            continue
        texts = []
        for part in (segment.partition(b"=")[0], segment.partition(b"=")[2]):
            for escape in part.split(b"%")[1:]:
                if len(escape) < 2 or not all(digit in b"0123456789abcdefABCDEF" for digit in escape[:2]):
                    return None
            try:
                # What arrives raw must be UTF-8 by itself.
                part.decode()
                texts.append(unquote_to_bytes(part.replace(b"+", b" ")).decode())
            except UnicodeDecodeError:
                return None
        name, value = texts
        if b"%" in segment.partition(b"=")[0]:
            return None
        name_is_good = name.isascii() and name.replace("_", "a").replace(".", "a").isalnum() and len(name) <= 64
        if name in fields or not name_is_good:
            return None
        if any((ord(c) < 32 and c not in "\t\r\n") or 127 <= ord(c) < 160 for c in value):
            return None
        fields[name] = value
    return fields


@given(SNIPPETS | st.binary(max_size=40))
def test_any_bytes_are_read_as_by_the_slow_parser(body: bytes) -> None:
    try:
        decoded = decode_form(body)
    except WireError:
        assert slow_and_strict(body) is None
    else:
        assert decoded == slow_and_strict(body)
