"""The control calls: the clock, the payer's hand, the wallet's own book."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anytill.channels.sandbox.control import MAX_OFFSET_S, SandboxControl
from anytill.core.lifecycle import PaymentEvent
from anytill.core.payment import Method
from anytill.wire.http import FORM, HttpRequest
from tests.channels.fakes import NOON_MS, Stage, code, finish, payment, refund

Told = tuple[int, dict[str, Any]]


class Control:
    """A sandbox with its control calls."""

    def __init__(self) -> None:
        self.stage = Stage()
        self.handle = SandboxControl(self.stage.channel, self.stage.clock, self.stage.clock.advance)

    def ask(self, method: str, path: str, body: bytes | dict[str, Any] = b"", query: str = "") -> Told:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        response = finish(self.handle(HttpRequest(method, path, query, {"content-type": FORM}, raw, "127.0.0.1")))
        told = json.loads(response.body)
        assert isinstance(told, dict)
        return response.status, told

    def pay(self, number: int = 1, ending: str = "00", **changes: Any) -> PaymentEvent:
        shown = None if changes.get("method") else code(ending, serial=number)
        return finish(self.stage.channel.pay(payment(number, **changes), shown)).event


@pytest.fixture
def control() -> Control:
    return Control()


@pytest.mark.parametrize("body", [b'{"advance_s": 60}', b' {"advance_s":60}', b"advance_s=60"])
def test_the_clock_moves_on_and_says_where_it_is(control: Control, body: bytes) -> None:
    expected = {"now_ms": NOON_MS + 60_000, "now": "2026-01-01T08:01:00.000+08:00", "offset_s": 60}
    assert control.ask("POST", "/sandbox/clock", body) == (200, expected)
    assert control.ask("GET", "/sandbox/clock") == (200, expected)


def test_moves_of_the_clock_add_up_and_survive_a_restart(control: Control) -> None:
    control.ask("POST", "/sandbox/clock", {"advance_s": 60})
    assert control.ask("POST", "/sandbox/clock", {"advance_s": 31_536_000})[1]["offset_s"] == 31_536_060
    restarted = control.stage.restarted().channel
    assert (restarted.restored_offset_ms, restarted.offset_ms) == (31_536_060_000, 31_536_060_000)


@pytest.mark.parametrize(
    "body",
    [
        {"advance_s": 0},
        {"advance_s": -1},
        {"advance_s": 1.5},
        {"advance_s": 31_536_001},
        {"advance_s": 10**30},
        {"advance_s": "60"},
        {"advance_s": True},
        {"advance_s": [60]},
        b'{"advance_s": 1e3}',
        b'{"advance_s": 060}',
        b"advance_s=",
        b"advance_s=06",
        b"advance_s=+6",
        b"advance_s=1_0",
        b"advance_s=\xd9\xa3",
    ],
)
def test_only_a_whole_number_of_seconds_moves_the_clock(control: Control, body: bytes | dict[str, Any]) -> None:
    status, told = control.ask("POST", "/sandbox/clock", body)
    assert status == 400
    assert told["error"]
    assert control.stage.clock.now_ms() == NOON_MS
    assert control.stage.journal.data == b""


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/sandbox/clock", {}, "advance_s"),
        ("/sandbox/clock", {"advance_s": 1, "back": True}, "back"),
        ("/sandbox/pay", {}, "merchant_order"),
        ("/sandbox/pay", {"merchant_order": ""}, "merchant_order"),
        ("/sandbox/pay", {"merchant_order": 1}, "merchant_order"),
        ("/sandbox/pay", {"merchant_order": None}, "merchant_order"),
        ("/sandbox/pay", {"channel_order": "x" * 129}, "channel_order"),
        ("/sandbox/cancel", {"merchant_order": "A-1", "channel_order": "1"}, "channel_order"),
        ("/sandbox/cancel", {"merchant_order": "A-1", "order": "1"}, "order"),
    ],
)
def test_a_bad_field_is_named(control: Control, path: str, body: dict[str, Any], field: str) -> None:
    status, told = control.ask("POST", path, body)
    assert (status, told["field"]) == (400, field)


def test_the_clock_does_not_leave_the_calendar(control: Control) -> None:
    finish(control.stage.channel.move_clock(MAX_OFFSET_S * 1_000))
    assert control.ask("POST", "/sandbox/clock", {"advance_s": 1})[0] == 400


def test_the_payer_confirms_a_prompt_before_its_time(control: Control) -> None:
    assert control.pay(ending="01") is PaymentEvent.WAITING
    control.stage.clock.advance(2_000)
    status, told = control.ask("POST", "/sandbox/pay", b"merchant_order=A-1")
    assert (status, told["state"], told["charged_fen"]) == (200, "PAID", 1_000)
    answer = finish(control.stage.channel.query(payment()))
    assert (answer.event, answer.paid_at_ms) == (PaymentEvent.PAID, NOON_MS + 2_000)


def test_a_prompt_confirmed_by_hand_uses_the_code_up(control: Control) -> None:
    control.pay(ending="03")
    control.ask("POST", "/sandbox/pay", {"merchant_order": "A-1"})
    other = finish(control.stage.channel.pay(payment(2), code("03", serial=1)))
    assert other.reason == "the code has been used"


@pytest.mark.parametrize(
    ("changes", "event"), [({}, PaymentEvent.REFUSED), ({"method": Method.QR}, PaymentEvent.CLOSED)]
)
def test_the_payer_turns_away(control: Control, changes: dict[str, Any], event: PaymentEvent) -> None:
    control.pay(ending="03", **changes)
    status, told = control.ask("POST", "/sandbox/cancel", {"channel_order": payment().payment_id})
    assert (status, told["reason"]) == (200, "the payer cancelled")
    answer = finish(control.stage.channel.query(payment()))
    assert (answer.event, answer.reason) == (event, "the payer cancelled")


def test_an_invited_payer_pays(control: Control) -> None:
    control.pay(method=Method.JSAPI, payer_id="openid-7")
    assert control.ask("POST", "/sandbox/pay", {"merchant_order": "A-1"})[0] == 200
    answer = finish(control.stage.channel.query(payment()))
    assert (answer.event, answer.payer_id, answer.invitation) == (PaymentEvent.PAID, "openid-7", {})


@pytest.mark.parametrize("path", ["/sandbox/pay", "/sandbox/cancel"])
def test_what_does_not_wait_is_a_conflict(control: Control, path: str) -> None:
    assert control.ask("POST", path, {"merchant_order": "A-1"}) == (404, {"error": "there is no order of this number"})
    control.pay()
    status, told = control.ask("POST", path, {"merchant_order": "A-1"})
    assert (status, told) == (409, {"error": "the order is PAID and waits for nobody"})


def test_too_late_is_too_late(control: Control) -> None:
    control.pay(method=Method.QR)
    control.stage.clock.advance(60_000)
    assert control.ask("POST", "/sandbox/pay", {"merchant_order": "A-1"})[0] == 409


def test_two_merchants_orders_of_one_number_are_told_apart(control: Control) -> None:
    control.pay(1, method=Method.QR)
    control.pay(2, method=Method.QR, merchant_id="m2", order_no="A-1")
    status, told = control.ask("POST", "/sandbox/pay", {"merchant_order": "A-1"})
    assert (status, "channel_order" in told["error"]) == (409, True)
    assert control.ask("POST", "/sandbox/pay", {"channel_order": payment(2).payment_id})[1]["merchant_id"] == "m2"
    assert control.ask("POST", "/sandbox/pay", {"merchant_order": "A-1"})[1]["merchant_id"] == "m1"
    assert len(control.ask("GET", "/sandbox/book", query="merchant_order=A-1")[1]["orders"]) == 2


def test_the_book_tells_what_really_happened(control: Control) -> None:
    control.pay(ending="10")
    finish(control.stage.channel.refund(payment(), refund(payment(), 191)))
    (row,) = control.ask("GET", "/sandbox/book", query="merchant_order=A-1")[1]["orders"]
    (given_back,) = row.pop("refunds")
    assert given_back.pop("channel_refund_no").startswith("5030")
    assert given_back == {
        "merchant_refund": "R-1",
        "channel_refund": refund(payment(), 191).refund_id,
        "amount_fen": 191,
        "state": "PROCESSING",
        "reason": "",
    }
    assert row.pop("channel_trade_no").startswith("4200")
    assert row.pop("payer_id").startswith("o")
    assert row == {
        "merchant_id": "m1",
        "merchant_order": "A-1",
        "channel_order": payment().payment_id,
        "wallet": "WECHAT",
        "method": "BARCODE",
        "state": "PAID",
        "reason": "",
        "currency": "CNY",
        "amount_fen": 1_000,
        "charged_fen": 900,
        "coupon_fen": 100,
        "refunded_fen": 0,
        "returned_fen": 0,
        "processing_fen": 191,
        "reversed_fen": 0,
        "net_fen": 900,
        "created_at_ms": NOON_MS,
        "paid_at_ms": NOON_MS,
    }
    control.stage.clock.advance(10_000)
    (later,) = control.ask("GET", "/sandbox/book", query=f"channel_order={payment().payment_id}")[1]["orders"]
    assert (later["refunded_fen"], later["processing_fen"], later["net_fen"]) == (191, 0, 709)


def test_a_number_the_wallet_never_saw_has_no_rows(control: Control) -> None:
    assert control.ask("GET", "/sandbox/book", query="merchant_order=nobody") == (200, {"orders": []})
    assert control.ask("GET", "/sandbox/book")[0] == 400


def test_totals_are_told(control: Control) -> None:
    control.pay()
    assert control.ask("GET", "/sandbox/totals")[1]["net_fen"] == 1_000


def test_other_paths_and_methods_are_refused(control: Control) -> None:
    assert control.ask("GET", "/sandbox/elsewhere")[0] == 404
    assert control.ask("GET", "/sandbox/pay") == (405, {"error": "use POST"})
    assert control.ask("DELETE", "/sandbox/clock") == (405, {"error": "use GET, POST"})
    assert set(control.handle.PATHS) == set(control.handle._calls)


def test_a_book_that_cannot_be_written_is_said_and_the_clock_stands(control: Control) -> None:
    control.stage.journal.broken = True
    assert control.ask("POST", "/sandbox/clock", {"advance_s": 1})[0] == 503
    assert control.stage.clock.now_ms() == NOON_MS


@given(
    st.sampled_from(["/sandbox/clock", "/sandbox/pay", "/sandbox/cancel"]),
    st.one_of(st.binary(max_size=40), st.binary(max_size=40).map(lambda tail: b"{" + tail)),
)
def test_no_bytes_break_a_call(path: str, body: bytes) -> None:
    status, told = Control().ask("POST", path, body)
    assert status in {200, 400, 404}
    assert status == 200 or told["error"]
