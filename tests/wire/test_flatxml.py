"""XML: one strict way in, one way out."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anytill.wire import flatxml
from anytill.wire.errors import Malformed, TooLarge, WireError
from anytill.wire.flatxml import Element, Rows

TEXT = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff") | st.sampled_from("\t\r\n&<>\"'"),
    max_size=8,
)
NAME = st.text(string.ascii_letters + "_", min_size=1, max_size=1).flatmap(
    lambda first: st.text(string.ascii_letters + string.digits + "_.-", max_size=5).map(lambda rest: first + rest)
)
ATTRIBUTES = st.dictionaries(NAME.filter(lambda name: not name.lower().startswith("xml")), TEXT, max_size=3)
LEAF = st.builds(Element, NAME, ATTRIBUTES, st.just(()), TEXT)
TREE = st.recursive(
    LEAF,
    lambda inner: st.builds(Element, NAME, ATTRIBUTES, st.lists(inner, min_size=1, max_size=3).map(tuple)),
    max_leaves=8,
)
SNIPPETS = st.lists(
    st.sampled_from(
        ["<data>", "</data>", "<a>", "</a>", "<a/>", "<b x='1'>", "</b>", "text", "&amp;", "&lt;", "&#65;", "&#0;",
         "&e;",
         "<!--c-->", "<?p i?>", "<!DOCTYPE data>", "<![CDATA[<x>]]>", '<?xml version="1.0"?>', "\x00", "\x7f", "茶",
         " ", "\n", "xmlns", "<c xmlns='u:x'>", "</c>", "<p:d xmlns:p='u'/>", "<xml:e/>", "]]>", "\ufeff"]
    ),
    max_size=12,
).map(lambda snippets: "".join(snippets).encode())  # fmt: skip


def test_a_flat_document() -> None:
    body = (
        "\ufeff<?xml version='1.0' encoding='utf-8' standalone='yes'?>\n<data>\n  <b> 茶 &amp; &lt;x&gt;&#13;\r\n</b>\n"
        "  <a/>\n <c></c><d><![CDATA[<1>]]>2</d></data> \n"
    ).encode()
    fields = flatxml.parse(body, "data")
    assert fields == {"b": " 茶 & <x>\r\n", "a": "", "c": "", "d": "<1>2"}
    assert list(fields) == ["b", "a", "c", "d"]


@pytest.mark.parametrize(
    "body",
    [
        b"", b" ", b"text", b"<data>", b"</data>", b"<data/><data/>", b"<data/>x", b"x<data/>", b"<data/>\x00",
        b"<other/>",
        b"<Data/>", b"<data><a>1</a><a>1</a></data>", b"<data>x<a>1</a></data>", b"<data><a>1</a>x</data>",
        b"<data x='1'><a>1</a></data>", b"<data><a x='1'>1</a></data>", b"<data><a><b>1</b></a></data>",
        b"<data><a xml:lang='en'>1</a></data>", b"<xml:data><a>1</a></xml:data>", b"<data><xml:a>1</xml:a></data>",
        b"<data xmlns='u'><a>1</a></data>", b"<data xmlns:p='u'><a>1</a></data>", b"<data><a xmlns='u'>1</a></data>",
        b"<data><a xmlns:p='u'>1</a></data>", b"<data xmlns:p='u'><p:a>1</p:a></data>", b"<data><p:a>1</p:a></data>",
        b"<data><a>1<!-- 2 -->3</a></data>", b"<data><!-- c --><a>1</a></data>", b"<!-- c --><data/>",
        b"<data/><!-- c -->",
        b"<data><a>1<?p i?>3</a></data>", b"<?p i?><data/>", b"<data/><?p i?>",
        b"<!DOCTYPE data><data/>", b"<!DOCTYPE data [<!ENTITY e 'x'>]><data><a>&e;</a></data>",
        b"<!DOCTYPE data SYSTEM 'file:///etc/passwd'><data/>",
        b"<!DOCTYPE data [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><data><a>&e;</a></data>",
        b"<!DOCTYPE data [<!ENTITY % e SYSTEM 'http://127.0.0.1/x'> %e;]><data/>",
        b"<![CDATA[<data/>]]>", b"<data><![CDATA[<!DOCTYPE data>]]></data>", b"<data><a>&e;</a></data>",
        b"<data><a>&</a></data>",
        b"<data><a>&#0;</a></data>", b"<data><a>&#1;</a></data>", b"<data><a>&#127;</a></data>",
        b"<data><a>&#x9f;</a></data>",
        b"<data><a>\x01</a></data>", b"<data><a>\x7f</a></data>", b"<data><a>\xc2\x85</a></data>",
        b"<data><a>&#xd800;</a></data>", b"<data><a>\xed\xa0\x80</a></data>", b"<data><a>\xef\xbf\xbe</a></data>",
        b"<data><a>\xff</a></data>", b"<data><a>]]></a></data>", b"<data><a>1</b></data>", b"<data><a>1</a>",
        "<data><茶>1</茶></data>".encode(), b"<data><" + b"a" * 65 + b"/></data>",
        b'<?xml version="1.1"?><data/>', b'<?xml version="1.0" encoding="GBK"?><data/>',
        b' <?xml version="1.0"?><data/>',
        b'<?xml version="1.0" encoding="UTF-7"?><data/>', b'<?xml version="1.0"?><?xml version="1.0"?><data/>',
        "<data/>".encode("utf-16"), "<data/>".encode("utf-32"), b"\xfe\xff<data/>",
    ],
)  # fmt: skip
def test_what_is_refused(body: bytes) -> None:
    with pytest.raises(Malformed):
        flatxml.parse(body, "data")


def test_a_text_that_names_xmlns_declares_nothing() -> None:
    assert flatxml.parse(b"<data><a>xmlns='u'</a></data>", "data") == {"a": "xmlns='u'"}


@pytest.mark.parametrize(
    "body",
    [
        b"<data>" + b"x" * 70_000 + b"</data>",
        b"<data>" + b"<a/>" * 500 + b"</data>",
        b"<a>" * 500 + b"</a>" * 500,
    ],
)
def test_what_is_too_much(body: bytes) -> None:
    with pytest.raises(TooLarge):
        flatxml.parse(body, "data")
    with pytest.raises(TooLarge):
        flatxml.parse_element(body, "data")


def nested(depth: int) -> bytes:
    return b"<data>" * depth + b"</data>" * depth


def test_the_depth_is_limited() -> None:
    assert flatxml.parse_element(nested(16), "data").name == "data"
    for body in (nested(17), nested(150)):
        with pytest.raises(TooLarge):
            flatxml.parse_element(body, "data")


def test_entity_bombs_never_reach_the_parser() -> None:
    lines = "".join(f'<!ENTITY e{at} "{f"&e{at - 1};" * 10}">' for at in range(1, 12))
    bomb = f'<?xml version="1.0"?><!DOCTYPE data [<!ENTITY e0 "x">{lines}]><data><a>&e11;</a></data>'.encode()
    with pytest.raises(Malformed, match="document types"):
        flatxml.parse(bomb, "data")


def test_a_tree_with_attributes() -> None:
    body = b'<dm ok="1" no="">\n<ok>1</ok><paylist>\n <pay pay_type="4"><id>7</id></pay>\n<pay/></paylist></dm>'
    pays = (Element("pay", {"pay_type": "4"}, (Element("id", text="7"),)), Element("pay"))
    element = flatxml.parse_element(body, "dm")
    assert element == Element("dm", {"ok": "1", "no": ""}, (Element("ok", text="1"), Element("paylist", {}, pays)))
    paylist = element.one("paylist")
    assert paylist is not None
    assert [*paylist.all("pay")] == [*pays]
    assert element.one("nothing") is None
    with pytest.raises(Malformed):
        paylist.one("pay")
    assert flatxml.flat(element, besides=("paylist",)) == {"ok": "1"}
    for bad in (element, paylist, Element("dm", {}, (Element("a"), Element("a")))):
        with pytest.raises(Malformed):
            flatxml.flat(bad)


def test_namespaces_are_read_only_where_they_are_asked_for() -> None:
    body = b'<dm><Canvas xmlns="u:xaml"><Line/></Canvas><ok>1</ok></dm>'
    element = flatxml.parse_element(body, "dm", namespaces=("u:xaml",))
    canvas = Element("Canvas", {}, (Element("Line", namespace="u:xaml"),), namespace="u:xaml")
    assert element == Element("dm", {}, (canvas, Element("ok", text="1")))
    assert flatxml.parse_element(flatxml.encode_element(element), "dm", namespaces=("u:xaml",)) == element
    prefixed = b'<dm><x:Canvas xmlns:x="u:xaml"/></dm>'
    for bad, allowed in ((body, ()), (body, ("u:other",)), (prefixed, ("u:xaml",)), (b"<xml:dm/>", ())):
        with pytest.raises(Malformed):
            flatxml.parse_element(bad, "dm", namespaces=allowed)
    inner = Element("a", {}, (Element("b"),), namespace="u:xaml")
    assert flatxml.parse_element(flatxml.encode_element(inner), "a", namespaces=("u:xaml",)) == inner


@pytest.mark.parametrize(
    "body",
    [
        b"<data>x<a/></data>", b"<data><a/>x</data>", b"<data><a/><!-- c --></data>", b"<data><a b='&#127;'/></data>",
        b"<data><a>&#127;</a></data>", b"<data a='1' a='2'/>", b"<data xml:space='preserve'/>", b"<other/>",
        "<data 茶='1'/>".encode(), b"<!DOCTYPE data><data/>",
    ],
)  # fmt: skip
def test_what_no_tree_may_hold(body: bytes) -> None:
    with pytest.raises(Malformed):
        flatxml.parse_element(body, "data")


def test_an_error_tells_no_text() -> None:
    for body in (b"<data><a>secret<b/></a></data>", b"<data><a>secret</data>", b"<data><a>secret\x7f</a></data>"):
        with pytest.raises(WireError) as caught:
            flatxml.parse(body, "data")
        assert "secret" not in str(caught.value)
        assert caught.value.__cause__ is None


def test_what_is_written() -> None:
    fields = {"a": "<&>\r\n'\"", "b": ""}
    assert flatxml.encode("data", fields) == b"<data><a>&lt;&amp;&gt;&#13;\n'\"</a><b></b></data>"
    assert flatxml.encode("data", {}, declaration=True) == b'<?xml version="1.0" encoding="UTF-8"?><data></data>'
    rows: dict[str, str | Rows] = {"a": "1", "receipts": [("line", "x&y"), ("line", " ")], "none": []}
    assert flatxml.encode("data", rows) == (
        b"<data><a>1</a><receipts><line>x&amp;y</line><line> </line></receipts><none></none></data>"
    )
    for bad in ([("no name", "x")], [("line", "\x00")]):
        with pytest.raises(ValueError, match=r"name|hold"):
            flatxml.encode("data", {"receipts": bad})
    element = Element("dm", {"a": '<&>"\t\r\n'}, (Element("b", text="x"),))
    assert flatxml.encode_element(element) == b'<dm a="&lt;&amp;&gt;&quot;&#9;&#13;&#10;"><b>x</b></dm>'


@pytest.mark.parametrize(
    "element",
    [
        Element("a", text="\x00"), Element("a", text="\x7f"), Element("a", text="\ud800"), Element("a", text="\uffff"),
        Element("a", {"b": "\x1b"}), Element("a b"), Element(""), Element("茶"), Element("a", {"b='1' c": "x"}),
        Element("a", {"xmlns": "u"}), Element("a", {}, (Element("b"),), "text"),
    ],
)  # fmt: skip
def test_what_xml_cannot_hold_is_a_mistake_of_ours(element: Element) -> None:
    with pytest.raises(ValueError, match=r"name|hold|attribute"):
        flatxml.encode_element(element)


def test_what_cannot_be_held_can_be_made_fit() -> None:
    text = "a\x00\x1b\x7f\x9f\ud800\uffff茶\t\r\n"
    assert flatxml.fit(text) == "a" + "\ufffd" * 6 + "茶\t\r\n"
    assert flatxml.parse(flatxml.encode("data", {"a": flatxml.fit(text)}), "data") == {"a": flatxml.fit(text)}
    for name, value in (("a", "\x00"), ("a b", "x"), ("", "x")):
        with pytest.raises(ValueError, match=r"name|hold"):
            flatxml.encode("data", {name: value})
    with pytest.raises(ValueError, match="name"):
        flatxml.encode("no name", {})


@given(st.dictionaries(NAME, TEXT, max_size=6))
def test_fields_are_read_as_they_were_written(fields: dict[str, str]) -> None:
    for declaration in (False, True):
        body = flatxml.encode("data", fields, declaration=declaration)
        assert flatxml.parse(body, "data") == fields
        assert list(flatxml.parse(body, "data")) == list(fields)
        assert flatxml.flat(flatxml.parse_element(body, "data")) == fields


@given(TREE)
def test_trees_are_read_as_they_were_written(element: Element) -> None:
    assert flatxml.parse_element(flatxml.encode_element(element), element.name) == element


@given(st.binary(max_size=60) | SNIPPETS | SNIPPETS.map(lambda inner: b"<data>" + inner + b"</data>"))
def test_any_bytes_are_a_value_or_an_error(body: bytes) -> None:
    try:
        fields = flatxml.parse(body, "data")
    except WireError:
        fields = None
    try:
        element = flatxml.parse_element(body, "data", namespaces=("u:x",))
    except WireError:
        assert fields is None
        return
    # Whitespace beside elements is not kept, so what is written is not the same bytes, but it is the same value.
    assert flatxml.parse_element(flatxml.encode_element(element), "data", namespaces=("u:x",)) == element
    if fields is not None:
        assert flatxml.flat(element) == fields
