"""Objects in JSON and in the looser text: one reading or an error, whatever the text."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anytill.dialects.qfpay import objecttext
from anytill.wire import jsontext
from anytill.wire.errors import Malformed, TooLarge, WireError
from anytill.wire.jsontext import Json, Number

NAMES = st.from_regex(r"[A-Za-z0-9_.]{1,12}", fullmatch=True)
NUMBERS = st.from_regex(r"-?(0|[1-9][0-9]{0,8})(\.[0-9]{1,4})?([eE][+-]?[0-9]{1,2})?", fullmatch=True).map(Number)
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
VALUES = st.none() | st.booleans() | NUMBERS | TEXTS
OBJECTS = st.dictionaries(NAMES, VALUES | st.dictionaries(NAMES, VALUES, max_size=3), max_size=6)
PIECES = st.sampled_from(
    ["{", "}", ":", "=", ",", "'", '"', "\\", "a", "content", "amt", "1", "-", "0.5", "1e2", "null", "true", "[", "]",
     " ", "\n", "\\u0000", "\\ud800", "\\n", "'x'", '"x"', "b=1", "{c:2}", "//", "#", "/**/", ";", "=>", "茶"]
)  # fmt: skip


@given(st.text(max_size=60) | st.lists(PIECES, max_size=24).map("".join) | st.lists(PIECES).map("{{{}}}".format))
def test_any_text_is_an_object_or_an_error(text: str) -> None:
    try:
        members = objecttext.read(text)
    except WireError:
        return
    assert isinstance(members, dict)


@given(OBJECTS)
def test_json_is_read_as_json(members: dict[str, Json]) -> None:
    text = jsontext.encode(members)
    assert objecttext.read(text.decode()) == jsontext.decode(text) == members
    assert objecttext.read(json.dumps(members, indent=1)) == jsontext.decode(json.dumps(members).encode())


@given(st.lists(PIECES, max_size=12).map(lambda pieces: "{" + "".join(pieces) + "}"))
def test_what_strict_json_reads_too_is_read_alike(text: str) -> None:
    try:
        strictly = jsontext.decode(text.encode())
    except WireError:
        return
    try:
        loosely = objecttext.read(text)
    except WireError:
        return
    assert loosely == strictly
    assert [type(value) for value in loosely.values()] == [type(value) for value in strictly.values()]


@given(
    st.dictionaries(NAMES, NUMBERS | TEXTS.filter(lambda text: not set(text) & set("'\\") and text.isprintable())),
    st.lists(
        st.tuples(st.sampled_from(["", " ", "\n\t"]), st.sampled_from([":", "="]), st.sampled_from(["", "'", '"']))
    ),
)
def test_the_looser_text_is_read_as_it_was_written(
    members: dict[str, Json], styles: list[tuple[str, str, str]]
) -> None:
    styles = styles or [("", "=", "")]
    written = []
    for nth, (name, value) in enumerate(members.items()):
        blank, sign, quote = styles[nth % len(styles)]
        shown = value if isinstance(value, Number) else f"'{value}'"
        written.append(f"{blank}{quote}{name}{quote}{blank}{sign}{blank}{shown}{blank}")
    assert objecttext.read("{" + ",".join(written) + "}") == members


@pytest.mark.parametrize(
    ("text", "members"),
    [
        ("{}", {}),
        (" {\n} ", {}),
        ("{func_type: 3002}", {"func_type": "3002"}),
        ("{content:{amt=12.50,channel='wx'}, digest:''}", {"content": {"amt": "12.50", "channel": "wx"}, "digest": ""}),
        ("{content={},a=1}", {"content": {}, "a": "1"}),
        ("""{'a':"it's",b='say "hi"'}""", {"a": "it's", "b": 'say "hi"'}),
        ('{"a":"\\u8336\\n"}', {"a": "茶\n"}),
        ("{a=null,b=true,c:false}", {"a": None, "b": True, "c": False}),
        ("{null=1}", {"null": "1"}),
    ],
)  # fmt: skip
def test_what_is_read(text: str, members: dict[str, Json]) -> None:
    assert objecttext.read(text) == members


@pytest.mark.parametrize(
    "text",
    ["", "a=1", "[]", "{", "}", "{a}", "{a=}", "{=1}", "{a=1", "{a=1}}", "{a=1}{}", "{a=1,}", "{,a=1}", "{a=1,,b=2}",
     "{a==1}", "{a:=1}", "{a=>1}", "{a=1;b=2}", "{a=1 b=2}", "{a=wx}", "{a=[1]}", "{a=[]}", "{a=/**/1}", "{#\na=1}",
     "{a=010}", "{a=0x10}", "{a=+1}", "{a=.5}", "{a=5.}", "{a=1_000}", "{a=１}", "{a=NaN}", "{a=Infinity}",
     "{a=True}", "{a=None}", "{a=nullx}", "{a='x}", "{a='x''}", "{a='\\'}", "{a='\\n'}", "{a='x\ny'}", '{a="x\ny"}',
     '{a="\\x"}', '{a="\\u12"}', '{"a\\u0062"=1}', "{a b=1}", "{a-b=1}", "{'a\"=1}", "{茶=1}", '{""=1}', "{''=1}",
     '{"a":"\\u0000"}', '{"a":"\\ud800"}', "{a='\0'}", "{a='\ud800'}", "\ufeff{a=1}", "{a=1}\0", "\xa0{}",
     "{a=1,a=2}", "{a=1,'a'=1}", '{"a":1,a=1}', "{b={a=1,a=1}}", "{" + "a" * 65 + "=1}"],
)  # fmt: skip
def test_what_is_not_read(text: str) -> None:
    with pytest.raises(Malformed):
        objecttext.read(text)


def test_depth_and_number_of_members_are_bounded() -> None:
    assert objecttext.read("{a={a={a={a=1}}}}".replace("{a=1}", "{}"))
    with pytest.raises(TooLarge):
        objecttext.read("{a=" * 5 + "1" + "}" * 5)
    with pytest.raises(WireError):
        objecttext.read("{a=" * 30_000)
    assert len(objecttext.read("{" + ",".join(f"a{nth}=1" for nth in range(200)) + "}")) == 200
    with pytest.raises(TooLarge):
        objecttext.read("{" + ",".join(f"a{nth}=1" for nth in range(201)) + "}")
