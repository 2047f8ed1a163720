"""The watch: what is counted, what is written, and that nothing secret is ever among it."""

from __future__ import annotations

import io
import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anytill.core.secret import Secret
from anytill.ports import Watch
from anytill.transports.watch import NUMBERS_SHOWN, JsonWatch

CANARY = "kanarienvogel-7f3e"
PAY_CODE = "130258282169498444"


def told(**fields: Any) -> dict[str, Any]:
    stream = io.StringIO()
    JsonWatch(stream).alarm("something", **fields)
    line = stream.getvalue()
    assert line.endswith("\n")
    assert line.count("\n") == 1
    told: dict[str, Any] = json.loads(line)
    return told


def test_it_is_a_watch() -> None:
    watch: Watch = JsonWatch(io.StringIO())
    watch.note("payment made")


def test_an_alarm_is_one_line_of_json() -> None:
    line = told(merchant="m1", amount_fen=1, text="收款\n")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", line.pop("ts"))
    assert line == {"level": "error", "event": "something", "merchant": "m1", "amount_fen": 1, "text": "收款\n"}


def test_notes_are_counted_and_written_only_in_debug_mode() -> None:
    quiet, chatty = io.StringIO(), io.StringIO()
    JsonWatch(quiet).note("paid", amount_fen=5)
    JsonWatch(chatty, debug=True).note("paid", amount_fen=5)
    assert quiet.getvalue() == ""
    assert json.loads(chatty.getvalue())["level"] == "debug"


@pytest.mark.parametrize(
    "name",
    [
        "secret",
        "client_secret",
        "key",
        "api_key",
        "private_key",
        "sign",
        "signature",
        "digest",
        "code_digest",
        "password",
        "passwd",
        "token",
        "Authorization",
        "cookie",
        "auth_code",
        "authcode",
        "pay_code",
        "PAYCODE",
    ],
)
def test_fields_that_sound_secret_are_masked_whole(name: str) -> None:
    assert told(**{name: CANARY})[name] == "********"
    assert told(**{name: Secret(CANARY)})[name] == "********"


@pytest.mark.parametrize("name", ["auth_code", "pay_code"])
def test_a_payers_code_shows_its_ends_only(name: str) -> None:
    assert told(**{name: PAY_CODE})[name] == "130258**********44"


@pytest.mark.parametrize("value", [PAY_CODE, int(PAY_CODE), "1" * 16, "9" * 24])
def test_what_looks_like_a_payers_code_is_masked_under_any_name(value: str | int) -> None:
    shown = told(detail=value)["detail"]
    assert shown == str(value)[:6] + "*" * (len(str(value)) - 8) + str(value)[-2:]


@pytest.mark.parametrize("value", ["1" * 15, "1" * 25, 1_700_000_000_000, "20260101T000000"])
def test_other_numbers_stay_as_they_are(value: str | int) -> None:
    assert told(detail=value)["detail"] == value


@pytest.mark.parametrize("name", sorted(NUMBERS_SHOWN))
def test_our_own_numbers_stay_readable(name: str) -> None:
    assert told(**{name: PAY_CODE})[name] == PAY_CODE


@pytest.mark.parametrize(
    "text",
    [
        f"order_no=1&sign={CANARY}&amount=1.00",
        f"client_secret={CANARY}",
        f'{{"key": "{CANARY}", "amount": 1}}',
        f"Authorization: {CANARY}",
        f"code {PAY_CODE} was refused",
        f"auth_code={PAY_CODE}",
    ],
)
def test_secrets_inside_a_text_are_masked(text: str) -> None:
    shown = told(detail=text, order_no=text)
    assert CANARY not in str(shown)
    assert PAY_CODE not in shown["detail"]


def test_the_event_itself_is_masked_too() -> None:
    stream = io.StringIO()
    JsonWatch(stream).alarm(f"refused {PAY_CODE} sign={CANARY}")
    assert PAY_CODE not in stream.getvalue()
    assert CANARY not in stream.getvalue()


@given(
    name=st.from_regex(r"[a-z_]{0,6}(secret|key|sign|digest|password|pay_code|auth_code)[a-z_]{0,6}", fullmatch=True),
    around=st.text(max_size=10),
)
def test_no_canary_under_a_secret_name_is_ever_written(name: str, around: str) -> None:
    stream = io.StringIO()
    watch = JsonWatch(stream, debug=True)
    watch.note("noted", **{name: around + CANARY})
    watch.alarm("told", **{name: CANARY + around})
    assert CANARY not in stream.getvalue()


@given(digits=st.from_regex(r"[0-9]{16,24}", fullmatch=True), before=st.text("ab=& :", max_size=5))
def test_no_payers_code_inside_a_text_is_ever_written(digits: str, before: str) -> None:
    assert digits not in str(told(detail=before + digits))


def test_metrics_count_notes_alarms_and_answers() -> None:
    watch = JsonWatch(io.StringIO())
    watch.note("paid")
    watch.note("paid")
    watch.alarm("bug")
    watch.observe_request("teegon", 200, 0.004)
    lines = watch.render().decode().splitlines()
    assert 'anytill_events_total{event="paid"} 2.0' in lines
    assert 'anytill_alarms_total{event="bug"} 1.0' in lines
    assert 'anytill_requests_total{dialect="teegon",status="200"} 1.0' in lines
    assert 'anytill_request_seconds_bucket{dialect="teegon",le="0.005"} 1.0' in lines
    assert 'anytill_request_seconds_bucket{dialect="teegon",le="0.002"} 0.0' in lines


def test_two_watches_count_apart() -> None:
    one, other = JsonWatch(io.StringIO()), JsonWatch(io.StringIO())
    one.note("paid")
    assert b'event="paid"' not in other.render()


def test_a_log_that_cannot_be_written_is_counted_and_stops_nobody() -> None:
    stream = io.StringIO()
    watch = JsonWatch(stream)
    stream.close()
    watch.alarm("bug")
    assert b"anytill_log_lines_lost_total 1.0" in watch.render()
