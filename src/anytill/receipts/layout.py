"""A receipt as lines of so many columns: what all forms of it share.

Strategy: titles are twice as tall, and twice as wide if they then still fit on one line; a big row is twice as tall
only, so that its sum keeps its place at the right edge. Columns are counted by `core.columns`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from anytill.core.columns import pair, rule, width, wrap
from anytill.core.money import CNY
from anytill.core.receipt import Amount, Element, QrCode, Receipt, Row, Rule, Space, Text, Title
from anytill.wire.amounts import format_yuan

#: Papers in use, by their columns: 58 mm, and 80 mm in two densities.
PAPERS: Final = (32, 42, 48)


@dataclass(frozen=True, slots=True)
class Line:
    """One line. A wide line counts each column twice; a centred one is not padded."""

    text: str
    centred: bool = False
    wide: bool = False
    tall: bool = False


@dataclass(frozen=True, slots=True)
class Code:
    """A QR code, in the middle."""

    text: str


def lines(receipt: Receipt, columns: int) -> Iterator[Line | Code]:
    """The receipt from top to bottom; no line is wider than `columns`. Raises ValueError for paper not in PAPERS."""
    if columns not in PAPERS:
        raise ValueError(f"paper has {', '.join(map(str, PAPERS))} columns")
    for element in receipt.elements:
        yield from _lines(element, columns)


def sum_text(amount: Amount) -> str:
    """`0.01元`; another currency is named behind the sum."""
    unit = "元" if amount.currency == CNY else f" {amount.currency}"
    return f"{format_yuan(amount.amount_fen)}{unit}"


def _lines(element: Element, columns: int) -> Iterator[Line | Code]:
    match element:
        case Title(text):
            wide = 2 * width(text) <= columns
            yield from (Line(line, centred=True, wide=wide, tall=True) for line in wrap(text, columns))
        case Row(label, value, big):
            yield from (Line(line, tall=big) for line in pair(label, value, columns))
        case Amount(label, big=big):
            yield from (Line(line, tall=big) for line in pair(label, sum_text(element), columns))
        case Text(text, is_centred):
            yield from (Line(line, centred=is_centred) for line in wrap(text, columns))
        case Rule():
            yield Line(rule(columns))
        case Space():
            yield Line("")
        case QrCode(text):
            yield Code(text)
