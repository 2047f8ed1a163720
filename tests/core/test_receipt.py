"""No text of a caller can command a printer, whatever element it stands in."""

from __future__ import annotations

from unicodedata import category

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anytill.core.receipt import MAX_CHARACTERS, Amount, QrCode, Row, Text, Title, printable


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("拿铁 大杯", "拿铁 大杯"),
        ("\x1b@\x1bi", "@i"),
        ("a\r\nb\u2028c\u2029d\x85e", "a b c d e"),
        ("  a \t b　c ", "a b c"),
        ("\u202e10.0\u202c\u200b\ufeff", "10.0"),
        ("¥1", "￥1"),
        ("\ud800x\udfff", "x"),
        ("\x9b2J\x90q\x9c", "2Jq"),
        ("\ue5e5\U000f0000", ""),
        ("☎\ufe0f\u3164\u115f", "☎"),
        ("\\x1b\\x40", "\\x1b\\x40"),
        ("e\u0301", "e\u0301"),
        ("", ""),
    ],
)
def test_printable(text: str, line: str) -> None:
    assert printable(text) == line


ANY_TEXT = st.text(
    alphabet=st.one_of(
        st.sampled_from("\x1b\x1d\x1c\x00\n\r\x7f\x85\x9b \u3000\u00a0\u2028\u202e\u200d\ufeff\ud800\ufe0f¥金a"),
        st.characters(exclude_categories=()),
    ),
    max_size=300,
)


@given(ANY_TEXT)
def test_nothing_printable_commands_a_printer_or_bends_a_line(text: str) -> None:
    line = printable(text)
    assert len(line) <= MAX_CHARACTERS
    assert not {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"} & set(map(category, line))
    assert "\xa5" not in line
    assert "  " not in line
    assert line == line.strip()
    assert printable(line) == line


@given(ANY_TEXT, st.integers(1, 40))
def test_what_is_too_long_ends_in_an_ellipsis(text: str, most: int) -> None:
    whole, line = printable(text, max_characters=100_000), printable(text, max_characters=most)
    assert line == (whole if len(whole) <= most else f"{whole[: most - 1]}…")


@given(ANY_TEXT)
def test_every_element_cleans_its_own_texts(text: str) -> None:
    clean = printable(text)
    row, amount = Row(text, text), Amount(text, 1, text)
    assert (Title(text).text, Text(text).text, row.label, row.value, amount.label, amount.currency) == (clean,) * 6


@pytest.mark.parametrize("text", ["", "金", "\x1b@", "a\n", "a" * (MAX_CHARACTERS + 1)])
def test_a_qr_code_holds_its_text_exactly_or_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="ASCII"):
        QrCode(text)
    assert QrCode("a" * MAX_CHARACTERS).text == "a" * MAX_CHARACTERS
