"""Pictures: where ink is, with the font that Pillow brings. One that knows Chinese signs is made of it."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import pytest
import typer
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFont

from anytill.cli.printing import found_font, given_font
from anytill.core.receipt import Amount, QrCode, Receipt, Row, Title
from anytill.receipts.escpos import escpos
from anytill.receipts.paper import Code, Paper, Run, read_escpos
from anytill.receipts.picture import MARGIN_DOTS, BadFont, has_chinese, picture
from anytill.wire.errors import WireError


def latin_font() -> bytes:
    font = ImageFont.load_default(24)
    assert isinstance(font, ImageFont.FreeTypeFont)
    return font.font_bytes


LATIN = latin_font()


def font_with(signs: str) -> bytes:
    """The Latin font with another table of characters: these signs alone, each drawn as the font's widest glyph.

    A TrueType file is a directory of tables, 16 bytes for each from byte 12 on: tag, sum, place, length. The new table
    (cmap, format 12) is put at the end.
    """

    def pointing_at(glyph: int) -> bytes:
        groups = b"".join(struct.pack(">3I", ord(sign), ord(sign), glyph) for sign in sorted(signs))
        table = struct.pack(">HHHHIHHIII", 0, 1, 3, 10, 12, 12, 0, 16 + len(groups), 0, len(signs)) + groups
        font = bytearray(LATIN)
        entry = next(at for at in range(12, 12 + 16 * font[5], 16) if font[at : at + 4] == b"cmap")
        font[entry + 8 : entry + 16] = struct.pack(">II", len(font), len(table))
        return bytes(font) + table

    def dots(font: bytes) -> float:
        return ImageFont.truetype(io.BytesIO(font), 24).getlength(signs[0])

    return max(map(pointing_at, range(1, 100)), key=dots)


def drawn(paper: Paper, font: bytes = LATIN) -> Image.Image:
    return Image.open(io.BytesIO(picture(paper, font))).convert("L")


def ink(page: Image.Image) -> tuple[int, int, int, int] | None:
    """The box that holds all ink, in the paper's own dots."""
    box = page.point(lambda grey: 255 if grey < 128 else 0).getbbox()
    if box is None:
        return None
    left, upper, right, lower = (edge - MARGIN_DOTS for edge in box)
    return left, upper, right, lower


def test_a_picture_has_a_pixel_for_each_dot_and_a_margin() -> None:
    page = drawn(read_escpos(b"\n\n", 48))
    assert page.size == (48 * 12 + 2 * MARGIN_DOTS, 60 + 2 * MARGIN_DOTS)
    assert ink(page) is None


@pytest.mark.parametrize(("wide", "tall"), [(1, 1), (2, 1), (1, 2), (3, 3)])
@pytest.mark.parametrize("text", ["W", "i", "0", "-"])
def test_a_character_stays_in_its_cell(text: str, wide: int, tall: int) -> None:
    box = ink(drawn(Paper(384, 100, (Run(60, 12, text, wide, tall),))))
    assert box is not None
    assert box[0] >= 60
    assert box[1] >= 12
    assert box[2] <= 60 + 12 * wide
    assert box[3] <= 12 + 24 * tall


def test_the_last_column_is_where_the_printer_has_it() -> None:
    box = ink(drawn(Paper(384, 30, (Run(0, 0, " " * 31 + "H"),))))
    assert box is not None
    assert 372 <= box[0] < box[2] <= 384


def test_an_enlarged_character_is_the_small_one_dot_by_dot() -> None:
    small = drawn(Paper(384, 30, (Run(0, 0, "R"),))).crop((16, 16, 28, 40))
    large = drawn(Paper(384, 90, (Run(0, 0, "R", 3, 2),))).crop((16, 16, 52, 64))
    assert large.tobytes() == small.resize((36, 48), Image.Resampling.NEAREST).tobytes()


def test_a_code_is_drawn_module_by_module() -> None:
    code = Code(24, 6, "x", 3, (b"\x01\x00", b"\x00\x01"))
    page = drawn(Paper(384, 30, (code,)))
    assert ink(page) == (24, 6, 30, 12)
    at = (MARGIN_DOTS + 24, MARGIN_DOTS + 6)
    assert [page.getpixel((at[0] + dx, at[1] + dy)) for dx, dy in ((0, 0), (2, 2), (3, 0), (0, 3), (5, 5))] == [
        *(0, 0, 255, 255, 0)
    ]


def test_the_same_bytes_give_the_same_picture() -> None:
    paper = read_escpos(escpos(Receipt((Title("R"), Row("no", "1"), QrCode("1")))))
    assert picture(paper, LATIN) == picture(paper, LATIN)


@settings(max_examples=40)
@given(st.lists(st.one_of(st.binary(max_size=6), st.sampled_from([b"\x1d!\x77", b"\n", b"e\x1bi"])), max_size=8))
def test_any_bytes_are_a_picture_or_one_kind_of_error(parts: list[bytes]) -> None:
    try:
        paper = read_escpos(b"".join(parts))
    except WireError:
        return
    assert drawn(paper).size == (paper.width + 32, paper.height + 32)


@settings(max_examples=40)
@given(st.text(st.characters(exclude_categories=()), max_size=30))
def test_every_receipt_can_be_drawn(text: str) -> None:
    paper = read_escpos(escpos(Receipt((Title(text), Row(text, text, big=True), Amount(text, 1)))))
    assert drawn(paper).height == paper.height + 32


# Fonts


@pytest.mark.parametrize("font", [b"", b"no font", LATIN[:100]])
def test_bytes_that_are_no_font(font: bytes) -> None:
    with pytest.raises(BadFont):
        has_chinese(font)
    with pytest.raises(BadFont):
        picture(Paper(384, 30, ()), font)


def test_a_latin_font_has_no_chinese() -> None:
    assert not has_chinese(LATIN)


def test_no_font_is_told_in_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "latin.ttf").write_bytes(LATIN)
    (tmp_path / "broken.ttf").write_bytes(b"no font")
    with pytest.raises(typer.Exit) as ended:
        found_font([tmp_path / "latin.ttf", tmp_path / "broken.ttf", tmp_path / "absent.ttf"])
    assert ended.value.exit_code == 2
    assert capsys.readouterr().err == (
        "no font with Chinese characters was found: install one (fonts-wqy-microhei), or give --font FILE\n"
    )


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("latin.ttf", "the font has no Chinese characters"),
        ("broken.ttf", "not a font that can be drawn with"),
        ("absent.ttf", "No such file or directory"),
    ],
)
def test_a_font_that_does_not_help_is_told_in_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, sentence: str
) -> None:
    (tmp_path / "latin.ttf").write_bytes(LATIN)
    (tmp_path / "broken.ttf").write_bytes(b"no font")
    with pytest.raises(typer.Exit) as ended:
        given_font(tmp_path / name)
    assert ended.value.exit_code == 2
    assert capsys.readouterr().err == f"--font {tmp_path / name}: {sentence}\n"


def test_chinese_is_drawn_in_cells_twice_as_wide(tmp_path: Path) -> None:
    (tmp_path / "latin.ttf").write_bytes(LATIN)
    (tmp_path / "chinese.ttf").write_bytes(font_with("金额元"))
    font = found_font([tmp_path / "latin.ttf", tmp_path / "chinese.ttf"])
    assert has_chinese(font)
    box = ink(drawn(Paper(384, 30, (Run(0, 0, "金"),)), font))
    assert box is not None
    assert 12 < box[2] <= 24
    assert box[3] <= 24
