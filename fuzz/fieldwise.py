"""Changes to fields: what somebody does who sees names and values, and knows that the signature is over a text in which
they are run together.

The borders matter most. Of `a=1&b=2`, signed as text with nothing escaped, or as `a1b2` with nothing between, many
other readings are thinkable under one signature; `resplit` goes through them, and stacked upon itself reaches any.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Final

from fuzz.bytewise import Change, other_digits
from fuzz.shapes import ATTRIBUTES, FORM, JSON, XML, Shape, shape_of, shapes_of
from fuzz.words import DIGEST, Words

_SEPARATED: Final = re.compile(rb"&([A-Za-z0-9_.]{1,64})=")


def _pick(random: Random, data: bytes) -> tuple[Shape, Sequence[re.Match[bytes]], int]:
    """The notation, its fields, and one of them; -1 when there are none."""
    shape = random.choice(shapes_of(data))
    fields = shape.fields(data)
    return shape, fields, int(random.random() * len(fields)) if fields else -1


def _with(data: bytes, match: re.Match[bytes], whole: bytes) -> bytes:
    return data[: match.start()] + whole + data[match.end() :]


def _without(shape: Shape, data: bytes, match: re.Match[bytes]) -> bytes:
    begin, end = match.span()
    if shape.glue and data[end : end + 1] == shape.glue:
        end += 1
    elif shape.glue and data[begin - 1 : begin] == shape.glue:
        begin -= 1
    return data[:begin] + data[end:]


def without_digests(data: bytes) -> bytes:
    """Without the fields whose values look like signatures."""
    shape = shape_of(data)
    for match in reversed(shape.fields(data)):
        if DIGEST.fullmatch(shape.read(match[2])):
            data = _without(shape, data, match)
    return data


def repeat(random: Random, data: bytes, words: Words) -> bytes:
    """A field twice, with its own value or another, before it or behind it or at the very end."""
    shape, fields, at = _pick(random, data)
    if at < 0:
        return data
    match = fields[at]
    value = match[2]
    if random.random() < 0.7:
        value = shape.write(random.choice(words.values)) if random.random() < 0.5 else random.choice(fields)[2]
    again = shape.build(match[1], value)
    place = random.random()
    if place < 0.4:
        return data[: match.start()] + again + shape.glue + data[match.start() :]
    if place < 0.8:
        return data[: match.end()] + shape.glue + again + data[match.end() :]
    last = fields[-1]
    return data[: last.end()] + shape.glue + again + data[last.end() :]


def drop(random: Random, data: bytes, _words: Words) -> bytes:
    """Without a field."""
    shape, fields, at = _pick(random, data)
    return _without(shape, data, fields[at]) if at >= 0 else data


def exchange(random: Random, data: bytes, _words: Words) -> bytes:
    """Two fields in each other's place: whole, or only their names, or only their values."""
    _, fields, _place = _pick(random, data)
    if len(fields) < 2:
        return data
    one, other = sorted(random.sample(range(len(fields)), 2))
    first, second = fields[one], fields[other]
    group = random.choice((0, 0, 1, 2))
    (a, b), (c, d) = first.span(group), second.span(group)
    return data[:a] + second[group] + data[b:c] + first[group] + data[d:]


def rename(random: Random, data: bytes, words: Words) -> bytes:
    """Another name for a value."""
    shape, fields, at = _pick(random, data)
    if at < 0:
        return data
    name = fields[at][1]
    ways = (random.choice(words.names), name.swapcase(), name.capitalize(), name + b" ", b"x." + name, name + b"[]")
    name = ways[0] if random.random() < 0.5 else random.choice(ways)
    return _with(data, fields[at], shape.build(name, fields[at][2]))


def revalue(random: Random, data: bytes, words: Words) -> bytes:
    """Another value under a name; written as the notation wants it, or raw."""
    shape, fields, at = _pick(random, data)
    if at < 0:
        return data
    value = random.choice(words.values)
    written = value if random.random() < 0.2 else shape.write(value)
    return _with(data, fields[at], shape.build(fields[at][1], written))


def renumber(random: Random, data: bytes, words: Words) -> bytes:
    """A number of some field in another notation."""
    shape, fields, at = _pick(random, data)
    if at < 0:
        return data
    return _with(data, fields[at], shape.build(fields[at][1], other_digits(random, fields[at][2], words)))


def blank(random: Random, data: bytes, _words: Words) -> bytes:
    """A field without its value, or without even the sign that one follows."""
    shape, fields, at = _pick(random, data)
    if at < 0:
        return data
    bare = random.random() < 0.2
    return _with(data, fields[at], fields[at][1] if bare else shape.build(fields[at][1], b""))


def add(random: Random, data: bytes, words: Words) -> bytes:
    """A field more, empty as often as not, because an empty one may be outside the signature."""
    shape, fields, at = _pick(random, data)
    value = b"" if random.random() < 0.5 else shape.write(random.choice(words.values))
    more = shape.build(random.choice(words.names), value)
    if at < 0:
        return data + more
    return _with(data, fields[at], fields[at][0] + shape.glue + more)


def reorder(random: Random, data: bytes, _words: Words) -> bytes:
    """All fields in another order."""
    shape, fields, at = _pick(random, data)
    if at < 0 or not shape.glue:
        return data
    parts = [match[0] for match in fields]
    random.shuffle(parts)
    return data[: fields[0].start()] + shape.glue.join(parts) + data[fields[-1].end() :]


def rewrite(random: Random, data: bytes, _words: Words) -> bytes:
    """A value in another way of writing the same text, and in ways that only a lenient reader takes for the same."""
    shape, fields, at = _pick(random, data)
    if at < 0:
        return data
    match = fields[at]
    ways = _REWRITES["xml" if shape is ATTRIBUTES else shape.name]
    value = random.choice(ways)(random, match[2])
    return _with(data, match, shape.build(match[1], value))


def _percent(random: Random, value: bytes) -> bytes:
    """One character of the text escaped, though it need not be."""
    text = FORM.read(value)
    at = int(random.random() * len(text))
    return FORM.write(text[:at]) + b"".join(b"%%%02x" % byte for byte in text[at : at + 1]) + FORM.write(text[at + 1 :])


def _entity(random: Random, value: bytes) -> bytes:
    at = int(random.random() * len(value))
    letter = value[at : at + 1]
    if not letter.isalnum():
        return value
    written = random.choice((b"&#%d;", b"&#x%x;", b"&#0%d;")) % ord(letter)
    return value[:at] + written + value[at + 1 :]


def _between(*pieces: tuple[bytes, bytes]) -> Callable[[Random, bytes], bytes]:
    """Something put into the middle of a value: what stands before the place, and what stands behind it."""

    def put(random: Random, value: bytes) -> bytes:
        at = int(random.random() * (len(value) + 1))
        before, behind = random.choice(pieces)
        return value[:at] + before + value[at:] + behind

    return put


def _escaped_json(random: Random, value: bytes) -> bytes:
    text = JSON.read(value).decode("utf-8", "replace")
    at = int(random.random() * len(text))
    escaped = "".join(f"\\u{ord(letter):04x}" for letter in text[at : at + 1] if ord(letter) < 0x10000)
    before, after = (JSON.write(part.encode("utf-8", "replace"))[1:-1] for part in (text[:at], text[at + 1 :]))
    return b'"' + before + escaped.encode() + after + b'"'


_NUMBERS: Final = (b"1e400", b"-1", b"1e-9", b"0.005", b"99999999999999999999", b"NaN", b"-Infinity", b"01", b"1.")
_REWRITES: Final[dict[str, tuple[Callable[[Random, bytes], bytes], ...]]] = {
    "form": (
        _percent,
        _percent,
        lambda _random, value: b"".join(b"%%%02x" % byte for byte in FORM.read(value)),
        lambda _random, value: value.replace(b"+", b"%20"),
        lambda _random, value: value.replace(b"%", b"%25"),
        lambda _random, value: re.sub(rb"%..", lambda match: match[0].lower(), value),
        lambda _random, value: FORM.read(value),
        lambda _random, value: value[:-1] if value[-3:-2] == b"%" else value + b"%",
        lambda _random, value: value + b"+",
        lambda _random, value: b"%20" + value,
        lambda _random, value: value + b"%00",
        lambda _random, value: value + b"%0D%0A",
        lambda _random, value: value.replace(b"%2F", b"%C0%AF"),
    ),
    "xml": (
        _entity,
        _entity,
        lambda _random, value: b"<![CDATA[" + XML.read(value) + b"]]>",
        _between((b"<!-- -->", b""), (b"<![CDATA[]]>", b""), (b"<?p i?>", b""), (b"<a/>", b""), (b"<a>1</a>", b"")),
        _between((b"<![CDATA[", b"]]>"), (b"<a>", b"</a>"), (b"&amp;#48;", b""), (b"\r\n", b""), (b" ", b"")),
        lambda _random, value: b" " + value + b" ",
        lambda _random, value: b"&e;" + value,
        lambda _random, value: value.replace(b"&amp;", b"&"),
    ),
    "json": (
        _escaped_json,
        _escaped_json,
        lambda _random, value: JSON.read(value),
        lambda _random, value: JSON.write(value),
        lambda _random, value: b"[" + value + b"]",
        lambda _random, value: b'{"a":' + value + b"}",
        lambda _random, value: b"null",
        lambda _random, value: b"true",
        lambda random, value: random.choice(_NUMBERS) if value[:1].isdigit() else value,
        lambda random, value: random.choice(_NUMBERS) if value[:1].isdigit() else value,
        lambda _random, value: value + b".0",
        lambda _random, value: value + b"e0",
        lambda _random, value: value + b" ",
        lambda _random, value: value[:-1] + b'\\ud800"',
    ),
}


def document(random: Random, data: bytes, _words: Words) -> bytes:
    """Around the fields: what an XML or JSON document can begin with, hold and end with."""
    shape = shape_of(data)
    if shape is FORM:
        return random.choice((b"&" + data, data + b"&", data.replace(b"&", b"&&", 1), data.replace(b"&", b";")))
    end = data.find(b">", data.find(b"?>") + 2) + 1 if shape is XML else data.find(b"{") + 1
    before, after = random.choice(_DOCUMENTS[shape.name])
    kind = random.random()
    if kind < 0.5:
        return before + data + after
    if kind < 0.8:
        return data[:end] + before + data[end:] + after
    return data.replace(b">", b' a="1">', 1) if shape is XML else before + data[end:] + after


_ENTITY: Final = b'<!DOCTYPE d [<!ENTITY e "1">]>'
_BOMB: Final = b'<!DOCTYPE d [<!ENTITY a "11111111"><!ENTITY b "&a;&a;&a;&a;&a;&a;"><!ENTITY e "&b;&b;&b;&b;&b;">]>'
_DOCUMENTS: Final[dict[str, tuple[tuple[bytes, bytes], ...]]] = {
    "xml": (
        (_ENTITY, b""),
        (_BOMB, b""),
        (b'<!DOCTYPE d SYSTEM "file:///etc/hostname">', b""),
        (b'<!DOCTYPE d [<!ENTITY e SYSTEM "file:///etc/hostname">]>', b""),
        (b'<!DOCTYPE d [<!ENTITY % p SYSTEM "http://127.0.0.1:1/">%p;]>', b""),
        (b'<?xml version="1.0"?>', b""),
        (b'<?xml version="1.0" encoding="UTF-16"?>', b""),
        (b'<?xml version="1.0" encoding="utf-7"?>', b""),
        (b'<?xml version="1.1"?>', b""),
        (b"\xef\xbb\xbf", b""),
        (b"<!-- -->", b"<!-- -->"),
        (b'<x xmlns="urn:x">', b"</x>"),
        (b'<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="/etc/hostname"/>', b""),
        (b"", b"\x00\x00"),
        (b"", b"<d></d>"),
        (b"\r\n\t ", b" \r\n"),
        (b"<a>" * 40, b"</a>" * 40),
    ),
    "json": (
        (b"\xef\xbb\xbf", b""),
        (b" ", b" "),
        (b'{"a":', b"}"),
        (b"[" * 40, b"]" * 40),
        (b"", b"{}"),
        (b"", b"\x00"),
        (b"/**/", b"//"),
        (b'"a":1,', b""),
        (b'"":"",', b""),
    ),
}


def entity(random: Random, data: bytes, words: Words) -> bytes:
    """An entity that is declared and used in some value. What it would stand for is spelled out nowhere."""
    shape, fields, at = _pick(random, data)
    if shape not in (XML, ATTRIBUTES) or at < 0:
        return renumber(random, data, words)
    used = _with(data, fields[at], shape.build(fields[at][1], random.choice((b"&e;", fields[at][2] + b"&e;"))))
    root = re.search(rb"<[A-Za-z_]", used)
    begin = root.start() if root else 0
    return used[:begin] + random.choice(_ENTITIES) + used[begin:]


CANARY: Final = b"canary%d" % 4711
_FILE: Final = Path(__file__).parent / "canary.txt"
_ENTITIES: Final = (
    b'<!DOCTYPE d [<!ENTITY a "can"><!ENTITY e "&a;ary4711">]>',
    b'<!DOCTYPE d [<!ENTITY a "can"><!ENTITY e "&a;ary4711">]>',
    b'<!DOCTYPE d [<!ENTITY e SYSTEM "file://%b">]>' % str(_FILE).encode(),
)


def strip(random: Random, data: bytes, words: Words) -> bytes:
    """Without its signature, or with an empty one, and changed."""
    shape = shape_of(data)
    for match in reversed(shape.fields(data)):
        if DIGEST.fullmatch(shape.read(match[2])):
            bare = random.random() < 0.5
            data = _without(shape, data, match) if bare else _with(data, match, shape.build(match[1], b""))
    return random.choice((revalue, renumber, drop, exchange))(random, data, words)


def graft(random: Random, data: bytes, _words: Words, other: bytes) -> bytes:
    """A field of another message, or all but one, in place of those of the same name, or added."""
    shape, fields, at = _pick(random, data)
    others = shape.fields(other)
    if at < 0 or not others:
        return data
    taken = random.choice(others)
    for match in fields:
        if match[1] == taken[1]:
            return _with(data, match, taken[0])
    return _with(data, fields[at], fields[at][0] + shape.glue + taken[0])


def cross(random: Random, data: bytes, _words: Words, other: bytes) -> bytes:
    """One message's beginning and another's end."""
    shape = shape_of(data)
    mine, theirs = shape.fields(data), shape.fields(other)
    if not mine or not theirs or random.random() < 0.3:
        return data[: int(random.random() * len(data))] + other[int(random.random() * len(other)) :]
    return data[: random.choice(mine).end()] + shape.glue + other[random.choice(theirs).start() :]


def resplit(random: Random, data: bytes, words: Words) -> bytes:
    """Another border between two fields that stand side by side where they are signed, the signed text kept."""
    shape, fields, _ = _pick(random, data)
    if not fields:
        return data
    values = {match[1]: shape.read(match[2]) for match in fields}
    names = sorted(values) if random.random() < 0.9 else sorted(values, key=bytes.lower)
    way = _RESPLITS[int(random.random() * len(_RESPLITS))]
    way(random, values, names, int(random.random() * len(names)), words)
    # What comes out is in the order of signing, which is as good as any other.
    written = [shape.build(name, shape.write(value)) for name, value in values.items()]
    return data[: fields[0].start()] + shape.glue.join(written) + data[fields[-1].end() :]


def _reveal(random: Random, values: dict[bytes, bytes], names: list[bytes], words: Words, *, separated: bool) -> None:
    """A field that stands hidden in a value becomes one of its own. Where there is one of that name already, what is
    signed between the two becomes part of it, and of its value."""
    pattern = _SEPARATED if separated else words.any_name
    hidden = [(at, match) for at, name in enumerate(names) for match in pattern.finditer(values[name])]
    if not hidden:
        return
    at, match = random.choice(hidden)
    name, other = names[at], match[1] if separated else match[0]
    value, tail = values[name], b""
    if other in names[at + 1 :]:
        for between in names[at + 1 : names.index(other) + 1]:
            tail += _joined(between, values.pop(between), separated=separated)
    values[name] = value[: match.start()]
    values[other] = value[match.end() :] + tail


def _joined(name: bytes, value: bytes, *, separated: bool) -> bytes:
    """A field as it stands in the signed text behind another."""
    return b"&%b=%b" % (name, value) if separated else name + value


def _reveal_separated(random: Random, values: dict[bytes, bytes], names: list[bytes], at: int, words: Words) -> None:
    separated = any(_SEPARATED.search(value) for value in values.values())
    _reveal(random, values, names, words, separated=separated)


def _reveal_run_together(random: Random, values: dict[bytes, bytes], names: list[bytes], at: int, words: Words) -> None:
    _reveal(random, values, names, words, separated=False)


def _swallow(random: Random, values: dict[bytes, bytes], names: list[bytes], at: int, words: Words) -> None:
    """A field becomes part of the value before it."""
    if at + 1 < len(names):
        other = names[at + 1]
        values[names[at]] += _joined(other, values.pop(other), separated=random.random() < 0.5)


def _shift(random: Random, values: dict[bytes, bytes], names: list[bytes], at: int, _words: Words) -> None:
    """The border between a name and its value, or between a value and the next name, some characters further."""
    name = names[at]
    step = 1 + int(random.random() * 4)
    kind = int(random.random() * 4)
    if kind == 0:
        value = values.pop(name)
        values[name + value[:step]] = value[step:]
    elif kind == 1:
        values[name[:-step]] = name[-step:] + values.pop(name)
    elif at + 1 < len(names):
        other = names[at + 1]
        tail = values.pop(other)
        if kind == 2:
            values[name], moved = values[name][:-step], values[name][-step:]
            values[moved + other] = tail
        else:
            values[name] += other[:step]
            values[other[step:]] = tail


def _bare_tail(random: Random, values: dict[bytes, bytes], names: list[bytes], at: int, _words: Words) -> None:
    """The end of a value becomes a name that has no value; an empty field may be dropped by whoever reads it."""
    value = values[names[at]]
    cut = int(random.random() * len(value))
    values[names[at]] = value[:cut]
    values[value[cut:].lstrip(b"&").rstrip(b"=")] = b""


_RESPLITS: Final = (
    _reveal_separated,
    _reveal_separated,
    _reveal_run_together,
    _reveal_run_together,
    _swallow,
    _shift,
    _bare_tail,
)

#: Each with its weight.
CHANGES: Final[tuple[tuple[Change, int], ...]] = (
    (repeat, 8),
    (drop, 4),
    (exchange, 4),
    (rename, 4),
    (revalue, 6),
    (renumber, 8),
    (blank, 4),
    (add, 8),
    (reorder, 5),
    (rewrite, 12),
    (document, 3),
    (entity, 7),
    (strip, 3),
    (resplit, 22),
)
