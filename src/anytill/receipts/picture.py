"""A printed strip as a PNG, drawn with a font that is handed in as bytes.

Strategy: each character is drawn alone into a cell of the printer's own size and enlarged as the printer enlarges it,
dot by dot. So everything stands where the printer puts it, whatever the font's own widths are; a letter wider than
its cell is narrowed.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator

from PIL import Image, ImageDraw, ImageFont

from anytill.core.columns import width
from anytill.receipts.paper import CHARACTER_DOTS, COLUMN_DOTS, Code, Cut, Paper, Run

MARGIN_DOTS = 16
_FONT_DOTS = 21
_BASELINE = 19  # below the cell's upper edge
_CUT_DASH = 8
_PAPER, _INK, _CUT_INK = 255, 0, 160
#: In no font: what is drawn for it is drawn for every character that the font lacks.
_NO_CHARACTER = "\U0010ffff"


class BadFont(ValueError):
    """The bytes are no font that can be drawn with."""


def picture(paper: Paper, font: bytes) -> bytes:
    """The strip as a PNG, one pixel a dot, with a margin. Raises BadFont."""
    size = (paper.width + 2 * MARGIN_DOTS, paper.height + 2 * MARGIN_DOTS)
    page = Image.new("L", size, _PAPER)
    pen = _Pen(page, _opened(font))
    for mark in paper.marks:
        match mark:
            case Run():
                pen.write(mark)
            case Code():
                pen.stamp(mark)
            case Cut():
                pen.cut(mark)
    out = io.BytesIO()
    page.save(out, "PNG")
    return out.getvalue()


def has_chinese(font: bytes) -> bool:
    """Whether the font can write a Chinese receipt. Raises BadFont."""
    opened = _opened(font)
    missing = _glyph(opened, _NO_CHARACTER)
    return all(_glyph(opened, sign) != missing for sign in "金额元")


class _Pen:
    """Draws on one page; a cell that was drawn once is kept."""

    def __init__(self, page: Image.Image, font: ImageFont.FreeTypeFont) -> None:
        self._page = page
        self._font = font
        self._cells: dict[tuple[str, int, int], Image.Image] = {}

    def write(self, run: Run) -> None:
        x = run.x
        for sign in _signs(run.text):
            cell = self._cell(sign, run.wide, run.tall)
            self._page.paste(_INK, (MARGIN_DOTS + x, MARGIN_DOTS + run.y), mask=cell)
            x += cell.width

    def stamp(self, code: Code) -> None:
        side = len(code.modules)
        dark = Image.frombytes("L", (side, side), bytes(255 if dot else 0 for row in code.modules for dot in row))
        mask = dark.resize((side * code.size,) * 2, Image.Resampling.NEAREST)
        self._page.paste(_INK, (MARGIN_DOTS + code.x, MARGIN_DOTS + code.y), mask=mask)

    def cut(self, cut: Cut) -> None:
        draw = ImageDraw.Draw(self._page)
        for x in range(0, self._page.width, 2 * _CUT_DASH):
            draw.line((x, MARGIN_DOTS + cut.y, x + _CUT_DASH, MARGIN_DOTS + cut.y), _CUT_INK)

    def _cell(self, sign: str, wide: int, tall: int) -> Image.Image:
        key = (sign, wide, tall)
        if key not in self._cells:
            drawn = self._drawn(sign, max(width(sign), 1) * COLUMN_DOTS)
            size = (drawn.width * wide, drawn.height * tall)
            self._cells[key] = drawn.resize(size, Image.Resampling.NEAREST)
        return self._cells[key]

    def _drawn(self, sign: str, dots: int) -> Image.Image:
        needed = max(dots, math.ceil(self._font.getlength(sign)))
        cell = Image.new("L", (needed, CHARACTER_DOTS), 0)
        ImageDraw.Draw(cell).text((needed / 2, _BASELINE), sign, 255, self._font, anchor="ms")
        return cell if needed == dots else cell.resize((dots, CHARACTER_DOTS), Image.Resampling.BILINEAR)


def _signs(text: str) -> Iterator[str]:
    """The characters, each with the combining ones that follow it."""
    sign = ""
    for character in text:
        if sign and width(character):
            yield sign
            sign = ""
        sign += character
    if sign:
        yield sign


def _opened(font: bytes) -> ImageFont.FreeTypeFont:
    try:
        # The basic layout draws alike wherever Pillow runs.
        return ImageFont.truetype(io.BytesIO(font), _FONT_DOTS, layout_engine=ImageFont.Layout.BASIC)
    except OSError:
        raise BadFont("not a font that can be drawn with") from None


def _glyph(font: ImageFont.FreeTypeFont, sign: str) -> tuple[tuple[int, int], bytes]:
    mask = font.getmask(sign)
    return mask.size, bytes(mask)
