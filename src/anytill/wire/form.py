"""Form fields and query strings (application/x-www-form-urlencoded), strict enough to be signed over.

A signature is computed over decoded names and values, so whatever could be decoded in two ways is refused: a name
twice, a broken percent escape, bytes that are not UTF-8, control characters, names of other than
`[A-Za-z0-9_.]{1,64}`, which need no escapes and may have none. Kept are the order and the fields without a value; `+`
is a space; a name without `=` has the empty value; nothing between two `&` is nothing.

Strategy: the compiled parser of fast_query_parsers does the work, and one regular expression beforehand keeps from it
what it would misread. It leaves broken escapes as they stand; it decodes before it splits, so that `a%3D=1` would
become `a` with the value `=1`; it gives nothing at all for raw bytes that are not UTF-8. What is left is an escaped
value that is no UTF-8: then it takes the whole `name=value` undecoded for a name, which shows in the `=`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import quote_plus

from fast_query_parsers import parse_query_string

from anytill.wire.errors import Malformed, TooLarge

MAX_FIELDS = 200
MAX_VALUE_BYTES = 8192

# Names as they may be, and two hex digits after each percent sign. Neighbouring parts share no character, so that
# there is one way to match and the time is linear.
_FIELD = rb"(?:[A-Za-z0-9_.]{1,64}(?:=[^&%]*(?:%[0-9A-Fa-f]{2}[^&%]*)*)?)?"
_FORM = re.compile(rb"%b(?:&%b)*" % (_FIELD, _FIELD))
# C0 without tab, carriage return and line feed; DEL; C1.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
# What quote_plus would leave alone.
_NEEDS_NO_ESCAPE = re.compile(r"[A-Za-z0-9_.~-]*")


def decode_form(body: bytes, *, max_fields: int = MAX_FIELDS, max_value: int = MAX_VALUE_BYTES) -> dict[str, str]:
    """The fields of a form body, in its order. `max_value` counts UTF-8 bytes. Raises Malformed or TooLarge."""
    if body.count(b"&") >= max_fields:
        raise TooLarge(f"more than {max_fields} fields")
    if not body.isascii():
        _check_utf8(body)
    if not _FORM.fullmatch(body):
        raise Malformed("not a form of plain names (1 to 64 letters, digits, _ and .) and well escaped values")
    pairs = parse_query_string(body, "&")
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise Malformed("a field occurs twice", field=_first_repeated(pairs))
    if "=" in "".join(fields):
        raise Malformed("a value is not UTF-8")
    if _CONTROL.search("".join(fields.values())):
        raise Malformed("a value holds a control character", field=_first_with_control(fields))
    if len(body) > max_value:
        _check_lengths(fields, max_value)
    return fields


def decode_query(query: str, *, max_fields: int = MAX_FIELDS, max_value: int = MAX_VALUE_BYTES) -> dict[str, str]:
    """The fields of a query string (without its question mark), by the same rules as a form body."""
    try:
        raw = query.encode()
    except UnicodeEncodeError:
        raise Malformed("the query is not UTF-8") from None
    return decode_form(raw, max_fields=max_fields, max_value=max_value)


def encode_form(fields: Mapping[str, str]) -> bytes:
    """A form body in the mapping's order: upper-case escapes, space as `+`, the same bytes for the same fields."""
    return "&".join([f"{_escape(name)}={_escape(value)}" for name, value in fields.items()]).encode("ascii")


def _escape(text: str) -> str:
    return text if _NEEDS_NO_ESCAPE.fullmatch(text) else quote_plus(text)


def _check_utf8(body: bytes) -> None:
    try:
        body.decode()
    except UnicodeDecodeError:
        raise Malformed("the body is not UTF-8") from None


def _check_lengths(fields: Mapping[str, str], max_value: int) -> None:
    for name, value in fields.items():
        if len(value) > max_value or (not value.isascii() and len(value.encode()) > max_value):
            raise TooLarge(f"a value is longer than {max_value} bytes", field=name)


def _first_with_control(fields: Mapping[str, str]) -> str:
    return next(name for name, value in fields.items() if _CONTROL.search(value))


def _first_repeated(pairs: list[tuple[str, str]]) -> str | None:
    seen: set[str] = set()
    for name, _ in pairs:
        if name in seen:
            # A name with `=` is a whole field that was not UTF-8, and its value is not for showing.
            return None if "=" in name else name
        seen.add(name)
    return None
