"""Changes that need no idea of what the bytes are: what a bad line does, and what somebody does who only knows that
there are digits, letters and digests in them."""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Callable
from random import Random
from typing import Final, TypeAlias

from fuzz.words import Words

Change: TypeAlias = Callable[[Random, bytes, Words], bytes]

_DIGITS: Final = re.compile(rb"[0-9][0-9.]*")
_LETTERS: Final = re.compile(rb"[A-Za-z]+")
_BASE64: Final = re.compile(rb"[A-Za-z0-9+/]{24,}={0,2}")
_DIGEST: Final = re.compile(rb"(?<![0-9A-Fa-f])[0-9A-Fa-f]{32,40}(?![0-9A-Fa-f])")
_BLOCK: Final = 16


def _place(random: Random, data: bytes) -> int:
    return int(random.random() * (len(data) + 1))


def _piece(random: Random, data: bytes) -> tuple[int, int]:
    """Where a piece begins and ends; short ones are likelier."""
    begin = _place(random, data)
    return begin, begin + 1 + int(random.random() ** 3 * max(len(data) - begin, 1))


def flip_bit(random: Random, data: bytes, _words: Words) -> bytes:
    if not data:
        return b"\x00"
    at = int(random.random() * len(data))
    return data[:at] + bytes((data[at] ^ 1 << int(random.random() * 8),)) + data[at + 1 :]


def change_byte(random: Random, data: bytes, _words: Words) -> bytes:
    at = _place(random, data)
    return data[:at] + bytes((int(random.random() * 256),)) + data[at + 1 :]


def insert(random: Random, data: bytes, words: Words) -> bytes:
    at = _place(random, data)
    word = random.choice(words.values if random.random() < 0.7 else words.names)
    return data[:at] + word + data[at:]


def insert_byte(random: Random, data: bytes, _words: Words) -> bytes:
    at = _place(random, data)
    return data[:at] + bytes((int(random.random() * 256),)) + data[at:]


def delete(random: Random, data: bytes, _words: Words) -> bytes:
    begin, end = _piece(random, data)
    return data[:begin] + data[end:]


def double(random: Random, data: bytes, _words: Words) -> bytes:
    begin, end = _piece(random, data)
    return data[:end] + data[begin:end] + data[end:]


def transpose(random: Random, data: bytes, _words: Words) -> bytes:
    begin, middle = _piece(random, data)
    end = middle + 1 + int(random.random() * 8)
    return data[:begin] + data[middle:end] + data[begin:middle] + data[end:]


def cut(random: Random, data: bytes, _words: Words) -> bytes:
    at = _place(random, data)
    return data[:at] if random.random() < 0.8 else data[at:]


def other_case(random: Random, data: bytes, _words: Words) -> bytes:
    found = [*_LETTERS.finditer(data)]
    if not found:
        return data
    match = random.choice(found)
    return data[: match.start()] + match[0].swapcase() + data[match.end() :]


def other_digits(random: Random, data: bytes, _words: Words) -> bytes:
    """A number in another notation, some of which mean the same to a lenient reader."""
    found = [*_DIGITS.finditer(data)]
    if not found:
        return data
    match = random.choice(found)
    number = match[0]
    at = int(random.random() * len(number))
    one = number[at : at + 1]
    wide = one
    if one.isdigit():
        first = (0xFF10, 0x0660, 0x0966, 0x1D7CE)[int(random.random() * 4)]
        wide = chr(first + int(one)).encode()
    ways = (
        number[:at] + wide + number[at + 1 :],
        number[:at] + b"".join(b"%%%02X" % byte for byte in wide) + number[at + 1 :],
        b"0" + number,
        b"+" + number,
        b"%2B" + number,
        b"-" + number,
        b" " + number,
        number + b" ",
        number + b"%0A",
        number + b".0",
        number + b".00",
        number + b"0",
        number + b"e0",
        number + b"e1",
        number + b"e400",
        number + b"e400",
        number[:at] + b"_" + number[at:],
        number[:at] + b"," + number[at:],
        b"0x" + number,
        number[:-1],
        number.replace(b".", b""),
        bytes(reversed(number)),
    )
    return data[: match.start()] + random.choice(ways) + data[match.end() :]


def other_digest(random: Random, data: bytes, words: Words) -> bytes:
    """What looks like a signature: in other letters, of another message, shorter, longer, none."""
    found = [*_DIGEST.finditer(data)]
    if not found:
        return data
    match = random.choice(found)
    digest = match[0]
    ways = (
        digest.lower(),
        digest.upper(),
        digest.swapcase(),
        digest[:-1],
        digest[:8],
        digest + b"0",
        digest + digest,
        digest + b" ",
        b"%20" + digest,
        b"",
        b"0" * len(digest),
        bytes(reversed(digest)),
        random.choice(words.digests),
        random.choice(found)[0],
        digest.replace(b"0", b"%30", 1),
        digest.replace(b"1", "１".encode(), 1),
        digest.replace(b"1", b"%EF%BC%91", 1),
    )
    return data[: match.start()] + random.choice(ways) + data[match.end() :]


def other_base64(random: Random, data: bytes, words: Words) -> bytes:
    """What looks like base64: in other notations of the same bytes, and with its blocks moved about."""
    found = [*_BASE64.finditer(data)]
    if not found:
        return flip_bit(random, data, words)
    match = random.choice(found)
    text = match[0]
    at = int(random.random() * len(text))
    letter = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"[int(random.random() * 64)]
    bare = text.rstrip(b"=")
    ways: tuple[Callable[[], bytes], ...] = (
        lambda: text.replace(b"+", b"-").replace(b"/", b"_"),
        lambda: text[:at] + b"\n" + text[at:],
        lambda: text[:at] + b" " + text[at:],
        lambda: text[:at] + b"$" + text[at:],
        lambda: text[:at] + b"=" + text[at:],
        lambda: bare,
        lambda: text + b"=",
        lambda: text + b"====",
        lambda: bare[:-1] + bytes((letter,)) + text[len(bare) :],
        lambda: text[:at] + bytes((letter,)) + text[at + 1 :],
        lambda: _blocks_moved(random, text),
    )
    return data[: match.start()] + random.choice(ways)() + data[match.end() :]


def _blocks_moved(random: Random, text: bytes) -> bytes:
    plain = b64decode(text[: len(text) - len(text) % 4])
    blocks = [plain[at : at + _BLOCK] for at in range(0, len(plain), _BLOCK)]
    one, other = (int(random.random() * len(blocks)) for _ in range(2))
    kind = int(random.random() * 6)
    if kind == 0:
        blocks[one], blocks[other] = blocks[other], blocks[one]
    elif kind == 1:
        blocks.insert(one, blocks[other])
    elif kind == 2:
        del blocks[one]
    elif kind == 3:
        blocks = [blocks[0], bytes(_BLOCK), blocks[0], *blocks[3:]]
    elif kind == 4:
        blocks.append(bytes(_BLOCK))
    else:
        blocks[one] = flip_bit(random, blocks[one], _NO_WORDS)
    return b64encode(b"".join(blocks))


_NO_WORDS: Final = Words((), (), ())

#: Each with its weight.
CHANGES: Final[tuple[tuple[Change, int], ...]] = (
    (flip_bit, 4),
    (change_byte, 2),
    (insert, 3),
    (insert_byte, 2),
    (delete, 3),
    (double, 2),
    (transpose, 2),
    (cut, 2),
    (other_case, 3),
    (other_digits, 6),
    (other_digest, 4),
    (other_base64, 3),
)
