"""JSON objects, strictly read and exactly written.

Two things in the usual readers are wrong for money: a number becomes a float, and of two equal keys the last one
silently wins. Here a number stays the literal text that was sent (`Number`), and a repeated key, NaN, Infinity, a
depth above the limit, a top that is no object, a lone surrogate and U+0000 (which no database takes as text) are
refused. Writing goes through orjson; a `Number` is written digit for digit, so `0.01` never passes through a float.

The depth is checked before parsing, on the text with its strings skipped, so that no input can exhaust the parser's
stack.
"""

from __future__ import annotations

import json
import re
from typing import NoReturn, Self, TypeAlias

import orjson

from anytill.wire.errors import Malformed, TooLarge

MAX_DEPTH = 16

Json: TypeAlias = "bool | int | str | Number | list[Json] | dict[str, Json] | None"

_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
# A string whole (also one that never ends, so that no quote is tried twice), or one bracket.
_STRING_OR_BRACKET = re.compile(rb'"(?:[^"\\]+|\\.?)*"?|[\[{]|[\]}]', re.DOTALL)
# Escapes that a string may decode into something no text can hold.
_DOUBTFUL_ESCAPE = re.compile(rb"\\u(?:[dD][89a-fA-F]|0000)")
_UNFIT = re.compile("[\x00\ud800-\udfff]")


class Number(str):
    """A JSON number as its literal text; decoding gives only these, encoding writes them as they are."""

    __slots__ = ()

    def __new__(cls, literal: str) -> Self:
        if not _NUMBER.fullmatch(literal):
            raise ValueError("not a JSON number")
        return super().__new__(cls, literal)


def decode(body: bytes, *, max_depth: int = MAX_DEPTH) -> dict[str, Json]:
    """The object that the UTF-8 bytes hold, keys in their order. Raises Malformed or TooLarge.

    A `Number` is a `str` too: ask for `Number` first where the difference matters.
    """
    _check_depth(body, max_depth)
    try:
        value = json.loads(
            body.decode(),
            object_pairs_hook=_object,
            parse_float=Number,
            parse_int=Number,
            parse_constant=_refuse_constant,
        )
    except ValueError:
        # UnicodeDecodeError and JSONDecodeError are both ValueErrors; the cause would quote the text.
        raise Malformed("not a JSON text in UTF-8") from None
    if not isinstance(value, dict):
        raise Malformed("not a JSON object")
    if _DOUBTFUL_ESCAPE.search(body):
        _check_strings(value)
    return value


def encode(value: Json) -> bytes:
    """Compact UTF-8 JSON, object keys in their order, each `Number` digit for digit."""
    return orjson.dumps(value, default=_verbatim, option=orjson.OPT_PASSTHROUGH_SUBCLASS)


def _verbatim(value: object) -> orjson.Fragment:
    if isinstance(value, Number):
        return orjson.Fragment(str(value))
    raise TypeError(f"{type(value).__name__} has no JSON form")


def _object(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise Malformed("an object holds a key twice")
    return members


def _refuse_constant(_name: str) -> NoReturn:
    raise Malformed("NaN and Infinity are no JSON numbers")


def _check_depth(body: bytes, max_depth: int) -> None:
    if body.count(b"{") + body.count(b"[") <= max_depth:
        return
    depth = 0
    for match in _STRING_OR_BRACKET.finditer(body):
        first = body[match.start() : match.start() + 1]
        if first in (b"{", b"["):
            depth += 1
            if depth > max_depth:
                raise TooLarge(f"more than {max_depth} levels deep")
        elif first in (b"}", b"]"):
            depth -= 1


def _check_strings(value: Json) -> None:
    if isinstance(value, str):
        if _UNFIT.search(value):
            raise Malformed("a string holds U+0000 or half a character")
    elif isinstance(value, dict):
        for key, member in value.items():
            _check_strings(key)
            _check_strings(member)
    elif isinstance(value, list):
        for member in value:
            _check_strings(member)
