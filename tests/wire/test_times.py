"""Times: one grammar for each notation, and every second comes back."""

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anytill.wire.errors import BadField
from anytill.wire.times import BARE, DASHED, format_time, parse_time

BEIJING = timezone(timedelta(hours=8))
AT_MS = 1_795_000_000_000


def test_times_are_beijing_times() -> None:
    assert format_time(AT_MS + 999) == "2026-11-18 19:06:40"
    assert parse_time("2026-11-18 19:06:40", "t") == AT_MS
    assert parse_time("20261118190640", "t", (BARE,)) == AT_MS
    assert format_time(0) == "1970-01-01 08:00:00"


def test_one_of_several_notations_is_enough() -> None:
    for text in ("20261118190640", "2026-11-18 19:06:40"):
        assert parse_time(text, "t", (BARE, DASHED)) == AT_MS


@pytest.mark.parametrize(
    "text",
    [
        "", "2026-11-18", "2026-11-18T19:06:40", "2026-11-18 19:06:40 ", "2026-11-18 19:06:40.0", "26-11-18 19:06:40",
        "2026-02-30 00:00:00", "2026-11-18 24:00:00", "2026-11-18 19:06:60", "0000-01-01 00:00:00", "20261118190640",
        "２026-11-18 19:06:40", "2026-11-18 19:06:40\n", "-026-11-18 19:06:40",
    ],
)  # fmt: skip
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(BadField) as caught:
        parse_time(text, "pay_time")
    assert caught.value.field == "pay_time"
    assert str(caught.value) == "pay_time must be a time as yyyy-MM-dd HH:mm:ss"


@pytest.mark.parametrize("text", ["2026-11-18 19:06:40", "20261118 190640", "2026111819064", "20261318190640"])
def test_what_is_no_bare_time(text: str) -> None:
    with pytest.raises(BadField, match="t must be a time as yyyyMMddHHmmss"):
        parse_time(text, "t", (BARE,))


@given(st.integers(0, 4_000_000_000))
def test_every_second_comes_back(at_s: int) -> None:
    text = format_time(at_s * 1_000)
    assert parse_time(text, "t") == at_s * 1_000
    assert datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=BEIJING).timestamp() == at_s
    assert parse_time("".join(filter(str.isdigit, text)), "t", (BARE,)) == at_s * 1_000


@given(st.text(max_size=20))
def test_any_text_is_a_time_or_a_bad_field(text: str) -> None:
    try:
        at_ms = parse_time(text, "t")
    except BadField:
        return
    assert format_time(at_ms) == text
