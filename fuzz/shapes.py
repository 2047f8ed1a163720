"""What a message is made of, seen by looking: fields with a name and a value in a form, in XML or in JSON.

That is as much as is known of formats here. A shape finds the fields of some bytes and writes a field or a value in
its own notation; what the fields mean, and which of them is a signature, nobody knows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape, unescape
from json import dumps, loads
from typing import Final
from urllib.parse import quote_plus, unquote_to_bytes


@dataclass(frozen=True, slots=True)
class Shape:
    """A notation of fields."""

    name: str
    field: re.Pattern[bytes]  # group 1 is the name, group 2 the value
    glue: bytes  # between two fields
    build: Callable[[bytes, bytes], bytes]  # a field from its name and its written value
    write: Callable[[bytes], bytes]  # a text as a value
    read: Callable[[bytes], bytes]  # a value as text

    def fields(self, data: bytes) -> Sequence[re.Match[bytes]]:
        """All fields, in their order."""
        return [*self.field.finditer(data)]


def _read_form(value: bytes) -> bytes:
    return unquote_to_bytes(value.replace(b"+", b" "))


def _write_xml(text: bytes) -> bytes:
    return escape(text.decode("utf-8", "replace"), quote=False).encode("utf-8", "replace")


def _read_xml(value: bytes) -> bytes:
    return unescape(value.decode("utf-8", "replace")).encode("utf-8", "replace")


def _write_json(text: bytes) -> bytes:
    return dumps(text.decode("utf-8", "replace"), ensure_ascii=False).encode("utf-8", "replace")


def _read_json(value: bytes) -> bytes:
    if not value.startswith(b'"'):
        return value
    try:
        return str(loads(value.decode("utf-8", "replace"), strict=False)).encode("utf-8", "replace")
    except ValueError:
        return value.strip(b'"')


FORM: Final = Shape(
    "form",
    re.compile(rb"(?:(?<=&)|^)([^=&]*)=([^&]*)"),
    b"&",
    lambda name, value: name + b"=" + value,
    lambda text: quote_plus(text).encode(),
    _read_form,
)
XML: Final = Shape(
    "xml",
    re.compile(rb"<([A-Za-z_][\w.:-]*)(?:\s[^<>]*)?>([^<]*)</\1>"),
    b"",
    lambda name, value: b"<%b>%b</%b>" % (name, value, name),
    _write_xml,
    _read_xml,
)
ATTRIBUTES: Final = Shape(
    "attributes",
    re.compile(rb"""(?<=\s)([A-Za-z_][\w.:-]*)="([^"<]*)"(?=[^<]*>)"""),
    b" ",
    lambda name, value: b'%b="%b"' % (name, value),
    lambda text: _write_xml(text).replace(b'"', b"&quot;"),
    _read_xml,
)
JSON: Final = Shape(
    "json",
    re.compile(rb'"((?:[^"\\]|\\.)*)"\s*:\s*("(?:[^"\\]|\\.)*"|[^,{}\[\]"]+)'),
    b",",
    lambda name, value: b'"%b":%b' % (name, value or b'""'),
    _write_json,
    _read_json,
)


def shape_of(data: bytes) -> Shape:
    """The notation that the bytes look like; a form when they look like nothing."""
    first = data.lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
    return {b"<": XML, b"{": JSON}.get(first, FORM)


def shapes_of(data: bytes) -> tuple[Shape, ...]:
    """All notations of fields in the bytes: XML has two."""
    shape = shape_of(data)
    return (XML, ATTRIBUTES) if shape is XML and b'="' in data else (shape,)
