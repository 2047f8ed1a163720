"""What goes into changed messages: names and values of the genuine ones, and what has fooled parsers before."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from anytill.dialects import Route
from fuzz.messages import Message
from fuzz.shapes import shapes_of

#: Names that a guard could overlook because they belong to the envelope of most protocols.
ENVELOPE: Final = (b"sign", b"Sign", b"SIGN", b"key", b"KEY", b"method", b"version", b"data", b"signature")
#: What looks like a signature.
DIGEST: Final = re.compile(rb"[0-9A-Fa-f]{32,64}")
#: Values that have fooled parsers.
TRICKS: Final = (
    b"",
    b" ",
    b"0",
    b"-1",
    b"1",
    b"0.01",
    b"100",
    b"1000000",
    b"99999999999999999999",
    b"NaN",
    b"Infinity",
    b"1e400",
    b"null",
    b"true",
    b"[]",
    b"{}",
    b"&",
    b"=",
    b"&a=b",
    b"%00",
    b"%26",
    b"%3D",
    b"+",
    b"%2B",
    b"%",
    b"%zz",
    b"\x00",
    b"\r\n",
    b"\x1b@",
    b"\x7f",
    b"\xc2\x85",
    b"\xe2\x80\xae",
    b"\xef\xbb\xbf",
    b"\xff\xfe",
    b"\xc0\xaf",
    b"\xed\xa0\x80",
    "１".encode(),
    "١".encode(),
    b"\xe2\x84\xaa",  # the Kelvin sign, which lower-cases to a k
    b"\\x1b\\x40",
    b"\\u0000",
    b"\\ud800",
    b"]]>",
    b"<![CDATA[1]]>",
    b"<!-- -->",
    b"<?a b?>",
    b"&#48;",
    b"&amp;",
    b"&e;",
    b"<a/>",
    b"</",
    b"http://127.0.0.1:6666/evil",
    b"A" * 300,
    b"9" * 40,
)


@dataclass(frozen=True, slots=True)
class Words:
    """One dialect's dictionary."""

    names: Sequence[bytes]
    values: Sequence[bytes]
    digests: Sequence[bytes]
    routes: Sequence[Route] = ()
    fields: Sequence[bytes] = ()  # those of the names that genuine messages use
    any_name: re.Pattern[bytes] = field(init=False)  # finds one of them in a text

    def __post_init__(self) -> None:
        known = sorted({name for name in self.fields if len(name) > 1}, key=len, reverse=True)
        object.__setattr__(self, "any_name", re.compile(b"|".join(map(re.escape, known)) or rb"(?!)"))


def words_of(messages: Iterable[Message], more_names: Iterable[str], routes: Sequence[Route]) -> Words:
    """The dictionary that these messages give."""
    names: dict[bytes, None] = {}
    values: dict[bytes, None] = {}
    digests: dict[bytes, None] = {}
    for message in messages:
        for part in (message.query, message.body):
            for shape in shapes_of(part):
                for match in shape.fields(part):
                    names[match[1]] = None
                    value = shape.read(match[2])
                    target = digests if DIGEST.fullmatch(value) else values
                    target[value] = None
    fields = [*names]
    names |= dict.fromkeys([*ENVELOPE, *(name.encode() for name in more_names)])
    return Words([*names], [*values, *TRICKS], [*digests] or [b"0" * 32], routes, fields)
