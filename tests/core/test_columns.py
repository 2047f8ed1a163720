"""Columns: nothing is wider than the paper, and nothing is lost on the way to it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anytill.core.columns import centred, pair, rule, width, wrap

TEXTS = st.text(alphabet=st.one_of(st.sampled_from("a 0-门店交易￥，é\u0301“"), st.characters()), max_size=80)
COLUMNS = st.integers(2, 60)


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("", 0),
        ("abc", 3),
        ("门店", 4),
        ("交易：0.01元", 12),
        ("￥0.01", 6),
        ("e\u0301", 1),
        ("“拿铁”", 8),
        ("ｱ", 1),
        ("Ａ", 2),
        ("\u200b", 0),
        ("☕", 2),
    ],
)
def test_width(text: str, columns: int) -> None:
    assert width(text) == columns


@given(TEXTS, COLUMNS)
def test_no_wrapped_line_is_too_wide_and_no_character_but_blanks_is_lost(text: str, columns: int) -> None:
    lines = wrap(text, columns)
    assert all(width(line) <= columns for line in lines)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert sum(map(len, lines)) >= len(text) - (len(lines) - 1)


@given(TEXTS, TEXTS, COLUMNS)
def test_no_pair_is_too_wide_and_no_character_but_blanks_is_lost(label: str, value: str, columns: int) -> None:
    lines = pair(label, value, columns)
    assert all(width(line) <= columns for line in lines)
    assert "".join(lines).replace(" ", "") == (label + value).replace(" ", "")


@given(TEXTS, COLUMNS)
def test_centred_lines_stand_in_the_middle(text: str, columns: int) -> None:
    for line, bare in zip(centred(text, columns), wrap(text, columns), strict=True):
        assert width(line) <= columns
        left = len(line) - len(bare)
        assert line == " " * left + bare
        assert 0 <= columns - width(line) - left <= 1


@given(COLUMNS, st.sampled_from("-=*—"))
def test_a_rule_reaches_from_edge_to_edge(columns: int, sign: str) -> None:
    assert columns - width(sign) < width(rule(columns, sign)) <= columns


def test_lines_break_at_a_blank_where_there_is_one() -> None:
    assert wrap("one two three", 8) == ["one two", "three"]
    assert wrap("交易金额", 5) == ["交易", "金额"]
    assert wrap("abcdefgh", 3) == ["abc", "def", "gh"]
    assert wrap("abc def", 3) == ["abc", "def"]
    assert wrap("", 3) == [""]


def test_a_combining_sign_stays_with_its_letter() -> None:
    assert wrap("abe\u0301cd", 3) == ["abe\u0301", "cd"]


def test_a_pair_stands_at_both_edges() -> None:
    assert pair("金额", "0.01元", 12) == ["金额  0.01元"]
    assert pair("金额", "0.01元", 11) == ["金额 0.01元"]
    assert pair("金额", "", 12) == ["金额"]


def test_a_value_that_does_not_fit_beside_its_label_never_starts_at_the_left_edge() -> None:
    assert pair("金额", "0.01元", 10) == ["金额", "    0.01元"]
    lines = pair("门店", "一家很好的店 交易金额 9999.00元", 24)
    assert lines == ["门店", "   一家很好的店 交易金额", "               9999.00元"]


@pytest.mark.parametrize("columns", [-1, 0, 1])
def test_paper_is_two_columns_wide_at_least(columns: int) -> None:
    with pytest.raises(ValueError, match="columns"):
        wrap("", columns)
