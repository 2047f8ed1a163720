"""XML as the vendors use it: a root whose children hold text, seldom anything deeper, and nothing clever.

    <data><req_seq>1426497738440</req_seq><total_fee>1</total_fee></data>     parse   -> {"req_seq": …, "total_fee": …}
    <dm ok="1"><paylist><pay><id>1</id></pay></paylist></dm>           parse_element  -> Element("dm", {"ok": "1"}, …)

Refused is whatever could be read in two ways or costs more than it is worth: a document type (so there are no entities
beyond the five), processing instructions, comments, encodings other than UTF-8, versions other than 1.0, namespaces
nobody asked for, attributes and doubled elements in a flat document, text beside elements, control characters (also
written as `&#127;`), and anything too long, too deep or too numerous. Accepted are a byte order mark, a declaration,
CDATA and white space between elements.

Strategy: lxml does the work, and what it would pass over in silence never reaches it. It drops an external entity
without a word; but a document type needs `<!DOCTYPE`, and in bytes that are known to be UTF-8 looking finds it. The
parser is told the encoding, so that no declaration changes what the bytes mean after they were looked at.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, TypeAlias

from lxml import etree

from anytill.wire.errors import Malformed, TooLarge

MAX_BYTES: Final = 65_536
MAX_DEPTH: Final = 16
MAX_ELEMENTS: Final = 200

#: A byte order mark and a declaration, as far as they say nothing new.
_BEGINNING: Final = re.compile(
    rb"""(?:\xef\xbb\xbf)?
    (?:<\?xml[\t\r\n ]+version[ ]?=[ ]?(?:"1\.0"|'1\.0')
       (?:[\t\r\n ]+encoding[ ]?=[ ]?(?:"utf-?8"|'utf-?8'))?
       (?:[\t\r\n ]+standalone[ ]?=[ ]?(?:"yes"|"no"|'yes'|'no'))?
       [\t\r\n ]*\?>)?""",
    re.VERBOSE | re.IGNORECASE,
)
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}")
_NAMES: Final = re.compile(rf"(?:{_NAME.pattern}\n)*")
# C0 without tab, carriage return and line feed; DEL; C1; halves of characters; two that XML has no form for.
_UNFIT: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
#: The one namespace that needs no declaration.
_XML: Final = "http://www.w3.org/XML/1998/namespace"
_SPECIAL: Final = "&<>\r"
_SPACE: Final = "\t\r\n "
_CDATA: Final = b"<![CDATA["


#: The children of one element, each a name and a text; names may repeat.
Rows: TypeAlias = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Element:
    """An element with either text or children. `namespace` is the default one that holds here, or empty."""

    name: str
    attributes: Mapping[str, str] = field(default_factory=dict)
    children: tuple[Element, ...] = ()
    text: str = ""
    namespace: str = ""

    def all(self, name: str) -> Iterator[Element]:
        """The children of this name, in their order."""
        return (child for child in self.children if child.name == name)

    def one(self, name: str) -> Element | None:
        """The child of this name, if there is one. Raises Malformed when there are more."""
        found = [*self.all(name)]
        if len(found) > 1:
            raise Malformed("an element occurs twice", field=name)
        return found[0] if found else None


def parse(body: bytes, root: str, *, max_bytes: int = MAX_BYTES, max_elements: int = MAX_ELEMENTS) -> dict[str, str]:
    """The texts of the children of `root`, by name and in their order; an empty element has the empty text.

    White space in a text is kept. Raises Malformed or TooLarge.
    """
    top = _parsed(body, max_bytes, max_elements)
    if top.tag != root:
        raise Malformed(f"the root is not {root}")
    if top.attrib or (top.text and top.text.strip(_SPACE)):
        raise Malformed(f"{root} may hold elements only")
    fields: dict[str, str] = {}
    for node in top:
        name, tail = str(node.tag), node.tail
        if len(node) or node.attrib:
            raise Malformed("an element may hold text only")
        if tail and tail.strip(_SPACE):
            raise Malformed("there is text between elements")
        if name in fields:
            raise Malformed("an element occurs twice", field=name if _NAME.fullmatch(name) else None)
        fields[name] = node.text or ""
    if not _NAMES.fullmatch("".join([f"{name}\n" for name in fields])):
        raise Malformed("a name is not 1 to 64 letters, digits, _ . and -")
    if _has_unfit("".join(fields.values())):
        raise Malformed("a text holds a control character")
    if b"xmlns" in body:
        _check_namespaces(top, ())
    return fields


def parse_element(
    body: bytes,
    root: str,
    *,
    max_bytes: int = MAX_BYTES,
    max_depth: int = MAX_DEPTH,
    max_elements: int = MAX_ELEMENTS,
    namespaces: Collection[str] = (),
) -> Element:
    """The document as a tree. `namespaces` may be declared, each as the default one. Raises Malformed or TooLarge."""
    top = _parsed(body, max_bytes, max_elements)
    if b"xmlns" in body:
        _check_namespaces(top, namespaces)
    element = _element(top, max_depth)
    if element.name != root:
        raise Malformed(f"the root is not {root}")
    return element


def flat(element: Element, *, besides: Collection[str] = ()) -> dict[str, str]:
    """The texts of the children by name, but for those in `besides`. Raises Malformed when they are not that simple."""
    fields: dict[str, str] = {}
    for child in element.children:
        if child.name in besides:
            continue
        if child.children or child.attributes:
            raise Malformed("an element may hold text only", field=child.name)
        if child.name in fields:
            raise Malformed("an element occurs twice", field=child.name)
        fields[child.name] = child.text
    return fields


def encode(root: str, fields: Mapping[str, str | Rows], *, declaration: bool = False) -> bytes:
    """A document in the mapping's order, each field an element with a text, or with one text element for each of its
    rows. Raises ValueError for what XML cannot hold: see `fit`."""
    whole = "".join([value if isinstance(value, str) else _texts(value) for value in fields.values()])
    if _has_unfit(whole):
        raise ValueError("a text holds what XML cannot hold")
    escaped = _escaped if any(sign in whole for sign in _SPECIAL) else str
    parts = [f"{_DECLARATION if declaration else ''}{_tag(root)}"]
    for name, value in fields.items():
        if isinstance(value, str):
            parts.append(f"{_tag(name)}{escaped(value)}</{name}>")
        else:
            inner = "".join([f"{_tag(each)}{escaped(text)}</{each}>" for each, text in value])
            parts.append(f"{_tag(name)}{inner}</{name}>")
    parts.append(f"</{root}>")
    return "".join(parts).encode()


def encode_element(element: Element, *, declaration: bool = False) -> bytes:
    """The document, without white space of its own. Raises ValueError for what XML, or an Element, cannot hold."""
    parts = [_DECLARATION] if declaration else []
    _write(element, "", parts)
    return "".join(parts).encode()


def fit(text: str) -> str:
    """The text with U+FFFD in place of each character that XML cannot hold."""
    return _UNFIT.sub("\ufffd", text)


_DECLARATION: Final = '<?xml version="1.0" encoding="UTF-8"?>'
# The encoding is said here so that no declaration is believed; comments are kept so that they are seen.
_PARSER: Final = etree.XMLParser(
    encoding="utf-8",
    resolve_entities=False,
    no_network=True,
    load_dtd=False,
    dtd_validation=False,
    attribute_defaults=False,
    huge_tree=False,
    recover=False,
    remove_comments=False,
    remove_pis=False,
    remove_blank_text=False,
)


def _parsed(body: bytes, max_bytes: int, max_elements: int) -> etree._Element:
    if len(body) > max_bytes:
        raise TooLarge(f"more than {max_bytes} bytes")
    # An element has one such sign or two.
    if body.count(b"<") > 2 * max_elements + 2:
        raise TooLarge(f"more than {max_elements} elements")
    if not body.isascii():
        _check_utf8(body)
    begin = _BEGINNING.match(body)
    rest = body[begin.end() :] if begin else body
    # One sign is found much faster than two, and is seldom there.
    if b"?" in rest and b"<?" in rest:
        raise Malformed("processing instructions, other versions than 1.0 and encodings other than UTF-8 are not read")
    if b"!" in rest and rest.count(b"<!") != rest.count(_CDATA):
        raise Malformed("document types and comments are not read")
    try:
        return etree.fromstring(rest, _PARSER)
    except (etree.XMLSyntaxError, ValueError):
        # The cause would quote the text.
        raise Malformed("not well-formed XML") from None


def _check_utf8(body: bytes) -> None:
    try:
        body.decode()
    except UnicodeDecodeError:
        raise Malformed("the body is not UTF-8") from None


def _check_namespaces(top: etree._Element, allowed: Collection[str]) -> None:
    """`xmlns` stands somewhere: in a text it means nothing, as a declaration it must be one of those asked for."""
    for node in top.iter():
        for prefix, uri in node.nsmap.items():
            if prefix is not None or (uri and uri not in allowed):
                raise Malformed("a namespace is declared that is not known here")


def _element(node: etree._Element, levels: int) -> Element:
    if levels <= 0:
        raise TooLarge("elements are nested too deep")
    tag = node.tag
    if not isinstance(tag, str):
        raise Malformed("only elements and text are read")
    namespace, _, name = tag[1:].rpartition("}") if tag.startswith("{") else ("", "", tag)
    if namespace == _XML:
        raise Malformed("names of elements do not begin with xml:")
    attributes = {str(key): str(value) for key, value in node.attrib.items()}
    for own in (name, *attributes):
        if not _NAME.fullmatch(own):
            raise Malformed("a name is not 1 to 64 letters, digits, _ . and -")
    text = node.text or ""
    if len(node):
        if text.strip(_SPACE) or any(child.tail and child.tail.strip(_SPACE) for child in node):
            raise Malformed("there is text between elements", field=name)
        text = ""
    if _UNFIT.search(text) or any(map(_UNFIT.search, attributes.values())):
        raise Malformed("a text holds a control character", field=name)
    children = tuple([_element(child, levels - 1) for child in node])
    return Element(name, attributes, children, text, namespace)


def _write(element: Element, namespace: str, parts: list[str]) -> None:
    _check_name(element.name)
    parts.append(f"<{element.name}")
    if element.namespace != namespace:
        parts.append(f' xmlns="{_quoted(element.namespace)}"')
    for name, value in element.attributes.items():
        _check_name(name)
        if name == "xmlns":
            raise ValueError("a namespace is not an attribute")
        parts.append(f' {name}="{_quoted(value)}"')
    parts.append(">")
    if element.children and element.text:
        raise ValueError("an element holds text or children, not both")
    if _UNFIT.search(element.text):
        raise ValueError("a text holds what XML cannot hold")
    parts.append(_escaped(element.text))
    for child in element.children:
        _write(child, element.namespace, parts)
    parts.append(f"</{element.name}>")


def _has_unfit(text: str) -> bool:
    # Nothing printable is unfit, and that is quickly seen.
    return not text.isprintable() and _UNFIT.search(text) is not None


def _texts(rows: Rows) -> str:
    return "".join([text for _, text in rows])


@lru_cache(maxsize=1_024)
def _tag(name: str) -> str:
    """The opening tag. Names are ours and few, so each is looked at once."""
    _check_name(name)
    return f"<{name}>"


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise ValueError("not a name of 1 to 64 letters, digits, _ . and -")


def _escaped(text: str) -> str:
    # A carriage return that is not written as a reference is read as a line feed.
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\r", "&#13;")


def _quoted(text: str) -> str:
    if _UNFIT.search(text):
        raise ValueError("an attribute holds what XML cannot hold")
    quoted = _escaped(text).replace('"', "&quot;")
    # White space in an attribute is read as spaces unless it is written as references.
    return quoted.replace("\t", "&#9;").replace("\n", "&#10;")
