"""Objects as registers write them: JSON, and the looser text that Android's JSON reader takes as well.

    {"content":{"amt":100,"func_type":1001},"digest":"76b9…"}             JSON
    {content:{amt=100,channel='wx',func_type=1001}, digest:'76B9…'}       a register that has been seen in shops
    {"content":"{func_type: 3002}","digest":"79fd…"}                      the document's own samples

There is one grammar, and JSON is a part of it, so no text has a second reading. A name stands bare or in either kind of
quotes and has up to 64 letters, digits, `_` and `.`. `=` is as good as `:`. A text in single quotes holds neither a
backslash nor a single quote: there is nothing to escape and nothing to be understood in two ways. Not taken, although
some readers do, are bare texts, lists, comments, semicolons, hexadecimal and octal numbers. A name twice, half a
character and U+0000 are refused as in `wire.jsontext`; a number stays the digits that were sent.

Strategy: one regular expression reads a whole member (name, sign, value and what follows it), which takes a message
apart in about as many steps as it has fields.
"""

from __future__ import annotations

import json
import re
from typing import Final

from anytill.wire.errors import Malformed, TooLarge
from anytill.wire.jsontext import Json, Number

MAX_MEMBERS: Final = 200
MAX_DEPTH: Final = 4

# Neighbouring parts share no character, and what repeats is never given back: the time is linear.
_MEMBER: Final = re.compile(
    r"""[ \t\r\n]*+
    (?: "([A-Za-z0-9_.]{1,64}+)" | '([A-Za-z0-9_.]{1,64}+)' | ([A-Za-z0-9_.]{1,64}+) )
    [ \t\r\n]*+ [:=] [ \t\r\n]*+
    (?: (?: '([^'\\\x00-\x1f]*+)'
          | "([^"\\\x00-\x1f]*+)"
          | (-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?+(?:[eE][+-]?[0-9]++)?+)
          | (true|false|null)
          | ("(?:[^"\\\x00-\x1f]++|\\["\\/bfnrtu])*+") )
        [ \t\r\n]*+ ([,}])
      | (\{) )""",
    re.VERBOSE,
)
_EMPTY: Final = re.compile(r"[ \t\r\n]*+\}")
_NEXT: Final = re.compile(r"[ \t\r\n]*+([,}])")
_BLANKS: Final = " \t\r\n"
_WORDS: Final = {"true": True, "false": False, "null": None}
_UNFIT: Final = re.compile("[\x00\ud800-\udfff]")


def read(text: str) -> dict[str, Json]:
    """The object that a text holds, names in their order. Raises Malformed or TooLarge."""
    text = text.strip(_BLANKS)
    if not text.startswith("{"):
        raise _no_object()
    members, end = _members(text, 1, 1)
    if end != len(text):
        raise _no_object()
    return members


def _members(text: str, at: int, depth: int) -> tuple[dict[str, Json], int]:
    """The members after an opening brace, and where the text goes on behind the closing one."""
    if depth > MAX_DEPTH:
        raise TooLarge(f"more than {MAX_DEPTH} levels deep")
    members: dict[str, Json] = {}
    if empty := _EMPTY.match(text, at):
        return members, empty.end()
    while match := _MEMBER.match(text, at):
        double, single, bare, quoted, plain, number, word, escaped, follows, _brace = match.groups()
        name, at = double or single or bare, match.end()
        if name in members:
            raise Malformed("an object holds a name twice")
        if len(members) == MAX_MEMBERS:
            raise TooLarge(f"more than {MAX_MEMBERS} members")
        if follows is None:
            members[name], at = _members(text, at, depth + 1)
            if (behind := _NEXT.match(text, at)) is None:
                break
            follows, at = behind[1], behind.end()
        elif number is not None:
            members[name] = Number(number)
        elif word is not None:
            members[name] = _WORDS[word]
        elif escaped is not None:
            members[name] = _unescaped(escaped)
        else:
            members[name] = _fit(plain if quoted is None else quoted)
        if follows == "}":
            return members, at
    raise _no_object()


def _unescaped(quoted: str) -> str:
    try:
        text: str = json.loads(quoted)
    except ValueError:
        raise _no_object() from None
    return _fit(text)


def _fit(text: str) -> str:
    if (not text.isascii() or "\0" in text) and _UNFIT.search(text):
        raise Malformed("a text holds U+0000 or half a character")
    return text


def _no_object() -> Malformed:
    return Malformed("not an object of plain names, texts, numbers and objects")
