"""What a receipt is, as values: a row of elements, from top to bottom. What they say is the affair of `receipt_text`,
how they look that of the renderers.

Amounts stay integers, since each vendor writes money in its own way.

No element holds a character that could command a printer: each cleans its own texts by `printable`. A form that writes
codes as text, as Semoor's backslashes, must see to its own escape signs: a backslash is an ordinary character here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final
from unicodedata import category

from anytill.core.money import CNY

#: The longest text of one element, in characters; what is longer ends in an ellipsis.
MAX_CHARACTERS: Final = 200
_DROPPED: Final = frozenset({"Cc", "Cf", "Cs", "Co"})  # controls, invisible formats, lone surrogates, private signs
_BLANK_SIGNS: Final = (0x34F, 0x115F, 0x1160, 0x3164, 0xFFA0, *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))
#: GB 18030 has U+00A5 only as four bytes that printers show as rubbish. The others are signs that show nothing.
_CHANGED: Final[Mapping[int, int | None]] = {**dict.fromkeys(_BLANK_SIGNS), 0xA5: 0xFFE5}
_ODD: Final = frozenset(map(chr, _CHANGED))


@dataclass(frozen=True, slots=True)
class Title:
    """What this is; large, in the middle."""

    text: str

    def __post_init__(self) -> None:
        _clean(self, "text")


@dataclass(frozen=True, slots=True)
class Row:
    """A name and its value."""

    label: str
    value: str
    big: bool = False

    def __post_init__(self) -> None:
        _clean_label(self)
        if (line := printable(self.value)) is not self.value:
            object.__setattr__(self, "value", line)


@dataclass(frozen=True, slots=True)
class Amount:
    """A name and a sum, which each form writes as its vendor does (`0.01元`, `¥0.01`)."""

    label: str
    amount_fen: int
    currency: str = CNY
    big: bool = False

    def __post_init__(self) -> None:
        _clean_label(self)
        if self.currency != CNY:
            _clean(self, "currency")


@dataclass(frozen=True, slots=True)
class Text:
    """A sentence of its own."""

    text: str
    centred: bool = False

    def __post_init__(self) -> None:
        _clean(self, "text")


@dataclass(frozen=True, slots=True)
class Rule:
    """A line from edge to edge."""


@dataclass(frozen=True, slots=True)
class Space:
    """An empty line."""


@dataclass(frozen=True, slots=True)
class QrCode:
    """A code to scan. 1 to 200 printable ASCII characters, exactly as given; ValueError for any other text."""

    text: str

    def __post_init__(self) -> None:
        if not (0 < len(self.text) <= MAX_CHARACTERS and self.text.isascii() and self.text.isprintable()):
            raise ValueError("a QR code on a receipt holds 1 to 200 printable ASCII characters")


Element = Title | Row | Amount | Text | Rule | Space | QrCode


@dataclass(frozen=True, slots=True)
class Receipt:
    """One slip of paper, from top to bottom."""

    elements: tuple[Element, ...]


def printable(text: str, *, max_characters: int = MAX_CHARACTERS) -> str:
    """The text without anything that could command a printer or bend its line; never longer than said.

    Dropped are control characters (C0 with ESC, C1), what is invisible (zero-width, bidirectional), lone surrogates and
    private signs. Any run of white space, line ends included, becomes one blank; U+00A5 becomes U+FFE5.
    """
    if len(text) <= max_characters and text.isprintable() and not _has_odd(text):
        return text  # nearly always
    if not text.isprintable():
        text = "".join(" " if sign.isspace() else sign for sign in text if sign.isspace() or _is_kept(sign))
    line = " ".join(text.translate(_CHANGED).split())
    return line if len(line) <= max_characters else f"{line[: max_characters - 1]}…"


def _has_odd(text: str) -> bool:
    return "  " in text or text != text.strip() or not (text.isascii() or _ODD.isdisjoint(text))


def _clean(element: Element, *names: str) -> None:
    for name in names:
        text = getattr(element, name)
        if (line := printable(text)) is not text:
            object.__setattr__(element, name, line)


#: Labels are few, and the same on every slip.
_printable_label: Final = lru_cache(maxsize=256)(printable)


def _clean_label(element: Row | Amount) -> None:
    if (line := _printable_label(element.label)) is not element.label:
        object.__setattr__(element, "label", line)


def _is_kept(sign: str) -> bool:
    return category(sign) not in _DROPPED
