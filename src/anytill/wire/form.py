"""Form fields and query strings (application/x-www-form-urlencoded), strict enough to be signed over.

A signature is computed over decoded names and values, so whatever could be decoded in two ways is refused: a name
twice, a broken percent escape, bytes that are not UTF-8, control characters, names of other than
`[A-Za-z0-9_.]{1,64}`. Kept are the order and the fields without a value; `+` is a space; a name without `=` has the
empty value; nothing between two `&` is nothing.

Strategy: the compiled parser of fast_query_parsers does the work. It is lenient in three ways, each closed here: it
leaves a broken escape as it stands (searched for beforehand), it gives nothing at all for raw bytes that are not UTF-8
(decoded beforehand), and where escapes give no UTF-8 it takes the whole `name=value` undecoded for a name (no name may
contain `=` or `%`). Checks run once over all names and all values together, since a regular expression called fifteen
times would cost more than the parsing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import quote_plus

from fast_query_parsers import parse_query_string

from anytill.wire.errors import Malformed, TooLarge

MAX_FIELDS = 200
MAX_VALUE_BYTES = 8192
MAX_NAME_LENGTH = 64

_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_NAME_CHARACTERS = re.compile(r"[A-Za-z0-9_.]*")
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
    if b"%" in body and _BAD_ESCAPE.search(body):
        raise Malformed("a percent sign must be followed by two hex digits")
    pairs = parse_query_string(body, "&")
    fields = dict(pairs)
    if not fields:
        return fields
    if len(fields) != len(pairs):
        raise Malformed("a field occurs twice", field=_first_repeated(pairs))
    _check_names(fields)
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


def decode_query_and_form(query: str, body: bytes) -> dict[str, str]:
    """The fields of both places, the query's first; a name in both would have two values, so it is Malformed."""
    in_query = decode_query(query)
    in_body = decode_form(body)
    for name in in_query:
        if name in in_body:
            raise Malformed("a field occurs in the query and in the body", field=name)
    if len(in_query) + len(in_body) > MAX_FIELDS:
        raise TooLarge(f"more than {MAX_FIELDS} fields")
    return in_query | in_body


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


def _check_names(fields: Mapping[str, str]) -> None:
    well_made = _NAME_CHARACTERS.fullmatch("".join(fields)) and "" not in fields
    if not well_made or max(map(len, fields)) > MAX_NAME_LENGTH:
        raise Malformed("a name is not 1 to 64 letters, digits, underscores and dots, or a value is not UTF-8")


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
            # The names are not yet checked here, and an error may only carry one that is fit to be shown.
            return name if len(name) <= MAX_NAME_LENGTH and _NAME_CHARACTERS.fullmatch(name) else None
        seen.add(name)
    return None
