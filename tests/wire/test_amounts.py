"""Amounts: one grammar for each notation, and every fen comes back."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anytill.wire.amounts import fen_from_number_text, format_yuan, parse_fen, parse_yuan, yuan_number
from anytill.wire.errors import BadField, WireError

NO_AMOUNT = [
    "", " ", "1 ", " 1", "1\n", "\t1", "+1", "-1", "-0.01", ".5", "1.", "1.234", "01", "00", "0.0.1", "1,000", "1_000",
    "1e2", "1E+2", "NaN", "Infinity", "0x10", "１", "٣", "1.５", "100000000", "99999999999", "一", "\ud800", "1\x00",
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "amount_fen"),
    [("0.01", 1), ("0.1", 10), ("0.10", 10), ("1", 100), ("1.5", 150), ("19.99", 1999), ("23.45", 2345),
     ("99999999.99", 9_999_999_999)],
)  # fmt: skip
def test_yuan(text: str, amount_fen: int) -> None:
    assert parse_yuan(text) == fen_from_number_text(text) == amount_fen


@pytest.mark.parametrize("text", [*NO_AMOUNT, "0", "0.0", "0.00"])
def test_no_yuan(text: str) -> None:
    with pytest.raises(BadField) as caught:
        parse_yuan(text, field="total")
    assert caught.value.field == "total"


@pytest.mark.parametrize("text", NO_AMOUNT)
def test_no_number_of_yuan(text: str) -> None:
    with pytest.raises(BadField):
        fen_from_number_text(text)


@pytest.mark.parametrize(("text", "amount_fen"), [("1", 1), ("100", 100), ("9999999999", 9_999_999_999)])
def test_fen(text: str, amount_fen: int) -> None:
    assert parse_fen(text) == amount_fen


@pytest.mark.parametrize("text", [*(text for text in NO_AMOUNT if text != "100000000"), "0", "1.0", "12345678901"])
def test_no_fen(text: str) -> None:
    with pytest.raises(BadField) as caught:
        parse_fen(text, field="total_fee")
    assert caught.value.field == "total_fee"


@pytest.mark.parametrize(
    ("amount_fen", "fixed", "shortest"),
    [(0, "0.00", "0"), (1, "0.01", "0.01"), (10, "0.10", "0.1"), (100, "1.00", "1"), (110, "1.10", "1.1"),
     (1000, "10.00", "10"), (2345, "23.45", "23.45"), (-1, "-0.01", "-0.01"), (-1050, "-10.50", "-10.5")],
)  # fmt: skip
def test_writing(amount_fen: int, fixed: str, shortest: str) -> None:
    assert format_yuan(amount_fen) == fixed
    assert yuan_number(amount_fen) == shortest


def test_each_of_the_first_million_fen_comes_back() -> None:
    for amount_fen in range(1, 1_000_001):
        if not parse_yuan(format_yuan(amount_fen)) == fen_from_number_text(yuan_number(amount_fen)) == amount_fen:
            pytest.fail(f"{amount_fen} fen did not come back")


@given(st.integers(1, 9_999_999_999))
def test_any_amount_comes_back_and_is_a_hundredth(amount_fen: int) -> None:
    assert parse_yuan(format_yuan(amount_fen)) == parse_fen(str(amount_fen)) == amount_fen
    assert Decimal(yuan_number(amount_fen)) * 100 == amount_fen


@given(st.text() | st.from_regex(r"[0-9.]{1,12}", fullmatch=True))
def test_any_text_gives_an_amount_or_a_wire_error(text: str) -> None:
    try:
        amount_fen = parse_yuan(text)
    except WireError:
        return
    assert amount_fen > 0
    assert Decimal(text) * 100 == amount_fen
