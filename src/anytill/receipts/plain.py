"""A receipt as plain text, for a screen in a font of fixed width. A QR code is told by its text."""

from __future__ import annotations

from collections.abc import Iterator

from anytill.core.columns import centred
from anytill.core.receipt import Receipt
from anytill.receipts.layout import Code, Line, lines


def plain_text(receipt: Receipt, columns: int = 32) -> str:
    """The receipt, each line ended by LF and none wider than `columns`. Raises ValueError for paper not in PAPERS."""
    return "".join(f"{text}\n" for line in lines(receipt, columns) for text in _texts(line, columns))


def _texts(line: Line | Code, columns: int) -> Iterator[str]:
    if isinstance(line, Line) and not line.centred:
        yield line.text
    else:
        yield from centred(line.text, columns)
