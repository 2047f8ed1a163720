"""Tables of fields: what a row asks for, and what stays behind."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anytill.wire.errors import BadField, MissingField
from anytill.wire.fields import Form, Kind, Row, may, need, pattern

FEN = pattern("whole fen", r"[1-9][0-9]{0,9}", 10)
NOTE = Kind("at most 4 characters", 4, free=True)
FORM = Form((need("total_fee", FEN), may("attach", NOTE), may("no", pattern("letters", r"[a-z]+", 3))))


@pytest.mark.parametrize(("value", "taken"), [("1", True), ("9999999999", True), ("0", False), ("1 ", False)])
def test_a_kind_takes_what_its_grammar_matches_whole(value: str, taken: bool) -> None:
    assert FEN.takes(value) is taken


@pytest.mark.parametrize("value", ["1\n", "\u0661", "12345678901", ""])
def test_a_kind_takes_nothing_longer_or_of_other_characters(value: str) -> None:
    assert not FEN.takes(value)


def test_a_length_counts_characters() -> None:
    assert NOTE.takes("拿铁大杯")
    assert not NOTE.takes("拿铁大杯两")


def test_a_pattern_is_64_characters_long_unless_it_says_otherwise() -> None:
    assert pattern("letters", r"[a-z]+").max_length == 64


def test_fields_come_in_the_order_of_the_table_and_other_names_stay_behind() -> None:
    sent = {"sign": "x", "no": "abc", "total_fee": "1", "attach": "a&b"}
    assert list(FORM.read(sent).items()) == [("total_fee", "1"), ("attach", "a&b"), ("no", "abc")]


@pytest.mark.parametrize("sent", [{}, {"total_fee": ""}, {"total_fees": "1"}])
def test_a_field_that_must_be_there_is_named(sent: dict[str, str]) -> None:
    with pytest.raises(MissingField) as caught:
        FORM.read(sent)
    assert caught.value.field == "total_fee"


def test_an_empty_field_is_an_absent_one() -> None:
    assert FORM.read({"total_fee": "1", "no": ""}) == {"total_fee": "1"}


@pytest.mark.parametrize(
    ("name", "value"), [("total_fee", "0"), ("total_fee", "1 "), ("attach", "12345"), ("no", "abcd"), ("no", "A")]
)
def test_a_wrong_value_is_named_and_not_shown(name: str, value: str) -> None:
    with pytest.raises(BadField) as caught:
        FORM.read({"total_fee": "1", name: value})
    assert caught.value.field == name
    assert str(caught.value) == f"{name} must be {FORM.expected[name]}"


def test_a_form_knows_its_names() -> None:
    assert FORM.names == set(FORM.expected) == {"total_fee", "attach", "no"}
    assert FORM.rows[0] == Row("total_fee", FEN, required=True)


@given(st.dictionaries(st.sampled_from(["total_fee", "attach", "no", "sign"]), st.text(max_size=12)))
def test_whatever_is_read_is_of_its_kind(sent: dict[str, str]) -> None:
    try:
        found = FORM.read(sent)
    except (MissingField, BadField):
        refused = [row for row in FORM.rows if row.required and not sent.get(row.name)]
        refused += [row for row in FORM.rows if sent.get(row.name) and not row.kind.takes(sent[row.name])]
        assert refused
    else:
        assert found == {name: value for name, value in sent.items() if value and name in FORM.names}
        assert all(row.kind.takes(found[row.name]) for row in FORM.rows if row.name in found)
