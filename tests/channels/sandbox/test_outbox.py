"""Short messages in a demo: kept for whoever plays the person with the mobile."""

from __future__ import annotations

import json

import pytest

from anytill.channels.sandbox import Outbox
from anytill.channels.sandbox.control import SandboxControl
from anytill.channels.sandbox.outbox import MOST_KEPT, ShortMessage
from anytill.ports import Sms
from anytill.wire.http import HttpRequest
from tests.channels.fakes import NOON_MS, Stage, finish


def test_messages_are_told_by_mobile_the_newest_first() -> None:
    stage = Stage()
    outbox = Outbox(stage.clock)
    sms: Sms = outbox
    finish(sms("13800000000", "one"))
    stage.clock.advance(7)
    finish(sms("13900000000", "two"))
    finish(sms("13800000000", "three"))
    assert outbox.to("13800000000") == [
        ShortMessage(NOON_MS + 7, "13800000000", "three"),
        ShortMessage(NOON_MS, "13800000000", "one"),
    ]
    assert [message.text for message in outbox.to()] == ["three", "two", "one"]
    assert outbox.to("137") == []


def test_the_oldest_give_way() -> None:
    outbox = Outbox(Stage().clock)
    for number in range(MOST_KEPT + 2):
        finish(outbox("13800000000", str(number)))
    kept = outbox.to()
    assert (len(kept), kept[0].text, kept[-1].text) == (MOST_KEPT, str(MOST_KEPT + 1), "2")


@pytest.mark.parametrize(
    ("query", "status", "told"),
    [
        ("mobile=13800000000", 200, {"messages": [{"at_ms": NOON_MS, "mobile": "13800000000", "text": "验证码1"}]}),
        ("", 200, {"messages": [{"at_ms": NOON_MS, "mobile": "13800000000", "text": "验证码1"}]}),
        ("mobile=137", 200, {"messages": []}),
        ("phone=137", 400, {"field": "phone"}),
    ],
)
def test_the_control_call_tells_them(query: str, status: int, told: dict[str, object]) -> None:
    stage = Stage()
    outbox = Outbox(stage.clock)
    finish(outbox("13800000000", "验证码1"))
    control = SandboxControl(stage.channel, stage.clock, stage.clock.advance, outbox)
    response = finish(control(HttpRequest("GET", "/sandbox/sms", query, {}, b"", "127.0.0.1")))
    assert response.status == status
    answer = json.loads(response.body)
    if status == 200:
        assert answer == told
    else:
        assert answer["field"] == told["field"]
        assert "known here: mobile" in answer["error"]
