"""Text in the columns of a till's printer, where a Chinese character takes two and a Latin one takes one.

Strategy: each character is measured by its East Asian Width (Unicode annex 11). The ambiguous ones (“ ” … ° é) count as
two, because a printer that is told GB 18030 takes them from its Chinese font. Lines are broken at a blank where there
is one and between any two characters where there is none; only the blank at which a line is broken is left out.
"""

from __future__ import annotations

from typing import Final
from unicodedata import category, east_asian_width

#: The narrowest paper that can hold any text: one Chinese character.
MIN_COLUMNS: Final = 2
_TWO_COLUMNS: Final = frozenset("WFA")
_NO_COLUMN: Final = frozenset({"Mn", "Me", "Cf", "Cc"})


def width(text: str) -> int:
    """How many columns the text takes: two for a wide character, none for a combining one, else one."""
    return len(text) if text.isascii() and text.isprintable() else sum(map(_width, text))


def wrap(text: str, columns: int) -> list[str]:
    """The text in lines of at most `columns`; an empty text is one empty line. Raises ValueError below two columns."""
    if columns < MIN_COLUMNS:
        raise ValueError(f"a line has at least {MIN_COLUMNS} columns")
    lines: list[str] = []
    while (fits := _fitting(text, columns)) < len(text):
        blank = fits if text[fits] == " " else text.rfind(" ", 0, fits)
        head, rest = (text[:blank], blank + 1) if blank > 0 else (text[:fits], fits)
        lines.append(head)
        text = text[rest:]
    return [*lines, text]


def pair(label: str, value: str, columns: int) -> list[str]:
    """The label at the left edge and the value at the right one, on one line if at least a blank is left between them.

    Else the label stands alone and the value below it, at the right edge: a long value never begins where a label does.
    """
    gap = columns - width(label) - width(value)
    if gap >= 1:
        return [f"{label}{' ' * gap}{value}" if value else label]
    values = [f"{' ' * (columns - width(line))}{line}" for line in wrap(value, columns)] if value else []
    return [*wrap(label, columns), *values]


def centred(text: str, columns: int) -> list[str]:
    """The text's lines, each with half of what it leaves free in front of it."""
    return [f"{' ' * ((columns - width(line)) // 2)}{line}" for line in wrap(text, columns)]


def rule(columns: int, sign: str = "-") -> str:
    """A line of one sign from edge to edge."""
    return sign * (columns // width(sign))


def _width(character: str) -> int:
    if category(character) in _NO_COLUMN:
        return 0
    return 2 if east_asian_width(character) in _TWO_COLUMNS else 1


def _fitting(text: str, columns: int) -> int:
    """How many of the first characters fit into the columns. What takes no column stays with what stands before it."""
    used = 0
    for at, character in enumerate(text):
        used += _width(character)
        if used > columns:
            return at
    return len(text)
